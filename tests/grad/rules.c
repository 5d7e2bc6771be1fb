/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients where differences cannot tell: at kinks and ties, of nothing, and straight through quantisation. */
#include "op.h"

/** Runs the node and its gradient by `input` alone; it must be exactly `expected`, from `flow` at output 0. */
static void expect(op_case *t, size_t input, const double *flow, const double *expected) {
    const nz_op *op = nz_op_of(&t->graph->nodes[t->node]);
    const nz_tensor *out[OP_MOST] = {NULL}, *dout[OP_MOST] = {NULL};
    nz_tensor *wanted[OP_MOST] = {NULL}, dy, dx;
    nz_assert_ok(op_run(t));
    for (size_t i = 0; i < t->output_count; i++) out[i] = &t->ctx.out[i];
    nz_assert_ok(nz_tensor_init(&dy, NZ_F32, &out[0]->shape));
    nz_assert_ok(nz_tensor_init(&dx, NZ_F32, &t->ctx.in[input]->shape));
    int64_t n = nz_shape_elements(&dy.shape), m = nz_shape_elements(&dx.shape);
    for (int64_t i = 0; i < n; i++) nz_tensor_set_real(&dy, i, flow[i]);
    for (int64_t i = 0; i < m; i++) nz_tensor_set_real(&dx, i, NAN);
    dout[0] = &dy;
    wanted[input] = &dx;
    const nz_op_grad grad = {out, dout, wanted};
    nz_assert_ok(op->grad(&t->ctx, &grad));
    for (int64_t i = 0; i < m; i++)
        if (!nz_test_close(nz_tensor_real(&dx, i), expected[i], 0, 0))
            fail_msg("%s: gradient %lld by input %zu is %.9g, expected %.9g", op->name, (long long)i, input,
                     nz_tensor_real(&dx, i), expected[i]);
    nz_tensor_done(&dy);
    nz_tensor_done(&dx);
    op_done(t);
}

/** Of an element-wise function of three numbers, where 1 flows in. */
static void expect_slopes(const char *op_type, const double *x, const double *slopes) {
    op_case t = {0};
    op_const(&t, NZ_F32, "3", x);
    op_node(&t, op_type, 1);
    expect(&t, 0, OP_VALUES(1, 1, 1), slopes);
}

static void kinks_have_the_slope_of_the_flatter_side(void **state) {
    (void)state;
    expect_slopes("Relu", OP_VALUES(-1, 0, 1), OP_VALUES(0, 0, 1));
    expect_slopes("Relu", OP_VALUES(-0.0, 1e-30, -1e-30), OP_VALUES(0, 1, 0));
    expect_slopes("Abs", OP_VALUES(-2, 0, 2), OP_VALUES(-1, 0, 1));
    expect_slopes("HardSwish", OP_VALUES(-3, 0, 3), OP_VALUES(0, 0.5, 1));
    expect_slopes("LeakyRelu", OP_VALUES(-1, 0, 1), OP_VALUES((double)0.01f, (double)0.01f, 1));
    expect_slopes("HardSigmoid", OP_VALUES(-2.5, 0, 2.5), OP_VALUES(0, (double)0.2f, 0));
    expect_slopes("ThresholdedRelu", OP_VALUES(0.5, 1, 1.5), OP_VALUES(0, 0, 1));
    expect_slopes("Elu", OP_VALUES(0, 1, 2), OP_VALUES(1, 1, 1));
}

static void clip_passes_nothing_at_its_bounds(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "5", OP_VALUES(-1, 0, 3, 6, 7));
    op_const(&t, NZ_F32, "", OP_VALUES(0));
    op_const(&t, NZ_F32, "", OP_VALUES(6));
    op_node(&t, "Clip", 1);
    expect(&t, 0, OP_VALUES(1, 2, 3, 4, 5), OP_VALUES(0, 0, 3, 0, 0));
}

static void prelu(size_t input, const double *expected) {
    op_case t = {0};
    op_const(&t, NZ_F32, "3", OP_VALUES(-2, 0, 2));
    op_const(&t, NZ_F32, "1", OP_VALUES(0.25));
    op_node(&t, "PRelu", 1);
    expect(&t, input, OP_VALUES(1, 1, 1), expected);
}

static void prelu_at_0_has_its_slope(void **state) {
    (void)state;
    prelu(0, OP_VALUES(0.25, 0.25, 1));
    prelu(1, OP_VALUES(-2));
}

static void power(size_t input, const double *expected) {
    op_case t = {0};
    op_const(&t, NZ_F32, "5", OP_VALUES(0, 0, 0, 2, -2));
    op_const(&t, NZ_F32, "5", OP_VALUES(2, 1, 0, 0, 3));
    op_node(&t, "Pow", 1);
    expect(&t, input, OP_VALUES(1, 1, 1, 1, 1), expected);
}

static void powers_of_0_have_finite_gradients(void **state) {
    (void)state;
    power(0, OP_VALUES(0, 1, 0, 0, 12));
    power(1, OP_VALUES(0, 0, 0, (double)logf(2), NAN));
}

static void ties_of(const char *op_type, size_t input, const double *expected) {
    op_case t = {0};
    for (int i = 0; i < 3; i++) op_const(&t, NZ_F32, "2", i == 2 ? OP_VALUES(5, 5) : OP_VALUES(5, 4 + i));
    op_node(&t, op_type, 1);
    expect(&t, input, OP_VALUES(1, 2), expected);
}

static void ties_give_all_to_the_first(void **state) {
    (void)state;
    ties_of("Max", 0, OP_VALUES(1, 0));
    ties_of("Max", 1, OP_VALUES(0, 2));
    ties_of("Max", 2, OP_VALUES(0, 0));
    ties_of("Min", 0, OP_VALUES(1, 2));
    ties_of("Min", 2, OP_VALUES(0, 0));
    for (int smallest = 0; smallest < 2; smallest++) {
        op_case t = {0};
        op_const(&t, NZ_F32, "2x3", OP_VALUES(7, 7, 7, 1, 2, 2));
        op_list(&t, 1);
        op_node(&t, smallest ? "ReduceMin" : "ReduceMax", 1);
        expect(&t, 0, OP_VALUES(1, 2), smallest ? OP_VALUES(1, 0, 0, 2, 0, 0) : OP_VALUES(1, 0, 0, 0, 2, 0));
    }
}

static void pooled(const char *op_type, const double *x, const double *expected) {
    op_case t = {0};
    op_const(&t, NZ_F32, "1x1x2x3", x);
    nz_node *node = op_node(&t, op_type, 1);
    if (strncmp(op_type, "Global", 6) == 0) {
        expect(&t, 0, OP_VALUES(4), expected);
        return;
    }
    nz_assert_ok(nz_node_set_ints(node, "kernel_shape", (int64_t[]){2, 2}, 2));
    expect(&t, 0, OP_VALUES(4, 8), expected);
}

static void pools_of_equals(void **state) {
    (void)state;
    pooled("MaxPool", OP_VALUES(1, 1, 1, 1, 1, 1), OP_VALUES(4, 8, 0, 0, 0, 0));
    pooled("MaxPool", OP_VALUES(1, 3, 1, 3, 3, 3), OP_VALUES(0, 12, 0, 0, 0, 0));
    pooled("GlobalMaxPool", OP_VALUES(1, 3, 1, 3, 3, 3), OP_VALUES(0, 4, 0, 0, 0, 0));
    pooled("LpPool", OP_VALUES(0, 0, 0, 0, 0, 0), OP_VALUES(0, 0, 0, 0, 0, 0));
    pooled("GlobalLpPool", OP_VALUES(0, 0, 0, 0, 0, 0), OP_VALUES(0, 0, 0, 0, 0, 0));
}

/* A NaN is what MaxPool gives, so that it gets what flows in. */
static void a_nan_takes_the_pool(void **state) {
    (void)state;
    pooled("MaxPool", OP_VALUES(1, NAN, 9, 1, 9, NAN), OP_VALUES(0, 12, 0, 0, 0, 0));
}

static void reduced(const char *op_type, const double *x, const double *expected) {
    op_case t = {0};
    op_const(&t, NZ_F32, "2x2", x);
    op_list(&t, -1);
    op_node(&t, op_type, 1);
    expect(&t, 0, OP_VALUES(3, 5), expected);
}

static void reductions_at_0(void **state) {
    (void)state;
    reduced("ReduceL2", OP_VALUES(0, 0, 3, 4), OP_VALUES(0, 0, 3, 4));
    reduced("ReduceL1", OP_VALUES(0, -2, 1, 0), OP_VALUES(0, -3, 5, 0));
    reduced("ReduceProd", OP_VALUES(0, 2, 0, 0), OP_VALUES(6, 0, 0, 0));
}

static void a_sum_over_nothing_has_no_gradient(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "0x3", OP_VALUES(0));
    op_const(&t, NZ_F32, "3", OP_VALUES(1, 2, 3));
    op_node(&t, "Mul", 1);
    expect(&t, 1, OP_VALUES(0), OP_VALUES(0, 0, 0));
}

static void nothing_flows_through_integers(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "3", OP_VALUES(1, 2, 3));
    nz_assert_ok(nz_node_set_int(op_node(&t, "Cast", 1), "to", NZ_I32));
    expect(&t, 0, OP_VALUES(1, 1, 1), OP_VALUES(0, 0, 0));
}

static void the_last_of_what_was_placed_gets_the_gradient(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "3", OP_VALUES(1, 2, 3));
    op_list(&t, 1, 0, 1);
    op_const(&t, NZ_F32, "3", OP_VALUES(4, 5, 6));
    op_node(&t, "ScatterElements", 1);
    expect(&t, 2, OP_VALUES(10, 20, 30), OP_VALUES(0, 10, 20));
}

/* Part 0 of three has no output; the parts after it stay in their places. */
static void a_part_that_is_left_out(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "6", OP_VALUES(1, 2, 3, 4, 5, 6));
    op_list(&t, 1, 2, 3);
    nz_node *node = op_node(&t, "Split", 3);
    node->outputs[1] = NZ_NO_VALUE;
    nz_assert_ok(op_infer(&t));
    nz_shape one = op_shape("1"), three = op_shape("3");
    nz_tensor dx, part, last;
    nz_assert_ok(nz_tensor_init(&part, NZ_F32, &one));
    nz_assert_ok(nz_tensor_init(&last, NZ_F32, &three));
    nz_assert_ok(nz_tensor_init(&dx, NZ_F32, &t.data[0].shape));
    t.ctx.out[0] = part, t.ctx.out[2] = last;
    nz_assert_ok(nz_op_find("", "Split")->run(&t.ctx));
    nz_assert_floats(last.data, (const float[]){4, 5, 6}, 3, 0, 0);
    const nz_tensor *dout[3] = {&part, NULL, &last}, *out[3] = {&part, NULL, &last};
    nz_tensor *din[2] = {&dx, NULL};
    nz_assert_ok(nz_op_find("", "Split")->grad(&t.ctx, &(nz_op_grad){out, dout, din}));
    nz_assert_floats(dx.data, (const float[]){1, 0, 0, 4, 5, 6}, 6, 0, 0);
    t.ctx.out[0] = t.ctx.out[2] = (nz_tensor){0};
    nz_tensor_done(&part), nz_tensor_done(&last), nz_tensor_done(&dx);
    op_done(&t);
}

/* The running statistics, outputs 1 and 2 when training, are kept and not trained through. */
static void nothing_flows_through_running_statistics(void **state) {
    op_case t = {0};
    const nz_op *op = nz_op_find("", "BatchNormalization");
    (void)state;
    op_const(&t, NZ_F32, "3x1", OP_VALUES(1, 2, 4));
    for (int i = 0; i < 4; i++) op_const(&t, NZ_F32, "1", OP_VALUES(1));
    nz_assert_ok(nz_node_set_int(op_node(&t, "BatchNormalization", 3), "training_mode", 1));
    nz_assert_ok(op_run(&t));
    float flow = 5, by_x[3] = {NAN, NAN, NAN}, by_scale = NAN;
    const nz_tensor *out[3] = {&t.ctx.out[0], &t.ctx.out[1], &t.ctx.out[2]};
    const nz_tensor dmean = nz_tensor_borrow(NZ_F32, &t.ctx.out[1].shape, &flow), *dout[3] = {NULL, &dmean, NULL};
    nz_tensor dx = nz_tensor_borrow(NZ_F32, &t.ctx.in[0]->shape, by_x),
              dscale = nz_tensor_borrow(NZ_F32, &t.ctx.in[1]->shape, &by_scale);
    nz_tensor *din[5] = {&dx, &dscale, NULL, NULL, NULL};
    nz_assert_ok(op->grad(&t.ctx, &(nz_op_grad){out, dout, din}));
    nz_assert_floats(by_x, (const float[]){0, 0, 0}, 3, 0, 0);
    nz_assert_near(by_scale, 0, 0, 0);
    op_done(&t);
}

/* ---- quantisation ---- */

static void quantized(const char *op_type, nz_dtype dtype, const double *x, const char *scales, const double *scale,
                      const double *zero, const double *flow, const double *expected) {
    op_case t = {0};
    op_const(&t, strcmp(op_type, "QuantizeLinear") == 0 ? NZ_F32 : dtype, "2x3", x);
    op_const(&t, NZ_F32, scales, scale);
    op_const(&t, dtype, scales, zero);
    nz_assert_ok(nz_node_set_int(op_node(&t, op_type, 1), "axis", 0));
    expect(&t, 0, flow, expected);
}

static void quantizing_is_straight_through_within_its_range(void **state) {
    const double *one = OP_VALUES(1, 1, 1, 1, 1, 1), *many = OP_VALUES(1, 2, 3, 4, 5, 6);
    (void)state;
    /* The range is [-5, 122.5]; what rounds to its ends is inside. */
    quantized("QuantizeLinear", NZ_U8, OP_VALUES(-5, -5.24, -5.26, 122.5, 122.74, 122.76), "", OP_VALUES(0.5),
              OP_VALUES(10), one, OP_VALUES(2, 2, 0, 2, 2, 0));
    quantized("QuantizeLinear", NZ_I8, OP_VALUES(-128, -129, 127, -260, 250, 256), "2", OP_VALUES(1, 2),
              OP_VALUES(0, 0), many, OP_VALUES(1, 0, 3, 0, 2.5, 0));
    quantized("QuantizeLinear", NZ_I4, OP_VALUES(-8, -9, 7, 8, 0, 7.4), "", OP_VALUES(1), OP_VALUES(0), many,
              OP_VALUES(1, 0, 3, 0, 5, 6));
    quantized("QuantizeLinear", NZ_F8E4M3FN, OP_VALUES(448, -448, 449, -500, 1, 0), "", OP_VALUES(1), OP_VALUES(0),
              many, OP_VALUES(1, 2, 0, 0, 5, 6));
    quantized("DequantizeLinear", NZ_I8, OP_VALUES(1, 2, 3, 4, 5, 6), "2", OP_VALUES(0.5, 2), OP_VALUES(0, 0), many,
              OP_VALUES(0.5, 1, 1.5, 8, 10, 12));
}

/* dy goes through a pair as it is, where x lies within the range. */
static void a_pair_passes_what_flows_in(void **state) {
    const double scale = 0.125, flow[6] = {1, 2, 3, 4, 5, 6};
    double between[6];
    (void)state;
    for (int i = 0; i < 6; i++) between[i] = flow[i] * scale; /* what DequantizeLinear gives back */
    quantized("DequantizeLinear", NZ_I8, OP_VALUES(1, 2, 3, 4, 5, 6), "", &scale, OP_VALUES(0), flow, between);
    quantized("QuantizeLinear", NZ_I8, OP_VALUES(0.1, 1, 20, -20, -1, -0.1), "", &scale, OP_VALUES(0), between,
              OP_VALUES(1, 2, 0, 0, 5, 6));
}

static void blocks_have_scales_of_their_own(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "4x1", OP_VALUES(100, 200, 100, 200));
    op_const(&t, NZ_F32, "2x1", OP_VALUES(1, 2));
    op_const(&t, NZ_I8, "2x1", OP_VALUES(0, 0));
    nz_node *node = op_node(&t, "QuantizeLinear", 1);
    nz_assert_ok(nz_node_set_int(node, "axis", 0));
    nz_assert_ok(nz_node_set_int(node, "block_size", 2));
    expect(&t, 0, OP_VALUES(1, 1, 1, 1), OP_VALUES(1, 0, 0.5, 0.5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinks_have_the_slope_of_the_flatter_side),
        cmocka_unit_test(clip_passes_nothing_at_its_bounds),
        cmocka_unit_test(prelu_at_0_has_its_slope),
        cmocka_unit_test(powers_of_0_have_finite_gradients),
        cmocka_unit_test(ties_give_all_to_the_first),
        cmocka_unit_test(pools_of_equals),
        cmocka_unit_test(a_nan_takes_the_pool),
        cmocka_unit_test(reductions_at_0),
        cmocka_unit_test(a_sum_over_nothing_has_no_gradient),
        cmocka_unit_test(nothing_flows_through_integers),
        cmocka_unit_test(the_last_of_what_was_placed_gets_the_gradient),
        cmocka_unit_test(a_part_that_is_left_out),
        cmocka_unit_test(nothing_flows_through_running_statistics),
        cmocka_unit_test(quantizing_is_straight_through_within_its_range),
        cmocka_unit_test(a_pair_passes_what_flows_in),
        cmocka_unit_test(blocks_have_scales_of_their_own),
    };
    return cmocka_run_group_tests_name("grad/rules", tests, NULL, NULL);
}
