/* SPDX-License-Identifier: Apache-2.0 */
/** What results show of a detector beside its metrics. */
#ifndef NZ_METRIC_DETECTION_JSON_H
#define NZ_METRIC_DETECTION_JSON_H

#include "core/json.h"
#include "netzip/detection.h"

/** {"images", "boxes", "confidence", "coco": the twelve statistics, "yolov5", "precision_recall", "f1_confidence", "classes",
 * "confusion", "match" where given}: fractions throughout. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_detection_scores_json(json_t **ret_json, const nz_detection_scores *scores,
                                              const nz_detection_match *match);
/** {"AP", "AP50", ...}: COCO's twelve statistics as fractions. NULL: out of memory. */
json_t *nz_coco_stats_json(const nz_coco_result *coco);

#endif
