/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter rule: which constants count, which of their elements are zero, and what follows from that. */
#include <zstd.h>

#include "core/random.h"
#include "graphs.h"
#include "metric/trace.h"
#include "netzip/metric.h"
#include "netzip/onnx.h"

static nz_graph *new_graph(void) {
    nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    return g;
}

static nz_graph_facts count(nz_graph *g, int output) {
    nz_graph_facts facts;
    graph_finish(g, output);
    nz_assert_ok(nz_graph_facts_get(&facts, g, NULL, 0));
    nz_graph_free(g);
    return facts;
}

/* Parameters of a graph that ends in `output`; frees it. */
static uint64_t params_of(nz_graph *g, int output) {
    nz_graph_facts f = count(g, output);
    uint64_t params = f.params;
    nz_graph_facts_done(&f);
    return params;
}

static int image(nz_graph *g) { return graph_input(g, "x", NZ_F32, SHAPE(1, 4, 6, 6)); }
static int floats(nz_graph *g, nz_shape shape) { return graph_constant(g, NZ_F32, shape, 1, 1); }

static int integers(nz_graph *g, const int64_t *values, int64_t n) {
    int value = graph_constant(g, NZ_I64, SHAPE(n), 0, 0);
    for (int64_t i = 0; i < n; i++) nz_tensor_set_int(&g->values[value].constant, i, values[i]);
    return value;
}

static int conv(nz_graph *g) { return graph_node(g, "Conv", image(g), floats(g, SHAPE(8, 4, 3, 3))); }

/* ---- What counts ---- */

static void weights_and_biases_of_layers_count(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    assert_int_equal(params_of(g, graph_node(g, "Conv", image(g), floats(g, SHAPE(8, 4, 3, 3)), floats(g, SHAPE(8)))),
                     296);
    g = new_graph();
    assert_int_equal(
        params_of(g, graph_node(g, "ConvTranspose", image(g), floats(g, SHAPE(4, 8, 3, 3)), floats(g, SHAPE(8)))), 296);
    g = new_graph();
    int x = graph_input(g, "x", NZ_F32, SHAPE(2, 3));
    assert_int_equal(params_of(g, graph_node(g, "Gemm", x, floats(g, SHAPE(3, 5)), floats(g, SHAPE(5)))), 20);
    g = new_graph();
    x = graph_input(g, "x", NZ_F32, SHAPE(2, 3));
    assert_int_equal(params_of(g, graph_node(g, "MatMul", x, floats(g, SHAPE(3, 5)))), 15);
    g = new_graph();
    x = graph_input(g, "x", NZ_F32, SHAPE(3, 5));
    assert_int_equal(params_of(g, graph_node(g, "MatMul", floats(g, SHAPE(2, 3)), x)), 6);
}

static void weights_of_recurrent_nodes_count(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = graph_input(g, "x", NZ_F32, SHAPE(5, 2, 3)), w = floats(g, SHAPE(1, 16, 3)), r = floats(g, SHAPE(1, 16, 4));
    for (int64_t i = 0; i < 48; i += 2) nz_tensor_set_real(&g->values[w].constant, i, 0);
    int y = graph_node(g, "LSTM", x, w, r, floats(g, SHAPE(1, 32)));
    nz_assert_ok(nz_node_set_int(graph_last(g), "hidden_size", 4));
    nz_graph_facts f = count(g, y);
    assert_int_equal(f.params, 48 + 64 + 32);
    assert_int_equal(f.weights, 0); /* sparsity is of convolution and linear layers */
    assert_int_equal(f.macs, 5 * 2 * (48 + 64));
    assert_int_equal(f.macs_effective, 5 * 2 * (24 + 64));
    nz_graph_facts_done(&f);
}

static void weights_of_quantised_operators_count(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int in[9] = {graph_input(g, "x", NZ_U8, SHAPE(1, 4, 6, 6))};
    for (int i = 1; i < 8; i++) {
        if (i == 3) continue;
        nz_dtype type = i == 1 || i == 4 || i == 6 ? NZ_F32 : i == 5 ? NZ_I8 : NZ_U8;
        in[i] = graph_constant(g, type, SHAPE(1), 1, 0);
        g->values[in[i]].shape.rank = g->values[in[i]].constant.shape.rank = 0;
    }
    in[3] = graph_constant(g, NZ_I8, SHAPE(8, 4, 3, 3), 1, 0);
    for (int64_t i = 0; i < 10; i++) nz_tensor_set_int(&g->values[in[3]].constant, i, 0); /* the zero point is 1 */
    in[8] = graph_constant(g, NZ_I32, SHAPE(8), 0, 1);
    nz_graph_facts f = count(g, graph_node_of(g, "QLinearConv", in, 9, NZ_DTYPE_NONE));
    assert_int_equal(f.params, 296);
    assert_int_equal(f.params_nonzero, 10 + 7);
    assert_int_equal(f.weights, 288);
    assert_int_equal(f.flops, 0);
    nz_graph_facts_done(&f);
}

static void scales_and_shifts_count_and_running_statistics_do_not(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int v[4];
    for (int i = 0; i < 4; i++) v[i] = floats(g, SHAPE(4));
    assert_int_equal(params_of(g, graph_node(g, "BatchNormalization", image(g), v[0], v[1], v[2], v[3])), 8);
    g = new_graph();
    assert_int_equal(
        params_of(g, graph_node(g, "InstanceNormalization", image(g), floats(g, SHAPE(4)), floats(g, SHAPE(4)))), 8);
    g = new_graph();
    assert_int_equal(
        params_of(g, graph_node(g, "LayerNormalization", image(g), floats(g, SHAPE(6)), floats(g, SHAPE(6)))), 12);
    g = new_graph();
    assert_int_equal(params_of(g, graph_node(g, "LayerNormalization", image(g), floats(g, SHAPE(6)))), 6);
}

static void a_prelus_slope_counts(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    assert_int_equal(params_of(g, graph_node(g, "PRelu", image(g), floats(g, SHAPE(4, 1, 1)))), 4);
}

static void an_embeddings_table_counts_and_other_gathers_do_not(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int tokens = graph_input(g, "tokens", NZ_I64, SHAPE(7));
    assert_int_equal(params_of(g, graph_node(g, "Gather", floats(g, SHAPE(100, 16)), tokens)), 1600);
    g = new_graph();
    tokens = graph_input(g, "tokens", NZ_I64, SHAPE(1));
    assert_int_equal(params_of(g, graph_node(g, "Gather", integers(g, (int64_t[]){5, 6, 7}, 3), tokens)), 0);
    g = new_graph(); /* a table of whole numbers is a grid, not an embedding */
    tokens = graph_input(g, "tokens", NZ_I64, SHAPE(1));
    assert_int_equal(params_of(g, graph_node(g, "Gather", graph_constant(g, NZ_I64, SHAPE(4, 2), 0, 1), tokens)), 0);
    g = new_graph();
    int picked = integers(g, (int64_t[]){1}, 1);
    assert_int_equal(params_of(g, graph_node(g, "Gather", image(g), picked)), 0);
}

static void an_add_after_macs_is_a_bias_where_it_is_per_channel(void **state) {
    (void)state;
    static const struct {
        nz_shape shape;
        uint64_t params;
    } cases[] = {
        {{3, {8, 1, 1}}, 8},    {{4, {1, 8, 1, 1}}, 8}, {{3, {8, 4, 4}}, 0}, /* a grid */
        {{1, {4}}, 0},                                                       /* along the width */
        {{3, {1, 4, 1}}, 0},                                                 /* along the height */
        {{3, {1, 1, 1}}, 0},                                                 /* one number for all channels */
        {{4, {1, 8, 4, 4}}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int first = 0; first < 2; first++) {
            nz_graph *g = new_graph();
            int c = conv(g), b = floats(g, cases[i].shape);
            assert_int_equal(params_of(g, first ? graph_node(g, "Add", b, c) : graph_node(g, "Add", c, b)),
                             288 + cases[i].params);
        }
}

static void as_many_columns_as_channels_make_no_bias(void **state) {
    (void)state;
    static const nz_shape shapes[] = {{1, {8}}, {3, {1, 8, 1}}, {4, {1, 1, 8, 1}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        nz_graph *g = new_graph();
        int x = graph_input(g, "x", NZ_F32, SHAPE(1, 4, 10, 10)),
            c = graph_node(g, "Conv", x, floats(g, SHAPE(8, 4, 3, 3)));
        assert_int_equal(params_of(g, graph_node(g, "Add", c, floats(g, shapes[i]))), 288);
    }
}

static void a_bias_may_follow_a_matrix_product(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int m = graph_node(g, "MatMul", graph_input(g, "x", NZ_F32, SHAPE(2, 7, 3)), floats(g, SHAPE(3, 5)));
    assert_int_equal(params_of(g, graph_node(g, "Add", m, floats(g, SHAPE(5)))), 15 + 5);
    g = new_graph(); /* behind a Reshape that keeps the channels last */
    m = graph_node(g, "MatMul", graph_input(g, "x", NZ_F32, SHAPE(2, 7, 3)), floats(g, SHAPE(3, 5)));
    m = graph_node(g, "Reshape", m, integers(g, (int64_t[]){14, 5}, 2));
    assert_int_equal(params_of(g, graph_node(g, "Add", m, floats(g, SHAPE(5)))), 15 + 5);
    g = new_graph(); /* and one that does not */
    m = graph_node(g, "MatMul", graph_input(g, "x", NZ_F32, SHAPE(2, 7, 3)), floats(g, SHAPE(3, 5)));
    m = graph_node(g, "Reshape", m, integers(g, (int64_t[]){10, 7}, 2));
    assert_int_equal(params_of(g, graph_node(g, "Add", m, floats(g, SHAPE(7)))), 15);
    g = new_graph(); /* channels moved last by a Transpose, as converters from TensorFlow leave it */
    m = graph_node(g, "Transpose", conv(g));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "perm", (int64_t[]){0, 2, 3, 1}, 4));
    assert_int_equal(params_of(g, graph_node(g, "Add", m, floats(g, SHAPE(8)))), 288 + 8);
}

static void an_add_after_anything_else_is_no_bias(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int relu = graph_node(g, "Relu", conv(g));
    assert_int_equal(params_of(g, graph_node(g, "Add", relu, floats(g, SHAPE(8, 1, 1)))), 288);
    g = new_graph();
    assert_int_equal(params_of(g, graph_node(g, "Add", image(g), floats(g, SHAPE(4, 1, 1)))), 0);
}

static void shapes_grids_and_scales_do_not_count(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int shape = integers(g, (int64_t[]){1, 8, 16}, 3);
    assert_int_equal(params_of(g, graph_node(g, "Reshape", conv(g), shape)), 288);
    g = new_graph();
    int c = conv(g);
    assert_int_equal(params_of(g, graph_node(g, "Mul", c, floats(g, SHAPE(1, 8, 4, 4)))), 288);
    g = new_graph();
    int lowest = graph_constant(g, NZ_F32, SHAPE(1), 0, 0), highest = graph_constant(g, NZ_F32, SHAPE(1), 6, 0);
    for (int i = 0; i < 2; i++) {
        int v = i ? highest : lowest;
        g->values[v].shape.rank = g->values[v].constant.shape.rank = 0;
    }
    assert_int_equal(params_of(g, graph_node(g, "Clip", conv(g), lowest, highest)), 288);
    g = new_graph(); /* scale and zero points of a quantised weight */
    int w = graph_constant(g, NZ_I8, SHAPE(8, 4, 3, 3), -3, 0.1), s = floats(g, SHAPE(8)),
        z = graph_constant(g, NZ_I8, SHAPE(8), 0, 0);
    int d = graph_node(g, "DequantizeLinear", w, s, z);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 0));
    assert_int_equal(params_of(g, graph_node(g, "Conv", image(g), d)), 288);
}

static void constants_count_through_what_leaves_them_as_they_are(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = graph_node(g, "Cast", graph_constant(g, NZ_F16, SHAPE(3, 5), 1, 1));
    nz_assert_ok(nz_node_set_int(graph_last(g), "to", NZ_F32));
    w = graph_node(g, "Identity", graph_node(g, "Transpose", w));
    int x = graph_input(g, "x", NZ_F32, SHAPE(2, 5));
    assert_int_equal(params_of(g, graph_node(g, "MatMul", x, w)), 15);
}

static void a_shared_tensor_counts_once(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = graph_input(g, "x", NZ_F32, SHAPE(2, 3)), w = floats(g, SHAPE(3, 3));
    int y = graph_node(g, "MatMul", graph_node(g, "MatMul", x, w), w);
    assert_int_equal(params_of(g, y), 9);
    g = new_graph(); /* through Identity nodes, as PyTorch's exporter shares a weight */
    x = graph_input(g, "x", NZ_F32, SHAPE(2, 3));
    w = floats(g, SHAPE(3, 3));
    int a = graph_node(g, "Identity", w), b = graph_node(g, "Identity", w);
    y = graph_node(g, "MatMul", graph_node(g, "MatMul", x, a), b);
    assert_int_equal(params_of(g, y), 9);
    g = new_graph(); /* two tensors of equal content are two */
    x = graph_input(g, "x", NZ_F32, SHAPE(2, 3));
    y = graph_node(g, "MatMul", graph_node(g, "MatMul", x, floats(g, SHAPE(3, 3))), floats(g, SHAPE(3, 3)));
    assert_int_equal(params_of(g, y), 18);
}

/* ---- Zeros ---- */

static uint64_t nonzero(nz_tensor *t, nz_tensor *zero, int64_t axis, int64_t block) {
    uint64_t n = nz_count_nonzero(t, zero, axis, block);
    nz_tensor_done(t);
    if (zero) nz_tensor_done(zero);
    return n;
}

static nz_tensor tensor_of(nz_dtype type, nz_shape shape, const double *values) {
    nz_tensor t;
    nz_assert_ok(nz_tensor_init(&t, type, &shape));
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++) nz_tensor_set_real(&t, i, values[i]);
    return t;
}

static void zeros_of_every_type_are_recognised(void **state) {
    (void)state;
    static const nz_dtype types[] = {NZ_F32, NZ_F16, NZ_BF16, NZ_F64, NZ_F8E4M3FN, NZ_F8E5M2, NZ_I8,
                                     NZ_U8,  NZ_I16, NZ_U16,  NZ_I32, NZ_I64,      NZ_I4,     NZ_U4};
    static const double values[] = {0, 1, 0, 2, 3, 0, 1};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        nz_tensor t = tensor_of(types[i], SHAPE(7), values);
        assert_int_equal(nonzero(&t, NULL, 0, 0), 4);
    }
    static const double odd[] = {-0.0, NAN, 1e-45, -1};
    nz_tensor t = tensor_of(NZ_F32, SHAPE(4), odd);
    assert_int_equal(nonzero(&t, NULL, 0, 0), 3); /* -0 is a zero; NaN and the least number are not */
}

static void an_integers_zero_is_its_channels_zero_point(void **state) {
    (void)state;
    static const double values[] = {5, 5, 6, 7, 5, 7, 5, 5, 5, 6, 6, 8};
    nz_tensor one = tensor_of(NZ_U8, SHAPE(1), (double[]){5}), t = tensor_of(NZ_U8, SHAPE(2, 3, 2), values);
    assert_int_equal(nonzero(&t, &one, 0, 0), 6);
    for (int type = 0; type < 2; type++) { /* along the middle axis, in bytes and in 4 bits */
        nz_dtype d = type ? NZ_U4 : NZ_U8;
        nz_tensor zeros = tensor_of(d, SHAPE(3), (double[]){5, 7, 6});
        t = tensor_of(d, SHAPE(2, 3, 2), values);
        assert_int_equal(nonzero(&t, &zeros, 1, 0), 6);
        zeros = tensor_of(d, SHAPE(3), (double[]){5, 7, 6});
        t = tensor_of(d, SHAPE(2, 3, 2), values);
        assert_int_equal(nonzero(&t, &zeros, -2, 0), 6);
    }
    nz_tensor blocks = tensor_of(NZ_U8, SHAPE(2, 2, 2), (double[]){5, 7, 5, 7, 5, 6, 6, 8}); /* two per axis of three */
    t = tensor_of(NZ_U8, SHAPE(2, 3, 2), values);
    assert_int_equal(nonzero(&t, &blocks, 1, 2), 3);
}

/* Against the definition, element by element. */
static void zero_points_agree_with_the_definition(void **state) {
    (void)state;
    nz_random random;
    nz_random_init(&random, 9, 0);
    for (int round = 0; round < 300; round++) {
        nz_shape shape = SHAPE(1 + (int64_t)nz_random_below(&random, 4), 1 + (int64_t)nz_random_below(&random, 5),
                               1 + (int64_t)nz_random_below(&random, 4));
        int axis = (int)nz_random_below(&random, 3);
        int64_t block = (int64_t)nz_random_below(&random, 3);
        nz_shape zero_shape = SHAPE(shape.dim[axis]);
        if (block) {
            zero_shape = shape;
            zero_shape.dim[axis] = (shape.dim[axis] + block - 1) / block;
        }
        nz_dtype type = nz_random_below(&random, 2) ? NZ_I8 : NZ_U4;
        nz_tensor t, zero;
        nz_assert_ok(nz_tensor_init(&t, type, &shape));
        nz_assert_ok(nz_tensor_init(&zero, type, &zero_shape));
        for (int64_t i = 0; i < nz_shape_elements(&shape); i++)
            nz_tensor_set_int(&t, i, (int64_t)nz_random_below(&random, 3));
        for (int64_t i = 0; i < nz_shape_elements(&zero_shape); i++)
            nz_tensor_set_int(&zero, i, (int64_t)nz_random_below(&random, 3));
        uint64_t expected = 0;
        int64_t at[3], i = 0;
        for (at[0] = 0; at[0] < shape.dim[0]; at[0]++)
            for (at[1] = 0; at[1] < shape.dim[1]; at[1]++)
                for (at[2] = 0; at[2] < shape.dim[2]; at[2]++, i++) {
                    int64_t z = at[axis];
                    if (block) {
                        int64_t b[3] = {at[0], at[1], at[2]};
                        b[axis] /= block;
                        z = (b[0] * zero_shape.dim[1] + b[1]) * zero_shape.dim[2] + b[2];
                    }
                    if (nz_shape_elements(&zero_shape) == 1) z = 0;
                    expected += nz_tensor_int(&t, i) != nz_tensor_int(&zero, z);
                }
        assert_int_equal(nz_count_nonzero(&t, &zero, axis, block), expected);
        nz_tensor_done(&t);
        nz_tensor_done(&zero);
    }
}

static void zero_points_that_do_not_fit_make_no_zeros(void **state) {
    (void)state;
    static const double values[] = {5, 5, 5, 5};
    nz_tensor t = tensor_of(NZ_I8, SHAPE(4), values), zeros = tensor_of(NZ_I8, SHAPE(3), values);
    assert_int_equal(nz_count_nonzero(&t, &zeros, 0, 0), 4);
    assert_int_equal(nz_count_nonzero(&t, &zeros, 0, -1), 4);
    assert_int_equal(nonzero(&t, &zeros, 7, 0), 4);
}

static void sparsity_and_effective_macs_follow_the_zeros(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = floats(g, SHAPE(8, 4, 3, 3)), b = graph_constant(g, NZ_F32, SHAPE(8), 0, 0);
    for (int64_t i = 0; i < 288; i += 4) nz_tensor_set_real(&g->values[w].constant, i, 0);
    nz_graph_facts f = count(g, graph_node(g, "Conv", image(g), w, b));
    assert_int_equal(f.params, 296);
    assert_int_equal(f.params_nonzero, 216);
    assert_int_equal(f.weights, 288);
    assert_int_equal(f.weights_zero, 72);
    assert_int_equal(f.macs, 128 * 36);
    assert_int_equal(f.macs_effective, 128 * 36 * 3 / 4);
    nz_metric_input input = nz_metric_input_none();
    input.facts = &f;
    nz_assert_near(nz_metric_value(nz_metric_find("sparsity"), &input).value, 25, 1e-12, 0);
    nz_assert_near(nz_metric_value(nz_metric_find("sparsity_all"), &input).value, 100.0 * 80 / 296, 1e-12, 0);
    nz_assert_near(nz_metric_value(nz_metric_find("Parameters_count"), &input).value, 216, 0, 0);
    nz_graph_facts_done(&f);
}

/* Counted by running the loops of a grouped, strided, padded convolution over the weights. */
static void effective_macs_agree_with_running_the_loops(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    nz_random random;
    nz_random_init(&random, 10, 0);
    int w = floats(g, SHAPE(6, 2, 3, 3));
    nz_tensor *t = &g->values[w].constant;
    for (int64_t i = 0; i < 108; i++) nz_tensor_set_real(t, i, (double)nz_random_below(&random, 2));
    uint64_t expected = 0;
    for (int out = 0; out < 6; out++)
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 3; x++)
                for (int i = 0; i < 2 * 3 * 3; i++) expected += nz_tensor_real(t, out * 18 + i) != 0;
    int y = graph_node(g, "Conv", image(g), w);
    nz_assert_ok(nz_node_set_int(graph_last(g), "group", 2));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "strides", (int64_t[]){2, 2}, 2));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "pads", (int64_t[]){1, 1, 1, 1}, 4));
    nz_graph_facts f = count(g, y);
    assert_int_equal(f.macs, 6 * 9 * 18);
    assert_int_equal(f.macs_effective, expected);
    nz_graph_facts_done(&f);
}

static void quantising_changes_neither_counts_nor_zeros(void **state) {
    (void)state;
    for (int quantised = 0; quantised < 2; quantised++) {
        nz_graph *g = new_graph();
        int w = graph_constant(g, quantised ? NZ_U8 : NZ_F32, SHAPE(8, 4, 3, 3), 0, 0);
        for (int64_t i = 0; i < 288; i++)
            nz_tensor_set_real(&g->values[w].constant, i, (double)(i % 3) + (quantised ? (double)(i / 36) : 0));
        if (quantised) {
            int scale = floats(g, SHAPE(8)), zero = graph_constant(g, NZ_U8, SHAPE(8), 0, 1);
            w = graph_node(g, "DequantizeLinear", w, scale, zero);
            nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 0));
        }
        nz_graph_facts f = count(g, graph_node(g, "Conv", image(g), w));
        assert_int_equal(f.params, 288);
        assert_int_equal(f.params_nonzero, 192);
        assert_int_equal(f.macs_effective, 128 * 36 * 2 / 3);
        nz_graph_facts_done(&f);
    }
}

static void operators_on_integers_bring_their_own_zero_points(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = graph_input(g, "x", NZ_U8, SHAPE(2, 3)), w = graph_constant(g, NZ_U8, SHAPE(3, 4), 6, 0.25);
    int zx = graph_constant(g, NZ_U8, SHAPE(1), 0, 0), zw = graph_constant(g, NZ_U8, SHAPE(1), 7, 0);
    for (int i = 0; i < 2; i++) {
        int v = i ? zx : zw;
        g->values[v].shape.rank = g->values[v].constant.shape.rank = 0;
    }
    nz_graph_facts f = count(g, graph_node(g, "MatMulInteger", x, w, zx, zw));
    uint64_t sevens = 0;
    for (int i = 0; i < 12; i++) sevens += nearbyint(6 + 0.25 * i) == 7; /* as the constant was rounded */
    assert_true(sevens > 1);
    assert_int_equal(f.params, 12);
    assert_int_equal(f.params_nonzero, 12 - sevens);
    nz_graph_facts_done(&f);
}

/* ---- Entropy ---- */

static int hear_bytes(void *user, const char *what, unsigned long long done, unsigned long long total) {
    unsigned long long *heard = user;
    assert_string_equal(what, "entropy");
    heard[0]++;
    heard[1] = done;
    heard[2] = total;
    return 0;
}

static int refuse_bytes(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)user, (void)what, (void)done, (void)total;
    return 1;
}

static void entropy_is_one_zstd_frame_a_tensor(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = floats(g, SHAPE(8, 4, 3, 3)), b = graph_constant(g, NZ_F32, SHAPE(8), 0, 0);
    graph_finish(g, graph_node(g, "Conv", image(g), w, b));
    uint64_t expected = 0, bytes;
    for (size_t v = 0; v < g->value_count; v++) {
        const nz_tensor *t = &g->values[v].constant;
        char out[4096];
        if (t->data) expected += ZSTD_compress(out, sizeof out, t->data, t->bytes, 19);
    }
    nz_assert_ok(nz_entropy_bytes(&bytes, g, NULL));
    assert_int_equal(bytes, expected);
    assert_true(bytes < 1184);
    unsigned long long heard[3] = {0};
    nz_progress progress = {.step = hear_bytes, .user = heard};
    nz_assert_ok(nz_entropy_bytes(&bytes, g, &progress));
    assert_int_equal(bytes, expected);
    assert_int_equal(heard[0], 2); /* once a tensor */
    assert_int_equal(heard[1], 1184);
    assert_int_equal(heard[2], 1184);
    progress.step = refuse_bytes;
    nz_assert_fails(nz_entropy_bytes(&bytes, g, &progress), NZ_E_CANCELLED, "stopped");
    nz_graph_free(g);
}

/* ---- Real models ---- */

static void real_models_have_their_published_counts(void **state) {
    (void)state;
    static const struct {
        const char *path;
        uint64_t macs, params;
    } models[] = {
        {"models/resnet20_cifar10.onnx", 40551040, 269034},
        {"models/resnet56_cifar10.onnx", 125485696, 850986},
        {"models/mlperftiny_resnet8_cifar10.onnx", 12501632, 77706},
        {"models/mlperftiny_vww96_mobilenetv1.onnx", 7489664, 210850},
        {"models/mnist-8.onnx", 786560, 5994},
        {"models/squeezenet1.0_deepcompressed.onnx", 861339936, 1248424},
        {"models/yolox_nano.onnx", 522553408, 904463},
        {"models/yolov5n_640.onnx", 2234060800, 1867405},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        nz_graph *g = NULL;
        nz_assert_ok(nz_model_load(&g, nz_test_shared(models[i].path)));
        for (int again = 0; again < 2; again++) {
            nz_graph_facts f;
            nz_assert_ok(nz_graph_facts_get(&f, g, NULL, 0));
            assert_true(f.ops_known && f.macs_known);
            assert_int_equal(f.macs, models[i].macs);
            assert_int_equal(f.params, models[i].params);
            assert_true(f.ops > 2 * f.macs);
            nz_graph_facts_done(&f);
        }
        nz_graph_free(g);
    }
}

/* The README of the shared data: 33.4% of its weights are not zero. */
static void the_deeply_compressed_models_zeros_show(void **state) {
    (void)state;
    nz_graph *g = NULL;
    nz_graph_facts f;
    nz_assert_ok(nz_model_load(&g, nz_test_shared("models/squeezenet1.0_deepcompressed.onnx")));
    nz_assert_ok(nz_graph_facts_get(&f, g, NULL, 0));
    nz_assert_near(100.0 * (double)(f.weights - f.weights_zero) / (double)f.weights, 33.4, 0, 0.05);
    assert_true(f.macs_effective > f.macs / 4 && f.macs_effective < f.macs * 3 / 4);
    nz_graph_facts_done(&f);
    nz_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_and_biases_of_layers_count),
        cmocka_unit_test(weights_of_recurrent_nodes_count),
        cmocka_unit_test(weights_of_quantised_operators_count),
        cmocka_unit_test(scales_and_shifts_count_and_running_statistics_do_not),
        cmocka_unit_test(a_prelus_slope_counts),
        cmocka_unit_test(an_embeddings_table_counts_and_other_gathers_do_not),
        cmocka_unit_test(an_add_after_macs_is_a_bias_where_it_is_per_channel),
        cmocka_unit_test(as_many_columns_as_channels_make_no_bias),
        cmocka_unit_test(a_bias_may_follow_a_matrix_product),
        cmocka_unit_test(an_add_after_anything_else_is_no_bias),
        cmocka_unit_test(shapes_grids_and_scales_do_not_count),
        cmocka_unit_test(constants_count_through_what_leaves_them_as_they_are),
        cmocka_unit_test(a_shared_tensor_counts_once),
        cmocka_unit_test(zeros_of_every_type_are_recognised),
        cmocka_unit_test(an_integers_zero_is_its_channels_zero_point),
        cmocka_unit_test(zero_points_agree_with_the_definition),
        cmocka_unit_test(zero_points_that_do_not_fit_make_no_zeros),
        cmocka_unit_test(sparsity_and_effective_macs_follow_the_zeros),
        cmocka_unit_test(effective_macs_agree_with_running_the_loops),
        cmocka_unit_test(quantising_changes_neither_counts_nor_zeros),
        cmocka_unit_test(operators_on_integers_bring_their_own_zero_points),
        cmocka_unit_test(entropy_is_one_zstd_frame_a_tensor),
        cmocka_unit_test(real_models_have_their_published_counts),
        cmocka_unit_test(the_deeply_compressed_models_zeros_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
