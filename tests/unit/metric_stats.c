/* SPDX-License-Identifier: Apache-2.0 */
#include "core/random.h"
#include "netzip/metric.h"
#include "test.h"

/* Expected values: Wilson 1927's formula evaluated with 50 digits (hits, n, low, high). */
static void wilsons_interval_has_its_published_values(void **state) {
    (void)state;
    static const struct {
        uint64_t hits, n;
        double low, high;
    } cases[] = {
        {0, 10, 0.0, 0.2775327998628893},
        {10, 10, 0.7224672001371107, 1.0},
        {1, 10, 0.0178762130950729, 0.4041500267952385},
        {50, 100, 0.4038315303659956, 0.5961684696340044},
        {8103, 10000, 0.8024970904401808, 0.8178646001709773},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double ci[2];
        nz_wilson(ci, cases[i].hits, cases[i].n);
        nz_assert_near(ci[0], cases[i].low, 1e-12, 1e-14);
        nz_assert_near(ci[1], cases[i].high, 1e-12, 1e-14);
    }
    double ci[2];
    nz_wilson(ci, 0, 0);
    nz_assert_near(ci[0], 0, 0, 0);
    nz_assert_near(ci[1], 1, 0, 0);
}

/* The interval's ends are the proportions from which the observed one is 1.96 standard errors away. */
static void wilsons_ends_solve_the_score_equation(void **state) {
    (void)state;
    nz_random random;
    nz_random_init(&random, 1, 0);
    for (int i = 0; i < 500; i++) {
        uint64_t n = 2 + nz_random_below(&random, 100000), hits = 1 + nz_random_below(&random, n - 1);
        double ci[2], p = (double)hits / (double)n;
        nz_wilson(ci, hits, n);
        assert_true(ci[0] > 0 && ci[0] < p && p < ci[1] && ci[1] < 1);
        for (int e = 0; e < 2; e++)
            nz_assert_near(fabs(p - ci[e]) / sqrt(ci[e] * (1 - ci[e]) / (double)n), 1.959963984540054, 1e-9, 0);
    }
}

/* McNemar by adding up Pascal's triangle. */
static void mcnemars_test_agrees_with_counting_all_outcomes(void **state) {
    (void)state;
    for (uint64_t b = 0; b <= 25; b++)
        for (uint64_t c = 0; c <= 25; c++) {
            long double row[64] = {1}, all = 1, tail = 0;
            uint64_t n = b + c, fewer = b < c ? b : c;
            for (uint64_t k = 1; k <= n; k++) {
                for (uint64_t i = k; i > 0; i--) row[i] += row[i - 1];
                all *= 2;
            }
            for (uint64_t i = 0; i <= fewer; i++) tail += row[i];
            double exact = (double)fminl(1, 2 * tail / all), mid = (double)fminl(1, (2 * tail - row[fewer]) / all);
            nz_paired p;
            nz_paired_counts(&p, 100, b, c);
            nz_assert_near(p.p_exact, n ? exact : 1, 1e-9, 1e-15);
            nz_assert_near(p.p_mid, n ? mid : 1, 1e-9, 1e-15);
        }
}

static void a_paired_difference_is_second_minus_first(void **state) {
    (void)state;
    nz_paired p, q;
    nz_paired_counts(&p, 1000, 37, 65);
    assert_int_equal(p.n, 1000);
    nz_assert_near(p.difference_pct, 2.8, 1e-12, 0);
    /* Bonett and Price by hand: (66 - 38) / 1002 +- 1.96 sqrt((104/1002 - (28/1002)^2) / 1002) */
    nz_assert_near(p.ci95_pct[0], 0.8071398, 1e-6, 0);
    nz_assert_near(p.ci95_pct[1], 4.7816825, 1e-6, 0);
    nz_paired_counts(&q, 1000, 65, 37);
    nz_assert_near(q.difference_pct, -p.difference_pct, 1e-12, 0);
    nz_assert_near(q.ci95_pct[0], -p.ci95_pct[1], 1e-12, 0);
    nz_assert_near(q.p_mid, p.p_mid, 1e-12, 0);
    nz_paired_counts(&q, 0, 0, 0);
    nz_assert_near(q.p_exact, 1, 0, 0);
    nz_paired_counts(&q, 10, 10, 0);
    nz_assert_near(q.difference_pct, -100, 0, 0);
    assert_true(q.ci95_pct[0] >= -100);
}

static void many_discordant_samples_do_not_underflow(void **state) {
    (void)state;
    nz_paired p;
    nz_paired_counts(&p, 10000000, 2000000, 2000000);
    nz_assert_near(p.p_exact, 1, 1e-6, 0);
    nz_paired_counts(&p, 10000000, 2000000, 2004000); /* 2 standard deviations: 2 (1 - Phi(2)) = 0.0455 */
    nz_assert_near(p.p_mid, 0.0455, 0.01, 0);
    nz_paired_counts(&p, 10000000, 0, 5000000);
    assert_true(p.p_exact >= 0 && p.p_exact < 1e-300);
}

static void paired_scores_count_what_one_model_alone_has_right(void **state) {
    (void)state;
    static const float a[] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0}, b[] = {1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0};
    static const int32_t labels[] = {0, 1, 2, 1}, others[] = {0, 1, 2, 2}, outside[] = {0, 1, 2, 3};
    nz_predictions first = {.count = 4, .classes = 3, .scores = a, .labels = labels};
    nz_predictions second = {.count = 4, .classes = 3, .scores = b, .labels = labels};
    nz_paired p;
    nz_assert_ok(nz_paired_topk(&p, &first, &second, 1));
    assert_int_equal(p.only_first, 1);  /* sample 1 */
    assert_int_equal(p.only_second, 1); /* sample 3 */
    nz_assert_ok(nz_paired_topk(&p, &first, &second, 3));
    assert_int_equal(p.only_first + p.only_second, 0);
    nz_assert_fails(nz_paired_topk(&p, &first, &second, 4), NZ_E_ARG, "k is 4");
    second.labels = others;
    nz_assert_fails(nz_paired_topk(&p, &first, &second, 1), NZ_E_ARG, "sample 3 is labelled 1 and 2");
    first.labels = second.labels = outside;
    nz_assert_fails(nz_paired_topk(&p, &first, &second, 1), NZ_E_ARG, "label 3 of sample 3");
    second.count = 3;
    nz_assert_fails(nz_paired_topk(&p, &first, &second, 1), NZ_E_ARG, "4 samples against 3");
    second.count = 4;
    second.labels = NULL;
    nz_assert_fails(nz_paired_topk(&p, &first, &second, 1), NZ_E_ARG, "no labels");
}

static void an_order_statistic_interval_needs_enough_samples(void **state) {
    (void)state;
    size_t low = 99, high = 99;
    assert_int_equal(nz_quantile_least(0.5), 6);
    assert_int_equal(nz_quantile_least(0.9), 36);
    assert_int_equal(nz_quantile_least(0.1), 36);
    assert_int_equal(nz_quantile_least(0.99), 368);
    assert_false(nz_quantile_ranks(&low, &high, 5, 0.5));
    assert_false(nz_quantile_ranks(&low, &high, 367, 0.99));
    assert_int_equal(low, 99);
    assert_true(nz_quantile_ranks(&low, &high, 6, 0.5));
    assert_int_equal(low, 0);
    assert_int_equal(high, 5);
    assert_true(nz_quantile_ranks(&low, &high, 368, 0.99));
    assert_int_equal(high, 367);
    assert_true(nz_quantile_ranks(&low, &high, 100, 0.5)); /* tabulated: the 40th and the 61st of 100 */
    assert_int_equal(low, 39);
    assert_int_equal(high, 60);
}

/* Each tail is within 2.5%, and would not be with one rank further in. */
static void order_statistic_ranks_are_the_innermost(void **state) {
    (void)state;
    static const double quantiles[] = {0.5, 0.9, 0.99, 0.25};
    for (size_t s = 0; s < 4; s++)
        for (size_t n = 6; n < 700; n += 31) {
            size_t low, high;
            double q = quantiles[s];
            if (!nz_quantile_ranks(&low, &high, n, q)) continue;
            long double *p = calloc(n + 1, sizeof *p), below = 0, above = 0;
            assert_non_null(p);
            p[0] = powl(1 - (long double)q, (long double)n);
            for (size_t k = 1; k <= n; k++)
                p[k] = p[k - 1] * (long double)(n - k + 1) / (long double)k * (long double)q / (1 - (long double)q);
            for (size_t k = 0; k <= low; k++) below += p[k];
            for (size_t k = high + 1; k <= n; k++) above += p[k];
            assert_true(below <= 0.025L + 1e-12L && above <= 0.025L + 1e-12L);
            assert_true(low < high);
            assert_true(below + p[low + 1] > 0.025L && above + p[high] > 0.025L);
            free(p);
        }
}

static void quantiles_lie_between_order_statistics(void **state) {
    (void)state;
    static const double values[] = {1, 2, 4, 8, 16};
    nz_assert_near(nz_quantile(values, 5, 0.5), 4, 0, 0);
    nz_assert_near(nz_quantile(values, 4, 0.5), 3, 0, 0);
    nz_assert_near(nz_quantile(values, 5, 0.9), 12.8, 1e-12, 0);
    nz_assert_near(nz_quantile(values, 1, 0.99), 1, 0, 0);
    nz_assert_near(nz_quantile(values, 5, 1), 16, 0, 0);
    nz_assert_near(nz_quantile(values, 5, 0), 1, 0, 0);
}

static double mean_of(void *user, const size_t *indices, size_t n) {
    const double *values = user;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += values[indices[i]];
    return sum / (double)n;
}

static double never(void *user, const size_t *indices, size_t n) {
    (void)user, (void)indices, (void)n;
    return NAN;
}

static void the_bootstrap_of_a_mean_is_the_normal_interval(void **state) {
    (void)state;
    enum { N = 400 };
    double values[N], ci[2], again[2], mean = 0, squares = 0;
    nz_random random;
    nz_random_init(&random, 5, 0);
    for (int i = 0; i < N; i++) mean += (values[i] = nz_random_unit(&random)) / N;
    for (int i = 0; i < N; i++) squares += (values[i] - mean) * (values[i] - mean);
    double half = 1.96 * sqrt(squares / N / N);
    nz_assert_ok(nz_bootstrap(ci, N, mean_of, values, 4000, 11));
    nz_assert_near(ci[0], mean - half, 0, 0.15 * half);
    nz_assert_near(ci[1], mean + half, 0, 0.15 * half);
    nz_assert_ok(nz_bootstrap(again, N, mean_of, values, 4000, 11));
    assert_memory_equal(ci, again, sizeof ci);
    nz_assert_fails(nz_bootstrap(ci, 0, mean_of, values, 10, 0), NZ_E_ARG, "no samples");
    nz_assert_fails(nz_bootstrap(ci, N, never, values, 10, 0), NZ_E_ARG, "no resample");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilsons_interval_has_its_published_values),
        cmocka_unit_test(wilsons_ends_solve_the_score_equation),
        cmocka_unit_test(mcnemars_test_agrees_with_counting_all_outcomes),
        cmocka_unit_test(a_paired_difference_is_second_minus_first),
        cmocka_unit_test(many_discordant_samples_do_not_underflow),
        cmocka_unit_test(paired_scores_count_what_one_model_alone_has_right),
        cmocka_unit_test(an_order_statistic_interval_needs_enough_samples),
        cmocka_unit_test(order_statistic_ranks_are_the_innermost),
        cmocka_unit_test(quantiles_lie_between_order_statistics),
        cmocka_unit_test(the_bootstrap_of_a_mean_is_the_normal_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
