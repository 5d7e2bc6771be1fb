/* SPDX-License-Identifier: Apache-2.0 */
/* A detector over data: from batches to boxes in the stored images beside the ground truth, and their file. */
#include "core/file.h"
#include "core/json.h"
#include "graphs.h"
#include "netzip/detect.h"

enum { SIDE = 64, CLASSES = 10 };

/* A detector that sees the same in every image: class 3 at (16, 8), 20 x 10 of a 64 x 64 input. */
static nz_graph *fixed_detector(int64_t batch) {
    const float seen[5 + CLASSES] = {26, 13, 20, 10, 1, 0, 0, 0, 0.8765432f};
    nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int x = graph_input(g, "x", NZ_F32, SHAPE(batch, 3, SIDE, SIDE));
    int pooled = graph_node(g, "GlobalAveragePool", x);
    int w = graph_constant(g, NZ_F32, SHAPE(5 + CLASSES, 3, 1, 1), 0, 0);
    nz_tensor bias;
    nz_assert_ok(nz_tensor_init(&bias, NZ_F32, &SHAPE(5 + CLASSES)));
    memcpy(bias.data, seen, sizeof seen);
    int b = -1, shape = -1;
    nz_assert_ok(nz_graph_add_constant(g, &b, "seen", &bias));
    nz_tensor_done(&bias);
    nz_tensor extents;
    nz_assert_ok(nz_tensor_init(&extents, NZ_I64, &SHAPE(3)));
    for (int i = 0; i < 3; i++) nz_tensor_set_int(&extents, i, (int64_t[]){0, 1, 5 + CLASSES}[i]);
    nz_assert_ok(nz_graph_add_constant(g, &shape, "extents", &extents));
    nz_tensor_done(&extents);
    int boxes = graph_node(g, "Reshape", graph_node(g, "Conv", pooled, w, b), shape);
    nz_assert_ok(nz_graph_set_meta(g, "netzip.preprocess", "letterbox=64:topleft:114:round"));
    nz_assert_ok(nz_graph_set_meta(g, "netzip.detect", "head=yolov5,conf=0.25"));
    graph_finish(g, boxes);
    return g;
}

static nz_detections detect(const nz_graph *graph, const nz_dataset *data, const char *text, int64_t batch, int threads,
                            nz_detect_times *times, char *description) {
    nz_detections d = {0};
    nz_detect_options options = {0};
    size_t broken = 77;
    nz_assert_ok(nz_detect_options_read(&options, text, graph));
    nz_detect_run run = {
        .options = &options, .batch = batch, .threads = threads, .times = times, .description = description};
    nz_assert_ok(nz_detect(&d, &broken, graph, data, &run, NULL));
    assert_int_equal(broken, 0);
    nz_detect_options_done(&options);
    return d;
}

static void check_truths(const nz_detections *a, const nz_detections *b) {
    assert_int_equal(a->truth_count, b->truth_count);
    for (size_t i = 0; i < a->truth_count; i++) {
        const nz_truth_box *x = &a->truths[i], *y = &b->truths[i];
        assert_int_equal(x->image, y->image);
        assert_int_equal(x->class_index, y->class_index);
        assert_int_equal(x->crowd, y->crowd);
        assert_memory_equal(&x->x, &y->x, 4 * sizeof x->x);
        nz_assert_near(x->area, y->area, 0, 0);
    }
}

/* Images of 96 x 96 lie in the input at two thirds. */
static void boxes_come_back_to_the_stored_images(void **state) {
    (void)state;
    nz_graph *graph = fixed_detector(-1);
    nz_dataset *data = NULL;
    nz_detect_times times = {0};
    char description[NZ_DETECT_TEXT];
    nz_assert_ok(nz_data_open_for_model(&data, "synthetic:shapes-det,size=96,limit=5", NZ_DATA_COMPARE, graph));
    nz_detections d = detect(graph, data, "", 2, 1, &times, description), truths = {0};
    assert_int_equal(times.images, 5);
    assert_string_equal(description, "yolov5 (2x1x15), conf 0.25, NMS IoU 0.6, at most 300 boxes");
    assert_int_equal(d.image_count, 5);
    assert_int_equal(d.class_count, CLASSES);
    assert_int_equal(d.found_count, 5);
    for (size_t i = 0; i < d.found_count; i++) {
        const nz_found_box *f = &d.found[i];
        assert_int_equal(f->image, i);
        assert_int_equal(f->class_index, 3);
        nz_assert_near(f->x, 24, 0, 0);
        nz_assert_near(f->y, 12, 0, 0);
        nz_assert_near(f->width, 30, 0, 0);
        nz_assert_near(f->height, 15, 0, 0);
        nz_assert_near(f->score, 0.876543, 0, 0);
    }
    /* The ground truth is that of nz_detect_truths, and that of the data. */
    nz_assert_ok(nz_detect_truths(&truths, data));
    assert_int_equal(truths.found_count, 0);
    check_truths(&truths, &d);
    assert_memory_equal(truths.image_ids, d.image_ids, d.image_count * sizeof *d.image_ids);
    size_t at = 0;
    for (size_t i = 0; i < 5; i++) {
        nz_object *objects = NULL;
        size_t count = 0;
        nz_assert_ok(nz_data_objects(&objects, &count, data, i));
        for (size_t k = 0; k < count; k++, at++) {
            assert_int_equal(d.truths[at].image, i);
            assert_int_equal(d.truths[at].class_index, objects[k].class_index);
            nz_assert_near(d.truths[at].x, objects[k].x, 0, 0);
        }
        free(objects);
    }
    assert_int_equal(at, d.truth_count);
    nz_detections_done(&truths);
    nz_detections_done(&d);
    nz_data_free(data);
    nz_graph_free(graph);
}

static void batch_and_threads_change_nothing(void **state) {
    (void)state;
    nz_dataset *data = NULL;
    nz_graph *open = fixed_detector(-1), *fixed = fixed_detector(3);
    nz_assert_ok(
        nz_data_open_for_model(&data, "synthetic:shapes-det,size=96,limit=7,shuffle=1", NZ_DATA_COMPARE, open));
    nz_detections one = detect(open, data, "", 0, 1, NULL, NULL), other = detect(open, data, "", 4, 2, NULL, NULL),
                  three = detect(fixed, data, "", 0, 1, NULL, NULL);
    const nz_detections *others[] = {&other, &three};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(others[i]->found_count, one.found_count);
        assert_memory_equal(others[i]->found, one.found, one.found_count * sizeof *one.found);
        check_truths(others[i], &one);
    }
    for (size_t i = 1; i < one.image_count; i++) assert_true(one.image_ids[i] > one.image_ids[i - 1]);
    nz_detections_done(&one);
    nz_detections_done(&other);
    nz_detections_done(&three);
    nz_data_free(data);
    nz_graph_free(open);
    nz_graph_free(fixed);
}

static void a_higher_confidence_finds_nothing(void **state) {
    (void)state;
    nz_graph *graph = fixed_detector(-1);
    nz_dataset *data = NULL;
    nz_assert_ok(nz_data_open_for_model(&data, "synthetic:shapes-det,size=96,limit=2", NZ_DATA_COMPARE, graph));
    nz_detections d = detect(graph, data, "conf=0.9", 1, 1, NULL, NULL);
    assert_int_equal(d.found_count, 0);
    assert_int_equal(d.image_count, 2);
    assert_true(d.truth_count > 0);
    nz_detections_done(&d);
    nz_data_free(data);
    nz_graph_free(graph);
}

/* Where images alone are known, classes are the model's. */
static void plain_images_have_the_models_classes(void **state) {
    (void)state;
    static const struct {
        const char *key, *text, *third, *last;
    } names[] = {
        {"netzip.classes", "[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\"]", "d", "j"},
        {"netzip.classes", "[\"too\",\"few\"]", NULL, NULL},
        {"netzip.classes", "[", NULL, NULL},
        {"names", "{0: 'a', 3: \"the dog\'s\", 9: 'it\\'s', 10: 'beyond'}", "the dog's", "it's"},
        {"names", "{3: 'd', 9: 'no end", "d", NULL},
        {"names", "['list']", NULL, NULL},
    };
    nz_dataset *data = NULL;
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        nz_graph *graph = fixed_detector(-1);
        nz_assert_ok(nz_graph_set_meta(graph, names[i].key, names[i].text));
        nz_assert_ok(nz_data_open_for_model(&data, "synthetic:shapes,size=32,limit=2", NZ_DATA_COMPARE, graph));
        nz_detections d = detect(graph, data, "", 1, 1, NULL, NULL);
        assert_int_equal(d.truth_count, 0);
        assert_int_equal(d.found_count, 2);
        assert_int_equal(d.class_count, CLASSES);
        assert_int_equal(d.class_ids[d.found[0].class_index], 3);
        const char *got[] = {d.class_names[3], d.class_names[9]}, *wanted[] = {names[i].third, names[i].last};
        for (int k = 0; k < 2; k++)
            if (wanted[k])
                assert_string_equal(got[k], wanted[k]);
            else
                assert_null(got[k]);
        nz_detections_done(&d);
        nz_data_free(data);
        nz_graph_free(graph);
    }
}

static int stop(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)what;
    (void)total;
    *(unsigned long long *)user = done;
    return 1;
}

static void failures_leave_nothing(void **state) {
    (void)state;
    nz_graph *graph = fixed_detector(-1);
    nz_dataset *data = NULL, *plain = NULL;
    nz_detections d = {.found_count = 99};
    unsigned long long done = 0;
    nz_progress progress = {.step = stop, .user = &done};
    nz_detect_options options = {0};
    nz_assert_ok(nz_data_open_for_model(&data, "synthetic:shapes-det,size=96,limit=4", NZ_DATA_COMPARE, graph));
    nz_assert_ok(nz_detect_options_read(&options, "", graph));
    nz_detect_run run = {.options = &options, .threads = 1};
    nz_assert_fails(nz_detect(&d, NULL, graph, data, &run, &progress), NZ_E_CANCELLED, "");
    assert_int_equal(done, 1);
    nz_data_free(data);
    nz_assert_ok(nz_data_open(&data, "synthetic:shapes-det,size=96,limit=4", NULL, NZ_DATA_COMPARE, NULL));
    nz_assert_fails(nz_detect(&d, NULL, graph, data, &run, NULL), NZ_E_SHAPE, "takes no images of 3x96x96");
    nz_assert_ok(nz_data_open(&plain, "synthetic:shapes,limit=4", NULL, NZ_DATA_COMPARE, NULL));
    nz_assert_fails(nz_detect_truths(&d, plain), NZ_E_ARG, "not labelled with objects");
    assert_int_equal(d.found_count, 99);
    nz_detect_options_done(&options);
    nz_data_free(data);
    nz_data_free(plain);
    nz_graph_free(graph);
}

/* ---- The file ---- */

static void detections_are_written_as_coco_has_them(void **state) {
    (void)state;
    int64_t images[] = {7, 139}, classes[] = {1, 90};
    nz_found_box found[] = {
        {.image = 1, .class_index = 1, .x = -0.125, .y = 464.999, .width = 1e-3, .height = 1234.567, .score = 0.876543},
        {.image = 0, .class_index = 0, .x = 1.0 / 3, .y = 0, .width = 12, .height = 3, .score = 1},
    };
    nz_detections d = {.image_count = 2,
                       .class_count = 2,
                       .image_ids = images,
                       .class_ids = classes,
                       .found_count = 2,
                       .found = found};
    const char *path = nz_test_file("detections.json");
    NZ_AUTO_FREE char *text = NULL;
    size_t count = 0;
    nz_assert_ok(nz_detect_write_json(path, &d));
    nz_assert_ok(nz_file_read(&text, &count, path, 10000));
    assert_string_equal(text,
                        "[\n{\"image_id\":139,\"category_id\":90,\"bbox\":[-0.125,464.999,0.001,1234.567],"
                        "\"score\":0.876543},\n"
                        "{\"image_id\":7,\"category_id\":1,\"bbox\":[0.3333333333333333,0,12,3],\"score\":1}\n]\n");
    found[0].image = 2;
    nz_assert_fails(nz_detect_write_json(path, &d), NZ_E_ARG, "image 2");
    found[0].image = 0;
    found[0].score = NAN;
    nz_assert_fails(nz_detect_write_json(path, &d), NZ_E_ARG, "no number");
    d.found_count = 0;
    nz_assert_ok(nz_detect_write_json(path, &d));
    NZ_AUTO_JSON json_t *json = NULL;
    nz_assert_ok(nz_json_read(&json, path));
    assert_int_equal(json_array_size(json), 0);
}

static void a_flipped_placement_leads_back(void **state) {
    (void)state;
    nz_placement placement = {.image_width = 200,
                              .image_height = 100,
                              .width = 64,
                              .height = 64,
                              .scale_x = 0.32,
                              .scale_y = 0.32,
                              .top = 16,
                              .flip = true};
    double box[4] = {10, 20, 30, 40};
    nz_place_box(box, &placement);
    nz_assert_near(box[0], 64 - (10 + 30) * 0.32, 0, 1e-12); /* mirrored, or the way back would show nothing */
    nz_found_box found = {.x = box[0], .y = box[1], .width = box[2], .height = box[3], .score = 0.12345678};
    nz_found_to_image(&found, &placement);
    nz_assert_near(found.x, 10, 0, 0);
    nz_assert_near(found.y, 20, 0, 0);
    nz_assert_near(found.width, 30, 0, 0);
    nz_assert_near(found.height, 40, 0, 0);
    nz_assert_near(found.score, 0.123457, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_come_back_to_the_stored_images),
        cmocka_unit_test(batch_and_threads_change_nothing),
        cmocka_unit_test(a_higher_confidence_finds_nothing),
        cmocka_unit_test(plain_images_have_the_models_classes),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(detections_are_written_as_coco_has_them),
        cmocka_unit_test(a_flipped_placement_leads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
