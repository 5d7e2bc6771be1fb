/* SPDX-License-Identifier: Apache-2.0 */
/* The comparison of all networks and methods, and the report on it. */
#include <math.h>
#include <string.h>

#include "compare/pace.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "experiment/plan.h"
#include "metric/combine_table.h"
#include "netzip/compare.h"
#include "netzip/measure.h"
#include "netzip/report.h"
#include "netzip/runtime.h"

enum { LIST_MOST = 64 };

/* Comma lists of the description as the comparison takes them. */
typedef struct lists {
    char *runtime_text;
    const char *runtimes[LIST_MOST];
    int threads[LIST_MOST], batches[LIST_MOST];
    size_t runtime_count, thread_count, batch_count, model_count;
    const char **models;
    nz_compare_model *details;
} lists;

static void lists_done(lists *l) {
    free(l->runtime_text);
    free(l->models);
    free(l->details);
}

static nz_status split_numbers(int numbers[LIST_MOST], size_t *ret_count, const char *text, const char *what) {
    NZ_AUTO_FREE char *copy = NULL;
    if (!text) return NZ_OK;
    NZ_TRY(nz_strdup(&copy, text));
    for (char *rest = copy, *word; (word = strsep(&rest, ","));) {
        long long value;
        NZ_TRY(nz_parse_int(&value, word, what));
        if (*ret_count == LIST_MOST || value < 1 || value > 65536)
            return nz_fail(NZ_E_ARG, "%s: at most %d numbers from 1 to 65536", what, LIST_MOST);
        for (size_t i = 0; i < *ret_count; i++)
            if (numbers[i] == (int)value) return nz_fail(NZ_E_ARG, "%s: %lld is there twice", what, value);
        numbers[(*ret_count)++] = (int)value;
    }
    return NZ_OK;
}

static nz_status split_runtimes(lists *l, const char *text) {
    if (!text) return NZ_OK;
    NZ_TRY(nz_strdup(&l->runtime_text, text));
    for (char *rest = l->runtime_text, *word; (word = strsep(&rest, ","));) {
        if (l->runtime_count == LIST_MOST) return nz_fail(NZ_E_ARG, "compare: more than %d runtimes", LIST_MOST);
        for (size_t i = 0; i < l->runtime_count; i++)
            if (strcmp(l->runtimes[i], word) == 0)
                return nz_fail(NZ_E_ARG, "compare: runtime: %s is there twice", word);
        l->runtimes[l->runtime_count++] = word;
    }
    return NZ_OK;
}

static nz_status list_models(lists *l, const nz_experiment *x) {
    const nz_description *d = x->description;
    l->model_count = d->network_count + d->run_count;
    NZ_TRY(nz_alloc(&l->models, l->model_count, sizeof *l->models));
    NZ_TRY(nz_alloc(&l->details, l->model_count, sizeof *l->details));
    for (size_t i = 0; i < l->model_count; i++) {
        const nz_step *step = &x->steps[i];
        const nz_method_run *run = i < d->network_count ? NULL : &d->runs[step->index];
        l->models[i] = step->output;
        l->details[i] = (nz_compare_model){.name = run ? run->name : "None",
                                           .error = step->error,
                                           .method = step->error && run ? run->text : NULL,
                                           .seed = run ? run->seed : d->network_seeds[step->index],
                                           .baseline = run ? run->network : i};
        if (!d->is_seeded) l->details[i].seed = -1;
    }
    return NZ_OK;
}

static nz_status set_options(nz_compare_options *o, lists *l, const nz_experiment *x) {
    const nz_description *d = x->description;
    const nz_comparison *c = &d->comparison;
    nz_compare_options_init(o);
    NZ_TRY(list_models(l, x));
    NZ_TRY(split_runtimes(l, c->runtime));
    NZ_TRY(split_numbers(l->threads, &l->thread_count, c->threads, "compare: threads"));
    NZ_TRY(split_numbers(l->batches, &l->batch_count, c->batch, "compare: batch"));
    o->models = l->models;
    o->details = l->details;
    o->model_count = l->model_count;
    o->data = c->data ? c->data : d->test_data;
    o->metrics = c->metrics;
    o->runtimes = l->runtimes;
    o->runtime_count = l->runtime_count;
    o->threads = l->threads;
    o->thread_count = l->thread_count;
    o->batches = l->batches;
    o->batch_count = l->batch_count;
    o->performance = c->performance;
    o->speedup = c->speedup;
    o->compression = c->compression;
    o->efficiency = c->efficiency;
    o->fail_if = c->fail_if;
    o->detect = c->detect;
    o->pictures = (size_t)c->pictures;
    o->power = c->power;
    o->zeta = c->zeta;
    o->budget_s = c->budget_s;
    o->width_pct = c->width_pct;
    o->timeout_s = c->timeout_s;
    o->pin = c->pin;
    if (c->priority) NZ_TRY(nz_priority_parse(o, c->priority, "compare: priority"));
    if (c->cooldown) NZ_TRY(nz_cooldown_parse(o, c->cooldown, "compare: cooldown"));
    o->out = x->out;
    o->resume = x->options->resume;
    o->seed = (uint64_t)d->network_seeds[0];
    o->worker = x->options->program;
    o->command = x->options->command;
    o->command_count = x->options->command_count;
    return c->lambda ? nz_lambda_parse(o->lambda, c->lambda, "compare: lambda") : NZ_OK;
}

static nz_status check_power(const char *name) {
    nz_power_info info;
    bool known = !name;
    for (size_t i = 0; !known && nz_power_probe(&info, i, NULL); i++) known = strcmp(info.name, name) == 0;
    return known ? NZ_OK
                 : nz_fail(NZ_E_ARG, "compare: no power source is called '%s' (netzip doctor lists them)", name);
}

/* Hours may lie between the first step and the comparison: its options are looked at before. */
nz_status nz_step_compare_check(const nz_experiment *x) {
    NZ_AUTO(lists_done) lists l = {0};
    nz_compare_options o;
    NZ_TRY(set_options(&o, &l, x));
    NZ_TRY(nz_pace_check(&o));
    for (size_t i = 0; i < l.runtime_count; i++) {
        const char *name = NULL, *version;
        for (size_t k = 0; (name = nz_runtime_name(k, &version)) && strcmp(name, l.runtimes[i]) != 0;) k++;
        if (!name) return nz_fail(NZ_E_ARG, "compare: no runtime is called '%s'", l.runtimes[i]);
    }
    return check_power(o.power);
}

/* ---- what the experiment knows beside the comparison ---- */

static nz_status fail_memory(void) { return nz_fail(NZ_E_MEMORY, "out of memory: the results"); }

/* One learning curve per step that trained. NULL where memory is short. */
static json_t *curves_json(const nz_experiment *x) {
    const nz_description *d = x->description;
    NZ_AUTO_JSON json_t *curves = json_array();
    for (size_t i = 0; i < d->network_count + d->run_count; i++) {
        const nz_step *step = &x->steps[i];
        json_t *epochs = json_object_get(step->record, "training");
        bool network = i < d->network_count;
        if (json_array_size(epochs) == 0) continue;
        json_t *curve = json_pack(
            "{s:o,s:I,s:O}", "name", nz_json_string(network ? "None" : d->runs[step->index].name), "seed",
            (json_int_t)(network ? d->network_seeds[step->index] : d->runs[step->index].seed), "epochs", epochs);
        if (json_array_append_new(curves, curve)) return NULL;
    }
    return NZ_STEAL(curves);
}

/* What a step has to say to those who read the results. */
static nz_status add_warnings(json_t *results, const nz_experiment *x) {
    json_t *warnings = json_object_get(json_object_get(results, "run"), "warnings");
    for (size_t i = 0; i < x->step_count; i++) {
        json_t *warning = json_object_get(x->steps[i].record, "warning");
        if (json_is_string(warning) && json_array_append(warnings, warning)) return fail_memory();
    }
    return NZ_OK;
}

static nz_status extend_results(char **ret_text, const nz_experiment *x, const char *path) {
    NZ_AUTO_JSON json_t *results = NULL, *curves = NULL;
    NZ_TRY(nz_json_read(&results, path));
    curves = curves_json(x);
    if (!curves ||
        json_object_set_new(json_object_get(results, "run"), "experiment", nz_json_string(x->description->name)) ||
        (json_array_size(curves) && json_object_set(results, "training", curves)))
        return fail_memory();
    NZ_TRY(add_warnings(results, x));
    NZ_TRY(nz_json_write(results, path));
    return nz_json_text(ret_text, results, 0);
}

/* The text that was run, and every step with its key, go into the manifest. */
static nz_status extend_manifest(const nz_experiment *x) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_AUTO_JSON json_t *manifest = NULL;
    NZ_TRY(nz_path_join(&path, x->out, "manifest.json"));
    NZ_TRY(nz_json_read(&manifest, path));
    NZ_AUTO_JSON json_t *steps = json_array(), *changes = json_array();
    for (size_t i = 0; i < x->step_count; i++) {
        const nz_step *step = &x->steps[i];
        json_t *own = json_pack("{s:o,s:s,s:s,s:O?}", "title", nz_json_string(step->title), "key", step->key, "sha256",
                                step->sha256, "seconds", json_object_get(step->record, "seconds"));
        if (json_array_append_new(steps, own)) return fail_memory();
    }
    for (size_t i = 0; i < x->options->change_count; i++)
        if (json_array_append_new(changes, nz_json_string(x->options->changes[i]))) return fail_memory();
    json_t *own = json_pack("{s:o,s:o,s:o,s:O,s:O,s:i}", "name", nz_json_string(x->description->name), "text",
                            nz_json_string(x->description->text), "data", nz_json_string(x->options->data), "changes",
                            changes, "steps", steps, "threads", x->options->threads);
    if (json_object_set_new(manifest, "experiment", own)) return fail_memory();
    return nz_json_write(manifest, path);
}

nz_status nz_step_compare(nz_experiment *x, nz_step *step) {
    NZ_AUTO(lists_done) lists l = {0};
    NZ_AUTO(nz_compare_result_done) nz_compare_result result = {0};
    NZ_AUTO_FREE char *text = NULL;
    nz_compare_options o;
    NZ_TRY(set_options(&o, &l, x));
    NZ_TRY(nz_compare(&result, &o, x->progress));
    NZ_TRY(extend_results(&text, x, step->output));
    NZ_TRY(extend_manifest(x));
    step->record =
        json_pack("{s:I,s:o}", "failed", (json_int_t)result.failed, "condition", nz_json_string(result.condition));
    return step->record ? NZ_OK : nz_fail(NZ_E_MEMORY, "out of memory: a record");
}

nz_status nz_step_report(nz_experiment *x, nz_step *step) {
    (void)step;
    return nz_report_write(x->out, x->progress);
}
