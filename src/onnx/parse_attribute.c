/* SPDX-License-Identifier: Apache-2.0 */
/* AttributeProto, and what the graphs inside one read from outside. */
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "onnx/reader.h"

/* Graphs within graphs: deeper than any real model, shallow enough for every stack. */
enum { MOST_DEPTH = 32, MOST_ATTRIBUTES = 4096 };

typedef struct attribute_header {
    char *name;
    int64_t type;
    bool has_value[NZ_ATTR_STRINGS + 1]; /* by kind */
    bool has_reference;
} attribute_header;

static void header_done(attribute_header *header) { free(header->name); }

/* The kind that each field holds; 0 for a field that holds none of the kinds that netzip opens. */
static nz_attr_kind kind_of_field(uint32_t number) {
    switch (number) {
    case ATTR_FLOAT: return NZ_ATTR_FLOAT;
    case ATTR_INT: return NZ_ATTR_INT;
    case ATTR_STRING: return NZ_ATTR_STRING;
    case ATTR_TENSOR: return NZ_ATTR_TENSOR;
    case ATTR_GRAPH: return NZ_ATTR_GRAPH;
    case ATTR_FLOATS: return NZ_ATTR_FLOATS;
    case ATTR_INTS: return NZ_ATTR_INTS;
    case ATTR_STRINGS: return NZ_ATTR_STRINGS;
    default: return (nz_attr_kind)0;
    }
}

static nz_status parse_header(nz_wire wire, attribute_header *header) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number == ATTR_NAME) NZ_TRY(nz_field_string(&field, "an attribute's name", &header->name));
        if (field.number == ATTR_TYPE) NZ_TRY(nz_field_int(&field, "an attribute's type", &header->type));
        if (field.number == ATTR_REFERENCE) header->has_reference = true;
        header->has_value[kind_of_field(field.number)] = true;
    }
    if (!header->name || !*header->name) return nz_fail(NZ_E_FORMAT, "an attribute has no name");
    /* Files before IR version 2 leave the type out. */
    for (int kind = NZ_ATTR_FLOAT; kind <= NZ_ATTR_STRINGS && header->type == 0; kind++)
        if (header->has_value[kind]) header->type = kind;
    return NZ_OK;
}

static nz_status append_numbers(const nz_field *field, const char *what, nz_attr *attr, size_t *capacity) {
    nz_packed packed;
    bool floats = attr->kind == NZ_ATTR_FLOATS;
    NZ_TRY(nz_packed_open(&packed, field, what, floats ? NZ_NUMBER_FLOAT : NZ_NUMBER_INT));
    for (;;) {
        uint64_t bits = 0;
        bool more = true;
        NZ_TRY(nz_packed_next(&packed, &bits, &more));
        if (!more) return NZ_OK;
        if (floats) {
            NZ_TRY(nz_grow(&attr->u.floats, capacity, attr->count + 1, sizeof *attr->u.floats));
            uint32_t low = (uint32_t)bits;
            memcpy(&attr->u.floats[attr->count++], &low, sizeof low);
        } else {
            NZ_TRY(nz_grow(&attr->u.ints, capacity, attr->count + 1, sizeof *attr->u.ints));
            attr->u.ints[attr->count++] = (int64_t)bits;
        }
    }
}

/* The bytes of a string attribute up to its first zero byte, which ends a C string. */
static nz_status append_string(const nz_field *field, const char *what, nz_attr *attr, size_t *capacity) {
    nz_wire bytes = {0};
    NZ_TRY(nz_field_bytes(field, what, &bytes));
    NZ_TRY(nz_grow(&attr->u.strings, capacity, attr->count + 1, sizeof *attr->u.strings));
    char *copy = strndup((const char *)bytes.at, (size_t)(bytes.end - bytes.at));
    if (!copy) return nz_fail(NZ_E_MEMORY, "out of memory: a string of %zu bytes", (size_t)(bytes.end - bytes.at));
    attr->u.strings[attr->count++] = copy;
    return NZ_OK;
}

static nz_status parse_tensor_value(nz_reader *reader, const nz_field *field, nz_attr *attr) {
    nz_wire bytes = {0};
    NZ_TRY(nz_field_bytes(field, "an attribute's tensor", &bytes));
    if (!attr->u.tensor) NZ_TRY(nz_alloc(&attr->u.tensor, 1, sizeof *attr->u.tensor));
    nz_tensor tensor = {0};
    NZ_TRY(nz_parse_tensor(reader, bytes, &tensor, NULL));
    nz_tensor_done(attr->u.tensor);
    *attr->u.tensor = tensor;
    return NZ_OK;
}

/* Room for the one value of a single kind: a file may leave out a value that is 0. */
static nz_status prepare(nz_attr *attr) {
    switch (attr->kind) {
    case NZ_ATTR_FLOAT: attr->count = 1; return nz_alloc(&attr->u.floats, 1, sizeof *attr->u.floats);
    case NZ_ATTR_INT: attr->count = 1; return nz_alloc(&attr->u.ints, 1, sizeof *attr->u.ints);
    case NZ_ATTR_STRING: return nz_alloc(&attr->u.strings, 1, sizeof *attr->u.strings);
    default: return NZ_OK;
    }
}

static nz_status parse_values(nz_reader *reader, nz_wire wire, nz_attr *attr) {
    nz_field field;
    size_t capacity = 0;
    NZ_TRY(prepare(attr));
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (kind_of_field(field.number) != attr->kind) continue;
        switch (attr->kind) {
        case NZ_ATTR_FLOAT: NZ_TRY(nz_field_float(&field, attr->name, attr->u.floats)); break;
        case NZ_ATTR_INT: NZ_TRY(nz_field_int(&field, attr->name, attr->u.ints)); break;
        case NZ_ATTR_FLOATS:
        case NZ_ATTR_INTS: NZ_TRY(append_numbers(&field, attr->name, attr, &capacity)); break;
        case NZ_ATTR_STRING:
            if (attr->count) free(attr->u.strings[--attr->count]);
            capacity = 1;
            NZ_TRY(append_string(&field, attr->name, attr, &capacity));
            break;
        case NZ_ATTR_STRINGS: NZ_TRY(append_string(&field, attr->name, attr, &capacity)); break;
        case NZ_ATTR_TENSOR: NZ_TRY(parse_tensor_value(reader, &field, attr)); break;
        case NZ_ATTR_GRAPH:
        case NZ_ATTR_OTHER: break;
        }
    }
    if (attr->kind == NZ_ATTR_STRING && !attr->count) NZ_TRY(nz_strdup(&attr->u.strings[attr->count++], ""));
    if (attr->kind == NZ_ATTR_TENSOR && !attr->u.tensor) return nz_fail(NZ_E_FORMAT, "is of type TENSOR but has none");
    /* A list without elements is a list all the same, not an absent attribute. */
    if ((attr->kind == NZ_ATTR_FLOATS || attr->kind == NZ_ATTR_INTS || attr->kind == NZ_ATTR_STRINGS) && !capacity)
        NZ_TRY(nz_alloc(&attr->u.ints, 1, sizeof *attr->u.ints));
    return NZ_OK;
}

static nz_status keep_bytes(nz_wire wire, nz_attr *attr) {
    size_t count = (size_t)(wire.end - wire.at);
    NZ_TRY(nz_alloc(&attr->u.bytes.data, count, 1));
    if (count) memcpy(attr->u.bytes.data, wire.at, count);
    attr->u.bytes.count = count;
    attr->count = 1;
    return NZ_OK;
}

static nz_status fill(nz_reader *reader, nz_wire wire, const attribute_header *header, nz_attr *attr) {
    bool opened = header->type >= NZ_ATTR_FLOAT && header->type <= NZ_ATTR_STRINGS && header->type != NZ_ATTR_GRAPH &&
                  !header->has_reference;
    attr->kind = opened ? (nz_attr_kind)header->type : header->type == NZ_ATTR_GRAPH ? NZ_ATTR_GRAPH : NZ_ATTR_OTHER;
    if (!opened) return keep_bytes(wire, attr);
    nz_status status = parse_values(reader, wire, attr);
    if (status != NZ_E_UNSUPPORTED || attr->kind != NZ_ATTR_TENSOR) return status;
    /* A tensor of strings: the node cannot be run, but the model can still be read and written. */
    if (attr->u.tensor) nz_tensor_done(attr->u.tensor); /* a second tensor may have followed a good one */
    free(attr->u.tensor);
    attr->kind = NZ_ATTR_OTHER;
    attr->u.bytes.data = NULL;
    return keep_bytes(wire, attr);
}

nz_status nz_parse_attribute(nz_reader *reader, nz_wire wire, nz_node *node) {
    NZ_AUTO(header_done) attribute_header header = {0};
    NZ_TRY(parse_header(wire, &header));
    if (node->attr_count == MOST_ATTRIBUTES)
        return nz_fail(NZ_E_FORMAT, "has more than %d attributes", MOST_ATTRIBUTES);
    if (nz_attr_get(node, header.name)) return nz_fail(NZ_E_FORMAT, "attribute '%s' is given twice", header.name);
    nz_attr *grown = reallocarray(node->attrs, node->attr_count + 1, sizeof *grown);
    if (!grown) return nz_fail(NZ_E_MEMORY, "out of memory: %zu attributes", node->attr_count + 1);
    node->attrs = grown;
    nz_attr *attr = &node->attrs[node->attr_count++];
    *attr = (nz_attr){.name = NZ_STEAL(header.name)};
    return nz_fail_context(fill(reader, wire, &header, attr), "attribute '%s'", attr->name);
}

typedef struct capture_visitor {
    nz_status (*visit)(void *argument, nz_wire name);
    void *argument;
} capture_visitor;

static nz_status visit_graph(nz_wire wire, const capture_visitor *visitor, int depth);

static nz_status visit_attribute(nz_wire wire, const capture_visitor *visitor, int depth) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        if (field.number != ATTR_GRAPH && field.number != ATTR_GRAPHS) continue;
        nz_wire graph = {0};
        NZ_TRY(nz_field_bytes(&field, "an attribute's graph", &graph));
        NZ_TRY(visit_graph(graph, visitor, depth + 1));
    }
}

static nz_status visit_node(nz_wire wire, const capture_visitor *visitor, int depth) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        nz_wire bytes = {0};
        if (field.number == NODE_INPUT) {
            NZ_TRY(nz_field_bytes(&field, "a node's input", &bytes));
            NZ_TRY(visitor->visit(visitor->argument, bytes));
        } else if (field.number == NODE_ATTRIBUTE) {
            NZ_TRY(nz_field_bytes(&field, "an attribute", &bytes));
            NZ_TRY(visit_attribute(bytes, visitor, depth));
        }
    }
}

/* The names of a graph's outputs count too: an output may be a value of the graph around it. */
static nz_status visit_output(nz_wire wire, const capture_visitor *visitor) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        nz_wire bytes = {0};
        if (field.number != VALUE_NAME) continue;
        NZ_TRY(nz_field_bytes(&field, "a value's name", &bytes));
        NZ_TRY(visitor->visit(visitor->argument, bytes));
    }
}

/* A graph that is kept as bytes is written back as bytes, possibly into another folder. */
static nz_status refuse_external(nz_wire wire) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        if (field.number == TENSOR_EXTERNAL)
            return nz_fail(NZ_E_UNSUPPORTED, "byte %zu: a graph within the graph has external data",
                           nz_field_place(&field));
    }
}

static nz_status visit_graph(nz_wire wire, const capture_visitor *visitor, int depth) {
    nz_field field;
    if (depth > MOST_DEPTH) return nz_fail(NZ_E_FORMAT, "graphs are nested more than %d deep", MOST_DEPTH);
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        nz_wire bytes = {0};
        if (field.number != GRAPH_NODE && field.number != GRAPH_OUTPUT && field.number != GRAPH_INITIALIZER) continue;
        NZ_TRY(nz_field_bytes(&field, "a part of a graph", &bytes));
        if (field.number == GRAPH_NODE) NZ_TRY(visit_node(bytes, visitor, depth));
        if (field.number == GRAPH_OUTPUT) NZ_TRY(visit_output(bytes, visitor));
        if (field.number == GRAPH_INITIALIZER) NZ_TRY(refuse_external(bytes));
    }
}

nz_status nz_parse_captures(nz_wire attribute, nz_status (*visit)(void *argument, nz_wire name), void *argument) {
    const capture_visitor visitor = {.visit = visit, .argument = argument};
    return visit_attribute(attribute, &visitor, 0);
}
