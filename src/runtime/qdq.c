/* SPDX-License-Identifier: Apache-2.0 */
/* Moves DequantizeLinear behind operators that only move or select elements, so that they work on 8 bits. */
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "op/op.h"
#include "runtime/planner.h"

static bool is_op(const nz_node *node, const char *op_type) {
    return node->op_type && strcmp(node->op_type, op_type) == 0 && node->domain && !*node->domain && !node->unsupported;
}

static const nz_tensor *scalar(const nz_graph *graph, const nz_node *node, size_t input) {
    if (input >= node->input_count || node->inputs[input] == NZ_NO_VALUE) return NULL;
    const nz_value *v = &graph->values[node->inputs[input]];
    return v->constant.data && nz_shape_elements(&v->constant.shape) == 1 ? &v->constant : NULL;
}

bool nz_read_qdq(nz_quant *ret_quant, const nz_graph *graph, const nz_node *node) {
    bool quantises = is_op(node, "QuantizeLinear");
    if (!quantises && !is_op(node, "DequantizeLinear")) return false;
    int coded = quantises ? node->outputs[0] : node->inputs[0], real = quantises ? node->inputs[0] : node->outputs[0];
    const nz_tensor *scale = scalar(graph, node, 1), *zero = scalar(graph, node, 2);
    bool has_zero = node->input_count > 2 && node->inputs[2] != NZ_NO_VALUE;
    nz_dtype dtype = graph->values[coded].dtype;
    if (!scale || (has_zero && !zero) || (dtype != NZ_U8 && dtype != NZ_I8) || graph->values[real].dtype != NZ_F32)
        return false;
    float s = (float)nz_tensor_real(scale, 0);
    if (!(s > 0) || s > 3e38F) return false;
    *ret_quant = (nz_quant){s, zero ? (int32_t)nz_tensor_int(zero, 0) : 0};
    return true;
}

/* The DequantizeLinear of computed data that makes a value; NULL where it is made otherwise. */
static const nz_node *dequantiser(const nz_graph *graph, int value, nz_quant *ret_quant) {
    if (value < 0 || graph->values[value].producer < 0) return NULL;
    const nz_node *node = &graph->nodes[graph->values[value].producer];
    if (!is_op(node, "DequantizeLinear") || graph->values[node->inputs[0]].constant.data) return NULL;
    return nz_read_qdq(ret_quant, graph, node) ? node : NULL;
}

/* Whether the node computes the same on 8-bit codes as on what they stand for. */
static bool moves(const nz_graph *graph, const nz_node *node, nz_dtype coded) {
    const nz_op *op = nz_op_of(node);
    if (!op || (!(op->flags & NZ_OP_MOVES_DATA) && !nz_op_keeps_range(node)) ||
        (op->types && !(op->types & NZ_TYPE_BIT(coded))))
        return false;
    if (is_op(node, "Pad") || is_op(node, "CenterCropPad") || is_op(node, "Concat") || is_op(node, "Where"))
        return false;                              /* see below; others bring a second value */
    for (size_t i = 1; i < node->input_count; i++) /* a second tensor of data would have to be coded too */
        if (node->inputs[i] != NZ_NO_VALUE && !graph->values[node->inputs[i]].constant.data &&
            graph->values[node->inputs[i]].dtype == NZ_F32)
            return false;
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != NZ_NO_VALUE && graph->values[node->outputs[i]].dtype != NZ_F32) return false;
    return node->output_count > 0;
}

static bool zero_pad(const nz_graph *graph, const nz_node *node) {
    if (!is_op(node, "Pad") || strcmp(nz_attr_string(node, "mode", "constant"), "constant") != 0) return false;
    const nz_tensor *value = scalar(graph, node, 2);
    bool given = node->input_count > 2 && node->inputs[2] != NZ_NO_VALUE;
    return !given || (value && nz_tensor_real(value, 0) == 0);
}

static bool same_concat(const nz_graph *graph, const nz_node *node) {
    nz_quant first, next;
    if (!is_op(node, "Concat") || node->input_count < 1 || !dequantiser(graph, node->inputs[0], &first)) return false;
    nz_dtype dtype = graph->values[dequantiser(graph, node->inputs[0], &first)->inputs[0]].dtype;
    for (size_t i = 1; i < node->input_count; i++) {
        const nz_node *dq = dequantiser(graph, node->inputs[i], &next);
        if (!dq || next.scale != first.scale || next.zero_point != first.zero_point ||
            graph->values[dq->inputs[0]].dtype != dtype)
            return false;
    }
    return true;
}

/* Output `i` of the node becomes coded; a DequantizeLinear like `dq` (node index) then makes the value it was. */
static nz_status recode_output(nz_graph *graph, int node, size_t i, int dq) {
    int real = graph->nodes[node].outputs[i], coded = -1;
    if (real == NZ_NO_VALUE) return NZ_OK;
    const nz_node *model = &graph->nodes[dq];
    nz_dtype dtype = graph->values[model->inputs[0]].dtype;
    nz_shape shape = graph->values[real].shape; /* adding a value moves the others */
    NZ_TRY(nz_graph_add_value(graph, &coded, graph->values[real].name, dtype, &shape));
    int inputs[3] = {coded, model->inputs[1], model->input_count > 2 ? model->inputs[2] : NZ_NO_VALUE};
    size_t count = model->input_count;
    graph->nodes[node].outputs[i] = coded;
    graph->values[coded].producer = node;
    return nz_graph_add_node(graph, NULL, "DequantizeLinear", graph->values[real].name, inputs, count, &real, 1);
}

static nz_status move_behind(nz_graph *graph, int node, bool pad, bool concat) {
    size_t count = graph->nodes[node].input_count;
    nz_quant quant;
    int dq = graph->values[graph->nodes[node].inputs[0]].producer;
    NZ_AUTO_FREE int *inputs = NULL;
    NZ_TRY(nz_alloc(&inputs, count + 3, sizeof *inputs));
    for (size_t i = 0; i < count; i++) inputs[i] = graph->nodes[node].inputs[i];
    for (size_t i = 0; i < (concat ? count : 1); i++) inputs[i] = dequantiser(graph, inputs[i], &quant)->inputs[0];
    if (pad) { /* zeros are the zero point's code */
        nz_shape shape = {0};
        NZ_AUTO_TENSOR nz_tensor zero = {0};
        NZ_TRY(nz_tensor_init(&zero, graph->values[inputs[0]].dtype, &shape));
        nz_tensor_set_int(&zero, 0, quant.zero_point);
        for (; count < 3; count++) inputs[count] = NZ_NO_VALUE;
        NZ_TRY(nz_graph_add_constant(graph, &inputs[2], "pad_code", &zero));
    }
    NZ_TRY(nz_node_set_inputs(&graph->nodes[node], inputs, count));
    for (size_t i = 0; i < graph->nodes[node].output_count; i++) NZ_TRY(recode_output(graph, node, i, dq));
    return NZ_OK;
}

/* Q(DQ(x)) is x where the parameters are the same. */
static void cancel(nz_graph *graph, int node) {
    nz_quant from, to;
    const nz_node *q = &graph->nodes[node];
    if (!is_op(q, "QuantizeLinear") || !nz_read_qdq(&to, graph, q)) return;
    const nz_node *dq = dequantiser(graph, q->inputs[0], &from);
    if (!dq || from.scale != to.scale || from.zero_point != to.zero_point) return;
    if (graph->values[dq->inputs[0]].dtype != graph->values[q->outputs[0]].dtype ||
        nz_graph_is_output(graph, q->outputs[0]))
        return;
    nz_graph_redirect(graph, q->outputs[0], dq->inputs[0]);
}

nz_status nz_move_qdq(nz_graph **ret_graph, const nz_graph *graph) {
    NZ_AUTO_GRAPH nz_graph *moved = NULL;
    NZ_TRY(nz_graph_clone(&moved, graph));
    NZ_TRY(nz_expand_qlinear(moved));
    size_t count = moved->node_count; /* those appended below need no visit: they are DequantizeLinear */
    for (size_t n = 0; n < count; n++) {
        nz_quant quant;
        const nz_node *node = &moved->nodes[n];
        if (is_op(node, "QuantizeLinear")) {
            cancel(moved, (int)n);
            continue;
        }
        const nz_node *dq = node->input_count ? dequantiser(moved, node->inputs[0], &quant) : NULL;
        if (!dq) continue;
        bool pad = zero_pad(moved, node), concat = same_concat(moved, node);
        if (pad || concat || moves(moved, node, moved->values[dq->inputs[0]].dtype))
            NZ_TRY(move_behind(moved, (int)n, pad, concat));
    }
    NZ_TRY(nz_graph_finish(moved));
    *ret_graph = NZ_STEAL(moved);
    return NZ_OK;
}
