/* SPDX-License-Identifier: Apache-2.0 */
/* One bar per variant and metric, with its 95% interval; what is unavailable is named, never drawn as zero. */
#include <math.h>

#include "core/error.h"
#include "report/axis.h"
#include "report/number.h"
#include "report/plots.h"

enum { ROW_HEIGHT = 26, MOST_ROWS = 80, LABEL_WIDTH = 116, FOOT = 34, HEAD = 60 };

static size_t rows_of(const nz_view *view) { return view->row_count < MOST_ROWS ? view->row_count : MOST_ROWS; }

static void describe(nz_text *out, const nz_view *view, size_t c) {
    for (size_t r = 0; r < rows_of(view); r++) {
        nz_text_append(out, r ? "; " : "");
        nz_text_append(out, view->rows[r].label);
        nz_text_append(out, ": ");
        nz_put_detail(out, &view->columns[c], nz_view_at(view, r, c));
    }
}

nz_status nz_bars_plan(nz_plots *plots, const nz_view *view) {
    for (size_t c = 0; c < view->column_count; c++) {
        if (view->columns[c].available == 0) continue;
        nz_text title = {0}, description = {0};
        nz_put_heading(&title, &view->columns[c]);
        describe(&description, view, c);
        nz_plot plot = {.kind = NZ_PLOT_BARS, .view = view, .column = c, .width = NZ_PLOT_WIDTH};
        plot.height = HEAD + (double)rows_of(view) * ROW_HEIGHT + FOOT;
        NZ_TRY(nz_plots_add(plots, &plot, view->columns[c].id, &title, &description));
    }
    return NZ_OK;
}

typedef struct frame {
    const nz_plot *plot;
    const nz_view_column *column;
    nz_axis axis;
    double left, width, top, bottom;
} frame;

static double x_of(const frame *f, double value) {
    return f->left + f->width * nz_axis_at(&f->axis, value / f->column->scale);
}

/* Bounds of values and intervals, and the widest text that stands behind a bar. */
static void measure(nz_canvas *canvas, frame *f, bool *ret_intervals) {
    const nz_view *view = f->plot->view;
    double least = INFINITY, most = -INFINITY, text_width = 0;
    *ret_intervals = false;
    for (size_t r = 0; r < rows_of(view); r++) {
        const nz_view_cell *cell = nz_view_at(view, r, f->plot->column);
        if (isnan(cell->value)) continue;
        least = fmin(least, cell->has_ci ? fmin(cell->value, cell->ci95[0]) : cell->value);
        most = fmax(most, cell->has_ci ? fmax(cell->value, cell->ci95[1]) : cell->value);
        *ret_intervals = *ret_intervals || cell->has_ci;
        nz_text value = {0};
        nz_put_value(&value, f->column, cell->value);
        if (value.data) text_width = fmax(text_width, nz_canvas_text_width(canvas, value.data, NZ_SIZE_TEXT, false));
        nz_text_done(&value);
    }
    double scale = f->column->scale;
    nz_axis_init(&f->axis, least / scale, most / scale, true, nz_axis_spans_decades(least, most), 5);
    f->left = NZ_PLOT_MARGIN + LABEL_WIDTH + 8;
    f->width = f->plot->width - NZ_PLOT_MARGIN - f->left - text_width - 12;
}

static void draw_axis(nz_canvas *canvas, const frame *f) {
    double last = -INFINITY;
    for (size_t t = 0; t < f->axis.count; t++) {
        double x = f->left + f->width * nz_axis_at(&f->axis, f->axis.ticks[t]);
        nz_text label = {0};
        nz_axis_put_tick(&label, &f->axis, t);
        double width = label.data ? nz_canvas_text_width(canvas, label.data, NZ_SIZE_SMALL, false) : 0;
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = NZ_GRID});
        if (x - width / 2 > last + 8 && label.data) {
            nz_canvas_text(canvas, x, f->bottom + 16, label.data,
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
            last = x + width / 2;
        }
        nz_text_done(&label);
    }
}

static void draw_whisker(nz_canvas *canvas, const frame *f, const nz_view_cell *cell, double y) {
    double low = x_of(f, cell->ci95[0]), high = x_of(f, cell->ci95[1]);
    nz_paint ink = {.stroke = NZ_INK, .width = 1.2}, halo = {.stroke = NZ_PAPER, .width = 3.2};
    nz_canvas_line(canvas, low, y, high, y, halo);
    nz_canvas_line(canvas, low, y, high, y, ink);
    nz_canvas_line(canvas, low, y - 4, low, y + 4, ink);
    nz_canvas_line(canvas, high, y - 4, high, y + 4, ink);
}

static void draw_value(nz_canvas *canvas, const frame *f, size_t r, double y) {
    const nz_view_row *row = &f->plot->view->rows[r];
    const nz_view_cell *cell = nz_view_at(f->plot->view, r, f->plot->column);
    double zero = f->axis.logarithmic ? f->left : x_of(f, 0), x = x_of(f, cell->value);
    nz_paint paint = {.fill = nz_palette(row->colour), .stroke = NZ_NO_COLOUR};
    if (f->axis.logarithmic) { /* a length has no meaning where there is no zero */
        nz_canvas_line(canvas, zero, y, x, y, (nz_paint){.stroke = NZ_RULE, .dash = 2});
        nz_plot_mark(canvas, x, y, 5, row->colour);
    } else
        nz_canvas_rect(canvas, fmin(zero, x), y - 7.5, fmax(fabs(x - zero), 1), 15, 2, paint);
    double behind = fmax(x, zero);
    if (cell->has_ci) {
        draw_whisker(canvas, f, cell, y);
        behind = fmax(behind, x_of(f, cell->ci95[1]));
    }
    nz_text value = {0};
    nz_put_value(&value, f->column, cell->value);
    if (value.data)
        nz_canvas_text(canvas, behind + (f->axis.logarithmic ? 10 : 6), y + 4.5, value.data,
                       (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .halo = true});
    nz_text_done(&value);
}

static void draw_row(nz_canvas *canvas, const frame *f, size_t r) {
    const nz_view_row *row = &f->plot->view->rows[r];
    const nz_view_cell *cell = nz_view_at(f->plot->view, r, f->plot->column);
    double y = f->top + ROW_HEIGHT * ((double)r + 0.5);
    nz_text told = {0};
    nz_text_append(&told, row->label);
    nz_text_append(&told, ": ");
    nz_put_detail(&told, f->column, cell);
    nz_canvas_begin(canvas, told.data ? told.data : "");
    nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN, y + 4.5, row->label,
                       (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .bold = row->is_baseline}, LABEL_WIDTH);
    if (isnan(cell->value))
        nz_canvas_text(canvas, f->left + 4, y + 4.5, row->failed ? "failed" : "not available",
                       (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK_SOFT});
    else
        draw_value(canvas, f, r, y);
    nz_canvas_end(canvas);
    nz_text_done(&told);
}

static void put_subtitle(nz_text *out, const frame *f, bool intervals) {
    static const char *const better[] = {
        [NZ_HIGHER] = "higher is better", [NZ_LOWER] = "lower is better", [NZ_NEITHER] = "neither way is better"};
    nz_text_append(out, better[f->column->better]);
    if (intervals) nz_text_append(out, " \xc2\xb7 whiskers: 95% interval");
    if (f->axis.logarithmic) nz_text_append(out, " \xc2\xb7 logarithmic scale");
    if (rows_of(f->plot->view) < f->plot->view->row_count)
        nz_text_appendf(out, " \xc2\xb7 the first %d of %zu", MOST_ROWS, f->plot->view->row_count);
}

void nz_bars_draw(nz_canvas *canvas, const nz_plot *plot) {
    const nz_view *view = plot->view;
    frame f = {.plot = plot, .column = &view->columns[plot->column]};
    bool intervals;
    nz_text subtitle = {0};
    measure(canvas, &f, &intervals);
    put_subtitle(&subtitle, &f, intervals);
    f.top = nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "") + 2;
    f.bottom = f.top + (double)rows_of(view) * ROW_HEIGHT;
    nz_text_done(&subtitle);
    draw_axis(canvas, &f);
    /* The baseline's value, to compare with at a glance; with several baselines there would be several lines. */
    size_t base = SIZE_MAX, bases = 0;
    for (size_t r = 0; r < rows_of(view); r++)
        if (view->rows[r].is_baseline && bases++ == 0) base = r;
    double value = bases == 1 ? nz_view_at(view, base, plot->column)->value : (double)NAN;
    if (!isnan(value) && rows_of(view) > 1)
        nz_canvas_line(canvas, x_of(&f, value), f.top, x_of(&f, value), f.bottom,
                       (nz_paint){.stroke = NZ_INK, .width = 1.2, .dash = 3});
    for (size_t r = 0; r < rows_of(view); r++) draw_row(canvas, &f, r);
    if (!f.axis.logarithmic)
        nz_canvas_line(canvas, x_of(&f, 0), f.top, x_of(&f, 0), f.bottom, (nz_paint){.stroke = NZ_RULE});
}
