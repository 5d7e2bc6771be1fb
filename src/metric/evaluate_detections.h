/* SPDX-License-Identifier: Apache-2.0 */
/** The accuracy metrics of detections that were made elsewhere. */
#ifndef NZ_METRIC_EVALUATE_DETECTIONS_H
#define NZ_METRIC_EVALUATE_DETECTIONS_H

#include "core/json.h"
#include "netzip/detection.h"
#include "netzip/metric.h"

enum { NZ_EVALUATION_WARNINGS_MOST = 8 };

typedef struct nz_detection_evaluation {
    nz_detections own, base; /**< base.image_count 0: there is no baseline */
    bool yolov5;             /**< map50 and map50_95 are YOLOv5's, not COCO's */
    nz_detection_scores scores;
    size_t *found; /**< [own.class_count] detections of each class, whatever their score */
    size_t count;
    const nz_metric **metrics; /**< [count] */
    nz_value_report *values;   /**< [count] */
    size_t warning_count;
    char *warnings[NZ_EVALUATION_WARNINGS_MOST];
} nz_detection_evaluation;
void nz_detection_evaluation_done(nz_detection_evaluation *evaluation);

/**
 * Evaluates detections files against ground truth.
 *
 * @param truth       Taken over and left empty on success.
 * @param found       Path of COCO's detections JSON.
 * @param baseline    The same of the uncompressed model; NULL: none.
 * @param replicates  Resampled sets of images for the intervals of COCO's mAP; 0: no intervals. YOLOv5's has none.
 * @return NZ_E_IO, NZ_E_FORMAT (one line with the place), NZ_E_ARG where there are no images, NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_evaluate_detections(nz_detection_evaluation *ret_evaluation, nz_detections *truth,
                                            const char *found, const char *baseline, bool yolov5, size_t replicates,
                                            uint64_t seed);
/** {"evaluator", "metrics", "per_class", "paired", "detection", "warnings", ...} of cli.md. */
NZ_CHECKED nz_status nz_detection_evaluation_json(json_t **ret_json, const nz_detection_evaluation *evaluation);

/** detection_hints.c: the warning that `own` deserves because its categories or boxes are of another kind than the ground truth's,
 * in words; NULL where nothing is odd. Owned: free(). NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_detection_hint(char **ret_hint, const nz_detections *own);
/** detection_hints.c: the warning that a quarter or more of the images with objects have no detection; else as nz_detection_hint. */
NZ_CHECKED nz_status nz_detection_gap(char **ret_hint, const nz_detections *own);

#endif
