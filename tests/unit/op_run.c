/* SPDX-License-Identifier: Apache-2.0 */
/** Numbers that operators compute, at the corners that ONNX's vectors leave out. */
#include "op.h"

#include "core/random.h"

static void expect_pair(const char *op_type, nz_dtype dtype, const double *a, const double *b, const double *out,
                        int count) {
    op_case t = {0};
    char shape[16];
    snprintf(shape, sizeof shape, "%d", count);
    op_const(&t, dtype, shape, a);
    op_const(&t, dtype, shape, b);
    op_node(&t, op_type, 1);
    op_expect(&t, dtype, shape, out);
}

static void integers_wrap_around(void **state) {
    (void)state;
    expect_pair("Add", NZ_U8, OP_VALUES(250, 255), OP_VALUES(10, 1), OP_VALUES(4, 0), 2);
    expect_pair("Sub", NZ_U8, OP_VALUES(3, 0), OP_VALUES(5, 1), OP_VALUES(254, 255), 2);
    expect_pair("Mul", NZ_I8, OP_VALUES(100, -128), OP_VALUES(3, -1), OP_VALUES(44, -128), 2);
    expect_pair("Add", NZ_I32, OP_VALUES(2147483647, -5), OP_VALUES(1, 3), OP_VALUES(-2147483648.0, -2), 2);
}

static void integer_division_is_safe(void **state) {
    (void)state;
    expect_pair("Div", NZ_I32, OP_VALUES(-7, 7, -2147483648.0, 5), OP_VALUES(2, -2, -1, 0),
                OP_VALUES(-3, -3, -2147483648.0, 0), 4);
    expect_pair("Mod", NZ_I32, OP_VALUES(-7, 7, -2147483648.0, 5), OP_VALUES(3, -3, -1, 0), OP_VALUES(2, -2, 0, 0), 4);
}

static void fmod_keeps_the_sign_of_the_dividend(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "2", OP_VALUES(-7.5, 7.5));
    op_const(&t, NZ_F32, "2", OP_VALUES(2, -2));
    nz_assert_ok(nz_node_set_int(op_node(&t, "Mod", 1), "fmod", 1));
    op_expect(&t, NZ_F32, "2", OP_VALUES(-1.5, 1.5));
}

static void nan_wins_in_max_and_min(void **state) {
    (void)state;
    expect_pair("Max", NZ_F32, OP_VALUES(NAN, 1, 2), OP_VALUES(1, NAN, 3), OP_VALUES(NAN, NAN, 3), 3);
    expect_pair("Min", NZ_F32, OP_VALUES(NAN, 1, 2), OP_VALUES(1, NAN, 3), OP_VALUES(NAN, NAN, 2), 3);
}

static void half_precision_rounds_once(void **state) {
    (void)state;
    expect_pair("Add", NZ_F16, OP_VALUES(2048, 1), OP_VALUES(1, 0.00048828125), OP_VALUES(2048, 1), 2);
    expect_pair("Mul", NZ_BF16, OP_VALUES(3, 1.0078125), OP_VALUES(5, 1.0078125), OP_VALUES(15, 1.015625), 2);
}

static void powers_of_integers_are_exact(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_I64, "3", OP_VALUES(3, -2, 10));
    op_const(&t, NZ_I32, "3", OP_VALUES(30, 3, 0));
    op_node(&t, "Pow", 1);
    op_expect(&t, NZ_I64, "3", OP_VALUES(205891132094649.0, -8, 1));
}

static void shifts_beyond_the_width_give_nothing(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_U8, "3", OP_VALUES(255, 255, 1));
    op_const(&t, NZ_U8, "3", OP_VALUES(8, 1, 200));
    nz_assert_ok(nz_node_set_string(op_node(&t, "BitShift", 1), "direction", "LEFT"));
    op_expect(&t, NZ_U8, "3", OP_VALUES(0, 254, 0));
}

static void clip_lets_nan_through_and_takes_one_bound(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "3", OP_VALUES(NAN, -5, 5));
    op_skip(&t);
    op_const(&t, NZ_F32, "", OP_VALUES(2));
    op_node(&t, "Clip", 1);
    op_expect(&t, NZ_F32, "3", OP_VALUES(NAN, -5, 2));
}

static void activations_stay_finite_far_out(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "3", OP_VALUES(-200, 0, 200));
    op_node(&t, "Softplus", 1);
    op_expect(&t, NZ_F32, "3", OP_VALUES(0, 0.6931471805599453, 200));
    op_const(&t, NZ_F32, "3", OP_VALUES(-200, 0, 200));
    op_node(&t, "Mish", 1);
    op_expect(&t, NZ_F32, "3", OP_VALUES(0, 0, 200));
    op_const(&t, NZ_F32, "3", OP_VALUES(-200, 0, 200));
    op_node(&t, "Sigmoid", 1);
    op_expect(&t, NZ_F32, "3", OP_VALUES(0, 0.5, 1));
}

static void swish_follows_its_alpha(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "3", OP_VALUES(-1, 0, 2));
    nz_assert_ok(nz_node_set_float(op_node(&t, "Swish", 1), "alpha", 2));
    op_expect(&t, NZ_F32, "3", OP_VALUES(-1 / (1 + exp(2)), 0, 2 / (1 + exp(-4))));
}

static void losses_ignore_and_weigh(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "3x2", OP_VALUES(-1, -2, -3, -4, -5, -6));
    op_const(&t, NZ_I64, "3", OP_VALUES(0, 1, -7));
    op_const(&t, NZ_F32, "2", OP_VALUES(1, 3));
    nz_assert_ok(nz_node_set_int(op_node(&t, "NegativeLogLikelihoodLoss", 1), "ignore_index", -7));
    op_expect(&t, NZ_F32, "", OP_VALUES((1.0 * 1 + 3 * 4) / 4));
    op_const(&t, NZ_F32, "1x2", OP_VALUES(-1, -2));
    op_const(&t, NZ_I64, "1", OP_VALUES(2));
    op_node(&t, "NegativeLogLikelihoodLoss", 1);
    nz_assert_fails(op_run(&t), NZ_E_SHAPE, "target 2 is none of 2 classes");
    op_done(&t);
}

static void sampling_beyond_the_border(void **state) {
    static const struct {
        const char *padding;
        double value;
    } cases[] = {{"zeros", 0}, {"border", 3}, {"reflection", 2}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_const(&t, NZ_F32, "1x1x1x3", OP_VALUES(1, 2, 3));
        op_const(&t, NZ_F32, "1x1x1x2", OP_VALUES(2, 0)); /* x: index 3 where corners are aligned */
        nz_node *node = op_node(&t, "GridSample", 1);
        nz_assert_ok(nz_node_set_string(node, "padding_mode", cases[i].padding));
        nz_assert_ok(nz_node_set_int(node, "align_corners", 1));
        op_expect(&t, NZ_F32, "1x1x1x1", &cases[i].value);
    }
}

/* ---- against the plainest formula, at sizes where the fast paths and threads are in play ---- */

static int64_t offset_of(const nz_shape *shape, const int64_t *index) {
    int64_t at = 0;
    for (int d = 0; d < shape->rank; d++) at = at * shape->dim[d] + (shape->dim[d] == 1 ? 0 : index[d]);
    return at;
}

static void random_constant(op_case *t, nz_random *random, const char *shape) {
    nz_shape parsed = op_shape(shape);
    int64_t n = nz_shape_elements(&parsed);
    double *values = calloc((size_t)n, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++) values[i] = nz_random_unit(random) - 0.5;
    op_const(t, NZ_F32, shape, values);
    free(values);
}

static void strided_sums_agree_with_the_formula(void **state) {
    static const char *const pairs[][2] = {{"3x5x7x11", "1x5x1x11"}, {"3x1x7x1", "3x5x1x11"}, {"64x33x41", "33x1"},
                                           {"2x3x5x7", "2x3x5x7"},   {"1x1x1", "129x3x65"},   {"40000", "1"}};
    nz_random random;
    (void)state;
    nz_random_init(&random, 1, 0);
    for (size_t p = 0; p < NZ_COUNT(pairs); p++) {
        op_case t = {0};
        random_constant(&t, &random, pairs[p][0]);
        random_constant(&t, &random, pairs[p][1]);
        op_node(&t, "Sub", 1);
        nz_assert_ok(op_run(&t));
        const nz_shape *shape = &t.ctx.out[0].shape;
        for (int64_t i = 0; i < nz_shape_elements(shape); i++) {
            int64_t index[NZ_MAX_RANK], rest = i;
            for (int d = shape->rank - 1; d >= 0; rest /= shape->dim[d--]) index[d] = rest % shape->dim[d];
            const int64_t *last = index + shape->rank;
            float a = ((float *)t.data[0].data)[offset_of(&t.data[0].shape, last - t.data[0].shape.rank)];
            float b = ((float *)t.data[1].data)[offset_of(&t.data[1].shape, last - t.data[1].shape.rank)];
            if (((float *)t.ctx.out[0].data)[i] != a - b) fail_msg("pair %zu differs at %lld", p, (long long)i);
        }
        op_done(&t);
    }
}

static void expect_transposed(nz_dtype dtype, const char *shape, const int64_t *perm) {
    op_case t = {0};
    nz_shape parsed = op_shape(shape);
    int64_t n = nz_shape_elements(&parsed);
    double *values = calloc((size_t)n, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++) values[i] = (double)(i * 37 % 127);
    op_const(&t, dtype, shape, values);
    free(values);
    nz_assert_ok(nz_node_set_ints(op_node(&t, "Transpose", 1), "perm", perm, (size_t)parsed.rank));
    nz_assert_ok(op_run(&t));
    const nz_shape *out = &t.ctx.out[0].shape;
    for (int64_t i = 0; i < n; i++) {
        int64_t index[NZ_MAX_RANK], rest = i;
        for (int d = parsed.rank - 1; d >= 0; rest /= out->dim[d--]) index[perm[d]] = rest % out->dim[d];
        double wanted = (double)(offset_of(&parsed, index) * 37 % 127);
        if (nz_tensor_real(&t.ctx.out[0], i) != wanted)
            fail_msg("%s of %s differs at %lld", shape, nz_dtype_get(dtype)->name, (long long)i);
    }
    op_done(&t);
}

static void transposing_agrees_with_the_formula(void **state) {
    static const nz_dtype dtypes[] = {NZ_I8, NZ_F16, NZ_F32, NZ_I64};
    static const struct {
        const char *shape;
        int64_t perm[5];
    } cases[] = {{"2x3x4x5x6", {4, 0, 3, 1, 2}}, {"33x65", {1, 0}},           {"3x1x5x7", {2, 1, 0, 3}},
                 {"2x64x17x19", {0, 2, 3, 1}},   {"3x17x2x40", {2, 3, 0, 1}}, {"8x16", {1, 0}}};
    (void)state;
    for (size_t c = 0; c < NZ_COUNT(cases); c++)
        for (size_t d = 0; d < NZ_COUNT(dtypes); d++) expect_transposed(dtypes[d], cases[c].shape, cases[c].perm);
}

static void reductions_agree_whatever_the_axes(void **state) {
    (void)state;
    for (unsigned set = 1; set < 16; set++) {
        op_case t = {0};
        double axes[4], sums[2 * 3 * 4 * 5] = {0};
        int count = 0;
        nz_random random;
        nz_random_init(&random, set, 0);
        random_constant(&t, &random, "2x3x4x5");
        for (int d = 0; d < 4; d++)
            if (set >> d & 1) axes[count++] = d;
        op_const(&t, NZ_I64, (const char *[]){"0", "1", "2", "3", "4"}[count], axes);
        op_node(&t, "ReduceSum", 1);
        nz_assert_ok(op_run(&t));
        for (int64_t i = 0; i < 120; i++) {
            int64_t index[4] = {i / 60, i / 20 % 3, i / 5 % 4, i % 5};
            sums[offset_of(&t.ctx.out[0].shape, index)] += (double)((float *)t.data[0].data)[i];
        }
        for (int64_t i = 0; i < nz_shape_elements(&t.ctx.out[0].shape); i++)
            nz_assert_near(nz_tensor_real(&t.ctx.out[0], i), sums[i], 1e-6, 1e-7);
        op_done(&t);
    }
}

static void long_rows_find_their_ends_and_keep_nan(void **state) {
    double values[101];
    (void)state;
    for (int place = 0; place < 101; place += 5) {
        for (int i = 0; i < 101; i++) values[i] = (double)((i * 37) % 101) - 50;
        op_case t = {0};
        op_const(&t, NZ_F32, "101", values);
        op_node(&t, place % 2 ? "ReduceMax" : "ReduceMin", 1);
        op_expect(&t, NZ_F32, "1", OP_VALUES(place % 2 ? 50 : -50));
        values[place] = place % 2 ? 1000 : -1000;
        op_const(&t, NZ_F64, "101", values);
        op_node(&t, place % 2 ? "ReduceMax" : "ReduceMin", 1);
        op_expect(&t, NZ_F64, "1", &values[place]);
        values[place] = NAN;
        op_const(&t, NZ_F32, "101", values);
        op_node(&t, place % 2 ? "ReduceMax" : "ReduceMin", 1);
        op_expect(&t, NZ_F32, "1", OP_VALUES(NAN));
    }
}

static void reductions_of_nothing(void **state) {
    static const struct {
        const char *op_type;
        double value;
    } cases[] = {
        {"ReduceSum", 0}, {"ReduceProd", 1}, {"ReduceMax", -INFINITY}, {"ReduceMin", INFINITY}, {"ReduceMean", NAN}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_const(&t, NZ_F32, "2x0", OP_VALUES(0));
        op_list(&t, 1);
        op_node(&t, cases[i].op_type, 1);
        op_expect(&t, NZ_F32, "2x1", OP_VALUES(cases[i].value, cases[i].value));
    }
}

static void log_sum_exp_does_not_overflow(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "2", OP_VALUES(1000, 1000));
    op_node(&t, "ReduceLogSumExp", 1);
    op_expect(&t, NZ_F32, "1", OP_VALUES(1000.6931471805599));
}

/* ---- data movement ---- */

static void expect_pad(const char *mode, const double *pads, const char *shape, const double *out) {
    op_case t = {0};
    op_const(&t, NZ_F32, "2x3", OP_VALUES(1, 2, 3, 4, 5, 6));
    op_const(&t, NZ_I64, "4", pads);
    if (strcmp(mode, "constant") == 0) op_const(&t, NZ_F32, "", OP_VALUES(9));
    nz_assert_ok(nz_node_set_string(op_node(&t, "Pad", 1), "mode", mode));
    op_expect(&t, NZ_F32, shape, out);
}

static void pads_in_every_mode(void **state) {
    (void)state;
    expect_pad("constant", OP_VALUES(0, 1, 1, 0), "3x4", OP_VALUES(9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9));
    expect_pad("constant", OP_VALUES(-1, -1, 0, 1), "1x3", OP_VALUES(5, 6, 9));
    expect_pad("reflect", OP_VALUES(0, 2, 0, 1), "2x6", OP_VALUES(3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5));
    expect_pad("edge", OP_VALUES(1, 0, 0, 2), "3x5", OP_VALUES(1, 2, 3, 3, 3, 1, 2, 3, 3, 3, 4, 5, 6, 6, 6));
    expect_pad("wrap", OP_VALUES(0, 1, 0, 4), "2x8", OP_VALUES(3, 1, 2, 3, 1, 2, 3, 1, 6, 4, 5, 6, 4, 5, 6, 4));
    /* Reflection wider than the tensor goes back and forth. */
    expect_pad("reflect", OP_VALUES(0, 0, 0, 5), "2x8", OP_VALUES(1, 2, 3, 2, 1, 2, 3, 2, 4, 5, 6, 5, 4, 5, 6, 5));
}

static void slices_go_backwards(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_I8, "2x4", OP_VALUES(1, 2, 3, 4, 5, 6, 7, 8));
    op_list(&t, -1, 3);
    op_list(&t, -100, 0);
    op_list(&t, 0, 1);
    op_list(&t, -1, -2);
    op_node(&t, "Slice", 1);
    op_expect(&t, NZ_I8, "2x2", OP_VALUES(8, 6, 4, 2));
}

static void packed_integers_are_transposed(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_I4, "3x3", OP_VALUES(-8, -7, -6, -5, -4, -3, -2, -1, 7));
    op_node(&t, "Transpose", 1);
    op_expect(&t, NZ_I4, "3x3", OP_VALUES(-8, -5, -2, -7, -4, -1, -6, -3, 7));
}

static void wrong_indices_are_errors(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "3", OP_VALUES(1, 2, 3));
    op_in(&t, NZ_I64, "2");
    op_node(&t, "Gather", 1);
    nz_assert_ok(op_infer(&t));
    nz_tensor out = {0};
    nz_assert_ok(nz_tensor_init(&out, NZ_F32, &(nz_shape){.rank = 1, .dim = {2}}));
    int64_t indices[] = {-3, 3};
    nz_tensor index = nz_tensor_borrow(NZ_I64, &(nz_shape){.rank = 1, .dim = {2}}, indices);
    const nz_tensor *in[] = {&t.data[0], &index};
    t.ctx.in = in;
    t.ctx.out[0] = out;
    nz_assert_fails(nz_op_find("", "Gather")->run(&t.ctx), NZ_E_SHAPE, "index 3 is outside an axis of extent 3");
    op_done(&t);
}

static void casts_cut_off_saturate_and_wrap(void **state) {
    static const struct {
        nz_dtype from, to;
        double in, out;
    } cases[] = {{NZ_F32, NZ_I32, -2.9, -2},
                 {NZ_F32, NZ_U8, 300, 255},
                 {NZ_F32, NZ_I64, 1e30, 9223372036854775807.0},
                 {NZ_I32, NZ_U8, 257, 1},
                 {NZ_I32, NZ_I8, -129, 127},
                 {NZ_F32, NZ_BOOL, 0.5, 1},
                 {NZ_BOOL, NZ_F32, 1, 1},
                 {NZ_F32, NZ_F16, 65520, INFINITY},
                 {NZ_F32, NZ_BF16, 1.00390625, 1},
                 {NZ_F32, NZ_F8E4M3FN, 500, 448},
                 {NZ_I4, NZ_F32, -8, -8},
                 {NZ_F32, NZ_I4, 9, 7},
                 {NZ_F64, NZ_F32, 1e300, INFINITY}};
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        op_case t = {0};
        op_const(&t, cases[i].from, "1", &cases[i].in);
        nz_assert_ok(nz_node_set_int(op_node(&t, "Cast", 1), "to", cases[i].to));
        op_expect(&t, cases[i].to, "1", &cases[i].out);
    }
}

static void ties_go_to_the_lower_index(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_I8, "5", OP_VALUES(3, 7, 7, 1, 7));
    op_list(&t, 3);
    op_node(&t, "TopK", 2);
    nz_assert_ok(op_run(&t));
    const int64_t wanted[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) assert_int_equal(nz_tensor_int(&t.ctx.out[1], i), wanted[i]);
    op_done(&t);
    op_const(&t, NZ_F32, "3", OP_VALUES(2, 5, 5));
    op_node(&t, "ArgMax", 1);
    op_expect(&t, NZ_I64, "1", OP_VALUES(1));
}

static void einsum_of_three_and_a_diagonal(void **state) {
    op_case t = {0};
    (void)state;
    op_const(&t, NZ_F32, "2", OP_VALUES(1, 2));
    op_const(&t, NZ_F32, "2x2", OP_VALUES(1, 2, 3, 4));
    op_const(&t, NZ_F32, "2", OP_VALUES(5, 6));
    nz_assert_ok(nz_node_set_string(op_node(&t, "Einsum", 1), "equation", "i,ij,j"));
    op_expect(&t, NZ_F32, "", OP_VALUES(17 + 2 * 39));
    op_const(&t, NZ_I32, "2x2", OP_VALUES(1, 2, 3, 4));
    nz_assert_ok(nz_node_set_string(op_node(&t, "Einsum", 1), "equation", "ii->i"));
    op_expect(&t, NZ_I32, "2", OP_VALUES(1, 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_wrap_around),
        cmocka_unit_test(integer_division_is_safe),
        cmocka_unit_test(fmod_keeps_the_sign_of_the_dividend),
        cmocka_unit_test(nan_wins_in_max_and_min),
        cmocka_unit_test(half_precision_rounds_once),
        cmocka_unit_test(powers_of_integers_are_exact),
        cmocka_unit_test(shifts_beyond_the_width_give_nothing),
        cmocka_unit_test(clip_lets_nan_through_and_takes_one_bound),
        cmocka_unit_test(activations_stay_finite_far_out),
        cmocka_unit_test(swish_follows_its_alpha),
        cmocka_unit_test(losses_ignore_and_weigh),
        cmocka_unit_test(sampling_beyond_the_border),
        cmocka_unit_test(strided_sums_agree_with_the_formula),
        cmocka_unit_test(transposing_agrees_with_the_formula),
        cmocka_unit_test(reductions_agree_whatever_the_axes),
        cmocka_unit_test(long_rows_find_their_ends_and_keep_nan),
        cmocka_unit_test(reductions_of_nothing),
        cmocka_unit_test(log_sum_exp_does_not_overflow),
        cmocka_unit_test(pads_in_every_mode),
        cmocka_unit_test(slices_go_backwards),
        cmocka_unit_test(packed_integers_are_transposed),
        cmocka_unit_test(wrong_indices_are_errors),
        cmocka_unit_test(casts_cut_off_saturate_and_wrap),
        cmocka_unit_test(ties_go_to_the_lower_index),
        cmocka_unit_test(einsum_of_three_and_a_diagonal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
