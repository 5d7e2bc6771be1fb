/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling for one element type. Included by ref_pool.c once per type, with T and NAME(x) defined. */

typedef struct NAME(job) {
    const nz_ref_pool *pool;
    const T *x;
    T *y;
    int64_t *indices;
} NAME(job);

/* The window at `from` (input coordinates of its first tap, maybe in the padding) of one plane. */
static T NAME(pool_window)(const nz_ref_pool *pool, const T *x, const int64_t from[3], const reach span[3],
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
                } else if (pool->kind == NZ_POOL_AVERAGE) {
                    sum += value;
                } else {
                    T size = value < 0 ? -value : value;
                    sum += pool->p == 1 ? size : pool->p == 2 ? size * size : (T)pow((double)size, (double)pool->p);
                }
                count++;
            }
        }
    *ret_at = at;
    if (pool->kind == NZ_POOL_MAX) return best;
    if (pool->kind == NZ_POOL_LP)
        return pool->p == 1 ? sum : pool->p == 2 ? (T)sqrt((double)sum) : (T)pow((double)sum, 1.0 / (double)pool->p);
    if (pool->count_include_pad) count = padded_count(s, from);
    return count ? sum / (T)count : 0;
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
                    reach span[3];
                    for (int axis = 0; axis < 3; axis++) {
                        from[axis] = o[axis] * s->stride[axis] - s->begin[axis];
                        span[axis] = taps_inside(s, axis, from[axis]);
                    }
                    job->y[y] = NAME(pool_window)(pool, job->x + p * in_plane, from, span, &at);
                    if (job->indices) job->indices[y] = p * in_plane + (pool->column_major ? column_major(s, at) : at);
                }
    }
}

static void NAME(pool)(const nz_ref_pool *pool, const T *x, T *y, int64_t *indices) {
    NAME(job) job = {pool, x, y, indices};
    nz_parallel((size_t)pool->planes, 1, NAME(pool_part), &job);
}
