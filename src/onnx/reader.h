/* SPDX-License-Identifier: Apache-2.0 */
/** What the parts of the reader share. Each parses one message of ONNX; messages name the place inside the file. */
#ifndef NZ_ONNX_READER_H
#define NZ_ONNX_READER_H

#include "core/memory.h"
#include "graph/build.h"
#include "onnx/fields.h"
#include "onnx/wire.h"

/** A file of external data that has been opened, under one of the names by which tensors ask for it. */
typedef struct nz_external {
    char *location, *path; /**< as in the model; real */
    nz_buffer *buffer;
} nz_external;

typedef struct nz_reader {
    const char *path;
    nz_buffer *buffer; /**< borrowed: the model file */
    bool in_place;     /**< large tensors stay in the file even where they are not aligned to their elements */
    nz_external *externals;
    size_t external_count, external_capacity;
} nz_reader;
void nz_reader_done(nz_reader *reader);

/** The bytes [offset, offset + length) of an external file; length -1: to its end. *ret_buffer is borrowed from the reader. */
NZ_CHECKED nz_status nz_external_open(nz_reader *reader, const char *location, int64_t offset, int64_t length,
                                      nz_buffer **ret_buffer, const uint8_t **ret_data, size_t *ret_bytes);

/** TensorProto. *ret_name ("" where it has none) is owned by the caller; ret_name may be NULL. NZ_E_UNSUPPORTED for types without
 * tensors (strings, complex numbers, unknown numbers). */
NZ_CHECKED nz_status nz_parse_tensor(nz_reader *reader, nz_wire wire, nz_tensor *ret_tensor, char **ret_name);

/** ValueInfoProto: type and shape as far as it states them. `type` gets the encoded TypeProto where it is no tensor's. */
typedef struct nz_value_info {
    char *name;
    nz_dtype dtype;
    nz_shape shape;
    char *dim_names[NZ_MAX_RANK];
    nz_wire type; /**< of no tensor: a cursor over the TypeProto; else empty */
    bool has_type;
} nz_value_info;
NZ_CHECKED nz_status nz_parse_value_info(nz_wire wire, nz_value_info *ret_info);
void nz_value_info_done(nz_value_info *info);

/** AttributeProto, appended to the node. */
NZ_CHECKED nz_status nz_parse_attribute(nz_reader *reader, nz_wire wire, nz_node *node);
/** Calls `visit` with every name that the graphs inside an attribute may read from outside. */
NZ_CHECKED nz_status nz_parse_captures(nz_wire attribute, nz_status (*visit)(void *argument, nz_wire name),
                                       void *argument);

/** GraphProto into an empty graph whose opset and domains are known. */
NZ_CHECKED nz_status nz_parse_graph(nz_reader *reader, nz_wire wire, nz_graph *graph);

/** Walks a ModelProto; the reader's files stay open until nz_reader_done. Messages lack the path. */
NZ_CHECKED nz_status nz_parse_model(nz_reader *reader, nz_graph **ret_graph);

/** Appends a field as it stands in the file, from its tag up to `end`. */
NZ_CHECKED nz_status nz_keep_unknown(nz_unknown *unknown, const nz_field *field, const uint8_t *end);

#endif
