/* SPDX-License-Identifier: Apache-2.0 */
/** Small graphs in few words, for tests. Every function fails the test where building fails. */
#ifndef NZ_TESTS_GRAPHS_H
#define NZ_TESTS_GRAPHS_H

#include "graph/build.h"
#include "test.h"

#define SHAPE(...) ((nz_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

static inline int graph_input(nz_graph *g, const char *name, nz_dtype type, nz_shape shape) {
    int value = -1;
    nz_assert_ok(nz_graph_add_value(g, &value, name, type, &shape));
    nz_assert_ok(nz_graph_add_input(g, value));
    return value;
}

/** A constant whose element i is first + i * step, by the rounding of its type. */
static inline int graph_constant(nz_graph *g, nz_dtype type, nz_shape shape, double first, double step) {
    int value = -1;
    nz_tensor tensor;
    nz_assert_ok(nz_tensor_init(&tensor, type, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++) nz_tensor_set_real(&tensor, i, first + (double)i * step);
    nz_assert_ok(nz_graph_add_constant(g, &value, "constant", &tensor));
    nz_tensor_done(&tensor);
    return value;
}

/** A node with one output of an unknown type and shape, which inference fills in. Returns the output. */
#define graph_node(g, op, ...)                                                                                         \
    graph_node_of(g, op, (int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int), NZ_DTYPE_NONE)
static inline int graph_node_of(nz_graph *g, const char *op, const int *inputs, size_t count, nz_dtype type) {
    int value = -1;
    nz_shape unknown = {.rank = -1};
    nz_assert_ok(nz_graph_add_value(g, &value, op, type, &unknown));
    nz_assert_ok(nz_graph_add_node(g, NULL, op, op, inputs, count, &value, 1));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    return value;
}

static inline nz_node *graph_last(nz_graph *g) { return &g->nodes[g->node_count - 1]; }

static inline void graph_finish(nz_graph *g, int output) {
    nz_assert_ok(nz_graph_add_output(g, output));
    nz_assert_ok(nz_graph_finish(g));
}

#endif
