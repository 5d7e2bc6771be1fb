/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a node's attributes, and copying nodes and whole graphs. */
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "graph/index.h"

/* Puts the attribute in place of one of the same name, else appends it; takes it over, also on failure. */
static nz_status put_attr(nz_node *node, nz_attr *attr) {
    for (size_t i = 0; i < node->attr_count; i++) {
        if (strcmp(node->attrs[i].name, attr->name) != 0) continue;
        nz_attr_done(&node->attrs[i]);
        node->attrs[i] = *attr;
        return NZ_OK;
    }
    nz_attr *grown = reallocarray(node->attrs, node->attr_count + 1, sizeof *grown);
    if (!grown) {
        nz_attr_done(attr);
        return nz_fail(NZ_E_MEMORY, "out of memory: %zu attributes", node->attr_count + 1);
    }
    node->attrs = grown;
    node->attrs[node->attr_count++] = *attr;
    return NZ_OK;
}

/* A list attribute of plain elements. `store` picks the union's member by the kind; all of them are pointers. */
static nz_status set_list(nz_node *node, const char *name, nz_attr_kind kind, const void *values, size_t count,
                          size_t size) {
    nz_attr attr = {.kind = kind, .count = count};
    NZ_AUTO_FREE void *copy = NULL;
    NZ_TRY(nz_alloc(&copy, count, size));
    NZ_TRY(nz_strdup(&attr.name, name));
    if (count) memcpy(copy, values, count * size);
    if (kind == NZ_ATTR_FLOAT || kind == NZ_ATTR_FLOATS)
        attr.u.floats = NZ_STEAL(copy);
    else
        attr.u.ints = NZ_STEAL(copy);
    return put_attr(node, &attr);
}

nz_status nz_node_set_int(nz_node *node, const char *name, int64_t value) {
    return set_list(node, name, NZ_ATTR_INT, &value, 1, sizeof value);
}

nz_status nz_node_set_float(nz_node *node, const char *name, float value) {
    return set_list(node, name, NZ_ATTR_FLOAT, &value, 1, sizeof value);
}

nz_status nz_node_set_ints(nz_node *node, const char *name, const int64_t *values, size_t count) {
    return set_list(node, name, NZ_ATTR_INTS, values, count, sizeof *values);
}

nz_status nz_node_set_floats(nz_node *node, const char *name, const float *values, size_t count) {
    return set_list(node, name, NZ_ATTR_FLOATS, values, count, sizeof *values);
}

static nz_status set_strings(nz_node *node, const char *name, nz_attr_kind kind, char *const *values, size_t count) {
    nz_attr attr = {.kind = kind};
    nz_status status = nz_strdup(&attr.name, name);
    if (status == NZ_OK) status = nz_alloc(&attr.u.strings, count, sizeof *attr.u.strings);
    for (; status == NZ_OK && attr.count < count; attr.count++) {
        status = nz_strdup(&attr.u.strings[attr.count], values[attr.count]);
        if (status != NZ_OK) break;
    }
    if (status == NZ_OK) return put_attr(node, &attr);
    nz_attr_done(&attr);
    return status;
}

nz_status nz_node_set_string(nz_node *node, const char *name, const char *value) {
    NZ_AUTO_FREE char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, value));
    return set_strings(node, name, NZ_ATTR_STRING, &copy, 1);
}

nz_status nz_node_set_tensor(nz_node *node, const char *name, const nz_tensor *tensor) {
    nz_attr attr = {.kind = NZ_ATTR_TENSOR, .count = 1};
    nz_status status = nz_strdup(&attr.name, name);
    if (status == NZ_OK) status = nz_alloc(&attr.u.tensor, 1, sizeof *attr.u.tensor);
    if (status == NZ_OK) status = nz_tensor_share(attr.u.tensor, tensor);
    if (status == NZ_OK) return put_attr(node, &attr);
    nz_attr_done(&attr);
    return status;
}

static nz_status copy_bytes(nz_unknown *ret_copy, const void *data, size_t count) {
    void *copy = NULL;
    if (count) {
        NZ_TRY(nz_alloc(&copy, count, 1));
        memcpy(copy, data, count);
    }
    *ret_copy = (nz_unknown){.data = copy, .count = count};
    return NZ_OK;
}

static nz_status set_bytes(nz_node *node, const nz_attr *from) {
    nz_attr attr = {.kind = from->kind, .count = from->count};
    nz_unknown copy = {0};
    nz_status status = nz_strdup(&attr.name, from->name);
    if (status == NZ_OK) status = copy_bytes(&copy, from->u.bytes.data, from->u.bytes.count);
    attr.u.bytes.data = copy.data;
    attr.u.bytes.count = copy.count;
    if (status == NZ_OK) return put_attr(node, &attr);
    nz_attr_done(&attr);
    return status;
}

nz_status nz_node_copy_attr(nz_node *node, const nz_attr *attr) {
    switch (attr->kind) {
    case NZ_ATTR_FLOAT:
    case NZ_ATTR_FLOATS: return set_list(node, attr->name, attr->kind, attr->u.floats, attr->count, sizeof(float));
    case NZ_ATTR_INT:
    case NZ_ATTR_INTS: return set_list(node, attr->name, attr->kind, attr->u.ints, attr->count, sizeof(int64_t));
    case NZ_ATTR_STRING:
    case NZ_ATTR_STRINGS: return set_strings(node, attr->name, attr->kind, attr->u.strings, attr->count);
    case NZ_ATTR_TENSOR: return nz_node_set_tensor(node, attr->name, attr->u.tensor);
    case NZ_ATTR_GRAPH:
    case NZ_ATTR_OTHER: break;
    }
    return set_bytes(node, attr);
}

void nz_node_remove_attr(nz_node *node, const char *name) {
    for (size_t i = 0; i < node->attr_count; i++) {
        if (strcmp(node->attrs[i].name, name) != 0) continue;
        nz_attr_done(&node->attrs[i]);
        memmove(&node->attrs[i], &node->attrs[i + 1], (node->attr_count - i - 1) * sizeof *node->attrs);
        node->attr_count--;
        return;
    }
}

nz_status nz_node_set_inputs(nz_node *node, const int *inputs, size_t count) {
    int *copy = NULL;
    NZ_TRY(nz_ints_copy(&copy, inputs, count));
    free(node->inputs);
    node->inputs = copy;
    node->input_count = count;
    return NZ_OK;
}

nz_status nz_node_set_op(nz_node *node, const char *op_type) {
    char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, op_type));
    free(node->op_type);
    node->op_type = copy;
    return NZ_OK;
}

nz_status nz_ints_copy(int **ret_copy, const int *from, size_t count) {
    int *copy = NULL;
    NZ_TRY(nz_alloc(&copy, count, sizeof *copy));
    if (count) memcpy(copy, from, count * sizeof *copy);
    *ret_copy = copy;
    return NZ_OK;
}

static nz_status fill_clone(nz_node *to, const nz_node *from) {
    to->opset = from->opset;
    NZ_TRY(nz_strdup(&to->name, from->name));
    NZ_TRY(nz_strdup(&to->op_type, from->op_type));
    NZ_TRY(nz_strdup(&to->domain, from->domain));
    NZ_TRY(nz_strdup(&to->unsupported, from->unsupported));
    NZ_TRY(nz_ints_copy(&to->inputs, from->inputs, from->input_count));
    to->input_count = from->input_count;
    NZ_TRY(nz_ints_copy(&to->outputs, from->outputs, from->output_count));
    to->output_count = from->output_count;
    NZ_TRY(nz_ints_copy(&to->captures, from->captures, from->capture_count));
    to->capture_count = from->capture_count;
    NZ_TRY(copy_bytes(&to->unknown, from->unknown.data, from->unknown.count));
    for (size_t i = 0; i < from->attr_count; i++) NZ_TRY(nz_node_copy_attr(to, &from->attrs[i]));
    return NZ_OK;
}

nz_status nz_node_clone(nz_node *ret_copy, const nz_node *node) {
    nz_node copy = {0};
    nz_status status = fill_clone(&copy, node);
    if (status != NZ_OK)
        nz_node_done(&copy);
    else
        *ret_copy = copy;
    return status;
}

void nz_node_replace(nz_node *node, nz_node *by) {
    nz_node_done(node);
    *node = *by;
    *by = (nz_node){0};
}

void nz_node_release(nz_node *node) { nz_node_done(node); }

static nz_status clone_value(nz_value *to, const nz_value *from) {
    to->dtype = from->dtype;
    to->shape = from->shape;
    to->producer = from->producer;
    NZ_TRY(nz_strdup(&to->name, from->name));
    for (int i = 0; i < NZ_MAX_RANK; i++) NZ_TRY(nz_strdup(&to->dim_names[i], from->dim_names[i]));
    NZ_TRY(copy_bytes(&to->type, from->type.data, from->type.count));
    return nz_tensor_share(&to->constant, &from->constant);
}

static nz_status clone_header(nz_graph *to, const nz_graph *from) {
    to->ir_version = from->ir_version;
    to->opset = from->opset;
    to->sorted_on_read = from->sorted_on_read;
    NZ_TRY(nz_strdup(&to->name, from->name));
    NZ_TRY(nz_strdup(&to->producer, from->producer));
    NZ_TRY(nz_strdup(&to->doc, from->doc));
    NZ_TRY(copy_bytes(&to->unknown_model, from->unknown_model.data, from->unknown_model.count));
    NZ_TRY(copy_bytes(&to->unknown_graph, from->unknown_graph.data, from->unknown_graph.count));
    NZ_TRY(nz_alloc(&to->metas, from->meta_count, sizeof *to->metas));
    for (size_t i = 0; i < from->meta_count; i++) {
        to->meta_count = i + 1;
        NZ_TRY(nz_strdup(&to->metas[i].key, from->metas[i].key));
        NZ_TRY(nz_strdup(&to->metas[i].value, from->metas[i].value));
    }
    NZ_TRY(nz_alloc(&to->domains, from->domain_count, sizeof *to->domains));
    for (size_t i = 0; i < from->domain_count; i++) {
        to->domain_count = i + 1;
        to->domains[i].version = from->domains[i].version;
        NZ_TRY(nz_strdup(&to->domains[i].domain, from->domains[i].domain));
    }
    NZ_TRY(nz_ints_copy(&to->inputs, from->inputs, from->input_count));
    to->input_count = from->input_count;
    NZ_TRY(nz_ints_copy(&to->outputs, from->outputs, from->output_count));
    to->output_count = from->output_count;
    return NZ_OK;
}

nz_status nz_graph_clone(nz_graph **ret_copy, const nz_graph *graph) {
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    NZ_TRY(nz_graph_new(&copy));
    NZ_TRY(clone_header(copy, graph));
    NZ_TRY(nz_alloc(&copy->values, graph->value_count, sizeof *copy->values));
    for (size_t i = 0; i < graph->value_count; i++) {
        copy->value_count = i + 1;
        NZ_TRY(clone_value(&copy->values[i], &graph->values[i]));
    }
    NZ_TRY(nz_alloc(&copy->nodes, graph->node_count, sizeof *copy->nodes));
    for (size_t i = 0; i < graph->node_count; i++) {
        copy->node_count = i + 1;
        NZ_TRY(nz_node_clone(&copy->nodes[i], &graph->nodes[i]));
    }
    *ret_copy = NZ_STEAL(copy);
    return NZ_OK;
}
