/* SPDX-License-Identifier: Apache-2.0 */
/* How far two detectors find the same boxes in the same images. */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/box_order.h"
#include "metric/boxes.h"
#include "metric/pairs.h"

typedef struct matching {
    const nz_detections *in[2];
    nz_by_image found[2];
    nz_pairs pairs;
    double iou_sum, score_difference_sum;
} matching;

static void matching_done(matching *m) {
    for (int i = 0; i < 2; i++) nz_by_image_done(&m->found[i]);
    nz_pairs_done(&m->pairs);
}

static nz_status match_image(matching *m, nz_detection_match *match, size_t image) {
    const nz_found_box *found[2] = {m->in[0]->found, m->in[1]->found};
    const uint32_t *list[2];
    size_t count[2];
    for (int i = 0; i < 2; i++) {
        list[i] = m->found[i].list + m->found[i].start[image];
        count[i] = m->found[i].start[image + 1] - m->found[i].start[image];
    }
    NZ_TRY(nz_pairs_begin(&m->pairs, count[0], count[1]));
    for (size_t a = 0; a < count[0]; a++)
        for (size_t b = 0; b < count[1]; b++) {
            const nz_found_box *p = &found[0][list[0][a]], *q = &found[1][list[1][b]];
            double iou = nz_box_overlap(p, q);
            /* A place that is two things at once is in both lists twice: its classes belong together. */
            nz_pair pair = {
                .iou = iou, .rank = p->class_index != q->class_index, .first = (uint32_t)a, .second = (uint32_t)b};
            if (iou >= match->iou && iou > 0) NZ_TRY(nz_pairs_add(&m->pairs, pair));
        }
    nz_pairs_sort(&m->pairs);
    nz_pairs_take(&m->pairs, match->iou);
    for (size_t i = 0; i < m->pairs.count; i++) {
        const nz_pair *pair = &m->pairs.list[i];
        if (!pair->taken) continue;
        const nz_found_box *p = &found[0][list[0][pair->first]], *q = &found[1][list[1][pair->second]];
        match->matched++;
        match->same_class += p->class_index == q->class_index;
        m->iou_sum += pair->iou;
        m->score_difference_sum += fabs(p->score - q->score);
    }
    match->first += count[0];
    match->second += count[1];
    return NZ_OK;
}

/* A detector beside itself: every box that has an area is its own partner, whatever else lies there. */
static void match_itself(matching *m, nz_detection_match *match, size_t count) {
    const nz_found_box *found = m->in[0]->found;
    for (size_t i = 0; i < count; i++) {
        double iou = nz_box_overlap(&found[m->found[0].list[i]], &found[m->found[0].list[i]]);
        if (!(iou >= match->iou && iou > 0)) continue;
        match->matched++;
        m->iou_sum += iou;
    }
    match->same_class = match->matched;
    match->first = match->second = count;
}

nz_status nz_detection_match_get(nz_detection_match *ret_match, const nz_detections *first, const nz_detections *second,
                                 double confidence, double iou) {
    NZ_AUTO(matching_done) matching m = {.in = {first, second}};
    nz_detection_match match = {.confidence = confidence, .iou = iou};
    NZ_TRY(nz_boxes_same(first, second));
    for (int i = 0; i < 2; i++) {
        NZ_TRY(nz_boxes_check(m.in[i]));
        NZ_TRY(nz_found_by_image(&m.found[i], m.in[i], confidence));
    }
    if (first == second) match_itself(&m, &match, m.found[0].start[first->image_count]);
    for (size_t i = 0; first != second && i < first->image_count; i++) {
        nz_status status = match_image(&m, &match, i);
        if (status != NZ_OK) return nz_boxes_fail_context(status, first, i);
    }
    match.mean_iou = match.matched ? m.iou_sum / (double)match.matched : (double)NAN;
    match.mean_score_difference = match.matched ? m.score_difference_sum / (double)match.matched : (double)NAN;
    *ret_match = match;
    return NZ_OK;
}
