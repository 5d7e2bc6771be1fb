/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What gradients share: where they read and write, sums over broadcast axes, element-wise rules. Everything is float32.
 * At least one gradient flows in (`dout`) and at least one is wanted (`din`) when an entry's grad is called.
 */
#ifndef NZ_OP_GRAD_H
#define NZ_OP_GRAD_H

#include "op/helper.h"

/** Where the gradient by input i goes; NULL where it is not wanted, or there is no such input. */
static inline float *nz_grad_to(const nz_op_ctx *ctx, const nz_op_grad *grad, size_t i) {
    return i < ctx->in_count && grad->din[i] ? grad->din[i]->data : NULL;
}
/** The gradient that flows in at output i; NULL where none does. */
static inline const float *nz_grad_from(const nz_op_grad *grad, size_t i) {
    return grad->dout[i] ? grad->dout[i]->data : NULL;
}

/** Sums a dense tensor of `rank` <= 2 * NZ_MAX_RANK over the axes in `reduced` (a set of bits). */
void nz_grad_sum(float *to, const float *from, int rank, const int64_t *dim, unsigned reduced);
/** to = sum of `from`, which has `shape`, over the axes along which a tensor of `own` shape was broadcast to it. */
void nz_grad_sum_to(float *to, const nz_shape *own, const nz_shape *shape, const float *from);

/** As an entry's grad: the gradient by input 0 is that by output 0, element by element as they lie. */
nz_status nz_grad_copy(const nz_op_ctx *ctx, const nz_op_grad *grad);
/** As an entry's grad: input 0 was broadcast to the output. */
nz_status nz_grad_expand(const nz_op_ctx *ctx, const nz_op_grad *grad);

/** For functions of input 0 that are linear: `run` maps the gradient by output 0 to that by input 0. It sees both in the
 * places of input and output. */
NZ_CHECKED nz_status nz_grad_by_run(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_status (*run)(const nz_op_ctx *));

/** The gradient by input i, which broadcasts to the output: `row` writes it per element of the output to operand 0 from
 * dy and the tensors a and b (operands 1, 2, 3; b may be NULL), and what was broadcast is summed. */
NZ_CHECKED nz_status nz_grad_broadcast(const nz_op_ctx *ctx, const nz_op_grad *grad, size_t i, const nz_tensor *a,
                                       const nz_tensor *b, nz_loop_row *row, const void *argument);

/** Defines the row function <name>: the gradient EXPR of dy, a and b. The common strides get loops that the compiler can
 * vectorise. */
#define NZ_GRAD_ROW(name, EXPR)                                                                                        \
    static void name(char *const at[], const int64_t stride[], int64_t n, const void *argument) {                      \
        float *to = (void *)at[0];                                                                                     \
        const float *const from = (const void *)at[1], *const in_a = (const void *)at[2],                              \
                           *const in_b = (const void *)at[3];                                                          \
        const bool dense = stride[0] == 1 && stride[1] == 1;                                                           \
        (void)argument;                                                                                                \
        if (dense && stride[2] == 1 && stride[3] == 1)                                                                 \
            NZ_GRAD_LOOP(i, i, i, i, EXPR)                                                                             \
        else if (dense && stride[2] == 1 && stride[3] == 0)                                                            \
            NZ_GRAD_LOOP(i, i, i, 0, EXPR)                                                                             \
        else if (dense && stride[2] == 0 && stride[3] == 0)                                                            \
            NZ_GRAD_LOOP(i, i, 0, 0, EXPR)                                                                             \
        else                                                                                                           \
            NZ_GRAD_LOOP(i *stride[0], i *stride[1], i *stride[2], i *stride[3], EXPR)                                 \
    }
#define NZ_GRAD_LOOP(at_to, at_dy, at_a, at_b, EXPR)                                                                   \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const float dy = from[at_dy], a = in_a[at_a], b = in_b[at_b];                                                  \
        (void)a, (void)b;                                                                                              \
        to[at_to] = (float)(EXPR);                                                                                     \
    }

#endif
