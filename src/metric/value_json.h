/* SPDX-License-Identifier: Apache-2.0 */
/** Metric values, ratios and OCS as the JSON objects of the result files. */
#ifndef NZ_METRIC_VALUE_JSON_H
#define NZ_METRIC_VALUE_JSON_H

#include "core/json.h"
#include "netzip/metric.h"

/** Everything that is not a report's text: "measured", "derived", "estimated", "unavailable". Static. */
const char *nz_source_name(nz_source source);
const char *nz_better_name(nz_better better); /**< "higher", "lower", "neither" */

/** {"value", "unit", "category", "better", "source", "n", "ci95", "ties", "reason"}: the last four where they exist; value is
 * null exactly where source is "unavailable". A new reference, NULL only when memory is short. */
json_t *nz_value_json(const nz_value_report *report, const nz_metric *metric);
/** The same for a column that is no metric of the table. */
json_t *nz_value_json_as(const nz_value_report *report, const char *unit, const char *category, nz_better better,
                         bool integer);

/** {"performance": {"value", "of"}, "speedup": {..., "zeta"}, "compression": ..., "efficiency": ...} */
json_t *nz_ratios_json(const nz_combined *combined, const nz_combine_options *options);
/** {"value", "lambda", "reason", "partial": {"value", "without"}} */
json_t *nz_ocs_json(const nz_combined *combined, const nz_combine_options *options);

/** The four ratios' names in the order of nz_combined.ratio: "performance", "speedup", "compression", "efficiency". */
extern const char *const nz_ratio_names[4];

#endif
