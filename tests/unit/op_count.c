/* SPDX-License-Identifier: Apache-2.0 */
/** Operations by the table of metrics: one test per row. */
#include "op.h"

/** The cost of an operator over up to three f32 inputs of given shapes (NULL: none). */
static nz_op_cost cost_of(const char *op_type, const char *a, const char *b, const char *c) {
    op_case t = {0};
    const char *shapes[] = {a, b, c};
    for (int i = 0; i < 3 && shapes[i]; i++) op_in(&t, NZ_F32, shapes[i]);
    op_node(&t, op_type, 1);
    nz_op_cost cost = op_count(&t);
    op_done(&t);
    return cost;
}

static void assert_ops(nz_op_cost cost, uint64_t ops) {
    assert_int_equal(cost.ops, ops);
    assert_int_equal(cost.macs, 0);
    assert_int_equal(cost.conversions, 0);
}

static void unary_is_1_per_element(void **state) {
    static const char *const names[] = {
        "Abs",       "Acos", "Acosh", "Asin",       "Asinh",    "Atan",  "Atanh",       "Ceil",   "Celu",
        "Cos",       "Cosh", "Elu",   "Erf",        "Exp",      "Floor", "HardSigmoid", "IsInf",  "IsNaN",
        "LeakyRelu", "Log",  "Neg",   "Reciprocal", "Relu",     "Round", "Selu",        "Shrink", "Sigmoid",
        "Sign",      "Sin",  "Sinh",  "Softplus",   "Softsign", "Sqrt",  "Tan",         "Tanh",   "ThresholdedRelu"};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(names); i++) assert_ops(cost_of(names[i], "2x3x5", NULL, NULL), 30);
}

static void clip_and_prelu_are_1_per_element(void **state) {
    (void)state;
    assert_ops(cost_of("Clip", "4x5", "", ""), 20);
    assert_ops(cost_of("PRelu", "1x3x4x4", "3x1x1", NULL), 48);
}

static void decomposed_activations_cost_their_steps(void **state) {
    (void)state;
    assert_ops(cost_of("HardSwish", "3x7", NULL, NULL), 42);
    assert_ops(cost_of("Swish", "3x7", NULL, NULL), 42);
    assert_ops(cost_of("Mish", "3x7", NULL, NULL), 63);
    assert_ops(cost_of("Gelu", "3x7", NULL, NULL), 105);
}

static void nary_arithmetic_is_inputs_less_1_per_output(void **state) {
    static const char *const pairs[] = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(pairs); i++) assert_ops(cost_of(pairs[i], "2x3x4", "4", NULL), 24);
    for (size_t i = 5; i < NZ_COUNT(pairs); i++) {
        assert_ops(cost_of(pairs[i], "2x3x4", "3x1", "4"), 48);
        assert_ops(cost_of(pairs[i], "2x3x4", NULL, NULL), 0);
    }
}

static void broadcasting_counts_outputs(void **state) {
    (void)state;
    assert_ops(cost_of("Add", "2x1x4", "3x1", NULL), 24);
}

static void comparison_is_1_per_output(void **state) {
    static const char *const names[] = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(names); i++) assert_ops(cost_of(names[i], "5x1", "1x6", NULL), 30);
}

static void where_is_1_per_output(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_BOOL, "4x1");
    op_in(&t, NZ_F32, "5");
    op_in(&t, NZ_F32, "");
    op_node(&t, "Where", 1);
    assert_ops(op_count(&t), 20);
    op_done(&t);
}

static nz_op_cost reduce_cost(const char *op_type) {
    op_case t = {0};
    op_in(&t, NZ_F32, "2x8x7x7");
    op_list(&t, 2, 3);
    op_node(&t, op_type, 1);
    nz_op_cost cost = op_count(&t);
    op_done(&t);
    return cost;
}

static void reductions_cost_their_input(void **state) {
    static const char *const once[] = {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceLogSum"};
    static const char *const twice[] = {"ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(once); i++) assert_ops(reduce_cost(once[i]), 784);
    for (size_t i = 0; i < NZ_COUNT(twice); i++) assert_ops(reduce_cost(twice[i]), 2 * 784);
    assert_ops(reduce_cost("ReduceMean"), 784 + 16);
}

static void ranking_is_1_per_input_element(void **state) {
    op_case t = {0};
    (void)state;
    assert_ops(cost_of("ArgMax", "3x100", NULL, NULL), 300);
    assert_ops(cost_of("ArgMin", "3x100", NULL, NULL), 300);
    op_in(&t, NZ_F32, "3x100");
    op_list(&t, 5);
    op_node(&t, "TopK", 2);
    assert_ops(op_count(&t), 300);
    op_done(&t);
}

static void suppression_is_1_per_input_element(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "1x3x4", OP_VALUES(0, 0, 1, 1, 0, 0, 1, 1, 5, 5, 6, 6));
    op_const(&t, NZ_F32, "1x2x3", OP_VALUES(0.9, 0.8, 0.7, 0.1, 0.2, 0.3));
    op_list(&t, 2);
    op_const(&t, NZ_F32, "", OP_VALUES(0.5));
    op_const(&t, NZ_F32, "", OP_VALUES(0.15));
    op_node(&t, "NonMaxSuppression", 1);
    assert_ops(op_count(&t), 12 + 6);
    op_expect(&t, NZ_I64, "4x3", OP_VALUES(0, 0, 0, 0, 0, 2, 0, 1, 2, 0, 1, 1));
}

static void sampling_costs_its_taps(void **state) {
    static const struct {
        const char *mode;
        uint64_t each;
    } cases[] = {{"nearest", 0}, {"linear", 7}, {"cubic", 31}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_in(&t, NZ_F32, "1x3x8x8");
        op_in(&t, NZ_F32, "1x2x5x2");
        nz_assert_ok(nz_node_set_string(op_node(&t, "GridSample", 1), "mode", cases[i].mode));
        assert_ops(op_count(&t), cases[i].each * 30);
        op_done(&t);
    }
}

static void data_movement_is_free(void **state) {
    op_case t = {0};
    (void)state;
    assert_ops(cost_of("Transpose", "2x3x4", NULL, NULL), 0);
    assert_ops(cost_of("Identity", "2x3x4", NULL, NULL), 0);
    assert_ops(cost_of("Flatten", "2x3x4", NULL, NULL), 0);
    assert_ops(cost_of("Shape", "2x3x4", NULL, NULL), 0);
    assert_ops(cost_of("Dropout", "2x3x4", NULL, NULL), 0);
    assert_ops(cost_of("Concat", "2x3", "5x3", NULL), 0);
    op_in(&t, NZ_F32, "2x3");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Cast", 1), "to", NZ_F16));
    assert_ops(op_count(&t), 0);
    op_done(&t);
    op_in(&t, NZ_F32, "2x3");
    op_list(&t, 3, 2);
    op_node(&t, "Reshape", 1);
    assert_ops(op_count(&t), 0);
    op_done(&t);
    op_in(&t, NZ_F32, "4x3");
    op_in(&t, NZ_I64, "9");
    op_node(&t, "Gather", 1);
    assert_ops(op_count(&t), 0);
    op_done(&t);
}

static void einsum_is_2_per_mac(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3x5");
    op_in(&t, NZ_F32, "2x5x7");
    nz_assert_ok(nz_node_set_string(op_node(&t, "Einsum", 1), "equation", "bij,bjk->bik"));
    nz_op_cost cost = op_count(&t);
    assert_int_equal(cost.macs, 2 * 3 * 5 * 7);
    assert_int_equal(cost.ops, 2 * 2 * 3 * 5 * 7);
    op_done(&t);
}

static void unknown_shapes_are_not_counted(void **state) {
    op_case t = {0};
    nz_op_cost cost = {0};
    (void)state;
    op_in(&t, NZ_F32, "?x3");
    op_node(&t, "Relu", 1);
    nz_assert_ok(op_infer(&t));
    nz_assert_fails(nz_op_find("", "Relu")->count(&t.ctx, &cost), NZ_E_SHAPE, "shape is not known");
    assert_int_equal(cost.ops, 0);
    op_done(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_is_1_per_element),
        cmocka_unit_test(clip_and_prelu_are_1_per_element),
        cmocka_unit_test(decomposed_activations_cost_their_steps),
        cmocka_unit_test(nary_arithmetic_is_inputs_less_1_per_output),
        cmocka_unit_test(broadcasting_counts_outputs),
        cmocka_unit_test(comparison_is_1_per_output),
        cmocka_unit_test(where_is_1_per_output),
        cmocka_unit_test(reductions_cost_their_input),
        cmocka_unit_test(ranking_is_1_per_input_element),
        cmocka_unit_test(suppression_is_1_per_input_element),
        cmocka_unit_test(sampling_costs_its_taps),
        cmocka_unit_test(data_movement_is_free),
        cmocka_unit_test(einsum_is_2_per_mac),
        cmocka_unit_test(unknown_shapes_are_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
