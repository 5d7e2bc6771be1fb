/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor says of machines that the tests make up, and that its rates are in the units they claim. */
#include <time.h>

#include "compare/doctor.h"
#include "core/json.h"
#include "measure/rate.h"
#include "test.h"

static const nz_clock_facts quick_clock = {.name = "CLOCK_MONOTONIC_RAW", .resolution_ns = 20, .overhead_ns = 25};

static void clocks(void **state) {
    (void)state;
    nz_verdict v = nz_verdict_clock(&quick_clock);
    assert_int_equal(v.grade, NZ_GRADE_OK);
    assert_non_null(strstr(v.summary, "312 us")); /* one reading of 25 ns is 0.008% of that, as bunches are made */
    assert_string_equal(v.mend, "");
    nz_clock_facts slow = {.name = "CLOCK_MONOTONIC_RAW", .resolution_ns = 279, .overhead_ns = 4000};
    v = nz_verdict_clock(&slow);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_true(*v.mend);
}

static void noise_floors(void **state) {
    (void)state;
    nz_noise calm = {.median_ns = 50000, .spread_pct = 0.4, .worst_pct = 12, .count = 501}, wild = calm;
    wild.spread_pct = 30;
    assert_int_equal(nz_verdict_noise(&calm, &calm, 1).grade, NZ_GRADE_OK);
    assert_int_equal(nz_verdict_noise(&calm, NULL, NAN).grade, NZ_GRADE_OK);
    assert_int_equal(nz_verdict_noise(&wild, &calm, 1).grade, NZ_GRADE_LIMITED);
    assert_string_equal(nz_verdict_noise(&wild, &calm, 1).mend, "");
    nz_verdict v = nz_verdict_noise(&calm, &wild, 60);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_non_null(strstr(v.mend, "end what else runs"));
}

static nz_doctor_cpu quiet_cpu(void) {
    nz_doctor_cpu cpu = {.hardware = {.cpu_model = "Some CPU", .cpus = 4, .cpus_usable = 4},
                         .conditions = {.governor = "performance",
                                        .mhz = 3000,
                                        .mhz_max = 3500,
                                        .boost = 0,
                                        .smt = 0,
                                        .held = -1,
                                        .quota_cpus = NAN,
                                        .temperature_c = NAN,
                                        .load1 = 0},
                         .busy_pct = 0.5,
                         .steal_pct = 0,
                         .clock_hz = 3.4e9};
    return cpu;
}

static void cpus(void **state) {
    (void)state;
    nz_doctor_cpu cpu = quiet_cpu();
    nz_verdict v = nz_verdict_cpu(&cpu);
    assert_int_equal(v.grade, NZ_GRADE_OK);
    assert_non_null(strstr(v.summary, "3.40 GHz as measured (at most 3.50 GHz)"));
    snprintf(cpu.conditions.governor, sizeof cpu.conditions.governor, "powersave");
    v = nz_verdict_cpu(&cpu);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_non_null(strstr(v.mend, "cpupower frequency-set -g performance"));

    cpu = quiet_cpu();
    cpu.conditions.quota_cpus = 1.5;
    v = nz_verdict_cpu(&cpu);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_non_null(strstr(v.summary, "grants 1.50 CPUs"));

    cpu = quiet_cpu();
    cpu.busy_pct = 60;
    v = nz_verdict_cpu(&cpu);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_non_null(strstr(v.mend, "end what else runs"));
    cpu = quiet_cpu();
    cpu.steal_pct = 4;
    assert_int_equal(nz_verdict_cpu(&cpu).grade, NZ_GRADE_LIMITED);
    cpu = quiet_cpu();
    cpu.busy_pct = cpu.steal_pct = NAN;
    assert_int_equal(nz_verdict_cpu(&cpu).grade, NZ_GRADE_LIMITED);
    cpu = quiet_cpu();
    cpu.conditions.held = NZ_HELD_THROTTLED;
    assert_int_equal(nz_verdict_cpu(&cpu).grade, NZ_GRADE_LIMITED);
}

static void instruction_sets(void **state) {
    (void)state;
    static const struct {
        const char *isa, *architecture, *words;
        bool int8, bf16;
        double per_cycle;
    } cases[] = {
        {"avx avx2 fma avx512f avx512_vnni avx512_bf16", "x86_64", "INT8 can be faster", true, true, 64},
        {"avx avx2 fma avx512f avx512_vnni", "x86_64", "BF16 is emulated", true, false, 64},
        {"sse4_2 avx avx2 fma", "x86_64", "no integer dot products (VNNI, AMX)", false, false, 32},
        {"asimd", "aarch64", "INT8 may not be faster than FP32", false, false, 16},
        {"asimd asimddp", "aarch64", "INT8 can be faster", true, false, 16},
        {"asimd asimddp i8mm bf16 sve", "aarch64", "BF16 has instructions", true, true, NAN},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_verdict v = nz_verdict_instructions(cases[i].isa, cases[i].architecture);
        assert_non_null(strstr(v.summary, cases[i].words));
        assert_int_equal(v.grade, cases[i].int8 && cases[i].bf16 ? NZ_GRADE_OK : NZ_GRADE_LIMITED);
        assert_int_equal(nz_peak_native(cases[i].isa, NZ_PEAK_INT8), cases[i].int8);
        assert_int_equal(nz_peak_native(cases[i].isa, NZ_PEAK_BF16), cases[i].bf16);
        assert_true(nz_peak_native(cases[i].isa, NZ_PEAK_FP32));
        assert_true(nz_test_close(nz_peak_fp32_per_cycle(cases[i].isa), cases[i].per_cycle, 0, 0));
    }
    assert_false(nz_peak_native("avx512_bf16", NZ_PEAK_INT8));
    assert_int_equal(nz_verdict_instructions("", "riscv64").grade, NZ_GRADE_UNAVAILABLE);
}

static nz_rate rate_of(double per_s, double spread_pct) {
    return (nz_rate){.per_s = per_s, .spread_pct = spread_pct, .median_per_s = per_s * 0.98, .count = 9, .work = 1000};
}

static nz_peaks good_peaks(int threads) {
    nz_peaks p = {.threads = threads, .clock_hz = 4e9, .fp32_per_cycle = 60, .fp32_most = 64};
    p.ops[NZ_PEAK_FP32] = rate_of(240e9 * threads, 0.5);
    p.ops[NZ_PEAK_BF16] = rate_of(480e9 * threads, 0.5);
    p.ops[NZ_PEAK_INT8] = rate_of(960e9 * threads, 0.5);
    for (int m = 0; m < NZ_PEAK_MEMORY; m++) p.memory[m] = rate_of(40e9, 1);
    return p;
}

static void peaks_are_judged(void **state) {
    (void)state;
    nz_peaks one = good_peaks(1), all = good_peaks(4);
    nz_verdict v = nz_verdict_arithmetic(&one, &all, NULL);
    assert_int_equal(v.grade, NZ_GRADE_OK);
    assert_non_null(strstr(v.summary, "FP32 240, BF16 480, INT8 960; with 4: FP32 960"));
    assert_non_null(strstr(v.summary, "60.0 operations a cycle at 4.00 GHz, of 64"));
    assert_null(strstr(v.summary, "emulated"));
    assert_int_equal(nz_verdict_bandwidth(&one, &all, NULL).grade, NZ_GRADE_OK);

    one.emulated[NZ_PEAK_BF16] = true;
    v = nz_verdict_arithmetic(&one, &all, NULL);
    assert_non_null(strstr(v.summary, "BF16 480 (emulated)"));

    all.ops[NZ_PEAK_INT8].spread_pct = 8;
    v = nz_verdict_arithmetic(&one, &all, NULL);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_non_null(strstr(v.summary, "lower bounds"));
    all = good_peaks(4);
    all.memory[NZ_PEAK_TRIAD].spread_pct = NAN; /* two repetitions: nobody knows */
    assert_int_equal(nz_verdict_bandwidth(&one, &all, NULL).grade, NZ_GRADE_LIMITED);

    one = good_peaks(1);
    one.fp32_per_cycle = 90;
    assert_non_null(strstr(nz_verdict_arithmetic(&one, &all, NULL).summary, "too much"));
    one.fp32_per_cycle = 5;
    assert_non_null(strstr(nz_verdict_arithmetic(&one, &all, NULL).summary, "little"));
    one.fp32_per_cycle = NAN;
    assert_non_null(strstr(nz_verdict_arithmetic(&one, &all, NULL).summary, "not cross-checked"));

    v = nz_verdict_arithmetic(NULL, NULL, "not measured");
    assert_int_equal(v.grade, NZ_GRADE_UNAVAILABLE);
    assert_string_equal(v.summary, "not measured");
    for (int t = 0; t < NZ_PEAK_TYPES; t++) one.ops[t].per_s = NAN;
    assert_int_equal(nz_verdict_arithmetic(&one, &all, NULL).grade, NZ_GRADE_UNAVAILABLE);
}

static void power_and_counters(void **state) {
    (void)state;
    nz_power_info infos[2] = {
        {.name = "rapl", .scope = "packages and DRAM", .automatic = true, .mend = "sudo chmod a+r energy_uj"},
        {.name = "nvml", .scope = "GPU", .mend = "install a driver"}};
    nz_verdict v = nz_verdict_power(infos, 2);
    assert_int_equal(v.grade, NZ_GRADE_UNAVAILABLE);
    assert_string_equal(v.mend, "sudo chmod a+r energy_uj");
    /* A Raspberry Pi 5 whose mailbox this user may not open: the command for that, not a meter. */
    const nz_power_info pi[] = {
        {.name = "hwmon", .automatic = true, .mend = "measure by a meter in the supply line (netzip energy LOG)"},
        {.name = "battery", .automatic = true},
        {.name = "pi5", .automatic = true, .mend = "sudo usermod -aG video"},
        {.name = "nvml", .mend = "install a driver"}};
    assert_string_equal(nz_verdict_power(pi, 4).mend, "sudo usermod -aG video");
    assert_non_null(strstr(nz_verdict_power(pi, 2).mend, "meter in the supply line"));
    infos[1].usable = true;
    v = nz_verdict_power(infos, 2);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_non_null(strstr(v.summary, "'nvml' can be asked for by name"));
    infos[0].usable = true;
    assert_int_equal(nz_verdict_power(infos, 2).grade, NZ_GRADE_OK);
    assert_int_equal(nz_verdict_power(infos, 0).grade, NZ_GRADE_UNAVAILABLE);

    nz_counter values[NZ_COUNTERS];
    for (size_t i = 0; i < NZ_COUNTERS; i++) values[i] = (nz_counter){.name = "counter", .source = "perf"};
    assert_int_equal(nz_verdict_counters(values).grade, NZ_GRADE_OK);
    values[NZ_COUNTER_CYCLES].source = NULL;
    snprintf(values[NZ_COUNTER_CYCLES].reason, sizeof values[0].reason, "this machine has none");
    v = nz_verdict_counters(values);
    assert_int_equal(v.grade, NZ_GRADE_LIMITED);
    assert_non_null(strstr(v.summary, "this machine has none"));
    values[NZ_COUNTER_CACHE_MISSES] = values[NZ_COUNTER_MIGRATIONS] = values[NZ_COUNTER_CYCLES];
    snprintf(values[NZ_COUNTER_MIGRATIONS].reason, sizeof values[0].reason, "not permitted");
    v = nz_verdict_counters(values); /* each reason once */
    assert_non_null(strstr(v.summary, "7 of 10 counters: counter: this machine has none; counter: not permitted"));
    for (size_t i = 0; i < NZ_COUNTERS; i++) values[i].source = NULL;
    assert_int_equal(nz_verdict_counters(values).grade, NZ_GRADE_UNAVAILABLE);
}

static void memory_is_judged(void **state) {
    (void)state;
    nz_doctor_memory m = {.has_process = true, .has_machine = true, .process.pss_bytes = 1e6};
    m.machine = (nz_memory_machine){.total_bytes = 8000000000, .available_bytes = 4000000000};
    assert_int_equal(nz_verdict_memory(&m).grade, NZ_GRADE_OK);
    m.machine.swap_used_bytes = 3000000000;
    assert_int_equal(nz_verdict_memory(&m).grade, NZ_GRADE_LIMITED);
    m.machine.swap_used_bytes = 0;
    m.process.pss_bytes = NAN;
    assert_int_equal(nz_verdict_memory(&m).grade, NZ_GRADE_LIMITED);
    m.has_process = false;
    assert_int_equal(nz_verdict_memory(&m).grade, NZ_GRADE_UNAVAILABLE);
}

static void a_busy_machine_is_warned_of(void **state) {
    (void)state;
    char text[256];
    nz_doctor_busy(text, 2, 0);
    assert_string_equal(text, "");
    nz_doctor_busy(text, NAN, NAN);
    assert_string_equal(text, "");
    nz_doctor_busy(text, 50, 0);
    assert_non_null(strstr(text, "50% busy"));
    nz_doctor_busy(text, 1, 7);
    assert_non_null(strstr(text, "other virtual machines"));
}

static void a_rate_is_work_over_the_best_time(void **state) {
    (void)state;
    nz_rate rate = {0};
    uint64_t took[] = {4000, 1000, 2000, 1010, 1040};
    nz_rate_from(&rate, took, 5, 500); /* 500 in 1000 ns */
    nz_assert_near(rate.per_s, 5e8, 1e-12, 0);
    nz_assert_near(rate.median_per_s, 500 / 1040e-9, 1e-12, 0);
    nz_assert_near(rate.spread_pct, 100 * (1 - 1000.0 / 1040), 1e-12, 0);
    assert_int_equal(rate.count, 5);
    nz_rate_from(&rate, took, 2, 500);
    nz_assert_nan(rate.spread_pct);
    nz_rate_from(&rate, (uint64_t[]){0, 0, 0}, 3, 500);
    nz_assert_nan(rate.per_s);
    nz_rate_from(&rate, took, 0, 500);
    nz_assert_nan(rate.per_s);
}

static nz_status sleep_a_millisecond(void *user) {
    ++*(size_t *)user;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return NZ_OK;
}

static nz_status fail_at_once(void *user) {
    (void)user;
    return NZ_E_UNSUPPORTED;
}

static void repetitions_are_timed_in_seconds(void **state) {
    (void)state;
    size_t passes = 0;
    nz_rate rate = {.work = 1000000};
    nz_assert_ok(nz_rate_measure(&rate, sleep_a_millisecond, &passes, 0.05));
    /* Sleep lasts a millisecond or longer: a million of anything in it is at most 1e9 a second. */
    assert_true(rate.per_s > 0 && rate.per_s <= 1e9);
    assert_true(rate.median_per_s <= rate.per_s);
    assert_true(rate.count >= 3 && passes > rate.count);
    /* A pass that is longer than all of the time: one must do, and nobody knows its spread. */
    passes = 0;
    nz_assert_ok(nz_rate_measure(&rate, sleep_a_millisecond, &passes, 0.0005));
    assert_int_equal(rate.count, 1);
    assert_int_equal(passes, 2);
    nz_assert_nan(rate.spread_pct);
    assert_int_equal(nz_rate_measure(&rate, fail_at_once, NULL, 0.05), NZ_E_UNSUPPORTED);
}

static void this_machine_has_peaks(void **state) {
    (void)state;
    nz_hardware hardware;
    nz_peaks peaks;
    nz_hardware_get(&hardware, NULL);
    nz_assert_ok(nz_peaks_get(&peaks, &hardware, 1, 0.01, NULL));
    assert_int_equal(peaks.threads, 1);
    assert_true(peaks.clock_hz > 0);
    assert_true(peaks.ops[NZ_PEAK_FP32].per_s > 0);
    assert_true(*peaks.ops[NZ_PEAK_FP32].how);
    for (int t = 0; t < NZ_PEAK_TYPES; t++) assert_int_equal(isnan(peaks.ops[t].per_s), *peaks.ops[t].reason != '\0');
    for (int m = 0; m < NZ_PEAK_MEMORY; m++)
        assert_int_equal(isnan(peaks.memory[m].per_s), *peaks.memory[m].reason != '\0');
    nz_assert_fails(nz_peaks_get(&peaks, &hardware, 0, 0.01, NULL), NZ_E_ARG, "at least one thread");
    nz_assert_fails(nz_peaks_get(&peaks, &hardware, 1, NAN, NULL), NZ_E_ARG, "some time");
}

static int stop_at_once(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)user, (void)what, (void)done, (void)total;
    return 1;
}

static void peaks_can_be_stopped(void **state) {
    (void)state;
    nz_hardware hardware;
    nz_peaks peaks;
    nz_hardware_get(&hardware, NULL);
    nz_assert_fails(nz_peaks_get(&peaks, &hardware, 1, 0.1, &(nz_progress){.step = stop_at_once}), NZ_E_CANCELLED,
                    NULL);
}

static void peaks_as_json(void **state) {
    (void)state;
    nz_peaks p = good_peaks(2);
    p.emulated[NZ_PEAK_INT8] = true;
    p.ops[NZ_PEAK_BF16] = (nz_rate){.per_s = NAN, .spread_pct = NAN, .median_per_s = NAN, .reason = "no kernel"};
    NZ_AUTO_JSON json_t *ops = nz_peaks_ops_json(&p), *memory = nz_peaks_memory_json(&p);
    assert_int_equal(json_integer_value(json_object_get(ops, "threads")), 2);
    const json_t *fp32 = json_object_get(ops, "fp32"), *bf16 = json_object_get(ops, "bf16"),
                 *int8 = json_object_get(ops, "int8");
    nz_assert_near(nz_json_number_at(fp32, "per_s"), 480e9, 0, 0);
    assert_string_equal(nz_json_text_at(fp32, "unit"), "op/s");
    assert_true(json_is_false(json_object_get(fp32, "emulated")));
    assert_true(json_is_true(json_object_get(int8, "emulated")));
    assert_true(json_is_null(json_object_get(bf16, "per_s")));
    assert_string_equal(nz_json_text_at(bf16, "reason"), "no kernel");
    static const char *const names[] = {"read", "copy", "triad", "l1", "l2", "l3"};
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        const json_t *rate = json_object_get(memory, names[i]);
        nz_assert_near(nz_json_number_at(rate, "per_s"), 40e9, 0, 0);
        assert_string_equal(nz_json_text_at(rate, "unit"), "B/s");
    }
}

static void the_whole_report_has_every_category(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *json = NULL;
    nz_assert_ok(nz_doctor_json(&json, &(nz_doctor_options){.quick = true}, NULL));
    static const char *const parts[] = {"clock",  "noise", "cpu",      "instructions", "arithmetic", "bandwidth",
                                        "memory", "power", "counters", "gpu",          "runtime"};
    for (size_t i = 0; i < NZ_COUNT(parts); i++) {
        const json_t *part = json_object_get(json, parts[i]);
        const char *grade = nz_json_text_at(part, "verdict");
        if (strcmp(grade, "ok") != 0 && strcmp(grade, "limited") != 0 && strcmp(grade, "unavailable") != 0)
            fail_msg("%s has the verdict '%s'", parts[i], grade);
        if (!*nz_json_text_at(part, "summary")) fail_msg("%s has no summary", parts[i]);
    }
    assert_string_equal(nz_json_text_at(json, "schema"), "netzip.doctor/1");
    assert_int_equal(json_array_size(json_object_get(json_object_get(json, "arithmetic"), "peaks")), 0);
    assert_true(nz_json_number_at(json_object_get(json, "cpu"), "clock_hz") > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks),
        cmocka_unit_test(noise_floors),
        cmocka_unit_test(cpus),
        cmocka_unit_test(instruction_sets),
        cmocka_unit_test(peaks_are_judged),
        cmocka_unit_test(power_and_counters),
        cmocka_unit_test(memory_is_judged),
        cmocka_unit_test(a_busy_machine_is_warned_of),
        cmocka_unit_test(a_rate_is_work_over_the_best_time),
        cmocka_unit_test(repetitions_are_timed_in_seconds),
        cmocka_unit_test(this_machine_has_peaks),
        cmocka_unit_test(peaks_can_be_stopped),
        cmocka_unit_test(peaks_as_json),
        cmocka_unit_test(the_whole_report_has_every_category),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
