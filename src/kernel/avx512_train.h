/* SPDX-License-Identifier: Apache-2.0 */
/** Building blocks for AVX-512 of Winograd's convolution in training: what avx512.h lacks. Call them only where nz_avx512()
 * holds. `size` is 2 or 4, of F(size x size, 3 x 3); channels come in whole vectors. */
#ifndef NZ_KERNEL_AVX512_TRAIN_H
#define NZ_KERNEL_AVX512_TRAIN_H

#include "kernel/avx512.h"

/** G g G^T of 16 filters at once: tap i at g + i tap; value i of (size + 2)^2 goes to u + i position. turned: the filters
 * turned by half a circle, as the way back wants them. */
void nz_winograd_weights(int size, const float *g, int64_t tap, bool turned, float *u, int64_t position);
/** G^T U G of 16 filters, where U is the sum of `copies` arrays `apart` elements from each other. */
void nz_winograd_weights_back(int size, const float *u, int64_t position, int64_t copies, int64_t apart, float *g,
                              int64_t tap);
/** A y A^T of one tile of an output's gradient, of which pixels [0, h1) x [0, w1) lie inside. */
void nz_winograd_output_back(int size, const nz_tile *inside, const float *dy, int64_t sh, int64_t sw, int64_t channels,
                             float *m, int64_t position);
/** out[m, n] = sum over k of a[k, m] and b[k, n], plus what out holds where `add`; m and n multiples of 16. */
void nz_outer_block(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                    float *out, bool add);
/** y[c][r] = x[r][c] of 16 x 16. */
void nz_transpose16(const float *x, int64_t ldx, float *y, int64_t ldy);

#endif
