/* SPDX-License-Identifier: Apache-2.0 */
/* What each layer of a model costs and holds: one panel per quantity, layers from left to right in the graph's order. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "report/axis.h"
#include "report/number.h"
#include "report/plots.h"

enum { PANEL_HEIGHT = 92, HEAD = 60, MOST_LAYERS = 2000, MOST_MODELS = 12 };

/* What a layer entry may hold beside its name and operator. Not metrics of a model: the registry does not know them. */
static const struct {
    const char *key, *title, *unit;
    bool scaled; /**< counts: shown with k, M, G */
} panels[] = {
    {"latency_ms", "Time", "ms", false}, {"macs", "MACs", "", true},       {"params", "Parameters", "", true},
    {"bits", "Width", "bit", false},     {"sqnr_db", "SQNR", "dB", false}, {"sparsity", "Zeros", "%", false},
};

static double layer_value(const json_t *layers, size_t i, const char *key) {
    return nz_json_number_at(json_array_get(layers, i), key);
}

static size_t layer_count(const json_t *layers) {
    size_t count = json_array_size(layers);
    return count < MOST_LAYERS ? count : MOST_LAYERS;
}

/* Quantise and reshape nodes, and what was fused into another one, cost nothing of their own: left out. */
static bool is_shown(const json_t *layers, size_t i) {
    return layer_value(layers, i, "macs") > 0 || layer_value(layers, i, "latency_ms") > 0;
}

static size_t shown_count(const json_t *layers) {
    size_t count = 0;
    for (size_t i = 0; i < layer_count(layers); i++) count += is_shown(layers, i);
    return count;
}

/* A panel is drawn where some layer has a value that is not zero. */
static bool panel_has_values(const json_t *layers, const char *key) {
    for (size_t i = 0; i < layer_count(layers); i++) {
        double value = layer_value(layers, i, key);
        if (is_shown(layers, i) && !isnan(value) && value != 0) return true;
    }
    return false;
}

/* The layers' times against the whole: how far the panel of times can be trusted. */
static void put_total(nz_text *out, const nz_view_row *row) {
    double sum = row->layers_sum_ms, whole = row->layers_whole_ms;
    if (sum > 0 && whole > 0)
        nz_text_appendf(out, "; their times add up to %.4g of %.4g ms (%.0f%%)", sum, whole, 100 * sum / whole);
}

nz_status nz_layers_plan(nz_plots *plots, const nz_view *view) {
    size_t models = 0;
    for (size_t r = 0; r < view->row_count && models < MOST_MODELS; r++) {
        const json_t *layers = view->rows[r].layers;
        size_t shown = 0;
        for (size_t p = 0; p < NZ_COUNT(panels) && layers; p++) shown += panel_has_values(layers, panels[p].key);
        if (shown == 0) continue;
        models++;
        nz_text title = {0}, description = {0};
        nz_text_append(&title, "Layers of ");
        nz_text_append(&title, view->rows[r].label);
        nz_text_appendf(&description, "%zu of %zu layers, in the order of the graph", shown_count(layers),
                        layer_count(layers));
        put_total(&description, &view->rows[r]);
        nz_plot plot = {.kind = NZ_PLOT_LAYERS, .view = view, .row = r, .width = NZ_PLOT_WIDTH};
        plot.height = HEAD + (double)shown * PANEL_HEIGHT + 8;
        NZ_TRY(nz_plots_add(plots, &plot, view->rows[r].label, &title, &description));
    }
    return NZ_OK;
}

static void put_layer(nz_text *out, nz_view *scratch, const json_t *layer, const char *title, const char *number,
                      const char *unit) {
    const char *name = "", *op = "";
    if (nz_view_text(scratch, &name, json_object_get(layer, "name")) != NZ_OK ||
        nz_view_text(scratch, &op, json_object_get(layer, "op")) != NZ_OK)
        return;
    nz_text_append(out, name);
    if (*op) nz_text_appendf(out, " (%s)", op);
    nz_text_appendf(out, ": %s %s%s%s", title, number, *unit ? " " : "", unit);
}

/* Over all models, so that their plots can be compared. */
static void bounds_of(const nz_view *view, const char *key, double *least, double *most) {
    for (size_t r = 0; r < view->row_count; r++)
        for (size_t i = 0; view->rows[r].layers && i < layer_count(view->rows[r].layers); i++) {
            double value = layer_value(view->rows[r].layers, i, key);
            if (isnan(value) || !is_shown(view->rows[r].layers, i)) continue;
            *least = fmin(*least, value);
            *most = fmax(*most, value);
        }
}

static void draw_panel(nz_canvas *canvas, const nz_plot *plot, size_t p, double top) {
    const nz_view_row *row = &plot->view->rows[plot->row];
    const json_t *layers = row->layers;
    size_t count = layer_count(layers);
    double least = 0, most = 0;
    bounds_of(plot->view, panels[p].key, &least, &most);
    const char *prefix = "";
    double scale = panels[p].scaled ? nz_number_prefix(most, 0, 5, &prefix) : 1;
    nz_axis axis;
    nz_axis_init(&axis, least / scale, most / scale, true, false, 3);
    double left = NZ_PLOT_MARGIN + 46, right = plot->width - NZ_PLOT_MARGIN, bottom = top + PANEL_HEIGHT - 14;
    double high = top + 20, slot = (right - left) / (double)shown_count(layers);
    char heading[64];
    snprintf(heading, sizeof heading, "%s%s%s%s%s", panels[p].title, *prefix || *panels[p].unit ? " (" : "", prefix,
             panels[p].unit, *prefix || *panels[p].unit ? ")" : "");
    nz_canvas_text(canvas, left, top + 12, heading,
                   (nz_lettering){.size = NZ_SIZE_SMALL, .colour = NZ_INK, .bold = true});
    for (size_t t = 0; t < axis.count; t++) {
        nz_text label = {0};
        double y = bottom - (bottom - high) * nz_axis_at(&axis, axis.ticks[t]);
        nz_axis_put_tick(&label, &axis, t);
        nz_canvas_line(canvas, left, y, right, y, (nz_paint){.stroke = NZ_GRID});
        if (label.data)
            nz_canvas_text(canvas, left - 6, y + 4, label.data,
                           (nz_lettering){.size = 10.5, .anchor = NZ_RIGHT, .colour = NZ_INK_SOFT});
        nz_text_done(&label);
    }
    NZ_AUTO_VIEW nz_view scratch = {0};
    double zero = bottom - (bottom - high) * nz_axis_at(&axis, 0);
    for (size_t i = 0, at = 0; i < count; i++) {
        double value = layer_value(layers, i, panels[p].key);
        if (!is_shown(layers, i)) continue;
        double x = left + slot * (double)at++;
        if (isnan(value)) continue;
        nz_text told = {0}, number = {0};
        nz_text_appendf(&number, "%.6g", value);
        put_layer(&told, &scratch, json_array_get(layers, i), panels[p].title, number.data ? number.data : "",
                  panels[p].unit);
        double y = bottom - (bottom - high) * nz_axis_at(&axis, value / scale);
        nz_canvas_begin(canvas, told.data ? told.data : "");
        nz_canvas_rect(canvas, x + slot * 0.1, fmin(y, zero), slot * 0.8, fmax(fabs(zero - y), 0.4), 0,
                       (nz_paint){.fill = nz_palette(row->colour), .stroke = NZ_NO_COLOUR});
        nz_canvas_end(canvas);
        nz_text_done(&told);
        nz_text_done(&number);
    }
    nz_canvas_line(canvas, left, zero, right, zero, (nz_paint){.stroke = NZ_RULE});
}

void nz_layers_draw(nz_canvas *canvas, const nz_plot *plot) {
    const json_t *layers = plot->view->rows[plot->row].layers;
    nz_text subtitle = {0};
    nz_text_appendf(&subtitle, "%zu of %zu layers have MACs or time of their own; input left, output right",
                    shown_count(layers), layer_count(layers));
    put_total(&subtitle, &plot->view->rows[plot->row]);
    double y = nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "");
    nz_text_done(&subtitle);
    for (size_t p = 0; p < NZ_COUNT(panels); p++) {
        if (!panel_has_values(layers, panels[p].key)) continue;
        draw_panel(canvas, plot, p, y);
        y += PANEL_HEIGHT;
    }
}
