/* SPDX-License-Identifier: Apache-2.0 */
/* Whole comparisons of detectors. Images are black with squares of 8 x 8 pixels on a grid, red ones of one class and green
 * ones of another; a detector of one convolution finds them exactly, so that every figure is known beforehand. */
#include "compare/detection.h"
#include "compare_run.h"
#include "core/text.h"
#include "data/image.h"
#include "graph/build.h"
#include "netzip/detection.h"
#include "netzip/onnx.h"
#include "netzip/pass.h"

/* ---- models ---- */

typedef struct recipe {
    double shift; /* pixels by which boxes lie too far right */
    bool wide;    /* the input is a cell wider than high */
    bool swapped; /* red is taken for green */
    int classes;  /* 0: 2 */
    bool scores;  /* a classifier: one score per class of the whole image */
    const char *preprocess, *detect, *classes_named;
} recipe;

enum { SIDE = 32, CELL = 8, GRID = SIDE / CELL };

static int add_constant(nz_graph *g, const char *name, nz_shape shape, const float *values) {
    NZ_AUTO_TENSOR nz_tensor t = {0};
    int index = 0;
    nz_assert_ok(nz_tensor_init(&t, NZ_F32, &shape));
    memcpy(t.data, values, (size_t)nz_shape_elements(&shape) * sizeof *values);
    nz_assert_ok(nz_graph_add_constant(g, &index, name, &t));
    return index;
}

static int add_node(nz_graph *g, int *ret_node, const char *op, const int *inputs, size_t count) {
    int value = 0;
    nz_assert_ok(nz_graph_add_value(g, &value, op, NZ_F32, &(nz_shape){.rank = -1}));
    nz_assert_ok(nz_graph_add_node(g, ret_node, op, op, inputs, count, &value, 1));
    return value;
}

/* Means over a cell: what of the channels says "object", "red", "green" and so on; the place and extent are constants. */
static int add_convolution(nz_graph *g, int x, const recipe *r, int channels) {
    float weights[8 * 3 * CELL * CELL] = {0};
    for (int c = 0; c < 2; c++) /* red, green */
        for (int i = 0; i < CELL * CELL; i++) {
            weights[(4 * 3 + c) * CELL * CELL + i] = 1.0F / (CELL * CELL);
            weights[((5 + (r->swapped ? 1 - c : c)) * 3 + c) * CELL * CELL + i] = 1.0F / (CELL * CELL);
        }
    int w = add_constant(g, "weights", (nz_shape){.rank = 4, .dim = {channels, 3, CELL, CELL}}, weights), node = 0;
    int y = add_node(g, &node, "Conv", (int[]){x, w}, 2);
    nz_assert_ok(nz_node_set_ints(&g->nodes[node], "strides", (const int64_t[]){CELL, CELL}, 2));
    return y;
}

static int add_head(nz_graph *g, int y, const recipe *r, int channels) {
    NZ_AUTO_TENSOR nz_tensor shape = {0};
    float places[GRID * (GRID + 1) * 8] = {0};
    int to = 0, node = 0, columns = GRID + r->wide, cells = GRID * columns;
    for (int i = 0; i < cells; i++) {
        float *row = places + i * channels;
        row[0] = (float)(i % columns * CELL + CELL / 2 + r->shift);
        row[1] = (float)(i / columns * CELL + CELL / 2);
        row[2] = row[3] = CELL;
    }
    nz_assert_ok(nz_tensor_init(&shape, NZ_I64, &(nz_shape){.rank = 1, .dim = {3}}));
    memcpy(shape.data, (const int64_t[]){0, channels, cells}, 3 * sizeof(int64_t));
    nz_assert_ok(nz_graph_add_constant(g, &to, "shape", &shape));
    int p = add_constant(g, "places", (nz_shape){.rank = 3, .dim = {1, cells, channels}}, places);
    y = add_node(g, &node, "Reshape", (int[]){y, to}, 2);
    y = add_node(g, &node, "Transpose", &y, 1);
    nz_assert_ok(nz_node_set_ints(&g->nodes[node], "perm", (const int64_t[]){0, 2, 1}, 3));
    return add_node(g, &node, "Add", (int[]){y, p}, 2);
}

static const char *save(const char *name, recipe r) {
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    const char *path = nz_test_file(name);
    int x = 0, node = 0, channels = 5 + (r.classes ? r.classes : 2);
    nz_assert_ok(nz_graph_new(&g));
    const nz_shape input = {.rank = 4, .dim = {-1, 3, SIDE, SIDE + (r.wide ? CELL : 0)}};
    nz_assert_ok(nz_graph_add_value(g, &x, "image", NZ_F32, &input));
    nz_assert_ok(nz_graph_add_input(g, x));
    int y = add_convolution(g, x, &r, channels);
    if (r.scores) {
        y = add_node(g, &node, "GlobalAveragePool", &y, 1);
        y = add_node(g, &node, "Flatten", &y, 1);
    } else {
        y = add_head(g, y, &r, channels);
    }
    nz_assert_ok(nz_graph_add_output(g, y));
    nz_assert_ok(nz_graph_finish(g));
    for (size_t n = 0; n < g->node_count; n++) g->nodes[n].opset = NZ_OPSET;
    nz_assert_ok(nz_graph_set_meta(g, "netzip.preprocess", r.preprocess ? r.preprocess : "scale=1/255"));
    if (!r.scores) nz_assert_ok(nz_graph_set_meta(g, "netzip.detect", r.detect ? r.detect : "head=yolov5"));
    if (r.classes_named) nz_assert_ok(nz_graph_set_meta(g, "netzip.classes", r.classes_named));
    nz_assert_ok(nz_model_save(g, path));
    return path;
}

/* ---- data ---- */

static const int category_ids[2] = {3, 8}; /* red, green; the file lists green first */

static void paint(uint8_t *pixels, int width, int column, int row, int channel) {
    for (int y = row * CELL; y < (row + 1) * CELL; y++)
        for (int x = column * CELL; x < (column + 1) * CELL; x++) pixels[(y * width + x) * 3 + channel] = 255;
}

static json_t *annotation(int id, int image, int column, int row, int channel) {
    return json_pack("{s:i,s:i,s:i,s:[i,i,i,i],s:i,s:i}", "id", id, "image_id", image, "category_id",
                     category_ids[channel], "bbox", column * CELL, row * CELL, CELL, CELL, "area", CELL * CELL,
                     "iscrowd", 0);
}

static void write_image(json_t *images, const char *folder, int id, int width, const uint8_t *pixels) {
    const nz_image image = {.width = width, .height = SIDE, .channels = 3, .pixels = pixels};
    NZ_AUTO_FREE uint8_t *bytes = NULL;
    char path[4200], name[32];
    size_t count = 0;
    snprintf(name, sizeof name, "image-%d.png", id);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    nz_assert_ok(nz_png_encode(&bytes, &count, &image));
    nz_assert_ok(nz_file_write(path, bytes, count));
    json_array_append_new(images,
                          json_pack("{s:i,s:s,s:i,s:i}", "id", id, "file_name", name, "width", width, "height", SIDE));
}

/* `count` images with a red and a green square each, but for the fourth, which is empty. `wide`: one more, of another size.
 * The DATA text; one of two static buffers. */
static const char *make_data(const char *name, int count, bool wide) {
    static char spec[2][9000];
    static unsigned next;
    NZ_AUTO_JSON json_t *images = json_array(), *annotations = json_array();
    char folder[4096], path[4200];
    snprintf(folder, sizeof folder, "%s", nz_test_file(name));
    nz_assert_ok(nz_dir_make(folder));
    for (int i = 0; i < count + wide; i++) {
        uint8_t pixels[SIDE * 2 * SIDE * 3] = {0};
        int id = 1000 - 7 * i, width = i < count ? SIDE : SIDE + CELL;
        int red = (i * 5) % 16, green = (i * 7 + 3) % 16;
        if (i != 3) {
            paint(pixels, width, red % GRID, red / GRID, 0);
            json_array_append_new(annotations, annotation(2 * i + 1, id, red % GRID, red / GRID, 0));
        }
        if (i != 3 && green != red) {
            paint(pixels, width, green % GRID, green / GRID, 1);
            json_array_append_new(annotations, annotation(2 * i + 2, id, green % GRID, green / GRID, 1));
        }
        write_image(images, folder, id, width, pixels);
    }
    NZ_AUTO_JSON json_t *document =
        json_pack("{s:O,s:O,s:[{s:i,s:s},{s:i,s:s}]}", "images", images, "annotations", annotations, "categories", "id",
                  category_ids[1], "name", "green", "id", category_ids[0], "name", "red");
    snprintf(path, sizeof path, "%s/truth.json", folder);
    nz_assert_ok(nz_json_write(document, path));
    snprintf(spec[next % 2], sizeof spec[0], "coco:%s,images=%s", path, folder);
    return spec[next++ % 2];
}

static double number(const json_t *object, const char *key) {
    const json_t *found = json_object_get(object, key);
    if (!json_is_number(found)) fail_msg("'%s' is missing or no number", key);
    return json_number_value(found);
}
static json_t *section(const json_t *document, size_t i) { return json_object_get(model(document, i), "detection"); }
static double ratio(const json_t *document, size_t i, const char *name) {
    return number(json_object_get(json_object_get(model(document, i), "ratios"), name), "value");
}

/* ---- the tests ---- */

static void check_boxes_file(const char *out, const char *file, double ap) {
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    NZ_AUTO(nz_coco_result_done) nz_coco_result result = {0};
    char truth[4200], found[9000];
    snprintf(truth, sizeof truth, "%s/truth.json", nz_test_file("squares"));
    snprintf(found, sizeof found, "%s/%s", out, file);
    nz_assert_ok(nz_detections_read(&d, truth, found));
    nz_assert_ok(nz_coco_evaluate(&result, &d));
    nz_assert_near(result.stats[NZ_COCO_AP], ap, 0, 1e-12);
}

static void check_samples(const json_t *detection, const char *out, double shift) {
    const json_t *samples = json_object_get(detection, "samples");
    assert_int_equal(json_array_size(samples), 6);
    for (size_t i = 0; i < 6; i++) {
        const json_t *sample = json_array_get(samples, i), *truths = json_object_get(sample, "truths"),
                     *found = json_object_get(sample, "found");
        NZ_AUTO(nz_image_done) nz_image image = {0};
        char path[9000];
        snprintf(path, sizeof path, "%s/%s", out, text(sample, "image"));
        nz_assert_ok(nz_image_load(&image, path));
        assert_int_equal(image.width, number(sample, "width"));
        assert_int_equal(image.height, number(sample, "height"));
        assert_int_not_equal(json_integer_value(json_object_get(sample, "id")), 1000 - 7 * 3); /* shows nothing */
        assert_true(json_array_size(truths) > 0);
        assert_int_equal(json_array_size(found), json_array_size(truths));
        double least = INFINITY, least_found = INFINITY;
        for (size_t k = 0; k < json_array_size(truths); k++) {
            least = fmin(least, json_number_value(json_array_get(json_array_get(truths, k), 1)));
            least_found = fmin(least_found, json_number_value(json_array_get(json_array_get(found, k), 1)));
            assert_int_equal(json_array_size(json_array_get(found, k)), 6);
        }
        nz_assert_near(least_found, least + shift, 0, 1e-9);
    }
}

static void check_curves(const json_t *detection, size_t classes) {
    const json_t *pr = json_object_get(detection, "precision_recall"),
                 *f1 = json_object_get(detection, "f1_confidence");
    assert_int_equal(json_array_size(json_object_get(pr, "recall")), 101);
    assert_int_equal(json_array_size(json_object_get(pr, "precision")), 101);
    assert_true(json_array_size(json_object_get(f1, "f1")) > 100);
    assert_int_equal(json_array_size(json_object_get(f1, "f1")), json_array_size(json_object_get(f1, "confidence")));
    assert_int_equal(json_array_size(json_object_get(detection, "classes")), classes);
    const json_t *counts = json_object_get(json_object_get(detection, "confusion"), "counts");
    assert_int_equal(json_array_size(counts), classes + 1);
    for (size_t i = 0; i <= classes; i++) assert_int_equal(json_array_size(json_array_get(counts, i)), classes + 1);
}

static void detectors_are_compared_by_their_boxes(void **state) {
    (void)state;
    const char *data = make_data("squares", 12, false);
    const char *const models[] = {save("exact.onnx", (recipe){.shift = 0}), save("right.onnx", (recipe){.shift = 1}),
                                  save("swapped.onnx", (recipe){.swapped = true})};
    nz_compare_options o = options(models, 3, data);
    nz_compare_result result;
    o.out = nz_test_file("boxes out");
    o.fail_if = "map50_95.drop > 39 && map50.drop < 1";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(result.failed, 0);
    /* One pixel of eight: an IoU of 56/72 is above six of the ten thresholds. */
    const double ap[] = {100, 60, 0}, ap50[] = {100, 100, 0}, agreement[] = {100, 100, 100}, iou[] = {1, 7.0 / 9, 1};
    for (size_t i = 0; i < 3; i++) {
        nz_assert_near(value(document, i, "map50_95"), ap[i], 0, 1e-9);
        nz_assert_near(value(document, i, "map50"), ap50[i], 0, 1e-9);
        nz_assert_near(value(document, i, "box_agreement"), agreement[i], 0, 1e-9);
        nz_assert_near(value(document, i, "box_iou"), iou[i], 0, 1e-9);
        nz_assert_near(value(document, i, "class_changes"), i == 2 ? 100 : 0, 0, 1e-9);
        assert_true(value(document, i, "latency_ms") > 0 && value(document, i, "postprocess_ms") >= 0);
        assert_int_equal(number(section(document, i), "images"), 12);
        nz_assert_near(number(json_object_get(section(document, i), "coco"), "AP") * 100, ap[i], 0, 1e-9);
        check_curves(section(document, i), 2);
        check_boxes_file(o.out, text(section(document, i), "detections"), ap[i] / 100);
        assert_null(json_object_get(json_object_get(model(document, i), "metrics"), "top1"));
    }
    assert_non_null(strstr(text(section(document, 0), "head"), "yolov5"));
    check_samples(section(document, 0), o.out, 0);
    check_samples(section(document, 1), o.out, 1);
    const json_t *difference = json_object_get(metric(document, 1, "map50_95"), "difference");
    nz_assert_near(number(difference, "value"), -40, 0, 1e-9);
    nz_assert_near(json_number_value(json_array_get(json_object_get(difference, "ci95"), 0)), -40, 0, 1e-9);
    assert_int_equal(number(difference, "n"), 12);
    assert_null(json_object_get(metric(document, 0, "map50_95"), "difference"));
    assert_null(json_object_get(section(document, 0), "match"));
    assert_int_equal(number(json_object_get(section(document, 2), "match"), "same_class"), 0);
    nz_assert_near(ratio(document, 1, "performance"), 0.6, 0, 1e-9);
    assert_string_equal(text(json_object_get(json_object_get(model(document, 1), "ratios"), "performance"), "of"),
                        "map50_95");
    assert_true(result.condition_held);
    assert_non_null(strstr(result.condition, "right/native/t1/b1: "));
    json_decref(document);
    nz_compare_result_done(&result);
}

static size_t count_files(const char *folder) {
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (!dir) return 0;
    for (const struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Adds to what the results say a file that lies elsewhere, as somebody might. */
static void name_another_file(const char *results, const char *file) {
    NZ_AUTO_JSON json_t *document = NULL;
    nz_assert_ok(nz_json_read(&document, results));
    json_object_set_new(section(document, 0), "detections", json_string(file));
    nz_assert_ok(nz_json_write(document, results));
}

static void a_run_into_the_same_folder_leaves_nothing_of_the_one_before(void **state) {
    (void)state;
    const char *data = make_data("again", 8, false);
    const char *const models[] = {save("first.onnx", (recipe){.shift = 0}), save("second.onnx", (recipe){.shift = 1})};
    nz_compare_options o = options(models, 2, data);
    nz_compare_result result;
    char out[4096];
    snprintf(out, sizeof out, "%s", nz_test_file("again out"));
    o.out = out;
    o.metrics = "map50";
    json_decref(run(&o, &result));
    nz_compare_result_done(&result);
    assert_int_equal(count_files(nz_test_file("again out/detections")), 2);
    assert_int_equal(count_files(nz_test_file("again out/samples")), 6);
    nz_assert_ok(nz_file_write(nz_test_file("again out/detections/mine.json"), "[]", 2));
    nz_assert_ok(nz_file_write(nz_test_file("again out/kept.json"), "[]", 2));
    o.models = (const char *const[]){nz_test_file("first.onnx")};
    o.model_count = 1;
    o.pictures = 1;
    json_decref(run(&o, &result));
    nz_compare_result_done(&result);
    assert_true(nz_file_exists(nz_test_file("again out/detections/first.json")));
    assert_false(nz_file_exists(nz_test_file("again out/detections/second.json")));
    assert_int_equal(count_files(nz_test_file("again out/samples")), 1);
    name_another_file(nz_test_file("again out/results.json"), "detections/../kept.json");
    o.metrics = "disk_bytes"; /* no boxes at all */
    o.models = (const char *const[]){nz_test_file("first.onnx")};
    json_decref(run(&o, &result));
    nz_compare_result_done(&result);
    assert_false(nz_dir_exists(nz_test_file("again out/samples")));
    assert_true(nz_file_exists(nz_test_file("again out/detections/mine.json"))); /* somebody else's */
    assert_true(nz_file_exists(nz_test_file("again out/kept.json")));
}

static void what_is_no_detector_says_so_and_ends_nothing(void **state) {
    (void)state;
    const char *data = make_data("some", 4, false), *broken = nz_test_file("broken.onnx");
    nz_assert_ok(nz_file_write(broken, "\x08\x07\x12garbage", 10));
    const char *const models[] = {save("scores.onnx", (recipe){.scores = true}), broken,
                                  save("three.onnx", (recipe){.classes = 3}), save("good.onnx", (recipe){.shift = 0})};
    nz_compare_options o = options(models, 4, data);
    nz_compare_result result;
    o.metrics = "map50,top1,box_agreement";
    o.performance = "map50_yolov5";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(result.failed, 1);
    assert_non_null(strstr(text(metric(document, 0, "map50"), "reason"), "head= and strides= may tell one"));
    assert_non_null(strstr(text(metric(document, 2, "map50"), "reason"), "class"));
    assert_string_equal(text(model(document, 1), "status"), "failed");
    assert_true(value(document, 3, "map50") == 100);
    assert_non_null(strstr(text(metric(document, 3, "box_agreement"), "reason"), "baseline"));
    assert_true(*text(metric(document, 3, "top1"), "reason"));
    assert_string_equal(text(json_object_get(json_object_get(model(document, 3), "ratios"), "performance"), "of"),
                        "map50_yolov5");
    assert_null(section(document, 0));
    json_decref(document);
    nz_compare_result_done(&result);
}

static void a_detector_on_images_of_one_class_each_is_unavailable(void **state) {
    (void)state;
    const char *const models[] = {save("finder.onnx", (recipe){.shift = 0})};
    nz_compare_options o = options(models, 1, "synthetic:shapes,limit=10");
    nz_compare_result result;
    o.metrics = "top1,map50";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_non_null(strstr(text(metric(document, 0, "top1"), "reason"), "the model is a detector (yolov5)"));
    assert_true(*text(metric(document, 0, "map50"), "reason"));
    json_decref(document);
    nz_compare_result_done(&result);
}

static void data_that_no_sample_can_be_read_of_says_why(void **state) {
    (void)state;
    const char *const models[] = {save("small.onnx", (recipe){.shift = 0})};
    nz_compare_options o = options(models, 1, "synthetic:shapes-det,limit=4,size=48");
    nz_compare_result result;
    o.metrics = "map50";
    json_t *document = run(&o, &result);
    assert_non_null(strstr(text(metric(document, 0, "map50"), "reason"), "48x48"));
    json_decref(document);
    nz_compare_result_done(&result);
    const char *data = make_data("gone", 2, false), *colon = strchr(data, ':');
    char spec[9000];
    snprintf(spec, sizeof spec, "coco:%.*s,images=%s", (int)strcspn(colon + 1, ","), colon + 1, nz_test_dir());
    o.data = spec;
    document = run(&o, &result);
    assert_non_null(strstr(text(metric(document, 0, "map50"), "reason"), "image-1000.png: "));
    json_decref(document);
    nz_compare_result_done(&result);
}

static void break_part(const char *path) {
    NZ_AUTO_JSON json_t *part = NULL;
    nz_assert_ok(nz_json_read(&part, path));
    assert_true(json_is_object(json_object_get(part, "predict")));
    json_object_set_new(part, "facts", json_pack("[i]", 1));
    nz_assert_ok(nz_json_write(part, path));
}

/* Facts that are none; the end of every file of boxes in `folder` overwritten: of the same size, but not to be read. */
static void break_parts(const char *folder) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[9000];
        size_t length = strlen(entry->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0) break_part(path);
        if (length < 6 || strcmp(entry->d_name + length - 6, ".boxes") != 0) continue;
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, -3, SEEK_END), 0);
        assert_int_equal(fwrite("xxx", 1, 3, file), 3);
        assert_int_equal(fclose(file), 0);
    }
    closedir(dir);
}

static void classes_in_another_order_are_noted(void **state) {
    (void)state;
    const char *data = make_data("order", 3, false);
    const char *const models[] = {save("right.onnx", (recipe){.classes_named = "[\"Red\",\"green\"]"}),
                                  save("wrong.onnx", (recipe){.classes_named = "[\"green\",\"red\"]"}),
                                  save("spoken.onnx", (recipe){.classes_named = "[\"rouge\",\"vert\"]"})};
    nz_compare_options o = options(models, 3, data);
    nz_compare_result result;
    o.metrics = "map50";
    json_t *document = run(&o, &result);
    for (size_t i = 0; i < 3; i++) {
        const json_t *notes = json_object_get(model(document, i), "notes");
        size_t found = 0;
        for (size_t k = 0; k < json_array_size(notes); k++)
            found += strstr(json_string_value(json_array_get(notes, k)),
                            "class 0 is 'green' to the model and 'red' to the data, where 'green' is class 1") != NULL;
        assert_int_equal(found, i == 1);
        assert_int_equal(json_array_size(notes), found); /* nothing else is wrong */
    }
    json_decref(document);
    nz_compare_result_done(&result);
}

static void options_of_the_heads_hold_for_all_models(void **state) {
    (void)state;
    const char *data = make_data("few", 6, false);
    const char *const models[] = {save("loud.onnx", (recipe){.shift = 0}),
                                  save("own.onnx", (recipe){.detect = "head=yolov5,conf=0.5"})};
    nz_compare_options o = options(models, 2, data);
    nz_compare_result result;
    NZ_AUTO_JSON json_t *manifest = NULL;
    char path[4200];
    o.out = nz_test_file("one box");
    o.metrics = "map50";
    o.pictures = 0;
    o.detect = "max=1";
    json_t *document = run(&o, &result);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(number(section(document, i), "boxes"), 5); /* of the red and the green one square each */
        assert_non_null(strstr(text(section(document, i), "options"), "max=1"));
        assert_null(json_object_get(section(document, i), "samples"));
    }
    assert_non_null(strstr(text(section(document, 1), "options"), "conf=0.5"));
    snprintf(path, sizeof path, "%s/manifest.json", o.out);
    nz_assert_ok(nz_json_read(&manifest, path));
    assert_string_equal(text(json_object_get(manifest, "options"), "detect"), "max=1");
    json_decref(document);
    nz_compare_result_done(&result);
    o.detect = "confidence=2";
    nz_assert_fails(nz_compare(&result, &o, NULL), NZ_E_ARG, "--detect");
}

static void each_model_may_get_preprocessing_of_its_own(void **state) {
    (void)state;
    const char *data = make_data("own", 6, false);
    const char *const models[] = {save("blue.onnx", (recipe){.preprocess = "color=bgr,scale=1/255"}),
                                  save("kept.onnx", (recipe){.shift = 0}), save("other.onnx", (recipe){.shift = 0})};
    const char *const preprocess[] = {"other=color=bgr,scale=1/255", "color=rgb"};
    nz_compare_options o = options(models, 3, data);
    nz_compare_result result;
    NZ_AUTO_JSON json_t *manifest = NULL;
    o.out = nz_test_file("own out");
    o.metrics = "map50";
    o.preprocess = preprocess;
    o.preprocess_count = 2;
    json_t *document = run(&o, &result);
    const double expected[] = {100, 100, 50}; /* who looks for red among blue finds the green squares alone */
    for (size_t i = 0; i < 3; i++) nz_assert_near(value(document, i, "map50"), expected[i], 0, 1e-9);
    assert_string_equal(text(model(document, 1), "preprocess"), "color=rgb,scale=1/255");
    assert_string_equal(text(model(document, 2), "preprocess"), "color=bgr,scale=1/255");
    nz_assert_ok(nz_json_read(&manifest, nz_test_file("own out/manifest.json")));
    assert_int_equal(json_array_size(json_object_get(json_object_get(manifest, "options"), "preprocess")), 2);
    json_decref(document);
    nz_compare_result_done(&result);
    static const char *const wrong[][2] = {{"othr=color=bgr", "none of the models (there is blue, kept, other)"},
                                           {"limit=3", "unknown key 'limit'"},
                                           {"other=preset=x", "preset=x should be"}};
    o.preprocess_count = 1;
    for (size_t i = 0; i < NZ_COUNT(wrong); i++) {
        o.preprocess = &wrong[i][0];
        nz_assert_fails(nz_compare(&result, &o, NULL), NZ_E_ARG, wrong[i][1]);
    }
    o.data = NULL;
    nz_assert_fails(nz_compare(&result, &o, NULL), NZ_E_ARG, "--preprocess needs --data");
}

static void images_that_one_model_cannot_read_are_left_out_of_the_difference(void **state) {
    (void)state;
    const char *data = make_data("sizes", 8, true);
    const char *const models[] = {save("boxed.onnx", (recipe){.preprocess = "letterbox=32,scale=1/255"}),
                                  save("plain.onnx", (recipe){.shift = 1})};
    nz_compare_options o = options(models, 2, data);
    nz_compare_result result;
    o.metrics = "map50_95,box_iou";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(number(metric(document, 0, "map50_95"), "n"), 9);
    assert_int_equal(number(metric(document, 1, "map50_95"), "n"), 8);
    const json_t *difference = json_object_get(metric(document, 1, "map50_95"), "difference");
    assert_int_equal(number(difference, "n"), 8);
    nz_assert_near(number(difference, "value"), -40, 0, 1e-9);
    nz_assert_near(value(document, 1, "box_iou"), 7.0 / 9, 0, 1e-9);
    bool noted = false;
    const json_t *notes = json_object_get(model(document, 1), "notes");
    for (size_t i = 0; i < json_array_size(notes); i++)
        noted = noted || strstr(json_string_value(json_array_get(notes, i)), "1 samples could not be read");
    assert_true(noted);
    json_decref(document);
    nz_compare_result_done(&result);
}

static void models_without_a_common_image_are_not_matched(void **state) {
    (void)state;
    const char *data = make_data("apart", 4, true);
    const char *const models[] = {save("square.onnx", (recipe){.shift = 0}), save("wide.onnx", (recipe){.wide = true})};
    nz_compare_options o = options(models, 2, data);
    nz_compare_result result;
    o.metrics = "map50,box_agreement";
    json_t *document = run(&o, &result);
    check_document(document);
    const double images[] = {4, 1};
    for (size_t i = 0; i < 2; i++) {
        nz_assert_near(value(document, i, "map50"), 100, 0, 1e-9);
        assert_true(number(metric(document, i, "map50"), "n") == images[i]);
    }
    assert_non_null(strstr(text(metric(document, 1, "box_agreement"), "reason"), "no image that both"));
    assert_null(json_object_get(metric(document, 1, "map50"), "difference"));
    assert_null(json_object_get(section(document, 1), "match"));
    json_decref(document);
    nz_compare_result_done(&result);
}

static void variants_of_a_model_share_their_boxes(void **state) {
    (void)state;
    const char *data = make_data("shared", 5, false);
    const char *const models[] = {save("one.onnx", (recipe){.shift = 0}), save("two.onnx", (recipe){.shift = 1})};
    nz_compare_options o = options(models, 2, data);
    nz_compare_result result;
    o.threads = (const int[]){1, 2};
    o.thread_count = 2;
    o.metrics = "map50_95,box_agreement";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(json_array_size(json_object_get(document, "models")), 4);
    assert_true(json_equal(section(document, 1), section(document, 3)));
    assert_true(json_object_get(metric(document, 3, "map50_95"), "difference") != NULL);
    assert_true(value(document, 3, "map50_95") == value(document, 1, "map50_95"));
    json_decref(document);
    nz_compare_result_done(&result);
}

/* Runs the program and kills it once a file of this ending is kept in `out`: of ".boxes" what a model found, of ".json" what is
 * known of it, which is written after its boxes. */
static void kill_half_way(const char *out, const char *const *arguments, const char *ending) {
    char work[4200];
    int how;
    snprintf(work, sizeof work, "%s/.work", out);
    pid_t pid = start("/dev/null", arguments);
    while (!has_predictions(work, ending) && waitpid(pid, &how, WNOHANG) == 0) nap();
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how)); /* it had not ended by itself */
}

static void a_killed_comparison_of_detectors_resumes_to_the_same_results(void **state) {
    (void)state;
    const char *data = make_data("killed", 40, false);
    const char *first = save("k1.onnx", (recipe){.shift = 0}), *second = save("k2.onnx", (recipe){.shift = 1});
    const char *third = save("k3.onnx", (recipe){.swapped = true});
    const char *whole = nz_test_file("whole run"), *out = nz_test_file("cut run");
    const char *const straight[] = {"netzip", "compare",  first,  second,  third, "--data",
                                    data,     "--budget", "0.05", "--out", whole, NULL};
    const char *const killed[] = {"netzip", "compare",  first,  second,  third, "--data",
                                  data,     "--budget", "0.05", "--out", out,   NULL};
    const char *const resumed[] = {"netzip",   "compare", first,   second, third,      "--data", data,
                                   "--budget", "0.05",    "--out", out,    "--resume", NULL};
    assert_int_equal(run_program(straight), 0);
    kill_half_way(out, killed, ".boxes");
    assert_int_equal(run_program(resumed), 0);
    NZ_AUTO_JSON json_t *a = timeless(nz_test_file("whole run/results.json")),
                        *b = timeless(nz_test_file("cut run/results.json"));
    assert_same(a, b);
    assert_false(nz_dir_exists(nz_test_file("cut run/.work")));
}

static void parts_that_cannot_be_read_back_are_made_again(void **state) {
    (void)state;
    const char *data = make_data("spoilt", 20, false), *out = nz_test_file("spoilt run");
    const char *first = save("b1.onnx", (recipe){.shift = 0}), *second = save("b2.onnx", (recipe){.shift = 1});
    const char *const killed[] = {
        "netzip", "compare", first,       second,  first,   second, /* again: time to be killed */
        "--data", data,      "--metrics", "map50", "--out", out,    NULL};
    const char *const resumed[] = {"netzip",    "compare", first,   second, "--data",   data,
                                   "--metrics", "map50",   "--out", out,    "--resume", NULL};
    NZ_AUTO_JSON json_t *document = NULL;
    kill_half_way(out, killed, ".json");
    break_parts(nz_test_file("spoilt run/.work"));
    assert_int_equal(run_program(resumed), 0);
    nz_assert_ok(nz_json_read(&document, nz_test_file("spoilt run/results.json")));
    for (size_t i = 0; i < 2; i++) {
        nz_assert_near(value(document, i, "map50"), 100, 0, 1e-9);
        assert_true(value(document, i, "chats") > 0);
    }
}

static void boxes_of_other_options_are_not_taken_over(void **state) {
    (void)state;
    static const char *const other[][2] = {{"--detect", "max=1"}, {"--preprocess", "o1=color=bgr,scale=1/255"}};
    const char *data = make_data("options", 20, false), *out = nz_test_file("other options");
    const char *first = save("o1.onnx", (recipe){.shift = 0}), *second = save("o2.onnx", (recipe){.shift = 1});
    const char *const killed[] = {
        "netzip", "compare", first,       second,  first,   second, /* again: time to be killed */
        "--data", data,      "--metrics", "map50", "--out", out,    NULL};
    for (size_t i = 0; i < NZ_COUNT(other); i++) {
        const char *const resumed[] = {"netzip", "compare", first, second,     "--data",    data,        "--metrics",
                                       "map50",  "--out",   out,   "--resume", other[i][0], other[i][1], NULL};
        NZ_AUTO_JSON json_t *document = NULL;
        kill_half_way(out, killed, ".json");
        assert_int_equal(run_program(resumed), 0);
        nz_assert_ok(nz_json_read(&document, nz_test_file("other options/results.json")));
        /* Of the twenty images one shows nothing, the others two squares: one box each, or the green ones alone. */
        assert_int_equal(number(section(document, 0), "boxes"), 19);
    }
}

static void the_shared_detector_scores_what_is_expected(void **state) {
    (void)state;
    char data[9000];
    const char *const models[] = {nz_test_shared("models/yolov5n_640.onnx")};
    snprintf(data, sizeof data, "coco:%s,images=%s,limit=8,letterbox=640:centre:114:round",
             nz_test_shared("coco-val128/instances.json"), nz_test_shared("coco-val128/images"));
    nz_compare_options o = options(models, 1, data);
    nz_compare_result result;
    o.metrics = "map50,map50_95";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(number(section(document, 0), "images"), 8);
    check_curves(section(document, 0), 80);
    /* The first eight images alone; figures as of the whole are those of `netzip detect`'s test. */
    assert_true(value(document, 0, "map50") > 40 && value(document, 0, "map50_95") > 25);
    json_decref(document);
    nz_compare_result_done(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detectors_are_compared_by_their_boxes),
        cmocka_unit_test(a_run_into_the_same_folder_leaves_nothing_of_the_one_before),
        cmocka_unit_test(what_is_no_detector_says_so_and_ends_nothing),
        cmocka_unit_test(a_detector_on_images_of_one_class_each_is_unavailable),
        cmocka_unit_test(data_that_no_sample_can_be_read_of_says_why),
        cmocka_unit_test(classes_in_another_order_are_noted),
        cmocka_unit_test(options_of_the_heads_hold_for_all_models),
        cmocka_unit_test(each_model_may_get_preprocessing_of_its_own),
        cmocka_unit_test(images_that_one_model_cannot_read_are_left_out_of_the_difference),
        cmocka_unit_test(models_without_a_common_image_are_not_matched),
        cmocka_unit_test(variants_of_a_model_share_their_boxes),
        cmocka_unit_test(a_killed_comparison_of_detectors_resumes_to_the_same_results),
        cmocka_unit_test(parts_that_cannot_be_read_back_are_made_again),
        cmocka_unit_test(boxes_of_other_options_are_not_taken_over),
        cmocka_unit_test(the_shared_detector_scores_what_is_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
