/* SPDX-License-Identifier: Apache-2.0 */
/**
 * ONNX messages put together field by field, so that tests make exactly the file they mean, whole or broken. A model in the
 * making is two messages: `graph` and what stands beside it.
 */
#ifndef NZ_TESTS_ONNX_MAKE_H
#define NZ_TESTS_ONNX_MAKE_H

#include "core/memory.h"
#include "netzip/graph.h"
#include "onnx/fields.h"
#include "onnx/put.h"
#include "test.h"

typedef struct make {
    nz_put model, graph;
} make;

/** TensorProto with `bytes` raw bytes of 0x01 (none where raw is false). */
static inline void make_tensor(nz_put *to, uint32_t field, const char *name, int64_t dtype, int rank,
                               const int64_t *dims, size_t bytes) {
    nz_put t = {0};
    static char ones[4096];
    memset(ones, 1, sizeof ones);
    for (int i = 0; i < rank; i++) nz_put_int(&t, TENSOR_DIMS, dims[i]);
    nz_put_int(&t, TENSOR_DTYPE, dtype);
    nz_put_string(&t, TENSOR_NAME, name);
    if (bytes) nz_put_bytes(&t, TENSOR_RAW, ones, bytes);
    nz_put_message(to, field, &t);
}

static inline void make_initializer(make *m, const char *name, int64_t dtype, int64_t dim, size_t bytes) {
    make_tensor(&m->graph, GRAPH_INITIALIZER, name, dtype, 1, &dim, bytes);
}

/** ValueInfoProto of a tensor; dims -1 are symbolic, named "N". */
static inline void make_value(make *m, uint32_t field, const char *name, int64_t dtype, int rank, const int64_t *dims) {
    nz_put info = {0}, type = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < rank; i++) {
        nz_put dim = {0};
        if (dims[i] == -1)
            nz_put_string(&dim, DIM_NAME, "N");
        else
            nz_put_int(&dim, DIM_VALUE, dims[i]);
        nz_put_message(&shape, SHAPE_DIM, &dim);
    }
    nz_put_int(&tensor, TENSOR_TYPE_ELEMENT, dtype);
    nz_put_message(&tensor, TENSOR_TYPE_SHAPE, &shape);
    nz_put_message(&type, TYPE_TENSOR, &tensor);
    nz_put_string(&info, VALUE_NAME, name);
    nz_put_message(&info, VALUE_TYPE, &type);
    nz_put_message(&m->graph, field, &info);
}

static inline void make_output(make *m, const char *name) {
    nz_put info = {0};
    nz_put_string(&info, VALUE_NAME, name);
    nz_put_message(&m->graph, GRAPH_OUTPUT, &info);
}

static inline void make_attr_int(nz_put *node, const char *name, int64_t value) {
    nz_put a = {0};
    nz_put_string(&a, ATTR_NAME, name);
    nz_put_int(&a, ATTR_INT, value);
    nz_put_int(&a, ATTR_TYPE, NZ_ATTR_INT);
    nz_put_message(node, NODE_ATTRIBUTE, &a);
}

/** NodeProto's inputs and outputs from lists like "a b"; "-" stands for one that is left out. */
static inline void make_names(nz_put *node, uint32_t field, const char *list) {
    char *copy = strdup(list), *rest = copy;
    assert_non_null(copy);
    for (char *name; (name = strtok_r(rest, " ", &rest));) nz_put_string(node, field, strcmp(name, "-") ? name : "");
    free(copy);
}

/** Appends a node; `attributes` (may be NULL) holds encoded NODE_ATTRIBUTE fields and is emptied. */
static inline void make_node(make *m, const char *op_type, const char *inputs, const char *outputs,
                             nz_put *attributes) {
    nz_put n = {0};
    make_names(&n, NODE_INPUT, inputs);
    make_names(&n, NODE_OUTPUT, outputs);
    nz_put_string(&n, NODE_OP_TYPE, op_type);
    if (attributes) {
        nz_put_encoded(&n, attributes->data, attributes->length);
        nz_put_done(attributes);
    }
    nz_put_message(&m->graph, GRAPH_NODE, &n);
}

static inline void make_opset(make *m, const char *domain, int64_t version) {
    nz_put o = {0};
    nz_put_string(&o, OPSET_DOMAIN, domain);
    nz_put_int(&o, OPSET_VERSION, version);
    nz_put_message(&m->model, MODEL_OPSET_IMPORT, &o);
}

/** ir_version 8 and opset 13. */
static inline void make_header(make *m) {
    nz_put_int(&m->model, MODEL_IR_VERSION, 8);
    make_opset(m, "", 13);
}

/** TensorProto of int64 numbers as an initializer. */
static inline void make_ints(make *m, const char *name, int64_t count, const int64_t *values) {
    nz_put t = {0};
    nz_put_int(&t, TENSOR_DIMS, count);
    nz_put_int(&t, TENSOR_DTYPE, NZ_I64);
    nz_put_string(&t, TENSOR_NAME, name);
    nz_put_bytes(&t, TENSOR_RAW, values, (size_t)count * sizeof *values);
    nz_put_message(&m->graph, GRAPH_INITIALIZER, &t);
}

/** x [N,4] f32 -> Relu -> y, in opset 13. */
static inline void make_good(make *m) {
    make_header(m);
    make_value(m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){-1, 4});
    make_node(m, "Relu", "x", "y", NULL);
    make_output(m, "y");
}

/** Writes the model into the test's folder and returns its path (a static buffer); the messages are emptied. */
static inline const char *make_file(make *m, const char *name) {
    const char *path = nz_test_file(name);
    if (m->graph.length) nz_put_message(&m->model, MODEL_GRAPH, &m->graph);
    assert_int_equal(m->model.status, NZ_OK);
    nz_file_writer *writer = NULL;
    nz_assert_ok(nz_file_writer_open(&writer, path));
    nz_assert_ok(nz_put_write(&m->model, writer));
    nz_assert_ok(nz_file_writer_commit(writer));
    nz_put_done(&m->model);
    nz_put_done(&m->graph);
    return path;
}

#endif
