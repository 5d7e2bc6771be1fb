/* SPDX-License-Identifier: Apache-2.0 */
#include "core/progress.h"

#include "test.h"

struct seen {
    unsigned long long done, total;
    char what[32], line[2000];
    int answer;
};

static int step(void *user, const char *what, unsigned long long done, unsigned long long total) {
    struct seen *seen = user;
    seen->done = done;
    seen->total = total;
    snprintf(seen->what, sizeof seen->what, "%s", what);
    return seen->answer;
}

static void note(void *user, const char *line) {
    struct seen *seen = user;
    snprintf(seen->line, sizeof seen->line, "%s", line);
}

static void silence_goes_on(void **state) {
    (void)state;
    nz_progress empty = {0};
    assert_true(nz_progress_step(NULL, "images", 1, 2));
    assert_true(nz_progress_step(&empty, "images", 1, 2));
    nz_progress_note(NULL, "%d", 1);
    nz_progress_note(&empty, "%d", 1);
}

static void steps_reach_the_sink_and_its_answer_comes_back(void **state) {
    (void)state;
    struct seen seen = {0};
    nz_progress sink = {.step = step, .note = note, .user = &seen};
    assert_true(nz_progress_step(&sink, "images", 3, 10));
    assert_int_equal(seen.done, 3);
    assert_int_equal(seen.total, 10);
    assert_string_equal(seen.what, "images");
    seen.answer = 1;
    assert_false(nz_progress_step(&sink, "images", 4, 10));
}

static void notes_are_formatted_and_bounded(void **state) {
    (void)state;
    struct seen seen = {0};
    nz_progress sink = {.note = note, .user = &seen};
    nz_progress_note(&sink, "%s: %d skipped", "x.jpg", 3);
    assert_string_equal(seen.line, "x.jpg: 3 skipped");
    nz_progress_note(&sink, "%*d", 5000, 1);
    assert_int_equal(strlen(seen.line), 1023);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_goes_on),
        cmocka_unit_test(steps_reach_the_sink_and_its_answer_comes_back),
        cmocka_unit_test(notes_are_formatted_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
