/* SPDX-License-Identifier: Apache-2.0 */
/* How far each weight of OCS may move, the others staying, before another model wins. The axis holds every weight: lambda
 * stands at lambda / (1 + lambda). */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/number.h"
#include "report/plots.h"

enum { ROW = 44, LABELS = 104, HEAD = 66, FOOT = 34, WIDTH = 640 };

/* One weight of one group: where its winner stays in front. */
typedef struct range {
    bool known;
    double low, high; /* NaN: down to 0, however high */
    const char *low_rival, *high_rival;
} range;

static const json_t *group_of(const nz_plot *plot) { return json_array_get(plot->view->rank, plot->row); }

static size_t row_of(const nz_view *view, const char *id) {
    size_t r = 0;
    while (r < view->row_count && strcmp(nz_json_text_at(view->rows[r].json, "id"), id) != 0) r++;
    return r;
}

static const char *label_of(const nz_view *view, const char *id) {
    size_t row = *id ? row_of(view, id) : view->row_count;
    return row < view->row_count ? view->rows[row].label : "another";
}

static range range_at(const json_t *group, size_t i) {
    const json_t *lambda = json_array_get(json_object_get(group, "lambda"), i);
    range r = {.known = json_is_true(json_object_get(lambda, "known")),
               .low = nz_json_number_at(lambda, "low"),
               .high = nz_json_number_at(lambda, "high"),
               .low_rival = nz_json_text_at(lambda, "low_rival"),
               .high_rival = nz_json_text_at(lambda, "high_rival")};
    if (!(r.low > 0)) r.low = NAN;
    if (!(r.high >= 0) || (!isnan(r.low) && r.high < r.low)) r.high = NAN;
    return r;
}

/* Whether some weight decides who wins: else the sentence says all there is. */
static bool has_ends(const json_t *group) {
    for (size_t i = 0; i < NZ_VIEW_RATIOS; i++) {
        range r = range_at(group, i);
        if (r.known && (!isnan(r.low) || !isnan(r.high))) return true;
    }
    return false;
}

nz_status nz_weights_plan(nz_plots *plots, const nz_view *view) {
    for (size_t g = 0; g < json_array_size(view->rank); g++) {
        const json_t *group = json_array_get(view->rank, g);
        nz_text title = {0}, description = {0};
        if (!has_ends(group) || row_of(view, nz_json_text_at(group, "winner")) == view->row_count) continue;
        nz_text_append(&title, "While which weights ");
        nz_put_short(&title, label_of(view, nz_json_text_at(group, "winner")), 40);
        nz_text_append(&title, " wins");
        nz_view_put_rank(&description, view, g);
        if (!description.length) { /* an earlier group has said the same */
            nz_text_done(&title);
            continue;
        }
        nz_plot plot = {.kind = NZ_PLOT_WEIGHTS, .view = view, .row = g, .width = WIDTH};
        plot.height = HEAD + NZ_VIEW_RATIOS * ROW + FOOT;
        NZ_TRY(nz_plots_add(plots, &plot, "", &title, &description));
    }
    return NZ_OK;
}

static const double left = NZ_PLOT_MARGIN + LABELS, width = WIDTH - 2.0 * NZ_PLOT_MARGIN - LABELS - 8;

static double x_of(double lambda) { return left + width * (isinf(lambda) ? 1 : lambda / (1 + lambda)); }

static void draw_axis(nz_canvas *canvas, double top, double bottom) {
    static const struct {
        double at;
        const char *text;
    } ticks[] = {{0, "0"}, {0.25, "0.25"}, {0.5, "0.5"}, {1, "1"}, {2, "2"}, {4, "4"}, {INFINITY, "\xe2\x88\x9e"}};
    for (size_t t = 0; t < NZ_COUNT(ticks); t++) {
        double x = x_of(ticks[t].at);
        nz_canvas_line(canvas, x, top, x, bottom, (nz_paint){.stroke = NZ_GRID});
        nz_canvas_text(canvas, x, bottom + 16, ticks[t].text,
                       (nz_lettering){.size = NZ_SIZE_SMALL, .anchor = NZ_MIDDLE, .colour = NZ_INK_SOFT});
    }
}

/* "QAT below 0.41", beside the end of the bar. */
static void draw_end(nz_canvas *canvas, const nz_view *view, double end, const char *rival, bool high, double y) {
    double x = x_of(end), room = fmax(high ? left + width - x : x - left, 60);
    nz_text text = {0};
    nz_put_short(&text, label_of(view, rival), 24);
    nz_text_appendf(&text, high ? " above %.4g" : " below %.4g", end);
    bool inside = (high ? left + width - x : x - left) < 70; /* no room beside it: towards the middle */
    if (text.data)
        nz_canvas_text_fit(
            canvas, x, y + 20, text.data,
            (nz_lettering){
                .size = 10.5, .anchor = high == inside ? NZ_RIGHT : NZ_LEFT, .colour = NZ_INK_SOFT, .halo = true},
            inside ? width : room);
    nz_text_done(&text);
}

static void draw_row(nz_canvas *canvas, const nz_plot *plot, size_t i, double y) {
    const nz_view *view = plot->view;
    range r = range_at(group_of(plot), i);
    size_t winner = row_of(view, nz_json_text_at(group_of(plot), "winner"));
    double now = isnan(view->lambda[i]) || view->lambda[i] < 0 ? 1 : view->lambda[i];
    nz_canvas_text(canvas, NZ_PLOT_MARGIN, y + 4.5, nz_ratio_names[i],
                   (nz_lettering){.size = NZ_SIZE_TEXT, .colour = r.known ? NZ_INK : NZ_INK_SOFT});
    if (!r.known) {
        nz_canvas_text(canvas, left + 6, y + 4.5, "not available",
                       (nz_lettering){.size = NZ_SIZE_TEXT, .colour = NZ_INK_SOFT});
        return;
    }
    double from = isnan(r.low) ? x_of(0) : x_of(r.low), to = isnan(r.high) ? x_of(INFINITY) : x_of(r.high);
    nz_canvas_rect(canvas, x_of(0), y - 1, width, 2, 1, (nz_paint){.fill = NZ_GRID, .stroke = NZ_NO_COLOUR});
    nz_canvas_rect(
        canvas, from, y - 6, fmax(to - from, 2), 12, 3,
        (nz_paint){.fill = nz_palette(view->rows[winner].colour), .stroke = NZ_NO_COLOUR, .fill_alpha = 0.75});
    nz_canvas_line(canvas, x_of(now), y - 10, x_of(now), y + 10, (nz_paint){.stroke = NZ_INK, .width = 2});
    if (!isnan(r.low)) draw_end(canvas, view, r.low, r.low_rival, false, y);
    if (!isnan(r.high)) draw_end(canvas, view, r.high, r.high_rival, true, y);
}

void nz_weights_draw(nz_canvas *canvas, const nz_plot *plot) {
    double top = nz_plot_head(canvas, plot, plot->title,
                              "each weight of OCS alone, the others staying \xc2\xb7 the dark line: as it is now") +
                 4;
    draw_axis(canvas, top, top + NZ_VIEW_RATIOS * ROW);
    for (size_t i = 0; i < NZ_VIEW_RATIOS; i++) draw_row(canvas, plot, i, top + ROW * ((double)i + 0.42));
}
