/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of pooling and of interpolation: each output gives its gradient back to the inputs it was made from. */
#include <math.h>
#include <string.h>

#include "core/threads.h"
#include "kernel/ref_grad.h"
#include "kernel/ref_window.h"

typedef struct pool_back {
    const nz_ref_pool *pool;
    const float *x, *y, *dy;
    float *dx;
} pool_back;

/* What one tap of a norm gets of dy. */
static float lp_share(const nz_ref_pool *pool, float x, float y, float dy) {
    if (y == 0) return 0;
    double size = fabs((double)x) / (double)y, sign = x > 0 ? 1 : x < 0 ? -1 : 0;
    return (float)((double)dy * sign * (pool->p == 1 ? 1 : pool->p == 2 ? size : pow(size, (double)(pool->p - 1))));
}

/* The window that starts at `from` and has its taps `span` inside the image. */
static void window_back(const nz_ref_pool *pool, const int64_t from[3], const nz_reach span[3], const float *x, float y,
                        float dy, float *dx) {
    const nz_window *s = &pool->window;
    int64_t best = -1;
    for (int64_t d = span[0].from; d < span[0].to; d++)
        for (int64_t h = span[1].from; h < span[1].to; h++) {
            int64_t row =
                ((from[0] + d * s->dilation[0]) * s->in[1] + from[1] + h * s->dilation[1]) * s->in[2] + from[2];
            for (int64_t w = span[2].from; w < span[2].to; w++) {
                int64_t i = row + w * s->dilation[2];
                if (pool->kind == NZ_POOL_LP)
                    dx[i] += lp_share(pool, x[i], y, dy);
                else if (best < 0 || x[i] > x[best] || (x[i] != x[i] && x[best] == x[best]))
                    best = i;
            }
        }
    if (best >= 0) dx[best] += dy;
}

static void pool_part(void *argument, size_t begin, size_t end) {
    const pool_back *job = argument;
    const nz_window *s = &job->pool->window;
    int64_t in_plane = s->in[0] * s->in[1] * s->in[2], out_plane = s->out[0] * s->out[1] * s->out[2];
    for (int64_t p = (int64_t)begin; p < (int64_t)end; p++) {
        float *dx = job->dx + p * in_plane;
        int64_t o[3], i = p * out_plane;
        memset(dx, 0, (size_t)in_plane * sizeof *dx);
        for (o[0] = 0; o[0] < s->out[0]; o[0]++)
            for (o[1] = 0; o[1] < s->out[1]; o[1]++)
                for (o[2] = 0; o[2] < s->out[2]; o[2]++, i++) {
                    int64_t from[3];
                    nz_reach span[3];
                    for (int axis = 0; axis < 3; axis++) {
                        from[axis] = nz_window_start(s, axis, o[axis]);
                        span[axis] = nz_window_taps_inside(s, axis, from[axis]);
                    }
                    window_back(job->pool, from, span, job->x + p * in_plane, job->y ? job->y[i] : 0, job->dy[i], dx);
                }
    }
}

/* Averages: PIECE neighbouring positions of an output row give their shares back, tap after tap. */
enum { PIECE = 256 };

static void average_piece(const nz_ref_pool *pool, const int64_t out[3], const float *shares, int64_t count,
                          float *dx) {
    const nz_window *s = &pool->window;
    const int64_t d0 = nz_window_start(s, 0, out[0]), h0 = nz_window_start(s, 1, out[1]),
                  w0 = nz_window_start(s, 2, out[2]);
    const nz_reach ds = nz_window_taps_inside(s, 0, d0), hs = nz_window_taps_inside(s, 1, h0);
    for (int64_t d = ds.from; d < ds.to; d++)
        for (int64_t h = hs.from; h < hs.to; h++) {
            const int64_t row = ((d0 + d * s->dilation[0]) * s->in[1] + h0 + h * s->dilation[1]) * s->in[2];
            const nz_reach ws = nz_window_taps_inside(s, 2, w0);
            for (int64_t w = ws.from; count == 1 && w < ws.to; w++) dx[row + w0 + w * s->dilation[2]] += shares[0];
            for (int64_t w = 0; count > 1 && w < s->kernel[2]; w++) {
                const int64_t first = w0 + w * s->dilation[2], step = s->stride[2];
                const nz_reach at = nz_reach_inside(first, step, count, s->in[2]);
                if (step == 1)
                    for (int64_t i = at.from; i < at.to; i++) dx[row + first + i] += shares[i];
                else
                    for (int64_t i = at.from; i < at.to; i++) dx[row + first + i * step] += shares[i];
            }
        }
}

static void average_part(void *argument, size_t begin, size_t end) {
    const pool_back *job = argument;
    const nz_ref_pool *pool = job->pool;
    const nz_window *s = &pool->window;
    const bool padded = pool->count_include_pad;
    int64_t in_plane = s->in[0] * s->in[1] * s->in[2], out_plane = s->out[0] * s->out[1] * s->out[2];
    int64_t pieces = (s->out[2] + PIECE - 1) / PIECE, rows = s->out[0] * s->out[1];
    for (int64_t p = (int64_t)begin; p < (int64_t)end; p++) {
        memset(job->dx + p * in_plane, 0, (size_t)in_plane * sizeof *job->dx);
        for (int64_t k = 0; k < rows * pieces; k++) {
            int64_t row = k / pieces, out[3] = {row / s->out[1], row % s->out[1], k % pieces * PIECE};
            int64_t count = s->out[2] - out[2] < PIECE ? s->out[2] - out[2] : PIECE;
            int64_t divisor = nz_window_divisor(s, 0, out[0], padded) * nz_window_divisor(s, 1, out[1], padded);
            const float *dy = job->dy + p * out_plane + row * s->out[2] + out[2];
            float shares[PIECE];
            for (int64_t i = 0; i < count; i++) {
                int64_t all = divisor * nz_window_divisor(s, 2, out[2] + i, padded);
                shares[i] = all ? dy[i] / (float)all : 0;
            }
            average_piece(pool, out, shares, count, job->dx + p * in_plane);
        }
    }
}

void nz_ref_pool_back_f32(const nz_ref_pool *pool, const float *x, const float *y, const float *dy, float *dx) {
    pool_back job = {pool, x, y, dy, dx};
    nz_parallel((size_t)pool->planes, 1, pool->kind == NZ_POOL_AVERAGE ? average_part : pool_part, &job);
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
