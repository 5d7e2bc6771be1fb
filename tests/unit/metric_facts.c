/* SPDX-License-Identifier: Apache-2.0 */
/* The graph-level rules of operations and bit widths, one test per sentence. What an operator costs is tested with it. */
#include "graphs.h"
#include "netzip/metric.h"
#include "netzip/pass.h"

/* 1x4x6x6 -> Conv 8x4x3x3 -> 1x8x4x4: 128 outputs, 36 MACs each. */
enum { OUTPUTS = 128, MACS = OUTPUTS * 36 };

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

static const nz_layer_facts *layer(const nz_graph_facts *facts, const char *op) {
    for (size_t i = 0; i < facts->layer_count; i++)
        if (strcmp(facts->layers[i].op, op) == 0) return &facts->layers[i];
    fail_msg("no layer %s", op);
    return NULL;
}

static int image(nz_graph *g, nz_dtype type) { return graph_input(g, "x", type, SHAPE(1, 4, 6, 6)); }

static int quantise(nz_graph *g, int value, nz_dtype type) {
    int scale = graph_constant(g, NZ_F32, SHAPE(1), 0.5, 0), zero = graph_constant(g, type, SHAPE(1), 0, 0);
    g->values[scale].shape.rank = g->values[zero].shape.rank = 0;
    g->values[scale].constant.shape.rank = g->values[zero].constant.shape.rank = 0;
    int q = graph_node(g, "QuantizeLinear", value, scale, zero);
    return graph_node(g, "DequantizeLinear", q, scale, zero);
}

/* A weight stored as `type` with scales per output channel. */
static int dequantised(nz_graph *g, nz_dtype type, nz_shape shape) {
    int weight = graph_constant(g, type, shape, -3, 0.25), scale = graph_constant(g, NZ_F32, SHAPE(shape.dim[0]), 1, 1);
    int zero = graph_constant(g, type, SHAPE(shape.dim[0]), 0, 0);
    int out = graph_node(g, "DequantizeLinear", weight, scale, zero);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 0));
    return out;
}

static int cast(nz_graph *g, int value, nz_dtype to) {
    int out = graph_node(g, "Cast", value);
    nz_assert_ok(nz_node_set_int(graph_last(g), "to", to));
    return out;
}

static int conv(nz_graph *g, int x, int w) { return graph_node(g, "Conv", x, w); }

/* ---- Operations ---- */

static void everything_is_a_sum_over_nodes(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1), b = graph_constant(g, NZ_F32, SHAPE(8), 1, 1);
    int y = graph_node(g, "Relu", graph_node(g, "Conv", image(g, NZ_F32), w, b));
    nz_graph_facts f = count(g, y);
    assert_true(f.ops_known && f.macs_known);
    assert_int_equal(f.macs, MACS);
    assert_int_equal(layer(&f, "Conv")->ops, 2 * MACS + OUTPUTS);
    assert_int_equal(layer(&f, "Relu")->ops, OUTPUTS);
    assert_int_equal(f.ops, 2 * MACS + 2 * OUTPUTS);
    assert_int_equal(f.flops, f.ops);
    nz_assert_near(f.chats, 32.0 * (double)f.ops, 0, 0);
    nz_assert_near(f.chats_macs, 32.0 * MACS, 0, 0);
    nz_assert_near(f.chats_stored, 32.0 * (double)f.ops, 0, 0);
    nz_assert_near(f.chats_macs_stored, 32.0 * MACS, 0, 0);
    nz_assert_near(f.bops, 32.0 * 32.0 * MACS, 0, 0);
    assert_int_equal(f.conversions, 0);
    nz_graph_facts_done(&f);
}

static void counting_again_gives_the_same(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    graph_finish(g, conv(g, image(g, NZ_F32), graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1)));
    for (int i = 0; i < 3; i++) {
        nz_graph_facts f;
        nz_assert_ok(nz_graph_facts_get(&f, g, NULL, 0));
        assert_int_equal(f.macs, MACS);
        assert_int_equal(f.ops, 2 * MACS);
        assert_int_equal(f.params, 288);
        nz_graph_facts_done(&f);
    }
    nz_graph_free(g);
}

static void a_symbolic_batch_counts_as_1(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = graph_input(g, "x", NZ_F32, SHAPE(-1, 4, 6, 6));
    nz_graph_facts f = count(g, conv(g, x, graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1)));
    assert_int_equal(f.macs, MACS);
    nz_graph_facts_done(&f);
}

static void what_folds_or_is_dead_costs_nothing(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int a = graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1), b = graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1);
    int x = image(g, NZ_F32);
    graph_node(g, "Sigmoid", x); /* nobody reads it */
    nz_graph_facts f = count(g, conv(g, x, graph_node(g, "Add", a, b)));
    assert_int_equal(f.ops, 2 * MACS);
    assert_int_equal(f.layer_count, 1);
    assert_int_equal(f.params, 288);
    nz_graph_facts_done(&f);
}

static void conversions_are_counted_apart(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    nz_graph_facts f = count(g, graph_node(g, "Relu", quantise(g, image(g, NZ_F32), NZ_U8)));
    assert_int_equal(f.ops, 144);
    assert_int_equal(f.conversions, 2 * 144);
    nz_graph_facts_done(&f);
}

static void an_unknown_operator_makes_counts_unavailable_and_is_named(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = image(g, NZ_F32), w = graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1);
    int odd = graph_node_of(g, "Whirl", (int[]){conv(g, x, w)}, 1, NZ_F32);
    free(graph_last(g)->domain);
    graph_last(g)->domain = strdup("com.example");
    nz_graph_facts f = count(g, graph_node(g, "Relu", odd));
    assert_false(f.ops_known);
    assert_false(f.macs_known);
    assert_non_null(strstr(f.ops_reason, "com.example.Whirl"));
    assert_int_equal(f.params, 288);
    nz_metric_input input = nz_metric_input_none();
    input.facts = &f;
    static const char *const ids[] = {"macs", "ops", "flops", "chats", "chats_macs", "bops", "macs_effective"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        nz_value_report r = nz_metric_value(nz_metric_find(ids[i]), &input);
        assert_int_equal(r.source, NZ_UNAVAILABLE);
        assert_non_null(strstr(r.reason, "Whirl"));
    }
    assert_int_equal(nz_metric_value(nz_metric_find("params"), &input).value, 288);
    nz_graph_facts_done(&f);
}

static void open_extents_leave_parameters_known(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = graph_input(g, "picture", NZ_F32, SHAPE(1, 4, -1, -1));
    int c = conv(g, x, graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1));
    graph_finish(g, graph_node(g, "Add", c, graph_constant(g, NZ_F32, SHAPE(8, 1, 1), 1, 1)));
    nz_graph_facts f;
    nz_assert_ok(nz_graph_facts_get(&f, g, NULL, 0));
    assert_false(f.ops_known);
    assert_false(f.macs_known);
    assert_non_null(strstr(f.ops_reason, "picture"));
    assert_int_equal(f.params, 288 + 8);
    nz_graph_facts_done(&f);
    nz_binding binding = {.input = "picture", .shape = SHAPE(1, 4, 6, 6)};
    nz_assert_ok(nz_graph_facts_get(&f, g, &binding, 1));
    assert_true(f.ops_known);
    assert_int_equal(f.macs, MACS);
    nz_graph_facts_done(&f);
    binding.shape = SHAPE(1, 5, 6, 6);
    nz_assert_fails(nz_graph_facts_get(&f, g, &binding, 1), NZ_E_SHAPE, "picture");
    nz_graph_free(g);
}

/* ---- Bit width of nodes with MACs ---- */

/* Conv of activations that pass through a Q/DQ of `activation` (NONE: none) and weights stored as `weight`. */
static nz_graph_facts conv_of(nz_dtype activation, nz_dtype weight) {
    nz_graph *g = new_graph();
    int x = image(g, NZ_F32), w;
    if (activation != NZ_DTYPE_NONE) x = quantise(g, x, activation);
    if (weight == NZ_F32)
        w = graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1);
    else if (nz_dtype_get(weight)->is_float)
        w = cast(g, graph_constant(g, weight, SHAPE(8, 4, 3, 3), 1, 1), NZ_F32);
    else
        w = dequantised(g, weight, SHAPE(8, 4, 3, 3));
    return count(g, conv(g, x, w));
}

static void widths_of_nodes_with_macs(void **state) {
    (void)state;
    static const struct {
        nz_dtype activation, weight;
        int bits, stored, weight_bits, activation_bits;
    } cases[] = {
        {NZ_U8, NZ_I8, 8, 8, 8, 8},              /* QDQ W8A8 */
        {NZ_I8, NZ_I8, 8, 8, 8, 8},              /* signed activations */
        {NZ_U8, NZ_I4, 8, 4, 4, 8},              /* W4A8 */
        {NZ_U16, NZ_I8, 16, 8, 8, 16},           /* W8A16 */
        {NZ_DTYPE_NONE, NZ_I8, 32, 8, 8, 32},    /* int8 weights, float activations */
        {NZ_DTYPE_NONE, NZ_I4, 32, 4, 4, 32},    /* int4 weights, float activations */
        {NZ_DTYPE_NONE, NZ_F16, 32, 16, 16, 32}, /* fp16 weights cast to float */
        {NZ_DTYPE_NONE, NZ_BF16, 32, 16, 16, 32},
        {NZ_U8, NZ_F32, 32, 32, 32, 8}, /* float weights */
        {NZ_DTYPE_NONE, NZ_F32, 32, 32, 32, 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nz_graph_facts f = conv_of(cases[i].activation, cases[i].weight);
        const nz_layer_facts *l = layer(&f, "Conv");
        assert_int_equal(l->macs, MACS);
        assert_int_equal(l->bits, cases[i].bits);
        assert_int_equal(l->bits_stored, cases[i].stored);
        assert_int_equal(l->weight_bits, cases[i].weight_bits);
        assert_int_equal(l->activation_bits, cases[i].activation_bits);
        nz_assert_near(f.chats, 2.0 * MACS * cases[i].bits, 0, 0);
        nz_assert_near(f.chats_macs, 1.0 * MACS * cases[i].bits, 0, 0);
        nz_assert_near(f.chats_macs_stored, 1.0 * MACS * cases[i].stored, 0, 0);
        nz_assert_near(f.bops, 1.0 * MACS * cases[i].weight_bits * cases[i].activation_bits, 0, 0);
        assert_int_equal(f.flops, cases[i].bits == 32 ? 2 * MACS : 0);
        assert_int_equal(f.params, 288);
        nz_graph_facts_done(&f);
    }
}

static void half_precision_throughout_is_16(void **state) {
    (void)state;
    static const nz_dtype types[] = {NZ_F16, NZ_BF16};
    for (int i = 0; i < 2; i++) {
        nz_graph *g = new_graph();
        int w = graph_constant(g, types[i], SHAPE(8, 4, 3, 3), 1, 1);
        nz_graph_facts f = count(g, graph_node(g, "Relu", conv(g, image(g, types[i]), w)));
        assert_int_equal(layer(&f, "Conv")->bits, 16);
        assert_int_equal(layer(&f, "Relu")->bits, 16);
        assert_int_equal(f.flops, f.ops);
        nz_assert_near(f.chats, 16.0 * (double)f.ops, 0, 0);
        nz_graph_facts_done(&f);
    }
}

static void int8_weights_with_half_precision_activations_are_16(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = graph_constant(g, NZ_I8, SHAPE(8, 4, 3, 3), 1, 0.1), scale = graph_constant(g, NZ_F16, SHAPE(8), 1, 0);
    int d = graph_node(g, "DequantizeLinear", w, scale);
    nz_assert_ok(nz_node_set_int(graph_last(g), "axis", 0));
    nz_graph_facts f = count(g, conv(g, image(g, NZ_F16), d));
    assert_int_equal(layer(&f, "Conv")->bits, 16);
    assert_int_equal(layer(&f, "Conv")->bits_stored, 8);
    nz_graph_facts_done(&f);
}

static void a_cast_of_activations_is_where_they_originate(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = cast(g, graph_constant(g, NZ_F16, SHAPE(8, 4, 3, 3), 1, 1), NZ_F32);
    nz_graph_facts f = count(g, conv(g, cast(g, image(g, NZ_F16), NZ_F32), w));
    assert_int_equal(layer(&f, "Conv")->bits, 32);
    assert_int_equal(layer(&f, "Conv")->weight_bits, 16);
    assert_int_equal(layer(&f, "Conv")->activation_bits, 32);
    nz_graph_facts_done(&f);
}

static void identity_reshape_and_transpose_are_looked_through(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = quantise(g, graph_input(g, "x", NZ_F32, SHAPE(1, 6, 6, 4)), NZ_U8);
    int t = graph_node(g, "Transpose", graph_node(g, "Identity", x));
    nz_assert_ok(nz_node_set_ints(graph_last(g), "perm", (int64_t[]){0, 3, 1, 2}, 4));
    int shape = graph_constant(g, NZ_I64, SHAPE(4), 0, 0);
    static const int64_t extents[] = {1, 4, 6, 6};
    for (int i = 0; i < 4; i++) nz_tensor_set_int(&g->values[shape].constant, i, extents[i]);
    int r = graph_node(g, "Reshape", t, shape);
    nz_graph_facts f = count(g, conv(g, r, dequantised(g, NZ_I8, SHAPE(8, 4, 3, 3))));
    assert_int_equal(layer(&f, "Conv")->bits, 8);
    nz_graph_facts_done(&f);
}

static void the_outputs_quantisation_and_the_bias_do_not_matter(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = quantise(g, image(g, NZ_F32), NZ_U8), w = dequantised(g, NZ_I8, SHAPE(8, 4, 3, 3));
    int bias = dequantised(g, NZ_I32, SHAPE(8));
    nz_graph_facts f = count(g, graph_node(g, "Conv", x, w, bias)); /* the output stays float */
    assert_int_equal(layer(&f, "Conv")->bits, 8);
    assert_int_equal(f.params, 288 + 8);
    nz_graph_facts_done(&f);
    g = new_graph();
    f = count(g, quantise(g, conv(g, image(g, NZ_F32), graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1)), NZ_U8));
    assert_int_equal(layer(&f, "Conv")->bits, 32); /* only the output is quantised */
    nz_graph_facts_done(&f);
}

static void two_activations_have_their_own_widths(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int a = quantise(g, graph_input(g, "a", NZ_F32, SHAPE(2, 3, 4)), NZ_U16);
    int b = quantise(g, graph_input(g, "b", NZ_F32, SHAPE(2, 4, 5)), NZ_I8);
    nz_graph_facts f = count(g, graph_node(g, "MatMul", a, b));
    const nz_layer_facts *l = layer(&f, "MatMul");
    assert_int_equal(l->macs, 2 * 3 * 4 * 5);
    assert_int_equal(l->bits, 16);
    assert_int_equal(l->bits_stored, 16);
    nz_assert_near(f.bops, 120.0 * 16 * 8, 0, 0);
    assert_int_equal(l->macs_effective, 120);
    nz_graph_facts_done(&f);
}

static void a_constant_first_operand_is_the_weight(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = dequantised(g, NZ_I4, SHAPE(3, 4));
    nz_graph_facts f = count(g, graph_node(g, "MatMul", w, graph_input(g, "b", NZ_F32, SHAPE(4, 5))));
    assert_int_equal(layer(&f, "MatMul")->weight_bits, 4);
    assert_int_equal(layer(&f, "MatMul")->activation_bits, 32);
    assert_int_equal(f.params, 12);
    nz_graph_facts_done(&f);
}

static void integer_operators_have_their_operands_types(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = graph_constant(g, NZ_I8, SHAPE(8, 4, 3, 3), -100, 1), zx = graph_constant(g, NZ_U8, SHAPE(1), 3, 0);
    g->values[zx].shape.rank = g->values[zx].constant.shape.rank = 0;
    nz_graph_facts f = count(g, graph_node(g, "ConvInteger", image(g, NZ_U8), w, zx));
    assert_int_equal(layer(&f, "ConvInteger")->bits, 8);
    assert_int_equal(f.flops, 0);
    nz_assert_near(f.bops, 64.0 * MACS, 0, 0);
    assert_int_equal(f.params, 288);
    nz_graph_facts_done(&f);
}

/* ---- Bit width of other nodes ---- */

static void a_node_before_a_quantiser_has_its_type(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int relu = graph_node(g, "Relu", conv(g, image(g, NZ_F32), graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1)));
    nz_graph_facts f = count(g, quantise(g, graph_node(g, "GlobalAveragePool", relu), NZ_U8));
    assert_int_equal(layer(&f, "Relu")->bits, 8); /* through the pooling */
    assert_int_equal(layer(&f, "GlobalAveragePool")->bits, 8);
    assert_int_equal(layer(&f, "Conv")->bits, 32);
    assert_int_equal(f.flops, 2 * MACS);
    nz_graph_facts_done(&f);
}

static void a_second_consumer_keeps_a_node_at_its_inputs_type(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int relu = graph_node(g, "Relu", image(g, NZ_F32));
    int q = quantise(g, relu, NZ_U8);
    nz_graph_facts f = count(g, graph_node(g, "Add", q, relu));
    assert_int_equal(layer(&f, "Relu")->bits, 32);
    assert_int_equal(layer(&f, "Add")->bits, 32); /* the wider of uint8 and float */
    nz_graph_facts_done(&f);
}

static void a_graph_output_is_a_consumer(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int relu = graph_node(g, "Relu", image(g, NZ_F32));
    nz_assert_ok(nz_graph_add_output(g, relu));
    nz_graph_facts f = count(g, quantise(g, relu, NZ_U8));
    assert_int_equal(layer(&f, "Relu")->bits, 32);
    nz_graph_facts_done(&f);
}

static void macs_on_the_way_end_the_search_for_a_quantiser(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int relu = graph_node(g, "Relu", image(g, NZ_F32));
    nz_graph_facts f = count(g, quantise(g, conv(g, relu, graph_constant(g, NZ_F32, SHAPE(8, 4, 3, 3), 1, 1)), NZ_U8));
    assert_int_equal(layer(&f, "Relu")->bits, 32);
    nz_graph_facts_done(&f);
}

static void without_a_quantiser_the_widest_inputs_origin_counts(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int a = quantise(g, graph_input(g, "a", NZ_F32, SHAPE(1, 4, 6, 6)), NZ_U8);
    int b = quantise(g, graph_input(g, "b", NZ_F32, SHAPE(1, 4, 6, 6)), NZ_U16);
    nz_graph_facts f = count(g, graph_node(g, "Add", a, b));
    assert_int_equal(layer(&f, "Add")->bits, 16);
    assert_int_equal(f.flops, 0);
    nz_graph_facts_done(&f);
}

/* The axes of a reduction are 64-bit numbers, but nothing is computed with them. */
static void what_instructs_an_operator_is_no_operand(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    nz_graph_facts f =
        count(g, graph_node(g, "ReduceMean", image(g, NZ_F32), graph_constant(g, NZ_I64, SHAPE(1), 1, 0)));
    assert_int_equal(layer(&f, "ReduceMean")->bits, 32);
    assert_int_equal(f.flops, f.ops);
    assert_true(f.ops > 0);
    nz_graph_facts_done(&f);
}

static void integer_arithmetic_is_counted_but_is_not_floating(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int x = graph_input(g, "x", NZ_I64, SHAPE(5));
    nz_graph_facts f = count(g, graph_node(g, "Mul", x, x));
    assert_int_equal(f.ops, 5);
    assert_int_equal(f.flops, 0);
    nz_assert_near(f.chats, 5 * 64, 0, 0);
    nz_graph_facts_done(&f);
}

/* The paper's FP16 row: 8.1 G x 16. */
static void stored_widths_follow_the_weights(void **state) {
    (void)state;
    nz_graph *g = new_graph();
    int w = cast(g, graph_constant(g, NZ_F16, SHAPE(8, 4, 3, 3), 1, 1), NZ_F32);
    nz_graph_facts f = count(g, graph_node(g, "Relu", conv(g, image(g, NZ_F32), w)));
    nz_assert_near(f.chats_macs, 32.0 * MACS, 0, 0);
    nz_assert_near(f.chats_macs_stored, 16.0 * MACS, 0, 0);
    nz_assert_near(f.chats, 32.0 * (2 * MACS + OUTPUTS), 0, 0);
    nz_assert_near(f.chats_stored, 16.0 * 2 * MACS + 32.0 * OUTPUTS, 0, 0);
    nz_graph_facts_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_a_sum_over_nodes),
        cmocka_unit_test(counting_again_gives_the_same),
        cmocka_unit_test(a_symbolic_batch_counts_as_1),
        cmocka_unit_test(what_folds_or_is_dead_costs_nothing),
        cmocka_unit_test(conversions_are_counted_apart),
        cmocka_unit_test(an_unknown_operator_makes_counts_unavailable_and_is_named),
        cmocka_unit_test(open_extents_leave_parameters_known),
        cmocka_unit_test(widths_of_nodes_with_macs),
        cmocka_unit_test(half_precision_throughout_is_16),
        cmocka_unit_test(int8_weights_with_half_precision_activations_are_16),
        cmocka_unit_test(a_cast_of_activations_is_where_they_originate),
        cmocka_unit_test(identity_reshape_and_transpose_are_looked_through),
        cmocka_unit_test(the_outputs_quantisation_and_the_bias_do_not_matter),
        cmocka_unit_test(two_activations_have_their_own_widths),
        cmocka_unit_test(a_constant_first_operand_is_the_weight),
        cmocka_unit_test(integer_operators_have_their_operands_types),
        cmocka_unit_test(a_node_before_a_quantiser_has_its_type),
        cmocka_unit_test(a_second_consumer_keeps_a_node_at_its_inputs_type),
        cmocka_unit_test(a_graph_output_is_a_consumer),
        cmocka_unit_test(macs_on_the_way_end_the_search_for_a_quantiser),
        cmocka_unit_test(without_a_quantiser_the_widest_inputs_origin_counts),
        cmocka_unit_test(what_instructs_an_operator_is_no_operand),
        cmocka_unit_test(integer_arithmetic_is_counted_but_is_not_floating),
        cmocka_unit_test(stored_widths_follow_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
