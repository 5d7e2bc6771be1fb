/* SPDX-License-Identifier: Apache-2.0 */
/* Fake quantisation, forward and straight through. Elements that share a scale come in runs; sums over them are cut in a
 * way that does not depend on the number of threads. */
#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train.h"
#include "kernel/train_bf16.h"

#define SAME(x) (x)

enum { GRAIN = 8192, LANES = 16, BLOCKS_MOST = 256, BLOCK_LEAST = 4096, CHANNELS_AT_ONCE = 64 };

typedef struct quant_job {
    const nz_train_quant *quant;
    const void *x, *dy;
    void *y;
    float *dscale;
    float low, high;  /* levels less the zero point */
    int64_t n, block; /* one scale for all: elements, and elements of one sum */
    double sums[BLOCKS_MOST];
} quant_job;

/* The level of v = x / scale, not bounded by more than one beyond the range: rounding then needs no library. NaN stays. */
NZ_INLINE float level_of(float v, float low, float high) {
    v = v < low - 1 ? low - 1 : v;
    v = v > high + 1 ? high + 1 : v;
    return nz_round_even(v);
}

NZ_INLINE float quantized(float x, float scale, float low, float high) {
    float level = level_of(x / scale, low, high);
    level = level < low ? low : level;
    level = level > high ? high : level;
    return level * scale;
}

/* What dy means for the scale, in units of dy. */
NZ_INLINE float by_scale(float v, float level, float low, float high) {
    float inside = level - v;
    inside = level < low ? low : inside;
    return level > high ? high : inside;
}

#define QUANTIZE(suffix, type, load, store)                                                                            \
    /* Index over elements: one scale. */                                                                              \
    NZ_CLONES static void all_##suffix(void *argument, size_t begin, size_t end) {                                     \
        const quant_job *job = argument;                                                                               \
        const float scale = job->quant->scales[0], low = job->low, high = job->high;                                   \
        const type *x = job->x;                                                                                        \
        type *y = job->y;                                                                                              \
        for (size_t i = begin; i < end; i++) y[i] = store(quantized(load(x[i]), scale, low, high));                    \
    }                                                                                                                  \
    /* Index over runs of `inner` elements. */                                                                         \
    NZ_CLONES static void runs_##suffix(void *argument, size_t begin, size_t end) {                                    \
        const quant_job *job = argument;                                                                               \
        const float low = job->low, high = job->high;                                                                  \
        size_t inner = (size_t)job->quant->inner;                                                                      \
        for (size_t run = begin; run < end; run++) {                                                                   \
            const float scale = job->quant->scales[run % (size_t)job->quant->channels];                                \
            const type *x = (const type *)job->x + run * inner;                                                        \
            type *y = (type *)job->y + run * inner;                                                                    \
            for (size_t i = 0; i < inner; i++) y[i] = store(quantized(load(x[i]), scale, low, high));                  \
        }                                                                                                              \
    }                                                                                                                  \
    /* Index over rows of channels, each with its scale. */                                                            \
    NZ_CLONES static void rows_##suffix(void *argument, size_t begin, size_t end) {                                    \
        const quant_job *job = argument;                                                                               \
        const float *scales = job->quant->scales, low = job->low, high = job->high;                                    \
        size_t channels = (size_t)job->quant->channels;                                                                \
        for (size_t row = begin; row < end; row++) {                                                                   \
            const type *x = (const type *)job->x + row * channels;                                                     \
            type *y = (type *)job->y + row * channels;                                                                 \
            for (size_t c = 0; c < channels; c++) y[c] = store(quantized(load(x[c]), scales[c], low, high));           \
        }                                                                                                              \
    }                                                                                                                  \
    /* dx of a run, and the sum for its scale. */                                                                      \
    NZ_INLINE double back_##suffix(const type *x, const type *dy, type *dx, int64_t n, float scale, float low,         \
                                   float high) {                                                                       \
        double total = 0;                                                                                              \
        for (int64_t first = 0; first < n; first += 16 * LANES) {                                                      \
            int64_t last = first + 16 * LANES < n ? first + 16 * LANES : n, i = first;                                 \
            float sums[LANES] = {0}, sum = 0;                                                                          \
            for (; i + LANES <= last; i += LANES)                                                                      \
                for (int64_t k = 0; k < LANES; k++) {                                                                  \
                    float v = load(x[i + k]) / scale, level = level_of(v, low, high), d = load(dy[i + k]);             \
                    sums[k] += d * by_scale(v, level, low, high);                                                      \
                    dx[i + k] = store(level < low || level > high ? 0.0F : d);                                         \
                }                                                                                                      \
            for (; i < last; i++) {                                                                                    \
                float v = load(x[i]) / scale, level = level_of(v, low, high), d = load(dy[i]);                         \
                sum += d * by_scale(v, level, low, high);                                                              \
                dx[i] = store(level < low || level > high ? 0.0F : d);                                                 \
            }                                                                                                          \
            for (int64_t k = 0; k < LANES; k++) sum += sums[k];                                                        \
            total += (double)sum;                                                                                      \
        }                                                                                                              \
        return total;                                                                                                  \
    }                                                                                                                  \
    /* Index over blocks: one scale. */                                                                                \
    NZ_CLONES static void all_back_##suffix(void *argument, size_t begin, size_t end) {                                \
        quant_job *job = argument;                                                                                     \
        for (size_t b = begin; b < end; b++) {                                                                         \
            int64_t first = (int64_t)b * job->block, n = job->n - first < job->block ? job->n - first : job->block;    \
            job->sums[b] = back_##suffix((const type *)job->x + first, (const type *)job->dy + first,                  \
                                         (type *)job->y + first, n, job->quant->scales[0], job->low, job->high);       \
        }                                                                                                              \
    }                                                                                                                  \
    /* Index over channels that have runs. */                                                                          \
    NZ_CLONES static void runs_back_##suffix(void *argument, size_t begin, size_t end) {                               \
        const quant_job *job = argument;                                                                               \
        const nz_train_quant *q = job->quant;                                                                          \
        for (size_t c = begin; c < end; c++) {                                                                         \
            double sum = 0;                                                                                            \
            for (int64_t o = 0; o < q->outer; o++) {                                                                   \
                int64_t first = (o * q->channels + (int64_t)c) * q->inner;                                             \
                sum += back_##suffix((const type *)job->x + first, (const type *)job->dy + first,                      \
                                     (type *)job->y + first, q->inner, q->scales[c], job->low, job->high);             \
            }                                                                                                          \
            if (job->dscale) job->dscale[c] = (float)sum;                                                              \
        }                                                                                                              \
    }                                                                                                                  \
    /* Index over channels of rows. */                                                                                 \
    NZ_CLONES static void rows_back_##suffix(void *argument, size_t begin, size_t end) {                               \
        const quant_job *job = argument;                                                                               \
        const nz_train_quant *q = job->quant;                                                                          \
        const float low = job->low, high = job->high;                                                                  \
        for (size_t first = begin; first < end; first += CHANNELS_AT_ONCE) {                                           \
            size_t count = end - first < CHANNELS_AT_ONCE ? end - first : CHANNELS_AT_ONCE;                            \
            double sums[CHANNELS_AT_ONCE] = {0};                                                                       \
            for (int64_t o = 0; o < q->outer; o++) {                                                                   \
                size_t at = (size_t)(o * q->channels) + first;                                                         \
                const type *x = (const type *)job->x + at, *dy = (const type *)job->dy + at;                           \
                type *dx = (type *)job->y + at;                                                                        \
                for (size_t c = 0; c < count; c++) {                                                                   \
                    float v = load(x[c]) / q->scales[first + c], level = level_of(v, low, high), d = load(dy[c]);      \
                    sums[c] += (double)(d * by_scale(v, level, low, high));                                            \
                    dx[c] = store(level < low || level > high ? 0.0F : d);                                             \
                }                                                                                                      \
            }                                                                                                          \
            for (size_t c = 0; job->dscale && c < count; c++) job->dscale[first + c] = (float)sums[c];                 \
        }                                                                                                              \
    }
QUANTIZE(f32, float, SAME, SAME)
QUANTIZE(bf16, uint16_t, nz_from_bf16, nz_to_bf16)

static quant_job job_of(const nz_train_quant *quant) {
    return (quant_job){.quant = quant,
                       .low = (float)(quant->least - quant->zero),
                       .high = (float)(quant->most - quant->zero),
                       .n = quant->outer * quant->channels * quant->inner};
}

void nz_train_quantize(const nz_train_quant *quant, nz_dtype dtype, const void *x, void *y) {
    bool narrow = dtype == NZ_BF16;
    quant_job job = job_of(quant);
    job.x = x, job.y = y;
    if (quant->channels == 1)
        nz_parallel((size_t)job.n, GRAIN, narrow ? all_bf16 : all_f32, &job);
    else if (quant->inner > 1)
        nz_parallel((size_t)(quant->outer * quant->channels), 1 + GRAIN / (size_t)quant->inner,
                    narrow ? runs_bf16 : runs_f32, &job);
    else
        nz_parallel((size_t)quant->outer, 1 + GRAIN / (size_t)quant->channels, narrow ? rows_bf16 : rows_f32, &job);
}

void nz_train_quantize_backward(const nz_train_quant *quant, nz_dtype dtype, const void *x, const void *dy, void *dx,
                                float *dscale) {
    bool narrow = dtype == NZ_BF16;
    quant_job job = job_of(quant);
    job.x = x, job.dy = dy, job.y = dx, job.dscale = dscale;
    if (quant->channels > 1) {
        size_t per = (size_t)(quant->outer * quant->inner);
        void (*part)(void *, size_t, size_t) = narrow ? rows_back_bf16 : rows_back_f32;
        if (quant->inner > 1) part = narrow ? runs_back_bf16 : runs_back_f32;
        nz_parallel((size_t)quant->channels, 1 + GRAIN / (per + 1), part, &job);
        return;
    }
    job.block = (job.n + BLOCKS_MOST - 1) / BLOCKS_MOST;
    if (job.block < BLOCK_LEAST) job.block = BLOCK_LEAST;
    size_t blocks = (size_t)((job.n + job.block - 1) / job.block);
    nz_parallel(blocks, 2, narrow ? all_back_bf16 : all_back_f32, &job);
    double sum = 0;
    for (size_t i = 0; i < blocks; i++) sum += job.sums[i];
    if (dscale) dscale[0] = (float)sum;
}
