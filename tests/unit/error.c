/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"

#include <pthread.h>

#include "test.h"

static void failing_gives_back_its_status_and_message(void **state) {
    (void)state;
    assert_int_equal(nz_fail(NZ_E_SHAPE, "node %s: %d", "a", 3), NZ_E_SHAPE);
    assert_string_equal(nz_last_error(), "node a: 3");
}

static void control_characters_are_made_visible(void **state) {
    (void)state;
    assert_int_equal(nz_fail(NZ_E_FORMAT, "name '%s'", "a\nb\033[31m\x7f"), NZ_E_FORMAT);
    assert_string_equal(nz_last_error(), "name 'a\\x0ab\\x1b[31m\\x7f'");
}

static void context_goes_in_front_and_keeps_the_message(void **state) {
    (void)state;
    assert_int_equal(nz_fail(NZ_E_IO, "deep"), NZ_E_IO);
    assert_int_equal(nz_fail_context(NZ_E_IO, "model %d\n", 7), NZ_E_IO);
    assert_string_equal(nz_last_error(), "model 7\\x0a: deep");
}

static void context_lets_success_pass(void **state) {
    (void)state;
    assert_int_equal(nz_fail(NZ_E_IO, "before"), NZ_E_IO);
    assert_int_equal(nz_fail_context(NZ_OK, "never seen"), NZ_OK);
    assert_string_equal(nz_last_error(), "before");
}

static void overlong_messages_are_cut_not_overrun(void **state) {
    (void)state;
    char text[5000];
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(nz_fail(NZ_E_FORMAT, "%s", text), NZ_E_FORMAT);
    size_t length = strlen(nz_last_error());
    assert_true(length > 2000 && length < 2048);
    for (int i = 0; i < 20; i++) assert_int_equal(nz_fail_context(NZ_E_FORMAT, "%s", text), NZ_E_FORMAT);
    assert_true(strlen(nz_last_error()) < 2048);
}

static void *fail_elsewhere(void *argument) {
    (void)argument;
    return nz_fail(NZ_E_IO, "of the other thread") == NZ_E_IO ? NULL : "";
}

static void threads_have_messages_of_their_own(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(nz_fail(NZ_E_ARG, "mine"), NZ_E_ARG);
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(nz_last_error(), "mine");
}

static void statuses_have_names_and_exit_codes(void **state) {
    (void)state;
    static const int codes[] = {0, 2, 3, 3, 3, 3, 4, 4, 3, 4, 4};
    for (int s = NZ_OK; s <= NZ_E_INTERNAL; s++) {
        assert_int_equal(nz_status_exit_code((nz_status)s), codes[s]);
        assert_string_not_equal(nz_status_name((nz_status)s), "unknown");
    }
    assert_string_equal(nz_status_name((nz_status)99), "unknown");
    assert_int_equal(nz_status_exit_code((nz_status)99), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_gives_back_its_status_and_message),
        cmocka_unit_test(control_characters_are_made_visible),
        cmocka_unit_test(context_goes_in_front_and_keeps_the_message),
        cmocka_unit_test(context_lets_success_pass),
        cmocka_unit_test(overlong_messages_are_cut_not_overrun),
        cmocka_unit_test(threads_have_messages_of_their_own),
        cmocka_unit_test(statuses_have_names_and_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
