/* SPDX-License-Identifier: Apache-2.0 */
/* Values that are known when planning: weights behind DequantizeLinear or Cast, decoded once. */
#include <string.h>

#include "core/error.h"
#include "runtime/planner.h"

bool nz_planner_is_constant(const nz_planner *planner, int value) {
    const nz_graph *graph = planner->graph;
    if (value < 0) return false;
    const nz_value *v = &graph->values[value];
    if (v->constant.data) return true;
    if (v->producer < 0) return false;
    const nz_node *node = &graph->nodes[v->producer];
    bool any = false;
    for (size_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == NZ_NO_VALUE) continue;
        any = true;
        if (!nz_planner_is_constant(planner, node->inputs[i])) return false;
    }
    return any && nz_op_of(node) && nz_op_of(node)->run;
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
