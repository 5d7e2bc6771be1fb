/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a variant's worker, and what becomes of a variant whose worker fails. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compare/run.h"
#include "compare/worker.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"

void nz_warn(json_t *array, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    json_t *text = nz_json_string(line);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (json_equal(json_array_get(array, i), text)) {
            json_decref(text);
            return;
        }
    json_array_append_new(array, text);
}

const char *nz_worker_program(const nz_run *run) {
    return run->options->worker ? run->options->worker : "/proc/self/exe";
}

bool nz_variant_has(const nz_variant *variant, const char *part) { return json_object_get(variant->raw, part) != NULL; }

void nz_variant_fail(nz_variant *variant, const char *message) {
    if (!variant->error && nz_strdup(&variant->error, message) != NZ_OK) variant->error = NULL;
    nz_process_end(&variant->process);
}

void nz_machine_fail(nz_run *run, size_t machine, const char *message) {
    nz_machine *m = &run->machines[machine];
    if (!m->error && nz_strdup(&m->error, message) != NZ_OK) m->error = NULL;
    for (size_t i = 0; i < run->variant_count; i++) {
        if (run->variants[i].machine != machine) continue;
        nz_variant_fail(&run->variants[i], message);
        nz_variant_tell(run, &run->variants[i]);
    }
}

void nz_variant_tell(const nz_run *run, nz_variant *variant) {
    if (!variant->error || variant->told) return;
    nz_progress_note(run->progress, "%s: failed: %s", variant->id, variant->error);
    variant->told = true;
}

/* The model's and the samples' files, where the variant's worker runs. */
static nz_status find_files(const nz_run *run, const nz_variant *v, char **ret_path, char **ret_samples) {
    const nz_entry *entry = &run->entries[v->entry];
    nz_machine *machine = nz_run_machine_of(run, v);
    if (!v->process.host) {
        NZ_TRY(nz_strdup(ret_path, entry->path));
        return nz_strdup(ret_samples, entry->samples);
    }
    NZ_TRY(nz_machine_model_path(machine, ret_path, entry->path));
    return entry->samples ? nz_machine_path(machine, ret_samples, entry->samples) : NZ_OK;
}

/* What every request says: the model and how it is to be run. */
static nz_status make_request(json_t **ret_request, const nz_run *run, const nz_variant *v, const char *verb,
                              json_t *extra) {
    const nz_entry *entry = &run->entries[v->entry];
    const json_t *data = json_object_get(entry->describe, "data");
    json_t *sample = json_object_get(data, "shape");
    NZ_AUTO_FREE char *path = NULL, *samples = NULL;
    nz_status status = find_files(run, v, &path, &samples);
    if (status != NZ_OK) {
        json_decref(extra);
        return status;
    }
    json_t *request =
        json_pack("{s:s,s:o,s:s,s:i,s:I,s:O*,s:o,s:I}", "do", verb, "path", nz_json_string(path), "runtime", v->runtime,
                  "threads", v->threads, "seed", (json_int_t)run->options->seed, "sample", sample, "samples",
                  nz_json_string(samples), "sample_count", json_integer_value(json_object_get(data, "samples")));
    int failed = !request || (extra && json_object_update(request, extra));
    json_decref(extra);
    if (failed) {
        json_decref(request);
        return nz_fail(NZ_E_MEMORY, "out of memory: a request");
    }
    *ret_request = request;
    return NZ_OK;
}

nz_status nz_ask(nz_run *run, nz_variant *variant, json_t **ret_answer, const char *verb, json_t *extra,
                 const char *what, void (*tick)(void *user), void *user) {
    NZ_AUTO_JSON json_t *request = NULL;
    NZ_AUTO_FREE char *label = NULL;
    *ret_answer = NULL;
    nz_status made = make_request(&request, run, variant, verb, extra);
    if (made == NZ_E_RESOURCE && variant->process.host) { /* a file could not be copied there */
        nz_variant_fail(variant, nz_last_error());
        return NZ_OK;
    }
    NZ_TRY(made);
    NZ_TRY(nz_format(&label, "%s: %s", run->entries[variant->entry].name, what));
    nz_wait wait = {.timeout_s = run->options->timeout_s,
                    .tick_ms = tick ? 50 : 200,
                    .tick = tick,
                    .user = user,
                    .progress = run->progress,
                    .what = label};
    nz_status status = nz_process_ask(&variant->process, ret_answer, request, &wait);
    if (status == NZ_E_CANCELLED) return status;
    if (status != NZ_OK) {
        /* A worker that answered has said enough; one that died leaves it to us to tell what it was doing. */
        if (!variant->process.pid) status = nz_fail_context(status, "while it was at '%s'", what);
        nz_variant_fail(variant, nz_last_error());
    }
    return NZ_OK;
}

nz_status nz_ask_part(nz_run *run, nz_variant *variant, const char *verb, const char *part, json_t *extra,
                      const char *what) {
    json_t *answer = NULL;
    NZ_TRY(nz_ask(run, variant, &answer, verb, extra, what, NULL, NULL));
    if (!answer) return NZ_OK;
    json_object_del(answer, "ok");
    if (json_object_set_new(variant->raw, part, answer)) return nz_fail(NZ_E_MEMORY, "out of memory: an answer");
    return NZ_OK;
}
