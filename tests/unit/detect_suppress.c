/* SPDX-License-Identifier: Apache-2.0 */
/* From scores to kept boxes: against the rule written down plainly, and the cases in which rules differ. */
#include "core/memory.h"
#include "core/random.h"
#include "netzip/detect.h"
#include "test.h"

/* An input of 64 x 64 has 84 cells: 252 boxes of a YOLOv5 head. */
enum { SIDE = 64, ROWS = 252, ROWS_MAX = 6000 };

typedef struct head {
    nz_detector *detector;
    nz_tensor output;
    nz_detect_options options;
    size_t rows, values;
} head;

static head open_head(const char *options, size_t rows, size_t classes) {
    head h = {.rows = rows, .values = 5 + classes};
    nz_shape shape = {3, {1, (int64_t)rows, (int64_t)h.values}}, input = {4, {1, 3, SIDE, SIDE}};
    nz_assert_ok(nz_tensor_init(&h.output, NZ_F32, &shape));
    nz_assert_ok(nz_detect_options_read(&h.options, options, NULL));
    nz_assert_ok(nz_detector_open(&h.detector, &h.options, &input, false, &h.output, 1, classes));
    return h;
}

static void close_head(head *h) {
    nz_detector_free(h->detector);
    nz_tensor_done(&h->output);
    nz_detect_options_done(&h->options);
}

static float *row_of(head *h, size_t row) { return (float *)h->output.data + row * h->values; }

static void put(head *h, size_t row, float x, float y, float w, float height, size_t class_index, float score) {
    float *v = row_of(h, row);
    v[0] = x + w / 2;
    v[1] = y + height / 2;
    v[2] = w;
    v[3] = height;
    v[4] = 1;
    v[5 + class_index] = score;
}

static size_t run(head *h, const nz_found_box **ret_boxes) {
    size_t count = 0;
    nz_assert_ok(nz_detector_boxes(ret_boxes, &count, h->detector, &h->output, 0));
    return count;
}

/* ---- The rule, one step after the other ---- */

typedef struct plain {
    nz_found_box box;
    size_t order;
} plain;

static int by_score(const void *a, const void *b) {
    const plain *x = a, *y = b;
    if (x->box.score != y->box.score) return x->box.score > y->box.score ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static double overlap(const nz_found_box *a, const nz_found_box *b) {
    double w = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
    double h = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
    double both = fmax(w, 0) * fmax(h, 0);
    return both / (a->width * a->height + b->width * b->height - both);
}

static size_t collect(plain *list, head *h) {
    size_t count = 0, classes = h->values - 5;
    for (size_t r = 0; r < h->rows; r++) {
        const float *v = row_of(h, r);
        size_t first = count;
        for (size_t c = 0; c < classes; c++) {
            float score = v[4] * v[5 + c];
            if (!(score > (float)h->options.confidence)) continue;
            nz_found_box box = {.class_index = (int32_t)c,
                                .x = (double)(v[0] - v[2] / 2),
                                .y = (double)(v[1] - v[3] / 2),
                                .width = (double)v[2],
                                .height = (double)v[3],
                                .score = (double)score};
            if (h->options.best_class && count > first) {
                if (box.score > list[first].box.score) list[first].box = box;
            } else {
                list[count] = (plain){box, count};
                count++;
            }
        }
    }
    return count;
}

static size_t suppress_plainly(nz_found_box *kept, head *h) {
    plain *list = calloc(h->rows * (h->values - 5), sizeof *list);
    size_t count = collect(list, h), taken = 0;
    qsort(list, count, sizeof *list, by_score);
    for (size_t i = 0; i < count && taken < (size_t)h->options.most; i++) {
        bool dropped = false;
        for (size_t k = 0; k < taken && !dropped; k++)
            dropped = (h->options.across || kept[k].class_index == list[i].box.class_index) &&
                      overlap(&list[i].box, &kept[k]) > (isnan(h->options.iou) ? 0.6 : h->options.iou);
        if (!dropped) kept[taken++] = list[i].box;
    }
    free(list);
    return taken;
}

/* Boxes on a grid of quarter pixels and scores of few values, so that ties and equal overlaps are frequent and exact. */
static void fill(head *h, uint64_t seed) {
    nz_random random;
    nz_random_init(&random, seed, 0);
    for (size_t r = 0; r < h->rows; r++) {
        float *v = row_of(h, r);
        v[0] = 16 + (float)nz_random_below(&random, 160) / 4;
        v[1] = 16 + (float)nz_random_below(&random, 160) / 4;
        v[2] = 4 + (float)nz_random_below(&random, 64) / 4;
        v[3] = 4 + (float)nz_random_below(&random, 64) / 4;
        v[4] = (float)nz_random_below(&random, 5) / 4;
        for (size_t c = 5; c < h->values; c++) v[c] = (float)nz_random_below(&random, 65) / 64;
    }
}

static void the_plain_rule_holds(void **state) {
    (void)state;
    static const struct {
        const char *options;
        size_t rows, classes;
    } cases[] = {
        {"conf=0.1,iou=0.6", ROWS, 3},
        {"conf=0,iou=0.3", ROWS, 1},
        {"conf=0.5,iou=0.45,nms=all", ROWS, 7},
        {"conf=0.2,labels=best", ROWS, 80},
        {"conf=0.2,labels=best,nms=all,max=11", ROWS, 5},
        {"head=yolov5,conf=0.01,iou=0.9,max=2000", ROWS_MAX, 2}, /* long lists of kept boxes */
        {"head=yolov5,conf=0.001,iou=1", ROWS_MAX, 20},          /* nothing is dropped: 300 and no more */
        {"head=yolov5,conf=0.001,iou=0", 500, 2},
        {"conf=1", ROWS, 4},
    };
    nz_found_box *kept = calloc(ROWS_MAX * 20, sizeof *kept);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        head h = open_head(cases[i].options, cases[i].rows, cases[i].classes);
        for (uint64_t seed = 0; seed < 3; seed++) {
            const nz_found_box *got = NULL;
            fill(&h, seed);
            size_t expected = suppress_plainly(kept, &h), count = run(&h, &got);
            assert_int_equal(count, expected);
            for (size_t k = 0; k < count; k++) assert_memory_equal(&got[k], &kept[k], sizeof *kept);
        }
        close_head(&h);
    }
    free(kept);
}

static void equal_scores_keep_the_outputs_order(void **state) {
    (void)state;
    const nz_found_box *got = NULL;
    head h = open_head("", ROWS, 2);
    put(&h, 200, 0, 0, 10, 10, 0, 0.5f);
    put(&h, 3, 1, 0, 10, 10, 0, 0.5f); /* the first in the outputs wins over the one of equal score above */
    put(&h, 90, 30, 30, 10, 10, 1, 0.5f);
    put(&h, 91, 30, 30, 10, 10, 0, 0.5f); /* another class */
    assert_int_equal(run(&h, &got), 3);
    nz_assert_near(got[0].x, 1, 0, 0);
    assert_int_equal(got[1].class_index, 1);
    assert_int_equal(got[2].class_index, 0);
    close_head(&h);
}

/* 10 x 10 beside itself by 2.5: IoU 75 / 125 = 0.6. */
static void an_overlap_of_just_the_threshold_is_kept(void **state) {
    (void)state;
    const nz_found_box *got = NULL;
    head h = open_head("iou=0.6", ROWS, 1), lower = open_head("iou=0.59", ROWS, 1);
    head *both[] = {&h, &lower};
    for (int i = 0; i < 2; i++) {
        put(both[i], 0, 0, 0, 10, 10, 0, 0.9f);
        put(both[i], 1, 2.5f, 0, 10, 10, 0, 0.8f);
        assert_int_equal(run(both[i], &got), 2 - i);
        close_head(both[i]);
    }
}

static void a_score_must_be_above_the_confidence(void **state) {
    (void)state;
    const nz_found_box *got = NULL;
    head h = open_head("conf=0.5", ROWS, 2);
    put(&h, 0, 0, 0, 10, 10, 0, 0.5f);
    put(&h, 1, 20, 0, 10, 10, 0, 0.5000001f);
    assert_int_equal(run(&h, &got), 1);
    nz_assert_near(got[0].x, 20, 0, 0);
    close_head(&h);
}

static void what_is_no_number_is_no_candidate(void **state) {
    (void)state;
    const nz_found_box *got = NULL;
    head h = open_head("", ROWS, 2);
    put(&h, 0, 0, 0, 10, 10, 0, NAN);
    put(&h, 1, NAN, 0, 10, 10, 0, 0.9f);
    put(&h, 2, 0, 0, INFINITY, 10, 0, 0.9f);
    put(&h, 3, 0, 0, 10, 10, 1, INFINITY);
    put(&h, 4, 0, 0, 10, 10, 0, 0.8f);
    row_of(&h, 4)[4] = NAN;
    put(&h, 5, 0, 0, 10, 10, 0, -0.5f);
    put(&h, 6, 0, 0, 0, 0, 0, 0.7f); /* an empty box overlaps nothing, not even itself */
    put(&h, 7, 0, 0, 0, 0, 0, 0.6f);
    put(&h, 8, 5, 5, 10, 10, 1, 0.25f);
    put(&h, 9, 40, 40, -10, 10, 0, 0.9f); /* no extents */
    put(&h, 10, 40, 40, 10, -10, 0, 0.9f);
    assert_int_equal(run(&h, &got), 3);
    nz_assert_near(got[0].score, 0.7, 0, 1e-6);
    nz_assert_near(got[2].x, 5, 0, 0);
    assert_int_equal(got[2].class_index, 1);
    close_head(&h);
}

static void nothing_is_found_in_nothing(void **state) {
    (void)state;
    const nz_found_box *got = NULL;
    head h = open_head("conf=0", ROWS, 80);
    assert_int_equal(run(&h, &got), 0);
    /* A detector is used image after image: the next one is not touched by the last. */
    put(&h, 9, 1, 1, 5, 5, 79, 0.5f);
    assert_int_equal(run(&h, &got), 1);
    assert_int_equal(got[0].class_index, 79);
    memset(h.output.data, 0, h.output.bytes);
    assert_int_equal(run(&h, &got), 0);
    close_head(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_rule_holds),
        cmocka_unit_test(equal_scores_keep_the_outputs_order),
        cmocka_unit_test(an_overlap_of_just_the_threshold_is_kept),
        cmocka_unit_test(a_score_must_be_above_the_confidence),
        cmocka_unit_test(what_is_no_number_is_no_candidate),
        cmocka_unit_test(nothing_is_found_in_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
