/* SPDX-License-Identifier: Apache-2.0 */
/* The results document (netzip.results/1) and the manifest, from what a run has gathered. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/conditions_json.h"
#include "compare/intervals.h"
#include "compare/process_values.h"
#include "compare/run.h"
#include "core/error.h"
#include "metric/value_json.h"

static const nz_entry *entry_of(const nz_run *run, const nz_variant *v) { return &run->entries[v->entry]; }

static const char *meta_of(const nz_entry *entry, const char *key) {
    return nz_json_text_at(json_object_get(entry->describe, "meta"), key);
}

static const char *technique_of(const nz_entry *entry) {
    const char *technique = meta_of(entry, "netzip.technique");
    return *technique ? technique : "None";
}

static json_t *list_of(const char *const *items, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, nz_json_string(items[i]));
    return list;
}

static json_t *variant_json(const nz_run *run, const nz_variant *v) {
    const char *compute = nz_json_text_at(json_object_get(v->raw, "load"), "compute");
    long long own = entry_of(run, v)->seed;
    return json_pack("{s:s,s:o,s:i,s:i,s:o,s:I,s:o}", "runtime", v->runtime, "runtime_version",
                     nz_json_string(v->runtime_version), "threads", v->threads, "batch", v->batch, "host",
                     nz_json_string(nz_run_machine_of(run, v)->host), "seed",
                     own >= 0 ? (json_int_t)own : (json_int_t)run->options->seed, "compute",
                     *compute ? nz_json_string(compute) : json_null());
}

/* Against the same samples of the baseline: McNemar's test says whether the difference can be chance. */
static json_t *paired_json(const nz_paired *p, const char *baseline) {
    return json_pack("{s:o,s:s,s:[o,o],s:I,s:I,s:I,s:s,s:o,s:o,s:o}", "value", nz_json_real(p->difference_pct), "unit",
                     "points", "ci95", nz_json_real(p->ci95_pct[0]), nz_json_real(p->ci95_pct[1]), "n",
                     (json_int_t)p->n, "only_baseline", (json_int_t)p->only_first, "only_this",
                     (json_int_t)p->only_second, "test", "McNemar", "p", nz_json_real(p->p_mid), "p_exact",
                     nz_json_real(p->p_exact), "against", nz_json_string(baseline));
}

/* The same for mAP, over the same resampled images of both. */
static json_t *resampled_json(const nz_cell *cell, const char *baseline) {
    return json_pack("{s:o,s:s,s:[o,o],s:I,s:s,s:I,s:o}", "value", nz_json_real(cell->difference_pct), "unit", "points",
                     "ci95", nz_json_real(cell->difference_ci95_pct[0]), nz_json_real(cell->difference_ci95_pct[1]),
                     "n", (json_int_t)cell->images, "test", "bootstrap over images", "replicates",
                     (json_int_t)cell->replicates, "against", nz_json_string(baseline));
}

static json_t *metrics_json(const nz_run *run, const nz_cell *row, const char *baseline) {
    json_t *metrics = json_object();
    for (size_t m = 0; m < run->metric_count; m++) {
        json_t *value = nz_value_json(&row[m].report, run->metrics[m]);
        if (row[m].has_paired) json_object_set_new(value, "difference", paired_json(&row[m].paired, baseline));
        if (row[m].has_resampled) json_object_set_new(value, "difference", resampled_json(&row[m], baseline));
        if (strcmp(run->metrics[m]->id, "energy_estimated_j") == 0)
            json_object_set_new(value, "model", nz_json_string(nz_energy_estimate_source()));
        json_object_set_new(metrics, run->metrics[m]->id, value);
    }
    return metrics;
}

static size_t metric_index(const nz_run *run, const char *id) {
    size_t m = 0;
    while (m < run->metric_count && strcmp(run->metrics[m]->id, id) != 0) m++;
    return m;
}

static void combine(nz_combined *ret, const nz_run *run, const nz_cell *row, const nz_cell *base_row) {
    const char *const ids[4] = {run->combine.performance, run->combine.speedup, run->combine.compression,
                                run->combine.efficiency};
    nz_value_report original[4], compressed[4];
    for (size_t i = 0; i < 4; i++) {
        size_t m = metric_index(run, ids[i]);
        original[i] = base_row[m].report;
        compressed[i] = row[m].report;
    }
    nz_combine(ret, &run->combine, original, compressed, row == base_row);
}

static json_t *find_by_name(const json_t *layers, const char *name) {
    for (size_t i = 0; i < json_array_size(layers); i++)
        if (strcmp(nz_json_text_at(json_array_get(layers, i), "name"), name) == 0) return json_array_get(layers, i);
    return NULL;
}

/* The step whose list of fused nodes has this name. */
static json_t *find_fused(const json_t *layers, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; length && i < json_array_size(layers); i++) {
        const char *fused = nz_json_text_at(json_array_get(layers, i), "fused");
        for (const char *p = fused; (p = strstr(p, name)); p += length)
            if ((p == fused || p[-1] == ' ') && (p[length] == ' ' || !p[length])) return json_array_get(layers, i);
    }
    return NULL;
}

static void set_or_null(json_t *object, const char *key, json_t *borrowed) {
    json_object_set(object, key, borrowed ? borrowed : json_null());
}

/* One row per node of the counted graph, with the kernel that does its work. */
static json_t *layer_json(const json_t *facts, const json_t *planned, const json_t *timed) {
    const char *name = nz_json_text_at(facts, "name");
    json_t *layer = json_object(), *step = find_by_name(planned, name),
           *fused = step ? NULL : find_fused(planned, name);
    static const char *const keys[] = {
        "name",           "op",   "macs",        "ops",         "params",         "params_nonzero",
        "macs_effective", "bits", "bits_stored", "weight_bits", "activation_bits"};
    for (size_t i = 0; i < NZ_COUNT(keys); i++) set_or_null(layer, keys[i], json_object_get(facts, keys[i]));
    if (!planned) return layer;
    /* Some runtimes tell their kernels only once they have run. */
    const json_t *ran = find_by_name(timed, name);
    if (!step && !fused) fused = ran ? NULL : find_fused(timed, name);
    set_or_null(layer, "kernel", json_object_get(step ? step : ran, "kernel"));
    set_or_null(layer, "compute", json_object_get(step ? step : fused, "compute"));
    if (fused) set_or_null(layer, "fused_into", json_object_get(fused, "name"));
    set_or_null(layer, "latency_ms", json_object_get(ran, "latency_ms"));
    return layer;
}

static json_t *layers_json(const nz_variant *v) {
    const json_t *facts = json_object_get(json_object_get(json_object_get(v->raw, "facts"), "facts"), "layers");
    const json_t *planned = json_object_get(json_object_get(v->raw, "load"), "layers");
    const json_t *timed = json_object_get(json_object_get(v->raw, "profile"), "layers");
    json_t *layers = json_array();
    for (size_t i = 0; i < json_array_size(facts); i++)
        json_array_append_new(layers, layer_json(json_array_get(facts, i), planned, timed));
    return layers;
}

/* Of one inference; NaN: not measured or not asked for. */
static double latency_of(const nz_run *run, const nz_cell *row) {
    size_t m = metric_index(run, "latency_ms");
    return m < run->metric_count && row[m].report.source == NZ_MEASURED ? row[m].report.value : (double)NAN;
}

/* What a reader of the figures should know about this model's. */
static json_t *notes_json(const nz_run *run, const nz_variant *v, double latency_ms) {
    json_t *notes = json_array();
    const nz_entry *entry = entry_of(run, v);
    const json_t *data = json_object_get(entry->describe, "data"), *predict = json_object_get(v->raw, "predict");
    json_int_t broken = json_integer_value(json_object_get(predict, "broken"));
    json_int_t fixed = json_integer_value(json_object_get(entry->describe, "fixed_batch"));
    const json_t *timing = json_object_get(v->raw, "timing"), *batch = json_object_get(v->raw, "batch");
    json_int_t bunch = json_integer_value(json_object_get(timing, "bunch"));
    if (*nz_json_text_at(data, "error"))
        nz_warn(notes, "the data does not fit this model: %s", nz_json_text_at(data, "error"));
    if (json_is_true(json_object_get(data, "default_preprocess")))
        nz_warn(notes, "no preprocessing is stated by the model or the command line: pixels were only scaled to 0..1");
    const char *preprocess = nz_json_text_at(data, "preprocess");
    if (run->task == NZ_TASK_DETECTION && !strstr(preprocess, "letterbox=") &&
        (strstr(preprocess, "resize=") || strstr(preprocess, "crop=")))
        nz_warn(notes,
                "images are stretched or cut to the model's input (%s): detectors are mostly trained with a "
                "letterbox",
                preprocess);
    if (*nz_json_text_at(predict, "note")) nz_warn(notes, "%s", nz_json_text_at(predict, "note"));
    if (predict && !json_object_get(predict, "unavailable") && nz_run_machine_of(run, v)->link_wanted)
        nz_warn(notes, "accuracy was computed on %s",
                *nz_json_text_at(predict, "host") ? nz_json_text_at(predict, "host") : "this machine");
    if (broken)
        nz_warn(notes, "%lld samples could not be read and were left out; the first: %s", (long long)broken,
                json_string_value(json_array_get(json_object_get(predict, "broken_messages"), 0)));
    if (fixed > 1)
        nz_warn(notes, "the batch is fixed at %lld: latency is that of %lld samples", (long long)fixed,
                (long long)fixed);
    if (timing && fixed > 0 && fixed != v->batch)
        nz_warn(notes, "the model's batch is fixed: throughput was measured at batch %lld", (long long)fixed);
    if (bunch > 1)
        nz_warn(notes,
                "so fast that the clock is read once in several inferences: latency is the median of their means%s",
                nz_timing_has_singles(timing)
                    ? "; minimum and percentiles are of inferences timed one by one, reading the clock included"
                    : "");
    if (json_integer_value(json_object_get(batch, "bunch")) > 1)
        nz_warn(notes, "at its batch, too, the clock is read once in several inferences");
    nz_layers_note(notes, v->raw, latency_ms);
    return notes;
}

static bool timed_at_random(const nz_variant *v) {
    return !json_is_true(json_object_get(json_object_get(v->raw, "load"), "real_samples"));
}

/* How the data set was run: how many samples, at what rate. */
static json_t *scoring_json(const nz_variant *v) {
    const json_t *predict = json_object_get(v->raw, "predict");
    static const char *const keys[] = {"count", "classes", "broken", "seconds"};
    json_t *scoring = json_object();
    for (size_t i = 0; i < NZ_COUNT(keys); i++) set_or_null(scoring, keys[i], json_object_get(predict, keys[i]));
    return scoring;
}

static json_t *machine_json(const nz_machine *machine) {
    static const char *const keys[] = {"hardware", "clock", "noise", "power", "power_reason"};
    json_t *json =
        json_pack("{s:o,s:o}", "host", nz_json_string(machine->host), "target", nz_json_string(machine->target));
    for (size_t i = 0; json && i < NZ_COUNT(keys); i++)
        set_or_null(json, keys[i], json_object_get(machine->about, keys[i]));
    json_object_set_new(json, "before", machine->was_quiet ? nz_watch_json(&machine->before) : json_null());
    json_object_set_new(json, "after", machine->was_quiet ? nz_watch_json(&machine->after) : json_null());
    return json;
}

static json_t *model_json(const nz_run *run, size_t v, const nz_cell *cells, const json_t *machines) {
    const nz_variant *variant = &run->variants[v];
    const nz_entry *entry = entry_of(run, variant);
    size_t base = nz_run_baseline_of(run, v);
    const nz_cell *row = cells + v * run->metric_count, *base_row = cells + base * run->metric_count;
    nz_combined combined;
    combine(&combined, run, row, base_row);
    json_t *json = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s}", "id", nz_json_string(variant->id), "name",
                             nz_json_string(entry->name), "path", nz_json_string(entry->path), "sha256",
                             *entry->sha256 ? json_string(entry->sha256) : json_null(), "technique",
                             nz_json_string(technique_of(entry)), "baseline", nz_json_string(run->variants[base].id),
                             "variant", variant_json(run, variant), "status", variant->error ? "failed" : "ok");
    if (!json) return NULL;
    if (variant->error) json_object_set_new(json, "error", nz_json_string(variant->error));
    const char *method = entry->method ? entry->method : meta_of(entry, "netzip.method");
    if (*method) json_object_set_new(json, "method", nz_json_string(method));
    json_object_set_new(json, "counting", json_string("netzip")); /* whose convention for operations */
    json_object_set_new(json, "metrics", metrics_json(run, row, run->variants[base].id));
    json_object_set_new(json, "ratios", nz_ratios_json(&combined, &run->combine));
    json_object_set_new(json, "ocs", nz_ocs_json(&combined, &run->combine));
    json_object_set_new(json, "notes", notes_json(run, variant, latency_of(run, row)));
    json_object_set_new(json, "conditions",
                        nz_conditions_json(json_object_get(variant->raw, "timing"),
                                           json_object_get(variant->raw, "batch"),
                                           json_array_get(machines, variant->machine), timed_at_random(variant)));
    if (json_object_get(json_object_get(variant->raw, "timing"), "energy"))
        set_or_null(json, "energy", json_object_get(json_object_get(variant->raw, "timing"), "energy"));
    if (*nz_json_text_at(entry->describe, "weights_sha256"))
        set_or_null(json, "weights_sha256", json_object_get(entry->describe, "weights_sha256"));
    set_or_null(json, "inputs", json_object_get(entry->describe, "inputs"));
    set_or_null(json, "outputs", json_object_get(entry->describe, "outputs"));
    set_or_null(json, "preprocess", json_object_get(json_object_get(entry->describe, "data"), "preprocess"));
    if (json_object_get(json_object_get(variant->raw, "predict"), "count"))
        json_object_set_new(json, "scoring", scoring_json(variant));
    if (variant->detection) json_object_set(json, "detection", variant->detection);
    if (nz_variant_has(variant, "memory")) json_object_set_new(json, "memory", nz_memory_json(variant->raw));
    if (nz_variant_has(variant, "counters")) json_object_set_new(json, "counters", nz_counters_json(variant->raw));
    json_object_set_new(json, "layers", layers_json(variant));
    if (nz_variant_has(variant, "profile"))
        json_object_set_new(json, "layers_total", nz_layers_total_json(variant->raw, latency_of(run, row)));
    return json;
}

/* The run's host is the first machine that could be opened. */
static size_t host_of(const nz_run *run) {
    size_t i = 0;
    while (i + 1 < run->machine_count && !run->machines[i].about) i++;
    return i;
}

static json_t *host_json(const nz_run *run) {
    const nz_machine *first = &run->machines[host_of(run)];
    const json_t *power = json_object_get(first->about, "power");
    json_t *host = json_deep_copy(json_object_get(first->about, "hardware")),
           *reason = json_object_get(first->about, "power_reason");
    double busy = first->was_quiet ? nz_watch_busy_pct(&first->before) : NAN;
    json_object_set_new(host, "busy_before_pct", nz_json_real(busy));
    json_object_set_new(host, "power_source",
                        json_is_object(power) ? nz_json_string(nz_json_text_at(power, "name")) : json_null());
    if (json_is_string(reason)) json_object_set(host, "power_reason", reason);
    return host;
}

nz_status nz_times_json(json_t **ret_json, const nz_run *run) {
    static const char *const parts[] = {"timing", "batch"};
    json_t *models = json_object();
    int failed = 0;
    for (size_t v = 0; v < run->variant_count; v++) {
        const nz_variant *variant = &run->variants[v];
        if (variant->error || !nz_variant_has(variant, "timing")) continue;
        json_t *kept = json_object();
        for (size_t i = 0; i < NZ_COUNT(parts); i++)
            if (nz_variant_has(variant, parts[i]))
                failed |= json_object_set(kept, parts[i], json_object_get(variant->raw, parts[i]));
        failed |= json_object_set_new(models, variant->id, kept);
    }
    json_t *json = failed ? NULL : json_pack("{s:s,s:O}", "schema", NZ_TIMES_SCHEMA, "models", models);
    json_decref(models);
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: the times");
    *ret_json = json;
    return NZ_OK;
}

/* What is known once all models stand there. */
static nz_status complete(json_t *json, const nz_run *run, const json_t *times) {
    json_t *models = json_object_get(json, "models"), *about = json_object_get(json, "run");
    NZ_TRY(nz_intervals_set(json, times));
    NZ_AUTO_JSON json_t *groups = nz_groups_json(models);
    int failed = !groups || (!json_is_null(groups) && json_object_set(json, "groups", groups));
    failed |= json_object_set_new(about, "marks", nz_conditions_run_json(models, run->warnings));
    return failed ? nz_fail(NZ_E_MEMORY, "out of memory: the results") : NZ_OK;
}

nz_status nz_results_json(json_t **ret_json, const nz_run *run, const nz_cell *cells, const json_t *times) {
    json_t *models = json_array(), *machines = json_array();
    const nz_compare_options *o = run->options;
    for (size_t i = 0; i < run->machine_count; i++) json_array_append_new(machines, machine_json(&run->machines[i]));
    for (size_t v = 0; v < run->variant_count; v++) json_array_append_new(models, model_json(run, v, cells, machines));
    json_t *data = run->data ? json_incref(run->data) : json_null();
    NZ_AUTO_JSON json_t *json = json_pack(
        "{s:s,s:{s:s,s:f,s:o,s:I,s:s,s:o,s:o,s:o,s:O?},s:o,s:o}", "schema", "netzip.results/1", "run", "started",
        run->started, "seconds", (double)(nz_clock_ns() - run->began_ns) * 1e-9, "command",
        list_of(o->command, o->command_count), "seed", (json_int_t)o->seed, "version", NZ_VERSION, "host",
        host_json(run), "data", data, "warnings", json_incref(run->warnings), "noise",
        json_object_get(json_array_get(machines, host_of(run)), "noise"), "machines", machines, "models", models);
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: the results");
    NZ_TRY(complete(json, run, times));
    *ret_json = NZ_STEAL(json);
    return NZ_OK;
}

/* How the measurements were asked to be taken. */
static json_t *measuring_json(const nz_compare_options *o) {
    return json_pack("{s:f,s:o,s:o,s:o,s:f,s:o,s:o,s:o,s:o,s:f,s:o,s:o}", "width_pct", o->width_pct, "targets",
                     list_of(o->targets, o->target_count), "pin", nz_json_string(o->pin), "priority",
                     o->has_priority ? json_integer(o->priority) : json_null(), "cooldown_s", o->cooldown_s,
                     "cooldown_c", nz_json_real(o->cooldown_c), "power", nz_json_string(o->power), "against",
                     nz_json_string(o->against), "target_data", nz_json_string(o->target_data), "block_s", o->block_s,
                     "meter_columns", nz_json_string(o->meter_columns), "meter_shift", nz_json_string(o->meter_shift));
}

static json_t *options_json(const nz_run *run) {
    const nz_compare_options *o = run->options;
    json_t *metrics = json_array();
    for (size_t m = 0; m < run->metric_count; m++) json_array_append_new(metrics, json_string(run->metrics[m]->id));
    json_t *json = json_pack("{s:o,s:s,s:s,s:s,s:s,s:f,s:[f,f,f,f],s:f,s:f,s:o,s:o?,s:o,s:o}", "metrics", metrics,
                             "performance", run->combine.performance, "speedup", run->combine.speedup, "compression",
                             run->combine.compression, "efficiency", run->combine.efficiency, "zeta", o->zeta, "lambda",
                             o->lambda[0], o->lambda[1], o->lambda[2], o->lambda[3], "budget_s", o->budget_s,
                             "timeout_s", o->timeout_s, "fail_if", nz_json_string(o->fail_if), "detect",
                             nz_json_string(o->detect), "preprocess", list_of(o->preprocess, o->preprocess_count),
                             "baseline", nz_json_string(run->entries[run->baseline].name));
    if (json && json_object_update_new(json, measuring_json(o))) json_decref(NZ_STEAL(json));
    return json;
}

nz_status nz_manifest_json(json_t **ret_json, const nz_run *run) {
    const nz_compare_options *o = run->options;
    json_t *models = json_array(), *variants = json_array();
    for (size_t i = 0; i < run->entry_count; i++) {
        const nz_entry *e = &run->entries[i];
        const json_t *data = json_object_get(e->describe, "data");
        json_t *model =
            json_pack("{s:o,s:o,s:o,s:o}", "name", nz_json_string(e->name), "path", nz_json_string(e->path), "sha256",
                      *e->sha256 ? json_string(e->sha256) : json_null(), "technique", nz_json_string(technique_of(e)));
        if (*nz_json_text_at(e->describe, "weights_sha256")) /* they lie in files of their own */
            set_or_null(model, "weights_sha256", json_object_get(e->describe, "weights_sha256"));
        set_or_null(model, "meta", json_object_get(e->describe, "meta"));
        set_or_null(model, "disk_bytes", json_object_get(e->describe, "disk_bytes"));
        set_or_null(model, "preprocess", json_object_get(data, "preprocess"));
        json_array_append_new(models, model);
    }
    for (size_t i = 0; i < run->variant_count; i++)
        json_array_append_new(variants, nz_json_string(run->variants[i].id));
    json_t *data = run->data ? json_incref(run->data) : json_null();
    json_t *json =
        json_pack("{s:s,s:s,s:o,s:o,s:I,s:s,s:o,s:o,s:o,s:o,s:o}", "schema", "netzip.manifest/1", "started",
                  run->started, "command", list_of(o->command, o->command_count), "options", options_json(run), "seed",
                  (json_int_t)o->seed, "version", NZ_VERSION, "libraries", nz_libraries_json(), "host", host_json(run),
                  "data", data, "models", models, "variants", variants);
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: the manifest");
    *ret_json = json;
    return NZ_OK;
}
