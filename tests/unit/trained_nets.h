/* SPDX-License-Identifier: Apache-2.0 */
/** Small networks and data for compression methods, and how a network is run. Included by one test program each. */
#ifndef NZ_TESTS_TRAINED_NETS_H
#define NZ_TESTS_TRAINED_NETS_H

#include "core/random.h"
#include "data/npz.h"
#include "graph/build.h"
#include "netzip/compress.h"
#include "netzip/runtime.h"
#include "test.h"

enum { SIDE = 16, CLASSES = 10 };

static inline int made_weights(nz_graph *g, const char *name, nz_shape shape, uint64_t stream, float middle,
                               float spread) {
    NZ_AUTO_TENSOR nz_tensor t = {0};
    int index = 0;
    nz_random random;
    nz_random_init(&random, 5, stream);
    nz_assert_ok(nz_tensor_init(&t, NZ_F32, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
        ((float *)t.data)[i] = middle + spread * ((float)nz_random_unit(&random) - 0.5f);
    nz_assert_ok(nz_graph_add_constant(g, &index, name, &t));
    return index;
}

static inline int bare_node(nz_graph *g, const char *op, const char *name, const int *inputs, size_t count) {
    nz_shape unknown = {.rank = -1};
    int value = 0;
    char output[64];
    snprintf(output, sizeof output, "%s_out", name);
    nz_assert_ok(nz_graph_add_value(g, &value, output, NZ_F32, &unknown));
    nz_assert_ok(nz_graph_add_node(g, NULL, op, name, inputs, count, &value, 1));
    return value;
}

/* With the attributes of a convolution of 3x3 that keeps the size, and of pooling that halves it. */
static inline int made_node(nz_graph *g, const char *op, const char *name, const int *inputs, size_t count) {
    int value = bare_node(g, op, name, inputs, count);
    nz_node *node = &g->nodes[g->node_count - 1];
    if (strcmp(op, "Conv") == 0) nz_assert_ok(nz_node_set_ints(node, "pads", (const int64_t[]){1, 1, 1, 1}, 4));
    if (strcmp(op, "MaxPool") == 0) {
        nz_assert_ok(nz_node_set_ints(node, "kernel_shape", (const int64_t[]){2, 2}, 2));
        nz_assert_ok(nz_node_set_ints(node, "strides", (const int64_t[]){2, 2}, 2));
    }
    return value;
}

/* Behind value x; every third channel turned round (gamma below 0). */
static inline int made_norm(nz_graph *g, const char *name, int x, int64_t channels, uint64_t stream) {
    const nz_shape shape = {.rank = 1, .dim = {channels}};
    char names[4][64];
    static const char *const parts[] = {"gamma", "beta", "mean", "variance"};
    for (int i = 0; i < 4; i++) snprintf(names[i], sizeof names[i], "%s_%s", name, parts[i]);
    int inputs[5] = {x, made_weights(g, names[0], shape, stream, 1, 0.5f),
                     made_weights(g, names[1], shape, stream + 1, 0, 0.4f),
                     made_weights(g, names[2], shape, stream + 2, 0, 0.2f),
                     made_weights(g, names[3], shape, stream + 3, 0.3f, 0.2f)};
    float *gamma = g->values[inputs[1]].constant.data;
    for (int64_t c = 0; c < channels; c += 3) gamma[c] = -gamma[c];
    return made_node(g, "BatchNormalization", name, inputs, 5);
}

/* input - conv1 [- norm1] - relu1 - pool1 - conv2 [- norm2] - add(pool1) - relu2 - pool - flatten - gemm. */
static inline nz_graph *small_network(bool norms) {
    nz_graph *g = NULL;
    int x = 0;
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_graph_add_value(g, &x, "input", NZ_F32, &(nz_shape){.rank = 4, .dim = {-1, 3, SIDE, SIDE}}));
    nz_assert_ok(nz_graph_add_input(g, x));
    int w1 = made_weights(g, "w1", (nz_shape){.rank = 4, .dim = {8, 3, 3, 3}}, 1, 0, 0.7f);
    int w2 = made_weights(g, "w2", (nz_shape){.rank = 4, .dim = {8, 8, 3, 3}}, 2, 0, 0.4f);
    int b2 = made_weights(g, "b2", (nz_shape){.rank = 1, .dim = {8}}, 3, 0, 0.2f);
    int w3 = made_weights(g, "w3", (nz_shape){.rank = 2, .dim = {8, CLASSES}}, 4, 0, 1);
    int b3 = made_weights(g, "b3", (nz_shape){.rank = 1, .dim = {CLASSES}}, 5, 0, 0.1f);
    int y = made_node(g, "Conv", "conv1", (int[]){x, w1}, 2);
    if (norms) y = made_norm(g, "norm1", y, 8, 10);
    y = made_node(g, "Relu", "relu1", &y, 1);
    int p1 = made_node(g, "MaxPool", "pool1", &y, 1);
    y = made_node(g, "Conv", "conv2", (int[]){p1, w2, b2}, 3);
    if (norms) y = made_norm(g, "norm2", y, 8, 20);
    y = made_node(g, "Add", "add", (int[]){y, p1}, 2);
    y = made_node(g, "Relu", "relu2", &y, 1);
    y = made_node(g, "GlobalAveragePool", "pool", &y, 1);
    y = made_node(g, "Flatten", "flatten", &y, 1);
    y = made_node(g, "Gemm", "gemm", (int[]){y, w3, b3}, 3);
    nz_assert_ok(nz_graph_add_output(g, y));
    nz_assert_ok(nz_graph_finish(g));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    return g;
}

static inline nz_dataset *small_data(const char *keys) {
    nz_dataset *data = NULL;
    char spec[128];
    snprintf(spec, sizeof spec, "synthetic:shapes,resize=%dx%d,%s", SIDE, SIDE, keys);
    nz_assert_ok(nz_data_open(&data, spec, NULL, NZ_DATA_TRAIN, (const int64_t[]){3, SIDE, SIDE}));
    return data;
}

/* Noise around one of ten colours: what a small network learns in a moment. Without labels where `labelled` is false. */
static inline nz_dataset *coloured_data(const char *file, int64_t count, uint64_t seed, bool labelled) {
    NZ_AUTO_TENSOR nz_tensor x = {0}, y = {0};
    static const char *const names[] = {"x", "y"};
    const nz_shape xs = {.rank = 4, .dim = {count, 3, SIDE, SIDE}}, ys = {.rank = 1, .dim = {count}};
    nz_dataset *data = NULL;
    nz_random random;
    char spec[4200];
    nz_random_init(&random, seed, 0);
    nz_assert_ok(nz_tensor_init(&x, NZ_F32, &xs));
    nz_assert_ok(nz_tensor_init(&y, NZ_I32, &ys));
    float *to = x.data;
    for (int64_t i = 0; i < count; i++) {
        int label = (int)nz_random_below(&random, CLASSES), place = label;
        ((int32_t *)y.data)[i] = label;
        for (int c = 0; c < 3; c++, place /= 3) {
            float colour = (float)(place % 3) * 0.5f + 0.6f * (float)nz_random_unit(&random);
            for (int k = 0; k < SIDE * SIDE; k++) *to++ = colour + 0.5f * ((float)nz_random_unit(&random) - 0.5f);
        }
    }
    const nz_tensor arrays[] = {x, y};
    nz_assert_ok(nz_npz_write(nz_test_file(file), names, arrays, labelled ? 2 : 1));
    snprintf(spec, sizeof spec, "npz:%s", nz_test_file(file));
    nz_assert_ok(nz_data_open(&data, spec, NULL, NZ_DATA_TRAIN, (const int64_t[]){3, SIDE, SIDE}));
    return data;
}

static inline void free_data(nz_dataset **data) { nz_data_free(*data); }

/* Scores of every sample, [samples, CLASSES]. Owned. */
static inline float *scores_of(const nz_graph *g, const nz_dataset *data, nz_compute compute) {
    size_t count = nz_data_count(data);
    nz_shape sample;
    nz_data_shape(data, &sample);
    float *scores = malloc(count * CLASSES * sizeof *scores);
    float *x = malloc((size_t)nz_shape_elements(&sample) * sizeof *x);
    nz_session *session = NULL;
    nz_runtime_options options = {.threads = 1, .batch = 1, .compute = compute};
    nz_assert_ok(nz_session_open(&session, "native", g, NULL, &options));
    nz_tensor in = nz_tensor_borrow(NZ_F32, &nz_session_input(session, 0, NULL)->shape, x);
    for (size_t i = 0; i < count; i++) {
        int32_t label;
        nz_assert_ok(nz_data_get(data, i, x, &label));
        nz_tensor out = nz_tensor_borrow(NZ_F32, &nz_session_output(session, 0, NULL)->shape, scores + i * CLASSES);
        nz_assert_ok(nz_session_run(session, &in, &out));
    }
    nz_session_free(session);
    free(x);
    return scores;
}

/* Signal over noise, in dB, of b beside a. */
static inline double closeness_db(const float *a, const float *b, size_t n) {
    double signal = 0, noise = 1e-30;
    for (size_t i = 0; i < n; i++) {
        signal += (double)a[i] * (double)a[i];
        noise += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    return 10 * log10(signal / noise);
}

static inline const nz_tensor *constant(const nz_graph *g, const char *name) {
    int v = nz_graph_find_value(g, name);
    if (v < 0 || !g->values[v].constant.data) fail_msg("no constant %s", name);
    return &g->values[v].constant;
}

static inline int64_t zeros_of(const nz_tensor *t) {
    int64_t count = 0;
    for (int64_t i = 0; i < nz_shape_elements(&t->shape); i++) count += nz_tensor_real(t, i) == 0;
    return count;
}

static inline size_t count_op(const nz_graph *g, const char *op) {
    size_t count = 0;
    for (size_t n = 0; n < g->node_count; n++) count += strcmp(g->nodes[n].op_type, op) == 0;
    return count;
}

#endif
