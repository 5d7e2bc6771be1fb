/* SPDX-License-Identifier: Apache-2.0 */
/** Choosing and reordering elements: Compress, NonZero, ReverseSequence, Trilu. */
#include <string.h>

#include "op/families.h"
#include "op/grad.h"

/* ---- Compress: the condition is known when planning ---- */

static nz_status infer_compress(const nz_op_ctx *ctx) {
    int axis = 0;
    int64_t kept = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    const nz_tensor *condition = ctx->in[1];
    bool along = nz_attr_get(ctx->node, "axis") != NULL;
    nz_shape out = ctx->in[0]->shape;
    if (condition->dtype != NZ_BOOL || condition->shape.rank != 1)
        return nz_op_fail(ctx, NZ_E_SHAPE, "the condition must be a list of bool");
    if (along) NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", 0), out.rank));
    int64_t extent = along ? out.dim[axis] : nz_shape_elements(&out);
    if (extent < 0) return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "the extent to choose from is not known");
    if (condition->shape.dim[0] > extent)
        return nz_op_fail(ctx, NZ_E_SHAPE, "the condition has %lld entries for an extent of %lld",
                          (long long)condition->shape.dim[0], (long long)extent);
    for (int64_t i = 0; i < condition->shape.dim[0]; i++) kept += ((const uint8_t *)condition->data)[i] != 0;
    if (!along) out.rank = 1;
    out.dim[axis] = kept;
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_compress(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0];
    const uint8_t *condition = ctx->in[1]->data;
    bool along = nz_attr_get(ctx->node, "axis") != NULL;
    int64_t axis = nz_attr_int(ctx->node, "axis", 0), listed = ctx->in[1]->shape.dim[0];
    if (axis < 0) axis += in->shape.rank;
    int64_t outer = along ? nz_shape_span(&in->shape, 0, (int)axis) : 1;
    int64_t extent = along ? in->shape.dim[axis] : nz_shape_elements(&in->shape);
    size_t block =
        nz_dtype_size(in->dtype) * (size_t)(along ? nz_shape_span(&in->shape, (int)axis + 1, in->shape.rank) : 1);
    char *to = ctx->out[0].data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < listed; i++) {
            if (!condition[i]) continue;
            memcpy(to, (const char *)in->data + (size_t)(o * extent + i) * block, block);
            to += block;
        }
    return NZ_OK;
}

static nz_status grad_compress(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *in = &ctx->in[0]->shape;
    const uint8_t *condition = ctx->in[1]->data;
    bool along = nz_attr_get(ctx->node, "axis") != NULL;
    int64_t axis = nz_attr_int(ctx->node, "axis", 0), listed = ctx->in[1]->shape.dim[0];
    if (axis < 0) axis += in->rank;
    int64_t outer = along ? nz_shape_span(in, 0, (int)axis) : 1,
            block = along ? nz_shape_span(in, (int)axis + 1, in->rank) : 1;
    int64_t extent = along ? in->dim[axis] : nz_shape_elements(in);
    const float *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0);
    memset(dx, 0, (size_t)nz_shape_elements(in) * sizeof *dx);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < listed; i++) {
            if (!condition[i]) continue;
            memcpy(dx + (o * extent + i) * block, dy, (size_t)block * sizeof *dy);
            dy += block;
        }
    return NZ_OK;
}

/* ---- NonZero: of a constant ---- */

static bool is_nonzero(const nz_tensor *tensor, int64_t i) {
    return nz_dtype_get(tensor->dtype)->is_float ? nz_tensor_real(tensor, i) != 0 : nz_tensor_int(tensor, i) != 0;
}

static nz_status infer_nonzero(const nz_op_ctx *ctx) {
    int64_t count = 0;
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    const nz_tensor *in = ctx->in[0];
    int64_t n = nz_shape_elements(&in->shape);
    for (int64_t i = 0; i < n; i++) count += is_nonzero(in, i);
    nz_op_set_out(ctx, 0, NZ_I64, &(nz_shape){.rank = 2, .dim = {in->shape.rank, count}});
    return NZ_OK;
}

static nz_status run_nonzero(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0];
    int64_t n = nz_shape_elements(&in->shape), count = ctx->out[0].shape.dim[1], found = 0;
    int64_t *out = ctx->out[0].data;
    for (int64_t i = 0; i < n; i++) {
        if (!is_nonzero(in, i)) continue;
        int64_t rest = i;
        for (int d = in->shape.rank - 1; d >= 0; rest /= in->shape.dim[d--])
            out[d * count + found] = rest % in->shape.dim[d];
        found++;
    }
    return NZ_OK;
}

/* ---- ReverseSequence ---- */

static nz_status infer_reverse(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    const nz_shape *in = &ctx->in[0]->shape;
    int64_t batch = nz_attr_int(ctx->node, "batch_axis", 1), time = nz_attr_int(ctx->node, "time_axis", 0);
    if (in->rank < 2 || (batch != 0 && batch != 1) || time != 1 - batch)
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs rank 2 or more, and axes 0 and 1 for batch and time");
    if (ctx->in[1]->dtype != NZ_I64 || ctx->in[1]->shape.rank != 1 ||
        (in->dim[batch] >= 0 && ctx->in[1]->shape.dim[0] >= 0 && ctx->in[1]->shape.dim[0] != in->dim[batch]))
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs one int64 length per sequence");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, in);
    return NZ_OK;
}

static nz_status run_reverse(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0];
    int64_t batch_axis = nz_attr_int(ctx->node, "batch_axis", 1), time_axis = 1 - batch_axis;
    int64_t strides[NZ_MAX_RANK], batches = in->shape.dim[batch_axis], times = in->shape.dim[time_axis];
    const int64_t *lengths = ctx->in[1]->data;
    size_t block = (size_t)nz_shape_span(&in->shape, 2, in->shape.rank) * nz_dtype_size(in->dtype);
    nz_shape pair = {.rank = 2, .dim = {in->shape.dim[0], in->shape.dim[1]}};
    nz_shape_strides(&pair, strides);
    for (int64_t b = 0; b < batches; b++) {
        int64_t length = lengths[b] < 0 ? 0 : lengths[b] > times ? times : lengths[b];
        for (int64_t t = 0; t < times; t++) {
            int64_t from = t < length ? length - 1 - t : t;
            memcpy((char *)ctx->out[0].data + (size_t)(b * strides[batch_axis] + t * strides[time_axis]) * block,
                   (const char *)in->data + (size_t)(b * strides[batch_axis] + from * strides[time_axis]) * block,
                   block);
        }
    }
    return NZ_OK;
}

/** Reversing twice changes nothing. */
static nz_status grad_reverse(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return nz_grad_by_run(ctx, grad, run_reverse);
}

/* ---- Trilu ---- */

static nz_status infer_trilu(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 2, 1));
    if (ctx->in[0]->shape.rank < 2)
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs matrices, not rank %d", ctx->in[0]->shape.rank);
    const nz_tensor *k = nz_op_in(ctx, 1);
    if (k && (k->dtype != NZ_I64 || nz_shape_elements(&k->shape) != 1))
        return nz_op_fail(ctx, NZ_E_SHAPE, "the diagonal must be one int64");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

static nz_status run_trilu(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0], *diagonal = nz_op_in(ctx, 1);
    bool upper = nz_attr_int(ctx->node, "upper", 1) != 0;
    int rank = in->shape.rank;
    int64_t rows = in->shape.dim[rank - 2], columns = in->shape.dim[rank - 1];
    int64_t k = diagonal ? *(const int64_t *)diagonal->data : 0, matrices = nz_shape_span(&in->shape, 0, rank - 2);
    size_t size = nz_dtype_size(in->dtype);
    k = k < -rows ? -rows - 1 : k > columns ? columns + 1 : k;
    for (int64_t line = 0; line < matrices * rows; line++) {
        /* Columns from row + k on belong to the upper triangle; the lower one includes the diagonal itself. */
        int64_t edge = line % rows + k + (upper ? 0 : 1);
        edge = edge < 0 ? 0 : edge > columns ? columns : edge;
        const char *from = (const char *)in->data + (size_t)(line * columns) * size;
        char *to = (char *)ctx->out[0].data + (size_t)(line * columns) * size;
        size_t left = (size_t)edge * size, right = (size_t)(columns - edge) * size;
        memset(to, 0, left + right);
        if (upper)
            memcpy(to + left, from + left, right);
        else
            memcpy(to, from, left);
    }
    return NZ_OK;
}

static nz_status grad_trilu(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return nz_grad_by_run(ctx, grad, run_trilu);
}

/* ---- entries ---- */

const nz_op nz_ops_select[] = {
    {.name = "Compress",
     .versions = NZ_VERSIONS(9, 11),
     .canonical_since = 11,
     .flags = NZ_OP_MOVES_DATA | NZ_OP_KEEPS_RANGE,
     .plan_inputs = 2,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_compress,
     .run = run_compress,
     .grad = grad_compress,
     .grad_inputs = 1},
    {.name = "NonZero",
     .versions = NZ_VERSIONS(9, 13),
     .canonical_since = 9,
     .plan_inputs = 1,
     .types = NZ_TYPES_NUMBER | NZ_TYPE_BIT(NZ_BOOL),
     .infer = infer_nonzero,
     .run = run_nonzero},
    {.name = "ReverseSequence",
     .versions = NZ_VERSIONS(10),
     .canonical_since = 10,
     .flags = NZ_OP_MOVES_DATA | NZ_OP_KEEPS_RANGE,
     .attributes = NZ_ATTRIBUTES("batch_axis", "time_axis"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_reverse,
     .run = run_reverse,
     .grad = grad_reverse,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_REST},
    {.name = "Trilu",
     .versions = NZ_VERSIONS(14),
     .canonical_since = 14,
     .attributes = NZ_ATTRIBUTES("upper"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_trilu,
     .run = run_trilu,
     .grad = grad_trilu,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_REST},
    {0},
};
