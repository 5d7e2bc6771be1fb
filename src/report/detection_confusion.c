/* SPDX-License-Identifier: Apache-2.0 */
/* Which class was taken for which: a row per class that is there, a column per class that was found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/boxes.h"
#include "report/escape.h"
#include "report/plots.h"

enum {
    CLASSES_MOST = 100, /* shown: beyond it no name is legible on a page */
    COUNTS_MOST = 13,   /* sides of a matrix whose cells have room for their counts */
    HEAD = 64,
    SIDE_TITLE = 22,
    FOOT = 58,
    CELL_LARGE = 34,
    CELL_SMALL = 9
};
#define LETTER_WIDTH 0.5 /* of the size of letters, on average */

/* A matrix as it is shown: some classes in the document's order, then "nothing". */
typedef struct matrix {
    const nz_found *found;
    size_t side;    /* with the row and column of nothing */
    size_t classes; /* of the document */
    size_t *shown;  /* [side] indices in the document */
    double cell, letters, names;
} matrix;

static void matrix_done(matrix *m) { free(m->shown); }

static const char *name_of(const matrix *m, size_t i) {
    size_t c = m->shown[i];
    if (c == m->classes) return "nothing";
    return c < m->found->class_count ? m->found->classes[c].name : "?";
}

/* How many boxes of the class are there: the sum over its column of the document. */
static double there(const nz_found *found, size_t c) {
    double sum = 0;
    for (size_t r = 0; r < found->side; r++) sum += found->confusion[r * found->side + c];
    return sum;
}

typedef struct rank {
    size_t index;
    double count;
} rank;

static int by_count(const void *a, const void *b) {
    const rank *x = a, *y = b;
    return x->count > y->count ? -1 : x->count < y->count ? 1 : x->index < y->index ? -1 : x->index > y->index;
}

static int by_index(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static nz_status matrix_init(matrix *ret, const nz_found *found) {
    matrix m = {.found = found, .classes = found->side - 1};
    NZ_AUTO_FREE rank *ranks = NULL;
    NZ_TRY(nz_alloc(&ranks, found->side, sizeof *ranks));
    NZ_TRY(nz_alloc(&m.shown, found->side, sizeof *m.shown));
    for (size_t c = 0; c < m.classes; c++) ranks[c] = (rank){c, there(found, c)};
    qsort(ranks, m.classes, sizeof *ranks, by_count);
    size_t kept = m.classes < CLASSES_MOST ? m.classes : CLASSES_MOST;
    for (size_t i = 0; i < kept; i++) m.shown[i] = ranks[i].index;
    qsort(m.shown, kept, sizeof *m.shown, by_index);
    m.shown[kept] = m.classes;
    m.side = kept + 1;
    m.cell = m.side <= COUNTS_MOST ? CELL_LARGE : fmax(CELL_SMALL, fmin(CELL_LARGE, floor(730.0 / (double)m.side)));
    m.letters = fmin(12, m.cell * 0.84);
    for (size_t i = 0; i < m.side; i++)
        m.names = fmax(m.names, (double)nz_utf8_count(name_of(&m, i)) * m.letters * LETTER_WIDTH + 6);
    m.names = fmin(m.names, m.letters * 11);
    *ret = m;
    return NZ_OK;
}

/* Of objects of class `there` (a row), how many were found as `as` (a column). */
static double count_at(const matrix *m, size_t row, size_t column) {
    return m->found->confusion[m->shown[column] * m->found->side + m->shown[row]];
}

static double row_sum(const matrix *m, size_t row) { return there(m->found, m->shown[row]); }

static void describe(nz_text *out, const nz_found *found) {
    double right = 0, missed = 0, wrong = 0, invented = 0;
    size_t n = found->side - 1;
    for (size_t r = 0; r <= n; r++)
        for (size_t c = 0; c <= n; c++) {
            double count = found->confusion[r * found->side + c];
            *(r == n ? &missed : c == n ? &invented : r == c ? &right : &wrong) += count;
        }
    const struct {
        double count;
        const char *what;
    } parts[] = {{right, " found with their class, "},
                 {wrong, " with another class, "},
                 {missed, " missed, "},
                 {invented, " found where there is nothing"}};
    for (size_t i = 0; i < NZ_COUNT(parts); i++) {
        nz_put_fixed(out, parts[i].count, 0);
        nz_text_append(out, parts[i].what);
    }
}

nz_status nz_confusion_plan(nz_plots *plots, const nz_view *view) {
    for (size_t r = 0, drawn = 0; r < view->row_count && drawn < NZ_DETECTION_DRAWN_MOST; r++) {
        if (!nz_found_shown(view, r)) continue;
        drawn++;
        if (view->rows[r].found->side < 2) continue;
        NZ_AUTO(matrix_done) matrix m = {0};
        nz_text title = {0}, description = {0};
        NZ_TRY(matrix_init(&m, view->rows[r].found));
        nz_text_append(&title, "Confusion: ");
        nz_text_append(&title, view->rows[r].found_label);
        describe(&description, view->rows[r].found);
        nz_plot plot = {.kind = NZ_PLOT_CONFUSION, .view = view, .row = r};
        plot.width = fmax(NZ_PLOT_WIDTH, 2 * NZ_PLOT_MARGIN + SIDE_TITLE + m.names + m.cell * (double)m.side);
        plot.height = HEAD + m.cell * (double)m.side + m.names + FOOT;
        NZ_TRY(nz_plots_add(plots, &plot, view->rows[r].found_label, &title, &description));
    }
    return NZ_OK;
}

/* ---- drawing ---- */

/* Lightness falls evenly along the scale, so that it reads in gray and with any colour vision. */
static nz_colour shade(double share) {
    static const nz_colour stops[] = {0xf4efe2, 0xb5cfe3, 0x5a9bc6, 0x0e62a0, 0x072f5f};
    double at = sqrt(fmax(0, fmin(1, share))) * (double)(NZ_COUNT(stops) - 1);
    size_t i = at >= (double)(NZ_COUNT(stops) - 1) ? NZ_COUNT(stops) - 2 : (size_t)at;
    nz_colour out = 0;
    for (unsigned shift = 0; shift < 24; shift += 8) {
        double a = stops[i] >> shift & 255, b = stops[i + 1] >> shift & 255;
        out |= (nz_colour)lround(a + (b - a) * (at - (double)i)) << shift;
    }
    return out;
}

static void put_count(nz_text *out, double count) {
    nz_put_fixed(out, count < 1e4 ? count : count / 1e3, 0);
    if (count >= 1e4) nz_text_append(out, "k");
}

/* "dog, found as cat: 3 of 57 (5.3%)". */
static void put_told(nz_text *out, const matrix *m, size_t row, size_t column, double count, double sum) {
    nz_text_append(out, name_of(m, row));
    nz_text_append(out, m->shown[column] == m->classes ? ", not found: " : ", found as ");
    if (m->shown[column] != m->classes) {
        nz_text_append(out, name_of(m, column));
        nz_text_append(out, ": ");
    }
    nz_put_fixed(out, count, 0);
    nz_text_append(out, " of ");
    nz_put_fixed(out, sum, 0);
    nz_text_append(out, " (");
    nz_put_fixed(out, 100 * count / sum, 1);
    nz_text_append(out, "%)");
}

typedef struct frame {
    const matrix *m;
    double left, top;
} frame;

static void draw_cell(nz_canvas *canvas, const frame *f, size_t row, size_t column, double sum) {
    const matrix *m = f->m;
    double count = count_at(m, row, column), x = f->left + m->cell * (double)column, y = f->top + m->cell * (double)row;
    nz_text told = {0}, shown = {0};
    if (!(count > 0)) return;
    nz_colour colour = shade(count / sum);
    put_told(&told, m, row, column, count, sum);
    nz_canvas_begin(canvas, told.data ? told.data : "");
    nz_canvas_rect(canvas, x, y, m->cell, m->cell, 0, (nz_paint){.fill = colour, .stroke = NZ_NO_COLOUR});
    put_count(&shown, count);
    if (m->side <= COUNTS_MOST && shown.data)
        nz_canvas_text(canvas, x + m->cell / 2, y + m->cell / 2 + 4, shown.data,
                       (nz_lettering){.size = shown.length > 4 ? 10 : NZ_SIZE_SMALL,
                                      .anchor = NZ_MIDDLE,
                                      .colour = nz_colour_on(colour)});
    nz_canvas_end(canvas);
    nz_text_done(&told);
    nz_text_done(&shown);
}

/* Lines between the cells of a small matrix; every fifth in a large one. What is nothing stands apart. */
static void draw_grid(nz_canvas *canvas, const frame *f) {
    const matrix *m = f->m;
    double end = m->cell * (double)m->side;
    nz_paint thin = {.stroke = NZ_GRID, .width = 0.6}, rule = {.stroke = NZ_RULE};
    for (size_t i = 1; i + 1 < m->side; i++) {
        double at = m->cell * (double)i;
        if (m->cell < 16 && i % 5) continue;
        nz_canvas_line(canvas, f->left + at, f->top, f->left + at, f->top + end, thin);
        nz_canvas_line(canvas, f->left, f->top + at, f->left + end, f->top + at, thin);
    }
    double last = end - m->cell;
    nz_canvas_line(canvas, f->left + last, f->top, f->left + last, f->top + end, rule);
    nz_canvas_line(canvas, f->left, f->top + last, f->left + end, f->top + last, rule);
    nz_canvas_rect(canvas, f->left, f->top, end, end, 0,
                   (nz_paint){.fill = NZ_NO_COLOUR, .stroke = NZ_RULE, .width = 1});
}

static void draw_names(nz_canvas *canvas, const frame *f) {
    const matrix *m = f->m;
    for (size_t i = 0; i < m->side; i++) {
        double at = m->cell * ((double)i + 0.5) + m->letters * 0.35;
        nz_lettering letters = {.size = m->letters, .anchor = NZ_RIGHT, .colour = NZ_INK};
        if (m->shown[i] == m->classes) letters.colour = NZ_INK_SOFT;
        nz_canvas_text_fit(canvas, f->left - 4, f->top + at, name_of(m, i), letters, m->names);
        letters.upwards = true;
        nz_canvas_text_fit(canvas, f->left + at, f->top + m->cell * (double)m->side + 4, name_of(m, i), letters,
                           m->names);
    }
}

static void draw_scale(nz_canvas *canvas, const nz_plot *plot, double y) {
    enum { STEPS = 60, LENGTH = 180 };
    static const struct {
        double share;
        const char *text;
    } ticks[] = {{0, "0"}, {0.05, "5"}, {0.2, "20"}, {0.5, "50"}, {1, "100%"}};
    double left = plot->width - NZ_PLOT_MARGIN - LENGTH - 14;
    for (int i = 0; i < STEPS; i++) {
        double at = ((double)i + 0.5) / STEPS;
        nz_canvas_rect(canvas, left + LENGTH * (double)i / STEPS, y, (double)LENGTH / STEPS + 0.3, 8, 0,
                       (nz_paint){.fill = shade(at * at), .stroke = NZ_NO_COLOUR});
    }
    for (size_t i = 0; i < NZ_COUNT(ticks); i++)
        nz_canvas_text(canvas, left + LENGTH * sqrt(ticks[i].share), y + 20, ticks[i].text,
                       (nz_lettering){.size = 10, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
    nz_canvas_text(canvas, left - 10, y + 8, "share of the row, square-root scale",
                   (nz_lettering){.size = 10, .anchor = NZ_RIGHT, .colour = NZ_INK_SOFT});
}

static void put_subtitle(nz_text *out, const matrix *m) {
    const nz_found *found = m->found;
    if (!isnan(found->confusion_confidence)) {
        nz_text_append(out, "boxes scoring ");
        nz_put_number(out, found->confusion_confidence);
        nz_text_append(out, " or more");
    }
    if (!isnan(found->confusion_iou)) {
        nz_text_append(out, ", paired at IoU ");
        nz_put_number(out, found->confusion_iou);
    }
    if (m->side <= m->classes)
        nz_text_appendf(out, "%sthe %zu of %zu classes with most objects", out->length ? " \xc2\xb7 " : "", m->side - 1,
                        m->classes);
}

void nz_confusion_draw(nz_canvas *canvas, const nz_plot *plot) {
    NZ_AUTO(matrix_done) matrix m = {0};
    nz_status status = matrix_init(&m, plot->view->rows[plot->row].found);
    if (status != NZ_OK) {
        nz_canvas_fail(canvas, status);
        return;
    }
    frame f = {.m = &m, .left = NZ_PLOT_MARGIN + SIDE_TITLE + m.names, .top = HEAD};
    double end = m.cell * (double)m.side;
    f.left += fmax(0, (plot->width - NZ_PLOT_MARGIN - f.left - end) / 2); /* a small matrix stands in the middle */
    nz_text subtitle = {0};
    put_subtitle(&subtitle, &m);
    nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "");
    nz_text_done(&subtitle);
    for (size_t row = 0; row < m.side; row++) {
        double sum = row_sum(&m, row);
        for (size_t column = 0; column < m.side && sum > 0; column++) draw_cell(canvas, &f, row, column, sum);
    }
    draw_grid(canvas, &f);
    draw_names(canvas, &f);
    nz_lettering letters = {.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT};
    nz_canvas_text(canvas, f.left + end / 2, f.top + end + m.names + 18, "Found", letters);
    letters.upwards = true;
    nz_canvas_text(canvas, f.left - m.names - 13, f.top + end / 2, "There", letters);
    draw_scale(canvas, plot, plot->height - 30);
}
