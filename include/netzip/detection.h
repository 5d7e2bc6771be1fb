/* SPDX-License-Identifier: Apache-2.0 */
/** Object detection: boxes that were found against boxes that are there. */
#ifndef NETZIP_DETECTION_H
#define NETZIP_DETECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An object of the ground truth. Boxes are corner and extent in pixels, as COCO has them. */
typedef struct nz_truth_box {
    int32_t image, class_index;
    double x, y, width, height;
    double area; /**< the annotation's own (of its mask), by which it is small, medium or large */
    bool crowd;  /**< stands for many: neither found nor missed */
} nz_truth_box;

/** An object that a model found. */
typedef struct nz_found_box {
    int32_t image, class_index;
    double x, y, width, height, score;
} nz_found_box;

/** Images, classes and boxes; boxes refer to both by index. Images are sorted by id, classes too, boxes stand in their files' order. */
typedef struct nz_detections {
    size_t image_count, class_count, truth_count, found_count;
    int64_t *image_ids, *class_ids;
    char **class_names; /**< [class_count]; an entry is NULL where the file gives none */
    nz_truth_box *truths;
    nz_found_box *found;
    size_t skipped_truths; /**< annotations of images or categories that the file does not list */
    size_t
        ignored_truths; /**< annotations that say "ignore" without "iscrowd": COCO's evaluator counts them like any other */
    size_t skipped_found;  /**< detections of categories that the ground truth does not list */
    int64_t skipped_class; /**< the category of the first of them */
} nz_detections;
/** Releases everything and zeroes it; safe on a zeroed one. */
NZ_API void nz_detections_done(nz_detections *detections);

/**
 * Reads COCO's JSON forms: annotations with images, categories and annotations; and a list of detections with image_id,
 * category_id, bbox and score.
 *
 * @param truth  Path of the annotations.
 * @param found  Path of the detections; NULL: none are read.
 * @return NZ_E_IO; NZ_E_FORMAT names the file, the entry and what is wrong with it, among them a detection on an image
 *         that the annotations do not list; NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_detections_read(nz_detections *ret_detections, const char *truth, const char *found);

/** Reads a list of detections in place of those that are there; as nz_detections_read. */
NZ_API NZ_CHECKED nz_status nz_detections_read_found(nz_detections *detections, const char *found);
/** A copy of the ground truth, nothing found. NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_detections_copy_truths(nz_detections *ret_copy, const nz_detections *detections);

/** The twelve statistics in COCO's order. */
typedef enum nz_coco_stat {
    NZ_COCO_AP,
    NZ_COCO_AP50,
    NZ_COCO_AP75,
    NZ_COCO_AP_SMALL,
    NZ_COCO_AP_MEDIUM,
    NZ_COCO_AP_LARGE,
    NZ_COCO_AR1,
    NZ_COCO_AR10,
    NZ_COCO_AR100,
    NZ_COCO_AR_SMALL,
    NZ_COCO_AR_MEDIUM,
    NZ_COCO_AR_LARGE,
    NZ_COCO_STATS
} nz_coco_stat;
/** "AP", "AP50", ..., "ARlarge". Static. */
NZ_API const char *nz_coco_stat_name(nz_coco_stat stat);

enum { NZ_COCO_RECALLS = 101 };

typedef struct nz_coco_class {
    double ap, ap50, ar100;              /**< fractions; -1 without ground truth */
    size_t truths;                       /**< that count (no crowds) */
    double precision50[NZ_COCO_RECALLS]; /**< at recall i/100 and IoU 0.50 */
} nz_coco_class;

typedef struct nz_coco_result {
    double stats[NZ_COCO_STATS]; /**< fractions; -1 where there is no ground truth */
    size_t class_count;
    nz_coco_class *classes;
} nz_coco_result;
/** Releases the rows and zeroes them; safe on a zeroed one. */
NZ_API void nz_coco_result_done(nz_coco_result *result);

/**
 * Evaluates by the COCO protocol for boxes: per class and image the 100 detections of highest score (equal ones in the
 * file's order) are matched greedily at IoU 0.50:0.05:0.95, crowds and objects outside the area range neither count nor
 * hurt, precision is made monotone and read at 101 recalls, classes without ground truth are left out of means.
 *
 * @return NZ_E_ARG for indices out of range or scores that are no numbers; NZ_E_MEMORY.
 * @source T.-Y. Lin et al., Microsoft COCO, 2014, and the evaluation rules published with the data set.
 */
NZ_API NZ_CHECKED nz_status nz_coco_evaluate(nz_coco_result *ret_result, const nz_detections *detections);

enum { NZ_CONFIDENCES = 1000 };

typedef struct nz_yolo_class {
    size_t truths, found;         /**< that count: no crowds; of an image the 300 of highest score above 0.001 */
    double ap, ap50;              /**< fractions; 0 where nothing was found, -1 without ground truth */
    double precision, recall, f1; /**< at IoU 0.50 and the confidence of the whole, likewise */
} nz_yolo_class;

/** Means are over the classes that have ground truth. */
typedef struct nz_yolo_result {
    double map50, map50_95;       /**< fractions; -1 without any ground truth */
    double precision, recall, f1; /**< means over classes at `confidence` and IoU 0.50 */
    double confidence;            /**< where the mean F1 is largest; the first of equals */
    size_t class_count;
    nz_yolo_class *classes;
    double mean_f1[NZ_CONFIDENCES]; /**< at confidence i / 999 */
} nz_yolo_result;
/** Releases the rows and zeroes them; safe on a zeroed one. */
NZ_API void nz_yolo_result_done(nz_yolo_result *result);

/**
 * Evaluates as YOLOv5's own validation does, which gives other numbers than COCO's protocol on the same boxes: crowds are left
 * out; of each image the 300 detections of highest score above 0.001 count; at each IoU threshold 0.50:0.05:0.95 pairs
 * of one class are sorted by descending IoU, each detection keeps its first object (the one that it overlaps most), then
 * each object keeps the best scored of its detections, whatever their overlap; the others are wrong, though a second
 * object be free. The curve begins at (0, 1), ends at (1, 0), is made monotone, interpolated linearly at 101 recalls and
 * integrated by trapezoids. The best mean F1 is that of the curve as it is; later releases of YOLOv5 smooth it first.
 *
 * @return NZ_E_ARG as nz_coco_evaluate; NZ_E_MEMORY.
 * @source G. Jocher et al., YOLOv5 (val.py, metrics.py), behaviour read and written anew.
 */
NZ_API NZ_CHECKED nz_status nz_yolo_evaluate(nz_yolo_result *ret_result, const nz_detections *detections);

/* ---- Curves and counts for the report ---- */

/** What reports show the confusion at: YOLOv5's thresholds. */
#define NZ_CONFUSION_CONFIDENCE 0.25
#define NZ_CONFUSION_IOU 0.45

/** Which class was taken for which, laid out as YOLOv5's confusion matrix; its pairs are one to one, which YOLOv5's are not. */
typedef struct nz_confusion {
    double confidence,
        iou; /**< detections of at least this score; pairs of at least this overlap, whatever their class */
    size_t class_count;
    uint64_t
        *counts; /**< [class_count + 1][class_count + 1]: row what was found, column what is there; the last: nothing */
} nz_confusion;
/** Releases the counts and zeroes the struct; safe on a zeroed one. */
NZ_API void nz_confusion_done(nz_confusion *confusion);
/** Pairs are taken by descending IoU, each box once; crowds are left out. NZ_E_ARG as nz_coco_evaluate; NZ_E_UNSUPPORTED names an
 * image of too many boxes (2^28 comparisons, 4 million overlapping pairs); NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_confusion_get(nz_confusion *ret_confusion, const nz_detections *detections,
                                             double confidence, double iou);

/* ---- Functional equivalence of two detectors on the same images ---- */

typedef struct nz_detection_match {
    double confidence, iou;       /**< boxes of at least this score are matched at this overlap */
    size_t first, second;         /**< boxes of each */
    size_t matched;               /**< pairs, by descending IoU, each box once, whatever their class */
    size_t same_class;            /**< of those */
    double mean_iou;              /**< of the pairs; NaN where there is none */
    double mean_score_difference; /**< mean of |score difference| over pairs; NaN */
} nz_detection_match;
/** NZ_E_ARG where images or classes differ; NZ_E_UNSUPPORTED as nz_confusion_get; NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_detection_match_get(nz_detection_match *ret_match, const nz_detections *first,
                                                   const nz_detections *second, double confidence, double iou);

/* ---- Uncertainty: bootstrap over images ---- */

/** The statistics that are resampled: as fractions. */
typedef enum nz_map_stat { NZ_MAP50, NZ_MAP50_95, NZ_MAP_STATS } nz_map_stat;

/** Intervals, 95%, from resampled sets of images (the same number, with replacement; the same draws for both models of a
 * difference): percentiles, moved by the bias that resampling itself has, which lifts mAP where classes are rare. They tell
 * what other sets of as many images would give. */
typedef struct nz_map_interval {
    size_t replicates;
    double value[NZ_MAP_STATS], ci95[NZ_MAP_STATS][2]; /**< of the model, COCO protocol */
    bool has_difference;
    double difference[NZ_MAP_STATS], difference_ci95[NZ_MAP_STATS][2]; /**< model minus baseline */
} nz_map_interval;
/** @param baseline  NULL: no difference. Deterministic for `seed`. NZ_E_ARG, NZ_E_MEMORY.
 * @source B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals)
 * and 10 (bias). */
NZ_API NZ_CHECKED nz_status nz_map_interval_get(nz_map_interval *ret_interval, const nz_detections *model,
                                                const nz_detections *baseline, size_t replicates, uint64_t seed);

/* ---- Everything that metrics of a detector read ---- */

typedef struct nz_detection_scores {
    const nz_detections *detections; /**< borrowed: ground truth and what the model found */
    nz_coco_result coco;
    nz_yolo_result yolo;
    nz_map_interval interval;
    bool has_match; /**< false for the baseline itself */
    nz_detection_match match;
} nz_detection_scores;
/** Releases what is owned and zeroes the struct; safe on a zeroed one. */
NZ_API void nz_detection_scores_done(nz_detection_scores *scores);
/** Both evaluators, the intervals from 1,000 resampled sets, and the match with the baseline (NULL: none). NZ_E_ARG, NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_detection_scores_get(nz_detection_scores *ret_scores, const nz_detections *model,
                                                    const nz_detections *baseline, uint64_t seed);
/** The same with `replicates` resampled sets; 0: no intervals. */
NZ_API NZ_CHECKED nz_status nz_detection_scores_resampled(nz_detection_scores *ret_scores, const nz_detections *model,
                                                          const nz_detections *baseline, size_t replicates,
                                                          uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
