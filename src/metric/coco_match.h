/* SPDX-License-Identifier: Apache-2.0 */
/** COCO's matching of detections with objects, done once: what statistics, curves and resampling are computed from. */
#ifndef NZ_METRIC_COCO_MATCH_H
#define NZ_METRIC_COCO_MATCH_H

#include "netzip/detection.h"

enum { NZ_COCO_AREAS = 4, NZ_COCO_FOUND_MOST = 100 }; /* all, small, medium, large; detections of an image and class */

/** A detection after matching. Bit t of a mask: at the IoU threshold nz_box_threshold(t). */
typedef struct nz_coco_verdict {
    uint32_t image;
    uint16_t rank; /**< within its image and class, by score */
    uint16_t matched[NZ_COCO_AREAS];
    uint16_t ignored[NZ_COCO_AREAS]; /**< neither right nor wrong */
} nz_coco_verdict;

typedef struct nz_coco_matches {
    size_t class_count;
    nz_coco_verdict *verdicts; /**< by class; within it by descending score, equal ones by image and order */
    size_t *start;          /**< [classes + 1] those of class c are verdicts[start[c]] to verdicts[start[c + 1] - 1] */
    size_t *counted;        /**< [classes][NZ_COCO_AREAS] objects that count */
    uint32_t *truth_images; /**< by class: the image of each object that counts whatever its area */
    size_t *truth_start;    /**< [classes + 1] */
} nz_coco_matches;
/** Releases everything and zeroes it; safe on a zeroed one. */
void nz_coco_matches_done(nz_coco_matches *matches);
/** NZ_E_ARG as nz_coco_evaluate; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_coco_match(nz_coco_matches *ret_matches, const nz_detections *in);
/** The statistics of matched detections. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_coco_score(nz_coco_result *ret_result, const nz_coco_matches *matches);
/** Recall `r` of the 101 at which precision is read, to the last bit as everybody's linspace(0, 1, 101) has it. */
static inline double nz_coco_recall(int r) { return r == NZ_COCO_RECALLS - 1 ? 1.0 : r * 0.01; }

#endif
