/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The kernels of training in plain C, one loop per definition, sums in double precision: what the fast ones are tested
 * against. Each answers to the function of train.h that has its name without `ref_`.
 */
#ifndef NZ_KERNEL_TRAIN_REF_H
#define NZ_KERNEL_TRAIN_REF_H

#include "kernel/train.h"

void nz_train_ref_norm_forward(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                               const float *beta, void *y, float *mean, float *variance);
void nz_train_ref_norm_apply(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                             const float *beta, const float *mean, const float *variance, void *y);
void nz_train_ref_norm_backward(const nz_train_norm *norm, const void *x, const void *y, const void *dy,
                                const float *gamma, const float *mean, const float *variance, bool frozen, void *dx,
                                void *daddend, float *dgamma, float *dbeta);

void nz_train_ref_relu(nz_dtype dtype, const void *x, void *y, size_t n);
void nz_train_ref_relu_backward(nz_dtype dtype, const void *y, const void *dy, void *dx, size_t n);
void nz_train_ref_silu(nz_dtype dtype, const void *x, void *y, size_t n);
void nz_train_ref_silu_backward(nz_dtype dtype, const void *x, const void *dy, void *dx, size_t n);
void nz_train_ref_add(nz_dtype dtype, const void *a, const void *b, void *y, size_t n);
void nz_train_ref_convert(nz_dtype from, const void *x, nz_dtype to, void *y, size_t n);
void nz_train_ref_to_channels_last(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                                   int64_t spatial);
void nz_train_ref_to_plain(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                           int64_t spatial);

void nz_train_ref_max_pool(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels, const void *x,
                           void *y, uint16_t *choice);
void nz_train_ref_max_pool_backward(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels,
                                    const void *dy, const uint16_t *choice, void *dx);
void nz_train_ref_global_pool(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *x, void *y);
void nz_train_ref_global_pool_backward(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *dy,
                                       void *dx);

void nz_train_ref_quantize(const nz_train_quant *quant, nz_dtype dtype, const void *x, void *y);
void nz_train_ref_quantize_backward(const nz_train_quant *quant, nz_dtype dtype, const void *x, const void *dy,
                                    void *dx, float *dscale);

void nz_train_ref_sgd_update(const nz_train_sgd *sgd, float *w, const float *g, float *m, const float *mask, size_t n);
void nz_train_ref_adamw_update(const nz_train_adamw *adamw, float *w, const float *g, float *m, float *v,
                               const float *mask, size_t n);
double nz_train_ref_square_sum(const float *x, size_t n);

#endif
