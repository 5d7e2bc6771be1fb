/* SPDX-License-Identifier: Apache-2.0 */
/** Single-precision building blocks for AVX-512: what wino.c and gemm.c stand on. Call them only where nz_avx512() holds. */
#ifndef NZ_KERNEL_AVX512_H
#define NZ_KERNEL_AVX512_H

#include <stdbool.h>
#include <stdint.h>

/** Whether this CPU and build have the kernels below. */
bool nz_avx512(void);

enum { NZ_LANES = 16 };

/** What is done with a result: + bias, + residual, then min(max(x, slope x), most) with x at least `least`. */
typedef struct nz_epilogue {
    const float *bias; /**< padded to whole vectors; never NULL */
    float least, most; /**< -INFINITY, INFINITY: no bound */
    float slope;       /**< LeakyRelu's; 1: none */
    bool swish;        /**< x sigmoid(x) instead of the bounds */
} nz_epilogue;

/**
 * Right operands packed for nz_gemm_block: columns in panels of up to 64, each panel [k][width of the panel].
 * The panels of n columns (a multiple of 16): 64 wide, then what remains.
 */
int64_t nz_gemm_panel(int64_t n, int64_t column); /**< width of the panel that begins at `column` */

/** out[m, n] = a[m, k] * b, rows of `a` and `out` at strides lda and ldo (elements); n a multiple of 16, b packed. */
void nz_gemm_block(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, float *out,
                   int64_t ldo);

/** The same with an epilogue; `n` real columns, of which the last vector is masked; residual (NULL: none) at stride ldr. */
void nz_gemm_finished(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, float *out,
                      int64_t ldo, const float *residual, int64_t ldr, const nz_epilogue *epilogue);

/** A tile of an image for Winograd's F(size x size, 3 x 3): pixels [h0, h1) x [w0, w1) of its (size + 2)^2 lie inside. */
typedef struct nz_tile {
    int h0, h1, w0, w1;
} nz_tile;

/** Transforms one input tile: x at the tile's first pixel (maybe outside), pixels at strides sh, sw; v gets (size + 2)^2 rows of
 * `channels` (padded with zeros to whole vectors) at stride `position`. size 2 or 4. */
void nz_winograd_input(int size, const nz_tile *inside, const float *x, int64_t sh, int64_t sw, int64_t channels,
                       float *v, int64_t position);

/** Transforms one output tile: m as v above, for `channels` outputs; writes pixels [0, h1) x [0, w1) of y. */
void nz_winograd_output(int size, const nz_tile *inside, const float *m, int64_t position, int64_t channels, float *y,
                        int64_t yh, int64_t yw, const float *residual, int64_t rh, int64_t rw,
                        const nz_epilogue *epilogue);

/** to[i] = table[from[i]] for a table of 256 entries. On any CPU, fast where it has AVX-512 VBMI. */
void nz_lookup(const uint8_t *table, const uint8_t *from, uint8_t *to, int64_t count);

#endif
