/* SPDX-License-Identifier: Apache-2.0 */
/** Boxes in an order in which what concerns one image, or one class in one image, lies together. */
#ifndef NZ_METRIC_BOX_ORDER_H
#define NZ_METRIC_BOX_ORDER_H

#include "netzip/detection.h"

/** Two indices (uint32_t) into `found`, an nz_found_box *: by descending score, equal ones in their order; for qsort_r. */
int nz_found_compare(const void *a, const void *b, void *found);

/** Indices of boxes; those of image i are list[start[i]] to list[start[i + 1] - 1]. */
typedef struct nz_by_image {
    uint32_t *list;
    size_t *start; /* [images + 1] */
} nz_by_image;
void nz_by_image_done(nz_by_image *by);
/** Objects in their order, without crowds. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_truths_by_image(nz_by_image *ret_by, const nz_detections *in);
/** Detections of at least `confidence` by descending score, equal ones in their order. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_found_by_image(nz_by_image *ret_by, const nz_detections *in, double confidence);

/** Indices of boxes sorted by class, then image, then position; those of class c are list[start[c]] to list[start[c + 1] - 1]. */
typedef struct nz_class_order {
    uint32_t *list;
    size_t *start; /* [classes + 1] */
} nz_class_order;
void nz_class_order_done(nz_class_order *order);
/** All objects, crowds too. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_truths_by_class(nz_class_order *ret_order, const nz_detections *in);
/** NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_found_by_class(nz_class_order *ret_order, const nz_detections *in);

#endif
