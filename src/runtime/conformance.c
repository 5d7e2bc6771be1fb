/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/conformance.h"

#include <dirent.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/progress.h"
#include "core/text.h"

const char *nz_case_status_name(nz_case_status status) {
    static const char *const names[] = {"passed", "failed", "unsupported"};
    return names[status];
}

void nz_conformance_done(nz_conformance *conformance) {
    for (size_t i = 0; i < conformance->count; i++) {
        free(conformance->cases[i].name);
        free(conformance->cases[i].reason);
    }
    free(conformance->cases);
    *conformance = (nz_conformance){0};
}

/* A growing list of paths. */
typedef struct paths {
    size_t count, capacity;
    char **items;
} paths;

static void paths_done(paths *list) {
    for (size_t i = 0; i < list->count; i++) free(list->items[i]);
    free(list->items);
}

static nz_status paths_add(paths *list, const char *path) {
    NZ_TRY(nz_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    NZ_TRY(nz_strdup(&list->items[list->count], path));
    list->count++;
    return NZ_OK;
}

static nz_status has_model(bool *ret_has, const char *folder) {
    NZ_AUTO_FREE char *model = NULL;
    NZ_TRY(nz_path_join(&model, folder, "model.onnx"));
    *ret_has = nz_file_exists(model);
    return NZ_OK;
}

static int compare_paths(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void close_dir_ptr(DIR **dir) {
    if (*dir) closedir(*dir);
}

static nz_status find_cases(paths *list, const char *folder) {
    bool found = false;
    size_t before = list->count;
    NZ_TRY(has_model(&found, folder));
    if (found) return paths_add(list, folder);
    NZ_AUTO(close_dir_ptr) DIR *dir = opendir(folder);
    if (!dir) return nz_fail(NZ_E_IO, "%s: no such folder of test vectors", folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        NZ_AUTO_FREE char *path = NULL;
        if (entry->d_name[0] == '.') continue;
        NZ_TRY(nz_path_join(&path, folder, entry->d_name));
        NZ_TRY(has_model(&found, path));
        if (found) NZ_TRY(paths_add(list, path));
    }
    if (list->count == before)
        return nz_fail(NZ_E_IO, "%s holds no case: neither model.onnx nor folders with one", folder);
    qsort(list->items + before, list->count - before, sizeof *list->items, compare_paths);
    return NZ_OK;
}

static nz_status add_case(nz_conformance *result, const char *folder, nz_status status) {
    nz_case *entry = &result->cases[result->count];
    entry->status = status == NZ_OK              ? NZ_CASE_PASSED
                    : status == NZ_E_UNSUPPORTED ? NZ_CASE_UNSUPPORTED
                                                 : NZ_CASE_FAILED;
    if (status != NZ_OK) NZ_TRY(nz_strdup(&entry->reason, nz_last_error()));
    nz_status copied = nz_strdup(&entry->name, nz_path_base(folder));
    if (copied != NZ_OK) {
        free(entry->reason);
        entry->reason = NULL;
        return copied;
    }
    result->count++;
    result->passed += entry->status == NZ_CASE_PASSED;
    result->failed += entry->status == NZ_CASE_FAILED;
    result->unsupported += entry->status == NZ_CASE_UNSUPPORTED;
    return NZ_OK;
}

static nz_status check_runtime(const char *runtime) {
    if (strcmp(runtime, "reference") == 0) return NZ_OK;
    const char *name, *version = NULL;
    for (size_t i = 0; (name = nz_runtime_name(i, &version)); i++)
        if (strcmp(name, runtime) == 0)
            return version ? NZ_OK
                           : nz_fail(NZ_E_UNAVAILABLE, "the runtime '%s' is not usable on this machine", runtime);
    return nz_fail(NZ_E_ARG, "unknown runtime '%s': see netzip doctor", runtime);
}

nz_status nz_conformance_run(nz_conformance *ret, const char *const *folders, size_t folder_count, const char *runtime,
                             int threads, const nz_progress *progress) {
    NZ_AUTO(paths_done) paths list = {0};
    NZ_AUTO(nz_conformance_done) nz_conformance result = {0};
    NZ_TRY(check_runtime(runtime));
    for (size_t i = 0; i < folder_count; i++) NZ_TRY(find_cases(&list, folders[i]));
    NZ_TRY(nz_alloc(&result.cases, list.count, sizeof *result.cases));
    for (size_t i = 0; i < list.count; i++) {
        if (!nz_progress_step(progress, "cases", i, list.count))
            return nz_fail(NZ_E_CANCELLED, "stopped after %zu of %zu cases", i, list.count);
        nz_status status = nz_conformance_case(list.items[i], runtime, threads);
        if (status == NZ_E_MEMORY) return status;
        NZ_TRY(add_case(&result, list.items[i], status));
    }
    (void)nz_progress_step(progress, "cases", list.count, list.count);
    *ret = result;
    result = (nz_conformance){0};
    return NZ_OK;
}
