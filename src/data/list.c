/* SPDX-License-Identifier: Apache-2.0 */
/* A CSV or TSV table with a header: image path (relative to the table) and label per line. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/files.h"
#include "data/labels.h"

enum { LABEL_MAX = 10000000 };

/* The first of `names` that is a column, else column `otherwise`. */
static size_t find_column(const nz_csv *table, const char *const *names, size_t otherwise) {
    for (; *names; names++) {
        size_t column = nz_csv_column(table, *names);
        if (column < table->columns) return column;
    }
    return otherwise < table->columns ? otherwise : table->columns;
}

static bool is_number(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits && digits < 9 && !text[digits];
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The different labels in the order of their bytes become the classes. */
static nz_status collect_names(nz_source *source, const nz_csv *table, size_t column) {
    NZ_AUTO_FREE const char **all = NULL;
    NZ_TRY(nz_alloc(&all, table->rows, sizeof *all));
    for (size_t r = 0; r < table->rows; r++) all[r] = nz_csv_cell(table, r, column);
    qsort(all, table->rows, sizeof *all, compare_names);
    size_t capacity = 0;
    for (size_t r = 0; r < table->rows; r++) {
        if (r && strcmp(all[r], all[r - 1]) == 0) continue;
        NZ_TRY(nz_grow(&source->class_names, &capacity, source->classes + 1, sizeof *source->class_names));
        NZ_TRY(nz_strdup(&source->class_names[source->classes], all[r]));
        source->classes++;
    }
    return NZ_OK;
}

/* Labels as numbers; classes as many as the greatest says, or as the labels file names. */
static nz_status read_numbers(int32_t *labels, nz_source *source, const nz_csv *table, size_t column, const char *path,
                              bool named) {
    for (size_t r = 0; r < table->rows; r++) {
        const char *cell = nz_csv_cell(table, r, column);
        long value = strtol(cell, NULL, 10);
        if (value > LABEL_MAX || (named && (size_t)value >= source->classes))
            return nz_fail(NZ_E_FORMAT, "%s:%zu: label %s is above %zu", path, table->lines[r], cell,
                           named ? source->classes - 1 : (size_t)LABEL_MAX);
        if (!named && (size_t)value >= source->classes) source->classes = (size_t)value + 1;
        labels[r] = (int32_t)value;
    }
    return NZ_OK;
}

typedef struct place {
    const char *name;
    size_t index;
} place;

static int compare_places(const void *a, const void *b) {
    return strcmp(((const place *)a)->name, ((const place *)b)->name);
}

/* Labels as names of classes. */
static nz_status read_names(int32_t *labels, const nz_source *source, const nz_csv *table, size_t column,
                            const char *path) {
    NZ_AUTO_FREE place *places = NULL;
    NZ_TRY(nz_alloc(&places, source->classes, sizeof *places));
    for (size_t c = 0; c < source->classes; c++) places[c] = (place){source->class_names[c], c};
    qsort(places, source->classes, sizeof *places, compare_places);
    for (size_t r = 0; r < table->rows; r++) {
        place wanted = {nz_csv_cell(table, r, column), 0};
        const place *found = bsearch(&wanted, places, source->classes, sizeof *places, compare_places);
        if (!found)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: the label '%s' is not in the labels file", path, table->lines[r],
                           wanted.name);
        labels[r] = (int32_t)found->index;
    }
    return NZ_OK;
}

static nz_status read_labels(int32_t *labels, nz_source *source, const nz_csv *table, size_t column, const char *path,
                             const nz_data_options *options) {
    bool numbers = true;
    if (column == table->columns) {
        for (size_t r = 0; r < table->rows; r++) labels[r] = -1;
        return NZ_OK;
    }
    for (size_t r = 0; r < table->rows; r++) {
        const char *cell = nz_csv_cell(table, r, column);
        if (!*cell) return nz_fail(NZ_E_FORMAT, "%s:%zu: the label is empty", path, table->lines[r]);
        numbers = numbers && is_number(cell);
    }
    if (options->labels) NZ_TRY(nz_labels_read(&source->class_names, &source->classes, options->labels));
    if (numbers) return read_numbers(labels, source, table, column, path, options->labels);
    if (!options->labels) NZ_TRY(collect_names(source, table, column));
    return read_names(labels, source, table, column, path);
}

static bool is_split(const char *cell, const char *split) {
    return strcmp(cell, split) == 0 ||
           (strcmp(split, "val") == 0 && (strcmp(cell, "valid") == 0 || strcmp(cell, "validation") == 0));
}

/* Adds the rows of `split` (NULL: all). */
static nz_status add_rows(nz_files *files, const nz_csv *table, const char *folder, size_t images,
                          const int32_t *labels, size_t column, const char *split, const char *path) {
    for (size_t r = 0; r < table->rows; r++) {
        NZ_AUTO_FREE char *image = NULL;
        const char *name = nz_csv_cell(table, r, images);
        if (split && !is_split(nz_csv_cell(table, r, column), split)) continue;
        if (!*name) return nz_fail(NZ_E_FORMAT, "%s:%zu: the image's path is empty", path, table->lines[r]);
        NZ_TRY(nz_path_join(&image, folder, name));
        NZ_TRY(nz_files_add(files, image, labels[r]));
    }
    return NZ_OK;
}

static nz_status read_table(nz_source *source, const nz_csv *table, const char *path, const nz_data_options *options) {
    static const char *const image_names[] = {"image", "path", "file", "filename", "file_name", "sample", NULL};
    static const char *const label_names[] = {"label", "class", "target", "category", NULL};
    nz_files *files = source->state;
    size_t images = find_column(table, image_names, 0), labels = find_column(table, label_names, 1);
    size_t split = nz_csv_column(table, "split");
    if (labels == images || labels == split) labels = table->columns;
    NZ_AUTO_FREE int32_t *numbers = NULL;
    NZ_AUTO_FREE char *folder = NULL;
    NZ_TRY(nz_alloc(&numbers, table->rows, sizeof *numbers));
    NZ_TRY(nz_path_folder(&folder, path));
    NZ_TRY(nz_strdup(&files->root, folder));
    NZ_TRY(read_labels(numbers, source, table, labels, path, options));
    if (split == table->columns) {
        if (options->split != NZ_SPLIT_UNSTATED)
            return nz_fail(NZ_E_ARG, "%s: split= is given, but the table has no column 'split'", path);
        return add_rows(files, table, folder, images, numbers, split, NULL, path);
    }
    const char *splits[2];
    size_t count = nz_data_splits(options, splits);
    for (size_t i = 0; i < count && !files->count; i++) {
        source->split = splits[i];
        NZ_TRY(add_rows(files, table, folder, images, numbers, split, splits[i], path));
    }
    return files->count ? NZ_OK : nz_data_fail_split(path, options, "");
}

static nz_status list_open(nz_source *source, const char *path, const nz_data_options *options) {
    nz_files *files = NULL;
    NZ_AUTO_CSV nz_csv table = {0};
    NZ_TRY(nz_alloc(&files, 1, sizeof *files));
    source->state = files;
    source->channels = 3;
    NZ_TRY(nz_csv_read(&table, path, 0));
    if (!table.rows) return nz_fail(NZ_E_FORMAT, "%s: no lines after the header", path);
    NZ_TRY(read_table(source, &table, path, options));
    source->count = files->count;
    return NZ_OK;
}

const nz_source_kind nz_source_list = {
    .name = "list",
    .help = "CSV or TSV file with a header: columns image (path relative to the file) and label (number or name), "
            "split if there is one",
    .own_keys = "labels",
    .open = list_open,
    .image = nz_files_image,
    .size = nz_files_size,
    .label = nz_files_label,
    .path = nz_files_path,
    .identify = nz_files_identify,
    .close = nz_files_close,
};
