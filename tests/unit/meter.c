/* SPDX-License-Identifier: Apache-2.0 */
/* Energy from logs of external meters: integrals worked out by hand, columns, times, what is left out, broken logs. */
#include "core/memory.h"
#include "core/random.h"
#include "measure/meter_series.h"
#include "test.h"

static const char *put(const char *text) {
    const char *path = nz_test_file("log.csv");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static nz_meter_energy energy_of(const char *text, const char *columns, const char *start, const char *end) {
    nz_meter_energy e = {0};
    nz_meter_options options = {.columns = columns, .start = start, .end = end};
    nz_assert_ok(nz_meter_energy_read(&e, put(text), &options));
    return e;
}

static void fails(const char *text, const char *columns, const char *start, const char *end, nz_status status,
                  const char *part) {
    nz_meter_energy e = {.seconds = 7};
    nz_meter_options options = {.columns = columns, .start = start, .end = end};
    nz_assert_fails(nz_meter_energy_read(&e, put(text), &options), status, part);
    assert_true(e.seconds == 7);
}

static const char ramp[] = "time,power\n10,0\n11,2\n12,4\n13,6\n14,8\n";

static void whole_log(void **state) {
    (void)state;
    nz_meter_energy e = energy_of(ramp, NULL, NULL, NULL);
    nz_assert_near(e.joules, 16, 1e-12, 0); /* a triangle: 4 s x 8 W / 2 */
    nz_assert_near(e.seconds, 4, 0, 0);
    nz_assert_near(e.watts, 4, 1e-12, 0);
    nz_assert_near(e.watts_max, 8, 0, 0);
    nz_assert_near(e.watts_mean_samples, 4, 1e-12, 0);
    nz_assert_near(e.interval_s, 1, 1e-9, 0);
    assert_int_equal(e.samples, 5);
    assert_int_equal(e.gaps + e.dropped + e.duplicates + e.backwards + e.missing, 0);
    assert_false(e.marked);
    assert_int_equal(e.note_count, 0);
}

static void ends_are_interpolated(void **state) {
    (void)state;
    nz_meter_energy e = energy_of(ramp, NULL, "10.5", "12.25");
    /* P = 2 (t - 10): 2.25^2 - 0.5^2 */
    nz_assert_near(e.joules, 4.8125, 1e-12, 0);
    nz_assert_near(e.seconds, 1.75, 0, 0);
    nz_assert_near(e.watts, 4.8125 / 1.75, 1e-12, 0);
    assert_int_equal(e.samples, 2); /* 11 and 12 */
    nz_assert_near(e.watts_max, 4, 0, 0);
    e = energy_of(ramp, NULL, "11", "13"); /* the sample at the end is no part of it */
    nz_assert_near(e.joules, 8, 1e-12, 0);
    assert_int_equal(e.samples, 2);
    nz_assert_near(e.watts_max, 4, 0, 0);
    assert_true(e.marked); /* mean of 2 and 4 is 3, joules / seconds is 4 */
    nz_assert_near(e.disagreement_pct, 25, 1e-9, 0);
}

static void uneven_sampling(void **state) {
    (void)state;
    nz_meter_energy e = energy_of("t,w\n0,1\n1,1\n2,1\n3,1\n7,5\n8,5\n", NULL, NULL, NULL);
    nz_assert_near(e.joules, 3 + 12 + 5, 1e-12, 0);
    assert_int_equal(e.gaps, 1);
    assert_int_equal(e.dropped, 3);
    nz_assert_near(e.gap_seconds, 4, 0, 0);
    assert_true(e.marked);
    e = energy_of("t,w\n0,1\n1,1\n2,1\n3,1\n7,5\n8,5\n", NULL, "0",
                  "2.5"); /* outside of the window it does not count */
    assert_int_equal(e.gaps, 0);
    assert_false(e.marked);
}

static void repeated_and_backward_times(void **state) {
    (void)state;
    nz_meter_energy e = energy_of("t,w\n0,2\n1,1\n1,3\n0.5,99\n2,2\n3,\n4,2\n", NULL, NULL, NULL);
    nz_assert_near(e.joules, 8, 1e-12, 0); /* 2 W throughout: the mean of 1 and 3 is one sample */
    assert_int_equal(e.duplicates, 1);
    assert_int_equal(e.backwards, 1);
    assert_int_equal(e.missing, 1);
    assert_int_equal(e.gaps, 1); /* where the row without reading is */
    assert_int_equal(e.samples, 5);
    nz_assert_near(e.watts_max, 3, 0, 0);
    assert_true(e.marked);
}

static void columns_by_name(void **state) {
    (void)state;
    static const struct {
        const char *text, *columns;
    } logs[] = {
        {"time,voltage,current\n0,5,2\n1,5,2\n", NULL},
        {"Current (mA);Time (s);Voltage (mV)\n2000;0;5000\n2000;1;5000\n", NULL},
        {"uA\tV\ttimestamp_ms\n2e6\t5\t0\n2e6\t5\t1000\n", NULL},
        {"current_time,Power [W],volt\n0,1,1\n1,1,1\n", "time=current_time,watts=2:kW"},
        {"unix_time,power_mW\n0,10000.0\n1,1e4\n", NULL},
        {"0,5,2\n1,5,2\n", "time=1,volts=2,amps=3"},
        {"2000,0,5\n2000,1,5\n", "time=2,volts=3,amps=1:mA"},
        {"zeit;P\n0;10,0\n1;10,0\n", "time=zeit"},
        {"\xef\xbb\xbf# made by a meter\r\n\r\ntime,p\r\n0,10\r\n# pause\r\ntime,p\r\n1,10\r\n", NULL},
        {"\"time\",\"a,b\",\"p\"\n\"0\",\"x,y\",\"10\"\n\"1\",\"\",\"10\"\n", NULL},
        {"time,p,v,i\n0,3,5,2\n1,3,5,2\n", "volts=v,amps=i"},
    };
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        nz_meter_energy e = energy_of(logs[i].text, logs[i].columns, NULL, NULL);
        double expected = i == 3 ? 1000 : 10;
        if (!nz_test_close(e.joules, expected, 1e-12, 0) || !nz_test_close(e.seconds, 1, 1e-12, 0))
            fail_msg("log %zu: %g J in %g s", i, e.joules, e.seconds);
    }
    nz_meter_energy e = energy_of("time,p,v,i\n0,3,5,2\n1,3,5,2\n", NULL, NULL, NULL);
    nz_assert_near(e.joules, 3, 1e-12, 0); /* the meter's own watts come first */
    assert_string_equal(e.columns, "time 1 (time), watts 2 (p)");
}

static void times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        nz_meter_time_kind kind;
    } good[] = {
        {"1677996438.089", INT64_C(1677996438089000000), NZ_METER_NUMBER},
        {"-1.5", INT64_C(-1500000000), NZ_METER_NUMBER},
        {"1970-01-01 00:00", 0, NZ_METER_DATE},
        {"1970-01-02T00:00:00.5Z", INT64_C(86400500000000), NZ_METER_DATE},
        {"2023-03-05T07:07:37+01:00", INT64_C(1677996457000000000), NZ_METER_DATE},
        {"2023/03/05 01:07:37 -0500", INT64_C(1677996457000000000), NZ_METER_DATE},
        {"2000-02-29T23:59:60", INT64_C(951868800000000000), NZ_METER_DATE},
        {"06:07:37.25", INT64_C(22057250000000), NZ_METER_CLOCK},
        {"6:07:37", INT64_C(22057000000000), NZ_METER_CLOCK},
    };
    static const char *const bad[] = {"",
                                      "x",
                                      "1e9",
                                      "06:07",
                                      "24:00:00",
                                      "05/03/2023 06:07:18",
                                      "12:0:0",
                                      "1.2.3",
                                      "2023-02-29T00:00:00",
                                      "2023-13-01 00:00",
                                      "2023-03-05",
                                      "99999999999999999999",
                                      "00:00:61",
                                      "2023-03-05T00:00:00+1",
                                      "0x10"};
    nz_meter_time_kind kind;
    int64_t ns;
    char text[40];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!nz_meter_time_parse(&ns, &kind, good[i].text, NZ_SECOND_NS)) fail_msg("'%s' is refused", good[i].text);
        if (ns != good[i].ns || kind != good[i].kind) fail_msg("'%s' is %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (nz_meter_time_parse(&ns, &kind, bad[i], NZ_SECOND_NS)) fail_msg("'%s' is taken", bad[i]);
    assert_string_equal(nz_meter_time_text(text, INT64_C(1677996457089000000)), "2023-03-05 06:07:37.089 UTC");
    assert_string_equal(nz_meter_time_text(text, INT64_C(1709164800000000000)), "2024-02-29 00:00:00.000 UTC");
    assert_string_equal(nz_meter_time_text(text, INT64_C(22057250000000)), "06:07:37.250");
}

static void windows(void **state) {
    (void)state;
    static const char log[] = "timestamp,w\n1677996456.5,1\n1677996457.5,1\n1677996458.5,1\n1677996459.5,1\n";
    static const char *const starts[] = {"1677996457", "2023-03-05T06:07:37", "2023-03-05 07:07:37+01:00", "06:07:37"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        nz_meter_energy e = energy_of(log, NULL, starts[i], "06:07:39");
        nz_assert_near(e.joules, 2, 1e-12, 0);
        assert_int_equal(e.samples, 2);
    }
    nz_meter_energy e = energy_of(log, NULL, "06:07:36", NULL); /* the second in which the log begins is today's */
    nz_assert_near(e.seconds, 3, 1e-12, 0);
    /* Milliseconds are told by their size. */
    e = energy_of("time,w\n1677996456500,2\n1677996457500,2\n", NULL, NULL, "1677996457");
    nz_assert_near(e.joules, 1, 1e-12, 0);
    /* Over midnight. */
    e = energy_of("time,w\n23:59:58,3\n23:59:59,3\n00:00:00,3\n00:00:01,3\n", NULL, "23:59:59", "00:00:01");
    nz_assert_near(e.joules, 6, 1e-12, 0);
    assert_int_equal(e.backwards, 0);
    /* What the log does not cover is said. */
    e = energy_of(log, NULL, "1677996458.5", "1677996468.5");
    nz_assert_near(e.seconds, 1, 0, 0);
    assert_true(e.marked);
    assert_non_null(strstr(e.notes[0], "covers 1.000 s of the window's 10.000 s"));
}

static void markers(void **state) {
    (void)state;
    nz_meter_energy e = energy_of("t,w,m\n0,9,0\n1,2,1\n2,2,1\n3,2,0\n4,9,0\n5,9,1\n", "marker=m", NULL, NULL);
    nz_assert_near(e.joules, 4, 1e-12, 0);
    nz_assert_near(e.seconds, 2, 0, 0);
    assert_int_equal(e.samples, 2);
    e = energy_of("t,w,m\n0,9,\n1,2,go\n2,2,go\n", "marker=m", NULL, NULL); /* to the end of the log */
    nz_assert_near(e.joules, 2, 1e-12, 0);
    assert_int_equal(e.samples, 2);
    fails("t,w,m\n0,9,0\n1,2,0\n", "marker=m", NULL, NULL, NZ_E_ARG, "0 throughout");
    fails("t,w,m\n0,9,0\n1,2,1\n", "marker=m", "0", NULL, NZ_E_ARG, "marker");
}

static void broken_logs(void **state) {
    (void)state;
    fails("", NULL, NULL, NULL, NZ_E_FORMAT, "holds no samples");
    fails("t,w\n", NULL, NULL, NULL, NZ_E_FORMAT, "this log has none");
    fails("t,w\n1,1\n1,2\n", NULL, NULL, NULL, NZ_E_FORMAT, "one time only");
    fails("t,w\n0,1\n1,x\n", NULL, NULL, NULL, NZ_E_FORMAT, "log.csv:3: 'x' in column 2");
    fails("t,w\n0,1\n1\n2,1\n", NULL, NULL, NULL, NZ_E_FORMAT, "log.csv:3: 1 columns, the first line has 2");
    fails("t,w\n0,1\n05/03/2023 06:07:18,1\n", NULL, NULL, NULL, NZ_E_FORMAT, "is no time");
    fails("t,w\n0,1\n1,inf\n", NULL, NULL, NULL, NZ_E_FORMAT, "'inf'");
    fails("t,w\n0,1\n1,1e300\n", NULL, NULL, NULL, NZ_E_FORMAT, "no reading");
    fails("t,w\n0,1\n5e9,1\n", NULL, NULL, NULL, NZ_E_FORMAT, "is no time");
    fails("t,w\n0,1\n5000000000,1\n", NULL, NULL, NULL, NZ_E_FORMAT, "out of range");
    fails("0,1,2\n1,1,2\n", NULL, NULL, NULL, NZ_E_FORMAT, "--columns time=1");
    fails("a,b\n0,1\n", NULL, NULL, NULL, NZ_E_FORMAT, "no column of times");
    fails("t,volts\n0,1\n", NULL, NULL, NULL, NZ_E_FORMAT, "no column of watts");
    fails("t,power_w,power_mw\n0,1,1\n", NULL, NULL, NULL, NZ_E_FORMAT, "could both be watts");
    fails(ramp, "watts=3", NULL, NULL, NZ_E_ARG, "no such column");
    fails(ramp, "watts=2:mV", NULL, NULL, NZ_E_ARG, "no unit of watts");
    fails(ramp, "watt=2", NULL, NULL, NZ_E_ARG, "did you mean watts?");
    fails(ramp, "watts", NULL, NULL, NZ_E_ARG, "--columns");
    fails(ramp, NULL, "noon", NULL, NZ_E_ARG, "--start 'noon' is no time");
    fails(ramp, NULL, "12", "12", NZ_E_ARG, "is empty");
    fails(ramp, NULL, "20", "30", NZ_E_ARG, "nothing of a window that begins at 00:00:20");
    fails(ramp, NULL, NULL, "5", NZ_E_ARG, "nothing of a window that ends at 00:00:05");
    fails(ramp, NULL, "14", NULL, NZ_E_ARG, "begins at 00:00:14");
    nz_meter_energy e = {0};
    nz_assert_fails(nz_meter_energy_read(&e, "/nonexistent/log.csv", NULL), NZ_E_IO, "log.csv");
    nz_assert_fails(nz_meter_energy_read(&e, nz_test_dir(), NULL), NZ_E_IO, "no regular file");
    /* A logger that was switched off in the middle of a line. */
    e = energy_of("t,v,i\n0,5,1\n1,5,1\n2,5", NULL, NULL, NULL);
    nz_assert_near(e.joules, 5, 1e-12, 0);
    assert_int_equal(e.note_count, 1);
}

static void check_log(const char *name, const char *start, const char *end, const double expected[5]) {
    nz_meter_energy e = {0};
    nz_meter_options options = {.start = start, .end = end};
    nz_assert_ok(nz_meter_energy_read(&e, nz_test_data(name), &options));
    nz_assert_near(e.joules, expected[0], 1e-5, 0.5); /* published to a joule and a milliwatt */
    nz_assert_near(e.watts, expected[1], 0, 0.0006);
    nz_assert_near(e.watts_mean_samples, expected[1], 0, 0.0006);
    nz_assert_near(e.watts_max, expected[2], 0, 0.0006);
    nz_assert_near(e.seconds, expected[3], 0, 1e-9);
    nz_assert_near((double)e.samples, expected[4], 0, 0);
    nz_assert_near(e.interval_s, 0.1, 1e-3, 0);
    assert_false(e.marked);
}

static void raspberry_pi_fp32(void **state) {
    (void)state;
    check_log("power-logs/pytorch_fp32.csv", "06:07:37", "10:30:21",
              (const double[]){66312, 4.207, 7.373, 15764, 157637});
}
static void raspberry_pi_int8(void **state) {
    (void)state;
    check_log("power-logs/tflite_int8.csv", "2023-03-05T00:12:23", "02:10:34",
              (const double[]){26174, 3.691, 5.123, 7091, 70908});
}

static void idle_power_beside_the_window(void **state) {
    (void)state;
    char text[4096] = "time,power\n";
    for (int i = 0; i <= 100; i++) sprintf(text + strlen(text), "%d,%d\n", i, i < 20 ? 2 : i < 70 ? 10 : 4);
    nz_meter_energy e = energy_of(text, NULL, "20", "69");
    nz_assert_near(e.joules, 490, 1e-12, 0);
    nz_assert_near(e.idle_before_w, (19 * 2 + 6) / 20.0, 1e-12, 0); /* the line from 2 W to 10 W ends at the window */
    nz_assert_near(e.idle_after_w, (7 + 30 * 4) / 31.0, 1e-12, 0);
    nz_assert_near(e.joules_net, 490 - 49 * (e.idle_before_w + e.idle_after_w) / 2, 1e-12, 0);
    nz_assert_nan(e.step_clear);
    e = energy_of(text, NULL, NULL, "50"); /* nothing before: what is behind counts, a minute of it at most */
    nz_assert_nan(e.idle_before_w);
    nz_assert_near(e.idle_after_w, (19 * 10 + 7 + 30 * 4) / 50.0, 1e-12, 0);
    nz_assert_near(e.joules_net, e.joules - 50 * e.idle_after_w, 1e-12, 0);
    e = energy_of(ramp, NULL, NULL, NULL);
    nz_assert_nan(e.joules_net);
}

/* Power of `idle` W, of `busy` W from `from` to `to` seconds, sampled ten times a second, with noise. */
static const char *steps(double seconds, double from, double to, double idle, double busy, double noise) {
    const char *path = nz_test_file("log.csv");
    FILE *file = fopen(path, "w");
    nz_random random;
    nz_random_init(&random, 3, 0);
    assert_non_null(file);
    fputs("time,watts\n", file);
    for (int i = 0; i < seconds * 10; i++) {
        double t = i / 10.0 + 0.05, ripple = noise * (nz_random_unit(&random) + nz_random_unit(&random) - 1);
        fprintf(file, "%.2f,%.6f\n", t, (t >= from && t < to ? busy : idle) + ripple);
    }
    fclose(file);
    return path;
}

static void a_step_of_power_is_a_marker(void **state) {
    (void)state;
    nz_meter_options by_step = {.step = true};
    nz_meter_energy e = {0};
    static const struct {
        double seconds, from, to, noise;
    } logs[] = {{60, 10, 50, 0}, {60, 10, 50, 1}, {600, 5, 580, 1}, {600, 300, 320, 0.5}};
    for (size_t i = 0; i < NZ_COUNT(logs); i++) {
        nz_assert_ok(
            nz_meter_energy_read(&e, steps(logs[i].seconds, logs[i].from, logs[i].to, 3, 5, logs[i].noise), &by_step));
        nz_assert_near((double)e.start_ns / 1e9, logs[i].from, 0, 0.11);
        nz_assert_near((double)e.end_ns / 1e9, logs[i].to, 0, 0.11);
        nz_assert_near(e.watts, 5, 0.02, 0);
        nz_assert_near(e.idle_before_w, 3, 0.05, 0);
        nz_assert_near(e.step_rise_w, 2, 0.25, 0);
        assert_true(e.step_clear >= NZ_METER_STEP_CLEAR);
    }
}

static void what_is_no_clear_step_is_refused(void **state) {
    (void)state;
    nz_meter_options by_step = {.step = true}, both = {.step = true, .start = "3"};
    nz_meter_energy e = {0};
    nz_assert_fails(nz_meter_energy_read(&e, steps(60, 0, 0, 3, 5, 1), &by_step), NZ_E_ARG, "no clear marker");
    nz_assert_fails(nz_meter_energy_read(&e, steps(60, 30, 90, 3, 5, 0), &by_step), NZ_E_ARG, "marker"); /* no fall */
    nz_assert_fails(nz_meter_energy_read(&e, steps(60, 10, 50, 3, 3, 0), &by_step), NZ_E_ARG, "marker");
    nz_assert_fails(nz_meter_energy_read(&e, put(ramp), &both), NZ_E_ARG, "--start");
}

static void windows_of_a_series(void **state) {
    (void)state;
    NZ_AUTO(nz_meter_series_done) nz_meter_series s = {0};
    nz_meter_part part;
    const int64_t second = NZ_SECOND_NS;
    nz_assert_ok(nz_meter_series_read(&s, put("t,w\n10,0\n11,2\n11,2\n10.5,9\n12,\n12,4\n13,6\n16,6\n"), NULL));
    assert_int_equal(s.count, 5);
    assert_int_equal(s.duplicates, 1);
    assert_int_equal(s.backwards, 1);
    assert_int_equal(s.missing, 1);
    assert_false(s.dated || s.clock);
    nz_assert_near(s.interval_s, 1, 0, 0);
    nz_meter_series_part(&part, &s, 10 * second + second / 2, 12 * second + second / 4);
    nz_assert_near(part.joules, 4.8125, 1e-12, 0);
    nz_assert_near(part.seconds, 1.75, 0, 0);
    nz_assert_near(part.watts_max, 4.5, 1e-12, 0);
    nz_assert_near(part.watts_mean, 3, 1e-12, 0);
    assert_int_equal(part.samples, 2);
    assert_int_equal(part.gaps, 0);
    nz_meter_series_part(&part, &s, 12 * second, 99 * second); /* the log's end is the end */
    nz_assert_near(part.joules, 5 + 18, 1e-12, 0);
    nz_assert_near(part.seconds, 4, 0, 0);
    assert_int_equal(part.gaps, 1);
    nz_assert_near(part.gap_seconds, 3, 0, 0);
    nz_meter_series_part(&part, &s, 2 * second, 10 * second);
    assert_true(part.seconds == 0 && part.joules == 0 && part.samples == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_log),
        cmocka_unit_test(ends_are_interpolated),
        cmocka_unit_test(uneven_sampling),
        cmocka_unit_test(repeated_and_backward_times),
        cmocka_unit_test(columns_by_name),
        cmocka_unit_test(times),
        cmocka_unit_test(windows),
        cmocka_unit_test(markers),
        cmocka_unit_test(broken_logs),
        cmocka_unit_test(idle_power_beside_the_window),
        cmocka_unit_test(a_step_of_power_is_a_marker),
        cmocka_unit_test(what_is_no_clear_step_is_refused),
        cmocka_unit_test(windows_of_a_series),
        cmocka_unit_test(raspberry_pi_fp32),
        cmocka_unit_test(raspberry_pi_int8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
