/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated meter beside a simulated A B A B run: its log must give back the joules that were put in. */
#include "compare/meter_join.h"

#include "core/memory.h"
#include "core/random.h"
#include "test.h"

#define BEGUN 1700000000.0 /* when the run began, Unix time */

/* The run: quiet, rounds of a block of A and one of B with a pause between them, quiet; power in each. */
typedef struct plan {
    int rounds;
    double quiet_s, block_s, pause_s, idle_w, a_w, b_w;
    /* the meter */
    double interval_s, ahead_s, noise_w;
    double lead_s, gap_from_s, gap_s; /* the log begins this long before; a gap, in seconds of the run */
    bool averages;                    /* a sample is the mean since the one before, not the power of the moment */
    const char *form;                 /* of a row's time: "unix", "clock", "own" */
} plan;
static const plan usual = {.rounds = 12,
                           .quiet_s = 2,
                           .block_s = 1,
                           .pause_s = 0.1,
                           .idle_w = 2,
                           .a_w = 5,
                           .b_w = 4,
                           .interval_s = 0.05,
                           .lead_s = 7,
                           .form = "unix"};

static double round_s(const plan *p) { return 2 * (p->block_s + p->pause_s); }
static double length_s(const plan *p) { return 2 * p->quiet_s + p->rounds * round_s(p); }
static double block_at(const plan *p, int round, int model) {
    return p->quiet_s + round * round_s(p) + model * (p->block_s + p->pause_s);
}

static double power_at(const plan *p, double t) {
    double in = t - p->quiet_s;
    if (in < 0 || in >= p->rounds * round_s(p)) return p->idle_w;
    in = fmod(in, round_s(p));
    if (in < p->block_s) return p->a_w;
    in -= p->block_s + p->pause_s;
    return in >= 0 && in < p->block_s ? p->b_w : p->idle_w;
}

static double sample_at(const plan *p, double t) {
    enum { PARTS = 100 };
    double sum = 0;
    if (!p->averages) return power_at(p, t);
    for (int i = 0; i < PARTS; i++) sum += power_at(p, t - p->interval_s * (i + 0.5) / PARTS);
    return sum / PARTS;
}

static json_t *rounds_json(const plan *p, int model) {
    json_t *rounds = json_array();
    for (int r = 0; r < p->rounds; r++)
        json_array_append_new(rounds, json_pack("{s:f,s:f,s:i}", "unix_s", BEGUN + block_at(p, r, model), "seconds",
                                                p->block_s, "runs", 100));
    return rounds;
}

static json_t *times_json(const plan *p) {
    return json_pack("{s:{s:{s:{s:o,s:s}},s:{s:{s:o}}}}", "models", "A", "timing", "rounds", rounds_json(p, 0),
                     "energy_reason", "no sensor", "B", "timing", "rounds", rounds_json(p, 1));
}

static void put_time(FILE *file, const plan *p, double t) {
    if (strcmp(p->form, "clock") == 0) {
        double day = fmod(BEGUN + t, 86400);
        fprintf(file, "%02d:%02d:%09.6f", (int)(day / 3600), (int)fmod(day / 60, 60), fmod(day, 60));
    } else if (strcmp(p->form, "own") == 0) {
        fprintf(file, "%.6f", t + p->lead_s);
    } else {
        fprintf(file, "%.6f", BEGUN + t);
    }
}

static void log_of(nz_meter_series *series, const plan *p) {
    const char *path = nz_test_file("meter.csv");
    FILE *file = fopen(path, "w");
    nz_random random;
    nz_random_init(&random, 5, 0);
    assert_non_null(file);
    fputs("time,power\n", file);
    for (double t = 0.0173 - p->lead_s; t < length_s(p) + p->lead_s; t += p->interval_s) {
        double noise = p->noise_w * (nz_random_unit(&random) + nz_random_unit(&random) - 1);
        if (p->gap_s > 0 && t > p->gap_from_s && t < p->gap_from_s + p->gap_s) continue;
        put_time(file, p, t + p->ahead_s);
        fprintf(file, ",%.6f\n", sample_at(p, t) + noise);
    }
    fclose(file);
    nz_assert_ok(nz_meter_series_read(series, path, NULL));
}

static nz_status join(json_t *times, json_t **ret_about, const plan *p, const char *shift) {
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    NZ_AUTO_JSON json_t *quiet = json_pack("[{s:f,s:f},{s:f,s:f}]", "unix_s", BEGUN, "seconds", p->quiet_s, "unix_s",
                                           BEGUN + length_s(p) - p->quiet_s, "seconds", p->quiet_s);
    nz_meter_join_options options = {.log = "meter.csv", .shift = shift, .quiet = quiet};
    log_of(&series, p);
    return nz_meter_join(ret_about, times, &series, &options);
}

static const json_t *energy_of(const json_t *times, const char *id) {
    return json_object_get(json_object_get(json_object_get(json_object_get(times, "models"), id), "timing"), "energy");
}

/* The joules of the whole, and of each block, are those that were put in. */
static json_t *joined(const plan *p, const char *shift, double within) {
    json_t *times = times_json(p);
    json_t *about = NULL;
    nz_assert_ok(join(times, &about, p, shift));
    const double watts[] = {p->a_w, p->b_w};
    const char *const ids[] = {"A", "B"};
    for (int m = 0; m < 2; m++) {
        const json_t *e = energy_of(times, ids[m]);
        double seconds = nz_json_number_at(e, "seconds");
        nz_assert_near(nz_json_number_at(e, "joules"), watts[m] * seconds, within, 0);
        nz_assert_near(nz_json_number_at(e, "watts"), watts[m], within, 0);
        nz_assert_near(nz_json_number_at(e, "mean_samples_w"), watts[m], within, 0);
        nz_assert_near(json_number_value(json_array_get(json_object_get(e, "idle_w"), 0)), p->idle_w, 2 * within, 0);
        nz_assert_near(json_number_value(json_array_get(json_object_get(e, "idle_w"), 1)), p->idle_w, 2 * within, 0);
    }
    assert_null(json_object_get(json_object_get(json_object_get(json_object_get(times, "models"), "A"), "timing"),
                                "energy_reason"));
    json_decref(times);
    return about;
}

static void known_joules_come_back(void **state) {
    (void)state;
    json_t *about = joined(&usual, NULL, 1e-9);
    assert_int_equal(json_integer_value(json_object_get(about, "blocks")), 24);
    assert_int_equal(json_integer_value(json_object_get(about, "left_out")), 0);
    assert_true(json_is_false(json_object_get(about, "shift_found")));
    json_decref(about);
    plan noisy = usual;
    noisy.noise_w = 0.3;
    json_decref(joined(&noisy, NULL, 0.01));
}

static void a_stated_shift(void **state) {
    (void)state;
    plan p = usual;
    p.ahead_s = 3600.4;
    json_decref(joined(&p, "3600.4", 1e-9));
    p.ahead_s = -2.25;
    json_decref(joined(&p, "-2.25", 1e-9));
}

static void the_shift_is_found(void **state) {
    (void)state;
    static const double shifts[] = {0, 0.31, -4.07, 2.2, 7200.013};
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        plan p = usual;
        p.ahead_s = shifts[i];
        p.noise_w = 0.3;
        json_t *about = joined(&p, "auto", 0.01);
        double found = nz_json_number_at(about, "shift_s"), within = nz_json_number_at(about, "shift_within_s");
        if (fabs(found - shifts[i]) > 0.05 || !(within < 0.1))
            fail_msg("shift %g: found %g within %g", shifts[i], found, within);
        assert_true(json_is_true(json_object_get(about, "shift_found")));
        json_decref(about);
    }
}

static void a_slow_meter_and_one_that_averages(void **state) {
    (void)state;
    plan p = usual; /* once a second, blocks of ten seconds */
    p.interval_s = 1;
    p.block_s = 10;
    p.quiet_s = 10;
    p.pause_s = 0.4;
    p.noise_w = 0.1;
    p.lead_s = 100;
    json_decref(joined(&p, NULL, 0.01));
    p.ahead_s = 33.3;
    json_t *about = joined(&p, "auto", 0.01);
    nz_assert_near(nz_json_number_at(about, "shift_s"), 33.3, 0, 0.5);
    json_decref(about);
    p = usual;
    p.averages = true; /* what was drawn just before still shows in the first sample of a block */
    json_decref(joined(&p, NULL, 0.01));
    about = joined(&p, "auto", 0.01); /* it lags by half of its interval */
    nz_assert_near(nz_json_number_at(about, "shift_s"), 0.025, 0, 0.02);
    json_decref(about);
}

static void times_without_a_date(void **state) {
    (void)state;
    plan p = usual;
    p.form = "clock";
    json_decref(joined(&p, NULL, 1e-5)); /* times of day meet the day of the run */
    p.form = "own";
    json_t *times = times_json(&p), *about = NULL;
    nz_assert_fails(join(times, &about, &p, NULL), NZ_E_ARG, "--shift auto finds where the run lies");
    assert_null(about);
    json_decref(times);
    about = joined(&p, "auto", 0.01);
    nz_assert_near(nz_json_number_at(about, "shift_s"), p.lead_s - BEGUN, 0, 0.05);
    json_decref(about);
}

static void a_wrong_shift_is_doubted(void **state) {
    (void)state;
    plan p = usual;
    p.ahead_s = 1.3;
    json_t *times = times_json(&p), *about = NULL;
    nz_assert_ok(join(times, &about, &p, NULL));
    const char *text = json_string_value(json_array_get(json_object_get(about, "text"), 0));
    assert_non_null(strstr(text, "DOUBTFUL"));
    double told = 0;
    assert_int_equal(sscanf(strstr(text, "clock is "), "clock is %lf", &told), 1);
    nz_assert_near(told, 1.3, 0, 0.05);
    json_decref(about);
    json_decref(times);
}

static void an_uncertain_shift_is_refused(void **state) {
    (void)state;
    plan p = usual;
    p.a_w = p.b_w = p.idle_w; /* nothing to see */
    p.noise_w = 0.3;
    json_t *times = times_json(&p), *about = NULL;
    nz_assert_fails(join(times, &about, &p, "auto"), NZ_E_ARG, "shift of the meter's clock");
    assert_null(energy_of(times, "A"));
    p = usual;
    p.lead_s = -3; /* the log begins within the run */
    nz_assert_fails(join(times, &about, &p, "auto"), NZ_E_ARG, "in a log of the whole time alone");
    p = usual;
    p.ahead_s = 500; /* not covered at all */
    nz_assert_fails(join(times, &about, &p, NULL), NZ_E_ARG, "--shift auto finds it");
    nz_assert_fails(join(times, &about, &p, "soon"), NZ_E_ARG, "--shift");
    nz_assert_fails(join(times, &about, &p, "1e12"), NZ_E_ARG, "--shift");
    assert_null(about);
    json_decref(times);
}

static void gaps_and_ends_are_counted(void **state) {
    (void)state;
    plan p = usual;
    p.gap_from_s = p.quiet_s + 0.25; /* within the first block of A: 0.4 s of 1 s */
    p.gap_s = 0.4;
    json_t *about = joined(&p, NULL, 1e-9);
    assert_int_equal(json_integer_value(json_object_get(about, "left_out")), 1);
    json_decref(about);
    p.gap_s = 0.06; /* one sample: the line through it is right, and it is counted */
    about = joined(&p, NULL, 1e-9);
    assert_int_equal(json_integer_value(json_object_get(about, "left_out")), 0);
    assert_int_equal(json_integer_value(json_object_get(about, "gaps")), 1);
    json_decref(about);
    p = usual;
    p.lead_s = -2.5; /* the log misses the first block of A, and at its end the last ones */
    json_t *times = times_json(&p);
    about = NULL;
    nz_assert_ok(join(times, &about, &p, NULL));
    assert_int_equal(json_integer_value(json_object_get(about, "left_out")), 2);
    assert_true(json_is_null(json_object_get(
        json_array_get(json_object_get(
                           json_object_get(json_object_get(json_object_get(times, "models"), "A"), "timing"), "rounds"),
                       0),
        "joules")));
    nz_assert_near(nz_json_number_at(energy_of(times, "A"), "watts"), p.a_w, 1e-9, 0);
    json_decref(about);
    json_decref(times);
}

static void blocks_that_are_too_short_are_refused(void **state) {
    (void)state;
    plan p = usual;
    p.interval_s = 0.4;
    json_t *times = times_json(&p), *about = NULL;
    nz_assert_fails(join(times, &about, &p, NULL), NZ_E_ARG, "a sample every 0.4 s is too slow for blocks of 1 s");
    assert_non_null(strstr(nz_last_error(), "--block 4"));
    json_decref(times);
}

static void broken_times_are_refused(void **state) {
    (void)state;
    static const double wrong[][2] = {{1e300, 1}, {BEGUN, -1}, {BEGUN, 1e12}, {BEGUN, 1e-12}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *times = json_pack("{s:{s:{s:{s:[{s:f,s:f,s:i}]}}}}", "models", "A", "timing", "rounds", "unix_s",
                                  wrong[i][0], "seconds", wrong[i][1], "runs", 1);
        json_t *about = NULL;
        nz_assert_fails(join(times, &about, &usual, NULL), NZ_E_FORMAT, "A, round 0");
        json_decref(times);
    }
    json_t *times = json_pack("{s:{s:{s:{s:[i]}}}}", "models", "A", "timing", "rounds", 5), *about = NULL;
    nz_assert_fails(join(times, &about, &usual, NULL), NZ_E_FORMAT, "cannot have been measured");
    json_decref(times);
    times = json_pack("{}");
    nz_assert_fails(join(times, &about, &usual, NULL), NZ_E_ARG, "holds no block");
    json_decref(times);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_joules_come_back),
        cmocka_unit_test(a_stated_shift),
        cmocka_unit_test(the_shift_is_found),
        cmocka_unit_test(a_slow_meter_and_one_that_averages),
        cmocka_unit_test(times_without_a_date),
        cmocka_unit_test(a_wrong_shift_is_doubted),
        cmocka_unit_test(an_uncertain_shift_is_refused),
        cmocka_unit_test(gaps_and_ends_are_counted),
        cmocka_unit_test(blocks_that_are_too_short_are_refused),
        cmocka_unit_test(broken_times_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
