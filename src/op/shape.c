/* SPDX-License-Identifier: Apache-2.0 */
/** The same elements under another shape, and what only looks at the shape. */
#include <string.h>

#include "op/families.h"
#include "op/grad.h"
#include "op/helper.h"
#include "op/lift.h"

/* ---- Shape, Size ---- */

static nz_status infer_shape(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    int64_t rank = ctx->in[0]->shape.rank, start = nz_attr_int(ctx->node, "start", 0),
            end = nz_attr_int(ctx->node, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start;
    end = end > rank ? rank : end;
    nz_op_set_out(ctx, 0, NZ_I64, &(nz_shape){.rank = 1, .dim = {end > start ? end - start : 0}});
    return NZ_OK;
}

static nz_status run_shape(const nz_op_ctx *ctx) {
    int64_t rank = ctx->in[0]->shape.rank, start = nz_attr_int(ctx->node, "start", 0);
    start = start < 0 ? start + rank : start;
    start = start < 0 ? 0 : start;
    int64_t *out = ctx->out[0].data;
    for (int64_t d = 0; d < ctx->out[0].shape.dim[0]; d++) out[d] = ctx->in[0]->shape.dim[start + d];
    return NZ_OK;
}

static int since_shape(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    return nz_attr_get(node, "start") || nz_attr_get(node, "end") ? 15 : 1;
}

static nz_status infer_size(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    nz_op_set_out(ctx, 0, NZ_I64, &(nz_shape){.rank = 0});
    return NZ_OK;
}

static nz_status run_size(const nz_op_ctx *ctx) {
    *(int64_t *)ctx->out[0].data = nz_shape_elements(&ctx->in[0]->shape);
    return NZ_OK;
}

/* ---- Reshape ---- */

static nz_status reshape_fail(const nz_op_ctx *ctx, const int64_t *wanted, size_t count) {
    char from[112], to[112];
    nz_shape shape = {.rank = (int)count};
    memcpy(shape.dim, wanted, count * sizeof *wanted);
    return nz_op_fail(ctx, NZ_E_SHAPE, "cannot reshape %s to %s", nz_shape_text(&ctx->in[0]->shape, from),
                      nz_shape_text(&shape, to));
}

static nz_status infer_reshape(const nz_op_ctx *ctx) {
    int64_t wanted[NZ_MAX_RANK];
    size_t count = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_ints(ctx, 1, wanted, NZ_MAX_RANK, &count));
    const nz_shape *in = &ctx->in[0]->shape;
    bool allow_zero = nz_attr_int(ctx->node, "allowzero", 0) != 0;
    nz_shape out = {.rank = (int)count}, rest_in = *in, rest_out = {.rank = (int)count};
    int open = -1;
    /* Extents that are copied cancel out on both sides, so that the open one can follow though the batch is unknown. */
    for (int d = 0; d < out.rank; d++) {
        bool copied = wanted[d] == 0 && !allow_zero;
        if (wanted[d] < -1 || (copied && d >= in->rank) || (wanted[d] == -1 && open >= 0))
            return reshape_fail(ctx, wanted, count);
        out.dim[d] = copied ? in->dim[d] : wanted[d];
        rest_out.dim[d] = copied || wanted[d] == -1 ? 1 : wanted[d];
        if (copied) rest_in.dim[d] = 1;
        if (wanted[d] == -1) open = d;
    }
    int64_t elements = nz_shape_elements(&rest_in), others = nz_shape_elements(&rest_out);
    if (others < 0) return reshape_fail(ctx, wanted, count);
    if (open >= 0 && elements >= 0) {
        if (others == 0 ? elements != 0 : elements % others != 0) return reshape_fail(ctx, wanted, count);
        out.dim[open] = others == 0 ? 0 : elements / others;
    } else if (open < 0 && elements >= 0 && elements != others && nz_shape_known(&out)) {
        if (nz_shape_elements(&out) != nz_shape_elements(in)) return reshape_fail(ctx, wanted, count);
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status lift_reshape(nz_graph *graph, int node) {
    if (graph->nodes[node].opset >= 5) return NZ_OK;
    NZ_TRY(nz_lift_plain(graph, node));
    return nz_lift_ints(graph, node, "shape", 1);
}

static int since_reshape(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    return nz_attr_int(node, "allowzero", 0) ? 14 : 5;
}

/* ---- Flatten, Squeeze, Unsqueeze ---- */

/** Product of extents, -1 where one is unknown. */
static int64_t span_or_unknown(const nz_shape *shape, int from, int to) {
    nz_shape part = {.rank = to - from};
    memcpy(part.dim, shape->dim + from, (size_t)(to - from) * sizeof *part.dim);
    return nz_shape_elements(&part);
}

static nz_status infer_flatten(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    const nz_shape *in = &ctx->in[0]->shape;
    int64_t axis = nz_attr_int(ctx->node, "axis", 1);
    if (axis < -in->rank || axis > in->rank)
        return nz_op_fail(ctx, NZ_E_SHAPE, "axis %lld is outside a tensor of rank %d", (long long)axis, in->rank);
    int at = (int)(axis < 0 ? axis + in->rank : axis);
    nz_shape out = {.rank = 2, .dim = {span_or_unknown(in, 0, at), span_or_unknown(in, at, in->rank)}};
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status infer_squeeze(const nz_op_ctx *ctx) {
    int64_t axes[NZ_MAX_RANK];
    size_t count = 0;
    unsigned set = 0;
    NZ_TRY(nz_op_check(ctx, 1, 2, 1));
    const nz_shape *in = &ctx->in[0]->shape;
    bool listed = nz_op_in(ctx, 1) != NULL;
    if (listed) {
        NZ_TRY(nz_op_ints(ctx, 1, axes, NZ_MAX_RANK, &count));
        NZ_TRY(nz_op_axes(ctx, &set, axes, count, in->rank));
    }
    nz_shape out = {.rank = 0};
    for (int d = 0; d < in->rank; d++) {
        bool drop = listed ? set >> d & 1 : in->dim[d] == 1;
        if (!listed && in->dim[d] < 0)
            return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "which extents are 1 is not known; fix the input's shape");
        if (drop && in->dim[d] > 1)
            return nz_op_fail(ctx, NZ_E_SHAPE, "axis %d has extent %lld, not 1", d, (long long)in->dim[d]);
        if (drop && in->dim[d] == 0) return nz_op_fail(ctx, NZ_E_SHAPE, "axis %d has extent 0, not 1", d);
        if (!drop) out.dim[out.rank++] = in->dim[d];
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status infer_unsqueeze(const nz_op_ctx *ctx) {
    int64_t axes[NZ_MAX_RANK];
    size_t count = 0;
    unsigned set = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_ints(ctx, 1, axes, NZ_MAX_RANK, &count));
    const nz_shape *in = &ctx->in[0]->shape;
    nz_shape out = {.rank = in->rank + (int)count};
    if (out.rank > NZ_MAX_RANK)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "rank %d is above the supported %d", out.rank, NZ_MAX_RANK);
    NZ_TRY(nz_op_axes(ctx, &set, axes, count, out.rank));
    for (int d = 0, from = 0; d < out.rank; d++) out.dim[d] = set >> d & 1 ? 1 : in->dim[from++];
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status lift_axes(nz_graph *graph, int node) {
    return graph->nodes[node].opset >= 13 ? NZ_OK : nz_lift_ints(graph, node, "axes", 1);
}

/* ---- Dropout: inference alone ---- */

static nz_status infer_dropout(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 3, 2));
    const nz_tensor *ratio = nz_op_in(ctx, 1), *training = nz_op_in(ctx, 2);
    bool trains = training && nz_shape_elements(&training->shape) == 1 && nz_tensor_int(training, 0) != 0;
    bool keeps_all = ratio && ratio->data && nz_shape_elements(&ratio->shape) == 1 && nz_tensor_real(ratio, 0) == 0;
    if (trains && !keeps_all)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "training mode draws random numbers; export the model for inference");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[0]->shape);
    nz_op_set_out(ctx, 1, NZ_BOOL, &ctx->in[0]->shape);
    return NZ_OK;
}

static nz_status run_dropout(const nz_op_ctx *ctx) {
    nz_op_copy(&ctx->out[0], ctx->in[0]);
    if (nz_op_has_out(ctx, 1)) memset(ctx->out[1].data, 1, (size_t)nz_shape_elements(&ctx->out[1].shape));
    return NZ_OK;
}

/** Attributes of old say how to train; inference keeps everything. */
static nz_status lift_dropout(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    NZ_TRY(nz_lift_plain(graph, node));
    if (n->opset >= 12) return NZ_OK;
    nz_node_remove_attr(n, "ratio");
    nz_node_remove_attr(n, "is_test");
    return NZ_OK;
}

/* ---- entries ---- */

#define TYPES_PACKED (NZ_TYPES_BYTES | NZ_TYPE_BIT(NZ_U4) | NZ_TYPE_BIT(NZ_I4))
#define SAME_ELEMENTS (NZ_OP_MOVES_DATA | NZ_OP_KEEPS_RANGE)

const nz_op nz_ops_shape[] = {
    {.name = "Dropout",
     .versions = NZ_VERSIONS(1, 6, 7, 10, 12, 13, 22),
     .canonical_since = 12,
     .flags = SAME_ELEMENTS,
     .plan_inputs = 4,
     .attributes = NZ_ATTRIBUTES("seed"),
     .types = NZ_TYPES_FLOAT,
     .lift = lift_dropout,
     .infer = infer_dropout,
     .run = run_dropout,
     .grad = nz_grad_copy,
     .grad_inputs = 1},
    {.name = "Flatten",
     .versions = NZ_VERSIONS(1, 9, 11, 13, 21, 23, 24),
     .canonical_since = 11,
     .flags = SAME_ELEMENTS,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = TYPES_PACKED,
     .infer = infer_flatten,
     .run = nz_op_run_copy,
     .grad = nz_grad_copy,
     .grad_inputs = 1},
    {.name = "Identity",
     .versions = NZ_VERSIONS(1, 13, 14, 16, 19, 21, 23, 24),
     .canonical_since = 1,
     .flags = SAME_ELEMENTS | NZ_OP_UNARY,
     .types = TYPES_PACKED,
     .infer = nz_op_infer_unary,
     .run = nz_op_run_copy,
     .grad = nz_grad_copy,
     .grad_inputs = 1},
    {.name = "Reshape",
     .versions = NZ_VERSIONS(1, 5, 13, 14, 19, 21, 23, 24),
     .canonical_since = 5,
     .flags = SAME_ELEMENTS,
     .plan_inputs = 2,
     .attributes = NZ_ATTRIBUTES("allowzero"),
     .types = TYPES_PACKED,
     .lift = lift_reshape,
     .infer = infer_reshape,
     .run = nz_op_run_copy,
     .since = since_reshape,
     .grad = nz_grad_copy,
     .grad_inputs = 1},
    {.name = "Shape",
     .versions = NZ_VERSIONS(1, 13, 15, 19, 21, 23, 24),
     .canonical_since = 1,
     .flags = NZ_OP_READS_SHAPE,
     .attributes = NZ_ATTRIBUTES("start", "end"),
     .infer = infer_shape,
     .run = run_shape,
     .since = since_shape},
    {.name = "Size",
     .versions = NZ_VERSIONS(1, 13, 19, 21, 23, 24),
     .canonical_since = 1,
     .flags = NZ_OP_READS_SHAPE,
     .infer = infer_size,
     .run = run_size},
    {.name = "Squeeze",
     .versions = NZ_VERSIONS(1, 11, 13, 21, 23, 24),
     .canonical_since = 13,
     .flags = SAME_ELEMENTS,
     .plan_inputs = 2,
     .types = TYPES_PACKED,
     .lift = lift_axes,
     .infer = infer_squeeze,
     .run = nz_op_run_copy,
     .grad = nz_grad_copy,
     .grad_inputs = 1},
    {.name = "Unsqueeze",
     .versions = NZ_VERSIONS(1, 11, 13, 21, 23, 24),
     .canonical_since = 13,
     .flags = SAME_ELEMENTS,
     .plan_inputs = 2,
     .types = TYPES_PACKED,
     .lift = lift_axes,
     .infer = infer_unsqueeze,
     .run = nz_op_run_copy,
     .grad = nz_grad_copy,
     .grad_inputs = 1},
    {0},
};
