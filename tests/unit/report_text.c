/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile text in every format, and numbers without a locale. */
#include "core/csv.h"
#include "core/memory.h"
#include "report/escape.h"
#include "test.h"

typedef void (*put_function)(nz_text *out, const char *text);

static void assert_put(put_function put, const char *text, const char *expected) {
    NZ_AUTO(nz_text_done) nz_text out = {0};
    put(&out, text);
    assert_int_equal(out.status, NZ_OK);
    assert_string_equal(out.data ? out.data : "", expected);
}

static void html_takes_markup_literally(void **state) {
    (void)state;
    assert_put(nz_put_html, "<script>alert(1)</script>&\"'", "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;");
    assert_put(nz_put_html, "", "");
    assert_put(nz_put_html, "\xce\xbb &amp;", "\xce\xbb &amp;amp;");
}

static void tex_takes_commands_literally(void **state) {
    (void)state;
    assert_put(nz_put_tex, "\\input{/etc/passwd}", "\\textbackslash{}input\\{/etc/passwd\\}");
    assert_put(nz_put_tex, "50% of $x_1$ & #2 ~^",
               "50\\% of \\$x\\_1\\$ \\& \\#2 \\textasciitilde{}\\textasciicircum{}");
    assert_put(nz_put_tex, "a--b <c> \"d\"", "a{-}{-}b \\textless{}c\\textgreater{} \\textquotedbl{}d\\textquotedbl{}");
    /* What netzip itself writes beyond ASCII. */
    assert_put(nz_put_tex,
               "\xe2\x88\x92"
               "0.04 \xe2\x80\x93 2\xc3\x97"
               "10\xe2\x81\xbb\xe2\x81\xb7 \xc2\xb5J",
               "$-$0.04 -- 2$\\times$10$^{-}$$^{7}$ \\textmu{}J");
    assert_put(nz_put_tex, "\xd7\xa9", "\xd7\xa9"); /* other scripts pass */
}

static void markdown_takes_markup_literally(void **state) {
    (void)state;
    assert_put(nz_put_markdown, "| **b** `c` [l](x)", "\\| \\*\\*b\\*\\* \\`c\\` \\[l\\](x)");
    assert_put(nz_put_markdown, "GUP_L1 <img>", "GUP\\_L1 &lt;img&gt;");
}

static void csv_fields_read_back(void **state) {
    (void)state;
    assert_put(nz_put_csv, "plain", "plain");
    assert_put(nz_put_csv, "a,b", "\"a,b\"");
    assert_put(nz_put_csv, "say \"x\"", "\"say \"\"x\"\"\"");
    assert_put(nz_put_csv, "two\nlines", "\"two\nlines\"");
    static const char *const hard[] = {"a,b", "say \"x\"", "two\nlines", "", " led", "\"", ",", "\xd7\xa9,\xd7\xa9"};
    for (size_t i = 0; i < NZ_COUNT(hard); i++) {
        NZ_AUTO(nz_text_done) nz_text out = {0};
        NZ_AUTO_CSV nz_csv table = {0};
        nz_text_append(&out, "name,other\n");
        nz_put_csv(&out, hard[i]);
        nz_text_append(&out, ",1\n");
        nz_assert_ok(nz_csv_parse(&table, out.data, out.length, ',', "test"));
        assert_int_equal(table.rows, 1);
        assert_string_equal(nz_csv_cell(&table, 0, 0), hard[i]);
        assert_string_equal(nz_csv_cell(&table, 0, 1), "1");
    }
}

static void csv_fields_are_no_formulas(void **state) {
    (void)state;
    assert_put(nz_put_csv, "=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\"");
    assert_put(nz_put_csv, "+1", "\"'+1\"");
    assert_put(nz_put_csv, "@SUM(A1)", "\"'@SUM(A1)\"");
    assert_put(nz_put_csv, "-x", "\"'-x\"");
    assert_put(nz_put_csv, "a=b", "a=b");
}

static void shown_text_has_no_control_characters(void **state) {
    (void)state;
    assert_put(nz_put_clean, "a\nb\r\n\tc", "a b c");
    assert_put(nz_put_clean, "bell\a", "bell\xef\xbf\xbd");
    assert_put(nz_put_clean, "left\xe2\x80\xaeright", "left\xef\xbf\xbdright");         /* U+202E */
    assert_put(nz_put_clean, "\xe2\x81\xa6x\xe2\x81\xa9", "\xef\xbf\xbdx\xef\xbf\xbd"); /* U+2066, U+2069 */
    assert_put(nz_put_clean, "\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c");
    assert_put(nz_put_clean, "\xc3", "\xef\xbf\xbd");
    assert_put(nz_put_clean, "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
    assert_put(nz_put_clean, "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");                 /* too long a form */
    assert_put(nz_put_clean, "\xef\xbf\xbe", "\xef\xbf\xbd");                         /* XML forbids U+FFFE */
    assert_put(nz_put_clean, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
}

static void long_text_is_shortened_in_its_middle(void **state) {
    (void)state;
    NZ_AUTO(nz_text_done) nz_text out = {0};
    nz_put_short(&out, "abcdefghij", 10);
    assert_string_equal(out.data, "abcdefghij");
    nz_text_done(&out);
    nz_put_short(&out, "abcdefghij", 7);
    assert_string_equal(out.data, "abcd\xe2\x80\xa6ij");
    nz_text_done(&out);
    nz_put_short(&out, "\xce\xb1\xce\xb2\xce\xb3\xce\xb4\xce\xb5", 4); /* by characters, not by bytes */
    assert_string_equal(out.data, "\xce\xb1\xce\xb2\xe2\x80\xa6\xce\xb5");
    assert_int_equal(nz_utf8_count(out.data), 4);
}

static void assert_number(double value, const char *expected) {
    NZ_AUTO(nz_text_done) nz_text out = {0};
    nz_put_number(&out, value);
    assert_string_equal(out.data ? out.data : "", expected);
}

static void numbers_are_the_shortest_that_read_back(void **state) {
    (void)state;
    assert_number(70.3, "70.3");
    assert_number(0.1 + 0.2, "0.30000000000000004");
    assert_number(1e22, "1e+22");
    assert_number(-4, "-4");
    assert_number((double)NAN, "");
    assert_number((double)INFINITY, "");
}

static void fixed_decimals_have_no_minus_zero(void **state) {
    (void)state;
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {{-0.001, 2, "0.00"}, {-0.006, 2, "-0.01"}, {2.5, 0, "2"}, {1e6, 1, "1000000.0"}, {-0.0, 0, "0"}};
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO(nz_text_done) nz_text out = {0};
        nz_put_fixed(&out, cases[i].value, cases[i].decimals);
        assert_string_equal(out.data, cases[i].text);
    }
}

/* @source RFC 4648, section 10 */
static void bytes_in_base64(void **state) {
    (void)state;
    static const char *const expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t count = 0; count < NZ_COUNT(expected); count++) {
        NZ_AUTO(nz_text_done) nz_text out = {0};
        nz_put_base64(&out, (const uint8_t *)"foobar", count);
        assert_int_equal(out.status, NZ_OK);
        assert_string_equal(out.data ? out.data : "", expected[count]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_takes_markup_literally),
        cmocka_unit_test(tex_takes_commands_literally),
        cmocka_unit_test(markdown_takes_markup_literally),
        cmocka_unit_test(csv_fields_read_back),
        cmocka_unit_test(csv_fields_are_no_formulas),
        cmocka_unit_test(shown_text_has_no_control_characters),
        cmocka_unit_test(long_text_is_shortened_in_its_middle),
        cmocka_unit_test(numbers_are_the_shortest_that_read_back),
        cmocka_unit_test(fixed_decimals_have_no_minus_zero),
        cmocka_unit_test(bytes_in_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
