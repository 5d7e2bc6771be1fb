/* SPDX-License-Identifier: Apache-2.0 */
/* Which classes a compressed detector lost: average precision of each class, baseline and model joined by a line. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/axis.h"
#include "report/changes.h"
#include "report/escape.h"
#include "report/plots.h"

enum { ROW_HEIGHT = 21, HEAD = 62, FOOT = 62, LABEL_WIDTH = 108, COUNT_WIDTH = 44, CHANGE_WIDTH = 48, ROWS_ALONE = 40 };

static nz_status plan_row(nz_plots *plots, const nz_view *view, size_t row, size_t base) {
    NZ_AUTO(nz_class_changes_done) nz_class_changes changes = {0};
    nz_text title = {0}, description = {0};
    NZ_TRY(nz_class_changes_get(&changes, view, row, base, base == SIZE_MAX ? ROWS_ALONE : NZ_CLASS_CHANGES_SHOWN));
    if (!changes.count) return NZ_OK;
    nz_text_append(&title, "Average precision by class: ");
    nz_text_append(&title, view->rows[row].found_label);
    nz_class_changes_put(&description, &changes, changes.count);
    nz_plot plot = {.kind = NZ_PLOT_CLASSES, .view = view, .row = row, .against = base, .width = NZ_PLOT_WIDTH};
    plot.height = HEAD + (double)changes.count * ROW_HEIGHT + FOOT;
    return nz_plots_add(plots, &plot, view->rows[row].found_label, &title, &description);
}

nz_status nz_classes_plan(nz_plots *plots, const nz_view *view) {
    size_t shown = 0;
    for (size_t r = 0; r < view->row_count; r++) shown += nz_found_shown(view, r);
    if (shown > NZ_DETECTION_DRAWN_MOST)
        nz_text_appendf(&plots->notes, "%sClasses and confusion are drawn of the first %d of %zu detectors.",
                        plots->notes.length ? "\n" : "", NZ_DETECTION_DRAWN_MOST, shown);
    for (size_t r = 0, drawn = 0; r < view->row_count && drawn < NZ_DETECTION_DRAWN_MOST; r++) {
        size_t base = view->rows[r].baseline;
        if (!nz_found_shown(view, r)) continue;
        drawn++;
        bool compared = base != SIZE_MAX && base != r && view->rows[base].found && !view->rows[base].failed;
        if (compared || shown == 1) NZ_TRY(plan_row(plots, view, r, compared ? base : SIZE_MAX));
    }
    return NZ_OK;
}

/* ---- drawing ---- */

typedef struct frame {
    const nz_plot *plot;
    nz_axis axis;
    double left, right, top, bottom;
} frame;

static double x_of(const frame *f, double fraction) {
    return f->left + (f->right - f->left) * nz_axis_at(&f->axis, 100 * fraction);
}

static void draw_axis(nz_canvas *canvas, const frame *f) {
    for (size_t t = 0; t < f->axis.count; t++) {
        double x = x_of(f, f->axis.ticks[t] / 100);
        nz_text label = {0};
        nz_axis_put_tick(&label, &f->axis, t);
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = NZ_GRID});
        if (label.data)
            nz_canvas_text(canvas, x, f->bottom + 16, label.data,
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
        nz_text_done(&label);
    }
    nz_canvas_line(canvas, f->left, f->bottom, f->right, f->bottom, (nz_paint){.stroke = NZ_RULE});
    nz_canvas_text(canvas, f->left - 10, f->bottom + 16, "objects",
                   (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_RIGHT, .colour = NZ_INK_SOFT});
}

/* Few objects make large changes: how many there are stands beside the name. */
static void draw_name(nz_canvas *canvas, const frame *f, const nz_class_change *c, double y) {
    nz_text count = {0};
    nz_canvas_text_fit(canvas, f->left - 10 - COUNT_WIDTH, y + 4.5, c->name,
                       (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_RIGHT, .colour = NZ_INK}, LABEL_WIDTH);
    if (isnan(c->truths))
        nz_text_append(&count, "\xe2\x80\x93");
    else
        nz_put_fixed(&count, c->truths, 0);
    if (count.data)
        nz_canvas_text_fit(canvas, f->left - 10, y + 4.5, count.data,
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_RIGHT, .colour = NZ_INK_SOFT},
                           COUNT_WIDTH - 4);
    nz_text_done(&count);
}

static void draw_class(nz_canvas *canvas, const frame *f, const nz_class_change *c, double y) {
    const nz_view_row *row = &f->plot->view->rows[f->plot->row];
    bool compared = f->plot->against != SIZE_MAX;
    nz_text told = {0}, change = {0};
    nz_class_change_put(&told, c);
    nz_canvas_begin(canvas, told.data ? told.data : "");
    draw_name(canvas, f, c, y);
    if (compared) {
        nz_canvas_line(canvas, x_of(f, c->before), y, x_of(f, c->after), y,
                       (nz_paint){.stroke = c->change < 0 ? 0xb04a00 : 0x00694d, .width = 2.2});
        nz_canvas_circle(canvas, x_of(f, c->before), y, 4.2,
                         (nz_paint){.fill = NZ_PAPER, .stroke = NZ_INK, .width = 1.4});
        nz_put_points(&change, c->change);
    } else {
        nz_canvas_line(canvas, f->left, y, x_of(f, c->after), y, (nz_paint){.stroke = NZ_RULE, .dash = 2});
        nz_put_fixed(&change, 100 * c->after, 1);
    }
    nz_plot_mark(canvas, x_of(f, c->after), y, 4.6, row->colour);
    if (change.data)
        nz_canvas_text(canvas, f->plot->width - NZ_PLOT_MARGIN, y + 4.5, change.data,
                       (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_RIGHT, .colour = NZ_INK});
    nz_canvas_end(canvas);
    nz_text_done(&told);
    nz_text_done(&change);
}

static void draw_legend(nz_canvas *canvas, const frame *f) {
    const nz_view *view = f->plot->view;
    const nz_view_row *row = &view->rows[f->plot->row];
    double y = f->bottom + 50, x = f->left, room = (f->plot->width - NZ_PLOT_MARGIN - x) / 2;
    nz_lettering letters = {.size = NZ_SIZE_SMALL, .colour = NZ_INK};
    nz_canvas_text(canvas, (f->left + f->right) / 2, f->bottom + 32, "AP50-95 (%)",
                   (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
    if (f->plot->against == SIZE_MAX) return;
    nz_canvas_circle(canvas, x + 4, y - 4, 4.2, (nz_paint){.fill = NZ_PAPER, .stroke = NZ_INK, .width = 1.4});
    nz_canvas_text_fit(canvas, x + 13, y, view->rows[f->plot->against].found_label, letters, room - 20);
    nz_plot_mark(canvas, x + room + 4, y - 4, 4.6, row->colour);
    nz_canvas_text_fit(canvas, x + room + 13, y, row->found_label, letters, room - 20);
}

void nz_classes_draw(nz_canvas *canvas, const nz_plot *plot) {
    NZ_AUTO(nz_class_changes_done) nz_class_changes changes = {0};
    bool compared = plot->against != SIZE_MAX;
    nz_text subtitle = {0};
    nz_status status = nz_class_changes_get(&changes, plot->view, plot->row, plot->against,
                                            compared ? NZ_CLASS_CHANGES_SHOWN : ROWS_ALONE);
    if (status != NZ_OK) {
        nz_canvas_fail(canvas, status);
        return;
    }
    if (compared && changes.count < changes.of)
        nz_text_appendf(&subtitle, "the %zu largest changes of %zu classes, losses first", changes.count, changes.of);
    else if (compared)
        nz_text_appendf(&subtitle, "all %zu classes with objects, losses first", changes.of);
    else
        nz_text_appendf(&subtitle, "the %zu classes with most objects of %zu", changes.count, changes.of);
    if (compared) nz_text_append(&subtitle, " \xc2\xb7 right: change in points");
    frame f = {.plot = plot, .left = NZ_PLOT_MARGIN + LABEL_WIDTH + COUNT_WIDTH + 10};
    f.right = plot->width - NZ_PLOT_MARGIN - CHANGE_WIDTH;
    f.top = nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "") + 4;
    f.bottom = f.top + (double)changes.count * ROW_HEIGHT;
    nz_text_done(&subtitle);
    nz_axis_init(&f.axis, 0, 100, true, false, 5);
    draw_axis(canvas, &f);
    for (size_t i = 0; i < changes.count; i++)
        draw_class(canvas, &f, &changes.items[i], f.top + ROW_HEIGHT * ((double)i + 0.5));
    draw_legend(canvas, &f);
}
