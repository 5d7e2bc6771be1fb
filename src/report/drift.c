/* SPDX-License-Identifier: Apache-2.0 */
/* Times over the rounds: the median of each block relative to its model's own median, so that models of any speed share one
 * scale. Where all lines rise together the machine was busy or slower; where one does, that model alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/value_json.h"
#include "report/axis.h"
#include "report/number.h"
#include "report/plots.h"

enum { WIDTH = 640, TOP = 62, PANEL = 210, LEGEND = 19, FOOT = 44, MOST_LINES = 12, MOST_ROUNDS = 20000, SHOWN = 300 };

static const json_t *timing_of(const nz_view *view, size_t row) {
    const json_t *id = json_object_get(view->rows[row].json, "id");
    if (!json_is_string(id)) return NULL;
    const json_t *model = json_object_get(json_object_get(view->times, "models"), json_string_value(id));
    const json_t *timing = json_object_get(model, "timing"), *rounds = json_object_get(timing, "rounds");
    return json_array_size(rounds) >= 3 && json_array_size(rounds) <= MOST_ROUNDS ? timing : NULL;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return count ? (values[(count - 1) / 2] + values[count / 2]) / 2 : (double)NAN;
}

static double block_median(const json_t *round) {
    enum { MOST = 4096 };
    double values[MOST];
    const json_t *ns = json_object_get(round, "ns");
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(ns) && count < MOST; i++)
        if (json_is_number(json_array_get(ns, i))) values[count++] = json_number_value(json_array_get(ns, i));
    return median_of(values, count);
}

/* One model's line: percent of its own median against seconds since the race began. */
typedef struct line {
    size_t row, count;
    double x[SHOWN], percent[SHOWN];
} line;

/* Neighbouring blocks are drawn as their median where there are more than can be told apart. */
static nz_status line_get(line *ret, const nz_view *view, size_t row, double began) {
    const json_t *rounds = json_object_get(timing_of(view, row), "rounds");
    size_t count = json_array_size(rounds), step = (count + SHOWN - 1) / SHOWN;
    NZ_AUTO_FREE double *medians = NULL, *sorted = NULL;
    NZ_TRY(nz_alloc(&medians, count, sizeof *medians));
    NZ_TRY(nz_alloc(&sorted, count, sizeof *sorted));
    for (size_t i = 0; i < count; i++) sorted[i] = medians[i] = block_median(json_array_get(rounds, i));
    double own = median_of(sorted, count);
    *ret = (line){.row = row};
    for (size_t i = 0; i < count; i += step) {
        size_t here = count - i < step ? count - i : step;
        double at = nz_json_number_at(json_array_get(rounds, i), "unix_s") - began;
        memcpy(sorted, medians + i, here * sizeof *sorted);
        double value = 100 * median_of(sorted, here) / own;
        if (!isfinite(value) || !isfinite(at)) continue;
        ret->x[ret->count] = at;
        ret->percent[ret->count++] = value;
    }
    return NZ_OK;
}

static const char *race_of(const nz_view *view, size_t row) { return nz_json_text_at(timing_of(view, row), "race"); }

static bool same_race(const nz_view *view, size_t a, size_t b) {
    return timing_of(view, a) && timing_of(view, b) && strcmp(race_of(view, a), race_of(view, b)) == 0;
}

static size_t rows_of(const nz_view *view, size_t first, size_t rows[MOST_LINES], size_t *ret_all) {
    size_t count = 0;
    *ret_all = 0;
    for (size_t r = first; r < view->row_count; r++) {
        if (view->rows[r].failed || !same_race(view, first, r)) continue;
        ++*ret_all;
        if (count < MOST_LINES) rows[count++] = r;
    }
    return count;
}

static double began_of(const nz_view *view, const size_t *rows, size_t count) {
    double began = INFINITY;
    for (size_t i = 0; i < count; i++) {
        const json_t *first = json_array_get(json_object_get(timing_of(view, rows[i]), "rounds"), 0);
        double at = nz_json_number_at(first, "unix_s");
        if (at < began) began = at;
    }
    return began;
}

static bool is_first(const nz_view *view, size_t row) {
    for (size_t r = 0; r < row; r++)
        if (same_race(view, r, row)) return false;
    return timing_of(view, row) != NULL;
}

static size_t races_of(const nz_view *view) {
    size_t count = 0;
    for (size_t r = 0; r < view->row_count; r++) count += is_first(view, r);
    return count;
}

nz_status nz_drift_plan(nz_plots *plots, const nz_view *view) {
    for (size_t r = 0; r < view->row_count; r++) {
        size_t rows[MOST_LINES], all, count;
        if (view->rows[r].failed || !is_first(view, r) || !(count = rows_of(view, r, rows, &all))) continue;
        nz_text title = {0}, description = {0};
        nz_text_append(&title, "Times over the rounds");
        if (races_of(view) > 1 && *view->rows[r].host) nz_text_append(&title, " on ");
        if (races_of(view) > 1) nz_text_append(&title, view->rows[r].host);
        nz_text_append(&description, "Median of each block in percent of the model's own median, over seconds. ");
        for (size_t i = 0; i < count; i++) {
            nz_text_append(&description, i ? ", " : "Models: ");
            nz_text_append(&description, view->rows[rows[i]].label);
        }
        nz_plot plot = {.kind = NZ_PLOT_DRIFT, .view = view, .row = r, .width = WIDTH};
        plot.height = TOP + PANEL + FOOT + (double)((count + 2) / 3) * LEGEND;
        NZ_TRY(nz_plots_add(plots, &plot, "", &title, &description));
    }
    return NZ_OK;
}

typedef struct frame {
    const nz_plot *plot;
    nz_axis x, y;
    double left, width, top, bottom;
} frame;

static nz_point at(const frame *f, double x, double y) {
    return (nz_point){f->left + f->width * nz_axis_at(&f->x, x),
                      f->bottom - (f->bottom - f->top) * nz_axis_at(&f->y, y)};
}

static void draw_axes(nz_canvas *canvas, const frame *f) {
    nz_lettering letters = {.size = NZ_SIZE_SMALL, .anchor = NZ_RIGHT, .colour = NZ_INK_SOFT};
    for (size_t t = 0; t < f->y.count; t++) {
        nz_point p = at(f, f->x.low, f->y.ticks[t]);
        nz_text label = {0};
        nz_axis_put_tick(&label, &f->y, t);
        nz_text_append(&label, "%");
        nz_canvas_line(canvas, f->left, p.y, f->left + f->width, p.y, (nz_paint){.stroke = NZ_GRID});
        if (label.data) nz_canvas_text(canvas, f->left - 6, p.y + 4, label.data, letters);
        nz_text_done(&label);
    }
    letters.anchor = NZ_MIDDLE;
    for (size_t t = 0; t < f->x.count; t++) {
        nz_point p = at(f, f->x.ticks[t], f->y.low);
        nz_text label = {0};
        nz_axis_put_tick(&label, &f->x, t);
        nz_text_append(&label, " s");
        nz_canvas_line(canvas, p.x, f->bottom, p.x, f->bottom + 4, (nz_paint){.stroke = NZ_RULE});
        if (label.data) nz_canvas_text(canvas, p.x, f->bottom + 17, label.data, letters);
        nz_text_done(&label);
    }
    nz_point p = at(f, f->x.low, 100);
    nz_canvas_line(canvas, f->left, p.y, f->left + f->width, p.y, (nz_paint){.stroke = NZ_RULE, .width = 1.2});
}

/* Variants of one model share its colour: the second and later ones are dashed. */
static nz_paint paint_of(const frame *f, const line *lines, size_t i) {
    const nz_view_row *rows = f->plot->view->rows;
    size_t earlier = 0;
    for (size_t k = 0; k < i; k++) earlier += rows[lines[k].row].colour == rows[lines[i].row].colour;
    return (nz_paint){.fill = NZ_NO_COLOUR,
                      .stroke = nz_palette(rows[lines[i].row].colour),
                      .width = 1.5,
                      .dash = earlier ? 1.5 + 2.5 * (double)earlier : 0};
}

static void draw_line(nz_canvas *canvas, const frame *f, const line *l, nz_paint paint) {
    const nz_view_row *row = &f->plot->view->rows[l->row];
    nz_point points[SHOWN];
    for (size_t i = 0; i < l->count; i++) points[i] = at(f, l->x[i], l->percent[i]);
    nz_canvas_begin(canvas, row->label);
    if (l->count > 1) nz_canvas_path(canvas, points, l->count, false, paint);
    for (size_t i = 0; l->count <= 60 && i < l->count; i++)
        nz_plot_mark(canvas, points[i].x, points[i].y, 2.2, row->colour);
    nz_canvas_end(canvas);
}

static void draw_legend(nz_canvas *canvas, const frame *f, const line *lines, size_t count) {
    double each = (f->plot->width - 2.0 * NZ_PLOT_MARGIN) / 3;
    for (size_t i = 0; i < count; i++) {
        const nz_view_row *row = &f->plot->view->rows[lines[i].row];
        double x = NZ_PLOT_MARGIN + each * (double)(i % 3), y = f->bottom + FOOT + LEGEND * (double)(i / 3);
        nz_canvas_line(canvas, x, y - 4, x + 24, y - 4, paint_of(f, lines, i));
        nz_plot_mark(canvas, x + 12, y - 4, 3.5, row->colour);
        nz_canvas_text_fit(canvas, x + 30, y, row->label, (nz_lettering){.size = NZ_SIZE_SMALL, .colour = NZ_INK},
                           each - 38);
    }
}

static void bounds_of(frame *f, const line *lines, size_t count) {
    double least = 99, most = 101, last = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lines[i].count; k++) {
            least = fmin(least, lines[i].percent[k]);
            most = fmax(most, lines[i].percent[k]);
            last = fmax(last, lines[i].x[k]);
        }
    nz_axis_init(&f->y, least, most, false, most / least > 20, 5);
    nz_axis_init(&f->x, 0, last > 0 ? last : 1, true, false, 7);
}

void nz_drift_draw(nz_canvas *canvas, const nz_plot *plot) {
    const nz_view *view = plot->view;
    size_t rows[MOST_LINES], all, count = rows_of(view, plot->row, rows, &all);
    NZ_AUTO_FREE line *lines = NULL;
    nz_status status = nz_alloc(&lines, count, sizeof *lines);
    double began = began_of(view, rows, count);
    for (size_t i = 0; status == NZ_OK && i < count; i++) status = line_get(&lines[i], view, rows[i], began);
    if (status != NZ_OK) {
        nz_canvas_fail(canvas, status);
        return;
    }
    frame f = {.plot = plot, .left = NZ_PLOT_MARGIN + 44};
    f.width = plot->width - NZ_PLOT_MARGIN - f.left - 8;
    nz_text subtitle = {0};
    nz_text_append(&subtitle,
                   "median of each block, in % of the model's own median \xc2\xb7 lines that rise together: the "
                   "machine was busy");
    if (count < all) nz_text_appendf(&subtitle, " \xc2\xb7 the first %zu of %zu", count, all);
    f.top = nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "") + 6;
    nz_text_done(&subtitle);
    f.bottom = TOP + PANEL;
    bounds_of(&f, lines, count);
    draw_axes(canvas, &f);
    for (size_t i = 0; i < count; i++) draw_line(canvas, &f, &lines[i], paint_of(&f, lines, i));
    draw_legend(canvas, &f, lines, count);
}
