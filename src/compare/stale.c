/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes and images that an earlier run into the same folder wrote and this one did not. Removed is only what that run's results
 * name, and only in the two folders that are a comparison's own. */
#include <string.h>
#include <unistd.h>

#include "compare/run.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

static const struct { const char *folder, *ending; } own[] = {{"detections", ".json"}, {"samples", ".png"}};

/* "samples/000000000139.png": the results may have been changed by anybody since. */
static bool is_own(const char *file) {
    size_t length = strlen(file);
    for (size_t i = 0; i < NZ_COUNT(own); i++) {
        size_t folder = strlen(own[i].folder), ending = strlen(own[i].ending);
        if (length > folder + 1 + ending && memcmp(file, own[i].folder, folder) == 0 && file[folder] == '/' &&
            file[folder + 1] != '.' && !strchr(file + folder + 1, '/') &&
            strcmp(file + length - ending, own[i].ending) == 0)
            return true;
    }
    return false;
}

static nz_status add_file(json_t *files, const char *file) {
    return is_own(file) && json_object_set_new(files, file, json_true())
               ? nz_fail(NZ_E_MEMORY, "out of memory: the files of a run")
               : NZ_OK;
}

static nz_status collect(json_t **ret_files, const json_t *results) {
    NZ_AUTO_JSON json_t *files = json_object();
    const json_t *models = json_object_get(results, "models");
    if (!files) return nz_fail(NZ_E_MEMORY, "out of memory: the files of a run");
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *detection = json_object_get(json_array_get(models, i), "detection"),
                     *samples = json_object_get(detection, "samples");
        NZ_TRY(add_file(files, nz_json_text_at(detection, "detections")));
        for (size_t k = 0; k < json_array_size(samples); k++)
            NZ_TRY(add_file(files, nz_json_text_at(json_array_get(samples, k), "image")));
    }
    *ret_files = NZ_STEAL(files);
    return NZ_OK;
}

nz_status nz_stale_find(json_t **ret_files, const char *out) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_AUTO_JSON json_t *results = NULL;
    NZ_TRY(nz_path_join(&path, out, "results.json"));
    nz_status status = nz_file_exists(path) ? nz_json_read(&results, path) : NZ_OK;
    if (status == NZ_E_MEMORY) return status;
    bool ours = status == NZ_OK && strcmp(nz_json_text_at(results, "schema"), "netzip.results/1") == 0;
    return collect(ret_files, ours ? results : NULL);
}

nz_status nz_stale_remove(json_t *before, const char *out, const json_t *results) {
    NZ_AUTO_JSON json_t *now = NULL;
    NZ_TRY(collect(&now, results));
    const char *file;
    json_t *value;
    json_object_foreach(before, file, value) {
        NZ_AUTO_FREE char *path = NULL;
        if (json_object_get(now, file)) continue;
        NZ_TRY(nz_path_join(&path, out, file));
        unlink(path); /* one that is gone already, or may not be removed, does no harm */
    }
    for (size_t i = 0; i < NZ_COUNT(own); i++) {
        NZ_AUTO_FREE char *folder = NULL;
        NZ_TRY(nz_path_join(&folder, out, own[i].folder));
        rmdir(folder); /* where it is empty */
    }
    return NZ_OK;
}
