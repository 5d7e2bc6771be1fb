/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes as their parent sees them: good answers, bad ones, none, and every way to die. The workers here are
 * shell scripts that speak the protocol on descriptor 3. */
#include "compare/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/file.h"
#include "test.h"

/* A program whose body is `script`; the request is in $line. */
static const char *write_worker(const char *name, const char *script) {
    const char *path = nz_test_file(name);
    char text[2048];
    int length =
        snprintf(text, sizeof text, "#!/bin/sh\n[ \"$1\" = worker ] || exit 9\nread -r line <&3\n%s\n", script);
    nz_assert_ok(nz_file_write(path, text, (size_t)length));
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static json_t *request(void) { return json_pack("{s:s}", "do", "anything"); }

static const nz_wait patient = {.timeout_s = 60, .tick_ms = 20};

/* Runs the worker for one request; the status, with the answer where there is one. */
static nz_status ask(const char *name, const char *script, json_t **ret_answer, const nz_wait *wait) {
    nz_process process;
    NZ_AUTO_JSON json_t *message = request();
    nz_assert_ok(nz_process_start(&process, write_worker(name, script), false));
    nz_status status = nz_process_ask(&process, ret_answer, message, wait);
    nz_process_end(&process);
    assert_int_equal(process.pid, 0);
    nz_process_end(&process); /* a second time does nothing */
    return status;
}

static void an_answer_comes_back_whole_and_output_stays_off_the_socket(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *answer = NULL;
    nz_assert_ok(ask("good", "echo noise on standard output; echo '{\"ok\":true,\"n\":7}' >&3", &answer, &patient));
    assert_int_equal(json_integer_value(json_object_get(answer, "n")), 7);
}

static void a_worker_s_own_failure_keeps_its_status_and_message(void **state) {
    (void)state;
    json_t *answer = NULL;
    nz_assert_fails(ask("refuses", "echo '{\"ok\":false,\"status\":\"shape\",\"error\":\"node x: 3 against 4\"}' >&3",
                        &answer, &patient),
                    NZ_E_SHAPE, "node x: 3 against 4");
    nz_assert_fails(ask("mute", "echo '{\"ok\":false}' >&3", &answer, &patient), NZ_E_INTERNAL, "without a message");
    assert_null(answer);
}

static void a_signal_is_named(void **state) {
    (void)state;
    json_t *answer = NULL;
    nz_assert_fails(ask("segv", "kill -SEGV $$", &answer, &patient), NZ_E_RESOURCE, "signal 11, SIGSEGV");
    nz_assert_fails(ask("kill", "kill -KILL $$", &answer, &patient), NZ_E_RESOURCE, "when memory runs out");
    nz_assert_fails(ask("abrt", "kill -ABRT $$", &answer, &patient), NZ_E_RESOURCE, "SIGABRT");
}

static void an_exit_without_an_answer_is_told(void **state) {
    (void)state;
    json_t *answer = NULL;
    nz_assert_fails(ask("leaves", "exit 5", &answer, &patient), NZ_E_RESOURCE, "exit status 5");
    nz_assert_fails(ask("half", "printf '{\"ok\":tr' >&3; exit 0", &answer, &patient), NZ_E_RESOURCE, "exit status 0");
}

static void garbage_on_the_socket_is_refused(void **state) {
    (void)state;
    json_t *answer = NULL;
    nz_assert_fails(ask("garbage", "echo 'not JSON' >&3; exec sleep 30", &answer, &patient), NZ_E_FORMAT, "no JSON");
    nz_assert_fails(ask("array", "echo '[1,2]' >&3; exec sleep 30", &answer, &patient), NZ_E_FORMAT, "no JSON object");
}

static void silence_ends_a_worker(void **state) {
    (void)state;
    json_t *answer = NULL;
    nz_wait wait = {.timeout_s = 0.3, .tick_ms = 20};
    nz_assert_fails(ask("hangs", "exec sleep 60", &answer, &wait), NZ_E_RESOURCE, "said nothing");
}

/* What the progress sink saw; `stop_at` > 0: asks to stop there. */
typedef struct seen {
    unsigned long long most, stop_at, calls;
} seen;

static int step(void *user, const char *what, unsigned long long done, unsigned long long total) {
    seen *s = user;
    assert_string_equal(what, "a model: accuracy");
    if (done > s->most) s->most = done;
    if (total) assert_int_equal(total, 100);
    s->calls++;
    return s->stop_at && done >= s->stop_at;
}

static void progress_passes_and_counts_as_life(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *answer = NULL;
    seen saw = {0};
    nz_progress progress = {.step = step, .user = &saw};
    nz_wait wait = {.timeout_s = 5, .tick_ms = 20, .progress = &progress, .what = "a model: accuracy"};
    nz_assert_ok(
        ask("tells",
            "for i in 10 20 30; do echo \"{\\\"progress\\\":[$i,100]}\" >&3; sleep 0.1; done; echo '{\"ok\":true}' >&3",
            &answer, &wait));
    assert_int_equal(saw.most, 30);
    assert_true(saw.calls >= 3);
}

static void the_user_can_stop_it(void **state) {
    (void)state;
    json_t *answer = NULL;
    seen saw = {.stop_at = 10};
    nz_progress progress = {.step = step, .user = &saw};
    nz_wait wait = {.timeout_s = 60, .tick_ms = 20, .progress = &progress, .what = "a model: accuracy"};
    nz_assert_fails(ask("endless", "echo '{\"progress\":[10,100]}' >&3; exec sleep 60", &answer, &wait), NZ_E_CANCELLED,
                    "stopped");
}

static void count_tick(void *user) { ++*(int *)user; }

static void ticks_come_while_waiting(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *answer = NULL;
    int ticks = 0;
    nz_wait wait = {.timeout_s = 60, .tick_ms = 10, .tick = count_tick, .user = &ticks};
    nz_assert_ok(ask("slow", "sleep 0.3; echo '{\"ok\":true}' >&3", &answer, &wait));
    assert_true(ticks >= 2);
}

static void two_requests_to_one_that_died_fail_and_do_not_hang(void **state) {
    (void)state;
    nz_process process;
    json_t *answer = NULL;
    NZ_AUTO_JSON json_t *message = request();
    nz_assert_ok(nz_process_start(&process, write_worker("dies", "exit 3"), false));
    nz_assert_fails(nz_process_ask(&process, &answer, message, &patient), NZ_E_RESOURCE, "exit status 3");
    nz_assert_fails(nz_process_ask(&process, &answer, message, &patient), NZ_E_RESOURCE, "has ended");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left behind */
}

static void a_patient_worker_sleeps_where_it_waits(void **state) {
    (void)state;
    const char *path = write_worker("policy", "echo \"{\\\"ok\\\":true,\\\"policy\\\":\\\"$OMP_WAIT_POLICY\\\"}\" >&3");
    for (int patience = 0; patience < 2; patience++) {
        nz_process process;
        NZ_AUTO_JSON json_t *message = request(), *answer = NULL;
        unsetenv("OMP_WAIT_POLICY");
        nz_assert_ok(nz_process_start(&process, path, patience));
        nz_assert_ok(nz_process_ask(&process, &answer, message, &patient));
        assert_string_equal(json_string_value(json_object_get(answer, "policy")), patience ? "PASSIVE" : "");
        nz_process_end(&process);
    }
}

static void closed_standard_streams_do_no_harm(void **state) {
    (void)state;
    const char *path = write_worker("closed", "echo noise; echo noise >&2; echo '{\"ok\":true,\"n\":7}' >&3");
    NZ_AUTO_JSON json_t *message = request(), *answer = NULL;
    nz_process process;
    int kept[3];
    fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        close(fd);
    }
    nz_status started = nz_process_start(&process, path, false);
    bool untouched = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
    nz_status asked = started == NZ_OK ? nz_process_ask(&process, &answer, message, &patient) : started;
    if (started == NZ_OK) nz_process_end(&process);
    for (int fd = 0; fd < 3; fd++) {
        if (kept[fd] < 0) continue;
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
    nz_assert_ok(asked);
    assert_true(untouched);
    assert_int_equal(json_integer_value(json_object_get(answer, "n")), 7);
}

static void a_program_that_does_not_exist_is_named(void **state) {
    (void)state;
    nz_process process;
    nz_assert_fails(nz_process_start(&process, "/nonexistent/netzip", false), NZ_E_RESOURCE, "/nonexistent/netzip");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_whole_and_output_stays_off_the_socket),
        cmocka_unit_test(a_worker_s_own_failure_keeps_its_status_and_message),
        cmocka_unit_test(a_signal_is_named),
        cmocka_unit_test(an_exit_without_an_answer_is_told),
        cmocka_unit_test(garbage_on_the_socket_is_refused),
        cmocka_unit_test(silence_ends_a_worker),
        cmocka_unit_test(progress_passes_and_counts_as_life),
        cmocka_unit_test(the_user_can_stop_it),
        cmocka_unit_test(ticks_come_while_waiting),
        cmocka_unit_test(two_requests_to_one_that_died_fail_and_do_not_hang),
        cmocka_unit_test(a_patient_worker_sleeps_where_it_waits),
        cmocka_unit_test(closed_standard_streams_do_no_harm),
        cmocka_unit_test(a_program_that_does_not_exist_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
