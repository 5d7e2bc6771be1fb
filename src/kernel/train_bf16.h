/* SPDX-License-Identifier: Apache-2.0 */
/** bfloat16 in loops that vectorise. */
#ifndef NZ_KERNEL_TRAIN_BF16_H
#define NZ_KERNEL_TRAIN_BF16_H

#include <stdint.h>
#include <string.h>

#define NZ_INLINE static inline __attribute__((always_inline))

NZ_INLINE float nz_from_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/** To nearest, ties to even; NaN stays NaN. */
NZ_INLINE uint16_t nz_to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    uint32_t quiet = (bits >> 16) | 0x40U;
    return (uint16_t)(x == x ? rounded : quiet);
}

#endif
