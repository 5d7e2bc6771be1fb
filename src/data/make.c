/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a made data set as folders of PNG files. */
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/text.h"
#include "data/make.h"

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

static nz_status make_classes(const nz_dataset *data, const char *folder, const char *split) {
    for (size_t c = 0; c < nz_data_classes(data); c++) {
        NZ_AUTO_FREE char *path = NULL;
        NZ_TRY(nz_format(&path, "%s/%s/%s", folder, split, nz_data_class_name(data, c)));
        NZ_TRY(nz_dir_make(path));
    }
    return NZ_OK;
}

static nz_status make_split(nz_making *m, const char *split) {
    NZ_AUTO_FREE char *table_path = NULL;
    NZ_AUTO(free_dataset) nz_dataset *data = NULL;
    NZ_AUTO(nz_text_done) nz_text table = {0};
    NZ_TRY(nz_making_open(&data, m, split));
    NZ_TRY(make_classes(data, m->folder, split));
    nz_text_append(&table, "image,label\n");
    size_t count = nz_data_count(data);
    for (size_t i = 0; i < count; i++) {
        NZ_AUTO_FREE char *path = NULL;
        int32_t label = nz_data_label(data, i);
        NZ_TRY(nz_format(&path, "%s/%s/%s/%06zu.png", m->folder, split, nz_data_class_name(data, (size_t)label), i));
        nz_text_appendf(&table, "%s,%" PRId32 "\n", path + strlen(m->folder) + 1, label);
        NZ_TRY(nz_making_image(m, data, i, path));
        NZ_TRY(nz_making_step(m, i + 1, count));
    }
    NZ_TRY(table.status);
    NZ_TRY(nz_format(&table_path, "%s/%s.csv", m->folder, split));
    return nz_file_write(table_path, table.data, table.length);
}

nz_status nz_data_make(size_t *ret_written, size_t *ret_kept, const char *spec, const char *folder,
                       const nz_progress *progress) {
    NZ_AUTO(nz_spec_done) nz_spec parsed = {0};
    NZ_TRY(nz_spec_parse(&parsed, spec));
    if (strncmp(parsed.head, "synthetic:", 10) != 0)
        return nz_fail(NZ_E_ARG, "data '%s': only synthetic sets are made, such as synthetic:shapes", spec);
    const char *split = nz_spec_get(&parsed, "split");
    nz_making m = {.spec = spec,
                   .folder = folder,
                   .splits = {split ? split : "train", split ? NULL : "test"},
                   .add_split = !split,
                   .progress = progress};
    NZ_AUTO(free_dataset) nz_dataset *probe = NULL; /* a wrong key before anything is written */
    NZ_TRY(nz_data_open(&probe, spec, NULL, NZ_DATA_TRAIN, NULL));
    NZ_TRY(claim_folder(folder, spec));
    if (nz_data_has_objects(probe))
        NZ_TRY(nz_making_objects(&m, probe));
    else
        for (size_t s = 0; s < NZ_COUNT(m.splits) && m.splits[s]; s++) NZ_TRY(make_split(&m, m.splits[s]));
    *ret_written = m.written;
    *ret_kept = m.kept;
    return NZ_OK;
}
