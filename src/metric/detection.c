/* SPDX-License-Identifier: Apache-2.0 */
/* Detection's mean average precision: what it is called and which way is better. Its values come from outside the
 * classification scores that nz_metric_input holds; tables of numbers measured elsewhere (combine) name it too. */
#include "metric/family.h"

static nz_value_report from_elsewhere(const nz_metric_input *input, int argument) {
    (void)argument;
    if (input->predictions) return nz_report_unavailable("the data is for classification");
    return nz_report_unavailable("%s", input->reason_accuracy ? input->reason_accuracy : "no detections were gathered");
}

const nz_metric nz_metrics_detection[] = {
    {.id = "map50",
     .title = "mAP at IoU 0.50",
     .unit = "%",
     .category = "accuracy",
     .better = NZ_HIGHER,
     .by_default = true,
     .task = NZ_TASK_DETECTION,
     .needs_scores = true,
     .help = "mean average precision at IoU 0.50, COCO protocol",
     .evaluate = from_elsewhere},
    {.id = "map50_95",
     .alias = "mAP",
     .title = "mAP at IoU 0.50:0.95",
     .unit = "%",
     .category = "accuracy",
     .better = NZ_HIGHER,
     .by_default = true,
     .task = NZ_TASK_DETECTION,
     .needs_scores = true,
     .help = "mean average precision over IoU 0.50:0.05:0.95, COCO protocol",
     .evaluate = from_elsewhere},
    {.id = NULL},
};
