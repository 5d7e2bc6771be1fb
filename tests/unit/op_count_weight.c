/* SPDX-License-Identifier: Apache-2.0 */
/* Operations by the table of metrics: the rows of operators with weights, pooling, normalisation, interpolation, quantisation. */
#include "op.h"

/* Up to five f32 inputs by shape; NULL leaves one out; the list ends with "end". */
static void inputs(op_case *t, const char *const *shapes) {
    for (; !*shapes || strcmp(*shapes, "end") != 0; shapes++)
        if (*shapes)
            op_in(t, NZ_F32, *shapes);
        else
            op_skip(t);
}
#define SHAPES(...) ((const char *const[]){__VA_ARGS__, "end"})

static void assert_cost(op_case *t, uint64_t macs, uint64_t ops) {
    nz_op_cost cost = op_count(t);
    assert_int_equal(cost.macs, macs);
    assert_int_equal(cost.ops, ops);
    assert_int_equal(cost.conversions, 0);
    op_done(t);
}

static void set_ints(nz_node *node, const char *name, int64_t a, int64_t b) {
    nz_assert_ok(nz_node_set_ints(node, name, (int64_t[]){a, b}, 2));
}

static void conv_is_2_per_mac_and_1_per_output_with_a_bias(void **state) {
    (void)state;
    for (int bias = 0; bias < 2; bias++) {
        op_case t = {0};
        inputs(&t, bias ? SHAPES("1x3x8x9", "4x3x3x3", "4") : SHAPES("1x3x8x9", "4x3x3x3"));
        op_node(&t, "Conv", 1);
        assert_cost(&t, 4 * 6 * 7 * 27, 2 * 4 * 6 * 7 * 27 + (bias ? 4 * 6 * 7 : 0));
    }
}

static void conv_counts_padded_positions(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("1x3x8x8", "4x3x3x3"));
    nz_assert_ok(nz_node_set_string(op_node(&t, "Conv", 1), "auto_pad", "SAME_UPPER"));
    assert_cost(&t, 4 * 64 * 27, 2 * 4 * 64 * 27);
}

static void grouped_conv_counts_its_own_channels(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("2x6x5x5", "4x3x3x3"));
    nz_assert_ok(nz_node_set_int(op_node(&t, "Conv", 1), "group", 2));
    assert_cost(&t, 2 * 4 * 9 * 27, 2 * 2 * 4 * 9 * 27);
    inputs(&t, SHAPES("1x6x5x5", "6x1x3x3"));
    nz_node *depthwise = op_node(&t, "Conv", 1);
    nz_assert_ok(nz_node_set_int(depthwise, "group", 6));
    set_ints(depthwise, "strides", 2, 2);
    assert_cost(&t, 6 * 4 * 9, 2 * 6 * 4 * 9);
}

static void conv_has_one_to_three_axes(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("1x2x10", "3x2x4"));
    op_node(&t, "Conv", 1);
    assert_cost(&t, 3 * 7 * 8, 2 * 3 * 7 * 8);
    inputs(&t, SHAPES("1x2x4x5x6", "3x2x2x2x2"));
    op_node(&t, "Conv", 1);
    assert_cost(&t, 3 * 60 * 16, 2 * 3 * 60 * 16);
}

static void conv_transpose_counts_from_its_input(void **state) {
    (void)state;
    for (int bias = 0; bias < 2; bias++) {
        op_case t = {0};
        inputs(&t, bias ? SHAPES("1x4x3x3", "4x5x3x3", "10") : SHAPES("1x4x3x3", "4x5x3x3"));
        nz_node *node = op_node(&t, "ConvTranspose", 1);
        nz_assert_ok(nz_node_set_int(node, "group", 2));
        set_ints(node, "strides", 2, 2);
        assert_cost(&t, 4 * 9 * 5 * 9, 2 * 4 * 9 * 5 * 9 + (bias ? 10 * 49 : 0));
    }
}

static void matrix_products_are_2_per_mac(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("2x3x4", "4x5"));
    op_node(&t, "MatMul", 1);
    assert_cost(&t, 2 * 3 * 5 * 4, 2 * 2 * 3 * 5 * 4);
    inputs(&t, SHAPES("4", "2x4x5"));
    op_node(&t, "MatMul", 1);
    assert_cost(&t, 2 * 5 * 4, 2 * 2 * 5 * 4);
    inputs(&t, SHAPES("4x3", "5x4"));
    nz_node *node = op_node(&t, "Gemm", 1);
    nz_assert_ok(nz_node_set_int(node, "transA", 1));
    nz_assert_ok(nz_node_set_int(node, "transB", 1));
    assert_cost(&t, 3 * 5 * 4, 2 * 3 * 5 * 4);
    inputs(&t, SHAPES("3x4", "4x5", "5"));
    op_node(&t, "Gemm", 1);
    assert_cost(&t, 3 * 5 * 4, 2 * 3 * 5 * 4 + 15);
}

static void integer_products_count_as_the_real_ones(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_U8, "1x3x8x9");
    op_in(&t, NZ_I8, "4x3x3x3");
    op_node(&t, "ConvInteger", 1);
    assert_cost(&t, 4 * 6 * 7 * 27, 2 * 4 * 6 * 7 * 27);
    op_in(&t, NZ_U8, "3x4");
    op_in(&t, NZ_I8, "4x5");
    op_node(&t, "MatMulInteger", 1);
    assert_cost(&t, 60, 120);
    for (int bias = 0; bias < 2; bias++) {
        static const nz_dtype conv_types[] = {NZ_U8, NZ_F32, NZ_U8, NZ_I8, NZ_F32, NZ_I8, NZ_F32, NZ_U8, NZ_I32};
        static const char *const conv_shapes[] = {"1x3x8x9", "", "", "4x3x3x3", "4", "4", "", "", "4"};
        for (int i = 0; i < 8 + bias; i++) op_in(&t, conv_types[i], conv_shapes[i]);
        op_node(&t, "QLinearConv", 1);
        assert_cost(&t, 4 * 6 * 7 * 27, 2 * 4 * 6 * 7 * 27 + (bias ? 4 * 6 * 7 : 0));
    }
    static const nz_dtype types[] = {NZ_U8, NZ_F32, NZ_U8, NZ_U8, NZ_F32, NZ_U8, NZ_F32, NZ_U8};
    static const char *const shapes[] = {"3x4", "", "", "4x5", "", "", "", ""};
    for (int i = 0; i < 8; i++) op_in(&t, types[i], shapes[i]);
    op_node(&t, "QLinearMatMul", 1);
    assert_cost(&t, 60, 120);
}

static void recurrent_gates_are_2_per_mac(void **state) {
    static const struct {
        const char *op, *w, *r, *bias;
        uint64_t gates, directions;
    } cells[] = {{"RNN", "1x4x3", "1x4x4", "1x8", 1, 1},
                 {"GRU", "1x12x3", "1x12x4", "1x24", 3, 1},
                 {"LSTM", "1x16x3", "1x16x4", "1x32", 4, 1},
                 {"LSTM", "2x16x3", "2x16x4", "2x32", 4, 2}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cells); i++)
        for (int bias = 0; bias < 2; bias++) {
            op_case t = {0};
            uint64_t outputs = 5 * 2 * cells[i].gates * cells[i].directions * 4;
            inputs(&t, bias ? SHAPES("5x2x3", cells[i].w, cells[i].r, cells[i].bias)
                            : SHAPES("5x2x3", cells[i].w, cells[i].r));
            nz_node *node = op_node(&t, cells[i].op, 1);
            nz_assert_ok(nz_node_set_int(node, "hidden_size", 4));
            if (cells[i].directions == 2) nz_assert_ok(nz_node_set_string(node, "direction", "bidirectional"));
            assert_cost(&t, outputs * 7, outputs * 14 + (bias ? outputs : 0));
        }
}

static void batch_norm_is_2_per_element(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("2x3x4x5", "3", "3", "3", "3"));
    op_node(&t, "BatchNormalization", 1);
    assert_cost(&t, 0, 240);
}

static void other_norms_are_5_and_2_with_scale_and_shift(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("2x3x4x5", "3", "3"));
    op_node(&t, "InstanceNormalization", 1);
    assert_cost(&t, 0, 7 * 120);
    inputs(&t, SHAPES("2x4x3x5", "4", "4"));
    nz_assert_ok(nz_node_set_int(op_node(&t, "GroupNormalization", 1), "num_groups", 2));
    assert_cost(&t, 0, 7 * 120);
    inputs(&t, SHAPES("2x3x4x5", "5", "5"));
    op_node(&t, "LayerNormalization", 1);
    assert_cost(&t, 0, 7 * 120);
    inputs(&t, SHAPES("2x3x4x5", "5"));
    op_node(&t, "LayerNormalization", 1);
    assert_cost(&t, 0, 6 * 120);
    inputs(&t, SHAPES("2x3x4x5"));
    op_node(&t, "MeanVarianceNormalization", 1);
    assert_cost(&t, 0, 5 * 120);
}

static void norms_outside_the_table_cost_their_steps(void **state) {
    (void)state;
    op_case t = {0};
    for (int p = 1; p <= 2; p++) {
        inputs(&t, SHAPES("2x3x4"));
        nz_assert_ok(nz_node_set_int(op_node(&t, "LpNormalization", 1), "p", p));
        assert_cost(&t, 0, 24 * (p == 2 ? 3 : 2));
    }
    inputs(&t, SHAPES("1x8x2x2"));
    nz_assert_ok(nz_node_set_int(op_node(&t, "LRN", 1), "size", 5));
    assert_cost(&t, 0, 32 * 14);
    inputs(&t, SHAPES("2x3x4", "4"));
    op_node(&t, "RMSNormalization", 1);
    assert_cost(&t, 0, 24 * 4);
}

static void softmax_is_3_per_element(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("2x1000"));
    op_node(&t, "Softmax", 1);
    assert_cost(&t, 0, 6000);
    inputs(&t, SHAPES("2x10"));
    op_node(&t, "LogSoftmax", 1);
    assert_cost(&t, 0, 60);
}

static void pooling_costs_by_its_window(void **state) {
    static const struct {
        const char *op;
        uint64_t each;
    } kinds[] = {{"MaxPool", 8}, {"AveragePool", 9}, {"LpPool", 18}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(kinds); i++) {
        op_case t = {0};
        inputs(&t, SHAPES("1x2x6x6"));
        nz_node *node = op_node(&t, kinds[i].op, 1);
        set_ints(node, "kernel_shape", 3, 3);
        nz_assert_ok(nz_node_set_ints(node, "pads", (int64_t[]){1, 1, 1, 1}, 4));
        assert_cost(&t, 0, 2 * 36 * kinds[i].each);
    }
}

static void global_pooling_costs_its_input(void **state) {
    static const struct {
        const char *op;
        uint64_t ops;
    } kinds[] = {{"GlobalMaxPool", 60}, {"GlobalAveragePool", 63}, {"GlobalLpPool", 120}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(kinds); i++) {
        op_case t = {0};
        inputs(&t, SHAPES("1x3x4x5"));
        op_node(&t, kinds[i].op, 1);
        assert_cost(&t, 0, kinds[i].ops);
    }
}

static void resize_costs_by_its_taps(void **state) {
    static const struct {
        const char *mode;
        double height, width;
        uint64_t ops;
    } cases[] = {{"nearest", 2, 2, 0},         {"linear", 2, 2, 7 * 2 * 64}, {"linear", 2, 1, 3 * 2 * 32},
                 {"cubic", 2, 2, 31 * 2 * 64}, {"linear", 1, 1, 0},          {"cubic", 1, 2, 7 * 2 * 32}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_in(&t, NZ_F32, "1x2x4x4");
        op_skip(&t);
        op_const(&t, NZ_F32, "4", OP_VALUES(1, 1, cases[i].height, cases[i].width));
        nz_assert_ok(nz_node_set_string(op_node(&t, "Resize", 1), "mode", cases[i].mode));
        assert_cost(&t, 0, cases[i].ops);
    }
}

static void quantising_is_free_but_counted_apart(void **state) {
    (void)state;
    op_case t = {0};
    inputs(&t, SHAPES("2x3x4", ""));
    op_node(&t, "QuantizeLinear", 1);
    nz_op_cost cost = op_count(&t);
    assert_true(cost.ops == 0 && cost.macs == 0 && cost.conversions == 24);
    op_done(&t);
    op_in(&t, NZ_I8, "2x3x4");
    op_in(&t, NZ_F32, "");
    op_node(&t, "DequantizeLinear", 1);
    cost = op_count(&t);
    assert_true(cost.ops == 0 && cost.macs == 0 && cost.conversions == 24);
    op_done(&t);
    inputs(&t, SHAPES("2x3x4"));
    op_node(&t, "DynamicQuantizeLinear", 3);
    cost = op_count(&t);
    assert_true(cost.ops == 48 && cost.macs == 0 && cost.conversions == 24);
    op_done(&t);
}

static void moving_back_what_was_pooled_is_free(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_F32, "1x1x2x2");
    op_in(&t, NZ_I64, "1x1x2x2");
    nz_node *node = op_node(&t, "MaxUnpool", 1);
    set_ints(node, "kernel_shape", 2, 2);
    set_ints(node, "strides", 2, 2);
    assert_cost(&t, 0, 0);
}

static void adding_columns_back_is_1_per_input_element(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_F32, "1x8x4");
    op_list(&t, 3, 3);
    op_list(&t, 2, 2);
    op_node(&t, "Col2Im", 1);
    assert_cost(&t, 0, 32);
}

static void costs_of_unknown_shapes_are_refused(void **state) {
    (void)state;
    op_case t = {0};
    nz_op_cost cost = {0};
    inputs(&t, SHAPES("?x3x8x9", "4x3x3x3"));
    op_node(&t, "Conv", 1);
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "?x4x6x7");
    nz_assert_fails(nz_op_find("", "Conv")->count(&t.ctx, &cost), NZ_E_SHAPE, "Conv");
    op_done(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_is_2_per_mac_and_1_per_output_with_a_bias),
        cmocka_unit_test(conv_counts_padded_positions),
        cmocka_unit_test(grouped_conv_counts_its_own_channels),
        cmocka_unit_test(conv_has_one_to_three_axes),
        cmocka_unit_test(conv_transpose_counts_from_its_input),
        cmocka_unit_test(matrix_products_are_2_per_mac),
        cmocka_unit_test(integer_products_count_as_the_real_ones),
        cmocka_unit_test(recurrent_gates_are_2_per_mac),
        cmocka_unit_test(batch_norm_is_2_per_element),
        cmocka_unit_test(other_norms_are_5_and_2_with_scale_and_shift),
        cmocka_unit_test(norms_outside_the_table_cost_their_steps),
        cmocka_unit_test(softmax_is_3_per_element),
        cmocka_unit_test(pooling_costs_by_its_window),
        cmocka_unit_test(global_pooling_costs_its_input),
        cmocka_unit_test(resize_costs_by_its_taps),
        cmocka_unit_test(quantising_is_free_but_counted_apart),
        cmocka_unit_test(moving_back_what_was_pooled_is_free),
        cmocka_unit_test(adding_columns_back_is_1_per_input_element),
        cmocka_unit_test(costs_of_unknown_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
