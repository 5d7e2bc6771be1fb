/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the steps of an experiment in their order. */
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/text.h"
#include "experiment/plan.h"

/* ---- progress: every step says which it is ---- */

typedef struct sink {
    const nz_progress *outer;
    const nz_experiment *x;
    size_t at;
} sink;

static int named_step(void *user, const char *what, unsigned long long done, unsigned long long total) {
    const sink *s = user;
    char named[256];
    if (!s->outer->step) return 0;
    snprintf(named, sizeof named, "%zu/%zu %.80s: %.100s", s->at + 1, s->x->step_count, s->x->steps[s->at].title, what);
    return s->outer->step(s->outer->user, named, done, total);
}

static void passed_note(void *user, const char *line) {
    const sink *s = user;
    if (s->outer->note) s->outer->note(s->outer->user, line);
}

/* ---- one step ---- */

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static nz_status (*const runners[])(nz_experiment *, nz_step *) = {
    [NZ_STEP_TRAIN] = nz_step_train,
    [NZ_STEP_COMPRESS] = nz_step_compress,
    [NZ_STEP_COMPARE] = nz_step_compare,
    [NZ_STEP_REPORT] = nz_step_report,
};

static const char *verb_of(const nz_step *step, const nz_description *d) {
    if (step->kind == NZ_STEP_COMPRESS) return d->runs[step->index].text;
    if (step->kind != NZ_STEP_TRAIN) return NULL;
    return d->training ? "training" : "the network as it is";
}

static void tell_begin(const nz_experiment *x, size_t i) {
    const char *what = verb_of(&x->steps[i], x->description);
    nz_progress_note(x->progress, "step %zu of %zu: %s%s%s%s", i + 1, x->step_count, x->steps[i].title,
                     what ? " (" : "", what ? what : "", what ? ")" : "");
}

/* How to go on after a stop: a note, because the stop itself is the user's wish and no failure to be explained. */
static nz_status fail_stopped(const nz_experiment *x, size_t i) {
    nz_progress_note(x->progress, "%s: what is done is kept; the same command with --resume goes on", x->out);
    return nz_fail(NZ_E_CANCELLED, "%s: stopped in step %zu of %zu (%s)", x->out, i + 1, x->step_count,
                   x->steps[i].title);
}

/* A method may fail without ending the others; what is the machine's trouble or the user's wish ends all. */
static bool ends_all(const nz_step *step, nz_status status) {
    return step->kind != NZ_STEP_COMPRESS || status == NZ_E_CANCELLED || status == NZ_E_MEMORY ||
           status == NZ_E_RESOURCE;
}

static nz_status run_step(nz_experiment *x, size_t i) {
    nz_step *step = &x->steps[i];
    double began = now_s();
    NZ_TRY(nz_plan_key(x, step));
    if (x->options->resume) NZ_TRY(nz_record_find(step));
    if (step->found) {
        nz_progress_note(x->progress, "step %zu of %zu: %s is done already", i + 1, x->step_count, step->title);
        return NZ_OK;
    }
    tell_begin(x, i);
    nz_status status = runners[step->kind](x, step);
    if (status == NZ_E_CANCELLED) return fail_stopped(x, i);
    if (status != NZ_OK && ends_all(step, status))
        return nz_fail_context(status, "step %zu of %zu (%s)", i + 1, x->step_count, step->title);
    if (status != NZ_OK) {
        NZ_TRY(nz_strdup(&step->error, nz_last_error()));
        nz_progress_note(x->progress, "%s failed: %s", step->title, step->error);
    }
    step->done = status == NZ_OK;
    return nz_record_write(step, now_s() - began);
}

/* ---- the whole ---- */

static nz_status run_steps(nz_experiment *x) {
    sink s = {.outer = x->progress, .x = x};
    nz_progress named = {named_step, passed_note, &s};
    const nz_progress *outer = x->progress;
    nz_status status = NZ_OK;
    if (outer) x->progress = &named;
    for (s.at = 0; s.at < x->step_count && status == NZ_OK; s.at++) status = run_step(x, s.at);
    x->progress = outer;
    return status;
}

/* What a dry run answers. A step whose inputs are not made yet is to be done. */
static nz_status list_steps(nz_experiment *x, char **ret_json) {
    NZ_AUTO_JSON json_t *list = json_array();
    const nz_description *d = x->description;
    for (size_t i = 0; i < x->step_count; i++) {
        nz_step *step = &x->steps[i];
        bool known = step->kind == NZ_STEP_TRAIN;
        if (step->kind == NZ_STEP_COMPRESS) known = nz_plan_network(x, d->runs[step->index].network)->found;
        if (step->kind >= NZ_STEP_COMPARE) {
            known = true;
            for (size_t k = 0; k < i; k++) known = known && x->steps[k].found;
        }
        if (known) NZ_TRY(nz_plan_key(x, step));
        if (known && x->options->resume) NZ_TRY(nz_record_find(step));
        const char *what = verb_of(step, d);
        json_array_append_new(list, json_pack("{s:o,s:o,s:o,s:s}", "title", nz_json_string(step->title), "what",
                                              nz_json_string(what), "output", nz_json_string(step->output), "state",
                                              step->found ? "done" : "to do"));
    }
    NZ_AUTO_JSON json_t *json =
        json_pack("{s:s,s:o,s:o,s:O,s:O}", "schema", "netzip.plan/1", "name", nz_json_string(d->name), "out",
                  nz_json_string(x->out), "steps", list, "notes", x->notes);
    return nz_json_text(ret_json, json, 0);
}

static nz_status gather(nz_experiment_result *result, nz_experiment *x) {
    NZ_AUTO_JSON json_t *results = NULL;
    const nz_step *compare = &x->steps[x->step_count - 2];
    NZ_TRY(nz_json_read(&results, compare->output));
    NZ_TRY(nz_json_text(&result->json, results, 0));
    result->failed = (size_t)json_integer_value(json_object_get(compare->record, "failed"));
    const char *condition = json_string_value(json_object_get(compare->record, "condition"));
    if (condition) NZ_TRY(nz_strdup(&result->condition, condition));
    for (size_t i = 0; i < x->step_count; i++) {
        result->done += !x->steps[i].found;
        result->skipped += x->steps[i].found;
    }
    return NZ_OK;
}

static nz_status default_out(char **ret_out, const char *name) {
    NZ_AUTO_FREE char *folder = NULL, *stem = NULL;
    NZ_TRY(nz_path_folder(&folder, name));
    NZ_TRY(nz_path_stem(&stem, name));
    if (strcmp(stem, nz_path_base(name)) != 0) return nz_path_join(ret_out, folder, stem);
    return nz_format(ret_out, "%s-results", name); /* without an extension the stem is the file itself */
}

static nz_status run(nz_experiment_result *ret_result, nz_experiment *x) {
    NZ_AUTO(nz_experiment_result_done) nz_experiment_result result = {0};
    if (x->options->out)
        NZ_TRY(nz_strdup(&x->out, x->options->out));
    else
        NZ_TRY(default_out(&x->out, x->file));
    NZ_TRY(nz_plan_steps(x));
    NZ_TRY(nz_experiment_check(x));
    NZ_TRY(nz_folder_open(x));
    if (x->options->dry_run) {
        NZ_TRY(list_steps(x, &result.json));
    } else {
        NZ_TRY(run_steps(x));
        NZ_TRY(gather(&result, x));
    }
    result.out = NZ_STEAL(x->out);
    *ret_result = result;
    result = (nz_experiment_result){0};
    return NZ_OK;
}

/* --data replaces the sets, not how they are prepared. */
static nz_status replace_data(nz_yaml *yaml, const char *data) {
    static const char *const parts[] = {"train", "test", "calibration"};
    json_t *section = json_object_get(yaml->root, "data"), *before;
    bool has_parts = json_is_object(section);
    for (size_t i = 0; has_parts && i < NZ_COUNT(parts); i++)
        if ((before = json_object_get(section, parts[i]))) {
            NZ_TRY(nz_yaml_keep(yaml, json_incref(before)));
            json_object_del(section, parts[i]);
        }
    if (!has_parts && section) NZ_TRY(nz_yaml_keep(yaml, json_incref(section)));
    json_t *into = has_parts ? section : yaml->root;
    if (json_object_set_new(into, has_parts ? "train" : "data", nz_json_string(data)) == 0) return NZ_OK;
    return nz_fail(NZ_E_MEMORY, "out of memory: --data");
}

static nz_status apply_changes(nz_yaml *yaml, const nz_experiment_options *options) {
    if (nz_first_is(yaml))
        NZ_TRY(nz_first_convert(yaml, options->data));
    else if (options->data && json_is_object(yaml->root))
        NZ_TRY(replace_data(yaml, options->data));
    for (size_t i = 0; i < options->change_count; i++) NZ_TRY(nz_description_set(yaml, options->changes[i]));
    return NZ_OK;
}

/* Where the file was changed, what is kept is the changed document: JSON, which YAML takes too. */
static nz_status keep_text(nz_description *d, const nz_yaml *yaml, const char *text, bool changed) {
    return changed ? nz_json_text(&d->text, yaml->root, 0) : nz_strdup(&d->text, text);
}

nz_status nz_experiment_run_text(nz_experiment_result *ret_result, const char *text, const char *name,
                                 const nz_experiment_options *options, const nz_progress *progress) {
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    NZ_AUTO(nz_description_done) nz_description description = {0};
    NZ_AUTO(nz_plan_done)
    nz_experiment x = {.description = &description, .options = options, .progress = progress, .file = name};
    NZ_TRY(nz_yaml_parse(&yaml, text, strlen(text), name));
    bool changed = nz_first_is(&yaml) || options->data || options->change_count;
    NZ_TRY(apply_changes(&yaml, options));
    NZ_TRY(nz_description_read(&description, &yaml));
    NZ_TRY(keep_text(&description, &yaml, text, changed));
    return run(ret_result, &x);
}

nz_status nz_experiment_run(nz_experiment_result *ret_result, const char *path, const nz_experiment_options *options,
                            const nz_progress *progress) {
    NZ_AUTO_FREE char *text = NULL;
    size_t length = 0;
    NZ_TRY(nz_file_read(&text, &length, path, NZ_YAML_BYTES_MOST));
    if (memchr(text, 0, length)) return nz_fail(NZ_E_FORMAT, "%s: is no text", path);
    return nz_experiment_run_text(ret_result, text, path, options, progress);
}

void nz_experiment_result_done(nz_experiment_result *result) {
    free(result->out);
    free(result->json);
    free(result->condition);
    *result = (nz_experiment_result){0};
}
