/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel takes along: bias, residual, activation, and the Q/DQ around them, as post-operations. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "runtime/planner.h"

static bool is_op(const nz_node *node, const char *op_type) {
    return strcmp(node->op_type, op_type) == 0 && !*node->domain;
}

int nz_planner_only_reader(const nz_planner *planner, int value) {
    if (value < 0 || planner->is_output[value]) return -1;
    int first = planner->reader_start[value];
    if (planner->reader_start[value + 1] - first != 1) return -1;
    int node = planner->readers[first];
    return planner->taken[node] ? -1 : node;
}

bool nz_planner_dequantised(const nz_planner *planner, int value, int *ret_source, nz_quant *ret_quant) {
    if (value < 0 || planner->compute == NZ_COMPUTE_F32 || planner->graph->values[value].producer < 0) return false;
    const nz_node *node = &planner->graph->nodes[planner->graph->values[value].producer];
    if (!is_op(node, "DequantizeLinear") || !nz_read_qdq(ret_quant, planner->graph, node)) return false;
    if (nz_planner_is_constant(planner, node->inputs[0])) return false;
    *ret_source = node->inputs[0];
    return true;
}

void nz_group_take(nz_planner *planner, nz_group *group, int node) {
    planner->taken[node] = true;
    if (node > group->last) group->last = node;
    if (node == group->root) return;
    if (group->fused.length) nz_text_append(&group->fused, " ");
    nz_text_append(&group->fused, planner->graph->nodes[node].name);
}

/* -- activations ---------------------------------------------------------------------------------------------------- */

typedef struct known_act {
    const char *op_type;
    nz_act act;
    const char *alpha, *beta; /* attributes; NULL: none */
    float alpha_default, beta_default;
} known_act;

/* Softplus is missing on purpose: oneDNN 2.6 computes log(1 + e^x) with 1% of error where e^x is small. */
static const known_act known_acts[] = {
    {"Relu", NZ_ACT_RELU, NULL, NULL, 0, 0},
    {"LeakyRelu", NZ_ACT_RELU, "alpha", NULL, 0.01F, 0},
    {"Sigmoid", NZ_ACT_SIGMOID, NULL, NULL, 0, 0},
    {"Tanh", NZ_ACT_TANH, NULL, NULL, 0, 0},
    {"Elu", NZ_ACT_ELU, "alpha", NULL, 1, 0},
    {"HardSigmoid", NZ_ACT_HARDSIGMOID, "alpha", "beta", 0.2F, 0.5F},
    {"HardSwish", NZ_ACT_HARDSWISH, NULL, NULL, 1.0F / 6, 0.5F},
    {"Mish", NZ_ACT_MISH, NULL, NULL, 0, 0},
    {"Abs", NZ_ACT_ABS, NULL, NULL, 0, 0},
    {"Sqrt", NZ_ACT_SQRT, NULL, NULL, 0, 0},
    {"Exp", NZ_ACT_EXP, NULL, NULL, 0, 0},
};

/* Clip's bounds, where they are constant and in order. */
static bool clip_bounds(nz_planner *planner, const nz_node *node, nz_post *post) {
    float bounds[2] = {-INFINITY, INFINITY};
    for (size_t i = 1; i < 3 && i < node->input_count; i++) {
        const nz_tensor *bound = NULL;
        if (node->inputs[i] == NZ_NO_VALUE) continue;
        if (!nz_planner_is_constant(planner, node->inputs[i])) return false;
        if (nz_planner_constant(planner, node->inputs[i], &bound) != NZ_OK || nz_shape_elements(&bound->shape) != 1)
            return false;
        bounds[i - 1] = (float)nz_tensor_real(bound, 0);
    }
    if (!(bounds[0] <= bounds[1])) return false;
    post->act = NZ_ACT_CLIP;
    post->alpha = bounds[0], post->beta = bounds[1];
    return true;
}

bool nz_planner_activation(nz_planner *planner, int index, nz_post *ret_post) {
    const nz_node *node = &planner->graph->nodes[index];
    nz_post post = {.kind = NZ_POST_ACT};
    if (!nz_op_of(node) || *node->domain || planner->graph->values[node->outputs[0]].dtype != NZ_F32) return false;
    if (is_op(node, "Clip")) {
        if (!clip_bounds(planner, node, &post)) return false;
        *ret_post = post;
        return true;
    }
    if (is_op(node, "Gelu")) {
        post.act =
            strcmp(nz_attr_string(node, "approximate", "none"), "tanh") == 0 ? NZ_ACT_GELU_TANH : NZ_ACT_GELU_ERF;
        *ret_post = post;
        return true;
    }
    for (size_t i = 0; i < NZ_COUNT(known_acts); i++) {
        const known_act *k = &known_acts[i];
        if (!is_op(node, k->op_type)) continue;
        post.act = k->act;
        post.alpha = k->alpha ? nz_attr_float(node, k->alpha, k->alpha_default) : k->alpha_default;
        post.beta = k->beta ? nz_attr_float(node, k->beta, k->beta_default) : k->beta_default;
        *ret_post = post;
        return true;
    }
    return false;
}

static bool absorb_activation(nz_planner *planner, nz_group *group, int node) {
    nz_post post;
    if (!nz_planner_activation(planner, node, &post) || planner->graph->nodes[node].inputs[0] != group->out)
        return false;
    group->posts[group->post_count++] = post;
    group->out = planner->graph->nodes[node].outputs[0];
    nz_group_take(planner, group, node);
    return true;
}

/* x f(x) with f Sigmoid or HardSigmoid: the value has two readers, one of which reads the other. */
static bool absorb_gate(nz_planner *planner, nz_group *group) {
    const nz_graph *graph = planner->graph;
    int first = planner->reader_start[group->out], mul = -1, gate = -1;
    if (planner->is_output[group->out] || planner->reader_start[group->out + 1] - first != 2) return false;
    for (int i = 0; i < 2; i++) {
        int node = planner->readers[first + i];
        if (planner->taken[node]) return false;
        if (is_op(&graph->nodes[node], "Mul"))
            mul = node;
        else if (is_op(&graph->nodes[node], "Sigmoid") || is_op(&graph->nodes[node], "HardSigmoid"))
            gate = node;
    }
    if (mul < 0 || gate < 0 || nz_planner_only_reader(planner, graph->nodes[gate].outputs[0]) != mul) return false;
    nz_post post;
    if (!nz_planner_activation(planner, gate, &post)) return false;
    if (post.act == NZ_ACT_SIGMOID) post.act = NZ_ACT_SWISH, post.alpha = 1;
    if (post.act == NZ_ACT_HARDSIGMOID) post.act = NZ_ACT_HARDSWISH;
    group->posts[group->post_count++] = post;
    group->out = graph->nodes[mul].outputs[0];
    nz_group_take(planner, group, gate);
    nz_group_take(planner, group, mul);
    return true;
}

/* -- bias and factors ------------------------------------------------------------------------------------------------ */

/* The constant operand of a node with two inputs of which the group makes the other. */
static bool constant_operand(const nz_planner *planner, const nz_group *group, int node, int *ret_value) {
    const nz_node *n = &planner->graph->nodes[node];
    if (n->input_count != 2) return false;
    int at = n->inputs[0] == group->out ? 1 : 0;
    if (n->inputs[1 - at] != group->out || !nz_planner_is_constant(planner, n->inputs[at])) return false;
    *ret_value = n->inputs[at];
    return planner->graph->values[n->inputs[at]].dtype == NZ_F32 &&
           planner->graph->values[n->outputs[0]].shape.rank == planner->graph->values[group->out].shape.rank;
}

/* Whether the constant has one number per channel of the group's output (axis 1 of images, the last of matrices). */
static bool is_per_channel(const nz_planner *planner, const nz_group *group, int value) {
    const nz_shape *out = &planner->graph->values[group->out].shape, *shape = &planner->graph->values[value].shape;
    int axis = group->kind == NZ_GROUP_CONV ? 1 : out->rank - 1, from_end = out->rank - axis;
    if (shape->rank < from_end || nz_shape_elements(shape) != group->channels || shape->rank > out->rank) return false;
    return shape->dim[shape->rank - from_end] == group->channels;
}

static bool add_bias(nz_planner *planner, nz_group *group, int value) {
    const float *values;
    int64_t count;
    if (nz_planner_floats(planner, value, &values, &count) != NZ_OK) return false;
    if (!group->bias && nz_alloc(&group->bias, (size_t)group->channels, sizeof(float)) != NZ_OK) return false;
    for (int64_t c = 0; c < group->channels; c++) group->bias[c] += values[count == 1 ? 0 : c];
    return true;
}

/* Add of a constant: to the bias where nothing came between, else (a single number) as a post-operation; Mul likewise. */
static bool absorb_constant(nz_planner *planner, nz_group *group, int index) {
    const nz_node *node = &planner->graph->nodes[index];
    bool add = is_op(node, "Add"), mul = is_op(node, "Mul");
    const float *values;
    int value;
    int64_t count;
    if ((!add && !mul) || !constant_operand(planner, group, index, &value)) return false;
    bool single = nz_shape_elements(&planner->graph->values[value].shape) == 1;
    if (add && group->weights.data && group->post_count == 0 && (single || is_per_channel(planner, group, value))) {
        if (!add_bias(planner, group, value)) return false;
    } else if (single && nz_planner_floats(planner, value, &values, &count) == NZ_OK && values[0] != 0 &&
               isfinite(values[0])) {
        group->posts[group->post_count++] = (nz_post){
            .kind = NZ_POST_ACT, .act = NZ_ACT_LINEAR, .alpha = add ? 1 : values[0], .beta = add ? values[0] : 0};
    } else {
        return false;
    }
    group->out = node->outputs[0];
    nz_group_take(planner, group, index);
    return true;
}

/* -- residuals -------------------------------------------------------------------------------------------------------- */

static int other_operand(const nz_node *add, int value) {
    if (add->input_count != 2 || add->inputs[0] == add->inputs[1]) return -1;
    return add->inputs[0] == value ? add->inputs[1] : add->inputs[1] == value ? add->inputs[0] : -1;
}

static bool may_add(const nz_planner *planner, const nz_group *group, int add, int made, int *ret_other) {
    const nz_graph *graph = planner->graph;
    if (group->residual >= 0 || group->kind != NZ_GROUP_CONV || (planner->refused[group->root] & NZ_REFUSE_RESIDUAL))
        return false;
    if (!is_op(&graph->nodes[add], "Add")) return false;
    int other = other_operand(&graph->nodes[add], made);
    if (other < 0 || nz_planner_is_constant(planner, other)) return false;
    if (!nz_shape_equal(&graph->values[other].shape, &graph->values[made].shape) ||
        graph->values[other].dtype != NZ_F32)
        return false;
    *ret_other = other;
    return true;
}

static bool absorb_residual(nz_planner *planner, nz_group *group, int add) {
    int other, source;
    nz_quant quant;
    if (!may_add(planner, group, add, group->out, &other)) return false;
    bool coded = nz_planner_dequantised(planner, other, &source, &quant);
    if (group->int8 && !coded) return false;
    group->residual = (int)group->post_count;
    if (group->int8) {
        group->src1 = source;
        group->posts[group->post_count++] = (nz_post){.kind = NZ_POST_SUM,
                                                      .scale = quant.scale,
                                                      .zero_point = quant.zero_point,
                                                      .dtype = planner->graph->values[source].dtype};
    } else {
        group->src1 = other;
        group->posts[group->post_count++] = (nz_post){.kind = NZ_POST_ADD, .scale = 1};
    }
    group->out = planner->graph->nodes[add].outputs[0];
    nz_group_take(planner, group, add);
    return true;
}

/* Whether the chain behind `value` is [activation] Q: then the sum stays in 8 bits. */
static bool ends_quantised(nz_planner *planner, int value, nz_dtype dtype) {
    nz_quant quant;
    nz_post post;
    int node = nz_planner_only_reader(planner, value);
    if (node >= 0 && nz_planner_activation(planner, node, &post))
        node = nz_planner_only_reader(planner, planner->graph->nodes[node].outputs[0]);
    if (node < 0 || !is_op(&planner->graph->nodes[node], "QuantizeLinear") ||
        !nz_read_qdq(&quant, planner->graph, &planner->graph->nodes[node]))
        return false;
    nz_dtype to = planner->graph->values[planner->graph->nodes[node].outputs[0]].dtype;
    return to == dtype || nz_dtype_get(to)->bits == nz_dtype_get(dtype)->bits;
}

/* Conv, Q, DQ, Add of another DQ: the sum joins the convolution, and the Q/DQ between stays as a rounding. */
static bool absorb_rounded_residual(nz_planner *planner, nz_group *group, int q) {
    const nz_graph *graph = planner->graph;
    nz_quant quant, other_quant, back;
    int other, source;
    if (!group->int8 || !is_op(&graph->nodes[q], "QuantizeLinear") || !nz_read_qdq(&quant, graph, &graph->nodes[q]))
        return false;
    int dq = nz_planner_only_reader(planner, graph->nodes[q].outputs[0]);
    if (dq < 0 || !is_op(&graph->nodes[dq], "DequantizeLinear") || !nz_read_qdq(&back, graph, &graph->nodes[dq]))
        return false;
    if (back.scale != quant.scale || back.zero_point != quant.zero_point) return false;
    int made = graph->nodes[dq].outputs[0], add = nz_planner_only_reader(planner, made);
    if (add < 0 || !may_add(planner, group, add, made, &other) ||
        !nz_planner_dequantised(planner, other, &source, &other_quant))
        return false;
    if (!ends_quantised(planner, graph->nodes[add].outputs[0], graph->values[source].dtype)) return false;
    bool is_signed = graph->values[graph->nodes[q].outputs[0]].dtype == NZ_I8;
    group->posts[group->post_count++] = (nz_post){.kind = NZ_POST_REQUANT,
                                                  .scale = quant.scale,
                                                  .zero_point = quant.zero_point,
                                                  .least = is_signed ? -128 : 0,
                                                  .most = is_signed ? 127 : 255};
    nz_group_take(planner, group, q);
    nz_group_take(planner, group, dq);
    group->out = made;
    return absorb_residual(planner, group, add);
}

/* -- all together ------------------------------------------------------------------------------------------------------ */

bool nz_group_absorb_quantise(nz_planner *planner, nz_group *group) {
    int node = nz_planner_only_reader(planner, group->out);
    nz_quant quant;
    if (node < 0 || !is_op(&planner->graph->nodes[node], "QuantizeLinear") ||
        !nz_read_qdq(&quant, planner->graph, &planner->graph->nodes[node]))
        return false;
    group->dst_quant = quant;
    group->out = planner->graph->nodes[node].outputs[0];
    nz_group_take(planner, group, node);
    return true;
}

nz_status nz_group_absorb(nz_planner *planner, nz_group *group) {
    if (planner->refused[group->root] & NZ_REFUSE_POSTS) {
        if (group->int8) (void)nz_group_absorb_quantise(planner, group);
        return NZ_OK;
    }
    while (group->post_count + 3 < NZ_POSTS) {
        int node = nz_planner_only_reader(planner, group->out);
        if (node < 0) {
            if (absorb_gate(planner, group)) continue;
            return NZ_OK;
        }
        if (absorb_activation(planner, group, node) || absorb_constant(planner, group, node) ||
            absorb_residual(planner, group, node) || absorb_rounded_residual(planner, group, node))
            continue;
        break;
    }
    if (group->int8) (void)nz_group_absorb_quantise(planner, group);
    return group->fused.status;
}
