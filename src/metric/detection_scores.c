/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that metrics of a detector read. */
#include "core/error.h"
#include "core/memory.h"
#include "netzip/detection.h"

enum { REPLICATES = 1000 };
/* Boxes that a user would be shown; pairs at the usual overlap. */
static const double match_confidence = 0.25, match_iou = 0.5;

nz_status nz_detection_scores_resampled(nz_detection_scores *ret_scores, const nz_detections *model,
                                        const nz_detections *baseline, size_t replicates, uint64_t seed) {
    NZ_AUTO(nz_detection_scores_done)
    nz_detection_scores scores = {.detections = model, .has_match = baseline != NULL};
    NZ_TRY(nz_coco_evaluate(&scores.coco, model));
    NZ_TRY(nz_yolo_evaluate(&scores.yolo, model));
    /* Without an object there is nothing to be sure about. */
    if (scores.coco.stats[NZ_COCO_AP] >= 0 && replicates)
        NZ_TRY(nz_map_interval_get(&scores.interval, model, baseline, replicates, seed));
    NZ_TRY(nz_detection_match_get(&scores.match, baseline ? baseline : model, model, match_confidence, match_iou));
    *ret_scores = scores;
    scores = (nz_detection_scores){0};
    return NZ_OK;
}

nz_status nz_detection_scores_get(nz_detection_scores *ret_scores, const nz_detections *model,
                                  const nz_detections *baseline, uint64_t seed) {
    return nz_detection_scores_resampled(ret_scores, model, baseline, REPLICATES, seed);
}

void nz_detection_scores_done(nz_detection_scores *scores) {
    nz_coco_result_done(&scores->coco);
    nz_yolo_result_done(&scores->yolo);
    *scores = (nz_detection_scores){0};
}
