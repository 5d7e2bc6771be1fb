/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From output positions to input positions and weights along one axis.
 * @source ONNX operator Resize, version 19: its text and its definition of coordinate transformations.
 */
#include <math.h>

#include "core/error.h"
#include "op/resize.h"

/* The input coordinate of output position `at`. In float, as other runtimes have it: where a quotient is a whole number in
 * float but not in double, nearest would choose another pixel. */
static float coordinate_of(const nz_resize *r, const nz_resize_axis *a, int64_t at) {
    float in = (float)a->in, x = (float)at, scale = (float)a->scale;
    float length = (float)(a->scale * (double)a->in); /* what the scale makes of the input, unrounded */
    float start = (float)a->start, end = (float)a->end;
    switch (r->coordinates) {
    case NZ_RESIZE_CORNERS: return length == 1 ? 0 : x * (in - 1) / (length - 1);
    case NZ_RESIZE_ASYMMETRIC: return x / scale;
    case NZ_RESIZE_CROP:
        if (a->out > 1) return start * (in - 1) + x * (end - start) * (in - 1) / ((float)a->out - 1);
        return 0.5F * (start + end) * (in - 1);
    case NZ_RESIZE_PYTORCH: return a->out > 1 ? (x + 0.5F) / scale - 0.5F : 0;
    case NZ_RESIZE_SYMMETRIC: return in / 2 * (1 - (float)a->out / length) + (x + 0.5F) / scale - 0.5F;
    case NZ_RESIZE_HALF_PIXEL: break;
    }
    return (x + 0.5F) / scale - 0.5F;
}

static double nearest_of(nz_resize_nearest nearest, double x) {
    switch (nearest) {
    case NZ_NEAREST_FLOOR_AT_TIE: return ceil(x - 0.5);
    case NZ_NEAREST_CEIL_AT_TIE: return floor(x + 0.5);
    case NZ_NEAREST_FLOOR: return floor(x);
    case NZ_NEAREST_CEIL: break;
    }
    return ceil(x);
}

static double cubic_weight(double x, double a) {
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static double weight_of(const nz_resize *r, double distance) {
    if (r->mode == NZ_RESIZE_CUBIC) return cubic_weight(distance, r->cubic_a);
    return fmax(1 - fabs(distance), 0);
}

static int64_t bounded(double index, int64_t in) {
    return index <= 0 ? 0 : index >= (double)in ? in - 1 : (int64_t)index;
}

/* Taps around `x`: the support, widened where an antialiased axis shrinks, seen from the neighbour below x. */
static void fill_taps(const nz_resize *r, const nz_resize_axis *a, double x, int64_t first, int64_t count,
                      int64_t *index, float *weight) {
    double base = ceil(x) - 1, ratio = x - base, shrink = r->antialias ? fmin(a->scale, 1) : 1, sum = 0;
    for (int64_t k = 0; k < count; k++) {
        double at = base + (double)(first + k), value = weight_of(r, ((double)(first + k) - ratio) * shrink);
        if (r->exclude_outside && (at < 0 || at >= (double)a->in)) value = 0;
        index[k] = bounded(at, a->in);
        weight[k] = (float)value;
        sum += value;
    }
    if ((r->antialias || r->exclude_outside) && sum != 0)
        for (int64_t k = 0; k < count; k++) weight[k] = (float)((double)weight[k] / sum);
}

nz_status nz_resize_taps(nz_ref_taps *ret_taps, bool **ret_outside, const nz_resize *resize, const nz_resize_axis *axis,
                         nz_arena *scratch) {
    double reach = resize->mode == NZ_RESIZE_CUBIC ? 2 : 1,
           shrink = resize->antialias && axis->scale > 0 ? fmin(axis->scale, 1) : 1;
    int64_t first = (int64_t)floor(-reach / shrink) + 1, count = resize->mode == NZ_RESIZE_NEAREST ? 1 : 2 - 2 * first;
    nz_ref_taps taps = {.in = axis->in, .out = axis->out, .count = count};
    bool *outside;
    size_t total;
    if (!nz_mul_size(&total, (size_t)axis->out, (size_t)count)) return nz_fail(NZ_E_MEMORY, "out of memory");
    NZ_TRY(nz_arena_alloc(scratch, &taps.index, total, sizeof *taps.index));
    NZ_TRY(nz_arena_alloc(scratch, &taps.weight, total, sizeof *taps.weight));
    NZ_TRY(nz_arena_alloc(scratch, &outside, (size_t)axis->out, sizeof *outside));
    for (int64_t o = 0; o < axis->out; o++) {
        double x = (double)coordinate_of(resize, axis, o);
        outside[o] = resize->coordinates == NZ_RESIZE_CROP && (x < 0 || x > (double)(axis->in - 1));
        if (resize->mode == NZ_RESIZE_NEAREST) {
            taps.index[o] = bounded(nearest_of(resize->nearest, x), axis->in);
            taps.weight[o] = 1;
        } else {
            fill_taps(resize, axis, x, first, count, taps.index + o * count, taps.weight + o * count);
        }
    }
    *ret_taps = taps;
    *ret_outside = outside;
    return NZ_OK;
}
