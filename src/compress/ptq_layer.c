/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/ptq.h"
#include "core/error.h"
#include "core/text.h"

/* A weight seen as [outer, channels, inner], channels being the output channels. */
typedef struct view {
    size_t outer, channels, inner;
    float *w; /* decoded */
} view;

static size_t at(const view *v, size_t o, size_t c, size_t i) { return (o * v->channels + c) * v->inner + i; }

/* Output channels of a grouped ConvTranspose lie on two axes: one scale for all of them. */
static bool channel_wise(const nz_graph *graph, const nz_qlayer *layer, const nz_ptq_options *o) {
    const nz_node *node = &graph->nodes[layer->node];
    return o->per_channel && !(strcmp(node->op_type, "ConvTranspose") == 0 && nz_attr_int(node, "group", 1) != 1);
}

static nz_status make_view(view *ret_view, const nz_tensor *weight, int axis, bool per_channel) {
    view v = {.outer = 1, .channels = 1, .inner = 1};
    for (int d = 0; d < weight->shape.rank; d++) {
        size_t extent = (size_t)weight->shape.dim[d];
        if (!per_channel || d > axis)
            v.inner *= extent;
        else if (d < axis)
            v.outer *= extent;
        else
            v.channels = extent;
    }
    NZ_TRY(nz_alloc(&v.w, v.outer * v.channels * v.inner, sizeof *v.w));
    nz_tensor_to_f32(weight, v.w);
    *ret_view = v;
    return NZ_OK;
}

static double rounded(double w, double scale, int most) { return fmin(fmax(nearbyint(w / scale), -most - 1), most); }

static double channel_error(const view *v, size_t c, double scale, int most) {
    double error = 0;
    for (size_t o = 0; o < v->outer; o++)
        for (size_t i = 0; i < v->inner; i++) {
            double w = v->w[at(v, o, c, i)], off = w - scale * rounded(w, scale, most);
            error += off * off;
        }
    return error;
}

static double channel_scale(const view *v, size_t c, int most, bool least_squares) {
    double largest = 0;
    for (size_t o = 0; o < v->outer; o++)
        for (size_t i = 0; i < v->inner; i++) { /* not fmax: gcc 12 for arm64 cannot compile a maximum that widens */
            double size = fabs((double)v->w[at(v, o, c, i)]);
            if (size > largest) largest = size;
        }
    double full = largest / most, best = full, least = least_squares && full > 0 ? channel_error(v, c, full, most) : 0;
    for (int k = 98; least_squares && full > 0 && k >= 40; k -= 2) {
        double scale = full * k / 100, error = channel_error(v, c, scale, most);
        if (error < least) least = error, best = scale;
    }
    return best;
}

/* An int32 bias in steps of input scale x weight scale must hold the bias, and the step must be a float above 0: a channel of
 * tiny weights gets a coarser one. */
static float usable_scale(double scale, double bias, float input_scale) {
    double least = fmax(fabs(bias) / 1073741824.0, 1e-37) / (double)input_scale;
    if (scale < least) scale = least;
    return scale >= 1e-30 ? (float)scale : 1;
}

/* Mean over positions of (rounded - exact weight) x input, per output channel: what rounding adds to the output. */
static void mean_error(double *error, const view *v, const nz_tensor *q, const float *scales,
                       const nz_observer *observer, const nz_node *node, size_t outputs, size_t axis) {
    bool gemm = strcmp(node->op_type, "Gemm") == 0;
    size_t groups = gemm ? 1 : (size_t)nz_attr_int(node, "group", 1);
    size_t per_input = 1;
    for (int d = 2; d < q->shape.rank; d++) per_input *= (size_t)q->shape.dim[d];
    size_t columns = (size_t)q->shape.dim[1], count = (size_t)nz_shape_elements(&q->shape);
    for (size_t k = 0; k < count; k++) {
        size_t row = k / (columns * per_input), column = k / per_input % columns;
        size_t output = axis == 0 ? row : column, in = axis == 0 ? column : row;
        size_t channel = groups > 1 ? output / (outputs / groups) * columns + in : in;
        size_t scale_at = v->channels > 1 ? output : 0;
        if (channel >= observer->channels) continue;
        double exact = v->w[k], got = (double)scales[scale_at] * (double)nz_tensor_int(q, (int64_t)k);
        error[output] += (got - exact) * nz_observer_channel_mean(observer, channel);
    }
}

typedef struct quantised {
    view v;
    nz_tensor integers, bias;
    float *scales, *bias_scales;
    double *bias_values; /* [outputs] */
    size_t outputs;
} quantised;

static void quantised_done(quantised *q) {
    free(q->v.w);
    free(q->scales);
    free(q->bias_scales);
    free(q->bias_values);
    nz_tensor_done(&q->integers);
    nz_tensor_done(&q->bias);
}

static nz_status read_bias(quantised *q, const nz_graph *graph, const nz_qlayer *layer, bool *ret_usable) {
    NZ_TRY(nz_alloc(&q->bias_values, q->outputs, sizeof *q->bias_values));
    *ret_usable = layer->bias < 0 && strcmp(graph->nodes[layer->node].op_type, "MatMul") != 0;
    if (layer->bias < 0 || !nz_value_is_constant(graph, layer->bias)) return NZ_OK;
    const nz_tensor *bias = &graph->values[layer->bias].constant;
    int rank = bias->shape.rank;
    /* Gemm adds a column [M, 1] to each row: as many numbers as outputs where M is N, and still no bias of channels. */
    if (rank < 1 || bias->shape.dim[rank - 1] != (int64_t)q->outputs ||
        nz_shape_elements(&bias->shape) != (int64_t)q->outputs)
        return NZ_OK;
    for (size_t c = 0; c < q->outputs; c++) q->bias_values[c] = nz_tensor_real(bias, (int64_t)c);
    *ret_usable = true;
    return NZ_OK;
}

/* The scale of channel `c` as chosen here or by training. Batch normalisation multiplies a channel: its scale alone. */
static double chosen_scale(const quantised *q, size_t c, int most, const nz_trained_layer *trained,
                           const nz_ptq_options *o) {
    if (!trained) return channel_scale(&q->v, c, most, o->wcalib == 1);
    return (double)trained->scales[c] * (trained->k ? fabs(trained->k[c]) : 1);
}

/* The integer of one weight. Divided as training divides, so that it is the one that was trained with. Where batch
 * normalisation turns the channel round after all, -128, which has no counterpart, becomes 127. */
static int64_t trained_code(float w, float scale, double k, int most) {
    double code = fmin(fmax((double)nearbyintf(w / scale), -most - 1), most);
    return (int64_t)(k < 0 ? fmin(-code, most) : code);
}

static nz_status quantise_weight(quantised *q, const nz_tensor *weight, float input_scale,
                                 const nz_trained_layer *trained, const nz_ptq_options *o) {
    int most = nz_ptq_most(o);
    NZ_TRY(nz_alloc(&q->scales, q->v.channels, sizeof *q->scales));
    NZ_TRY(nz_tensor_init(&q->integers, o->wbits == 0 ? NZ_I8 : NZ_I4, &weight->shape));
    for (size_t c = 0; c < q->v.channels; c++) {
        double bias = 0, k = trained && trained->k ? trained->k[c] : 1;
        for (size_t j = 0; j < q->outputs; j++)
            if (q->v.channels == 1 || j == c) bias = fmax(bias, fabs(q->bias_values[j]));
        double chosen = chosen_scale(q, c, most, trained, o);
        q->scales[c] = usable_scale(chosen, bias, input_scale);
        bool as_trained = trained && q->scales[c] == (float)chosen;
        for (size_t outer = 0; outer < q->v.outer; outer++)
            for (size_t i = 0; i < q->v.inner; i++) {
                size_t at_w = at(&q->v, outer, c, i);
                float w = q->v.w[at_w];
                int64_t code = as_trained ? trained_code(w, trained->scales[c], k, most)
                                          : (int64_t)fmax(rounded((double)w * k, (double)q->scales[c], most), -most);
                nz_tensor_set_int(&q->integers, (int64_t)at_w, code);
            }
    }
    return NZ_OK;
}

static nz_status replace_bias(quantised *q, nz_graph *graph, const nz_qlayer *layer, float input_scale,
                              const char *name) {
    nz_shape shape = {.rank = 1, .dim = {(int64_t)q->outputs}};
    int value = 0;
    NZ_TRY(nz_alloc(&q->bias_scales, q->v.channels, sizeof *q->bias_scales));
    NZ_TRY(nz_tensor_init(&q->bias, NZ_I32, &shape));
    for (size_t c = 0; c < q->v.channels; c++) q->bias_scales[c] = input_scale * q->scales[c];
    for (size_t k = 0; k < q->outputs; k++)
        nz_tensor_set_real(&q->bias, (int64_t)k, q->bias_values[k] / (double)q->bias_scales[q->v.channels > 1 ? k : 0]);
    nz_qparams params = {.dtype = NZ_I32, .count = q->v.channels, .scales = q->bias_scales, .axis = 0};
    NZ_TRY(nz_qdq_constant(graph, &value, name, &q->bias, &params));
    nz_node *node = &graph->nodes[layer->node];
    int inputs[3] = {node->inputs[0], node->inputs[1], value};
    return nz_node_set_inputs(node, inputs, 3);
}

static nz_status open_layer(quantised *q, const nz_graph *graph, const nz_qlayer *layer, bool *ret_bias_usable,
                            const nz_ptq_options *options) {
    const nz_tensor *weight = &graph->values[layer->weight].constant;
    const nz_node *node = &graph->nodes[layer->node];
    size_t groups = strcmp(node->op_type, "ConvTranspose") == 0 ? (size_t)nz_attr_int(node, "group", 1) : 1;
    q->outputs = (size_t)weight->shape.dim[layer->axis] * groups;
    NZ_TRY(make_view(&q->v, weight, layer->axis, channel_wise(graph, layer, options)));
    return read_bias(q, graph, layer, ret_bias_usable);
}

static nz_status correct_bias(quantised *q, const nz_graph *graph, const nz_qlayer *layer,
                              const nz_observer *observer) {
    NZ_AUTO_FREE double *error = NULL;
    const nz_node *node = &graph->nodes[layer->node];
    size_t groups = strcmp(node->op_type, "ConvTranspose") == 0 ? (size_t)nz_attr_int(node, "group", 1) : 1;
    /* Channels of the input are on axis 1, which Gemm's transA makes the samples. */
    if (groups != 1 || nz_attr_int(node, "transA", 0) != 0) return NZ_OK;
    NZ_TRY(nz_alloc(&error, q->outputs, sizeof *error));
    mean_error(error, &q->v, &q->integers, q->scales, observer, node, q->outputs, (size_t)layer->axis);
    for (size_t c = 0; c < q->outputs; c++) q->bias_values[c] -= error[c];
    return NZ_OK;
}

static nz_status write_layer(quantised *q, nz_graph *graph, const nz_qlayer *layer, float input_scale,
                             bool bias_usable) {
    NZ_AUTO_FREE char *name = NULL, *bias_name = NULL;
    NZ_TRY(nz_format(&name, "%s", graph->values[layer->weight].name));
    NZ_TRY(nz_format(&bias_name, "%s_bias", graph->nodes[layer->node].name));
    nz_qparams params = {.dtype = q->integers.dtype, .count = q->v.channels, .scales = q->scales, .axis = layer->axis};
    int value = 0;
    NZ_TRY(nz_qdq_constant(graph, &value, name, &q->integers, &params));
    graph->nodes[layer->node].inputs[1] = value;
    return bias_usable ? replace_bias(q, graph, layer, input_scale, bias_name) : NZ_OK;
}

nz_status nz_ptq_quantize_layer(nz_graph *graph, const nz_qlayer *layer, float input_scale, const nz_observer *observer,
                                const nz_ptq_options *options) {
    NZ_AUTO(quantised_done) quantised q = {0};
    bool bias_usable = false;
    NZ_TRY(open_layer(&q, graph, layer, &bias_usable, options));
    NZ_TRY(quantise_weight(&q, &graph->values[layer->weight].constant, input_scale, NULL, options));
    if (options->bias_correction && bias_usable) NZ_TRY(correct_bias(&q, graph, layer, observer));
    return write_layer(&q, graph, layer, input_scale, bias_usable);
}

nz_status nz_ptq_write_trained(nz_graph *graph, const nz_qlayer *layer, float input_scale,
                               const nz_trained_layer *trained, const nz_ptq_options *options) {
    NZ_AUTO(quantised_done) quantised q = {0};
    bool bias_usable = false;
    NZ_TRY(open_layer(&q, graph, layer, &bias_usable, options));
    for (size_t c = 0; trained->k && c < q.outputs; c++)
        q.bias_values[c] = q.bias_values[c] * trained->k[c] + trained->d[c];
    NZ_TRY(quantise_weight(&q, &graph->values[layer->weight].constant, input_scale, trained, options));
    return write_layer(&q, graph, layer, input_scale, bias_usable);
}

nz_status nz_ptq_takes_bias(bool *ret_takes, const nz_graph *graph, const nz_qlayer *layer,
                            const nz_ptq_options *options) {
    NZ_AUTO(quantised_done) quantised q = {0};
    return open_layer(&q, graph, layer, ret_takes, options);
}

int nz_ptq_most(const nz_ptq_options *options) { return options->wbits == 0 ? 127 : 7; }

size_t nz_ptq_scale_count(const nz_graph *graph, const nz_qlayer *layer, const nz_ptq_options *options) {
    if (!channel_wise(graph, layer, options)) return 1;
    return (size_t)graph->values[layer->weight].constant.shape.dim[layer->axis];
}

nz_status nz_ptq_weight_scales(float *scales, size_t count, const nz_tensor *weight, int axis,
                               const nz_ptq_options *options) {
    NZ_AUTO(quantised_done) quantised q = {0};
    NZ_TRY(make_view(&q.v, weight, axis, count > 1));
    for (size_t c = 0; c < count; c++) {
        double scale = channel_scale(&q.v, c, nz_ptq_most(options), options->wcalib == 1);
        scales[c] = scale >= 1e-30 ? (float)scale : 1;
    }
    return NZ_OK;
}
