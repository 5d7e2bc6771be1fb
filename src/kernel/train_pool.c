/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling over channels-last maps, forward and backward. */
#include <math.h>

#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train.h"
#include "kernel/train_vector.h"

#define SAME(x) (x)
#define NO_TAP UINT16_MAX

enum { OFFSETS = 64 };

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

/* Where the taps of one output position read. */
typedef struct taps {
    span d, h, v;
} taps;

static taps taps_at(const nz_window *w, int64_t at) {
    return (taps){taps_of(w, 0, at / (w->out[1] * w->out[2])), taps_of(w, 1, at / w->out[2] % w->out[1]),
                  taps_of(w, 2, at % w->out[2])};
}

/* 16 channels from `c` on, or one. The first of equal numbers wins. */
NZ_INLINE void maximum_of(const pool_job *job, const taps *t, int64_t image, int64_t index, int64_t c, bool narrow,
                          bool vector) {
    const nz_window *w = job->window;
    nz_v16 best = {0}, x = {0};
    nz_mask16 chosen = {0};
    bool initial = true;
    best -= INFINITY, chosen += NO_TAP;
    for (int64_t kd = t->d.first; kd < t->d.last; kd++)
        for (int64_t kh = t->h.first; kh < t->h.last; kh++)
            for (int64_t kv = t->v.first; kv < t->v.last; kv++, initial = false) {
                int64_t from = (t->d.at + kd * w->dilation[0]) * w->in[1] + t->h.at + kh * w->dilation[1];
                from = (image + from * w->in[2] + t->v.at + kv * w->dilation[2]) * job->channels + c;
                int32_t tap = (int32_t)((kd * w->kernel[1] + kh) * w->kernel[2] + kv);
                if (vector)
                    nz_load16(&x, narrow, job->x, from);
                else
                    x[0] = narrow ? nz_from_bf16(((const uint16_t *)job->x)[from]) : ((const float *)job->x)[from];
                nz_mask16 better = initial ? ~(nz_mask16){0} : x > best;
                best = (nz_v16)((better & (nz_mask16)x) | (~better & (nz_mask16)best));
                chosen = (better & tap) | (~better & chosen);
            }
    int64_t to = index * job->channels + c;
    if (vector) {
        nz_half16 half = __builtin_convertvector(chosen, nz_half16);
        nz_store16(&best, narrow, job->y, to);
        memcpy(job->choice + to, &half, sizeof half);
        return;
    }
    if (narrow)
        ((uint16_t *)job->y)[to] = nz_to_bf16(best[0]);
    else
        ((float *)job->y)[to] = best[0];
    job->choice[to] = (uint16_t)chosen[0];
}

NZ_INLINE void maximum_range(const pool_job *job, size_t begin, size_t end, bool narrow) {
    int64_t out = volume(job->window->out), in = volume(job->window->in);
    for (int64_t index = (int64_t)begin; index < (int64_t)end; index++) {
        taps t = taps_at(job->window, index % out);
        int64_t image = index / out * in, c = 0;
        for (; c + 16 <= job->channels; c += 16) maximum_of(job, &t, image, index, c, narrow, true);
        for (; c < job->channels; c++) maximum_of(job, &t, image, index, c, narrow, false);
    }
}

NZ_CLONES static void maximum_f32(void *argument, size_t begin, size_t end) {
    maximum_range(argument, begin, end, false);
}

NZ_CLONES static void maximum_bf16(void *argument, size_t begin, size_t end) {
    maximum_range(argument, begin, end, true);
}

/* How far tap `tap` reads from where tap 0 does, in positions. */
static int64_t offset_of(const nz_window *w, int64_t tap) {
    int64_t kd = tap / w->kernel[2] / w->kernel[1], kh = tap / w->kernel[2] % w->kernel[1], kv = tap % w->kernel[2];
    return (kd * w->dilation[0] * w->in[1] + kh * w->dilation[1]) * w->in[2] + kv * w->dilation[2];
}

#define SCATTER(suffix, type, load, store)                                                                             \
    /* Index over images: an image's gradients are gathered by one thread. */                                          \
    NZ_CLONES static void scatter_##suffix(void *argument, size_t begin, size_t end) {                                 \
        const pool_job *job = argument;                                                                                \
        const nz_window *w = job->window;                                                                              \
        int64_t out = volume(w->out), in = volume(w->in), channels = job->channels, offsets[OFFSETS];                  \
        for (int64_t tap = 0; tap < OFFSETS; tap++) offsets[tap] = offset_of(w, tap);                                  \
        for (size_t n = begin; n < end; n++) {                                                                         \
            type *dx = (type *)job->y + (int64_t)n * in * channels;                                                    \
            memset(dx, 0, (size_t)(in * channels) * sizeof *dx);                                                       \
            for (int64_t at = 0; at < out; at++) {                                                                     \
                const type *dy = (const type *)job->x + ((int64_t)n * out + at) * channels;                            \
                const uint16_t *chosen = job->chosen + ((int64_t)n * out + at) * channels;                             \
                int64_t d = at / (w->out[1] * w->out[2]) * w->stride[0] - w->begin[0];                                 \
                int64_t h = at / w->out[2] % w->out[1] * w->stride[1] - w->begin[1];                                   \
                int64_t v = at % w->out[2] * w->stride[2] - w->begin[2];                                               \
                type *at_zero = dx + ((d * w->in[1] + h) * w->in[2] + v) * channels;                                   \
                for (int64_t c = 0; c < channels; c++) {                                                               \
                    int64_t tap = chosen[c];                                                                           \
                    if (tap == NO_TAP) continue;                                                                       \
                    type *to = at_zero + (tap < OFFSETS ? offsets[tap] : offset_of(w, tap)) * channels + c;            \
                    *to = store(load(*to) + load(dy[c]));                                                              \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
SCATTER(f32, float, SAME, SAME)
SCATTER(bf16, uint16_t, nz_from_bf16, nz_to_bf16)

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
