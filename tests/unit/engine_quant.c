/* SPDX-License-Identifier: Apache-2.0 */
/* Q/DQ pairs in training: what is observed, straight-through gradients by hand, learnt scales, and that what is handed out
 * runs as what was trained. */
#include "engine_nets.h"
#include "netzip/runtime.h"

static int integer(nz_graph *g, nz_dtype dtype, nz_shape shape, int64_t number) {
    return graph_constant(g, dtype, shape, (double)number, 0);
}

/* A Q/DQ pair behind a value; axis -1: one scale. */
static int net_pair(nz_graph *g, int x, nz_dtype dtype, int64_t zero, double scale, int64_t channels, int64_t axis) {
    nz_shape shape = channels > 1 ? SHAPE(channels) : (nz_shape){.rank = 0};
    int s = graph_constant(g, NZ_F32, shape, scale, 0), z = integer(g, dtype, shape, zero);
    int q = graph_node(g, "QuantizeLinear", x, s, z);
    if (channels > 1) nz_assert_ok(nz_node_set_int(graph_last(g), "axis", axis));
    int y = graph_node(g, "DequantizeLinear", q, s, z);
    if (channels > 1) nz_assert_ok(nz_node_set_int(graph_last(g), "axis", axis));
    return y;
}

enum { ROWS = 4, IN = 6, OUT = 3 };

/* y = Q(x) Q(w)^T with int8 weights per row and u8 activations. */
static nz_graph *one_layer(nz_dtype activations, int64_t zero) {
    net n = net_begin(SHAPE(-1, IN), 11);
    nz_graph *g = n.graph;
    int x = net_pair(g, n.x, activations, zero, 0.01, 1, 0);
    int w = net_pair(g, net_constant(g, &n.random, "w", SHAPE(OUT, IN), 0, 0.7), NZ_I8, 0, 0.01, OUT, 0);
    int y = graph_node(g, "Gemm", x, w);
    nz_assert_ok(nz_node_set_int(graph_last(g), "transB", 1));
    graph_finish(g, y);
    return g;
}

static nz_quantizer *quantizer(nz_engine *e, bool of_weights) {
    for (size_t i = 0; i < nz_engine_quantizer_count(e); i++)
        if (nz_engine_quantizer(e, i)->is_weight == of_weights) return nz_engine_quantizer(e, i);
    fail_msg("no such quantiser");
    return NULL;
}

static double quantized(double x, double scale, int zero, int least, int most) {
    double level = rint((double)((float)x / (float)scale)) + zero;
    level = fmax(least, fmin(most, level));
    return (level - zero) * scale;
}

static void test_observes(void **state) {
    (void)state;
    nz_graph *g = one_layer(NZ_U8, 128);
    net_run run;
    net_open(&run, g, &(nz_engine_options){.batch = ROWS, .threads = 1});
    assert_int_equal(nz_engine_quantizer_count(run.engine), 2);
    nz_quantizer *x = quantizer(run.engine, false), *w = quantizer(run.engine, true);
    assert_false(x->symmetric);
    assert_true(w->symmetric);
    assert_int_equal(w->count, OUT);
    assert_true(x->low > x->high);
    assert_int_equal(x->elements, IN);
    assert_int_equal(w->elements, IN);
    /* Evaluation looks at no data. */
    net_loss(&run, false);
    assert_true(x->low > x->high);
    nz_assert_near(x->scales[0], 0.01, 1e-6, 0);
    /* The first batch sets the extremes, the next moves them. */
    float low = run.x[0], high = run.x[0];
    for (size_t i = 0; i < run.in; i++) low = fminf(low, run.x[i]), high = fmaxf(high, run.x[i]);
    net_loss(&run, true);
    assert_true(x->low == low && x->high == high);
    nz_assert_near(x->scales[0], (high - low) / 255, 1e-6, 0);
    assert_int_equal(x->zero, (int)rintf(-low / x->scales[0]));
    for (size_t i = 0; i < run.in; i++) run.x[i] *= 3;
    net_loss(&run, true);
    nz_assert_near(x->low, low + 0.01F * (3 * low - low), 1e-6, 0);
    nz_assert_near(x->high, high + 0.01F * (3 * high - high), 1e-6, 0);
    /* Weights: extremes of the moment, row by row. */
    const nz_param *param = nz_engine_param(run.engine, 0);
    for (size_t r = 0; r < OUT; r++)
        nz_assert_near(w->scales[r], net_largest(param->value + r * IN, IN) / 127, 1e-6, 0);
    /* Frozen ones stay. */
    float kept = x->scales[0];
    x->mode = NZ_QUANTIZER_FROZEN;
    for (size_t i = 0; i < run.in; i++) run.x[i] *= 3;
    net_loss(&run, true);
    assert_true(x->scales[0] == kept);
    net_close(&run);
    nz_graph_free(g);
}

static void test_weights_of_zero(void **state) {
    (void)state;
    nz_graph *g = one_layer(NZ_I8, 0);
    net_run run;
    net_open(&run, g, &(nz_engine_options){.batch = ROWS, .threads = 1});
    assert_true(quantizer(run.engine, false)->symmetric);
    float zeros[OUT * IN] = {0};
    nz_param_set(nz_engine_param(run.engine, 0), zeros);
    net_step(&run);
    assert_true(quantizer(run.engine, true)->scales[0] > 0);
    for (size_t i = 0; i < run.out; i++) assert_true(nz_engine_output(run.engine)[i] == 0);
    net_close(&run);
    nz_graph_free(g);
}

/* dy is known, so everything can be said by hand: straight through within the range, nothing beyond; learnt scales by the
 * formula, row by row. */
static void check_by_hand(bool reference) {
    nz_graph *g = one_layer(NZ_U8, 128);
    net_run run;
    net_open(&run, g, &(nz_engine_options){.batch = ROWS, .threads = 1, .reference = reference});
    nz_quantizer *qx = quantizer(run.engine, false), *qw = quantizer(run.engine, true);
    qx->mode = qw->mode = NZ_QUANTIZER_LEARN;
    qx->scales[0] = 0.005F; /* some of x, and of w, lie beyond the range */
    for (size_t r = 0; r < OUT; r++) qw->scales[r] = 0.003F + 0.001F * (float)r;
    const nz_param *w = nz_engine_param(run.engine, 0);
    net_step(&run);
    double dsx = 0, xq[ROWS][IN], wq[OUT][IN];
    size_t beyond = 0;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < IN; i++) xq[r][i] = quantized((double)run.x[r * IN + i], qx->scales[0], 128, 0, 255);
    for (size_t r = 0; r < OUT; r++)
        for (size_t i = 0; i < IN; i++) wq[r][i] = quantized((double)w->value[r * IN + i], qw->scales[r], 0, -128, 127);
    for (size_t o = 0; o < OUT; o++) {
        double dsw = 0;
        for (size_t i = 0; i < IN; i++) {
            double dw = 0, v = (double)w->value[o * IN + i] / (double)qw->scales[o];
            for (size_t r = 0; r < ROWS; r++) dw += (double)run.dy[r * OUT + o] * xq[r][i];
            bool within = v >= -128 && v <= 127;
            beyond += !within;
            nz_assert_near(w->grad[o * IN + i], within ? dw : 0, 1e-5, 1e-6);
            dsw += dw * (v <= -128 ? -128 : v >= 127 ? 127 : rint(v) - v);
        }
        nz_assert_near(qw->grad[o], dsw / sqrt(IN * 127.0), 1e-4, 1e-6);
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < IN; i++) {
            double dx = 0, v = (double)run.x[r * IN + i] / (double)qx->scales[0];
            for (size_t o = 0; o < OUT; o++) dx += (double)run.dy[r * OUT + o] * wq[o][i];
            dsx += dx * (v <= -128 ? -128 : v >= 127 ? 127 : rint(v) - v);
        }
    assert_true(beyond > 0 && beyond < OUT * IN);
    nz_assert_near(qx->grad[0], dsx / sqrt(IN * 255.0), 1e-4, 1e-6);
    net_close(&run);
    nz_graph_free(g);
}

static void test_by_hand(void **state) {
    (void)state;
    check_by_hand(true);
    check_by_hand(false);
}

/* A convolutional network with pairs on everything; two pairs read one scale. */
static nz_graph *quantized_net(nz_dtype weights) {
    net n = net_begin(SHAPE(-1, 3, 8, 8), 12);
    nz_graph *g = n.graph;
    int x = net_pair(g, n.x, NZ_U8, 128, 0.01, 1, 0);
    int a = net_conv(g, &n.random, x, 3, 8, 3, 1, 1, true);
    size_t conv = g->node_count - 1;
    int w = net_pair(g, g->nodes[conv].inputs[1], weights, 0, 0.01, 8, 0);
    g->nodes[conv].inputs[1] = w;
    a = net_pair(g, graph_node(g, "Relu", a), NZ_U8, 0, 0.02, 1, 0);
    const nz_node *q = &g->nodes[g->node_count - 2];
    int scale = q->inputs[1], zero = q->inputs[2];
    a = net_pool(g, "MaxPool", a, 2, 2);
    a = graph_node(g, "DequantizeLinear", graph_node(g, "QuantizeLinear", a, scale, zero), scale, zero);
    a = net_norm(g, &n.random, net_conv(g, &n.random, a, 8, 6, 3, 1, 1, false), 6);
    a = net_pair(g, graph_node(g, "Relu", a), NZ_U8, 0, 0.02, 6, 1);
    a = graph_node(g, "Flatten", graph_node(g, "GlobalAveragePool", a));
    graph_finish(g, net_gemm(g, &n.random, a, 6, 4));
    return g;
}

static void train_a_little(net_run *run) {
    for (int k = 0; k < 3; k++) {
        net_step(run);
        for (size_t p = 0; p < nz_engine_param_count(run->engine); p++) {
            nz_param *param = nz_engine_param(run->engine, p);
            for (size_t i = 0; i < param->elements; i++) param->value[i] -= 1e-3F * param->grad[i];
        }
    }
}

/* What is handed out runs as the engine evaluates, the quantisers' present values in it. */
static void check_export(nz_dtype weights, bool reference) {
    nz_graph *g = quantized_net(weights), *trained = NULL;
    net_run run;
    net_open(&run, g, &(nz_engine_options){.batch = 4, .threads = 1, .reference = reference});
    assert_int_equal(nz_engine_quantizer_count(run.engine), 4); /* of five pairs */
    train_a_little(&run);
    nz_assert_ok(nz_engine_graph(&trained, run.engine));
    net_loss(&run, false);
    nz_session *session = NULL;
    nz_runtime_options options = {.threads = 1, .batch = 4, .compute = NZ_COMPUTE_F32, .reference = true};
    nz_assert_ok(nz_session_open(&session, "native", trained, NULL, &options));
    float y[16];
    nz_tensor in = nz_tensor_borrow(NZ_F32, nz_engine_input_shape(run.engine), run.x);
    nz_tensor out = nz_tensor_borrow(NZ_F32, nz_engine_output_shape(run.engine), y);
    in.bytes = run.in * sizeof(float);
    out.bytes = sizeof y;
    nz_assert_ok(nz_session_run(session, &in, &out));
    /* A sum that rounds otherwise may take one element of a map to the next level: 1/36 of a channel's mean. */
    nz_assert_floats(nz_engine_output(run.engine), y, 16, 0, 0.01);
    nz_session_free(session);
    nz_graph_free(trained);
    net_close(&run);
    nz_graph_free(g);
}

static void test_export(void **state) {
    (void)state;
    check_export(NZ_I8, false);
    check_export(NZ_I8, true);
    check_export(NZ_I4, false);
}

/* Weights that are integers behind a DequantizeLinear are no parameters; what else there is trains. */
static void test_stored_integers(void **state) {
    (void)state;
    net n = net_begin(SHAPE(-1, 4), 13);
    nz_graph *g = n.graph;
    int w = graph_constant(g, NZ_I8, SHAPE(4, 5), -10, 1);
    w = graph_node(g, "DequantizeLinear", w, graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, 0.02, 0),
                   integer(g, NZ_I8, (nz_shape){.rank = 0}, 0));
    int a = graph_node(g, "Tanh", graph_node(g, "MatMul", n.x, w));
    graph_finish(g, net_gemm(g, &n.random, a, 5, 2));
    net_compare(g, (nz_engine_options){.batch = 2, .threads = 1},
                (nz_engine_options){.batch = 2, .threads = 1, .reference = true}, 1e-5);
    nz_engine *e = NULL;
    nz_assert_ok(nz_engine_open(&e, g, &(nz_engine_options){.batch = 2, .threads = 1}));
    assert_int_equal(nz_engine_param_count(e), 2);
    nz_engine_free(e);
    nz_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_observes), cmocka_unit_test(test_weights_of_zero), cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_export),   cmocka_unit_test(test_stored_integers),
    };
    return cmocka_run_group_tests_name("unit/engine_quant", tests, NULL, NULL);
}
