/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration statistics: exact extremes, order independence, and ranges checked against direct computation. */
#include "compress/observer.h"
#include "core/random.h"
#include "test.h"

enum { COUNT = 20000 };

static float *normal_values(double mean, double deviation, bool positive) {
    float *values = malloc(COUNT * sizeof *values);
    nz_random random;
    nz_random_init(&random, 7, 0);
    for (int i = 0; i < COUNT; i++) {
        float v = (float)(mean + deviation * (double)nz_random_normal(&random));
        values[i] = positive ? fabsf(v) : v;
    }
    return values;
}

static nz_observer observe(const float *values, size_t count, size_t channels) {
    nz_observer o;
    nz_assert_ok(nz_observer_init(&o, channels));
    nz_observer_add(&o, values, 1, count / channels);
    return o;
}

/* What an affine quantiser of 256 steps over [low, high] does to the values. */
static double squared_error(const float *values, size_t count, double low, double high) {
    double scale = (high - low) / 255, zero = nearbyint(-low / scale), error = 0;
    for (size_t i = 0; i < count; i++) {
        double q = fmin(fmax(nearbyint(values[i] / scale) + zero, 0), 255), off = (q - zero) * scale - values[i];
        error += off * off;
    }
    return error / (double)count;
}

static void minmax_covers_the_extremes_and_zero(void **state) {
    (void)state;
    const float values[] = {0.5f, 3.25f, 1.0f};
    nz_observer o = observe(values, 3, 1);
    double range[2];
    nz_assert_ok(nz_observer_range(range, &o, NZ_CALIB_MINMAX, 0, 256));
    assert_true(range[0] == 0 && range[1] == 3.25);
    nz_observer_done(&o);
}

static void an_observer_of_nothing_yields_an_empty_range(void **state) {
    (void)state;
    nz_observer o;
    nz_assert_ok(nz_observer_init(&o, 1));
    for (int how = NZ_CALIB_MINMAX; how <= NZ_CALIB_MSE; how++) {
        double range[2] = {1, 2};
        nz_assert_ok(nz_observer_range(range, &o, (nz_calibration)how, 99.9, 256));
        assert_true(range[0] == 0 && range[1] == 0);
    }
    nz_observer_done(&o);
}

static void samples_in_any_order_give_the_same_histogram(void **state) {
    (void)state;
    float *values = normal_values(0.3, 2, false);
    values[COUNT / 2] = 1e4f; /* forces the bins to widen half-way */
    values[COUNT - 1] = -1e-20f;
    nz_observer forward, backward;
    nz_assert_ok(nz_observer_init(&forward, 1));
    nz_assert_ok(nz_observer_init(&backward, 1));
    for (int i = 0; i < COUNT; i++) {
        nz_observer_add(&forward, &values[i], 1, 1);
        nz_observer_add(&backward, &values[COUNT - 1 - i], 1, 1);
    }
    assert_int_equal(forward.exponent, backward.exponent);
    assert_memory_equal(forward.bins, backward.bins, 2 * NZ_OBSERVER_BINS * sizeof *forward.bins);
    uint64_t total = 0;
    for (int i = 0; i < 2 * NZ_OBSERVER_BINS; i++) total += forward.bins[i];
    assert_int_equal(total, COUNT);
    nz_observer_done(&forward);
    nz_observer_done(&backward);
    free(values);
}

static void every_value_lies_in_its_bin(void **state) {
    (void)state;
    const float values[] = {-3.0f, -2.999f, -0.001f, 0.0f, 0.001f, 2.0f, 3.0f};
    nz_observer o = observe(values, 7, 1);
    double width = ldexp(1, o.exponent);
    for (int i = 0; i < 2 * NZ_OBSERVER_BINS; i++) {
        double low = (i - NZ_OBSERVER_BINS) * width;
        uint64_t inside = 0;
        for (int k = 0; k < 7; k++) inside += values[k] >= low && values[k] < low + width;
        assert_int_equal(o.bins[i], inside);
    }
    nz_observer_done(&o);
}

static void percentile_cuts_the_stated_share(void **state) {
    (void)state;
    float *values = normal_values(0, 1, false);
    nz_observer o = observe(values, COUNT, 1);
    double range[2];
    nz_assert_ok(nz_observer_range(range, &o, NZ_CALIB_PERCENTILE, 99, 256));
    size_t below = 0, above = 0;
    for (int i = 0; i < COUNT; i++) below += values[i]<range[0], above += values[i]> range[1];
    assert_true(below <= COUNT / 100 && below > COUNT / 100 - COUNT / 200);
    assert_true(above <= COUNT / 100 && above > COUNT / 100 - COUNT / 200);
    nz_observer_done(&o);
    free(values);
}

static void mse_beats_minmax_where_outliers_are_rare(void **state) {
    (void)state;
    float *values = normal_values(0, 1, false);
    values[0] = 60;
    nz_observer o = observe(values, COUNT, 1);
    double full[2], range[2];
    nz_assert_ok(nz_observer_range(full, &o, NZ_CALIB_MINMAX, 0, 256));
    nz_assert_ok(nz_observer_range(range, &o, NZ_CALIB_MSE, 0, 256));
    assert_true(squared_error(values, COUNT, range[0], range[1]) <= squared_error(values, COUNT, full[0], full[1]));
    nz_observer_done(&o);
    free(values);
}

static void mse_keeps_the_whole_range_of_a_uniform_tensor(void **state) {
    (void)state;
    float values[4096];
    for (int i = 0; i < 4096; i++) values[i] = (float)i / 4096;
    nz_observer o = observe(values, 4096, 1);
    double range[2];
    nz_assert_ok(nz_observer_range(range, &o, NZ_CALIB_MSE, 0, 256));
    assert_true(range[1] > 0.98);
    nz_observer_done(&o);
}

static void entropy_ignores_a_far_outlier_and_keeps_the_bulk(void **state) {
    (void)state;
    float *values = normal_values(0, 1, true);
    values[0] = 30;
    nz_observer o = observe(values, COUNT, 1);
    double range[2];
    nz_assert_ok(nz_observer_range(range, &o, NZ_CALIB_ENTROPY, 0, 256));
    assert_true(range[0] == 0 && range[1] > 2.5 && range[1] < 20);
    nz_observer_done(&o);
    free(values);
}

static void channel_means_are_means(void **state) {
    (void)state;
    const float values[] = {1, 2, 3, 10, 20, 30, 5, 6, 7, 50, 60, 70}; /* 2 samples, 2 channels, 3 values */
    nz_observer o;
    nz_assert_ok(nz_observer_init(&o, 2));
    nz_observer_add(&o, values, 2, 3);
    nz_assert_near(nz_observer_channel_mean(&o, 0), 4, 1e-12, 0);
    nz_assert_near(nz_observer_channel_mean(&o, 1), 40, 1e-12, 0);
    nz_observer_done(&o);
}

static void values_that_are_no_numbers_are_counted_apart(void **state) {
    (void)state;
    const float values[] = {1, NAN, INFINITY, -INFINITY, -2};
    nz_observer o = observe(values, 5, 1);
    assert_int_equal(o.non_finite, 3);
    assert_int_equal(o.count, 2);
    assert_true(o.min == -2 && o.max == 1);
    nz_observer_done(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minmax_covers_the_extremes_and_zero),
        cmocka_unit_test(an_observer_of_nothing_yields_an_empty_range),
        cmocka_unit_test(samples_in_any_order_give_the_same_histogram),
        cmocka_unit_test(every_value_lies_in_its_bin),
        cmocka_unit_test(percentile_cuts_the_stated_share),
        cmocka_unit_test(mse_beats_minmax_where_outliers_are_rare),
        cmocka_unit_test(mse_keeps_the_whole_range_of_a_uniform_tensor),
        cmocka_unit_test(entropy_ignores_a_far_outlier_and_keeps_the_bulk),
        cmocka_unit_test(channel_means_are_means),
        cmocka_unit_test(values_that_are_no_numbers_are_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
