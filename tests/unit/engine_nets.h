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
    for (size_t i = 0; i < run->in; i++) run->x[i] = net_draw(&random);
    for (size_t i = 0; i < run->out; i++) run->c[i] = net_draw(&random);
}

static inline void net_close(net_run *run) {
    nz_engine_free(run->engine);
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

static inline float *net_plain(const nz_param *param, const float *packed) {
    float *plain = malloc((size_t)nz_shape_elements(&param->shape) * sizeof(float) + 1);
    nz_param view = *param;
    view.value = (float *)(uintptr_t)packed;
    nz_param_get(&view, plain);
    return plain;
}

#endif
