/* SPDX-License-Identifier: Apache-2.0 */
#include "core/random.h"
#include "netzip/metric.h"
#include "test.h"

static nz_value_report value_of(const char *id, const nz_metric_input *input) {
    const nz_metric *metric = nz_metric_find(id);
    assert_non_null(metric);
    return nz_metric_value(metric, input);
}

#define assert_value(report, expected)                                                                                 \
    do {                                                                                                               \
        nz_value_report nz_r_ = (report);                                                                              \
        if (nz_r_.source == NZ_UNAVAILABLE) fail_msg("unavailable: %s", nz_r_.reason);                                 \
        nz_assert_near(nz_r_.value, expected, 1e-10, 1e-12);                                                           \
    } while (0)

#define assert_unavailable(report, part)                                                                               \
    do {                                                                                                               \
        nz_value_report nz_r_ = (report);                                                                              \
        assert_int_equal(nz_r_.source, NZ_UNAVAILABLE);                                                                \
        if (!strstr(nz_r_.reason, part)) fail_msg("'%s' lacks '%s'", nz_r_.reason, part);                              \
    } while (0)

/* Random scores with many ties and some NaN, as int8 outputs and broken kernels give them. */
static void fill(nz_random *random, float *scores, int32_t *labels, size_t n, size_t classes, size_t levels,
                 bool nans) {
    for (size_t i = 0; i < n * classes; i++) {
        scores[i] = (float)nz_random_below(random, levels) / (float)levels;
        if (nans && nz_random_below(random, 9) == 0) scores[i] = NAN;
    }
    for (size_t i = 0; i < n; i++) labels[i] = (int32_t)nz_random_below(random, classes);
}

/* Ranks by sorting class indices: a stable order by falling score, NaN last and never a hit. */
static size_t hits_by_sorting(const float *scores, const int32_t *labels, size_t n, size_t classes, size_t k) {
    size_t hits = 0, order[64];
    for (size_t i = 0; i < n; i++) {
        const float *row = scores + i * classes;
        for (size_t c = 0; c < classes; c++) {
            size_t at = c;
            for (; at > 0 && (isnan(row[order[at - 1]]) || row[c] > row[order[at - 1]]) && !isnan(row[c]); at--)
                order[at] = order[at - 1];
            order[at] = c;
        }
        for (size_t r = 0; r < k; r++) hits += order[r] == (size_t)labels[i] && !isnan(row[labels[i]]);
    }
    return hits;
}

static void topk_agrees_with_sorting(void **state) {
    (void)state;
    enum { N = 60, MOST = 17 };
    float scores[N * MOST];
    int32_t labels[N];
    nz_random random;
    nz_random_init(&random, 1, 0);
    for (int round = 0; round < 100; round++) {
        size_t classes = 1 + nz_random_below(&random, MOST), hits;
        fill(&random, scores, labels, N, classes, 2 + nz_random_below(&random, 30), round % 2);
        nz_shape shape = {2, {N, (int64_t)classes}};
        nz_tensor tensor = nz_tensor_borrow(NZ_F32, &shape, scores);
        for (size_t k = 1; k <= classes; k++) {
            nz_assert_ok(nz_topk_hits(&hits, &tensor, labels, (int)k));
            assert_int_equal(hits, hits_by_sorting(scores, labels, N, classes, k));
        }
    }
}

static void equal_scores_rank_by_index_and_are_counted(void **state) {
    (void)state;
    static const float scores[] = {0, 1, 1, 0, 1, 1, 2, 1, 1, 1, 1, 1};
    static const int32_t labels[] = {1, 2, 0, 2};
    nz_predictions p = {.count = 4, .classes = 3, .scores = scores, .labels = labels};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    nz_value_report top1 = value_of("top1", &input);
    assert_value(top1, 50); /* sample 0 by its index, sample 2 by its score */
    assert_true(top1.has_ties);
    assert_int_equal(top1.ties, 3); /* not sample 2, where nothing was equal to the highest */
    nz_value_report top2 = value_of("top2", &input);
    assert_value(top2, 75);
    assert_int_equal(top2.ties, 1); /* sample 3: three equal scores, two places */
    assert_int_equal(value_of("top3", &input).ties, 0);
}

static void a_nan_score_is_a_miss(void **state) {
    (void)state;
    static const float scores[] = {NAN, 1, NAN, 1, NAN, NAN};
    static const int32_t labels[] = {0, 1, 0};
    nz_predictions p = {.count = 3, .classes = 2, .scores = scores, .labels = labels};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    assert_value(value_of("top1", &input), 100.0 / 3);
    assert_value(value_of("top2", &input), 100.0 / 3);
    assert_int_equal(nz_top1_class(scores + 4, 2), -1);
    assert_int_equal(nz_top1_class(scores, 2), 1);
}

static void topk_refuses_what_makes_no_sense(void **state) {
    (void)state;
    float scores[6] = {0};
    int32_t labels[2] = {0, 3};
    size_t hits = 77;
    nz_shape shape = {2, {2, 3}}, flat = {1, {6}};
    nz_tensor tensor = nz_tensor_borrow(NZ_F32, &shape, scores), wrong = nz_tensor_borrow(NZ_F32, &flat, scores);
    nz_tensor ints = nz_tensor_borrow(NZ_I32, &shape, scores);
    nz_assert_fails(nz_topk_hits(&hits, &tensor, labels, 1), NZ_E_ARG, "label 3 of sample 1");
    labels[1] = -1;
    nz_assert_fails(nz_topk_hits(&hits, &tensor, labels, 1), NZ_E_ARG, "label -1 of sample 1");
    labels[1] = 2;
    nz_assert_fails(nz_topk_hits(&hits, &tensor, labels, 0), NZ_E_ARG, "k is 0");
    nz_assert_fails(nz_topk_hits(&hits, &tensor, labels, 4), NZ_E_ARG, "k is 4, with 3 classes");
    nz_assert_fails(nz_topk_hits(&hits, &wrong, labels, 1), NZ_E_SHAPE, "6");
    nz_assert_fails(nz_topk_hits(&hits, &ints, labels, 1), NZ_E_SHAPE, "int32");
    assert_int_equal(hits, 77);
}

static void accuracies_carry_samples_and_wilsons_interval(void **state) {
    (void)state;
    static float scores[10000 * 2];
    static int32_t labels[10000];
    for (int i = 0; i < 10000; i++) scores[2 * i + (i >= 8103)] = 1;
    nz_predictions p = {.count = 10000, .classes = 2, .scores = scores, .labels = labels};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    nz_value_report r = value_of("TOP1accuracy", &input);
    assert_value(r, 81.03);
    assert_int_equal(r.source, NZ_MEASURED);
    assert_int_equal(r.n, 10000);
    double ci[2];
    nz_wilson(ci, 8103, 10000);
    assert_true(r.has_ci);
    nz_assert_near(r.ci95[0], 100 * ci[0], 1e-12, 0);
    nz_assert_near(r.ci95[1], 100 * ci[1], 1e-12, 0);
    assert_unavailable(value_of("top5", &input), "at least 5 classes");
}

static void what_was_not_gathered_is_unavailable_with_its_reason(void **state) {
    (void)state;
    nz_metric_input input = nz_metric_input_none();
    assert_unavailable(value_of("top1", &input), "not measured");
    input.reason_accuracy = "the data has no images";
    assert_unavailable(value_of("f1", &input), "the data has no images");
    float scores[] = {1, 0};
    int32_t labels[] = {2};
    nz_predictions p = {.count = 1, .classes = 2, .scores = scores};
    input.predictions = &p;
    assert_unavailable(value_of("top1", &input), "no labels");
    assert_value(value_of("agreement", &input), 100); /* needs none */
    p.labels = labels;
    assert_unavailable(value_of("top1", &input), "label 2 of sample 0");
    assert_unavailable(value_of("ece", &input), "label 2 of sample 0");
    p.count = 0;
    assert_unavailable(value_of("top1", &input), "no samples");
    assert_unavailable(value_of("kl", &input), "no samples");
    assert_unavailable(value_of("map50", &input), "the model is a classifier");
}

/* Three classes by hand. Guesses: 0 0 1 1 2 0; labels: 0 1 1 1 2 2; class 3 occurs nowhere. */
static void precision_recall_and_f1_by_hand(void **state) {
    (void)state;
    static const float scores[] = {1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0};
    static const int32_t labels[] = {0, 1, 1, 1, 2, 2};
    nz_predictions p = {.count = 6, .classes = 4, .scores = scores, .labels = labels};
    nz_class_counts c[4];
    nz_assert_ok(nz_class_counts_get(c, &p));
    assert_int_equal(c[0].tp, 1);
    assert_int_equal(c[0].fp, 2);
    assert_int_equal(c[0].fn, 0);
    assert_int_equal(c[1].tp, 2);
    assert_int_equal(c[1].fn, 1);
    assert_int_equal(c[2].fn, 1);
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    assert_value(value_of("precision", &input), 100 * (1.0 / 3 + 1 + 1) / 3);
    assert_value(value_of("recall", &input), 100 * (1 + 2.0 / 3 + 0.5) / 3);
    assert_value(value_of("f1", &input), 100 * (0.5 + 0.8 + 2.0 / 3) / 3);
    assert_value(value_of("precision_micro", &input), 100 * 4.0 / 6);
    assert_value(value_of("recall_micro", &input), 100 * 4.0 / 6);
    assert_value(value_of("F1Score", &input), 100 * (0.5 + 0.8 + 2.0 / 3) / 3);
    nz_value_report r = value_of("f1", &input);
    assert_true(r.has_ci && r.ci95[0] <= r.value && r.value <= r.ci95[1]);
    assert_int_equal(r.n, 6);
    assert_value(nz_class_precision(&c[0]), 100.0 / 3);
    assert_value(nz_class_recall(&c[2]), 50);
    assert_value(nz_class_f1(&c[1]), 80);
    assert_unavailable(nz_class_precision(&c[3]), "never predicted");
    assert_unavailable(nz_class_recall(&c[3]), "no samples");
    assert_unavailable(nz_class_f1(&c[3]), "no samples");
}

/* A class that is never predicted has no precision of its own and counts as 0 in the mean, as in scikit-learn. */
static void a_class_never_predicted_counts_as_0_in_the_mean(void **state) {
    (void)state;
    static const float scores[] = {1, 0, 1, 0};
    static const int32_t labels[] = {0, 1};
    nz_predictions p = {.count = 2, .classes = 2, .scores = scores, .labels = labels};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    assert_value(value_of("precision", &input), 25);
    assert_value(value_of("recall", &input), 50);
    assert_value(value_of("f1", &input), 100.0 / 3);
}

/* Per class counts against a confusion matrix, and micro averages against accuracy. */
static void class_counts_agree_with_a_confusion_matrix(void **state) {
    (void)state;
    enum { N = 200, C = 7 };
    static float scores[N * C];
    int32_t labels[N];
    nz_random random;
    nz_random_init(&random, 2, 0);
    for (int round = 0; round < 30; round++) {
        uint64_t confusion[C][C] = {{0}}, right = 0;
        nz_class_counts counts[C];
        fill(&random, scores, labels, N, C, 5, false);
        nz_predictions p = {.count = N, .classes = C, .scores = scores, .labels = labels};
        for (size_t i = 0; i < N; i++) {
            size_t guess = 0;
            for (size_t c = 1; c < C; c++)
                if (scores[i * C + c] > scores[i * C + guess]) guess = c;
            confusion[labels[i]][guess]++;
            right += guess == (size_t)labels[i];
        }
        nz_assert_ok(nz_class_counts_get(counts, &p));
        for (size_t c = 0; c < C; c++) {
            uint64_t row = 0, column = 0;
            for (size_t o = 0; o < C; o++) {
                row += confusion[c][o];
                column += confusion[o][c];
            }
            assert_int_equal(counts[c].tp, confusion[c][c]);
            assert_int_equal(counts[c].fn, row - confusion[c][c]);
            assert_int_equal(counts[c].fp, column - confusion[c][c]);
        }
        nz_metric_input input = nz_metric_input_none();
        input.predictions = &p;
        assert_value(value_of("f1_micro", &input), 100.0 * (double)right / N);
        assert_value(value_of("top1", &input), 100.0 * (double)right / N);
    }
}

/* ---- Equivalence ---- */

static void agreement_and_flips_by_hand(void **state) {
    (void)state;
    static const float before[] = {1, 0, 1, 0, 0, 1, NAN, NAN}, after[] = {1, 0, 0, 1, 1, 0, NAN, NAN};
    static const int32_t labels[] = {0, 0, 0, 0};
    nz_predictions base = {.count = 4, .classes = 2, .scores = before, .labels = labels};
    nz_predictions own = {.count = 4, .classes = 2, .scores = after, .labels = labels};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &own;
    input.baseline = &base;
    assert_value(value_of("agreement", &input), 25);      /* two models without a prediction do not agree */
    assert_value(value_of("negative_flips", &input), 25); /* sample 1; sample 2 flipped to right */
    input.baseline = &own;
    input.predictions = &base;
    assert_value(value_of("negative_flips", &input), 25); /* sample 2 */
}

static void the_baseline_agrees_with_itself(void **state) {
    (void)state;
    static const float scores[] = {1, 0, 0.5f, 0.25f};
    static const int32_t labels[] = {0, 1};
    nz_predictions p = {.count = 2, .classes = 2, .scores = scores, .labels = labels};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    assert_value(value_of("agreement", &input), 100);
    assert_value(value_of("negative_flips", &input), 0);
    assert_value(value_of("kl", &input), 0);
    assert_value(value_of("max_abs_diff", &input), 0);
    nz_value_report sqnr = value_of("sqnr_db", &input);
    assert_int_equal(sqnr.source, NZ_UNAVAILABLE);
    assert_string_equal(sqnr.reason, "identical");
    input.reason_baseline = "the baseline failed";
    assert_unavailable(value_of("agreement", &input), "the baseline failed");
    assert_unavailable(value_of("kl", &input), "the baseline failed");
}

/* KL, largest difference and SQNR in long double with a softmax written out. */
static void equivalence_agrees_with_long_double(void **state) {
    (void)state;
    enum { N = 50, C = 11 };
    float before[N * C], after[N * C];
    int32_t labels[N] = {0};
    nz_random random;
    nz_random_init(&random, 4, 0);
    long double kl = 0, most = 0, signal = 0, noise = 0;
    for (size_t i = 0; i < N; i++) {
        long double p[C], q[C], sp = 0, sq = 0;
        for (size_t c = 0; c < C; c++) {
            before[i * C + c] = 4 * nz_random_normal(&random);
            after[i * C + c] = before[i * C + c] + 0.3f * nz_random_normal(&random);
            long double d = (long double)after[i * C + c] - (long double)before[i * C + c];
            if (fabsl(d) > most) most = fabsl(d);
            signal += (long double)before[i * C + c] * (long double)before[i * C + c];
            noise += d * d;
            sp += p[c] = expl((long double)before[i * C + c]);
            sq += q[c] = expl((long double)after[i * C + c]);
        }
        for (size_t c = 0; c < C; c++) kl += p[c] / sp * logl(p[c] / sp / (q[c] / sq)) / N;
    }
    nz_predictions base = {.count = N, .classes = C, .scores = before, .labels = labels};
    nz_predictions own = {.count = N, .classes = C, .scores = after, .labels = labels};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &own;
    input.baseline = &base;
    assert_value(value_of("kl", &input), (double)kl);
    assert_value(value_of("max_abs_diff", &input), (double)most);
    assert_value(value_of("sqnr_db", &input), (double)(10 * log10l(signal / noise)));
    nz_value_report r = value_of("kl", &input);
    assert_true(r.has_ci && r.ci95[0] < r.value && r.value < r.ci95[1] && r.n == N);
}

static void probabilities_are_used_as_they_are(void **state) {
    (void)state;
    static const float p[] = {0.5f, 0.25f, 0.25f}, q[] = {0.25f, 0.5f, 0.25f}, none[] = {0, 0.5f, 0.5f},
                       huge[] = {1e4f, 0, -1e4f};
    nz_predictions base = {.count = 1, .classes = 3, .scores = p, .probabilities = true};
    nz_predictions own = {.count = 1, .classes = 3, .scores = q, .probabilities = true};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &own;
    input.baseline = &base;
    assert_value(value_of("kl", &input), 0.25 * log(2)); /* 1/2 log 2 + 1/4 log 1/2 */
    own.scores = none;
    assert_unavailable(value_of("kl", &input), "infinite: in 1 of 1 samples");
    base.scores = none;
    own.scores = q;
    assert_value(value_of("kl", &input), 0.5 * log(1) + 0.5 * log(2)); /* a 0 of the baseline adds nothing */
    base.scores = own.scores = huge;
    base.probabilities = own.probabilities = false;
    assert_value(value_of("kl", &input), 0); /* a softmax that cannot overflow */
}

static void outputs_that_are_no_numbers_have_no_distance(void **state) {
    (void)state;
    static const float a[] = {1, NAN}, b[] = {1, 2}, inf[] = {INFINITY, 1};
    nz_predictions base = {.count = 1, .classes = 2, .scores = b}, own = {.count = 1, .classes = 2, .scores = a};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &own;
    input.baseline = &base;
    assert_unavailable(value_of("kl", &input), "not numbers");
    assert_unavailable(value_of("max_abs_diff", &input), "not numbers");
    assert_unavailable(value_of("sqnr_db", &input), "not finite");
    own.scores = inf;
    assert_unavailable(value_of("max_abs_diff", &input), "infinite");
    base.classes = 1;
    assert_unavailable(value_of("kl", &input), "1 x 1");
}

/* ---- Calibration ---- */

static void calibration_error_by_hand(void **state) {
    (void)state;
    /* Confidences 0.6 (right), 0.62 (wrong) in the bin (0.6, 0.667] or below: 0.6 closes (0.533, 0.6]; 0.9, 0.9 right. */
    static const float scores[] = {0.6f, 0.4f, 0.62f, 0.38f, 0.9f, 0.1f, 0.1f, 0.9f};
    static const int32_t labels[] = {0, 1, 0, 1};
    nz_predictions p = {.count = 4, .classes = 2, .scores = scores, .labels = labels, .probabilities = true};
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    double a = (double)0.6f, b = (double)0.62f, c = (double)0.9f; /* 0.6f is a hair above 0.6: the same bin as 0.62 */
    double expected = (fabs(1 - (a + b)) + fabs(2 - 2 * c)) / 4;
    assert_value(value_of("ece", &input), expected);
}

/* Bin by bin, each sample looked at once per bin. */
static void calibration_error_agrees_with_fifteen_passes(void **state) {
    (void)state;
    enum { N = 300, C = 20 }; /* so many that the lowest bins are used */
    static float scores[N * C];
    int32_t labels[N];
    nz_random random;
    nz_random_init(&random, 6, 0);
    fill(&random, scores, labels, N, C, 1000, false);
    for (size_t i = 0; i < N * C; i++) scores[i] *= (float)(i / C % 7);
    nz_predictions p = {.count = N, .classes = C, .scores = scores, .labels = labels};
    double error = 0;
    for (int bin = 0; bin < 15; bin++) {
        double confidence = 0, right = 0, count = 0;
        for (size_t i = 0; i < N; i++) {
            double sum = 0;
            size_t best = 0;
            for (size_t c = 0; c < C; c++) {
                sum += exp((double)scores[i * C + c]);
                if (scores[i * C + c] > scores[i * C + best]) best = c;
            }
            double own = exp((double)scores[i * C + best]) / sum;
            if (own <= bin / 15.0 || own > (bin + 1) / 15.0) continue;
            confidence += own;
            right += best == (size_t)labels[i];
            count++;
        }
        if (count > 0) error += count / N * fabs(right / count - confidence / count);
    }
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &p;
    assert_value(value_of("ece", &input), error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topk_agrees_with_sorting),
        cmocka_unit_test(equal_scores_rank_by_index_and_are_counted),
        cmocka_unit_test(a_nan_score_is_a_miss),
        cmocka_unit_test(topk_refuses_what_makes_no_sense),
        cmocka_unit_test(accuracies_carry_samples_and_wilsons_interval),
        cmocka_unit_test(what_was_not_gathered_is_unavailable_with_its_reason),
        cmocka_unit_test(precision_recall_and_f1_by_hand),
        cmocka_unit_test(a_class_never_predicted_counts_as_0_in_the_mean),
        cmocka_unit_test(class_counts_agree_with_a_confusion_matrix),
        cmocka_unit_test(agreement_and_flips_by_hand),
        cmocka_unit_test(the_baseline_agrees_with_itself),
        cmocka_unit_test(equivalence_agrees_with_long_double),
        cmocka_unit_test(probabilities_are_used_as_they_are),
        cmocka_unit_test(outputs_that_are_no_numbers_have_no_distance),
        cmocka_unit_test(calibration_error_by_hand),
        cmocka_unit_test(calibration_error_agrees_with_fifteen_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
