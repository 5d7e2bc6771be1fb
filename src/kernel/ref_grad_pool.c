/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of pooling and of interpolation: each output gives its gradient back to the inputs it was made from. */
#include <math.h>
#include <string.h>

#include "core/threads.h"
#include "kernel/ref_grad.h"

typedef struct pool_back {
    const nz_ref_pool *pool;
    const float *x, *y, *dy;
    float *dx;
} pool_back;

typedef struct span {
    int64_t start, from, to, padded; /* of one axis: input position of tap 0; taps inside; taps that count */
} span;

static span span_of(const nz_window *s, int axis, int64_t out) {
    int64_t start = out * s->stride[axis] - s->begin[axis], step = s->dilation[axis];
    int64_t last = s->in[axis] - 1 - start, reach = (s->in[axis] + s->end[axis] - 1 - start) / step + 1;
    span taps = {start, start >= 0 ? 0 : (-start + step - 1) / step, last < 0 ? 0 : last / step + 1,
                 reach < s->kernel[axis] ? reach : s->kernel[axis]};
    if (taps.to > s->kernel[axis]) taps.to = s->kernel[axis];
    if (taps.from > taps.to) taps.from = taps.to;
    return taps;
}

/* What one tap gets of dy. `x` NULL: an average, whose share is dy already. */
static float lp_share(const nz_ref_pool *pool, float x, float y, float dy) {
    if (y == 0) return 0;
    double size = fabs((double)x) / (double)y, sign = x > 0 ? 1 : x < 0 ? -1 : 0;
    return (float)((double)dy * sign * (pool->p == 1 ? 1 : pool->p == 2 ? size : pow(size, (double)(pool->p - 1))));
}

static void window_back(const nz_ref_pool *pool, const span at[3], const float *x, float y, float dy, float *dx) {
    const nz_window *s = &pool->window;
    int64_t best = -1;
    for (int64_t d = at[0].from; d < at[0].to; d++)
        for (int64_t h = at[1].from; h < at[1].to; h++) {
            int64_t row = ((at[0].start + d * s->dilation[0]) * s->in[1] + at[1].start + h * s->dilation[1]) * s->in[2];
            for (int64_t w = at[2].from; w < at[2].to; w++) {
                int64_t i = row + at[2].start + w * s->dilation[2];
                if (pool->kind == NZ_POOL_MAX) {
                    if (best < 0 || x[i] > x[best] || (x[i] != x[i] && x[best] == x[best])) best = i;
                } else {
                    dx[i] += pool->kind == NZ_POOL_LP ? lp_share(pool, x[i], y, dy) : dy;
                }
            }
        }
    if (best >= 0) dx[best] += dy;
}

static void pool_part(void *argument, size_t begin, size_t end) {
    const pool_back *job = argument;
    const nz_ref_pool *pool = job->pool;
    const nz_window *s = &pool->window;
    int64_t in_plane = s->in[0] * s->in[1] * s->in[2], out_plane = s->out[0] * s->out[1] * s->out[2];
    for (int64_t p = (int64_t)begin; p < (int64_t)end; p++) {
        float *dx = job->dx + p * in_plane;
        int64_t o[3], i = p * out_plane;
        memset(dx, 0, (size_t)in_plane * sizeof *dx);
        for (o[0] = 0; o[0] < s->out[0]; o[0]++)
            for (o[1] = 0; o[1] < s->out[1]; o[1]++)
                for (o[2] = 0; o[2] < s->out[2]; o[2]++, i++) {
                    span at[3];
                    int64_t covered = 1, padded = 1;
                    for (int axis = 0; axis < 3; axis++) {
                        at[axis] = span_of(s, axis, o[axis]);
                        covered *= at[axis].to - at[axis].from;
                        padded *= at[axis].padded;
                    }
                    if (covered == 0) continue;
                    float share = job->dy[i];
                    if (pool->kind == NZ_POOL_AVERAGE) share /= (float)(pool->count_include_pad ? padded : covered);
                    window_back(pool, at, job->x ? job->x + p * in_plane : NULL, job->y ? job->y[i] : 0, share, dx);
                }
    }
}

void nz_ref_pool_back_f32(const nz_ref_pool *pool, const float *x, const float *y, const float *dy, float *dx) {
    pool_back job = {pool, x, y, dy, dx};
    nz_parallel((size_t)pool->planes, 1, pool_part, &job);
}

/* -- interpolation ---------------------------------------------------------------------------------------------- */

enum { PANEL = 256 }; /* inner positions that one task takes */

typedef struct axis_back {
    const nz_ref_taps *taps;
    int64_t inner, panels;
    const float *dy;
    float *dx;
} axis_back;

static void axis_part(void *argument, size_t begin, size_t end) {
    const axis_back *job = argument;
    const nz_ref_taps *t = job->taps;
    for (size_t task = begin; task < end; task++) {
        int64_t outer = (int64_t)task / job->panels, from = (int64_t)task % job->panels * PANEL;
        int64_t n = job->inner - from < PANEL ? job->inner - from : PANEL;
        float *dx = job->dx + outer * t->in * job->inner + from;
        const float *dy = job->dy + outer * t->out * job->inner + from;
        for (int64_t i = 0; i < t->in; i++) memset(dx + i * job->inner, 0, (size_t)n * sizeof *dx);
        for (int64_t i = 0; job->inner == 1 && i < t->out * t->count; i++)
            if (t->weight[i] != 0) dx[t->index[i]] += t->weight[i] * dy[i / t->count];
        for (int64_t o = 0; job->inner > 1 && o < t->out; o++, dy += job->inner)
            for (int64_t k = 0; k < t->count; k++) {
                const float weight = t->weight[o * t->count + k];
                float *to = dx + t->index[o * t->count + k] * job->inner;
                if (weight == 0) continue;
                for (int64_t i = 0; i < n; i++) to[i] += weight * dy[i];
            }
    }
}

void nz_ref_resize_axis_back(const nz_ref_taps *taps, int64_t outer, int64_t inner, const float *dy, float *dx) {
    axis_back job = {taps, inner, (inner + PANEL - 1) / PANEL, dy, dx};
    if (outer * taps->in * inner > 0) nz_parallel((size_t)(outer * job.panels), 1, axis_part, &job);
}
