/* SPDX-License-Identifier: Apache-2.0 */
/* The page's tables: the main one, every metric of every model, what each metric means. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/number.h"
#include "report/page.h"
#include "report/table.h"

enum { WORD_MOST = 24 }; /* characters of a name that is never broken on a wide screen */
enum { NAME_MOST = 60 }; /* characters of a name; the whole of it stands in the provenance and in its tooltip */

/* Escapes a built text and empties it. */
static void put_escaped(nz_text *out, nz_text *plain) {
    if (plain->data) nz_put_html(out, plain->data);
    if (plain->status != NZ_OK) out->status = plain->status;
    nz_text_done(plain);
}

void nz_page_put_name(nz_text *out, const char *name) {
    nz_text shown = {0};
    nz_put_short(&shown, name, NAME_MOST);
    bool whole = shown.data && strcmp(shown.data, name) == 0;
    if (!whole) {
        nz_text_append(out, "<span title=\"");
        nz_put_html(out, name);
        nz_text_append(out, "\">");
    }
    put_escaped(out, &shown);
    if (!whole) nz_text_append(out, "</span>");
}

/* A model's name with the spot of its colour in the plots. */
static void put_label(nz_text *out, const nz_view_row *row) {
    nz_text_appendf(out,
                    "<span class=who><svg class=sw viewBox=\"0 0 10 10\" aria-hidden=true><circle cx=5 cy=5 r=5 "
                    "fill=\"#%06x\"/></svg><bdi>",
                    nz_palette(row->colour));
    nz_page_put_name(out, row->label);
    nz_text_append(out, "</bdi></span>");
}

static const char *column_id(const nz_view *view, nz_table_column column) {
    switch (column.kind) {
    case NZ_COLUMN_LABEL: return "model";
    case NZ_COLUMN_TECHNIQUE: return "technique";
    case NZ_COLUMN_METRIC: return view->columns[column.index].id;
    case NZ_COLUMN_RATIO: return nz_ratio_names[column.index];
    case NZ_COLUMN_OCS: return "ocs";
    }
    return "";
}

static nz_better column_better(const nz_view *view, nz_table_column column) {
    if (column.kind == NZ_COLUMN_METRIC) return view->columns[column.index].better;
    return column.kind == NZ_COLUMN_RATIO || column.kind == NZ_COLUMN_OCS ? NZ_HIGHER : NZ_NEITHER;
}

static void put_heading(nz_text *out, const nz_view *view, nz_table_column column) {
    bool text = column.kind == NZ_COLUMN_LABEL || column.kind == NZ_COLUMN_TECHNIQUE;
    nz_text plain = {0};
    nz_text_appendf(out, "<th scope=col class=\"%s%s\" data-better=%s data-id=\"", text ? "text" : "n",
                    column.kind == NZ_COLUMN_LABEL ? " stick" : "", nz_better_name(column_better(view, column)));
    nz_put_html(out, column_id(view, column));
    nz_text_append(out, "\">");
    nz_table_title(&plain, view, column);
    put_escaped(out, &plain);
    nz_table_unit(&plain, view, column);
    if (plain.data && *plain.data) {
        nz_text_append(out, " <span class=unit>");
        put_escaped(out, &plain);
        nz_text_append(out, "</span>");
    }
    nz_text_done(&plain);
    nz_text_append(out, "</th>");
}

/* Where a figure comes from, for pointing at it and for touching it. */
static void put_detail(nz_text *out, const nz_view *view, size_t row, nz_table_column column) {
    const nz_view_row *r = &view->rows[row];
    nz_text plain = {0};
    bool partial = false;
    nz_text_append(&plain, "\xe2\x81\xa8"); /* isolates the name: U+2068, U+2069 */
    nz_put_short(&plain, r->label, 60);
    nz_text_append(&plain, "\xe2\x81\xa9, ");
    nz_table_title(&plain, view, column);
    nz_text_append(&plain, ": ");
    if (column.kind == NZ_COLUMN_METRIC)
        nz_put_detail(&plain, &view->columns[column.index], nz_view_at(view, row, column.index));
    else if (column.kind == NZ_COLUMN_RATIO) {
        const nz_view_ratio *ratio = &r->ratios[column.index];
        nz_put_ratio(&plain, ratio->value);
        if (isnan(ratio->value) && *ratio->reason) nz_text_appendf(&plain, " not available: ");
        if (isnan(ratio->value)) nz_text_append(&plain, ratio->reason);
        nz_text_append(&plain, "; of ");
        nz_text_append(&plain, nz_table_metric_title(view, ratio->of));
        nz_text_append(&plain, "; derived");
    } else if (column.kind == NZ_COLUMN_OCS) {
        nz_put_ratio(&plain, nz_view_ocs(r, &partial));
        if (isnan(r->ocs) && *r->ocs_reason) nz_text_append(&plain, partial ? " over the terms at hand; " : "; ");
        if (isnan(r->ocs)) nz_text_append(&plain, r->ocs_reason);
        nz_text_append(&plain, "; derived");
    }
    put_escaped(out, &plain);
}

/* The best value of a column over the rows that did not fail; NaN where all are the same or no direction is better. */
static double best_of(const nz_view *view, nz_table_column column) {
    nz_better better = column_better(view, column);
    double best = NAN, worst = NAN;
    for (size_t r = 0; r < view->row_count; r++) {
        double value = nz_table_number(view, r, column);
        if (isnan(value) || view->rows[r].failed) continue;
        if (isnan(best) || (better == NZ_HIGHER ? value > best : value < best)) best = value;
        if (isnan(worst) || (better == NZ_HIGHER ? value < worst : value > worst)) worst = value;
    }
    return better == NZ_NEITHER || best == worst ? (double)NAN : best;
}

/* "[0.1178, 0.1207]" below what was measured in rounds and what follows from it; of accuracies the tooltip tells. */
static void put_cell_interval(nz_text *out, const nz_view *view, size_t row, nz_table_column column) {
    const nz_view_row *r = &view->rows[row];
    const double *ends = NULL;
    nz_text plain = {0};
    if (column.kind == NZ_COLUMN_OCS && r->has_ocs_ci) ends = r->ocs_ci95;
    if (column.kind == NZ_COLUMN_RATIO && r->ratios[column.index].gain.has_ci) ends = r->ratios[column.index].gain.ci95;
    if (column.kind == NZ_COLUMN_METRIC && view->columns[column.index].noisy &&
        nz_view_at(view, row, column.index)->has_ci)
        ends = nz_view_at(view, row, column.index)->ci95;
    if (!ends) return;
    if (column.kind == NZ_COLUMN_METRIC) {
        nz_text_append(&plain, "[");
        nz_put_value(&plain, &view->columns[column.index], ends[0]);
        nz_text_append(&plain, ", ");
        nz_put_value(&plain, &view->columns[column.index], ends[1]);
        nz_text_append(&plain, "]");
    } else {
        nz_put_ends(&plain, ends); /* with digits of its own: a narrow one would be [1.00, 1.00] */
    }
    nz_text_append(out, "<span class=ci>");
    put_escaped(out, &plain);
    nz_text_append(out, "</span>");
}

static void put_cell(nz_text *out, const nz_view *view, size_t row, nz_table_column column, double best) {
    nz_text plain = {0};
    double value = nz_table_number(view, row, column);
    if (column.kind == NZ_COLUMN_LABEL) {
        bool is_long = nz_utf8_count(view->rows[row].label) > WORD_MOST;
        nz_text_appendf(out, "<th scope=row class=\"stick%s\">", is_long ? " long" : "");
        put_label(out, &view->rows[row]);
        nz_text_append(out, "</th>");
        return;
    }
    if (column.kind == NZ_COLUMN_TECHNIQUE) {
        nz_text_append(out, "<td class=text><bdi>");
        nz_table_cell(&plain, view, row, column);
        put_escaped(out, &plain);
        nz_text_append(out, "</bdi></td>");
        return;
    }
    nz_text_appendf(out, "<td class=%s data-v=\"", isnan(value) ? "none" : value == best ? "best" : "n");
    nz_put_number(out, value);
    nz_text_append(out, "\" title=\"");
    put_detail(out, view, row, column);
    nz_text_append(out, "\">");
    nz_table_cell(&plain, view, row, column);
    put_escaped(out, &plain);
    put_cell_interval(out, view, row, column);
    nz_text_append(out, "</td>");
}

static void put_notes(nz_text *out, const nz_view *view) {
    NZ_AUTO_NOTES nz_table_notes notes;
    nz_table_notes_get(&notes, view);
    if (notes.status != NZ_OK) out->status = notes.status;
    if (notes.count) nz_text_append(out, "<ul class=notes>");
    for (size_t i = 0; i < notes.count; i++) {
        nz_text_append(out, "<li><bdi>");
        nz_put_html(out, notes.lines[i]);
        nz_text_append(out, "</bdi></li>");
    }
    if (notes.count) nz_text_append(out, "</ul>\n");
}

void nz_page_put_main_table(nz_text *out, const nz_view *view) {
    NZ_AUTO_FREE nz_table_column *columns = NULL;
    NZ_AUTO_FREE double *best = NULL;
    size_t count = 0;
    nz_status status = nz_table_plan(&columns, &count, view);
    if (status == NZ_OK) status = nz_alloc(&best, count, sizeof *best);
    if (status != NZ_OK) {
        out->status = status;
        return;
    }
    for (size_t c = 0; c < count; c++) best[c] = best_of(view, columns[c]);
    nz_text_append(
        out,
        "<div class=\"box scroll\" tabindex=0 role=region aria-label=\"Comparison table\"><table id=main><thead><tr>");
    for (size_t c = 0; c < count; c++) put_heading(out, view, columns[c]);
    nz_text_append(out, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < view->row_count; r++) {
        const nz_view_row *row = &view->rows[r];
        nz_text_appendf(out, "<tr class=\"%s\">", row->failed ? "failed" : row->is_baseline ? "base" : "");
        for (size_t c = 0; c < count; c++) put_cell(out, view, r, columns[c], best[c]);
        nz_text_append(out, "</tr>\n");
    }
    nz_text_append(out, "</tbody></table></div>\n<p class=small>Shaded: the baseline. Green and bold: the best value "
                        "of a column. In brackets: 95% intervals. Point at a "
                        "figure, or touch it, for its number of samples and source.</p>\n");
    put_notes(out, view);
}

/* ---- every metric of every model ---- */

typedef struct footnotes {
    size_t count, capacity;
    const char **reasons; /* borrowed from the view */
    nz_status status;
} footnotes;

static size_t footnote(footnotes *notes, const char *reason) {
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->reasons[i], reason) == 0) return i + 1;
    if (notes->status == NZ_OK)
        notes->status = nz_grow(&notes->reasons, &notes->capacity, notes->count + 1, sizeof *notes->reasons);
    if (notes->status != NZ_OK) return 0;
    notes->reasons[notes->count++] = reason;
    return notes->count;
}

static void put_full_cell(nz_text *out, const nz_view *view, size_t row, size_t c, footnotes *notes) {
    const nz_view_column *column = &view->columns[c];
    const nz_view_cell *cell = nz_view_at(view, row, c);
    nz_text plain = {0};
    nz_text_appendf(out, "<td class=%s title=\"", isnan(cell->value) ? "none" : "n");
    put_detail(out, view, row, (nz_table_column){NZ_COLUMN_METRIC, c});
    nz_text_append(out, "\">");
    nz_put_value(&plain, column, cell->value);
    put_escaped(out, &plain);
    if (isnan(cell->value)) nz_text_appendf(out, "<sup>%zu</sup>", footnote(notes, cell->reason));
    if (!isnan(cell->value) && strcmp(cell->source, "estimated") == 0) nz_text_append(out, "<sup>e</sup>");
    if (cell->has_ci) {
        nz_text_append(&plain, "[");
        nz_put_value(&plain, column, cell->ci95[0]);
        nz_text_append(&plain, ", ");
        nz_put_value(&plain, column, cell->ci95[1]);
        nz_text_append(&plain, "]");
        nz_text_append(out, "<span class=ci>");
        put_escaped(out, &plain);
        nz_text_append(out, "</span>");
    }
    nz_text_append(out, "</td>");
}

static void put_capitalised(nz_text *out, const char *word) {
    char first[2] = {word[0] >= 'a' && word[0] <= 'z' ? (char)(word[0] - 'a' + 'A') : word[0], '\0'};
    if (!*word) return;
    nz_put_html(out, first);
    nz_put_html(out, word + 1);
}

static void put_metric_row(nz_text *out, const nz_view *view, size_t c, footnotes *notes) {
    nz_text plain = {0};
    nz_text_append(out, "<tr><th scope=row class=stick>");
    nz_text_append(&plain, view->columns[c].title);
    put_escaped(out, &plain);
    if (*view->columns[c].shown_unit) {
        nz_text_append(out, " <span class=unit>");
        nz_put_html(out, view->columns[c].shown_unit);
        nz_text_append(out, "</span>");
    }
    nz_text_append(out, "</th>");
    for (size_t r = 0; r < view->row_count; r++) put_full_cell(out, view, r, c, notes);
    nz_text_append(out, "</tr>\n");
}

void nz_page_put_all_metrics(nz_text *out, const nz_view *view) {
    footnotes notes = {0};
    NZ_AUTO_FREE bool *done = NULL;
    nz_status status = nz_alloc(&done, view->column_count + 1, sizeof *done);
    if (status != NZ_OK) {
        out->status = status;
        return;
    }
    nz_text_append(
        out,
        "<div class=\"box scroll fit\" tabindex=0 role=region aria-label=\"All metrics\"><table class=full><thead><tr>"
        "<th scope=col class=\"text stick\">Metric</th>");
    for (size_t r = 0; r < view->row_count; r++) {
        nz_text_append(out, "<th scope=col>");
        put_label(out, &view->rows[r]);
        nz_text_append(out, "</th>");
    }
    nz_text_append(out, "</tr></thead>\n");
    for (size_t c = 0; c < view->column_count; c++) { /* one body per category, in the order of their first metrics */
        if (done[c]) continue;
        nz_text_append(out, "<tbody><tr class=cat><th class=stick scope=rowgroup>");
        put_capitalised(out, view->columns[c].category);
        nz_text_appendf(out, "</th><td colspan=%zu></td></tr>\n", view->row_count);
        for (size_t k = c; k < view->column_count; k++) {
            if (done[k] || strcmp(view->columns[k].category, view->columns[c].category) != 0) continue;
            put_metric_row(out, view, k, &notes);
            done[k] = true;
        }
        nz_text_append(out, "</tbody>\n");
    }
    nz_text_append(out, "</table></div>\n<p class=small>In brackets: the 95% interval. <sup>e</sup> estimated by a "
                        "model, not measured.</p>");
    if (notes.count) nz_text_append(out, "<p class=small>Not available because:</p><ol class=notes>");
    for (size_t i = 0; i < notes.count; i++) {
        nz_text_append(out, "<li><bdi>");
        nz_put_html(out, notes.reasons[i]);
        nz_text_append(out, "</bdi></li>");
    }
    if (notes.count) nz_text_append(out, "</ol>\n");
    if (notes.status != NZ_OK) out->status = notes.status;
    free(notes.reasons);
}

/* ---- definitions ---- */

static void put_definition(nz_text *out, const char *title, const char *id, const char *text) {
    nz_text_append(out, "<dt>");
    nz_put_html(out, title);
    if (*id) {
        nz_text_append(out, " <code>");
        nz_put_html(out, id);
        nz_text_append(out, "</code>");
    }
    nz_text_append(out, "</dt><dd>");
    nz_put_html(out, text);
    nz_text_append(out, "</dd>\n");
}

void nz_page_put_definitions(nz_text *out, const nz_view *view) {
    nz_text_append(out, "<dl class=\"facts box\">\n");
    for (size_t c = 0; c < view->column_count; c++)
        put_definition(out, view->columns[c].title, view->columns[c].id,
                       *view->columns[c].help ? view->columns[c].help : "not a metric of netzip; taken as given");
    if (view->has_ratios) {
        put_definition(out, "Performance", "P", "accuracy of the compressed model / accuracy of the baseline");
        put_definition(out, "Speedup", "S",
                       "zeta \xc3\x97 speed metric of the baseline / that of the compressed model; zeta applies to "
                       "counted metrics alone");
        put_definition(out, "Compression", "C", "size metric of the baseline / that of the compressed model");
        put_definition(out, "Efficiency", "E", "energy of the baseline / energy of the compressed model");
        nz_text text = {0};
        nz_text_append(&text, "overall compression score: P \xc3\x97 (\xce\xbb"
                              "1 (P \xe2\x88\x92 1) + \xce\xbb"
                              "2 (S \xe2\x88\x92 1) + \xce\xbb"
                              "3 (C \xe2\x88\x92 1) + "
                              "\xce\xbb"
                              "4 (E \xe2\x88\x92 1)); the baseline has 0, more is better");
        for (int i = 0; i < NZ_VIEW_RATIOS && !isnan(view->lambda[i]); i++) {
            nz_text_append(&text, i ? ", " : "; \xce\xbb = ");
            nz_put_number(&text, view->lambda[i]);
        }
        if (!isnan(view->zeta)) {
            nz_text_append(&text, "; zeta = ");
            nz_put_number(&text, view->zeta);
        }
        put_definition(out, "OCS", "", text.data ? text.data : "");
        nz_text_done(&text);
    }
    nz_text_append(out, "</dl>\n<p class=small>Definitions follow arXiv 2305.10616. Intervals: Wilson for shares of "
                        "samples, order statistics "
                        "for medians and percentiles, bootstrap elsewhere.</p>\n");
}
