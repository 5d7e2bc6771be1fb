/* SPDX-License-Identifier: Apache-2.0 */
/* Real detectors on labelled photographs: what ONNX Runtime, Pillow, NumPy and the reference evaluator gave on the same
 * images, by the protocol that the shared data's README states. */
#include "graph/build.h"
#include "netzip/compress.h"
#include "netzip/detect.h"
#include "netzip/onnx.h"
#include "test.h"

typedef struct row {
    const char *model, *keys, *head;
    const char *limit; /* "" : all 128 images */
    int when;          /* PLAIN: not under sanitizers, where it takes long; LONG: by ./run test --long alone */
    size_t truths;
    double stats[NZ_COCO_AR100 + 1]; /* as COCO lists them */
} row;

enum { ALWAYS, PLAIN, LONG };

#define YOLOX "models/yolox_nano.onnx", "preset=yolox", "yolox (1x3549x85), conf 0.001, NMS IoU 0.65, at most 300 boxes"
#define YOLOV5                                                                                                         \
    "models/yolov5n_640.onnx", "preset=yolov5", "yolov5 (1x25200x85), conf 0.001, NMS IoU 0.6, at most 300 boxes"

/* The first images alone: counted by netzip, from the boxes that give what the reference gives on all. */
static const row rows[] = {
    {YOLOX, "", PLAIN, 898, {.342572, .506652, .374401, .126116, .284001, .496260, .295228, .482238, .516902}},
    {YOLOX, ",limit=12", ALWAYS, 95, {.377259, .591996, .356235, .127757, .357984, .673251, .298511, .424566, .452804}},
    {YOLOV5, "", LONG, 898, {.336842, .522291, .370159, .173176, .330868, .466737, .301251, .499612, .536122}},
    {YOLOV5, ",limit=12", PLAIN, 95, {.359940, .543096, .370048, .170601, .350667, .634235, .282372, .430242, .478912}},
};

static nz_dataset *images(const nz_graph *graph, const char *keys, const char *limit) {
    nz_dataset *data = NULL;
    char spec[20000];
    snprintf(spec, sizeof spec, "coco:%s,images=%s,%s%s", nz_test_shared("coco-val128/instances.json"),
             nz_test_shared("coco-val128/images"), keys, limit);
    nz_assert_ok(nz_data_open_for_model(&data, spec, NZ_DATA_COMPARE, graph));
    return data;
}

static nz_detections detect(const nz_graph *graph, const row *r, char *description) {
    nz_dataset *data = images(graph, r->keys, r->limit);
    nz_detections d = {0};
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {0};
    nz_assert_ok(nz_detect_options_read(&options, "", graph));
    nz_detect_run run = {.options = &options, .description = description};
    nz_assert_ok(nz_detect(&d, NULL, graph, data, &run, NULL));
    nz_data_free(data);
    return d;
}

/* The kernels of another CPU round otherwise, which may exchange two boxes of nearly equal score. */
static void check(const row *r) {
    char description[NZ_DETECT_TEXT];
    const char *sanitize = getenv("NETZIP_SANITIZE");
    bool slow = sanitize && strcmp(sanitize, "none") != 0;
    if (r->when == LONG && !nz_test_long()) nz_test_skip("%s: only in the long run", r->model);
    if (r->when != ALWAYS && slow) nz_test_skip("%s%s: only without sanitizers", r->model, r->limit);
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    nz_assert_ok(nz_model_load(&graph, nz_test_shared(r->model)));
    nz_detections d = detect(graph, r, description);
    nz_coco_result result;
    assert_string_equal(description, r->head);
    assert_int_equal(d.truth_count, r->truths);
    nz_assert_ok(nz_coco_evaluate(&result, &d));
    for (int i = 0; i <= NZ_COCO_AR100; i++)
        if (fabs(result.stats[i] - r->stats[i]) > 5e-4)
            fail_msg("%s%s: %s is %.6f, expected %.6f", r->model, r->limit, nz_coco_stat_name((nz_coco_stat)i),
                     result.stats[i], r->stats[i]);
    nz_coco_result_done(&result);
    nz_detections_done(&d);
}

static void yolox_nano_scores_what_the_reference_does(void **state) {
    (void)state;
    check(&rows[0]);
}

static void yolox_nano_on_the_first_images(void **state) {
    (void)state;
    check(&rows[1]);
}

static void yolov5n_scores_what_the_reference_does(void **state) {
    (void)state;
    check(&rows[2]);
}

static void yolov5n_on_the_first_images(void **state) {
    (void)state;
    check(&rows[3]);
}

static double map50(const nz_graph *graph, const row *r) {
    char description[NZ_DETECT_TEXT];
    nz_coco_result result;
    nz_detections d = detect(graph, r, description);
    nz_assert_ok(nz_coco_evaluate(&result, &d));
    double found = result.stats[NZ_COCO_AP50];
    nz_coco_result_done(&result);
    nz_detections_done(&d);
    return found;
}

/* In integers, with what stays float chosen by measurement, on images that calibration has not seen. */
static void integers_cost_two_points_at_most(void **state) {
    (void)state;
    if (!nz_test_long()) nz_test_skip("integers: only in the long run");
    static const row halves[] = {{YOLOX, .limit = ",limit=64"}, {YOLOV5, .limit = ",limit=64"}};
    for (size_t i = 0; i < NZ_COUNT(halves); i++) {
        NZ_AUTO_GRAPH nz_graph *graph = NULL;
        NZ_AUTO_GRAPH nz_graph *integers = NULL;
        nz_assert_ok(nz_model_load(&graph, nz_test_shared(halves[i].model)));
        nz_dataset *data = images(graph, halves[i].keys, ",offset=64");
        nz_assert_ok(nz_compress(&integers, NULL, graph, "ptq,sqnr=0", data, 1, NULL));
        nz_data_free(data);
        double exact = map50(graph, &halves[i]), rounded = map50(integers, &halves[i]);
        assert_true(exact > 0.45);
        if (!(rounded > exact - 0.02)) fail_msg("%s: %.4f, in integers %.4f", halves[i].model, exact, rounded);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolox_nano_scores_what_the_reference_does), cmocka_unit_test(yolox_nano_on_the_first_images),
        cmocka_unit_test(yolov5n_scores_what_the_reference_does),    cmocka_unit_test(yolov5n_on_the_first_images),
        cmocka_unit_test(integers_cost_two_points_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
