/* SPDX-License-Identifier: Apache-2.0 */
/* From what a worker said about memory and counters to what metrics read. */
#include "compare/process_values.h"

#include <math.h>

#include "compare/run.h"

/* ---- counters ---- */

static nz_counted counted(const json_t *counters, const char *name) {
    const json_t *counter = json_object_get(counters, name);
    return (nz_counted){.value = nz_json_number_at(counter, "value"),
                        .reason = json_string_value(json_object_get(counter, "reason"))};
}

static void gather_counters(nz_metric_input *input, const json_t *part) {
    const json_t *counters = json_object_get(part, "counters");
    if (!counters) return;
    input->counted_n = (uint64_t)json_integer_value(json_object_get(part, "runs"));
    input->instructions = counted(counters, "instructions");
    input->cycles = counted(counters, "cycles");
    input->cache_references = counted(counters, "cache_references");
    input->cache_misses = counted(counters, "cache_misses");
    input->branch_misses = counted(counters, "branch_misses");
    input->context_switches = counted(counters, "context_switches");
    input->page_faults = counted(counters, "page_faults");
}

/* ---- memory ---- */

/* Of weights in a mapped file only what has been read lies in memory. Without a figure for that, weights of a mapped file
 * are not told: guessing all of it would make the parts more than the whole. */
static double weights_of(const json_t *weights) {
    double mapped = nz_json_number_at(weights, "mapped_pss");
    if (isnan(mapped) && nz_json_number_at(weights, "mapped") == 0) mapped = 0;
    return mapped + nz_json_number_at(weights, "heap") + nz_json_number_at(weights, "packed");
}

static void gather_split(nz_metric_input *input, const json_t *memory) {
    input->ram_peak_pss_bytes = nz_json_number_at(memory, "pss_peak");
    input->ram_weights_bytes = weights_of(json_object_get(memory, "weights"));
    input->ram_activations_bytes = nz_json_number_at(memory, "activations");
    double rest = input->ram_peak_pss_bytes - input->ram_weights_bytes - input->ram_activations_bytes;
    input->ram_rest_bytes = rest >= 0 ? rest : NAN;
    if (isnan(input->ram_weights_bytes) || isnan(input->ram_peak_pss_bytes))
        input->reason_held = "the kernel does not tell what of the process lies in memory (/proc/self/smaps)";
    else if (rest < 0)
        input->reason_held = "weights and activations as planned are more than what lay in memory";
}

void nz_gather_process(nz_metric_input *input, const json_t *raw) {
    const json_t *load = json_object_get(raw, "load"), *memory = json_object_get(raw, "memory");
    if (memory) {
        input->reason_process = "the kernel has not told it (/proc/stat, smaps_rollup), or too little time has passed";
        gather_split(input, memory);
    }
    if (load && json_is_null(json_object_get(load, "activation_bytes")))
        input->reason_held = "the runtime does not tell what it holds in memory";
    gather_counters(input, json_object_get(raw, "counters"));
}

/* ---- the document ---- */

json_t *nz_counters_json(const json_t *raw) {
    json_t *part = json_object_get(raw, "counters");
    return part ? json_incref(part) : json_null();
}

json_t *nz_memory_json(const json_t *raw) {
    const json_t *memory = json_object_get(raw, "memory");
    static const char *const keys[] = {"weights", "activations", "pss_peak",          "pss_samples", "peak",
                                       "rss",     "rss_before",  "page_faults_major", "swap_bytes"};
    if (!memory) return json_null();
    json_t *json = json_object();
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        json_t *value = json_object_get(memory, keys[i]);
        if (value) json_object_set(json, keys[i], value);
    }
    return json;
}

json_t *nz_layers_total_json(const json_t *raw, double latency_ms) {
    const json_t *profile = json_object_get(raw, "profile");
    double sum = nz_json_number_at(profile, "sum_ms"), whole = latency_ms;
    if (isnan(whole)) whole = nz_json_number_at(profile, "plain_ms");
    if (!profile) return json_null();
    json_t *json = json_pack("{s:o,s:o,s:o}", "sum_ms", nz_json_real(sum), "latency_ms", nz_json_real(whole), "pct",
                             nz_json_real(whole > 0 ? 100 * sum / whole : (double)NAN));
    static const char *const keys[] = {"plain_ms", "profiled_ms", "clock_overhead_ns", "runs", "passes"};
    for (size_t i = 0; json && i < NZ_COUNT(keys); i++) {
        json_t *value = json_object_get(profile, keys[i]);
        if (value) json_object_set(json, keys[i], value);
    }
    return json;
}

void nz_layers_note(json_t *notes, const json_t *raw, double latency_ms) {
    NZ_AUTO_JSON json_t *total = nz_layers_total_json(raw, latency_ms);
    double pct = nz_json_number_at(total, "pct"), plain = nz_json_number_at(total, "plain_ms");
    if (!(fabs(pct - 100) > NZ_LAYERS_TOLERANCE_PCT)) return;
    nz_warn(
        notes,
        "the times of the layers add up to %.0f%% of the latency (%.4g of %.4g ms; whole inferences took %.4g ms while "
        "the layers were timed)",
        pct, nz_json_number_at(total, "sum_ms"), nz_json_number_at(total, "latency_ms"), plain);
}
