/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Gradients of the plain C kernels of ref.h, by the same descriptions and layouts, in float32. Work is split over what
 * is written, never within a sum, so that results do not depend on the number of threads; long sums are kept in double.
 * The gradient of a convolution by its input is a transposed convolution and the other way round: see nz_ref_conv_turn.
 */
#ifndef NZ_KERNEL_REF_GRAD_H
#define NZ_KERNEL_REF_GRAD_H

#include "kernel/ref.h"

/** The same convolution seen from its output: what conv maps x to y, the result maps gradients by y to gradients by x,
 * as a transposed convolution (or, of a transposed one, as a convolution), with the same weights. */
nz_ref_conv nz_ref_conv_turn(const nz_ref_conv *conv);
/** dw[out_channels, in_channels/groups, kernel] of a convolution from x and dy as nz_ref_conv_f32 has them. For a
 * transposed one: the turned description, dy for x, and x for dy. */
void nz_ref_conv_weights_f32(const nz_ref_conv *conv, const float *x, const float *dy, float *dw);
/** Sum over everything but the channels: x[batch, channels, plane] to sums[channels]. */
void nz_ref_channel_sums(int64_t batch, int64_t channels, int64_t plane, const float *x, float *sums);

/** dx[planes, in] from dy[planes, out]. MAX gives each gradient to the first of the largest elements of x. AVERAGE reads
 * neither x nor y, which may be NULL; y is read by LP alone. */
void nz_ref_pool_back_f32(const nz_ref_pool *pool, const float *x, const float *y, const float *dy, float *dx);

/** dx[outer, in, inner] from dy[outer, out, inner]: every position of dy adds to its taps. */
void nz_ref_resize_axis_back(const nz_ref_taps *taps, int64_t outer, int64_t inner, const float *dy, float *dx);

/** With given statistics. dx, dscale [channels] and dshift [channels]: each NULL where not wanted. */
void nz_ref_batch_norm_back(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *dy,
                            const float *scale, const float *mean, const float *variance, float epsilon, float *dx,
                            float *dscale, float *dshift);
/** With the batch's own statistics, through which gradients flow too. */
void nz_ref_batch_norm_train_back(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *dy,
                                  const float *scale, float epsilon, float *dx, float *dscale, float *dshift);

/** Of y = normalised row * scale + shift, over `rows` rows of `width`: dx from dn, the gradient by the normalised row. `x` is
 * normalised by its own mean and variance, or by its mean square alone where `centred` is false. dx may be dn.
 * @param ret_normal  The normalised rows; NULL where not wanted. */
void nz_ref_normalise_rows_back(int64_t rows, int64_t width, bool centred, const float *x, float epsilon,
                                const float *dn, float *dx, float *ret_normal);
/** As nz_ref_lrn has it; `scratch` holds as many numbers as x. */
void nz_ref_lrn_back(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *dy, int64_t size,
                     float alpha, float beta, float bias, float *scratch, float *dx);
/** From y = softmax, or its logarithm, over the middle axis of [outer, count, inner]. */
void nz_ref_softmax_back(int64_t outer, int64_t count, int64_t inner, const float *y, const float *dy, bool logarithm,
                         float *dx);

#endif
