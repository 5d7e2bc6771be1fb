/* SPDX-License-Identifier: Apache-2.0 */
/* Two curves of detectors over axes from 0 to 1: precision over recall, and mean F1 over the confidence asked for. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/axis.h"
#include "report/escape.h"
#include "report/plots.h"

enum { LINES_MOST = 24, TOP = 66, SIDE = 290, UNDER = 46, LEGEND_ROW = 18, FOOT = 10, LEFT = 64, COLOURS = 8 };

typedef struct line {
    size_t row;
    const nz_found_curve *curve;
} line;

static const nz_found_curve *curve_of(const nz_view *view, size_t r, nz_plot_kind kind) {
    const nz_found *found = view->rows[r].found;
    return kind == NZ_PLOT_PRECISION ? &found->precision_recall : &found->f1_confidence;
}

/* The rows of the legend; those without points have no line. Returns how many there are, of which LINES_MOST are kept. */
static size_t gather(line lines[LINES_MOST], const nz_view *view, nz_plot_kind kind) {
    size_t count = 0;
    for (size_t r = 0; r < view->row_count; r++) {
        if (!nz_found_shown(view, r)) continue;
        if (count < LINES_MOST) lines[count] = (line){r, curve_of(view, r, kind)};
        count++;
    }
    return count;
}

static size_t best_point(const nz_found_curve *curve) {
    size_t best = 0;
    for (size_t i = 1; i < curve->count; i++)
        if (curve->y[i] > curve->y[best]) best = i;
    return best;
}

/* Where the mean F1 is best: as the document says it, since its curve may be a thinned one; else on the curve. */
static nz_point best_of(const nz_found *found) {
    const nz_found_curve *curve = &found->f1_confidence;
    if (!isnan(found->confidence) && !isnan(found->f1)) return (nz_point){found->confidence, found->f1};
    size_t best = best_point(curve);
    return (nz_point){curve->x[best], curve->y[best]};
}

/* "56.6", "0.61 at 0.486". */
static void put_value(nz_text *out, const nz_view *view, const line *l, nz_plot_kind kind) {
    const nz_found *found = view->rows[l->row].found;
    if (kind == NZ_PLOT_PRECISION) {
        if (isnan(found->ap50))
            nz_text_append(out, "\xe2\x80\x93");
        else
            nz_put_fixed(out, 100 * found->ap50, 2);
        return;
    }
    if (!l->curve->count) {
        nz_text_append(out, "\xe2\x80\x93");
        return;
    }
    nz_point best = best_of(found);
    nz_put_fixed(out, best.y, 3);
    nz_text_append(out, " at ");
    nz_put_fixed(out, best.x, 3);
}

static void describe(nz_text *out, const nz_view *view, const line *lines, size_t count, nz_plot_kind kind) {
    nz_text_append(out, kind == NZ_PLOT_PRECISION ? "AP50 in percent: " : "Best mean F1 and its confidence: ");
    for (size_t i = 0; i < count && i < LINES_MOST; i++) {
        nz_text_append(out, i ? "; " : "");
        nz_text_append(out, view->rows[lines[i].row].found_label);
        nz_text_append(out, ": ");
        put_value(out, view, &lines[i], kind);
    }
}

static nz_status plan(nz_plots *plots, const nz_view *view, nz_plot_kind kind, const char *heading) {
    line lines[LINES_MOST];
    size_t count = gather(lines, view, kind), drawn = 0;
    for (size_t i = 0; i < count && i < LINES_MOST; i++) drawn += lines[i].curve->count > 1;
    if (!drawn) return NZ_OK;
    nz_text title = {0}, description = {0};
    nz_text_append(&title, heading);
    describe(&description, view, lines, count, kind);
    nz_plot plot = {.kind = kind, .view = view, .width = NZ_PLOT_WIDTH};
    plot.height = TOP + SIDE + UNDER + (double)((count < LINES_MOST ? count : LINES_MOST) + 1) * LEGEND_ROW + FOOT;
    return nz_plots_add(plots, &plot, "", &title, &description);
}

nz_status nz_precision_plan(nz_plots *plots, const nz_view *view) {
    return plan(plots, view, NZ_PLOT_PRECISION, "Precision and recall");
}

nz_status nz_f1_plan(nz_plots *plots, const nz_view *view) {
    return plan(plots, view, NZ_PLOT_F1, "Mean F1 and confidence");
}

/* ---- drawing ---- */

typedef struct frame {
    nz_axis axis;
    double left, right, top, bottom;
} frame;

static double x_of(const frame *f, double x) { return f->left + (f->right - f->left) * nz_axis_at(&f->axis, x); }
static double y_of(const frame *f, double y) { return f->bottom - (f->bottom - f->top) * nz_axis_at(&f->axis, y); }

static void draw_axes(nz_canvas *canvas, const frame *f, const char *x_title, const char *y_title) {
    nz_lettering small = {.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT};
    for (size_t t = 0; t < f->axis.count; t++) {
        double x = x_of(f, f->axis.ticks[t]), y = y_of(f, f->axis.ticks[t]);
        nz_text label = {0};
        nz_axis_put_tick(&label, &f->axis, t);
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = NZ_GRID});
        nz_canvas_line(canvas, f->left, y, f->right, y, (nz_paint){.stroke = NZ_GRID});
        small.anchor = NZ_MIDDLE;
        if (label.data) nz_canvas_text(canvas, x, f->bottom + 16, label.data, small);
        small.anchor = NZ_RIGHT;
        if (label.data) nz_canvas_text(canvas, f->left - 7, y + 4, label.data, small);
        nz_text_done(&label);
    }
    nz_canvas_line(canvas, f->left, f->bottom, f->right, f->bottom, (nz_paint){.stroke = NZ_RULE});
    nz_canvas_line(canvas, f->left, f->top, f->left, f->bottom, (nz_paint){.stroke = NZ_RULE});
    nz_lettering title = {.size = NZ_SIZE_TEXT, .anchor = NZ_MIDDLE, .colour = NZ_INK};
    nz_canvas_text(canvas, (f->left + f->right) / 2, f->bottom + 36, x_title, title);
    title.upwards = true;
    nz_canvas_text(canvas, NZ_PLOT_MARGIN + 10, (f->top + f->bottom) / 2, y_title, title);
}

/* Lines of one colour differ by their dashes. */
static nz_paint paint_of(const nz_view_row *row) {
    static const double dashes[] = {0, 6, 2.5, 11};
    return (nz_paint){.fill = NZ_NO_COLOUR,
                      .stroke = nz_palette(row->colour),
                      .width = row->is_baseline ? 2.4 : 1.8,
                      .dash = dashes[row->colour / COLOURS % NZ_COUNT(dashes)]};
}

/* Points closer than a pixel along x say nothing more, but the best one is kept. */
static void draw_curve(nz_canvas *canvas, const frame *f, const nz_found_curve *curve, nz_paint paint) {
    enum { MOST = 1000 };
    nz_point points[MOST];
    size_t count = 0, best = best_point(curve);
    for (size_t i = 0; i < curve->count && count < MOST; i++) {
        double x = x_of(f, curve->x[i]), y = y_of(f, curve->y[i]);
        bool near = count && x - points[count - 1].x < 1 && fabs(y - points[count - 1].y) < 3;
        if (near && i != best && i + 1 < curve->count) continue;
        points[count++] = (nz_point){x, y};
    }
    if (count > 1) nz_canvas_path(canvas, points, count, false, paint);
}

static void draw_line(nz_canvas *canvas, const frame *f, const nz_view *view, const line *l, nz_plot_kind kind) {
    const nz_view_row *row = &view->rows[l->row];
    nz_text told = {0};
    if (l->curve->count < 2) return;
    nz_text_append(&told, row->found_label);
    nz_text_append(&told, kind == NZ_PLOT_PRECISION ? ": AP50 " : ": best mean F1 ");
    put_value(&told, view, l, kind);
    nz_canvas_begin(canvas, told.data ? told.data : "");
    draw_curve(canvas, f, l->curve, paint_of(row));
    if (kind == NZ_PLOT_F1) {
        nz_point best = best_of(row->found);
        nz_canvas_circle(canvas, x_of(f, best.x), y_of(f, best.y), 4.2,
                         (nz_paint){.fill = NZ_PAPER, .stroke = nz_palette_dark(row->colour), .width = 1.6});
    }
    nz_canvas_end(canvas);
    nz_text_done(&told);
}

static void draw_legend(nz_canvas *canvas, const nz_plot *plot, const line *lines, size_t count, double top) {
    nz_lettering head = {.size = NZ_SIZE_SMALL, .anchor = NZ_RIGHT, .colour = NZ_INK_SOFT};
    double right = plot->width - NZ_PLOT_MARGIN - 6, y = top + 12;
    nz_canvas_text(canvas, right, y, plot->kind == NZ_PLOT_PRECISION ? "AP50 (%)" : "best F1 at confidence", head);
    for (size_t i = 0; i < count && i < LINES_MOST; i++) {
        const nz_view_row *row = &plot->view->rows[lines[i].row];
        nz_text value = {0};
        y += LEGEND_ROW;
        nz_canvas_line(canvas, LEFT, y - 4, LEFT + 24, y - 4, paint_of(row));
        put_value(&value, plot->view, &lines[i], plot->kind);
        double room = right - LEFT - 40;
        if (value.data) {
            nz_canvas_text(canvas, right, y, value.data,
                           (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_RIGHT, .colour = NZ_INK});
            room -= nz_canvas_text_width(canvas, value.data, NZ_SIZE_TEXT, false);
        }
        nz_canvas_text_fit(canvas, LEFT + 32, y, row->found_label,
                           (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .bold = row->is_baseline}, room);
        nz_text_done(&value);
    }
}

static void draw(nz_canvas *canvas, const nz_plot *plot, const char *subtitle, const char *x_title,
                 const char *y_title) {
    line lines[LINES_MOST];
    size_t count = gather(lines, plot->view, plot->kind);
    frame f = {.left = LEFT, .right = plot->width - NZ_PLOT_MARGIN - 6, .top = TOP, .bottom = TOP + SIDE};
    nz_text told = {0};
    nz_text_append(&told, subtitle);
    if (count > LINES_MOST) nz_text_appendf(&told, " \xc2\xb7 the first %d of %zu models", LINES_MOST, count);
    nz_plot_head(canvas, plot, plot->title, told.data ? told.data : "");
    nz_text_done(&told);
    nz_axis_init(&f.axis, 0, 1, true, false, 5);
    draw_axes(canvas, &f, x_title, y_title);
    for (size_t i = count < LINES_MOST ? count : LINES_MOST; i-- > 0;) /* the first one, the baseline, on top */
        draw_line(canvas, &f, plot->view, &lines[i], plot->kind);
    draw_legend(canvas, plot, lines, count, f.bottom + UNDER);
}

void nz_precision_draw(nz_canvas *canvas, const nz_plot *plot) {
    draw(canvas, plot, "IoU 0.50, mean over classes with objects \xc2\xb7 up and right is better", "Recall",
         "Precision");
}

void nz_f1_draw(nz_canvas *canvas, const nz_plot *plot) {
    draw(canvas, plot, "IoU 0.50, mean over classes with objects \xc2\xb7 ringed: the best point",
         "Confidence from which a box counts", "Mean F1");
}
