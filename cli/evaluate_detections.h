/* SPDX-License-Identifier: Apache-2.0 */
/** What netzip evaluate prints and writes about detections. */
#ifndef NZ_CLI_EVALUATE_DETECTIONS_H
#define NZ_CLI_EVALUATE_DETECTIONS_H

#include "cli.h"
#include "metric/evaluate_detections.h"

/** Everything that stands below the table of metrics. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_cli_print_detections(const nz_detection_evaluation *evaluation);
/** DIR/evaluation.json and the plots of it. `found`: the detections file, after whose name plots are titled. */
NZ_CHECKED nz_status nz_cli_write_detections(const char *dir, const json_t *evaluation, const char *found);

#endif
