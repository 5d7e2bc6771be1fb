/* SPDX-License-Identifier: Apache-2.0 */
/* STEM.step.json: what was done, from which inputs, and the hash of what came out. */
#include <dirent.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "experiment/plan.h"
#include "netzip/onnx.h"

static const char schema[] = "netzip.step/1";

nz_status nz_record_path(char **ret_path, const nz_step *step) {
    return nz_format(ret_path, "%s.step.json", step->stem);
}

/* Of what a step made. A model may have its weights in a file beside it. */
static nz_status hash_output(char ret_hex[65], const nz_step *step) {
    bool model = step->kind == NZ_STEP_TRAIN || step->kind == NZ_STEP_COMPRESS;
    return model ? nz_model_sha256(ret_hex, step->output) : nz_sha256_file(ret_hex, step->output);
}

nz_status nz_record_find(nz_step *step) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_AUTO_JSON json_t *record = NULL;
    char sha256[65];
    if (step->kind == NZ_STEP_REPORT) return NZ_OK; /* many files, and cheap: it is always written again */
    NZ_TRY(nz_record_path(&path, step));
    /* A record that cannot be read is none: the step is done again. */
    if (!nz_file_exists(path) || nz_json_read(&record, path) != NZ_OK) return NZ_OK;
    if (strcmp(nz_json_text_at(record, "schema"), schema) != 0 ||
        strcmp(nz_json_text_at(record, "key"), step->key) != 0 ||
        strcmp(nz_json_text_at(record, "status"), "ok") != 0 || hash_output(sha256, step) != NZ_OK ||
        strcmp(nz_json_text_at(record, "sha256"), sha256) != 0)
        return NZ_OK;
    memcpy(step->sha256, sha256, sizeof sha256);
    json_decref(step->record);
    step->record = NZ_STEAL(record);
    step->done = step->found = true;
    return NZ_OK;
}

nz_status nz_record_write(nz_step *step, double seconds) {
    NZ_AUTO_FREE char *path = NULL;
    char finished[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(finished, sizeof finished, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (!step->record) step->record = json_object();
    if (!step->error) NZ_TRY(hash_output(step->sha256, step));
    json_t *head = json_pack("{s:s,s:o,s:s,s:s,s:o*,s:o*,s:s,s:s,s:f}", "schema", schema, "title",
                             nz_json_string(step->title), "status", step->error ? "failed" : "ok", "key", step->key,
                             "error", step->error ? nz_json_string(step->error) : NULL, "sha256",
                             step->error ? NULL : json_string(step->sha256), "version", NZ_VERSION, "finished",
                             finished, "seconds", seconds);
    if (!head || !step->record || json_object_update(step->record, head)) {
        json_decref(head);
        return nz_fail(NZ_E_MEMORY, "out of memory: a record");
    }
    json_decref(head);
    NZ_TRY(nz_record_path(&path, step));
    return nz_json_write(step->record, path);
}

/* Everything that begins with the stem's name and a dot, but for the output of others. */
void nz_record_forget(const nz_step *step) {
    NZ_AUTO_FREE char *folder = NULL;
    const char *base = nz_path_base(step->stem);
    static const char *const kinds[] = {".step.json", ".checkpoint.npz", ".history.csv"};
    if (nz_path_folder(&folder, step->stem) != NZ_OK) return;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name), at = strlen(base);
        if (strncmp(entry->d_name, base, at) != 0 || entry->d_name[at] != '.') continue;
        bool ours = false;
        for (size_t i = 0; i < NZ_COUNT(kinds); i++) {
            size_t end = strlen(kinds[i]);
            ours = ours || (length > end && strcmp(entry->d_name + length - end, kinds[i]) == 0);
        }
        NZ_AUTO_FREE char *path = NULL;
        if (ours && nz_path_join(&path, folder, entry->d_name) == NZ_OK) unlink(path);
    }
    if (dir) closedir(dir);
}
