/* SPDX-License-Identifier: Apache-2.0 */
/** Gradients of reductions: what flows in is spread over the elements that were reduced. */
#include <math.h>

#include "op/grad.h"
#include "op/grad_fold.h"
#include "op/reduce.h"

/* dy and the result b belong to the group of the element a. */
NZ_GRAD_ROW(sum_row, dy)
NZ_GRAD_ROW(mean_row, dy **(const float *)argument)
NZ_GRAD_ROW(l1_row, a > 0 ? dy : a < 0 ? -dy : 0)
NZ_GRAD_ROW(l2_row, b == 0 ? 0 : dy * (a / b))
NZ_GRAD_ROW(square_row, 2 * dy * a)
NZ_GRAD_ROW(log_sum_row, dy *expf(-b))
NZ_GRAD_ROW(log_sum_exp_row, dy *expf(a - b))

static nz_loop_row *const rows[] = {
    [NZ_REDUCE_SUM] = sum_row,
    [NZ_REDUCE_MEAN] = mean_row,
    [NZ_REDUCE_L1] = l1_row,
    [NZ_REDUCE_L2] = l2_row,
    [NZ_REDUCE_SUM_SQUARE] = square_row,
    [NZ_REDUCE_LOG_SUM] = log_sum_row,
    [NZ_REDUCE_LOG_SUM_EXP] = log_sum_exp_row,
};

static nz_fold_kind fold_of(nz_reduce_kind kind) {
    return kind == NZ_REDUCE_PROD ? NZ_FOLD_PRODUCT : kind == NZ_REDUCE_MAX ? NZ_FOLD_LARGEST : NZ_FOLD_SMALLEST;
}

/** Products and extremes: a walk over the elements in order, with the place of each one's result. */
static nz_status grad_folded(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_fold_kind kind, const nz_shape *kept) {
    const nz_shape *in = &ctx->in[0]->shape;
    const float *x = ctx->in[0]->data, *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0);
    int64_t strides[NZ_MAX_RANK], n = nz_shape_elements(in);
    nz_fold fold;
    NZ_TRY(nz_fold_init(&fold, kind, (size_t)nz_shape_elements(kept), ctx->scratch));
    nz_shape_strides(kept, strides);
    for (int d = 0; d < in->rank; d++)
        if (kept->dim[d] == 1) strides[d] = 0;
    for (int pass = 0; pass < 2; pass++) {
        int64_t index[NZ_MAX_RANK] = {0}, group = 0;
        for (int64_t i = 0; i < n; i++) {
            if (pass == 0)
                nz_fold_show(&fold, group, i, x[i]);
            else
                dx[i] = nz_fold_share(&fold, group, i, x[i], dy[group]);
            for (int d = in->rank - 1; d >= 0; d--) {
                group += strides[d];
                if (++index[d] < in->dim[d]) break;
                group -= strides[d] * in->dim[d];
                index[d] = 0;
            }
        }
    }
    return NZ_OK;
}

nz_status nz_grad_reduce(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_reduce_kind kind, unsigned set) {
    const nz_shape *in = &ctx->in[0]->shape;
    nz_shape kept = *in;
    if (set == 0 && in->rank > 0) return nz_grad_copy(ctx, grad);
    int64_t n = nz_shape_elements(in);
    for (int d = 0; d < in->rank; d++)
        if (set >> d & 1) kept.dim[d] = 1;
    if (n == 0) return NZ_OK;
    if (kind == NZ_REDUCE_PROD || kind == NZ_REDUCE_MAX || kind == NZ_REDUCE_MIN)
        return grad_folded(ctx, grad, fold_of(kind), &kept);
    const float share = (float)((double)nz_shape_elements(&kept) / (double)n);
    const nz_tensor to = nz_tensor_borrow(NZ_F32, in, nz_grad_to(ctx, grad, 0));
    const nz_tensor dy = nz_tensor_borrow(NZ_F32, &kept, grad->dout[0]->data);
    const nz_tensor y = nz_tensor_borrow(NZ_F32, &kept, grad->out[0]->data);
    nz_loop loop;
    nz_loop_init(&loop, in);
    nz_loop_add(&loop, &to);
    nz_loop_add(&loop, &dy);
    nz_loop_add(&loop, ctx->in[0]->data ? ctx->in[0] : &dy); /* what a rule does not read may be gone */
    nz_loop_add(&loop, y.data ? &y : &dy);
    nz_loop_run(&loop, rows[kind], &share);
    return NZ_OK;
}
