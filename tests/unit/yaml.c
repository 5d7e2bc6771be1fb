/* SPDX-License-Identifier: Apache-2.0 */
#include "core/yaml.h"

#include "core/text.h"
#include "test.h"

static void assert_reads(const char *text, const char *expected) {
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    NZ_AUTO_FREE char *json = NULL;
    nz_assert_ok(nz_yaml_parse(&yaml, text, strlen(text), "a.yaml"));
    nz_assert_ok(nz_json_text(&json, yaml.root, 1));
    json[strlen(json) - 1] = '\0';
    assert_string_equal(json, expected);
}

static void assert_refuses(const char *text, size_t length, const char *message) {
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    assert_int_equal(nz_yaml_parse(&yaml, text, length, "a.yaml"), NZ_E_FORMAT);
    assert_string_equal(nz_last_error(), message);
    assert_null(yaml.root);
}

static void scalars_have_the_types_of_the_core_schema(void **state) {
    (void)state;
    assert_reads("[1, -2, +3, 0x1f, 0o17, 007]", "[1,-2,3,31,15,7]");
    assert_reads("[1.5, -.5, 1e3, 1.0e-2, +2.]", "[1.5,-0.5,1000.0,0.01,2.0]");
    assert_reads("[true, True, FALSE, yes, no, on]", "[true,true,false,\"yes\",\"no\",\"on\"]");
    assert_reads("[null, ~, Null, ]", "[null,null,null]");
    assert_reads("a:\nb: ''", "{\"a\":null,\"b\":\"\"}");
    assert_reads("['1', \"true\", 1.2.3, 1:30, .inf, -, e5, 0x, 1e]",
                 "[\"1\",\"true\",\"1.2.3\",\"1:30\",\".inf\",\"-\",\"e5\",\"0x\",\"1e\"]");
}

static void structures_nest_and_keep_the_order_of_keys(void **state) {
    (void)state;
    assert_reads("z: 1\na:\n  - b: [1, {c: d}]\n    e: |\n      two\n      lines\n  - f\n",
                 "{\"z\":1,\"a\":[{\"b\":[1,{\"c\":\"d\"}],\"e\":\"two\\nlines\\n\"},\"f\"]}");
    assert_reads("8: a\ntrue: b\n", "{\"8\":\"a\",\"true\":\"b\"}");
    assert_reads("", "null");
    assert_reads("# nothing but a comment\n", "null");
    assert_reads("--- 3\n...\n", "3");
}

#define REFUSES(text, message) assert_refuses(text, sizeof(text) - 1, "a.yaml:" message)

static void what_is_refused_says_where(void **state) {
    (void)state;
    REFUSES("a: 1\nb: 2\na: 3\n", "3:1: the key 'a' is given twice");
    REFUSES("a: &x 1\nb: *x\n", "2:4: aliases ('*x') are not read: write the value out");
    REFUSES("a: !!binary QUJD\n", "1:4: tags ('tag:yaml.org,2002:binary') are not read");
    REFUSES("a: !thing {b: c}\n", "1:4: tags ('!thing') are not read");
    REFUSES("? [1, 2]\n: 3\n", "1:3: a key must be a single word or text");
    REFUSES("a: 1\n--- \nb: 2\n", "2:1: a second document begins; there must be one alone");
    REFUSES("a: 99999999999999999999\n",
            "1:4: the number 99999999999999999999 is too large (put it in quotes to mean a text)");
    REFUSES("a: 1e999\n", "1:4: the number 1e999 is too large (put it in quotes to mean a text)");
    REFUSES("a: \"x\\0y\"\n", "1:4: a text holds a zero byte");
    REFUSES("a: [1, 2\nb: 3\n", "2:2: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence");
    REFUSES("a: \"\xff\"\n", " byte 4: invalid leading UTF-8 octet");
}

static void depth_values_and_bytes_are_bounded(void **state) {
    (void)state;
    char deep[NZ_YAML_DEPTH_MOST + 1];
    memset(deep, '[', sizeof deep);
    assert_refuses(deep, sizeof deep, "a.yaml:1:33: nested deeper than 32 levels");
    nz_text many = {0};
    for (int i = 0; i <= NZ_YAML_NODES_MOST; i++) nz_text_append(&many, "- 1\n");
    assert_refuses(many.data, many.length, "a.yaml:100000:3: more than 100000 values");
    for (int i = 0; i <= NZ_YAML_BYTES_MOST / 8; i++) nz_text_append(&many, "# 34567\n");
    assert_refuses(many.data, many.length, "a.yaml: longer than 1048576 bytes");
    nz_text_done(&many);
}

static void places_are_known(void **state) {
    (void)state;
    static const char text[] = "train:\n  epochs: 3\n  augment:\n    crop: 4\nmethods:\n  - ptq\n  - {gup-l1: 1}\n";
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    size_t line, column;
    nz_assert_ok(nz_yaml_parse(&yaml, text, sizeof text - 1, "a.yaml"));
    const json_t *train = json_object_get(yaml.root, "train"), *methods = json_object_get(yaml.root, "methods");
    assert_true(nz_yaml_where(&yaml, train, "epochs", 0, &line, &column));
    assert_int_equal(line, 2);
    assert_int_equal(column, 11);
    assert_true(nz_yaml_where(&yaml, train, "augment", 0, &line, &column));
    assert_int_equal(line, 3);
    assert_int_equal(column, 3);
    assert_true(nz_yaml_where(&yaml, methods, NULL, 1, &line, &column));
    assert_int_equal(line, 7);
    assert_int_equal(column, 5);
    assert_false(nz_yaml_where(&yaml, methods, NULL, 2, &line, &column));
    assert_int_equal(nz_yaml_fail(NZ_E_ARG, &yaml, train, "epochs", 0, "%d is too few", 3), NZ_E_ARG);
    assert_string_equal(nz_last_error(), "a.yaml:2:11: 3 is too few");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_have_the_types_of_the_core_schema),
        cmocka_unit_test(structures_nest_and_keep_the_order_of_keys),
        cmocka_unit_test(what_is_refused_says_where),
        cmocka_unit_test(depth_values_and_bytes_are_bounded),
        cmocka_unit_test(places_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
