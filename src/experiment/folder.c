/* SPDX-License-Identifier: Apache-2.0 */
/* The results folder: experiment.json says whose it is, experiment.yaml what is run. */
#include <dirent.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "experiment/plan.h"

static bool is_empty(const char *path) {
    DIR *dir = opendir(path);
    bool empty = true;
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    if (dir) closedir(dir);
    return empty;
}

/* NZ_OK where the folder is free or this experiment's. */
static nz_status check_owner(const nz_experiment *x, const char *marker) {
    NZ_AUTO_JSON json_t *json = NULL;
    if (is_empty(x->out)) return NZ_OK;
    if (!nz_file_exists(marker))
        return nz_fail(NZ_E_ARG, "%s: is not empty, and holds no experiment; choose another folder with --out", x->out);
    NZ_TRY(nz_json_read(&json, marker));
    const char *name = json_string_value(json_object_get(json, "name"));
    if (name && strcmp(name, x->description->name) == 0) return NZ_OK;
    return nz_fail(NZ_E_ARG, "%s: holds the experiment '%s', not '%s'; choose another folder with --out", x->out,
                   name ? name : "?", x->description->name);
}

nz_status nz_folder_open(nz_experiment *x) {
    NZ_AUTO_FREE char *marker = NULL, *models = NULL, *text = NULL;
    const nz_description *d = x->description;
    char sha256[65];
    NZ_TRY(nz_path_join(&marker, x->out, "experiment.json"));
    NZ_TRY(check_owner(x, marker));
    if (x->options->dry_run) return NZ_OK;
    NZ_TRY(nz_path_join(&models, x->out, "models"));
    NZ_TRY(nz_path_join(&text, x->out, "experiment.yaml"));
    NZ_TRY(nz_dir_make(models));
    nz_sha256(sha256, d->text, strlen(d->text));
    NZ_AUTO_JSON json_t *json = json_pack("{s:s,s:o,s:s,s:s}", "schema", "netzip.experiment/1", "name",
                                          nz_json_string(d->name), "sha256", sha256, "version", NZ_VERSION);
    NZ_TRY(nz_json_write(json, marker));
    NZ_TRY(nz_file_write(text, d->text, strlen(d->text)));
    if (!x->options->resume)
        for (size_t i = 0; i < x->step_count; i++) nz_record_forget(&x->steps[i]);
    return NZ_OK;
}
