/* SPDX-License-Identifier: Apache-2.0 */
/** What the evaluators of detections share. */
#ifndef NZ_METRIC_BOXES_H
#define NZ_METRIC_BOXES_H

#include "netzip/detection.h"

enum { NZ_BOX_THRESHOLDS = 10 };
/** IoU threshold `t` of 0.50:0.05:0.95, to the last bit as everybody's linspace(.5, .95, 10) has it. */
double nz_box_threshold(int t);
/** Intersection over union; over what was found alone where `part` (a crowd holds any part of itself). */
double nz_box_iou(const nz_found_box *found, const nz_truth_box *truth, bool part);
/** Intersection over union of two found boxes; 0 where they do not touch. */
double nz_box_overlap(const nz_found_box *a, const nz_found_box *b);
/** NZ_E_ARG for indices out of range, a score that is no number, or more boxes than are handled. */
NZ_CHECKED nz_status nz_boxes_check(const nz_detections *detections);
/** Puts the id of image `image` before the last message; returns `status`. */
nz_status nz_boxes_fail_context(nz_status status, const nz_detections *detections, size_t image);
/** NZ_E_ARG where two sets of detections are not of the same images and classes. */
NZ_CHECKED nz_status nz_boxes_same(const nz_detections *first, const nz_detections *second);

#endif
