/* SPDX-License-Identifier: Apache-2.0 */
/* Models that were exported for one sample: their batch is opened, in the input and in Reshapes that spell it out. */
#include <string.h>

#include "core/error.h"
#include "train/plan.h"

/* depends[v]: the value follows from the model's input. */
static void find_dependent(const nz_graph *graph, bool *depends) {
    depends[graph->inputs[0]] = true;
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        bool any = false;
        for (size_t i = 0; i < node->input_count; i++) any |= node->inputs[i] >= 0 && depends[node->inputs[i]];
        for (size_t o = 0; o < node->output_count; o++)
            if (node->outputs[o] >= 0) depends[node->outputs[o]] = any;
    }
}

/* The constant shape of a Reshape whose first extent is 1; NULL for any other node. */
static const nz_tensor *shape_of_one(const nz_graph *graph, const nz_node *node, const bool *depends) {
    if (!nz_lower_is(node, "Reshape") || node->input_count != 2 || node->inputs[0] < 0 || !depends[node->inputs[0]] ||
        !nz_value_is_constant(graph, node->inputs[1]))
        return NULL;
    const nz_tensor *shape = &graph->values[node->inputs[1]].constant;
    return shape->dtype == NZ_I64 && nz_shape_elements(&shape->shape) > 0 && nz_tensor_int(shape, 0) == 1 ? shape
                                                                                                          : NULL;
}

/* The first extent follows from the others, or, where another one does already, is the input's. */
static nz_status open_shape(nz_graph *graph, size_t n, const nz_tensor *shape) {
    NZ_AUTO_TENSOR nz_tensor opened = {0};
    NZ_AUTO_FREE char *name = NULL;
    int64_t first = -1;
    int value = -1;
    NZ_TRY(nz_strdup(&name, graph->values[graph->nodes[n].inputs[1]].name));
    NZ_TRY(nz_tensor_init(&opened, NZ_I64, &shape->shape));
    for (int64_t i = 1; i < nz_shape_elements(&shape->shape); i++) {
        int64_t extent = nz_tensor_int(shape, i);
        nz_tensor_set_int(&opened, i, extent);
        if (extent == -1) first = 0;
    }
    if (first == 0 && nz_attr_int(&graph->nodes[n], "allowzero", 0)) return NZ_OK;
    nz_tensor_set_int(&opened, 0, first);
    NZ_TRY(nz_graph_add_constant(graph, &value, name, &opened));
    graph->nodes[n].inputs[1] = value;
    return NZ_OK;
}

nz_status nz_engine_open_batch(nz_graph *graph) {
    NZ_AUTO_FREE bool *depends = NULL;
    NZ_TRY(nz_alloc(&depends, graph->value_count, sizeof *depends));
    find_dependent(graph, depends);
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_tensor *shape = shape_of_one(graph, &graph->nodes[n], depends);
        if (shape) NZ_TRY(open_shape(graph, n, shape));
    }
    graph->values[graph->inputs[0]].shape.dim[0] = -1;
    return NZ_OK;
}
