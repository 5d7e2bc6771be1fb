/* SPDX-License-Identifier: Apache-2.0 */
/** Old spellings come out canonical. */
#include "op.h"

/** Lifts the graph from `opset`; afterwards the node may have moved. */
static nz_node *lift(op_case *t, int opset) {
    t->graph->nodes[t->node].opset = opset;
    nz_assert_ok(nz_pass_lift(t->graph));
    for (size_t n = 0; n < t->graph->node_count; n++)
        if (strcmp(t->graph->nodes[n].name, "n") == 0) t->node = (int)n;
    return &t->graph->nodes[t->node];
}

static void assert_lifted(const nz_node *node) {
    if (node->unsupported) fail_msg("not lifted: %s", node->unsupported);
    assert_int_equal(node->opset, NZ_OPSET);
}

/** Input `i` must be a constant list of these integers. */
static void assert_list(const op_case *t, const nz_node *node, size_t i, const int64_t *values, size_t count) {
    assert_true(i < node->input_count);
    assert_true(nz_value_is_constant(t->graph, node->inputs[i]));
    const nz_tensor *list = &t->graph->values[node->inputs[i]].constant;
    assert_int_equal(list->dtype, NZ_I64);
    assert_int_equal(nz_shape_elements(&list->shape), count);
    for (size_t k = 0; k < count; k++) assert_int_equal(nz_tensor_int(list, (int64_t)k), values[k]);
}

static const nz_shape *output_shape(const op_case *t) { return &t->graph->values[t->outputs[0]].shape; }

static void assert_output(const op_case *t, const char *shape) {
    nz_shape wanted = op_shape(shape);
    char got[112];
    if (!nz_shape_equal(output_shape(t), &wanted))
        fail_msg("shape is %s, expected %s", nz_shape_text(output_shape(t), got), shape);
}

static void add_of_opset_6_broadcasts_along_its_axis(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3x4x5");
    op_in(&t, NZ_F32, "3");
    nz_node *node = op_node(&t, "Add", 1);
    nz_assert_ok(nz_node_set_int(node, "broadcast", 1));
    nz_assert_ok(nz_node_set_int(node, "axis", 1));
    node = lift(&t, 6);
    assert_lifted(node);
    assert_int_equal(node->attr_count, 0);
    assert_output(&t, "2x3x4x5");
    const nz_value *second = &t.graph->values[node->inputs[1]];
    nz_shape wanted = op_shape("3x1x1");
    assert_true(nz_shape_equal(&second->shape, &wanted));
    op_done(&t);
}

static void mul_of_opset_1_forgets_consumed_inputs(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_F32, "3");
    nz_node *node = op_node(&t, "Mul", 1);
    nz_assert_ok(nz_node_set_ints(node, "consumed_inputs", (const int64_t[]){0, 0}, 2));
    nz_assert_ok(nz_node_set_int(node, "broadcast", 1));
    node = lift(&t, 1);
    assert_lifted(node);
    assert_int_equal(node->attr_count, 0);
    assert_output(&t, "2x3");
    op_done(&t);
}

static void axis_of_arithmetic_is_refused_where_it_does_not_exist(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_F32, "3");
    nz_assert_ok(nz_node_set_int(op_node(&t, "Add", 1), "axis", 1));
    nz_node *node = lift(&t, 13);
    assert_non_null(node->unsupported);
    assert_non_null(strstr(node->unsupported, "attribute 'axis' of Add is not supported"));
    op_done(&t);
}

static void clip_bounds_become_inputs_of_the_same_type(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F16, "4");
    nz_node *node = op_node(&t, "Clip", 1);
    nz_assert_ok(nz_node_set_float(node, "max", 6));
    node = lift(&t, 6);
    assert_lifted(node);
    assert_int_equal(node->attr_count, 0);
    assert_int_equal(node->input_count, 3);
    assert_int_equal(node->inputs[1], NZ_NO_VALUE);
    const nz_tensor *most = &t.graph->values[node->inputs[2]].constant;
    assert_int_equal(most->dtype, NZ_F16);
    nz_assert_near(nz_tensor_real(most, 0), 6, 0, 0);
    op_done(&t);
}

static void lists_become_inputs(void **state) {
    static const struct {
        const char *op_type, *attribute, *in, *out;
        int opset;
        size_t position, count;
        int64_t values[4];
    } cases[] = {
        {"Reshape", "shape", "2x6", "3x4", 1, 1, 2, {3, 4}},
        {"Squeeze", "axes", "1x3x1", "3x1", 11, 1, 1, {0}},
        {"Unsqueeze", "axes", "3", "1x3x1", 1, 1, 2, {0, 2}},
        {"ReduceSum", "axes", "2x3x4", "2x1x4", 11, 1, 1, {1}},
        {"ReduceMean", "axes", "2x3x4", "2x1x1", 13, 1, 2, {1, 2}},
        {"Pad", "pads", "2x3", "4x6", 2, 1, 4, {1, 1, 1, 2}},
        {"Pad", "paddings", "2x3", "4x6", 1, 1, 4, {1, 1, 1, 2}},
    };
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_in(&t, NZ_F32, cases[i].in);
        nz_node *node = op_node(&t, cases[i].op_type, 1);
        nz_assert_ok(nz_node_set_ints(node, cases[i].attribute, cases[i].values, cases[i].count));
        node = lift(&t, cases[i].opset);
        assert_lifted(node);
        assert_null(nz_attr_get(node, cases[i].attribute));
        assert_list(&t, node, cases[i].position, cases[i].values, cases[i].count);
        assert_output(&t, cases[i].out);
        op_done(&t);
    }
}

static void pad_keeps_a_value_that_is_not_zero(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2");
    nz_node *node = op_node(&t, "Pad", 1);
    nz_assert_ok(nz_node_set_ints(node, "pads", (const int64_t[]){1, 0}, 2));
    nz_assert_ok(nz_node_set_float(node, "value", 2.5f));
    node = lift(&t, 2);
    assert_lifted(node);
    assert_int_equal(node->input_count, 3);
    nz_assert_near(nz_tensor_real(&t.graph->values[node->inputs[2]].constant, 0), 2.5, 0, 0);
    op_done(&t);
}

static void slice_of_opset_1_becomes_inputs(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "5x6");
    nz_node *node = op_node(&t, "Slice", 1);
    nz_assert_ok(nz_node_set_ints(node, "starts", (const int64_t[]){1}, 1));
    nz_assert_ok(nz_node_set_ints(node, "ends", (const int64_t[]){4}, 1));
    nz_assert_ok(nz_node_set_ints(node, "axes", (const int64_t[]){1}, 1));
    node = lift(&t, 9);
    assert_lifted(node);
    assert_list(&t, node, 1, (const int64_t[]){1}, 1);
    assert_list(&t, node, 2, (const int64_t[]){4}, 1);
    assert_list(&t, node, 3, (const int64_t[]){1}, 1);
    assert_output(&t, "5x3");
    op_done(&t);
}

static void split_says_how_many(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "6x2");
    op_node(&t, "Split", 3);
    nz_node *node = lift(&t, 11);
    assert_lifted(node);
    assert_int_equal(nz_attr_int(node, "num_outputs", 0), 3);
    assert_output(&t, "2x2");
    op_done(&t);
    op_in(&t, NZ_F32, "6x2");
    nz_assert_ok(nz_node_set_ints(op_node(&t, "Split", 2), "split", (const int64_t[]){5, 1}, 2));
    node = lift(&t, 2);
    assert_lifted(node);
    assert_output(&t, "5x2");
    op_done(&t);
}

static void top_k_takes_k_from_its_attribute(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "3x9");
    nz_assert_ok(nz_node_set_int(op_node(&t, "TopK", 2), "k", 4));
    nz_node *node = lift(&t, 1);
    assert_lifted(node);
    assert_list(&t, node, 1, (const int64_t[]){4}, 1);
    assert_output(&t, "3x4");
    op_done(&t);
}

static void dropout_forgets_how_to_train(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "3x9");
    nz_node *node = op_node(&t, "Dropout", 2);
    nz_assert_ok(nz_node_set_float(node, "ratio", 0.5f));
    nz_assert_ok(nz_node_set_int(node, "is_test", 1));
    node = lift(&t, 6);
    assert_lifted(node);
    assert_int_equal(node->attr_count, 0);
    assert_output(&t, "3x9");
    op_done(&t);
}

static void cast_of_opset_1_names_its_type(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "3");
    nz_assert_ok(nz_node_set_string(op_node(&t, "Cast", 1), "to", "INT32"));
    nz_node *node = lift(&t, 1);
    assert_lifted(node);
    assert_int_equal(nz_attr_int(node, "to", 0), NZ_I32);
    assert_int_equal(t.graph->values[t.outputs[0]].dtype, NZ_I32);
    op_done(&t);
}

static void prelu_of_opset_6_has_a_slope_per_channel(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3x4x4");
    op_in(&t, NZ_F32, "3");
    op_node(&t, "PRelu", 1);
    nz_node *node = lift(&t, 6);
    assert_lifted(node);
    assert_output(&t, "2x3x4x4");
    nz_shape wanted = op_shape("3x1x1");
    assert_true(nz_shape_equal(&t.graph->values[node->inputs[1]].shape, &wanted));
    op_done(&t);
}

static void hardmax_of_opset_11_takes_rows(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "2x3x4");
    op_node(&t, "Hardmax", 1);
    nz_node *node = lift(&t, 11);
    assert_lifted(node);
    assert_string_equal(node->op_type, "Reshape");
    bool found = false;
    for (size_t n = 0; n < t.graph->node_count; n++) found |= strcmp(t.graph->nodes[n].op_type, "Hardmax") == 0;
    assert_true(found);
    op_done(&t);
}

static void scatter_becomes_scatter_elements(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "3x3");
    op_in(&t, NZ_I64, "1x3");
    op_in(&t, NZ_F32, "1x3");
    op_node(&t, "Scatter", 1);
    nz_node *node = lift(&t, 9);
    assert_lifted(node);
    assert_string_equal(node->op_type, "ScatterElements");
    op_done(&t);
}

static void selu_of_opset_1_keeps_its_rounded_defaults(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "3");
    op_node(&t, "Selu", 1);
    nz_node *node = lift(&t, 1);
    assert_lifted(node);
    nz_assert_near(nz_attr_float(node, "alpha", 0), 1.6732f, 0, 0);
    nz_assert_near(nz_attr_float(node, "gamma", 0), 1.0507f, 0, 0);
    op_done(&t);
}

static void grid_sample_of_opset_16_renames_its_mode(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "1x3x8x8");
    op_in(&t, NZ_F32, "1x2x5x2");
    nz_assert_ok(nz_node_set_string(op_node(&t, "GridSample", 1), "mode", "bicubic"));
    nz_node *node = lift(&t, 16);
    assert_lifted(node);
    assert_string_equal(nz_attr_string(node, "mode", ""), "cubic");
    assert_output(&t, "1x3x2x5");
    op_done(&t);
}

static void einsum_of_matrices_becomes_their_product(void **state) {
    static const struct {
        const char *equation, *a, *b, *out, *last; /* last: what the node itself becomes */
    } cases[] = {
        {"ij,jk->ik", "2x3", "3x4", "2x4", "MatMul"},
        {"BGHID, BGHJD -> BGHIJ", "2x3x4x5x6", "2x3x4x7x6", "2x3x4x5x7", "MatMul"},
        {"bqhd,bkhd->bqhk", "2x3x4x5", "2x6x4x5", "2x3x4x6", "Transpose"},
        {"bi,bj->bij", "2x3", "2x4", "2x3x4", "Einsum"},
        {"bhwc,hkc->bhwk", "2x3x4x5", "3x6x5", "2x3x4x6", "Einsum"},
        {"ij,jk->k", "2x3", "3x4", "4", "Einsum"},
        {"ii,ik->ik", "2x2", "2x4", "2x4", "Einsum"},
    };
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_in(&t, NZ_F32, cases[i].a);
        op_in(&t, NZ_F32, cases[i].b);
        nz_assert_ok(nz_node_set_string(op_node(&t, "Einsum", 1), "equation", cases[i].equation));
        nz_node *node = lift(&t, 12);
        assert_lifted(node);
        assert_string_equal(node->op_type, cases[i].last);
        assert_output(&t, cases[i].out);
        op_done(&t);
    }
}

static void nearest_of_resize_10_looks_up_where_it_shrinks(void **state) {
    static const struct {
        double scale[2];
        const char *mode; /* NULL: refused */
    } cases[] = {{{2, 2}, "floor"}, {{0.5, 1}, "ceil"}, {{0.5, 2}, NULL}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_in(&t, NZ_F32, "1x3x8x8");
        op_const(&t, NZ_F32, "4", OP_VALUES(1, 1, cases[i].scale[0], cases[i].scale[1]));
        nz_assert_ok(nz_node_set_string(op_node(&t, "Resize", 1), "mode", "nearest"));
        nz_node *node = lift(&t, 10);
        if (cases[i].mode) {
            assert_lifted(node);
            assert_string_equal(nz_attr_string(node, "nearest_mode", ""), cases[i].mode);
        } else {
            assert_non_null(node->unsupported);
            assert_non_null(strstr(node->unsupported, "some shrink and some grow"));
        }
        op_done(&t);
    }
}

static void newer_operators_are_refused_in_older_models(void **state) {
    op_case t = {0};
    (void)state;
    op_in(&t, NZ_F32, "3");
    op_node(&t, "Gelu", 1);
    nz_node *node = lift(&t, 19);
    assert_non_null(node->unsupported);
    assert_non_null(strstr(node->unsupported, "from opset 20 on"));
    op_done(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_of_opset_6_broadcasts_along_its_axis),
        cmocka_unit_test(mul_of_opset_1_forgets_consumed_inputs),
        cmocka_unit_test(axis_of_arithmetic_is_refused_where_it_does_not_exist),
        cmocka_unit_test(clip_bounds_become_inputs_of_the_same_type),
        cmocka_unit_test(lists_become_inputs),
        cmocka_unit_test(pad_keeps_a_value_that_is_not_zero),
        cmocka_unit_test(slice_of_opset_1_becomes_inputs),
        cmocka_unit_test(split_says_how_many),
        cmocka_unit_test(top_k_takes_k_from_its_attribute),
        cmocka_unit_test(dropout_forgets_how_to_train),
        cmocka_unit_test(cast_of_opset_1_names_its_type),
        cmocka_unit_test(prelu_of_opset_6_has_a_slope_per_channel),
        cmocka_unit_test(hardmax_of_opset_11_takes_rows),
        cmocka_unit_test(scatter_becomes_scatter_elements),
        cmocka_unit_test(selu_of_opset_1_keeps_its_rounded_defaults),
        cmocka_unit_test(grid_sample_of_opset_16_renames_its_mode),
        cmocka_unit_test(einsum_of_matrices_becomes_their_product),
        cmocka_unit_test(nearest_of_resize_10_looks_up_where_it_shrinks),
        cmocka_unit_test(newer_operators_are_refused_in_older_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
