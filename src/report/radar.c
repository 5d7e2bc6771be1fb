/* SPDX-License-Identifier: Apache-2.0 */
/* The four ratios of each model around one centre; the ring at 1 is the baseline. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/axis.h"
#include "report/number.h"
#include "report/plots.h"
#include "report/table.h"

enum { MOST_SHAPES = 6, RADIUS = 100, LEGEND_ROW = 21 };
static const double CENTRE_X = NZ_PLOT_WIDTH / 2.0, CENTRE_Y = 60 + 36 + RADIUS;
static const nz_point directions[NZ_VIEW_RATIOS] = {{0, -1}, {1, 0}, {0, 1}, {-1, 0}};

/* Where several machines measured, each has a radar of its own: rows of the same machine as row `like`. */
static bool has_shape(const nz_view *view, size_t r, size_t like) {
    const nz_view_row *row = &view->rows[r];
    if (row->is_baseline || row->failed || !nz_view_same_part(row, &view->rows[like], NZ_VARIANT_HOST)) return false;
    for (int i = 0; i < NZ_VIEW_RATIOS; i++)
        if (!isnan(row->ratios[i].value)) return true;
    return false;
}

/* Whether another variant of the model did better, or as well and stands before it. */
static bool is_outdone(const nz_view *view, size_t row, size_t like) {
    bool partial;
    double own = nz_view_ocs(&view->rows[row], &partial);
    for (size_t r = 0; r < view->row_count; r++) {
        double ocs = nz_view_ocs(&view->rows[r], &partial);
        if (r == row || view->rows[r].colour != view->rows[row].colour || !has_shape(view, r, like)) continue;
        if (ocs > own || (isnan(own) && !isnan(ocs)) || (r < row && !(own > ocs) && !(isnan(ocs) && !isnan(own))))
            return true;
    }
    return false;
}

/* The rows that are drawn: the best variant of each model, those with the highest OCS where there are too many models to
 * tell apart. */
static size_t choose(const nz_view *view, size_t like, size_t chosen[MOST_SHAPES], size_t *ret_all) {
    size_t count = 0;
    double scores[MOST_SHAPES];
    *ret_all = 0;
    for (size_t r = 0; r < view->row_count; r++) {
        bool partial;
        double ocs = nz_view_ocs(&view->rows[r], &partial), score = isnan(ocs) ? -INFINITY : ocs;
        if (!has_shape(view, r, like)) continue;
        ++*ret_all;
        if (is_outdone(view, r, like)) continue;
        size_t at = count < MOST_SHAPES ? count++ : score > scores[MOST_SHAPES - 1] ? MOST_SHAPES - 1 : MOST_SHAPES;
        if (at == MOST_SHAPES) continue;
        for (; at > 0 && scores[at - 1] < score; at--) {
            scores[at] = scores[at - 1];
            chosen[at] = chosen[at - 1];
        }
        scores[at] = score;
        chosen[at] = r;
    }
    return count;
}

static void put_ocs(nz_text *out, const nz_view_row *row) {
    bool partial;
    double ocs = nz_view_ocs(row, &partial);
    nz_text_append(out, "OCS ");
    nz_put_ratio(out, ocs);
    if (partial) nz_text_append(out, "*");
}

static nz_status plan_machine(nz_plots *plots, const nz_view *view, size_t like) {
    size_t chosen[MOST_SHAPES], all, count = choose(view, like, chosen, &all);
    if (count == 0) return NZ_OK;
    nz_text title = {0}, description = {0};
    nz_text_append(&title, "Ratios against the baseline");
    if (view->hosts > 1 && *view->rows[like].host) {
        nz_text_append(&title, " on ");
        nz_text_append(&title, view->rows[like].host);
    }
    for (size_t k = 0; k < count; k++) {
        const nz_view_row *row = &view->rows[chosen[k]];
        nz_text_append(&description, k ? "; " : "");
        nz_text_append(&description, row->label);
        nz_text_append(&description, ": ");
        for (size_t i = 0; i < NZ_VIEW_RATIOS; i++) {
            nz_table_title(&description, view, (nz_table_column){NZ_COLUMN_RATIO, i});
            nz_text_append(&description, " ");
            nz_put_ratio(&description, row->ratios[i].value);
            nz_text_append(&description, ", ");
        }
        put_ocs(&description, row);
    }
    nz_plot plot = {.kind = NZ_PLOT_RADAR, .view = view, .row = like, .width = NZ_PLOT_WIDTH};
    plot.height = CENTRE_Y + RADIUS + 44 + (double)(count + 1) * LEGEND_ROW + 10;
    return nz_plots_add(plots, &plot, "", &title, &description);
}

nz_status nz_radar_plan(nz_plots *plots, const nz_view *view) {
    for (size_t r = 0; r < view->row_count; r++) {
        bool seen = false;
        for (size_t k = 0; k < r; k++)
            seen = seen || nz_view_same_part(&view->rows[k], &view->rows[r], NZ_VARIANT_HOST);
        if (!seen) NZ_TRY(plan_machine(plots, view, r));
    }
    return NZ_OK;
}

static void scale_axis(nz_axis *axis, const nz_view *view, const size_t *chosen, size_t count) {
    double least = 1, most = 1;
    for (size_t k = 0; k < count; k++)
        for (int i = 0; i < NZ_VIEW_RATIOS; i++) {
            double value = view->rows[chosen[k]].ratios[i].value;
            if (isnan(value)) continue;
            least = fmin(least, value);
            most = fmax(most, value);
        }
    bool wide = least > 0 && most > 16;
    nz_axis_init(axis, wide ? fmin(least, 0.5) : 0, most, true, wide, 5);
}

static nz_point at(const nz_axis *axis, int ratio, double value) {
    double r = RADIUS * nz_axis_at(axis, value);
    return (nz_point){CENTRE_X + directions[ratio].x * r, CENTRE_Y + directions[ratio].y * r};
}

static void draw_ring(nz_canvas *canvas, const nz_axis *axis, double value, nz_paint paint) {
    nz_point corners[NZ_VIEW_RATIOS];
    for (int i = 0; i < NZ_VIEW_RATIOS; i++) corners[i] = at(axis, i, value);
    nz_canvas_path(canvas, corners, NZ_VIEW_RATIOS, true, paint);
}

static void draw_scale(nz_canvas *canvas, const nz_axis *axis, const bool known[NZ_VIEW_RATIOS]) {
    for (size_t t = 0; t < axis->count; t++)
        if (nz_axis_at(axis, axis->ticks[t]) > 0)
            draw_ring(canvas, axis, axis->ticks[t], (nz_paint){.fill = NZ_NO_COLOUR, .stroke = NZ_GRID});
    for (int i = 0; i < NZ_VIEW_RATIOS; i++) {
        nz_point end = {CENTRE_X + directions[i].x * RADIUS, CENTRE_Y + directions[i].y * RADIUS};
        nz_canvas_line(canvas, CENTRE_X, CENTRE_Y, end.x, end.y,
                       (nz_paint){.stroke = known[i] ? NZ_RULE : NZ_GRID, .dash = known[i] ? 0 : 4});
    }
}

/* The numbers stand on a diagonal, where no axis and seldom a shape passes. */
static void draw_ticks(nz_canvas *canvas, const nz_axis *axis) {
    double last = -INFINITY;
    for (size_t t = 0; t < axis->count; t++) {
        double r = RADIUS * nz_axis_at(axis, axis->ticks[t]) / 2;
        if (r < 6 || r - last < 9) continue;
        nz_text label = {0};
        nz_axis_put_tick(&label, axis, t);
        nz_lettering letters = {.size = 10.5, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT};
        double width = label.data ? nz_canvas_text_width(canvas, label.data, letters.size, false) : 0;
        nz_canvas_rect(canvas, CENTRE_X + r - width / 2 - 2, CENTRE_Y - r - 6, width + 4, 12, 2,
                       (nz_paint){.fill = NZ_PAPER, .stroke = NZ_NO_COLOUR, .fill_alpha = 0.85});
        if (label.data) nz_canvas_text(canvas, CENTRE_X + r, CENTRE_Y - r + 3.7, label.data, letters);
        nz_text_done(&label);
        last = r;
    }
}

static void draw_names(nz_canvas *canvas, const nz_view *view, const bool known[NZ_VIEW_RATIOS]) {
    static const nz_anchor anchors[] = {NZ_MIDDLE, NZ_LEFT, NZ_MIDDLE, NZ_RIGHT};
    static const nz_point shift[] = {{0, -24}, {10, -2}, {0, 20}, {-10, -2}};
    for (size_t i = 0; i < NZ_VIEW_RATIOS; i++) {
        nz_text name = {0}, unit = {0};
        nz_table_title(&name, view, (nz_table_column){NZ_COLUMN_RATIO, i});
        nz_table_unit(&unit, view, (nz_table_column){NZ_COLUMN_RATIO, i});
        double x = CENTRE_X + directions[i].x * RADIUS + shift[i].x,
               y = CENTRE_Y + directions[i].y * RADIUS + shift[i].y;
        double width = i % 2 ? CENTRE_X - RADIUS - 10 - NZ_PLOT_MARGIN / 2.0 : 200;
        nz_colour ink = known[i] ? NZ_INK : NZ_INK_SOFT;
        if (name.data)
            nz_canvas_text(canvas, x, y, name.data,
                           (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = anchors[i], .colour = ink, .bold = known[i]});
        nz_canvas_text_fit(canvas, x, y + 14, known[i] ? (unit.data ? unit.data : "") : "not available",
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = anchors[i], .colour = NZ_INK_SOFT}, width);
        nz_text_done(&name);
        nz_text_done(&unit);
    }
}

static void draw_shape(nz_canvas *canvas, const nz_axis *axis, const nz_view_row *row) {
    nz_point points[NZ_VIEW_RATIOS];
    size_t count = 0;
    nz_colour colour = nz_palette_dark(row->colour);
    for (int i = 0; i < NZ_VIEW_RATIOS; i++)
        if (!isnan(row->ratios[i].value)) points[count++] = at(axis, i, row->ratios[i].value);
    nz_text told = {0};
    nz_text_append(&told, row->label);
    nz_text_append(&told, ": ");
    put_ocs(&told, row);
    nz_canvas_begin(canvas, told.data ? told.data : "");
    nz_paint paint = {.fill = nz_palette(row->colour), .stroke = colour, .fill_alpha = 0.09, .width = 2};
    if (count > 1) nz_canvas_path(canvas, points, count, true, paint);
    for (size_t i = 0; i < count; i++) nz_plot_mark(canvas, points[i].x, points[i].y, 3.5, row->colour);
    nz_canvas_end(canvas);
    nz_text_done(&told);
}

static void draw_legend_row(nz_canvas *canvas, const nz_view_row *row, double y) {
    nz_text ocs = {0};
    put_ocs(&ocs, row);
    nz_lettering letters = {.size = NZ_SIZE_TEXT, .colour = NZ_INK};
    nz_plot_mark(canvas, 56, y - 4.5, 5, row->colour);
    nz_canvas_text_fit(canvas, 70, y, row->label, letters, 200);
    letters.anchor = NZ_RIGHT;
    letters.bold = true;
    if (ocs.data) nz_canvas_text(canvas, NZ_PLOT_WIDTH - 56, y, ocs.data, letters);
    nz_text_done(&ocs);
}

void nz_radar_draw(nz_canvas *canvas, const nz_plot *plot) {
    const nz_view *view = plot->view;
    size_t chosen[MOST_SHAPES], all, count = choose(view, plot->row, chosen, &all);
    bool known[NZ_VIEW_RATIOS] = {false}, partial = false;
    nz_axis axis;
    nz_text subtitle = {0};
    for (size_t k = 0; k < count; k++) {
        bool of_part;
        (void)nz_view_ocs(&view->rows[chosen[k]], &of_part);
        partial = partial || of_part;
        for (int i = 0; i < NZ_VIEW_RATIOS; i++) known[i] = known[i] || !isnan(view->rows[chosen[k]].ratios[i].value);
    }
    scale_axis(&axis, view, chosen, count);
    nz_text_append(&subtitle, "outwards is better \xc2\xb7 the dark ring at 1 is the baseline");
    if (axis.logarithmic) nz_text_append(&subtitle, " \xc2\xb7 logarithmic");
    nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "");
    nz_text_done(&subtitle);
    draw_scale(canvas, &axis, known);
    for (size_t k = count; k-- > 0;) draw_shape(canvas, &axis, &view->rows[chosen[k]]);
    draw_ring(canvas, &axis, 1, (nz_paint){.fill = NZ_NO_COLOUR, .stroke = NZ_INK, .width = 1.4, .dash = 3});
    draw_ticks(canvas, &axis);
    draw_names(canvas, view, known);
    double y = CENTRE_Y + RADIUS + 62;
    for (size_t k = 0; k < count; k++, y += LEGEND_ROW) draw_legend_row(canvas, &view->rows[chosen[k]], y);
    nz_text note = {0};
    if (count < all && view->names < view->row_count)
        nz_text_append(&note, "each model's variant of highest OCS");
    else if (count < all)
        nz_text_appendf(&note, "the %zu of %zu with the highest OCS", count, all);
    if (partial)
        nz_text_append(&note, count < all ? " \xc2\xb7 * without missing ratios"
                                          : "* without the ratios that are not available");
    if (note.data)
        nz_canvas_text_fit(canvas, CENTRE_X, y, note.data,
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT},
                           NZ_PLOT_WIDTH - 28);
    nz_text_done(&note);
}
