/* SPDX-License-Identifier: Apache-2.0 */
/* Energy out of a power source's readings: what comes out, and what speaks against it. */
#include "core/memory.h"
#include "netzip/measure.h"
#include "test.h"

static const uint64_t ms = 1000000;

static void add_watts(nz_energy_trace *trace, uint64_t at_ms, double watts) {
    nz_power_reading reading = {.watts = watts};
    nz_assert_ok(nz_energy_add(trace, at_ms * ms, &reading));
}

static void add_joules(nz_energy_trace *trace, uint64_t at_ms, double joules) {
    nz_power_reading reading = {.counts = true, .joules = joules};
    nz_assert_ok(nz_energy_add(trace, at_ms * ms, &reading));
}

static void samples_are_joined_by_straight_lines(void **state) {
    (void)state;
    nz_energy_trace trace = {0};
    nz_energy energy;
    nz_energy_doubt doubt;
    nz_assert_fails(nz_energy_between(&energy, &trace, 0, 0), NZ_E_UNAVAILABLE, "two readings");
    add_watts(&trace, 1000, 2);
    add_watts(&trace, 1500, 4);
    add_watts(&trace, 2500, 4);
    add_watts(&trace, 3000, 0);
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.joules, 1.5 + 4 + 1, 1e-12, 0);
    nz_assert_near(energy.seconds, 2, 1e-12, 0);
    nz_assert_near(energy.watts, 3.25, 1e-12, 0);
    nz_assert_near(energy.watts_max, 4, 0, 0);
    nz_assert_near(energy.watts_mean_samples, 2.5, 1e-12, 0);
    assert_true(nz_energy_check(&doubt, &energy)); /* 2.5 W over 2 s are 5 J, not 6.5 J */
    assert_true(doubt.disagrees);
    nz_assert_near(doubt.disagreement_pct, 100 * 1.5 / 6.5, 1e-12, 0);
    assert_non_null(strstr(doubt.text, "disagree by 23%"));
    nz_energy_trace_done(&trace);
}

static void even_samples_agree(void **state) {
    (void)state;
    nz_energy_trace trace = {0};
    nz_energy energy;
    nz_energy_doubt doubt;
    for (uint64_t i = 0; i <= 40; i++) add_watts(&trace, 50 * i, 5 + (i % 2 ? 0.5 : -0.5));
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    assert_false(nz_energy_check(&doubt, &energy));
    assert_string_equal(doubt.text, "");
    nz_assert_near(doubt.disagreement_pct, 0, 0, 0.5);
    nz_assert_near(energy.update_s, 0.05, 1e-9, 0);
    nz_assert_near(energy.interval_s, 0.05, 1e-9, 0);
    energy.watts *= 1.02; /* somebody computed it over another time */
    assert_true(nz_energy_check(&doubt, &energy));
    nz_assert_near(doubt.disagreement_pct, 2, 1e-6, 0);
    energy.watts /= 1.02 / 1.009;
    assert_false(nz_energy_check(&doubt, &energy));
    energy.joules = NAN;
    assert_true(nz_energy_check(&doubt, &energy));
    nz_assert_nan(doubt.disagreement_pct);
    nz_energy_trace_done(&trace);
}

static void no_joules_agree_with_no_watts(void **state) {
    (void)state;
    nz_energy energy = {.seconds = 2, .watts_mean_samples = NAN};
    nz_energy_doubt doubt;
    assert_false(nz_energy_check(&doubt, &energy));
    nz_assert_near(doubt.disagreement_pct, 0, 0, 0);
    energy.watts = 1;
    assert_true(nz_energy_check(&doubt, &energy));
}

static void a_source_that_seldom_has_something_new_is_told(void **state) {
    (void)state;
    nz_energy_trace trace = {0};
    nz_energy energy;
    nz_energy_doubt doubt;
    /* A battery that tells a new value every 400 ms, read every 50 ms for 2 s. */
    for (uint64_t i = 0; i <= 40; i++) add_watts(&trace, 50 * i, 8 + 0.1 * (double)(i / 8 % 2));
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.update_s, 0.4, 1e-9, 0);
    assert_true(nz_energy_check(&doubt, &energy));
    assert_true(doubt.coarse && !doubt.disagrees && !doubt.gaps);
    assert_non_null(strstr(doubt.text, "only every 0.4 s: the window should be longer than 4 s"));
    nz_energy_trace_clear(&trace);
    for (uint64_t i = 0; i <= 400; i++) add_watts(&trace, 50 * i, 8 + 0.1 * (double)(i / 8 % 2));
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0)); /* 20 s are long enough */
    nz_assert_near(energy.update_s, 0.4, 1e-9, 0);
    assert_false(nz_energy_check(&doubt, &energy));
    nz_energy_trace_clear(&trace);
    for (uint64_t i = 0; i <= 20; i++) add_watts(&trace, 50 * i, 8); /* never changes: at least the whole window */
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.update_s, 1, 1e-9, 0);
    nz_energy_trace_done(&trace);
}

static void a_counter_that_steps_seldom_is_told_too(void **state) {
    (void)state;
    nz_energy_trace trace = {0};
    nz_energy energy;
    nz_energy_doubt doubt;
    for (uint64_t i = 0; i <= 20; i++) add_joules(&trace, 50 * i, 36 * (double)(i / 10));
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.update_s, 0.5, 1e-9, 0);
    assert_true(nz_energy_check(&doubt, &energy));
    assert_true(doubt.coarse);
    nz_energy_trace_done(&trace);
}

static void time_without_samples_is_a_gap_but_not_for_counters(void **state) {
    (void)state;
    nz_energy_trace trace = {0}, counters = {0};
    nz_energy energy;
    nz_energy_doubt doubt;
    for (uint64_t i = 0; i <= 100; i++) {
        uint64_t at = 50 * i + (i > 60 ? 350 : 0); /* 400 ms between the 60th and the next one */
        add_watts(&trace, at, 5 + 0.01 * (double)(i % 3));
        add_joules(&counters, at, 0.005 * (double)at);
    }
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.gap_seconds, 0.4, 1e-9, 0);
    assert_true(nz_energy_check(&doubt, &energy));
    assert_true(doubt.gaps && !doubt.coarse);
    assert_non_null(strstr(doubt.text, "0.4 s of the window have no samples"));
    nz_assert_ok(nz_energy_between(&energy, &trace, 3100 * ms, 3200 * ms)); /* within the gap */
    nz_assert_near(energy.gap_seconds, 0.1, 1e-9, 0);
    nz_assert_ok(nz_energy_between(&energy, &trace, 100 * ms, 2900 * ms)); /* before it */
    nz_assert_near(energy.gap_seconds, 0, 0, 0);
    nz_assert_ok(nz_energy_between(&energy, &counters, 0, 0));
    nz_assert_near(energy.gap_seconds, 0, 0, 0);
    assert_false(nz_energy_check(&doubt, &energy));
    nz_energy_trace_done(&trace);
    nz_energy_trace_done(&counters);
}

static void the_peak_of_a_counter_is_no_step_and_no_less_than_the_mean(void **state) {
    (void)state;
    nz_energy_trace trace = {0};
    nz_energy energy;
    add_joules(&trace, 0, 5);
    add_joules(&trace, 1, 6); /* 1 J in the first millisecond is a step, not 1000 W */
    add_joules(&trace, 100, 7);
    add_joules(&trace, 1000, 25);
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.joules, 20, 1e-12, 0);
    nz_assert_near(energy.watts_max, 20, 1e-9, 0);
    nz_assert_nan(energy.watts_mean_samples);
    nz_energy_trace_clear(&trace);
    add_joules(&trace, 0, 0);
    add_joules(&trace, 1000, 10);
    add_joules(&trace, 1001, 30); /* a tail too short to be a sample of its own */
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    assert_true(energy.watts > 29 && energy.watts_max >= energy.watts);
    nz_energy_trace_done(&trace);
}

static void parts_of_samples_have_joules_and_mean_watts(void **state) {
    (void)state;
    nz_energy_trace trace = {0};
    nz_energy energy;
    for (uint64_t i = 0; i <= 20; i++) {
        double along = (double)i / 20;
        nz_power_reading reading = {.watts = 3 + along, .part_count = 2};
        reading.parts[0] = (nz_power_part){.name = "VDD_CORE", .added = true, .watts = 2 + along};
        reading.parts[1] = (nz_power_part){.name = "VDD_SOC", .watts = 0.5};
        nz_assert_ok(nz_energy_add(&trace, 1000 + 100 * i * ms, &reading));
    }
    nz_assert_ok(nz_energy_between(&energy, &trace, 1000 + 500 * ms, 1000 + 1500 * ms));
    assert_int_equal(energy.part_count, 2);
    assert_string_equal(energy.parts[0].name, "VDD_CORE");
    assert_true(energy.parts[0].added && !energy.parts[1].added);
    nz_assert_near(energy.parts[0].joules, 2.5, 1e-9, 0);
    nz_assert_near(energy.parts[0].watts, 2.5, 1e-9, 0);
    nz_assert_near(energy.parts[1].joules, 0.5, 1e-9, 0);
    nz_assert_near(energy.joules, 3.5, 1e-9, 0);
    nz_energy_trace_done(&trace);
}

static void a_broken_counter_spoils_the_windows_that_it_lies_in(void **state) {
    (void)state;
    nz_energy_trace trace = {0};
    nz_energy energy;
    for (uint64_t i = 0; i <= 10; i++) {
        nz_power_reading reading = {.counts = true, .joules = (double)i, .breaks = i >= 5 ? 1 : 0};
        nz_assert_ok(nz_energy_add(&trace, 100 * i * ms, &reading));
    }
    nz_assert_fails(nz_energy_between(&energy, &trace, 0, 0), NZ_E_UNAVAILABLE, "set back");
    nz_assert_fails(nz_energy_between(&energy, &trace, 410 * ms, 490 * ms), NZ_E_UNAVAILABLE, "set back");
    nz_assert_ok(nz_energy_between(&energy, &trace, 0 * ms + 1, 400 * ms));
    nz_assert_ok(nz_energy_between(&energy, &trace, 500 * ms, 1000 * ms));
    nz_assert_near(energy.joules, 5, 1e-12, 0);
    nz_energy_trace_done(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_joined_by_straight_lines),
        cmocka_unit_test(even_samples_agree),
        cmocka_unit_test(no_joules_agree_with_no_watts),
        cmocka_unit_test(a_source_that_seldom_has_something_new_is_told),
        cmocka_unit_test(a_counter_that_steps_seldom_is_told_too),
        cmocka_unit_test(time_without_samples_is_a_gap_but_not_for_counters),
        cmocka_unit_test(the_peak_of_a_counter_is_no_step_and_no_less_than_the_mean),
        cmocka_unit_test(parts_of_samples_have_joules_and_mean_watts),
        cmocka_unit_test(a_broken_counter_spoils_the_windows_that_it_lies_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
