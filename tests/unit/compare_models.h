/* SPDX-License-Identifier: Apache-2.0 */
/** Small models made by the tests of comparisons. */
#ifndef NZ_TESTS_COMPARE_MODELS_H
#define NZ_TESTS_COMPARE_MODELS_H

#include "core/random.h"
#include "graph/build.h"
#include "netzip/onnx.h"
#include "onnx/onnx.h"
#include "test.h"

static inline int add_weights(nz_graph *g, const char *name, nz_shape shape, uint64_t seed) {
    NZ_AUTO_TENSOR nz_tensor t = {0};
    int index = 0;
    nz_random random;
    nz_random_init(&random, seed, (uint64_t)strlen(name));
    nz_assert_ok(nz_tensor_init(&t, NZ_F32, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
        ((float *)t.data)[i] = (float)nz_random_unit(&random) - 0.5f;
    nz_assert_ok(nz_graph_add_constant(g, &index, name, &t));
    return index;
}

static inline int add_node(nz_graph *g, const char *op, const char *name, const int *inputs, size_t count) {
    int value = 0, node = 0;
    nz_assert_ok(nz_graph_add_value(g, &value, name, NZ_F32, &(nz_shape){.rank = -1}));
    nz_assert_ok(nz_graph_add_node(g, &node, op, name, inputs, count, &value, 1));
    if (strcmp(op, "Conv") == 0) nz_assert_ok(nz_node_set_ints(&g->nodes[node], "strides", (const int64_t[]){2, 2}, 2));
    return value;
}

/* image [batch,3,32,32] - Conv - Relu - GlobalAveragePool - Flatten - Gemm (- Softmax). batch -1: symbolic. */
typedef struct recipe {
    uint64_t seed;
    int64_t batch;
    bool softmax;
    const char *technique;
    int64_t channels; /* of the Conv; 0: 8 */
} recipe;

static inline const char *save(const char *name, recipe r) {
    nz_graph *g = NULL;
    int x = 0;
    const char *path = nz_test_file(name);
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_graph_add_value(g, &x, "image", NZ_F32, &(nz_shape){.rank = 4, .dim = {r.batch, 3, 32, 32}}));
    nz_assert_ok(nz_graph_add_input(g, x));
    int64_t channels = r.channels ? r.channels : 8;
    int w1 = add_weights(g, "w1", (nz_shape){.rank = 4, .dim = {channels, 3, 3, 3}}, r.seed);
    int w2 = add_weights(g, "weights2", (nz_shape){.rank = 2, .dim = {channels, 10}}, r.seed);
    int c = add_node(g, "Conv", "conv", (int[]){x, w1}, 2);
    int a = add_node(g, "Relu", "relu", &c, 1);
    int p = add_node(g, "GlobalAveragePool", "pool", &a, 1);
    int f = add_node(g, "Flatten", "flatten", &p, 1);
    int y = add_node(g, "Gemm", "gemm", (int[]){f, w2}, 2);
    if (r.softmax) y = add_node(g, "Softmax", "softmax", &y, 1);
    nz_assert_ok(nz_graph_add_output(g, y));
    nz_assert_ok(nz_graph_finish(g));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    if (r.technique) nz_assert_ok(nz_graph_set_meta(g, "netzip.technique", r.technique));
    nz_assert_ok(nz_graph_set_meta(g, "netzip.preprocess", "scale=1/255"));
    nz_assert_ok(nz_model_save(g, path));
    nz_graph_free(g);
    return path;
}

#endif
