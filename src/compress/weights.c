/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/weights.h"

#include <stdlib.h>
#include <string.h>

#include "compress/pattern.h"
#include "core/error.h"
#include "graph/build.h"
#include "op/op.h"

/* The constant that a weight input comes from, NZ_NO_VALUE where it is computed from the model's input or is stored as an
 * integer, which *ret_quantised tells. */
static int find_origin(bool *ret_quantised, const nz_graph *graph, int value) {
    *ret_quantised = false;
    while (value >= 0 && !nz_value_is_constant(graph, value)) {
        int producer = graph->values[value].producer;
        if (producer < 0) return NZ_NO_VALUE;
        const nz_node *node = &graph->nodes[producer];
        const nz_op *op = nz_op_of(node);
        *ret_quantised = strcmp(node->op_type, "DequantizeLinear") == 0 && nz_value_is_constant(graph, node->inputs[0]);
        bool passes = op && ((op->flags & NZ_OP_MOVES_DATA) || strcmp(node->op_type, "Cast") == 0);
        if (*ret_quantised || !passes || node->input_count < 1) return NZ_NO_VALUE;
        value = node->inputs[0];
    }
    return value >= 0 ? value : NZ_NO_VALUE;
}

static bool is_layer(const nz_node *node, bool linear) {
    const nz_op *op = nz_op_of(node);
    if (!op || !(op->flags & NZ_OP_HAS_MACS) || node->input_count < 2) return false;
    if (op->flags & NZ_OP_IS_CONV) return true;
    return linear && (strcmp(node->op_type, "Gemm") == 0 || strcmp(node->op_type, "MatMul") == 0);
}

nz_status nz_weights_list(nz_weight_list *ret_list, const nz_graph *graph, bool linear, const char *exclude) {
    NZ_AUTO_FREE nz_weight *items = NULL;
    NZ_AUTO_FREE bool *seen = NULL;
    NZ_TRY(nz_alloc(&items, graph->node_count, sizeof *items));
    NZ_TRY(nz_alloc(&seen, graph->value_count, sizeof *seen));
    size_t count = 0;
    bool quantised;
    for (size_t n = 0; n < graph->node_count; n++) { /* what an excluded layer shares with another is left alone too */
        const nz_node *node = &graph->nodes[n];
        if (!is_layer(node, true) || !nz_node_matches(node, exclude)) continue;
        int value = find_origin(&quantised, graph, node->inputs[1]);
        if (value >= 0) seen[value] = true;
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        if (!is_layer(node, linear) || nz_node_matches(node, exclude)) continue;
        int value = find_origin(&quantised, graph, node->inputs[1]);
        if (quantised)
            return nz_fail(NZ_E_UNSUPPORTED,
                           "node %s: its weights are quantised already; compress the float model instead", node->name);
        if (value < 0 || seen[value] || !nz_dtype_get(graph->values[value].dtype)->is_float) continue;
        seen[value] = true;
        items[count++] = (nz_weight){.node = (int)n, .value = value};
    }
    *ret_list = (nz_weight_list){.count = count, .items = NZ_STEAL(items)};
    return NZ_OK;
}

nz_status nz_weights_widen(nz_graph *graph) {
    bool any = false;
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        if (strcmp(node->op_type, "Cast") != 0 || *node->domain || !nz_value_is_constant(graph, node->inputs[0]) ||
            graph->values[node->outputs[0]].dtype != NZ_F32 || nz_graph_is_output(graph, node->outputs[0]))
            continue;
        const nz_tensor *stored = &graph->values[node->inputs[0]].constant;
        if (stored->dtype != NZ_F16 && stored->dtype != NZ_BF16) continue;
        NZ_AUTO_TENSOR nz_tensor wide = {0};
        NZ_TRY(nz_tensor_init(&wide, NZ_F32, &stored->shape));
        nz_tensor_to_f32(stored, wide.data);
        NZ_TRY(nz_graph_set_constant(graph, node->outputs[0], &wide));
        nz_graph_drop_node(graph, (int)n);
        any = true;
    }
    return any ? nz_graph_finish(graph) : NZ_OK;
}
