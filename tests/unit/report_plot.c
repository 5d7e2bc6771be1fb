/* SPDX-License-Identifier: Apache-2.0 */
/* What plots are made of: ticks, the Pareto front, places for names, colours, both forms of a drawing. */
#include "core/memory.h"
#include "report/axis.h"
#include "report/labels.h"
#include "report/plots.h"
#include "test.h"

static void assert_ticks(const nz_axis *axis, const double *expected, size_t count) {
    assert_int_equal(axis->count, count);
    for (size_t i = 0; i < count; i++) nz_assert_near(axis->ticks[i], expected[i], 1e-9, 1e-12);
}

static void linear_ticks_are_round(void **state) {
    (void)state;
    nz_axis axis;
    nz_axis_init(&axis, 3, 44.7, true, false, 5);
    assert_ticks(&axis, (double[]){0, 20, 40, 60}, 4);
    assert_int_equal(axis.decimals, 0);
    nz_axis_init(&axis, 69.6, 70.3, false, false, 6);
    assert_true(axis.low <= 69.6 && axis.high >= 70.3 && axis.count >= 3 && axis.count <= NZ_AXIS_TICKS);
    assert_int_equal(axis.decimals, 1);
    nz_axis_init(&axis, -0.23, 0, true, false, 5);
    assert_ticks(&axis, (double[]){-0.3, -0.2, -0.1, 0}, 4);
    nz_axis_init(&axis, 0, 1, true, false, 5);
    assert_ticks(&axis, (double[]){0, 0.25, 0.5, 0.75, 1}, 5);
    assert_int_equal(axis.decimals, 2);
}

static void logarithmic_ticks_are_decades(void **state) {
    (void)state;
    nz_axis axis;
    assert_true(nz_axis_spans_decades(0.01, 1.1));
    assert_false(nz_axis_spans_decades(1, 100));
    assert_false(nz_axis_spans_decades(0, 100));
    assert_false(nz_axis_spans_decades(-1, 100));
    nz_axis_init(&axis, 0.37, 1500, true, true, 5);
    assert_true(axis.logarithmic);
    assert_ticks(&axis, (double[]){0.1, 1, 10, 100, 1000, 10000}, 6);
    nz_axis_init(&axis, 1.5, 40, true, true, 5);
    assert_ticks(&axis, (double[]){1, 2, 5, 10, 20, 50}, 6);
    nz_assert_near(nz_axis_at(&axis, 1), 0, 0, 1e-12);
    nz_assert_near(nz_axis_at(&axis, 50), 1, 0, 1e-12);
    nz_axis_init(&axis, 0, 100, true, true, 5); /* no logarithm of 0 */
    assert_false(axis.logarithmic);
}

static void axes_survive_anything(void **state) {
    (void)state;
    static const double hard[] = {0,
                                  -0.0,
                                  1,
                                  -1,
                                  1e-300,
                                  1e300,
                                  -1e300,
                                  1.7e308,
                                  5e-324,
                                  1e-15,
                                  70.3,
                                  1e15,
                                  NAN,
                                  (double)INFINITY,
                                  -(double)INFINITY};
    for (size_t a = 0; a < NZ_COUNT(hard); a++)
        for (size_t b = 0; b < NZ_COUNT(hard); b++)
            for (int form = 0; form < 4; form++) {
                nz_axis axis;
                nz_axis_init(&axis, hard[a], hard[b], form & 1, form & 2, 5);
                assert_true(axis.count <= NZ_AXIS_TICKS);
                assert_true(isfinite(axis.low) && isfinite(axis.high) && axis.low < axis.high);
                double at = nz_axis_at(&axis, hard[a]);
                if (!isnan(hard[a])) assert_true(at >= 0 && at <= 1);
                for (size_t t = 0; t < axis.count; t++) {
                    NZ_AUTO(nz_text_done) nz_text label = {0};
                    nz_axis_put_tick(&label, &axis, t);
                    assert_true(label.length > 0 && label.length < 32);
                }
            }
}

static void an_axis_that_is_only_a_value_has_room(void **state) {
    (void)state;
    nz_axis axis;
    nz_axis_init(&axis, 70.3, 70.3, false, false, 5);
    assert_true(axis.low < 70.3 && axis.high > 70.3);
    nz_axis_init(&axis, 0, 0, true, false, 5);
    assert_true(axis.low <= 0 && axis.high > 0);
}

static void the_front_is_what_nothing_beats(void **state) {
    (void)state;
    /* None, PTQ, QAT, GUP_R, GUP_L1 by latency. */
    const double cost[] = {14, 7, 7, 15, 14}, worth[] = {70.3, 70.1, 69.6, 50.8, 66.6};
    size_t front[5];
    assert_int_equal(nz_pareto(front, cost, worth, 5), 2);
    assert_int_equal(front[0], 1);
    assert_int_equal(front[1], 0);
    /* Equal points do not beat each other; NaN is no point. */
    const double same[] = {1, 1, NAN, 2}, as_good[] = {5, 5, 9, NAN};
    assert_int_equal(nz_pareto(front, same, as_good, 4), 2);
    assert_int_equal(nz_pareto(front, same, as_good, 0), 0);
}

static bool touch(nz_box a, nz_box b) {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

static void names_find_free_places(void **state) {
    (void)state;
    enum { COUNT = 8 };
    nz_box taken[2 * COUNT], bounds = {0, 0, 400, 300};
    for (size_t i = 0; i < COUNT; i++) {
        double x = 200 + 4 * (double)i;
        taken[i] = (nz_box){x - 7, 143, x + 7, 157};
    }
    size_t placed = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        nz_box box;
        assert_true(nz_labels_place(&box, (nz_point){200 + 4 * (double)i, 150}, 60, 15, taken, placed, bounds));
        assert_true(box.left >= 0 && box.right <= 400 && box.top >= 0 && box.bottom <= 300);
        for (size_t k = 0; k < placed; k++) assert_false(touch(box, taken[k]));
        taken[placed++] = box;
    }
    nz_box untouched = {1, 2, 3, 4};
    assert_false(nz_labels_place(&untouched, (nz_point){200, 150}, 500, 15, taken, 0, bounds));
    nz_assert_near(untouched.left, 1, 0, 0);
}

static void eight_models_have_eight_colours(void **state) {
    (void)state;
    for (size_t a = 0; a < 8; a++)
        for (size_t b = 0; b < a; b++) assert_int_not_equal(nz_palette(a), nz_palette(b));
    assert_int_equal(nz_palette(8), nz_palette(0));
}

static void draw_all(nz_canvas *canvas, const void *user) {
    nz_paint paint = {.fill = 0xff0000, .stroke = 0x0000ff, .fill_alpha = 0.5, .width = 2, .dash = 3};
    nz_canvas_rect(canvas, 0, 0, 100, 50, 4, paint);
    nz_canvas_path(canvas, (nz_point[]){{1, 1}, {2, 2.5}, {3, 1}}, 3, true, paint);
    nz_canvas_circle(canvas, 10, 10, 5, paint);
    nz_canvas_begin(canvas, "<told>");
    nz_canvas_text(canvas, 5, 20, user, (nz_lettering){.size = 12, .colour = 0x222222, .halo = true});
    nz_canvas_text(canvas, 5, 20, "up", (nz_lettering){.size = 12, .anchor = NZ_RIGHT, .upwards = true});
    nz_canvas_end(canvas);
}

static void one_drawing_has_two_forms(void **state) {
    (void)state;
    nz_drawing drawing = {.width = 100, .height = 50, .slug = "a-plot", .title = "A & B", .description = "<none>"};
    drawing.draw = draw_all;
    drawing.user = "x < y & \"z\"";
    NZ_AUTO(nz_text_done) nz_text svg = {0};
    NZ_AUTO_FREE char *png = NULL;
    size_t count = 0;
    nz_assert_ok(nz_canvas_svg(&svg, &drawing));
    assert_non_null(strstr(svg.data, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 50\""));
    assert_non_null(strstr(svg.data, "<title id=\"a-plot-t\">A &amp; B</title>"));
    assert_non_null(strstr(svg.data, "x &lt; y &amp; &quot;z&quot;</text>"));
    assert_non_null(strstr(svg.data, "<title>&lt;told&gt;</title>"));
    assert_non_null(strstr(svg.data, "d=\"M1 1L2 2.5L3 1Z\""));
    nz_assert_ok(nz_canvas_png(&png, &count, &drawing));
    assert_true(count > 100);
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal((unsigned char)png[19], 200); /* width and height in the header: twice the size */
    assert_int_equal((unsigned char)png[23], 100);
}

static void put_fitted(nz_canvas *canvas, const void *user) {
    nz_text *out = (nz_text *)(uintptr_t)user;
    nz_canvas_fit(canvas, out, "a name that is much too long for its place", 12, false, 80);
    assert_true(nz_canvas_text_width(canvas, out->data, 12, false) <= 80);
}

static void text_is_shortened_until_it_fits(void **state) {
    (void)state;
    NZ_AUTO(nz_text_done) nz_text fitted = {0}, svg = {0};
    nz_drawing drawing = {.width = 10, .height = 10, .slug = "s", .title = "", .description = ""};
    drawing.draw = put_fitted;
    drawing.user = &fitted;
    nz_assert_ok(nz_canvas_svg(&svg, &drawing));
    assert_non_null(strstr(fitted.data, "\xe2\x80\xa6"));
    assert_true(fitted.length > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_ticks_are_round),          cmocka_unit_test(logarithmic_ticks_are_decades),
        cmocka_unit_test(axes_survive_anything),           cmocka_unit_test(an_axis_that_is_only_a_value_has_room),
        cmocka_unit_test(the_front_is_what_nothing_beats), cmocka_unit_test(names_find_free_places),
        cmocka_unit_test(eight_models_have_eight_colours), cmocka_unit_test(one_drawing_has_two_forms),
        cmocka_unit_test(text_is_shortened_until_it_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
