/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include "core/memory.h"
#include "test.h"

static void pieces_make_one_string(void **state) {
    (void)state;
    nz_text text = {0};
    NZ_AUTO_FREE char *string = NULL;
    nz_text_append(&text, "a");
    nz_text_appendf(&text, "%d-%s", 12, "b");
    nz_text_append_bytes(&text, "xyz", 2);
    assert_string_equal(text.data, "a12-bxy");
    nz_assert_ok(nz_text_take(&text, &string));
    assert_string_equal(string, "a12-bxy");
    assert_null(text.data);
    assert_int_equal(text.length, 0);
}

static void an_empty_text_is_a_string_too(void **state) {
    (void)state;
    nz_text text = {0};
    NZ_AUTO_FREE char *string = NULL;
    nz_assert_ok(nz_text_take(&text, &string));
    assert_string_equal(string, "");
}

static void a_failure_is_remembered(void **state) {
    (void)state;
    nz_text text = {0};
    char *string = NULL;
    nz_text_append(&text, "kept");
    nz_text_append_bytes(&text, "", SIZE_MAX);
    assert_int_equal(text.status, NZ_E_MEMORY);
    nz_text_append(&text, " not taken");
    nz_text_appendf(&text, "%d", 1);
    assert_string_equal(text.data, "kept");
    assert_int_equal(nz_text_take(&text, &string), NZ_E_MEMORY);
    assert_null(string);
}

static void long_texts_grow(void **state) {
    (void)state;
    nz_text text = {0};
    for (int i = 0; i < 10000; i++) nz_text_appendf(&text, "%05d", i);
    assert_int_equal(text.status, NZ_OK);
    assert_int_equal(text.length, 50000);
    assert_memory_equal(text.data + 49995, "09999", 6);
    nz_text_done(&text);
    NZ_AUTO_FREE char *wide = NULL;
    nz_assert_ok(nz_format(&wide, "%*d", 5000, 7));
    assert_int_equal(strlen(wide), 5000);
}

static void whole_numbers_are_read_strictly(void **state) {
    (void)state;
    long long value = 5;
    nz_assert_ok(nz_parse_int(&value, "-42", "n"));
    assert_int_equal(value, -42);
    nz_assert_ok(nz_parse_int(&value, "9223372036854775807", "n"));
    assert_true(value == INT64_MAX);
    static const char *const bad[] = {"", " 1", "1 ", "1.5", "1e3", "0x10", "one", "9223372036854775808", "--1"};
    value = 5;
    for (size_t i = 0; i < NZ_COUNT(bad); i++)
        nz_assert_fails(nz_parse_int(&value, bad[i], "--limit"), NZ_E_ARG, "--limit: '");
    assert_int_equal(value, 5);
}

static void numbers_are_read_strictly(void **state) {
    (void)state;
    double value = 5;
    nz_assert_ok(nz_parse_double(&value, "-1.25e-3", "x"));
    assert_true(value == -0.00125);
    nz_assert_ok(nz_parse_double(&value, "7", "x"));
    assert_true(value == 7);
    static const char *const bad[] = {"", " 1", "1 ", "1,5", "nan", "inf", "-infinity", "1e999", "1.2.3", "x"};
    for (size_t i = 0; i < NZ_COUNT(bad); i++)
        nz_assert_fails(nz_parse_double(&value, bad[i], "zeta"), NZ_E_ARG, "zeta: '");
    assert_true(value == 7);
}

static void the_nearest_word_is_suggested(void **state) {
    (void)state;
    static const char *const words[] = {"compress", "compare", "combine", "doctor"};
    assert_string_equal(nz_closest("compres", words, 4), "compress");
    assert_string_equal(nz_closest("COMPARE", words, 4), "compare");
    assert_string_equal(nz_closest("docotr", words, 4), "doctor");
    assert_null(nz_closest("evaluate", words, 4));
    assert_null(nz_closest("x", words, 0));
    char endless[500];
    memset(endless, 'a', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_null(nz_closest(endless, words, 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_one_string),          cmocka_unit_test(an_empty_text_is_a_string_too),
        cmocka_unit_test(a_failure_is_remembered),         cmocka_unit_test(long_texts_grow),
        cmocka_unit_test(whole_numbers_are_read_strictly), cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(the_nearest_word_is_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
