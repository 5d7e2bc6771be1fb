/* SPDX-License-Identifier: Apache-2.0 */
#include "op/lift.h"

#include "core/text.h"
#include "op/helper.h"

nz_status nz_lift_plain(nz_graph *graph, int node) {
    nz_node_remove_attr(&graph->nodes[node], "consumed_inputs");
    return NZ_OK;
}

nz_status nz_lift_set_input(nz_graph *graph, int node, size_t position, int value) {
    nz_node *n = &graph->nodes[node];
    size_t count = n->input_count > position ? n->input_count : position + 1;
    NZ_AUTO_FREE int *inputs = NULL;
    NZ_TRY(nz_alloc(&inputs, count, sizeof *inputs));
    for (size_t i = 0; i < count; i++) inputs[i] = i < n->input_count ? n->inputs[i] : NZ_NO_VALUE;
    inputs[position] = value;
    return nz_node_set_inputs(n, inputs, count);
}

nz_status nz_lift_add_ints(nz_graph *graph, int *ret_value, const char *name, const int64_t *values, size_t count) {
    NZ_AUTO_TENSOR nz_tensor list = {0};
    NZ_TRY(nz_tensor_init(&list, NZ_I64, &(nz_shape){.rank = 1, .dim = {(int64_t)count}}));
    for (size_t i = 0; i < count; i++) nz_tensor_set_int(&list, (int64_t)i, values[i]);
    return nz_graph_add_constant(graph, ret_value, name, &list);
}

nz_status nz_lift_ints(nz_graph *graph, int node, const char *attribute, size_t position) {
    nz_node *n = &graph->nodes[node];
    const nz_attr *attr = nz_attr_get(n, attribute);
    if (!attr) return NZ_OK;
    if (attr->kind != NZ_ATTR_INTS && attr->kind != NZ_ATTR_INT)
        return nz_node_fail(n, NZ_E_FORMAT, "attribute %s must be a list of integers", attribute);
    NZ_AUTO_FREE char *name = NULL;
    int value = NZ_NO_VALUE;
    NZ_TRY(nz_format(&name, "%s_%s", n->name, attribute));
    NZ_TRY(nz_lift_add_ints(graph, &value, name, attr->u.ints, attr->count));
    NZ_TRY(nz_lift_set_input(graph, node, position, value));
    nz_node_remove_attr(&graph->nodes[node], attribute);
    return NZ_OK;
}

nz_status nz_lift_number(nz_graph *graph, int node, const char *name, double value, size_t position) {
    nz_node *n = &graph->nodes[node];
    nz_dtype dtype = NZ_F32;
    if (n->input_count > 0 && n->inputs[0] != NZ_NO_VALUE && graph->values[n->inputs[0]].dtype != NZ_DTYPE_NONE)
        dtype = graph->values[n->inputs[0]].dtype;
    NZ_AUTO_TENSOR nz_tensor scalar = {0};
    NZ_AUTO_FREE char *full = NULL;
    int index = NZ_NO_VALUE;
    NZ_TRY(nz_tensor_init(&scalar, dtype, &(nz_shape){.rank = 0}));
    nz_tensor_set_real(&scalar, 0, value);
    NZ_TRY(nz_format(&full, "%s_%s", n->name, name));
    NZ_TRY(nz_graph_add_constant(graph, &index, full, &scalar));
    return nz_lift_set_input(graph, node, position, index);
}

nz_status nz_lift_insert(nz_graph *graph, int *ret_index, int node, size_t position, const char *op_type, int extra) {
    NZ_AUTO_FREE char *name = NULL;
    int from = graph->nodes[node].inputs[position], to = NZ_NO_VALUE, added = -1;
    NZ_TRY(nz_format(&name, "%s_%s", graph->nodes[node].name, op_type));
    NZ_TRY(nz_graph_add_value(graph, &to, name, graph->values[from].dtype, &(nz_shape){.rank = -1}));
    NZ_TRY(nz_graph_add_node(graph, &added, op_type, name, (const int[]){from, extra}, extra == NZ_NO_VALUE ? 1 : 2,
                             &to, 1));
    graph->nodes[added].opset = NZ_OPSET;
    graph->nodes[node].inputs[position] = to;
    if (ret_index) *ret_index = added;
    return NZ_OK;
}

/** The rank of a node's input, -1 where it is not known. */
static int rank_of(const nz_graph *graph, const nz_node *node, size_t i) {
    if (i >= node->input_count || node->inputs[i] == NZ_NO_VALUE) return -1;
    return graph->values[node->inputs[i]].shape.rank;
}

nz_status nz_lift_broadcast(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    NZ_TRY(nz_lift_plain(graph, node));
    int64_t axis = nz_attr_int(n, "axis", INT64_MIN), broadcast = nz_attr_int(n, "broadcast", 0);
    if (n->opset >= 7) return NZ_OK;
    nz_node_remove_attr(n, "axis");
    nz_node_remove_attr(n, "broadcast");
    /* Without an axis the old rule aligns the last dimensions, as the new one does. */
    if (!broadcast || axis == INT64_MIN) return NZ_OK;
    int left = rank_of(graph, n, 0), right = rank_of(graph, n, 1);
    if (left < 0 || right < 0)
        return nz_node_fail(n, NZ_E_UNSUPPORTED, "broadcasting along axis %lld needs inputs of known rank",
                            (long long)axis);
    if (axis < 0) axis += left;
    int64_t behind = left - axis - right;
    if (axis < 0 || behind < 0)
        return nz_node_fail(n, NZ_E_SHAPE, "an input of rank %d does not fit into rank %d at axis %lld", right, left,
                            (long long)axis);
    if (behind == 0 || right == 0) return NZ_OK;
    int64_t axes[NZ_MAX_RANK];
    NZ_AUTO_FREE char *name = NULL;
    int value = NZ_NO_VALUE;
    for (int64_t k = 0; k < behind; k++) axes[k] = right + k;
    NZ_TRY(nz_format(&name, "%s_axes", n->name));
    NZ_TRY(nz_lift_add_ints(graph, &value, name, axes, (size_t)behind));
    return nz_lift_insert(graph, NULL, node, 1, "Unsqueeze", value);
}

nz_status nz_lift_coerced(nz_graph *graph, int node) {
    const nz_node *n = &graph->nodes[node];
    if (n->opset >= 13) return NZ_OK;
    if (n->input_count != 1 || n->output_count != 1 || n->inputs[0] == NZ_NO_VALUE || n->outputs[0] == NZ_NO_VALUE)
        return nz_node_fail(n, NZ_E_SHAPE, "one input and one output are needed");
    int64_t axis = nz_attr_int(n, "axis", 1);
    int x = n->inputs[0], rank = graph->values[x].shape.rank;
    if (axis == -1 || (rank >= 0 && axis == rank - 1)) return nz_node_set_int(&graph->nodes[node], "axis", -1);
    int flat = -1, shape = -1, done = -1, added = -1;
    nz_dtype dtype = graph->values[x].dtype;
    NZ_AUTO_FREE char *y = NULL;
    NZ_TRY(nz_strdup(&y, graph->values[n->outputs[0]].name));
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
