/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers a graph's nodes into groups, drops those that nothing needs, and orders the rest. */
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "runtime/match.h"

static const struct {
    const char *op_type;
    nz_match_function *match;
} matchers[] = {
    {"Conv", nz_match_conv},
    {"ConvTranspose", nz_match_conv},
    {"Gemm", nz_match_linear},
    {"MatMul", nz_match_linear},
    {"MaxPool", nz_match_pool},
    {"AveragePool", nz_match_pool},
    {"GlobalAveragePool", nz_match_pool},
    {"GlobalMaxPool", nz_match_pool},
    {"ReduceMean", nz_match_pool},
    {"Add", nz_match_binary},
    {"Sub", nz_match_binary},
    {"Mul", nz_match_binary},
    {"Div", nz_match_binary},
    {"Max", nz_match_binary},
    {"Min", nz_match_binary},
    {"Softmax", nz_match_softmax},
    {"LogSoftmax", nz_match_softmax},
    {"Resize", nz_match_nearest},
    {"Concat", nz_match_concat},
    {"Pad", nz_match_pad},
    {"Reshape", nz_match_view},
    {"Flatten", nz_match_view},
    {"Squeeze", nz_match_view},
    {"Unsqueeze", nz_match_view},
    {"Transpose", nz_match_view},
    {"Identity", nz_match_view},
    {"Dropout", nz_match_view},
    {"Slice", nz_match_view},
    {"Split", nz_match_view},
    {"QuantizeLinear", nz_match_convert},
    {"DequantizeLinear", nz_match_convert},
};

static bool has_empty_value(const nz_graph *graph, const nz_node *node) {
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != NZ_NO_VALUE && nz_shape_elements(&graph->values[node->outputs[i]].shape) == 0)
            return true;
    for (size_t i = 0; i < node->input_count && i < 2; i++)
        if (node->inputs[i] != NZ_NO_VALUE && nz_shape_elements(&graph->values[node->inputs[i]].shape) == 0)
            return true;
    return false;
}

static nz_status match_node(nz_planner *planner, int index) {
    const nz_node *node = &planner->graph->nodes[index];
    NZ_TRY(nz_grow(&planner->groups, &planner->group_capacity, planner->group_count + 1, sizeof *planner->groups));
    nz_group *group = &planner->groups[planner->group_count++];
    *group = (nz_group){
        .kind = NZ_GROUP_REFERENCE, .root = index, .last = index, .src = -1, .src1 = -1, .out = -1, .residual = -1};
    group->src_quant = group->src1_quant = group->dst_quant = (nz_quant){1, 0};
    planner->taken[index] = true;
    if ((planner->refused[index] & NZ_REFUSE_KERNEL) || *node->domain || !nz_op_of(node) ||
        has_empty_value(planner->graph, node))
        return NZ_OK;
    if (node->output_count == 0 || node->outputs[0] == NZ_NO_VALUE) return NZ_OK;
    const nz_op *op = nz_op_of(node);
    for (size_t i = 0; i < NZ_COUNT(matchers); i++)
        if (strcmp(matchers[i].op_type, node->op_type) == 0) return matchers[i].match(planner, group, node);
    return op->flags & NZ_OP_UNARY ? nz_match_act(planner, group, node) : NZ_OK;
}

void nz_group_inputs(const nz_planner *planner, const nz_group *group, void (*each)(void *argument, int value),
                     void *argument) {
    const nz_node *node = &planner->graph->nodes[group->root];
    if (group->kind != NZ_GROUP_REFERENCE && group->kind != NZ_GROUP_CONCAT) {
        if (group->src >= 0) each(argument, group->src);
        if (group->src1 >= 0) each(argument, group->src1);
        return;
    }
    for (size_t i = 0; i < node->input_count; i++) {
        int value = node->inputs[i];
        nz_quant quant;
        if (value == NZ_NO_VALUE) continue;
        if (group->kind == NZ_GROUP_CONCAT && group->int8) (void)nz_planner_dequantised(planner, value, &value, &quant);
        each(argument, value);
    }
}

/* -- what is needed, and when ------------------------------------------------------------------------------------------ */

typedef struct marking {
    nz_planner *planner;
    int *group_of; /* per value: the group that makes it */
    int *pending;
    size_t count;
    size_t position;
} marking;

static void mark(void *argument, int value) {
    marking *m = argument;
    int group = m->group_of[value];
    if (group < 0 || m->planner->groups[group].live || nz_planner_is_constant(m->planner, value)) return;
    m->planner->groups[group].live = true;
    m->pending[m->count++] = group;
}

static void set_maker(const nz_planner *planner, int *group_of, size_t g) {
    const nz_group *group = &planner->groups[g];
    const nz_node *node = &planner->graph->nodes[group->root];
    if (group->out >= 0) {
        group_of[group->out] = (int)g;
        return;
    }
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != NZ_NO_VALUE) group_of[node->outputs[i]] = (int)g;
}

static int by_last(const void *a, const void *b, void *groups) {
    const nz_group *g = groups;
    return g[*(const size_t *)a].last - g[*(const size_t *)b].last;
}

static nz_status find_live(nz_planner *planner) {
    NZ_AUTO_FREE int *group_of = NULL;
    NZ_AUTO_FREE int *pending = NULL;
    const nz_graph *graph = planner->graph;
    NZ_TRY(nz_alloc(&group_of, graph->value_count, sizeof *group_of));
    NZ_TRY(nz_alloc(&pending, planner->group_count, sizeof *pending));
    for (size_t v = 0; v < graph->value_count; v++) group_of[v] = -1;
    for (size_t g = 0; g < planner->group_count; g++) set_maker(planner, group_of, g);
    marking m = {.planner = planner, .group_of = group_of, .pending = pending};
    for (size_t i = 0; i < graph->output_count; i++) mark(&m, graph->outputs[i]);
    while (m.count) {
        int group = pending[--m.count];
        nz_group_inputs(planner, &planner->groups[group], mark, &m);
    }
    NZ_TRY(nz_alloc(&planner->order, planner->group_count, sizeof *planner->order));
    planner->order_count = 0;
    for (size_t g = 0; g < planner->group_count; g++)
        if (planner->groups[g].live) planner->order[planner->order_count++] = g;
    qsort_r(planner->order, planner->order_count, sizeof *planner->order, by_last, planner->groups);
    return NZ_OK;
}

static int find_class(const nz_planner *planner, int value) {
    while (planner->class_of[value] != value) value = planner->class_of[value];
    return value;
}

static void join(nz_planner *planner, int a, int b) {
    planner->class_of[find_class(planner, a)] = find_class(planner, b);
}

static void use(void *argument, int value) {
    marking *m = argument;
    size_t *last = &m->planner->last_use[find_class(m->planner, value)];
    if (*last != SIZE_MAX && m->position > *last) *last = m->position;
}

/* Views share their source's buffer, and so do the parts of a concatenation: such values live and die together. */
static nz_status find_last_uses(nz_planner *planner) {
    const nz_graph *graph = planner->graph;
    NZ_TRY(nz_alloc(&planner->class_of, graph->value_count, sizeof *planner->class_of));
    NZ_TRY(nz_alloc(&planner->last_use, graph->value_count, sizeof *planner->last_use));
    for (size_t v = 0; v < graph->value_count; v++) planner->class_of[v] = (int)v;
    for (size_t g = 0; g < planner->group_count; g++) {
        const nz_group *group = &planner->groups[g];
        const nz_node *node = &graph->nodes[group->root];
        if (!group->live) continue;
        for (size_t i = 0; group->kind == NZ_GROUP_VIEW && i < node->output_count; i++)
            if (node->outputs[i] != NZ_NO_VALUE) join(planner, node->outputs[i], group->src);
        for (size_t i = 0; group->kind == NZ_GROUP_CONCAT && i < node->input_count; i++)
            if (!group->int8) join(planner, node->inputs[i], group->out);
    }
    for (size_t i = 0; i < graph->output_count; i++)
        planner->last_use[find_class(planner, graph->outputs[i])] = SIZE_MAX;
    marking m = {.planner = planner};
    for (size_t at = 0; at < planner->order_count; at++) {
        m.position = at;
        nz_group_inputs(planner, &planner->groups[planner->order[at]], use, &m);
    }
    for (size_t v = 0; v < graph->value_count; v++) planner->class_of[v] = find_class(planner, (int)v);
    return NZ_OK;
}

nz_status nz_planner_match(nz_planner *planner) {
    for (size_t n = 0; n < planner->graph->node_count; n++) {
        const nz_node *node = &planner->graph->nodes[n];
        if (planner->taken[n]) continue;
        if (!nz_op_of(node) || !nz_op_of(node)->run)
            return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): %s", node->name, node->op_type,
                           node->unsupported ? node->unsupported : "the operator is not in the table");
        NZ_TRY(match_node(planner, (int)n));
    }
    NZ_TRY(find_live(planner));
    return find_last_uses(planner);
}
