/* SPDX-License-Identifier: Apache-2.0 */
/** Gradients of arithmetic with broadcasting: entries' grad functions. */
#ifndef NZ_OP_GRAD_ARITHMETIC_H
#define NZ_OP_GRAD_ARITHMETIC_H

#include "op/op.h"

nz_status nz_grad_add(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_sub(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_mul(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_div(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_pow(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_sum_of(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_mean(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_max(const nz_op_ctx *ctx, const nz_op_grad *grad);
nz_status nz_grad_min(const nz_op_ctx *ctx, const nz_op_grad *grad);

#endif
