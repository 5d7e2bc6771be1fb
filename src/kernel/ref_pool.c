/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: each window is reduced over the taps that lie inside the image. */
#include <math.h>

#include "core/threads.h"
#include "kernel/ref_window.h"

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
