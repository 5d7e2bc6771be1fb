/* SPDX-License-Identifier: Apache-2.0 */
#include "core/csv.h"

#include "core/file.h"
#include "core/random.h"
#include "core/text.h"
#include "test.h"

static nz_status parse(nz_csv *table, const char *text) { return nz_csv_parse(table, text, strlen(text), 0, "t.csv"); }

static void rows_and_columns_come_as_they_stand(void **state) {
    (void)state;
    nz_csv t = {0};
    nz_assert_ok(parse(&t, "name,a, b \nx,1,2\n\ny , 3,\n"));
    assert_int_equal(t.columns, 3);
    assert_int_equal(t.rows, 2);
    assert_string_equal(t.header[2], "b");
    assert_string_equal(nz_csv_cell(&t, 0, 1), "1");
    assert_string_equal(nz_csv_cell(&t, 1, 0), "y");
    assert_string_equal(nz_csv_cell(&t, 1, 2), "");
    assert_int_equal(t.lines[0], 2);
    assert_int_equal(t.lines[1], 4);
    assert_int_equal(nz_csv_column(&t, "b"), 2);
    assert_int_equal(nz_csv_column(&t, "c"), t.columns);
    nz_csv_done(&t);
}

static void quotes_hold_separators_quotes_and_line_breaks(void **state) {
    (void)state;
    nz_csv t = {0};
    nz_assert_ok(parse(&t, "a,b\n\"1,5\" ,\"say \"\"x\"\"\"\n \"two\nlines\",\"\"\nz,w"));
    assert_int_equal(t.rows, 3);
    assert_string_equal(nz_csv_cell(&t, 0, 0), "1,5");
    assert_string_equal(nz_csv_cell(&t, 0, 1), "say \"x\"");
    assert_string_equal(nz_csv_cell(&t, 1, 0), "two\nlines");
    assert_string_equal(nz_csv_cell(&t, 1, 1), "");
    assert_int_equal(t.lines[2], 5);
    nz_csv_done(&t);
}

static void marks_and_carriage_returns_and_tabs_are_understood(void **state) {
    (void)state;
    nz_csv t = {0};
    nz_assert_ok(parse(&t, "\xef\xbb\xbf"
                           "a\tb\r\n1, 2\t3\r\n"));
    assert_int_equal(t.columns, 2);
    assert_string_equal(t.header[0], "a");
    assert_string_equal(t.header[1], "b");
    assert_string_equal(nz_csv_cell(&t, 0, 0), "1, 2");
    assert_string_equal(nz_csv_cell(&t, 0, 1), "3");
    nz_csv_done(&t);
    nz_assert_ok(nz_csv_parse(&t, "a\tb,c\n1,2\n", 10, ',', "t.csv")); /* a separator that was stated wins */
    assert_int_equal(t.columns, 2);
    assert_string_equal(t.header[0], "a\tb");
    nz_csv_done(&t);
}

static void broken_tables_get_one_line_with_the_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "t.csv: empty"},
        {"\n \n\r\n", "t.csv: empty"},
        {"a,,c\n", "t.csv:1: column 2 has no name"},
        {"a,b,a\n", "t.csv:1: column 'a' stands there twice"},
        {"a,b\n1,2\n3\n", "t.csv:3: 1 fields, the header has 2"},
        {"a,b\n1,2,3\n", "t.csv:2: 3 fields, the header has 2"},
        {"a,b\n1,\"2\n\n", "t.csv:2: a quote is not closed"},
        {"a,b\n1,\"2\"3\n", "t.csv:2: text after a closing quote"},
        {"a,\"b", "a quote is not closed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nz_csv t = {.columns = 77};
        nz_assert_fails(parse(&t, cases[i].text), NZ_E_FORMAT, cases[i].message);
        assert_int_equal(t.columns, 77);
    }
    nz_csv t = {0};
    nz_assert_fails(nz_csv_parse(&t, "a\0b\n", 4, 0, "t.csv"), NZ_E_FORMAT, "0 byte");
    nz_assert_fails(nz_csv_read(&t, "/no/such/table.csv", 0), NZ_E_IO, "/no/such/table.csv");
}

static void too_many_columns_are_refused(void **state) {
    (void)state;
    nz_csv t = {0};
    nz_text text = {0};
    char *header = NULL;
    for (int i = 0; i < 5000; i++) nz_text_appendf(&text, "%sc%d", i ? "," : "", i);
    nz_assert_ok(nz_text_take(&text, &header));
    nz_assert_fails(parse(&t, header), NZ_E_FORMAT, "more than 4096 columns");
    free(header);
}

/* Whatever cells hold, writing them quoted and reading them back gives the same cells. */
static void quoted_cells_survive_a_round_trip(void **state) {
    (void)state;
    static const char letters[] = "a,\"\n\r\t 0;";
    nz_random random;
    nz_random_init(&random, 3, 0);
    for (int round = 0; round < 200; round++) {
        char cells[12][9];
        nz_text text = {0};
        char *whole = NULL;
        nz_text_append(&text, "x,y,z\n");
        for (int i = 0; i < 12; i++) {
            size_t length = nz_random_below(&random, 8);
            nz_text_append(&text, "\"");
            for (size_t k = 0; k < length; k++) {
                char c = letters[nz_random_below(&random, sizeof letters - 1)];
                cells[i][k] = c;
                nz_text_append_bytes(&text, &c, 1);
                if (c == '"') nz_text_append_bytes(&text, &c, 1);
            }
            cells[i][length] = '\0';
            nz_text_append(&text, i % 3 == 2 ? "\"\n" : "\",");
        }
        nz_assert_ok(nz_text_take(&text, &whole));
        nz_csv t = {0};
        nz_assert_ok(parse(&t, whole));
        assert_int_equal(t.rows, 4);
        for (int i = 0; i < 12; i++) assert_string_equal(t.cells[i], cells[i]);
        nz_csv_done(&t);
        free(whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_columns_come_as_they_stand),
        cmocka_unit_test(quotes_hold_separators_quotes_and_line_breaks),
        cmocka_unit_test(marks_and_carriage_returns_and_tabs_are_understood),
        cmocka_unit_test(broken_tables_get_one_line_with_the_place),
        cmocka_unit_test(too_many_columns_are_refused),
        cmocka_unit_test(quoted_cells_survive_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
