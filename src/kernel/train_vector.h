/* SPDX-License-Identifier: Apache-2.0 */
/** Vectors of 16 floats in memory as f32 or bf16, for loops that are compiled for several instruction sets (NZ_CLONES). */
#ifndef NZ_KERNEL_TRAIN_VECTOR_H
#define NZ_KERNEL_TRAIN_VECTOR_H

#include "kernel/train_bf16.h"

typedef float nz_v16 __attribute__((vector_size(64)));
typedef int32_t nz_mask16 __attribute__((vector_size(64)));
typedef uint32_t nz_word16 __attribute__((vector_size(64)));
typedef uint16_t nz_half16 __attribute__((vector_size(32)));

/** 16 elements from element `at` on; `narrow`: they are bf16. */
NZ_INLINE void nz_load16(nz_v16 *v, bool narrow, const void *from, int64_t at) {
    if (narrow) {
        nz_half16 half;
        memcpy(&half, (const uint16_t *)from + at, sizeof half);
        *v = (nz_v16)(__builtin_convertvector(half, nz_word16) << 16);
    } else
        memcpy(v, (const float *)from + at, sizeof *v);
}

NZ_INLINE void nz_store16(const nz_v16 *v, bool narrow, void *to, int64_t at) {
    if (narrow) {
        nz_word16 bits = (nz_word16)*v, rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
        nz_word16 nan = (nz_word16)(*v != *v), quiet = (bits >> 16) | 0x40U;
        nz_half16 half = __builtin_convertvector((nan & quiet) | (~nan & rounded), nz_half16);
        memcpy((uint16_t *)to + at, &half, sizeof half);
    } else
        memcpy((float *)to + at, v, sizeof *v);
}

/* Without comparisons, which GCC takes apart into single elements where a vector is wider than the registers. */

/** v where v is above 0 or NaN, else 0. */
NZ_INLINE void nz_relu16(nz_v16 *v) {
    nz_word16 bits = (nz_word16)*v; /* below 0 and no NaN: from 0x80000000 to 0xFF800000 */
    *v = (nz_v16)(bits & ~(nz_word16)((nz_mask16)(bits & (bits + 0x7FFFFFU)) >> 31));
}
/** v where y is above 0, else 0. */
NZ_INLINE void nz_mask16_by(nz_v16 *v, const nz_v16 *y) {
    nz_word16 bits = (nz_word16)*y; /* above 0: from 1 to 0x7F800000 */
    *v = (nz_v16)((nz_word16)*v & ~(nz_word16)((nz_mask16)((bits - 1U) | (bits + 0x7FFFFFU)) >> 31));
}

#endif
