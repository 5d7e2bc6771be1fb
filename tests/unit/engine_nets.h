/* SPDX-License-Identifier: Apache-2.0 */
/** Small networks for the training engine's tests, with drawn weights, and gradients by finite differences. */
#ifndef NZ_TESTS_ENGINE_NETS_H
#define NZ_TESTS_ENGINE_NETS_H

#include "core/random.h"
#include "graphs.h"
#include "train/engine.h"

/** A number drawn in [-1, 1). */
static inline float net_draw(nz_random *random) { return (float)(nz_random_unit(random) * 2 - 1); }

/** A float constant of numbers in `middle` +- `spread`. */
static inline int net_constant(nz_graph *g, nz_random *random, const char *name, nz_shape shape, double middle,
                               double spread) {
    int value = -1;
    nz_tensor tensor;
    nz_assert_ok(nz_tensor_init(&tensor, NZ_F32, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
        nz_tensor_set_real(&tensor, i, middle + spread * (double)net_draw(random));
    nz_assert_ok(nz_graph_add_constant(g, &value, name, &tensor));
    nz_tensor_done(&tensor);
    return value;
}

/** A convolution k x k with padding that keeps the extents at stride 1. */
static inline int net_conv(nz_graph *g, nz_random *random, int x, int64_t in, int64_t out, int64_t k, int64_t stride,
                           int64_t groups, bool bias) {
    double spread = 1.5 / sqrt((double)(in / groups * k * k));
    int w = net_constant(g, random, "w", SHAPE(out, in / groups, k, k), 0, spread), y;
    if (bias)
        y = graph_node(g, "Conv", x, w, net_constant(g, random, "b", SHAPE(out), 0, 0.3));
    else
        y = graph_node(g, "Conv", x, w);
    nz_node *node = graph_last(g);
    nz_assert_ok(nz_node_set_ints(node, "kernel_shape", (int64_t[]){k, k}, 2));
    nz_assert_ok(nz_node_set_ints(node, "strides", (int64_t[]){stride, stride}, 2));
    nz_assert_ok(nz_node_set_ints(node, "pads", (int64_t[]){k / 2, k / 2, k / 2, k / 2}, 4));
    nz_assert_ok(nz_node_set_int(node, "group", groups));
    return y;
}

static inline int net_norm(nz_graph *g, nz_random *random, int x, int64_t channels) {
    return graph_node(g, "BatchNormalization", x, net_constant(g, random, "gamma", SHAPE(channels), 1, 0.3),
                      net_constant(g, random, "beta", SHAPE(channels), 0.1, 0.3),
                      net_constant(g, random, "mean", SHAPE(channels), 0, 0.2),
                      net_constant(g, random, "variance", SHAPE(channels), 1, 0.3));
}

static inline int net_gemm(nz_graph *g, nz_random *random, int x, int64_t in, int64_t out) {
    int y = graph_node(g, "Gemm", x, net_constant(g, random, "w", SHAPE(out, in), 0, 1 / sqrt((double)in)),
                       net_constant(g, random, "b", SHAPE(out), 0, 0.3));
    nz_assert_ok(nz_node_set_int(graph_last(g), "transB", 1));
    return y;
}

static inline int net_pool(nz_graph *g, const char *op, int x, int64_t k, int64_t stride) {
    int y = graph_node(g, op, x);
    nz_assert_ok(nz_node_set_ints(graph_last(g), "kernel_shape", (int64_t[]){k, k}, 2));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "strides", (int64_t[]){stride, stride}, 2));
    return y;
}

/** A graph with one input, and the numbers that its weights are drawn from. */
typedef struct net {
    nz_graph *graph;
    nz_random random;
    int x;
} net;

static inline net net_begin(nz_shape input, uint64_t seed) {
    net n = {0};
    nz_assert_ok(nz_graph_new(&n.graph));
    nz_random_init(&n.random, seed, 9);
    n.x = graph_input(n.graph, "x", NZ_F32, input);
    return n;
}

/** The activation of layers: Relu, or something without kinks, for differences. */
static const char *net_activation = "Relu";

static inline int net_cnr(net *n, int x, int64_t in, int64_t out, int64_t k, int64_t stride) {
    int y = net_conv(n->graph, &n->random, x, in, out, k, stride, 1, false);
    return graph_node(n->graph, net_activation, net_norm(n->graph, &n->random, y, out));
}

/** conv-norm-relu, residuals with and without a projection, pooling, gemm: 3 x 8 x 8 to 5. */
static inline nz_graph *net_residual(void) {
    net n = net_begin(SHAPE(-1, 3, 8, 8), 3);
    nz_graph *g = n.graph;
    int a = net_cnr(&n, n.x, 3, 8, 3, 1);
    int b = net_conv(g, &n.random, net_cnr(&n, a, 8, 8, 3, 1), 8, 8, 3, 1, 1, false);
    b = graph_node(g, net_activation, graph_node(g, "Add", net_norm(g, &n.random, b, 8), a));
    int d = net_conv(g, &n.random, net_cnr(&n, b, 8, 12, 3, 2), 12, 12, 3, 1, 1, false);
    d = net_norm(g, &n.random, d, 12);
    int skip = net_norm(g, &n.random, net_conv(g, &n.random, b, 8, 12, 1, 2, 1, false), 12);
    d = graph_node(g, net_activation, graph_node(g, "Add", d, skip));
    int y = net_gemm(g, &n.random, graph_node(g, "Flatten", graph_node(g, "GlobalAveragePool", d)), 12, 5);
    graph_finish(g, y);
    return g;
}

/** What a test trains on: an engine, a batch, and the loss sum of c y + y^2 / 2 with drawn c. */
typedef struct net_run {
    nz_engine *engine;
    size_t in, out;
    float *x, *c, *dy;
} net_run;

static inline void net_open(net_run *run, const nz_graph *g, const nz_engine_options *options) {
    *run = (net_run){0};
    nz_assert_ok(nz_engine_open(&run->engine, g, options));
    run->in = (size_t)nz_shape_elements(nz_engine_input_shape(run->engine));
    run->out = (size_t)nz_shape_elements(nz_engine_output_shape(run->engine));
    run->x = malloc(run->in * sizeof(float));
    run->c = malloc(run->out * sizeof(float));
    run->dy = malloc(run->out * sizeof(float));
    nz_random random;
    nz_random_init(&random, 77, 1);
    assert_non_null(run->x);
    for (size_t i = 0; i < run->in; i++) run->x[i] = net_draw(&random);
    for (size_t i = 0; i < run->out; i++) run->c[i] = net_draw(&random);
}

static inline void net_close(net_run *run) {
    nz_engine_free(run->engine);
    run->engine = NULL;
    free(run->x);
    free(run->c);
    free(run->dy);
}

static inline double net_loss(net_run *run, bool training) {
    nz_assert_ok(nz_engine_forward(run->engine, run->x, training, 5));
    const float *y = nz_engine_output(run->engine);
    double loss = 0;
    for (size_t i = 0; i < run->out; i++) {
        run->dy[i] = run->c[i] + y[i];
        loss += (double)run->c[i] * (double)y[i] + 0.5 * (double)y[i] * (double)y[i];
    }
    return loss;
}

/** Forward and backward; the loss. */
static inline double net_step(net_run *run) {
    double loss = net_loss(run, true);
    nz_assert_ok(nz_engine_backward(run->engine, run->dy));
    return loss;
}

/** The value or gradient of a parameter in ONNX order. The caller's to free. */
static inline float *net_plain(const nz_param *param, const float *packed) {
    float *plain = malloc((size_t)nz_shape_elements(&param->shape) * sizeof(float) + 1);
    nz_param view = *param;
    view.value = (float *)(uintptr_t)packed;
    nz_param_get(&view, plain);
    return plain;
}

/** Largest magnitude of `count` numbers. */
static inline double net_largest(const float *values, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) { /* not fmax: gcc 12 for arm64 cannot compile a maximum that widens */
        double size = fabs((double)values[i]);
        if (size > largest) largest = size;
    }
    return largest;
}

/** Two engines on one graph after one step each: outputs and all gradients agree within `tolerance` of the tensor's largest,
 * and what is 0 but for rounding (a bias before a normalisation) within 1e-6 of the largest of all. */
static inline void net_compare(const nz_graph *g, nz_engine_options a, nz_engine_options b, double tolerance) {
    net_run one, two;
    net_open(&one, g, &a);
    net_open(&two, g, &b);
    net_step(&one);
    net_step(&two);
    const float *y1 = nz_engine_output(one.engine), *y2 = nz_engine_output(two.engine);
    nz_assert_floats(y1, y2, one.out, 0, tolerance * net_largest(y2, two.out));
    assert_int_equal(nz_engine_param_count(one.engine), nz_engine_param_count(two.engine));
    double floor = 0;
    for (size_t p = 0; p < nz_engine_param_count(two.engine); p++)
        floor = fmax(
            floor, 1e-6 * net_largest(nz_engine_param(two.engine, p)->grad, nz_engine_param(two.engine, p)->elements));
    for (size_t p = 0; p < nz_engine_param_count(one.engine); p++) {
        const nz_param *p1 = nz_engine_param(one.engine, p), *p2 = nz_engine_param(two.engine, p);
        size_t count = (size_t)nz_shape_elements(&p1->shape);
        float *g1 = net_plain(p1, p1->grad), *g2 = net_plain(p2, p2->grad);
        double most = tolerance * net_largest(g2, count) + floor;
        for (size_t i = 0; i < count; i++)
            if (!nz_test_close((double)g1[i], (double)g2[i], 0, most))
                fail_msg("gradient %zu of %s (%s) is %.9g, the other engine's %.9g", i, p1->name, p1->node,
                         (double)g1[i], (double)g2[i]);
        free(g1);
        free(g2);
    }
    net_close(&one);
    net_close(&two);
}

#endif
