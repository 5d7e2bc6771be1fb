/* SPDX-License-Identifier: Apache-2.0 */
/** What a worker said about its memory, its counters and its layers, for metrics and for the results. */
#ifndef NZ_COMPARE_PROCESS_VALUES_H
#define NZ_COMPARE_PROCESS_VALUES_H

#include "core/json.h"
#include "netzip/metric.h"

/** The parts of layers whose sum is further than this from the latency, in percent of it, are told about in a note. */
#define NZ_LAYERS_TOLERANCE_PCT 10

/** Counts and the split of memory, from the parts of a variant. Reasons are borrowed from `raw`. */
void nz_gather_process(nz_metric_input *input, const json_t *raw);

/* For the document; new references, null where nothing was measured; NULL where memory is short. */
json_t *nz_counters_json(const json_t *raw);
json_t *nz_memory_json(const json_t *raw);
/** The layers' sum against the whole. @param latency_ms  NaN: that of the profile's passes without clocks. */
json_t *nz_layers_total_json(const json_t *raw, double latency_ms);
/** Adds a line to `notes` where that sum and the whole differ by more than NZ_LAYERS_TOLERANCE_PCT. */
void nz_layers_note(json_t *notes, const json_t *raw, double latency_ms);

#endif
