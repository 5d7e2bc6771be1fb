/* SPDX-License-Identifier: Apache-2.0 */
/* The loss of a detector's head: who answers for an object, overlaps and their gradients, values from float64 elsewhere. */
#include "train/detect_loss.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/threads.h"
#include "test.h"

enum { BATCH = 3, ANCHORS = 3, CLASS_COUNT = 5, ROWS = 6, COLUMNS = 8, STRIDE = 16, CHANNELS = 5 + CLASS_COUNT };
enum { PLANE = ROWS * COLUMNS, ALL = BATCH * ANCHORS * CHANNELS * PLANE, TARGETS = 12 };
static const double anchors[ANCHORS][2] = {{20, 14}, {30, 44}, {60, 33}};
static const nz_level level = {BATCH, ANCHORS, CLASS_COUNT, ROWS, COLUMNS, STRIDE, anchors};

/* ---- assignment ---- */

static bool answers(const nz_assignment *a, int anchor, int row, int column) {
    for (size_t i = 0; i < a->count; i++)
        if (a->list[i].anchor == anchor && a->list[i].row == row && a->list[i].column == column) return true;
    return false;
}

static void test_nearer_neighbours_answer(void **unused) {
    (void)unused;
    NZ_AUTO(nz_assignment_done) nz_assignment a = {0};
    /* In cell (2, 3), left of its middle and below it; of the size of anchor 0, and within 4 times of the others. */
    nz_target t = {.slot = 1, .class_index = 2, .x = 3.25 * STRIDE, .y = 2.75 * STRIDE, .width = 20, .height = 14};
    nz_assert_ok(nz_assign(&a, &level, &t, 1, 4));
    assert_int_equal(a.count, 9);
    for (int anchor = 0; anchor < ANCHORS; anchor++)
        assert_true(answers(&a, anchor, 2, 3) && answers(&a, anchor, 2, 2) && answers(&a, anchor, 3, 3));
    for (size_t i = 0; i < a.count; i++) {
        const nz_assigned *p = &a.list[i];
        assert_true(p->slot == 1 && p->class_index == 2);
        nz_assert_near(p->x + p->column, 3.25, 0, 1e-12);
        nz_assert_near(p->y + p->row, 2.75, 0, 1e-12);
        assert_true(p->x >= -0.5 && p->x <= 1.5 && p->y >= -0.5 && p->y <= 1.5);
        nz_assert_near(p->width, 1.25, 0, 1e-12);
    }
}

static void test_no_cell_beyond_the_edge(void **unused) {
    (void)unused;
    NZ_AUTO(nz_assignment_done) nz_assignment a = {0};
    nz_target corner = {.x = 4, .y = 4, .width = 20, .height = 14};
    nz_assert_ok(nz_assign(&a, &level, &corner, 1, 1.5)); /* anchor 0 alone */
    assert_int_equal(a.count, 1);
    assert_true(answers(&a, 0, 0, 0));
    nz_target end = {.x = COLUMNS * STRIDE, .y = ROWS * STRIDE, .width = 20, .height = 14};
    nz_assert_ok(nz_assign(&a, &level, &end, 1, 1.5));
    for (size_t i = 0; i < a.count; i++)
        assert_true(a.list[i].row >= ROWS - 2 && a.list[i].row < ROWS && a.list[i].column < COLUMNS);
    assert_true(answers(&a, 0, ROWS - 1, COLUMNS - 1));
}

static void test_ratio_chooses_anchors(void **unused) {
    (void)unused;
    NZ_AUTO(nz_assignment_done) nz_assignment a = {0};
    nz_target middle = {.x = 3.5 * STRIDE, .y = 2.5 * STRIDE, .width = 60, .height = 33};
    nz_assert_ok(nz_assign(&a, &level, &middle, 1, 2.5)); /* 60/20 is above, 60/30 and 44/33 are not */
    assert_int_equal(a.count, 2); /* in the middle of its cell: no neighbour is nearer than another */
    assert_true(answers(&a, 1, 2, 3) && answers(&a, 2, 2, 3) && !answers(&a, 0, 2, 3));
    middle.width = 1e6;
    nz_assert_ok(nz_assign(&a, &level, &middle, 1, 4));
    assert_int_equal(a.count, 0);
}

/* ---- overlap ---- */

/* The parts of CIoU by their definitions. */
static void parts_of(const double b[4], const double t[4], double *iou, double *distance, double *shape) {
    double w = fmin(b[0] + b[2] / 2, t[0] + t[2] / 2) - fmax(b[0] - b[2] / 2, t[0] - t[2] / 2);
    double h = fmin(b[1] + b[3] / 2, t[1] + t[3] / 2) - fmax(b[1] - b[3] / 2, t[1] - t[3] / 2);
    double inter = fmax(w, 0) * fmax(h, 0);
    double width = fmax(b[0] + b[2] / 2, t[0] + t[2] / 2) - fmin(b[0] - b[2] / 2, t[0] - t[2] / 2);
    double height = fmax(b[1] + b[3] / 2, t[1] + t[3] / 2) - fmin(b[1] - b[3] / 2, t[1] - t[3] / 2);
    double angle = atan(t[2] / t[3]) - atan(b[2] / b[3]);
    *iou = inter / (b[2] * b[3] + t[2] * t[3] - inter);
    *distance = (pow(b[0] - t[0], 2) + pow(b[1] - t[1], 2)) / (width * width + height * height);
    *shape = 4 / (M_PI * M_PI) * angle * angle;
}

static double draw(nz_random *random, double low, double high) { return low + (high - low) * nz_random_unit(random); }

static void test_overlap_and_its_gradient(void **unused) {
    (void)unused;
    nz_random random;
    nz_random_init(&random, 3, 0);
    for (int round = 0; round < 200; round++) {
        double b[4], t[4], gradient[4], plain, distance, shape;
        for (int i = 0; i < 4; i++) {
            b[i] = i < 2 ? draw(&random, -1, 1) : draw(&random, 0.3, 3);
            t[i] = i < 2 ? draw(&random, -1, 1) : draw(&random, 0.3, 3);
        }
        double ciou = nz_complete_iou(b, t, gradient);
        parts_of(b, t, &plain, &distance, &shape);
        double weight = shape / (1 - plain + shape);
        nz_assert_near(ciou, plain - distance - weight * shape, 1e-5, 1e-6);
        for (int i = 0; i < 4; i++) { /* with the weight held, as published */
            const double step = 1e-6;
            double at[2], kept = b[i];
            for (int side = 0; side < 2; side++) {
                b[i] = kept + (side ? step : -step);
                parts_of(b, t, &plain, &distance, &shape);
                at[side] = plain - distance - weight * shape;
            }
            b[i] = kept;
            nz_assert_near(gradient[i], (at[1] - at[0]) / (2 * step), 1e-4, 1e-5);
        }
    }
    const double same[4] = {1, 2, 3, 4}, apart[4] = {9, 2, 3, 4};
    nz_assert_near(nz_complete_iou(same, same, NULL), 1, 0, 1e-6);
    assert_true(nz_complete_iou(same, apart, NULL) < 0); /* no overlap, but still a way towards each other */
}

/* ---- the whole ---- */

typedef struct made {
    float raw[ALL], gradient[ALL], scratch[BATCH * ANCHORS * PLANE];
    nz_target targets[TARGETS];
    nz_assignment assignment;
} made;

static made *make(void) {
    made *m = calloc(1, sizeof *m);
    nz_random r;
    nz_random_init(&r, 7, 0);
    for (int i = 0; i < ALL; i++) m->raw[i] = (float)(((double)nz_random_below(&r, 2001) - 1000) / 400);
    for (int i = 0; i < TARGETS; i++) {
        nz_target *t = &m->targets[i];
        t->slot = i % BATCH;
        t->class_index = (int32_t)nz_random_below(&r, CLASS_COUNT);
        t->x = (double)nz_random_below(&r, COLUMNS * STRIDE * 10) / 10;
        t->y = (double)nz_random_below(&r, ROWS * STRIDE * 10) / 10;
        t->width = 6 + (double)nz_random_below(&r, 900) / 10;
        t->height = 6 + (double)nz_random_below(&r, 700) / 10;
    }
    m->targets[0].x = m->targets[0].y = 0;
    m->targets[1].x = COLUMNS * STRIDE;
    m->targets[1].y = ROWS * STRIDE;
    nz_assert_ok(nz_assign(&m->assignment, &level, m->targets, TARGETS, 4));
    return m;
}

static void made_free(made *m) {
    nz_assignment_done(&m->assignment);
    free(m);
}

/* Computed in float64 by automatic differentiation of the published formulas. */
static void test_values_from_elsewhere(void **unused) {
    (void)unused;
    made *m = make();
    double parts[3], squares = 0;
    nz_detect_gains gains = {.box = 0.05, .object = 1.7, .class_score = 0.3, .smoothing = 0.1, .gradient = 3};
    assert_int_equal(m->assignment.count, 91);
    nz_assert_ok(nz_detect_loss(parts, &level, &m->assignment, &gains, m->raw, m->gradient, m->scratch));
    nz_assert_near(parts[0], 0.04739044605377197, 1e-9, 0);
    nz_assert_near(parts[1], 1.6372981211020852, 1e-9, 0);
    nz_assert_near(parts[2], 0.273603740548993, 1e-9, 0);
    for (int i = 0; i < ALL; i++) squares += (double)m->gradient[i] * (double)m->gradient[i];
    nz_assert_near(squares, 0.02076012213626615, 1e-7, 0);
    made_free(m);
}

static double total(made *m, const nz_detect_gains *gains, int part) {
    double parts[3];
    float *gradient = malloc(ALL * sizeof *gradient);
    nz_assert_ok(nz_detect_loss(parts, &level, &m->assignment, gains, m->raw, gradient, m->scratch));
    free(gradient);
    return parts[part];
}

/* Objectness and classes, whose targets are held, against differences. */
static void test_gradient_of_scores(void **unused) {
    (void)unused;
    made *m = make();
    nz_detect_gains all = {.box = 0, .object = 1.7, .class_score = 0.3, .smoothing = 0.1, .gradient = 1};
    double parts[3];
    nz_assert_ok(nz_detect_loss(parts, &level, &m->assignment, &all, m->raw, m->gradient, m->scratch));
    int moved = 0;
    for (int i = 0; i < ALL; i += 7) {
        int channel = i / PLANE % CHANNELS;
        if (channel < 4) {
            assert_true(m->gradient[i] == 0);
            continue;
        }
        const float step = 1.0F / 64, kept = m->raw[i];
        m->raw[i] = kept + step;
        double high = total(m, &all, channel == 4 ? 1 : 2);
        m->raw[i] = kept - step;
        double low = total(m, &all, channel == 4 ? 1 : 2);
        m->raw[i] = kept;
        nz_assert_near(m->gradient[i], (high - low) / (2 * (double)step), 1e-3, 1e-7);
        moved += m->gradient[i] != 0;
    }
    assert_true(moved > 20);
    made_free(m);
}

static void test_threads_change_nothing(void **unused) {
    (void)unused;
    made *one = make(), *two = make();
    double a[3], b[3];
    nz_detect_gains gains = {.box = 0.05, .object = 1, .class_score = 0.5, .gradient = 1};
    int before = nz_threads_get();
    nz_threads_set(1);
    nz_assert_ok(nz_detect_loss(a, &level, &one->assignment, &gains, one->raw, one->gradient, one->scratch));
    nz_threads_set(2);
    nz_assert_ok(nz_detect_loss(b, &level, &two->assignment, &gains, two->raw, two->gradient, two->scratch));
    nz_threads_set(before);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(one->gradient, two->gradient, sizeof one->gradient);
    made_free(one);
    made_free(two);
}

/* Raw outputs of 0: the box is the anchor's in the middle of its cell, and what objectness is drawn to follows by hand. */
static double drawn_to(double x, double width, double height) {
    static const double anchor[1][2] = {{32, 16}};
    const nz_level small = {1, 1, 1, 2, 2, 16, anchor};
    const nz_assigned at = {.row = 1, .x = x, .y = 0.5, .width = width, .height = height};
    nz_assignment a = {.count = 1, .list = (nz_assigned *)(uintptr_t)&at};
    nz_detect_gains gains = {.box = 1, .object = 1, .class_score = 1, .gradient = 4};
    float raw[6 * 4] = {0}, gradient[6 * 4], scratch[4];
    double parts[3];
    nz_assert_ok(nz_detect_loss(parts, &small, &a, &gains, raw, gradient, scratch));
    assert_true(parts[2] == 0); /* of a single class there is nothing to tell apart */
    for (int i = 0; i < 4; i++) assert_true(gradient[5 * 4 + i] == 0);
    assert_true(gradient[4 * 4] == 0.5F);
    return 0.5 - (double)gradient[4 * 4 + 2];
}

static void test_objectness_is_drawn_to_complete_overlap(void **unused) {
    (void)unused;
    nz_assert_near(drawn_to(0.5, 2, 1), 1, 1e-6, 0);
    /* Twice as high: IoU 1/2, another shape. */
    double slope = atan(1) - atan(2), shape = 4 / (M_PI * M_PI) * slope * slope;
    nz_assert_near(drawn_to(0.5, 2, 2), 0.5 - shape * shape / (shape + 0.5), 1e-6, 0);
    /* Moved by half its width: IoU 1/3, distance 1 in a frame of 3x1. */
    nz_assert_near(drawn_to(1.5, 2, 1), 1.0 / 3 - 0.1, 1e-6, 0);
    assert_true(drawn_to(4.5, 2, 1) == 0); /* apart: CIoU is below 0, objectness is not */
}

static void test_without_objects(void **unused) {
    (void)unused;
    made *m = make();
    double parts[3];
    nz_detect_gains gains = {.box = 1, .object = 1, .class_score = 1, .gradient = 1};
    m->assignment.count = 0;
    nz_assert_ok(nz_detect_loss(parts, &level, &m->assignment, &gains, m->raw, m->gradient, m->scratch));
    assert_true(parts[0] == 0 && parts[2] == 0 && parts[1] > 0);
    for (int i = 0; i < ALL; i++) assert_true(i / PLANE % CHANNELS == 4 ? m->gradient[i] > 0 : m->gradient[i] == 0);
    made_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearer_neighbours_answer),
        cmocka_unit_test(test_no_cell_beyond_the_edge),
        cmocka_unit_test(test_ratio_chooses_anchors),
        cmocka_unit_test(test_overlap_and_its_gradient),
        cmocka_unit_test(test_values_from_elsewhere),
        cmocka_unit_test(test_gradient_of_scores),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_without_objects),
        cmocka_unit_test(test_objectness_is_drawn_to_complete_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
