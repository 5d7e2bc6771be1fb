/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and releasing a graph. */
#include "netzip/graph.h"

#include <string.h>

#include "graph/index.h"

void nz_attr_done(nz_attr *attr) {
    switch (attr->kind) {
    case NZ_ATTR_FLOAT:
    case NZ_ATTR_FLOATS: free(attr->u.floats); break;
    case NZ_ATTR_INT:
    case NZ_ATTR_INTS: free(attr->u.ints); break;
    case NZ_ATTR_STRING:
    case NZ_ATTR_STRINGS:
        for (size_t i = 0; attr->u.strings && i < attr->count; i++) free(attr->u.strings[i]);
        free(attr->u.strings);
        break;
    case NZ_ATTR_TENSOR:
        if (attr->u.tensor) nz_tensor_done(attr->u.tensor);
        free(attr->u.tensor);
        break;
    case NZ_ATTR_GRAPH:
    case NZ_ATTR_OTHER: free(attr->u.bytes.data); break;
    }
    free(attr->name);
    *attr = (nz_attr){0};
}

void nz_node_done(nz_node *node) {
    for (size_t i = 0; i < node->attr_count; i++) nz_attr_done(&node->attrs[i]);
    free(node->attrs);
    free(node->name);
    free(node->op_type);
    free(node->domain);
    free(node->inputs);
    free(node->outputs);
    free(node->captures);
    free(node->unsupported);
    free(node->unknown.data);
    *node = (nz_node){0};
}

void nz_value_done(nz_value *value) {
    for (int i = 0; i < NZ_MAX_RANK; i++) free(value->dim_names[i]);
    nz_tensor_done(&value->constant);
    free(value->name);
    free(value->type.data);
    *value = (nz_value){0};
}

void nz_graph_index_free(nz_graph *graph) {
    if (!graph->index) return;
    nz_names_done(&graph->index->values);
    nz_names_done(&graph->index->nodes);
    free(graph->index);
    graph->index = NULL;
}

void nz_graph_free(nz_graph *graph) {
    if (!graph) return;
    nz_graph_index_free(graph);
    for (size_t i = 0; i < graph->value_count; i++) nz_value_done(&graph->values[i]);
    for (size_t i = 0; i < graph->node_count; i++) nz_node_done(&graph->nodes[i]);
    for (size_t i = 0; i < graph->meta_count; i++) {
        free(graph->metas[i].key);
        free(graph->metas[i].value);
    }
    for (size_t i = 0; i < graph->domain_count; i++) free(graph->domains[i].domain);
    free(graph->values);
    free(graph->nodes);
    free(graph->inputs);
    free(graph->outputs);
    free(graph->metas);
    free(graph->domains);
    free(graph->name);
    free(graph->producer);
    free(graph->doc);
    free(graph->unknown_model.data);
    free(graph->unknown_graph.data);
    free(graph);
}

const nz_attr *nz_attr_get(const nz_node *node, const char *name) {
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    return NULL;
}

int64_t nz_attr_int(const nz_node *node, const char *name, int64_t otherwise) {
    const nz_attr *attr = nz_attr_get(node, name);
    return attr && attr->kind == NZ_ATTR_INT ? attr->u.ints[0] : otherwise;
}

float nz_attr_float(const nz_node *node, const char *name, float otherwise) {
    const nz_attr *attr = nz_attr_get(node, name);
    return attr && attr->kind == NZ_ATTR_FLOAT ? attr->u.floats[0] : otherwise;
}

const char *nz_attr_string(const nz_node *node, const char *name, const char *otherwise) {
    const nz_attr *attr = nz_attr_get(node, name);
    return attr && attr->kind == NZ_ATTR_STRING ? attr->u.strings[0] : otherwise;
}

const int64_t *nz_attr_ints(const nz_node *node, const char *name, size_t *ret_count) {
    const nz_attr *attr = nz_attr_get(node, name);
    bool found = attr && attr->kind == NZ_ATTR_INTS;
    *ret_count = found ? attr->count : 0;
    return found ? attr->u.ints : NULL;
}

const char *nz_graph_meta(const nz_graph *graph, const char *key) {
    for (size_t i = 0; i < graph->meta_count; i++)
        if (strcmp(graph->metas[i].key, key) == 0) return graph->metas[i].value;
    return NULL;
}

int nz_graph_find_value(const nz_graph *graph, const char *name) {
    if (graph->index) return nz_names_find(&graph->index->values, graph, name);
    for (size_t i = 0; i < graph->value_count; i++)
        if (strcmp(graph->values[i].name, name) == 0) return (int)i;
    return -1;
}

bool nz_value_is_constant(const nz_graph *graph, int value) {
    return value >= 0 && (size_t)value < graph->value_count && graph->values[value].constant.data != NULL;
}

size_t nz_graph_consumers(const nz_graph *graph, int value, int *ret_first) {
    size_t count = 0;
    if (ret_first) *ret_first = -1;
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        bool reads = false;
        if (!node->op_type) continue;
        for (size_t i = 0; i < node->input_count && !reads; i++) reads = node->inputs[i] == value;
        for (size_t i = 0; i < node->capture_count && !reads; i++) reads = node->captures[i] == value;
        if (reads && !count++ && ret_first) *ret_first = (int)n;
    }
    return count;
}

bool nz_graph_is_output(const nz_graph *graph, int value) {
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == value) return true;
    return false;
}
