/* SPDX-License-Identifier: Apache-2.0 */
/** Reductions along axes and their gradients. */
#ifndef NZ_OP_REDUCE_H
#define NZ_OP_REDUCE_H

#include "op/op.h"

typedef enum nz_reduce_kind {
    NZ_REDUCE_SUM,
    NZ_REDUCE_MEAN,
    NZ_REDUCE_L1,
    NZ_REDUCE_L2,
    NZ_REDUCE_SUM_SQUARE,
    NZ_REDUCE_LOG_SUM,
    NZ_REDUCE_LOG_SUM_EXP,
    NZ_REDUCE_PROD,
    NZ_REDUCE_MAX,
    NZ_REDUCE_MIN
} nz_reduce_kind;

/** The gradient of a reduction over the axes in `set`; none: the output is the input. Of the largest elements the first
 * one gets all. */
NZ_CHECKED nz_status nz_grad_reduce(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_reduce_kind kind, unsigned set);

#endif
