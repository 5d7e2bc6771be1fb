/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine holds beside gradients: running statistics, masks, taps, dropout, what it hands out, and what it refuses. */
#include "engine_nets.h"
#include "kernel/train.h"
#include "netzip/onnx.h"
#include "netzip/runtime.h"

static const nz_engine_options plain_options = {.batch = 4, .threads = 1};

static void update(net_run *run, float **momenta) {
    nz_train_sgd sgd = {.lr = 1e-2F, .momentum = 0.9F, .decay = 1e-3F, .gradient_scale = 1, .first = !momenta[0]};
    for (size_t p = 0; p < nz_engine_param_count(run->engine); p++) {
        nz_param *param = nz_engine_param(run->engine, p);
        if (!momenta[p]) momenta[p] = calloc(param->elements, sizeof(float));
        nz_train_sgd_update(&sgd, param->value, param->grad, momenta[p], param->mask, param->elements);
    }
}

static void train(net_run *run, int steps) {
    float *momenta[64] = {NULL};
    for (int k = 0; k < steps; k++) {
        net_step(run);
        update(run, momenta);
    }
    for (size_t p = 0; p < 64; p++) free(momenta[p]);
}

static void run_native(const nz_graph *g, net_run *run, float *y) {
    nz_session *session = NULL;
    nz_runtime_options options = {.threads = 1, .batch = nz_engine_input_shape(run->engine)->dim[0]};
    nz_assert_ok(nz_session_open(&session, "native", g, NULL, &options));
    nz_tensor in = nz_tensor_borrow(NZ_F32, nz_engine_input_shape(run->engine), run->x);
    nz_tensor out = nz_tensor_borrow(NZ_F32, nz_engine_output_shape(run->engine), y);
    in.bytes = run->in * sizeof(float);
    out.bytes = run->out * sizeof(float);
    nz_assert_ok(nz_session_run(session, &in, &out));
    nz_session_free(session);
}

/* Trained for some steps: evaluation gives what the runtime makes of the graph that is handed out, and an engine on that
 * graph goes on from there. */
static void test_export(void **state) {
    (void)state;
    nz_graph *g = net_residual(), *trained = NULL;
    net_run run, again;
    net_open(&run, g, &plain_options);
    train(&run, 3);
    nz_assert_ok(nz_engine_graph(&trained, run.engine));
    float *y = malloc(run.out * sizeof(float));
    run_native(trained, &run, y);
    net_loss(&run, false);
    nz_assert_floats(nz_engine_output(run.engine), y, run.out, 1e-4, 1e-5);
    run_native(g, &run, y);
    assert_true(fabs((double)(y[0] - nz_engine_output(run.engine)[0])) > 1e-3); /* it has moved */
    net_open(&again, trained, &plain_options);
    net_loss(&again, false);
    assert_memory_equal(nz_engine_output(run.engine), nz_engine_output(again.engine), run.out * sizeof(float));
    for (size_t v = 0; v < g->value_count; v++) assert_string_equal(g->values[v].name, trained->values[v].name);
    free(y);
    net_close(&again);
    net_close(&run);
    nz_graph_free(trained);
    nz_graph_free(g);
}

/* Models as they are published, with what exporters make of pooling and shapes. */
static void test_published(void **state) {
    (void)state;
    static const char *const names[] = {"models/resnet20_cifar10.onnx", "models/mnist-8.onnx"};
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        nz_graph *g = NULL, *trained = NULL;
        nz_assert_ok(nz_model_load(&g, nz_test_shared(names[i])));
        net_run run;
        net_open(&run, g, &(nz_engine_options){.batch = 1, .threads = 1});
        train(&run, 1);
        for (size_t p = 0; p < nz_engine_param_count(run.engine); p++) {
            const nz_param *param = nz_engine_param(run.engine, p);
            assert_true(net_largest(param->grad, param->elements) > 0);
        }
        nz_assert_ok(nz_engine_graph(&trained, run.engine));
        float *y = malloc(run.out * sizeof(float));
        run_native(trained, &run, y);
        net_loss(&run, false);
        const float *own = nz_engine_output(run.engine);
        nz_assert_floats(own, y, run.out, 0, 1e-4 * net_largest(own, run.out));
        free(y);
        net_close(&run);
        nz_graph_free(trained);
        nz_graph_free(g);
    }
}

/* The mean and the unbiased variance of what the normalisation reads, seen through a tap. */
static void check_running(bool reference) {
    nz_graph *g = net_residual();
    const char *conv = NULL, *node = NULL;
    for (size_t n = 0; n < g->node_count && !conv; n++)
        if (strcmp(g->nodes[n].op_type, "BatchNormalization") == 0) {
            conv = g->values[g->nodes[n].inputs[0]].name;
            node = g->values[g->nodes[n].inputs[3]].name;
        }
    net_run run;
    nz_engine_options options = {.batch = 4, .threads = 1, .reference = reference, .taps = &conv, .tap_count = 1};
    net_open(&run, g, &options);
    const nz_running *mean = nz_engine_running(run.engine, 0), *variance = nz_engine_running(run.engine, 1);
    assert_string_equal(mean->name, node);
    float before[2] = {mean->value[2], variance->value[2]};
    net_loss(&run, false);
    assert_true(mean->value[2] == before[0] && variance->value[2] == before[1]);
    net_loss(&run, true);
    const nz_shape *shape = nz_engine_tap_shape(run.engine, 0);
    float *x = malloc((size_t)nz_shape_elements(shape) * sizeof(float));
    nz_engine_tap(run.engine, 0, x);
    int64_t plane = shape->dim[2] * shape->dim[3], rows = shape->dim[0] * plane;
    double sum = 0, square = 0;
    for (int64_t n = 0; n < shape->dim[0]; n++)
        for (int64_t i = 0; i < plane; i++) {
            double v = (double)x[(n * shape->dim[1] + 2) * plane + i];
            sum += v;
            square += v * v;
        }
    double m = sum / (double)rows, var = (square - sum * m) / (double)(rows - 1);
    nz_assert_near(mean->value[2], 0.9 * (double)before[0] + 0.1 * m, 1e-5, 1e-6);
    nz_assert_near(variance->value[2], 0.9 * (double)before[1] + 0.1 * var, 1e-5, 1e-6);
    free(x);
    net_close(&run);
    nz_graph_free(g);
}

static void test_running(void **state) {
    (void)state;
    check_running(false);
    check_running(true);
}

static void test_frozen_norm(void **state) {
    (void)state;
    nz_graph *g = net_residual();
    net_run run;
    nz_engine_options options = {.batch = 4, .threads = 1, .frozen_norm = true};
    net_open(&run, g, &options);
    float before = nz_engine_running(run.engine, 0)->value[0];
    double training = net_step(&run);
    assert_true(nz_engine_running(run.engine, 0)->value[0] == before);
    assert_true(net_loss(&run, false) == training);
    net_close(&run);
    nz_graph_free(g);
}

/* Everything that outlives steps, after five of them. */
static float *state_of(nz_engine *e, size_t *ret_count) {
    size_t count = 0, at = 0;
    for (size_t p = 0; p < nz_engine_param_count(e); p++) count += nz_engine_param(e, p)->elements;
    for (size_t r = 0; r < nz_engine_running_count(e); r++) count += nz_engine_running(e, r)->elements;
    float *all = malloc(count * sizeof(float));
    for (size_t p = 0; p < nz_engine_param_count(e); p++) {
        const nz_param *param = nz_engine_param(e, p);
        memcpy(all + at, param->value, param->elements * sizeof(float));
        at += param->elements;
    }
    for (size_t r = 0; r < nz_engine_running_count(e); r++) {
        const nz_running *running = nz_engine_running(e, r);
        memcpy(all + at, running->value, running->elements * sizeof(float));
        at += running->elements;
    }
    *ret_count = count;
    return all;
}

static void test_same_bytes(void **state) {
    (void)state;
    nz_graph *g = net_residual();
    for (int threads = 1; threads <= 2; threads++) {
        nz_engine_options options = {.batch = 8, .threads = threads};
        net_run a, b;
        size_t count = 0, other = 0;
        net_open(&a, g, &options);
        net_open(&b, g, &options);
        train(&a, 5);
        train(&b, 5);
        float *one = state_of(a.engine, &count), *two = state_of(b.engine, &other);
        assert_int_equal(count, other);
        assert_memory_equal(one, two, count * sizeof(float));
        free(one);
        free(two);
        net_close(&a);
        net_close(&b);
    }
    nz_graph_free(g);
}

static void test_mask(void **state) {
    (void)state;
    nz_graph *g = net_residual();
    net_run run;
    nz_random random;
    nz_random_init(&random, 8, 8);
    net_open(&run, g, &plain_options);
    float *masks[64] = {NULL};
    for (size_t p = 0; p < nz_engine_param_count(run.engine); p++) {
        nz_param *param = nz_engine_param(run.engine, p);
        size_t count = (size_t)nz_shape_elements(&param->shape);
        if (!param->is_weight) continue;
        masks[p] = malloc(count * sizeof(float));
        for (size_t i = 0; i < count; i++) masks[p][i] = (float)nz_random_below(&random, 2);
        nz_assert_ok(nz_engine_mask(run.engine, param, masks[p]));
    }
    train(&run, 4);
    for (size_t p = 0; p < nz_engine_param_count(run.engine); p++) {
        nz_param *param = nz_engine_param(run.engine, p);
        if (!masks[p]) continue;
        float *values = net_plain(param, param->value);
        for (int64_t i = 0; i < nz_shape_elements(&param->shape); i++)
            assert_true((values[i] == 0) == (masks[p][i] == 0));
        nz_assert_ok(nz_engine_mask(run.engine, param, NULL));
        assert_null(param->mask);
        free(values);
        free(masks[p]);
    }
    net_close(&run);
    nz_graph_free(g);
}

/* A loss of the values at a tap alone, and of taps inside what is otherwise one step, against differences. */
static void check_tap(const char *op, bool reference) {
    nz_graph *g = net_residual();
    const char *tap = NULL;
    for (size_t n = 0; n < g->node_count; n++)
        if (strcmp(g->nodes[n].op_type, op) == 0) tap = g->values[g->nodes[n].outputs[0]].name;
    net_run run;
    nz_engine_options options = {.batch = 4, .threads = 1, .reference = reference, .taps = &tap, .tap_count = 1};
    net_open(&run, g, &options);
    size_t count = (size_t)nz_shape_elements(nz_engine_tap_shape(run.engine, 0));
    float *value = malloc(count * sizeof(float)), *c = malloc(count * sizeof(float));
    nz_random random;
    nz_random_init(&random, 4, 4);
    for (size_t i = 0; i < count; i++) c[i] = net_draw(&random);
    memset(run.dy, 0, run.out * sizeof(float));
    nz_param *param = nz_engine_param(run.engine, 4); /* shift or scale of an early normalisation */
    float *values = net_plain(param, param->value), kept = values[1];
    double loss[2];
    for (int s = 0; s < 2; s++) {
        values[1] = kept + (s ? 1e-3F : -1e-3F);
        nz_param_set(param, values);
        nz_assert_ok(nz_engine_forward(run.engine, run.x, true, 1));
        nz_engine_tap(run.engine, 0, value);
        loss[s] = 0;
        for (size_t i = 0; i < count; i++) loss[s] += (double)c[i] * (double)value[i];
    }
    values[1] = kept;
    nz_param_set(param, values);
    nz_assert_ok(nz_engine_forward(run.engine, run.x, true, 1));
    for (int half = 0; half < 2; half++) { /* in two parts, which add up */
        for (size_t i = 0; i < count; i++) value[i] = half ? c[i] - 0.25F * c[i] : 0.25F * c[i];
        nz_assert_ok(nz_engine_tap_gradient(run.engine, 0, value));
    }
    nz_assert_ok(nz_engine_backward(run.engine, run.dy));
    float *grad = net_plain(param, param->grad);
    double slope = (loss[1] - loss[0]) / 2e-3;
    nz_assert_near(grad[1], slope, 2e-2, 2e-2);
    assert_true(fabs(slope) > 0.1);
    /* The next step has none of it. */
    nz_assert_ok(nz_engine_forward(run.engine, run.x, true, 1));
    nz_assert_ok(nz_engine_backward(run.engine, run.dy));
    assert_true(net_largest(param->grad, param->elements) == 0);
    free(grad);
    free(values);
    free(value);
    free(c);
    net_close(&run);
    nz_graph_free(g);
}

static void test_taps(void **state) {
    (void)state;
    net_activation = "Softplus"; /* differences want no kinks */
    check_tap("Softplus", false);
    check_tap("Add", false);
    check_tap("BatchNormalization", true);
    net_activation = "Relu";
    const char *nothing = "no such value";
    nz_engine_options options = {.batch = 1, .threads = 1, .taps = &nothing, .tap_count = 1};
    nz_engine *e = NULL;
    nz_graph *g = net_residual();
    nz_assert_fails(nz_engine_open(&e, g, &options), NZ_E_ARG, "no such value");
    nz_graph_free(g);
}

static int reshape_to(nz_graph *g, int x, int64_t a, int64_t b) {
    nz_tensor tensor;
    int value = -1;
    nz_assert_ok(nz_tensor_init(&tensor, NZ_I64, &SHAPE(2)));
    nz_tensor_set_int(&tensor, 0, a);
    nz_tensor_set_int(&tensor, 1, b);
    nz_assert_ok(nz_graph_add_constant(g, &value, "shape", &tensor));
    nz_tensor_done(&tensor);
    return graph_node(g, "Reshape", x, value);
}

/* A model that spells out a batch of 1 in its input and in Reshapes trains on more, and is handed out as it was. */
static void test_batch_of_one(void **state) {
    (void)state;
    net n = net_begin(SHAPE(1, 2, 4, 4), 40);
    nz_graph *g = n.graph, *trained = NULL;
    int a = reshape_to(g, net_conv(g, &n.random, n.x, 2, 3, 3, 1, 1, true), 1, 48);
    a = reshape_to(g, graph_node(g, "Tanh", a), 1, -1);
    graph_finish(g, net_gemm(g, &n.random, a, 48, 2));
    net_run run;
    net_open(&run, g, &plain_options);
    train(&run, 2);
    net_loss(&run, false);
    nz_assert_ok(nz_engine_graph(&trained, run.engine));
    assert_int_equal(trained->values[trained->inputs[0]].shape.dim[0], 1);
    nz_session *session = NULL;
    nz_assert_ok(nz_session_open(&session, "native", trained, NULL, &(nz_runtime_options){.threads = 1}));
    for (size_t i = 0; i < 4; i++) {
        float y[2];
        nz_tensor in = nz_tensor_borrow(NZ_F32, &SHAPE(1, 2, 4, 4), run.x + i * 32);
        nz_tensor out = nz_tensor_borrow(NZ_F32, &SHAPE(1, 2), y);
        in.bytes = 32 * sizeof(float);
        out.bytes = sizeof y;
        nz_assert_ok(nz_session_run(session, &in, &out));
        nz_assert_floats(nz_engine_output(run.engine) + i * 2, y, 2, 1e-5, 1e-6);
    }
    nz_session_free(session);
    nz_graph_free(trained);
    net_close(&run);
    nz_graph_free(g);
}

/* ---- dropout ---- */

static nz_graph *dropping(nz_shape shape) {
    net n = net_begin(shape, 20);
    nz_graph *g = n.graph;
    int a = net_conv(g, &n.random, n.x, 2, 8, 1, 1, 1, true);
    a = graph_node(g, "Dropout", a, graph_constant(g, NZ_F32, (nz_shape){.rank = 0}, 0.25, 0));
    graph_finish(g, graph_node(g, "Flatten", a));
    return g;
}

static void test_dropout(void **state) {
    (void)state;
    nz_graph *g = dropping(SHAPE(-1, 2, 16, 16));
    net_run fast, slow;
    nz_engine_options options = {.batch = 8, .threads = 2};
    net_open(&fast, g, &options);
    options.reference = true;
    options.threads = 1;
    net_open(&slow, g, &options);
    float *kept = malloc(fast.out * sizeof(float)), *first = malloc(fast.out * sizeof(float));
    nz_assert_ok(nz_engine_forward(fast.engine, fast.x, false, 1));
    memcpy(kept, nz_engine_output(fast.engine), fast.out * sizeof(float));
    nz_assert_ok(nz_engine_forward(fast.engine, fast.x, true, 1));
    memcpy(first, nz_engine_output(fast.engine), fast.out * sizeof(float));
    /* 16384 elements of which a quarter goes: four standard deviations are 222. */
    size_t dropped = 0, changed = 0;
    for (size_t i = 0; i < fast.out; i++) {
        dropped += first[i] == 0;
        if (first[i] != 0) nz_assert_near(first[i], kept[i] / 0.75F, 1e-5, 1e-7);
    }
    nz_assert_near((double)dropped, 4096, 0, 222);
    /* The same elements at any number of threads and in any order in memory; others under another seed. */
    nz_assert_ok(nz_engine_forward(slow.engine, slow.x, true, 1));
    for (size_t i = 0; i < fast.out; i++) assert_true((first[i] == 0) == (nz_engine_output(slow.engine)[i] == 0));
    nz_assert_ok(nz_engine_forward(fast.engine, fast.x, true, 2));
    for (size_t i = 0; i < fast.out; i++) changed += (first[i] == 0) != (nz_engine_output(fast.engine)[i] == 0);
    assert_true(changed > fast.out / 4);
    free(kept);
    free(first);
    net_close(&fast);
    net_close(&slow);
    nz_graph_free(g);
}

/* ---- refusals, and finding what is not finite ---- */

static void test_refusals(void **state) {
    (void)state;
    nz_engine *e = NULL;
    net n = net_begin(SHAPE(-1, 4), 30);
    int a = graph_node(n.graph, "Hardmax", net_gemm(n.graph, &n.random, n.x, 4, 4));
    free(graph_last(n.graph)->name);
    graph_last(n.graph)->name = strdup("hard");
    graph_finish(n.graph, net_gemm(n.graph, &n.random, a, 4, 2));
    nz_assert_fails(nz_engine_open(&e, n.graph, &plain_options), NZ_E_UNSUPPORTED, "node 'hard' (Hardmax)");
    nz_engine_options forward = plain_options;
    forward.forward_only = true;
    nz_assert_ok(nz_engine_open(&e, n.graph, &forward));
    nz_engine_free(e);
    e = NULL;
    nz_graph_free(n.graph);

    n = net_begin(SHAPE(-1, 4), 31);
    graph_finish(n.graph, graph_node(n.graph, "Relu", n.x));
    nz_assert_fails(nz_engine_open(&e, n.graph, &plain_options), NZ_E_UNSUPPORTED, "constants");
    nz_graph_free(n.graph);

    n = net_begin(SHAPE(2, 4), 32);
    graph_finish(n.graph, net_gemm(n.graph, &n.random, n.x, 4, 2));
    nz_assert_fails(nz_engine_open(&e, n.graph, &plain_options), NZ_E_SHAPE, "batches of 2");
    nz_graph_free(n.graph);

    n = net_begin(SHAPE(-1, 4), 33);
    int second = graph_input(n.graph, "z", NZ_F32, SHAPE(-1, 4));
    graph_finish(n.graph, net_gemm(n.graph, &n.random, graph_node(n.graph, "Add", n.x, second), 4, 2));
    nz_assert_fails(nz_engine_open(&e, n.graph, &plain_options), NZ_E_UNSUPPORTED, "one input");
    nz_graph_free(n.graph);
    assert_null(e);
}

static void test_forward_only(void **state) {
    (void)state;
    nz_graph *g = net_residual();
    net_run run, teacher;
    nz_engine_options options = plain_options;
    net_open(&run, g, &options);
    options.forward_only = true;
    net_open(&teacher, g, &options);
    assert_true(net_loss(&run, false) == net_loss(&teacher, false));
    assert_true(nz_engine_bytes(teacher.engine) < nz_engine_bytes(run.engine) / 2);
    nz_assert_fails(nz_engine_backward(teacher.engine, teacher.dy), NZ_E_INTERNAL, "forward alone");
    net_close(&run);
    net_close(&teacher);
    nz_graph_free(g);
}

static void test_not_finite(void **state) {
    (void)state;
    nz_graph *g = net_residual();
    net_run run;
    net_open(&run, g, &plain_options);
    net_step(&run);
    float mean = nz_engine_running(run.engine, 0)->value[0];
    assert_null(nz_engine_not_finite(run.engine));
    assert_true(nz_engine_running(run.engine, 0)->value[0] == mean);
    nz_param *param = nz_engine_param(run.engine, 6);
    param->value[0] = (float)INFINITY;
    net_loss(&run, true);
    const char *name = nz_engine_not_finite(run.engine);
    assert_non_null(name);
    assert_string_equal(name, param->node);
    net_close(&run);
    nz_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export),       cmocka_unit_test(test_published),  cmocka_unit_test(test_running),
        cmocka_unit_test(test_frozen_norm),  cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_mask),
        cmocka_unit_test(test_taps),         cmocka_unit_test(test_dropout),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_forward_only), cmocka_unit_test(test_not_finite), cmocka_unit_test(test_batch_of_one),
    };
    return cmocka_run_group_tests_name("unit/engine_state", tests, NULL, NULL);
}
