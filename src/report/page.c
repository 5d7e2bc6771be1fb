/* SPDX-License-Identifier: Apache-2.0 */
#include "report/page.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "report/escape.h"
#include "report/grid.h"
#include "report/groups.h"
#include "report/number.h"
#include "report/summary.h"

/* "sha256-<base64>" of a script or style, as content security policies name it. */
static void put_hash(nz_text *out, const char *content) {
    char hex[65];
    uint8_t bytes[32] = {0};
    nz_sha256(hex, content, strlen(content));
    for (size_t i = 0; i < sizeof bytes; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) == 1) bytes[i] = (uint8_t)byte;
    }
    nz_text_append(out, "'sha256-");
    nz_put_base64(out, bytes, sizeof bytes);
    nz_text_append(out, "'");
}

static void put_head(nz_text *out, const nz_summary *summary) {
    nz_text_append(
        out,
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<meta http-equiv=\"Content-Security-Policy\" "
        "content=\"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src ");
    put_hash(out, nz_page_style);
    nz_text_append(out, "; script-src ");
    put_hash(out, nz_page_script);
    nz_text_append(out,
                   "\">\n<meta name=viewport content=\"width=device-width,initial-scale=1\">\n<meta name=generator "
                   "content=\"netzip " NZ_VERSION "\">\n<link rel=icon href=\"data:,\">\n<title>netzip: ");
    nz_put_html(out, summary->verdict.data ? summary->verdict.data : "comparison");
    nz_text_append(out, "</title>\n<style>");
    nz_text_append(out, nz_page_style);
    nz_text_append(out, "</style>\n</head>\n<body>\n<main>\n");
}

static void put_paragraph(nz_text *out, const char *class, const nz_text *text) {
    if (!text->data || !*text->data) return;
    nz_text_appendf(out, "<p class=\"%s\">", class);
    nz_put_html(out, text->data);
    nz_text_append(out, "</p>\n");
}

/* One paragraph per line of the text. */
static void put_lines(nz_text *out, const char *class, const nz_text *text) {
    for (const char *p = text->data ? text->data : ""; *p;) {
        nz_text line = {0};
        size_t length = strcspn(p, "\n");
        nz_text_append_bytes(&line, p, length);
        put_paragraph(out, class, &line);
        nz_text_done(&line);
        p += length + (p[length] == '\n');
    }
}

static void put_list(nz_text *out, const char *class, const char *title, const nz_text *items) {
    if (!items->data || !*items->data) return;
    nz_text_appendf(out, "<dt class=%s>%s</dt>", class, title);
    for (const char *p = items->data; *p;) {
        size_t length = strcspn(p, "\n");
        nz_text item = {0};
        nz_text_append_bytes(&item, p, length);
        nz_text_appendf(out, "<dd class=%s>", class);
        if (item.data) nz_put_html(out, item.data);
        nz_text_append(out, "</dd>");
        nz_text_done(&item);
        p += length + (p[length] == '\n');
    }
    nz_text_append(out, "\n");
}

static void put_part(nz_text *out, const nz_view *view, const nz_summary_part *part) {
    const nz_view_row *row = &view->rows[part->row];
    nz_text_append(out, "<article class=box><h3><bdi>");
    nz_page_put_name(out, row->label);
    nz_text_append(out, "</bdi></h3>\n");
    if (row->failed) {
        nz_text_append(out, "<p class=warn>Failed: <bdi>");
        nz_put_html(out, *row->error ? row->error : "no reason is given");
        nz_text_append(out, "</bdi></p>\n");
    }
    nz_text_append(out, "<dl>\n");
    put_list(out, "gain", "Gained", &part->gains);
    put_list(out, "loss", "Lost", &part->losses);
    put_list(out, "same", "Different by no more than noise", &part->noise);
    put_list(out, "same", "Unchanged", &part->same);
    nz_text_append(out, "</dl>\n");
    put_lines(out, "remark", &part->remarks);
    nz_text_append(out, "</article>\n");
}

enum { MOST_PARTS = 9 }; /* unfolded */

static bool has_words(const nz_view *view, const nz_summary_part *part) {
    return part->gains.length || part->losses.length || part->noise.length || part->remarks.length ||
           view->rows[part->row].failed;
}

static void put_summary(nz_text *out, const nz_view *view, const nz_summary *summary) {
    size_t told = 0, all = 0;
    for (size_t i = 0; i < summary->count; i++) all += has_words(view, &summary->parts[i]);
    if (all || summary->warnings.length) nz_text_append(out, "<h2 id=words>In plain words</h2>\n");
    put_lines(out, "warn", &summary->warnings);
    nz_text_append(out, "<div class=parts>\n");
    for (size_t i = 0; i < summary->count; i++) {
        if (!has_words(view, &summary->parts[i])) continue;
        if (told++ == MOST_PARTS)
            nz_text_appendf(out, "</div>\n<details><summary>%zu more</summary><div class=parts>\n", all - MOST_PARTS);
        put_part(out, view, &summary->parts[i]);
    }
    nz_text_append(out, all > MOST_PARTS ? "</div></details>\n" : "</div>\n");
}

enum { WIDE = 520 }; /* a plot that is wider than this stands alone in its row */

void nz_page_put_figure(nz_text *out, const nz_plot *plot) {
    nz_text_append(out, plot->width > WIDE ? "<figure class=wide>" : "<figure>");
    nz_text_append(out, plot->svg);
    nz_text_append(out, "<figcaption>");
    nz_put_html(out, plot->title);
    nz_text_append(out, ". ");
    nz_put_html(out, plot->description);
    nz_text_append(out, "</figcaption></figure>\n");
}

static size_t put_figures(nz_text *out, const nz_view *view, const nz_plots *plots, nz_plot_kind kind, bool main) {
    size_t count = 0;
    for (size_t i = 0; i < plots->count; i++) {
        const nz_plot *plot = &plots->items[i];
        if (plot->kind != kind) continue;
        if ((kind != NZ_PLOT_BARS || nz_view_is_main(view, plot->column)) != main) continue;
        if (count++ == 0) nz_text_append(out, "<div class=plots>\n");
        nz_page_put_figure(out, plot);
    }
    if (count) nz_text_append(out, "</div>\n");
    return count;
}

/* Who wins by OCS, and how far each weight may move before another model does. */
static void put_rank(nz_text *out, const nz_view *view) {
    for (size_t i = 0; i < json_array_size(view->rank); i++) {
        nz_text text = {0};
        nz_view_put_rank(&text, view, i);
        put_paragraph(out, "remark", &text);
        nz_text_done(&text);
    }
}

/* Ratios with their intervals, tables beside them, and the rounds that they come from. */
static void put_uncertainty(nz_text *out, const nz_view *view, const nz_plots *plots) {
    nz_text tables = {0};
    bool any = false;
    for (size_t i = 0; i < plots->count; i++)
        any = any || (plots->items[i].kind >= NZ_PLOT_WEIGHTS && plots->items[i].kind <= NZ_PLOT_DRIFT);
    nz_beside_put(&tables, view, NZ_GRID_HTML);
    if (any || tables.length || json_array_size(view->rank))
        nz_text_append(out, "<h2 id=sure>How sure the differences are</h2>\n");
    put_rank(out, view);
    put_figures(out, view, plots, NZ_PLOT_WEIGHTS, true);
    put_figures(out, view, plots, NZ_PLOT_FOREST, true);
    if (tables.data) nz_text_append(out, tables.data);
    put_figures(out, view, plots, NZ_PLOT_DRIFT, true);
    if (tables.status != NZ_OK) out->status = tables.status;
    nz_text_done(&tables);
}

static void put_plots(nz_text *out, const nz_view *view, const nz_plots *plots) {
    size_t others = 0, layers = 0, scatters = 0, learning = 0, bars = 0;
    for (size_t i = 0; i < plots->count; i++) {
        const nz_plot *plot = &plots->items[i];
        others += plot->kind == NZ_PLOT_BARS && !nz_view_is_main(view, plot->column);
        layers += plot->kind == NZ_PLOT_LAYERS;
        learning += plot->kind == NZ_PLOT_LEARNING;
        bars += plot->kind == NZ_PLOT_BARS;
        scatters += plot->kind == NZ_PLOT_SCATTER || plot->kind == NZ_PLOT_RADAR;
    }
    if (scatters) {
        nz_text_append(out, "<h2 id=trades>What is traded for what</h2>\n<div class=plots>\n");
        for (size_t i = 0; i < plots->count; i++)
            if (plots->items[i].kind == NZ_PLOT_RADAR || plots->items[i].kind == NZ_PLOT_SCATTER)
                nz_page_put_figure(out, &plots->items[i]);
        nz_text_append(out, "</div>\n");
    }
    put_uncertainty(out, view, plots);
    nz_page_put_detection(out, view, plots);
    if (bars) nz_text_append(out, "<h2 id=bars>Metric by metric</h2>\n");
    put_figures(out, view, plots, NZ_PLOT_BARS, true);
    put_figures(out, view, plots, NZ_PLOT_SPLIT, true);
    if (others) {
        nz_text_appendf(out, "<details><summary>%zu more metrics</summary>\n", others);
        put_figures(out, view, plots, NZ_PLOT_BARS, false);
        nz_text_append(out, "</details>\n");
    }
    if (learning) {
        nz_text_append(out, "<h2 id=learning>Learning</h2>\n");
        put_figures(out, view, plots, NZ_PLOT_LEARNING, true);
    }
    if (layers) {
        nz_text_append(out, "<h2 id=layers>Layer by layer</h2>\n");
        put_figures(out, view, plots, NZ_PLOT_LAYERS, true);
    }
}

/* ---- provenance ---- */

enum { MOST_DEPTH = 4, MOST_ITEMS = 64 };

static nz_status put_scalar(nz_text *out, nz_view *view, const json_t *json) {
    const char *text = "";
    if (json_is_string(json)) {
        NZ_TRY(nz_view_text(view, &text, json));
        nz_put_html(out, text);
    } else if (json_is_integer(json))
        nz_text_appendf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    else if (json_is_real(json))
        nz_put_number(out, json_real_value(json));
    else
        nz_text_append(out, json_is_true(json) ? "yes" : json_is_false(json) ? "no" : "not known");
    return NZ_OK;
}

/* Whatever stands in `run`, key by key: objects become dotted keys, arrays lists. */
static nz_status put_facts(nz_text *out, nz_view *view, const json_t *json, const char *key, int depth) {
    const char *name;
    json_t *item;
    size_t i;
    if (json_is_object(json)) {
        json_object_foreach((json_t *)(uintptr_t)json, name, item) {
            NZ_AUTO_FREE char *full = NULL;
            NZ_TRY(nz_format(&full, "%s%s%s", key, *key ? "." : "", name));
            if (depth < MOST_DEPTH) NZ_TRY(put_facts(out, view, item, full, depth + 1));
        }
        return NZ_OK;
    }
    if (json_is_array(json) && json_is_object(json_array_get(json, 0))) {
        json_array_foreach(json, i, item) {
            NZ_AUTO_FREE char *full = NULL;
            NZ_TRY(nz_format(&full, "%s[%zu]", key, i));
            if (depth < MOST_DEPTH && i < MOST_ITEMS) NZ_TRY(put_facts(out, view, item, full, depth + 1));
        }
        return NZ_OK;
    }
    if (json_is_null(json) || (json_is_array(json) && json_array_size(json) == 0)) return NZ_OK;
    nz_text clean = {0};
    nz_put_clean(&clean, key);
    nz_text_append(out, "<dt>");
    nz_put_html(out, clean.data ? clean.data : "");
    nz_text_done(&clean);
    nz_text_append(out, "</dt><dd><code>");
    if (!json_is_array(json)) NZ_TRY(put_scalar(out, view, json));
    json_array_foreach(json, i, item) {
        if (i && i < MOST_ITEMS) nz_text_append(out, " ");
        if (i < MOST_ITEMS && !json_is_array(item) && !json_is_object(item)) NZ_TRY(put_scalar(out, view, item));
        if (i == MOST_ITEMS) nz_text_appendf(out, " and %zu more", json_array_size(json) - i);
    }
    nz_text_append(out, "</code></dd>\n");
    return NZ_OK;
}

static void put_number_cell(nz_text *out, double value) {
    nz_text_append(out, "<td>");
    if (isnan(value)) nz_text_append(out, "\xe2\x80\x93");
    nz_put_number(out, value);
    nz_text_append(out, "</td>");
}

static void put_text_cell(nz_text *out, const char *text, bool code) {
    nz_text_append(out, code ? "<td class=text><code>" : "<td class=text><bdi>");
    nz_put_html(out, *text ? text : "\xe2\x80\x93");
    nz_text_append(out, code ? "</code></td>" : "</bdi></td>");
}

nz_status nz_page_put_provenance(nz_text *out, nz_view *view) {
    if (view->run && json_object_size(view->run) > 0) {
        nz_text_append(out, "<dl class=\"facts box\">\n");
        NZ_TRY(put_facts(out, view, view->run, "", 0));
        nz_text_append(out, "</dl>\n");
    }
    nz_text_append(
        out,
        "<details><summary>Models, files and hashes</summary>\n<div class=\"box scroll\" tabindex=0 role=region "
        "aria-label=\"Models\">"
        "<table><thead><tr><th scope=col class=\"text stick\">Model</th><th scope=col class=text>Technique</th>"
        "<th scope=col class=text>Runtime</th><th scope=col>Threads</th><th scope=col>Batch</th><th scope=col>Seed</th>"
        "<th scope=col class=text>Method</th><th scope=col class=text>Preprocessing</th><th scope=col "
        "class=text>Compute</th><th scope=col class=text>Host</th><th scope=col class=text>File</th>"
        "<th scope=col class=text>SHA-256</th></tr></thead><tbody>\n");
    for (size_t r = 0; r < view->row_count; r++) {
        const nz_view_row *row = &view->rows[r];
        nz_text runtime = {0};
        nz_text_append(&runtime, row->runtime);
        if (*row->runtime_version) nz_text_append(&runtime, " ");
        nz_text_append(&runtime, row->runtime_version);
        nz_text_append(out, "<tr><th scope=row class=stick><bdi>");
        nz_put_html(out, row->label);
        nz_text_append(out, "</bdi></th>");
        put_text_cell(out, row->technique, false);
        put_text_cell(out, runtime.data ? runtime.data : "", false);
        put_number_cell(out, row->threads);
        put_number_cell(out, row->batch);
        put_number_cell(out, row->seed);
        put_text_cell(out, row->method, true);
        put_text_cell(out, row->preprocess, true);
        put_text_cell(out, row->compute, false);
        put_text_cell(out, row->host, false);
        put_text_cell(out, row->path, true);
        put_text_cell(out, row->sha256, true);
        nz_text_append(out, "</tr>\n");
        nz_text_done(&runtime);
    }
    nz_text_append(out, "</tbody></table></div></details>\n");
    return NZ_OK;
}

nz_status nz_page_put(nz_text *out, nz_view *view, const nz_plots *plots) {
    NZ_AUTO(nz_summary_done) nz_summary summary = {0};
    NZ_TRY(nz_summary_get(&summary, view));
    put_head(out, &summary);
    nz_text_append(out, "<header><p class=kicker>netzip comparison</p>\n<h1>");
    nz_put_html(out, summary.verdict.data ? summary.verdict.data : "");
    nz_text_append(out, "</h1>\n");
    put_paragraph(out, "lead", &summary.lead);
    nz_text_append(out, "</header>\n<nav aria-label=Sections>");
    if (nz_groups_any(view)) nz_text_append(out, "<a href=\"#seeds\">Over seeds</a>");
    nz_text_append(out, "<a href=\"#words\">In plain words</a>");
    if (nz_found_reference(view) < view->row_count) nz_text_append(out, "<a href=\"#detection\">Detection</a>");
    for (size_t i = 0; i < plots->count; i++)
        if (plots->items[i].kind == NZ_PLOT_FOREST) nz_text_append(out, "<a href=\"#sure\">How sure it is</a>");
    nz_text_append(out, "<a href=\"#bars\">Plots</a>");
    if (view->machines) nz_text_append(out, "<a href=\"#measured\">How it was measured</a>");
    nz_text_append(out, "<a href=\"#all\">All metrics</a><a href=\"#definitions\">Definitions</a><a "
                        "href=\"#provenance\">Provenance</a></nav>\n");
    nz_groups_put_html(out, view);
    nz_page_put_main_table(out, view);
    put_summary(out, view, &summary);
    put_plots(out, view, plots);
    nz_measured_put_html(out, view);
    nz_text_append(out, "<h2 id=all>All metrics</h2>\n");
    nz_page_put_all_metrics(out, view);
    nz_text_append(out, "<h2 id=definitions>What the metrics mean</h2>\n");
    nz_page_put_definitions(out, view);
    nz_text_append(out, "<h2 id=provenance>Where this comes from</h2>\n");
    NZ_TRY(nz_page_put_provenance(out, view));
    nz_text_append(out, "<footer>Drawn by netzip " NZ_VERSION
                        " from results.json alone. The same figures, in full precision: table.csv.</footer>\n"
                        "</main>\n<div id=tip role=status hidden></div>\n<script>");
    nz_text_append(out, nz_page_script);
    nz_text_append(out, "</script>\n</body>\n</html>\n");
    return out->status;
}
