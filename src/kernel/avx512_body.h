/* SPDX-License-Identifier: Apache-2.0 */
/** What the files written with AVX-512 intrinsics share. */
#ifndef NZ_KERNEL_AVX512_BODY_H
#define NZ_KERNEL_AVX512_BODY_H

#include <immintrin.h>

#include "kernel/avx512.h"

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq")))
#define INLINE AVX512 static inline __attribute__((always_inline))
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define MUL(f, a) _mm512_mul_ps(_mm512_set1_ps(f), a)
#define FMA(f, a, b) _mm512_fmadd_ps(_mm512_set1_ps(f), a, b)

/** Adds to rows x vectors sums in registers, over all of k: a of row r and step t is at a[r row + t step], b's rows are
 * `ldb` apart. rows x vectors is at most 24. */
INLINE void nz_multiply_add(const int rows, const int vectors, int64_t k, const float *a, int64_t row, int64_t step,
                            const float *b, int64_t ldb, __m512 *sums) {
    for (int64_t t = 0; t < k; t++) {
        __m512 right[4];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) right[v] = _mm512_loadu_ps(b + t * ldb + v * NZ_LANES);
#pragma GCC unroll 24
        for (int r = 0; r < rows; r++) {
            __m512 left = _mm512_set1_ps(a[r * row + t * step]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sums[r * vectors + v] = _mm512_fmadd_ps(left, right[v], sums[r * vectors + v]);
        }
    }
}

#endif
