/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets that are made on the fly: the path names the generator. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/shapes.h"
#include "data/source.h"

enum { TRAIN_COUNT = 20000, TEST_COUNT = 4000 };

typedef struct state {
    uint64_t seed;
    unsigned split;
} state;

static nz_status synthetic_open(nz_source *source, const char *path, const nz_data_options *options) {
    static const char *const splits[] = {"train", "test", "val"};
    state *s = NULL;
    if (strcmp(path, "shapes") != 0) return nz_fail(NZ_E_ARG, "synthetic:%s: there is only synthetic:shapes", path);
    NZ_TRY(nz_alloc(&s, 1, sizeof *s));
    source->state = s;
    s->seed = (uint64_t)options->seed;
    s->split = options->split != NZ_SPLIT_UNSTATED ? (unsigned)options->split - NZ_SPLIT_TRAIN
               : options->use == NZ_DATA_TRAIN     ? 0
                                                   : 1;
    source->split = splits[s->split];
    source->count = options->count > 0 ? (size_t)options->count : s->split == 0 ? TRAIN_COUNT : TEST_COUNT;
    source->channels = 3;
    source->width = source->height = (int)options->size;
    source->classes = NZ_SHAPES_CLASSES;
    NZ_TRY(nz_alloc(&source->class_names, NZ_SHAPES_CLASSES, sizeof *source->class_names));
    for (size_t c = 0; c < NZ_SHAPES_CLASSES; c++) NZ_TRY(nz_strdup(&source->class_names[c], nz_shapes_names[c]));
    return NZ_OK;
}

static void synthetic_close(nz_source *source) { free(source->state); }

static nz_status synthetic_image(const nz_source *source, size_t i, nz_image *ret_image) {
    const state *s = source->state;
    NZ_AUTO(nz_image_done) nz_image image = {0};
    uint8_t *pixels = NULL;
    NZ_TRY(nz_image_init(&image, &pixels, source->width, source->height, 3));
    NZ_TRY(nz_shapes_draw(pixels, source->width, s->seed, s->split, i));
    *ret_image = image;
    image = (nz_image){0};
    return NZ_OK;
}

static int32_t synthetic_label(const nz_source *source, size_t i) {
    (void)source;
    return (int32_t)(i % NZ_SHAPES_CLASSES);
}

static void synthetic_identify_all(const nz_source *source, nz_text *text) {
    const state *s = source->state;
    nz_text_appendf(text, "shapes/1 %llu %d", (unsigned long long)s->seed, source->width);
}

const nz_source_kind nz_source_synthetic = {
    .name = "synthetic",
    .help = "shapes: ten shapes on cluttered backgrounds, made on the fly, the same for the same seed everywhere",
    .own_keys = "size count",
    .open = synthetic_open,
    .image = synthetic_image,
    .label = synthetic_label,
    .identify_all = synthetic_identify_all,
    .close = synthetic_close,
};
