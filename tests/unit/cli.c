/* SPDX-License-Identifier: Apache-2.0 */
/* The option parser and the progress sink of the command line. What reaches the terminal is tested by cli/main.sh. */
#include "../../cli/cli.h"

#include <fcntl.h>
#include <signal.h>

#include "core/file.h"
#include "core/memory.h"
#include "test.h"

static const nz_cli_option options[] = {
    {"out", "FILE", "where the result goes"},
    {"json", NULL, "print JSON"},
    {"epochs", "N", "how often (default 3)"},
};
static const nz_cli_usage usage = {
    .verb = "test",
    .arguments = "MODEL [OTHER] [options]",
    .summary = "A verb for tests.",
    .examples = "netzip test a.onnx\nnetzip test a.onnx --out b",
    .least = 1,
    .most = 2,
    .options = options,
    .option_count = NZ_COUNT(options),
};

/* Parses while standard error (or output) goes to a file, whose content comes back in a static buffer. */
static const char *captured(int descriptor, bool expected, int expected_exit, char **words) {
    static char text[8192];
    const char *path = nz_test_file("captured");
    int argc = 0, code = -1;
    while (words[argc]) argc++;
    fflush(stdout);
    fflush(stderr);
    int kept = dup(descriptor), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && file >= 0 && dup2(file, descriptor) >= 0);
    nz_cli_args args = {0};
    bool parsed = nz_cli_parse(&args, &code, &usage, argc, words);
    fflush(stdout);
    fflush(stderr);
    dup2(kept, descriptor);
    close(kept);
    ssize_t count = pread(file, text, sizeof text - 1, 0);
    close(file);
    assert_true(count >= 0);
    text[count] = '\0';
    assert_int_equal(parsed, expected);
    if (!parsed) assert_int_equal(code, expected_exit);
    if (parsed) nz_cli_args_done(&args);
    return text;
}

#define WORDS(...) ((char *[]){(char *)(uintptr_t) "test", __VA_ARGS__, NULL})
#define W(text) ((char *)(uintptr_t)text)

static void operands_and_options_mix(void **state) {
    (void)state;
    char **words = WORDS(W("a"), W("--out"), W("x"), W("b"), W("--json"), W("--epochs=5"));
    nz_cli_args args;
    int code = -1;
    long long epochs = 0;
    assert_true(nz_cli_parse(&args, &code, &usage, 7, words));
    assert_int_equal(args.operand_count, 2);
    assert_string_equal(args.operands[0], "a");
    assert_string_equal(args.operands[1], "b");
    assert_string_equal(nz_cli_get(&args, "out", "none"), "x");
    assert_true(nz_cli_has(&args, "json"));
    nz_assert_ok(nz_cli_get_int(&epochs, &args, "epochs", 3, 0, 100));
    assert_int_equal(epochs, 5);
    nz_assert_fails(nz_cli_get_int(&epochs, &args, "epochs", 3, 0, 4), NZ_E_ARG, "test: --epochs 5 is outside 0 to 4");
    nz_cli_args_done(&args);
}

static void absent_options_fall_back(void **state) {
    (void)state;
    char **words = WORDS(W("a"));
    nz_cli_args args;
    int code = -1;
    long long epochs = 0;
    double rate = 0;
    assert_true(nz_cli_parse(&args, &code, &usage, 2, words));
    assert_string_equal(nz_cli_get(&args, "out", "none"), "none");
    assert_false(nz_cli_has(&args, "json"));
    nz_assert_ok(nz_cli_get_int(&epochs, &args, "epochs", 3, 0, 100));
    nz_assert_ok(nz_cli_get_real(&rate, &args, "epochs", 0.5));
    assert_int_equal(epochs, 3);
    assert_true(rate == 0.5);
    nz_assert_fails(nz_cli_need(&args, "out"), NZ_E_ARG, "test: --out FILE is needed");
    nz_cli_args_done(&args);
}

static void an_option_given_again_is_kept_in_order(void **state) {
    (void)state;
    char **words = WORDS(W("a"), W("--out=1"), W("--out=2"), W("--out="));
    nz_cli_args args;
    int code = -1;
    assert_true(nz_cli_parse(&args, &code, &usage, 5, words));
    assert_int_equal(nz_cli_count(&args, "out"), 3);
    assert_string_equal(nz_cli_get_at(&args, "out", 1), "2");
    assert_string_equal(nz_cli_get(&args, "out", NULL), "");
    assert_null(nz_cli_get_at(&args, "out", 3));
    nz_cli_args_done(&args);
}

static void two_dashes_end_options(void **state) {
    (void)state;
    char **words = WORDS(W("-"), W("--"), W("--json"));
    nz_cli_args args;
    int code = -1;
    assert_true(nz_cli_parse(&args, &code, &usage, 4, words));
    assert_int_equal(args.operand_count, 2);
    assert_string_equal(args.operands[0], "-");
    assert_string_equal(args.operands[1], "--json");
    nz_cli_args_done(&args);
}

static void mistakes_are_one_line_and_exit_2(void **state) {
    (void)state;
    assert_string_equal(captured(2, false, 2, WORDS(W("a"), W("--jsno"))),
                        "netzip: test: unknown option --jsno; did you mean --json?\n");
    assert_string_equal(captured(2, false, 2, WORDS(W("a"), W("--json=1"))), "netzip: test: --json takes no value\n");
    assert_string_equal(captured(2, false, 2, WORDS(W("a"), W("--out"))), "netzip: test: --out needs a value (FILE)\n");
    assert_string_equal(captured(2, false, 2, WORDS(W("-x"))),
                        "netzip: test: unknown option -x (options are written --name)\n");
    assert_string_equal(captured(2, false, 2, WORDS(W("--json"))),
                        "netzip: test: too few arguments; usage: netzip test MODEL [OTHER] [options]\n");
    assert_string_equal(
        captured(2, false, 2, WORDS(W("a"), W("b"), W("c\n"))),
        "netzip: test: 'c\\x0a' is one argument too many; usage: netzip test MODEL [OTHER] [options]\n");
}

static void help_comes_from_the_table(void **state) {
    (void)state;
    static const char expected[] = "usage: netzip test MODEL [OTHER] [options]\n\nA verb for tests.\n\noptions:\n"
                                   "  --out FILE              where the result goes\n"
                                   "  --json                  print JSON\n"
                                   "  --epochs N              how often (default 3)\n"
                                   "  --help                  print this text and exit\n\n"
                                   "examples:\n  netzip test a.onnx\n  netzip test a.onnx --out b\n";
    assert_string_equal(captured(1, false, 0, WORDS(W("--help"))), expected);
    assert_string_equal(captured(1, false, 0, WORDS(W("a"), W("-h"), W("--json"))), expected);
}

static void an_interrupt_stops_work_at_its_next_step(void **state) {
    (void)state;
    const nz_progress *progress = nz_cli_progress();
    assert_int_equal(progress->step(progress->user, "work", 1, 2), 0);
    assert_false(nz_cli_was_cancelled());
    assert_int_equal(raise(SIGINT), 0);
    assert_true(nz_cli_was_cancelled());
    assert_int_not_equal(progress->step(progress->user, "work", 2, 2), 0);
    struct sigaction now;
    assert_int_equal(sigaction(SIGINT, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL); /* a second interrupt ends the program */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_and_options_mix),
        cmocka_unit_test(absent_options_fall_back),
        cmocka_unit_test(an_option_given_again_is_kept_in_order),
        cmocka_unit_test(two_dashes_end_options),
        cmocka_unit_test(mistakes_are_one_line_and_exit_2),
        cmocka_unit_test(help_comes_from_the_table),
        cmocka_unit_test(an_interrupt_stops_work_at_its_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
