/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include "core/file.h"
#include "test.h"

static void assert_text(json_t *json, int compact, const char *expected) {
    NZ_AUTO_FREE char *text = NULL;
    nz_assert_ok(nz_json_text(&text, json, compact));
    assert_string_equal(text, expected);
    json_decref(json);
}

static void numbers_are_finite_or_null(void **state) {
    (void)state;
    assert_text(nz_json_real(1.5), 1, "1.5\n");
    assert_text(nz_json_real((double)NAN), 1, "null\n");
    assert_text(nz_json_real((double)INFINITY), 1, "null\n");
    assert_text(nz_json_real((double)-INFINITY), 1, "null\n");
}

static void reals_have_the_fewest_digits_that_read_back_the_same(void **state) {
    (void)state;
    assert_text(json_real(0.1), 1, "0.1\n");
    assert_text(json_real(70.3), 1, "70.3\n");
    assert_text(json_real(4), 1, "4.0\n");
    assert_text(json_real(-0.0), 1, "-0.0\n");
    assert_text(json_real(1e300), 1, "1e+300\n");
    assert_text(json_real(0.1 + 0.2), 1, "0.30000000000000004\n");
    static const double hard[] = {1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789012345678.0,
                                  2.2250738585072014e-308};
    for (size_t i = 0; i < NZ_COUNT(hard); i++) {
        NZ_AUTO_FREE char *text = NULL;
        NZ_AUTO_JSON json_t *json = json_real(hard[i]);
        nz_assert_ok(nz_json_text(&text, json, 1));
        assert_true(strtod(text, NULL) == hard[i]);
    }
}

static void invalid_utf8_is_replaced_byte_by_byte(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* a surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* above U+10FFFF */
        {"", ""},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO_JSON json_t *json = nz_json_string(cases[i][0]);
        assert_non_null(json);
        assert_string_equal(json_string_value(json), cases[i][1]);
    }
    NZ_AUTO_JSON json_t *null = nz_json_string(NULL);
    assert_true(json_is_null(null));
}

static void text_is_indented_and_keeps_the_order(void **state) {
    (void)state;
    json_t *json = json_pack("{s:i, s:[i,f], s:{}, s:[], s:[{s:b}], s:n}", "z", 1, "a", 2, 0.5, "empty", "none", "list",
                             "yes", 1, "null");
    json_t *same = json_incref(json);
    assert_text(json, 0,
                "{\n  \"z\": 1,\n  \"a\": [2, 0.5],\n  \"empty\": {},\n  \"none\": [],\n  \"list\": [\n    {\n"
                "      \"yes\": true\n    }\n  ],\n  \"null\": null\n}\n");
    assert_text(same, 1, "{\"z\":1,\"a\":[2,0.5],\"empty\":{},\"none\":[],\"list\":[{\"yes\":true}],\"null\":null}\n");
}

static void strings_are_escaped(void **state) {
    (void)state;
    assert_text(json_string("a\"b\\c\nd\te\x01\x7f</script>\xc3\xa9"), 1,
                "\"a\\\"b\\\\c\\nd\\te\\u0001\\u007f</script>\xc3\xa9\"\n");
    assert_text(json_stringn("a\0b", 3), 1, "\"a\\u0000b\"\n");
}

static void what_is_written_is_read(void **state) {
    (void)state;
    const char *path = nz_test_file("round.json");
    NZ_AUTO_JSON json_t *json =
        json_pack("{s:[f,f,i,s,n,b], s:{s:s}}", "mixed", 0.1, 1e-9, -7, "\xc3\xa9\"\n", 0, "deep", "k", "v");
    NZ_AUTO_JSON json_t *again = NULL;
    nz_assert_ok(nz_json_write(json, path));
    nz_assert_ok(nz_json_read(&again, path));
    assert_true(json_equal(json, again));
}

static void broken_files_are_named_with_the_place(void **state) {
    (void)state;
    json_t *json = NULL;
    const char *path = nz_test_file("broken.json");
    nz_assert_ok(nz_file_write(path, "{\n  \"a\": 1,\n  oops\n}", 21));
    nz_assert_fails(nz_json_read(&json, path), NZ_E_FORMAT, "broken.json:3:");
    nz_assert_ok(nz_file_write(path, "", 0));
    nz_assert_fails(nz_json_read(&json, path), NZ_E_FORMAT, "not valid JSON");
    nz_assert_fails(nz_json_read(&json, nz_test_file("absent.json")), NZ_E_IO, "absent.json");
    assert_null(json);
}

static void deep_nesting_does_not_exhaust_the_stack(void **state) {
    (void)state;
    enum { DEPTH = 1000000 };
    static char text[DEPTH];
    json_t *json = NULL;
    memset(text, '[', sizeof text);
    nz_assert_ok(nz_file_write(nz_test_file("deep.json"), text, sizeof text));
    nz_assert_fails(nz_json_read(&json, nz_test_file("deep.json")), NZ_E_FORMAT, "not valid JSON");
    assert_null(json);
}

static void what_is_not_there_is_nan_or_empty(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *json = json_pack("{s:i, s:f, s:s, s:n}", "whole", 3, "part", 0.5, "text", "a", "null");
    nz_assert_near(nz_json_number_at(json, "whole"), 3, 0, 0);
    nz_assert_near(nz_json_number_at(json, "part"), 0.5, 0, 0);
    nz_assert_nan(nz_json_number_at(json, "text"));
    nz_assert_nan(nz_json_number_at(json, "null"));
    nz_assert_nan(nz_json_number_at(NULL, "whole"));
    assert_string_equal(nz_json_text_at(json, "text"), "a");
    assert_string_equal(nz_json_text_at(json, "whole"), "");
    assert_string_equal(nz_json_text_at(NULL, "text"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_finite_or_null),
        cmocka_unit_test(reals_have_the_fewest_digits_that_read_back_the_same),
        cmocka_unit_test(invalid_utf8_is_replaced_byte_by_byte),
        cmocka_unit_test(text_is_indented_and_keeps_the_order),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(broken_files_are_named_with_the_place),
        cmocka_unit_test(deep_nesting_does_not_exhaust_the_stack),
        cmocka_unit_test(what_is_not_there_is_nan_or_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
