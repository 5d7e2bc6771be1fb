/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of lists, read one by one. */
#include <math.h>

#include "core/error.h"
#include "core/file.h"
#include "core/json_stream.h"
#include "core/memory.h"
#include "core/text.h"
#include "test.h"

enum { FIELDS = 4, SEEN_MOST = 16 };
static const char *const fields[FIELDS] = {"id", "name", "box", "flag"};

typedef struct seen {
    size_t count;
    nz_json_value values[SEEN_MOST][FIELDS];
    char names[SEEN_MOST][16];
    nz_status answer;
} seen;

static nz_status see(void *user, const nz_json_value *values, size_t index) {
    seen *s = user;
    assert_int_equal(index, s->count);
    assert_true(s->count < SEEN_MOST);
    for (int i = 0; i < FIELDS; i++) s->values[s->count][i] = values[i];
    if (values[1].kind == NZ_JSON_TEXT) snprintf(s->names[s->count], sizeof s->names[s->count], "%s", values[1].text);
    s->count++;
    return s->answer == NZ_OK ? NZ_OK : nz_fail(s->answer, "enough");
}

static const nz_json_list a_list = {"things", fields, FIELDS, see}, the_document = {NULL, fields, FIELDS, see};

static nz_status read_text(seen *s, const nz_json_list *list, const char *text, size_t length) {
    char path[512];
    snprintf(path, sizeof path, "%s/stream.json", nz_test_dir());
    nz_assert_ok(nz_file_write(path, text, length));
    *s = (seen){.answer = s->answer};
    return nz_json_stream(path, list, 1, s, NULL);
}

static void fields_that_are_wanted_are_handed_over(void **state) {
    (void)state;
    static const char text[] =
        "{\"other\":{\"things\":[{\"id\":9}]},\"things\":[{\"x\":[[1,{\"id\":5}]],\"id\":7,\"name\":\"a\\u00e9\","
        "\"box\":[1,"
        "2.5,-3e2,4,5],\"flag\":true},{\"box\":[1,[2]],\"flag\":null,\"name\":{\"id\":3},\"id\":1.5},{}],\"more\":[1]}";
    seen s = {0};
    nz_assert_ok(read_text(&s, &a_list, text, strlen(text)));
    assert_int_equal(s.count, 3);
    assert_int_equal(s.values[0][0].kind, NZ_JSON_INTEGER);
    assert_int_equal(s.values[0][0].integer, 7);
    assert_string_equal(s.names[0], "a\xc3\xa9");
    assert_int_equal(s.values[0][2].kind, NZ_JSON_NUMBERS);
    assert_int_equal(s.values[0][2].count, 5);
    nz_assert_near(s.values[0][2].numbers[2], -300, 0, 0);
    assert_int_equal(s.values[0][3].kind, NZ_JSON_BOOL);
    nz_assert_near(s.values[0][3].number, 1, 0, 0);
    assert_int_equal(s.values[1][0].kind, NZ_JSON_REAL);
    assert_int_equal(s.values[1][1].kind, NZ_JSON_OTHER);
    assert_int_equal(s.values[1][2].kind, NZ_JSON_OTHER);
    assert_int_equal(s.values[1][3].kind, NZ_JSON_NULL);
    for (int i = 0; i < FIELDS; i++) assert_int_equal(s.values[2][i].kind, NZ_JSON_MISSING);
}

static void numbers_are_the_nearest_doubles(void **state) {
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "7",
                                        "0.1",
                                        "258.15",
                                        "123456789012345",
                                        "1e22",
                                        "1e-5",
                                        "-2.5e-3",
                                        "0.3",
                                        "5e-324",
                                        "1.7976931348623157e308",
                                        "0.23600000143051147",
                                        "9007199254740993.0",
                                        "473.07000000000005"};
    for (size_t i = 0; i < NZ_COUNT(texts); i++) {
        char text[96];
        seen s = {0};
        snprintf(text, sizeof text, "[{\"id\":%s}]", texts[i]);
        nz_assert_ok(read_text(&s, &the_document, text, strlen(text)));
        nz_assert_near(s.values[0][0].number, strtod(texts[i], NULL), 0, 0);
    }
    static const char large[] =
        "[{\"id\":9223372036854775807},{\"id\":-9223372036854775808},{\"id\":9223372036854775808},"
        "{\"id\":2.0},{\"id\":1e400},{\"id\":9007199254740993},{\"id\":-9007199254740993}]";
    seen s = {0};
    nz_assert_ok(read_text(&s, &the_document, large, strlen(large)));
    assert_true(s.values[0][0].kind == NZ_JSON_INTEGER && s.values[0][0].integer == INT64_MAX);
    assert_true(s.values[1][0].kind == NZ_JSON_INTEGER && s.values[1][0].integer == INT64_MIN);
    assert_int_equal(s.values[2][0].kind, NZ_JSON_REAL);
    assert_true(s.values[3][0].kind == NZ_JSON_INTEGER && s.values[3][0].integer == 2);
    assert_true(s.values[4][0].kind == NZ_JSON_REAL && isinf(s.values[4][0].number));
    /* The doubles nearest to these are 1 off. */
    assert_true(s.values[5][0].kind == NZ_JSON_INTEGER && s.values[5][0].integer == INT64_C(9007199254740993));
    assert_true(s.values[6][0].kind == NZ_JSON_INTEGER && s.values[6][0].integer == -INT64_C(9007199254740993));
}

static void what_is_no_such_document_gets_one_line(void **state) {
    (void)state;
    static const struct {
        const nz_json_list *list;
        const char *text, *message;
    } cases[] = {
        {&a_list, "", "stream.json:1: not valid JSON"},
        {&a_list, "{\n\"things\":[}", "stream.json:2: not valid JSON"},
        {&a_list, "{\"things\":[]} x", "not valid JSON"},
        {&a_list, "[]", "no object with lists"},
        {&a_list, "{\"things\":{}}", "'things' is no list"},
        {&a_list, "{\"things\":[{},\n3]}", "stream.json:2: things: entry 1 is no object"},
        {&a_list, "{\"things\":[],\"things\":[]}", "'things' stands there twice"},
        {&the_document, "{}", "the file is no list"},
        {&the_document, "[[]]", "entry 0 is no object"},
        {&the_document, "[{\"name\":\"\xff\"}]", "not valid JSON"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        seen s = {0};
        nz_assert_fails(read_text(&s, cases[i].list, cases[i].text, strlen(cases[i].text)), NZ_E_FORMAT,
                        cases[i].message);
    }
    seen s = {0};
    nz_assert_fails(nz_json_stream("/no/such.json", &a_list, 1, &s, NULL), NZ_E_IO, "/no/such.json");
    nz_assert_fails(nz_json_stream(nz_test_dir(), &a_list, 1, &s, NULL), NZ_E_IO, "is a folder");
    s.answer = NZ_E_SHAPE; /* what an entry function says is what is returned */
    nz_assert_fails(read_text(&s, &the_document, "[{},{}]", 7), NZ_E_SHAPE, "enough");
    assert_int_equal(s.count, 1);
}

static void depth_and_texts_are_bounded(void **state) {
    (void)state;
    enum { DEPTH = 600, LONG = 18 << 20 };
    seen s = {0};
    NZ_AUTO_FREE char *text = malloc(LONG + 32);
    assert_non_null(text);
    strcpy(text, "{\"x\":");
    memset(text + 5, '[', DEPTH);
    nz_assert_fails(read_text(&s, &a_list, text, 5 + DEPTH), NZ_E_FORMAT, "nested deeper than 512");
    strcpy(text, "[{\"name\":\"");
    memset(text + 10, 'x', LONG);
    nz_assert_fails(read_text(&s, &the_document, text, 10 + LONG), NZ_E_FORMAT, "more than 16 MB");
}

/* A key may hold a 0, behind which another one's name ends: it is another key. */
static void keys_with_a_0_are_other_keys(void **state) {
    (void)state;
    static const char text[] = "{\"things\\u0000xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\":[{}],"
                               "\"things\":[{\"id\\u0000xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\":5}]}";
    seen s = {0};
    nz_assert_ok(read_text(&s, &a_list, text, strlen(text)));
    assert_int_equal(s.count, 1);
    assert_int_equal(s.values[0][0].kind, NZ_JSON_MISSING);
}

/* Pieces are 64 KiB: whatever lies across their border is put together. */
static void borders_between_pieces_do_not_show(void **state) {
    (void)state;
    static const char entry[] = "{\"id\": 1234567, \"name\": \"name\\n\", \"box\": [1.25, 2, 3, 4]}";
    for (size_t shift = 0; shift < sizeof entry + 2; shift++) {
        seen s = {0};
        nz_text text = {0};
        nz_text_append(&text, "[");
        for (size_t i = 0; i < 65536 - sizeof entry + shift; i++) nz_text_append(&text, " ");
        nz_text_append(&text, entry);
        nz_text_append(&text, "]");
        nz_assert_ok(read_text(&s, &the_document, text.data, text.length));
        assert_int_equal(s.values[0][0].integer, 1234567);
        assert_string_equal(s.names[0], "name\n");
        nz_assert_near(s.values[0][2].numbers[0], 1.25, 0, 0);
        nz_text_done(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_that_are_wanted_are_handed_over), cmocka_unit_test(numbers_are_the_nearest_doubles),
        cmocka_unit_test(what_is_no_such_document_gets_one_line), cmocka_unit_test(depth_and_texts_are_bounded),
        cmocka_unit_test(borders_between_pieces_do_not_show),     cmocka_unit_test(keys_with_a_0_are_other_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
