/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Takes what scales and shifts each output channel of a layer into the layer's weights and bias. In inference
 * BatchNormalization is y = k x + d per channel, with k = scale / sqrt(variance + epsilon) and d = bias - k mean.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "graph/build.h"
#include "netzip/pass.h"

/* y = k x + d per output channel. */
typedef struct affine {
    size_t channels;
    double *k, *d;
} affine;

static void affine_done(affine *a) {
    free(a->k);
    free(a->d);
}

static nz_status affine_init(affine *a, size_t channels) {
    a->channels = channels;
    NZ_TRY(nz_alloc(&a->k, channels, sizeof *a->k));
    NZ_TRY(nz_alloc(&a->d, channels, sizeof *a->d));
    for (size_t c = 0; c < channels; c++) a->k[c] = 1;
    return NZ_OK;
}

/* The constant input `i` of the node if it is float with `elements` elements, NULL otherwise. */
static const nz_tensor *float_constant(const nz_graph *graph, const nz_node *node, size_t i, int64_t elements) {
    if (i >= node->input_count || !nz_value_is_constant(graph, node->inputs[i])) return NULL;
    const nz_tensor *t = &graph->values[node->inputs[i]].constant;
    return t->dtype == NZ_F32 && nz_shape_elements(&t->shape) == elements ? t : NULL;
}

static nz_status read_batchnorm(affine *a, bool *ret_fits, const nz_graph *graph, const nz_node *node,
                                size_t channels) {
    const nz_tensor *p[4]; /* scale, bias, mean, variance */
    *ret_fits = nz_attr_int(node, "training_mode", 0) == 0 && node->output_count == 1;
    for (size_t i = 0; i < 4 && *ret_fits; i++) {
        p[i] = float_constant(graph, node, i + 1, (int64_t)channels);
        *ret_fits = p[i] != NULL;
    }
    if (!*ret_fits) return NZ_OK;
    NZ_TRY(affine_init(a, channels));
    double epsilon = (double)nz_attr_float(node, "epsilon", 1e-5f);
    for (size_t c = 0; c < channels; c++) {
        int64_t i = (int64_t)c;
        a->k[c] = nz_tensor_real(p[0], i) / sqrt(nz_tensor_real(p[3], i) + epsilon);
        a->d[c] = nz_tensor_real(p[1], i) - a->k[c] * nz_tensor_real(p[2], i);
    }
    return NZ_OK;
}

/* A constant that broadcasts to one number per channel of [N, C, ...]: a scalar, or C followed by ones. */
static bool is_per_channel(const nz_tensor *t, size_t channels, int rank) {
    int64_t elements = nz_shape_elements(&t->shape);
    if (t->dtype != NZ_F32 || t->shape.rank > rank) return false;
    if (elements == 1) return true;
    int axis = t->shape.rank - (rank - 1); /* where C lands after broadcasting */
    return elements == (int64_t)channels && axis >= 0 && t->shape.dim[axis] == elements;
}

static nz_status read_arithmetic(affine *a, bool *ret_fits, const nz_graph *graph, const nz_node *node, int input,
                                 size_t channels, int rank) {
    bool multiplies = strcmp(node->op_type, "Mul") == 0;
    *ret_fits = false;
    if (node->input_count != 2 || rank < 2) return NZ_OK;
    int other = node->inputs[node->inputs[0] == input ? 1 : 0];
    if (other == input || !nz_value_is_constant(graph, other)) return NZ_OK;
    const nz_tensor *t = &graph->values[other].constant;
    if (!is_per_channel(t, channels, rank)) return NZ_OK;
    NZ_TRY(affine_init(a, channels));
    for (size_t c = 0; c < channels; c++)
        (multiplies ? a->k : a->d)[c] = nz_tensor_real(t, nz_shape_elements(&t->shape) == 1 ? 0 : (int64_t)c);
    *ret_fits = true;
    return NZ_OK;
}

/* The layer's weight seen as [outer, columns, inner], columns being output channels: of all groups for Conv, of one group for
 * ConvTranspose, whose groups lie one after the other on `outer`. */
typedef struct layer {
    nz_node *node;
    const nz_tensor *weight;
    size_t outer, columns, inner;
    size_t channels, outer_per_group;
} layer;

static bool read_layer(layer *ret_layer, nz_graph *graph, nz_node *node) {
    bool gemm = strcmp(node->op_type, "Gemm") == 0, transposed = strcmp(node->op_type, "ConvTranspose") == 0;
    if (!gemm && !transposed && strcmp(node->op_type, "Conv") != 0) return false;
    if (node->unsupported || node->input_count < 2 || !nz_value_is_constant(graph, node->inputs[1])) return false;
    const nz_tensor *w = &graph->values[node->inputs[1]].constant;
    if (w->dtype != NZ_F32 || w->shape.rank < 2) return false;
    if (gemm && (nz_attr_float(node, "alpha", 1) != 1 || nz_attr_float(node, "beta", 1) != 1)) return false;
    int axis = transposed || (gemm && !nz_attr_int(node, "transB", 0)) ? 1 : 0;
    size_t groups = gemm ? 1 : (size_t)nz_attr_int(node, "group", 1);
    layer l = {.node = node,
               .weight = w,
               .outer = axis ? (size_t)w->shape.dim[0] : 1,
               .columns = (size_t)w->shape.dim[axis],
               .inner = 1};
    for (int d = axis + 1; d < w->shape.rank; d++) l.inner *= (size_t)w->shape.dim[d];
    if (groups < 1 || (transposed && l.outer % groups)) return false;
    l.channels = transposed ? l.columns * groups : l.columns;
    l.outer_per_group = transposed ? l.outer / groups : l.outer;
    if (node->input_count > 2 && node->inputs[2] >= 0 && !float_constant(graph, node, 2, (int64_t)l.channels))
        return false;
    *ret_layer = l;
    return true;
}

static nz_status scale_weight(nz_graph *graph, const layer *l, const affine *a) {
    NZ_AUTO_TENSOR nz_tensor w = {0};
    int value = 0;
    NZ_TRY(nz_tensor_init(&w, NZ_F32, &l->weight->shape));
    const float *from = l->weight->data;
    float *to = w.data;
    for (size_t o = 0; o < l->outer; o++)
        for (size_t c = 0; c < l->columns; c++) {
            double k = a->k[o / l->outer_per_group * l->columns + c];
            for (size_t i = 0, at = (o * l->columns + c) * l->inner; i < l->inner; i++, at++)
                to[at] = (float)((double)from[at] * k);
        }
    NZ_TRY(nz_graph_add_constant(graph, &value, graph->values[l->node->inputs[1]].name, &w));
    l->node->inputs[1] = value;
    return NZ_OK;
}

static nz_status shift_bias(nz_graph *graph, const layer *l, const affine *a) {
    NZ_AUTO_TENSOR nz_tensor b = {0};
    NZ_AUTO_FREE char *name = NULL;
    int value = 0;
    bool had = l->node->input_count > 2 && l->node->inputs[2] >= 0;
    NZ_TRY(nz_tensor_init(&b, NZ_F32, &(nz_shape){.rank = 1, .dim = {(int64_t)l->channels}}));
    for (size_t c = 0; c < l->channels; c++) {
        double before = had ? nz_tensor_real(&graph->values[l->node->inputs[2]].constant, (int64_t)c) : 0;
        nz_tensor_set_real(&b, (int64_t)c, before * a->k[c] + a->d[c]);
    }
    NZ_TRY(nz_format(&name, "%s_bias", l->node->name));
    NZ_TRY(nz_graph_add_constant(graph, &value, name, &b));
    int inputs[3] = {l->node->inputs[0], l->node->inputs[1], value};
    return nz_node_set_inputs(l->node, inputs, 3);
}

/* Folds node `n` into the layer before it, where that is possible. */
static nz_status try_fold(bool *ret_folded, nz_graph *graph, size_t n) {
    const nz_node *node = &graph->nodes[n];
    bool batchnorm = node->op_type && strcmp(node->op_type, "BatchNormalization") == 0;
    bool arithmetic = node->op_type && (strcmp(node->op_type, "Mul") == 0 || strcmp(node->op_type, "Add") == 0);
    for (size_t i = 0; (batchnorm || arithmetic) && !node->unsupported && i < (batchnorm ? 1u : node->input_count);
         i++) {
        int input = node->inputs[i], producer = input >= 0 ? graph->values[input].producer : -1;
        layer l;
        bool fits = false;
        NZ_AUTO(affine_done) affine a = {0};
        if (producer < 0 || !graph->nodes[producer].op_type || !read_layer(&l, graph, &graph->nodes[producer]))
            continue;
        if (nz_graph_consumers(graph, input, NULL) != 1 || nz_graph_is_output(graph, input)) continue;
        int rank = strcmp(l.node->op_type, "Gemm") == 0 ? 2 : l.weight->shape.rank;
        NZ_TRY(batchnorm ? read_batchnorm(&a, &fits, graph, node, l.channels)
                         : read_arithmetic(&a, &fits, graph, node, input, l.channels, rank));
        if (!fits) continue;
        NZ_TRY(scale_weight(graph, &l, &a));
        NZ_TRY(shift_bias(graph, &l, &a));
        int output = node->outputs[0];
        nz_graph_drop_node(graph, (int)n);
        nz_graph_redirect(graph, output, input);
        *ret_folded = true;
        return NZ_OK;
    }
    return NZ_OK;
}

nz_status nz_pass_fold_batchnorm(nz_graph **ret_graph, const nz_graph *graph) {
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    NZ_TRY(nz_graph_clone(&copy, graph));
    for (size_t n = 0; n < copy->node_count; n++) { /* topological: a chain folds into its layer link by link */
        bool folded = false;
        NZ_TRY(try_fold(&folded, copy, n));
    }
    NZ_TRY(nz_graph_finish(copy));
    *ret_graph = NZ_STEAL(copy);
    return NZ_OK;
}
