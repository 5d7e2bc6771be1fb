/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs, priority and rest: how they are written, and that a worker really gets them. */
#include "compare/pin.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "compare/pace.h"
#include "compare/process.h"
#include "test.h"

static void lists_of_cpus(void **state) {
    (void)state;
    cpu_set_t cpus;
    nz_assert_ok(nz_cpu_list_parse(&cpus, "0,2-3,7"));
    assert_int_equal(CPU_COUNT(&cpus), 4);
    assert_true(CPU_ISSET(0, &cpus) && CPU_ISSET(2, &cpus) && CPU_ISSET(3, &cpus) && CPU_ISSET(7, &cpus));
    nz_assert_ok(nz_cpu_list_parse(&cpus, "1023"));
    static const char *const wrong[] = {"",
                                        ",",
                                        "1,",
                                        ",1",
                                        "a",
                                        "1a",
                                        "-1",
                                        "1-",
                                        "3-2",
                                        "1024",
                                        "1 2",
                                        "0x1",
                                        " 1",
                                        "+1",
                                        "1,,2",
                                        "1--2",
                                        "99999999999999999999",
                                        "0-1024"};
    for (size_t i = 0; i < NZ_COUNT(wrong); i++)
        nz_assert_fails(nz_cpu_list_parse(&cpus, wrong[i]), NZ_E_ARG, "no list of CPUs such as 0,2-3");
    nz_assert_fails(nz_cpu_list_check("1023"), NZ_E_ARG, "CPU 1023 of '1023' is not there to run on");
}

static void rest_priority_and_width(void **state) {
    (void)state;
    nz_compare_options o;
    nz_compare_options_init(&o);
    nz_assert_ok(nz_pace_check(&o));
    nz_assert_ok(nz_cooldown_parse(&o, "2.5", "--cooldown"));
    assert_true(o.cooldown_s == 2.5 && isnan(o.cooldown_c));
    nz_assert_ok(nz_cooldown_parse(&o, "55C", "--cooldown"));
    assert_true(o.cooldown_c == 55);
    static const char *const wrong[] = {"", "C", "55F", "-1", "4000", "151C", "warm", "nan", "1,5"};
    for (size_t i = 0; i < NZ_COUNT(wrong); i++)
        nz_assert_fails(nz_cooldown_parse(&o, wrong[i], "--cooldown"), NZ_E_ARG, "neither seconds");
    nz_assert_ok(nz_priority_parse(&o, "-20", "--priority"));
    assert_true(o.has_priority && o.priority == -20);
    nz_assert_fails(nz_priority_parse(&o, "20", "--priority"), NZ_E_ARG, "outside -20");
    nz_assert_fails(nz_priority_parse(&o, "high", "--priority"), NZ_E_ARG, "--priority");
    nz_assert_ok(nz_pace_check(&o));
    o.pin = "1023";
    nz_assert_fails(nz_pace_check(&o), NZ_E_ARG, "compare: --pin: CPU 1023");
    const char *const elsewhere[] = {"ssh://board"};
    o.targets = elsewhere;
    o.target_count = 1;
    nz_assert_ok(nz_pace_check(&o)); /* what CPUs another machine has is not known yet */
    o.width_pct = 0;
    nz_assert_fails(nz_pace_check(&o), NZ_E_ARG, "--width 0");
}

/* The first CPU that this process may run on, in text. */
static void first_cpu(char text[16]) {
    cpu_set_t cpus;
    int cpu = 0;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    while (!CPU_ISSET((size_t)cpu, &cpus)) cpu++;
    snprintf(text, 16, "%d", cpu);
}

/* Starts a worker; an answer to a request that it does not know says that it is there, with all that it was to become. */
static void start_worker(nz_process *process, const char *const *arguments) {
    const char *program = getenv("NETZIP_PROGRAM");
    const nz_wait wait = {.timeout_s = 60};
    json_t *answer = NULL;
    if (!program || access(program, X_OK) != 0) nz_test_skip("NETZIP_PROGRAM names no program");
    NZ_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "nothing");
    nz_assert_ok(nz_process_start_with(process, program, arguments, false));
    nz_assert_fails(nz_process_ask(process, &answer, request, &wait), NZ_E_ARG, "knows no request");
}

static void a_worker_runs_where_it_is_pinned(void **state) {
    (void)state;
    nz_process process;
    cpu_set_t cpus;
    char cpu[16];
    first_cpu(cpu);
    start_worker(&process, (const char *const[]){"--pin", cpu, "--nice", "7", NULL});
    assert_int_equal(sched_getaffinity(process.pid, sizeof cpus, &cpus), 0);
    assert_int_equal(CPU_COUNT(&cpus), 1);
    assert_true(CPU_ISSET((size_t)atoi(cpu), &cpus));
    assert_true(getpriority(PRIO_PROCESS, (id_t)process.pid) >= 7);
    nz_process_end(&process);
}

static void a_worker_without_wishes_is_as_its_parent(void **state) {
    (void)state;
    nz_process process;
    cpu_set_t mine, cpus;
    start_worker(&process, NULL);
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    assert_int_equal(sched_getaffinity(process.pid, sizeof cpus, &cpus), 0);
    assert_true(CPU_EQUAL(&mine, &cpus));
    nz_process_end(&process);
}

static void a_refused_priority_ends_nothing(void **state) {
    (void)state;
    nz_process process;
    start_worker(&process, (const char *const[]){"--nice", "-20", NULL});
    assert_true(getpriority(PRIO_PROCESS, (id_t)process.pid) <= getpriority(PRIO_PROCESS, 0));
    nz_process_end(&process);
}

static void what_holds_is_told(void **state) {
    (void)state;
    cpu_set_t before, one;
    char cpu[16];
    first_cpu(cpu);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    nz_assert_ok(nz_cpu_list_parse(&one, cpu));
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    NZ_AUTO_JSON json_t *told = nz_pin_json();
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_string_equal(nz_json_text_at(told, "cpus"), cpu);
    assert_int_equal(json_integer_value(json_object_get(told, "nice")), getpriority(PRIO_PROCESS, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_cpus),
        cmocka_unit_test(rest_priority_and_width),
        cmocka_unit_test(a_worker_runs_where_it_is_pinned),
        cmocka_unit_test(a_worker_without_wishes_is_as_its_parent),
        cmocka_unit_test(a_refused_priority_ends_nothing),
        cmocka_unit_test(what_holds_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
