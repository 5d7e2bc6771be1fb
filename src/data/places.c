/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a DATA text reads, and the same text for a copy of them that lies elsewhere. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/text.h"
#include "data/dataset.h"
#include "data/files.h"
#include "data/labels.h"

enum { DEPTH_MAX = 16 };
static const char *const path_keys[] = {"labels", "images"};

void nz_data_places_done(nz_data_places *places) {
    for (size_t i = 0; i < places->count; i++) free(places->paths[i]);
    free(places->paths);
    *places = (nz_data_places){0};
}

static nz_status add(nz_data_places *p, size_t *capacity, const char *path) {
    struct stat info;
    NZ_AUTO_FREE char *absolute = NULL;
    if (stat(path, &info) != 0) return NZ_OK; /* reading it tells */
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return NZ_OK;
    NZ_TRY(nz_path_absolute(&absolute, path));
    NZ_TRY(nz_grow(&p->paths, capacity, p->count + 1, sizeof *p->paths));
    if (S_ISREG(info.st_mode)) p->bytes += (uint64_t)info.st_size;
    p->paths[p->count++] = NZ_STEAL(absolute);
    return NZ_OK;
}

/* Folders, whose names may be those of classes, and files; images only where they are no samples of their own. */
static nz_status add_below(nz_data_places *p, size_t *capacity, const char *folder, bool images, int depth) {
    char **names = NULL;
    size_t count = 0;
    NZ_TRY(add(p, capacity, folder));
    if (depth > DEPTH_MAX) return NZ_OK;
    NZ_TRY(nz_folder_names(&names, &count, folder));
    nz_status status = NZ_OK;
    for (size_t i = 0; i < count && status == NZ_OK; i++) {
        NZ_AUTO_FREE char *path = NULL;
        status = nz_path_join(&path, folder, names[i]);
        if (status != NZ_OK) break;
        if (nz_dir_exists(path))
            status = add_below(p, capacity, path, images, depth + 1);
        else if (images || !nz_is_image_name(names[i]))
            status = add(p, capacity, path);
    }
    nz_labels_free(names, count);
    return status;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void drop_twins(nz_data_places *p) {
    size_t kept = 0;
    qsort(p->paths, p->count, sizeof *p->paths, by_text);
    for (size_t i = 0; i < p->count; i++) {
        if (kept && strcmp(p->paths[kept - 1], p->paths[i]) == 0)
            free(p->paths[i]);
        else
            p->paths[kept++] = p->paths[i];
    }
    p->count = kept;
}

nz_status nz_data_places_get(nz_data_places *ret_places, const nz_dataset *d, const char *text) {
    NZ_AUTO(nz_data_places_done) nz_data_places places = {0};
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    const nz_source_kind *kind = d->source.kind;
    size_t capacity = 0;
    NZ_TRY(nz_spec_parse(&spec, text));
    if (d->path && nz_dir_exists(d->path))
        NZ_TRY(add_below(&places, &capacity, d->path, !kind->path, 0));
    else if (d->path)
        NZ_TRY(add(&places, &capacity, d->path));
    /* All of the source, not only those that offset and limit leave: which these are is told by the whole list. */
    for (size_t i = 0; kind->path && i < d->source.count; i++)
        NZ_TRY(add(&places, &capacity, kind->path(&d->source, i)));
    for (size_t i = 0; i < NZ_COUNT(path_keys); i++)
        if (nz_spec_get(&spec, path_keys[i])) NZ_TRY(add(&places, &capacity, nz_spec_get(&spec, path_keys[i])));
    drop_twins(&places);
    *ret_places = places;
    places = (nz_data_places){0};
    return NZ_OK;
}

nz_status nz_data_moved(char **ret_spec, const char *text,
                        nz_status (*move)(char **ret_path, void *user, const char *path), void *user) {
    NZ_AUTO(nz_text_done) nz_text out = {0};
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_AUTO_FREE char *moved = NULL;
    NZ_TRY(nz_spec_parse(&spec, text));
    const char *colon = strchr(spec.head, ':');
    if (!colon) return nz_fail(NZ_E_ARG, "data '%s' has no path", text);
    NZ_TRY(move(&moved, user, colon + 1));
    nz_text_append_bytes(&out, spec.head, (size_t)(colon + 1 - spec.head));
    nz_spec_put(&out, moved);
    for (size_t i = 0; i < spec.count; i++) {
        NZ_AUTO_FREE char *value = NULL;
        bool path = false;
        for (size_t k = 0; k < NZ_COUNT(path_keys); k++) path = path || strcmp(spec.pairs[i].key, path_keys[k]) == 0;
        NZ_TRY(path ? move(&value, user, spec.pairs[i].value) : nz_strdup(&value, spec.pairs[i].value));
        nz_text_appendf(&out, ",%s=", spec.pairs[i].key);
        nz_spec_put(&out, value);
    }
    return nz_text_take(&out, ret_spec);
}
