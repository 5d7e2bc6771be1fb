/* SPDX-License-Identifier: Apache-2.0 */
/** The metric families that registry.c lists, and what they share. A family is an array that ends in a row without an id. */
#ifndef NZ_METRIC_FAMILY_H
#define NZ_METRIC_FAMILY_H

#include "netzip/metric.h"

extern const nz_metric nz_metrics_topk[], nz_metrics_prf[], nz_metrics_detection[], nz_metrics_equivalence[],
    nz_metrics_calibration[];
extern const nz_metric nz_metrics_speed[], nz_metrics_complexity[];
extern const nz_metric nz_metrics_size[], nz_metrics_process[], nz_metrics_counters[];
extern const nz_metric nz_metrics_energy[];

/** Where the middle 95% of the standard normal distribution ends: its 97.5% quantile. */
#define NZ_NORMAL_95 1.959963984540054

/** The row of topK; only its argument, id, title and alias differ from K to K. */
nz_metric nz_metric_topk_row(int k, const char *id, const char *title);

/** "unavailable" with `reason`, or "not measured" where it is NULL. */
nz_value_report nz_metric_missing(const char *reason);
/** A reading: unavailable with the reason where it is NaN. */
nz_value_report nz_metric_reading(double value, nz_source source, const char *reason);
/** hits of n in percent with its Wilson interval. */
nz_value_report nz_metric_share(uint64_t hits, uint64_t n);
/** A fraction in percent, of n; unavailable with `reason` where it is below 0 or no number. */
nz_value_report nz_metric_fraction(double fraction, size_t n, const char *reason);

/** The detections' scores where there are some; otherwise fills `ret_missing` and returns NULL. */
const struct nz_detection_scores *nz_metric_detection(const nz_metric_input *input, nz_value_report *ret_missing);
/** The predictions of the model and of what it is compared with (itself for the baseline), where both are there and fit;
 * otherwise fills `ret_missing` and returns false. */
bool nz_metric_pair(const nz_metric_input *input, const nz_predictions **ret_base, const nz_predictions **ret_own,
                    nz_value_report *ret_missing);
/** Whether there are labelled predictions; otherwise fills `ret_missing`. */
bool nz_metric_labelled(const nz_metric_input *input, nz_value_report *ret_missing);

/** Whether sample `i` has its label among the first k, and whether equal scores decided it. Labels are within range. */
bool nz_topk_hit(const float *scores, size_t classes, int32_t label, int k, bool *ret_tie);
/** NZ_E_ARG names the first label outside [0, classes). */
NZ_CHECKED nz_status nz_labels_check(const int32_t *labels, size_t n, size_t classes);
/** One row of scores as probabilities: as they are, or by a softmax that cannot overflow. out[classes]. */
void nz_probabilities(const nz_predictions *predictions, size_t sample, double *out);
/** Sorts numbers, none of them NaN. */
void nz_sort_ascending(double *values, size_t n);

#endif
