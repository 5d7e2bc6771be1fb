/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy against a cost, with the models that no other one beats joined by steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/axis.h"
#include "report/labels.h"
#include "report/number.h"
#include "report/plots.h"
#include "report/table.h"

enum { HEIGHT = 352, MOST_POINTS = 200, FEW_POINTS = 14 };

/* The accuracy that the ratios are made of, else the first one with values; column_count: none. */
static size_t accuracy_column(const nz_view *view) {
    size_t first = view->column_count;
    for (size_t c = 0; c < view->column_count; c++) {
        const nz_view_column *column = &view->columns[c];
        if (column->available < 2 || column->better != NZ_HIGHER || strcmp(column->category, "accuracy") != 0) continue;
        for (size_t r = 0; r < view->row_count; r++)
            if (strcmp(view->rows[r].ratios[0].of, column->id) == 0) return c;
        if (first == view->column_count) first = c;
    }
    return first;
}

static bool has_point(const nz_view *view, size_t r, size_t cost, size_t worth) {
    return !isnan(nz_view_at(view, r, cost)->value) && !isnan(nz_view_at(view, r, worth)->value);
}

static void describe(nz_text *out, const nz_view *view, size_t cost, size_t worth) {
    for (size_t r = 0, listed = 0; r < view->row_count && listed < MOST_POINTS; r++) {
        if (!has_point(view, r, cost, worth)) continue;
        nz_text_append(out, listed++ ? "; " : "");
        nz_text_append(out, view->rows[r].label);
        nz_text_append(out, ": ");
        nz_put_value_unit(out, &view->columns[worth], nz_view_at(view, r, worth)->value);
        nz_text_append(out, " at ");
        nz_put_value_unit(out, &view->columns[cost], nz_view_at(view, r, cost)->value);
    }
}

nz_status nz_scatter_plan(nz_plots *plots, const nz_view *view) {
    size_t worth = accuracy_column(view);
    if (worth == view->column_count) return NZ_OK;
    for (size_t c = 0; c < view->column_count; c++) {
        const nz_view_column *column = &view->columns[c];
        size_t points = 0;
        for (size_t r = 0; r < view->row_count; r++) points += has_point(view, r, c, worth);
        bool cost = column->better == NZ_LOWER && strcmp(column->category, "accuracy") != 0;
        /* A cost that is the same for all says nothing about a trade. */
        if (!cost || points < 2 || column->distinct < 2 || !nz_view_is_main(view, c)) continue;
        nz_text title = {0}, description = {0};
        nz_text_append(&title, view->columns[worth].title);
        nz_text_append(&title, " against ");
        nz_text_append(&title, column->title);
        describe(&description, view, c, worth);
        nz_plot plot = {.kind = NZ_PLOT_SCATTER, .view = view, .column = c, .against = worth};
        plot.width = NZ_PLOT_WIDTH;
        plot.height = HEIGHT;
        NZ_TRY(nz_plots_add(plots, &plot, column->id, &title, &description));
    }
    return NZ_OK;
}

size_t nz_pareto(size_t *ret_front, const double *cost, const double *worth, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool beaten = isnan(cost[i]) || isnan(worth[i]);
        for (size_t k = 0; k < count && !beaten; k++) {
            if (isnan(cost[k]) || isnan(worth[k])) continue;
            bool as_good = cost[k] <= cost[i] && worth[k] >= worth[i];
            beaten = as_good && (cost[k] < cost[i] || worth[k] > worth[i]);
        }
        if (beaten) continue;
        size_t at = kept++;
        for (; at > 0 && cost[ret_front[at - 1]] > cost[i]; at--) ret_front[at] = ret_front[at - 1];
        ret_front[at] = i;
    }
    return kept;
}

typedef struct frame {
    const nz_plot *plot;
    const nz_view_column *cost, *worth;
    nz_axis x, y;
    double left, right, top, bottom;
    size_t count;
    size_t rows[MOST_POINTS];
    double costs[MOST_POINTS], worths[MOST_POINTS];
    nz_point points[MOST_POINTS];
    size_t front_count, front[MOST_POINTS];
    size_t step_count;
    nz_point steps[2 * MOST_POINTS + 1];
} frame;

static double x_of(const frame *f, double scaled) { return f->left + (f->right - f->left) * nz_axis_at(&f->x, scaled); }
static double y_of(const frame *f, double scaled) {
    return f->bottom - (f->bottom - f->top) * nz_axis_at(&f->y, scaled);
}

static void gather(frame *f) {
    const nz_view *view = f->plot->view;
    double x_least = INFINITY, x_most = -INFINITY, y_least = INFINITY, y_most = -INFINITY;
    for (size_t r = 0; r < view->row_count && f->count < MOST_POINTS; r++) {
        if (!has_point(view, r, f->plot->column, f->plot->against)) continue;
        const nz_view_cell *cost = nz_view_at(view, r, f->plot->column), *worth = nz_view_at(view, r, f->plot->against);
        f->rows[f->count] = r;
        f->costs[f->count] = cost->value / f->cost->scale;
        f->worths[f->count] = worth->value / f->worth->scale;
        double low = worth->has_ci ? fmin(worth->ci95[0], worth->value) : worth->value;
        double high = worth->has_ci ? fmax(worth->ci95[1], worth->value) : worth->value;
        double left = cost->has_ci ? fmin(cost->ci95[0], cost->value) : cost->value;
        double right = cost->has_ci ? fmax(cost->ci95[1], cost->value) : cost->value;
        x_least = fmin(x_least, left / f->cost->scale);
        x_most = fmax(x_most, right / f->cost->scale);
        y_least = fmin(y_least, low / f->worth->scale);
        y_most = fmax(y_most, high / f->worth->scale);
        f->count++;
    }
    bool wide = nz_axis_spans_decades(x_least, x_most);
    /* Positions are compared, not lengths: an axis begins at 0 only where the values reach down towards it. */
    double x_margin = (x_most - x_least) * 0.06, y_margin = (y_most - y_least) * 0.05;
    bool from_zero = x_least >= 0 && x_least < x_most * 0.4;
    nz_axis_init(&f->x, wide || from_zero ? x_least : x_least - x_margin, wide ? x_most : x_most + x_margin, from_zero,
                 wide, 5);
    nz_axis_init(&f->y, y_least - y_margin, y_most + y_margin, false, false, 6);
    f->top = 66;
    f->bottom = HEIGHT - 52;
    f->right = f->plot->width - NZ_PLOT_MARGIN - 6;
}

static void draw_axes(nz_canvas *canvas, frame *f) {
    double widest = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t t = 0; t < f->y.count; t++) {
            nz_text label = {0};
            nz_axis_put_tick(&label, &f->y, t);
            if (label.data && !pass)
                widest = fmax(widest, nz_canvas_text_width(canvas, label.data, NZ_SIZE_SMALL, false));
            double y = y_of(f, f->y.ticks[t]);
            if (pass) nz_canvas_line(canvas, f->left, y, f->right, y, (nz_paint){.stroke = NZ_GRID});
            if (label.data && pass)
                nz_canvas_text(canvas, f->left - 7, y + 4, label.data,
                               (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_RIGHT, .colour = NZ_INK_SOFT});
            nz_text_done(&label);
        }
        if (!pass) f->left = NZ_PLOT_MARGIN + 18 + widest + 7;
    }
    double last = -INFINITY;
    for (size_t t = 0; t < f->x.count; t++) {
        nz_text label = {0};
        nz_axis_put_tick(&label, &f->x, t);
        double x = x_of(f, f->x.ticks[t]);
        double width = label.data ? nz_canvas_text_width(canvas, label.data, NZ_SIZE_SMALL, false) : 0;
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = NZ_GRID});
        if (label.data && x - width / 2 > last + 8) {
            nz_canvas_text(canvas, x, f->bottom + 16, label.data,
                           (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
            last = x + width / 2;
        }
        nz_text_done(&label);
    }
    nz_paint rule = {.stroke = NZ_RULE};
    nz_canvas_line(canvas, f->left, f->bottom, f->right, f->bottom, rule);
    nz_canvas_line(canvas, f->left, f->top, f->left, f->bottom, rule);
    nz_text title = {0};
    nz_put_heading(&title, f->cost);
    nz_canvas_text_fit(canvas, (f->left + f->right) / 2, HEIGHT - 14, title.data ? title.data : "",
                       (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_MIDDLE, .colour = NZ_INK}, f->right - f->left);
    nz_text_done(&title);
    nz_put_heading(&title, f->worth);
    nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN + 10, (f->top + f->bottom) / 2, title.data ? title.data : "",
                       (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_MIDDLE, .colour = NZ_INK, .upwards = true},
                       f->bottom - f->top);
    nz_text_done(&title);
}

/* Everything right of and below the steps is beaten by a model on them. */
static void plan_front(frame *f) {
    size_t used = 0;
    f->front_count = nz_pareto(f->front, f->costs, f->worths, f->count);
    for (size_t i = 0; i < f->front_count; i++) {
        nz_point p = f->points[f->front[i]];
        f->steps[used] = (nz_point){p.x, i ? f->steps[used - 1].y : f->bottom};
        f->steps[used + 1] = p;
        used += 2;
    }
    if (used) f->steps[used] = (nz_point){f->right, f->steps[used - 1].y};
    f->step_count = used ? used + 1 : 0;
}

static void draw_front(nz_canvas *canvas, const frame *f) {
    nz_canvas_begin(canvas, "Pareto front: no other model is both cheaper and more accurate");
    nz_canvas_path(canvas, f->steps, f->step_count, false,
                   (nz_paint){.fill = NZ_NO_COLOUR, .stroke = NZ_RULE, .width = 1.6, .dash = 5});
    nz_canvas_end(canvas);
}

static void draw_interval(nz_canvas *canvas, const frame *f, size_t i) {
    const nz_view_cell *worth = nz_view_at(f->plot->view, f->rows[i], f->plot->against);
    const nz_view_cell *cost = nz_view_at(f->plot->view, f->rows[i], f->plot->column);
    nz_point p = f->points[i];
    nz_paint ink = {.stroke = nz_palette_dark(f->plot->view->rows[f->rows[i]].colour), .width = 1.2};
    if (worth->has_ci) {
        double low = y_of(f, worth->ci95[0] / f->worth->scale), high = y_of(f, worth->ci95[1] / f->worth->scale);
        nz_canvas_line(canvas, p.x, low, p.x, high, ink);
    }
    if (cost->has_ci) {
        double low = x_of(f, cost->ci95[0] / f->cost->scale), high = x_of(f, cost->ci95[1] / f->cost->scale);
        nz_canvas_line(canvas, low, p.y, high, p.y, ink);
    }
}

static void draw_points(nz_canvas *canvas, const frame *f) {
    const nz_view *view = f->plot->view;
    for (size_t i = 0; i < f->count; i++) {
        nz_text told = {0};
        nz_text_append(&told, view->rows[f->rows[i]].label);
        nz_text_append(&told, ": ");
        nz_put_detail(&told, f->worth, nz_view_at(view, f->rows[i], f->plot->against));
        nz_text_append(&told, "; ");
        nz_put_detail(&told, f->cost, nz_view_at(view, f->rows[i], f->plot->column));
        nz_canvas_begin(canvas, told.data ? told.data : "");
        draw_interval(canvas, f, i);
        nz_plot_mark(canvas, f->points[i].x, f->points[i].y, 5.5, view->rows[f->rows[i]].colour);
        nz_canvas_end(canvas);
        nz_text_done(&told);
    }
}

/* Where there are too many points to name them all: those on the front, and the first one of each model. */
static bool is_named(const frame *f, size_t i) {
    bool named = f->count <= FEW_POINTS;
    for (size_t k = 0; k < f->front_count && !named; k++) named = f->front[k] == i;
    if (named) return true;
    for (size_t k = 0; k < i; k++)
        if (f->plot->view->rows[f->rows[k]].colour == f->plot->view->rows[f->rows[i]].colour) return false;
    return true;
}

static void draw_labels(nz_canvas *canvas, const frame *f) {
    const nz_view *view = f->plot->view;
    const char *names[MOST_POINTS];
    size_t colours[MOST_POINTS];
    for (size_t i = 0; i < f->count; i++) {
        names[i] = is_named(f, i) ? view->rows[f->rows[i]].label : "";
        colours[i] = view->rows[f->rows[i]].colour;
    }
    nz_labels labels = {.count = f->count, .points = f->points, .names = names, .colours = colours};
    labels.line = f->steps;
    labels.line_count = f->step_count;
    labels.left = f->left + 2;
    labels.right = f->right + 6;
    labels.top = f->top - 8;
    labels.bottom = f->bottom - 2;
    nz_labels_draw(canvas, &labels);
}

void nz_scatter_draw(nz_canvas *canvas, const nz_plot *plot) {
    frame f = {.plot = plot, .cost = &plot->view->columns[plot->column], .worth = &plot->view->columns[plot->against]};
    nz_text subtitle = {0};
    gather(&f);
    nz_text_append(&subtitle, "up and left is better \xc2\xb7 dashed: not beaten by any other");
    if (f.x.logarithmic) nz_text_append(&subtitle, " \xc2\xb7 logarithmic");
    nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "");
    nz_text_done(&subtitle);
    draw_axes(canvas, &f);
    for (size_t i = 0; i < f.count; i++) f.points[i] = (nz_point){x_of(&f, f.costs[i]), y_of(&f, f.worths[i])};
    plan_front(&f);
    draw_front(canvas, &f);
    draw_points(canvas, &f);
    draw_labels(canvas, &f);
}
