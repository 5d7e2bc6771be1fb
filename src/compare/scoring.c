/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions over the whole data set, and the facts of the file: what comes out the same however busy the machine is.
 * Variants of one model that differ only in threads or batch share them. */
#include <string.h>

#include "compare/run.h"
#include "compare/target.h"
#include "core/error.h"

enum { SCORING_BATCH = 32 };

/* Whether two variants' predictions are computed on one machine. */
static bool scored_together(const nz_run *run, const nz_variant *a, const nz_variant *b) {
    bool here = nz_run_machine_of(run, a)->scores_here, other = nz_run_machine_of(run, b)->scores_here;
    return here && other ? true : here == other && a->machine == b->machine;
}

/* Takes the part over from an earlier variant of the same model; predictions are also the runtime's and the machine's. */
static bool share(nz_run *run, nz_variant *v, const char *part, bool predictions) {
    for (size_t i = 0; &run->variants[i] != v; i++) {
        const nz_variant *other = &run->variants[i];
        json_t *found = json_object_get(other->raw, part);
        if (other->entry != v->entry || other->error || !found) continue;
        if (predictions && (strcmp(other->runtime, v->runtime) != 0 || !scored_together(run, v, other))) continue;
        return json_object_set(v->raw, part, found) == 0;
    }
    return false;
}

static nz_status request_scores(nz_run *run, nz_variant *v, const char *data, const char *out, int threads) {
    bool detect = run->task == NZ_TASK_DETECTION, there = v->process.host;
    json_t *extra =
        json_pack("{s:o,s:o,s:i,s:i,s:s*}", "data", nz_json_string(data), "out", nz_json_string(out), "batch",
                  SCORING_BATCH, "threads", threads, "fingerprint", there ? run->fingerprint : NULL);
    if (detect && json_object_set_new(extra, "detect", nz_json_string(run->options->detect)))
        return nz_fail(NZ_E_MEMORY, "out of memory: a request");
    return nz_ask_part(run, v, detect ? "detect" : "predict", "predict", extra, "accuracy");
}

/* On another machine: its copy of the data is read, and the file comes back. */
static nz_status predict_there(nz_run *run, nz_variant *v, nz_machine *machine, const char *path) {
    NZ_AUTO_FREE char *data = NULL, *out = NULL;
    NZ_TRY(nz_machine_data(machine, &data, run->entries[v->entry].data, &run->places, run->fingerprint));
    NZ_TRY(nz_machine_start(machine, &v->process, true));
    NZ_TRY(nz_link_place(machine->link, &out, "predictions"));
    NZ_TRY(request_scores(run, v, data, out, machine->cpus_usable));
    json_t *part = json_object_get(v->raw, "predict");
    if (v->error || json_object_get(part, "unavailable")) return NZ_OK;
    if (json_object_set_new(part, "host", nz_json_string(machine->host)))
        return nz_fail(NZ_E_MEMORY, "out of memory: an answer");
    return nz_link_fetch(machine->link, out, path);
}

/* Scores do not depend on the number of threads: all that the machine has are used. */
static nz_status predict_here(nz_run *run, nz_variant *v, const char *path) {
    nz_hardware here;
    nz_hardware_get(&here, NULL);
    NZ_TRY(nz_process_start(&v->process, nz_worker_program(run), true));
    return request_scores(run, v, run->entries[v->entry].data, path, here.cpus_usable > 0 ? here.cpus_usable : 1);
}

static nz_status predict(nz_run *run, nz_variant *v) {
    const json_t *data = json_object_get(run->entries[v->entry].describe, "data");
    if (*nz_json_text_at(data, "error")) {
        json_t *part = json_pack("{s:O}", "unavailable", json_object_get(data, "error"));
        return json_object_set_new(v->raw, "predict", part) ? nz_fail(NZ_E_MEMORY, "out of memory: an answer") : NZ_OK;
    }
    nz_machine *machine = nz_run_machine_of(run, v);
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_store_scores(&path, run, v));
    if (machine->scores_here) {
        NZ_TRY(predict_here(run, v, path));
    } else {
        nz_status status = predict_there(run, v, machine, path);
        nz_process_end(&v->process); /* what follows is done here */
        if (status == NZ_E_RESOURCE) {
            nz_variant_fail(v, nz_last_error());
            return NZ_OK;
        }
        NZ_TRY(status);
    }
    return v->error ? NZ_OK : nz_store_save(run, v);
}

/* They follow from the file alone: always computed here. */
static nz_status gather_facts(nz_run *run, nz_variant *v) {
    if (!v->process.pid) NZ_TRY(nz_process_start(&v->process, nz_worker_program(run), true));
    NZ_TRY(nz_ask_part(run, v, "facts", "facts", json_pack("{s:b}", "entropy", run->entropy),
                       run->entropy ? "facts and entropy" : "facts"));
    return v->error ? NZ_OK : nz_store_save(run, v);
}

static bool has_facts(const nz_run *run, const nz_variant *v) {
    const json_t *facts = json_object_get(v->raw, "facts");
    return json_object_get(facts, "facts") && (!run->entropy || json_object_get(facts, "entropy_bytes"));
}

static nz_status score_variant(nz_run *run, nz_variant *v) {
    bool predicted = !run->scores || nz_variant_has(v, "predict") || share(run, v, "predict", true);
    bool counted = has_facts(run, v) || share(run, v, "facts", false);
    if (!predicted) NZ_TRY(predict(run, v));
    if (!v->error && !counted) NZ_TRY(gather_facts(run, v));
    return NZ_OK;
}

nz_status nz_phase_scoring(nz_run *run) {
    /* The processes that were timed have done their work: these start anew, with threads that wait patiently. */
    for (size_t i = 0; i < run->variant_count; i++) nz_process_end(&run->variants[i].process);
    for (size_t i = 0; i < run->variant_count; i++) {
        nz_variant *v = &run->variants[i];
        if (v->error) continue;
        NZ_TRY(score_variant(run, v));
        nz_variant_tell(run, v);
        nz_process_end(&v->process);
    }
    return NZ_OK;
}
