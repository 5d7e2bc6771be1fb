/* SPDX-License-Identifier: Apache-2.0 */
/* From options to models, variants and metrics: everything that can be wrong with a command line is said here. */
#include <stdio.h>
#include <string.h>

#include "compare/run.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "netzip/detect.h"
#include "netzip/runtime.h"

enum { MOST_VARIANTS = 1000 };

static bool name_taken(const nz_run *run, const char *name) {
    for (size_t i = 0; i < run->entry_count; i++)
        if (run->entries[i].name && strcmp(run->entries[i].name, name) == 0) return true;
    return false;
}

/* "NAME=PATH" where what stands before the first '=' can be a name and the whole is no file. */
static nz_status split_name(char **ret_name, const char **ret_path, const char *text) {
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : 0;
    *ret_path = text;
    if (!equals || memchr(text, '/', length) || nz_file_exists(text)) return nz_path_stem(ret_name, text);
    if (!length || !equals[1]) return nz_fail(NZ_E_ARG, "compare: '%s' is not NAME=MODEL", text);
    *ret_path = equals + 1;
    return nz_format(ret_name, "%.*s", (int)length, text);
}

/* A model of an experiment: its name is given, and may be that of others with other seeds. */
static nz_status plan_detailed(nz_run *run, const char *path, const nz_compare_model *details) {
    nz_entry *entry = &run->entries[run->entry_count++];
    NZ_TRY(nz_strdup(&entry->name, details->name));
    NZ_TRY(nz_strdup(&entry->path, path));
    if (details->error) NZ_TRY(nz_strdup(&entry->error, details->error));
    entry->method = details->method;
    entry->seed = details->seed;
    if (details->baseline != SIZE_MAX && details->baseline >= run->options->model_count)
        return nz_fail(NZ_E_ARG, "compare: model %zu is no baseline for '%s'", details->baseline, details->name);
    return NZ_OK;
}

static nz_status plan_entry(nz_run *run, const char *text) {
    NZ_AUTO_FREE char *stem = NULL, *name = NULL;
    const char *path;
    NZ_TRY(split_name(&stem, &path, text));
    NZ_TRY(nz_strdup(&name, stem));
    for (int n = 2; name_taken(run, name); n++) {
        free(NZ_STEAL(name));
        NZ_TRY(nz_format(&name, "%s-%d", stem, n));
    }
    nz_entry *entry = &run->entries[run->entry_count++];
    entry->name = NZ_STEAL(name);
    entry->seed = -1;
    return nz_strdup(&entry->path, path);
}

static nz_status plan_baseline(nz_run *run) {
    const nz_compare_options *o = run->options;
    if (!o->baseline) return NZ_OK;
    for (size_t i = 0; i < run->entry_count; i++)
        if (strcmp(run->entries[i].name, o->baseline) == 0) {
            run->baseline = i;
            return NZ_OK;
        }
    return nz_fail(NZ_E_ARG, "compare: --baseline '%s' is none of the models (the first is '%s')", o->baseline,
                   run->entries[0].name);
}

static nz_status plan_entries(nz_run *run) {
    const nz_compare_options *o = run->options;
    if (!o->model_count) return nz_fail(NZ_E_ARG, "compare: no model is named");
    NZ_TRY(nz_alloc(&run->entries, o->model_count, sizeof *run->entries));
    for (size_t i = 0; i < o->model_count; i++) {
        const nz_compare_model *details = o->details ? &o->details[i] : NULL;
        NZ_TRY(details && details->name ? plan_detailed(run, o->models[i], details) : plan_entry(run, o->models[i]));
    }
    NZ_TRY(plan_baseline(run));
    for (size_t i = 0; i < o->model_count; i++) {
        size_t own = o->details ? o->details[i].baseline : SIZE_MAX;
        run->entries[i].baseline = own == SIZE_MAX ? run->baseline : own;
    }
    return NZ_OK;
}

/* A runtime that is not usable here fails its own variants and nothing else. */
static nz_status find_runtime(nz_variant *v) {
    nz_status status = nz_runtime_check(v->runtime, &v->runtime_version);
    if (status != NZ_E_UNAVAILABLE) return status == NZ_OK ? NZ_OK : nz_fail_context(status, "compare: --runtime");
    v->runtime_version = "";
    return nz_strdup(&v->error, nz_last_error());
}

static nz_status add_variant(nz_run *run, size_t entry, size_t machine, const char *runtime, int threads, int batch) {
    nz_variant *v = &run->variants[run->variant_count];
    *v = (nz_variant){.entry = entry,
                      .machine = machine,
                      .runtime = runtime,
                      .threads = threads,
                      .batch = batch,
                      .process = {.channel = {.fd = -1}}};
    run->variant_count++;
    NZ_TRY(find_runtime(v));
    if (threads < 1 || threads > 1024) return nz_fail(NZ_E_ARG, "compare: --threads %d is outside 1 to 1024", threads);
    if (batch < 1 || batch > 65536) return nz_fail(NZ_E_ARG, "compare: --batch %d is outside 1 to 65536", batch);
    char seed[32] = "";
    if (run->entries[entry].seed >= 0) snprintf(seed, sizeof seed, "/s%lld", run->entries[entry].seed);
    bool several = run->machine_count > 1;
    NZ_TRY(nz_format(&v->id, "%s/%s/t%d/b%d%s%s%s", run->entries[entry].name, runtime, threads, batch, seed,
                     several ? "@" : "", several ? run->machines[machine].host : ""));
    v->raw = json_object();
    return v->raw ? NZ_OK : nz_fail(NZ_E_MEMORY, "out of memory: a variant");
}

/* Their names alone: they are opened once everything else is known to make sense. */
static nz_status plan_machines(nz_run *run) {
    static const char *const here[] = {"local"};
    enum { MOST_MACHINES = 16 };
    const nz_compare_options *o = run->options;
    size_t count = o->target_count ? o->target_count : 1;
    char *names[MOST_MACHINES] = {NULL};
    if (count > MOST_MACHINES) return nz_fail(NZ_E_ARG, "compare: --target: more than %d machines", MOST_MACHINES);
    if (o->target_data && !o->target_count) return nz_fail(NZ_E_ARG, "compare: --target-data needs --target");
    NZ_TRY(nz_alloc(&run->machines, count, sizeof *run->machines));
    nz_status status = nz_machine_names(names, o->target_count ? o->targets : here, count);
    for (size_t i = 0; i < count; i++) {
        run->machines[i].host = names[i];
        run->machines[i].target = o->target_count ? o->targets[i] : here[0];
    }
    run->machine_count = count;
    return status;
}

static nz_status plan_variants(nz_run *run) {
    static const char *const native[] = {"native"};
    static const int one[] = {1};
    const nz_compare_options *o = run->options;
    const char *const *runtimes = o->runtime_count ? o->runtimes : native;
    const int *threads = o->thread_count ? o->threads : one, *batches = o->batch_count ? o->batches : one;
    size_t r_count = o->runtime_count ? o->runtime_count : 1, t_count = o->thread_count ? o->thread_count : 1;
    size_t b_count = o->batch_count ? o->batch_count : 1;
    size_t each = run->entry_count * r_count * t_count * b_count;
    if (r_count > 16 || t_count > 64 || b_count > 64 || each * run->machine_count > MOST_VARIANTS)
        return nz_fail(NZ_E_ARG, "compare: more than %d variants (models x runtimes x threads x batches x machines)",
                       MOST_VARIANTS);
    NZ_TRY(nz_alloc(&run->variants, each * run->machine_count, sizeof *run->variants));
    for (size_t i = 0; i < each * run->machine_count; i++) { /* machine after machine; the entry changes fastest */
        size_t e = i % run->entry_count, rest = i / run->entry_count;
        size_t b = rest % b_count, t = rest / b_count % t_count, r = rest / b_count / t_count % r_count;
        NZ_TRY(add_variant(run, e, i / each, runtimes[r], threads[t], batches[b]));
    }
    for (size_t i = 0; i < run->variant_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(run->variants[i].id, run->variants[k].id) == 0)
                return nz_fail(NZ_E_ARG, "compare: the variant %s is asked for twice", run->variants[i].id);
    return NZ_OK;
}

size_t nz_run_baseline_of(const nz_run *run, size_t v) {
    const nz_variant *mine = &run->variants[v];
    for (size_t i = 0; i < run->variant_count; i++) {
        const nz_variant *other = &run->variants[i];
        if (other->entry == run->entries[mine->entry].baseline && other->machine == mine->machine &&
            other->threads == mine->threads && other->batch == mine->batch &&
            strcmp(other->runtime, mine->runtime) == 0)
            return i;
    }
    return v;
}

static void add_metric(nz_run *run, const nz_metric *metric) {
    for (size_t i = 0; i < run->metric_count; i++)
        if (run->metrics[i] == metric) return;
    run->metrics[run->metric_count++] = metric;
    run->scores = run->scores || metric->needs_scores;
    run->timing = run->timing || metric->needs_timing || metric->needs_process;
    run->timing = run->timing || (metric->needs_energy && strcmp(metric->id, "energy_estimated_j") != 0);
    run->entropy = run->entropy || metric->needs_entropy;
}

/* Whether a metric says something about what the data is for; all do where there is no data. Ids may be asked for in any case. */
static bool suits(const nz_run *run, const nz_metric *metric) {
    return run->task == NZ_TASK_ANY || metric->task == NZ_TASK_ANY || metric->task == run->task;
}

/* One word of --metrics: an id, a category or "all". */
static nz_status add_word(nz_run *run, const char *word) {
    const nz_metric *metric = nz_metric_find(word), *row;
    bool all = strcmp(word, "all") == 0, found = false;
    for (size_t i = 0; (row = nz_metric_at(i)); i++) {
        if (!all && strcmp(row->category, word) != 0) continue;
        if (suits(run, row)) add_metric(run, row);
        found = true;
    }
    if (found) return NZ_OK;
    if (metric) {
        add_metric(run, metric);
        return NZ_OK;
    }
    const char *near = nz_metric_closest(word);
    return nz_fail(NZ_E_ARG, "compare: no metric or category is called '%s'%s%s%s", word,
                   near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : " (accuracy, speed, size, energy, all, or ids)");
}

static nz_status need_metric(nz_run *run, const char *id, const char *option, const nz_metric **ret_metric) {
    const nz_metric *metric = nz_metric_find(id);
    if (!metric) {
        const char *near = nz_metric_closest(id);
        return nz_fail(NZ_E_ARG, "compare: %s: no metric is called '%s'%s%s%s", option, id,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    add_metric(run, metric);
    if (ret_metric) *ret_metric = metric;
    return NZ_OK;
}

static nz_status plan_ratios(nz_run *run) {
    const nz_compare_options *o = run->options;
    nz_combine_options *c = &run->combine;
    struct {
        const char *option, *given, *otherwise, **id;
    } ratios[4] = {
        {"--performance", o->performance, run->task == NZ_TASK_DETECTION ? "map50_95" : "top1", &c->performance},
        {"--speedup", o->speedup, "chats", &c->speedup},
        {"--compression", o->compression, "disk_bytes", &c->compression},
        {"--efficiency", o->efficiency, "energy_j", &c->efficiency},
    };
    for (size_t i = 0; i < 4; i++) {
        const nz_metric *metric = NULL;
        NZ_TRY(need_metric(run, ratios[i].given ? ratios[i].given : ratios[i].otherwise, ratios[i].option, &metric));
        *ratios[i].id = metric->id;
        c->better[i] = metric->better;
        if (i == 1) c->zeta_applies = metric->theoretical;
    }
    c->zeta = o->zeta;
    memcpy(c->lambda, o->lambda, sizeof c->lambda);
    return NZ_OK;
}

/* What the ratios need only by default must not make a comparison of sizes run the data set. */
static nz_status plan_metrics(nz_run *run) {
    const nz_compare_options *o = run->options;
    const nz_metric *row;
    size_t rows = 0;
    while (nz_metric_at(rows)) rows++;
    size_t words = 1 + (o->metrics ? strlen(o->metrics) : 0);
    if (o->fail_if) NZ_TRY(nz_condition_parse(&run->condition, o->fail_if));
    NZ_TRY(nz_alloc(&run->metrics, rows + words + run->condition.term_count + 4, sizeof *run->metrics));
    if (!o->metrics)
        for (size_t i = 0; (row = nz_metric_at(i)); i++)
            if (row->by_default && suits(run, row) && (run->task != NZ_TASK_ANY || row->task != NZ_TASK_DETECTION))
                add_metric(run, row);
    NZ_AUTO_FREE char *list = NULL;
    NZ_TRY(nz_strdup(&list, o->metrics ? o->metrics : ""));
    for (char *rest = list, *word; (word = strsep(&rest, ","));)
        if (*word) NZ_TRY(add_word(run, word));
    if (o->metrics && !run->metric_count) return nz_fail(NZ_E_ARG, "compare: --metrics is empty");
    for (size_t i = 0; i < run->condition.term_count; i++)
        NZ_TRY(need_metric(run, run->condition.terms[i].id, "--fail-if", NULL));
    bool timing = run->timing, scores = run->scores;
    NZ_TRY(plan_ratios(run));
    if (!o->performance) run->scores = scores;
    if (!o->efficiency && !o->speedup) run->timing = timing;
    run->scores = run->scores && o->data;
    run->load = run->timing || run->scores;
    return NZ_OK;
}

static nz_status check_detect(const nz_compare_options *o) {
    nz_detect_options options = {0};
    if (!o->detect) return NZ_OK;
    nz_status status = nz_detect_options_read(&options, o->detect, NULL);
    if (status == NZ_OK) nz_detect_options_done(&options);
    return status == NZ_OK ? NZ_OK : nz_fail_context(status, "compare: --detect");
}

nz_status nz_run_plan(nz_run *run) {
    NZ_TRY(plan_entries(run));
    NZ_TRY(nz_plan_preprocess(run));
    NZ_TRY(plan_machines(run));
    NZ_TRY(plan_variants(run));
    NZ_TRY(check_detect(run->options));
    NZ_TRY(nz_run_open_data(run)); /* which metrics are the usual ones depends on it */
    return plan_metrics(run);
}
