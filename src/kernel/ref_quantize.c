/* SPDX-License-Identifier: Apache-2.0 */
/* Between real numbers and integers with a scale and a zero point. Rounding is half to even, as the processor's default. */
#include <math.h>

#include "core/threads.h"
#include "kernel/ref.h"

/* NaN fails the first comparison and becomes `low`; the sum is compared before it is converted, which must be in range. */
static inline float clamp(float value, float low, float high) {
    return value >= low ? (value <= high ? value : high) : low;
}

typedef struct job {
    const void *x;
    float scale;
    int32_t zero_point;
    void *y;
} job;

enum { GRAIN = 16384 };

static void quantize_u8_part(void *argument, size_t begin, size_t end) {
    const job *j = argument;
    const float *x = j->x;
    for (size_t i = begin; i < end; i++)
        ((uint8_t *)j->y)[i] = (uint8_t)clamp(rintf(x[i] / j->scale) + (float)j->zero_point, 0, 255);
}

static void quantize_i8_part(void *argument, size_t begin, size_t end) {
    const job *j = argument;
    const float *x = j->x;
    for (size_t i = begin; i < end; i++)
        ((int8_t *)j->y)[i] = (int8_t)clamp(rintf(x[i] / j->scale) + (float)j->zero_point, -128, 127);
}

static void dequantize_u8_part(void *argument, size_t begin, size_t end) {
    const job *j = argument;
    for (size_t i = begin; i < end; i++)
        ((float *)j->y)[i] = (float)((int32_t)((const uint8_t *)j->x)[i] - j->zero_point) * j->scale;
}

static void dequantize_i8_part(void *argument, size_t begin, size_t end) {
    const job *j = argument;
    for (size_t i = begin; i < end; i++)
        ((float *)j->y)[i] = (float)((int32_t)((const int8_t *)j->x)[i] - j->zero_point) * j->scale;
}

void nz_ref_quantize_u8(int64_t count, const float *x, float scale, int32_t zero_point, uint8_t *y) {
    nz_parallel((size_t)count, GRAIN, quantize_u8_part, &(job){x, scale, zero_point, y});
}

void nz_ref_quantize_i8(int64_t count, const float *x, float scale, int32_t zero_point, int8_t *y) {
    nz_parallel((size_t)count, GRAIN, quantize_i8_part, &(job){x, scale, zero_point, y});
}

void nz_ref_dequantize_u8(int64_t count, const uint8_t *x, float scale, int32_t zero_point, float *y) {
    nz_parallel((size_t)count, GRAIN, dequantize_u8_part, &(job){x, scale, zero_point, y});
}

void nz_ref_dequantize_i8(int64_t count, const int8_t *x, float scale, int32_t zero_point, float *y) {
    nz_parallel((size_t)count, GRAIN, dequantize_i8_part, &(job){x, scale, zero_point, y});
}

int64_t nz_ref_quantize_one(double x, int64_t zero_point, int64_t low, int64_t high) {
    double value = rint(x) + (double)zero_point;
    return value >= (double)low ? (value <= (double)high ? (int64_t)value : high) : low;
}

void nz_ref_widen(nz_dtype dtype, int64_t count, const void *x, int32_t zero_point, int32_t *y) {
    if (dtype == NZ_U8)
        for (int64_t i = 0; i < count; i++) y[i] = (int32_t)((const uint8_t *)x)[i] - zero_point;
    else
        for (int64_t i = 0; i < count; i++) y[i] = (int32_t)((const int8_t *)x)[i] - zero_point;
}

void nz_ref_requantize(nz_dtype dtype, int64_t count, const int32_t *accumulators, float factor, int32_t zero_point,
                       void *y) {
    float shift = (float)zero_point;
    if (dtype == NZ_U8)
        for (int64_t i = 0; i < count; i++)
            ((uint8_t *)y)[i] = (uint8_t)clamp(rintf((float)accumulators[i] * factor) + shift, 0, 255);
    else
        for (int64_t i = 0; i < count; i++)
            ((int8_t *)y)[i] = (int8_t)clamp(rintf((float)accumulators[i] * factor) + shift, -128, 127);
}
