/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of detectors: told by shapes, and the same box read out of every head's own spelling of it. */
#include "core/memory.h"
#include "netzip/arch.h"
#include "netzip/detect.h"
#include "test.h"

enum { OUTPUTS_MAX = 4 };

static nz_detect_options read_options(const char *text) {
    nz_detect_options options = {0};
    nz_assert_ok(nz_detect_options_read(&options, text, NULL));
    return options;
}

/* What a model has: outputs with their extents, ended by rank 0. */
typedef struct model {
    const char *options;
    int64_t width, height;
    nz_shape outputs[OUTPUTS_MAX];
    size_t data_classes;
    const char *head; /* beginning of the description; of a refusal: part of its message */
    size_t classes;   /* 0: refused */
} model;

static nz_status open_model(nz_detector **ret_detector, const model *m) {
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = read_options(m->options);
    nz_tensor outputs[OUTPUTS_MAX] = {{0}};
    size_t count = 0;
    for (; count < OUTPUTS_MAX && m->outputs[count].rank; count++)
        outputs[count] = nz_tensor_borrow(NZ_F32, &m->outputs[count], NULL);
    nz_shape input = {4, {m->outputs[0].dim[0], 3, m->height, m->width}};
    return nz_detector_open(ret_detector, &options, &input, false, outputs, count, m->data_classes);
}

static void check_told(const model *m) {
    nz_detector *detector = NULL;
    nz_status status = open_model(&detector, m);
    if (!m->classes) {
        assert_int_not_equal(status, NZ_OK);
        if (!strstr(nz_last_error(), m->head)) fail_msg("'%s' lacks '%s'", nz_last_error(), m->head);
        assert_null(detector);
        return;
    }
    nz_assert_ok(status);
    const char *text = nz_detector_describe(detector);
    if (strncmp(text, m->head, strlen(m->head)) != 0) fail_msg("'%s' does not begin with '%s'", text, m->head);
    assert_int_equal(nz_detector_classes(detector), m->classes);
    nz_detector_free(detector);
}

static void a_head_is_told_by_its_shapes(void **state) {
    (void)state;
    const model models[] = {
        {"", 640, 640, {{3, {1, 25200, 85}}}, 0, "yolov5 (1x25200x85), conf 0.001, NMS IoU 0.6, at most 300 boxes", 80},
        {"",
         640,
         640,
         {{3, {1, 25200, 85}}, {5, {1, 3, 80, 80, 85}}, {5, {1, 3, 40, 40, 85}}},
         0,
         "yolov5 (1x25200x85)",
         80},
        {"", 416, 416, {{3, {1, 3549, 85}}}, 0, "yolox (1x3549x85), conf 0.001, NMS IoU 0.65", 80},
        {"", 640, 640, {{3, {1, 84, 8400}}}, 0, "yolov8 (1x84x8400)", 80},
        {"", 640, 384, {{3, {1, 84, 5040}}}, 0, "yolov8 (1x84x5040)", 80}, /* lying */
        {"", 96, 160, {{3, {2, 945, 6}}}, 0, "yolov5 (2x945x6)", 1},
        {"", 100, 76, {{3, {1, 177, 7}}}, 0, "yolox (1x177x7)", 2},              /* no multiple of 32: cells round up */
        {"", 1280, 1280, {{3, {1, 102000, 85}}}, 0, "yolov5 (1x102000x85)", 80}, /* a fourth level */
        {"",
         640,
         640,
         {{4, {1, 255, 80, 80}}, {4, {1, 255, 40, 40}}, {4, {1, 255, 20, 20}}},
         0,
         "yolov5-raw (1x255x80x80, 1x255x40x40, 1x255x20x20)",
         80},
        {"",
         640,
         640,
         {{5, {1, 3, 80, 80, 85}}, {5, {1, 3, 40, 40, 85}}, {5, {1, 3, 20, 20, 85}}},
         80,
         "yolov5-raw",
         80},
        {"",
         640,
         320,
         {{4, {1, 40, 80, 21}}, {4, {1, 20, 40, 21}}},
         0,
         "yolov5-raw",
         2},                                                                /* channels last, two levels */
        {"", 640, 640, {{3, {1, 8400, 84}}}, 80, "yolov8 (1x8400x84)", 80}, /* the data's classes tell it */
        {"", 640, 640, {{3, {1, 8400, 84}}}, 0, "yolox (1x8400x84)", 79},   /* without them: the order of the list */
        {"head=yolov8", 640, 640, {{3, {1, 8400, 84}}}, 0, "yolov8", 80},
        {"head=yolox-decoded,conf=0.5,iou=0.4,max=7,labels=best,nms=all",
         416,
         416,
         {{3, {1, 3549, 85}}},
         80,
         "yolox-decoded (1x3549x85), conf 0.5, NMS IoU 0.4 over all classes, at most 7 boxes, best class alone",
         80},
        {"head=yolov5", 300, 300, {{3, {1, 1234, 9}}}, 0, "yolov5 (1x1234x9)", 4}, /* decoded: the number is free */
        {"head=yolov5-raw,strides=16,anchors=10x10+20x20", 160, 160, {{4, {1, 14, 10, 10}}}, 0, "yolov5-raw", 2},
        {"strides=4+8+16+32", 64, 64, {{3, {1, 340, 8}}}, 0, "yolox", 3},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) check_told(&models[i]);
}

static void what_is_no_head_is_refused_with_its_shapes(void **state) {
    (void)state;
    const model models[] = {
        {"",
         224,
         224,
         {{2, {1, 1000}}},
         0,
         "outputs of 1x1000 at an input of 224x224 are those of no head (yolov5 [batch,",
         0},
        {"", 224, 224, {{4, {1, 21, 28, 28}}}, 0, "1x21x28x28", 0}, /* one map of features is no detector */
        {"", 640, 640, {{3, {1, 25199, 85}}}, 0, "1x25199x85", 0},
        {"head=yolox", 640, 640, {{3, {1, 25200, 85}}}, 0, "are not those of head yolox", 0},
        {"head=yolov5-raw", 640, 640, {{3, {1, 25200, 85}}}, 0, "anchors= tell its levels", 0},
        {"", 640, 640, {{3, {1, 25200, 85}}}, 20, "tells 80 classes apart, the data have 20", 0},
        {"", 640, 640, {{3, {1, -1, 85}}}, 0, "1x?x85", 0},
        {"", 640, 640, {{3, {1, INT64_MAX, INT64_MAX}}}, 0, "are those of no head", 0},
        {"head=yolov5", 640, 640, {{3, {1, 60000, 100005}}}, 0, "more than are handled", 0},
        {"head=yolov5", 640, 640, {{3, {1, 1, (int64_t)INT32_MAX + 6}}}, 0, "more than are handled", 0},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) check_told(&models[i]);
    nz_detector *detector = NULL;
    nz_detect_options options = read_options("");
    nz_shape flat = {2, {1, 100}}, out = {3, {1, 25200, 85}};
    nz_tensor output = nz_tensor_borrow(NZ_F32, &out, NULL);
    nz_assert_fails(nz_detector_open(&detector, &options, &flat, false, &output, 1, 0), NZ_E_UNSUPPORTED, "1x100");
    nz_shape input = {4, {1, 3, 640, 640}};
    output.dtype = NZ_I4;
    nz_assert_fails(nz_detector_open(&detector, &options, &input, false, &output, 1, 0), NZ_E_UNSUPPORTED, "int4");
    input.dim[0] = 2;
    output.dtype = NZ_F32;
    nz_assert_fails(nz_detector_open(&detector, &options, &input, false, &output, 1, 0), NZ_E_SHAPE,
                    "an output of 1x25200x85 for a batch of 2 images");
    nz_detect_options_done(&options);
}

/* ---- One box in each head: centre (84, 52), 40 x 24 at an input of 128 x 64, class 1 of 2, score 0.5 ---- */

enum { WIDE = 128, HIGH = 64, CLASSES = 2 };

static float logit(double p) { return (float)log(p / (1 - p)); }

/* A tensor of zeros with one sample more than needed: the box is in the last, slot 1. */
static nz_tensor zeros(int rank, int64_t a, int64_t b, int64_t c, int64_t d) {
    nz_tensor t = {0};
    nz_shape shape = {rank, {2, a, b, c, d}};
    nz_assert_ok(nz_tensor_init(&t, NZ_F32, &shape));
    return t;
}

static void check_one_box(const char *text, nz_tensor *outputs, size_t count) {
    nz_detector *detector = NULL;
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = read_options(text);
    nz_shape input = {4, {2, 3, HIGH, WIDE}};
    nz_assert_ok(nz_detector_open(&detector, &options, &input, false, outputs, count, CLASSES));
    const nz_found_box *boxes = NULL;
    size_t found = 0;
    nz_assert_ok(nz_detector_boxes(&boxes, &found, detector, outputs, 1));
    assert_int_equal(found, 1);
    assert_int_equal(boxes[0].class_index, 1);
    nz_assert_near(boxes[0].x, 84 - 20, 0, 1e-3);
    nz_assert_near(boxes[0].y, 52 - 12, 0, 1e-3);
    nz_assert_near(boxes[0].width, 40, 0, 1e-3);
    nz_assert_near(boxes[0].height, 24, 0, 1e-3);
    nz_assert_near(boxes[0].score, 0.5, 0, 1e-5);
    nz_assert_ok(nz_detector_boxes(&boxes, &found, detector, outputs, 0));
    assert_int_equal(found, 0);
    nz_detector_free(detector);
    for (size_t i = 0; i < count; i++) nz_tensor_done(&outputs[i]);
}

/* Cells of strides 8, 16, 32: 16x8, 8x4, 4x2. */
enum { CELLS = 16 * 8 + 8 * 4 + 4 * 2 };

static void decoded_rows_are_read(void **state) {
    (void)state;
    const float row[] = {84, 52, 40, 24, 0.625f, 0.0f, 0.8f};
    nz_tensor v5 = zeros(3, CELLS * 3, 7, 0, 0);
    memcpy((float *)v5.data + (CELLS * 3 + 100) * 7, row, sizeof row);
    check_one_box("", &v5, 1);
    nz_tensor decoded = zeros(3, CELLS, 7, 0, 0);
    memcpy((float *)decoded.data + (CELLS + CELLS - 1) * 7, row, sizeof row);
    check_one_box("head=yolox-decoded", &decoded, 1);
}

static void yolov8_is_read_either_way_round(void **state) {
    (void)state;
    const float row[] = {84, 52, 40, 24, 0.0f, 0.5f};
    nz_tensor v8 = zeros(3, 6, CELLS, 0, 0), turned = zeros(3, CELLS, 6, 0, 0);
    for (int k = 0; k < 6; k++) ((float *)v8.data)[6 * CELLS + k * CELLS + 130] = row[k];
    check_one_box("", &v8, 1);
    memcpy((float *)turned.data + (CELLS + 7) * 6, row, sizeof row);
    check_one_box("", &turned, 1);
}

/* At stride 16 the centre lies in column 5, row 3. */
static void yolox_is_read_in_strides(void **state) {
    (void)state;
    const float row[] = {84.0f / 16 - 5, 52.0f / 16 - 3, logf(40.0f / 16), logf(24.0f / 16), 0.625f, 0.0f, 0.8f};
    nz_tensor x = zeros(3, CELLS, 7, 0, 0);
    memcpy((float *)x.data + (CELLS + 16 * 8 + 3 * 8 + 5) * 7, row, sizeof row);
    check_one_box("", &x, 1);
}

/* The same cell of a raw head, anchor 1 of stride 16: 62 x 45. */
static void raw_levels_are_read_in_every_order(void **state) {
    (void)state;
    const float row[] = {logit((84.0 / 16 - 5 + 0.5) / 2),
                         logit((52.0 / 16 - 3 + 0.5) / 2),
                         logit(sqrt(40.0 / 62) / 2),
                         logit(sqrt(24.0 / 45) / 2),
                         logit(0.625),
                         -30,
                         logit(0.8)};
    enum { CELL = 3 * 8 + 5, GRID = 8 * 4 };
    nz_tensor rows[3], planes[3], last[3];
    for (int l = 0; l < 3; l++) {
        int64_t h = 8 >> l, w = 16 >> l;
        rows[l] = zeros(5, 3, h, w, 7);
        planes[l] = zeros(4, 21, h, w, 0);
        last[l] = zeros(4, h, w, 21, 0);
        nz_tensor *all[] = {&rows[l], &planes[l], &last[l]};
        for (int k = 0; k < 3; k++)
            for (size_t i = 0; i < all[k]->bytes / sizeof(float); i++) ((float *)all[k]->data)[i] = -30;
    }
    for (int k = 0; k < 7; k++) {
        ((float *)rows[1].data)[((3 + 1) * GRID + CELL) * 7 + k] = row[k];
        ((float *)planes[1].data)[(21 + 7 + k) * GRID + CELL] = row[k];
        ((float *)last[1].data)[(GRID + CELL) * 21 + 7 + k] = row[k];
    }
    check_one_box("", rows, 3);
    check_one_box("", planes, 3);
    check_one_box("anchors=10x13+16x30+33x23/30x61+62x45+59x119/116x90+156x198+373x326", last, 3);
}

/* In an input of 16 x 16 strides 16 and 32 have one cell each: the two outputs are two levels. */
static void levels_of_equal_extents_have_an_output_each(void **state) {
    (void)state;
    nz_tensor levels[3] = {zeros(5, 3, 2, 2, 6), zeros(5, 3, 1, 1, 6), zeros(5, 3, 1, 1, 6)};
    const nz_shape input = {4, {2, 3, 16, 16}};
    for (int l = 0; l < 3; l++)
        for (size_t i = 0; i < levels[l].bytes / sizeof(float); i++) ((float *)levels[l].data)[i] = -30;
    for (int k = 0; k < 6; k++) ((float *)levels[2].data)[k] = k < 4 ? 0 : 30; /* the middle of anchor 0 of stride 32 */
    nz_detector *detector = NULL;
    nz_detect_options options = read_options("head=yolov5-raw,conf=0.5");
    nz_assert_ok(nz_detector_open(&detector, &options, &input, false, levels, 3, 1));
    const nz_found_box *boxes = NULL;
    size_t found = 0;
    nz_assert_ok(nz_detector_boxes(&boxes, &found, detector, levels, 0));
    assert_int_equal(found, 1);
    nz_assert_near(boxes[0].width, 116, 0, 1e-4);
    nz_assert_near(boxes[0].x, 16 - 116 / 2.0, 0, 1e-4);
    nz_detector_free(detector);
    nz_detect_options_done(&options);
    for (int l = 0; l < 3; l++) nz_tensor_done(&levels[l]);
}

static void other_types_are_converted(void **state) {
    (void)state;
    const float row[] = {84, 52, 40, 24, 1, 0, 1};
    static const nz_dtype types[] = {NZ_F16, NZ_BF16, NZ_F64, NZ_I8, NZ_U8};
    for (size_t t = 0; t < NZ_COUNT(types); t++) {
        nz_tensor v5 = {0};
        nz_shape shape = {3, {2, CELLS * 3, 7}}, input = {4, {2, 3, HIGH, WIDE}};
        nz_assert_ok(nz_tensor_init(&v5, types[t], &shape));
        for (int k = 0; k < 7; k++) nz_tensor_set_real(&v5, (CELLS * 3 + 9) * 7 + k, (double)row[k]);
        nz_detector *detector = NULL;
        nz_detect_options options = read_options("conf=0.5");
        nz_assert_ok(nz_detector_open(&detector, &options, &input, false, &v5, 1, 0));
        const nz_found_box *boxes = NULL;
        size_t found = 0;
        nz_assert_ok(nz_detector_boxes(&boxes, &found, detector, &v5, 1));
        assert_int_equal(found, 1);
        nz_assert_near(boxes[0].x, 64, 0, 0);
        nz_assert_near(boxes[0].height, 24, 0, 0);
        nz_detector_free(detector);
        nz_detect_options_done(&options);
        nz_tensor_done(&v5);
    }
}

/* ---- Options ---- */

static void options_come_back_from_their_text(void **state) {
    (void)state;
    const char *texts[] = {
        "head=auto,conf=0.001,max=300,labels=all,nms=class",
        "head=yolox-decoded,conf=0.25,iou=0.45,max=1000,labels=best,nms=all",
        "head=yolov5-raw,conf=0,max=1,labels=all,nms=class,anchors=4.5x3+10x8/20x20+30x31,strides=8+16",
    };
    for (size_t i = 0; i < NZ_COUNT(texts); i++) {
        NZ_AUTO(nz_detect_options_done) nz_detect_options options = read_options(texts[i]);
        NZ_AUTO_FREE char *text = NULL;
        nz_assert_ok(nz_detect_options_text(&text, &options));
        assert_string_equal(text, texts[i]);
    }
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = read_options("");
    nz_assert_nan(options.iou);
    assert_int_equal(options.most, 300);
}

static void every_head_can_be_named(void **state) {
    (void)state;
    const char *name, *help = NULL;
    size_t count = 0;
    for (; (name = nz_head_at(count, &help)); count++) {
        char text[64];
        snprintf(text, sizeof text, "head=%s", name);
        NZ_AUTO(nz_detect_options_done) nz_detect_options options = read_options(text);
        assert_int_equal(options.head, count);
        assert_true(*help);
    }
    assert_int_equal(count, NZ_HEADS);
    for (count = 0; nz_detect_option(count, NULL, &help); count++) assert_true(*help);
    assert_int_equal(count, 8);
}

static void wrong_options_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {"conv=0.5", "did you mean 'conf'"},
        {"conf=2", "conf=2 is outside 0 to 1"},
        {"head=yolov9", "should be one of auto|yolov5"},
        {"max=0", "outside 1"},
        {"strides=8+8", "8 is there twice"},
        {"strides=0", "strides=0"},
        {"strides=8+", "strides"},
        {"strides=1+2+3+4+5+6+7+8+9", "up to 8 strides"},
        {"anchors=10x13/10x13", "2 levels for 3 strides"},
        {"anchors=10x13/10x13/10x13+5x5", "different numbers of anchors"},
        {"anchors=10x13/10x13/10", "'10' should be WIDTHxHEIGHT"},
        {"anchors=10x13/10x13/10x-3", "should be WIDTHxHEIGHT"},
        {"anchors=1x1/1x1/1x1/1x1", "3 levels"},
        {"conf", "should be key=value"},
    };
    nz_detect_options options = {0};
    for (size_t i = 0; i < NZ_COUNT(wrong); i++)
        nz_assert_fails(nz_detect_options_read(&options, wrong[i].text, NULL), NZ_E_ARG, wrong[i].message);
}

static void levels_have_published_anchors_or_stated_ones(void **state) {
    (void)state;
    nz_levels levels;
    NZ_AUTO(nz_detect_options_done) nz_detect_options usual = read_options("");
    nz_assert_ok(nz_levels_get(&levels, &usual));
    assert_int_equal(levels.count, 3);
    assert_int_equal(levels.anchors, 3);
    assert_int_equal(levels.stride[2], 32);
    nz_assert_near(levels.anchor[2][2][1], 326, 0, 0);
    NZ_AUTO(nz_detect_options_done) nz_detect_options stated = read_options("strides=4+64,anchors=3x4+5x6/7.5x8+9x10");
    nz_assert_ok(nz_levels_get(&levels, &stated));
    assert_int_equal(levels.count, 2);
    assert_int_equal(levels.anchors, 2);
    nz_assert_near(levels.anchor[1][0][0], 7.5, 0, 0);
    NZ_AUTO(nz_detect_options_done) nz_detect_options none = read_options("strides=4+8");
    nz_assert_fails(nz_levels_get(&levels, &none), NZ_E_ARG, "no published anchors of stride 4");
}

/* ---- Graphs ---- */

static nz_graph *built(const char *name) {
    nz_graph *graph = NULL;
    nz_arch_options options = {.blank = true};
    nz_assert_ok(nz_arch_build(&graph, name, &options));
    return graph;
}

static void a_graph_tells_whether_it_detects(void **state) {
    (void)state;
    nz_graph *tiny = built("yolov5-tiny"), *resnet = built("resnet20-cifar");
    nz_head head = NZ_HEAD_AUTO;
    assert_true(nz_graph_detects(tiny, NULL, &head));
    assert_int_equal(head, NZ_HEAD_YOLOV5);
    assert_false(nz_graph_detects(resnet, NULL, &head));
    /* The model's own options lie under the user's. */
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {0};
    nz_assert_ok(nz_detect_options_read(&options, "conf=0.5", tiny));
    assert_int_equal(options.head, NZ_HEAD_YOLOV5);
    nz_assert_near(options.confidence, 0.5, 0, 0);
    for (size_t i = 0; i < tiny->meta_count; i++)
        if (strcmp(tiny->metas[i].key, "netzip.detect") == 0) memcpy(tiny->metas[i].value, "heap", 4);
    nz_assert_fails(nz_detect_options_read(&options, "conf=0.5", tiny), NZ_E_FORMAT, "the model's netzip.detect");
    nz_graph_free(tiny);
    nz_graph_free(resnet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_told_by_its_shapes),
        cmocka_unit_test(what_is_no_head_is_refused_with_its_shapes),
        cmocka_unit_test(decoded_rows_are_read),
        cmocka_unit_test(yolov8_is_read_either_way_round),
        cmocka_unit_test(yolox_is_read_in_strides),
        cmocka_unit_test(raw_levels_are_read_in_every_order),
        cmocka_unit_test(levels_of_equal_extents_have_an_output_each),
        cmocka_unit_test(other_types_are_converted),
        cmocka_unit_test(options_come_back_from_their_text),
        cmocka_unit_test(every_head_can_be_named),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(levels_have_published_anchors_or_stated_ones),
        cmocka_unit_test(a_graph_tells_whether_it_detects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
