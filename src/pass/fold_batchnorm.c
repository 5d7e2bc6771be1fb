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
    if (groups < 1 || (transposed && (groups > l.outer || l.outer % groups))) return false;
    l.channels = transposed ? l.columns * groups : l.columns;
    l.outer_per_group = transposed ? l.outer / groups : l.outer;
    if (node->input_count > 2 && node->inputs[2] >= 0) {
        const nz_tensor *bias = float_constant(graph, node, 2, (int64_t)l.channels);
        /* Gemm's may also be a column, one number per row of the result. */
        if (!bias || (l.channels > 1 && bias->shape.dim[bias->shape.rank - 1] != (int64_t)l.channels)) return false;
    }
    *ret_layer = l;
    return true;
}

static nz_status scale_weight(nz_graph *graph, const layer *l, const affine *a) {
    NZ_AUTO_TENSOR nz_tensor w = {0};
    int value = 0;
    NZ_TRY(nz_tensor_init(&w, NZ_F32, &l->weight->shape));
    float *to = w.data;
    nz_tensor_to_f32(l->weight, to); /* which may lie in the file unaligned */
    for (size_t o = 0; o < l->outer; o++)
        for (size_t c = 0; c < l->columns; c++) {
            double k = a->k[o / l->outer_per_group * l->columns + c];
            for (size_t i = 0, at = (o * l->columns + c) * l->inner; i < l->inner; i++, at++)
                to[at] = (float)((double)to[at] * k);
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

/* A graph while its nodes are visited in order. */
typedef struct merger {
    nz_graph *graph;
    int *alias;      /* by value: which one to read instead */
    size_t *readers; /* by value: nodes that read it */
    bool *kept;      /* by value: a model's output, or read by name from within an attribute */
    size_t value_count;
} merger;

static void merger_done(merger *m) {
    free(m->alias);
    free(m->readers);
    free(m->kept);
}

static nz_status merger_init(merger *m, nz_graph *graph) {
    m->graph = graph;
    m->value_count = graph->value_count;
    NZ_TRY(nz_alloc(&m->alias, m->value_count, sizeof *m->alias));
    NZ_TRY(nz_alloc(&m->readers, m->value_count, sizeof *m->readers));
    NZ_TRY(nz_alloc(&m->kept, m->value_count, sizeof *m->kept));
    for (size_t v = 0; v < m->value_count; v++) m->alias[v] = (int)v;
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] >= 0) m->readers[node->inputs[i]]++;
        for (size_t i = 0; i < node->capture_count; i++) m->kept[node->captures[i]] = true;
    }
    return NZ_OK;
}

/* The node's output is now what the layer makes; a model's output keeps its name. */
static void take_over(merger *m, size_t n, int input, int output) {
    nz_graph *graph = m->graph;
    nz_graph_drop_node(graph, (int)n);
    m->alias[output] = input;
    m->readers[input] = m->readers[output];
    if (!nz_graph_is_output(graph, output)) return;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == output) graph->outputs[i] = input;
    nz_graph_swap_names(graph, input, output);
}

/* Folds node `n` into the layer that makes its input `i`, where that is possible. */
static nz_status try_input(merger *m, size_t n, size_t i, bool *ret_folded) {
    nz_graph *graph = m->graph;
    const nz_node *node = &graph->nodes[n];
    bool batchnorm = strcmp(node->op_type, "BatchNormalization") == 0, fits = false;
    int input = node->inputs[i], output = node->outputs[0], producer = input >= 0 ? graph->values[input].producer : -1;
    layer l;
    NZ_AUTO(affine_done) affine a = {0};
    if (output < 0 || m->kept[output] || producer < 0 || !graph->nodes[producer].op_type ||
        !read_layer(&l, graph, &graph->nodes[producer]))
        return NZ_OK;
    if (m->readers[input] != 1 || m->kept[input] || nz_graph_is_output(graph, input)) return NZ_OK;
    int rank = strcmp(l.node->op_type, "Gemm") == 0 ? 2 : l.weight->shape.rank;
    NZ_TRY(batchnorm ? read_batchnorm(&a, &fits, graph, node, l.channels)
                     : read_arithmetic(&a, &fits, graph, node, input, l.channels, rank));
    if (!fits) return NZ_OK;
    NZ_TRY(scale_weight(graph, &l, &a));
    NZ_TRY(shift_bias(graph, &l, &a));
    take_over(m, n, input, output);
    *ret_folded = true;
    return NZ_OK;
}

static nz_status visit(merger *m, size_t n) {
    nz_node *node = &m->graph->nodes[n];
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && (size_t)node->inputs[i] < m->value_count)
            node->inputs[i] = m->alias[node->inputs[i]];
    if (node->unsupported || *node->domain || node->output_count < 1) return NZ_OK;
    bool batchnorm = strcmp(node->op_type, "BatchNormalization") == 0;
    bool arithmetic = strcmp(node->op_type, "Mul") == 0 || strcmp(node->op_type, "Add") == 0;
    size_t inputs = batchnorm && node->input_count ? 1 : arithmetic ? node->input_count : 0;
    bool folded = false;
    for (size_t i = 0; i < inputs && !folded; i++) NZ_TRY(try_input(m, n, i, &folded));
    return NZ_OK;
}

nz_status nz_pass_fold_batchnorm(nz_graph **ret_graph, const nz_graph *graph) {
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    NZ_AUTO(merger_done) merger m = {0};
    NZ_TRY(nz_graph_clone(&copy, graph));
    NZ_TRY(merger_init(&m, copy));
    /* In topological order: a chain folds into its layer link by link. */
    for (size_t n = 0; n < copy->node_count; n++) NZ_TRY(visit(&m, n));
    NZ_TRY(nz_graph_finish(copy));
    *ret_graph = NZ_STEAL(copy);
    return NZ_OK;
}
