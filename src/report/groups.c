/* SPDX-License-Identifier: Apache-2.0 */
#include "report/groups.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/number.h"
#include "report/table.h"

enum { NAME_MOST = 48 };
#define TITLE "Mean and standard deviation over seeds"
#define PLUS_MINUS " \xc2\xb1 "

static const json_t *groups_of(const nz_view *view) {
    const json_t *groups = json_object_get(view->document, "groups");
    return json_is_array(groups) && json_array_size(groups) <= NZ_VIEW_ROWS_MOST ? groups : NULL;
}

bool nz_groups_any(const nz_view *view) { return json_array_size(groups_of(view)) > 0; }

/* ---- one cell as plain text ---- */

/* The name, with what tells groups of one name apart. */
static void put_name(nz_text *out, const nz_view *view, const json_t *group) {
    size_t i, same = 0;
    const json_t *other, *variant = json_object_get(group, "variant");
    nz_put_clean(out, *nz_json_text_at(group, "name") ? nz_json_text_at(group, "name") : "(no name)");
    json_array_foreach(groups_of(view), i, other) same +=
        strcmp(nz_json_text_at(other, "name"), nz_json_text_at(group, "name")) == 0;
    if (same < 2) return;
    nz_text_append(out, " \xc2\xb7 ");
    nz_put_clean(out, nz_json_text_at(variant, "runtime"));
    nz_text_append(out, " \xc2\xb7 t");
    nz_put_number(out, nz_json_number_at(variant, "threads"));
    nz_text_append(out, " \xc2\xb7 b");
    nz_put_number(out, nz_json_number_at(variant, "batch"));
}

static void put_metric(nz_text *out, const nz_view_column *column, const json_t *moments) {
    double mean = nz_json_number_at(moments, "mean"), sd = nz_json_number_at(moments, "sd");
    nz_put_value(out, column, mean);
    if (isnan(mean) || isnan(sd) || sd == 0) return; /* the same for all */
    nz_text_append(out, PLUS_MINUS);
    nz_put_value(out, column, sd);
}

static void put_ratio(nz_text *out, const json_t *moments) {
    double mean = nz_json_number_at(moments, "mean"), sd = nz_json_number_at(moments, "sd");
    nz_put_ratio(out, mean);
    if (isnan(mean) || isnan(sd) || sd == 0) return;
    nz_text_append(out, PLUS_MINUS);
    nz_put_ratio(out, sd);
}

static const json_t *ocs_of(const json_t *group, bool *ret_partial) {
    const json_t *whole = json_object_get(group, "ocs"), *partial = json_object_get(group, "ocs_partial");
    *ret_partial = isnan(nz_json_number_at(whole, "mean")) && !isnan(nz_json_number_at(partial, "mean"));
    return *ret_partial ? partial : whole;
}

static void put_cell(nz_text *out, const nz_view *view, const json_t *group, nz_table_column column) {
    bool partial;
    switch (column.kind) {
    case NZ_COLUMN_LABEL: put_name(out, view, group); break;
    case NZ_COLUMN_TECHNIQUE: nz_put_clean(out, nz_json_text_at(group, "technique")); break;
    case NZ_COLUMN_METRIC:
        put_metric(out, &view->columns[column.index],
                   json_object_get(json_object_get(group, "metrics"), view->columns[column.index].id));
        break;
    case NZ_COLUMN_RATIO:
        put_ratio(out, json_object_get(json_object_get(group, "ratios"), nz_ratio_names[column.index]));
        break;
    case NZ_COLUMN_OCS:
        put_ratio(out, ocs_of(group, &partial));
        if (partial) nz_text_append(out, "*");
        break;
    }
}

/* "3", or "2 of 3" where one failed. */
static void put_seeds(nz_text *out, const json_t *group) {
    double n = nz_json_number_at(group, "n"), failed = nz_json_number_at(group, "failed");
    if (isnan(n)) return;
    if (failed > 0) {
        nz_put_number(out, n - failed);
        nz_text_append(out, " of ");
    }
    nz_put_number(out, n);
}

/* ---- the grid: the main table's columns, and the number of seeds behind the first ---- */

typedef struct grid {
    const nz_view *view;
    nz_table_column *columns;
    size_t count; /* with the seeds */
} grid;

static void grid_done(grid *g) { free(g->columns); }

static nz_status plan(grid *g, const nz_view *view) {
    g->view = view;
    NZ_TRY(nz_table_plan(&g->columns, &g->count, view));
    g->count++;
    return NZ_OK;
}

static bool is_seeds(size_t c) { return c == 1; }
static nz_table_column column_of(const grid *g, size_t c) { return g->columns[c > 1 ? c - 1 : c]; }
static bool is_text(const grid *g, size_t c) {
    nz_table_kind kind = column_of(g, c).kind;
    return !is_seeds(c) && (kind == NZ_COLUMN_LABEL || kind == NZ_COLUMN_TECHNIQUE);
}

/* Line 0: titles, 1: units, then the groups. */
static void put_plain(nz_text *out, const grid *g, size_t line, size_t c) {
    const json_t *group = line > 1 ? json_array_get(groups_of(g->view), line - 2) : NULL;
    if (is_seeds(c)) {
        if (line == 0) nz_text_append(out, "Seeds");
        if (line > 1) put_seeds(out, group);
    } else if (line == 0)
        nz_table_title(out, g->view, column_of(g, c));
    else if (line == 1)
        nz_table_unit(out, g->view, column_of(g, c));
    else
        put_cell(out, g->view, group, column_of(g, c));
}

/* A cell through `escape`, names shortened. */
static void put_escaped(nz_text *out, const grid *g, size_t line, size_t c, void (*escape)(nz_text *, const char *)) {
    nz_text plain = {0}, shown = {0};
    put_plain(&plain, g, line, c);
    if (plain.data && c == 0)
        nz_put_short(&shown, plain.data, NAME_MOST);
    else if (plain.data)
        nz_text_append(&shown, plain.data);
    if (shown.data) escape(out, shown.data);
    if (plain.status != NZ_OK) out->status = plain.status;
    if (shown.status != NZ_OK) out->status = shown.status;
    nz_text_done(&plain);
    nz_text_done(&shown);
}

static size_t lines_of(const nz_view *view) { return json_array_size(groups_of(view)) + 2; }

/* ---- forms ---- */

void nz_groups_put_text(nz_text *out, const nz_view *view) {
    NZ_AUTO(grid_done) grid g = {0};
    NZ_AUTO_FREE size_t *widths = NULL;
    if (!nz_groups_any(view)) return;
    nz_status status = plan(&g, view);
    if (status == NZ_OK) status = nz_alloc(&widths, g.count, sizeof *widths);
    if (status != NZ_OK) {
        out->status = status;
        return;
    }
    nz_text_append(out, "\n" TITLE "\n");
    for (size_t pass = 0; pass < 2; pass++) /* the first one measures */
        for (size_t line = 0; line < lines_of(view); line++)
            for (size_t c = 0; c < g.count; c++) {
                nz_text cell = {0};
                put_escaped(&cell, &g, line, c, nz_text_append);
                const char *text = cell.data ? cell.data : "";
                size_t own = nz_utf8_count(text);
                if (pass == 0 && own > widths[c]) widths[c] = own;
                if (pass == 1) {
                    if (c) nz_text_append(out, "  ");
                    if (is_text(&g, c)) nz_text_append(out, text);
                    for (size_t i = own; i < widths[c]; i++) nz_text_append(out, " ");
                    if (!is_text(&g, c)) nz_text_append(out, text);
                    if (c + 1 == g.count) nz_text_append(out, "\n");
                }
                nz_text_done(&cell);
            }
}

static void put_heading(nz_text *out, const grid *g, size_t c, void (*escape)(nz_text *, const char *)) {
    nz_text unit = {0};
    put_escaped(out, g, 0, c, escape);
    put_escaped(&unit, g, 1, c, escape);
    if (unit.data && *unit.data) {
        nz_text_append(out, " (");
        nz_text_append(out, unit.data);
        nz_text_append(out, ")");
    }
    nz_text_done(&unit);
}

void nz_groups_put_markdown(nz_text *out, const nz_view *view) {
    NZ_AUTO(grid_done) grid g = {0};
    if (!nz_groups_any(view)) return;
    nz_status status = plan(&g, view);
    if (status != NZ_OK) {
        out->status = status;
        return;
    }
    nz_text_append(out, "\n" TITLE ":\n\n");
    for (size_t c = 0; c < g.count; c++) {
        nz_text_append(out, "| ");
        put_heading(out, &g, c, nz_put_markdown);
        nz_text_append(out, " ");
    }
    nz_text_append(out, "|\n");
    for (size_t c = 0; c < g.count; c++) nz_text_append(out, is_text(&g, c) ? "|---" : "|---:");
    nz_text_append(out, "|\n");
    for (size_t line = 2; line < lines_of(view); line++)
        for (size_t c = 0; c < g.count; c++) {
            nz_text_append(out, "| ");
            put_escaped(out, &g, line, c, nz_put_markdown);
            nz_text_append(out, c + 1 == g.count ? " |\n" : " ");
        }
}

void nz_groups_put_tex(nz_text *out, const nz_view *view) {
    NZ_AUTO(grid_done) grid g = {0};
    if (!nz_groups_any(view)) return;
    nz_status status = plan(&g, view);
    if (status != NZ_OK) {
        out->status = status;
        return;
    }
    nz_text_append(out, "\n% " TITLE "\n\\begin{tabular}{");
    for (size_t c = 0; c < g.count; c++) nz_text_append(out, is_text(&g, c) ? "l" : "r");
    nz_text_append(out, "}\n\\hline\n");
    for (size_t line = 0; line < lines_of(view); line++) {
        for (size_t c = 0; c < g.count; c++) {
            nz_text cell = {0};
            put_escaped(&cell, &g, line, c, nz_put_tex);
            bool unit = line == 1 && cell.data && *cell.data;
            nz_text_appendf(out, "%s%s%s%s", c ? " & " : "", unit ? "(" : "", cell.data ? cell.data : "",
                            unit ? ")" : "");
            nz_text_done(&cell);
        }
        nz_text_append(out, line == 1 ? " \\\\\n\\hline\n" : " \\\\\n");
    }
    nz_text_append(out, "\\hline\n\\end{tabular}\n");
}

static void put_csv_moments(nz_text *out, const json_t *moments) {
    static const char *const keys[] = {"mean", "sd", "n"};
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        nz_text_append(out, ",");
        nz_put_number(out, nz_json_number_at(moments, keys[i]));
    }
}

static void put_csv_key(nz_text *out, const char *id) {
    static const char *const parts[] = {"_mean", "_sd", "_n"};
    for (size_t i = 0; i < NZ_COUNT(parts); i++) {
        nz_text key = {0};
        nz_text_append(&key, id);
        nz_text_append(&key, parts[i]);
        nz_text_append(out, ",");
        if (key.data) nz_put_csv(out, key.data);
        if (key.status != NZ_OK) out->status = key.status;
        nz_text_done(&key);
    }
}

void nz_groups_put_csv(nz_text *out, const nz_view *view) {
    size_t i;
    const json_t *group;
    nz_text_append(out, "name,technique,runtime,threads,batch,host,seeds,failed");
    for (size_t c = 0; c < view->column_count; c++) put_csv_key(out, view->columns[c].id);
    for (size_t r = 0; r < NZ_VIEW_RATIOS; r++) put_csv_key(out, nz_ratio_names[r]);
    put_csv_key(out, "ocs");
    put_csv_key(out, "ocs_partial");
    nz_text_append(out, "\n");
    json_array_foreach(groups_of(view), i, group) {
        const json_t *variant = json_object_get(group, "variant");
        const struct {
            const json_t *from;
            const char *key;
            bool number;
        } fields[] = {{group, "name", false},     {group, "technique", false}, {variant, "runtime", false},
                      {variant, "threads", true}, {variant, "batch", true},    {variant, "host", false},
                      {group, "n", true},         {group, "failed", true}};
        for (size_t k = 0; k < NZ_COUNT(fields); k++) {
            nz_text_append(out, k ? "," : "");
            if (fields[k].number)
                nz_put_number(out, nz_json_number_at(fields[k].from, fields[k].key));
            else
                nz_put_csv(out, nz_json_text_at(fields[k].from, fields[k].key));
        }
        for (size_t c = 0; c < view->column_count; c++)
            put_csv_moments(out, json_object_get(json_object_get(group, "metrics"), view->columns[c].id));
        for (size_t r = 0; r < NZ_VIEW_RATIOS; r++)
            put_csv_moments(out, json_object_get(json_object_get(group, "ratios"), nz_ratio_names[r]));
        put_csv_moments(out, json_object_get(group, "ocs"));
        put_csv_moments(out, json_object_get(group, "ocs_partial"));
        nz_text_append(out, "\n");
    }
}

void nz_groups_put_html(nz_text *out, const nz_view *view) {
    NZ_AUTO(grid_done) grid g = {0};
    if (!nz_groups_any(view)) return;
    nz_status status = plan(&g, view);
    if (status != NZ_OK) {
        out->status = status;
        return;
    }
    nz_text_append(out,
                   "<h2 id=seeds>" TITLE "</h2>\n<div class=\"box scroll\" tabindex=0 role=region aria-label=\"" TITLE
                   "\"><table><thead><tr>");
    for (size_t c = 0; c < g.count; c++) {
        nz_text_appendf(out, "<th scope=col class=\"%s\">", c == 0 ? "text stick" : is_text(&g, c) ? "text" : "n");
        put_escaped(out, &g, 0, c, nz_put_html);
        nz_text_append(out, " <span class=unit>");
        put_escaped(out, &g, 1, c, nz_put_html);
        nz_text_append(out, "</span></th>");
    }
    nz_text_append(out, "</tr></thead>\n<tbody>\n");
    for (size_t line = 2; line < lines_of(view); line++) {
        const json_t *group = json_array_get(groups_of(view), line - 2);
        nz_text_append(out, json_is_true(json_object_get(group, "is_baseline")) ? "<tr class=base>" : "<tr>");
        for (size_t c = 0; c < g.count; c++) {
            nz_text_append(out, c == 0           ? "<th scope=row class=stick><bdi>"
                                : is_text(&g, c) ? "<td class=text>"
                                                 : "<td class=n>");
            put_escaped(out, &g, line, c, nz_put_html);
            nz_text_append(out, c == 0 ? "</bdi></th>" : "</td>");
        }
        nz_text_append(out, "</tr>\n");
    }
    nz_text_append(out,
                   "</tbody></table></div>\n<p class=small>Sample standard deviation. A figure alone: the same for all "
                   "seeds, or of one seed. Every run stands below.</p>\n<h2 id=runs>Every run</h2>\n");
}
