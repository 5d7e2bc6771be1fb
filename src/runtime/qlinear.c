/* SPDX-License-Identifier: Apache-2.0 */
/* QLinearConv and QLinearMatMul are spelled as Q/DQ around Conv and MatMul, which the planner turns into 8-bit kernels. */
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "runtime/planner.h"

/* Where a node keeps its operands: data, scale, zero point of both factors, scale and zero point of the result, bias. */
enum { A = 0, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO, BIAS };

static const nz_tensor *constant(const nz_graph *graph, const nz_node *node, size_t input) {
    if (input >= node->input_count || node->inputs[input] == NZ_NO_VALUE) return NULL;
    const nz_tensor *t = &graph->values[node->inputs[input]].constant;
    return t->data ? t : NULL;
}

static bool is_single(const nz_tensor *t) { return t && nz_shape_elements(&t->shape) == 1; }

/* One scale for the whole, or one per output channel (axis) of the weights; everything known now. */
static bool expands(const nz_graph *graph, const nz_node *node, int axis) {
    const nz_tensor *weights = constant(graph, node, B), *scales = constant(graph, node, B_SCALE),
                    *zeros = constant(graph, node, B_ZERO);
    if (node->input_count < BIAS || !weights || !scales || !zeros || weights->shape.rank < 2) return false;
    if (!is_single(constant(graph, node, A_SCALE)) || !is_single(constant(graph, node, A_ZERO))) return false;
    if (!is_single(constant(graph, node, Y_SCALE)) || !is_single(constant(graph, node, Y_ZERO))) return false;
    if (scales->dtype != NZ_F32 || constant(graph, node, A_SCALE)->dtype != NZ_F32 ||
        constant(graph, node, Y_SCALE)->dtype != NZ_F32)
        return false;
    int64_t count = nz_shape_elements(&scales->shape);
    if (count != nz_shape_elements(&zeros->shape) || (count != 1 && count != weights->shape.dim[axis])) return false;
    return node->input_count <= BIAS || node->inputs[BIAS] == NZ_NO_VALUE || constant(graph, node, BIAS);
}

static nz_status add_dequantise(nz_graph *graph, int *ret_value, const int *inputs, int axis) {
    nz_shape shape = graph->values[inputs[0]].shape;
    int node = -1;
    NZ_TRY(nz_graph_add_value(graph, ret_value, graph->values[inputs[0]].name, NZ_F32, &shape));
    NZ_TRY(nz_graph_add_node(graph, &node, "DequantizeLinear", "", inputs, 3, ret_value, 1));
    graph->nodes[node].opset = NZ_OPSET;
    return nz_node_set_int(&graph->nodes[node], "axis", axis);
}

/* The bias counts in products of the two scales. */
static nz_status add_bias(nz_graph *graph, int node, int *ret_value) {
    const nz_node *n = &graph->nodes[node];
    const nz_tensor *bias = constant(graph, n, BIAS), *scales = constant(graph, n, B_SCALE);
    double scale = nz_tensor_real(constant(graph, n, A_SCALE), 0);
    int64_t count = nz_shape_elements(&scales->shape);
    NZ_AUTO_TENSOR nz_tensor real = {0};
    NZ_TRY(nz_tensor_init(&real, NZ_F32, &bias->shape));
    for (int64_t i = 0; i < nz_shape_elements(&bias->shape); i++)
        nz_tensor_set_real(&real, i,
                           (double)nz_tensor_int(bias, i) * scale * nz_tensor_real(scales, count > 1 ? i : 0));
    return nz_graph_add_constant(graph, ret_value, "bias", &real);
}

static nz_status expand(nz_graph *graph, int node, const char *op_type, int axis) {
    int inputs[BIAS], factors[3], result = -1, added = -1;
    size_t count = 2;
    memcpy(inputs, graph->nodes[node].inputs, sizeof inputs);
    NZ_TRY(add_dequantise(graph, &factors[0], &inputs[A], 0));
    NZ_TRY(add_dequantise(graph, &factors[1], &inputs[B], axis));
    if (constant(graph, &graph->nodes[node], BIAS)) NZ_TRY(add_bias(graph, node, &factors[count++]));
    nz_shape shape = graph->values[graph->nodes[node].outputs[0]].shape;
    NZ_TRY(nz_graph_add_value(graph, &result, graph->nodes[node].name, NZ_F32, &shape));
    NZ_TRY(nz_graph_add_node(graph, &added, op_type, graph->nodes[node].name, factors, count, &result, 1));
    graph->nodes[added].opset = NZ_OPSET;
    for (size_t i = 0; i < graph->nodes[node].attr_count; i++)
        NZ_TRY(nz_node_copy_attr(&graph->nodes[added], &graph->nodes[node].attrs[i]));
    while (graph->nodes[node].attr_count) nz_node_remove_attr(&graph->nodes[node], graph->nodes[node].attrs[0].name);
    NZ_TRY(nz_node_set_op(&graph->nodes[node], "QuantizeLinear"));
    return nz_node_set_inputs(&graph->nodes[node], (int[]){result, inputs[Y_SCALE], inputs[Y_ZERO]}, 3);
}

nz_status nz_expand_qlinear(nz_graph *graph) {
    size_t count = graph->node_count;
    for (size_t n = 0; n < count; n++) {
        const nz_node *node = &graph->nodes[n];
        if (!nz_op_of(node) || *node->domain) continue;
        if (strcmp(node->op_type, "QLinearConv") == 0 && expands(graph, node, 0)) {
            NZ_TRY(expand(graph, (int)n, "Conv", 0));
        } else if (strcmp(node->op_type, "QLinearMatMul") == 0 && node->input_count == BIAS &&
                   expands(graph, node, 1) && constant(graph, node, B)->shape.rank == 2) {
            NZ_TRY(expand(graph, (int)n, "MatMul", 1));
        }
    }
    return NZ_OK;
}
