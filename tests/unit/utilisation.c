/* SPDX-License-Identifier: Apache-2.0 */
/* Utilisation from a /proc whose ticks are known: a real station reads it, a race sums it up, metrics subtract what was
 * there before. */
#include <math.h>

#include "compare/intervals.h"
#include "compare/race.h"
#include "core/file.h"
#include "test.h"

static nz_roots roots;
static nz_compare_options options;
static nz_machine machine;

static void put(const char *name, const char *format, ...) {
    char path[4096], text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(path, sizeof path, "%s/%s", roots.proc, name);
    nz_assert_ok(nz_file_write(path, text, (size_t)length));
}

/* Ticks of one CPU come along, as a real file has them, and are not to be added. */
static void put_ticks(unsigned user, unsigned system, unsigned idle, unsigned waiting, unsigned steal) {
    put("stat", "cpu  %u 10 %u %u %u 20 30 %u 5 6\ncpu0 9999 9 9999 9 9 9 9 9 9 9\nctxt 12345\n", user, system, idle,
        waiting, steal);
}

static int begin(void **state) {
    static char proc[4096], sys[4096];
    (void)state;
    const char *program = getenv("NETZIP_PROGRAM");
    if (!program || access(program, X_OK) != 0) return 0; /* each test skips itself */
    snprintf(proc, sizeof proc, "%s/proc", nz_test_dir());
    snprintf(sys, sizeof sys, "%s/sys", nz_test_dir());
    nz_assert_ok(nz_dir_make(proc));
    nz_assert_ok(nz_dir_make(sys));
    roots = (nz_roots){.proc = proc, .sys = sys, .nvml = "/nonexistent/libnvidia-ml.so"};
    put_ticks(0, 0, 0, 0, 0);
    put("vmstat", "nr_free_pages 5\npswpin 100\npswpout 200\n");
    nz_compare_options_init(&options);
    options.roots = &roots;
    options.worker = program;
    machine = (nz_machine){.host = NULL};
    nz_assert_ok(nz_machine_open(&machine, "local", &options, NULL));
    machine.cpus = 2;
    return 0;
}

static int end(void **state) {
    (void)state;
    if (options.worker) nz_machine_close(&machine);
    return 0;
}

static void need_station(void) {
    if (!options.worker) nz_test_skip("NETZIP_PROGRAM names no program");
}

/* A window from one state of the ticks to another. */
static nz_watch window(const unsigned from[5], const unsigned to[5]) {
    nz_watch watch;
    put_ticks(from[0], from[1], from[2], from[3], from[4]);
    nz_assert_ok(nz_machine_watch(&machine));
    put_ticks(to[0], to[1], to[2], to[3], to[4]);
    nz_assert_ok(nz_machine_watched(&machine, &watch, 0, 0));
    return watch;
}

static void ticks_are_told_apart(void **state) {
    (void)state;
    need_station();
    /* 30 of user, 10 of the system; 120 idle, 20 waiting for a disk; 20 stolen */
    nz_watch w = window((unsigned[]){100, 50, 1000, 5, 2}, (unsigned[]){130, 60, 1120, 25, 22});
    assert_int_equal(w.busy, 40);
    assert_int_equal(w.idle, 140);
    assert_int_equal(w.steal, 20);
    nz_assert_near(nz_watch_busy_pct(&w), 20, 1e-12, 0);
    nz_assert_near(nz_watch_steal_pct(&w), 10, 1e-12, 0);
}

static void clocks_that_run_backwards_count_nothing(void **state) {
    (void)state;
    need_station();
    nz_watch w = window((unsigned[]){100, 50, 1000, 50, 9}, (unsigned[]){110, 50, 1010, 30, 5});
    assert_int_equal(w.busy, 10);
    assert_int_equal(w.idle, 0); /* 10 more idle, 20 fewer waiting */
    assert_int_equal(w.steal, 0);
}

static void no_tick_is_no_utilisation(void **state) {
    (void)state;
    need_station();
    nz_watch w = window((unsigned[]){1, 2, 3, 4, 5}, (unsigned[]){1, 2, 3, 4, 5});
    nz_assert_nan(nz_watch_busy_pct(&w));
}

static void swapped_pages_are_counted(void **state) {
    (void)state;
    need_station();
    nz_watch watch;
    put("vmstat", "nr_free_pages 5\npswpin 100\npswpout 200\n");
    nz_assert_ok(nz_machine_watch(&machine));
    put("vmstat", "nr_free_pages 7\npswpin 103\npswpout 204\n");
    nz_assert_ok(nz_machine_watched(&machine, &watch, 0, 0));
    assert_int_equal(watch.swapped_pages, 7);
}

/* What metrics say of a lane whose blocks were watched by `watch` and took `cpu_s` of the worker in `block_s`. */
static nz_metric_input input_of(const nz_watch *watch, double block_s, double cpu_s) {
    nz_run run = {.options = &options};
    nz_race race = {.run = &run, .machine = &machine, .name = "r"};
    nz_race_group group = {.rounds = 1};
    race.groups = &group;
    race.group_count = 1;
    nz_variant variant = {.raw = json_pack("{s:{s:{s:s,s:i}}}", "load", "process", "cpus", "0-1", "nice", 0)};
    nz_lane lane = {.variant = &variant, .bunch = 1, .samples = 1, .rounds = json_array()};
    json_array_append_new(lane.rounds,
                          json_pack("{s:[i],s:i,s:i,s:f}", "ns", 1000000, "timed", 1, "runs", 1, "mean_ns", 1e6));
    lane.sums = (nz_race_sums){.begun = true,
                               .busy = watch->busy,
                               .idle = watch->idle,
                               .steal = watch->steal,
                               .watch_s = block_s,
                               .block_s = block_s,
                               .cpu_s = cpu_s,
                               .whole_cpu_ns = (uint64_t)(cpu_s * 1e9),
                               .inference_s = block_s,
                               .energy_reason = "no sensor"};
    NZ_AUTO_JSON json_t *part = nz_lane_json(&race, &lane);
    assert_non_null(part);
    nz_metric_input input = nz_metric_input_none();
    NZ_AUTO(nz_timing_lists_done) nz_timing_lists lists = {0};
    nz_assert_ok(nz_timing_input(&input, &lists, part, NULL));
    input.latency_ms = input.single_ms = NULL;
    input.reason_energy = NULL;
    json_decref(lane.rounds);
    json_decref(variant.raw);
    return input;
}

static double value_of(const nz_metric_input *input, const char *id) {
    return nz_metric_value(nz_metric_find(id), input).value;
}

static void what_was_busy_before_is_subtracted(void **state) {
    (void)state;
    need_station();
    machine.before = window((unsigned[]){0, 0, 0, 0, 0}, (unsigned[]){10, 5, 85, 0, 0});      /* 15% */
    nz_watch during = window((unsigned[]){100, 0, 0, 0, 0}, (unsigned[]){200, 30, 70, 0, 0}); /* 65% */
    nz_metric_input input = input_of(&during, 1.0, 1.1);
    nz_assert_near(value_of(&input, "cpu_util_pct"), 50, 1e-9, 0);
    nz_assert_near(value_of(&input, "cpu_util_process_pct"), 55, 1e-9, 0); /* 1.1 s of the 2 s that two CPUs have */
}

static void a_machine_that_got_quieter_gives_less_than_nothing(void **state) {
    (void)state;
    need_station();
    machine.before = window((unsigned[]){0, 0, 0, 0, 0}, (unsigned[]){60, 0, 40, 0, 0});
    nz_watch during = window((unsigned[]){0, 0, 0, 0, 0}, (unsigned[]){50, 0, 50, 0, 0});
    nz_metric_input input = input_of(&during, 1.0, 1.0);
    nz_assert_near(value_of(&input, "cpu_util_pct"), -10, 1e-9, 0);
    machine.before = (nz_watch){0}; /* never watched: unknown, not 0 */
    input = input_of(&during, 1.0, 1.0);
    nz_assert_nan(value_of(&input, "cpu_util_pct"));
    nz_assert_near(value_of(&input, "cpu_util_process_pct"), 50, 1e-9, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_told_apart),
        cmocka_unit_test(clocks_that_run_backwards_count_nothing),
        cmocka_unit_test(no_tick_is_no_utilisation),
        cmocka_unit_test(swapped_pages_are_counted),
        cmocka_unit_test(what_was_busy_before_is_subtracted),
        cmocka_unit_test(a_machine_that_got_quieter_gives_less_than_nothing),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
