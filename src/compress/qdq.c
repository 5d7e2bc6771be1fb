/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/qdq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compress/pattern.h"
#include "core/error.h"
#include "core/text.h"
#include "op/op.h"

/* Operators that compute on integers as well as on floats, beside those that only move data. */
typedef enum role { ROLE_NONE, ROLE_LAYER, ROLE_COMPUTES, ROLE_KEEPS_RANGE, ROLE_JOINS, ROLE_ACTIVATION } role;

static role role_of(const nz_node *node) {
    static const struct {
        const char *op;
        role role;
    } roles[] = {
        {"Conv", ROLE_LAYER},           {"ConvTranspose", ROLE_LAYER},
        {"Gemm", ROLE_LAYER},           {"MatMul", ROLE_LAYER},
        {"Add", ROLE_COMPUTES},         {"AveragePool", ROLE_COMPUTES},
        {"Concat", ROLE_JOINS},         {"GlobalAveragePool", ROLE_COMPUTES},
        {"Relu", ROLE_ACTIVATION},      {"Clip", ROLE_ACTIVATION},
        {"LeakyRelu", ROLE_ACTIVATION},
    };
    for (size_t i = 0; i < NZ_COUNT(roles); i++)
        if (strcmp(node->op_type, roles[i].op) == 0) return roles[i].role;
    return nz_op_keeps_range(node) ? ROLE_KEEPS_RANGE : ROLE_NONE;
}

bool nz_qdq_keeps_range(const nz_node *node) { return role_of(node) == ROLE_KEEPS_RANGE; }

bool nz_qdq_leaves(const nz_qleft *left, const nz_graph *graph, size_t n) {
    if (!left) return false;
    return (left->nodes && n < left->count && left->nodes[n]) || nz_node_matches(&graph->nodes[n], left->patterns);
}

bool nz_qdq_is_layer(const nz_node *node) { return role_of(node) == ROLE_LAYER; }

/* The float constant behind a weight input: itself, or what a Cast of half-precision storage reads. */
static int weight_constant(const nz_graph *graph, int value) {
    if (value < 0) return NZ_NO_VALUE;
    int producer = graph->values[value].producer;
    if (producer >= 0 && strcmp(graph->nodes[producer].op_type, "Cast") == 0) value = graph->nodes[producer].inputs[0];
    bool usable = nz_value_is_constant(graph, value) && nz_dtype_get(graph->values[value].dtype)->is_float;
    return usable ? value : NZ_NO_VALUE;
}

/* false where the node cannot run in integers as it stands. */
static bool describe_layer(nz_qlayer *ret_layer, const nz_graph *graph, size_t n) {
    const nz_node *node = &graph->nodes[n];
    if (node->input_count < 2 || !nz_op_of(node)) return false;
    nz_qlayer layer = {.node = (int)n, .input = node->inputs[0], .bias = NZ_NO_VALUE};
    layer.weight = weight_constant(graph, node->inputs[1]);
    if (layer.weight < 0 || nz_value_is_constant(graph, layer.input) || graph->values[layer.input].dtype != NZ_F32)
        return false;
    int rank = graph->values[layer.weight].shape.rank;
    if (strcmp(node->op_type, "Gemm") == 0) {
        if (nz_attr_float(node, "alpha", 1) != 1 || nz_attr_float(node, "beta", 1) != 1) return false;
        layer.axis = nz_attr_int(node, "transB", 0) ? 0 : 1;
    } else if (strcmp(node->op_type, "MatMul") == 0) {
        if (rank != 2) return false;
        layer.axis = 1;
    } else {
        layer.axis = strcmp(node->op_type, "ConvTranspose") == 0 ? 1 : 0;
    }
    if (node->input_count > 2 && node->inputs[2] >= 0) layer.bias = node->inputs[2];
    *ret_layer = layer;
    return true;
}

/* true where the value, or the activation function that alone reads it, is quantised. */
static bool leads_to_integers(const nz_graph *graph, const bool *wanted, int value) {
    int reader = -1;
    while (value >= 0 && !wanted[value]) {
        if (nz_graph_consumers(graph, value, &reader) != 1 || role_of(&graph->nodes[reader]) != ROLE_ACTIVATION)
            return false;
        value = graph->nodes[reader].outputs[0];
    }
    return value >= 0;
}

static void want(const nz_graph *graph, bool *wanted, int value) {
    if (value >= 0 && !nz_value_is_constant(graph, value) && graph->values[value].dtype == NZ_F32) wanted[value] = true;
}

/* From the outputs backwards: who feeds a quantised value is asked for quantised inputs where it can compute on them. */
static nz_status choose_activations(nz_qplan *plan, const nz_graph *graph, const nz_qleft *left, bool *wanted) {
    NZ_TRY(nz_alloc(&plan->layers, graph->node_count, sizeof *plan->layers));
    for (size_t n = graph->node_count; n-- > 0;) {
        const nz_node *node = &graph->nodes[n];
        role r = role_of(node);
        if (r == ROLE_NONE || r == ROLE_ACTIVATION || nz_qdq_leaves(left, graph, n)) continue;
        if (r == ROLE_LAYER) {
            if (!describe_layer(&plan->layers[plan->layer_count], graph, n)) continue;
            want(graph, wanted, plan->layers[plan->layer_count++].input);
        } else if (node->output_count > 0 && leads_to_integers(graph, wanted, node->outputs[0])) {
            size_t data_inputs = r == ROLE_KEEPS_RANGE ? 1 : node->input_count;
            for (size_t i = 0; i < data_inputs; i++) want(graph, wanted, node->inputs[i]);
        }
    }
    for (size_t i = 0; i < plan->layer_count / 2; i++) { /* they were found from the last to the first */
        nz_qlayer kept = plan->layers[i];
        plan->layers[i] = plan->layers[plan->layer_count - 1 - i];
        plan->layers[plan->layer_count - 1 - i] = kept;
    }
    return NZ_OK;
}

static int root(const int *parents, int i) {
    while (parents[i] != i) i = parents[i];
    return i;
}

static void join(int *parents, const int *places, int a, int b) {
    if (a < 0 || b < 0 || places[a] < 0 || places[b] < 0) return;
    int ra = root(parents, places[a]), rb = root(parents, places[b]);
    if (ra < rb) parents[rb] = ra;
    if (rb < ra) parents[ra] = rb;
}

static nz_status group_activations(nz_qplan *plan, const nz_graph *graph, const bool *wanted) {
    NZ_AUTO_FREE int *places = NULL;
    NZ_TRY(nz_alloc(&places, graph->value_count, sizeof *places));
    NZ_TRY(nz_alloc(&plan->activations, graph->value_count, sizeof *plan->activations));
    NZ_TRY(nz_alloc(&plan->groups, graph->value_count, sizeof *plan->groups));
    for (size_t v = 0; v < graph->value_count; v++) {
        places[v] = wanted[v] ? (int)plan->activation_count : -1;
        if (!wanted[v]) continue;
        plan->groups[plan->activation_count] = (int)plan->activation_count;
        plan->activations[plan->activation_count++] = (int)v;
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        role r = role_of(node);
        if (r == ROLE_KEEPS_RANGE && node->input_count > 0)
            join(plan->groups, places, node->inputs[0], node->outputs[0]);
        for (size_t i = 0; r == ROLE_JOINS && i < node->input_count; i++)
            if (node->inputs[i] >= 0 && nz_graph_consumers(graph, node->inputs[i], NULL) == 1)
                join(plan->groups, places, node->inputs[i], node->outputs[0]);
    }
    for (size_t i = 0; i < plan->activation_count; i++) plan->groups[i] = root(plan->groups, (int)i);
    return NZ_OK;
}

nz_status nz_qplan_make(nz_qplan *ret_plan, const nz_graph *graph, const nz_qleft *left) {
    NZ_AUTO_FREE bool *wanted = NULL;
    NZ_AUTO(nz_qplan_done) nz_qplan plan = {0};
    NZ_TRY(nz_alloc(&wanted, graph->value_count, sizeof *wanted));
    NZ_TRY(choose_activations(&plan, graph, left, wanted));
    NZ_TRY(group_activations(&plan, graph, wanted));
    *ret_plan = plan;
    plan = (nz_qplan){0};
    return NZ_OK;
}

void nz_qplan_done(nz_qplan *plan) {
    free(plan->layers);
    free(plan->activations);
    free(plan->groups);
    *plan = (nz_qplan){0};
}

nz_status nz_qplan_check(const nz_qplan *plan) {
    if (plan->layer_count > 0) return NZ_OK;
    return nz_fail(NZ_E_UNSUPPORTED,
                   "the model has no convolution or linear layer with constant float weights to quantise");
}

size_t nz_qplan_place(const nz_qplan *plan, int value) {
    size_t i = 0;
    while (i < plan->activation_count && plan->activations[i] != value) i++;
    return i;
}

nz_status nz_qdq_refuse_quantised(const nz_graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++)
        if (strcmp(graph->nodes[n].op_type, "QuantizeLinear") == 0)
            return nz_fail(NZ_E_UNSUPPORTED,
                           "the model is quantised already (node %s); compress the float model instead",
                           graph->nodes[n].name);
    return NZ_OK;
}

static nz_status add_named(nz_graph *graph, int *ret_index, const char *base, const char *suffix,
                           const nz_tensor *tensor) {
    NZ_AUTO_FREE char *name = NULL;
    NZ_TRY(nz_format(&name, "%s_%s", base, suffix));
    return nz_graph_add_constant(graph, ret_index, name, tensor);
}

/* The scale and zero-point constants of a parameter set: scalars per tensor, vectors per channel. */
static nz_status add_params(nz_graph *graph, int ret_values[2], const char *base, const nz_qparams *p) {
    nz_shape shape = {.rank = p->count > 1 ? 1 : 0, .dim = {(int64_t)p->count}};
    NZ_AUTO_TENSOR nz_tensor scale = {0}, zero = {0};
    NZ_TRY(nz_tensor_init(&scale, NZ_F32, &shape));
    NZ_TRY(nz_tensor_init(&zero, p->dtype, &shape));
    memcpy(scale.data, p->scales, p->count * sizeof *p->scales);
    for (size_t i = 0; i < p->count; i++) nz_tensor_set_int(&zero, (int64_t)i, p->zero_point);
    NZ_TRY(add_named(graph, &ret_values[0], base, "scale", &scale));
    return add_named(graph, &ret_values[1], base, "zero_point", &zero);
}

static nz_status add_converter(nz_graph *graph, int *ret_value, const char *op, const char *base, const char *suffix,
                               int input, const int params[2], const nz_qparams *p, nz_dtype dtype,
                               const nz_shape *shape) {
    NZ_AUTO_FREE char *name = NULL;
    int node = 0, inputs[3] = {input, params[0], params[1]};
    NZ_TRY(nz_format(&name, "%s_%s", base, suffix));
    NZ_TRY(nz_graph_add_value(graph, ret_value, name, dtype, shape));
    NZ_TRY(nz_graph_add_node(graph, &node, op, name, inputs, 3, ret_value, 1));
    return p->count > 1 ? nz_node_set_int(&graph->nodes[node], "axis", p->axis) : NZ_OK;
}

nz_status nz_qdq_pair(nz_graph *graph, int *ret_value, int value, const nz_qparams *params, int constants[2]) {
    NZ_AUTO_FREE char *base = NULL;
    NZ_TRY(nz_strdup(&base, graph->values[value].name));
    nz_shape shape = graph->values[value].shape;
    int quantised = 0;
    if (constants[0] < 0) NZ_TRY(add_params(graph, constants, base, params));
    NZ_TRY(add_converter(graph, &quantised, "QuantizeLinear", base, "quantized", value, constants, params,
                         params->dtype, &shape));
    return add_converter(graph, ret_value, "DequantizeLinear", base, "dequantized", quantised, constants, params,
                         NZ_F32, &shape);
}

void nz_qdq_redirect(nz_graph *graph, int value, int to, size_t readers, const nz_qleft *left) {
    for (size_t n = 0; n < readers; n++) {
        nz_node *reader = &graph->nodes[n];
        if (!reader->op_type || nz_qdq_leaves(left, graph, n)) continue; /* dropped, or left alone */
        for (size_t i = 0; i < reader->input_count; i++)
            if (reader->inputs[i] == value) reader->inputs[i] = to;
    }
}

nz_status nz_qdq_insert(nz_graph *graph, int value, const nz_qparams *params, const nz_qleft *left) {
    size_t readers = graph->node_count;
    int back = 0, constants[2] = {NZ_NO_VALUE, NZ_NO_VALUE};
    NZ_TRY(nz_qdq_pair(graph, &back, value, params, constants));
    nz_qdq_redirect(graph, value, back, readers, left);
    return NZ_OK;
}

nz_status nz_qdq_constant(nz_graph *graph, int *ret_value, const char *name, const nz_tensor *integers,
                          const nz_qparams *params) {
    int constants[2], value = 0;
    NZ_TRY(add_named(graph, &value, name, "quantized", integers));
    NZ_TRY(add_params(graph, constants, name, params));
    return add_converter(graph, ret_value, "DequantizeLinear", name, "dequantized", value, constants, params, NZ_F32,
                         &integers->shape);
}
