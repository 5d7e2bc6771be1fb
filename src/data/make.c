/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a made data set as folders of PNG files. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "core/text.h"
#include "data/image.h"
#include "netzip/data.h"

static void free_dataset(nz_dataset **data) { nz_data_free(*data); }

/* The note that tells one set from another, so that two are not mixed in one folder. */
static nz_status claim_folder(const char *folder, const char *spec) {
    enum { NOTE_MAX = 65536 };
    NZ_AUTO_FREE char *path = NULL, *note = NULL, *there = NULL;
    size_t count = 0;
    NZ_TRY(nz_dir_make(folder));
    NZ_TRY(nz_path_join(&path, folder, "netzip-data.txt"));
    NZ_TRY(nz_format(&note, "made by: netzip data make %s\n", spec));
    if (!nz_file_exists(path)) return nz_file_write(path, note, strlen(note));
    NZ_TRY(nz_file_read(&there, &count, path, NOTE_MAX));
    if (strcmp(there, note) == 0) return NZ_OK;
    return nz_fail(NZ_E_ARG, "%s: the folder holds another data set (netzip-data.txt says which); choose an empty one",
                   folder);
}

static nz_status write_image(const nz_dataset *data, size_t i, const char *path) {
    NZ_AUTO_FREE uint8_t *rgb = NULL, *png = NULL;
    int width = 0, height = 0;
    size_t count = 0;
    NZ_TRY(nz_data_image(data, i, &rgb, &width, &height));
    nz_image image = {.width = width, .height = height, .channels = 3, .pixels = rgb};
    NZ_TRY(nz_png_encode(&png, &count, &image));
    return nz_file_write(path, png, count);
}

static nz_status make_classes(const nz_dataset *data, const char *folder, const char *split) {
    for (size_t c = 0; c < nz_data_classes(data); c++) {
        NZ_AUTO_FREE char *path = NULL;
        NZ_TRY(nz_format(&path, "%s/%s/%s", folder, split, nz_data_class_name(data, c)));
        NZ_TRY(nz_dir_make(path));
    }
    return NZ_OK;
}

static nz_status make_split(size_t *written, size_t *kept, const char *spec, const char *split, bool add_split,
                            const char *folder, const nz_progress *progress) {
    NZ_AUTO_FREE char *text = NULL, *table_path = NULL;
    NZ_AUTO(free_dataset) nz_dataset *data = NULL;
    NZ_AUTO(nz_text_done) nz_text table = {0};
    NZ_TRY(add_split ? nz_format(&text, "%s,split=%s", spec, split) : nz_strdup(&text, spec));
    NZ_TRY(nz_data_open(&data, text, NULL, NZ_DATA_TRAIN, NULL));
    NZ_TRY(make_classes(data, folder, split));
    nz_text_append(&table, "image,label\n");
    size_t count = nz_data_count(data);
    for (size_t i = 0; i < count; i++) {
        NZ_AUTO_FREE char *path = NULL;
        int32_t label = nz_data_label(data, i);
        NZ_TRY(nz_format(&path, "%s/%s/%s/%06zu.png", folder, split, nz_data_class_name(data, (size_t)label), i));
        nz_text_appendf(&table, "%s,%" PRId32 "\n", path + strlen(folder) + 1, label);
        bool there = nz_file_exists(path);
        if (!there) NZ_TRY(write_image(data, i, path));
        ++*(there ? kept : written);
        if (!nz_progress_step(progress, "images", i + 1, count))
            return nz_fail(NZ_E_CANCELLED, "%s: stopped; the same command goes on", folder);
    }
    NZ_TRY(table.status);
    NZ_TRY(nz_format(&table_path, "%s/%s.csv", folder, split));
    return nz_file_write(table_path, table.data, table.length);
}

nz_status nz_data_make(size_t *ret_written, size_t *ret_kept, const char *spec, const char *folder,
                       const nz_progress *progress) {
    NZ_AUTO(nz_spec_done) nz_spec parsed = {0};
    size_t written = 0, kept = 0;
    NZ_TRY(nz_spec_parse(&parsed, spec));
    if (strncmp(parsed.head, "synthetic:", 10) != 0)
        return nz_fail(NZ_E_ARG, "data '%s': only synthetic sets are made, such as synthetic:shapes", spec);
    const char *split = nz_spec_get(&parsed, "split"), *splits[] = {split ? split : "train", split ? NULL : "test"};
    NZ_AUTO(free_dataset) nz_dataset *probe = NULL; /* a wrong key before anything is written */
    NZ_TRY(nz_data_open(&probe, spec, NULL, NZ_DATA_TRAIN, NULL));
    if (nz_data_has_objects(probe))
        return nz_fail(NZ_E_UNSUPPORTED, "data '%s': only sets with one class an image are written", spec);
    NZ_TRY(claim_folder(folder, spec));
    for (size_t s = 0; s < NZ_COUNT(splits) && splits[s]; s++)
        NZ_TRY(make_split(&written, &kept, spec, splits[s], !split, folder, progress));
    *ret_written = written;
    *ret_kept = kept;
    return NZ_OK;
}
