/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios to the baseline with their intervals, a row per metric and model: what reaches across the line at 1 may be chance. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/axis.h"
#include "report/number.h"
#include "report/plots.h"
#include "report/table.h"

enum { MOST_ROWS = 72, ROW = 21, GROUP = 27, HEAD = 62, FOOT = 34, WIDTH = 640, LABELS = 150, FIGURES = 178 };

/* A metric, or a ratio that has an interval of its own, such as accuracy's. */
typedef struct source {
    bool is_ratio;
    size_t index;
} source;

static const nz_view_gain *gain_of(const nz_view *view, source from, size_t row) {
    return from.is_ratio ? &view->rows[row].ratios[from.index].gain : &nz_view_at(view, row, from.index)->gain;
}

static bool shows(const nz_view *view, source from, size_t row) {
    const nz_view_row *r = &view->rows[row];
    return r->baseline != row && !r->failed && gain_of(view, from, row)->has_ci;
}

/* The i-th source: metrics, then ratios that are not of one of these; false past the end. */
static bool source_at(source *ret, const nz_view *view, size_t i) {
    if (i < view->column_count) {
        *ret = (source){false, i};
        return true;
    }
    *ret = (source){true, i - view->column_count};
    return ret->index < NZ_VIEW_RATIOS;
}

static size_t rows_of(const nz_view *view, source from) {
    size_t count = 0;
    if (!from.is_ratio && strncmp(view->columns[from.index].id, "latency_ms_", strlen("latency_ms_")) == 0)
        return 0; /* the median says it; tails are so uncertain that the rest would be flat beside them: the table has them */
    if (from.is_ratio) {
        source other = {false, nz_view_column_find(view, nz_view_ratio_of(view, from.index))};
        if (other.index < view->column_count && rows_of(view, other) > 0) return 0; /* shown under its own name */
    }
    for (size_t r = 0; r < view->row_count; r++) count += shows(view, from, r);
    return count;
}

static void put_source(nz_text *out, const nz_view *view, source from) {
    nz_text_append(out, from.is_ratio ? nz_table_metric_title(view, nz_view_ratio_of(view, from.index))
                                      : view->columns[from.index].title);
}

nz_status nz_forest_plan(nz_plots *plots, const nz_view *view) {
    nz_text title = {0}, description = {0};
    nz_plot plot = {.kind = NZ_PLOT_FOREST, .view = view, .width = WIDTH, .height = HEAD + FOOT};
    size_t count = 0;
    source from;
    for (size_t i = 0; source_at(&from, view, i); i++) {
        size_t rows = rows_of(view, from);
        if (rows && count < MOST_ROWS) plot.height += GROUP;
        for (size_t r = 0; rows && r < view->row_count && count < MOST_ROWS; r++) {
            if (!shows(view, from, r)) continue;
            nz_text_append(&description, count++ ? "; " : "");
            put_source(&description, view, from);
            nz_text_append(&description, " of ");
            nz_text_append(&description, view->rows[r].label);
            nz_text_append(&description, ": ");
            nz_put_interval(&description, gain_of(view, from, r)->value, gain_of(view, from, r)->ci95);
            nz_text_appendf(&description, " %s", nz_difference_name(gain_of(view, from, r)->difference));
            plot.height += ROW;
        }
    }
    nz_text_append(&title, "How many times better than the baseline, and how sure that is");
    nz_status status = count ? nz_plots_add(plots, &plot, "", &title, &description) : NZ_OK;
    nz_text_done(&title);
    nz_text_done(&description);
    return status;
}

typedef struct frame {
    const nz_plot *plot;
    nz_axis axis;
    double left, width, top, bottom;
} frame;

static double x_of(const frame *f, double value) { return f->left + f->width * nz_axis_at(&f->axis, value); }

static void measure(frame *f) {
    const nz_view *view = f->plot->view;
    double least = 1, most = 1;
    source from;
    for (size_t i = 0; source_at(&from, view, i); i++)
        for (size_t r = 0; rows_of(view, from) && r < view->row_count; r++) {
            if (!shows(view, from, r)) continue;
            least = fmin(least, gain_of(view, from, r)->ci95[0]);
            most = fmax(most, gain_of(view, from, r)->ci95[1]);
        }
    nz_axis_init(&f->axis, least, most, false, least > 0 && most / least > 20, 6);
    f->left = NZ_PLOT_MARGIN + LABELS + 10;
    f->width = f->plot->width - NZ_PLOT_MARGIN - FIGURES - f->left;
}

static void draw_axis(nz_canvas *canvas, const frame *f) {
    for (size_t t = 0; t < f->axis.count; t++) {
        double x = x_of(f, f->axis.ticks[t]);
        nz_text label = {0};
        nz_axis_put_tick(&label, &f->axis, t);
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = NZ_GRID});
        if (label.data)
            nz_canvas_text(canvas, x, f->bottom + 16, label.data,
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
        nz_text_done(&label);
    }
    nz_canvas_line(canvas, x_of(f, 1), f->top, x_of(f, 1), f->bottom, (nz_paint){.stroke = NZ_INK, .width = 1.3});
}

static void draw_interval(nz_canvas *canvas, const frame *f, const nz_view_gain *gain, size_t colour, double y) {
    bool chance = gain->difference == NZ_INDISTINGUISHABLE;
    nz_colour ink = chance ? NZ_RULE : nz_palette_dark(colour);
    double low = x_of(f, gain->ci95[0]), high = x_of(f, gain->ci95[1]), x = x_of(f, gain->value);
    nz_paint line = {.stroke = ink, .width = 2};
    nz_canvas_line(canvas, low, y, high, y, line);
    nz_canvas_line(canvas, low, y - 3.5, low, y + 3.5, line);
    nz_canvas_line(canvas, high, y - 3.5, high, y + 3.5, line);
    if (chance)
        nz_canvas_circle(canvas, x, y, 4, (nz_paint){.fill = NZ_PAPER, .stroke = NZ_RULE, .width = 2});
    else
        nz_plot_mark(canvas, x, y, 4.5, colour);
}

static void draw_row(nz_canvas *canvas, const frame *f, source from, size_t r, double y) {
    const nz_view_row *row = &f->plot->view->rows[r];
    const nz_view_gain *gain = gain_of(f->plot->view, from, r);
    bool chance = gain->difference == NZ_INDISTINGUISHABLE;
    nz_text told = {0}, figures = {0};
    nz_put_interval(&figures, gain->value, gain->ci95);
    nz_text_append(&told, row->label);
    nz_text_append(&told, ", ");
    put_source(&told, f->plot->view, from);
    nz_text_append(&told, ": ");
    if (figures.data) nz_text_append(&told, figures.data);
    nz_text_appendf(&told, " %s", nz_difference_name(gain->difference));
    nz_canvas_begin(canvas, told.data ? told.data : "");
    nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN + 8, y + 4, row->label,
                       (nz_lettering){.size = NZ_SIZE_TEXT, .colour = chance ? NZ_INK_SOFT : NZ_INK}, LABELS - 8);
    draw_interval(canvas, f, gain, row->colour, y);
    if (figures.data)
        nz_canvas_text_fit(
            canvas, f->plot->width - NZ_PLOT_MARGIN, y + 4, figures.data,
            (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_RIGHT, .colour = chance ? NZ_INK_SOFT : NZ_INK},
            FIGURES - 14);
    nz_canvas_end(canvas);
    nz_text_done(&told);
    nz_text_done(&figures);
}

void nz_forest_draw(nz_canvas *canvas, const nz_plot *plot) {
    const nz_view *view = plot->view;
    frame f = {.plot = plot};
    nz_text subtitle = {0};
    source from;
    measure(&f);
    nz_text_append(&subtitle, "right of 1 is better \xc2\xb7 95% intervals \xc2\xb7 grey: indistinguishable");
    if (f.axis.logarithmic) nz_text_append(&subtitle, " \xc2\xb7 logarithmic scale");
    f.top = nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "") + 4;
    f.bottom = plot->height - FOOT;
    nz_text_done(&subtitle);
    draw_axis(canvas, &f);
    double y = f.top;
    size_t count = 0;
    for (size_t i = 0; source_at(&from, view, i); i++) {
        if (!rows_of(view, from) || count >= MOST_ROWS) continue;
        nz_text heading = {0};
        put_source(&heading, view, from);
        y += GROUP;
        if (heading.data)
            nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN, y - 9, heading.data,
                               (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .bold = true, .halo = true},
                               LABELS + 40);
        nz_text_done(&heading);
        for (size_t r = 0; r < view->row_count && count < MOST_ROWS; r++) {
            if (!shows(view, from, r)) continue;
            draw_row(canvas, &f, from, r, y + ROW / 2.0 - 2);
            y += ROW;
            count++;
        }
    }
}
