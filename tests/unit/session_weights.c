/* SPDX-License-Identifier: Apache-2.0 */
/* What a session says it holds of weights, and times of layers that are switched on and off. */
#include "core/memory.h"
#include "graphs.h"
#include "netzip/onnx.h"
#include "netzip/runtime.h"

enum { SIDE = 160, BYTES = SIDE * SIDE * 4 }; /* of a matrix of floats, large enough to stay in a mapped file */

static nz_session *open_session(const nz_graph *g, bool reference) {
    nz_session *session = NULL;
    nz_runtime_options options = {.threads = 1, .reference = reference};
    nz_assert_ok(nz_session_open(&session, "native", g, NULL, &options));
    return session;
}

static nz_weight_bytes weights_of(const nz_graph *g, bool reference) {
    nz_session *session = open_session(g, reference);
    nz_weight_bytes weights = nz_session_weights(session);
    nz_session_free(session);
    return weights;
}

/* x * w, and once more with another matrix or with the same. */
static nz_graph *products(bool same) {
    nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int x = graph_input(g, "x", NZ_F32, SHAPE(4, SIDE));
    int w = graph_constant(g, NZ_F32, SHAPE(SIDE, SIDE), -0.5, 0.0001);
    int v = same ? w : graph_constant(g, NZ_F32, SHAPE(SIDE, SIDE), 0.5, -0.0001);
    graph_finish(g, graph_node(g, "MatMul", graph_node(g, "MatMul", x, w), v));
    return g;
}

static void plain_plans_hold_what_is_stored(void **state) {
    (void)state;
    nz_graph *g = products(false);
    nz_weight_bytes weights = weights_of(g, true);
    assert_int_equal(weights.heap, 2 * BYTES);
    assert_int_equal(weights.mapped, 0);
    assert_int_equal(weights.packed, 0);
    nz_graph_free(g);
}

static void shared_weights_count_once(void **state) {
    (void)state;
    nz_graph *g = products(true);
    assert_int_equal(weights_of(g, true).heap, BYTES);
    nz_graph_free(g);
}

static void copies_of_kernels_count_besides(void **state) {
    (void)state;
    nz_graph *g = products(false);
    nz_weight_bytes weights = weights_of(g, false);
    assert_int_equal(weights.heap, 2 * BYTES);
    assert_in_range(weights.packed, 2 * BYTES, 4 * BYTES);
    nz_graph_free(g);
}

static void weights_of_a_file_stay_in_it(void **state) {
    (void)state;
    char path[4096];
    nz_graph *g = products(false), *read = NULL;
    snprintf(path, sizeof path, "%s/products.onnx", nz_test_dir());
    nz_assert_ok(nz_model_save(g, path));
    nz_graph_free(g);
    nz_assert_ok(nz_model_load_in_place(&read, path));
    nz_weight_bytes weights = weights_of(read, true);
    assert_int_equal(weights.mapped + weights.heap, 2 * BYTES);
    assert_true(weights.mapped >= BYTES);
    nz_graph_free(read);
}

static nz_graph *convolution(nz_dtype type) {
    nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int x = graph_input(g, "x", NZ_F32, SHAPE(1, 16, 12, 12)), w, y;
    if (type == NZ_F32) {
        w = graph_constant(g, NZ_F32, SHAPE(32, 16, 3, 3), -0.2, 0.0001);
        y = graph_node(g, "Conv", x, w);
    } else {
        int s = graph_constant(g, NZ_F32, (nz_shape){0}, 0.05, 0), z = graph_constant(g, NZ_U8, (nz_shape){0}, 128, 0),
            zero = graph_constant(g, NZ_I8, (nz_shape){0}, 0, 0);
        int codes = graph_constant(g, NZ_I8, SHAPE(32, 16, 3, 3), -60, 0.02);
        x = graph_node(g, "DequantizeLinear", graph_node(g, "QuantizeLinear", x, s, z), s, z);
        y = graph_node(g, "Conv", x, graph_node(g, "DequantizeLinear", codes, s, zero));
        y = graph_node(g, "DequantizeLinear", graph_node(g, "QuantizeLinear", y, s, z), s, z);
    }
    graph_finish(g, y);
    return g;
}

static void bytes_hold_a_quarter_of_floats(void **state) {
    (void)state;
    enum { COUNT = 32 * 16 * 9 };
    nz_graph *floats = convolution(NZ_F32), *bytes = convolution(NZ_I8);
    nz_weight_bytes f = weights_of(floats, false), b = weights_of(bytes, false);
    assert_true(f.packed >= COUNT * sizeof(float));
    assert_true(b.packed >= COUNT);
    assert_true(b.packed < f.packed / 2);
    assert_true(b.heap < f.heap / 2);
    nz_graph_free(floats);
    nz_graph_free(bytes);
}

/* ---- times of layers ---- */

static void run(nz_session *session, float *x, float *y) {
    nz_tensor in = nz_tensor_borrow(NZ_F32, &SHAPE(4, SIDE), x), out = nz_tensor_borrow(NZ_F32, &SHAPE(4, SIDE), y);
    nz_assert_ok(nz_session_run(session, &in, &out));
}

static void times_of_layers_are_switched(void **state) {
    (void)state;
    static float x[4 * SIDE], first[4 * SIDE], second[4 * SIDE];
    for (size_t i = 0; i < NZ_COUNT(x); i++) x[i] = (float)i * 0.01F;
    nz_graph *g = products(false);
    nz_session *session = open_session(g, false);
    size_t layers = nz_session_layer_count(session);
    assert_true(layers >= 2);
    run(session, x, first);
    for (size_t i = 0; i < layers; i++) nz_assert_nan(nz_session_layer(session, i).latency_ms);
    nz_assert_ok(nz_session_profile(session, NZ_PROFILE_ON));
    for (int i = 0; i < 200; i++) run(session, x, second); /* more than are kept */
    nz_assert_ok(nz_session_profile(session, NZ_PROFILE_OFF));
    assert_memory_equal(first, second, sizeof first);
    double kept[16];
    for (size_t i = 0; i < layers && i < NZ_COUNT(kept); i++) {
        kept[i] = nz_session_layer(session, i).latency_ms;
        assert_true(kept[i] > 0 && isfinite(kept[i]));
    }
    run(session, x, second);
    for (size_t i = 0; i < layers && i < NZ_COUNT(kept); i++)
        nz_assert_near(nz_session_layer(session, i).latency_ms, kept[i], 0, 0);
    nz_assert_ok(nz_session_profile(session, NZ_PROFILE_RESET));
    for (size_t i = 0; i < layers; i++) nz_assert_nan(nz_session_layer(session, i).latency_ms);
    nz_session_free(session);
    nz_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_plans_hold_what_is_stored), cmocka_unit_test(shared_weights_count_once),
        cmocka_unit_test(copies_of_kernels_count_besides), cmocka_unit_test(weights_of_a_file_stay_in_it),
        cmocka_unit_test(bytes_hold_a_quarter_of_floats),  cmocka_unit_test(times_of_layers_are_switched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
