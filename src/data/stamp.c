/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the files of a data set are those of an earlier run, without reading them. */
#include <stdlib.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/dataset.h"
#include "data/files.h"
#include "data/labels.h"

/* A file that is gone is one more state: reading it tells. */
static void put_file(nz_text *text, const char *path) {
    struct stat s;
    if (stat(path, &s) != 0)
        nz_text_appendf(text, "%s -\n", path);
    else if (S_ISREG(s.st_mode))
        nz_text_appendf(text, "%s %lld %lld.%09ld\n", path, (long long)s.st_size, (long long)s.st_mtim.tv_sec,
                        s.st_mtim.tv_nsec);
}

/* Folders in it are passed over: they may be anybody's. */
static nz_status put_folder(nz_text *text, const char *folder) {
    char **names = NULL;
    size_t count = 0;
    NZ_TRY(nz_folder_names(&names, &count, folder));
    nz_status status = NZ_OK;
    for (size_t i = 0; i < count && status == NZ_OK; i++) {
        char *path = NULL;
        status = nz_path_join(&path, folder, names[i]);
        if (status == NZ_OK) put_file(text, path);
        free(path);
    }
    nz_labels_free(names, count);
    return status;
}

nz_status nz_data_stamp(char ret_hex[65], const nz_dataset *d) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    const nz_source_kind *kind = d->source.kind;
    if (kind->path) {
        for (size_t i = 0; i < d->count && text.status == NZ_OK; i++)
            put_file(&text, kind->path(&d->source, nz_data_source_index(d, i)));
    } else if (d->path && nz_dir_exists(d->path)) {
        NZ_TRY(put_folder(&text, d->path));
    } else if (d->path) {
        put_file(&text, d->path);
    }
    NZ_TRY(text.status);
    nz_sha256(ret_hex, text.data ? text.data : "", text.length);
    return NZ_OK;
}
