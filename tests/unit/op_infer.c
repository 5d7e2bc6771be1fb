/* SPDX-License-Identifier: Apache-2.0 */
/** Shapes of outputs, also from symbolic inputs, and what is refused with which words. */
#include "op.h"

static void broadcasting_follows_numpy(void **state) {
    static const char *const cases[][3] = {
        {"2x3x4", "4", "2x3x4"}, {"2x3x4", "3x1", "2x3x4"},      {"1x4", "3x1", "3x4"}, {"", "2x2", "2x2"},
        {"?x3", "3", "?x3"},     {"?x3", "7x1", "7x3"},          {"?x3", "1x3", "?x3"}, {"5x?", "?x1", "5x?"},
        {"0x3", "1x3", "0x3"},   {"8x1x6x1", "7x1x5", "8x7x6x5"}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_in(&t, NZ_F32, cases[i][0]);
        op_in(&t, NZ_F32, cases[i][1]);
        op_node(&t, "Add", 1);
        nz_assert_ok(op_infer(&t));
        op_expect_shape(&t, 0, cases[i][2]);
        op_done(&t);
    }
}

static void shapes_that_do_not_broadcast_are_named(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_F32, "2x4");
    op_node(&t, "Mul", 1);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "shapes 2x3 and 2x4 of input 1 do not broadcast");
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "node 'n' (Mul)");
    op_done(&t);
}

static void mixed_types_are_refused(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2");
    op_in(&t, NZ_F16, "2");
    op_node(&t, "Add", 1);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "are float and float16");
    op_done(&t);
}

static void wrong_counts_of_inputs_are_refused(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2");
    op_node(&t, "Add", 1);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "has 1 inputs, needs at least 2");
    op_done(&t);
    op_in(&t, NZ_F32, "2");
    op_skip(&t);
    op_node(&t, "Sub", 1);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "input 1 is left out but required");
    op_done(&t);
    op_in(&t, NZ_F32, "2");
    op_node(&t, "Relu", 2);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "has 2 outputs, at most 1");
    op_done(&t);
}

static void unclaimed_types_are_refused(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_I32, "2");
    op_node(&t, "Sqrt", 1);
    nz_assert_fails(op_infer(&t), NZ_E_UNSUPPORTED, "type int32 is not supported");
    op_done(&t);
}

static void plan_inputs_must_be_constant(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_I64, "1");
    op_node(&t, "Reshape", 1);
    nz_assert_fails(op_infer(&t), NZ_E_UNSUPPORTED, "input 1 must be a constant");
    op_done(&t);
}

static void expect_reshape(const char *in, const char *out, const double *wanted, size_t count, bool allow_zero) {
    op_case t = {0};
    char length[16];
    snprintf(length, sizeof length, "%zu", count);
    op_in(&t, NZ_F32, in);
    op_const(&t, NZ_I64, length, wanted);
    nz_node *node = op_node(&t, "Reshape", 1);
    if (allow_zero) nz_assert_ok(nz_node_set_int(node, "allowzero", 1));
    if (out) {
        nz_assert_ok(op_infer(&t));
        op_expect_shape(&t, 0, out);
    } else {
        nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "cannot reshape");
    }
    op_done(&t);
}

static void reshape_fills_the_open_extent(void **state) {
    (void)state;
    expect_reshape("2x3x4", "6x4", OP_VALUES(-1, 4), 2, false);
    expect_reshape("2x3x4", "2x12", OP_VALUES(0, -1), 2, false);
    expect_reshape("?x3x4", "?x12", OP_VALUES(0, -1), 2, false);
    expect_reshape("?x3x4", "?x12", OP_VALUES(-1, 12), 2, false);
    expect_reshape("?x3x4", "1x12", OP_VALUES(1, 12), 2, false);
}

static void reshape_keeps_the_number_of_elements(void **state) {
    (void)state;
    expect_reshape("2x3x4", NULL, OP_VALUES(5, -1), 2, false);
    expect_reshape("2x3x4", NULL, OP_VALUES(5, 5), 2, false);
    expect_reshape("2x3x4", NULL, OP_VALUES(-1, -1), 2, false);
    expect_reshape("2", NULL, OP_VALUES(1, 1, 0), 3, false);
    expect_reshape("0x3", "3x0", OP_VALUES(3, 0), 2, true);
    expect_reshape("2x3", NULL, OP_VALUES(-5, 3), 2, false);
}

static void huge_extents_do_not_overflow(void **state) {
    (void)state;
    expect_reshape("2x3", NULL, OP_VALUES(4e18, 4e18), 2, false);
    op_case t = {0};
    op_in(&t, NZ_F32, "4611686018427387904");
    op_in(&t, NZ_F32, "4611686018427387904");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Concat", 1), "axis", 0));
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "which no memory holds");
    op_done(&t);
    op_in(&t, NZ_F32, "2");
    op_list(&t, 9e18);
    op_node(&t, "Tile", 1);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "cannot repeat");
    op_done(&t);
}

static void concat_adds_along_its_axis(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3x?");
    op_in(&t, NZ_F32, "2x5x4");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Concat", 1), "axis", -2));
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "2x8x4");
    op_done(&t);
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_F32, "4x3");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Concat", 1), "axis", 1));
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "input 1 of shape 4x3 does not join 2x3 along axis 1");
    op_done(&t);
}

static void slice_clamps_and_steps(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "10x?x7");
    op_list(&t, -3, 0);
    op_list(&t, 100, -100);
    op_list(&t, 0, 1);
    op_list(&t, 2, 1);
    op_node(&t, "Slice", 1);
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "2x?x7");
    op_done(&t);
    op_in(&t, NZ_F32, "10");
    op_list(&t, 8);
    op_list(&t, -100);
    op_list(&t, 0);
    op_list(&t, -3);
    op_node(&t, "Slice", 1);
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "3");
    op_done(&t);
    op_in(&t, NZ_F32, "10");
    op_list(&t, 0);
    op_list(&t, 5);
    op_list(&t, 1);
    op_node(&t, "Slice", 1);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "axis 1 is outside a tensor of rank 1");
    op_done(&t);
}

static void split_shares_out_what_is_left(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "7x2");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Split", 3), "num_outputs", 3));
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "3x2");
    op_expect_shape(&t, 2, "1x2");
    op_done(&t);
    op_in(&t, NZ_F32, "7x2");
    op_list(&t, 3, 5);
    op_node(&t, "Split", 2);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "do not sum up to 7");
    op_done(&t);
}

static void reductions_keep_or_drop_axes(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "?x8x7x6");
    op_list(&t, -1, 2);
    op_node(&t, "ReduceMean", 1);
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "?x8x1x1");
    op_done(&t);
    op_in(&t, NZ_F32, "4x8");
    nz_assert_ok(nz_node_set_int(op_node(&t, "ReduceMax", 1), "keepdims", 0));
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "");
    op_done(&t);
    op_in(&t, NZ_F32, "4x8");
    op_list(&t, 0, -2);
    op_node(&t, "ReduceSum", 1);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "axis 0 is given twice");
    op_done(&t);
}

static void ranks_and_indices_follow(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "5x4x3");
    op_in(&t, NZ_I64, "2x2");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Gather", 1), "axis", 1));
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "5x2x2x3");
    op_done(&t);
    op_in(&t, NZ_F32, "5x4x3");
    op_list(&t, 4);
    nz_assert_ok(nz_node_set_int(op_node(&t, "Gather", 1), "axis", 1));
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "index 4 is outside an axis of extent 4");
    op_done(&t);
    op_in(&t, NZ_F32, "5x4");
    op_list(&t, 5);
    op_node(&t, "TopK", 2);
    nz_assert_fails(op_infer(&t), NZ_E_SHAPE, "k is 5 for an extent of 4");
    op_done(&t);
}

static void attribute_values_outside_the_claims_are_refused(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2");
    op_list(&t, 1, 1);
    nz_assert_ok(nz_node_set_string(op_node(&t, "Pad", 1), "mode", "mirror"));
    nz_assert_fails(op_infer(&t), NZ_E_UNSUPPORTED, "not 'mirror'");
    op_done(&t);
    op_in(&t, NZ_F32, "2");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Cast", 1), "to", NZ_STRING));
    nz_assert_fails(op_infer(&t), NZ_E_UNSUPPORTED, "a cast to type string");
    op_done(&t);
    op_in(&t, NZ_F32, "2");
    op_skip(&t);
    op_const(&t, NZ_BOOL, "", OP_VALUES(1));
    op_node(&t, "Dropout", 1);
    nz_assert_fails(op_infer(&t), NZ_E_UNSUPPORTED, "export the model for inference");
    op_done(&t);
}

static void the_table_is_sorted_and_complete(void **state) {
    (void)state;
    const nz_op *before = NULL, *op;
    for (size_t i = 0; (op = nz_op_at(i)); before = op, i++) {
        if (before) assert_true(strcmp(before->name, op->name) <= 0);
        assert_ptr_equal(nz_op_find(op->domain, op->name), op);
        assert_non_null(op->infer);
        assert_non_null(op->run);
        assert_non_null(op->versions);
        assert_true(op->versions[0] > 0);
        for (const int *v = op->versions; v[1]; v++) assert_true(v[0] < v[1]);
        assert_true(op->canonical_since > 0);
    }
    assert_null(nz_op_find("", "NoSuchOperator"));
    assert_null(nz_op_find("com.example", "Add"));
    assert_non_null(nz_op_find("ai.onnx", "Add"));
    assert_non_null(nz_op_find(NULL, "Add"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broadcasting_follows_numpy),
        cmocka_unit_test(shapes_that_do_not_broadcast_are_named),
        cmocka_unit_test(mixed_types_are_refused),
        cmocka_unit_test(wrong_counts_of_inputs_are_refused),
        cmocka_unit_test(unclaimed_types_are_refused),
        cmocka_unit_test(plan_inputs_must_be_constant),
        cmocka_unit_test(reshape_fills_the_open_extent),
        cmocka_unit_test(reshape_keeps_the_number_of_elements),
        cmocka_unit_test(huge_extents_do_not_overflow),
        cmocka_unit_test(concat_adds_along_its_axis),
        cmocka_unit_test(slice_clamps_and_steps),
        cmocka_unit_test(split_shares_out_what_is_left),
        cmocka_unit_test(reductions_keep_or_drop_axes),
        cmocka_unit_test(ranks_and_indices_follow),
        cmocka_unit_test(attribute_values_outside_the_claims_are_refused),
        cmocka_unit_test(the_table_is_sorted_and_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
