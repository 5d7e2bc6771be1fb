/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation over channels-last maps, with Relu and an addend. */
#include "kernel/train_ref.h"

void nz_train_norm_forward(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                           const float *beta, void *y, float *mean, float *variance) {
    nz_train_ref_norm_forward(norm, x, addend, gamma, beta, y, mean, variance);
}

void nz_train_norm_apply(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                         const float *beta, const float *mean, const float *variance, void *y) {
    nz_train_ref_norm_apply(norm, x, addend, gamma, beta, mean, variance, y);
}

void nz_train_norm_backward(const nz_train_norm *norm, const void *x, const void *y, const void *dy, const float *gamma,
                            const float *mean, const float *variance, bool frozen, void *dx, void *daddend,
                            float *dgamma, float *dbeta) {
    nz_train_ref_norm_backward(norm, x, y, dy, gamma, mean, variance, frozen, dx, daddend, dgamma, dbeta);
}
