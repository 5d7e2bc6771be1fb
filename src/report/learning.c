/* SPDX-License-Identifier: Apache-2.0 */
/* Learning curves of an experiment: accuracy and loss over epochs, the networks apart from what was fine-tuned from them. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "report/axis.h"
#include "report/escape.h"
#include "report/plots.h"

enum { WIDTH = 620, LEFT = 64, RIGHT = 150, TOP_HEIGHT = 210, LOSS_HEIGHT = 130, GAP = 48, FOOT = 46 };
enum { MOST_SERIES = 24, MOST_POINTS = 400, FEW_POINTS = 40, APART = 15 };
enum { NETWORKS, METHODS };

typedef struct panel {
    const char *title, *key, *otherwise; /* otherwise: where the first one was not measured */
    double height;
} panel;
enum { PANELS = 2 };
static const panel classifiers[PANELS] = {
    {"Top-1 accuracy on test samples (%)", "test_top1", "train_top1", TOP_HEIGHT},
    {"Training loss", "train_loss", NULL, LOSS_HEIGHT},
};
static const panel detectors[PANELS] = {
    {"mAP at IoU 0.50:0.95 of test samples (%)", "test_map50_95", NULL, TOP_HEIGHT},
    {"Training loss", "train_loss", NULL, LOSS_HEIGHT},
};

/* One line of a panel. */
typedef struct series {
    const char *name;
    size_t colour, count;
    bool repeated; /* the same name with another seed: one label is enough */
    nz_point points[MOST_POINTS];
} series;

static double number_at(const json_t *json, const char *key) {
    double number = key ? nz_json_number_at(json, key) : NAN;
    return isfinite(number) && fabs(number) < 1e12 ? number : (double)NAN;
}

static const json_t *trainings(const nz_view *view) {
    const json_t *list = json_object_get(view->document, "training");
    return json_is_array(list) ? list : NULL;
}

/* Whether any training was told its mAP: then all of them are detectors. */
static const panel *panels_of(const nz_view *view) {
    size_t i, k;
    const json_t *training, *epoch;
    json_array_foreach(trainings(view), i, training) json_array_foreach(
        json_object_get(training, "epochs"), k, epoch) if (!isnan(number_at(epoch, detectors[0].key))) return detectors;
    return classifiers;
}

/* The row of that name, row_count where there is none. Names of rows are cleaned; a name that needs it finds no row. */
static size_t row_of(const nz_view *view, const char *name) {
    size_t r = 0;
    while (r < view->row_count && strcmp(view->rows[r].name, name) != 0) r++;
    return r;
}

static bool belongs(const nz_view *view, const json_t *training, size_t group) {
    const char *name = json_string_value(json_object_get(training, "name"));
    if (!name || json_array_size(json_object_get(training, "epochs")) == 0) return false;
    size_t row = row_of(view, name);
    return (row < view->row_count && view->rows[row].is_baseline) == (group == NETWORKS);
}

nz_status nz_learning_plan(nz_plots *plots, const nz_view *view) {
    static const char *const titles[] = {"How the network learned", "How the methods trained it further"};
    const panel *panels = panels_of(view);
    for (size_t group = NETWORKS; group <= METHODS; group++) {
        size_t i, count = 0;
        const json_t *training;
        nz_text title = {0}, description = {0};
        json_array_foreach(trainings(view), i, training) {
            if (!belongs(view, training, group)) continue;
            const json_t *epochs = json_object_get(training, "epochs");
            const json_t *last = json_array_get(epochs, json_array_size(epochs) - 1);
            double top1 = number_at(last, panels[0].key);
            if (isnan(top1)) top1 = number_at(last, panels[0].otherwise);
            nz_text_append(&description, count++ ? "; " : "");
            nz_put_clean(&description, json_string_value(json_object_get(training, "name")));
            nz_text_append(&description, ": ");
            if (!isnan(top1)) nz_put_fixed(&description, top1, 2);
            nz_text_appendf(&description, "%s after %zu epoch%s", isnan(top1) ? "trained" : "%",
                            json_array_size(epochs), json_array_size(epochs) == 1 ? "" : "s");
        }
        if (!count) {
            nz_text_done(&description);
            continue;
        }
        nz_text_append(&title, titles[group]);
        nz_plot plot = {.kind = NZ_PLOT_LEARNING, .view = view, .column = group, .width = WIDTH};
        plot.height = 56 + FOOT;
        for (size_t p = 0; p < PANELS; p++) plot.height += panels[p].height + GAP;
        NZ_TRY(nz_plots_add(plots, &plot, group == NETWORKS ? "network" : "methods", &title, &description));
    }
    return NZ_OK;
}

/* ---- drawing ---- */

typedef struct frame {
    const nz_plot *plot;
    const panel *panel;
    size_t count;
    series lines[MOST_SERIES];
    nz_axis x, y;
    double left, right, top, bottom, last_epoch;
} frame;

static double x_of(const frame *f, double epoch) { return f->left + (f->right - f->left) * nz_axis_at(&f->x, epoch); }
static double y_of(const frame *f, double value) { return f->bottom - (f->bottom - f->top) * nz_axis_at(&f->y, value); }

static void gather_line(series *line, const json_t *epochs, const panel *p) {
    size_t every = json_array_size(epochs) / MOST_POINTS + 1, i;
    const json_t *epoch;
    json_array_foreach(epochs, i, epoch) {
        if (i % every && i + 1 != json_array_size(epochs)) continue;
        double x = number_at(epoch, "epoch"), y = number_at(epoch, p->key);
        if (isnan(y)) y = number_at(epoch, p->otherwise);
        if (isnan(x) || isnan(y) || line->count == MOST_POINTS) continue;
        line->points[line->count++] = (nz_point){x, y};
    }
}

static void gather(frame *f) {
    const nz_view *view = f->plot->view;
    double least = INFINITY, most = -INFINITY;
    size_t i;
    const json_t *training;
    f->count = 0;
    f->last_epoch = 0;
    json_array_foreach(trainings(view), i, training) {
        if (!belongs(view, training, f->plot->column) || f->count == MOST_SERIES) continue;
        series *line = &f->lines[f->count++];
        line->name = json_string_value(json_object_get(training, "name"));
        line->count = 0;
        line->repeated = false;
        for (size_t k = 0; k + 1 < f->count; k++)
            line->repeated = line->repeated || strcmp(f->lines[k].name, line->name) == 0;
        size_t row = row_of(view, line->name);
        line->colour = row < view->row_count ? view->rows[row].colour : f->count;
        gather_line(line, json_object_get(training, "epochs"), f->panel);
        for (size_t k = 0; k < line->count; k++) {
            f->last_epoch = fmax(f->last_epoch, line->points[k].x);
            least = fmin(least, line->points[k].y);
            most = fmax(most, line->points[k].y);
        }
    }
    double margin = (most - least) * 0.04;
    nz_axis_init_epochs(&f->x, f->last_epoch > 0 ? f->last_epoch : 1);
    nz_axis_init(&f->y, isfinite(least) ? least - margin : 0, isfinite(most) ? most + margin : 1, false, false, 5);
}

static void draw_grid(nz_canvas *canvas, const frame *f) {
    nz_lettering soft = {.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT, .anchor = NZ_RIGHT};
    for (size_t t = 0; t < f->y.count; t++) {
        double y = y_of(f, f->y.ticks[t]);
        nz_text text = {0};
        nz_axis_put_tick(&text, &f->y, t);
        nz_canvas_line(canvas, f->left, y, f->right, y, (nz_paint){.stroke = NZ_GRID});
        if (text.data) nz_canvas_text(canvas, f->left - 7, y + 4, text.data, soft);
        nz_text_done(&text);
    }
    soft.anchor = NZ_MIDDLE;
    for (size_t t = 0; t < f->x.count; t++) {
        double x = x_of(f, f->x.ticks[t]);
        nz_text text = {0};
        nz_axis_put_tick(&text, &f->x, t);
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = NZ_GRID});
        if (text.data) nz_canvas_text(canvas, x, f->bottom + 17, text.data, soft);
        nz_text_done(&text);
    }
    nz_canvas_line(canvas, f->left, f->bottom, f->right, f->bottom, (nz_paint){.stroke = NZ_RULE});
    nz_canvas_text(canvas, f->left, f->top - 9, f->panel->title,
                   (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .bold = true});
}

static void draw_line(nz_canvas *canvas, const frame *f, const series *line) {
    nz_point points[MOST_POINTS];
    nz_text told = {0};
    nz_put_clean(&told, line->name);
    nz_canvas_begin(canvas, told.data ? told.data : "");
    nz_text_done(&told);
    for (size_t i = 0; i < line->count; i++)
        points[i] = (nz_point){x_of(f, line->points[i].x), y_of(f, line->points[i].y)};
    if (line->count > 1)
        nz_canvas_path(canvas, points, line->count, false,
                       (nz_paint){.fill = NZ_NO_COLOUR, .stroke = nz_palette(line->colour), .width = 1.8});
    for (size_t i = 0; line->count <= FEW_POINTS && i < line->count; i++)
        nz_canvas_circle(canvas, points[i].x, points[i].y, 2.6,
                         (nz_paint){.fill = nz_palette(line->colour), .stroke = NZ_PAPER});
    nz_canvas_end(canvas);
}

/* Names at the lines' ends, moved down where they would touch, and up again where they would leave the panel. */
static void draw_names(nz_canvas *canvas, const frame *f) {
    size_t order[MOST_SERIES], count = 0;
    double y[MOST_SERIES];
    for (size_t i = 0; i < f->count; i++) {
        const series *line = &f->lines[i];
        if (line->repeated || !line->count) continue;
        double own = y_of(f, line->points[line->count - 1].y);
        size_t at = count++;
        for (; at > 0 && y[at - 1] > own; at--) {
            y[at] = y[at - 1];
            order[at] = order[at - 1];
        }
        y[at] = own;
        order[at] = i;
    }
    for (size_t i = 1; i < count; i++) y[i] = fmax(y[i], y[i - 1] + APART);
    for (size_t i = count; i-- > 0;) {
        double limit = i + 1 == count ? f->bottom : y[i + 1] - APART;
        y[i] = fmin(y[i], limit);
    }
    for (size_t i = 0; i < count; i++) {
        const series *line = &f->lines[order[i]];
        nz_text clean = {0};
        nz_put_clean(&clean, line->name);
        if (clean.data)
            nz_canvas_text_fit(canvas, f->right + 9, y[i] + 4.5, clean.data,
                               (nz_lettering){.size = NZ_SIZE_TEXT, .colour = nz_palette_dark(line->colour)},
                               RIGHT - 20);
        nz_text_done(&clean);
    }
}

void nz_learning_draw(nz_canvas *canvas, const nz_plot *plot) {
    const panel *panels = panels_of(plot->view);
    static _Thread_local frame f; /* too large for a stack that others share */
    double top = nz_plot_head(canvas, plot, plot->title,
                              plot->column == NETWORKS ? "over epochs of training"
                                                       : "over epochs of fine-tuning, each from the same network");
    for (size_t p = 0; p < PANELS; p++) {
        f.plot = plot;
        f.panel = &panels[p];
        gather(&f);
        f.left = LEFT;
        f.right = plot->width - RIGHT;
        f.top = top + GAP - 20;
        f.bottom = f.top + panels[p].height;
        draw_grid(canvas, &f);
        for (size_t i = 0; i < f.count; i++) draw_line(canvas, &f, &f.lines[i]);
        draw_names(canvas, &f);
        top = f.bottom + 20;
    }
    nz_canvas_text(canvas, (f.left + f.right) / 2, f.bottom + 36, "Epoch",
                   (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_MIDDLE, .colour = NZ_INK});
}
