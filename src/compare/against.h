/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What got better or worse against an earlier run, beyond noise. Everything here reads and writes results documents alone.
 */
#ifndef NZ_COMPARE_AGAINST_H
#define NZ_COMPARE_AGAINST_H

#include "core/json.h"

/**
 * Reads the results of an earlier run: results.json, or the folder that holds one.
 *
 * @param[out] ret_old  The caller's reference. Untouched on error.
 * @return NZ_E_IO; NZ_E_FORMAT where it is no results document of the schema that this program writes; NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_against_read(json_t **ret_old, const char *path);

/**
 * Writes "against" into `results`: {"path", "started", "version", "models": [{"id", "old_id", "difference", "notes",
 * "metrics": [{"id", "unit", "old", "new", "ratio", "ci95", "difference", "by", ...}]}], "text": [sentences]}.
 *
 * Models are matched by name, runtime, threads, batch and their own seed, and by host where several are in a run. `ratio` is
 * the improvement over the earlier value (above 1 is better). What decides (`by`):
 * - "baseline": the model relative to its run's baseline, then against now, where the baseline is the same file in both runs: a
 *   machine that is in another mood drops out. `plain` then holds what the values by themselves say;
 * - "intervals": both values' intervals, as of independent runs, never narrower than the noise floors of both machines;
 * - "difference": accuracies by both intervals (Newcombe); - "count": exactly.
 * `difference` is "better", "worse", "indistinguishable", "new", "gone", or null with a `reason`.
 *
 * @param old   what nz_against_read gave. @param path  as the user named it.
 * @return NZ_E_MEMORY.
 * @source G. Zou and A. Donner, Statistics in Medicine 27:1693 (2008): intervals of differences from two intervals;
 *         R. Newcombe, Statistics in Medicine 17:873 (1998), method 10
 */
NZ_CHECKED nz_status nz_against_set(json_t *results, const json_t *old, const char *path);

/** The entry of a metric of a model in "against" of `results`; NULL where there is none. Borrowed. */
const json_t *nz_against_metric(const json_t *results, const char *model_id, const char *metric_id);

#endif
