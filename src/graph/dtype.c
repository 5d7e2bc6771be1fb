/* SPDX-License-Identifier: Apache-2.0 */
/* Element types: their facts, and the conversions of the short floating types. */
#include <math.h>
#include <string.h>

#include "netzip/tensor.h"

#define FLOAT_ROW(text, width)                                                                                         \
    { .name = text, .bits = width, .is_float = true, .is_signed = true }
#define SIGNED_ROW(text, width)                                                                                        \
    { .name = text, .bits = width, .is_integer = true, .is_signed = true }
#define UNSIGNED_ROW(text, width)                                                                                      \
    { .name = text, .bits = width, .is_integer = true }

static const nz_dtype_info infos[NZ_DTYPE_END] = {
    [NZ_DTYPE_NONE] = {.name = "undefined"},
    [NZ_F32] = FLOAT_ROW("float", 32),
    [NZ_U8] = UNSIGNED_ROW("uint8", 8),
    [NZ_I8] = SIGNED_ROW("int8", 8),
    [NZ_U16] = UNSIGNED_ROW("uint16", 16),
    [NZ_I16] = SIGNED_ROW("int16", 16),
    [NZ_I32] = SIGNED_ROW("int32", 32),
    [NZ_I64] = SIGNED_ROW("int64", 64),
    [NZ_STRING] = {.name = "string"},
    [NZ_BOOL] = {.name = "bool", .bits = 8},
    [NZ_F16] = FLOAT_ROW("float16", 16),
    [NZ_F64] = FLOAT_ROW("double", 64),
    [NZ_U32] = UNSIGNED_ROW("uint32", 32),
    [NZ_U64] = UNSIGNED_ROW("uint64", 64),
    [NZ_C64] = {.name = "complex64"},
    [NZ_C128] = {.name = "complex128"},
    [NZ_BF16] = FLOAT_ROW("bfloat16", 16),
    [NZ_F8E4M3FN] = FLOAT_ROW("float8e4m3fn", 8),
    [NZ_F8E4M3FNUZ] = FLOAT_ROW("float8e4m3fnuz", 8),
    [NZ_F8E5M2] = FLOAT_ROW("float8e5m2", 8),
    [NZ_F8E5M2FNUZ] = FLOAT_ROW("float8e5m2fnuz", 8),
    [NZ_U4] = UNSIGNED_ROW("uint4", 4),
    [NZ_I4] = SIGNED_ROW("int4", 4),
};

const nz_dtype_info *nz_dtype_get(nz_dtype dtype) {
    return (unsigned)dtype < NZ_DTYPE_END ? &infos[dtype] : &infos[NZ_DTYPE_NONE];
}

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float nz_f16_to_f32(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 0x1fu, mantissa = half & 0x3ffu;
    if (exponent == 0x1f) return float_of_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent) return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    float magnitude = (float)mantissa * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

uint16_t nz_f32_to_f16(float value) {
    uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x1ffu));
    if (magnitude >= 0x47800000u) return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {
        /* Adding 0.5 aligns the subnormal's last bit with the float's last bit; the addition itself rounds to even. */
        float shifted = float_of_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of_float(shifted) - 0x3f000000u));
    }
    uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u;
    return (uint16_t)(sign | rounded >> 13);
}

float nz_bf16_to_f32(uint16_t bits) { return float_of_bits((uint32_t)bits << 16); }

uint16_t nz_f32_to_bf16(float value) {
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* The four 8-bit floats. `most` is the code of the largest finite magnitude, `beyond` what an overflow gives without
 * saturation; the "uz" types have one NaN, 0x80, in the place of minus zero. */
typedef struct float8 {
    int mantissa_bits, bias;
    uint8_t most, beyond, nan;
    bool unsigned_zero;
} float8;

static const float8 *float8_of(nz_dtype dtype) {
    static const float8 formats[] = {
        {.mantissa_bits = 3, .bias = 7, .most = 0x7e, .beyond = 0x7f, .nan = 0x7f},
        {.mantissa_bits = 3, .bias = 8, .most = 0x7f, .beyond = 0x80, .nan = 0x80, .unsigned_zero = true},
        {.mantissa_bits = 2, .bias = 15, .most = 0x7b, .beyond = 0x7c, .nan = 0x7f},
        {.mantissa_bits = 2, .bias = 16, .most = 0x7f, .beyond = 0x80, .nan = 0x80, .unsigned_zero = true},
    };
    return &formats[dtype >= NZ_F8E4M3FN && dtype <= NZ_F8E5M2FNUZ ? dtype - NZ_F8E4M3FN : 0];
}

float nz_f8_to_f32(nz_dtype dtype, uint8_t bits) {
    const float8 *f = float8_of(dtype);
    int code = bits & 0x7f;
    if (f->unsigned_zero ? bits == f->nan : code > f->most)
        return f->beyond == 0x7c && code == 0x7c ? (bits & 0x80 ? -INFINITY : INFINITY) : NAN;
    int exponent = code >> f->mantissa_bits, mantissa = code & ((1 << f->mantissa_bits) - 1);
    if (exponent) mantissa |= 1 << f->mantissa_bits;
    float magnitude = ldexpf((float)mantissa, (exponent ? exponent : 1) - f->bias - f->mantissa_bits);
    return bits & 0x80 ? -magnitude : magnitude;
}

uint8_t nz_f32_to_f8(nz_dtype dtype, float value, bool saturate) {
    const float8 *f = float8_of(dtype);
    uint8_t sign = signbit(value) ? 0x80 : 0;
    if (isnan(value)) return f->unsigned_zero ? f->nan : (uint8_t)(f->nan | sign);
    int code = f->most + 1;
    if (fabsf(value) < 0x1p17f && value != 0) {
        int least = 1 - f->bias, exponent = ilogbf(value);
        if (exponent < least) exponent = least;
        /* The hidden bit carries into the exponent field, and so does a mantissa that rounds up past its end. */
        code = ((exponent - least) << f->mantissa_bits) +
               (int)nearbyint(ldexp(fabs((double)value), f->mantissa_bits - exponent));
    } else if (value == 0) {
        code = 0;
    }
    if (code > f->most && !saturate) return f->unsigned_zero ? f->beyond : (uint8_t)(f->beyond | sign);
    if (code > f->most) code = f->most;
    return code == 0 && f->unsigned_zero ? 0 : (uint8_t)(code | sign);
}
