/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: each window is reduced over the taps that lie inside the image. */
#include <math.h>

#include "core/threads.h"
#include "kernel/ref.h"

typedef struct reach {
    int64_t from, to;
} reach;

/* Taps [from, to) of the window at `start` that lie inside the image along `axis`. */
static reach taps_inside(const nz_window *s, int axis, int64_t start) {
    int64_t step = s->dilation[axis], last = s->in[axis] - 1 - start;
    reach taps = {start >= 0 ? 0 : (-start + step - 1) / step, last < 0 ? 0 : last / step + 1};
    if (taps.to > s->kernel[axis]) taps.to = s->kernel[axis];
    return taps;
}

/* Taps of the window at `from` that lie inside the image or its padding: with ceil_mode a window may reach beyond both. */
static int64_t padded_count(const nz_window *s, const int64_t from[3]) {
    int64_t count = 1;
    for (int axis = 0; axis < 3; axis++) {
        int64_t taps = (s->in[axis] + s->end[axis] - 1 - from[axis]) / s->dilation[axis] + 1;
        count *= taps < s->kernel[axis] ? taps : s->kernel[axis];
    }
    return count;
}

/* The index within a plane with the first spatial axis running fastest. */
static int64_t column_major(const nz_window *s, int64_t at) {
    int64_t w = at % s->in[2], h = at / s->in[2] % s->in[1], d = at / s->in[2] / s->in[1];
    return d + s->in[0] * (h + s->in[1] * w);
}

#define T float
#define NAME(x) x##_f32
#include "kernel/ref_pool_body.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "kernel/ref_pool_body.h"
#undef T
#undef NAME

void nz_ref_pool_f32(const nz_ref_pool *pool, const float *x, float *y, int64_t *indices) {
    pool_f32(pool, x, y, indices);
}
void nz_ref_pool_f64(const nz_ref_pool *pool, const double *x, double *y, int64_t *indices) {
    pool_f64(pool, x, y, indices);
}
