/* SPDX-License-Identifier: Apache-2.0 */
/* The bit width rule of metrics.md: from the file alone, never from the runtime. */
#include <string.h>

#include "metric/trace.h"

static int bits(nz_dtype type) { return nz_dtype_get(type)->bits; }

/* The wider type; of equal widths the floating one, so that a node counts as floating where any widest operand is. */
static nz_dtype wider(nz_dtype a, nz_dtype b) {
    if (bits(a) != bits(b)) return bits(a) > bits(b) ? a : b;
    return nz_dtype_get(b)->is_float && !nz_dtype_get(a)->is_float ? b : a;
}

static nz_dtype origin_type(const nz_graph *graph, int value) {
    return graph->values[nz_trace_origin(graph, value)].dtype;
}

static bool is_op(const nz_node *node, const char *op) { return !*node->domain && strcmp(node->op_type, op) == 0; }

static bool has_macs(const nz_node *node) {
    const nz_param_inputs *inputs = nz_param_inputs_of(node);
    const nz_op *op = nz_op_find(node->domain, node->op_type);
    return (inputs && inputs->operands) || (op && (op->flags & NZ_OP_HAS_MACS));
}

static nz_width of_macs(const nz_graph *graph, const nz_node *node) {
    const nz_param_inputs *inputs = nz_param_inputs_of(node);
    nz_width w = {0};
    nz_dtype operands[8];
    size_t count = 0, constants = 0;
    bool constant[8] = {false};
    for (size_t i = 0; i < node->input_count && count < NZ_COUNT(operands); i++) {
        bool operand = inputs && inputs->operands ? i < 32 && (inputs->operands >> i & 1u) : i < 2;
        if (!operand || node->inputs[i] == NZ_NO_VALUE) continue;
        int origin = nz_trace_origin(graph, node->inputs[i]);
        constant[count] = nz_value_is_constant(graph, origin);
        constants += constant[count];
        operands[count++] = graph->values[origin].dtype;
    }
    for (size_t i = 0; i < count; i++) {
        if (bits(operands[i]) == 0) return (nz_width){0};
        w.type = wider(w.type, operands[i]);
        /* The weight is what is constant; of two activations, the second. */
        bool weight = constants > 0 && constants < count ? constant[i] : i > 0;
        if (weight)
            w.weight = wider(w.weight, operands[i]);
        else
            w.activation = wider(w.activation, operands[i]);
        if (constant[i]) w.stored = wider(w.stored, operands[i]);
    }
    if (w.weight == NZ_DTYPE_NONE) w.weight = w.activation;
    if (w.stored == NZ_DTYPE_NONE) w.stored = w.type;
    return w;
}

/* Longer than any decomposed activation; without an end a file of one long chain would take the square of its length. */
enum { CHAIN_MOST = 64 };

/* The type of the QuantizeLinear that `value` reaches through nodes with a single consumer and no MACs, else NONE. */
static nz_dtype quantised_to(const nz_graph *graph, const nz_readers *readers, int value) {
    for (int steps = 0; steps < CHAIN_MOST; steps++) {
        int reader = readers->first[value];
        if (readers->count[value] != 1 || reader < 0) return NZ_DTYPE_NONE;
        const nz_node *node = &graph->nodes[reader];
        if (node->output_count == 0 || node->outputs[0] == NZ_NO_VALUE || has_macs(node)) return NZ_DTYPE_NONE;
        value = node->outputs[0];
        if (is_op(node, "QuantizeLinear"))
            return node->inputs[0] == NZ_NO_VALUE ? NZ_DTYPE_NONE : graph->values[value].dtype;
    }
    return NZ_DTYPE_NONE;
}

static nz_dtype widest_input(const nz_graph *graph, const nz_node *node) {
    const nz_op *op = nz_op_find(node->domain, node->op_type);
    nz_dtype widest = NZ_DTYPE_NONE;
    for (size_t i = 0; i < node->input_count; i++) {
        /* Axes, shapes and counts tell the operator what to do; they are not what it computes with. */
        bool instruction = op && i < 32 && (op->plan_inputs >> i & 1u);
        if (node->inputs[i] == NZ_NO_VALUE || instruction) continue;
        nz_dtype type = origin_type(graph, node->inputs[i]);
        if (bits(type) == 0) return NZ_DTYPE_NONE;
        widest = wider(widest, type);
    }
    return widest;
}

nz_width nz_width_of(const nz_graph *graph, const nz_readers *readers, int index) {
    const nz_node *node = &graph->nodes[index];
    if (has_macs(node)) return of_macs(graph, node);
    nz_width w = {0};
    if (node->output_count && node->outputs[0] != NZ_NO_VALUE) w.type = quantised_to(graph, readers, node->outputs[0]);
    if (w.type == NZ_DTYPE_NONE) w.type = widest_input(graph, node);
    w.stored = w.type;
    return w;
}
