/* SPDX-License-Identifier: Apache-2.0 */
/* Values that are known when planning: weights behind DequantizeLinear or Cast, decoded once. */
#include <string.h>

#include "core/error.h"
#include "runtime/planner.h"

/* Longer chains are computed when the model runs: evaluating goes from a value to what it depends on by recursion. */
enum { DEEPEST = 256 };

/* One more than the largest depth among the inputs of a node that depends on constants alone; 0: it does not. */
static int depth_of(const nz_planner *planner, const nz_node *node) {
    int deepest = 0;
    for (size_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == NZ_NO_VALUE) continue;
        int depth = planner->constant_depth[node->inputs[i]];
        if (depth == 0) return 0;
        if (depth > deepest) deepest = depth;
    }
    if (deepest == 0 || deepest >= DEEPEST || !nz_op_of(node) || !nz_op_of(node)->run) return 0;
    return deepest + 1;
}

nz_status nz_planner_find_constants(nz_planner *planner) {
    const nz_graph *graph = planner->graph;
    NZ_TRY(nz_alloc(&planner->constant_depth, graph->value_count, sizeof *planner->constant_depth));
    for (size_t v = 0; v < graph->value_count; v++) planner->constant_depth[v] = graph->values[v].constant.data != NULL;
    for (size_t n = 0; n < graph->node_count; n++) { /* sorted: inputs are made before they are read */
        const nz_node *node = &graph->nodes[n];
        int depth = depth_of(planner, node);
        for (size_t i = 0; i < node->output_count; i++)
            if (node->outputs[i] != NZ_NO_VALUE && !graph->values[node->outputs[i]].constant.data)
                planner->constant_depth[node->outputs[i]] = depth;
    }
    return NZ_OK;
}

bool nz_planner_is_constant(const nz_planner *planner, int value) {
    return value >= 0 && planner->constant_depth[value] > 0;
}

nz_status nz_planner_context(nz_planner *planner, int index, nz_op_ctx *ret_ctx) {
    const nz_node *node = &planner->graph->nodes[index];
    nz_tensor *tensors = NULL;
    const nz_tensor **in = NULL;
    NZ_TRY(nz_arena_alloc(&planner->arena, &tensors, node->input_count + node->output_count + 1, sizeof *tensors));
    NZ_TRY(nz_arena_alloc(&planner->arena, &in, node->input_count + 1, sizeof(nz_tensor *)));
    for (size_t i = 0; i < node->input_count + node->output_count; i++) {
        int value = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
        if (value == NZ_NO_VALUE) continue;
        const nz_value *v = &planner->graph->values[value];
        tensors[i] = nz_tensor_borrow(v->dtype, &v->shape, v->constant.data);
        tensors[i].bytes = v->constant.bytes;
        if (i < node->input_count) in[i] = &tensors[i];
    }
    *ret_ctx = (nz_op_ctx){.node = node,
                           .in_count = node->input_count,
                           .out_count = node->output_count,
                           .in = in,
                           .out = tensors + node->input_count,
                           .scratch = &planner->arena};
    return NZ_OK;
}

static nz_status compute(nz_planner *planner, int value) {
    const nz_graph *graph = planner->graph;
    int producer = graph->values[value].producer;
    const nz_node *node = &graph->nodes[producer];
    nz_op_ctx ctx;
    NZ_TRY(nz_planner_context(planner, producer, &ctx));
    for (size_t i = 0; i < node->input_count; i++) {
        const nz_tensor *known = NULL;
        if (node->inputs[i] == NZ_NO_VALUE) continue;
        NZ_TRY(nz_planner_constant(planner, node->inputs[i], &known));
        ((nz_tensor **)(uintptr_t)ctx.in)[i]->data = known->data;
    }
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == NZ_NO_VALUE) continue;
        nz_tensor *to = &planner->constants[node->outputs[i]];
        if (to->dtype == NZ_DTYPE_NONE) NZ_TRY(nz_tensor_init(to, ctx.out[i].dtype, &ctx.out[i].shape));
        ctx.out[i].data = to->data;
        ctx.out[i].bytes = to->bytes;
    }
    return nz_op_of(node)->run(&ctx);
}

nz_status nz_planner_constant(nz_planner *planner, int value, const nz_tensor **ret_tensor) {
    nz_tensor *kept = &planner->constants[value];
    const nz_value *v = &planner->graph->values[value];
    if (kept->dtype == NZ_DTYPE_NONE) {
        if (v->constant.data)
            NZ_TRY(nz_tensor_share(kept, &v->constant));
        else
            NZ_TRY(compute(planner, value));
    }
    *ret_tensor = kept;
    return NZ_OK;
}

nz_status nz_planner_floats(nz_planner *planner, int value, const float **ret_values, int64_t *ret_count) {
    const nz_tensor *tensor = NULL;
    float *values = NULL;
    NZ_TRY(nz_planner_constant(planner, value, &tensor));
    *ret_count = nz_shape_elements(&tensor->shape);
    if (tensor->dtype == NZ_F32) {
        *ret_values = tensor->data;
        return NZ_OK;
    }
    NZ_TRY(nz_arena_alloc(&planner->arena, &values, (size_t)*ret_count, sizeof *values));
    nz_tensor_to_f32(tensor, values);
    *ret_values = values;
    return NZ_OK;
}
