/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling over channels-last maps, forward and backward. */
#include <math.h>

#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train.h"
#include "kernel/train_bf16.h"

#define SAME(x) (x)
#define NO_TAP UINT16_MAX

typedef struct pool_job {
    const nz_window *window;
    int64_t channels, spatial;
    const void *x;
    void *y;
    const uint16_t *chosen;
    uint16_t *choice;
} pool_job;

static int64_t volume(const int64_t extents[3]) { return extents[0] * extents[1] * extents[2]; }

/* The taps along one axis that read inside the map: [first, last). */
typedef struct span {
    int64_t first, last, at; /* at: what tap 0 would read */
} span;

static span taps_of(const nz_window *w, int axis, int64_t out) {
    span s = {0, w->kernel[axis], out * w->stride[axis] - w->begin[axis]};
    while (s.first < s.last && s.at + s.first * w->dilation[axis] < 0) s.first++;
    while (s.last > s.first && s.at + (s.last - 1) * w->dilation[axis] >= w->in[axis]) s.last--;
    return s;
}

/* -- maximum: index over images x output positions ------------------------------------------------------------------ */

#define MAXIMUM(suffix, type, load, store)                                                                             \
    NZ_INLINE void keep_##suffix(int64_t channels, const type *restrict x, uint16_t tap, bool initial,                 \
                                 type *restrict y, uint16_t *restrict choice) {                                        \
        for (int64_t c = 0; c < channels; c++) {                                                                       \
            bool better = initial || load(x[c]) > load(y[c]);                                                          \
            y[c] = better ? x[c] : y[c];                                                                               \
            choice[c] = better ? tap : choice[c];                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    NZ_CLONES static void maximum_##suffix(void *argument, size_t begin, size_t end) {                                 \
        const pool_job *job = argument;                                                                                \
        const nz_window *w = job->window;                                                                              \
        int64_t out = volume(w->out), channels = job->channels;                                                        \
        for (size_t index = begin; index < end; index++) {                                                             \
            int64_t n = (int64_t)index / out, at = (int64_t)index % out;                                               \
            span d = taps_of(w, 0, at / (w->out[1] * w->out[2])), h = taps_of(w, 1, at / w->out[2] % w->out[1]);       \
            span v = taps_of(w, 2, at % w->out[2]);                                                                    \
            const type *x = (const type *)job->x + n * volume(w->in) * channels;                                       \
            type *y = (type *)job->y + (int64_t)index * channels;                                                      \
            uint16_t *choice = job->choice + (int64_t)index * channels;                                                \
            bool initial = true;                                                                                       \
            for (int64_t kd = d.first; kd < d.last; kd++)                                                              \
                for (int64_t kh = h.first; kh < h.last; kh++)                                                          \
                    for (int64_t kv = v.first; kv < v.last; kv++, initial = false) {                                   \
                        int64_t from = (d.at + kd * w->dilation[0]) * w->in[1] + h.at + kh * w->dilation[1];           \
                        from = from * w->in[2] + v.at + kv * w->dilation[2];                                           \
                        uint16_t tap = (uint16_t)((kd * w->kernel[1] + kh) * w->kernel[2] + kv);                       \
                        keep_##suffix(channels, x + from * channels, tap, initial, y, choice);                         \
                    }                                                                                                  \
            for (int64_t c = 0; initial && c < channels; c++) y[c] = store(-INFINITY), choice[c] = NO_TAP;             \
        }                                                                                                              \
    }                                                                                                                  \
    /* Index over images: an image's gradients are gathered by one thread. */                                          \
    NZ_CLONES static void scatter_##suffix(void *argument, size_t begin, size_t end) {                                 \
        const pool_job *job = argument;                                                                                \
        const nz_window *w = job->window;                                                                              \
        int64_t out = volume(w->out), in = volume(w->in), channels = job->channels;                                    \
        for (size_t n = begin; n < end; n++) {                                                                         \
            type *dx = (type *)job->y + (int64_t)n * in * channels;                                                    \
            memset(dx, 0, (size_t)(in * channels) * sizeof *dx);                                                       \
            for (int64_t at = 0; at < out; at++) {                                                                     \
                const type *dy = (const type *)job->x + ((int64_t)n * out + at) * channels;                            \
                const uint16_t *chosen = job->chosen + ((int64_t)n * out + at) * channels;                             \
                int64_t d = at / (w->out[1] * w->out[2]) * w->stride[0] - w->begin[0];                                 \
                int64_t h = at / w->out[2] % w->out[1] * w->stride[1] - w->begin[1];                                   \
                int64_t v = at % w->out[2] * w->stride[2] - w->begin[2];                                               \
                for (int64_t c = 0; c < channels; c++) {                                                               \
                    int64_t tap = chosen[c];                                                                           \
                    if (tap == NO_TAP) continue;                                                                       \
                    int64_t kv = tap % w->kernel[2], kh = tap / w->kernel[2] % w->kernel[1];                           \
                    int64_t kd = tap / w->kernel[2] / w->kernel[1];                                                    \
                    int64_t to = ((d + kd * w->dilation[0]) * w->in[1] + h + kh * w->dilation[1]) * w->in[2] + v +     \
                                 kv * w->dilation[2];                                                                  \
                    dx[to * channels + c] = store(load(dx[to * channels + c]) + load(dy[c]));                          \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
MAXIMUM(f32, float, SAME, SAME)
MAXIMUM(bf16, uint16_t, nz_from_bf16, nz_to_bf16)

void nz_train_max_pool(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels, const void *x, void *y,
                       uint16_t *choice) {
    pool_job job = {.window = window, .channels = channels, .x = x, .y = y, .choice = choice};
    nz_parallel((size_t)(batch * volume(window->out)), 16, dtype == NZ_BF16 ? maximum_bf16 : maximum_f32, &job);
}

void nz_train_max_pool_backward(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels,
                                const void *dy, const uint16_t *choice, void *dx) {
    pool_job job = {.window = window, .channels = channels, .x = dy, .y = dx, .chosen = choice};
    nz_parallel((size_t)batch, 1, dtype == NZ_BF16 ? scatter_bf16 : scatter_f32, &job);
}

/* -- average over all positions: index over images -------------------------------------------------------------------- */

enum { CHANNELS_AT_ONCE = 256 };

#define AVERAGE(suffix, type, load, store)                                                                             \
    NZ_CLONES static void average_##suffix(void *argument, size_t begin, size_t end) {                                 \
        const pool_job *job = argument;                                                                                \
        const float part = 1.0F / (float)job->spatial;                                                                 \
        for (size_t n = begin; n < end; n++)                                                                           \
            for (int64_t first = 0; first < job->channels; first += CHANNELS_AT_ONCE) {                                \
                int64_t count = job->channels - first < CHANNELS_AT_ONCE ? job->channels - first : CHANNELS_AT_ONCE;   \
                float sums[CHANNELS_AT_ONCE] = {0};                                                                    \
                const type *x = (const type *)job->x + (int64_t)n * job->spatial * job->channels + first;              \
                type *y = (type *)job->y + (int64_t)n * job->channels + first;                                         \
                for (int64_t s = 0; s < job->spatial; s++)                                                             \
                    for (int64_t c = 0; c < count; c++) sums[c] += load(x[s * job->channels + c]);                     \
                for (int64_t c = 0; c < count; c++) y[c] = store(sums[c] * part);                                      \
            }                                                                                                          \
    }                                                                                                                  \
    NZ_CLONES static void spread_##suffix(void *argument, size_t begin, size_t end) {                                  \
        const pool_job *job = argument;                                                                                \
        const float part = 1.0F / (float)job->spatial;                                                                 \
        for (size_t n = begin; n < end; n++) {                                                                         \
            const type *dy = (const type *)job->x + (int64_t)n * job->channels;                                        \
            type *dx = (type *)job->y + (int64_t)n * job->spatial * job->channels;                                     \
            for (int64_t s = 0; s < job->spatial; s++)                                                                 \
                for (int64_t c = 0; c < job->channels; c++) dx[s * job->channels + c] = store(load(dy[c]) * part);     \
        }                                                                                                              \
    }
AVERAGE(f32, float, SAME, SAME)
AVERAGE(bf16, uint16_t, nz_from_bf16, nz_to_bf16)

void nz_train_global_pool(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *x, void *y) {
    pool_job job = {.channels = channels, .spatial = spatial, .x = x, .y = y};
    nz_parallel((size_t)batch, 1 + (size_t)(8192 / (spatial * channels + 1)),
                dtype == NZ_BF16 ? average_bf16 : average_f32, &job);
}

void nz_train_global_pool_backward(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *dy,
                                   void *dx) {
    pool_job job = {.channels = channels, .spatial = spatial, .x = dy, .y = dx};
    nz_parallel((size_t)batch, 1 + (size_t)(8192 / (spatial * channels + 1)),
                dtype == NZ_BF16 ? spread_bf16 : spread_f32, &job);
}
