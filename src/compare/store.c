/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a run: OUT/.work/<key>.json holds what was measured of a variant, <key>.scores or <key>.boxes its predictions. A key is a
 * hash over everything that the part depends on, so that a part is taken over only where it would come out the same. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/detections_file.h"
#include "compare/run.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static void remove_folder(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

nz_status nz_store_open(nz_run *run) {
    const char *out = run->options->out, *place = getenv("TMPDIR");
    if (out) {
        NZ_TRY(nz_path_join(&run->work, out, ".work"));
        if (!run->options->resume) remove_folder(run->work);
        return nz_dir_make(run->work);
    }
    NZ_AUTO_FREE char *pattern = NULL;
    NZ_TRY(nz_format(&pattern, "%s/netzip-XXXXXX", place && *place ? place : "/tmp"));
    if (!mkdtemp(pattern)) return nz_fail(NZ_E_RESOURCE, "%s: no temporary folder: %s", pattern, strerror(errno));
    run->work = NZ_STEAL(pattern);
    run->work_is_temporary = true;
    return NZ_OK;
}

void nz_store_close(nz_run *run, bool finished) {
    if (run->work && (finished || run->work_is_temporary)) remove_folder(run->work);
    free(NZ_STEAL(run->work));
}

/* What predictions depend on; the timed parts depend on more. */
static nz_status identity(char **ret_text, const nz_run *run, const nz_variant *v) {
    const nz_compare_options *o = run->options;
    const nz_entry *entry = &run->entries[v->entry];
    const nz_machine *machine = nz_run_machine_of(run, v);
    /* Another machine's arithmetic may round in another way. */
    const char *place = machine->link_wanted && !machine->scores_here ? machine->target : "";
    return nz_format(ret_text, "6\n%llu\n%s\n%s\n%s\n%s\n%s %s\n%s\n%s\n%s\n%s", (unsigned long long)o->seed,
                     NZ_VERSION, entry->sha256, nz_json_text_at(entry->describe, "weights_sha256"),
                     entry->data ? entry->data : "", run->fingerprint, run->stamp, v->runtime, v->runtime_version,
                     o->detect ? o->detect : "", place);
}

nz_status nz_store_scores(char **ret_path, const nz_run *run, const nz_variant *variant) {
    NZ_AUTO_FREE char *text = NULL;
    char key[65];
    NZ_TRY(identity(&text, run, variant));
    nz_sha256(key, text, strlen(text));
    return nz_format(ret_path, "%s/%.32s.%s", run->work, key, run->task == NZ_TASK_DETECTION ? "boxes" : "scores");
}

static nz_status make_key(nz_run *run, nz_variant *v) {
    NZ_AUTO_FREE char *common = NULL, *text = NULL;
    NZ_TRY(identity(&common, run, v));
    const nz_compare_options *o = run->options;
    /* With the id: a file that is compared with itself is two models, which are timed in turns. */
    NZ_TRY(nz_format(&text, "%s\n%s\n%s\n%d\n%d\n%.3f %g %g %g %g\n%s %d\n%s", common, v->id,
                     nz_run_machine_of(run, v)->host, v->threads, v->batch, o->budget_s, o->width_pct, o->block_s,
                     o->cooldown_s, o->cooldown_c, o->pin ? o->pin : "", o->has_priority ? o->priority : 0,
                     nz_json_text_at(json_object_get(nz_run_machine_of(run, v)->about, "power"), "name")));
    nz_sha256(v->key, text, strlen(text));
    return NZ_OK;
}

static nz_status part_path(char **ret_path, const nz_run *run, const nz_variant *variant) {
    return nz_format(ret_path, "%s/%.32s.json", run->work, variant->key);
}

/* Boxes that cannot be read back are looked for again. */
static nz_status check_boxes(bool *ret_whole, const char *path) {
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    nz_status status = nz_detections_load(&d, path);
    *ret_whole = status == NZ_OK;
    return status == NZ_E_MEMORY ? status : NZ_OK;
}

/* Predictions without their file, or with one of another size, are none. */
static nz_status check_scores(nz_run *run, nz_variant *v) {
    const json_t *predict = json_object_get(v->raw, "predict");
    json_int_t count = json_integer_value(json_object_get(predict, "count")),
               classes = json_integer_value(json_object_get(predict, "classes")),
               bytes = json_integer_value(json_object_get(predict, "bytes"));
    if (!predict || json_object_get(predict, "unavailable")) return NZ_OK;
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_store_scores(&path, run, v));
    struct stat info;
    bool sane = count > 0 && classes > 0 && count < 1 << 30 && classes < 1 << 24;
    if (sane && run->task != NZ_TASK_DETECTION) bytes = count * (classes * 4 + 8 + 4);
    bool whole = sane && stat(path, &info) == 0 && info.st_size == bytes;
    if (whole && run->task == NZ_TASK_DETECTION) NZ_TRY(check_boxes(&whole, path));
    if (!whole) json_object_del(v->raw, "predict");
    return NZ_OK;
}

nz_status nz_store_load(nz_run *run, nz_variant *variant) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_AUTO_JSON json_t *stored = NULL;
    NZ_TRY(make_key(run, variant));
    NZ_TRY(part_path(&path, run, variant));
    if (!run->options->resume || !nz_file_exists(path)) return NZ_OK;
    /* A part that cannot be read is measured again. */
    if (nz_json_read(&stored, path) != NZ_OK || !json_is_object(stored)) return NZ_OK;
    json_decref(variant->raw);
    variant->raw = NZ_STEAL(stored);
    return check_scores(run, variant);
}

nz_status nz_store_save(nz_run *run, const nz_variant *variant) {
    NZ_AUTO_FREE char *path = NULL;
    if (run->work_is_temporary) return NZ_OK;
    NZ_TRY(part_path(&path, run, variant));
    return nz_json_write(variant->raw, path);
}
