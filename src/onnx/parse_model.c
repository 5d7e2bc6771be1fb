/* SPDX-License-Identifier: Apache-2.0 */
/* ModelProto, and the doors of the reader. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "netzip/onnx.h"
#include "onnx/onnx.h"
#include "onnx/reader.h"

enum { NEWEST_OPSET = 28, FIRST_IR_WITH_OPSETS = 3, MOST_ENTRIES = 4096 };

typedef struct model_parts {
    char *producer_name, *producer_version;
    nz_wire graph;
    bool has_graph;
    size_t domain_capacity;
} model_parts;

static void parts_done(model_parts *parts) {
    free(parts->producer_name);
    free(parts->producer_version);
}

/* Two strings, or a string and a number, in fields 1 and 2: opset imports and metadata. */
static nz_status read_pair(nz_wire wire, const char *what, char **ret_first, char **ret_second, int64_t *ret_number) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number == 1) NZ_TRY(nz_field_string(&field, what, ret_first));
        if (field.number == 2 && ret_number) NZ_TRY(nz_field_int(&field, what, ret_number));
        if (field.number == 2 && ret_second) NZ_TRY(nz_field_string(&field, what, ret_second));
    }
    if (!*ret_first) NZ_TRY(nz_strdup(ret_first, ""));
    return ret_second && !*ret_second ? nz_strdup(ret_second, "") : NZ_OK;
}

static nz_status read_opset(nz_wire wire, model_parts *parts, nz_graph *graph) {
    NZ_AUTO_FREE char *domain = NULL;
    int64_t version = 0;
    NZ_TRY(read_pair(wire, "opset_import", &domain, NULL, &version));
    bool standard = !*domain || strcmp(domain, "ai.onnx") == 0;
    if (version < 1 || version > INT32_MAX)
        return nz_fail(NZ_E_FORMAT, "imports opset %" PRId64 " of '%s'; opsets count from 1", version, domain);
    if (standard && version > NEWEST_OPSET)
        return nz_fail(NZ_E_UNSUPPORTED, "is written in opset %" PRId64 "; netzip reads opsets up to %d", version,
                       NEWEST_OPSET);
    if (graph->domain_count == MOST_ENTRIES) return nz_fail(NZ_E_FORMAT, "imports more than %d opsets", MOST_ENTRIES);
    bool twice = standard && graph->opset;
    for (size_t i = 0; i < graph->domain_count; i++) twice |= strcmp(graph->domains[i].domain, domain) == 0;
    if (twice) return nz_fail(NZ_E_FORMAT, "imports an opset of '%s' twice", standard ? "ai.onnx" : domain);
    if (standard) {
        graph->opset = (int)version;
        return NZ_OK;
    }
    NZ_TRY(nz_grow(&graph->domains, &parts->domain_capacity, graph->domain_count + 1, sizeof *graph->domains));
    graph->domains[graph->domain_count].version = version;
    graph->domains[graph->domain_count++].domain = NZ_STEAL(domain);
    return NZ_OK;
}

static nz_status read_metadata(nz_wire wire, nz_graph *graph) {
    NZ_AUTO_FREE char *key = NULL, *value = NULL;
    NZ_TRY(read_pair(wire, "metadata_props", &key, &value, NULL));
    if (graph->meta_count == MOST_ENTRIES)
        return nz_fail(NZ_E_FORMAT, "metadata_props holds more than %d entries", MOST_ENTRIES);
    if (nz_graph_meta(graph, key)) return nz_fail(NZ_E_FORMAT, "metadata_props holds the key '%s' twice", key);
    return nz_graph_set_meta(graph, key, value);
}

static nz_status read_graph_field(const nz_field *field, model_parts *parts) {
    if (parts->has_graph)
        return nz_fail(NZ_E_FORMAT, "byte %zu: the model holds a second graph", nz_field_place(field));
    parts->has_graph = true;
    return nz_field_bytes(field, "the graph", &parts->graph);
}

static nz_status read_fields(nz_wire wire, model_parts *parts, nz_graph *graph) {
    nz_field field;
    nz_wire bytes;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        switch (field.number) {
        case MODEL_IR_VERSION: NZ_TRY(nz_field_int(&field, "ir_version", &graph->ir_version)); break;
        case MODEL_PRODUCER_NAME: NZ_TRY(nz_field_string(&field, "producer_name", &parts->producer_name)); break;
        case MODEL_PRODUCER_VERSION:
            NZ_TRY(nz_field_string(&field, "producer_version", &parts->producer_version));
            break;
        case MODEL_DOC: NZ_TRY(nz_field_string(&field, "doc_string", &graph->doc)); break;
        case MODEL_GRAPH: NZ_TRY(read_graph_field(&field, parts)); break;
        case MODEL_OPSET_IMPORT:
            NZ_TRY(nz_field_bytes(&field, "opset_import", &bytes));
            NZ_TRY(read_opset(bytes, parts, graph));
            break;
        case MODEL_METADATA:
            NZ_TRY(nz_field_bytes(&field, "metadata_props", &bytes));
            NZ_TRY(read_metadata(bytes, graph));
            break;
        case MODEL_FUNCTIONS:
            return nz_fail(NZ_E_UNSUPPORTED,
                           "byte %zu: the model defines functions of its own (functions); inline them first",
                           nz_field_place(&field));
        default: NZ_TRY(nz_keep_unknown(&graph->unknown_model, &field, wire.at)); break;
        }
    }
}

static nz_status set_producer(const model_parts *parts, nz_graph *graph) {
    const char *name = parts->producer_name ? parts->producer_name : "",
               *version = parts->producer_version ? parts->producer_version : "";
    return nz_format(&graph->producer, "%s%s%s", name, *name && *version ? " " : "", version);
}

nz_status nz_parse_model(nz_reader *reader, nz_graph **ret_graph) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(parts_done) model_parts parts = {0};
    const uint8_t *bytes = nz_buffer_data(reader->buffer);
    size_t count = nz_buffer_bytes(reader->buffer);
    if (!count) return nz_fail(NZ_E_FORMAT, "is empty; an ONNX model is needed");
    NZ_TRY(nz_graph_new(&graph));
    nz_wire wire = {.base = bytes, .at = bytes, .end = bytes + count};
    NZ_TRY(nz_fail_context(read_fields(wire, &parts, graph), "is no ONNX model, or a damaged one"));
    if (!parts.has_graph) return nz_fail(NZ_E_FORMAT, "holds no graph; is this an ONNX model?");
    if (!graph->opset && graph->ir_version >= FIRST_IR_WITH_OPSETS && !graph->domain_count)
        return nz_fail(NZ_E_FORMAT, "imports no opset, so its operators have no meaning");
    if (!graph->opset) graph->opset = 1;
    NZ_TRY(set_producer(&parts, graph));
    NZ_TRY(nz_parse_graph(reader, parts.graph, graph));
    *ret_graph = NZ_STEAL(graph);
    return NZ_OK;
}

nz_status nz_onnx_parse(nz_graph **ret_graph, nz_buffer *buffer, const char *path, bool in_place) {
    NZ_AUTO(nz_reader_done) nz_reader reader = {.path = path, .buffer = buffer, .in_place = in_place};
    return nz_fail_context(nz_parse_model(&reader, ret_graph), "%s", path);
}

static void unref_buffer(nz_buffer **buffer) { nz_buffer_unref(*buffer); }

/* Reads the model far enough to know its external files; the reader holds them until nz_reader_done. */
static nz_status read_externals(nz_reader *reader) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    return nz_fail_context(nz_parse_model(reader, &graph), "%s", reader->path);
}

/* Whether external `i` is the first under which its file is named. */
static bool is_first(const nz_reader *reader, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (reader->externals[k].buffer == reader->externals[i].buffer) return false;
    return true;
}

nz_status nz_model_disk_bytes(uint64_t *ret_bytes, const char *path) {
    NZ_AUTO(unref_buffer) nz_buffer *buffer = NULL;
    NZ_TRY(nz_buffer_map(&buffer, path));
    NZ_AUTO(nz_reader_done) nz_reader reader = {.path = path, .buffer = buffer, .in_place = true};
    NZ_TRY(read_externals(&reader));
    uint64_t bytes = nz_buffer_bytes(buffer);
    for (size_t i = 0; i < reader.external_count; i++)
        if (is_first(&reader, i)) bytes += nz_buffer_bytes(reader.externals[i].buffer);
    *ret_bytes = bytes;
    return NZ_OK;
}

nz_status nz_model_sha256(char ret_hex[65], const char *path) {
    NZ_AUTO(unref_buffer) nz_buffer *buffer = NULL;
    NZ_AUTO(nz_text_done) nz_text all = {0};
    char hex[65];
    NZ_TRY(nz_buffer_map(&buffer, path));
    NZ_AUTO(nz_reader_done) nz_reader reader = {.path = path, .buffer = buffer, .in_place = true};
    NZ_TRY(read_externals(&reader));
    nz_sha256(hex, nz_buffer_data(buffer), nz_buffer_bytes(buffer));
    nz_text_append(&all, hex);
    for (size_t i = 0; i < reader.external_count; i++) {
        const nz_buffer *external = reader.externals[i].buffer;
        if (!is_first(&reader, i)) continue;
        nz_sha256(hex, nz_buffer_data(external), nz_buffer_bytes(external));
        nz_text_append(&all, hex);
    }
    NZ_TRY(all.status);
    if (reader.external_count) nz_sha256(hex, all.data, all.length);
    memcpy(ret_hex, hex, sizeof hex);
    return NZ_OK;
}

nz_status nz_model_locations(char ***ret_locations, size_t *ret_count, const char *path) {
    NZ_AUTO(unref_buffer) nz_buffer *buffer = NULL;
    NZ_TRY(nz_buffer_map(&buffer, path));
    NZ_AUTO(nz_reader_done) nz_reader reader = {.path = path, .buffer = buffer, .in_place = true};
    NZ_TRY(read_externals(&reader));
    char **locations;
    NZ_TRY(nz_alloc(&locations, reader.external_count + 1, sizeof *locations));
    for (size_t i = 0; i < reader.external_count; i++) locations[i] = NZ_STEAL(reader.externals[i].location);
    *ret_locations = locations;
    *ret_count = reader.external_count;
    return NZ_OK;
}

nz_status nz_onnx_parse_tensor(nz_tensor *ret_tensor, char **ret_name, nz_buffer *buffer, const char *path) {
    NZ_AUTO(nz_reader_done) nz_reader reader = {.path = path, .buffer = buffer};
    const uint8_t *bytes = nz_buffer_data(buffer);
    nz_wire wire = {.base = bytes, .at = bytes, .end = bytes ? bytes + nz_buffer_bytes(buffer) : bytes};
    return nz_fail_context(nz_parse_tensor(&reader, wire, ret_tensor, ret_name), "%s", path);
}

nz_status nz_onnx_tensor_load(nz_tensor *ret_tensor, char **ret_name, const char *path) {
    NZ_AUTO(unref_buffer) nz_buffer *buffer = NULL;
    NZ_TRY(nz_buffer_map(&buffer, path));
    return nz_onnx_parse_tensor(ret_tensor, ret_name, buffer, path);
}
