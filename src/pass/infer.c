/* SPDX-License-Identifier: Apache-2.0 */
#include "pass/infer.h"

#include "core/error.h"

/* No machine holds a larger tensor; a shape beyond is a broken or hostile one. */
static const int64_t most_elements = INT64_C(1) << 40;

static nz_tensor describe(const nz_value *value) {
    nz_tensor t = value->constant;
    if (!t.data) t = (nz_tensor){.dtype = value->dtype, .shape = value->shape};
    return t;
}

nz_status nz_pass_context(nz_op_ctx *ret_ctx, const nz_graph *graph, int node, nz_arena *arena) {
    const nz_node *n = &graph->nodes[node];
    const nz_tensor **in = NULL;
    nz_tensor *tensors = NULL, *out = NULL;
    NZ_TRY(nz_arena_alloc(arena, &in, n->input_count, sizeof *in));
    NZ_TRY(nz_arena_alloc(arena, &tensors, n->input_count, sizeof *tensors));
    NZ_TRY(nz_arena_alloc(arena, &out, n->output_count, sizeof *out));
    for (size_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] < 0) continue;
        tensors[i] = describe(&graph->values[n->inputs[i]]);
        in[i] = &tensors[i];
    }
    for (size_t i = 0; i < n->output_count; i++) out[i].shape.rank = -1;
    *ret_ctx = (nz_op_ctx){
        .node = n, .in_count = n->input_count, .out_count = n->output_count, .in = in, .out = out, .scratch = arena};
    return NZ_OK;
}

static nz_status check_size(const nz_graph *graph, const nz_node *node, size_t i, const nz_shape *shape) {
    char text[112];
    if (!nz_shape_known(shape)) return NZ_OK;
    /* An extent of 0 must not hide that the others overflow: kernels multiply parts of a shape. */
    nz_shape filled = *shape;
    for (int d = 0; d < filled.rank; d++) filled.dim[d] += filled.dim[d] == 0;
    int64_t elements = nz_shape_elements(&filled);
    if (elements >= 0 && elements <= most_elements) return NZ_OK;
    return nz_fail(NZ_E_SHAPE, "node '%s' (%s): its output '%s' would have the shape %s, which no memory holds",
                   node->name, node->op_type, graph->values[node->outputs[i]].name, nz_shape_text(shape, text));
}

nz_status nz_pass_infer_node(nz_graph *graph, int node, nz_arena *arena) {
    const nz_node *n = &graph->nodes[node];
    const nz_op *op = nz_op_of(n);
    if (!op)
        return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): %s", n->name, n->op_type,
                       n->unsupported ? n->unsupported : "not supported");
    nz_op_ctx ctx;
    NZ_TRY(nz_pass_context(&ctx, graph, node, arena));
    NZ_TRY(op->infer(&ctx));
    for (size_t i = 0; i < n->output_count; i++)
        if (n->outputs[i] >= 0) NZ_TRY(check_size(graph, n, i, &ctx.out[i].shape));
    for (size_t i = 0; i < n->output_count; i++) {
        if (n->outputs[i] < 0 || !ctx.out[i].dtype) continue;
        graph->values[n->outputs[i]].dtype = ctx.out[i].dtype;
        graph->values[n->outputs[i]].shape = ctx.out[i].shape;
    }
    return NZ_OK;
}

bool nz_pass_inputs_known(const nz_graph *graph, const nz_node *node, bool exact) {
    for (size_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] < 0) continue;
        const nz_value *value = &graph->values[node->inputs[i]];
        if (!value->dtype || value->shape.rank < 0 || (exact && !nz_shape_known(&value->shape))) return false;
    }
    return true;
}

nz_status nz_pass_mark_unsupported(nz_node *node) {
    char *reason = NULL;
    NZ_TRY(nz_strdup(&reason, nz_last_error()));
    free(node->unsupported);
    node->unsupported = reason;
    return NZ_OK;
}
