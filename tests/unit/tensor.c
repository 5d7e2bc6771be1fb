/* SPDX-License-Identifier: Apache-2.0 */
#include "netzip/tensor.h"

#include "core/memory.h"
#include "test.h"

static nz_shape vector_of(int64_t n) { return (nz_shape){.rank = 1, .dim = {n}}; }

static void every_type_has_its_facts(void **state) {
    (void)state;
    assert_string_equal(nz_dtype_get(NZ_F32)->name, "float");
    assert_string_equal(nz_dtype_get(NZ_BF16)->name, "bfloat16");
    assert_int_equal(nz_dtype_get(NZ_I4)->bits, 4);
    assert_true(nz_dtype_get(NZ_I4)->is_signed && nz_dtype_get(NZ_I4)->is_integer);
    assert_int_equal(nz_dtype_get(NZ_STRING)->bits, 0);
    assert_int_equal(nz_dtype_get((nz_dtype)99)->bits, 0);
    assert_int_equal(nz_dtype_get((nz_dtype)-1)->bits, 0);
    for (int d = NZ_F32; d < NZ_DTYPE_END; d++) assert_non_null(nz_dtype_get((nz_dtype)d)->name);
}

static void elements_overflow_to_unknown(void **state) {
    (void)state;
    nz_shape s = {.rank = 3, .dim = {INT64_MAX, 2, 1}};
    assert_true(nz_shape_elements(&s) == -1);
    s.dim[2] = 0;
    assert_true(nz_shape_elements(&s) == 0);
    s.dim[0] = -1;
    assert_true(nz_shape_elements(&s) == -1);
    s = (nz_shape){.rank = 0};
    assert_true(nz_shape_elements(&s) == 1);
    s.rank = -1;
    assert_true(nz_shape_elements(&s) == -1);
    size_t bytes = 7;
    nz_assert_fails(nz_dtype_bytes(&bytes, NZ_F64, INT64_C(1) << 61), NZ_E_SHAPE, "too large");
    nz_assert_fails(nz_dtype_bytes(&bytes, NZ_STRING, 1), NZ_E_SHAPE, "string");
    assert_int_equal(bytes, 7);
    nz_assert_ok(nz_dtype_bytes(&bytes, NZ_U4, 5));
    assert_int_equal(bytes, 3);
    nz_assert_ok(nz_dtype_bytes(&bytes, NZ_U4, INT64_MAX));
    assert_true(bytes == (size_t)INT64_MAX / 2 + 1);
}

static void shapes_have_a_text(void **state) {
    (void)state;
    char text[112];
    nz_shape s = {.rank = 4, .dim = {1, 3, -1, 224}};
    assert_string_equal(nz_shape_text(&s, text), "1x3x?x224");
    s.rank = 0;
    assert_string_equal(nz_shape_text(&s, text), "scalar");
    s.rank = -1;
    assert_string_equal(nz_shape_text(&s, text), "unknown");
    s.rank = NZ_MAX_RANK;
    for (int i = 0; i < NZ_MAX_RANK; i++) s.dim[i] = INT64_MAX;
    assert_true(strlen(nz_shape_text(&s, text)) < sizeof text);
}

static void every_half_returns_from_float(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        float value = nz_f16_to_f32((uint16_t)bits);
        uint16_t back = nz_f32_to_f16(value);
        if (isnan(value) ? (back & 0x7c00) != 0x7c00 || !(back & 0x3ff) : back != bits)
            fail_msg("f16 %04x gives %04x", bits, back);
        value = nz_bf16_to_f32((uint16_t)bits);
        back = nz_f32_to_bf16(value);
        if (isnan(value) ? (back & 0x7f80) != 0x7f80 || !(back & 0x7f) : back != bits)
            fail_msg("bf16 %04x gives %04x", bits, back);
    }
}

static void halves_round_to_nearest_even(void **state) {
    (void)state;
    static const struct {
        float value;
        uint16_t f16, bf16;
    } cases[] = {
        {1.0f, 0x3c00, 0x3f80},
        {1.0f + 0x1p-11f, 0x3c00, 0x3f80}, /* halfway in f16: to even, down */
        {1.0f + 0x3p-11f, 0x3c02, 0x3f80}, /* halfway in f16: to even, up */
        {1.0f + 0x1p-11f + 0x1p-20f, 0x3c01, 0x3f80},
        {65504.0f, 0x7bff, 0x4780},
        {65519.996f, 0x7bff, 0x4780},
        {65520.0f, 0x7c00, 0x4780},
        {0x1p-24f, 0x0001, 0x3380},
        {0x1p-25f, 0x0000, 0x3300},
        {0x1.8p-24f, 0x0002, 0x33c0},
        {-0x1p-14f + 0x1p-25f, 0x8400, 0xb880},
        {3.3895314e38f, 0x7c00, 0x7f7f},
        {3.4e38f, 0x7c00, 0x7f80},
        {-INFINITY, 0xfc00, 0xff80},
        {-0.0f, 0x8000, 0x8000},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        if (nz_f32_to_f16(cases[i].value) != cases[i].f16)
            fail_msg("%a: f16 %04x", (double)cases[i].value, nz_f32_to_f16(cases[i].value));
        if (nz_f32_to_bf16(cases[i].value) != cases[i].bf16)
            fail_msg("%a: bf16 %04x", (double)cases[i].value, nz_f32_to_bf16(cases[i].value));
    }
    assert_true(isnan(nz_f16_to_f32(nz_f32_to_f16(NAN))) && isnan(nz_bf16_to_f32(nz_f32_to_bf16(NAN))));
}

/* 1 + 2^-11 + 2^-40 rounds up in f16; by way of float it would become a tie and go down. */
static void doubles_round_to_halves_once(void **state) {
    (void)state;
    uint16_t bits = 0;
    const nz_shape one = vector_of(1);
    nz_tensor t = nz_tensor_borrow(NZ_F16, &one, &bits);
    nz_tensor_set_real(&t, 0, 1.0 + 0x1p-11 + 0x1p-40);
    assert_int_equal(bits, 0x3c01);
    nz_tensor_set_real(&t, 0, -(1.0 + 0x3p-11 - 0x1p-40));
    assert_int_equal(bits, 0xbc01);
    nz_tensor_set_real(&t, 0, 1e300);
    assert_int_equal(bits, 0x7c00);
}

static void eight_bit_floats_have_onnx_values(void **state) {
    (void)state;
    static const nz_dtype types[] = {NZ_F8E4M3FN, NZ_F8E4M3FNUZ, NZ_F8E5M2, NZ_F8E5M2FNUZ};
    static const float most[] = {448.0f, 240.0f, 57344.0f, 57344.0f}, least[] = {0x1p-9f, 0x1p-10f, 0x1p-16f, 0x1p-17f};
    for (size_t i = 0; i < NZ_COUNT(types); i++) {
        assert_true(nz_f8_to_f32(types[i], 1) == least[i]);
        for (int bits = 0; bits < 256; bits++) {
            float value = nz_f8_to_f32(types[i], (uint8_t)bits);
            if (isnan(value)) continue;
            if (isfinite(value) && fabsf(value) > most[i])
                fail_msg("type %d: %02x is %g", types[i], bits, (double)value);
            int back = nz_f32_to_f8(types[i], value, false);
            if (back != bits) fail_msg("type %d: %02x gives %02x", types[i], bits, back);
        }
        assert_true(nz_f8_to_f32(types[i], nz_f32_to_f8(types[i], 1e30f, true)) == most[i]);
        assert_true(nz_f8_to_f32(types[i], nz_f32_to_f8(types[i], -INFINITY, true)) == -most[i]);
        assert_true(isnan(nz_f8_to_f32(types[i], nz_f32_to_f8(types[i], NAN, true))));
        float beyond = nz_f8_to_f32(types[i], nz_f32_to_f8(types[i], 1e30f, false));
        assert_true(types[i] == NZ_F8E5M2 ? isinf(beyond) : isnan(beyond));
    }
    assert_int_equal(nz_f32_to_f8(NZ_F8E4M3FN, 464.0f, false), 0x7e); /* halfway to what would be 480: to even */
    assert_int_equal(nz_f32_to_f8(NZ_F8E4M3FNUZ, -0.0f, true), 0);
    assert_int_equal(nz_f32_to_f8(NZ_F8E4M3FN, 0x1p-10f, true), 0); /* halfway between 0 and the least: to even */
}

static void integers_saturate_and_round_to_even(void **state) {
    (void)state;
    static const struct {
        nz_dtype dtype;
        double value;
        int64_t expected;
    } cases[] = {
        {NZ_I8, 127.5, 127},
        {NZ_I8, -128.5, -128},
        {NZ_I8, -1e30, -128},
        {NZ_U8, -3, 0},
        {NZ_U8, 2.5, 2},
        {NZ_U8, 3.5, 4},
        {NZ_U8, 1e9, 255},
        {NZ_U4, 16, 15},
        {NZ_U4, 7, 7},
        {NZ_I4, -9, -8},
        {NZ_I4, 8, 7},
        {NZ_I4, -3, -3},
        {NZ_I16, 40000, 32767},
        {NZ_U16, 70000, 65535},
        {NZ_I32, 1e18, INT32_MAX},
        {NZ_U32, 1e18, UINT32_MAX},
        {NZ_I64, 1e30, INT64_MAX},
        {NZ_I64, -1e30, INT64_MIN},
        {NZ_U64, -1, 0},
        {NZ_I32, NAN, 0},
        {NZ_BOOL, 0.25, 1},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO(nz_tensor_done) nz_tensor t = {0};
        const nz_shape three = vector_of(3);
        nz_assert_ok(nz_tensor_init(&t, cases[i].dtype, &three));
        nz_tensor_set_real(&t, 1, cases[i].value);
        if (nz_tensor_int(&t, 1) != cases[i].expected || nz_tensor_int(&t, 0) || nz_tensor_int(&t, 2))
            fail_msg("%s of %g is %lld", nz_dtype_get(cases[i].dtype)->name, cases[i].value,
                     (long long)nz_tensor_int(&t, 1));
    }
}

static void floats_truncate_to_integers(void **state) {
    (void)state;
    float values[] = {2.9f, -2.9f, 1e30f, -1e30f, NAN};
    const nz_shape five = vector_of(5);
    nz_tensor t = nz_tensor_borrow(NZ_F32, &five, values);
    assert_true(nz_tensor_int(&t, 0) == 2 && nz_tensor_int(&t, 1) == -2);
    assert_true(nz_tensor_int(&t, 2) == INT64_MAX && nz_tensor_int(&t, 3) == INT64_MIN && nz_tensor_int(&t, 4) == 0);
}

/* Weights may lie anywhere in a mapped file. */
static void elements_need_no_alignment(void **state) {
    (void)state;
    char bytes[1 + 3 * sizeof(float)];
    const float values[] = {1.5f, -2.0f, 1e-3f};
    const nz_shape three = vector_of(3);
    memcpy(bytes + 1, values, sizeof values);
    nz_tensor t = nz_tensor_borrow(NZ_F32, &three, bytes + 1);
    float out[3];
    nz_tensor_to_f32(&t, out);
    nz_assert_floats(out, values, 3, 0, 0);
    assert_true(nz_tensor_real(&t, 1) == -2.0);
}

static void sharing_keeps_the_bytes_and_copies_what_is_borrowed(void **state) {
    (void)state;
    const nz_shape two = vector_of(2);
    nz_tensor a = {0}, b = {0}, c = {0};
    nz_assert_ok(nz_tensor_init(&a, NZ_I32, &two));
    nz_tensor_set_int(&a, 1, 7);
    nz_assert_ok(nz_tensor_share(&b, &a));
    assert_ptr_equal(a.data, b.data);
    nz_tensor_done(&a);
    assert_true(nz_tensor_int(&b, 1) == 7);
    int32_t own[2] = {1, 2};
    nz_tensor borrowed = nz_tensor_borrow(NZ_I32, &two, own);
    nz_assert_ok(nz_tensor_share(&c, &borrowed));
    own[0] = 9;
    assert_true(nz_tensor_int(&c, 0) == 1);
    nz_tensor_done(&b);
    nz_tensor_done(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_facts),
        cmocka_unit_test(elements_overflow_to_unknown),
        cmocka_unit_test(shapes_have_a_text),
        cmocka_unit_test(every_half_returns_from_float),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(doubles_round_to_halves_once),
        cmocka_unit_test(eight_bit_floats_have_onnx_values),
        cmocka_unit_test(integers_saturate_and_round_to_even),
        cmocka_unit_test(floats_truncate_to_integers),
        cmocka_unit_test(elements_need_no_alignment),
        cmocka_unit_test(sharing_keeps_the_bytes_and_copies_what_is_borrowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
