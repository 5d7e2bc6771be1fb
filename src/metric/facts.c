/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that follows from a model's file alone: operations, widths, parameters, per node and in total. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "metric/trace.h"
#include "netzip/pass.h"

/* What counting one node needs; the tensors are rewritten for each node. */
typedef struct counter {
    const nz_graph *graph;
    nz_readers readers;
    nz_params params;
    nz_tensor *in, *out;
    const nz_tensor **in_pointers;
    size_t capacity_in, capacity_out, capacity_pointers;
    nz_arena scratch;
} counter;

static void counter_done(counter *c) {
    nz_readers_done(&c->readers);
    nz_params_done(&c->params);
    free(c->in);
    free(c->out);
    free(c->in_pointers);
    nz_arena_done(&c->scratch);
}

static nz_tensor described(const nz_value *value) {
    if (value->constant.data) return value->constant;
    return (nz_tensor){.dtype = value->dtype, .shape = value->shape};
}

/* Type and shape of every input and output; false where one of them is not known. */
static nz_status prepare(counter *c, const nz_node *node, bool *ret_known) {
    NZ_TRY(nz_grow(&c->in, &c->capacity_in, node->input_count + 1, sizeof *c->in));
    NZ_TRY(nz_grow(&c->in_pointers, &c->capacity_pointers, node->input_count + 1, sizeof *c->in_pointers));
    NZ_TRY(nz_grow(&c->out, &c->capacity_out, node->output_count + 1, sizeof *c->out));
    bool known = true;
    for (size_t i = 0; i < node->input_count; i++) {
        int value = node->inputs[i];
        c->in_pointers[i] = value == NZ_NO_VALUE ? NULL : &c->in[i];
        if (value == NZ_NO_VALUE) continue;
        c->in[i] = described(&c->graph->values[value]);
        known = known && c->in[i].dtype != NZ_DTYPE_NONE && nz_shape_known(&c->in[i].shape);
    }
    for (size_t i = 0; i < node->output_count; i++) {
        int value = node->outputs[i];
        c->out[i] = value == NZ_NO_VALUE ? (nz_tensor){0} : described(&c->graph->values[value]);
        known =
            known && (value == NZ_NO_VALUE || (c->out[i].dtype != NZ_DTYPE_NONE && nz_shape_known(&c->out[i].shape)));
    }
    *ret_known = known;
    return NZ_OK;
}

static void unknown(nz_graph_facts *facts, const nz_node *node, bool may_have_macs, const char *why) {
    char reason[sizeof facts->ops_reason];
    snprintf(reason, sizeof reason, "node '%.48s' (%.36s%s%.36s): %.48s", node->name, node->domain,
             *node->domain ? "." : "", node->op_type, why);
    if (facts->ops_known) memcpy(facts->ops_reason, reason, sizeof reason);
    facts->ops_known = false;
    if (!may_have_macs) return;
    if (facts->macs_known) memcpy(facts->macs_reason, reason, sizeof reason);
    facts->macs_known = false;
}

static nz_status count_ops(counter *c, nz_graph_facts *facts, nz_layer_facts *layer, const nz_node *node) {
    const nz_op *op = nz_op_find(node->domain, node->op_type);
    nz_op_cost cost = {0};
    bool known = false;
    if (!op) {
        unknown(facts, node, true, "its operations are not known");
        return NZ_OK;
    }
    layer->ops_known = !op->count;
    if (!op->count) return NZ_OK;
    NZ_TRY(prepare(c, node, &known));
    if (!known) {
        unknown(facts, node, op->flags & NZ_OP_HAS_MACS, "its shapes cannot be inferred");
        return NZ_OK;
    }
    nz_op_ctx ctx = {.node = node,
                     .in_count = node->input_count,
                     .out_count = node->output_count,
                     .in = c->in_pointers,
                     .out = c->out,
                     .scratch = &c->scratch};
    if (op->count(&ctx, &cost) != NZ_OK) {
        unknown(facts, node, op->flags & NZ_OP_HAS_MACS, nz_last_error());
        return NZ_OK;
    }
    nz_arena_reset(&c->scratch);
    layer->ops_known = true;
    layer->macs = layer->macs_effective = cost.macs;
    layer->ops = cost.ops;
    facts->macs += cost.macs;
    facts->ops += cost.ops;
    facts->conversions += cost.conversions;
    return NZ_OK;
}

__extension__ typedef unsigned __int128 wide;

/* MACs x share of weights that are not zero: every element of a constant weight is used equally often. */
static void count_effective(const counter *c, nz_layer_facts *layer, const nz_node *node) {
    const nz_param_inputs *inputs = nz_param_inputs_of(node);
    uint64_t elements = 0, nonzero = 0;
    for (size_t i = 0; inputs && i < node->input_count && i < 32; i++) {
        /* Input 0 of a recurrent node is data; its weights are operands too, and used equally often. */
        if (!(inputs->operands >> i & 1u) || node->inputs[i] == NZ_NO_VALUE) continue;
        int origin = nz_trace_origin(c->graph, node->inputs[i]);
        int item = c->params.of_value[origin];
        if (item < 0) continue;
        elements += c->params.items[item].elements;
        nonzero += c->params.items[item].nonzero;
    }
    if (elements == 0) return;
    layer->macs_effective = (uint64_t)((wide)layer->macs * nonzero / elements);
}

static void count_widths(const counter *c, nz_graph_facts *facts, nz_layer_facts *layer, int index) {
    const nz_node *node = &c->graph->nodes[index];
    nz_width w = nz_width_of(c->graph, &c->readers, index);
    layer->bits = nz_dtype_get(w.type)->bits;
    layer->bits_stored = nz_dtype_get(w.stored)->bits;
    layer->weight_bits = nz_dtype_get(w.weight)->bits;
    layer->activation_bits = nz_dtype_get(w.activation)->bits;
    if (layer->ops > 0 && layer->bits == 0) {
        unknown(facts, node, layer->macs > 0, "its number type is not known");
        return;
    }
    double ops = (double)layer->ops, macs = (double)layer->macs;
    if (nz_dtype_get(w.type)->is_float) facts->flops += layer->ops;
    facts->chats += ops * layer->bits;
    facts->chats_macs += macs * layer->bits;
    facts->chats_stored += ops * layer->bits_stored;
    facts->chats_macs_stored += macs * layer->bits_stored;
    facts->bops += macs * layer->weight_bits * layer->activation_bits;
}

static void count_params(const counter *c, nz_graph_facts *facts) {
    for (size_t i = 0; i < c->params.count; i++) {
        const nz_param *p = &c->params.items[i];
        facts->layers[p->node].params += p->elements;
        facts->layers[p->node].params_nonzero += p->nonzero;
        facts->params += p->elements;
        facts->params_nonzero += p->nonzero;
        if (!p->is_weight) continue;
        facts->weights += p->elements;
        facts->weights_zero += p->elements - p->nonzero;
    }
}

static nz_status count_all(nz_graph_facts *facts) {
    NZ_AUTO(counter_done) counter c = {.graph = facts->counted};
    NZ_TRY(nz_readers_init(&c.readers, c.graph));
    NZ_TRY(nz_params_init(&c.params, c.graph, true));
    NZ_TRY(nz_alloc(&facts->layers, c.graph->node_count, sizeof *facts->layers));
    facts->layer_count = c.graph->node_count;
    facts->ops_known = facts->macs_known = true;
    for (size_t i = 0; i < c.graph->node_count; i++) {
        const nz_node *node = &c.graph->nodes[i];
        nz_layer_facts *layer = &facts->layers[i];
        layer->name = node->name;
        layer->op = node->op_type;
        NZ_TRY(count_ops(&c, facts, layer, node));
        count_effective(&c, layer, node);
        facts->macs_effective += layer->macs_effective;
        count_widths(&c, facts, layer, (int)i);
    }
    count_params(&c, facts);
    return NZ_OK;
}

/* The first input that leaves an extent open beside the batch; NULL where there is none. */
static const nz_value *unbound_input(const nz_graph *graph, const nz_binding *bindings, size_t binding_count) {
    for (size_t i = 0; i < graph->input_count; i++) {
        const nz_value *value = &graph->values[graph->inputs[i]];
        bool bound = false, open = value->shape.rank < 0;
        for (size_t b = 0; b < binding_count; b++) bound = bound || strcmp(bindings[b].input, value->name) == 0;
        for (int d = 1; d < value->shape.rank; d++) open = open || value->shape.dim[d] < 0;
        if (open && !bound) return value;
    }
    return NULL;
}

nz_status nz_graph_facts_get(nz_graph_facts *ret_facts, const nz_graph *graph, const nz_binding *bindings,
                             size_t binding_count) {
    NZ_AUTO(nz_graph_facts_done) nz_graph_facts facts = {0};
    const nz_value *unbound = unbound_input(graph, bindings, binding_count);
    if (unbound)
        NZ_TRY(nz_pass_fold(&facts.counted, graph));
    else
        NZ_TRY(nz_pass_specialise(&facts.counted, graph, 1, bindings, binding_count, true));
    NZ_TRY(count_all(&facts));
    if (unbound) {
        char text[112];
        snprintf(facts.ops_reason, sizeof facts.ops_reason, "input '%.60s' has shape %.40s: give its extents (--input)",
                 unbound->name, nz_shape_text(&unbound->shape, text));
        memcpy(facts.macs_reason, facts.ops_reason, sizeof facts.macs_reason);
        facts.ops_known = facts.macs_known = false;
    }
    *ret_facts = facts;
    facts = (nz_graph_facts){0};
    return NZ_OK;
}

void nz_graph_facts_done(nz_graph_facts *facts) {
    free(facts->layers);
    nz_graph_free(facts->counted);
    *facts = (nz_graph_facts){0};
}
