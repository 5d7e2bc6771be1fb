/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a graph as ONNX: its messages, the opset they are spelled in, and the files. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "netzip/onnx.h"
#include "onnx/fields.h"
#include "onnx/onnx.h"
#include "onnx/put.h"

/* Smaller tensors stay in the model, where tools expect shapes and scales. */
enum { EXTERNAL_LEAST = 1024, EXTERNAL_ALIGNMENT = 4096 };

/* The external file while it is planned: tensors follow each other at aligned offsets. */
typedef struct external_file {
    char *name; /* NULL: everything inline */
    uint64_t end;
} external_file;

static void external_done(external_file *external) { free(external->name); }

static bool is_external(const external_file *external, const nz_tensor *tensor) {
    return external->name && tensor->bytes >= EXTERNAL_LEAST;
}

static uint64_t aligned(uint64_t offset) {
    return (offset + EXTERNAL_ALIGNMENT - 1) / EXTERNAL_ALIGNMENT * EXTERNAL_ALIGNMENT;
}

static void put_entry(nz_put *put, uint32_t field, const char *key, const char *value) {
    nz_put entry = {0};
    nz_put_string(&entry, ENTRY_KEY, key);
    nz_put_string(&entry, ENTRY_VALUE, value);
    nz_put_message(put, field, &entry);
}

static void put_external(nz_put *put, const nz_tensor *tensor, external_file *external) {
    char number[24];
    uint64_t offset = aligned(external->end);
    external->end = offset + tensor->bytes;
    put_entry(put, TENSOR_EXTERNAL, "location", external->name);
    snprintf(number, sizeof number, "%" PRIu64, offset);
    put_entry(put, TENSOR_EXTERNAL, "offset", number);
    snprintf(number, sizeof number, "%zu", tensor->bytes);
    put_entry(put, TENSOR_EXTERNAL, "length", number);
    nz_put_int(put, TENSOR_LOCATION, 1);
}

static void put_tensor(nz_put *put, uint32_t field, const nz_tensor *tensor, const char *name,
                       external_file *external) {
    nz_put message = {0};
    for (int i = 0; i < tensor->shape.rank; i++) nz_put_int(&message, TENSOR_DIMS, tensor->shape.dim[i]);
    nz_put_int(&message, TENSOR_DTYPE, tensor->dtype);
    nz_put_string(&message, TENSOR_NAME, name);
    if (external && is_external(external, tensor))
        put_external(&message, tensor, external);
    else
        nz_put_reference(&message, TENSOR_RAW, tensor->data, tensor->bytes);
    nz_put_message(put, field, &message);
}

static void put_attr(nz_put *put, const nz_attr *attr) {
    if (attr->kind == NZ_ATTR_GRAPH || attr->kind == NZ_ATTR_OTHER) {
        nz_put_bytes(put, NODE_ATTRIBUTE, attr->u.bytes.data, attr->u.bytes.count);
        return;
    }
    nz_put message = {0};
    nz_put_string(&message, ATTR_NAME, attr->name);
    switch (attr->kind) {
    case NZ_ATTR_FLOAT: nz_put_float(&message, ATTR_FLOAT, attr->u.floats[0]); break;
    case NZ_ATTR_INT: nz_put_int(&message, ATTR_INT, attr->u.ints[0]); break;
    case NZ_ATTR_STRING: nz_put_string(&message, ATTR_STRING, attr->u.strings[0]); break;
    case NZ_ATTR_TENSOR: put_tensor(&message, ATTR_TENSOR, attr->u.tensor, NULL, NULL); break;
    case NZ_ATTR_FLOATS:
        for (size_t i = 0; i < attr->count; i++) nz_put_float(&message, ATTR_FLOATS, attr->u.floats[i]);
        break;
    case NZ_ATTR_INTS:
        for (size_t i = 0; i < attr->count; i++) nz_put_int(&message, ATTR_INTS, attr->u.ints[i]);
        break;
    case NZ_ATTR_STRINGS:
        for (size_t i = 0; i < attr->count; i++) nz_put_string(&message, ATTR_STRINGS, attr->u.strings[i]);
        break;
    case NZ_ATTR_GRAPH:
    case NZ_ATTR_OTHER: break;
    }
    nz_put_int(&message, ATTR_TYPE, attr->kind);
    nz_put_message(put, NODE_ATTRIBUTE, &message);
}

static const char *name_of(const nz_graph *graph, int value) { return value < 0 ? "" : graph->values[value].name; }

static void put_node(nz_put *put, const nz_graph *graph, const nz_node *node) {
    nz_put message = {0};
    for (size_t i = 0; i < node->input_count; i++) nz_put_string(&message, NODE_INPUT, name_of(graph, node->inputs[i]));
    for (size_t i = 0; i < node->output_count; i++)
        nz_put_string(&message, NODE_OUTPUT, name_of(graph, node->outputs[i]));
    nz_put_string(&message, NODE_NAME, node->name);
    nz_put_string(&message, NODE_OP_TYPE, node->op_type);
    for (size_t i = 0; i < node->attr_count; i++) put_attr(&message, &node->attrs[i]);
    if (*node->domain) nz_put_string(&message, NODE_DOMAIN, node->domain);
    nz_put_encoded(&message, node->unknown.data, node->unknown.count);
    nz_put_message(put, GRAPH_NODE, &message);
}

static void put_shape(nz_put *put, const nz_value *value) {
    nz_put shape = {0};
    for (int i = 0; i < value->shape.rank; i++) {
        nz_put dim = {0};
        if (value->shape.dim[i] >= 0)
            nz_put_int(&dim, DIM_VALUE, value->shape.dim[i]);
        else
            nz_put_string(&dim, DIM_NAME, value->dim_names[i]);
        nz_put_message(&shape, SHAPE_DIM, &dim);
    }
    nz_put_message(put, TENSOR_TYPE_SHAPE, &shape);
}

static void put_value_info(nz_put *put, uint32_t field, const nz_value *value) {
    nz_put message = {0};
    nz_put_string(&message, VALUE_NAME, value->name);
    if (value->type.count) {
        nz_put_bytes(&message, VALUE_TYPE, value->type.data, value->type.count);
    } else if (value->dtype) {
        nz_put type = {0}, tensor = {0};
        nz_put_int(&tensor, TENSOR_TYPE_ELEMENT, value->dtype);
        if (value->shape.rank >= 0) put_shape(&tensor, value);
        nz_put_message(&type, TYPE_TENSOR, &tensor);
        nz_put_message(&message, VALUE_TYPE, &type);
    }
    nz_put_message(put, field, &message);
}

/* What netzip can infer it leaves out; where it does not know every operator, what is known of the values stays. */
static void put_inner_values(nz_put *put, const nz_graph *graph) {
    bool complete = true;
    for (size_t i = 0; i < graph->node_count; i++) complete &= !graph->nodes[i].unsupported;
    for (size_t i = 0; i < graph->value_count && !complete; i++) {
        const nz_value *value = &graph->values[i];
        if (value->producer >= 0 && value->dtype && !nz_graph_is_output(graph, (int)i))
            put_value_info(put, GRAPH_VALUE_INFO, value);
    }
}

static void put_graph(nz_put *put, const nz_graph *graph, external_file *external) {
    nz_put message = {0};
    for (size_t i = 0; i < graph->node_count; i++) put_node(&message, graph, &graph->nodes[i]);
    nz_put_string(&message, GRAPH_NAME, graph->name && *graph->name ? graph->name : "graph");
    for (size_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].constant.data)
            put_tensor(&message, GRAPH_INITIALIZER, &graph->values[i].constant, graph->values[i].name, external);
    for (size_t i = 0; i < graph->input_count; i++)
        put_value_info(&message, GRAPH_INPUT, &graph->values[graph->inputs[i]]);
    for (size_t i = 0; i < graph->output_count; i++)
        put_value_info(&message, GRAPH_OUTPUT, &graph->values[graph->outputs[i]]);
    put_inner_values(&message, graph);
    nz_put_encoded(&message, graph->unknown_graph.data, graph->unknown_graph.count);
    nz_put_message(put, MODEL_GRAPH, &message);
}

static void put_opset(nz_put *put, const char *domain, int64_t version) {
    nz_put message = {0};
    nz_put_string(&message, OPSET_DOMAIN, domain);
    nz_put_int(&message, OPSET_VERSION, version);
    nz_put_message(put, MODEL_OPSET_IMPORT, &message);
}

/* The oldest IR version that goes with an opset, from 7, opset 13's. @source onnx/docs/Versioning.md */
static int ir_version(int opset) {
    static const struct {
        int opset, ir_version;
    } releases[] = {{14, 7}, {18, 8}, {20, 9}, {22, 10}, {23, 11}, {24, 12}};
    for (size_t i = 0; i < NZ_COUNT(releases); i++)
        if (opset <= releases[i].opset) return releases[i].ir_version;
    return 13;
}

static void put_model(nz_put *put, const nz_graph *graph, int opset, external_file *external) {
    nz_put_int(put, MODEL_IR_VERSION, ir_version(opset));
    nz_put_string(put, MODEL_PRODUCER_NAME, "netzip");
    nz_put_string(put, MODEL_PRODUCER_VERSION, NZ_VERSION);
    nz_put_string(put, MODEL_DOC, graph->doc);
    put_graph(put, graph, external);
    put_opset(put, "", opset);
    for (size_t i = 0; i < graph->domain_count; i++)
        put_opset(put, graph->domains[i].domain, graph->domains[i].version);
    for (size_t i = 0; i < graph->meta_count; i++)
        put_entry(put, MODEL_METADATA, graph->metas[i].key, graph->metas[i].value);
    nz_put_encoded(put, graph->unknown_model.data, graph->unknown_model.count);
}

static void abort_writer(nz_file_writer **writer) { nz_file_writer_abort(*writer); }

/* The tensors in the order in which put_graph gave them their offsets. */
static nz_status append_external(const nz_graph *graph, const external_file *external, nz_file_writer *writer) {
    static const char zeros[EXTERNAL_ALIGNMENT];
    uint64_t at = 0;
    for (size_t i = 0; i < graph->value_count; i++) {
        const nz_tensor *tensor = &graph->values[i].constant;
        if (!tensor->data || !is_external(external, tensor)) continue;
        uint64_t offset = aligned(at);
        NZ_TRY(nz_file_writer_append(writer, zeros, (size_t)(offset - at)));
        NZ_TRY(nz_file_writer_append(writer, tensor->data, tensor->bytes));
        at = offset + tensor->bytes;
    }
    return NZ_OK;
}

static nz_status write_external(const nz_graph *graph, const external_file *external, const char *path) {
    NZ_AUTO_FREE char *folder = NULL, *file = NULL;
    NZ_AUTO(abort_writer) nz_file_writer *writer = NULL;
    NZ_TRY(nz_path_folder(&folder, path));
    NZ_TRY(nz_path_join(&file, folder, external->name));
    NZ_TRY(nz_file_writer_open(&writer, file));
    NZ_TRY(append_external(graph, external, writer));
    return nz_file_writer_commit(NZ_STEAL(writer));
}

static uint64_t constant_bytes(const nz_graph *graph) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].constant.data) bytes += graph->values[i].constant.bytes;
    return bytes;
}

nz_status nz_onnx_write(const nz_graph *graph, const char *path, int opset, uint64_t inline_bytes) {
    NZ_AUTO(external_done) external_file external = {0};
    NZ_AUTO(nz_put_done) nz_put put = {0};
    NZ_AUTO(abort_writer) nz_file_writer *writer = NULL;
    if (constant_bytes(graph) > inline_bytes) NZ_TRY(nz_format(&external.name, "%s.data", nz_path_base(path)));
    put_model(&put, graph, opset, &external);
    NZ_TRY(put.status);
    if (external.name) NZ_TRY(write_external(graph, &external, path));
    NZ_TRY(nz_file_writer_open(&writer, path));
    NZ_TRY(nz_put_write(&put, writer));
    return nz_file_writer_commit(NZ_STEAL(writer));
}
