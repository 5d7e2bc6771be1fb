/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets that are made on the fly: the path names the generator. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/scenes.h"
#include "data/shapes.h"
#include "data/source.h"

/* The objects of a scene, kept once they are known. */
typedef struct known {
    size_t count;
    nz_object objects[];
} known;

typedef struct state {
    uint64_t seed;
    unsigned split;
    bool scenes;
    _Atomic(known *) *known; /* [count] of scenes, NULL where not known yet; NULL: too many to be kept */
} state;

/* The generators. */
static const struct generator {
    const char *name;
    bool scenes;
    int size;
    size_t train, test;
} generators[] = {{"shapes", false, 32, 20000, 4000}, {"shapes-det", true, 160, 6000, 1000}};

static const struct generator *find_generator(const char *path) {
    for (size_t i = 0; i < NZ_COUNT(generators); i++)
        if (strcmp(path, generators[i].name) == 0) return &generators[i];
    return NULL;
}

static nz_status synthetic_open(nz_source *source, const char *path, const nz_data_options *options) {
    enum { KNOWN_MOST = 1 << 20 };
    static const char *const splits[] = {"train", "test", "val"};
    state *s = NULL;
    const struct generator *g = find_generator(path);
    if (!g) return nz_fail(NZ_E_ARG, "synthetic:%s: there are synthetic:shapes and synthetic:shapes-det", path);
    NZ_TRY(nz_alloc(&s, 1, sizeof *s));
    source->state = s;
    s->seed = (uint64_t)options->seed;
    s->split = options->split != NZ_SPLIT_UNSTATED ? (unsigned)options->split - NZ_SPLIT_TRAIN
               : options->use == NZ_DATA_TRAIN     ? 0
                                                   : 1;
    s->scenes = source->has_objects = g->scenes;
    source->split = splits[s->split];
    source->count = options->count > 0 ? (size_t)options->count : s->split == 0 ? g->train : g->test;
    source->channels = 3;
    source->width = source->height = options->size > 0 ? (int)options->size : g->size;
    source->classes = NZ_SHAPES_CLASSES;
    if (g->scenes && source->count <= KNOWN_MOST) NZ_TRY(nz_alloc(&s->known, source->count, sizeof *s->known));
    NZ_TRY(nz_alloc(&source->class_names, NZ_SHAPES_CLASSES, sizeof *source->class_names));
    for (size_t c = 0; c < NZ_SHAPES_CLASSES; c++) NZ_TRY(nz_strdup(&source->class_names[c], nz_shapes_names[c]));
    return NZ_OK;
}

static void synthetic_close(nz_source *source) {
    state *s = source->state;
    for (size_t i = 0; s && s->known && i < source->count; i++) free(atomic_load(&s->known[i]));
    if (s) free(s->known);
    free(s);
}

/* Keeps a scene's objects; the first thread's stay. */
static void keep_objects(const state *s, size_t i, const nz_object *objects, size_t count) {
    if (!s->known || atomic_load_explicit(&s->known[i], memory_order_relaxed)) return;
    known *mine = malloc(sizeof *mine + count * sizeof *objects), *none = NULL;
    if (!mine) return;
    mine->count = count;
    memcpy(mine->objects, objects, count * sizeof *objects);
    if (!atomic_compare_exchange_strong_explicit(&s->known[i], &none, mine, memory_order_release, memory_order_relaxed))
        free(mine);
}

static nz_status draw(const nz_source *source, size_t i, uint8_t *pixels) {
    const state *s = source->state;
    nz_object objects[NZ_SCENE_OBJECTS];
    size_t count = 0;
    if (!s->scenes) return nz_shapes_draw(pixels, source->width, s->seed, s->split, i);
    NZ_TRY(nz_scene_draw(pixels, objects, &count, source->width, s->seed, s->split, i));
    keep_objects(s, i, objects, count);
    return NZ_OK;
}

static nz_status synthetic_image(const nz_source *source, size_t i, nz_image *ret_image) {
    NZ_AUTO(nz_image_done) nz_image image = {0};
    uint8_t *pixels = NULL;
    NZ_TRY(nz_image_init(&image, &pixels, source->width, source->height, 3));
    NZ_TRY(draw(source, i, pixels));
    *ret_image = image;
    image = (nz_image){0};
    return NZ_OK;
}

static nz_status synthetic_objects(const nz_source *source, size_t i, nz_object **ret_objects, size_t *ret_count) {
    const state *s = source->state;
    nz_object drawn[NZ_SCENE_OBJECTS], *copy = NULL;
    size_t count = 0;
    const known *k = s->known ? atomic_load_explicit(&s->known[i], memory_order_acquire) : NULL;
    if (k) {
        count = k->count;
        memcpy(drawn, k->objects, count * sizeof *drawn);
    } else {
        NZ_TRY(nz_scene_draw(NULL, drawn, &count, source->width, s->seed, s->split, i));
        keep_objects(s, i, drawn, count);
    }
    if (count) {
        NZ_TRY(nz_alloc(&copy, count, sizeof *copy));
        memcpy(copy, drawn, count * sizeof *copy);
    }
    *ret_objects = copy;
    *ret_count = count;
    return NZ_OK;
}

static int32_t synthetic_label(const nz_source *source, size_t i) {
    const state *s = source->state;
    return s->scenes ? -1 : (int32_t)(i % NZ_SHAPES_CLASSES);
}

/* The number behind the slash changes whenever the pictures do. */
static void synthetic_identify_all(const nz_source *source, nz_text *text) {
    const state *s = source->state;
    nz_text_appendf(text, "%s %llu %d", s->scenes ? "shapes-det/1" : "shapes/1", (unsigned long long)s->seed,
                    source->width);
}

const nz_source_kind nz_source_synthetic = {
    .name = "synthetic",
    .help = "made on the fly, the same for the same seed everywhere: shapes (ten shapes on cluttered backgrounds) and "
            "shapes-det (scenes of one to eight of them, with boxes)",
    .own_keys = "size count",
    .open = synthetic_open,
    .image = synthetic_image,
    .objects = synthetic_objects,
    .label = synthetic_label,
    .identify_all = synthetic_identify_all,
    .close = synthetic_close,
};
