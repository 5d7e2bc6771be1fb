/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/qat.h"
#include "compress/weights.h"
#include "core/error.h"
#include "netzip/pass.h"
#include "op/op.h"

void nz_qat_done(nz_qat *qat) {
    for (size_t i = 0; qat->layers && i < qat->plan.layer_count; i++) free(qat->layers[i].scale);
    for (size_t i = 0; qat->params && i < qat->plan.activation_count; i++) {
        free(qat->params[i][0]);
        free(qat->params[i][1]);
    }
    free(qat->layers);
    free(qat->params);
    nz_ranges_done(&qat->ranges);
    nz_qplan_done(&qat->plan);
    nz_sensitivity_done(&qat->sensitivity);
    nz_graph_free(qat->plain);
    nz_graph_free(qat->training);
    *qat = (nz_qat){0};
}

/* ---- batch normalisation behind a layer ---- */

static bool is_float_vector(const nz_graph *graph, int value, int64_t elements) {
    if (!nz_value_is_constant(graph, value)) return false;
    const nz_tensor *t = &graph->values[value].constant;
    return t->dtype == NZ_F32 && nz_shape_elements(&t->shape) == elements;
}

/* The node that normalises the layer's output and can go into it, -1 where there is none. */
static nz_status find_norm(int *ret_norm, const nz_graph *graph, const nz_qlayer *layer,
                           const nz_ptq_options *options) {
    const nz_node *node = &graph->nodes[layer->node];
    int output = node->outputs[0], reader = -1;
    int64_t outputs = graph->values[layer->weight].constant.shape.dim[layer->axis];
    bool takes_bias = false;
    *ret_norm = -1;
    if (nz_graph_is_output(graph, output) || nz_graph_consumers(graph, output, &reader) != 1) return NZ_OK;
    const nz_node *norm = &graph->nodes[reader];
    if (strcmp(norm->op_type, "BatchNormalization") != 0 || norm->unsupported || norm->inputs[0] != output ||
        norm->output_count != 1 || nz_attr_int(norm, "training_mode", 0) != 0)
        return NZ_OK;
    for (size_t i = 1; i < 5; i++)
        if (i >= norm->input_count || !is_float_vector(graph, norm->inputs[i], outputs)) return NZ_OK;
    NZ_TRY(nz_ptq_takes_bias(&takes_bias, graph, layer, options));
    if (takes_bias && nz_ptq_scale_count(graph, layer, options) == (size_t)outputs) *ret_norm = reader;
    return NZ_OK;
}

/* Of a constant with the channels on `axis`, those that turn change their sign. */
static nz_status negate(nz_graph *graph, int value, int axis, const bool *turns) {
    NZ_AUTO_TENSOR nz_tensor copy = {0};
    const nz_shape shape = graph->values[value].constant.shape;
    size_t inner = 1, channels = (size_t)shape.dim[axis];
    for (int d = axis + 1; d < shape.rank; d++) inner *= (size_t)shape.dim[d];
    NZ_TRY(nz_tensor_init(&copy, NZ_F32, &shape));
    nz_tensor_to_f32(&graph->values[value].constant, copy.data);
    for (size_t i = 0; i < (size_t)nz_shape_elements(&shape); i++)
        if (turns[i / inner % channels]) ((float *)copy.data)[i] *= -1;
    return nz_graph_set_constant(graph, value, &copy);
}

/* Where gamma is below 0, the channel of the weights and the normalisation's factor and mean change their sign, which changes
 * nothing else: folding will not turn integers round, of which the least one has no counterpart. */
static nz_status turn_channels(nz_graph *graph, const nz_qlayer *layer, int norm_node) {
    NZ_AUTO_FREE bool *turns = NULL;
    const nz_node *norm = &graph->nodes[norm_node];
    int gamma = norm->inputs[1], mean = norm->inputs[3];
    const int own[] = {layer->weight, gamma, mean, layer->bias};
    const nz_tensor *factors = &graph->values[gamma].constant;
    size_t channels = (size_t)nz_shape_elements(&factors->shape), count = 0;
    for (size_t i = 0; i < NZ_COUNT(own); i++)
        if (own[i] >= 0 && nz_graph_consumers(graph, own[i], NULL) != 1) return NZ_OK; /* others would see it */
    NZ_TRY(nz_alloc(&turns, channels, sizeof *turns));
    for (size_t c = 0; c < channels; c++) {
        turns[c] = nz_tensor_real(factors, (int64_t)c) < 0;
        count += turns[c];
    }
    if (count == 0) return NZ_OK;
    NZ_TRY(negate(graph, layer->weight, layer->axis, turns));
    NZ_TRY(negate(graph, gamma, 0, turns));
    NZ_TRY(negate(graph, mean, 0, turns));
    return layer->bias >= 0 ? negate(graph, layer->bias, graph->values[layer->bias].constant.shape.rank - 1, turns)
                            : NZ_OK;
}

/* ---- the training graph ---- */

static nz_status remember(char **ret_name, const nz_graph *graph, int value) {
    return nz_strdup(ret_name, graph->values[value].name);
}

static nz_status quantise_weight(nz_qat *qat, size_t l, const nz_ptq_options *options) {
    const nz_qlayer *layer = &qat->plan.layers[l];
    nz_graph *graph = qat->training;
    NZ_AUTO_FREE float *scales = NULL;
    const nz_tensor weight = graph->values[layer->weight].constant;
    size_t count = qat->layers[l].scale_count;
    int constants[2] = {NZ_NO_VALUE, NZ_NO_VALUE}, back = 0;
    for (size_t k = 0; k < l; k++) { /* a weight that layers share is quantised once */
        const nz_qlayer *other = &qat->plan.layers[k];
        if (other->weight != layer->weight || other->axis != layer->axis || qat->layers[k].scale_count != count)
            continue;
        graph->nodes[layer->node].inputs[1] = graph->nodes[other->node].inputs[1];
        return nz_strdup(&qat->layers[l].scale, qat->layers[k].scale);
    }
    NZ_TRY(nz_alloc(&scales, count, sizeof *scales));
    NZ_TRY(nz_ptq_weight_scales(scales, count, &weight, layer->axis, options));
    nz_qparams params = {
        .dtype = options->wbits == 0 ? NZ_I8 : NZ_I4, .count = count, .scales = scales, .axis = layer->axis};
    NZ_TRY(nz_qdq_pair(graph, &back, layer->weight, &params, constants));
    graph->nodes[layer->node].inputs[1] = back;
    return remember(&qat->layers[l].scale, graph, constants[0]);
}

/* What keeps its range gives values that are on its input's grid already. */
static bool is_on_grid(const nz_qat *qat, size_t i, const nz_qleft *left) {
    const nz_graph *graph = qat->plain;
    int producer = graph->values[qat->plan.activations[i]].producer;
    if (producer < 0) return false;
    const nz_node *node = &graph->nodes[producer];
    if (!nz_qdq_keeps_range(node) || nz_qdq_leaves(left, graph, (size_t)producer)) return false;
    size_t before = nz_qplan_place(&qat->plan, node->inputs[0]);
    return before < qat->plan.activation_count && qat->plan.groups[before] == qat->plan.groups[i];
}

/* Activations of a group read the same constants: one quantiser. */
static nz_status quantise_activations(nz_qat *qat, size_t readers, const nz_qleft *left) {
    NZ_AUTO_FREE int(*constants)[2] = NULL;
    size_t count = qat->plan.activation_count;
    NZ_TRY(nz_alloc(&constants, count, sizeof *constants));
    NZ_TRY(nz_alloc(&qat->params, count, sizeof *qat->params));
    for (size_t i = 0; i < count; i++) constants[i][0] = NZ_NO_VALUE;
    for (size_t i = 0; i < count; i++) {
        int *shared = constants[qat->plan.groups[i]], back = 0;
        if (is_on_grid(qat, i, left)) continue;
        NZ_TRY(nz_qdq_pair(qat->training, &back, qat->plan.activations[i], &qat->ranges.params[i], shared));
        nz_qdq_redirect(qat->training, qat->plan.activations[i], back, readers, left);
    }
    for (size_t i = 0; i < count; i++) {
        const int *shared = constants[qat->plan.groups[i]];
        if (shared[0] < 0) return nz_fail(NZ_E_INTERNAL, "a group of activations has no quantiser");
        NZ_TRY(remember(&qat->params[i][0], qat->training, shared[0]));
        NZ_TRY(remember(&qat->params[i][1], qat->training, shared[1]));
    }
    return NZ_OK;
}

static bool has_norm(const nz_graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++)
        if (strcmp(graph->nodes[n].op_type, "BatchNormalization") == 0) return true;
    return false;
}

static nz_status make_plain(nz_qat *qat, const nz_graph *graph, const nz_qat_options *options) {
    NZ_AUTO_GRAPH nz_graph *folded = NULL;
    NZ_TRY(nz_qdq_refuse_quantised(graph));
    NZ_TRY(nz_pass_fold(&folded, graph));
    NZ_TRY(nz_weights_widen(folded));
    if (options->norm == NZ_QAT_KEEP && options->quant.per_channel && has_norm(folded))
        qat->plain = NZ_STEAL(folded);
    else
        NZ_TRY(nz_pass_fold_batchnorm(&qat->plain, folded));
    const nz_qleft left = {.patterns = options->quant.exclude};
    NZ_TRY(nz_qplan_make(&qat->plan, qat->plain, &left));
    NZ_TRY(nz_qplan_check(&qat->plan));
    return nz_sensitivity_init(&qat->sensitivity, qat->plain, &qat->plan);
}

static nz_status find_norms(nz_qat *qat, const nz_ptq_options *options) {
    NZ_TRY(nz_alloc(&qat->layers, qat->plan.layer_count, sizeof *qat->layers));
    for (size_t l = 0; l < qat->plan.layer_count; l++) {
        const nz_qlayer *layer = &qat->plan.layers[l];
        qat->layers[l].scale_count = nz_ptq_scale_count(qat->plain, layer, options);
        NZ_TRY(find_norm(&qat->layers[l].norm, qat->plain, layer, options));
        if (qat->layers[l].norm >= 0) NZ_TRY(turn_channels(qat->plain, layer, qat->layers[l].norm));
    }
    return NZ_OK;
}

static nz_status prepare(nz_qat *qat, const nz_method_input *input, const nz_qat_options *options,
                         nz_compress_report *report) {
    const nz_ptq_options *quant = &options->quant;
    NZ_TRY(make_plain(qat, input->graph, options));
    NZ_TRY(nz_ranges_calibrate(&qat->ranges, qat->plain, &qat->plan, input, quant, report));
    NZ_TRY(nz_sensitivity_choose(&qat->sensitivity, &qat->plan, &qat->ranges, qat->plain, input, quant));
    const nz_qleft left = nz_sensitivity_left(&qat->sensitivity, quant);
    NZ_TRY(find_norms(qat, quant));
    NZ_TRY(nz_graph_clone(&qat->training, qat->plain));
    size_t readers = qat->training->node_count;
    for (size_t l = 0; l < qat->plan.layer_count; l++) NZ_TRY(quantise_weight(qat, l, quant));
    NZ_TRY(quantise_activations(qat, readers, &left));
    return nz_graph_finish(qat->training);
}

nz_status nz_qat_prepare(nz_qat *ret_qat, const nz_method_input *input, const nz_qat_options *options,
                         nz_compress_report *report) {
    NZ_AUTO(nz_qat_done) nz_qat qat = {0};
    NZ_TRY(prepare(&qat, input, options, report));
    *ret_qat = qat;
    qat = (nz_qat){0};
    return NZ_OK;
}

/* ---- what becomes of it ---- */

static nz_status constant_named(const nz_tensor **ret_tensor, const nz_graph *graph, const char *name) {
    int value = nz_graph_find_value(graph, name);
    if (!nz_value_is_constant(graph, value))
        return nz_fail(NZ_E_INTERNAL, "the trained network has no constant '%s'", name);
    *ret_tensor = &graph->values[value].constant;
    return NZ_OK;
}

/* Trained parameters and running statistics, by name. */
static nz_status take_constants(nz_graph *graph, const nz_graph *trained) {
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        if (!nz_value_is_constant(graph, (int)v) || value->constant.dtype != NZ_F32) continue;
        int from = nz_graph_find_value(trained, value->name);
        if (!nz_value_is_constant(trained, from) ||
            !nz_shape_equal(&trained->values[from].constant.shape, &value->constant.shape) ||
            trained->values[from].constant.dtype != NZ_F32)
            continue;
        NZ_TRY(nz_graph_set_constant(graph, (int)v, &trained->values[from].constant));
    }
    return NZ_OK;
}

/* y = k x + d by channel. */
static nz_status read_norm(double **ret_k, double **ret_d, const nz_graph *graph, const nz_node *norm) {
    const nz_tensor *p[4]; /* scale, bias, mean, variance */
    for (size_t i = 0; i < 4; i++) p[i] = &graph->values[norm->inputs[i + 1]].constant;
    size_t channels = (size_t)nz_shape_elements(&p[0]->shape);
    double epsilon = (double)nz_attr_float(norm, "epsilon", 1e-5F);
    NZ_TRY(nz_alloc(ret_k, channels, sizeof **ret_k));
    NZ_TRY(nz_alloc(ret_d, channels, sizeof **ret_d));
    for (size_t c = 0; c < channels; c++) {
        int64_t i = (int64_t)c;
        (*ret_k)[c] = nz_tensor_real(p[0], i) / sqrt(nz_tensor_real(p[3], i) + epsilon);
        (*ret_d)[c] = nz_tensor_real(p[1], i) - (*ret_k)[c] * nz_tensor_real(p[2], i);
    }
    return NZ_OK;
}

static nz_status trained_params(nz_qparams *ret_params, float *scale, const nz_qat *qat, size_t i,
                                const nz_graph *trained) {
    const nz_tensor *scales = NULL, *zero = NULL;
    NZ_TRY(constant_named(&scales, trained, qat->params[i][0]));
    NZ_TRY(constant_named(&zero, trained, qat->params[i][1]));
    *scale = (float)nz_tensor_real(scales, 0);
    *ret_params = (nz_qparams){.dtype = zero->dtype, .count = 1, .scales = scale, .zero_point = nz_tensor_int(zero, 0)};
    return NZ_OK;
}

static nz_status export_layer(nz_graph *graph, const nz_qat *qat, size_t l, const nz_graph *trained,
                              const nz_qat_options *options) {
    NZ_AUTO_FREE float *scales = NULL;
    NZ_AUTO_FREE double *k = NULL, *d = NULL;
    const nz_qlayer *layer = &qat->plan.layers[l];
    const nz_tensor *stored = NULL;
    nz_qparams input;
    float input_scale = 1;
    NZ_TRY(trained_params(&input, &input_scale, qat, nz_qplan_place(&qat->plan, layer->input), trained));
    NZ_TRY(constant_named(&stored, trained, qat->layers[l].scale));
    if (nz_shape_elements(&stored->shape) != (int64_t)qat->layers[l].scale_count)
        return nz_fail(NZ_E_INTERNAL, "the scales '%s' changed their number in training", qat->layers[l].scale);
    NZ_TRY(nz_alloc(&scales, qat->layers[l].scale_count, sizeof *scales));
    nz_tensor_to_f32(stored, scales);
    int norm = qat->layers[l].norm;
    if (norm >= 0) NZ_TRY(read_norm(&k, &d, graph, &graph->nodes[norm]));
    const nz_trained_layer numbers = {.scales = scales, .k = k, .d = d};
    NZ_TRY(nz_ptq_write_trained(graph, layer, input_scale, &numbers, &options->quant));
    return NZ_OK;
}

/* The layer computes what its normalisation did: that goes, and what was to be quantised behind it is so behind the layer. */
static void drop_norm(nz_graph *graph, nz_qplan *plan, const nz_qlayer *layer, int norm) {
    int from = graph->nodes[norm].outputs[0], to = graph->nodes[layer->node].outputs[0];
    size_t place = nz_qplan_place(plan, from);
    if (place < plan->activation_count) plan->activations[place] = to;
    nz_graph_redirect(graph, from, to);
    nz_graph_drop_node(graph, norm);
}

static nz_status copy_activations(nz_qplan *ret_plan, const nz_qplan *plan) {
    nz_qplan copy = {.activation_count = plan->activation_count};
    NZ_TRY(nz_alloc(&copy.activations, plan->activation_count, sizeof *copy.activations));
    memcpy(copy.activations, plan->activations, plan->activation_count * sizeof *copy.activations);
    *ret_plan = copy;
    return NZ_OK;
}

nz_status nz_qat_export(nz_graph **ret_graph, const nz_qat *qat, const nz_graph *trained,
                        const nz_qat_options *options) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_qplan_done) nz_qplan at = {0};
    const nz_qleft left = nz_sensitivity_left(&qat->sensitivity, &options->quant);
    NZ_TRY(nz_graph_clone(&graph, qat->plain));
    NZ_TRY(copy_activations(&at, &qat->plan));
    NZ_TRY(take_constants(graph, trained));
    for (size_t l = 0; l < qat->plan.layer_count; l++) NZ_TRY(export_layer(graph, qat, l, trained, options));
    for (size_t l = 0; l < qat->plan.layer_count; l++)
        if (qat->layers[l].norm >= 0) drop_norm(graph, &at, &qat->plan.layers[l], qat->layers[l].norm);
    for (size_t i = 0; i < at.activation_count; i++) {
        nz_qparams params;
        float scale = 1;
        NZ_TRY(trained_params(&params, &scale, qat, i, trained));
        NZ_TRY(nz_qdq_insert(graph, at.activations[i], &params, &left));
    }
    NZ_TRY(nz_graph_finish(graph));
    return nz_pass_fold_batchnorm(ret_graph, graph); /* of layers that stay float */
}
