/* SPDX-License-Identifier: Apache-2.0 */
/** Softmax and LogSoftmax. */
#include <string.h>

#include "kernel/ref.h"
#include "op/families.h"
#include "op/helper.h"

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

/* Before version 13 the axes from `axis` on counted as one. Over the last axis alone that is the same; otherwise the node
 * becomes Flatten(axis), the operator over axis 1, and Reshape to the shape that came in. */
static nz_status lift_softmax(nz_graph *graph, int node) {
    const nz_node *n = &graph->nodes[node];
    if (n->opset >= 13) return NZ_OK;
    if (n->input_count != 1 || n->output_count != 1)
        return nz_node_fail(n, NZ_E_SHAPE, "one input and one output are needed");
    int64_t axis = nz_attr_int(n, "axis", 1);
    int x = n->inputs[0], rank = graph->values[x].shape.rank;
    if (axis == -1 || (rank >= 0 && axis == rank - 1)) return nz_node_set_int(&graph->nodes[node], "axis", -1);
    int flat = -1, shape = -1, done = -1, added = -1;
    nz_dtype dtype = graph->values[x].dtype;
    const char *y = graph->values[n->outputs[0]].name;
    NZ_TRY(nz_graph_add_value(graph, &flat, y, dtype, NULL));
    NZ_TRY(nz_graph_add_value(graph, &shape, y, NZ_I64, NULL));
    NZ_TRY(nz_graph_add_value(graph, &done, y, dtype, NULL));
    NZ_TRY(nz_graph_add_node(graph, &added, "Flatten", NULL, (int[]){x}, 1, (int[]){flat}, 1));
    NZ_TRY(nz_node_set_int(&graph->nodes[added], "axis", axis));
    NZ_TRY(nz_graph_add_node(graph, NULL, "Shape", NULL, (int[]){x}, 1, (int[]){shape}, 1));
    NZ_TRY(nz_graph_add_node(graph, &added, graph->nodes[node].op_type, NULL, (int[]){flat}, 1, (int[]){done}, 1));
    NZ_TRY(nz_node_set_int(&graph->nodes[added], "axis", 1));
    nz_node *last = &graph->nodes[node];
    nz_node_remove_attr(last, "axis");
    NZ_TRY(nz_node_set_op(last, "Reshape"));
    return nz_node_set_inputs(last, (int[]){done, shape}, 2);
}

#define TYPES_SOFTMAX (NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16))

const nz_op nz_ops_softmax[] = {
    {.name = "Softmax",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 13,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = TYPES_SOFTMAX,
     .lift = lift_softmax,
     .infer = infer_softmax,
     .count = nz_op_count_3,
     .run = run_softmax},
    {.name = "LogSoftmax",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 13,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = TYPES_SOFTMAX,
     .lift = lift_softmax,
     .infer = infer_softmax,
     .count = nz_op_count_3,
     .run = run_softmax},
    {.name = NULL},
};
