/* SPDX-License-Identifier: Apache-2.0 */
/* Detections that cannot be meant as they stand: categories counted in another way, boxes in other units, images left out. */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "metric/box_order.h"
#include "metric/boxes.h"
#include "metric/evaluate_detections.h"

/* What a detection's category may have meant. */
enum { AS_IT_IS, ONE_HIGHER, ONE_LOWER, INDEX_FROM_0, INDEX_FROM_1, READINGS };
static const char *const readings[READINGS] = {
    [ONE_HIGHER] = "if category ids were 1 higher: are they class indices that count from 0?",
    [ONE_LOWER] = "if category ids were 1 lower",
    [INDEX_FROM_0] = "if category ids were positions in the list of categories, from 0: class indices instead of ids?",
    [INDEX_FROM_1] = "if category ids were positions in the list of categories, from 1: class indices instead of ids?",
};

static void count_readings(size_t counts[READINGS], const nz_detections *d, int32_t found, int32_t truth) {
    int64_t id = d->class_ids[found], there = d->class_ids[truth];
    counts[AS_IT_IS] += id == there;
    counts[ONE_HIGHER] += id != INT64_MAX && id + 1 == there;
    counts[ONE_LOWER] += id != INT64_MIN && id - 1 == there;
    counts[INDEX_FROM_0] += id == truth;
    counts[INDEX_FROM_1] += id == (int64_t)truth + 1;
}

/* The object that a box lies on, of whatever class; -1 where there is none. */
static int32_t object_below(const nz_detections *d, const nz_by_image *truths, const nz_found_box *box) {
    double best = 0.5;
    int32_t class_index = -1;
    for (size_t k = truths->start[box->image]; k < truths->start[box->image + 1]; k++) {
        const nz_truth_box *truth = &d->truths[truths->list[k]];
        double iou = nz_box_iou(box, truth, false);
        if (iou < best) continue;
        best = iou;
        class_index = truth->class_index;
    }
    return class_index;
}

static nz_status hint_categories(char **ret_hint, const nz_detections *d) {
    /* Boxes on objects to judge by; comparisons after which no more are looked for. */
    enum { LEAST = 20, ENOUGH = 1 << 27 };
    size_t compared = 0;
    NZ_AUTO(nz_by_image_done) nz_by_image truths = {0};
    size_t counts[READINGS] = {0}, on_objects = 0;
    NZ_TRY(nz_truths_by_image(&truths, d));
    for (size_t i = 0; i < d->found_count && compared < ENOUGH; i++) {
        compared += truths.start[d->found[i].image + 1] - truths.start[d->found[i].image];
        int32_t truth = object_below(d, &truths, &d->found[i]);
        if (truth < 0) continue;
        on_objects++;
        count_readings(counts, d, d->found[i].class_index, truth);
    }
    size_t best = AS_IT_IS;
    for (size_t k = 0; k < READINGS; k++)
        if (counts[k] > counts[best]) best = k;
    double share = (double)counts[best] / (double)on_objects, now = (double)counts[AS_IT_IS] / (double)on_objects;
    if (on_objects < LEAST || best == AS_IT_IS || share < 0.5 || share < 3 * now) return NZ_OK;
    return nz_format(ret_hint,
                     "of %zu detections that lie on an object only %.0f%% are of its category, but %.0f%% would be %s",
                     on_objects, 100 * now, 100 * share, readings[best]);
}

nz_status nz_detection_hint(char **ret_hint, const nz_detections *own) {
    double largest = 0;
    for (size_t i = 0; i < own->found_count; i++)
        largest = fmax(largest, fmax(own->found[i].width, own->found[i].height));
    if (own->found_count && largest <= 1.5)
        return nz_format(ret_hint,
                         "no detection is larger than %.3g pixels: are boxes given as fractions of the image? "
                         "They are x, y, width, height in pixels",
                         largest);
    return own->class_ids ? hint_categories(ret_hint, own) : NZ_OK;
}

nz_status nz_detection_gap(char **ret_hint, const nz_detections *own) {
    enum { TRUTH = 1, FOUND = 2, LEAST = 5 };
    NZ_AUTO_FREE unsigned char *has = NULL;
    size_t with_truth = 0, empty = 0;
    NZ_TRY(nz_alloc(&has, own->image_count, sizeof *has));
    for (size_t i = 0; i < own->truth_count; i++) has[own->truths[i].image] |= TRUTH;
    for (size_t i = 0; i < own->found_count; i++) has[own->found[i].image] |= FOUND;
    for (size_t i = 0; i < own->image_count; i++) {
        with_truth += (has[i] & TRUTH) != 0;
        empty += has[i] == TRUTH;
    }
    /* A detector that is asked for all but the least certain boxes leaves a few images empty; a quarter it does not. */
    if (empty < LEAST || empty * 4 < with_truth) return NZ_OK;
    return nz_format(ret_hint,
                     "%zu of %zu images with objects have no detection at all, and all their objects count as missed: "
                     "were these images run?",
                     empty, with_truth);
}
