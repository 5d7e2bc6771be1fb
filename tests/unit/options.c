/* SPDX-License-Identifier: Apache-2.0 */
#include "core/options.h"

#include "core/memory.h"
#include "test.h"

static void a_spec_is_a_head_and_pairs(void **state) {
    (void)state;
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    nz_assert_ok(nz_spec_parse(&spec, "cifar10:/data/x,split=test,mean=0.1:0.2:0.3"));
    assert_string_equal(spec.head, "cifar10:/data/x");
    assert_int_equal(spec.count, 2);
    assert_string_equal(nz_spec_get(&spec, "split"), "test");
    assert_string_equal(nz_spec_get(&spec, "mean"), "0.1:0.2:0.3");
    assert_null(nz_spec_get(&spec, "limit"));
}

static void backslash_takes_the_next_character_literally(void **state) {
    (void)state;
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    nz_assert_ok(nz_spec_parse(&spec, "list:a\\,b\\=c\\\\,labels=x\\,y=z"));
    assert_string_equal(spec.head, "list:a,b=c\\");
    assert_int_equal(spec.count, 1);
    assert_string_equal(nz_spec_get(&spec, "labels"), "x,y=z");
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_spec_put(&text, spec.head);
    nz_spec_put(&text, NULL);
    nz_text_append(&text, ",labels=");
    nz_spec_put(&text, nz_spec_get(&spec, "labels"));
    assert_string_equal(text.data, "list:a\\,b=c\\\\,labels=x\\,y=z");
}

static void broken_specs_are_refused(void **state) {
    (void)state;
    nz_spec spec = {0};
    nz_assert_fails(nz_spec_parse(&spec, "ptq,wbits"), NZ_E_ARG, "'wbits' should be key=value");
    nz_assert_fails(nz_spec_parse(&spec, "ptq,"), NZ_E_ARG, "should be key=value");
    nz_assert_fails(nz_spec_parse(&spec, "ptq,a=1,a=2"), NZ_E_ARG, "'a' is given twice");
    assert_null(spec.head);
}

struct settings {
    long long bits;
    double share;
    bool bias;
    char *name;
    int calibration;
};

static const nz_option table[] = {
    {"wbits", NZ_OPTION_INT, offsetof(struct settings, bits), "8", 2, 8, NULL, "bits per weight"},
    {"sparsity", NZ_OPTION_REAL, offsetof(struct settings, share), "0.5", 0, 1, NULL, "share of zeros"},
    {"bias", NZ_OPTION_BOOL, offsetof(struct settings, bias), "1", 0, 0, NULL, "bias correction"},
    {"name", NZ_OPTION_TEXT, offsetof(struct settings, name), NULL, 0, 0, NULL, "a name"},
    {"calib", NZ_OPTION_CHOICE, offsetof(struct settings, calibration), "minmax", 0, 0, "minmax|entropy|mse", "rule"},
};

static nz_status read_settings(struct settings *settings, const char *text) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    nz_status status = nz_spec_parse(&spec, text);
    return status == NZ_OK ? nz_options_read(settings, table, NZ_COUNT(table), &spec, "method ptq") : status;
}

static void defaults_come_from_the_table(void **state) {
    (void)state;
    struct settings s;
    nz_assert_ok(nz_options_read(&s, table, NZ_COUNT(table), NULL, "method ptq"));
    assert_int_equal(s.bits, 8);
    assert_true(s.share == 0.5 && s.bias);
    assert_null(s.name);
    assert_int_equal(s.calibration, 0);
    nz_options_done(&s, table, NZ_COUNT(table));
}

static void given_values_win(void **state) {
    (void)state;
    struct settings s;
    nz_assert_ok(read_settings(&s, "ptq,wbits=4,sparsity=1,bias=no,name=first\\,second,calib=mse"));
    assert_int_equal(s.bits, 4);
    assert_true(s.share == 1 && !s.bias);
    assert_string_equal(s.name, "first,second");
    assert_int_equal(s.calibration, 2);
    nz_options_done(&s, table, NZ_COUNT(table));
    assert_null(s.name);
}

static void mistakes_name_the_key_and_what_is_accepted(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"ptq,wbits=9", "wbits=9 is outside 2 to 8"},
        {"ptq,wbits=x", "method ptq: wbits: 'x' is not a whole number"},
        {"ptq,sparsity=-0.1", "outside 0 to 1"},
        {"ptq,sparsity=nan", "'nan' is not a number"},
        {"ptq,bias=maybe", "bias=maybe should be 0 or 1"},
        {"ptq,calib=kl", "calib=kl should be one of minmax|entropy|mse"},
        {"ptq,calib=", "calib= should be one of"},
        {"ptq,wbit=4", "unknown key 'wbit'; did you mean 'wbits'?"},
        {"ptq,name=a,zzzzzzzzzz=4", "unknown key 'zzzzzzzzzz'"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        struct settings s = {0};
        nz_assert_fails(read_settings(&s, cases[i][0]), NZ_E_ARG, cases[i][1]);
        nz_options_done(&s, table, NZ_COUNT(table));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_is_a_head_and_pairs), cmocka_unit_test(backslash_takes_the_next_character_literally),
        cmocka_unit_test(broken_specs_are_refused),   cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(given_values_win),           cmocka_unit_test(mistakes_name_the_key_and_what_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
