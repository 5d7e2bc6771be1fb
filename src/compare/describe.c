/* SPDX-License-Identifier: Apache-2.0 */
/* The first phase: every model is read once by a worker that is then thrown away, so that the one which is measured
 * starts with nothing in its memory. It also decodes the samples that timing will use. */
#include <stdio.h>
#include <string.h>

#include "compare/run.h"
#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/text.h"
#include "netzip/data.h"

static void free_data(nz_dataset **data) { nz_data_free(*data); }

/* The data set itself, apart from any model: that it exists, and what it is. */
nz_status nz_run_open_data(nz_run *run) {
    const char *spec = run->options->data;
    if (!spec) return NZ_OK;
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    NZ_TRY(nz_data_open(&data, spec, NULL, NZ_DATA_COMPARE, NULL));
    snprintf(run->fingerprint, sizeof run->fingerprint, "%.64s", nz_data_fingerprint(data));
    NZ_TRY(nz_data_stamp(run->stamp, data));
    if (nz_data_note(data)) nz_warn(run->warnings, "%s", nz_data_note(data));
    bool elsewhere = false;
    for (size_t i = 0; i < run->options->target_count; i++)
        elsewhere = elsewhere || strcmp(run->options->targets[i], "local") != 0;
    if (elsewhere) NZ_TRY(nz_data_places_get(&run->places, data, spec));
    run->task = nz_data_has_objects(data) ? NZ_TASK_DETECTION : NZ_TASK_CLASSIFICATION;
    run->data = json_pack("{s:o,s:s,s:I,s:I,s:s}", "spec", nz_json_string(spec), "task",
                          run->task == NZ_TASK_DETECTION ? "detection" : "classification", "count",
                          (json_int_t)nz_data_count(data), "classes", (json_int_t)nz_data_classes(data), "fingerprint",
                          run->fingerprint);
    if (!run->data) return nz_fail(NZ_E_MEMORY, "out of memory: the data's description");
    return NZ_OK;
}

static nz_status entry_fail(nz_entry *entry) { return nz_strdup(&entry->error, nz_last_error()); }

static nz_status describe_entry(nz_run *run, size_t index) {
    nz_entry *entry = &run->entries[index];
    NZ_AUTO_FREE char *samples = NULL, *label = NULL;
    if (entry->error) return NZ_OK; /* it was never made */
    if (nz_sha256_file(entry->sha256, entry->path) != NZ_OK) return entry_fail(entry);
    NZ_TRY(nz_format(&samples, "%s/model%zu.samples", run->work, index));
    NZ_TRY(nz_format(&label, "%s: read", entry->name));
    NZ_AUTO_JSON json_t *request =
        json_pack("{s:s,s:o,s:o,s:o}", "do", "describe", "path", nz_json_string(entry->path), "data",
                  nz_json_string(run->load ? entry->data : NULL), "samples", nz_json_string(samples));
    if (!request) return nz_fail(NZ_E_MEMORY, "out of memory: a request");
    nz_process process = {.channel = {.fd = -1}};
    NZ_TRY(nz_process_start(&process, nz_worker_program(run), true));
    nz_wait wait = {.timeout_s = run->options->timeout_s, .progress = run->progress, .what = label};
    nz_status status = nz_process_ask(&process, &entry->describe, request, &wait);
    nz_process_end(&process);
    if (status == NZ_E_CANCELLED) return status;
    if (status != NZ_OK) return entry_fail(entry);
    json_object_del(entry->describe, "ok");
    if (json_object_get(json_object_get(entry->describe, "data"), "samples")) entry->samples = NZ_STEAL(samples);
    const char *problem = nz_json_text_at(json_object_get(entry->describe, "data"), "error");
    if (*problem) nz_progress_note(run->progress, "%s: the data does not fit this model: %s", entry->name, problem);
    return NZ_OK;
}

nz_status nz_phase_describe(nz_run *run) {
    NZ_TRY(nz_store_open(run)); /* only now: a wrong command line must not cost the parts of an interrupted run */
    for (size_t i = 0; i < run->entry_count; i++) NZ_TRY(describe_entry(run, i));
    for (size_t v = 0; v < run->variant_count; v++) {
        nz_variant *variant = &run->variants[v];
        const nz_entry *entry = &run->entries[variant->entry];
        if (entry->error)
            nz_variant_fail(variant, entry->error);
        else
            NZ_TRY(nz_store_load(run, variant));
        nz_variant_tell(run, variant);
    }
    return NZ_OK;
}
