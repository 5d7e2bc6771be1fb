/* SPDX-License-Identifier: Apache-2.0 */
/* Which class was taken for which. */
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/box_order.h"
#include "metric/boxes.h"
#include "metric/pairs.h"

typedef struct gathered {
    const nz_detections *in;
    nz_by_image truths, found;
    nz_pairs pairs;
} gathered;

static void gathered_done(gathered *g) {
    nz_by_image_done(&g->truths);
    nz_by_image_done(&g->found);
    nz_pairs_done(&g->pairs);
}

static nz_status count_image(gathered *g, nz_confusion *c, size_t image) {
    const uint32_t *truths = g->truths.list + g->truths.start[image], *found = g->found.list + g->found.start[image];
    size_t truth_count = g->truths.start[image + 1] - g->truths.start[image], side = c->class_count + 1;
    size_t found_count = g->found.start[image + 1] - g->found.start[image];
    NZ_TRY(nz_pairs_begin(&g->pairs, truth_count, found_count));
    for (size_t t = 0; t < truth_count; t++)
        for (size_t f = 0; f < found_count; f++) {
            double iou = nz_box_iou(&g->in->found[found[f]], &g->in->truths[truths[t]], false);
            /* Of detections in the same place the one of highest score is what was found. */
            nz_pair pair = {.iou = iou, .rank = (uint32_t)f, .first = (uint32_t)t, .second = (uint32_t)f};
            if (iou >= c->iou && iou > 0) NZ_TRY(nz_pairs_add(&g->pairs, pair));
        }
    nz_pairs_sort(&g->pairs);
    nz_pairs_take(&g->pairs, c->iou);
    for (size_t i = 0; i < g->pairs.count; i++) {
        const nz_pair *p = &g->pairs.list[i];
        if (!p->taken) continue;
        size_t row = (size_t)g->in->found[found[p->second]].class_index;
        c->counts[row * side + (size_t)g->in->truths[truths[p->first]].class_index]++;
    }
    for (size_t t = 0; t < truth_count; t++)
        if (!g->pairs.taken[0][t]) c->counts[c->class_count * side + (size_t)g->in->truths[truths[t]].class_index]++;
    for (size_t f = 0; f < found_count; f++)
        if (!g->pairs.taken[1][f]) c->counts[(size_t)g->in->found[found[f]].class_index * side + c->class_count]++;
    return NZ_OK;
}

nz_status nz_confusion_get(nz_confusion *ret_confusion, const nz_detections *in, double confidence, double iou) {
    NZ_AUTO(gathered_done) gathered g = {.in = in};
    NZ_AUTO(nz_confusion_done)
    nz_confusion c = {.confidence = confidence, .iou = iou, .class_count = in->class_count};
    NZ_TRY(nz_boxes_check(in));
    NZ_TRY(nz_truths_by_image(&g.truths, in));
    NZ_TRY(nz_found_by_image(&g.found, in, confidence));
    size_t side = in->class_count + 1, cells;
    if (!nz_mul_size(&cells, side, side)) return nz_fail(NZ_E_MEMORY, "out of memory: %zu classes", in->class_count);
    NZ_TRY(nz_alloc(&c.counts, cells, sizeof *c.counts));
    for (size_t i = 0; i < in->image_count; i++) {
        nz_status status = count_image(&g, &c, i);
        if (status != NZ_OK) return nz_boxes_fail_context(status, in, i);
    }
    *ret_confusion = c;
    c = (nz_confusion){0};
    return NZ_OK;
}

void nz_confusion_done(nz_confusion *confusion) {
    free(confusion->counts);
    *confusion = (nz_confusion){0};
}
