/* SPDX-License-Identifier: Apache-2.0 */
/* The second evaluator of detections: cases done by hand, and figures that NumPy computed by the same rules. */
#include "netzip/detection.h"
#include "test.h"

static nz_truth_box truth(int image, double x) {
    return (nz_truth_box){.image = image, .x = x, .width = 20, .height = 20, .area = 400};
}

static nz_found_box found(int image, double x, double score) {
    return (nz_found_box){.image = image, .x = x, .width = 20, .height = 20, .score = score};
}

static nz_yolo_result evaluate(nz_truth_box *truths, size_t truth_count, nz_found_box *list, size_t found_count) {
    nz_detections d = {.image_count = 2,
                       .class_count = 1,
                       .truth_count = truth_count,
                       .found_count = found_count,
                       .truths = truths,
                       .found = list};
    nz_yolo_result r;
    nz_assert_ok(nz_yolo_evaluate(&r, &d));
    return r;
}

/* Even a perfect curve drops to (1, 0) at its end, but recall 1 is reached with precision 1 before: the last trapezoid
 * alone is halved. */
static void the_curve_ends_at_recall_one_precision_zero(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0)};
    nz_found_box f[] = {found(0, 0, .9)};
    nz_yolo_result r = evaluate(t, 1, f, 1);
    nz_assert_near(r.map50, 1 - 0.005, 0, 1e-12);
    nz_assert_near(r.map50_95, 1 - 0.005, 0, 1e-12);
    nz_assert_near(r.f1, 1, 0, 1e-12);
    nz_yolo_result_done(&r);
}

/* Both detections overlap the second object most, by 18/22 and wholly: it goes to the one of higher score, and the other does
 * not turn to the first object. */
static void an_object_goes_to_the_best_scored_of_those_that_overlap_it_most(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0), truth(0, 6)};
    nz_found_box f[] = {found(0, 4, .9), found(0, 6, .8)};
    nz_yolo_result r = evaluate(t, 2, f, 2);
    /* Precision 1 below recall 1/2, 1/2 at it, then a straight line to 0. */
    nz_assert_near(r.map50, 0.6225, 0, 1e-12);
    /* From 0.85 on the second detection alone is right: 1/2 up to recall 1/2 and the same line; 7 thresholds and 3. */
    nz_assert_near(r.map50_95, (7 * 0.6225 + 3 * 0.375) / 10, 0, 1e-12);
    nz_yolo_result_done(&r);
}

/* The first detection lies half way between both objects: it stands for the last one, and the other detection has its own. */
static void of_equal_overlaps_the_last_object_counts(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0), truth(0, 6)};
    nz_found_box f[] = {found(0, 3, .9), found(0, 0, .8)};
    nz_yolo_result r = evaluate(t, 2, f, 2);
    nz_assert_near(r.map50, 0.995, 0, 1e-12);
    nz_assert_near(r.recall, 1, 0, 1e-12);
    nz_yolo_result_done(&r);
}

/* Of three classes one is found wholly, one has objects that nothing finds, one has detections but no object. */
static void means_are_over_the_classes_with_objects(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0), truth(1, 0)};
    nz_found_box f[] = {found(0, 0, .9), found(0, 50, .99)};
    nz_detections d = {.image_count = 2, .class_count = 3, .truth_count = 2, .found_count = 2, .truths = t, .found = f};
    t[1].class_index = 1, f[1].class_index = 2;
    nz_yolo_result r;
    nz_assert_ok(nz_yolo_evaluate(&r, &d));
    nz_assert_near(r.map50, 0.995 / 2, 0, 1e-12);
    nz_assert_near(r.precision, 0.5, 0, 1e-12);
    nz_assert_near(r.recall, 0.5, 0, 1e-12);
    nz_assert_near(r.f1, 0.5, 0, 1e-12);
    /* The same up to .9: the first is taken; above it nothing is found. */
    nz_assert_near(r.confidence, 0, 0, 0);
    nz_assert_near(r.mean_f1[899], 0.5, 0, 1e-12);
    nz_assert_near(r.mean_f1[900], 0, 0, 0);
    nz_assert_near(r.classes[1].precision, 0, 0, 0);
    assert_true(r.classes[1].truths == 1 && r.classes[1].found == 0 && r.classes[2].truths == 0);
    nz_assert_near(r.classes[2].ap, -1, 0, 0);
    nz_assert_near(r.classes[2].ap50, -1, 0, 0);
    nz_assert_near(r.classes[2].precision, -1, 0, 0);
    nz_assert_near(r.classes[2].recall, -1, 0, 0);
    nz_assert_near(r.classes[2].f1, -1, 0, 0);
    nz_yolo_result_done(&r);
}

static void nothing_found_is_0_and_no_truth_is_minus_1(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0)};
    nz_found_box f[] = {found(0, 0, .9)};
    nz_yolo_result r = evaluate(t, 1, NULL, 0);
    nz_assert_near(r.map50, 0, 0, 0);
    nz_yolo_result_done(&r);
    r = evaluate(NULL, 0, f, 1);
    nz_assert_near(r.map50, -1, 0, 0);
    nz_yolo_result_done(&r);
    t[0].crowd = true;
    r = evaluate(t, 1, f, 1);
    nz_assert_near(r.map50, -1, 0, 0);
    nz_yolo_result_done(&r);
}

static void detections_of_hardly_any_score_do_not_count(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0)};
    nz_found_box f[] = {found(0, 0, .001)};
    nz_yolo_result r = evaluate(t, 1, f, 1);
    assert_int_equal(r.classes[0].found, 0);
    nz_assert_near(r.map50, 0, 0, 0);
    nz_yolo_result_done(&r);
}

static void figures_of_an_independent_computation(void **state) {
    (void)state;
    nz_detections d;
    nz_yolo_result r;
    nz_assert_ok(nz_detections_read(&d, nz_test_shared("detection-fixtures/a/ground_truth.json"),
                                    nz_test_shared("detection-fixtures/a/detections.json")));
    nz_assert_ok(nz_yolo_evaluate(&r, &d));
    nz_assert_near(r.map50, 0.638808691218, 0, 1e-11);
    nz_assert_near(r.map50_95, 0.314625044724, 0, 1e-11);
    nz_assert_near(r.precision, 0.653406470781, 0, 1e-11);
    nz_assert_near(r.recall, 0.708829239847, 0, 1e-11);
    nz_assert_near(r.f1, 0.678622906132, 0, 1e-11);
    nz_assert_near(r.confidence, 486.0 / 999, 0, 1e-12);
    nz_yolo_result_done(&r);
    nz_detections_done(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_curve_ends_at_recall_one_precision_zero),
        cmocka_unit_test(an_object_goes_to_the_best_scored_of_those_that_overlap_it_most),
        cmocka_unit_test(of_equal_overlaps_the_last_object_counts),
        cmocka_unit_test(means_are_over_the_classes_with_objects),
        cmocka_unit_test(nothing_found_is_0_and_no_truth_is_minus_1),
        cmocka_unit_test(detections_of_hardly_any_score_do_not_count),
        cmocka_unit_test(figures_of_an_independent_computation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
