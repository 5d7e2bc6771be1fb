/* SPDX-License-Identifier: Apache-2.0 */
/* The learning curve: loss, accuracy (mAP of a detector) and learning rate over epochs, one panel each above a common axis. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "netzip/report.h"
#include "report/axis.h"
#include "report/escape.h"
#include "report/plots.h"

enum { WIDTH = 620, LEFT = 78, RIGHT = 124, GAP = 34, FOOT = 44, MOST_POINTS = 1000, FEW_POINTS = 40, SERIES = 5 };
enum { PANELS = 3, APART = 16 };

/* The columns of the history, one row an epoch. */
typedef enum column {
    EPOCH,
    RATE,
    TRAIN_LOSS,
    TEST_LOSS,
    TRAIN_TOP1,
    TEST_TOP1,
    MAP50,
    MAP,
    BOX_LOSS,
    OBJECT_LOSS,
    CLASS_LOSS,
    COLUMNS
} column;
static const struct {
    const char *key, *name;
    size_t colour;
    bool of_detectors; /* and absent from histories that are older than they */
} columns[COLUMNS] = {
    [EPOCH] = {"epoch", "", 0, false},
    [RATE] = {"lr", "rate", 0, false},
    [TRAIN_LOSS] = {"train_loss", "train", 1, false},
    [TEST_LOSS] = {"test_loss", "test", 2, false},
    [TRAIN_TOP1] = {"train_top1_pct", "train", 1, false},
    [TEST_TOP1] = {"test_top1_pct", "test", 2, false},
    [MAP50] = {"test_map50_pct", "mAP50", 1, true},
    [MAP] = {"test_map50_95_pct", "mAP50-95", 2, true},
    [BOX_LOSS] = {"box_loss", "box", 3, true},
    [OBJECT_LOSS] = {"object_loss", "object", 4, true},
    [CLASS_LOSS] = {"class_loss", "class", 5, true},
};

typedef struct panel {
    const char *title;
    column series[SERIES];
    size_t count;
    double height;
    bool from_zero;
    int decimals;
} panel;
static const panel classifier[PANELS] = {
    {"Loss", {TRAIN_LOSS, TEST_LOSS}, 2, 150, false, 3},
    {"Top-1 accuracy (%)", {TRAIN_TOP1, TEST_TOP1}, 2, 170, false, 2},
    {"Learning rate", {RATE}, 1, 74, true, 4},
};
static const panel detector[PANELS] = {
    {"Loss and its parts", {TRAIN_LOSS, TEST_LOSS, BOX_LOSS, OBJECT_LOSS, CLASS_LOSS}, 5, 170, true, 3},
    {"mAP of test samples (%)", {MAP50, MAP}, 2, 170, false, 2},
    {"Learning rate", {RATE}, 1, 74, true, 4},
};

typedef struct curve {
    size_t rows;
    double *at[COLUMNS]; /**< [rows], NaN where there is none */
    const char *title;
    const panel *panels;
    column best; /**< by which the best epoch is told */
    nz_axis x;
} curve;

static void curve_done(curve *c) {
    for (size_t i = 0; i < COLUMNS; i++) free(c->at[i]);
}

/* ---- reading ---- */

static nz_status read_column(curve *c, column which, const nz_csv *table, const char *path) {
    const char *key = columns[which].key;
    size_t from = nz_csv_column(table, key);
    if (from == table->columns && !columns[which].of_detectors)
        return nz_fail(NZ_E_FORMAT, "%s: not a training history: there is no column '%s'", path, key);
    NZ_TRY(nz_alloc(&c->at[which], table->rows, sizeof **c->at));
    for (size_t r = 0; r < table->rows; r++) {
        const char *cell = from == table->columns ? "" : nz_csv_cell(table, r, from);
        c->at[which][r] = NAN;
        if (!*cell) continue;
        nz_status status = nz_parse_double(&c->at[which][r], cell, key);
        if (status != NZ_OK) return nz_fail_context(NZ_E_FORMAT, "%s: line %zu", path, table->lines[r]);
        if (!isfinite(c->at[which][r])) c->at[which][r] = NAN;
    }
    return NZ_OK;
}

static bool has_any(const curve *c, column which) {
    for (size_t r = 0; r < c->rows; r++)
        if (!isnan(c->at[which][r])) return true;
    return false;
}

static nz_status read_history(curve *c, const char *path) {
    NZ_AUTO_CSV nz_csv table = {0};
    NZ_TRY(nz_csv_read(&table, path, ','));
    if (!table.rows) return nz_fail(NZ_E_FORMAT, "%s: no epoch has been finished", path);
    for (size_t i = 0; i < COLUMNS; i++) NZ_TRY(read_column(c, (column)i, &table, path));
    c->rows = table.rows;
    double before = 0;
    for (size_t r = 0; r < c->rows; r++) {
        if (!(c->at[EPOCH][r] > before))
            return nz_fail(NZ_E_FORMAT, "%s: line %zu: epochs should ascend from above 0", path, table.lines[r]);
        before = c->at[EPOCH][r];
    }
    bool detects = has_any(c, MAP) || has_any(c, MAP50) || has_any(c, BOX_LOSS);
    c->panels = detects ? detector : classifier;
    c->best = !detects ? TEST_TOP1 : has_any(c, MAP) ? MAP : MAP50;
    return NZ_OK;
}

/* ---- drawing ---- */

typedef struct frame {
    const curve *curve;
    const panel *panel;
    nz_axis y;
    double left, right, top, bottom;
} frame;

static double x_of(const frame *f, double epoch) {
    return f->left + (f->right - f->left) * nz_axis_at(&f->curve->x, epoch);
}
static double y_of(const frame *f, double value) { return f->bottom - (f->bottom - f->top) * nz_axis_at(&f->y, value); }

static void bounds(const curve *c, const panel *p, double *ret_least, double *ret_most) {
    double least = INFINITY, most = -INFINITY;
    for (size_t s = 0; s < p->count; s++)
        for (size_t r = 0; r < c->rows; r++) {
            double value = c->at[p->series[s]][r];
            if (isnan(value)) continue;
            least = fmin(least, value);
            most = fmax(most, value);
        }
    *ret_least = isfinite(least) ? least : 0;
    *ret_most = isfinite(most) ? most : 1;
}

static void draw_grid(nz_canvas *canvas, const frame *f, bool labels) {
    nz_lettering soft = {.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT};
    for (size_t t = 0; t < f->y.count; t++) {
        double y = y_of(f, f->y.ticks[t]);
        nz_text text = {0};
        nz_axis_put_tick(&text, &f->y, t);
        nz_canvas_line(canvas, f->left, y, f->right, y, (nz_paint){.stroke = NZ_GRID});
        soft.anchor = NZ_RIGHT;
        if (text.data) nz_canvas_text(canvas, f->left - 7, y + 4, text.data, soft);
        nz_text_done(&text);
    }
    for (size_t t = 0; t < f->curve->x.count; t++) {
        double x = x_of(f, f->curve->x.ticks[t]);
        nz_text text = {0};
        nz_axis_put_tick(&text, &f->curve->x, t);
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = NZ_GRID});
        soft.anchor = NZ_MIDDLE;
        if (labels && text.data) nz_canvas_text(canvas, x, f->bottom + 17, text.data, soft);
        nz_text_done(&text);
    }
    nz_canvas_line(canvas, f->left, f->bottom, f->right, f->bottom, (nz_paint){.stroke = NZ_RULE});
    nz_canvas_text(canvas, f->left, f->top - 9, f->panel->title,
                   (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK, .bold = true});
}

static void put_point(nz_text *out, const frame *f, column c, size_t r) {
    nz_text_append(out, columns[c].name);
    nz_text_append(out, ", epoch ");
    nz_put_number(out, f->curve->at[EPOCH][r]);
    nz_text_append(out, ": ");
    nz_put_fixed(out, f->curve->at[c][r], f->panel->decimals);
}

/* The line through the values that are there, marked where they are few. Returns the last row with a value; rows: none. */
static size_t draw_series(nz_canvas *canvas, const frame *f, column c) {
    const curve *cu = f->curve;
    nz_point points[MOST_POINTS + 2];
    size_t count = 0, last = cu->rows, every = cu->rows / MOST_POINTS + 1;
    nz_paint line = {.fill = NZ_NO_COLOUR, .stroke = nz_palette(columns[c].colour), .width = 1.8};
    for (size_t r = 0; r < cu->rows; r++)
        if (!isnan(cu->at[c][r])) last = r;
    for (size_t r = 0; r < cu->rows; r++) {
        if (isnan(cu->at[c][r]) || (r % every && r != last) || count > MOST_POINTS) continue;
        points[count++] = (nz_point){x_of(f, cu->at[EPOCH][r]), y_of(f, cu->at[c][r])};
    }
    if (count > 1) nz_canvas_path(canvas, points, count, false, line);
    for (size_t r = 0; cu->rows <= FEW_POINTS && r < cu->rows; r++) {
        if (isnan(cu->at[c][r])) continue;
        nz_text told = {0};
        put_point(&told, f, c, r);
        nz_canvas_begin(canvas, told.data ? told.data : "");
        nz_canvas_circle(canvas, x_of(f, cu->at[EPOCH][r]), y_of(f, cu->at[c][r]), 2.6,
                         (nz_paint){.fill = nz_palette(columns[c].colour), .stroke = NZ_PAPER});
        nz_canvas_end(canvas);
        nz_text_done(&told);
    }
    return last;
}

/* "train 1.250" behind the end of a line. */
static void put_end(nz_text *out, const frame *f, column c, size_t row) {
    if (f->panel->count > 1) nz_text_appendf(out, "%s ", columns[c].name);
    if (c == RATE)
        nz_text_appendf(out, "%.3g", f->curve->at[c][row]);
    else
        nz_put_fixed(out, f->curve->at[c][row], f->panel->decimals);
}

/* Names and last values to the right of the lines' ends, moved apart where they would touch. */
static void draw_ends(nz_canvas *canvas, const frame *f, const size_t last[SERIES]) {
    double y[SERIES];
    column order[SERIES];
    size_t rows[SERIES], count = 0;
    for (size_t s = 0; s < f->panel->count; s++) {
        if (last[s] == f->curve->rows) continue;
        column c = f->panel->series[s];
        double own = y_of(f, f->curve->at[c][last[s]]);
        size_t at = count++;
        for (; at > 0 && y[at - 1] > own; at--) {
            y[at] = y[at - 1];
            order[at] = order[at - 1];
            rows[at] = rows[at - 1];
        }
        y[at] = own;
        order[at] = c;
        rows[at] = last[s];
    }
    /* Each pair that touches gives way on both sides; a few rounds settle five names. */
    for (int round = 0; round < 20; round++)
        for (size_t i = 1; i < count; i++) {
            double missing = APART - (y[i] - y[i - 1]);
            if (missing <= 0) continue;
            y[i - 1] -= missing / 2;
            y[i] += missing / 2;
        }
    for (size_t i = 0; i < count; i++) {
        nz_text text = {0};
        put_end(&text, f, order[i], rows[i]);
        if (text.data)
            nz_canvas_text(canvas, f->right + 9, y[i] + 4.5, text.data,
                           (nz_lettering){.size = NZ_SIZE_TEXT,
                                          .colour = nz_palette_dark(columns[order[i]].colour),
                                          .bold = order[i] == f->curve->best});
        nz_text_done(&text);
    }
}

static size_t best_row(const curve *c) {
    size_t best = c->rows;
    for (size_t r = 0; r < c->rows; r++)
        if (!isnan(c->at[c->best][r]) && (best == c->rows || c->at[c->best][r] > c->at[c->best][best])) best = r;
    return best;
}

static void draw_best(nz_canvas *canvas, const frame *f) {
    size_t best = best_row(f->curve);
    bool here = false;
    for (size_t s = 0; s < f->panel->count; s++) here = here || f->panel->series[s] == f->curve->best;
    if (!here || best == f->curve->rows) return;
    nz_canvas_circle(canvas, x_of(f, f->curve->at[EPOCH][best]), y_of(f, f->curve->at[f->curve->best][best]), 5.5,
                     (nz_paint){.fill = NZ_NO_COLOUR, .stroke = nz_palette_dark(2), .width = 1.3});
}

static void put_subtitle(nz_text *out, const curve *c) {
    size_t best = best_row(c), last = c->rows - 1;
    nz_put_number(out, c->at[EPOCH][last]);
    nz_text_append(out, c->at[EPOCH][last] == 1 ? " epoch" : " epochs");
    if (best < c->rows) {
        nz_text_append(out, " \xc2\xb7 best test ");
        nz_text_append(out, c->best == TEST_TOP1 ? "accuracy" : columns[c->best].name);
        nz_text_append(out, " ");
        nz_put_fixed(out, c->at[c->best][best], 2);
        nz_text_append(out, "% after epoch ");
        nz_put_number(out, c->at[EPOCH][best]);
        nz_text_append(out, " (ringed)");
    }
    if (!isnan(c->at[TRAIN_TOP1][last])) nz_text_append(out, " \xc2\xb7 train: while training, on augmented samples");
}

static double height_of(const curve *c) {
    double height = 56 + FOOT;
    for (size_t p = 0; p < PANELS; p++) height += c->panels[p].height + GAP;
    return height;
}

static void draw(nz_canvas *canvas, const void *user) {
    const curve *c = user;
    nz_plot plot = {.width = WIDTH, .height = height_of(c)};
    nz_text title = {0}, subtitle = {0};
    nz_text_appendf(&title, "Learning curve of ");
    nz_put_clean(&title, c->title);
    put_subtitle(&subtitle, c);
    double top = nz_plot_head(canvas, &plot, title.data ? title.data : "", subtitle.data ? subtitle.data : "");
    nz_text_done(&title);
    nz_text_done(&subtitle);
    for (size_t p = 0; p < PANELS; p++) {
        const panel *own = &c->panels[p];
        double least, most;
        bool lowest = p + 1 == PANELS;
        frame f = {.curve = c, .panel = own, .left = LEFT, .right = WIDTH - RIGHT, .top = top + GAP};
        size_t last[SERIES];
        f.bottom = f.top + own->height;
        top = f.bottom;
        bounds(c, own, &least, &most);
        nz_axis_init(&f.y, least, most, own->from_zero, false, own->height > 100 ? 5 : 3);
        draw_grid(canvas, &f, lowest);
        for (size_t s = 0; s < own->count; s++) last[s] = draw_series(canvas, &f, own->series[s]);
        draw_ends(canvas, &f, last);
        draw_best(canvas, &f);
        if (lowest)
            nz_canvas_text(canvas, (f.left + f.right) / 2, f.bottom + 35, "Epoch",
                           (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_MIDDLE, .colour = NZ_INK});
    }
}

static nz_status write_both(const curve *c, const char *svg, const char *png) {
    NZ_AUTO(nz_text_done) nz_text told = {0};
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    put_subtitle(&told, c);
    NZ_TRY(told.status);
    nz_drawing drawing = {.width = WIDTH,
                          .height = height_of(c),
                          .slug = "learning-curve",
                          .title = "Learning curve",
                          .description = told.data,
                          .draw = draw,
                          .user = c};
    if (svg) {
        NZ_AUTO(nz_text_done) nz_text text = {0};
        NZ_TRY(nz_canvas_svg(&text, &drawing));
        NZ_TRY(nz_file_write(svg, text.data, text.length));
    }
    if (!png) return NZ_OK;
    NZ_TRY(nz_canvas_png(&bytes, &count, &drawing));
    return nz_file_write(png, bytes, count);
}

nz_status nz_report_curve(const char *history, const char *svg, const char *png, const char *title) {
    NZ_AUTO(curve_done) curve c = {.title = title};
    NZ_TRY(read_history(&c, history));
    nz_axis_init_epochs(&c.x, c.at[EPOCH][c.rows - 1]);
    return write_both(&c, svg, png);
}
