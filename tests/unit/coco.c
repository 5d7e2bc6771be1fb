/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's protocol on boxes: cases that can be done by hand, and the reference evaluator's own figures. */
#include "core/file.h"
#include "core/json.h"
#include "core/text.h"
#include "netzip/detection.h"
#include "test.h"

static nz_truth_box truth(int image, int class_index, double x, double size) {
    return (nz_truth_box){
        .image = image, .class_index = class_index, .x = x, .y = 0, .width = size, .height = size, .area = size * size};
}

static nz_found_box found(int image, int class_index, double x, double size, double score) {
    return (nz_found_box){
        .image = image, .class_index = class_index, .x = x, .y = 0, .width = size, .height = size, .score = score};
}

static nz_coco_result evaluate(nz_truth_box *truths, size_t truth_count, nz_found_box *list, size_t found_count,
                               size_t classes) {
    nz_detections d = {.image_count = 4,
                       .class_count = classes,
                       .truth_count = truth_count,
                       .found_count = found_count,
                       .truths = truths,
                       .found = list};
    nz_coco_result r;
    nz_assert_ok(nz_coco_evaluate(&r, &d));
    return r;
}

static void perfect_detections_are_1(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0, 20), truth(1, 0, 5, 50), truth(2, 1, 7, 120)};
    nz_found_box f[] = {found(2, 1, 7, 120, .1), found(0, 0, 0, 20, .9), found(1, 0, 5, 50, .5)};
    nz_coco_result r = evaluate(t, 3, f, 3, 2);
    for (int i = 0; i < NZ_COCO_STATS; i++) nz_assert_near(r.stats[i], 1, 0, 1e-12);
    nz_coco_result_done(&r);
}

/* Of two objects one is found, first a wrong one is seen: precision 1/2 up to recall 1/2, then 0. */
static void half_found_behind_a_false_one(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0, 20), truth(1, 0, 0, 20)};
    nz_found_box f[] = {found(0, 0, 300, 20, .9), found(1, 0, 0, 20, .8)};
    nz_coco_result r = evaluate(t, 2, f, 2, 1);
    nz_assert_near(r.stats[NZ_COCO_AP], 0.5 * 51 / 101, 0, 1e-12);
    nz_assert_near(r.stats[NZ_COCO_AR100], 0.5, 0, 1e-12);
    nz_assert_near(r.stats[NZ_COCO_AP_SMALL], 0.5 * 51 / 101, 0, 1e-12);
    nz_assert_near(r.stats[NZ_COCO_AP_LARGE], -1, 0, 0);
    assert_int_equal(r.classes[0].truths, 2);
    nz_coco_result_done(&r);
}

/* Boxes that overlap by 8 x 10 of 10 x 10 have an IoU of 80/120: above 0.50 to 0.65, below 0.70. */
static void an_overlap_counts_below_its_iou_alone(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0, 10)};
    nz_found_box f[] = {found(0, 0, 2, 10, .9)};
    nz_coco_result r = evaluate(t, 1, f, 1, 1);
    nz_assert_near(r.stats[NZ_COCO_AP], 0.4, 0, 1e-12);
    nz_assert_near(r.stats[NZ_COCO_AP50], 1, 0, 1e-12);
    nz_assert_near(r.stats[NZ_COCO_AP75], 0, 0, 1e-12);
    nz_coco_result_done(&r);
}

static void a_crowd_neither_counts_nor_hurts(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0, 20), truth(0, 0, 100, 90)};
    t[1].crowd = true;
    /* Two detections within the crowd, both above the right one. */
    nz_found_box f[] = {found(0, 0, 110, 20, .9), found(0, 0, 140, 20, .8), found(0, 0, 0, 20, .7)};
    nz_coco_result r = evaluate(t, 2, f, 3, 1);
    nz_assert_near(r.stats[NZ_COCO_AP], 1, 0, 1e-12);
    assert_int_equal(r.classes[0].truths, 1);
    nz_coco_result_done(&r);
}

static void a_second_detection_of_one_object_is_false(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0, 20), truth(1, 0, 0, 20)};
    nz_found_box f[] = {found(0, 0, 0, 20, .9), found(0, 0, 0, 20, .8), found(1, 0, 0, 20, .7)};
    nz_coco_result r = evaluate(t, 2, f, 3, 1);
    nz_assert_near(r.stats[NZ_COCO_AP], (51 + 50 * 2.0 / 3) / 101, 0, 1e-12);
    nz_coco_result_done(&r);
}

static void classes_without_objects_are_left_out(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0, 20)};
    nz_found_box f[] = {found(0, 0, 0, 20, .9), found(0, 1, 0, 20, .9)};
    nz_coco_result r = evaluate(t, 1, f, 2, 2);
    nz_assert_near(r.stats[NZ_COCO_AP], 1, 0, 1e-12);
    nz_assert_near(r.classes[1].ap, -1, 0, 0);
    nz_coco_result_done(&r);
}

/* An image's detections beyond the best hundred are not looked at: here the right one comes after them. */
static void only_a_hundred_detections_count(void **state) {
    (void)state;
    nz_truth_box t[] = {truth(0, 0, 0, 20)};
    nz_found_box f[101];
    for (int i = 0; i < 100; i++) f[i] = found(0, 0, 300 + i, 20, .9);
    f[100] = found(0, 0, 0, 20, .1);
    nz_coco_result r = evaluate(t, 1, f, 101, 1);
    nz_assert_near(r.stats[NZ_COCO_AP], 0, 0, 0);
    f[99].x = 0;
    nz_coco_result_done(&r);
    r = evaluate(t, 1, f, 101, 1);
    nz_assert_near(r.stats[NZ_COCO_AR100], 1, 0, 0);
    nz_assert_near(r.stats[NZ_COCO_AR10], 0, 0, 0);
    nz_coco_result_done(&r);
}

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    nz_coco_result r;
    nz_found_box f[] = {found(9, 0, 0, 20, .9)};
    nz_detections d = {.image_count = 1, .class_count = 1, .found_count = 1, .found = f};
    nz_assert_fails(nz_coco_evaluate(&r, &d), NZ_E_ARG, "detection 0");
    f[0] = found(0, 0, 0, 20, NAN);
    nz_assert_fails(nz_coco_evaluate(&r, &d), NZ_E_ARG, "no number");
}

static void the_reference_evaluators_figures(void **state) {
    (void)state;
    nz_detections d;
    nz_coco_result r;
    NZ_AUTO_JSON json_t *expected = NULL;
    nz_assert_ok(nz_json_read(&expected, nz_test_shared("detection-fixtures/a/expected.json")));
    nz_assert_ok(nz_detections_read(&d, nz_test_shared("detection-fixtures/a/ground_truth.json"),
                                    nz_test_shared("detection-fixtures/a/detections.json")));
    nz_assert_ok(nz_coco_evaluate(&r, &d));
    for (int i = 0; i < NZ_COCO_STATS; i++)
        nz_assert_near(
            r.stats[i],
            json_number_value(json_object_get(json_object_get(expected, "stats"), nz_coco_stat_name((nz_coco_stat)i))),
            0, 1e-9);
    for (size_t c = 0; c < r.class_count; c++) {
        char id[24];
        snprintf(id, sizeof id, "%lld", (long long)d.class_ids[c]);
        json_t *row = json_object_get(json_object_get(expected, "per_category"), id);
        assert_non_null(row);
        nz_assert_near(r.classes[c].ap, json_number_value(json_object_get(row, "AP")), 0, 1e-9);
        nz_assert_near(r.classes[c].ap50, json_number_value(json_object_get(row, "AP50")), 0, 1e-9);
    }
    nz_coco_result_done(&r);
    nz_detections_done(&d);
}

#define IMAGES "{\"images\":[{\"id\":7},{\"id\":3}],\"categories\":[{\"id\":1,\"name\":\"cat\"}],\"annotations\":["
#define BOX "\"image_id\":7,\"category_id\":1,\"bbox\":[0,0,10,10]"

static void files_are_checked_entry_by_entry(void **state) {
    (void)state;
    static const struct {
        const char *truth, *found, *part;
    } cases[] = {
        {"[]", "[]", "no object with lists"},
        {"{}", "[]", "'images' is missing"},
        {"{\"images\":[{\"id\":1},{\"id\":1}],\"categories\":[],\"annotations\":[]}", "[]", "the id 1 twice"},
        {IMAGES "{\"image_id\":7}]}", "[]", "annotations[0]: category_id"},
        {IMAGES "{\"image_id\":7,\"category_id\":1,\"bbox\":[0,0,1]}]}", "[]", "four numbers"},
        {IMAGES "{\"image_id\":7,\"category_id\":1,\"bbox\":[0,0,-1,1]}]}", "[]", "negative"},
        {IMAGES "{\"image_id\":7,\"category_id\":1,\"bbox\":[1e308,0,1e308,1e-3]}]}", "[]", "beyond any image"},
        {IMAGES "]}", "[{\"image_id\":7,\"category_id\":1,\"bbox\":[0,0,1e200,1],\"score\":1}]", "beyond any image"},
        {IMAGES "]}", "{}", "the file is no list"},
        {IMAGES "]}", "[{" BOX "}]", "detections[0]: score"},
        {IMAGES "]}", "[{\"image_id\":8,\"category_id\":1,\"bbox\":[0,0,1,1],\"score\":1}]", "on image 8"},
    };
    char truth_path[512], found_path[512];
    snprintf(truth_path, sizeof truth_path, "%s/truth.json", nz_test_dir());
    snprintf(found_path, sizeof found_path, "%s/found.json", nz_test_dir());
    nz_detections d;
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_assert_ok(nz_file_write(truth_path, cases[i].truth, strlen(cases[i].truth)));
        nz_assert_ok(nz_file_write(found_path, cases[i].found, strlen(cases[i].found)));
        nz_assert_fails(nz_detections_read(&d, truth_path, found_path), NZ_E_FORMAT, cases[i].part);
    }
    const char *good = IMAGES "{" BOX ",\"iscrowd\":1,\"ignore\":1},{" BOX
                              ",\"ignore\":1},{\"image_id\":99,\"category_id\":1,\"bbox\":[0,0,1,1]}]}";
    nz_assert_ok(nz_file_write(truth_path, good, strlen(good)));
    nz_assert_ok(nz_detections_read(&d, truth_path, NULL));
    assert_int_equal(d.truth_count, 2);
    assert_int_equal(d.skipped_truths, 1);
    assert_int_equal(d.ignored_truths, 1);
    assert_false(d.truths[1].crowd);        /* as the reference evaluator has it */
    assert_int_equal(d.truths[0].image, 1); /* sorted by id */
    assert_true(d.truths[0].crowd);
    nz_assert_near(d.truths[0].area, 100, 0, 0);
    assert_string_equal(d.class_names[0], "cat");
    nz_detections_done(&d);
}

/* Small entries that make large results. */
static void categories_are_bounded(void **state) {
    (void)state;
    enum { MOST = 100000 };
    nz_detections d;
    nz_text text = {0};
    nz_text_append(&text, "{\"images\":[],\"annotations\":[],\"categories\":[{\"id\":0}");
    for (int c = 1; c < MOST; c++) nz_text_appendf(&text, ",{\"id\":%d}", c);
    size_t length = text.length;
    nz_text_append(&text, "]}");
    const char *path = nz_test_file("categories.json");
    nz_assert_ok(nz_file_write(path, text.data, text.length));
    nz_assert_ok(nz_detections_read(&d, path, NULL));
    assert_int_equal(d.class_count, MOST);
    nz_detections_done(&d);
    text.length = length;
    nz_text_append(&text, ",{\"id\":-1}]}");
    nz_assert_ok(nz_file_write(path, text.data, text.length));
    nz_assert_fails(nz_detections_read(&d, path, NULL), NZ_E_FORMAT, "more than 100000 categories");
    nz_text_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_detections_are_1),
        cmocka_unit_test(half_found_behind_a_false_one),
        cmocka_unit_test(an_overlap_counts_below_its_iou_alone),
        cmocka_unit_test(a_crowd_neither_counts_nor_hurts),
        cmocka_unit_test(a_second_detection_of_one_object_is_false),
        cmocka_unit_test(classes_without_objects_are_left_out),
        cmocka_unit_test(only_a_hundred_detections_count),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(the_reference_evaluators_figures),
        cmocka_unit_test(files_are_checked_entry_by_entry),
        cmocka_unit_test(categories_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
