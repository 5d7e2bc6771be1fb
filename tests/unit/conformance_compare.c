/* SPDX-License-Identifier: Apache-2.0 */
/* When an output agrees with a test vector. */
#include "runtime/conformance.h"
#include "test.h"

static const nz_shape three = {1, {3}};

static nz_status compare_f32(const float *got, const float *expected) {
    float a[3], b[3];
    memcpy(a, got, sizeof a);
    memcpy(b, expected, sizeof b);
    nz_tensor left = nz_tensor_borrow(NZ_F32, &three, a), right = nz_tensor_borrow(NZ_F32, &three, b);
    return nz_conformance_compare(&left, &right, "y");
}
#define F(...) ((const float[3]){__VA_ARGS__})

static void floats_agree_within_the_tolerances(void **state) {
    (void)state;
    nz_assert_ok(compare_f32(F(1, 2, 9e-8F), F(1.0009F, 2, 0)));
    nz_assert_fails(compare_f32(F(1, 2.003F, 3), F(1, 2, 3)), NZ_E_SHAPE, "1 of 3 elements differ, first at 1");
    nz_assert_fails(compare_f32(F(0, 0, 3e-7F), F(0, 0, 0)), NZ_E_SHAPE, "first at 2");
}

static void only_nan_agrees_with_nan(void **state) {
    (void)state;
    nz_assert_ok(compare_f32(F(NAN, INFINITY, -INFINITY), F(NAN, INFINITY, -INFINITY)));
    nz_assert_fails(compare_f32(F(NAN, 1, 1), F(1, 1, 1)), NZ_E_SHAPE, "first at 0");
    nz_assert_fails(compare_f32(F(1, 1, 1), F(NAN, 1, 1)), NZ_E_SHAPE, "first at 0");
    nz_assert_fails(compare_f32(F(INFINITY, 1, 1), F(-INFINITY, 1, 1)), NZ_E_SHAPE, "first at 0");
    nz_assert_fails(compare_f32(F(3e38F, 1, 1), F(INFINITY, 1, 1)), NZ_E_SHAPE, "first at 0");
}

static void integers_agree_exactly(void **state) {
    (void)state;
    int64_t a[] = {INT64_C(1) << 60, 2, 3}, b[] = {(INT64_C(1) << 60) + 1, 2, 3};
    nz_tensor left = nz_tensor_borrow(NZ_I64, &three, a), right = nz_tensor_borrow(NZ_I64, &three, b);
    nz_assert_fails(nz_conformance_compare(&left, &right, "y"), NZ_E_SHAPE, "1 of 3");
    b[0] = a[0];
    nz_assert_ok(nz_conformance_compare(&left, &right, "y"));
}

static void a_bfloat16_may_be_its_neighbour(void **state) {
    (void)state;
    uint16_t a[] = {0x3f80, 0x3f81, 0x0000}, b[] = {0x3f81, 0x3f80, 0x0000};
    nz_tensor left = nz_tensor_borrow(NZ_BF16, &three, a), right = nz_tensor_borrow(NZ_BF16, &three, b);
    nz_assert_ok(nz_conformance_compare(&left, &right, "y"));
    a[1] = 0x3f82;
    nz_assert_fails(nz_conformance_compare(&left, &right, "y"), NZ_E_SHAPE, "first at 1");
    a[1] = 0x7fc0; /* NaN, whatever its bits */
    nz_assert_fails(nz_conformance_compare(&left, &right, "y"), NZ_E_SHAPE, "first at 1");
}

static void types_and_shapes_are_the_same(void **state) {
    (void)state;
    float a[3] = {1, 2, 3};
    int32_t b[3] = {1, 2, 3};
    const nz_shape row = {2, {1, 3}};
    nz_tensor f = nz_tensor_borrow(NZ_F32, &three, a), i = nz_tensor_borrow(NZ_I32, &three, b),
              r = nz_tensor_borrow(NZ_F32, &row, a);
    nz_assert_fails(nz_conformance_compare(&f, &i, "y"), NZ_E_SHAPE, "output 'y' is float 3, expected int32 3");
    nz_assert_fails(nz_conformance_compare(&f, &r, "y"), NZ_E_SHAPE, "expected float 1x3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_agree_within_the_tolerances),
        cmocka_unit_test(only_nan_agrees_with_nan),
        cmocka_unit_test(integers_agree_exactly),
        cmocka_unit_test(a_bfloat16_may_be_its_neighbour),
        cmocka_unit_test(types_and_shapes_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
