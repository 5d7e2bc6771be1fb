/* SPDX-License-Identifier: Apache-2.0 */
/** Softmax and LogSoftmax. */
#include <string.h>

#include "kernel/ref_grad.h"
#include "op/families.h"
#include "op/grad.h"
#include "op/helper.h"
#include "op/lift.h"

static nz_status infer_softmax(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_infer_unary(ctx));
    return nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), ctx->in[0]->shape.rank);
}

static nz_status run_softmax(const nz_op_ctx *ctx) {
    if (ctx->in[0]->dtype != NZ_F32) return nz_op_run_widened(ctx, run_softmax);
    const nz_shape *shape = &ctx->in[0]->shape;
    int axis = 0;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), shape->rank));
    nz_ref_softmax(nz_shape_span(shape, 0, axis), shape->dim[axis], nz_shape_span(shape, axis + 1, shape->rank),
                   ctx->in[0]->data, strcmp(ctx->node->op_type, "LogSoftmax") == 0, ctx->out[0].data);
    return NZ_OK;
}

static nz_status grad_softmax(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *shape = &ctx->in[0]->shape;
    int axis = 0;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), shape->rank));
    nz_ref_softmax_back(nz_shape_span(shape, 0, axis), shape->dim[axis], nz_shape_span(shape, axis + 1, shape->rank),
                        grad->out[0]->data, nz_grad_from(grad, 0), strcmp(ctx->node->op_type, "LogSoftmax") == 0,
                        nz_grad_to(ctx, grad, 0));
    return NZ_OK;
}

#define TYPES_SOFTMAX (NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16))

const nz_op nz_ops_softmax[] = {
    {.name = "Softmax",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 13,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = TYPES_SOFTMAX,
     .lift = nz_lift_coerced,
     .infer = infer_softmax,
     .count = nz_op_count_3,
     .run = run_softmax,
     .grad = grad_softmax,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_OUT},
    {.name = "LogSoftmax",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 13,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = TYPES_SOFTMAX,
     .lift = nz_lift_coerced,
     .infer = infer_softmax,
     .count = nz_op_count_3,
     .run = run_softmax,
     .grad = grad_softmax,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_OUT},
    {.name = NULL},
};
