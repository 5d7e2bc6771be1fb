/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions over the whole data set, and the facts of the file: what comes out the same however busy the machine is.
 * Variants of one model that differ only in threads or batch share them. */
#include <string.h>

#include "compare/run.h"
#include "core/error.h"

enum { SCORING_BATCH = 32 };

/* Takes the part over from an earlier variant of the same model (and, where asked, the same runtime). */
static bool share(nz_run *run, nz_variant *v, const char *part, bool same_runtime) {
    for (size_t i = 0; &run->variants[i] != v; i++) {
        const nz_variant *other = &run->variants[i];
        json_t *found = json_object_get(other->raw, part);
        if (other->entry != v->entry || other->error || !found ||
            (same_runtime && strcmp(other->runtime, v->runtime) != 0))
            continue;
        return json_object_set(v->raw, part, found) == 0;
    }
    return false;
}

static nz_status predict(nz_run *run, nz_variant *v) {
    const json_t *data = json_object_get(run->entries[v->entry].describe, "data");
    if (*nz_json_text_at(data, "error")) {
        json_t *part = json_pack("{s:O}", "unavailable", json_object_get(data, "error"));
        return json_object_set_new(v->raw, "predict", part) ? nz_fail(NZ_E_MEMORY, "out of memory: an answer") : NZ_OK;
    }
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_store_scores(&path, run, v));
    /* Scores do not depend on the number of threads: all that the machine has are used. */
    json_t *extra =
        json_pack("{s:o,s:o,s:i,s:i}", "data", nz_json_string(run->entries[v->entry].data), "out", nz_json_string(path),
                  "batch", SCORING_BATCH, "threads", nz_run_machine_of(run, v)->cpus_usable);
    bool detect = run->task == NZ_TASK_DETECTION;
    if (detect && json_object_set_new(extra, "detect", nz_json_string(run->options->detect)))
        return nz_fail(NZ_E_MEMORY, "out of memory: a request");
    NZ_TRY(nz_ask_part(run, v, detect ? "detect" : "predict", "predict", extra, "accuracy"));
    return v->error ? NZ_OK : nz_store_save(run, v);
}

static nz_status gather_facts(nz_run *run, nz_variant *v) {
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
    if (predicted && counted) return NZ_OK;
    NZ_TRY(nz_process_start(&v->process, nz_worker_program(run), true));
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
