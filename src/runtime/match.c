/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernel a node begins: one function per family of operators, and the table that finds it. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "op/conv.h"
#include "runtime/match.h"

static bool is_op(const nz_node *node, const char *op_type) {
    return strcmp(node->op_type, op_type) == 0 && !*node->domain;
}

void nz_group_done(nz_group *group) {
    nz_tensor_done(&group->weights);
    free(group->weight_scales);
    free(group->bias);
    nz_text_done(&group->fused);
}

/* -- weights ---------------------------------------------------------------------------------------------------------- */

/* Weights in 8 bits: DequantizeLinear of constants, symmetric, one scale or one per output channel (axis). */
static bool coded_weights(nz_planner *planner, nz_group *group, int value, int axis) {
    const nz_graph *graph = planner->graph;
    const nz_tensor *coded = NULL, *scales = NULL, *zeros = NULL;
    if (graph->values[value].producer < 0) return false;
    const nz_node *dq = &graph->nodes[graph->values[value].producer];
    if (!is_op(dq, "DequantizeLinear") || nz_attr_int(dq, "block_size", 0) || !nz_planner_is_constant(planner, value))
        return false;
    if (nz_planner_constant(planner, dq->inputs[0], &coded) != NZ_OK ||
        nz_planner_constant(planner, dq->inputs[1], &scales) != NZ_OK)
        return false;
    if (dq->input_count > 2 && dq->inputs[2] != NZ_NO_VALUE &&
        nz_planner_constant(planner, dq->inputs[2], &zeros) != NZ_OK)
        return false;
    int64_t count = nz_shape_elements(&scales->shape), extent = coded->shape.dim[axis], at = nz_attr_int(dq, "axis", 1);
    if (at < 0) at += coded->shape.rank;
    if (count != 1 && (at != axis || count != extent)) return false;
    if (coded->dtype != NZ_I8 && coded->dtype != NZ_U8 && coded->dtype != NZ_I4 && coded->dtype != NZ_U4) return false;
    if (nz_tensor_init(&group->weights, NZ_I8, &coded->shape) != NZ_OK) return false;
    int64_t inner = 1, total = nz_shape_elements(&coded->shape);
    for (int i = axis + 1; i < coded->shape.rank; i++) inner *= coded->shape.dim[i];
    int8_t *to = group->weights.data;
    for (int64_t i = 0; i < total; i++) {
        int64_t code =
            nz_tensor_int(coded, i) - (zeros ? nz_tensor_int(zeros, count == 1 ? 0 : i / inner % extent) : 0);
        if (code < -128 || code > 127) return false; /* no 8-bit kernel multiplies by more */
        to[i] = (int8_t)code;
    }
    if (nz_alloc(&group->weight_scales, (size_t)count, sizeof(float)) != NZ_OK) return false;
    group->weight_scale_count = (size_t)count;
    for (int64_t i = 0; i < count; i++) {
        group->weight_scales[i] = (float)nz_tensor_real(scales, i);
        if (!(group->weight_scales[i] > 0)) return false;
    }
    return true;
}

static nz_status float_weights(nz_planner *planner, nz_group *group, int value) {
    const nz_tensor *known = NULL;
    NZ_TRY(nz_planner_constant(planner, value, &known));
    return nz_tensor_share(&group->weights, known);
}

static void drop_weights(nz_group *group) {
    nz_tensor_done(&group->weights);
    group->weights = (nz_tensor){0};
    free(group->weight_scales);
    group->weight_scales = NULL;
    group->weight_scale_count = 0;
}

/* Whether the kernels of this CPU get the sums of products right: in 16 bits no two products may pass the end. */
static bool sums_fit(const nz_planner *planner, const nz_group *group) {
    const int8_t *w = group->weights.data;
    int64_t count = nz_shape_elements(&group->weights.shape);
    int most[2] = {0, 0}, least[2] = {0, 0}; /* two of each: the outermost, then the next */
    if (nz_kernel_sums_exactly()) return true;
    if (planner->graph->values[group->src].dtype != NZ_U8) return false;
    for (int64_t i = 0; i < count; i++) {
        if (w[i] > most[1]) most[1] = w[i];
        if (w[i] < least[1]) least[1] = w[i];
        if (most[1] > most[0]) most[1] = most[0], most[0] = w[i];
        if (least[1] < least[0]) least[1] = least[0], least[0] = w[i];
    }
    return 255 * (most[0] + most[1]) <= INT16_MAX && 255 * (least[0] + least[1]) >= INT16_MIN;
}

/* 8 bits where source and weights are coded so, else f32. */
static nz_status take_weights(nz_planner *planner, nz_group *group, int src, int weights, int axis) {
    if (!(planner->refused[group->root] & NZ_REFUSE_INT8) &&
        nz_planner_dequantised(planner, src, &group->src, &group->src_quant)) {
        group->int8 = coded_weights(planner, group, weights, axis) && sums_fit(planner, group);
        if (group->int8) return NZ_OK;
        drop_weights(group);
    }
    group->src = src;
    group->src_quant = (nz_quant){1, 0};
    return float_weights(planner, group, weights);
}

static nz_status take_bias(nz_planner *planner, nz_group *group, int value, float factor) {
    const float *values = NULL;
    int64_t count = 0;
    if (value == NZ_NO_VALUE) return NZ_OK;
    NZ_TRY(nz_planner_floats(planner, value, &values, &count));
    NZ_TRY(nz_alloc(&group->bias, (size_t)group->channels, sizeof(float)));
    for (int64_t c = 0; c < group->channels; c++) group->bias[c] = factor * values[count == 1 ? 0 : c];
    return NZ_OK;
}

static int input_of(const nz_node *node, size_t i) { return i < node->input_count ? node->inputs[i] : NZ_NO_VALUE; }

static bool is_float(const nz_planner *planner, int value) {
    return value >= 0 && planner->graph->values[value].dtype == NZ_F32;
}

/* -- families: each leaves the group a reference one where it has no kernel -------------------------------------------- */

nz_status nz_match_conv(nz_planner *planner, nz_group *group, const nz_node *node) {
    int w = node->inputs[1], bias = input_of(node, 2);
    bool transposed = is_op(node, "ConvTranspose");
    if (!is_float(planner, node->inputs[0]) || !nz_planner_is_constant(planner, w) ||
        (bias != NZ_NO_VALUE && !nz_planner_is_constant(planner, bias)))
        return NZ_OK;
    int64_t groups = nz_attr_int(node, "group", 1);
    group->kind = NZ_GROUP_CONV;
    group->op = transposed ? NZ_KERNEL_DECONV : NZ_KERNEL_CONV;
    group->out = node->outputs[0];
    group->channels = planner->graph->values[group->out].shape.dim[1];
    if (transposed && groups > 1) planner->refused[group->root] |= NZ_REFUSE_INT8; /* scales lie on two axes */
    NZ_TRY(take_weights(planner, group, node->inputs[0], w, transposed ? 1 : 0));
    NZ_TRY(take_bias(planner, group, bias, 1));
    return nz_group_absorb(planner, group);
}

static bool bias_fits(const nz_planner *planner, int value, int64_t channels) {
    if (value == NZ_NO_VALUE) return true;
    const nz_shape *shape = &planner->graph->values[value].shape;
    int64_t count = nz_shape_elements(shape);
    return nz_planner_is_constant(planner, value) &&
           (count == 1 || (count == channels && shape->dim[shape->rank - 1] == channels));
}

nz_status nz_match_linear(nz_planner *planner, nz_group *group, const nz_node *node) {
    const nz_graph *graph = planner->graph;
    bool gemm = is_op(node, "Gemm");
    int a = node->inputs[0], b = node->inputs[1], bias = gemm ? input_of(node, 2) : NZ_NO_VALUE;
    if (!is_float(planner, a) || !is_float(planner, b)) return NZ_OK;
    const nz_shape *out = &graph->values[node->outputs[0]].shape;
    if (!nz_planner_is_constant(planner, b) || graph->values[b].shape.rank != 2 || graph->values[a].shape.rank < 2) {
        if (gemm || out->rank < 2 || nz_planner_is_constant(planner, a) || nz_planner_is_constant(planner, b))
            return NZ_OK;
        if (graph->values[a].shape.rank != out->rank || graph->values[b].shape.rank != out->rank) return NZ_OK;
        *group = (nz_group){.kind = NZ_GROUP_MATMUL,
                            .op = NZ_KERNEL_MATMUL,
                            .root = group->root,
                            .last = group->last,
                            .src = a,
                            .src1 = b,
                            .out = node->outputs[0],
                            .residual = -1};
        return NZ_OK;
    }
    bool transposed = gemm && nz_attr_int(node, "transB", 0);
    int64_t channels = out->dim[out->rank - 1];
    if (gemm && (nz_attr_int(node, "transA", 0) || nz_attr_float(node, "alpha", 1) != 1.0F ||
                 !bias_fits(planner, bias, channels)))
        return NZ_OK;
    group->kind = NZ_GROUP_LINEAR;
    group->op = NZ_KERNEL_LINEAR;
    group->out = node->outputs[0];
    group->channels = channels;
    NZ_TRY(take_weights(planner, group, a, b, transposed ? 0 : 1));
    NZ_TRY(take_bias(planner, group, bias, nz_attr_float(node, "beta", 1)));
    return nz_group_absorb(planner, group);
}

static bool reduces_plane(nz_planner *planner, const nz_node *node) {
    const nz_shape *shape = &planner->graph->values[node->inputs[0]].shape;
    int axes = input_of(node, 1);
    const nz_tensor *list = NULL;
    if (shape->rank < 3 || axes == NZ_NO_VALUE || !nz_planner_is_constant(planner, axes) ||
        nz_planner_constant(planner, axes, &list) != NZ_OK)
        return false;
    int64_t count = nz_shape_elements(&list->shape);
    unsigned set = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t axis = nz_tensor_int(list, i);
        if (axis < 0) axis += shape->rank;
        if (axis < 2) return false;
        set |= 1U << axis;
    }
    return set == (1U << shape->rank) - 4;
}

nz_status nz_match_pool(nz_planner *planner, nz_group *group, const nz_node *node) {
    nz_dtype dtype = planner->graph->values[node->inputs[0]].dtype;
    bool max = is_op(node, "MaxPool") || is_op(node, "GlobalMaxPool");
    if (dtype != NZ_F32 && !(is_op(node, "MaxPool") && (dtype == NZ_U8 || dtype == NZ_I8))) return NZ_OK;
    if (node->output_count > 1 && node->outputs[1] != NZ_NO_VALUE) return NZ_OK;
    if (is_op(node, "ReduceMean") && !reduces_plane(planner, node)) return NZ_OK;
    group->kind = NZ_GROUP_POOL;
    group->op = max                                                                       ? NZ_KERNEL_MAX_POOL
                : is_op(node, "AveragePool") && nz_attr_int(node, "count_include_pad", 0) ? NZ_KERNEL_AVG_POOL_PAD
                                                                                          : NZ_KERNEL_AVG_POOL;
    group->src = node->inputs[0];
    group->out = node->outputs[0];
    if (group->op != NZ_KERNEL_AVG_POOL || (planner->refused[group->root] & NZ_REFUSE_INT8)) return NZ_OK;
    int source;
    nz_quant quant;
    if (nz_planner_dequantised(planner, group->src, &source, &quant) && nz_group_absorb_quantise(planner, group)) {
        group->int8 = true;
        group->src = source;
        group->src_quant = quant;
    }
    return NZ_OK;
}

/* A chain of element-wise nodes between DQ and Q, run on all 256 codes. */
static nz_status match_table(nz_planner *planner, nz_group *group) {
    const nz_graph *graph = planner->graph;
    int source, nodes[NZ_POSTS], count = 0, value = graph->nodes[group->root].outputs[0];
    nz_quant from, to;
    if ((planner->refused[group->root] & NZ_REFUSE_INT8) ||
        !nz_planner_dequantised(planner, graph->nodes[group->root].inputs[0], &source, &from))
        return NZ_OK;
    nodes[count++] = group->root;
    for (;;) {
        int node = nz_planner_only_reader(planner, value);
        if (node < 0) return NZ_OK;
        if (is_op(&graph->nodes[node], "QuantizeLinear") && nz_read_qdq(&to, graph, &graph->nodes[node])) break;
        const nz_op *op = nz_op_of(&graph->nodes[node]);
        if (!op || !(op->flags & NZ_OP_UNARY) || graph->nodes[node].input_count != 1 || count == NZ_POSTS) return NZ_OK;
        nodes[count++] = node;
        value = graph->nodes[node].outputs[0];
    }
    bool is_signed = graph->values[source].dtype == NZ_I8;
    float x[256], y[256];
    nz_shape shape = {.rank = 1, .dim = {256}};
    for (int i = 0; i < 256; i++) x[i] = (float)((is_signed && i > 127 ? i - 256 : i) - from.zero_point) * from.scale;
    for (int n = 0; n < count; n++) {
        nz_op_ctx ctx;
        NZ_TRY(nz_planner_context(planner, nodes[n], &ctx));
        nz_tensor in = nz_tensor_borrow(NZ_F32, &shape, x), out = nz_tensor_borrow(NZ_F32, &shape, y);
        in.bytes = out.bytes = sizeof x;
        ctx.in = (const nz_tensor *const[]){&in};
        ctx.in_count = 1;
        ctx.out = &out;
        NZ_TRY(nz_op_of(&graph->nodes[nodes[n]])->run(&ctx));
        memcpy(x, y, sizeof x);
        if (n) nz_group_take(planner, group, nodes[n]);
    }
    group->kind = NZ_GROUP_TABLE;
    group->op = NZ_KERNEL_TABLE;
    group->int8 = true;
    group->src = source;
    group->out = value;
    (void)nz_group_absorb_quantise(planner, group);
    bool to_signed = graph->values[group->out].dtype == NZ_I8;
    for (int i = 0; i < 256; i++) {
        float code = rintf(x[i] / to.scale) + (float)to.zero_point, least = to_signed ? -128 : 0,
              most = to_signed ? 127 : 255;
        code = code > most ? most : code >= least ? code : least;
        group->table[i] = (uint8_t)(int)code;
    }
    return NZ_OK;
}

nz_status nz_match_act(nz_planner *planner, nz_group *group, const nz_node *node) {
    const nz_graph *graph = planner->graph;
    if (!is_float(planner, node->inputs[0])) return NZ_OK;
    const nz_op *op = nz_op_of(node);
    if (op && (op->flags & NZ_OP_UNARY) && node->input_count == 1) NZ_TRY(match_table(planner, group));
    if (group->kind != NZ_GROUP_REFERENCE) return NZ_OK;
    nz_post post;
    if (!nz_planner_activation(planner, group->root, &post)) return NZ_OK;
    group->kind = NZ_GROUP_ACT;
    group->op = NZ_KERNEL_ACT;
    group->src = node->inputs[0];
    group->out = node->outputs[0];
    int mul = nz_planner_only_reader(planner, group->out); /* x f(x), where x has more readers than these two */
    if (mul >= 0 && is_op(&graph->nodes[mul], "Mul") &&
        (post.act == NZ_ACT_SIGMOID || post.act == NZ_ACT_HARDSIGMOID) &&
        (graph->nodes[mul].inputs[0] == group->src || graph->nodes[mul].inputs[1] == group->src)) {
        post.alpha = post.act == NZ_ACT_SIGMOID ? 1 : post.alpha;
        post.act = post.act == NZ_ACT_SIGMOID ? NZ_ACT_SWISH : NZ_ACT_HARDSWISH;
        group->out = graph->nodes[mul].outputs[0];
        nz_group_take(planner, group, mul);
    }
    group->posts[group->post_count++] = post;
    return NZ_OK;
}

static const struct {
    const char *op_type;
    nz_kernel_op op;
    bool commutes;
} binaries[] = {
    {"Add", NZ_KERNEL_ADD, true},  {"Sub", NZ_KERNEL_SUB, false}, {"Mul", NZ_KERNEL_MUL, true},
    {"Div", NZ_KERNEL_DIV, false}, {"Max", NZ_KERNEL_MAX, true},  {"Min", NZ_KERNEL_MIN, true},
};

/* Add or Mul of two DQs that ends in [Relu, Clip] Q. */
static bool match_binary8(nz_planner *planner, nz_group *group, const nz_node *node) {
    nz_group saved = *group;
    if ((planner->refused[group->root] & NZ_REFUSE_INT8) || (group->op != NZ_KERNEL_ADD && group->op != NZ_KERNEL_MUL))
        return false;
    if (!nz_planner_dequantised(planner, node->inputs[0], &group->src, &group->src_quant) ||
        !nz_planner_dequantised(planner, node->inputs[1], &group->src1, &group->src1_quant) ||
        !nz_shape_equal(&planner->graph->values[group->src].shape, &planner->graph->values[group->src1].shape)) {
        *group = saved;
        return false;
    }
    nz_post post;
    int next = nz_planner_only_reader(planner, group->out), act = -1;
    if (next >= 0 && nz_planner_activation(planner, next, &post) &&
        ((post.act == NZ_ACT_RELU && post.alpha == 0) || post.act == NZ_ACT_CLIP)) {
        act = next;
        next = nz_planner_only_reader(planner, planner->graph->nodes[act].outputs[0]);
    }
    nz_quant quant;
    if (next < 0 || !is_op(&planner->graph->nodes[next], "QuantizeLinear") ||
        !nz_read_qdq(&quant, planner->graph, &planner->graph->nodes[next])) {
        *group = saved;
        return false;
    }
    if (act >= 0) {
        group->posts[group->post_count++] = post;
        group->out = planner->graph->nodes[act].outputs[0];
        nz_group_take(planner, group, act);
    }
    group->int8 = true;
    return nz_group_absorb_quantise(planner, group);
}

nz_status nz_match_binary(nz_planner *planner, nz_group *group, const nz_node *node) {
    const nz_graph *graph = planner->graph;
    if (node->input_count != 2 || !is_float(planner, node->inputs[0]) || !is_float(planner, node->inputs[1]))
        return NZ_OK;
    const nz_shape *out = &graph->values[node->outputs[0]].shape;
    bool full[2];
    for (int i = 0; i < 2; i++) full[i] = nz_shape_equal(&graph->values[node->inputs[i]].shape, out);
    for (size_t i = 0; i < NZ_COUNT(binaries); i++) {
        if (!is_op(node, binaries[i].op_type)) continue;
        bool swap = binaries[i].commutes && (!full[0] || nz_planner_is_constant(planner, node->inputs[0]));
        if (!full[swap] || out->rank < 1) return NZ_OK;
        group->op = binaries[i].op;
        group->src = node->inputs[swap], group->src1 = node->inputs[!swap];
        group->out = node->outputs[0];
        group->kind = NZ_GROUP_BINARY;
        if (match_binary8(planner, group, node)) return NZ_OK;
        nz_post post;
        int next = nz_planner_only_reader(planner, group->out);
        if (next >= 0 && !(planner->refused[group->root] & NZ_REFUSE_POSTS) &&
            nz_planner_activation(planner, next, &post)) {
            group->posts[group->post_count++] = post;
            group->out = graph->nodes[next].outputs[0];
            nz_group_take(planner, group, next);
        }
        return NZ_OK;
    }
    return NZ_OK;
}

nz_status nz_match_softmax(nz_planner *planner, nz_group *group, const nz_node *node) {
    if (!is_float(planner, node->inputs[0])) return NZ_OK;
    group->kind = NZ_GROUP_SOFTMAX;
    group->op = is_op(node, "Softmax") ? NZ_KERNEL_SOFTMAX : NZ_KERNEL_LOG_SOFTMAX;
    group->src = node->inputs[0];
    group->out = node->outputs[0];
    return NZ_OK;
}

nz_status nz_match_nearest(nz_planner *planner, nz_group *group, const nz_node *node) {
    nz_dtype dtype = planner->graph->values[node->inputs[0]].dtype;
    if (strcmp(nz_attr_string(node, "mode", "nearest"), "nearest") != 0 ||
        (dtype != NZ_F32 && dtype != NZ_U8 && dtype != NZ_I8))
        return NZ_OK;
    if (strcmp(nz_attr_string(node, "coordinate_transformation_mode", ""), "tf_crop_and_resize") == 0) return NZ_OK;
    for (size_t i = 1; i < node->input_count; i++)
        if (node->inputs[i] != NZ_NO_VALUE && !planner->graph->values[node->inputs[i]].constant.data) return NZ_OK;
    group->kind = NZ_GROUP_NEAREST;
    group->op = NZ_KERNEL_NEAREST;
    group->src = node->inputs[0];
    group->out = node->outputs[0];
    return NZ_OK;
}

nz_status nz_match_concat(nz_planner *planner, nz_group *group, const nz_node *node) {
    nz_dtype dtype = planner->graph->values[node->outputs[0]].dtype;
    if (nz_dtype_get(dtype)->bits < 8) return NZ_OK;
    group->kind = NZ_GROUP_CONCAT;
    group->op = NZ_KERNEL_COPY;
    group->out = node->outputs[0];
    bool coded = dtype == NZ_F32 && !(planner->refused[group->root] & NZ_REFUSE_INT8);
    for (size_t i = 0; i < node->input_count; i++) {
        int source;
        nz_quant quant;
        coded = coded && nz_planner_dequantised(planner, node->inputs[i], &source, &quant);
    }
    if (coded && nz_group_absorb_quantise(planner, group)) group->int8 = true;
    return NZ_OK;
}

nz_status nz_match_pad(nz_planner *planner, nz_group *group, const nz_node *node) {
    if (strcmp(nz_attr_string(node, "mode", "constant"), "constant") != 0 || input_of(node, 3) != NZ_NO_VALUE)
        return NZ_OK;
    int pads = input_of(node, 1), value = input_of(node, 2);
    nz_dtype dtype = planner->graph->values[node->inputs[0]].dtype;
    if (pads == NZ_NO_VALUE || !nz_planner_is_constant(planner, pads) ||
        (dtype != NZ_F32 && dtype != NZ_U8 && dtype != NZ_I8))
        return NZ_OK;
    const nz_tensor *list = NULL, *fill = NULL;
    NZ_TRY(nz_planner_constant(planner, pads, &list));
    for (int64_t i = 0; i < nz_shape_elements(&list->shape); i++)
        if (nz_tensor_int(list, i) < 0) return NZ_OK;
    if (value != NZ_NO_VALUE) {
        if (!nz_planner_is_constant(planner, value)) return NZ_OK;
        NZ_TRY(nz_planner_constant(planner, value, &fill));
        if (dtype == NZ_F32 && nz_tensor_real(fill, 0) != 0)
            return NZ_OK; /* bytes are set, and only 0 is one byte repeated */
    }
    group->kind = NZ_GROUP_PAD;
    group->op = NZ_KERNEL_COPY;
    group->table[0] = fill && dtype != NZ_F32 ? (uint8_t)nz_tensor_int(fill, 0) : 0;
    group->src = node->inputs[0];
    group->out = node->outputs[0];
    return NZ_OK;
}

nz_status nz_match_view(nz_planner *planner, nz_group *group, const nz_node *node) {
    if (nz_dtype_get(planner->graph->values[node->inputs[0]].dtype)->bits < 8) return NZ_OK;
    if (is_op(node, "Dropout") && node->output_count > 1 && node->outputs[1] != NZ_NO_VALUE) return NZ_OK;
    if (is_op(node, "Slice")) {
        int steps = input_of(node, 4);
        const nz_tensor *list = NULL;
        for (size_t i = 1; i < node->input_count; i++)
            if (node->inputs[i] != NZ_NO_VALUE && !nz_planner_is_constant(planner, node->inputs[i])) return NZ_OK;
        if (steps != NZ_NO_VALUE) NZ_TRY(nz_planner_constant(planner, steps, &list));
        for (int64_t i = 0; list && i < nz_shape_elements(&list->shape); i++)
            if (nz_tensor_int(list, i) < 1) return NZ_OK;
    }
    group->kind = NZ_GROUP_VIEW;
    group->src = node->inputs[0];
    group->out = -1; /* all of the node's outputs */
    return NZ_OK;
}

nz_status nz_match_convert(nz_planner *planner, nz_group *group, const nz_node *node) {
    nz_quant quant;
    if (!nz_read_qdq(&quant, planner->graph, node)) return NZ_OK;
    group->kind = NZ_GROUP_CONVERT;
    group->op = NZ_KERNEL_COPY;
    group->src = node->inputs[0];
    group->out = node->outputs[0];
    group->src_quant = group->dst_quant = (nz_quant){1, 0};
    if (is_op(node, "DequantizeLinear")) {
        group->src_quant = quant;
        return NZ_OK;
    }
    group->dst_quant = quant;
    int source; /* Q(DQ(x)) with other parameters: one step */
    if (nz_planner_dequantised(planner, group->src, &source, &group->src_quant))
        group->src = source;
    else
        group->src_quant = (nz_quant){1, 0};
    return NZ_OK;
}
