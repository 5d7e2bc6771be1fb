/* SPDX-License-Identifier: Apache-2.0 */
/* GraphProto and NodeProto. Values are declared first (initializers, inputs, what nodes make), then nodes refer to them,
 * so that the order of nodes in the file does not matter. */
#include <string.h>

#include "core/error.h"
#include "onnx/reader.h"

typedef struct graph_reader {
    nz_reader *reader;
    nz_graph *graph;
    nz_wire whole;
    char *roles; /* by value, once all are declared: whether it is an input or an output of the graph already */
} graph_reader;

enum { IS_INPUT = 1, IS_OUTPUT = 2 };

nz_status nz_keep_unknown(nz_unknown *unknown, const nz_field *field, const uint8_t *end) {
    size_t count = (size_t)(end - field->start);
    void *grown = realloc(unknown->data, unknown->count + count);
    if (!grown) return nz_fail(NZ_E_MEMORY, "out of memory: %zu bytes", unknown->count + count);
    memcpy((char *)grown + unknown->count, field->start, count);
    unknown->data = grown;
    unknown->count += count;
    return NZ_OK;
}

static nz_status declare(nz_graph *graph, const char *name, const char *what, int *ret_value) {
    if (!*name) return nz_fail(NZ_E_FORMAT, "%s has no name", what);
    if (nz_graph_find_value(graph, name) >= 0)
        return nz_fail(NZ_E_FORMAT, "%s '%s' has the name of another value; names must be unique", what, name);
    return nz_graph_add_value(graph, ret_value, name, NZ_DTYPE_NONE, NULL);
}

static nz_status read_initializer(graph_reader *r, nz_wire wire) {
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    NZ_AUTO_FREE char *name = NULL;
    int value = -1;
    NZ_TRY(nz_parse_tensor(r->reader, wire, &tensor, &name));
    NZ_TRY(declare(r->graph, name, "an initializer", &value));
    return nz_graph_set_constant(r->graph, value, &tensor);
}

/* What a ValueInfoProto says about a value. `interface`: it is an input or output, whose symbolic extents' names are kept. */
static nz_status apply_info(nz_graph *graph, int value, nz_value_info *info, bool interface) {
    nz_value *v = &graph->values[value];
    if (v->constant.data) return NZ_OK;
    if (info->dtype) v->dtype = info->dtype;
    if (info->shape.rank >= 0) v->shape = info->shape;
    if (!interface) return NZ_OK;
    for (int i = 0; i < NZ_MAX_RANK; i++) {
        free(v->dim_names[i]);
        v->dim_names[i] = NZ_STEAL(info->dim_names[i]);
    }
    size_t count = (size_t)(info->type.end - info->type.at);
    if (!count) return NZ_OK;
    void *copy = NULL;
    NZ_TRY(nz_alloc(&copy, count, 1));
    memcpy(copy, info->type.at, count);
    free(v->type.data);
    v->type = (nz_unknown){.data = copy, .count = count};
    return NZ_OK;
}

static nz_status read_input(graph_reader *r, nz_wire wire) {
    NZ_AUTO(nz_value_info_done) nz_value_info info = {0};
    NZ_TRY(nz_parse_value_info(wire, &info));
    /* Before IR version 4 every initializer is listed as an input too; later ones may be, as a default. */
    if (nz_value_is_constant(r->graph, nz_graph_find_value(r->graph, info.name))) return NZ_OK;
    int value = -1;
    NZ_TRY(declare(r->graph, info.name, "a graph input", &value));
    NZ_TRY(apply_info(r->graph, value, &info, true));
    return nz_graph_add_input(r->graph, value);
}

static nz_status declare_node_outputs(graph_reader *r, nz_wire wire) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        if (field.number != NODE_OUTPUT) continue;
        NZ_AUTO_FREE char *name = NULL;
        NZ_TRY(nz_field_string(&field, "a node's output", &name));
        if (*name) NZ_TRY(declare(r->graph, name, "a node's output", NULL));
    }
}

static nz_status read_output(graph_reader *r, nz_wire wire) {
    NZ_AUTO(nz_value_info_done) nz_value_info info = {0};
    NZ_TRY(nz_parse_value_info(wire, &info));
    int value = nz_graph_find_value(r->graph, info.name);
    if (value < 0) return nz_fail(NZ_E_FORMAT, "the graph's output '%s' is made by no node", info.name);
    if (r->roles[value] & IS_OUTPUT) return nz_fail(NZ_E_FORMAT, "the graph has the output '%s' twice", info.name);
    if (!(r->roles[value] & IS_INPUT)) NZ_TRY(apply_info(r->graph, value, &info, true));
    r->roles[value] |= IS_OUTPUT;
    return nz_graph_add_output(r->graph, value);
}

static nz_status read_value_info(graph_reader *r, nz_wire wire) {
    NZ_AUTO(nz_value_info_done) nz_value_info info = {0};
    NZ_TRY(nz_parse_value_info(wire, &info));
    int value = nz_graph_find_value(r->graph, info.name);
    return value < 0 ? NZ_OK : apply_info(r->graph, value, &info, false);
}

/* A node while its fields are gathered. */
typedef struct node_parts {
    nz_node node;
    size_t input_capacity, output_capacity, capture_capacity;
    const nz_graph *graph;
} node_parts;

static void parts_done(node_parts *parts) {
    nz_node *node = &parts->node;
    while (node->attr_count) nz_node_remove_attr(node, node->attrs[0].name);
    free(node->attrs);
    free(node->name);
    free(node->op_type);
    free(node->domain);
    free(node->inputs);
    free(node->outputs);
    free(node->captures);
    free(node->unknown.data);
}

static nz_status append_index(int **list, size_t *capacity, size_t *count, int value) {
    NZ_TRY(nz_grow(list, capacity, *count + 1, sizeof **list));
    (*list)[(*count)++] = value;
    return NZ_OK;
}

static nz_status read_reference(node_parts *parts, const nz_field *field, bool is_input) {
    NZ_AUTO_FREE char *name = NULL;
    nz_node *node = &parts->node;
    NZ_TRY(nz_field_string(field, is_input ? "a node's input" : "a node's output", &name));
    int value = *name ? nz_graph_find_value(parts->graph, name) : NZ_NO_VALUE;
    if (*name && value < 0)
        return nz_fail(NZ_E_FORMAT, "reads '%s', which is neither an input, an initializer nor the output of a node",
                       name);
    if (is_input) return append_index(&node->inputs, &parts->input_capacity, &node->input_count, value);
    return append_index(&node->outputs, &parts->output_capacity, &node->output_count, value);
}

static nz_status add_capture(void *argument, nz_wire name) {
    node_parts *parts = argument;
    size_t length = (size_t)(name.end - name.at);
    NZ_AUTO_FREE char *copy = length ? strndup((const char *)name.at, length) : NULL;
    if (!length) return NZ_OK;
    if (!copy) return nz_fail(NZ_E_MEMORY, "out of memory: a name of %zu bytes", length);
    int value = nz_graph_find_value(parts->graph, copy);
    if (value < 0) return NZ_OK;
    return append_index(&parts->node.captures, &parts->capture_capacity, &parts->node.capture_count, value);
}

static nz_status read_attribute(graph_reader *r, node_parts *parts, const nz_field *field) {
    nz_wire bytes;
    NZ_TRY(nz_field_bytes(field, "an attribute", &bytes));
    NZ_TRY(nz_parse_attribute(r->reader, bytes, &parts->node));
    return nz_parse_captures(bytes, add_capture, parts);
}

static nz_status read_node_fields(graph_reader *r, nz_wire wire, node_parts *parts) {
    nz_field field;
    nz_node *node = &parts->node;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        switch (field.number) {
        case NODE_INPUT: NZ_TRY(read_reference(parts, &field, true)); break;
        case NODE_OUTPUT: NZ_TRY(read_reference(parts, &field, false)); break;
        case NODE_NAME: NZ_TRY(nz_field_string(&field, "a node's name", &node->name)); break;
        case NODE_OP_TYPE: NZ_TRY(nz_field_string(&field, "a node's op_type", &node->op_type)); break;
        case NODE_DOMAIN: NZ_TRY(nz_field_string(&field, "a node's domain", &node->domain)); break;
        case NODE_ATTRIBUTE: NZ_TRY(read_attribute(r, parts, &field)); break;
        default: NZ_TRY(nz_keep_unknown(&node->unknown, &field, wire.at)); break;
        }
    }
    if (!node->op_type || !*node->op_type) return nz_fail(NZ_E_FORMAT, "has no op_type");
    if (!node->domain) NZ_TRY(nz_strdup(&node->domain, ""));
    if (strcmp(node->domain, "ai.onnx") == 0) node->domain[0] = '\0';
    return NZ_OK;
}

/* The tensor that a Constant node stands for; *ret_known is false for kinds that netzip holds no tensors of. */
static nz_status constant_of(const nz_node *node, nz_tensor *ret_tensor, bool *ret_known) {
    static const struct {
        const char *name;
        nz_attr_kind kind;
        nz_dtype dtype;
    } forms[] = {{"value", NZ_ATTR_TENSOR, NZ_DTYPE_NONE},
                 {"value_float", NZ_ATTR_FLOAT, NZ_F32},
                 {"value_floats", NZ_ATTR_FLOATS, NZ_F32},
                 {"value_int", NZ_ATTR_INT, NZ_I64},
                 {"value_ints", NZ_ATTR_INTS, NZ_I64}};
    *ret_known = false;
    if (node->input_count || node->output_count != 1 || node->outputs[0] < 0 || node->attr_count != 1) return NZ_OK;
    for (size_t i = 0; i < NZ_COUNT(forms); i++) {
        const nz_attr *attr = nz_attr_get(node, forms[i].name);
        if (!attr || attr->kind != forms[i].kind) continue;
        *ret_known = true;
        if (attr->kind == NZ_ATTR_TENSOR) return nz_tensor_share(ret_tensor, attr->u.tensor);
        bool is_list = attr->kind == NZ_ATTR_FLOATS || attr->kind == NZ_ATTR_INTS;
        const nz_shape shape = {.rank = is_list ? 1 : 0, .dim = {(int64_t)attr->count}};
        const nz_tensor borrowed = nz_tensor_borrow(forms[i].dtype, &shape, attr->u.ints);
        return nz_tensor_share(ret_tensor, &borrowed);
    }
    return NZ_OK;
}

static int domain_opset(const nz_graph *graph, const char *domain) {
    if (!*domain) return graph->opset;
    for (size_t i = 0; i < graph->domain_count; i++)
        if (strcmp(graph->domains[i].domain, domain) == 0) return (int)graph->domains[i].version;
    return 1;
}

static nz_status add_node(graph_reader *r, node_parts *parts) {
    nz_node *from = &parts->node;
    if (!*from->domain && strcmp(from->op_type, "Constant") == 0) {
        NZ_AUTO_TENSOR nz_tensor tensor = {0};
        bool known = false;
        NZ_TRY(constant_of(from, &tensor, &known));
        if (known) return nz_graph_set_constant(r->graph, from->outputs[0], &tensor);
    }
    int index = -1;
    NZ_TRY(nz_graph_add_node(r->graph, &index, from->op_type, from->name, from->inputs, from->input_count,
                             from->outputs, from->output_count));
    nz_node *node = &r->graph->nodes[index];
    free(node->domain);
    node->domain = NZ_STEAL(from->domain);
    node->opset = domain_opset(r->graph, node->domain);
    node->attrs = NZ_STEAL(from->attrs);
    node->attr_count = from->attr_count;
    from->attr_count = 0;
    node->captures = NZ_STEAL(from->captures);
    node->capture_count = from->capture_count;
    node->unknown = from->unknown;
    from->unknown = (nz_unknown){0};
    return NZ_OK;
}

static nz_status read_node(graph_reader *r, nz_wire wire) {
    NZ_AUTO(parts_done) node_parts parts = {.graph = r->graph};
    nz_status status = read_node_fields(r, wire, &parts);
    if (status == NZ_OK) status = add_node(r, &parts);
    if (status == NZ_OK) return NZ_OK;
    const char *name = parts.node.name ? parts.node.name : "", *op_type = parts.node.op_type ? parts.node.op_type : "?";
    return nz_fail_context(status, "node '%s' (%s)", name, op_type);
}

/* Calls `read` for every field of the graph with this number. */
static nz_status for_each(graph_reader *r, uint32_t number, const char *what,
                          nz_status (*read)(graph_reader *, nz_wire)) {
    nz_field field;
    nz_wire wire = r->whole, bytes;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        if (field.number != number) continue;
        NZ_TRY(nz_field_bytes(&field, what, &bytes));
        NZ_TRY(read(r, bytes));
    }
}

static nz_status read_rest(graph_reader *r) {
    nz_field field;
    nz_wire wire = r->whole;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        switch (field.number) {
        case GRAPH_NODE:
        case GRAPH_INITIALIZER:
        case GRAPH_INPUT:
        case GRAPH_OUTPUT:
        case GRAPH_VALUE_INFO: break;
        case GRAPH_NAME: NZ_TRY(nz_field_string(&field, "the graph's name", &r->graph->name)); break;
        case GRAPH_SPARSE_INITIALIZER:
            return nz_fail(NZ_E_UNSUPPORTED,
                           "byte %zu: sparse initializers (sparse_initializer) are not supported; store them dense",
                           nz_field_place(&field));
        default: NZ_TRY(nz_keep_unknown(&r->graph->unknown_graph, &field, wire.at)); break;
        }
    }
}

static void reader_done(graph_reader *r) { free(r->roles); }

nz_status nz_parse_graph(nz_reader *reader, nz_wire wire, nz_graph *graph) {
    NZ_AUTO(reader_done) graph_reader r = {.reader = reader, .graph = graph, .whole = wire};
    NZ_TRY(read_rest(&r));
    NZ_TRY(for_each(&r, GRAPH_INITIALIZER, "an initializer", read_initializer));
    NZ_TRY(for_each(&r, GRAPH_INPUT, "a graph input", read_input));
    NZ_TRY(for_each(&r, GRAPH_NODE, "a node", declare_node_outputs));
    NZ_TRY(nz_alloc(&r.roles, graph->value_count, 1));
    for (size_t i = 0; i < graph->input_count; i++) r.roles[graph->inputs[i]] = IS_INPUT;
    NZ_TRY(for_each(&r, GRAPH_VALUE_INFO, "a value_info", read_value_info));
    NZ_TRY(for_each(&r, GRAPH_OUTPUT, "a graph output", read_output));
    NZ_TRY(for_each(&r, GRAPH_NODE, "a node", read_node));
    if (!graph->output_count) return nz_fail(NZ_E_FORMAT, "the graph has no outputs");
    graph->sorted_on_read = !nz_graph_in_order(graph);
    return nz_graph_sort(graph);
}
