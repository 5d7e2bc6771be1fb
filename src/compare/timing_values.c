/* SPDX-License-Identifier: Apache-2.0 */
/* From the raw times, conditions and joules of a model to what its metrics read. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compare/intervals.h"
#include "compare/series.h"
#include "core/error.h"
#include "core/memory.h"
#include "metric/value_json.h"

/* Sums over the rounds of a part; a figure that one round lacks is lacking. */
static double sum_of(const json_t *part, const char *key) {
    const json_t *rounds = json_object_get(part, "rounds");
    double sum = json_array_size(rounds) ? 0 : NAN;
    for (size_t r = 0; r < json_array_size(rounds); r++) sum += nz_json_number_at(json_array_get(rounds, r), key);
    return sum;
}

/* Time inside all inferences. */
static double inference_ns(const json_t *part) {
    const json_t *rounds = json_object_get(part, "rounds");
    double sum = json_array_size(rounds) ? 0 : NAN;
    for (size_t r = 0; r < json_array_size(rounds); r++) {
        const json_t *round = json_array_get(rounds, r);
        sum += nz_json_number_at(round, "mean_ns") * nz_json_number_at(round, "runs");
    }
    return sum;
}

/* Samples that one inference takes: 1 unless the part says otherwise. */
static double samples_of(const json_t *part) {
    double samples = nz_json_number_at(part, "samples");
    return samples > 0 ? samples : 1;
}

static uint64_t count_of(double value) { return value > 0 && value < 1e18 ? (uint64_t)value : 0; }

static void throughput(nz_metric_input *input, const json_t *part) {
    double samples = samples_of(part) * sum_of(part, "runs"), ns = inference_ns(part);
    if (!(samples > 0 && ns > 0)) return;
    input->throughput = samples / (ns * 1e-9);
    input->throughput_n = count_of(samples);
}

/* Every time of the rounds under `key`, in ms. */
static nz_status list_times(double **ret_ms, size_t *ret_count, const json_t *timing, const char *key) {
    const json_t *rounds = json_object_get(timing, "rounds");
    NZ_AUTO_FREE double *list = NULL;
    size_t most = 0, count = 0;
    for (size_t r = 0; r < json_array_size(rounds); r++)
        most += json_array_size(json_object_get(json_array_get(rounds, r), key));
    NZ_TRY(nz_alloc(&list, most, sizeof *list));
    for (size_t r = 0; r < json_array_size(rounds); r++) {
        const json_t *times = json_object_get(json_array_get(rounds, r), key);
        for (size_t i = 0; i < json_array_size(times); i++)
            list[count++] = json_number_value(json_array_get(times, i)) * 1e-6;
    }
    *ret_ms = NZ_STEAL(list);
    *ret_count = count;
    return NZ_OK;
}

/* The smallest of all that rounds have noted, kept or not; NaN where values are means, or nothing was noted. */
static double least_ms(const json_t *timing) {
    const json_t *rounds = json_object_get(timing, "rounds");
    double least = NAN;
    if (nz_json_number_at(timing, "bunch") > 1) return least;
    for (size_t r = 0; r < json_array_size(rounds); r++)
        least = fmin(least, nz_json_number_at(json_array_get(rounds, r), "least_ns") * 1e-6);
    return least;
}

static nz_status latencies(nz_metric_input *input, nz_timing_lists *lists, const json_t *timing) {
    NZ_TRY(list_times(&lists->latency_ms, &input->latency_count, timing, "ns"));
    NZ_TRY(list_times(&lists->single_ms, &input->single_count, timing, "each_ns"));
    input->latency_ms = lists->latency_ms;
    if (nz_timing_has_singles(timing)) input->single_ms = lists->single_ms;
    input->latency_n = count_of(sum_of(timing, "timed"));
    input->latency_bunch = count_of(nz_json_number_at(timing, "bunch"));
    input->latency_mean_ms = inference_ns(timing) / sum_of(timing, "runs") * 1e-6;
    input->latency_least_ms = least_ms(timing);
    return NZ_OK;
}

double nz_timing_single_clock_pct(const json_t *timing) {
    const json_t *rounds = json_object_get(timing, "rounds");
    double sum = 0, count = 0;
    double reading_ns =
        nz_json_number_at(timing, "clock_overhead_pct") / 100 * inference_ns(timing) / sum_of(timing, "timed");
    for (size_t r = 0; r < json_array_size(rounds); r++) {
        const json_t *times = json_object_get(json_array_get(rounds, r), "each_ns");
        for (size_t i = 0; i < json_array_size(times); i++) sum += json_number_value(json_array_get(times, i));
        count += (double)json_array_size(times);
    }
    return count > 0 ? 100 * reading_ns * count / sum : NAN;
}

bool nz_timing_has_singles(const json_t *timing) {
    static const double most_pct = 5; /* beyond, a percentile would be one of the clock */
    return nz_timing_single_clock_pct(timing) <= most_pct;
}

void nz_timing_lists_done(nz_timing_lists *lists) {
    free(lists->latency_ms);
    free(lists->single_ms);
    *lists = (nz_timing_lists){0};
}

static double idle_watts(const json_t *energy, size_t i) {
    const json_t *watts = json_array_get(json_object_get(energy, "idle_w"), i);
    return json_is_number(watts) ? json_number_value(watts) : (double)NAN;
}

static void energies(nz_metric_input *input, const json_t *timing) {
    const json_t *energy = json_object_get(timing, "energy");
    const char *reason = nz_json_text_at(timing, "energy_reason");
    if (*reason) input->reason_energy = reason;
    double joules = nz_json_number_at(energy, "joules"), seconds = nz_json_number_at(energy, "seconds"),
           count = nz_json_number_at(energy, "count"), idle = nz_idle_watts(timing);
    if (!(count > 0) || !(seconds > 0) || isnan(joules)) return;
    double net = (joules - idle * seconds) / count;
    input->energy_j = joules / count;
    input->energy_n = count_of(count);
    input->power_w = joules / seconds;
    input->power_max_w = nz_json_number_at(energy, "watts_max");
    input->idle_power_w = idle;
    input->idle_power_before_w = idle_watts(energy, 0);
    input->idle_power_after_w = idle_watts(energy, 1);
    if (net > 0) input->energy_net_j = net;
    input->reason_energy = "no power was read at that time";
    input->reason_energy_net = isnan(idle) ? "the idle power is not known"
                                           : "no more power was drawn than idle, before and after: the model's own "
                                             "joules are below what this source can tell";
}

nz_status nz_timing_input(nz_metric_input *input, nz_timing_lists *lists, const json_t *timing, const json_t *batch) {
    const json_t *conditions = json_object_get(timing, "conditions");
    NZ_TRY(latencies(input, lists, timing));
    throughput(input, batch ? batch : timing);
    input->cpu_util_pct = nz_json_number_at(conditions, "busy_pct") - nz_json_number_at(conditions, "before_pct");
    input->cpu_util_process_pct = nz_json_number_at(conditions, "process_pct");
    energies(input, timing);
    return NZ_OK;
}

/* ---- energies that came in later ---- */

static nz_status energy_metrics(json_t *metrics, const json_t *timing) {
    nz_metric_input input = nz_metric_input_none();
    const char *id;
    json_t *value;
    input.reason_energy = timing ? "no power was read" : "the model was not timed";
    energies(&input, timing);
    json_object_foreach(metrics, id, value) {
        const nz_metric *row = nz_metric_find(id);
        if (!row || !json_is_object(value) || strcmp(row->category, "energy") != 0 ||
            strcmp(id, "energy_estimated_j") == 0)
            continue;
        nz_value_report report = nz_metric_value(row, &input);
        NZ_AUTO_JSON json_t *now = nz_value_json(&report, row);
        /* In place: the list of metrics keeps its order. */
        if (!now || json_object_clear(value) || json_object_update(value, now))
            return nz_fail(NZ_E_MEMORY, "out of memory: energies");
    }
    return NZ_OK;
}

/* What the joules are of and how they were read, beside the metrics. */
static nz_status set_energy(json_t *model, const json_t *timing) {
    json_t *energy = json_object_get(timing, "energy");
    if (!energy) {
        json_object_del(model, "energy");
        return NZ_OK;
    }
    return json_object_set(model, "energy", energy) ? nz_fail(NZ_E_MEMORY, "out of memory: energies") : NZ_OK;
}

nz_status nz_intervals_energy(json_t *results, const json_t *times) {
    json_t *models = json_object_get(results, "models");
    const json_t *kept = json_object_get(times, "models");
    if (!json_is_array(models)) return nz_fail(NZ_E_FORMAT, "results: there is no list of models");
    for (size_t i = 0; i < json_array_size(models); i++) {
        json_t *model = json_array_get(models, i);
        const json_t *parts = json_object_get(kept, nz_json_text_at(model, "id"));
        if (strcmp(nz_json_text_at(model, "status"), "failed") == 0) continue;
        const json_t *timing = json_object_get(parts, "timing");
        NZ_TRY(set_energy(model, timing));
        NZ_TRY(energy_metrics(json_object_get(model, "metrics"), timing));
    }
    return NZ_OK;
}
