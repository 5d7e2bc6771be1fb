/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From the raw parts of a comparison to uncertainty in its results: intervals, ratios to the baseline with what they say,
 * OCS and its rank. Everything here reads and writes JSON documents alone (results.json, times.json), so that it can be done
 * again when a part of the figures came in later, as the joules of an external meter do.
 */
#ifndef NZ_COMPARE_INTERVALS_H
#define NZ_COMPARE_INTERVALS_H

#include "core/json.h"
#include "netzip/blocks.h"
#include "netzip/metric.h"

#define NZ_TIMES_SCHEMA "netzip.times/1"

/**
 * Writes into every model of `results` what follows from its metrics and from what was measured round by round:
 * - metrics.ID.ci95 (or ci95_reason) and metrics.ID.ratio {"value", "ci95", "difference", "against"} (or "reason" in
 *   place of "ci95" and "difference") for latency_ms and its _mean, _p90 and _p99, throughput, energy_j, energy_net_j, power_w;
 * - ratios and ocs, computed anew from the metrics, with ci95 and difference where their terms have them;
 * - differences: sentences such as "latency: indistinguishable from None (ratio 1.003, 95% 0.994 to 1.011)";
 * and ocs_rank at the top. Figures of an earlier call are replaced; nothing else of the document changes.
 *
 * @param results  the document (netzip.results/1) with `models` complete but for the above: their `ratios` and `ocs` say of
 *                 which metrics and with which weights.
 * @param times    {"schema": "netzip.times/1", "models": {ID: {"timing": {...}, "batch": {...}}}}; a model that is not in it has
 *                 no intervals.
 * @return NZ_E_MEMORY; NZ_E_FORMAT for a document without models.
 */
NZ_CHECKED nz_status nz_intervals_set(json_t *results, const json_t *times);

/**
 * Writes the metrics of energy and power (all of the category but energy_estimated_j that the models have), and "energy" of
 * the models, anew from "timing": {"energy": {"joules", "seconds", "watts_max", "count", "power", "scope", "idle_w": [before,
 * after]}} or "energy_reason" of each model in `times`. To be followed by nz_intervals_set, which reads the joules of the
 * rounds.
 */
NZ_CHECKED nz_status nz_intervals_energy(json_t *results, const json_t *times);

/** Share of the times of single inferences, timed beside bunches, that reading the clock took: percent; NaN where there are none. */
double nz_timing_single_clock_pct(const json_t *timing);
/** Whether there are such times, and they are those of the model. */
bool nz_timing_has_singles(const json_t *timing);

/** Times that a metric's input points to. */
typedef struct nz_timing_lists {
    double *latency_ms, *single_ms;
} nz_timing_lists;
void nz_timing_lists_done(nz_timing_lists *lists);

/** Fills in what a metric reads of raw timing ("timing" and, where there is one, "batch"): speed, CPU and energy.
 * @param lists  Takes what `input` then points to, {0} before; nz_timing_lists_done, after an error too. */
NZ_CHECKED nz_status nz_timing_input(nz_metric_input *input, nz_timing_lists *lists, const json_t *timing,
                                     const json_t *batch);

#endif
