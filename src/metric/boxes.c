/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/boxes.h"

#include <math.h>

#include "core/error.h"

double nz_box_threshold(int t) {
    return t == NZ_BOX_THRESHOLDS - 1 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / (NZ_BOX_THRESHOLDS - 1));
}

/* The common area of two boxes, 0 where they do not touch. */
static double intersection(double ax, double ay, double aw, double ah, double bx, double by, double bw, double bh) {
    double right = ax + aw < bx + bw ? ax + aw : bx + bw, below = ay + ah < by + bh ? ay + ah : by + bh;
    double w = right - (ax > bx ? ax : bx), h = below - (ay > by ? ay : by);
    return w > 0 && h > 0 ? w * h : 0;
}

double nz_box_iou(const nz_found_box *d, const nz_truth_box *g, bool part) {
    double both = intersection(d->x, d->y, d->width, d->height, g->x, g->y, g->width, g->height);
    double own = d->width * d->height;
    if (both <= 0) return 0;
    return both / (part ? own : own + g->width * g->height - both);
}

double nz_box_overlap(const nz_found_box *a, const nz_found_box *b) {
    double both = intersection(a->x, a->y, a->width, a->height, b->x, b->y, b->width, b->height);
    return both <= 0 ? 0 : both / (a->width * a->height + b->width * b->height - both);
}

nz_status nz_boxes_check(const nz_detections *in) {
    if (in->truth_count > UINT32_MAX || in->found_count > UINT32_MAX) return nz_fail(NZ_E_ARG, "more than 2^32 boxes");
    for (size_t i = 0; i < in->truth_count; i++) {
        const nz_truth_box *b = &in->truths[i];
        if (b->image < 0 || (size_t)b->image >= in->image_count || b->class_index < 0 ||
            (size_t)b->class_index >= in->class_count)
            return nz_fail(NZ_E_ARG, "object %zu: image or class is out of range", i);
    }
    for (size_t i = 0; i < in->found_count; i++) {
        const nz_found_box *b = &in->found[i];
        if (b->image < 0 || (size_t)b->image >= in->image_count || b->class_index < 0 ||
            (size_t)b->class_index >= in->class_count || isnan(b->score))
            return nz_fail(NZ_E_ARG, "detection %zu: image or class is out of range, or the score is no number", i);
    }
    return NZ_OK;
}

nz_status nz_boxes_same(const nz_detections *first, const nz_detections *second) {
    if (first->image_count != second->image_count || first->class_count != second->class_count)
        return nz_fail(NZ_E_ARG,
                       "the two sets of detections are of %zu and %zu images and of %zu and %zu classes: they cannot "
                       "be matched",
                       first->image_count, second->image_count, first->class_count, second->class_count);
    for (size_t i = 0; first->image_ids && second->image_ids && i < first->image_count; i++)
        if (first->image_ids[i] != second->image_ids[i])
            return nz_fail(NZ_E_ARG, "the two sets of detections are of other images: number %zu is %lld and %lld", i,
                           (long long)first->image_ids[i], (long long)second->image_ids[i]);
    return NZ_OK;
}

nz_status nz_boxes_fail_context(nz_status status, const nz_detections *in, size_t image) {
    return nz_fail_context(status, "image %lld", (long long)(in->image_ids ? in->image_ids[image] : (int64_t)image));
}
