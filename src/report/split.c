/* SPDX-License-Identifier: Apache-2.0 */
/* Where the memory of a worker goes: weights, activations and the rest, one on another. */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/axis.h"
#include "report/number.h"
#include "report/plots.h"

enum { ROW = 26, MOST_ROWS = 80, LABELS = 116, HEAD = 84, FOOT = 34, PARTS = 3 };

static const struct {
    const char *id, *title;
    nz_colour colour;
} parts[PARTS] = {{"ram_weights_bytes", "weights", 0x0072b2},
                  {"ram_activations_bytes", "activations", 0xe69f00},
                  {"ram_rest_bytes", "the rest", 0xb8b2a6}};

static double value_of(const nz_view *view, size_t row, int part) {
    size_t c = nz_view_column_find(view, parts[part].id);
    return c < view->column_count ? nz_view_at(view, row, c)->value : (double)NAN;
}

/* NaN where a part is missing: a sum of the others would look like the whole. */
static double sum_of(const nz_view *view, size_t row) {
    double sum = 0;
    for (int p = 0; p < PARTS; p++) sum += fmax(value_of(view, row, p), 0) + 0 * value_of(view, row, p);
    return sum;
}

static size_t rows_of(const nz_view *view) { return view->row_count < MOST_ROWS ? view->row_count : MOST_ROWS; }

static void put_row(nz_text *out, const nz_view *view, size_t row) {
    nz_text_append(out, view->rows[row].label);
    nz_text_append(out, ": ");
    for (int p = 0; p < PARTS; p++) {
        double value = value_of(view, row, p);
        nz_text_appendf(out, "%s%s ", p ? ", " : "", parts[p].title);
        if (isnan(value))
            nz_text_append(out, "not available");
        else
            nz_text_appendf(out, "%.3g MB", value * 1e-6);
    }
}

nz_status nz_split_plan(nz_plots *plots, const nz_view *view) {
    nz_text title = {0}, description = {0};
    bool any = false;
    for (size_t r = 0; r < rows_of(view); r++) any = any || sum_of(view, r) > 0;
    if (!any) return NZ_OK;
    nz_text_append(&title, "Where memory goes (MB)");
    for (size_t r = 0; r < rows_of(view); r++) {
        nz_text_append(&description, r ? "; " : "");
        put_row(&description, view, r);
    }
    nz_plot plot = {.kind = NZ_PLOT_SPLIT, .view = view, .width = NZ_PLOT_WIDTH};
    plot.height = HEAD + (double)rows_of(view) * ROW + FOOT;
    return nz_plots_add(plots, &plot, "", &title, &description);
}

static void draw_legend(nz_canvas *canvas, double y) {
    double x = NZ_PLOT_MARGIN;
    for (int p = 0; p < PARTS; p++) {
        nz_canvas_rect(canvas, x, y - 9, 10, 10, 2, (nz_paint){.fill = parts[p].colour, .stroke = NZ_NO_COLOUR});
        nz_canvas_text(canvas, x + 15, y, parts[p].title, (nz_lettering){.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT});
        x += 32 + nz_canvas_text_width(canvas, parts[p].title, NZ_SIZE_SMALL, false);
    }
}

static void draw_bar(nz_canvas *canvas, const nz_view *view, size_t r, const nz_axis *axis, double left, double width,
                     double y) {
    double at = 0, sum = sum_of(view, r);
    if (isnan(sum)) {
        nz_canvas_text(canvas, left + 4, y + 4.5, view->rows[r].failed ? "failed" : "not available",
                       (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK_SOFT});
        return;
    }
    for (int p = 0; p < PARTS; p++) {
        double value = fmax(value_of(view, r, p), 0) * 1e-6, from = left + width * nz_axis_at(axis, at),
               to = left + width * nz_axis_at(axis, at + value);
        if (to > from)
            nz_canvas_rect(canvas, from, y - 7.5, to - from, 15, 0,
                           (nz_paint){.fill = parts[p].colour, .stroke = NZ_NO_COLOUR});
        at += value;
    }
    nz_text total = {0};
    nz_text_appendf(&total, at < 10 ? "%.2f" : at < 100 ? "%.1f" : "%.0f", at);
    if (total.data)
        nz_canvas_text(canvas, left + width * nz_axis_at(axis, at) + 6, y + 4.5, total.data,
                       (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .halo = true});
    nz_text_done(&total);
}

void nz_split_draw(nz_canvas *canvas, const nz_plot *plot) {
    const nz_view *view = plot->view;
    double most = 0, left = NZ_PLOT_MARGIN + LABELS + 8, width = plot->width - NZ_PLOT_MARGIN - left - 42;
    nz_axis axis;
    for (size_t r = 0; r < rows_of(view); r++) most = fmax(most, sum_of(view, r) * 1e-6);
    nz_axis_init(&axis, 0, most, true, false, 5);
    double top =
        nz_plot_head(canvas, plot, plot->title, "lower is better \xc2\xb7 peak proportional memory of the worker") + 26;
    double bottom = top + (double)rows_of(view) * ROW;
    draw_legend(canvas, top - 12);
    for (size_t t = 0; t < axis.count; t++) {
        double x = left + width * nz_axis_at(&axis, axis.ticks[t]);
        nz_text label = {0};
        nz_axis_put_tick(&label, &axis, t);
        nz_canvas_line(canvas, x, top, x, bottom, (nz_paint){.stroke = NZ_GRID});
        if (label.data)
            nz_canvas_text(canvas, x, bottom + 16, label.data,
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
        nz_text_done(&label);
    }
    for (size_t r = 0; r < rows_of(view); r++) {
        const nz_view_row *row = &view->rows[r];
        double y = top + ROW * ((double)r + 0.5);
        nz_text told = {0};
        put_row(&told, view, r);
        nz_canvas_begin(canvas, told.data ? told.data : "");
        nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN, y + 4.5, row->label,
                           (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .bold = row->is_baseline}, LABELS);
        draw_bar(canvas, view, r, &axis, left, width, y);
        nz_canvas_end(canvas);
        nz_text_done(&told);
    }
}
