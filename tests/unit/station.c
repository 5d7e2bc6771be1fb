/* SPDX-License-Identifier: Apache-2.0 */
/* The station of a machine: what it answers, by trees of files, in this process and in one of its own. */
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "compare/machine.h"
#include "compare/worker.h"
#include "core/file.h"
#include "core/memory.h"
#include "test.h"

static char sys[4096], proc[4096];
static nz_worker worker;

static void put(const char *root, const char *name, const char *text) {
    char path[5000], folder[5000], fresh[5100];
    snprintf(path, sizeof path, "%s/%s", root, name);
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    *strrchr(folder, '/') = '\0';
    nz_assert_ok(nz_dir_make(folder));
    FILE *out = fopen(fresh, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(rename(fresh, path), 0); /* a reader sees the old text or the new one */
}

/* A board whose sensor tells 5 W. */
static void put_sensor(void) {
    put(sys, "class/hwmon/hwmon0/name", "ina219\n");
    put(sys, "class/hwmon/hwmon0/power1_input", "5000000\n");
}

static int begin(void **state) {
    (void)state;
    static int number;
    int ends[2];
    snprintf(sys, sizeof sys, "%s/sys%d", nz_test_dir(), ++number);
    snprintf(proc, sizeof proc, "%s/proc%d", nz_test_dir(), number);
    if (nz_dir_make(sys) != NZ_OK || nz_dir_make(proc) != NZ_OK) return 1;
    put(proc, "stat", "cpu  100 0 0 1000 0 0 0 10 0 0\n");
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 1;
    worker = (nz_worker){.channel = {.fd = ends[0]}, .samples = -1};
    *state = (void *)(intptr_t)ends[1];
    return 0;
}

static int end(void **state) {
    nz_station_free(worker.station);
    nz_channel_done(&worker.channel);
    close((int)(intptr_t)*state);
    return 0;
}

static nz_status open_station(json_t **ret_answer, json_t *power) {
    NZ_AUTO_JSON json_t *request = json_pack("{s:o,s:{s:s,s:s,s:s,s:s}}", "power", power, "roots", "sys", sys, "proc",
                                             proc, "nvml", "/nonexistent", "dev", "/nonexistent");
    return nz_worker_station(&worker, request, ret_answer);
}

static void must_open(void) {
    NZ_AUTO_JSON json_t *answer = NULL;
    nz_assert_ok(open_station(&answer, json_null()));
}

static void watch(void) {
    NZ_AUTO_JSON json_t *answer = NULL;
    nz_assert_ok(nz_worker_watch(&worker, NULL, &answer));
    assert_true(json_integer_value(json_object_get(answer, "now_ns")) > 0);
}

static nz_watch watched(uint64_t from_ns, uint64_t to_ns) {
    NZ_AUTO_JSON json_t *answer = NULL,
                        *request = json_pack("{s:I,s:I}", "from_ns", (json_int_t)from_ns, "to_ns", (json_int_t)to_ns);
    nz_watch w;
    nz_assert_ok(nz_worker_watched(&worker, request, &answer));
    nz_watch_from_json(&w, json_object_get(answer, "watch"));
    return w;
}

static void nap_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

/* ---- what it answers ---- */

static void a_station_tells_its_machine_and_why_it_has_no_power(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *answer = NULL, *named = NULL;
    nz_assert_ok(open_station(&answer, json_null()));
    const json_t *about = json_object_get(answer, "about");
    assert_true(json_is_null(json_object_get(about, "power")));
    assert_non_null(strstr(nz_json_text_at(about, "power_reason"), "no power source"));
    assert_true(json_integer_value(json_object_get(json_object_get(about, "hardware"), "cpus_usable")) >= 1);
    assert_true(nz_json_number_at(json_object_get(about, "clock"), "overhead_ns") > 0);
    assert_true(nz_json_number_at(json_object_get(about, "noise"), "median_ns") > 0);
    nz_assert_fails(open_station(&named, json_string("nuclear")), NZ_E_ARG, "'nuclear'");
    nz_assert_ok(open_station(&named, json_false()));
    assert_string_equal(nz_json_text_at(json_object_get(named, "about"), "power_reason"),
                        "no power source was asked for");
}

static void a_station_names_its_source_and_scope(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *answer = NULL;
    put_sensor();
    nz_assert_ok(open_station(&answer, json_null()));
    const json_t *power = json_object_get(json_object_get(answer, "about"), "power");
    assert_string_equal(nz_json_text_at(power, "name"), "hwmon");
    assert_true(*nz_json_text_at(power, "scope"));
}

static void requests_out_of_order_are_refused(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *answer = NULL, *backwards = json_pack("{s:i,s:i}", "from_ns", 2, "to_ns", 1),
                        *longer = json_pack("{s:f}", "seconds", 1e9);
    nz_assert_fails(nz_worker_watch(&worker, NULL, &answer), NZ_E_ARG, "no station");
    nz_assert_fails(nz_worker_quiet(&worker, NULL, &answer), NZ_E_ARG, "no station");
    must_open();
    nz_assert_fails(nz_worker_watched(&worker, NULL, &answer), NZ_E_ARG, "no window is open");
    nz_assert_fails(nz_worker_watched(&worker, backwards, &answer), NZ_E_ARG, "before it begins");
    nz_assert_fails(nz_worker_quiet(&worker, longer, &answer), NZ_E_ARG, "seconds");
    assert_null(answer);
    watch();
    watch(); /* the one before is given up */
    watched(0, 0);
}

/* ---- windows ---- */

static void a_window_has_the_differences_of_its_ends(void **state) {
    (void)state;
    put(proc, "pressure/cpu", "some avg10=0.00 total=1000000\n");
    put(proc, "vmstat", "pswpin 5\npswpout 5\n");
    put(proc, "self/cgroup", "0::/\n");
    put(sys, "fs/cgroup/cpu.max", "100000 100000\n");
    put(sys, "fs/cgroup/cpu.stat", "nr_throttled 1\nthrottled_usec 1000000\n");
    put(sys, "devices/platform/soc/soc:firmware/get_throttled", "40000\n");
    put(sys, "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
    put(proc, "self/status", "Cpus_allowed_list:\t0\n");
    put(sys, "class/thermal/thermal_zone0/temp", "50000\n");
    must_open();
    watch();
    put(proc, "stat", "cpu  130 0 0 1060 0 0 0 20 0 0\n");
    put(proc, "vmstat", "pswpin 6\npswpout 9\n");
    put(sys, "fs/cgroup/cpu.stat", "nr_throttled 2\nthrottled_usec 1250000\n");
    put(sys, "devices/platform/soc/soc:firmware/get_throttled", "50000\n");
    put(sys, "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5\n");
    put(sys, "class/thermal/thermal_zone0/temp", "62500\n");
    nap_ms(60);
    nz_watch w = watched(0, 0);
    assert_true(w.seconds >= 0.06);
    assert_true(w.unix_s > 1.5e9);
    assert_int_equal(w.busy, 30);
    assert_int_equal(w.idle, 60);
    assert_int_equal(w.steal, 10);
    nz_assert_near(nz_watch_busy_pct(&w), 30, 1e-12, 0);
    nz_assert_near(nz_watch_steal_pct(&w), 10, 1e-12, 0);
    assert_int_equal(w.swapped_pages, 5);
    nz_assert_near(w.held_back_s, 0.25, 1e-9, 0);
    nz_assert_near(w.begin.quota_cpus, 1, 0, 0);
    assert_int_equal(w.throttled, 2 + 1); /* twice the CPU, once for a voltage that was too low meanwhile */
    nz_assert_near(w.pressure_pct, 0, 0, 0);
    nz_assert_near(w.begin.temperature_c, 50, 1e-12, 0);
    nz_assert_near(w.end.temperature_c, 62.5, 1e-12, 0);
    nz_assert_nan(w.end.mhz);
    assert_false(w.has_energy);
    assert_true(*w.energy_reason);
    nz_watch_busy_pct(&w);
}

static void counters_that_run_backwards_count_nothing(void **state) {
    (void)state;
    must_open();
    watch();
    put(proc, "stat", "cpu  90 0 0 1010 0 0 0 3 0 0\n");
    nz_watch w = watched(0, 0);
    assert_int_equal(w.busy + w.steal, 0);
    assert_int_equal(w.idle, 10);
    watch();
    put(proc, "stat", "broken\n");
    w = watched(0, 0);
    assert_int_equal(w.busy + w.idle + w.steal, 0);
    nz_assert_nan(nz_watch_busy_pct(&w));
}

static void energy_is_that_of_exactly_the_window_asked_for(void **state) {
    (void)state;
    put_sensor();
    must_open();
    watch();
    nap_ms(20);
    uint64_t from = nz_clock_ns();
    nap_ms(130);
    uint64_t to = nz_clock_ns();
    nap_ms(20);
    nz_watch w = watched(from, to);
    assert_true(w.has_energy);
    assert_string_equal(w.energy_reason, "");
    nz_assert_near(w.energy.seconds, (double)(to - from) * 1e-9, 1e-9, 0);
    nz_assert_near(w.energy.joules, 5 * w.energy.seconds, 1e-9, 0);
    nz_assert_near(w.energy.watts, 5, 1e-9, 0);
    nz_assert_near(w.energy.watts_max, 5, 1e-9, 0);
    assert_true(w.from_ns == from && w.to_ns == to);
    /* The next window knows nothing of this one. */
    watch();
    w = watched(from, to);
    assert_false(w.has_energy);
    assert_non_null(strstr(w.energy_reason, "after the window's begin"));
}

static void a_source_that_vanishes_costs_the_energy_and_nothing_else(void **state) {
    (void)state;
    char path[5000];
    put_sensor();
    must_open();
    watch();
    snprintf(path, sizeof path, "%s/class/hwmon/hwmon0/power1_input", sys);
    assert_int_equal(remove(path), 0);
    put(proc, "stat", "cpu  150 0 0 1050 0 0 0 10 0 0\n");
    nap_ms(120);
    nz_watch w = watched(0, 0);
    assert_false(w.has_energy);
    assert_true(*w.energy_reason);
    nz_assert_near(nz_watch_busy_pct(&w), 50, 1e-12, 0);
    put_sensor(); /* it has come back */
    watch();
    nap_ms(5);
    w = watched(0, 0);
    assert_true(w.has_energy);
    nz_assert_near(w.energy.watts, 5, 1e-9, 0);
}

static void quiet_is_a_window_of_its_own(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *answer = NULL, *request = json_pack("{s:f}", "seconds", 0.08);
    put_sensor();
    must_open();
    nz_assert_ok(nz_worker_quiet(&worker, request, &answer));
    nz_watch w;
    nz_watch_from_json(&w, json_object_get(answer, "watch"));
    assert_true(w.seconds >= 0.08);
    nz_assert_near(w.energy.joules, 5 * w.energy.seconds, 1e-9, 0);
    assert_true(w.own_ns > 0 && (double)w.own_ns * 1e-9 < w.seconds);
}

static void a_watch_goes_through_json_unchanged(void **state) {
    (void)state;
    nz_watch w = {.from_ns = 1,
                  .to_ns = 1ull << 60,
                  .seconds = 2.5,
                  .busy = 3,
                  .held_back_s = NAN,
                  .own_ns = 5,
                  .has_energy = true};
    w.begin = (nz_conditions){
        .governor = "powersave,performance", .mhz = 1234.5, .held = -1, .boost = 1, .has_swapped = true};
    w.end = (nz_conditions){.mhz = NAN, .held = NZ_HELD_CAPPED, .load1 = 0.5, .throttled = 7, .has_throttled = true};
    w.energy = (nz_energy){.joules = 10,
                           .seconds = 2,
                           .watts_max = NAN,
                           .samples = 9,
                           .part_count = 2,
                           .parts = {{.name = "core", .joules = 4}, {.name = "psys", .joules = 5}}};
    NZ_AUTO_JSON json_t *json = nz_watch_json(&w);
    assert_non_null(json);
    nz_watch back;
    nz_watch_from_json(&back, json);
    assert_true(back.to_ns == w.to_ns && back.busy == 3 && back.own_ns == 5);
    nz_assert_nan(back.held_back_s);
    assert_string_equal(back.begin.governor, w.begin.governor);
    nz_assert_near(back.begin.mhz, 1234.5, 0, 0);
    assert_int_equal(back.begin.held, -1);
    assert_true(back.begin.has_swapped && back.end.has_throttled && !back.end.has_swapped);
    nz_assert_nan(back.end.mhz);
    assert_int_equal(back.end.held, NZ_HELD_CAPPED);
    assert_true(back.has_energy);
    assert_int_equal(back.energy.samples, 9);
    nz_assert_nan(back.energy.watts_max);
    assert_int_equal(back.energy.part_count, 2);
    NZ_AUTO_JSON json_t *again = nz_watch_json(&back);
    assert_true(json_equal(json, again));
    /* What another program might say. */
    NZ_AUTO_JSON json_t *odd =
        json_pack("{s:s,s:i,s:f,s:{s:i}}", "seconds", "long", "busy", -4, "idle", 1.5, "begin", "governor", 3);
    nz_watch_from_json(&back, odd);
    nz_assert_nan(back.seconds);
    assert_int_equal(back.busy, 0);
    assert_string_equal(back.begin.governor, "");
    nz_watch_from_json(&back, NULL);
    assert_false(back.has_energy);
}

static void usage_leaves_out_what_other_workers_hold(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *all = NULL, *less = NULL, *unknown = NULL,
                        *request = json_pack("{s:[i,i,s]}", "pids", (int)getpid(), -3, "x");
    nz_memory_process own;
    nz_assert_fails(nz_worker_usage(&worker, NULL, &all), NZ_E_ARG, "no station");
    must_open();
    nz_assert_ok(nz_worker_usage(&worker, NULL, &unknown));
    assert_true(json_is_null(json_object_get(unknown, "used_bytes")));
    assert_true(*nz_json_text_at(unknown, "gpu_reason"));
    put(proc, "meminfo", "MemTotal: 8000000 kB\nMemAvailable: 3000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    nz_assert_ok(nz_worker_usage(&worker, NULL, &all));
    nz_assert_near(nz_json_number_at(all, "used_bytes"), 5e6 * 1024, 0, 0);
    nz_assert_ok(nz_worker_usage(&worker, request, &less));
    nz_assert_ok(nz_memory_process_get(&own, 0, NULL));
    if (isnan(own.pss_bytes)) nz_test_skip("the kernel tells no proportional set size");
    double used = nz_json_number_at(less, "used_bytes");
    assert_true(used < 5e6 * 1024 && used > 5e6 * 1024 - 2 * own.pss_bytes);
}

/* ---- as a process ---- */

static nz_compare_options options_of(void) {
    nz_compare_options o;
    nz_compare_options_init(&o);
    o.worker = getenv("NETZIP_PROGRAM");
    if (!o.worker || access(o.worker, X_OK) != 0) nz_test_skip("NETZIP_PROGRAM names no program");
    o.timeout_s = 60;
    return o;
}

static void a_machine_is_watched_by_its_station(void **state) {
    (void)state;
    nz_compare_options o = options_of();
    NZ_AUTO(nz_machine_close) nz_machine machine = {0};
    put_sensor();
    put(sys, "fs/cgroup/cpu.max", "20000 100000\n");
    put(sys, "fs/cgroup/cpu.stat", "nr_throttled 0\nthrottled_usec 0\n");
    nz_roots roots = {.sys = sys, .proc = proc, .nvml = "/nonexistent", .dev = "/nonexistent"};
    o.roots = &roots;
    nz_watch w;
    nz_assert_ok(nz_machine_open(&machine, "local", &o, NULL));
    assert_int_equal(machine.cpus_usable, 1); /* a fifth of one */
    nz_assert_near(nz_json_number_at(machine.about, "quota_cpus"), 0.2, 1e-12, 0);
    assert_true(machine.has_power && machine.cpus >= 1 && machine.clock_overhead_ns > 0);
    nz_assert_ok(nz_machine_watch(&machine));
    uint64_t from = nz_clock_ns(); /* one clock for the processes of a machine */
    nap_ms(60);
    uint64_t to = nz_clock_ns();
    nz_assert_ok(nz_machine_watched(&machine, &w, from, to));
    nz_assert_near(w.energy.joules, 5 * (double)(to - from) * 1e-9, 1e-9, 0);
    nz_assert_ok(nz_machine_quiet(&machine, &w, 0.05));
    nz_assert_near(w.energy.watts, 5, 1e-9, 0);
    kill(machine.station.pid, SIGKILL);
    nz_assert_fails(nz_machine_watch(&machine), NZ_E_RESOURCE, "SIGKILL");
}

static void a_machine_without_the_named_source_cannot_be_opened(void **state) {
    (void)state;
    nz_compare_options o = options_of();
    NZ_AUTO(nz_machine_close) nz_machine machine = {0};
    o.power = "nuclear";
    nz_assert_fails(nz_machine_open(&machine, "local", &o, NULL), NZ_E_ARG, "'nuclear'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_station_tells_its_machine_and_why_it_has_no_power, begin, end),
        cmocka_unit_test_setup_teardown(a_station_names_its_source_and_scope, begin, end),
        cmocka_unit_test_setup_teardown(requests_out_of_order_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_window_has_the_differences_of_its_ends, begin, end),
        cmocka_unit_test_setup_teardown(counters_that_run_backwards_count_nothing, begin, end),
        cmocka_unit_test_setup_teardown(energy_is_that_of_exactly_the_window_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(a_source_that_vanishes_costs_the_energy_and_nothing_else, begin, end),
        cmocka_unit_test_setup_teardown(quiet_is_a_window_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(usage_leaves_out_what_other_workers_hold, begin, end),
        cmocka_unit_test(a_watch_goes_through_json_unchanged),
        cmocka_unit_test_setup_teardown(a_machine_is_watched_by_its_station, begin, end),
        cmocka_unit_test_setup_teardown(a_machine_without_the_named_source_cannot_be_opened, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
