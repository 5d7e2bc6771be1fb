/* SPDX-License-Identifier: Apache-2.0 */
/* Appending to a graph and rewiring it. */
#include "graph/build.h"

#include <limits.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "graph/index.h"

static const char *value_name(const void *graph, int index) { return ((const nz_graph *)graph)->values[index].name; }
static const char *node_name(const void *graph, int index) { return ((const nz_graph *)graph)->nodes[index].name; }

nz_status nz_graph_new(nz_graph **ret_graph) {
    nz_graph *g = NULL;
    NZ_TRY(nz_alloc(&g, 1, sizeof *g));
    *ret_graph = g;
    return NZ_OK;
}

/* The index is made on the first change, so that a finished graph carries none and can be shared between threads. */
static nz_status ensure_index(nz_graph *graph) {
    if (graph->index) return NZ_OK;
    struct nz_graph_index *index = NULL;
    NZ_TRY(nz_alloc(&index, 1, sizeof *index));
    *index = (struct nz_graph_index){.values = {.get = value_name},
                                     .nodes = {.get = node_name},
                                     .value_capacity = graph->value_count,
                                     .node_capacity = graph->node_count,
                                     .input_capacity = graph->input_count,
                                     .output_capacity = graph->output_count,
                                     .meta_capacity = graph->meta_count};
    graph->index = index;
    nz_status status = NZ_OK;
    for (size_t i = 0; i < graph->value_count && status == NZ_OK; i++)
        status = nz_names_set(&index->values, graph, graph->values[i].name, (int)i);
    for (size_t i = 0; i < graph->node_count && status == NZ_OK; i++)
        if (graph->nodes[i].name) status = nz_names_set(&index->nodes, graph, graph->nodes[i].name, (int)i);
    if (status != NZ_OK) nz_graph_index_free(graph);
    return status;
}

/* `name` where it is free; else name_N with N from `count` up, which is free at once unless the file plays tricks. */
static nz_status unique_name(char **ret_name, const nz_names *names, const nz_graph *graph, const char *name,
                             const char *otherwise, size_t count) {
    bool given = name && *name;
    if (given && nz_names_find(names, graph, name) < 0) return nz_strdup(ret_name, name);
    for (;; count++) {
        NZ_AUTO_FREE char *candidate = NULL;
        NZ_TRY(nz_format(&candidate, "%s_%zu", given ? name : otherwise, count));
        if (nz_names_find(names, graph, candidate) >= 0) continue;
        *ret_name = NZ_STEAL(candidate);
        return NZ_OK;
    }
}

nz_status nz_graph_add_value(nz_graph *graph, int *ret_index, const char *name, nz_dtype dtype, const nz_shape *shape) {
    NZ_TRY(ensure_index(graph));
    struct nz_graph_index *index = graph->index;
    if (graph->value_count >= INT_MAX / 2) return nz_fail(NZ_E_MEMORY, "a graph holds too many values");
    NZ_TRY(nz_grow(&graph->values, &index->value_capacity, graph->value_count + 1, sizeof *graph->values));
    NZ_AUTO_FREE char *unique = NULL;
    NZ_TRY(unique_name(&unique, &index->values, graph, name, "value", graph->value_count));
    NZ_TRY(nz_names_set(&index->values, graph, unique, (int)graph->value_count));
    graph->values[graph->value_count] =
        (nz_value){.name = NZ_STEAL(unique), .dtype = dtype, .shape = {.rank = -1}, .producer = -1};
    if (shape) graph->values[graph->value_count].shape = *shape;
    if (ret_index) *ret_index = (int)graph->value_count;
    graph->value_count++;
    return NZ_OK;
}

nz_status nz_graph_add_constant(nz_graph *graph, int *ret_index, const char *name, const nz_tensor *tensor) {
    int value = -1;
    nz_tensor shared = {0};
    NZ_TRY(nz_tensor_share(&shared, tensor));
    nz_status status = nz_graph_add_value(graph, &value, name, tensor->dtype, &tensor->shape);
    if (status != NZ_OK) {
        nz_tensor_done(&shared);
        return status;
    }
    graph->values[value].constant = shared;
    if (ret_index) *ret_index = value;
    return NZ_OK;
}

static nz_status fill_node(nz_node *node, const nz_graph *graph, const char *op_type, const char *name,
                           const int *inputs, size_t input_count, const int *outputs, size_t output_count) {
    NZ_TRY(nz_strdup(&node->op_type, op_type));
    NZ_TRY(nz_strdup(&node->domain, ""));
    NZ_TRY(unique_name(&node->name, &graph->index->nodes, graph, name, op_type, graph->node_count));
    NZ_TRY(nz_ints_copy(&node->inputs, inputs, input_count));
    NZ_TRY(nz_ints_copy(&node->outputs, outputs, output_count));
    node->input_count = input_count;
    node->output_count = output_count;
    node->opset = NZ_OPSET;
    return NZ_OK;
}

nz_status nz_graph_add_node(nz_graph *graph, int *ret_index, const char *op_type, const char *name, const int *inputs,
                            size_t input_count, const int *outputs, size_t output_count) {
    NZ_TRY(ensure_index(graph));
    struct nz_graph_index *index = graph->index;
    if (graph->node_count >= INT_MAX / 2) return nz_fail(NZ_E_MEMORY, "a graph holds too many nodes");
    NZ_TRY(nz_grow(&graph->nodes, &index->node_capacity, graph->node_count + 1, sizeof *graph->nodes));
    nz_node node = {0};
    nz_status status = fill_node(&node, graph, op_type, name, inputs, input_count, outputs, output_count);
    if (status == NZ_OK) status = nz_names_set(&index->nodes, graph, node.name, (int)graph->node_count);
    if (status != NZ_OK) {
        nz_node_done(&node);
        return status;
    }
    for (size_t i = 0; i < output_count; i++)
        if (outputs[i] >= 0) graph->values[outputs[i]].producer = (int)graph->node_count;
    graph->nodes[graph->node_count] = node;
    if (ret_index) *ret_index = (int)graph->node_count;
    graph->node_count++;
    return NZ_OK;
}

nz_status nz_graph_add_input(nz_graph *graph, int value) {
    NZ_TRY(ensure_index(graph));
    NZ_TRY(nz_grow(&graph->inputs, &graph->index->input_capacity, graph->input_count + 1, sizeof *graph->inputs));
    graph->inputs[graph->input_count++] = value;
    return NZ_OK;
}

nz_status nz_graph_add_output(nz_graph *graph, int value) {
    NZ_TRY(ensure_index(graph));
    NZ_TRY(nz_grow(&graph->outputs, &graph->index->output_capacity, graph->output_count + 1, sizeof *graph->outputs));
    graph->outputs[graph->output_count++] = value;
    return NZ_OK;
}

static void remove_meta(nz_graph *graph, size_t at) {
    free(graph->metas[at].key);
    free(graph->metas[at].value);
    memmove(&graph->metas[at], &graph->metas[at + 1], (graph->meta_count - at - 1) * sizeof *graph->metas);
    graph->meta_count--;
}

nz_status nz_graph_set_meta(nz_graph *graph, const char *key, const char *value) {
    NZ_TRY(ensure_index(graph));
    size_t at = 0;
    while (at < graph->meta_count && strcmp(graph->metas[at].key, key) != 0) at++;
    if (!value) {
        if (at < graph->meta_count) remove_meta(graph, at);
        return NZ_OK;
    }
    NZ_AUTO_FREE char *key_copy = NULL, *value_copy = NULL;
    NZ_TRY(nz_strdup(&key_copy, key));
    NZ_TRY(nz_strdup(&value_copy, value));
    NZ_TRY(nz_grow(&graph->metas, &graph->index->meta_capacity, graph->meta_count + 1, sizeof *graph->metas));
    if (at < graph->meta_count) {
        free(graph->metas[at].value);
        graph->metas[at].value = NZ_STEAL(value_copy);
    } else {
        graph->metas[graph->meta_count++] = (nz_meta){.key = NZ_STEAL(key_copy), .value = NZ_STEAL(value_copy)};
    }
    return NZ_OK;
}

nz_status nz_graph_set_constant(nz_graph *graph, int value, const nz_tensor *tensor) {
    nz_value *v = &graph->values[value];
    nz_tensor shared = {0};
    NZ_TRY(nz_tensor_share(&shared, tensor));
    nz_tensor_done(&v->constant);
    v->constant = shared;
    v->dtype = shared.dtype;
    v->shape = shared.shape;
    return NZ_OK;
}

nz_status nz_graph_rename_value(nz_graph *graph, int value, const char *name) {
    NZ_TRY(ensure_index(graph));
    if (strcmp(graph->values[value].name, name) == 0) return NZ_OK;
    NZ_AUTO_FREE char *unique = NULL;
    NZ_TRY(unique_name(&unique, &graph->index->values, graph, name, "value", graph->value_count));
    NZ_TRY(nz_names_set(&graph->index->values, graph, unique, value));
    free(graph->values[value].name);
    graph->values[value].name = NZ_STEAL(unique);
    return NZ_OK;
}

static bool is_captured(const nz_graph *graph, int value) {
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n].capture_count; i++)
            if (graph->nodes[n].captures[i] == value) return true;
    return false;
}

static bool is_input(const nz_graph *graph, int value) {
    for (size_t i = 0; i < graph->input_count; i++)
        if (graph->inputs[i] == value) return true;
    return false;
}

void nz_graph_swap_names(nz_graph *graph, int from, int to) {
    nz_value *a = &graph->values[from], *b = &graph->values[to];
    char *name = a->name;
    a->name = b->name;
    b->name = name;
    for (int i = 0; i < NZ_MAX_RANK; i++) {
        char *dim_name = a->dim_names[i];
        a->dim_names[i] = b->dim_names[i];
        b->dim_names[i] = dim_name;
    }
    /* Both names are in the map already, so that setting them allocates nothing. Without a map there is nothing to mend. */
    if (!graph->index) return;
    if (nz_names_set(&graph->index->values, graph, a->name, from) != NZ_OK ||
        nz_names_set(&graph->index->values, graph, b->name, to) != NZ_OK)
        nz_graph_index_free(graph);
}

void nz_graph_redirect(nz_graph *graph, int from, int to) {
    if (from == to) return;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] == from) graph->nodes[n].inputs[i] = to;
    if (!nz_graph_is_output(graph, from) || nz_graph_is_output(graph, to) || is_input(graph, to) ||
        is_captured(graph, to) || is_captured(graph, from))
        return;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == from) graph->outputs[i] = to;
    nz_graph_swap_names(graph, from, to);
}

void nz_graph_drop_node(nz_graph *graph, int node) {
    free(graph->nodes[node].op_type);
    graph->nodes[node].op_type = NULL;
}
