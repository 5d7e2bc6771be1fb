/* SPDX-License-Identifier: Apache-2.0 */
/** What a results document says of a detector beyond its metrics: curves, classes, confusion, boxes of sample images. */
#ifndef NZ_REPORT_DETECTION_H
#define NZ_REPORT_DETECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/report.h"

enum {
    NZ_DETECTION_CLASSES_MOST = 2000,
    NZ_DETECTION_POINTS_MOST = 10001,
    NZ_DETECTION_SAMPLES_MOST = 64,
    NZ_DETECTION_BOXES_MOST = 2000, /**< of one sample */
    NZ_DETECTION_SIDE_MAX = 65535,
    NZ_DETECTION_DRAWN_MOST = 24 /**< detectors that have plots of their own */
};

/** Points in ascending order of x, both within 0 and 1. */
typedef struct nz_found_curve {
    size_t count;
    double *x, *y;
} nz_found_curve;

/** Fractions; NaN where the document has none (a class without objects). */
typedef struct nz_found_class {
    const char *name;        /**< cleaned; "class 7" where the document is silent */
    double id;               /**< NaN: none */
    double truths, ap, ap50; /**< objects; average precision */
    double precision, recall, f1;
} nz_found_class;

typedef struct nz_found_sample {
    const char *id, *image; /**< cleaned id; path as it stands in the document, "" where there is none */
    double width, height;   /**< what the boxes refer to */
    size_t truth_count, found_count;
    nz_box_mark *truths, *found;
} nz_found_sample;

typedef struct nz_found_match {
    bool known;
    double confidence, iou, baseline_boxes, boxes, matched, same_class, mean_iou, mean_score_difference;
} nz_found_match;

typedef struct nz_found {
    const char *head; /**< cleaned; "" */
    double images;    /**< NaN: not stated, as the others */
    double boxes, confidence;
    double ap50, map, f1; /**< fractions: COCO's AP50 and AP, the best mean F1 */
    nz_found_curve precision_recall, f1_confidence;
    size_t class_count;
    nz_found_class *classes;
    size_t side;       /**< of the confusion matrix: classes + 1; 0: none */
    double *confusion; /**< [side * side], row what was found, column what is there */
    double confusion_confidence, confusion_iou;
    nz_found_match match;
    size_t sample_count;
    nz_found_sample *samples;
} nz_found;

struct nz_view;
/** @param json  The object. @return NZ_E_FORMAT names the broken part. `view` keeps the strings. */
NZ_CHECKED nz_status nz_found_read(nz_found **ret_found, struct nz_view *view, const void *json);
void nz_found_free(nz_found *found);

/** The class of `found` that is class `index` of `like`: of the same id, or name; NULL where there is none. */
const nz_found_class *nz_found_class_like(const nz_found *found, const nz_found *like, size_t index);
const nz_found_sample *nz_found_sample_of(const nz_found *found, const char *id);

/** detection_variants.c: sets shown_by and found_label of every row; labels are there already. */
NZ_CHECKED nz_status nz_found_variants(struct nz_view *view);
/** Whether the row is a detector whose results are shown: no failed one, no variant that repeats another one's results. */
bool nz_found_shown(const struct nz_view *view, size_t row);
/** The detector that others are read against: the first baseline that is one, else the first detector; row_count: none. */
size_t nz_found_reference(const struct nz_view *view);
/** The score from which boxes are shown: the reference's best confidence by F1, 0.25 where it says nothing of use. */
double nz_found_confidence(const struct nz_view *view);

#endif
