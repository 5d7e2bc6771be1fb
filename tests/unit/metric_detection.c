/* SPDX-License-Identifier: Apache-2.0 */
/* Confusion, matches of two detectors, the metrics that read them, and what is said about odd detections: by hand. */
#include <math.h>

#include "metric/evaluate_detections.h"
#include "netzip/detection.h"
#include "netzip/metric.h"
#include "test.h"

static nz_truth_box truth(int image, int class_index, double x) {
    return (nz_truth_box){.image = image, .class_index = class_index, .x = x, .width = 20, .height = 20, .area = 400};
}

static nz_found_box found(int image, int class_index, double x, double score) {
    return (nz_found_box){
        .image = image, .class_index = class_index, .x = x, .width = 20, .height = 20, .score = score};
}

#define SET(TRUTHS, FOUND)                                                                                             \
    {                                                                                                                  \
        .image_count = 2, .class_count = 2, .truth_count = NZ_COUNT(TRUTHS), .found_count = NZ_COUNT(FOUND),           \
        .truths = (TRUTHS), .found = (FOUND)                                                                           \
    }

static void confusion_counts_each_box_once(void **state) {
    (void)state;
    /* Found right; taken for class 1 by the better of two equal boxes; missed; and a crowd that is none of them. */
    nz_truth_box t[] = {truth(0, 0, 0), truth(0, 0, 100), truth(1, 1, 0), truth(1, 0, 100)};
    t[3].crowd = true;
    nz_found_box f[] = {found(0, 0, 1, .9), found(0, 1, 100, .8), found(0, 0, 100, .7), found(1, 1, 300, .6),
                        found(1, 1, 0, .2)};
    nz_detections d = SET(t, f);
    nz_confusion m;
    nz_assert_ok(nz_confusion_get(&m, &d, 0.25, 0.45));
    static const uint64_t expected[] = {1, 0, 1,  /* found as 0: of class 0, of class 1, nothing there */
                                        1, 0, 1,  /* found as 1 */
                                        0, 1, 0}; /* missed */
    assert_int_equal(m.class_count, 2);
    for (size_t i = 0; i < NZ_COUNT(expected); i++) assert_int_equal(m.counts[i], expected[i]);
    nz_confusion_done(&m);
    nz_assert_ok(nz_confusion_get(&m, &d, 0.1, 0.45)); /* the faint one counts now */
    assert_int_equal(m.counts[1 * 3 + 1], 1);
    assert_int_equal(m.counts[2 * 3 + 1], 0);
    nz_confusion_done(&m);
}

static void boxes_of_two_detectors_are_paired_by_overlap(void **state) {
    (void)state;
    nz_truth_box none[1] = {truth(0, 0, 0)};
    nz_found_box a[] = {found(0, 0, 0, .9), found(0, 1, 0, .8), found(1, 0, 0, .5), found(1, 0, 0, .2)};
    /* The same place as both classes, the other way round; moved by a quarter of its width; of another class. */
    nz_found_box b[] = {found(0, 1, 0, .7), found(0, 0, 0, .6), found(1, 1, 5, .4), found(1, 1, 200, .9)};
    nz_detections first = SET(none, a), second = SET(none, b);
    nz_detection_match m;
    nz_assert_ok(nz_detection_match_get(&m, &first, &second, 0.25, 0.5));
    assert_int_equal(m.first, 3);
    assert_int_equal(m.second, 4);
    assert_int_equal(m.matched, 3);
    assert_int_equal(m.same_class, 2);
    nz_assert_near(m.mean_iou, (1 + 1 + 15.0 / 25) / 3, 0, 1e-12);
    nz_assert_near(m.mean_score_difference, (.3 + .1 + .1) / 3, 0, 1e-12);
    nz_assert_ok(nz_detection_match_get(&m, &first, &second, 0.25, 0.7));
    assert_int_equal(m.matched, 2);
    nz_assert_ok(nz_detection_match_get(&m, &first, &second, 0.95, 0.5));
    assert_true(m.matched == 0 && isnan(m.mean_iou) && isnan(m.mean_score_difference));
    second.image_count = 3;
    nz_assert_fails(nz_detection_match_get(&m, &first, &second, 0.25, 0.5), NZ_E_ARG, "2 and 3 images");
}

/* Thousands of boxes in one place make millions of pairs: refused before they fill the memory. A detector beside itself needs
 * none of them. */
static void too_many_boxes_of_an_image_are_refused(void **state) {
    (void)state;
    enum { SAME = 3000, APART = 20000 };
    static nz_found_box a[APART], b[APART];
    static nz_truth_box t[APART];
    for (int i = 0; i < APART; i++) a[i] = b[i] = found(0, i % 2, 0, .5);
    nz_detections first = SET(t, a), second = SET(t, b);
    first.found_count = second.found_count = SAME;
    first.truth_count = second.truth_count = 0;
    nz_detection_match m;
    nz_confusion c;
    nz_assert_fails(nz_detection_match_get(&m, &first, &second, 0.25, 0.5), NZ_E_UNSUPPORTED, "pairs of boxes");
    a[7].width = 0; /* overlaps nothing, not even itself */
    nz_assert_ok(nz_detection_match_get(&m, &first, &first, 0.25, 0.5));
    assert_true(m.first == SAME && m.second == SAME && m.matched == SAME - 1 && m.same_class == SAME - 1);
    nz_assert_near(m.mean_iou, 1, 0, 0);
    nz_assert_near(m.mean_score_difference, 0, 0, 0);
    for (int i = 0; i < APART; i++) t[i] = truth(0, 0, 30.0 * i), a[i] = found(0, 0, -30.0 * i - 30, .5);
    first.found_count = first.truth_count = APART;
    nz_assert_fails(nz_confusion_get(&c, &first, 0.25, 0.45), NZ_E_UNSUPPORTED, "image 0: 20000 and 20000 boxes");
}

/* Itself, and a copy of itself: the short way and the long one. */
static void a_detector_agrees_with_itself(void **state) {
    (void)state;
    nz_truth_box none[1] = {truth(0, 0, 0)};
    nz_found_box a[] = {found(0, 0, 0, .9), found(0, 1, 0, .8),  found(0, 0, 0, .3), found(1, 0, 0, .5),
                        found(1, 1, 7, .5), found(1, 0, 90, .1), found(1, 0, 0, .5)};
    a[6].height = 0;
    nz_found_box b[NZ_COUNT(a)];
    memcpy(b, a, sizeof a);
    nz_detections first = SET(none, a), second = SET(none, b);
    nz_detection_match own, other;
    nz_assert_ok(nz_detection_match_get(&own, &first, &first, 0.25, 0.5));
    nz_assert_ok(nz_detection_match_get(&other, &first, &second, 0.25, 0.5));
    assert_true(own.first == 6 && own.second == 6 && own.matched == 5 && own.same_class == 5);
    assert_true(other.first == 6 && other.matched == 5 && other.same_class == 5);
    nz_assert_near(own.mean_iou, other.mean_iou, 0, 0);
    nz_assert_near(own.mean_score_difference, other.mean_score_difference, 0, 0);
}

static nz_value_report value_of(const char *id, const nz_metric_input *input) {
    const nz_metric *metric = nz_metric_find(id);
    assert_non_null(metric);
    return nz_metric_value(metric, input);
}

static void metrics_of_a_detector(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0), truth(1, 1, 0)};
    nz_found_box own[] = {found(0, 0, 0, .9), found(1, 0, 0, .6)}, base[] = {found(0, 0, 0, .9), found(1, 1, 0, .8)};
    nz_detections model = SET(t, own), baseline = SET(t, base);
    nz_detection_scores s;
    nz_metric_input input = nz_metric_input_none();
    nz_assert_ok(nz_detection_scores_get(&s, &model, &baseline, 0));
    input.detection = &s;
    /* Between the detections' own confidences, .6 and .9, precision goes from 1/2 to 1 in a straight line; the best of the
     * thousand confidences is the last one below .9. */
    const double precision = 1 - 0.5 * (0.9 - 899.0 / 999) / 0.3;
    const struct {
        const char *id;
        double value;
    } rows[] = {
        {"map50", 50},         {"map50_95", 50},
        {"map75", 50},         {"map_small", 50},
        {"ar100", 50},         {"precision", 50 * precision},
        {"recall", 50},        {"f1", 100 * precision / (1 + precision)},
        {"box_iou", 1},        {"box_agreement", 100},
        {"class_changes", 50},
    };
    for (size_t i = 0; i < NZ_COUNT(rows); i++) {
        nz_value_report r = value_of(rows[i].id, &input);
        assert_int_equal(r.source, NZ_MEASURED);
        nz_assert_near(r.value, rows[i].value, 0, 1e-9);
    }
    assert_true(value_of("map50", &input).has_ci && value_of("map50_95", &input).has_ci);
    nz_assert_near(s.interval.difference[NZ_MAP50], -0.5, 0, 1e-12);
    assert_int_equal(value_of("map50", &input).n, 2);
    nz_detection_scores_done(&s);
}

static void what_has_no_value_says_why(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0)};
    nz_found_box f[] = {found(0, 0, 0, .9)};
    nz_detections d = SET(t, f);
    nz_detection_scores s;
    nz_metric_input input = nz_metric_input_none();
    nz_assert_ok(nz_detection_scores_resampled(&s, &d, NULL, 0, 0));
    input.detection = &s;
    assert_string_equal(value_of("map_large", &input).reason, "no object is above 96 x 96 pixels");
    assert_string_equal(value_of("top1", &input).reason, "the model is a detector");
    assert_string_equal(value_of("kl", &input).reason, "the model is a detector");
    assert_string_equal(value_of("f1_micro", &input).reason, "the model is a detector");
    assert_false(value_of("map50", &input).has_ci);
    nz_assert_near(value_of("box_agreement", &input).value, 100, 0, 0); /* with itself */
    input.reason_baseline = "the baseline failed";
    assert_string_equal(value_of("box_agreement", &input).reason, "the baseline failed");
    nz_detection_scores_done(&s);
    d.truth_count = 0;
    nz_assert_ok(nz_detection_scores_get(&s, &d, NULL, 0));
    assert_string_equal(value_of("map50", &input).reason, "no ground truth");
    assert_string_equal(value_of("map50_yolov5", &input).reason, "no ground truth");
    assert_string_equal(value_of("precision", &input).reason, "no ground truth");
    nz_detection_scores_done(&s);
}

static void odd_detections_get_a_hint(void **state) {
    (void)state;
    enum { COUNT = 40 };
    static nz_truth_box t[COUNT];
    static nz_found_box f[COUNT];
    int64_t ids[] = {10, 11, 12, 20};
    nz_detections d = {.image_count = COUNT,
                       .class_count = 4,
                       .truth_count = COUNT,
                       .found_count = COUNT,
                       .truths = t,
                       .found = f,
                       .class_ids = ids};
    char *hint = NULL;
    for (int i = 0; i < COUNT; i++) t[i] = truth(i, i % 3, 0);
    for (int i = 0; i < COUNT; i++) f[i] = found(i, i % 3, 1, .5);
    nz_assert_ok(nz_detection_hint(&hint, &d));
    assert_null(hint);
    for (int i = 0; i < COUNT; i++) t[i].class_index = i % 3 == 0 ? 1 : 2, f[i].class_index = t[i].class_index - 1;
    nz_assert_ok(nz_detection_hint(&hint, &d));
    assert_non_null(hint);
    assert_non_null(strstr(hint, "40 detections that lie on an object only 0% are of its category, but 100%"));
    assert_non_null(strstr(hint, "1 higher"));
    free(hint);
    hint = NULL;
    for (int i = 0; i < COUNT; i++) f[i].x = 0.1, f[i].width = f[i].height = 0.2;
    nz_assert_ok(nz_detection_hint(&hint, &d));
    assert_non_null(hint);
    assert_non_null(strstr(hint, "fractions of the image"));
    free(hint);
    hint = NULL;
    d.found_count = COUNT - 9;
    nz_assert_ok(nz_detection_gap(&hint, &d));
    assert_null(hint);
    d.found_count = COUNT - 10;
    nz_assert_ok(nz_detection_gap(&hint, &d));
    assert_non_null(hint);
    assert_non_null(strstr(hint, "10 of 40 images with objects have no detection"));
    free(hint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confusion_counts_each_box_once),
        cmocka_unit_test(boxes_of_two_detectors_are_paired_by_overlap),
        cmocka_unit_test(too_many_boxes_of_an_image_are_refused),
        cmocka_unit_test(a_detector_agrees_with_itself),
        cmocka_unit_test(metrics_of_a_detector),
        cmocka_unit_test(what_has_no_value_says_why),
        cmocka_unit_test(odd_detections_get_a_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
