/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST's idx files: a magic number that gives type and rank, big-endian extents, bytes. Plain files stay mapped; gzip
 * ones are inflated once.
 * @source http://yann.lecun.com/exdb/mnist/ ("the IDX file format") */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/idx.h"
#include "data/inflate.h"
#include "data/source.h"

static const size_t inflated_max = (size_t)2 << 30;

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

nz_status nz_idx_parse(nz_idx *ret_idx, const uint8_t *bytes, size_t count, int rank, const char *name) {
    nz_idx idx = {.rank = rank};
    size_t header = 4 + 4 * (size_t)rank, elements = 1;
    if (count < header) return nz_fail(NZ_E_FORMAT, "%s: %zu bytes are too few for an idx header", name, count);
    if (bytes[0] || bytes[1] || bytes[2] != 8 || bytes[3] != rank)
        return nz_fail(
            NZ_E_FORMAT,
            "%s: starts with %02x%02x%02x%02x; an idx file of bytes with %d dimensions starts with 0000080%d", name,
            bytes[0], bytes[1], bytes[2], bytes[3], rank, rank);
    for (int i = 0; i < rank; i++) {
        idx.dim[i] = big_endian(bytes + 4 + 4 * i);
        if (!nz_mul_size(&elements, elements, idx.dim[i])) elements = SIZE_MAX;
    }
    if (elements != count - header)
        return nz_fail(NZ_E_FORMAT, "%s: the header says %zu elements, the file holds %zu", name, elements,
                       count - header);
    idx.data = bytes + header;
    *ret_idx = idx;
    return NZ_OK;
}

nz_status nz_idx_bytes(nz_buffer **ret_buffer, nz_buffer *file, size_t limit, const char *name) {
    const uint8_t *bytes = nz_buffer_data(file);
    size_t count = nz_buffer_bytes(file);
    if (count < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b) {
        *ret_buffer = nz_buffer_ref(file);
        return NZ_OK;
    }
    return nz_gunzip(ret_buffer, bytes, count, limit, name);
}

typedef struct state {
    nz_buffer *image_bytes, *label_bytes;
    nz_idx images, labels;
    char *path;
} state;

static void idx_close(nz_source *source) {
    state *s = source->state;
    if (!s) return;
    nz_buffer_unref(s->image_bytes);
    nz_buffer_unref(s->label_bytes);
    free(s->path);
    free(s);
}

static void unref_buffer(nz_buffer **buffer) { nz_buffer_unref(*buffer); }

/* <stem>-images-idx3-ubyte or <stem>-images.idx3-ubyte, with .gz or without. NULL where none is there. */
static nz_status find_file(char **ret_path, const char *folder, const char *stem, const char *what, int rank) {
    for (int i = 0; i < 4; i++) {
        NZ_AUTO_FREE char *name = NULL, *path = NULL;
        NZ_TRY(nz_format(&name, "%s-%s%sidx%d-ubyte%s", stem, what, i % 2 ? "." : "-", rank, i > 1 ? ".gz" : ""));
        NZ_TRY(nz_path_join(&path, folder, name));
        if (!nz_file_exists(path)) continue;
        *ret_path = NZ_STEAL(path);
        return NZ_OK;
    }
    return NZ_OK;
}

static nz_status read_file(nz_buffer **ret_buffer, nz_idx *ret_idx, const char *path, int rank) {
    NZ_AUTO(unref_buffer) nz_buffer *file = NULL, *bytes = NULL;
    NZ_TRY(nz_buffer_map(&file, path));
    NZ_TRY(nz_idx_bytes(&bytes, file, inflated_max, path));
    NZ_TRY(nz_idx_parse(ret_idx, nz_buffer_data(bytes), nz_buffer_bytes(bytes), rank, path));
    *ret_buffer = NZ_STEAL(bytes);
    return NZ_OK;
}

static nz_status read_pair(nz_source *source, const char *images, const char *labels) {
    state *s = source->state;
    NZ_TRY(read_file(&s->image_bytes, &s->images, images, 3));
    NZ_TRY(read_file(&s->label_bytes, &s->labels, labels, 1));
    if (s->images.dim[0] != s->labels.dim[0])
        return nz_fail(NZ_E_FORMAT, "%s: %u images, but %s has %u labels", images, s->images.dim[0], labels,
                       s->labels.dim[0]);
    if (s->images.dim[1] < 1 || s->images.dim[2] < 1 || s->images.dim[1] > NZ_IMAGE_SIDE_MAX ||
        s->images.dim[2] > NZ_IMAGE_SIDE_MAX)
        return nz_fail(NZ_E_FORMAT, "%s: images of %ux%u pixels", images, s->images.dim[1], s->images.dim[2]);
    source->count = s->images.dim[0];
    source->height = (int)s->images.dim[1];
    source->width = (int)s->images.dim[2];
    for (size_t i = 0; i < source->count; i++)
        if (s->labels.data[i] >= source->classes) source->classes = (size_t)s->labels.data[i] + 1;
    return nz_strdup(&s->path, images);
}

static nz_status idx_open(nz_source *source, const char *path, const nz_data_options *options) {
    const char *splits[2];
    state *s = NULL;
    NZ_TRY(nz_alloc(&s, 1, sizeof *s));
    source->state = s;
    source->channels = 1;
    source->at_hand = true;
    size_t count = nz_data_splits(options, splits);
    for (size_t i = 0; i < count; i++) {
        NZ_AUTO_FREE char *images = NULL, *labels = NULL;
        bool train = strcmp(splits[i], "train") == 0;
        const char *stem = train ? "train" : "t10k";
        if (strcmp(splits[i], "val") == 0) continue;
        NZ_TRY(find_file(&images, path, stem, "images", 3));
        NZ_TRY(find_file(&labels, path, stem, "labels", 1));
        if (!images) continue;
        if (!labels) return nz_fail(NZ_E_IO, "%s: %s-labels-idx1-ubyte (or .gz) is missing", path, stem);
        source->split = train ? "train" : "test";
        return read_pair(source, images, labels);
    }
    NZ_AUTO_FREE char *train = NULL, *test = NULL;
    NZ_TRY(find_file(&train, path, "train", "images", 3));
    NZ_TRY(find_file(&test, path, "t10k", "images", 3));
    if (!train && !test)
        return nz_fail(NZ_E_IO, "%s: neither train-images-idx3-ubyte nor t10k-images-idx3-ubyte (or .gz) is here",
                       path);
    return nz_data_fail_split(path, options, train ? test ? "train and test" : "train" : "test");
}

static nz_status idx_image(const nz_source *source, size_t i, nz_image *ret_image) {
    const state *s = source->state;
    size_t pixels = (size_t)source->width * (size_t)source->height;
    *ret_image = (nz_image){.width = source->width,
                            .height = source->height,
                            .channels = 1,
                            .planar = true,
                            .pixels = s->images.data + i * pixels};
    return NZ_OK;
}

static int32_t idx_label(const nz_source *source, size_t i) {
    const state *s = source->state;
    return s->labels.data[i];
}

static void idx_identify(const nz_source *source, size_t i, nz_text *text) {
    const state *s = source->state;
    size_t pixels = (size_t)source->width * (size_t)source->height;
    nz_text_appendf(text, "%zu ", i);
    for (size_t p = 0; p < 8; p++)
        nz_text_appendf(text, "%02x", s->images.data[i * pixels + pixels / 16 + p * pixels / 8]);
}

const nz_source_kind nz_source_idx = {
    .name = "idx",
    .help = "folder of MNIST or Fashion-MNIST idx files (train-images-idx3-ubyte, ...), .gz or not",
    .own_keys = "",
    .open = idx_open,
    .image = idx_image,
    .label = idx_label,
    .identify = idx_identify,
    .close = idx_close,
};
