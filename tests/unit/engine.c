/* SPDX-License-Identifier: Apache-2.0 */
/* The training engine: gradients of whole small networks against differences of their loss, and the fast engine against the
 * one in plain C. */
#include "engine_nets.h"

/* ---- networks ---- */

/* Depthwise layers, bounded activations, a residual that nothing follows, averages by ReduceMean. */
static nz_graph *depthwise(void) {
    net n = net_begin(SHAPE(-1, 4, 6, 6), 4);
    nz_graph *g = n.graph;
    bool smooth = strcmp(net_activation, "Relu") != 0;
    int low = graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, smooth ? -99 : 0, 0);
    int high = graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, smooth ? 99 : 1.1, 0);
    int a = net_norm(g, &n.random, net_conv(g, &n.random, n.x, 4, 12, 1, 1, 1, false), 12);
    a = graph_node(g, "Clip", a, low, high);
    a = net_norm(g, &n.random, net_conv(g, &n.random, a, 12, 12, 3, 1, 12, false), 12);
    a = graph_node(g, "Clip", a, low, high);
    a = net_norm(g, &n.random, net_conv(g, &n.random, a, 12, 4, 1, 1, 1, false), 4);
    a = graph_node(g, "Add", n.x, a);
    a = net_cnr(&n, a, 4, 10, 3, 2);
    int axes = -1;
    nz_tensor tensor;
    nz_assert_ok(nz_tensor_init(&tensor, NZ_I64, &SHAPE(2)));
    nz_tensor_set_int(&tensor, 0, 2);
    nz_tensor_set_int(&tensor, 1, -1);
    nz_assert_ok(nz_graph_add_constant(g, &axes, "axes", &tensor));
    nz_tensor_done(&tensor);
    a = graph_node(g, "ReduceMean", a, axes);
    nz_assert_ok(nz_node_set_int(graph_last(g), "keepdims", 0));
    graph_finish(g, net_gemm(g, &n.random, a, 10, 3));
    return g;
}

/* Layers with biases, maxima, two branches joined, scores by a convolution; ends in a Softmax. */
static nz_graph *fire(void) {
    net n = net_begin(SHAPE(-1, 3, 9, 9), 5);
    nz_graph *g = n.graph;
    int a = graph_node(g, net_activation, net_conv(g, &n.random, n.x, 3, 8, 3, 1, 1, true));
    a = net_pool(g, "MaxPool", a, 3, 2);
    int squeeze = graph_node(g, net_activation, net_conv(g, &n.random, a, 8, 4, 1, 1, 1, true));
    int left = graph_node(g, net_activation, net_conv(g, &n.random, squeeze, 4, 6, 1, 1, 1, true));
    int right = graph_node(g, net_activation, net_conv(g, &n.random, squeeze, 4, 5, 3, 1, 1, true));
    a = graph_node(g, "Concat", left, right);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 1));
    a = graph_node(g, net_activation, net_conv(g, &n.random, a, 11, 4, 1, 1, 1, true));
    a = graph_node(g, "Flatten", net_pool(g, "AveragePool", a, 4, 1));
    a = graph_node(g, "Softmax", a);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 1));
    graph_finish(g, a);
    return g;
}

/* Linear layers: a bias by Add, weights behind a Transpose, and weights that two layers share. */
static nz_graph *linear(void) {
    net n = net_begin(SHAPE(-1, 6), 6);
    nz_graph *g = n.graph;
    int w = net_constant(g, &n.random, "w", SHAPE(6, 6), 0, 0.5);
    int a = graph_node(g, "MatMul", n.x, w);
    a = graph_node(g, "Tanh", graph_node(g, "Add", a, net_constant(g, &n.random, "b", SHAPE(6), 0, 0.3)));
    a = graph_node(g, "Sigmoid", graph_node(g, "MatMul", a, w));
    int t = graph_node(g, "Transpose", net_constant(g, &n.random, "wt", SHAPE(4, 6), 0, 0.5));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "perm", (int64_t[]){1, 0}, 2));
    a = graph_node(g, "Tanh", graph_node(g, "MatMul", a, t));
    graph_finish(g, net_gemm(g, &n.random, a, 4, 3));
    return g;
}

/* One convolution used twice, a transposed one, averages, an image that is normalised first; Dropout on a map and on a row. */
static nz_graph *mixed(void) {
    net n = net_begin(SHAPE(-1, 4, 6, 6), 7);
    nz_graph *g = n.graph;
    int a = graph_node(g, "Mul", n.x, net_constant(g, &n.random, "scale", SHAPE(1, 4, 1, 1), 1, 0.2));
    a = net_conv(g, &n.random, a, 4, 4, 3, 1, 1, true);
    int shared = graph_last(g)->inputs[1];
    a = graph_node(g, "Dropout", graph_node(g, "Tanh", a), graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, 0.25, 0));
    a = graph_node(g, "Conv", a, shared);
    a = net_pool(g, "AveragePool", graph_node(g, "Tanh", a), 2, 2);
    a = graph_node(g, "ConvTranspose", a, net_constant(g, &n.random, "wt", SHAPE(4, 3, 2, 2), 0, 0.5));
    a = graph_node(g, "Flatten", graph_node(g, "Tanh", a));
    a = graph_node(g, "Dropout", a);
    graph_finish(g, net_gemm(g, &n.random, a, 27, 4));
    return g;
}

/* A node with two outputs; the first one. */
static int two_outputs(nz_graph *g, const char *op, const int *inputs, size_t count, int *ret_second) {
    int out[2];
    const nz_shape unknown = {.rank = -1};
    for (int i = 0; i < 2; i++) nz_assert_ok(nz_graph_add_value(g, &out[i], op, NZ_DTYPE_NONE, &unknown));
    nz_assert_ok(nz_graph_add_node(g, NULL, op, op, inputs, count, out, 2));
    graph_last(g)->opset = NZ_OPSET;
    *ret_second = out[1];
    return out[0];
}

/* Maxima put back where they came from: the indices are computed, and read again on the way back. */
static nz_graph *unpool(void) {
    net n = net_begin(SHAPE(-1, 3, 8, 8), 12);
    nz_graph *g = n.graph;
    int a = net_conv(g, &n.random, n.x, 3, 6, 3, 1, 1, true), at = -1;
    a = two_outputs(g, "MaxPool", &a, 1, &at);
    nz_assert_ok(nz_node_set_ints(graph_last(g), "kernel_shape", (int64_t[]){2, 2}, 2));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "strides", (int64_t[]){2, 2}, 2));
    a = graph_node(g, "MaxUnpool", graph_node(g, "Tanh", a), at);
    nz_assert_ok(nz_node_set_ints(graph_last(g), "kernel_shape", (int64_t[]){2, 2}, 2));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "strides", (int64_t[]){2, 2}, 2));
    for (int i = 0; i < 3; i++) a = graph_node(g, "Tanh", net_conv(g, &n.random, a, 6, 6, 3, 1, 1, true));
    graph_finish(g, net_gemm(g, &n.random, graph_node(g, "Flatten", a), 6 * 64, 3));
    return g;
}

/* The largest of the batch pick from what the layer made of it. */
static nz_graph *chosen(void) {
    net n = net_begin(SHAPE(-1, 12), 13);
    nz_graph *g = n.graph;
    int a = graph_node(g, "Tanh", net_gemm(g, &n.random, n.x, 12, 40)), at = -1;
    two_outputs(g, "TopK", (int[]){n.x, graph_constant(g, NZ_I64, SHAPE(1), 8, 0)}, 2, &at);
    a = graph_node(g, "GatherElements", a, at);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 1));
    for (int i = 0; i < 3; i++) a = graph_node(g, "Tanh", net_gemm(g, &n.random, a, 8, 8));
    graph_finish(g, net_gemm(g, &n.random, a, 8, 3));
    return g;
}

typedef struct example {
    const char *name;
    nz_graph *(*make)(void);
    size_t params;
} example;

static const example examples[] = {
    {"residual", net_residual, 20}, {"depthwise", depthwise, 14}, {"fire", fire, 10},
    {"linear", linear, 5},          {"mixed", mixed, 5},          {"unpool", unpool, 10},
    {"chosen", chosen, 10},
};

/* ---- gradients ---- */

typedef struct difference {
    double slope, doubt;
} difference;

/* The loss's slope along one number, from steps h and 2h. What the two differ by bounds what curvature does to the finer
 * one; the loss is a sum of outputs in single precision, whose rounding (2^-23 of each term, a few times over on the
 * way) is divided by the step. */
static difference slope_at(net_run *run, nz_param *param, float *values, size_t at, double scale) {
    const float kept = values[at], h = 2e-3F;
    double loss[4];
    for (int i = 0; i < 4; i++) {
        values[at] = kept + h * (float)((int[]){-2, -1, 1, 2})[i];
        nz_param_set(param, values);
        loss[i] = net_loss(run, true);
    }
    values[at] = kept;
    nz_param_set(param, values);
    double fine = (loss[2] - loss[1]) / (2 * (double)h), coarse = (loss[3] - loss[0]) / (4 * (double)h);
    return (difference){fine, 2 * fabs(fine - coarse) + 8 * 0x1p-23 * scale / (double)h};
}

/* What the loss is made of, without cancellation. */
static double loss_scale(const net_run *run) {
    const float *y = nz_engine_output(run->engine);
    double scale = 0;
    for (size_t i = 0; i < run->out; i++) scale += fabs((double)run->c[i] * (double)y[i]) + (double)y[i] * (double)y[i];
    return scale;
}

static void check_gradients(const example *ex, nz_engine_options options) {
    nz_graph *g = ex->make();
    net_run run;
    nz_random random;
    double slopes = 0, doubts = 0;
    nz_random_init(&random, 1, 2);
    net_open(&run, g, &options);
    assert_int_equal(nz_engine_param_count(run.engine), ex->params);
    for (size_t p = 0; p < nz_engine_param_count(run.engine); p++) {
        nz_param *param = nz_engine_param(run.engine, p);
        size_t count = (size_t)nz_shape_elements(&param->shape);
        net_step(&run);
        float *values = net_plain(param, param->value), *grad = net_plain(param, param->grad);
        for (int k = 0; k < 5; k++) {
            size_t at = (size_t)nz_random_below(&random, count);
            difference d = slope_at(&run, param, values, at, loss_scale(&run));
            if (!nz_test_close((double)grad[at], d.slope, 0, d.doubt))
                fail_msg("%s: gradient %zu of %s (%s) is %.6g, by differences %.6g +- %.2g", ex->name, at, param->name,
                         param->node, (double)grad[at], d.slope, d.doubt);
            slopes += fabs(d.slope);
            doubts += d.doubt;
        }
        free(values);
        free(grad);
    }
    /* The check means something: doubt is small beside what was found. */
    if (doubts > 0.1 * slopes) fail_msg("%s: differences of %g are known to %g alone", ex->name, slopes, doubts);
    net_close(&run);
    nz_graph_free(g);
}

static void test_gradients(void **state) {
    (void)state;
    net_activation = "Softplus";
    for (size_t i = 0; i < NZ_COUNT(examples); i++) {
        check_gradients(&examples[i], (nz_engine_options){.batch = 4, .threads = 1, .reference = true});
        check_gradients(&examples[i], (nz_engine_options){.batch = 4, .threads = 1});
        check_gradients(&examples[i], (nz_engine_options){.batch = 3, .threads = 2, .frozen_norm = true});
    }
    net_activation = "Relu";
}

static void test_fast_is_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(examples); i++) {
        nz_graph *g = examples[i].make();
        nz_engine_options reference = {.batch = 5, .threads = 1, .reference = true}, fast = {.batch = 5, .threads = 2};
        net_compare(g, fast, reference, 2e-5);
        fast.frozen_norm = reference.frozen_norm = true;
        net_compare(g, fast, reference, 2e-5);
        nz_graph_free(g);
    }
}

/* Maps and their gradients in bf16, which keeps 8 bits: an error of 2^-9 at every map, a dozen of them one after the other on
 * the way there and back. A network without kinks, at which an error of any size changes a gradient, and without
 * normalisation, which would divide errors by small deviations. */
static void test_half(void **state) {
    (void)state;
    nz_graph *g = mixed();
    net_compare(g, (nz_engine_options){.batch = 5, .threads = 1, .bf16 = true},
                (nz_engine_options){.batch = 5, .threads = 1}, 24 * 0x1p-9);
    nz_graph_free(g);
    g = fire(); /* its scores alone */
    net_run half, full;
    net_open(&half, g, &(nz_engine_options){.batch = 5, .threads = 1, .bf16 = true});
    net_open(&full, g, &(nz_engine_options){.batch = 5, .threads = 1});
    net_step(&half);
    net_step(&full);
    const float *y = nz_engine_output(full.engine);
    nz_assert_floats(nz_engine_output(half.engine), y, full.out, 0, 12 * 0x1p-9 * net_largest(y, full.out));
    net_close(&half);
    net_close(&full);
    nz_graph_free(g);
}

/* ---- drawn networks: the plan of memory under all kinds of reuse ---- */

static int drawn_node(net *n, const int *maps, size_t count, int64_t channels) {
    nz_graph *g = n->graph;
    size_t other = (size_t)nz_random_below(&n->random, count);
    int a = maps[nz_random_below(&n->random, count)], b = maps[other];
    switch (nz_random_below(&n->random, 9)) {
    case 0: return graph_node(g, "Relu", a);
    case 1: return graph_node(g, "Add", a, b);
    case 2: return graph_node(g, "Mul", a, b);
    case 3: return net_norm(g, &n->random, a, channels);
    case 4: return graph_node(g, "Relu", graph_node(g, "Add", net_norm(g, &n->random, a, channels), b));
    case 5: return graph_node(g, "Tanh", a);
    case 6: return graph_node(g, "Dropout", a);
    case 7: {
        int y = graph_node(g, "Concat", a, b);
        nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 1));
        return net_conv(g, &n->random, y, 2 * channels, channels, 1, 1, 1, true);
    }
    default: return net_conv(g, &n->random, a, channels, channels, 3, 1, 1, false);
    }
}

static nz_graph *drawn(uint64_t seed) {
    net n = net_begin(SHAPE(-1, 3, 5, 4), seed);
    int maps[16];
    size_t count = 0;
    maps[count++] = net_conv(n.graph, &n.random, n.x, 3, 4, 3, 1, 1, true);
    while (count < 12) {
        maps[count] = graph_node(n.graph, "Tanh", drawn_node(&n, maps, count, 4)); /* bounded, however deep */
        if (nz_random_below(&n.random, 2)) maps[count] = drawn_node(&n, maps, count, 4);
        count++;
    }
    int y = graph_node(n.graph, "Flatten", graph_node(n.graph, "Add", maps[count - 1], maps[count - 2]));
    graph_finish(n.graph, net_gemm(n.graph, &n.random, y, 80, 3));
    return n.graph;
}

static void test_drawn(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        nz_graph *g = drawn(seed);
        net_compare(g, (nz_engine_options){.batch = 3, .threads = 1},
                    (nz_engine_options){.batch = 3, .threads = 1, .reference = true}, 1e-4);
        nz_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_fast_is_reference),
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_drawn),
    };
    return cmocka_run_group_tests_name("unit/engine", tests, NULL, NULL);
}
