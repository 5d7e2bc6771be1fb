/* SPDX-License-Identifier: Apache-2.0 */
/* Operators with weights, pooling, normalisation, interpolation, quantisation: old spellings, numbers, refusals. */
#include "netzip/runtime.h"
#include "op.h"

/* ---- lifting: the node at an old opset, then as many nodes as it takes, run by the plain kernels ---- */

static void lift(op_case *t, int opset) {
    t->graph->nodes[t->node].opset = opset;
    nz_assert_ok(nz_pass_lift(t->graph));
}

static nz_node *find_node(op_case *t, const char *op_type) {
    for (size_t n = 0; n < t->graph->node_count; n++)
        if (t->graph->nodes[n].op_type && strcmp(t->graph->nodes[n].op_type, op_type) == 0) return &t->graph->nodes[n];
    fail_msg("no node of type %s", op_type);
    return NULL;
}

static void assert_refused(op_case *t, const char *part) {
    const char *reason = t->graph->nodes[0].unsupported;
    assert_non_null(reason);
    if (!strstr(reason, part)) fail_msg("the reason '%s' lacks '%s'", reason, part);
    op_done(t);
}

/* Runs a lifted graph whose inputs are all constants; output 0 must be these f32 numbers. */
static void expect_graph(op_case *t, const char *shape, const double *values) {
    nz_session *session = NULL;
    nz_shape parsed = op_shape(shape);
    nz_tensor out = {0};
    for (size_t n = 0; n < t->graph->node_count; n++) assert_null(t->graph->nodes[n].unsupported);
    nz_assert_ok(
        nz_session_open(&session, "native", t->graph, NULL, &(nz_runtime_options){.threads = 1, .reference = true}));
    assert_true(nz_shape_equal(&nz_session_output(session, 0, NULL)->shape, &parsed));
    nz_assert_ok(nz_tensor_init(&out, NZ_F32, &parsed));
    nz_assert_ok(nz_session_run(session, NULL, &out));
    for (int64_t i = 0; i < nz_shape_elements(&parsed); i++)
        nz_assert_near(nz_tensor_real(&out, i), values[i], 1e-5, 1e-7);
    nz_tensor_done(&out);
    nz_session_free(session);
    op_done(t);
}

static void old_softmax_spans_all_axes_from_its_own(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "1x2x2", OP_VALUES(0, 0.69314718, 1.0986123, 1.3862944)); /* log of 1 2 3 4 */
    op_node(&t, "Softmax", 1);
    lift(&t, 11);
    expect_graph(&t, "1x2x2", OP_VALUES(0.1, 0.2, 0.3, 0.4));
}

static void old_softmax_over_the_last_axis_stays_one_node(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_F32, "?x10");
    op_node(&t, "Softmax", 1);
    lift(&t, 9);
    assert_int_equal(t.graph->node_count, 1);
    assert_int_equal(nz_attr_int(&t.graph->nodes[0], "axis", 7), -1);
    op_done(&t);
}

static void old_gemm_loses_its_broadcast_attribute(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "2x2", OP_VALUES(1, 2, 3, 4));
    op_const(&t, NZ_F32, "2x1", OP_VALUES(1, 10));
    op_const(&t, NZ_F32, "1", OP_VALUES(0.5));
    nz_assert_ok(nz_node_set_int(op_node(&t, "Gemm", 1), "broadcast", 1));
    lift(&t, 6);
    expect_graph(&t, "2x1", OP_VALUES(21.5, 43.5));
}

static void batch_norm_inputs(op_case *t, size_t outputs) {
    op_const(t, NZ_F32, "1x2x2", OP_VALUES(1, 3, 5, 9));
    op_const(t, NZ_F32, "2", OP_VALUES(2, 1));
    op_const(t, NZ_F32, "2", OP_VALUES(0, 1));
    op_const(t, NZ_F32, "2", OP_VALUES(1, 5));
    op_const(t, NZ_F32, "2", OP_VALUES(4, 4));
    nz_assert_ok(nz_node_set_float(op_node(t, "BatchNormalization", outputs), "epsilon", 0));
}

static void old_batch_norm_loses_spatial(void **state) {
    (void)state;
    op_case t = {0};
    batch_norm_inputs(&t, 1);
    nz_assert_ok(nz_node_set_int(&t.graph->nodes[t.node], "spatial", 1));
    nz_assert_ok(nz_node_set_int(&t.graph->nodes[t.node], "is_test", 1));
    lift(&t, 6);
    expect_graph(&t, "1x2x2", OP_VALUES(0, 2, 1, 3));
    batch_norm_inputs(&t, 1);
    nz_assert_ok(nz_node_set_int(&t.graph->nodes[t.node], "spatial", 0));
    lift(&t, 7);
    assert_refused(&t, "spatial");
}

static void batch_norm_of_an_old_opset_that_trains_is_refused(void **state) {
    (void)state;
    op_case t = {0};
    batch_norm_inputs(&t, 3);
    lift(&t, 9);
    assert_refused(&t, "training");
}

static void training_batch_norm_mixes_running_statistics(void **state) {
    (void)state;
    op_case t = {0};
    batch_norm_inputs(&t, 3);
    nz_assert_ok(nz_node_set_int(&t.graph->nodes[t.node], "training_mode", 1));
    nz_assert_ok(nz_node_set_float(&t.graph->nodes[t.node], "momentum", 0.5F));
    nz_assert_ok(op_run(&t));
    const double mean[] = {1.5, 6}, variance[] = {2.5, 4};
    for (int i = 0; i < 2; i++) {
        nz_assert_near(nz_tensor_real(&t.ctx.out[1], i), mean[i], 1e-6, 0);
        nz_assert_near(nz_tensor_real(&t.ctx.out[2], i), variance[i], 1e-6, 0);
    }
    op_done(&t);
}

static void group_norm_18_scales_by_group(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "1x4x1", OP_VALUES(1, 3, 10, 30));
    op_const(&t, NZ_F32, "2", OP_VALUES(1, 2));
    op_const(&t, NZ_F32, "2", OP_VALUES(0, 5));
    nz_node *node = op_node(&t, "GroupNormalization", 1);
    nz_assert_ok(nz_node_set_int(node, "num_groups", 2));
    nz_assert_ok(nz_node_set_float(node, "epsilon", 0));
    lift(&t, 18);
    (void)find_node(&t, "InstanceNormalization");
    expect_graph(&t, "1x4x1", OP_VALUES(-1, 1, 3, 7));
}

static void upsample_of_every_version_becomes_resize(void **state) {
    (void)state;
    static const int opsets[] = {1, 7, 9};
    for (size_t i = 0; i < NZ_COUNT(opsets); i++) {
        op_case t = {0};
        op_const(&t, NZ_F32, "1x1x1x2", OP_VALUES(1, 2));
        if (opsets[i] == 9) op_const(&t, NZ_F32, "4", OP_VALUES(1, 1, 1, 2));
        nz_node *node = op_node(&t, "Upsample", 1);
        if (opsets[i] == 7) nz_assert_ok(nz_node_set_floats(node, "scales", (float[]){1, 1, 1, 2}, 4));
        if (opsets[i] == 1) {
            nz_assert_ok(nz_node_set_float(node, "height_scale", 1));
            nz_assert_ok(nz_node_set_float(node, "width_scale", 2));
        }
        lift(&t, opsets[i]);
        (void)find_node(&t, "Resize");
        expect_graph(&t, "1x1x1x4", OP_VALUES(1, 1, 2, 2));
    }
}

static void resize_10_is_asymmetric(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "1x1x1x2", OP_VALUES(1, 3));
    op_const(&t, NZ_F32, "4", OP_VALUES(1, 1, 1, 2));
    nz_assert_ok(nz_node_set_string(op_node(&t, "Resize", 1), "mode", "linear"));
    lift(&t, 10);
    expect_graph(&t, "1x1x1x4", OP_VALUES(1, 2, 3, 3));
}

static void resize_11_may_have_empty_lists(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "1x1x1x4", OP_VALUES(1, 2, 3, 4));
    op_const(&t, NZ_F32, "0", OP_VALUES(0));
    op_const(&t, NZ_F32, "0", OP_VALUES(0));
    op_list(&t, 1, 1, 1, 2);
    nz_node *node = op_node(&t, "Resize", 1);
    nz_assert_ok(nz_node_set_string(node, "coordinate_transformation_mode", "tf_half_pixel_for_nn"));
    nz_assert_ok(nz_node_set_string(node, "nearest_mode", "floor"));
    lift(&t, 11);
    assert_int_equal(find_node(&t, "Resize")->inputs[1], NZ_NO_VALUE);
    expect_graph(&t, "1x1x1x2", OP_VALUES(2, 4));
}

static void lp_pool_1_had_a_real_exponent(void **state) {
    (void)state;
    op_case t = {0};
    for (int whole = 0; whole < 2; whole++) {
        op_const(&t, NZ_F32, "1x1x2", OP_VALUES(3, -4));
        nz_node *node = op_node(&t, "GlobalLpPool", 1);
        nz_assert_ok(nz_node_set_float(node, "p", whole ? 1 : 1.5F));
        lift(&t, 1);
        if (whole)
            expect_graph(&t, "1x1x1", OP_VALUES(7));
        else
            assert_refused(&t, "whole numbers");
    }
}

static void first_recurrent_layers_had_output_sequence(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "2x1x1", OP_VALUES(1, 2));
    op_const(&t, NZ_F32, "1x1x1", OP_VALUES(1));
    op_const(&t, NZ_F32, "1x1x1", OP_VALUES(0.5));
    nz_node *node = op_node(&t, "RNN", 1);
    nz_assert_ok(nz_node_set_int(node, "output_sequence", 1));
    nz_assert_ok(nz_node_set_int(node, "hidden_size", 1));
    lift(&t, 1);
    double first = tanh(1.0);
    expect_graph(&t, "2x1x1x1", OP_VALUES(first, tanh(2 + 0.5 * first)));
}

/* ---- versions of the writer ---- */

static int since(op_case *t) {
    const nz_node *node = &t->graph->nodes[t->node];
    const nz_op *op = nz_op_of(node);
    int opset = op->since ? op->since(t->graph, node) : op->canonical_since;
    op_done(t);
    return opset;
}

static void quantising_asks_for_the_opset_of_its_types(void **state) {
    static const struct {
        nz_dtype x, scale;
        int opset;
    } cases[] = {
        {NZ_I8, NZ_F32, 13}, {NZ_U8, NZ_F16, 19}, {NZ_F8E4M3FN, NZ_F32, 19}, {NZ_I4, NZ_F32, 21}, {NZ_U16, NZ_F32, 21}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_in(&t, cases[i].x, "4");
        op_in(&t, cases[i].scale, "");
        op_node(&t, "DequantizeLinear", 1);
        assert_int_equal(since(&t), cases[i].opset);
    }
}

static void attributes_ask_for_the_opset_that_brought_them(void **state) {
    static const struct {
        const char *op, *attribute;
        int opset;
    } cases[] = {{"AveragePool", "dilations", 19},
                 {"AveragePool", "pads", 13},
                 {"LpPool", "ceil_mode", 18},
                 {"Resize", "antialias", 18},
                 {"BatchNormalization", "momentum", 13},
                 {"LSTM", "layout", 14}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        nz_assert_ok(nz_node_set_int(op_node(&t, cases[i].op, 1), cases[i].attribute, 1));
        assert_int_equal(since(&t), cases[i].opset);
    }
}

/* ---- numbers that the vectors of ONNX do not hold ---- */

static void same_padding_puts_the_odd_one_where_it_says(void **state) {
    (void)state;
    for (int lower = 0; lower < 2; lower++) {
        op_case t = {0};
        op_const(&t, NZ_F32, "1x1x3", OP_VALUES(1, 2, 3));
        op_const(&t, NZ_F32, "1x1x2", OP_VALUES(10, 1));
        nz_assert_ok(nz_node_set_string(op_node(&t, "Conv", 1), "auto_pad", lower ? "SAME_LOWER" : "SAME_UPPER"));
        op_expect(&t, NZ_F32, "1x1x3", lower ? OP_VALUES(1, 12, 23) : OP_VALUES(12, 23, 30));
    }
}

static void half_precision_goes_through_float(void **state) {
    (void)state;
    static const nz_dtype types[] = {NZ_F16, NZ_BF16, NZ_F64};
    for (size_t i = 0; i < NZ_COUNT(types); i++) {
        op_case t = {0};
        op_const(&t, types[i], "1x1x3", OP_VALUES(1, 2, 3));
        op_const(&t, types[i], "1x1x2", OP_VALUES(0.5, 1));
        op_node(&t, "Conv", 1);
        op_expect(&t, types[i], "1x1x2", OP_VALUES(2.5, 4));
        op_const(&t, types[i], "1x2", OP_VALUES(1, 2));
        op_const(&t, types[i], "2x2", OP_VALUES(1, 2, 3, 4));
        op_const(&t, types[i], "2", OP_VALUES(1, -1));
        nz_node *node = op_node(&t, "Gemm", 1);
        nz_assert_ok(nz_node_set_float(node, "alpha", 2));
        nz_assert_ok(nz_node_set_float(node, "beta", 0.5F));
        op_expect(&t, types[i], "1x2", OP_VALUES(14.5, 19.5));
    }
}

static void an_average_never_counts_beyond_the_padding(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "1x1x4", OP_VALUES(1, 2, 3, 4));
    nz_node *node = op_node(&t, "AveragePool", 1);
    nz_assert_ok(nz_node_set_ints(node, "kernel_shape", (int64_t[]){3}, 1));
    nz_assert_ok(nz_node_set_ints(node, "strides", (int64_t[]){2}, 1));
    nz_assert_ok(nz_node_set_int(node, "ceil_mode", 1));
    nz_assert_ok(nz_node_set_int(node, "count_include_pad", 1));
    op_expect(&t, NZ_F32, "1x1x2", OP_VALUES(2, 3.5));
}

static void max_pool_of_bytes_keeps_their_range(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_I8, "1x1x4", OP_VALUES(-128, -100, -5, -7));
    nz_assert_ok(nz_node_set_ints(op_node(&t, "MaxPool", 1), "kernel_shape", (int64_t[]){2}, 1));
    op_expect(&t, NZ_I8, "1x1x3", OP_VALUES(-100, -5, -5));
}

static void quantising_rounds_half_to_even_and_saturates(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_F32, "7", OP_VALUES(0.5, 1.5, 2.5, -0.5, 300, -300, NAN));
    op_const(&t, NZ_F32, "", OP_VALUES(1));
    op_const(&t, NZ_U8, "", OP_VALUES(10));
    op_node(&t, "QuantizeLinear", 1);
    op_expect(&t, NZ_U8, "7", OP_VALUES(10, 12, 12, 10, 255, 0, 0));
    op_const(&t, NZ_F32, "3", OP_VALUES(-9, 6.6, 100));
    op_const(&t, NZ_F32, "", OP_VALUES(1));
    op_const(&t, NZ_I4, "", OP_VALUES(0));
    op_node(&t, "QuantizeLinear", 1);
    op_expect(&t, NZ_I4, "3", OP_VALUES(-8, 7, 7));
}

static void scales_go_by_axis_or_by_block(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_I8, "2x3", OP_VALUES(1, 2, 3, 4, 5, 6));
    op_const(&t, NZ_F32, "2", OP_VALUES(1, 10));
    op_const(&t, NZ_I8, "2", OP_VALUES(0, 1));
    nz_assert_ok(nz_node_set_int(op_node(&t, "DequantizeLinear", 1), "axis", 0));
    op_expect(&t, NZ_F32, "2x3", OP_VALUES(1, 2, 3, 30, 40, 50));
    op_const(&t, NZ_U8, "2x3", OP_VALUES(1, 2, 3, 4, 5, 6));
    op_const(&t, NZ_F32, "2x2", OP_VALUES(1, 10, 100, 1000));
    nz_node *node = op_node(&t, "DequantizeLinear", 1);
    nz_assert_ok(nz_node_set_int(node, "axis", 1));
    nz_assert_ok(nz_node_set_int(node, "block_size", 2));
    op_expect(&t, NZ_F32, "2x3", OP_VALUES(1, 2, 30, 400, 500, 6000));
}

static void integer_sums_wrap_as_int32(void **state) {
    (void)state;
    op_case t = {0};
    op_const(&t, NZ_I32, "1x2", OP_VALUES(2147483647, 1));
    op_const(&t, NZ_I32, "2x1", OP_VALUES(1, 1));
    op_node(&t, "MatMul", 1);
    op_expect(&t, NZ_I32, "1x1", OP_VALUES(-2147483648.0));
}

static void extents_that_are_not_known_stay_so(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_F32, "?x3x?x8");
    op_in(&t, NZ_F32, "4x3x3x3");
    op_node(&t, "Conv", 1);
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "?x4x?x6");
    op_done(&t);
    op_in(&t, NZ_F32, "?x16");
    op_in(&t, NZ_F32, "16x10");
    op_node(&t, "MatMul", 1);
    nz_assert_ok(op_infer(&t));
    op_expect_shape(&t, 0, "?x10");
    op_done(&t);
}

/* ---- refusals: one line that names node and shapes ---- */

static void refuses(op_case *t, nz_status status, const char *part) {
    nz_assert_fails(op_infer(t), status, part);
    assert_non_null(strstr(nz_last_error(), "node 'n'"));
    op_done(t);
}

static nz_node *conv_of(op_case *t, const char *x, const char *w) {
    op_in(t, NZ_F32, x);
    op_in(t, NZ_F32, w);
    return op_node(t, "Conv", 1);
}

static void convolutions_that_do_not_fit_are_refused(void **state) {
    (void)state;
    op_case t = {0};
    conv_of(&t, "1x3x8x8", "4x2x3x3");
    refuses(&t, NZ_E_SHAPE, "4x2x3x3");
    conv_of(&t, "1x3x2x2", "4x3x3x3");
    refuses(&t, NZ_E_SHAPE, "does not fit into an input of 2");
    conv_of(&t, "1x3x8x8x8x8", "4x3x3x3x3x3");
    refuses(&t, NZ_E_UNSUPPORTED, "1 to 3 spatial axes");
    conv_of(&t, "1x3x8x8", "4x3x3");
    refuses(&t, NZ_E_SHAPE, "rank 3");
    nz_assert_ok(nz_node_set_int(conv_of(&t, "1x4x8x8", "4x1x3x3"), "group", 3));
    refuses(&t, NZ_E_SHAPE, "group 3");
    nz_assert_ok(nz_node_set_int(conv_of(&t, "1x4x8x8", "4x1x3x3"), "group", 0));
    refuses(&t, NZ_E_SHAPE, "group 0");
    nz_assert_ok(nz_node_set_string(conv_of(&t, "1x3x8x8", "4x3x3x3"), "auto_pad", "SOME"));
    refuses(&t, NZ_E_UNSUPPORTED, "'SOME'");
    nz_assert_ok(nz_node_set_ints(conv_of(&t, "1x3x8x8", "4x3x3x3"), "strides", (int64_t[]){0, 1}, 2));
    refuses(&t, NZ_E_SHAPE, "strides");
    nz_assert_ok(nz_node_set_ints(conv_of(&t, "1x3x8x8", "4x3x3x3"), "pads", (int64_t[]){1, 1}, 2));
    refuses(&t, NZ_E_SHAPE, "pads has 2 values, 4 are needed");
    nz_assert_ok(nz_node_set_ints(conv_of(&t, "1x3x8x8", "4x3x3x3"), "dilations", (int64_t[]){INT64_MAX, 1}, 2));
    refuses(&t, NZ_E_SHAPE, "out of range");
    nz_assert_ok(nz_node_set_ints(conv_of(&t, "1x3x8x8", "4x3x3x3"), "kernel_shape", (int64_t[]){5, 5}, 2));
    refuses(&t, NZ_E_SHAPE, "kernel_shape says 5");
}

static void matrices_that_do_not_fit_are_refused(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_F32, "4x5");
    op_node(&t, "MatMul", 1);
    refuses(&t, NZ_E_SHAPE, "2x3 by 4x5");
    op_in(&t, NZ_F32, "2x2x3");
    op_in(&t, NZ_F32, "3x3x5");
    op_node(&t, "MatMul", 1);
    refuses(&t, NZ_E_SHAPE, "3x3x5");
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_F32, "3x5");
    op_in(&t, NZ_F32, "3x5");
    op_node(&t, "Gemm", 1);
    refuses(&t, NZ_E_SHAPE, "does not broadcast to 2x5");
}

static void scales_that_do_not_fit_are_refused(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_I8, "2x3");
    op_in(&t, NZ_F32, "2");
    op_node(&t, "DequantizeLinear", 1);
    refuses(&t, NZ_E_SHAPE, "along axis 1");
    op_in(&t, NZ_F32, "2x3");
    op_in(&t, NZ_F32, "");
    nz_assert_ok(nz_node_set_int(op_node(&t, "QuantizeLinear", 1), "output_dtype", NZ_I64));
    refuses(&t, NZ_E_UNSUPPORTED, "int64");
}

static void resizing_to_nowhere_is_refused(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_F32, "1x1x2x2");
    op_skip(&t);
    op_const(&t, NZ_F32, "4", OP_VALUES(1, 1, -2, 2));
    op_node(&t, "Resize", 1);
    refuses(&t, NZ_E_SHAPE, "scale -2");
    op_in(&t, NZ_F32, "1x1x2x2");
    op_skip(&t);
    op_const(&t, NZ_F32, "3", OP_VALUES(1, 2, 2));
    op_node(&t, "Resize", 1);
    refuses(&t, NZ_E_SHAPE, "list of 4");
    op_in(&t, NZ_F32, "1x1x2x2");
    op_skip(&t);
    op_in(&t, NZ_F32, "4");
    op_node(&t, "Resize", 1);
    refuses(&t, NZ_E_UNSUPPORTED, "constant");
}

static void pooling_and_recurrent_refusals(void **state) {
    (void)state;
    op_case t = {0};
    op_in(&t, NZ_F32, "1x1x4x4");
    op_node(&t, "MaxPool", 1);
    refuses(&t, NZ_E_SHAPE, "kernel_shape is missing");
    op_in(&t, NZ_F32, "2x2x2");
    op_in(&t, NZ_F32, "1x4x3");
    op_in(&t, NZ_F32, "1x4x4");
    op_node(&t, "RNN", 1);
    refuses(&t, NZ_E_SHAPE, "1x4x3");
    op_in(&t, NZ_F32, "2x2x2");
    op_in(&t, NZ_F32, "1x4x2");
    op_in(&t, NZ_F32, "1x4x4");
    nz_assert_ok(nz_node_set_string(op_node(&t, "RNN", 1), "direction", "sideways"));
    refuses(&t, NZ_E_UNSUPPORTED, "sideways");
    op_in(&t, NZ_F32, "1x6x2x2");
    op_in(&t, NZ_F32, "6");
    op_in(&t, NZ_F32, "6");
    nz_assert_ok(nz_node_set_int(op_node(&t, "GroupNormalization", 1), "num_groups", 4));
    refuses(&t, NZ_E_SHAPE, "num_groups 4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_softmax_spans_all_axes_from_its_own),
        cmocka_unit_test(old_softmax_over_the_last_axis_stays_one_node),
        cmocka_unit_test(old_gemm_loses_its_broadcast_attribute),
        cmocka_unit_test(old_batch_norm_loses_spatial),
        cmocka_unit_test(batch_norm_of_an_old_opset_that_trains_is_refused),
        cmocka_unit_test(training_batch_norm_mixes_running_statistics),
        cmocka_unit_test(group_norm_18_scales_by_group),
        cmocka_unit_test(upsample_of_every_version_becomes_resize),
        cmocka_unit_test(resize_10_is_asymmetric),
        cmocka_unit_test(resize_11_may_have_empty_lists),
        cmocka_unit_test(lp_pool_1_had_a_real_exponent),
        cmocka_unit_test(first_recurrent_layers_had_output_sequence),
        cmocka_unit_test(quantising_asks_for_the_opset_of_its_types),
        cmocka_unit_test(attributes_ask_for_the_opset_that_brought_them),
        cmocka_unit_test(same_padding_puts_the_odd_one_where_it_says),
        cmocka_unit_test(half_precision_goes_through_float),
        cmocka_unit_test(an_average_never_counts_beyond_the_padding),
        cmocka_unit_test(max_pool_of_bytes_keeps_their_range),
        cmocka_unit_test(quantising_rounds_half_to_even_and_saturates),
        cmocka_unit_test(scales_go_by_axis_or_by_block),
        cmocka_unit_test(integer_sums_wrap_as_int32),
        cmocka_unit_test(extents_that_are_not_known_stay_so),
        cmocka_unit_test(convolutions_that_do_not_fit_are_refused),
        cmocka_unit_test(matrices_that_do_not_fit_are_refused),
        cmocka_unit_test(scales_that_do_not_fit_are_refused),
        cmocka_unit_test(resizing_to_nowhere_is_refused),
        cmocka_unit_test(pooling_and_recurrent_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
