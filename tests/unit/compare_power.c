/* SPDX-License-Identifier: Apache-2.0 */
/* Whole comparisons on machines whose power is a tree of files: counters that go on by themselves and come round, a battery
 * that is taken out half-way. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "compare/intervals.h"
#include "compare_models.h"
#include "compare_run.h"
#include "core/file.h"
#include "netzip/measure.h"
#include "test.h"

/* ---- the machine ---- */

static char sys[4096];

static void put(const char *name, const char *content) {
    char path[5000], folder[5000], fresh[5100];
    snprintf(path, sizeof path, "%s/%s", sys, name);
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    *strrchr(folder, '/') = '\0';
    nz_assert_ok(nz_dir_make(folder));
    FILE *out = fopen(fresh, "w");
    assert_non_null(out);
    fputs(content, out);
    fclose(out);
    assert_int_equal(rename(fresh, path), 0); /* a reader sees the old text or the new one */
}

static int begin(void **state) {
    (void)state;
    static int number;
    snprintf(sys, sizeof sys, "%s/machine%d", nz_test_dir(), ++number);
    return nz_dir_make(sys) != NZ_OK;
}

/* Counters that go on at their watts and begin again at 0 behind `range`, at `first` when the writer starts. */
static const struct counter {
    const char *folder, *kind;
    double watts, range_uj, first_uj;
} counters[] = {
    {"intel-rapl:0", "package-0", 300, 400e6, 390e6}, /* comes round at once, and every 1.3 s */
    {"intel-rapl:0:0", "core", 200, 400e6, 100e6},
    {"intel-rapl:0:1", "dram", 30, 400e6, 399e6},
};
enum { COUNTERS = sizeof counters / sizeof *counters };

static void put_counters(double seconds) {
    char name[100], number[40];
    for (size_t i = 0; i < COUNTERS; i++) {
        const struct counter *c = &counters[i];
        snprintf(name, sizeof name, "class/powercap/%s/energy_uj", c->folder);
        snprintf(number, sizeof number, "%.0f\n", fmod(c->first_uj + c->watts * 1e6 * seconds, c->range_uj));
        put(name, number);
    }
}

/* A process that lets the counters go on until it is killed, or this one ends. */
static pid_t run_counters(void) {
    char name[100], number[40];
    for (size_t i = 0; i < COUNTERS; i++) {
        snprintf(name, sizeof name, "class/powercap/%s/name", counters[i].folder);
        snprintf(number, sizeof number, "%s\n", counters[i].kind);
        put(name, number);
        snprintf(name, sizeof name, "class/powercap/%s/max_energy_range_uj", counters[i].folder);
        snprintf(number, sizeof number, "%.0f\n", counters[i].range_uj);
        put(name, number);
    }
    put_counters(0);
    uint64_t began = nz_clock_ns();
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer) return writer;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        put_counters((double)(nz_clock_ns() - began) * 1e-9);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void put_battery(void) {
    put("class/power_supply/BAT0/type", "Battery\n");
    put("class/power_supply/BAT0/status", "Discharging\n");
    put("class/power_supply/BAT0/power_now", "12500000\n");
}

/* ---- a comparison on it ---- */

static nz_compare_options quick(const char *const models[2], const nz_roots *roots) {
    nz_compare_options o = options(models, 2, "synthetic:shapes,limit=10");
    o.roots = roots;
    o.metrics = "energy,latency_ms,latency_ms_mean,throughput,top1,ram_bytes,disk_bytes,chats";
    o.block_s = 0.15; /* rather than 1.05: five rounds are enough here */
    return o;
}

static const json_t *conditions_of(const json_t *document, size_t i) {
    return json_object_get(model(document, i), "conditions");
}

static bool marked(const json_t *document, size_t i, const char *mark) {
    const json_t *marks = json_object_get(conditions_of(document, i), "marks");
    for (size_t m = 0; m < json_array_size(marks); m++)
        if (strcmp(json_string_value(json_array_get(marks, m)), mark) == 0) return true;
    return false;
}

/* The joules of a model are those of its windows, and no wrap is in them: the counters' watts are known. */
static void check_energy(const json_t *document, size_t i) {
    const json_t *power = json_object_get(conditions_of(document, i), "power"),
                 *energy = json_object_get(model(document, i), "energy");
    double joules = json_number_value(json_object_get(power, "joules")),
           seconds = json_number_value(json_object_get(power, "seconds")), added = 0, core = NAN;
    const char *name;
    json_t *part;
    assert_string_equal(text(power, "power"), "rapl");
    assert_string_equal(text(metric(document, i, "energy_j"), "source"), "measured");
    nz_assert_near(joules / seconds, 330, 0.25, 0); /* the writer may be late; a wrap would be 400 J */
    nz_assert_near(value(document, i, "power_w"), joules / seconds, 1e-9, 0);
    nz_assert_near(value(document, i, "energy_j"), joules / json_number_value(json_object_get(energy, "count")), 1e-9,
                   0);
    /* Energy and latency are of the same window, and an inference cannot last longer than its share of it. */
    assert_true(value(document, i, "latency_ms_mean") * 1e-3 <=
                seconds / json_number_value(json_object_get(energy, "count")) * (1 + 1e-9));
    json_object_foreach(json_object_get(power, "parts"), name, part) {
        double own = json_number_value(json_object_get(part, "joules"));
        if (json_is_true(json_object_get(part, "added")))
            added += own;
        else
            core = own;
    }
    nz_assert_near(added, joules, 1e-9, 0);
    nz_assert_near(core / seconds, 200, 0.25, 0);
    nz_assert_near(value(document, i, "idle_power_w"), 330, 0.25, 0);
    assert_false(marked(document, i, "energy_disagrees"));
    assert_false(marked(document, i, "energy_gaps"));
}

static void counters_that_come_round_give_the_joules_of_every_window(void **state) {
    (void)state;
    const char *const models[] = {save("wrap1.onnx", (recipe){1, -1, false, NULL, 0}),
                                  save("wrap2.onnx", (recipe){2, -1, false, NULL, 0})};
    const nz_roots roots = {.sys = sys, .nvml = "/nonexistent", .dev = "/nonexistent"};
    nz_compare_options o = quick(models, &roots);
    nz_compare_result result;
    pid_t writer = run_counters();
    json_t *document = run(&o, &result);
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    check_document(document);
    for (size_t i = 0; i < 2; i++) check_energy(document, i);
    const json_t *second = model(document, 1);
    assert_true(json_is_real(json_object_get(json_object_get(second, "ocs"), "value")));
    json_decref(document);
    nz_compare_result_done(&result);
}

/* Takes the battery out when the third round of the first model begins. */
static int take_out(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)done, (void)total;
    int *taken = user;
    char path[5000];
    if (*taken || !strstr(what, "round 3")) return 0;
    snprintf(path, sizeof path, "%s/class/power_supply/BAT0/status", sys);
    *taken = remove(path) == 0;
    return 0;
}

static void a_battery_that_is_taken_out_costs_the_energy_and_nothing_else(void **state) {
    (void)state;
    static const char *const lost[] = {"energy_j", "energy_net_j", "power_w", "power_max_w"};
    const char *const models[] = {save("cell1.onnx", (recipe){1, -1, false, NULL, 0}),
                                  save("cell2.onnx", (recipe){2, -1, false, NULL, 0})};
    const nz_roots roots = {.sys = sys, .nvml = "/nonexistent", .dev = "/nonexistent"};
    int taken = 0;
    const nz_progress progress = {.step = take_out, .user = &taken};
    nz_compare_options o = quick(models, &roots);
    nz_compare_result result;
    json_error_t error;
    put_battery();
    nz_assert_ok(nz_compare(&result, &o, &progress));
    assert_true(taken);
    NZ_AUTO_JSON json_t *document = json_loads(result.json, 0, &error);
    check_document(document);
    assert_int_equal(result.failed, 0);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < NZ_COUNT(lost); k++) {
            const json_t *none = metric(document, i, lost[k]);
            assert_string_equal(text(none, "source"), "unavailable");
            if (!strstr(text(none, "reason"), "BAT0"))
                fail_msg("%s: the reason '%s' does not name the battery", lost[k], text(none, "reason"));
            assert_null(json_object_get(none, "ci95"));
            assert_null(json_object_get(none, "ratio"));
        }
        assert_true(value(document, i, "latency_ms") > 0 && value(document, i, "throughput") > 0);
        assert_true(!isnan(value(document, i, "top1")) && value(document, i, "ram_bytes") >= 0);
        assert_true(json_integer_value(json_object_get(conditions_of(document, i), "rounds")) >= 5);
        assert_true(json_is_array(json_object_get(metric(document, i, "latency_ms"), "ci95")));
    }
    const json_t *ocs = json_object_get(model(document, 1), "ocs");
    assert_true(json_is_null(json_object_get(ocs, "value")));
    assert_non_null(json_object_get(ocs, "partial"));
    nz_compare_result_done(&result);
}

/* The source was lost when nothing was left but idle power behind the last model. */
static void idle_power_that_was_not_read_has_its_own_reason(void **state) {
    (void)state;
    static const char part[] = "{\"rounds\": [{\"ns\": [1e7], \"timed\": 100, \"runs\": 100, \"mean_ns\": 1e7}],"
                               " \"energy\": {\"joules\": 10, \"seconds\": 1, \"count\": 100, \"watts_max\": 11,"
                               " \"idle_w\": [4, null]}}";
    json_error_t error;
    NZ_AUTO_JSON json_t *timing = json_loads(part, 0, &error);
    nz_metric_input input = nz_metric_input_none();
    NZ_AUTO(nz_timing_lists_done) nz_timing_lists lists = {0};
    input.reason_energy = "not asked for (--metrics)";
    nz_assert_ok(nz_timing_input(&input, &lists, timing, NULL));
    nz_assert_near(nz_metric_value(nz_metric_find("energy_j"), &input).value, 0.1, 1e-12, 0);
    nz_assert_near(nz_metric_value(nz_metric_find("idle_power_w"), &input).value, 4, 1e-12, 0);
    nz_assert_near(nz_metric_value(nz_metric_find("energy_net_j"), &input).value, 0.06, 1e-12, 0);
    nz_value_report after = nz_metric_value(nz_metric_find("idle_power_after_w"), &input);
    assert_int_equal(after.source, NZ_UNAVAILABLE);
    assert_non_null(strstr(after.reason, "no power was read at that time"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_power_that_was_not_read_has_its_own_reason),
        cmocka_unit_test_setup(counters_that_come_round_give_the_joules_of_every_window, begin),
        cmocka_unit_test_setup(a_battery_that_is_taken_out_costs_the_energy_and_nothing_else, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
