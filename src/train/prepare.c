/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph before it is lowered: constants that training changes become inputs of known shape, so that folding leaves what
 * depends on them alone; Dropout becomes a product with a factor that nobody knows yet; shapes are fixed for the batch;
 * a Softmax at the end goes.
 */
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "netzip/pass.h"
#include "pass/bind.h"
#include "train/plan.h"

void nz_prepared_done(nz_prepared *p) {
    for (size_t i = 0; i < p->param_count; i++) free(p->params[i]);
    for (size_t i = 0; i < p->dropout_count; i++) free(p->dropouts[i]);
    free(p->params);
    free(p->dropouts);
    free(p->ratios);
    *p = (nz_prepared){0};
}

bool nz_lower_is(const nz_node *node, const char *op_type) {
    return node && node->op_type && !*node->domain && !node->unsupported && strcmp(node->op_type, op_type) == 0;
}

/* ---- the base graph: a constant of its own for everything that changes on its own ---- */

/* Exporters merge constants that are equal at the time and put an Identity for each of the others: these are different
 * tensors that training tells apart. */
static nz_status dissolve_identities(nz_graph *graph) {
    bool any = false;
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        if (!nz_lower_is(node, "Identity") || node->input_count != 1 || node->output_count != 1 ||
            !nz_value_is_constant(graph, node->inputs[0]) || nz_graph_is_output(graph, node->outputs[0]))
            continue;
        NZ_TRY(nz_graph_set_constant(graph, node->outputs[0], &graph->values[node->inputs[0]].constant));
        nz_graph_drop_node(graph, (int)n);
        any = true;
    }
    return any ? nz_graph_finish(graph) : NZ_OK;
}

/* Gives input `i` of a node a constant of its own in place of one that changes with something else. */
static nz_status copy_input(nz_graph *graph, size_t n, size_t i) {
    const nz_value *value = &graph->values[graph->nodes[n].inputs[i]];
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    int copy = -1;
    NZ_AUTO_FREE char *name = NULL;
    NZ_TRY(nz_tensor_share(&tensor, &value->constant));
    NZ_TRY(nz_strdup(&name, value->name));
    NZ_TRY(nz_graph_add_constant(graph, &copy, name, &tensor));
    graph->nodes[n].inputs[i] = copy;
    return NZ_OK;
}

static int constant_input(const nz_graph *graph, const nz_node *node, size_t i) {
    return i < node->input_count && nz_value_is_constant(graph, node->inputs[i]) ? node->inputs[i] : -1;
}

static bool quantises(const nz_node *node) {
    return nz_lower_is(node, "QuantizeLinear") || nz_lower_is(node, "DequantizeLinear");
}

/* Constants that something else reads than what moves them as running statistics or zero points: a gamma, say. */
static void mark_others(const nz_graph *graph, int *owner) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        size_t moved = nz_lower_is(node, "BatchNormalization") ? 3 : quantises(node) ? 2 : node->input_count;
        for (size_t i = 0; i < node->input_count && i < moved; i++)
            if (nz_value_is_constant(graph, node->inputs[i])) owner[node->inputs[i]] = -1;
        for (size_t i = 0; i < node->capture_count; i++) owner[node->captures[i]] = -1;
    }
    for (size_t i = 0; i < graph->output_count; i++) owner[graph->outputs[i]] = -1;
}

/* Two normalisations never share running statistics, two scales never a zero point, and neither shares with anything else. */
static nz_status split_constants(nz_graph *graph) {
    /* by value: 1 + who changes it (a node, or a scale); 0: nobody yet; -1: others read it */
    NZ_AUTO_FREE int *owner = NULL;
    int count = (int)graph->value_count;
    NZ_TRY(nz_alloc(&owner, graph->value_count, sizeof *owner));
    mark_others(graph, owner);
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        bool norm = nz_lower_is(node, "BatchNormalization"), quant = quantises(node);
        for (size_t i = norm ? 3 : 2; (norm && i < 5) || (quant && i < 3); i++) {
            int value = constant_input(graph, node, i), by = norm ? (int)(2 * n + i) : constant_input(graph, node, 1);
            if (value < 0 || by < 0 || value >= count) continue;
            if (owner[value] && owner[value] != by + 1)
                NZ_TRY(copy_input(graph, n, i));
            else
                owner[value] = by + 1;
        }
    }
    return graph->value_count > (size_t)count ? nz_graph_finish(graph) : NZ_OK;
}

/* ---- what is trained ---- */

/* A constant that holds one number per channel, or the like: one extent above 1. */
static bool is_list(const nz_graph *graph, int value) {
    const nz_tensor *tensor = value < 0 ? NULL : &graph->values[value].constant;
    int extents = 0;
    for (int d = 0; tensor && tensor->data && d < tensor->shape.rank; d++) extents += tensor->shape.dim[d] > 1;
    return extents == 1;
}

/* Inputs of a node that are parameters if they are constants. Of element-wise arithmetic it is the biases and factors of
 * what parameters stand before (`behind`): a list of numbers. Other constants belong to formulas. */
static unsigned param_inputs(const nz_graph *graph, const nz_node *node, const bool *behind) {
    static const char *const arithmetic[] = {"Add", "Sub", "Mul", "Div"};
    const nz_op *op = nz_op_of(node);
    bool is_arithmetic = false;
    unsigned inputs = 0;
    for (size_t i = 0; i < NZ_COUNT(arithmetic); i++) is_arithmetic |= nz_lower_is(node, arithmetic[i]);
    if (!op || !op->params || !is_arithmetic || node->input_count != 2) return op && !is_arithmetic ? op->params : 0;
    for (unsigned i = 0; i < 2; i++)
        if (node->inputs[1 - i] >= 0 && behind[node->inputs[1 - i]] && is_list(graph, node->inputs[i]))
            inputs |= 1U << i;
    return inputs & op->params;
}

static bool touches_param(const nz_graph *graph, const nz_node *node, const bool *behind) {
    unsigned inputs = param_inputs(graph, node, behind);
    for (size_t i = 0; i < node->input_count; i++) {
        int value = node->inputs[i];
        if (value >= 0 && (behind[value] || (nz_step_bit(inputs, i) && nz_value_is_constant(graph, value))))
            return true;
    }
    return false;
}

/* Through which inputs of a node that depends on constants alone a parameter may lie behind it. */
static unsigned passing_inputs(const nz_node *node) {
    const nz_op *op = nz_op_of(node);
    if (nz_lower_is(node, "QuantizeLinear") || nz_lower_is(node, "DequantizeLinear")) return 1;
    return op && op->grad ? op->grad_inputs : 0;
}

static bool takes_constants_alone(const nz_graph *graph, const nz_node *node, const bool *constant) {
    if (!node->input_count || node->capture_count) return false;
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && !constant[node->inputs[i]] && !nz_value_is_constant(graph, node->inputs[i]))
            return false;
    return true;
}

/* wanted[v]: constant v is trained. One pass forwards for what depends on constants alone and what parameters stand
 * before, one backwards. */
static nz_status find_params(const nz_graph *graph, bool *wanted) {
    NZ_AUTO_FREE bool *constant = NULL;
    NZ_TRY(nz_alloc(&constant, 2 * graph->value_count, sizeof *constant));
    bool *behind = constant + graph->value_count;
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        bool alone = takes_constants_alone(graph, node, constant), touched = touches_param(graph, node, behind);
        for (size_t o = 0; o < node->output_count; o++) {
            if (node->outputs[o] < 0) continue;
            constant[node->outputs[o]] = alone;
            behind[node->outputs[o]] = touched && !alone;
        }
    }
    for (size_t n = graph->node_count; n-- > 0;) {
        const nz_node *node = &graph->nodes[n];
        bool passes =
            node->output_count && node->outputs[0] >= 0 && constant[node->outputs[0]] && wanted[node->outputs[0]];
        unsigned inputs = param_inputs(graph, node, behind) | (passes ? passing_inputs(node) : 0);
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] >= 0 && nz_step_bit(inputs, i)) wanted[node->inputs[i]] = true;
    }
    for (size_t n = 0; n < graph->node_count; n++) /* what a subgraph reads by name has to stay a constant */
        for (size_t i = 0; i < graph->nodes[n].capture_count; i++) wanted[graph->nodes[n].captures[i]] = false;
    for (size_t v = 0; v < graph->value_count; v++)
        wanted[v] = wanted[v] && graph->values[v].constant.data && graph->values[v].constant.dtype == NZ_F32;
    return NZ_OK;
}

static nz_status free_params(nz_graph *graph, nz_prepared *prepared) {
    NZ_AUTO_FREE bool *wanted = NULL;
    NZ_TRY(nz_alloc(&wanted, graph->value_count, sizeof *wanted));
    NZ_TRY(find_params(graph, wanted));
    NZ_TRY(nz_alloc(&prepared->params, graph->value_count, sizeof *prepared->params));
    for (size_t v = 0; v < graph->value_count; v++) {
        nz_value *value = &graph->values[v];
        if (!wanted[v] || nz_graph_is_output(graph, (int)v)) continue;
        NZ_TRY(nz_strdup(&prepared->params[prepared->param_count], value->name));
        prepared->param_count++;
        value->dtype = value->constant.dtype;
        value->shape = value->constant.shape;
        nz_tensor_done(&value->constant);
        NZ_TRY(nz_graph_add_input(graph, (int)v));
    }
    if (!prepared->param_count)
        return nz_fail(NZ_E_UNSUPPORTED, "the model has no float constants that training could change");
    return NZ_OK;
}

/* ---- Dropout ---- */

static bool drops_alone(const nz_graph *graph, const nz_node *node) {
    for (size_t o = 1; o < node->output_count; o++)
        if (node->outputs[o] >= 0 &&
            (nz_graph_is_output(graph, node->outputs[o]) || nz_graph_consumers(graph, node->outputs[o], NULL)))
            return false;
    return node->input_count > 0 && node->inputs[0] >= 0 && node->output_count > 0 && node->outputs[0] >= 0;
}

static double dropout_ratio(const nz_graph *graph, const nz_node *node) {
    int value = node->input_count > 1 ? node->inputs[1] : -1;
    if (value < 0) return 0.5;
    const nz_tensor *ratio = &graph->values[value].constant;
    if (!ratio->data || nz_shape_elements(&ratio->shape) != 1) return -1;
    double p = nz_tensor_real(ratio, 0);
    return p > 0 && p < 1 ? p : -1;
}

static nz_status keep_dropout(nz_graph *graph, size_t n, double ratio, nz_prepared *prepared) {
    NZ_AUTO_FREE char *name = NULL;
    const nz_shape scalar = {.rank = 0};
    int factor = -1;
    NZ_TRY(nz_format(&name, "%s/factor", graph->nodes[n].name));
    NZ_TRY(nz_graph_add_value(graph, &factor, name, NZ_F32, &scalar));
    NZ_TRY(nz_graph_add_input(graph, factor));
    nz_node *node = &graph->nodes[n];
    NZ_TRY(nz_node_set_op(node, "Mul"));
    NZ_TRY(nz_node_set_inputs(node, (int[]){node->inputs[0], factor}, 2));
    nz_node_remove_attr(node, "seed");
    node->output_count = 1;
    NZ_TRY(nz_strdup(&prepared->dropouts[prepared->dropout_count], graph->values[factor].name));
    prepared->ratios[prepared->dropout_count++] = ratio;
    return NZ_OK;
}

static nz_status keep_dropouts(nz_graph *graph, nz_prepared *prepared) {
    NZ_TRY(nz_alloc(&prepared->dropouts, graph->node_count, sizeof *prepared->dropouts));
    NZ_TRY(nz_alloc(&prepared->ratios, graph->node_count, sizeof *prepared->ratios));
    for (size_t n = 0; n < graph->node_count; n++) {
        if (!nz_lower_is(&graph->nodes[n], "Dropout") || !drops_alone(graph, &graph->nodes[n])) continue;
        double ratio = dropout_ratio(graph, &graph->nodes[n]);
        if (ratio > 0) NZ_TRY(keep_dropout(graph, n, ratio, prepared));
    }
    return NZ_OK;
}

/* ---- shapes and outputs ---- */

static nz_status check_ends(const nz_graph *graph, const nz_engine_options *options) {
    int64_t batch = options->batch;
    if (graph->input_count != 1 || graph->values[graph->inputs[0]].dtype != NZ_F32)
        return nz_fail(NZ_E_UNSUPPORTED,
                       "training needs a model with exactly one input, of floats; it has %zu inputs%s",
                       graph->input_count, graph->input_count == 1 ? " of another type" : "");
    if (graph->output_count != 1 && !options->taps_alone)
        return nz_fail(NZ_E_UNSUPPORTED, "training needs a model with exactly one output; it has %zu",
                       graph->output_count);
    const nz_value *x = &graph->values[graph->inputs[0]];
    int64_t fixed = x->shape.rank > 0 ? x->shape.dim[0] : -1;
    if (fixed > 1 && fixed != batch)
        return nz_fail(NZ_E_SHAPE, "input %s takes batches of %lld alone, %lld were asked for", x->name,
                       (long long)fixed, (long long)batch);
    return NZ_OK;
}

static nz_status add_taps(nz_graph *graph, const nz_engine_options *options) {
    if (options->taps_alone && !options->tap_count)
        return nz_fail(NZ_E_INTERNAL, "an engine of taps alone needs at least one tap");
    if (options->taps_alone) graph->output_count = 0;
    for (size_t i = 0; i < options->tap_count; i++) {
        int value = nz_graph_find_value(graph, options->taps[i]);
        if (value < 0 || graph->values[value].producer < 0)
            return nz_fail(NZ_E_ARG, "the model computes no value named '%s'", options->taps[i]);
        if (!nz_graph_is_output(graph, value)) NZ_TRY(nz_graph_add_output(graph, value));
    }
    return options->taps_alone ? nz_graph_finish(graph) : NZ_OK;
}

static nz_status specialise(nz_graph **ret_graph, const nz_graph *graph, const nz_engine_options *options) {
    const int64_t *chw = options->chw;
    nz_shape sample = {3, {chw[0], chw[1], chw[2]}};
    nz_binding binding;
    size_t count = 0;
    /* nz_sample_binding wants the batch as the model's one input. */
    if (chw[0] > 0) {
        nz_graph ends = *graph;
        ends.input_count = 1;
        nz_sample_binding(&binding, &count, &ends, &sample, options->batch);
    }
    return nz_pass_specialise(ret_graph, graph, options->batch, &binding, count, false);
}

/* Nodes that leave every element where it is in memory. */
static bool keeps_order(const nz_graph *graph, const nz_node *node) {
    static const char *const names[] = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast"};
    bool any = false;
    for (size_t i = 0; i < NZ_COUNT(names); i++) any |= nz_lower_is(node, names[i]);
    return any && node->inputs[0] >= 0 && graph->values[node->inputs[0]].dtype == NZ_F32 &&
           graph->values[node->outputs[0]].dtype == NZ_F32;
}

/* The node behind which nothing but other shapes of its output follow up to the model's; *ret_reader: the first of those,
 * -1 where there is none. */
static int end_of(const nz_graph *graph, int *ret_reader) {
    int node = graph->values[graph->outputs[0]].producer;
    *ret_reader = -1;
    while (node >= 0 && keeps_order(graph, &graph->nodes[node])) {
        int value = graph->nodes[node].inputs[0];
        if (nz_graph_is_output(graph, value) || nz_graph_consumers(graph, value, NULL) != 1) return -1;
        *ret_reader = node;
        node = graph->values[value].producer;
    }
    return node;
}

/* Whether a node takes its exponentials over what the loss takes for classes. */
static bool over_classes(const nz_graph *graph, const nz_node *node, bool direct) {
    const nz_shape *shape = &graph->values[node->outputs[0]].shape, *out = &graph->values[graph->outputs[0]].shape;
    int64_t axis = nz_attr_int(node, "axis", -1);
    if (axis < 0) axis += shape->rank;
    if (axis < 1 || axis >= shape->rank || out->rank < 2) return false;
    if (direct) return axis == 1;
    return shape->dim[0] == out->dim[0] && shape->dim[axis] == out->dim[1] &&
           nz_shape_elements(shape) == out->dim[0] * out->dim[1];
}

/* Softmax over the classes at the end: losses have it in them, and it changes nothing behind a LogSoftmax. */
static nz_status remove_softmax(nz_graph *graph, bool *ret_logits) {
    int reader = -1, end = end_of(graph, &reader);
    *ret_logits = false;
    if (end < 0) return NZ_OK;
    const nz_node *node = &graph->nodes[end];
    bool log = nz_lower_is(node, "LogSoftmax");
    if ((!log && !nz_lower_is(node, "Softmax")) || !over_classes(graph, node, reader < 0)) return NZ_OK;
    if (reader < 0)
        graph->outputs[0] = node->inputs[0];
    else
        graph->nodes[reader].inputs[0] = node->inputs[0];
    *ret_logits = !log;
    return nz_graph_finish(graph);
}

static nz_status check_output(const nz_graph *graph, int64_t batch) {
    const nz_value *y = &graph->values[graph->outputs[0]];
    char text[112];
    if (y->dtype == NZ_F32 && y->shape.rank >= 1 && y->shape.dim[0] == batch) return NZ_OK;
    return nz_fail(NZ_E_SHAPE, "output %s is %s of %s; training needs floats with the batch of %lld first", y->name,
                   nz_shape_text(&y->shape, text), nz_dtype_get(y->dtype)->name, (long long)batch);
}

static nz_status prepare(nz_engine *engine, nz_prepared *prepared, nz_graph *work) {
    NZ_TRY(add_taps(work, &engine->options));
    NZ_TRY(free_params(work, prepared));
    NZ_TRY(keep_dropouts(work, prepared));
    NZ_TRY(specialise(&engine->graph, work, &engine->options));
    if (engine->options.taps_alone) return NZ_OK;
    if (!engine->options.keep_softmax) NZ_TRY(remove_softmax(engine->graph, &engine->logits));
    return check_output(engine->graph, engine->options.batch);
}

nz_status nz_engine_prepare(nz_engine *engine, nz_prepared *ret_prepared, const nz_graph *graph) {
    int64_t batch = engine->options.batch;
    NZ_AUTO_GRAPH nz_graph *work = NULL;
    NZ_TRY(check_ends(graph, &engine->options));
    NZ_TRY(nz_graph_clone(&engine->base, graph));
    NZ_TRY(dissolve_identities(engine->base));
    NZ_TRY(split_constants(engine->base));
    NZ_TRY(nz_graph_clone(&work, engine->base));
    const nz_value *x = &work->values[work->inputs[0]];
    if (batch == 1 || x->shape.rank < 1 || x->shape.dim[0] != 1) return prepare(engine, ret_prepared, work);
    NZ_TRY(nz_engine_open_batch(work));
    nz_status status = prepare(engine, ret_prepared, work);
    if (status != NZ_E_SHAPE) return status;
    return nz_fail_context(status, "the model was made for a batch of 1 and cannot take %lld", (long long)batch);
}
