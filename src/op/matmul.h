/* SPDX-License-Identifier: Apache-2.0 */
/** Numpy's matrix product of tensors, shared by MatMul, MatMulInteger and QLinearMatMul. */
#ifndef NZ_OP_MATMUL_H
#define NZ_OP_MATMUL_H

#include "kernel/ref.h"
#include "op/helper.h"

typedef struct nz_op_matmul {
    nz_ref_matmul matrix;             /**< one product; -1 for unknown extents */
    nz_shape batch, a_batch, b_batch; /**< the output's leading extents and those of the operands */
    bool a_vector, b_vector;
} nz_op_matmul;

/** NZ_E_SHAPE where the two inputs cannot be multiplied. */
NZ_CHECKED nz_status nz_op_read_matmul(nz_op_matmul *ret_product, const nz_op_ctx *ctx, size_t a_input, size_t b_input);
nz_shape nz_op_matmul_shape(const nz_op_matmul *product);
/** Runs it in f32, f64, or 32- or 64-bit integers that wrap. */
NZ_CHECKED nz_status nz_op_matmul_run(const nz_op_matmul *product, nz_dtype dtype, const void *a, const void *b,
                                      void *c);

#endif
