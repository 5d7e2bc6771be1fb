/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling for one element type. Included by ref_pool.c once per type, with T and NAME(x) defined. */

typedef struct NAME(job) {
    const nz_ref_pool *pool;
    const T *x;
    T *y;
    int64_t *indices;
} NAME(job);

/* The window at `from` (input coordinates of its first tap, maybe in the padding) of one plane. */
static T NAME(pool_window)(const nz_ref_pool *pool, const T *x, const int64_t from[3], const nz_reach span[3],
                           int64_t *ret_at) {
    const nz_window *s = &pool->window;
    T best = (T)-INFINITY, sum = 0;
    int64_t at = 0, count = 0;
    for (int64_t d = span[0].from; d < span[0].to; d++)
        for (int64_t h = span[1].from; h < span[1].to; h++) {
            int64_t row =
                ((from[0] + d * s->dilation[0]) * s->in[1] + from[1] + h * s->dilation[1]) * s->in[2] + from[2];
            for (int64_t w = span[2].from; w < span[2].to; w++) {
                int64_t i = row + w * s->dilation[2];
                T value = x[i];
                if (pool->kind == NZ_POOL_MAX) {
                    if (count == 0 || value > best || (value != value && best == best)) best = value, at = i;
                } else {
                    T size = value < 0 ? -value : value;
                    sum += pool->p == 1 ? size : pool->p == 2 ? size * size : (T)pow((double)size, (double)pool->p);
                }
                count++;
            }
        }
    *ret_at = at;
    if (pool->kind == NZ_POOL_MAX) return best;
    return pool->p == 1 ? sum : pool->p == 2 ? (T)sqrt((double)sum) : (T)pow((double)sum, 1.0 / (double)pool->p);
}

/* A row of averages: tap after tap for all its positions. */
static void NAME(average_row)(const nz_ref_pool *pool, const T *x, int64_t od, int64_t oh, T *y) {
    const nz_window *s = &pool->window;
    const int64_t d0 = nz_window_start(s, 0, od), h0 = nz_window_start(s, 1, oh), step = s->stride[2];
    const nz_reach ds = nz_window_taps_inside(s, 0, d0), hs = nz_window_taps_inside(s, 1, h0);
    const nz_reach ws = nz_window_taps_inside(s, 2, nz_window_start(s, 2, 0));
    const int64_t rows =
        nz_window_divisor(s, 0, od, pool->count_include_pad) * nz_window_divisor(s, 1, oh, pool->count_include_pad);
    for (int64_t i = 0; i < s->out[2]; i++) y[i] = 0;
    for (int64_t d = ds.from; d < ds.to; d++)
        for (int64_t h = hs.from; h < hs.to; h++) {
            const int64_t row = ((d0 + d * s->dilation[0]) * s->in[1] + h0 + h * s->dilation[1]) * s->in[2];
            const int64_t w0 = nz_window_start(s, 2, 0);
            for (int64_t w = ws.from; s->out[2] == 1 && w < ws.to; w++) y[0] += x[row + w0 + w * s->dilation[2]];
            for (int64_t w = 0; s->out[2] > 1 && w < s->kernel[2]; w++) {
                const nz_reach at = nz_window_outputs_inside(s, 2, w);
                const int64_t from = row + w0 + w * s->dilation[2];
                if (step == 1)
                    for (int64_t i = at.from; i < at.to; i++) y[i] += x[from + i];
                else
                    for (int64_t i = at.from; i < at.to; i++) y[i] += x[from + i * step];
            }
        }
    for (int64_t i = 0; i < s->out[2]; i++) {
        int64_t count = rows * nz_window_divisor(s, 2, i, pool->count_include_pad);
        y[i] = count ? y[i] / (T)count : 0;
    }
}

static void NAME(average_part)(void *argument, size_t begin, size_t end) {
    const NAME(job) *job = argument;
    const nz_window *s = &job->pool->window;
    int64_t in_plane = s->in[0] * s->in[1] * s->in[2], out_plane = s->out[0] * s->out[1] * s->out[2];
    for (int64_t p = (int64_t)begin; p < (int64_t)end; p++)
        for (int64_t od = 0; od < s->out[0]; od++)
            for (int64_t oh = 0; oh < s->out[1]; oh++) {
                T *y = job->y + p * out_plane + (od * s->out[1] + oh) * s->out[2];
                NAME(average_row)(job->pool, job->x + p * in_plane, od, oh, y);
            }
}

static void NAME(pool_part)(void *argument, size_t begin, size_t end) {
    const NAME(job) *job = argument;
    const nz_ref_pool *pool = job->pool;
    const nz_window *s = &pool->window;
    int64_t in_plane = s->in[0] * s->in[1] * s->in[2], out_plane = s->out[0] * s->out[1] * s->out[2];
    for (int64_t p = (int64_t)begin; p < (int64_t)end; p++) {
        int64_t o[3], at, y = p * out_plane;
        for (o[0] = 0; o[0] < s->out[0]; o[0]++)
            for (o[1] = 0; o[1] < s->out[1]; o[1]++)
                for (o[2] = 0; o[2] < s->out[2]; o[2]++, y++) {
                    int64_t from[3];
                    nz_reach span[3];
                    for (int axis = 0; axis < 3; axis++) {
                        from[axis] = nz_window_start(s, axis, o[axis]);
                        span[axis] = nz_window_taps_inside(s, axis, from[axis]);
                    }
                    job->y[y] = NAME(pool_window)(pool, job->x + p * in_plane, from, span, &at);
                    if (job->indices) job->indices[y] = p * in_plane + (pool->column_major ? column_major(s, at) : at);
                }
    }
}

static void NAME(pool)(const nz_ref_pool *pool, const T *x, T *y, int64_t *indices) {
    NAME(job) job = {pool, x, y, indices};
    nz_parallel((size_t)pool->planes, 1, pool->kind == NZ_POOL_AVERAGE ? NAME(average_part) : NAME(pool_part), &job);
}
