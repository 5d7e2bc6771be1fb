/* SPDX-License-Identifier: Apache-2.0 */
/* Models with something about them: what stands at the end, what is constant, what is shared, what decays, and bounds between
 * two numbers of bf16. */
#include "engine_nets.h"
#include "kernel/train.h"

static const nz_engine_options plain_options = {.batch = 4, .threads = 1};

/* ---- the end of the model ---- */

static int softmax(nz_graph *g, const char *op, int x, int64_t axis) {
    int y = graph_node(g, op, x);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", axis));
    return y;
}

static int reshape(nz_graph *g, int x, const int64_t *extents, int64_t count) {
    nz_tensor tensor;
    int value = -1;
    nz_assert_ok(nz_tensor_init(&tensor, NZ_I64, &SHAPE(count)));
    for (int64_t i = 0; i < count; i++) nz_tensor_set_int(&tensor, i, extents[i]);
    nz_assert_ok(nz_graph_add_constant(g, &value, "shape", &tensor));
    nz_tensor_done(&tensor);
    return graph_node(g, "Reshape", x, value);
}

/* 5 scores per sample, and what the case puts behind them. */
typedef struct ending {
    const char *name;
    int (*add)(nz_graph *g, int scores);
    bool left_out, logits;
} ending;

static int add_nothing(nz_graph *g, int x) {
    (void)g;
    return x;
}
static int add_softmax(nz_graph *g, int x) { return softmax(g, "Softmax", x, 1); }
static int add_log_softmax(nz_graph *g, int x) { return softmax(g, "LogSoftmax", x, -1); }
static int add_flatten(nz_graph *g, int x) {
    x = reshape(g, x, (int64_t[]){-1, 5, 1, 1}, 4);
    return graph_node(g, "Flatten", softmax(g, "Softmax", x, 1));
}
static int add_reshapes(nz_graph *g, int x) {
    x = softmax(g, "LogSoftmax", reshape(g, x, (int64_t[]){-1, 1, 5}, 3), 2);
    x = graph_node(g, "Identity", x);
    return graph_node(g, "Identity", reshape(g, x, (int64_t[]){-1, 5}, 2));
}
/* Over pairs, which are no classes. */
static int add_pairs(nz_graph *g, int x) {
    nz_random random;
    nz_random_init(&random, 5, 5);
    x = net_gemm(g, &random, x, 5, 6);
    x = softmax(g, "Softmax", reshape(g, x, (int64_t[]){-1, 3, 2}, 3), 2);
    return reshape(g, x, (int64_t[]){-1, 6}, 2);
}
/* Probabilities that something else reads as well. */
static int add_read_twice(nz_graph *g, int x) {
    x = graph_node(g, "Identity", softmax(g, "Softmax", x, 1));
    return graph_node(g, "Mul", x, x);
}

static const ending endings[] = {
    {"nothing", add_nothing, false, false},       {"Softmax", add_softmax, true, true},
    {"LogSoftmax", add_log_softmax, true, false}, {"Flatten", add_flatten, true, true},
    {"Reshape", add_reshapes, true, false},       {"pairs", add_pairs, false, false},
    {"read twice", add_read_twice, false, false},
};

static nz_graph *ends_in(const ending *end) {
    net n = net_begin(SHAPE(-1, 6), 50);
    int y = net_gemm(n.graph, &n.random, n.x, 6, 5);
    graph_finish(n.graph, end->add(n.graph, y));
    return n.graph;
}

static void test_ends(void **state) {
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(endings); i++) {
        nz_graph *g = ends_in(&endings[i]), *scores = ends_in(&endings[0]);
        net_run run, plain, kept;
        nz_engine_options keep = plain_options;
        keep.keep_softmax = true;
        net_open(&run, g, &plain_options);
        net_open(&kept, g, &keep);
        net_open(&plain, scores, &plain_options);
        net_loss(&run, true);
        net_loss(&kept, true);
        net_loss(&plain, true);
        if (nz_engine_is_logits(run.engine) != endings[i].logits) fail_msg("%s: told wrongly", endings[i].name);
        assert_false(nz_engine_is_logits(kept.engine));
        const float *y = nz_engine_output(run.engine), *whole = nz_engine_output(kept.engine);
        bool same = run.out == plain.out && memcmp(y, nz_engine_output(plain.engine), run.out * sizeof *y) == 0;
        bool left_out = memcmp(y, whole, run.out * sizeof *y) != 0;
        if (left_out != endings[i].left_out) fail_msg("%s: left out: %d", endings[i].name, left_out);
        if (left_out && !same) fail_msg("%s: what is left are other scores", endings[i].name);
        net_close(&run);
        net_close(&kept);
        net_close(&plain);
        nz_graph_free(g);
        nz_graph_free(scores);
    }
}

/* A loss of the outputs as they are goes back through a Softmax that stays. */
static void test_kept_softmax(void **state) {
    (void)state;
    nz_graph *g = ends_in(&endings[1]);
    nz_engine_options options = plain_options, reference = plain_options;
    options.keep_softmax = reference.keep_softmax = reference.reference = true;
    net_compare(g, options, reference, 2e-5);
    net_run run;
    net_open(&run, g, &options);
    net_step(&run);
    nz_param *bias = nz_engine_param(run.engine, 1);
    float kept = bias->value[2];
    double loss[2], got = (double)bias->grad[2];
    for (int s = 0; s < 2; s++) {
        bias->value[2] = kept + (s ? 1e-2F : -1e-2F);
        loss[s] = net_loss(&run, true);
    }
    nz_assert_near(got, (loss[1] - loss[0]) / 2e-2, 1e-2, 1e-4);
    net_close(&run);
    nz_graph_free(g);
}

/* ---- weights that stay, with a bias that is trained ---- */

static void train_bias(nz_graph *g, bool reference, float *grad) {
    net_run run;
    nz_engine_options options = plain_options;
    options.reference = reference;
    net_open(&run, g, &options);
    assert_int_equal(nz_engine_param_count(run.engine), 3); /* both biases, and the last layer's weights */
    net_step(&run);
    memcpy(grad, nz_engine_param(run.engine, 0)->grad, 12 * sizeof *grad);
    net_close(&run);
}

static void test_constant_weights(void **state) {
    (void)state;
    for (int linear = 0; linear < 2; linear++) {
        net n = net_begin(linear ? SHAPE(-1, 3) : SHAPE(-1, 3, 6, 6), 60);
        nz_graph *g = n.graph;
        int q = graph_constant(g, NZ_I8, linear ? SHAPE(12, 3) : SHAPE(12, 3, 3, 3), -17, linear ? 1 : 0.125);
        int w = graph_node(g, "DequantizeLinear", q, graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, 0.02, 0));
        int b = net_constant(g, &n.random, "b", SHAPE(12), 0, 0.3);
        int a = graph_node(g, linear ? "Gemm" : "Conv", n.x, w, b);
        if (linear) nz_assert_ok(nz_node_set_int(graph_last(g), "transB", 1));
        a = graph_node(g, "Flatten", graph_node(g, "Relu", a));
        graph_finish(g, net_gemm(g, &n.random, a, linear ? 12 : 12 * 16, 2));
        float fast[12], slow[12];
        train_bias(g, false, fast);
        train_bias(g, true, slow);
        assert_true(net_largest(slow, 12) > 0.01);
        nz_assert_floats(fast, slow, 12, 0, 1e-5 * net_largest(slow, 12));
        nz_graph_free(g);
    }
}

/* ---- one constant for several things ---- */

/* A gamma and a running variance of one, as exporters merge them: the one is trained, the other moves. */
static void test_shared_statistics(void **state) {
    (void)state;
    net n = net_begin(SHAPE(-1, 3, 4, 4), 70);
    nz_graph *g = n.graph, *trained = NULL;
    int ones = net_constant(g, &n.random, "ones", SHAPE(4), 1, 0);
    int zeros = net_constant(g, &n.random, "zeros", SHAPE(4), 0, 0), a = n.x;
    for (int i = 0; i < 2; i++) {
        a = net_conv(g, &n.random, a, i ? 4 : 3, 4, 3, 1, 1, false);
        a = graph_node(g, "Tanh", graph_node(g, "BatchNormalization", a, ones, zeros, zeros, ones));
    }
    graph_finish(g, net_gemm(g, &n.random, graph_node(g, "Flatten", a), 64, 3));
    net_run run;
    net_open(&run, g, &plain_options);
    assert_int_equal(nz_engine_running_count(run.engine), 4);
    net_step(&run);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(nz_engine_running(run.engine, i)->value[0] != nz_engine_running(run.engine, k)->value[0]);
    nz_assert_ok(nz_engine_graph(&trained, run.engine));
    const nz_node *norm = NULL;
    for (size_t i = 0; i < trained->node_count && !norm; i++)
        if (strcmp(trained->nodes[i].op_type, "BatchNormalization") == 0) norm = &trained->nodes[i];
    assert_non_null(norm);
    assert_int_not_equal(norm->inputs[1], norm->inputs[4]);
    assert_true(nz_tensor_real(&trained->values[norm->inputs[1]].constant, 0) == 1);
    assert_true(nz_tensor_real(&trained->values[norm->inputs[4]].constant, 0) ==
                (double)nz_engine_running(run.engine, 1)->value[0]);
    nz_graph_free(trained);
    net_close(&run);
    nz_graph_free(g);
}

/* ---- what decays ---- */

static void test_decay(void **state) {
    (void)state;
    net n = net_begin(SHAPE(-1, 4, 3, 3), 80);
    nz_graph *g = n.graph;
    int a = graph_node(g, "Conv", n.x, net_constant(g, &n.random, "depthwise", SHAPE(4, 1, 1, 1), 0, 1));
    nz_assert_ok(nz_node_set_int(graph_last(g), "group", 4));
    a = graph_node(g, "Add", a, net_constant(g, &n.random, "bias", SHAPE(1, 4, 1, 1), 0, 0.3));
    a = graph_node(g, "Flatten", a);
    a = graph_node(g, "MatMul", a, net_constant(g, &n.random, "column", SHAPE(36, 1), 0, 0.3));
    graph_finish(g, a);
    nz_engine *e = NULL;
    nz_assert_ok(nz_engine_open(&e, g, &plain_options));
    assert_int_equal(nz_engine_param_count(e), 3);
    for (size_t p = 0; p < 3; p++)
        assert_true(nz_engine_param(e, p)->decays == (strcmp(nz_engine_param(e, p)->name, "bias") != 0));
    nz_engine_free(e);
    nz_graph_free(g);
}

/* ---- bounds that bf16 cannot hold ---- */

/* 1.003 is 1 in bf16, 0.0101 is more than it was: whatever lies beyond a bound lies on it, and nothing flows back. */
static void test_half_bounds(void **state) {
    (void)state;
    for (int high = 0; high < 2; high++) {
        net n = net_begin(SHAPE(-1, 8, 4, 4), 90);
        nz_graph *g = n.graph;
        int a = net_conv(g, &n.random, n.x, 8, 8, 1, 1, 1, false);
        a = graph_node(g, "Add", a, net_constant(g, &n.random, "shift", SHAPE(1, 8, 1, 1), high ? 50 : -50, 0));
        a = graph_node(g, "Clip", a, graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, 0.0101, 0),
                       graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, 1.003, 0));
        a = net_conv(g, &n.random, a, 8, 8, 1, 1, 1, false);
        graph_finish(g, net_gemm(g, &n.random, graph_node(g, "Flatten", a), 128, 2));
        net_run run;
        nz_engine_options options = plain_options;
        options.bf16 = true;
        net_open(&run, g, &options);
        net_step(&run);
        assert_true(net_largest(nz_engine_param(run.engine, 2)->grad, 8) > 0);
        for (size_t p = 0; p < 2; p++)
            assert_true(net_largest(nz_engine_param(run.engine, p)->grad, nz_engine_param(run.engine, p)->elements) ==
                        0);
        net_close(&run);
        nz_graph_free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_kept_softmax),
        cmocka_unit_test(test_constant_weights),
        cmocka_unit_test(test_shared_statistics),
        cmocka_unit_test(test_decay),
        cmocka_unit_test(test_half_bounds),
    };
    return cmocka_run_group_tests_name("unit/engine_cases", tests, NULL, NULL);
}
