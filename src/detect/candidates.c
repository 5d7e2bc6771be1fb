/* SPDX-License-Identifier: Apache-2.0 */
/* Which (box, class) pairs score above the confidence. Nearly none of a head's boxes do: a cheap look at each row or at a
 * tile of rows comes first, and only rows that pass are read class by class. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "detect/detector.h"

enum { TILE = 256 };

/* What holds for all rows of a sample. */
typedef struct scan {
    nz_detector *detector;
    const nz_head_block *block;
    const float *data; /* of the block */
    size_t classes, first_class;
    float confidence;
    float least_logit; /* an objectness before the sigmoid below this cannot do: with some slack for rounding */
} scan;

static float logit(float p) { return p <= 0 ? -INFINITY : p >= 1 ? INFINITY : logf(p / (1 - p)); }

static float with_slack(float x) { return x - 1e-3f - 1e-5f * fabsf(x); }

static void push(nz_detector *d, size_t row, size_t class_index, float score) {
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    d->candidates[d->count++] = (nz_candidate){.key = ~bits, .id = (uint32_t)(row * d->fit.classes + class_index)};
}

/* The row's pairs above the confidence. Scores are positive numbers: a NaN compares as nothing, infinity is none. */
static void take_scores(const scan *s, size_t row, const float *scores, size_t step, float objectness, float least) {
    nz_detector *d = s->detector;
    size_t best = 0;
    float best_score = s->confidence;
    bool any = false;
    for (size_t c = 0; c < s->classes; c++) {
        float v = scores[c * step];
        if (!(v > least)) continue;
        float score = objectness * (d->head->logits ? nz_sigmoid(v) : v);
        if (!(score > s->confidence) || !isfinite(score)) continue;
        if (!d->best_class) {
            push(d, s->block->first + row, c, score);
        } else if (!any || score > best_score) {
            any = true;
            best = c;
            best_score = score;
        }
    }
    if (any) push(d, s->block->first + row, best, best_score);
}

static nz_status take_row(const scan *s, size_t row) {
    nz_detector *d = s->detector;
    size_t step = s->block->value_step;
    const float *v = s->data + row * s->block->row_step;
    float objectness = d->head->objectness ? v[4 * step] : 1, least = -INFINITY;
    if (d->head->logits) {
        objectness = nz_sigmoid(objectness);
        least = with_slack(logit(s->confidence / objectness));
    }
    NZ_TRY(nz_grow(&d->candidates, &d->capacity, d->count + s->classes, sizeof *d->candidates));
    take_scores(s, row, v + s->first_class * step, step, objectness, least);
    return NZ_OK;
}

/* How many values of a row, one behind the other, pass. Counting without a branch is what vectorises. */
static int passing(const float *scores, size_t count, float objectness, float confidence) {
    int passed = 0;
    for (size_t c = 0; c < count; c++) passed += objectness * scores[c] > confidence;
    return passed;
}

static nz_status scan_rows(const scan *s) {
    bool logits = s->detector->head->logits, has_objectness = s->detector->head->objectness;
    for (size_t r = 0; r < s->block->rows; r++) {
        const float *v = s->data + r * s->block->row_step;
        float objectness = has_objectness ? v[4] : 1;
        bool look = logits ? objectness > s->least_logit
                           : passing(v + s->first_class, s->classes, objectness, s->confidence) > 0;
        if (look) NZ_TRY(take_row(s, r));
    }
    return NZ_OK;
}

/* Where values of one kind lie side by side: a tile of boxes at a time, all classes of it. */
static nz_status scan_tiles(const scan *s) {
    bool logits = s->detector->head->logits, has_objectness = s->detector->head->objectness;
    size_t step = s->block->value_step;
    for (size_t begin = 0; begin < s->block->rows; begin += TILE) {
        size_t count = s->block->rows - begin < TILE ? s->block->rows - begin : TILE;
        const float *v = s->data + begin;
        int passed[TILE] = {0};
        float objectness[TILE];
        for (size_t r = 0; r < count; r++) objectness[r] = has_objectness ? v[4 * step + r] : 1;
        for (size_t r = 0; logits && r < count; r++) passed[r] = objectness[r] > s->least_logit;
        for (size_t c = 0; !logits && c < s->classes; c++) {
            const float *scores = v + (s->first_class + c) * step;
            for (size_t r = 0; r < count; r++) passed[r] += objectness[r] * scores[r] > s->confidence;
        }
        for (size_t r = 0; r < count; r++)
            if (passed[r]) NZ_TRY(take_row(s, begin + r));
    }
    return NZ_OK;
}

nz_status nz_detector_candidates(nz_detector *d) {
    d->count = 0;
    for (size_t b = 0; b < d->fit.block_count; b++) {
        const nz_head_block *block = &d->fit.blocks[b];
        scan s = {.detector = d,
                  .block = block,
                  .data = d->data[block->output] + block->offset,
                  .classes = d->fit.classes,
                  .first_class = d->head->objectness ? 5 : 4,
                  .confidence = d->confidence,
                  .least_logit = with_slack(logit(d->confidence))};
        NZ_TRY(block->row_step == 1 ? scan_tiles(&s) : scan_rows(&s));
    }
    return NZ_OK;
}
