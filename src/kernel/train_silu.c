/* SPDX-License-Identifier: Apache-2.0 */
/* SiLU (Swish) and its gradient, with an exponential of its own that vectorises and gives the same bits everywhere. */
#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train.h"
#include "kernel/train_bf16.h"

enum { GRAIN = 8192 };

typedef union word {
    float f;
    uint32_t u;
} word;

/* exp(x) to about 2e-7 of it, for x from -40 to 40; NaN stays. 2^n exp(r) with |r| <= ln(2)/2, where adding and taking away
 * 1.5 x 2^23 rounds to n, which then stands in the lowest bits. */
NZ_INLINE float power(float x) {
    const float round = 12582912.0F;
    word shifted = {.f = x * 1.44269504F + round};
    float n = shifted.f - round, r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    word result = {.f = (p * r) * r + r + 1.0F};
    result.u += shifted.u << 23;
    return result.f;
}

/* Beyond 40 the sigmoid is 0 or 1 in every digit; nearer, nothing is too small to be a normal number, which would be slow. */
NZ_INLINE float bounded(float x) {
    x = x < -40.0F ? -40.0F : x;
    return x > 40.0F ? 40.0F : x;
}

NZ_INLINE float silu(float x) {
    float low = x < -40.0F ? -40.0F : x;
    return low * (1.0F / (1.0F + power(-bounded(x))));
}

/* dy s (1 + x (1 - s)) with s the sigmoid of x. */
NZ_INLINE float silu_back(float x, float dy) {
    float near = bounded(x), e = power(-near), s = 1.0F / (1.0F + e);
    return dy * (s * (1.0F + near * (e * s)));
}

typedef struct silu_job {
    const void *x, *dy;
    void *to;
} silu_job;

NZ_CLONES static void forward_f32(void *argument, size_t begin, size_t end) {
    const silu_job *job = argument;
    const float *x = job->x;
    float *y = job->to;
    for (size_t i = begin; i < end; i++) y[i] = silu(x[i]);
}

NZ_CLONES static void forward_bf16(void *argument, size_t begin, size_t end) {
    const silu_job *job = argument;
    const uint16_t *x = job->x;
    uint16_t *y = job->to;
    for (size_t i = begin; i < end; i++) y[i] = nz_to_bf16(silu(nz_from_bf16(x[i])));
}

NZ_CLONES static void backward_f32(void *argument, size_t begin, size_t end) {
    const silu_job *job = argument;
    const float *x = job->x, *dy = job->dy;
    float *dx = job->to;
    for (size_t i = begin; i < end; i++) dx[i] = silu_back(x[i], dy[i]);
}

NZ_CLONES static void backward_bf16(void *argument, size_t begin, size_t end) {
    const silu_job *job = argument;
    const uint16_t *x = job->x, *dy = job->dy;
    uint16_t *dx = job->to;
    for (size_t i = begin; i < end; i++) dx[i] = nz_to_bf16(silu_back(nz_from_bf16(x[i]), nz_from_bf16(dy[i])));
}

void nz_train_silu(nz_dtype dtype, const void *x, void *y, size_t n) {
    nz_parallel(n, GRAIN, dtype == NZ_BF16 ? forward_bf16 : forward_f32, &(silu_job){.x = x, .to = y});
}

void nz_train_silu_backward(nz_dtype dtype, const void *x, const void *dy, void *dx, size_t n) {
    nz_parallel(n, GRAIN, dtype == NZ_BF16 ? backward_bf16 : backward_f32, &(silu_job){x, dy, dx});
}
