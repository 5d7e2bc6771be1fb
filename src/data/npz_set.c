/* SPDX-License-Identifier: Apache-2.0 */
/* A NumPy archive with arrays x (samples) and y (labels). Bytes are pixels and are preprocessed; floats are values that
 * the model gets as they are. */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/npz.h"
#include "data/source.h"

enum { CHANNELS_MAX = 64, LABEL_MAX = 10000000 };

typedef struct state {
    nz_tensor x, y;
    bool planar;
    size_t sample; /* elements of one */
    int32_t *labels;
    char *path;
} state;

static void npz_close(nz_source *source) {
    state *s = source->state;
    if (!s) return;
    nz_tensor_done(&s->x);
    nz_tensor_done(&s->y);
    free(s->labels);
    free(s->path);
    free(s);
}

/* [n, c, h, w] where c is 1 or 3, else [n, h, w, c]; [n, h, w] is gray. */
static nz_status settle_pixels(nz_source *source, state *s) {
    const nz_shape *shape = &s->x.shape;
    char text[112];
    int64_t c = 1, h = shape->dim[1], w = shape->dim[2];
    if (shape->rank == 4) {
        bool last = shape->dim[3] == 1 || shape->dim[3] == 3, first = shape->dim[1] == 1 || shape->dim[1] == 3;
        s->planar = first || !last;
        c = s->planar ? shape->dim[1] : shape->dim[3];
        h = s->planar ? shape->dim[2] : shape->dim[1];
        w = s->planar ? shape->dim[3] : shape->dim[2];
    }
    if (shape->rank < 3 || shape->rank > 4 || c < 1 || c > CHANNELS_MAX || h < 1 || w < 1 || h > NZ_IMAGE_SIDE_MAX ||
        w > NZ_IMAGE_SIDE_MAX || h * w > NZ_IMAGE_PIXELS_MAX)
        return nz_fail(NZ_E_SHAPE,
                       "%s: array 'x' is %s; images are [n, channels, height, width], [n, height, width, channels] or "
                       "[n, height, width]",
                       s->path, nz_shape_text(shape, text));
    source->channels = (int)c;
    source->height = (int)h;
    source->width = (int)w;
    s->sample = (size_t)(c * h * w);
    return NZ_OK;
}

static nz_status settle_values(nz_source *source, state *s) {
    const nz_shape *shape = &s->x.shape;
    char text[112];
    source->values.rank = shape->rank - 1;
    for (int i = 1; i < shape->rank; i++) source->values.dim[i - 1] = shape->dim[i];
    int64_t elements = shape->rank > 1 ? nz_shape_elements(&source->values) : 0;
    if (elements < 1)
        return nz_fail(NZ_E_SHAPE, "%s: array 'x' is %s; samples are [n, ...]", s->path, nz_shape_text(shape, text));
    s->sample = (size_t)elements;
    return NZ_OK;
}

static nz_status read_labels(nz_source *source, state *s) {
    char text[112];
    const nz_shape *shape = &s->y.shape;
    bool column = shape->rank == 2 && shape->dim[1] == 1;
    if ((shape->rank != 1 && !column) || shape->dim[0] != s->x.shape.dim[0])
        return nz_fail(NZ_E_SHAPE, "%s: array 'y' is %s; %lld labels are needed", s->path, nz_shape_text(shape, text),
                       (long long)s->x.shape.dim[0]);
    if (!nz_dtype_get(s->y.dtype)->is_integer && s->y.dtype != NZ_BOOL)
        return nz_fail(NZ_E_SHAPE, "%s: array 'y' is of type %s; labels are integers", s->path,
                       nz_dtype_get(s->y.dtype)->name);
    NZ_TRY(nz_alloc(&s->labels, source->count, sizeof *s->labels));
    for (size_t i = 0; i < source->count; i++) {
        int64_t label = nz_tensor_int(&s->y, (int64_t)i);
        if (label < 0 || label > LABEL_MAX)
            return nz_fail(NZ_E_FORMAT, "%s: array 'y': label %zu is %lld", s->path, i, (long long)label);
        s->labels[i] = (int32_t)label;
        if ((size_t)label >= source->classes) source->classes = (size_t)label + 1;
    }
    return NZ_OK;
}

static nz_status read_arrays(nz_source *source, const nz_npz *npz) {
    state *s = source->state;
    NZ_TRY(nz_npz_get(&s->x, npz, "x"));
    if (s->x.shape.rank < 1 || s->x.shape.dim[0] < 1)
        return nz_fail(NZ_E_FORMAT, "%s: array 'x' has no samples", s->path);
    source->count = (size_t)s->x.shape.dim[0];
    bool floats = nz_dtype_get(s->x.dtype)->is_float;
    if (!floats && s->x.dtype != NZ_U8)
        return nz_fail(NZ_E_SHAPE, "%s: array 'x' is of type %s; pixels are uint8, ready values float", s->path,
                       nz_dtype_get(s->x.dtype)->name);
    NZ_TRY(floats ? settle_values(source, s) : settle_pixels(source, s));
    for (size_t i = 0; i < nz_npz_count(npz); i++)
        if (strcmp(nz_npz_name(npz, i), "y") == 0) {
            NZ_TRY(nz_npz_get(&s->y, npz, "y"));
            return read_labels(source, s);
        }
    return NZ_OK;
}

static nz_status npz_open(nz_source *source, const char *path, const nz_data_options *options) {
    state *s = NULL;
    nz_npz *npz = NULL;
    NZ_TRY(nz_alloc(&s, 1, sizeof *s));
    source->state = s;
    source->at_hand = true;
    NZ_TRY(nz_strdup(&s->path, path));
    if (options->split != NZ_SPLIT_UNSTATED)
        return nz_fail(NZ_E_ARG, "%s: a NumPy archive has no splits; offset= and limit= choose a part", path);
    NZ_TRY(nz_npz_open(&npz, path));
    nz_status status = read_arrays(source, npz);
    nz_npz_free(npz);
    return status;
}

static nz_status npz_image(const nz_source *source, size_t i, nz_image *ret_image) {
    const state *s = source->state;
    *ret_image = (nz_image){.width = source->width,
                            .height = source->height,
                            .channels = source->channels,
                            .planar = s->planar,
                            .pixels = (const uint8_t *)s->x.data + i * s->sample};
    return NZ_OK;
}

static nz_status npz_values(const nz_source *source, size_t i, float *out) {
    const state *s = source->state;
    size_t bytes = s->sample * (size_t)nz_dtype_get(s->x.dtype)->bits / 8;
    nz_tensor sample = nz_tensor_borrow(s->x.dtype, &source->values, (char *)s->x.data + i * bytes);
    nz_tensor_to_f32(&sample, out);
    return NZ_OK;
}

static int32_t npz_label(const nz_source *source, size_t i) {
    const state *s = source->state;
    return s->labels ? s->labels[i] : -1;
}

static void npz_identify(const nz_source *source, size_t i, nz_text *text) {
    const state *s = source->state;
    size_t bytes = s->sample * (size_t)nz_dtype_get(s->x.dtype)->bits / 8;
    const uint8_t *data = (const uint8_t *)s->x.data + i * bytes;
    nz_text_appendf(text, "%zu %zu ", i, bytes);
    for (size_t p = 0; p < 8; p++) nz_text_appendf(text, "%02x", data[bytes / 16 + p * bytes / 8]);
}

const nz_source_kind nz_source_npz = {
    .name = "npz",
    .help = "NumPy archive with arrays x (uint8 pixels, or floats that are ready values) and y (integer labels)",
    .own_keys = "",
    .open = npz_open,
    .image = npz_image,
    .values = npz_values,
    .label = npz_label,
    .identify = npz_identify,
    .close = npz_close,
};
