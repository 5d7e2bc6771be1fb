/* SPDX-License-Identifier: Apache-2.0 */
/* Energy of a window out of readings of power: whole, cut at both ends, thinned. */
#include "core/memory.h"
#include "netzip/measure.h"
#include "test.h"

static const uint64_t ms = 1000000;

typedef struct sample {
    uint64_t ms;
    double value;
} sample;

static void add_watts(nz_energy_trace *trace, uint64_t t_ns, double watts) {
    nz_assert_ok(nz_energy_add(trace, t_ns, &(nz_power_reading){.watts = watts}));
}
static void add_joules(nz_energy_trace *trace, uint64_t t_ns, double joules) {
    nz_power_reading reading = {
        .counts = true, .joules = joules, .part_count = 1, .parts = {{.name = "core", .joules = joules / 5}}};
    nz_assert_ok(nz_energy_add(trace, t_ns, &reading));
}
static void make_watts(nz_energy_trace *trace, const sample *samples, size_t count) {
    for (size_t i = 0; i < count; i++) add_watts(trace, samples[i].ms * ms, samples[i].value);
}
static void make_joules(nz_energy_trace *trace, const sample *samples, size_t count) {
    for (size_t i = 0; i < count; i++) add_joules(trace, samples[i].ms * ms, samples[i].value);
}

static const sample uneven[] = {{1000, 2}, {1500, 4}, {2500, 4}, {3000, 0}};

static void energy_of_samples_is_the_trapezoid_of_uneven_steps(void **state) {
    (void)state;
    NZ_AUTO(nz_energy_trace_done) nz_energy_trace trace = {0};
    nz_energy energy;
    make_watts(&trace, uneven, NZ_COUNT(uneven));
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.joules, 1.5 + 4 + 1, 1e-12, 0);
    nz_assert_near(energy.seconds, 2, 1e-12, 0);
    nz_assert_near(energy.watts, 3.25, 1e-12, 0);
    nz_assert_near(energy.watts_max, 4, 0, 0);
    nz_assert_near(energy.watts_mean_samples, 2.5, 1e-12, 0);
    nz_assert_near(energy.interval_s, 2.0 / 3, 1e-12, 0);
    assert_int_equal(energy.samples, 4);
}

static void the_ends_of_a_window_cut_the_line_between_samples(void **state) {
    (void)state;
    NZ_AUTO(nz_energy_trace_done) nz_energy_trace trace = {0};
    nz_energy energy;
    make_watts(&trace, uneven, NZ_COUNT(uneven));
    /* From 3 W in the middle of the rise to 2 W in the middle of the fall. */
    nz_assert_ok(nz_energy_between(&energy, &trace, 1250 * ms, 2750 * ms));
    nz_assert_near(energy.joules, 3.5 * 0.25 + 4 + 3 * 0.25, 1e-12, 0);
    nz_assert_near(energy.seconds, 1.5, 1e-12, 0);
    assert_int_equal(energy.samples, 2);
    nz_assert_near(energy.watts_mean_samples, 4, 1e-12, 0);
    /* Both ends between the same two samples: none lies inside. */
    nz_assert_ok(nz_energy_between(&energy, &trace, 1100 * ms, 1200 * ms));
    nz_assert_near(energy.joules, 2.6 * 0.1, 1e-12, 0);
    nz_assert_near(energy.watts_max, 2.8, 1e-12, 0);
    assert_int_equal(energy.samples, 0);
    nz_assert_nan(energy.watts_mean_samples);
    /* Windows that touch add up to the whole. */
    double sum = 0;
    for (uint64_t t = 1000; t < 3000; t += 125) {
        nz_assert_ok(nz_energy_between(&energy, &trace, t * ms, (t + 125) * ms));
        sum += energy.joules;
    }
    nz_assert_near(sum, 6.5, 1e-12, 0);
}

static void energy_of_counters_is_their_difference(void **state) {
    (void)state;
    static const sample readings[] = {{1, 5}, {2, 6}, {101, 7}, {1001, 25}};
    NZ_AUTO(nz_energy_trace_done) nz_energy_trace trace = {0};
    nz_energy energy;
    make_joules(&trace, readings, NZ_COUNT(readings));
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.joules, 20, 1e-12, 0);
    nz_assert_near(energy.watts, 20, 1e-12, 0);
    nz_assert_nan(energy.watts_mean_samples);
    nz_assert_near(energy.watts_max, 20, 1e-12, 0); /* the 1 J in the first millisecond is a step, not 1000 W */
    assert_int_equal(energy.part_count, 1);
    assert_string_equal(energy.parts[0].name, "core");
    nz_assert_near(energy.parts[0].joules, 4, 1e-12, 0);
    /* Between 101 and 1001 ms it counts evenly, 20 J a second. */
    nz_assert_ok(nz_energy_between(&energy, &trace, 201 * ms, 451 * ms));
    nz_assert_near(energy.joules, 5, 1e-12, 0);
    nz_assert_near(energy.parts[0].joules, 1, 1e-12, 0);
    nz_assert_near(energy.watts_max, 20, 1e-12, 0);
}

static void a_peak_is_no_less_than_the_mean(void **state) {
    (void)state;
    /* 10 J in the first second, 20 J more in the millisecond after it, which is too short to be a sample of its own. */
    static const sample readings[] = {{1, 0}, {1001, 10}, {1002, 30}};
    NZ_AUTO(nz_energy_trace_done) nz_energy_trace trace = {0};
    nz_energy energy;
    make_joules(&trace, readings, NZ_COUNT(readings));
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    assert_true(energy.watts > 29);
    assert_true(energy.watts_max >= energy.watts);
}

static void windows_that_readings_do_not_cover_have_no_energy(void **state) {
    (void)state;
    NZ_AUTO(nz_energy_trace_done) nz_energy_trace trace = {0};
    nz_energy energy = {.joules = 7};
    nz_assert_fails(nz_energy_between(&energy, &trace, 0, 0), NZ_E_UNAVAILABLE, "two readings");
    add_watts(&trace, 1000 * ms, 1);
    nz_assert_fails(nz_energy_between(&energy, &trace, 0, 0), NZ_E_UNAVAILABLE, "got 1");
    add_watts(&trace, 1000 * ms, 2); /* no later than the one before */
    add_watts(&trace, 900 * ms, 2);
    assert_int_equal(trace.count, 1);
    add_watts(&trace, 2000 * ms, 1);
    nz_assert_fails(nz_energy_between(&energy, &trace, 500 * ms, 1500 * ms), NZ_E_UNAVAILABLE, "0.500 s after");
    nz_assert_fails(nz_energy_between(&energy, &trace, 1500 * ms, 2250 * ms), NZ_E_UNAVAILABLE, "0.250 s before");
    nz_assert_fails(nz_energy_between(&energy, &trace, 1500 * ms, 1500 * ms), NZ_E_UNAVAILABLE, "before it begins");
    nz_assert_near(energy.joules, 7, 0, 0);
    nz_assert_ok(nz_energy_between(&energy, &trace, 1000 * ms, 2000 * ms));
    nz_energy_trace_clear(&trace);
    nz_assert_fails(nz_energy_between(&energy, &trace, 0, 0), NZ_E_UNAVAILABLE, "got 0");
}

/* Power that rises for ever, its energy known at every moment: watts = seconds. */
static void a_trace_that_is_full_keeps_the_energy_and_the_peak(void **state) {
    (void)state;
    NZ_AUTO(nz_energy_trace_done) nz_energy_trace small = {.most = 64}, whole = {.most = 4096}, counted = {.most = 64};
    enum { COUNT = 3001 };
    for (uint64_t i = 0; i < COUNT; i++) {
        double seconds = (double)i * 0.05, watts = i == 1234 ? 500 : seconds;
        add_watts(&small, (i * 50 + 1) * ms, watts);
        add_watts(&whole, (i * 50 + 1) * ms, watts);
        add_joules(&counted, (i * 50 + 1) * ms, seconds * seconds / 2);
    }
    assert_in_range(small.count, 16, 64);
    assert_int_equal(whole.count, COUNT);
    nz_energy kept, all, counts;
    nz_assert_ok(nz_energy_between(&kept, &small, 0, 0));
    nz_assert_ok(nz_energy_between(&all, &whole, 0, 0));
    nz_assert_ok(nz_energy_between(&counts, &counted, 0, 0));
    nz_assert_near(kept.joules, all.joules, 1e-12, 0);
    nz_assert_near(counts.joules, 150.0 * 150 / 2, 1e-12, 0);
    nz_assert_near(kept.watts_max, 500, 0, 0);
    assert_int_equal(kept.samples, COUNT);
    nz_assert_near(kept.watts_mean_samples, all.watts_mean_samples, 1e-12, 0);
    nz_assert_near(kept.interval_s, 0.05, 1e-9, 0);
    /* Inside, ends fall between readings that stay: the energy is off by less than what lies between two of those. */
    nz_assert_ok(nz_energy_between(&kept, &small, 100013 * ms, 140009 * ms));
    nz_assert_ok(nz_energy_between(&all, &whole, 100013 * ms, 140009 * ms));
    nz_assert_near(kept.joules, all.joules, 2e-3, 0);
    nz_assert_near(all.joules, (140.008 * 140.008 - 100.012 * 100.012) / 2, 1e-9, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energy_of_samples_is_the_trapezoid_of_uneven_steps),
        cmocka_unit_test(the_ends_of_a_window_cut_the_line_between_samples),
        cmocka_unit_test(energy_of_counters_is_their_difference),
        cmocka_unit_test(a_peak_is_no_less_than_the_mean),
        cmocka_unit_test(windows_that_readings_do_not_cover_have_no_energy),
        cmocka_unit_test(a_trace_that_is_full_keeps_the_energy_and_the_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
