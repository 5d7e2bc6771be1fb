/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR-10 and CIFAR-100, binary version: records of label bytes and 3 planes of 32x32 pixels, in mapped files.
 * @source https://www.cs.toronto.edu/~kriz/cifar.html */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/labels.h"
#include "data/source.h"

enum { FILES_MAX = 5, SIDE = 32, PIXELS = 3 * SIDE * SIDE };

typedef struct format {
    size_t label_bytes; /* the last one is the class */
    size_t classes;
    const char *train[FILES_MAX], *test[FILES_MAX];
    const char *names[2]; /* files that name the classes */
} format;

static const format cifar10 = {
    1,
    10,
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
    {"test_batch.bin"},
    {"batches.meta.txt", NULL}};
static const format cifar100 = {2, 100, {"train.bin"}, {"test.bin"}, {"fine_label_names.txt", NULL}};

typedef struct state {
    const format *format;
    size_t files;
    struct part {
        nz_buffer *bytes;
        char *path;
        size_t count; /* records */
    } part[FILES_MAX];
} state;

static void cifar_close(nz_source *source) {
    state *s = source->state;
    if (!s) return;
    for (size_t f = 0; f < s->files; f++) {
        nz_buffer_unref(s->part[f].bytes);
        free(s->part[f].path);
    }
    free(s);
}

static const uint8_t *record(const nz_source *source, size_t i, const char **ret_path, size_t *ret_index) {
    const state *s = source->state;
    size_t f = 0;
    while (i >= s->part[f].count) i -= s->part[f++].count;
    if (ret_path) {
        *ret_path = s->part[f].path;
        *ret_index = i;
    }
    return (const uint8_t *)nz_buffer_data(s->part[f].bytes) + i * (s->format->label_bytes + PIXELS);
}

static int32_t cifar_label(const nz_source *source, size_t i) {
    const state *s = source->state;
    return record(source, i, NULL, NULL)[s->format->label_bytes - 1];
}

static nz_status cifar_image(const nz_source *source, size_t i, nz_image *ret_image) {
    const state *s = source->state;
    const char *path;
    size_t index;
    const uint8_t *at = record(source, i, &path, &index);
    int label = at[s->format->label_bytes - 1];
    if ((size_t)label >= s->format->classes)
        return nz_fail(NZ_E_FORMAT, "%s: record %zu has label %d; there are %zu classes", path, index, label,
                       s->format->classes);
    *ret_image =
        (nz_image){.width = SIDE, .height = SIDE, .channels = 3, .planar = true, .pixels = at + s->format->label_bytes};
    return NZ_OK;
}

static void cifar_identify(const nz_source *source, size_t i, nz_text *text) {
    const char *path;
    size_t index;
    const uint8_t *at = record(source, i, &path, &index);
    nz_text_appendf(text, "%s:%zu ", nz_path_base(path), index);
    for (size_t p = 0; p < 8; p++) nz_text_appendf(text, "%02x", at[PIXELS / 16 + p * PIXELS / 8]);
}

/* The files of one split that are there, up to the first that is not. */
static nz_status map_files(nz_source *source, const char *folder, const char *const names[FILES_MAX]) {
    state *s = source->state;
    size_t bytes = s->format->label_bytes + PIXELS;
    for (size_t f = 0; f < FILES_MAX && names[f]; f++) {
        struct part *part = &s->part[s->files];
        NZ_AUTO_FREE char *path = NULL;
        NZ_TRY(nz_path_join(&path, folder, names[f]));
        if (!nz_file_exists(path)) break;
        NZ_TRY(nz_buffer_map(&part->bytes, path));
        part->path = NZ_STEAL(path);
        s->files++;
        size_t size = nz_buffer_bytes(part->bytes);
        if (!size || size % bytes)
            return nz_fail(NZ_E_FORMAT,
                           "%s: %zu bytes are not a whole number of records of %zu bytes; is this the binary version?",
                           part->path, size, bytes);
        part->count = size / bytes;
        source->count += part->count;
    }
    return NZ_OK;
}

static nz_status open_format(nz_source *source, const char *path, const nz_data_options *options, const format *f) {
    state *s = NULL;
    const char *splits[2];
    NZ_TRY(nz_alloc(&s, 1, sizeof *s));
    source->state = s;
    s->format = f;
    source->channels = 3;
    source->width = source->height = SIDE;
    source->at_hand = true;
    size_t count = nz_data_splits(options, splits);
    for (size_t i = 0; i < count && !source->count; i++) {
        if (strcmp(splits[i], "val") == 0) continue;
        bool train = strcmp(splits[i], "train") == 0;
        NZ_TRY(map_files(source, path, train ? f->train : f->test));
        source->split = train ? "train" : "test";
    }
    if (!source->count) {
        NZ_AUTO_FREE char *train = NULL, *test = NULL;
        NZ_TRY(nz_path_join(&train, path, f->train[0]));
        NZ_TRY(nz_path_join(&test, path, f->test[0]));
        if (!nz_file_exists(train) && !nz_file_exists(test))
            return nz_fail(NZ_E_IO, "%s: neither %s nor %s is here", path, f->train[0], f->test[0]);
        return nz_data_fail_split(path, options,
                                  nz_file_exists(train) ? nz_file_exists(test) ? "train and test" : "train" : "test");
    }
    source->classes = f->classes;
    NZ_AUTO_FREE char *names = NULL;
    NZ_TRY(nz_path_join(&names, path, f->names[0]));
    if (nz_file_exists(names)) NZ_TRY(nz_labels_read_exactly(&source->class_names, source->classes, names));
    return NZ_OK;
}

static nz_status open10(nz_source *source, const char *path, const nz_data_options *options) {
    return open_format(source, path, options, &cifar10);
}

static nz_status open100(nz_source *source, const char *path, const nz_data_options *options) {
    return open_format(source, path, options, &cifar100);
}

const nz_source_kind nz_source_cifar10 = {
    .name = "cifar10",
    .help = "folder of the binary version of CIFAR-10 (data_batch_1.bin ..., test_batch.bin)",
    .own_keys = "",
    .open = open10,
    .image = cifar_image,
    .label = cifar_label,
    .identify = cifar_identify,
    .close = cifar_close,
};

const nz_source_kind nz_source_cifar100 = {
    .name = "cifar100",
    .help = "folder of the binary version of CIFAR-100 (train.bin, test.bin), fine labels",
    .own_keys = "",
    .open = open100,
    .image = cifar_image,
    .label = cifar_label,
    .identify = cifar_identify,
    .close = cifar_close,
};
