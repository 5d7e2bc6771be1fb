/* SPDX-License-Identifier: Apache-2.0 */
/** Raw times and results documents made by hand, of models whose truth is known. */
#ifndef NZ_TESTS_INTERVALS_MAKE_H
#define NZ_TESTS_INTERVALS_MAKE_H

#include "compare/intervals.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/random.h"
#include "metric/value_json.h"
#include "test.h"

typedef struct recipe {
    uint64_t seed;
    double ms, batch_ms; /* of an inference at batch 1, at batch 8; 0: not timed at it */
    double drift;        /* how much slower the last round is than the first, on the whole machine */
    double watts, idle;  /* 0: no sensor */
    double bytes, drop;  /* size of the file (0: 1000), points of accuracy below 80 */
    int rounds;          /* 0: 40 */
    const char *race;
    bool failed;
} recipe;

static inline json_t *make_round(const recipe *r, nz_random *random, double ms, double slow) {
    enum { TIMES = 20 };
    json_t *times = json_array();
    double sum = 0;
    for (int i = 0; i < TIMES; i++) {
        double ns = ms * 1e6 * slow * exp(0.02 * nz_random_normal(random));
        json_array_append_new(times, json_real(ns));
        sum += ns;
    }
    double seconds = sum * 1e-9, watts = r->watts * exp(0.005 * nz_random_normal(random));
    return json_pack("{s:o,s:i,s:i,s:f,s:f,s:o}", "ns", times, "timed", TIMES, "runs", TIMES, "mean_ns", sum / TIMES,
                     "seconds", seconds, "joules", watts > 0 ? json_real(watts * seconds) : json_null());
}

static inline json_t *make_part(const recipe *r, double ms, int samples) {
    int rounds = r->rounds ? r->rounds : 40;
    nz_random random;
    double joules = 0, seconds = 0, runs = 0;
    json_t *list = json_array();
    nz_random_init(&random, r->seed, 1);
    for (int i = 0; i < rounds; i++) {
        json_array_append_new(list, make_round(r, &random, ms, 1 + r->drift * i / (rounds - 1)));
        const json_t *round = json_array_get(list, (size_t)i);
        seconds += json_number_value(json_object_get(round, "seconds"));
        joules += json_number_value(json_object_get(round, "joules"));
        runs += json_number_value(json_object_get(round, "runs"));
    }
    json_t *part = json_pack("{s:s,s:i,s:i,s:o,s:{s:b,s:f,s:f,s:f}}", "race",
                             r->race ? r->race : "2026-11-24T00:00:00Z", "bunch", 1, "samples", samples, "rounds", list,
                             "look", "enough", 1, "width_pct", 0.8, "wanted_pct", 1.0, "confidence", 0.975);
    if (r->watts > 0)
        json_object_set_new(part, "energy",
                            json_pack("{s:f,s:f,s:f,s:f,s:s,s:s,s:[o,o]}", "joules", joules, "seconds", seconds,
                                      "count", runs, "watts_max", r->watts * 1.1, "power", "rapl", "scope",
                                      "packages and DRAM", "idle_w", r->idle > 0 ? json_real(r->idle) : json_null(),
                                      r->idle > 0 ? json_real(r->idle) : json_null()));
    else
        json_object_set_new(part, "energy_reason", json_string("there is no sensor"));
    return part;
}

static inline void begin(json_t **ret_results, json_t **ret_times) {
    *ret_results = json_pack("{s:s,s:{s:i},s:[]}", "schema", "netzip.results/1", "run", "seed", 7, "models");
    *ret_times = json_pack("{s:s,s:{}}", "schema", NZ_TIMES_SCHEMA, "models");
}

static const char *const made_metrics[] = {"top1",        "latency_ms",  "latency_ms_mean", "throughput",
                                           "disk_bytes",  "energy_j",    "energy_net_j",    "power_w",
                                           "power_max_w", "idle_power_w"};

/* The figures as the comparison computes them, from the same raw parts. */
static inline json_t *make_metrics(const json_t *parts, const recipe *r) {
    nz_metric_input input = nz_metric_input_none();
    NZ_AUTO(nz_timing_lists_done) nz_timing_lists lists = {0};
    json_t *metrics = json_object();
    if (!r->failed)
        nz_assert_ok(
            nz_timing_input(&input, &lists, json_object_get(parts, "timing"), json_object_get(parts, "batch")));
    input.disk_bytes = r->failed ? 0 : r->bytes > 0 ? (uint64_t)r->bytes : 1000;
    for (size_t i = 0; i < NZ_COUNT(made_metrics); i++) {
        const nz_metric *row = nz_metric_find(made_metrics[i]);
        nz_value_report report = nz_metric_value(row, &input);
        if (i == 0 && !r->failed) report = nz_report_value(80 - r->drop, NZ_MEASURED);
        json_object_set_new(metrics, row->id, nz_value_json(&report, row));
    }
    if (r->drop > 0)
        json_object_set_new(
            json_object_get(metrics, "top1"), "difference",
            json_pack("{s:f,s:s,s:[f,f]}", "value", -r->drop, "unit", "points", "ci95", -r->drop - 1, -r->drop + 1));
    return metrics;
}

static inline void add_model(json_t *results, json_t *times, const char *name, recipe r) {
    char id[64];
    json_t *models = json_object_get(results, "models"), *parts = json_object();
    snprintf(id, sizeof id, "%s/native/t1/b1", name);
    if (!r.failed) json_object_set_new(parts, "timing", make_part(&r, r.ms, 1));
    if (r.batch_ms > 0) json_object_set_new(parts, "batch", make_part(&r, r.batch_ms, 8));
    const char *baseline =
        json_array_size(models) ? json_string_value(json_object_get(json_array_get(models, 0), "id")) : id;
    json_t *model =
        json_pack("{s:s,s:s,s:s,s:s,s:o,s:{s:{s:s},s:{s:s,s:f},s:{s:s},s:{s:s}},s:{s:[i,i,i,i]}}", "id", id, "name",
                  name, "baseline", baseline, "status", r.failed ? "failed" : "ok", "metrics", make_metrics(parts, &r),
                  "ratios", "performance", "of", "top1", "speedup", "of", "latency_ms", "zeta", 1.0, "compression",
                  "of", "disk_bytes", "efficiency", "of", "energy_j", "ocs", "lambda", 1, 1, 1, 1);
    assert_non_null(model);
    if (r.watts > 0) json_object_set(model, "energy", json_object_get(json_object_get(parts, "timing"), "energy"));
    json_array_append_new(models, model);
    if (!r.failed) json_object_set(json_object_get(times, "models"), id, parts);
    json_decref(parts);
}

static inline void finish(json_t *results, const json_t *times) { nz_assert_ok(nz_intervals_set(results, times)); }

/* ---- looking ---- */

static inline json_t *model_of(const json_t *results, const char *name) {
    const json_t *models = json_object_get(results, "models");
    for (size_t i = 0; i < json_array_size(models); i++)
        if (strcmp(nz_json_text_at(json_array_get(models, i), "name"), name) == 0) return json_array_get(models, i);
    fail_msg("there is no model %s", name);
    return NULL;
}
static inline json_t *metric_of(const json_t *model, const char *id) {
    json_t *metric = json_object_get(json_object_get(model, "metrics"), id);
    if (!metric) fail_msg("there is no metric %s", id);
    return metric;
}
static inline json_t *rounds_of(const json_t *times, const char *name) {
    char id[64];
    snprintf(id, sizeof id, "%s/native/t1/b1", name);
    return json_object_get(json_object_get(json_object_get(json_object_get(times, "models"), id), "timing"), "rounds");
}
static inline double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("'%s' is no number", key);
    return json_number_value(value);
}
static inline const char *word(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    if (!value) fail_msg("'%s' is no text", key);
    return value;
}
static inline double end(const json_t *object, size_t i) {
    const json_t *ends = json_object_get(object, "ci95");
    if (json_array_size(ends) != 2) fail_msg("there is no interval");
    return json_number_value(json_array_get(ends, i));
}
static inline double width(const json_t *object) { return end(object, 1) - end(object, 0); }
static inline void holds(const json_t *object, double value) {
    if (!(end(object, 0) <= value && value <= end(object, 1)))
        fail_msg("%.9g is not between %.9g and %.9g", value, end(object, 0), end(object, 1));
}
static inline const char *sentence_with(const json_t *model, const char *begin_of_it) {
    const json_t *list = json_object_get(model, "differences");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (strncmp(text, begin_of_it, strlen(begin_of_it)) == 0) return text;
    }
    return NULL;
}
static inline void says(const json_t *model, const char *begin_of_it) {
    if (!sentence_with(model, begin_of_it)) fail_msg("no sentence begins with '%s'", begin_of_it);
}
static inline void says_nothing_of(const json_t *model, const char *begin_of_it) {
    if (sentence_with(model, begin_of_it)) fail_msg("there is '%s'", sentence_with(model, begin_of_it));
}

#endif
