/* SPDX-License-Identifier: Apache-2.0 */
/* A cell is one class in one image: matching happens within it, for every area range and IoU threshold at once. */
#include "metric/coco_match.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/box_order.h"
#include "metric/boxes.h"

enum { THRESHOLDS = NZ_BOX_THRESHOLDS, AREAS = NZ_COCO_AREAS, ALL_BITS = (1 << NZ_BOX_THRESHOLDS) - 1 };

/* Both ends belong to a range. */
static const double areas[AREAS][2] = {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}};

void nz_coco_matches_done(nz_coco_matches *m) {
    free(m->verdicts);
    free(m->start);
    free(m->counted);
    free(m->truth_images);
    free(m->truth_start);
    *m = (nz_coco_matches){0};
}

/* What a verdict is sorted by within its class. */
typedef struct sort_key {
    double score;
    uint32_t place; /* by image and rank: settles equal scores */
} sort_key;

typedef struct matching {
    const nz_detections *in;
    nz_class_order truths, found;
    nz_coco_matches out;
    nz_coco_verdict *verdicts; /* of the class in hand, by image */
    sort_key *keys;
    size_t count;
    double *ious;           /* of a detection with the truths of its cell */
    uint32_t *order[AREAS]; /* truths of the cell in hand, those that count first */
    size_t inside[AREAS];   /* how many count */
    uint16_t *taken[AREAS]; /* by truth: bit t where it is taken */
} matching;

static void matching_done(matching *m) {
    nz_class_order_done(&m->truths);
    nz_class_order_done(&m->found);
    nz_coco_matches_done(&m->out);
    free(m->verdicts);
    free(m->keys);
    free(m->ious);
    for (int a = 0; a < AREAS; a++) {
        free(m->order[a]);
        free(m->taken[a]);
    }
}

static bool out_of(int area, double size) { return size < areas[area][0] || size > areas[area][1]; }

/* Objects of a cell, indices into in->truths, and its detections likewise. */
typedef struct cell {
    const uint32_t *truths, *found;
    size_t truth_count, found_count;
} cell;

static void order_truths(matching *m, const cell *c, size_t class_index) {
    for (int a = 0; a < AREAS; a++) {
        size_t kept = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (size_t g = 0; g < c->truth_count; g++) {
                const nz_truth_box *box = &m->in->truths[c->truths[g]];
                if ((box->crowd || out_of(a, box->area)) == (pass == 1)) m->order[a][kept++] = (uint32_t)g;
            }
            if (pass == 0) m->inside[a] = kept;
        }
        m->out.counted[class_index * AREAS + (size_t)a] += m->inside[a];
    }
}

/* Which truth is the best one for a detection that is still free at this threshold: its place in the order; -1 for none. One
 * that counts is preferred to one that does not, whatever the overlap. */
static int find_match(const matching *m, const cell *c, int area, int t) {
    const uint32_t *order = m->order[area];
    double least = nz_box_threshold(t);
    int best = -1;
    for (size_t k = 0; k < c->truth_count; k++) {
        uint32_t g = order[k];
        if (k >= m->inside[area] && best >= 0 && (size_t)best < m->inside[area]) break;
        if ((m->taken[area][g] >> t & 1) && !m->in->truths[c->truths[g]].crowd) continue;
        if (m->ious[g] < least) continue;
        least = m->ious[g];
        best = (int)k;
    }
    return best;
}

/* A detection in one area range, at every threshold that its best overlap reaches. */
static void match_area(matching *m, const cell *c, int area, double best, bool outside, nz_coco_verdict *verdict) {
    int t = 0;
    for (; t < THRESHOLDS && best >= nz_box_threshold(t); t++) {
        uint16_t bit = (uint16_t)(1u << t);
        int at = find_match(m, c, area, t);
        if (at >= 0) {
            m->taken[area][m->order[area][at]] |= bit;
            verdict->matched[area] |= bit;
        }
        if (at >= 0 ? (size_t)at >= m->inside[area] : outside) verdict->ignored[area] |= bit;
    }
    if (outside) verdict->ignored[area] |= (uint16_t)(ALL_BITS & ~((1u << t) - 1));
}

static void match_found(matching *m, const cell *c, size_t rank) {
    const nz_found_box *box = &m->in->found[c->found[rank]];
    nz_coco_verdict *verdict = &m->verdicts[m->count];
    double best = 0;
    *verdict = (nz_coco_verdict){.image = (uint32_t)box->image, .rank = (uint16_t)rank};
    m->keys[m->count] = (sort_key){.score = box->score, .place = (uint32_t)m->count};
    m->count++;
    for (size_t g = 0; g < c->truth_count; g++) {
        const nz_truth_box *truth = &m->in->truths[c->truths[g]];
        m->ious[g] = nz_box_iou(box, truth, truth->crowd);
        best = m->ious[g] > best ? m->ious[g] : best;
    }
    for (int a = 0; a < AREAS; a++) match_area(m, c, a, best, out_of(a, box->width * box->height), verdict);
}

/* The detections of a cell by descending score, equal ones in their order; most cells hold a few. */
static void sort_found(nz_found_box *found, uint32_t *list, size_t count) {
    enum { FEW = 24 };
    if (count > FEW) {
        qsort_r(list, count, sizeof *list, nz_found_compare, found);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        uint32_t moved = list[i];
        size_t at = i;
        for (; at > 0 && found[list[at - 1]].score < found[moved].score; at--) list[at] = list[at - 1];
        list[at] = moved;
    }
}

/* How many entries of a class from `at` on are of the image of the first. */
static size_t run_of_truths(const matching *m, size_t at, size_t end, int32_t image) {
    size_t count = 0;
    while (at + count < end && m->in->truths[m->truths.list[at + count]].image == image) count++;
    return count;
}
static size_t run_of_found(const matching *m, size_t at, size_t end, int32_t image) {
    size_t count = 0;
    while (at + count < end && m->in->found[m->found.list[at + count]].image == image) count++;
    return count;
}

static void match_cell(matching *m, cell *c, size_t class_index) {
    for (int a = 0; a < AREAS; a++) memset(m->taken[a], 0, c->truth_count * sizeof *m->taken[a]);
    order_truths(m, c, class_index);
    for (size_t k = 0; k < m->inside[0]; k++)
        m->out.truth_images[m->out.truth_start[class_index + 1]++] =
            (uint32_t)m->in->truths[c->truths[m->order[0][k]]].image;
    for (size_t d = 0; d < c->found_count && d < NZ_COCO_FOUND_MOST; d++) match_found(m, c, d);
}

static int compare_keys(const void *a, const void *b) {
    const sort_key *p = a, *q = b;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    return p->place < q->place ? -1 : p->place > q->place;
}

static void match_class(matching *m, size_t class_index) {
    size_t g = m->truths.start[class_index], g_end = m->truths.start[class_index + 1];
    size_t d = m->found.start[class_index], d_end = m->found.start[class_index + 1], at = m->out.start[class_index];
    m->count = 0;
    m->out.truth_start[class_index + 1] = m->out.truth_start[class_index];
    while (g < g_end || d < d_end) {
        int32_t truth_image = g < g_end ? m->in->truths[m->truths.list[g]].image : INT32_MAX;
        int32_t found_image = d < d_end ? m->in->found[m->found.list[d]].image : INT32_MAX;
        int32_t image = truth_image < found_image ? truth_image : found_image;
        uint32_t *found = m->found.list + d;
        cell c = {.truths = m->truths.list + g, .found = found};
        c.truth_count = run_of_truths(m, g, g_end, image);
        c.found_count = run_of_found(m, d, d_end, image);
        sort_found(m->in->found, found, c.found_count);
        match_cell(m, &c, class_index);
        g += c.truth_count;
        d += c.found_count;
    }
    if (m->count) qsort(m->keys, m->count, sizeof *m->keys, compare_keys);
    for (size_t i = 0; i < m->count; i++) m->out.verdicts[at + i] = m->verdicts[m->keys[i].place];
    m->out.start[class_index + 1] = at + m->count;
}

static nz_status open_matching(matching *m) {
    size_t classes = m->in->class_count, truths = m->in->truth_count, found = m->in->found_count;
    NZ_TRY(nz_boxes_check(m->in));
    NZ_TRY(nz_truths_by_class(&m->truths, m->in));
    NZ_TRY(nz_found_by_class(&m->found, m->in));
    m->out.class_count = classes;
    NZ_TRY(nz_alloc(&m->out.start, classes + 1, sizeof *m->out.start));
    NZ_TRY(nz_alloc(&m->out.truth_start, classes + 1, sizeof *m->out.truth_start));
    NZ_TRY(nz_alloc(&m->out.counted, classes, AREAS * sizeof *m->out.counted));
    NZ_TRY(nz_alloc(&m->out.truth_images, truths, sizeof *m->out.truth_images));
    NZ_TRY(nz_alloc(&m->out.verdicts, found, sizeof *m->out.verdicts));
    size_t most_truths = 0, most_found = 0;
    for (size_t c = 0; c < classes; c++) {
        size_t g = m->truths.start[c + 1] - m->truths.start[c], d = m->found.start[c + 1] - m->found.start[c];
        most_truths = g > most_truths ? g : most_truths;
        most_found = d > most_found ? d : most_found;
    }
    NZ_TRY(nz_alloc(&m->verdicts, most_found, sizeof *m->verdicts));
    NZ_TRY(nz_alloc(&m->keys, most_found, sizeof *m->keys));
    NZ_TRY(nz_alloc(&m->ious, most_truths, sizeof *m->ious));
    for (int a = 0; a < AREAS; a++) {
        NZ_TRY(nz_alloc(&m->order[a], most_truths, sizeof *m->order[a]));
        NZ_TRY(nz_alloc(&m->taken[a], most_truths, sizeof *m->taken[a]));
    }
    return NZ_OK;
}

nz_status nz_coco_match(nz_coco_matches *ret_matches, const nz_detections *in) {
    NZ_AUTO(matching_done) matching m = {.in = in};
    NZ_TRY(open_matching(&m));
    for (size_t c = 0; c < in->class_count; c++) match_class(&m, c);
    *ret_matches = m.out;
    m.out = (nz_coco_matches){0};
    return NZ_OK;
}
