/* SPDX-License-Identifier: Apache-2.0 */
/* YOLOv5's networks: what their head decodes, where its boxes stand, how it begins, and weights that come from checkpoints. */
#include "graphs.h"

#include "core/text.h"
#include "graph/arch.h"
#include "import/checkpoint.h"
#include "netzip/data.h"
#include "netzip/import.h"
#include "netzip/onnx.h"
#include "netzip/runtime.h"

static const char tiny[] = "yolov5-tiny";

static nz_graph *build(const char *name, const nz_arch_options *options) {
    nz_graph *graph = NULL;
    nz_assert_ok(nz_arch_build(&graph, name, options));
    return graph;
}

static float *constant(const nz_graph *graph, const char *name) {
    int value = nz_graph_find_value(graph, name);
    if (value < 0 || !nz_value_is_constant(graph, value)) fail_msg("there is no constant %s", name);
    return graph->values[value].constant.data;
}

/* The output for `count` images; the caller frees it. */
static float *run(const nz_graph *graph, const float *x, int64_t count, nz_shape *ret_shape) {
    nz_session *session = NULL;
    nz_assert_ok(nz_session_open(&session, "native", graph, NULL, &(nz_runtime_options){.threads = 1, .batch = count}));
    nz_shape in = nz_session_input(session, 0, NULL)->shape;
    *ret_shape = nz_session_output(session, 0, NULL)->shape;
    float *y = calloc((size_t)nz_shape_elements(ret_shape), sizeof *y);
    nz_tensor input = nz_tensor_borrow(NZ_F32, &in, (void *)(uintptr_t)x);
    nz_tensor output = nz_tensor_borrow(NZ_F32, ret_shape, y);
    nz_assert_ok(nz_session_run(session, &input, &output));
    nz_session_free(session);
    return y;
}

static double sigmoid(double t) { return 1 / (1 + exp(-t)); }

/* With weights of zero the head's biases are all that reaches the decoding: one t for every anchor, the same in all cells. */
static void boxes_are_decoded_in_order(void **state) {
    (void)state;
    enum { HEIGHT = 64, WIDTH = 96, CLASSES = 2, NUMBERS = 5 + CLASSES, ANCHORS = 3 };
    static const double anchors[3][3][2] = {
        {{4, 6}, {7, 8}, {9, 10}}, {{11, 12.5}, {13, 14}, {15, 16}}, {{20, 21}, {30, 31}, {40, 41}}};
    nz_arch_options options = {.classes = CLASSES,
                               .height = HEIGHT,
                               .width = WIDTH,
                               .blank = true,
                               .anchors = "4x6+7x8+9x10/11x12.5+13x14+15x16/20x21+30x31+40x41"};
    NZ_AUTO_GRAPH nz_graph *graph = build(tiny, &options);
    NZ_AUTO_FREE float *x = calloc(2 * 3 * HEIGHT * WIDTH, sizeof *x);
    nz_shape shape;
    for (int l = 0; l < 3; l++) {
        NZ_AUTO_FREE char *name = NULL;
        nz_assert_ok(nz_format(&name, "model.24.m.%d.bias", l));
        float *t = constant(graph, name);
        for (int i = 0; i < ANCHORS * NUMBERS; i++) t[i] = (float)(l + 1) * 0.1f * (float)(i - 8);
    }
    NZ_AUTO_FREE float *y = run(graph, x, 2, &shape);
    assert_true(nz_shape_equal(&shape, &SHAPE(2, 3 * (8 * 12 + 4 * 6 + 2 * 3), NUMBERS)));
    const float *box = y;
    for (int n = 0; n < 2; n++)
        for (int l = 0; l < 3; l++) {
            int stride = 8 << l;
            for (int a = 0; a < ANCHORS; a++)
                for (int r = 0; r < HEIGHT / stride; r++)
                    for (int c = 0; c < WIDTH / stride; c++, box += NUMBERS) {
                        double s[NUMBERS];
                        for (int i = 0; i < NUMBERS; i++) s[i] = sigmoid((l + 1) * 0.1 * (a * NUMBERS + i - 8));
                        nz_assert_near(box[0], (2 * s[0] - 0.5 + c) * stride, 1e-5, 1e-5);
                        nz_assert_near(box[1], (2 * s[1] - 0.5 + r) * stride, 1e-5, 1e-5);
                        nz_assert_near(box[2], 4 * s[2] * s[2] * anchors[l][a][0], 1e-5, 0);
                        nz_assert_near(box[3], 4 * s[3] * s[3] * anchors[l][a][1], 1e-5, 0);
                        for (int i = 4; i < NUMBERS; i++) nz_assert_near(box[i], s[i], 1e-5, 0);
                    }
        }
}

static void metadata_tell_head_and_images(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *own = build("yolov5n", &(nz_arch_options){.blank = true});
    NZ_AUTO_GRAPH nz_graph *wide = build("yolov5n", &(nz_arch_options){.blank = true, .height = 384, .width = 640});
    assert_string_equal(nz_graph_meta(own, "netzip.detect"),
                        "head=yolov5,anchors=10x13+16x30+33x23/30x61+62x45+59x119/116x90+156x198+373x326,"
                        "strides=8+16+32");
    assert_string_equal(nz_graph_meta(own, "netzip.preprocess"), "letterbox=640:centre:114:round");
    assert_string_equal(nz_graph_meta(wide, "netzip.preprocess"), "letterbox=384x640:centre:114:round");
    assert_true(nz_shape_equal(&wide->values[wide->outputs[0]].shape, &SHAPE(-1, 15120, 85)));
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    nz_graph *none = NULL;
    static const char *const anchors[] = {
        "",
        "10x13",
        "1x2+3x4+5x6/1x2+3x4+5x6/1x2+3x4",
        "1x2+3x4+5x6/1x2+3x4+5x6/1x2+3x4+5x6+7x8",
        "1x2+3x4+5x6/1x2+3x4+5x6/1x2+3x4+5x6/1x2+3x4+5x6",
        "1x2+3x4+5x6/1x2+3x4+5x6/1x2+3x4+5x0",
        "1x2+3x4+5x6/1x2+3x4+5x6/1x2+3x4+5xnan",
        "1x2+3x4+5x6/1x2+3x4+5x6/1x2+3x4+5",
    };
    for (size_t i = 0; i < NZ_COUNT(anchors); i++)
        nz_assert_fails(nz_arch_build(&none, tiny, &(nz_arch_options){.blank = true, .anchors = anchors[i]}), NZ_E_ARG,
                        "3 levels of 3 are wanted");
    nz_assert_fails(nz_arch_build(&none, tiny, &(nz_arch_options){.blank = true, .height = 100}), NZ_E_ARG,
                    "multiples of 32");
    nz_assert_fails(nz_arch_build(&none, "yolov5x", NULL), NZ_E_ARG, "did you mean 'yolov5");
    assert_null(none);
}

/* A share of 8 objects in the cells of a level, all classes alike; the draw of the bias lies around that. */
static void the_head_begins_with_few_objects(void **state) {
    (void)state;
    enum { CLASSES = 80, NUMBERS = 85 };
    NZ_AUTO_GRAPH nz_graph *graph = build("yolov5n", &(nz_arch_options){.height = 64, .width = 64, .seed = 5});
    for (int l = 0; l < 3; l++) {
        NZ_AUTO_FREE char *name = NULL;
        nz_assert_ok(nz_format(&name, "model.24.m.%d.bias", l));
        const float *bias = constant(graph, name);
        double cells = 640.0 / (8 << l), spread = 1 / sqrt(64 << l), sum = 0;
        for (int a = 0; a < 3; a++)
            for (int i = 0; i < NUMBERS; i++) {
                double prior = i < 4 ? 0 : i == 4 ? log(8 / (cells * cells)) : log(0.6 / (CLASSES - 0.99999));
                assert_true(fabs((double)bias[a * NUMBERS + i] - prior) <= spread + 1e-6);
                sum += (double)bias[a * NUMBERS + i] - prior;
            }
        assert_true(fabs(sum / (3 * NUMBERS)) < spread / 4);
    }
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    enum { SIDE = 64, COUNT = 2 * 3 * SIDE * SIDE };
    NZ_AUTO_GRAPH nz_graph *made = build(tiny, &(nz_arch_options){.classes = 4, .height = SIDE, .width = SIDE});
    NZ_AUTO_GRAPH nz_graph *read = NULL;
    NZ_AUTO_FREE float *x = calloc(COUNT, sizeof *x);
    nz_shape shape;
    for (size_t i = 0; i < COUNT; i++) x[i] = (float)((i * 37 + 11) % 101) / 101;
    nz_assert_ok(nz_model_save(made, nz_test_file("yolo.onnx")));
    nz_assert_ok(nz_model_load(&read, nz_test_file("yolo.onnx")));
    assert_string_equal(nz_graph_meta(made, "netzip.detect"), nz_graph_meta(read, "netzip.detect"));
    NZ_AUTO_FREE float *before = run(made, x, 2, &shape);
    NZ_AUTO_FREE float *after = run(read, x, 2, &shape);
    assert_true(nz_shape_equal(&shape, &SHAPE(2, 252, 9)));
    assert_memory_equal(before, after, 2 * 252 * 9 * sizeof *before);
    for (size_t i = 0; i < 2 * 252 * 9; i++) assert_true(isfinite(before[i]));
}

/* ---- checkpoints ---- */

static void free_checkpoint(nz_checkpoint **checkpoint) { nz_checkpoint_free(*checkpoint); }
#define AUTO_CHECKPOINT NZ_AUTO(free_checkpoint) nz_checkpoint *

/* All that a state dictionary has, in half precision, as published checkpoints hold it. */
static nz_checkpoint *checkpoint_of(const nz_graph *graph) {
    nz_checkpoint *checkpoint = NULL;
    nz_assert_ok(nz_alloc(&checkpoint, 1, sizeof *checkpoint));
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        NZ_AUTO_TENSOR nz_tensor tensor = {0};
        if (!value->constant.data || value->dtype != NZ_F32 || value->shape.rank < 1 || strchr(value->name, ':'))
            continue;
        nz_assert_ok(nz_tensor_init(&tensor, NZ_F16, &value->shape));
        for (int64_t i = 0; i < nz_shape_elements(&value->shape); i++)
            nz_tensor_set_real(&tensor, i, nz_tensor_real(&value->constant, i));
        nz_assert_ok(nz_checkpoint_add(checkpoint, value->name, &tensor));
    }
    return checkpoint;
}

static void a_checkpoint_brings_classes_and_anchors(void **state) {
    (void)state;
    static const char anchors[] = "4x6+8x8+9x10/12x12+14x14+16x16/20x24+30x32+40x44";
    NZ_AUTO_GRAPH nz_graph *from = build(tiny, &(nz_arch_options){.classes = 7, .anchors = anchors});
    NZ_AUTO_GRAPH nz_graph *to = NULL;
    NZ_AUTO_GRAPH nz_graph *asked = NULL;
    AUTO_CHECKPOINT checkpoint = checkpoint_of(from);
    NZ_AUTO(nz_import_report_done) nz_import_report report = {0}, other = {0}, best = {0};
    const char *name = NULL;
    nz_assert_ok(nz_import_checkpoint(&to, &report, checkpoint, "t.pt", tiny, NULL));
    assert_int_equal(report.loaded, 292);
    assert_int_equal(report.missing_count + report.extra_count + report.reshaped_count, 0);
    assert_true(report.classes == 7 && report.classes_from_checkpoint);
    assert_string_equal(nz_graph_meta(to, "netzip.detect"), nz_graph_meta(from, "netzip.detect"));
    assert_non_null(strstr(nz_graph_meta(to, "netzip.detect"), anchors));
    assert_memory_equal(constant(to, "model.24.anchors"), constant(from, "model.24.anchors"), 18 * sizeof(float));
    nz_assert_ok(nz_import_best(&name, &best, checkpoint));
    assert_string_equal(name, tiny);
    nz_assert_ok(nz_import_checkpoint(&asked, &other, checkpoint, "t.pt", tiny, &(nz_arch_options){.classes = 3}));
    assert_true(other.classes == 3 && !other.classes_from_checkpoint && other.reshaped_count == 6);
    assert_non_null(strstr(nz_graph_meta(asked, "netzip.detect"), anchors));
}

/* Weights are what they are; but anchors that are no sizes would make metadata that nothing reads. */
static void a_checkpoint_without_sizes_is_refused(void **state) {
    (void)state;
    static const double bad[] = {0, -1, NAN, INFINITY, 65000};
    NZ_AUTO_GRAPH nz_graph *from = build(tiny, &(nz_arch_options){.classes = 2, .blank = true});
    for (size_t i = 0; i < NZ_COUNT(bad); i++) {
        nz_graph *to = NULL;
        AUTO_CHECKPOINT checkpoint = checkpoint_of(from);
        nz_import_report report = {0};
        for (size_t e = 0; e < checkpoint->count; e++)
            if (strcmp(checkpoint->entries[e].name, "model.24.anchors") == 0)
                nz_tensor_set_real(&checkpoint->entries[e].tensor, 15, bad[i]);
        nz_assert_fails(nz_import_checkpoint(&to, &report, checkpoint, "t.pt", tiny, NULL), NZ_E_FORMAT,
                        "t.pt: model.24.anchors [2, 1] is ");
        assert_null(to);
    }
}

static void free_data(nz_dataset **data) { nz_data_free(*data); }

/* The published weights, in a network of our own and in the exported one: the same boxes of a real image. */
static void published_weights_find_what_the_exported_network_finds(void **state) {
    (void)state;
    const char *checkpoint = nz_test_shared("models/yolov5n.pt"), *exported = nz_test_shared("models/yolov5n_640.onnx");
    NZ_AUTO_GRAPH nz_graph *own = NULL;
    NZ_AUTO_GRAPH nz_graph *other = NULL;
    NZ_AUTO(nz_import_report_done) nz_import_report report = {0};
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    NZ_AUTO_FREE char *spec = NULL;
    nz_shape shape;
    int32_t label;
    nz_assert_ok(nz_format(&spec, "coco:%s,images=%s", nz_test_shared("coco-val128/instances.json"),
                           nz_test_shared("coco-val128/images")));
    nz_assert_ok(nz_import(&own, &report, checkpoint, "yolov5n", NULL));
    assert_true(report.loaded == 292 && report.classes == 80 && report.counters == 57);
    assert_int_equal(report.missing_count + report.extra_count + report.reshaped_count, 0);
    assert_int_equal(strncmp(nz_graph_meta(own, "netzip.classes"), "[\"person\",\"bicycle\",", 20), 0);
    nz_assert_ok(nz_model_load(&other, exported));
    nz_assert_ok(nz_data_open_for_model(&data, spec, NZ_DATA_COMPARE, own));
    nz_data_shape(data, &shape);
    assert_true(nz_shape_equal(&shape, &SHAPE(3, 640, 640)));
    NZ_AUTO_FREE float *x = calloc((size_t)nz_shape_elements(&shape), sizeof *x);
    nz_assert_ok(nz_data_get(data, 0, x, &label));
    NZ_AUTO_FREE float *a = run(own, x, 1, &shape);
    NZ_AUTO_FREE float *b = run(other, x, 1, &shape);
    assert_true(nz_shape_equal(&shape, &SHAPE(1, 25200, 85)));
    for (size_t i = 0; i < 25200 * 85;
         i++) { /* extents, of up to 640 pixels, are squares of what rounding has touched */
        bool extent = i % 85 == 2 || i % 85 == 3;
        nz_assert_near(a[i], b[i], extent ? 3e-5 : 0, i % 85 < 4 ? 1e-4 * (extent ? 1 : 10) : 1e-5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_decoded_in_order),
        cmocka_unit_test(metadata_tell_head_and_images),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(the_head_begins_with_few_objects),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_checkpoint_brings_classes_and_anchors),
        cmocka_unit_test(a_checkpoint_without_sizes_is_refused),
        cmocka_unit_test(published_weights_find_what_the_exported_network_finds),
    };
    return cmocka_run_group_tests_name("arch_yolov5", tests, NULL, NULL);
}
