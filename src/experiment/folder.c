/* SPDX-License-Identifier: Apache-2.0 */
/* The results folder: experiment.json says whose it is, experiment.yaml what is run. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/text.h"
#include "experiment/plan.h"

static bool is_empty(const char *path) {
    DIR *dir = opendir(path);
    bool empty = true;
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                          strcmp(entry->d_name, ".lock") == 0);
    if (dir) closedir(dir);
    return empty;
}

/* NZ_OK where the folder is free or this experiment's. */
static nz_status check_owner(const nz_experiment *x, const char *marker) {
    NZ_AUTO_JSON json_t *json = NULL;
    if (nz_file_exists(x->out)) return nz_fail(NZ_E_ARG, "%s: is a file; a folder is needed for --out", x->out);
    if (is_empty(x->out)) return NZ_OK;
    if (!nz_file_exists(marker))
        return nz_fail(NZ_E_ARG, "%s: is not empty, and holds no experiment; choose another folder with --out", x->out);
    NZ_TRY(nz_json_read(&json, marker));
    const char *name = json_string_value(json_object_get(json, "name"));
    if (name && strcmp(name, x->description->name) == 0) return NZ_OK;
    return nz_fail(NZ_E_ARG, "%s: holds the experiment '%s', not '%s'; choose another folder with --out", x->out,
                   name ? name : "?", x->description->name);
}

/* Two runs in one folder would spoil each other's steps. The lock goes with the process, however that ends. */
static nz_status lock(nz_experiment *x) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_path_join(&path, x->out, ".lock"));
    x->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (x->lock < 0) return nz_fail_errno(path, "cannot be opened");
    if (flock(x->lock, LOCK_EX | LOCK_NB) == 0) return NZ_OK;
    if (errno == EWOULDBLOCK)
        return nz_fail(NZ_E_RESOURCE, "%s: another run is at work in this folder; wait for it, or choose another --out",
                       x->out);
    return errno == ENOLCK || errno == ENOTSUP ? NZ_OK : nz_fail_errno(path, "cannot be locked");
}

/* Whether the step was finished by an earlier run: it has a record. */
static bool has_record(const nz_step *step) {
    NZ_AUTO_FREE char *path = NULL;
    return nz_record_path(&path, step) == NZ_OK && nz_file_exists(path);
}

static void begin_anew(const nz_experiment *x) {
    size_t finished = 0;
    for (size_t i = 0; i < x->step_count; i++) finished += has_record(&x->steps[i]);
    if (finished)
        nz_progress_note(x->progress, "%s: %zu finished step%s begun anew; --resume keeps %s", x->out, finished,
                         finished == 1 ? " is" : "s are", finished == 1 ? "it" : "them");
    for (size_t i = 0; i < x->step_count; i++) nz_record_forget(&x->steps[i]);
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
    NZ_TRY(lock(x));
    nz_sha256(sha256, d->text, strlen(d->text));
    NZ_AUTO_JSON json_t *json = json_pack("{s:s,s:o,s:s,s:s}", "schema", "netzip.experiment/1", "name",
                                          nz_json_string(d->name), "sha256", sha256, "version", NZ_VERSION);
    NZ_TRY(nz_json_write(json, marker));
    NZ_TRY(nz_file_write(text, d->text, strlen(d->text)));
    if (!x->options->resume) begin_anew(x);
    return NZ_OK;
}
