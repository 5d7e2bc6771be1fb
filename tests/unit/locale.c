/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in a program that has chosen a locale whose decimal sign is a comma: files and options keep the point. */
#include "core/locale.h"

#include <locale.h>
#include <spawn.h>
#include <sys/wait.h>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/text.h"
#include "report/escape.h"
#include "test.h"

extern char **environ;

/* A locale made here of nothing but its numbers, so that none needs to be installed; localedef warns of all it lacks. */
static bool make_comma_locale(void) {
    static const char source[] = "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \"\"\ngrouping -1\nEND LC_NUMERIC\n";
    char text[2048], from[512], to[512];
    snprintf(from, sizeof from, "%s", nz_test_file("comma.src"));
    snprintf(to, sizeof to, "%s", nz_test_file("comma"));
    nz_assert_ok(nz_file_write(from, source, sizeof source - 1));
    snprintf(text, sizeof text, "localedef -c -i '%s' '%s' >/dev/null 2>&1", from, to);
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, text, NULL};
    pid_t pid;
    int how;
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ) != 0) return false;
    while (waitpid(pid, &how, 0) < 0) {
    }
    setenv("LOCPATH", nz_test_dir(), 1);
    return setlocale(LC_NUMERIC, "comma") != NULL;
}

static int leave_comma_locale(void **state) {
    (void)state;
    return setlocale(LC_NUMERIC, "C") ? 0 : -1;
}

/* Skips where no such locale can be had; the program's own printf writes a comma afterwards. */
static void need_comma(void) {
    char shown[16];
    if (!make_comma_locale()) nz_test_skip("no locale with a comma can be made: localedef is absent");
    snprintf(shown, sizeof shown, "%.2f", 1.5);
    assert_string_equal(shown, "1,50");
}

static void numbers_are_written_with_a_point(void **state) {
    (void)state;
    NZ_AUTO_FREE char *text = NULL, *document = NULL;
    NZ_AUTO_JSON json_t *json = NULL;
    nz_text out = {0};
    char shown[32];
    need_comma();
    nz_assert_ok(nz_format(&text, "%.2f %g", 1.25, 0.5));
    assert_string_equal(text, "1.25 0.5");
    nz_snprintf(shown, sizeof shown, "%.3f", 2.125);
    assert_string_equal(shown, "2.125");
    json = json_pack("[f,f]", 0.1, 1e300);
    nz_assert_ok(nz_json_text(&document, json, 1));
    assert_string_equal(document, "[0.1,1e+300]\n");
    nz_put_number(&out, -0.75);
    nz_text_append(&out, " ");
    nz_put_fixed(&out, -0.001, 2);
    nz_text_append(&out, " ");
    nz_put_fixed(&out, -12.345, 1);
    assert_string_equal(out.data, "-0.75 0.00 -12.3");
    nz_text_done(&out);
    nz_assert_fails(nz_fail(NZ_E_ARG, "--zeta %g", 0.5), NZ_E_ARG, "--zeta 0.5");
    snprintf(shown, sizeof shown, "%.1f", 0.5);
    assert_string_equal(shown, "0,5"); /* the program keeps its locale */
}

static void numbers_are_read_with_a_point(void **state) {
    (void)state;
    double value = 0;
    NZ_AUTO_JSON json_t *json = NULL;
    need_comma();
    nz_assert_ok(nz_parse_double(&value, "0.25", "a"));
    nz_assert_near(value, 0.25, 0, 0);
    nz_assert_fails(nz_parse_double(&value, "0,25", "a"), NZ_E_ARG, "0,25");
    nz_assert_near(nz_strtod("3.5", NULL), 3.5, 0, 0);
    const char *path = nz_test_file("numbers.json");
    nz_assert_ok(nz_file_write(path, "{\"x\":0.125}", 11));
    nz_assert_ok(nz_json_read(&json, path));
    nz_assert_near(json_number_value(json_object_get(json, "x")), 0.125, 0, 0);
}

static void the_fewest_digits_read_back_the_same(void **state) {
    (void)state;
    static const double values[] = {0.1, 1.0 / 3, 1e-300, 123456789, 0x1.fffffffffffffp+1023, -4.9e-324};
    char digits[NZ_REAL_DIGITS];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (int least = 1; least <= 15; least += 14) {
            nz_real_digits(digits, values[i], least);
            nz_assert_near(nz_strtod(digits, NULL), values[i], 0, 0);
        }
    nz_real_digits(digits, 0.1, 1);
    assert_string_equal(digits, "0.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(numbers_are_written_with_a_point, leave_comma_locale),
        cmocka_unit_test_teardown(numbers_are_read_with_a_point, leave_comma_locale),
        cmocka_unit_test(the_fewest_digits_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
