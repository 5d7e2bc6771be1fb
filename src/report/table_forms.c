/* SPDX-License-Identifier: Apache-2.0 */
/* The main table for a terminal, as Markdown and as LaTeX; everything as CSV. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/grid.h"
#include "report/groups.h"
#include "report/number.h"
#include "report/table.h"

enum { LABEL_MOST = 48 }; /* characters of a name in a table that people read */

/* One piece of plain text, shortened where it is a name and given to `escape`. */
static void put_piece(nz_text *out, nz_text *piece, void (*escape)(nz_text *, const char *)) {
    nz_text kept = {0};
    if (piece->data) nz_put_short(&kept, piece->data, LABEL_MOST);
    if (kept.data) escape(out, kept.data);
    if (piece->status != NZ_OK) out->status = piece->status;
    if (kept.status != NZ_OK) out->status = kept.status;
    nz_text_done(&kept);
    nz_text_done(piece);
}

static void put_cell(nz_text *out, const nz_view *view, size_t row, nz_table_column column,
                     void (*escape)(nz_text *, const char *)) {
    nz_text piece = {0};
    nz_table_cell(&piece, view, row, column);
    put_piece(out, &piece, escape);
}

static bool is_text(nz_table_column column) {
    return column.kind == NZ_COLUMN_LABEL || column.kind == NZ_COLUMN_TECHNIQUE;
}

/* ---- terminal ---- */

static void put_padded(nz_text *out, const char *text, size_t width, bool left) {
    size_t own = nz_utf8_count(text);
    if (left) nz_text_append(out, text);
    for (size_t i = own; i < width; i++) nz_text_append(out, " ");
    if (!left) nz_text_append(out, text);
}

/* Row 0: titles, 1: units, then the variants. */
static void put_grid_cell(nz_text *out, const nz_view *view, size_t line, nz_table_column column) {
    nz_text piece = {0};
    if (line == 0)
        nz_table_title(&piece, view, column);
    else if (line == 1)
        nz_table_unit(&piece, view, column);
    else
        nz_table_cell(&piece, view, line - 2, column);
    put_piece(out, &piece, nz_text_append);
}

void nz_table_put_text(nz_text *out, const nz_view *view) {
    NZ_AUTO_FREE nz_table_column *columns = NULL;
    NZ_AUTO_NOTES nz_table_notes notes;
    size_t count = 0;
    nz_status status = nz_table_plan(&columns, &count, view);
    nz_table_notes_get(&notes, view);
    if (status != NZ_OK || notes.status != NZ_OK) {
        out->status = status != NZ_OK ? status : notes.status;
        return;
    }
    NZ_AUTO_FREE size_t *widths = NULL;
    out->status = nz_alloc(&widths, count, sizeof *widths);
    for (size_t pass = 0; pass < 2 && out->status == NZ_OK; pass++) /* the first one measures */
        for (size_t i = 0; i < count * (view->row_count + 2); i++) {
            size_t line = i / count, c = i % count;
            nz_text cell = {0};
            put_grid_cell(&cell, view, line, columns[c]);
            const char *text = cell.data ? cell.data : "";
            if (pass == 0 && nz_utf8_count(text) > widths[c]) widths[c] = nz_utf8_count(text);
            if (pass == 1) {
                nz_text_append(out, c ? "  " : "");
                put_padded(out, text, widths[c], is_text(columns[c]));
                nz_text_append(out, c + 1 == count ? "\n" : "");
            }
            nz_text_done(&cell);
        }
    for (size_t i = 0; i < notes.count; i++) nz_text_appendf(out, "%s%s\n", i ? "" : "\n", notes.lines[i]);
    nz_beside_put(out, view, NZ_GRID_TEXT);
    nz_groups_put_text(out, view);
}

/* ---- Markdown ---- */

static void put_heading(nz_text *out, const nz_view *view, nz_table_column column,
                        void (*escape)(nz_text *, const char *)) {
    nz_text title = {0}, unit = {0};
    nz_table_title(&title, view, column);
    nz_table_unit(&unit, view, column);
    put_piece(out, &title, escape);
    if (unit.data && *unit.data) {
        nz_text_append(out, " (");
        put_piece(out, &unit, escape);
        nz_text_append(out, ")");
    }
    nz_text_done(&unit);
}

void nz_table_put_markdown(nz_text *out, const nz_view *view) {
    NZ_AUTO_FREE nz_table_column *columns = NULL;
    NZ_AUTO_NOTES nz_table_notes notes;
    size_t count = 0;
    nz_status status = nz_table_plan(&columns, &count, view);
    nz_table_notes_get(&notes, view);
    if (status != NZ_OK || notes.status != NZ_OK) {
        out->status = status != NZ_OK ? status : notes.status;
        return;
    }
    for (size_t c = 0; c < count; c++) {
        nz_text_append(out, "| ");
        put_heading(out, view, columns[c], nz_put_markdown);
        nz_text_append(out, " ");
    }
    nz_text_append(out, "|\n");
    for (size_t c = 0; c < count; c++) nz_text_append(out, is_text(columns[c]) ? "|---" : "|---:");
    nz_text_append(out, "|\n");
    for (size_t r = 0; r < view->row_count; r++) {
        for (size_t c = 0; c < count; c++) {
            nz_text_append(out, "| ");
            put_cell(out, view, r, columns[c], nz_put_markdown);
            nz_text_append(out, " ");
        }
        nz_text_append(out, "|\n");
    }
    for (size_t i = 0; i < notes.count; i++) {
        nz_text_append(out, i ? "- " : "\n- ");
        nz_put_markdown(out, notes.lines[i]);
        nz_text_append(out, "\n");
    }
    nz_beside_put(out, view, NZ_GRID_MARKDOWN);
    nz_groups_put_markdown(out, view);
}

/* ---- LaTeX ---- */

static void put_tex_lines(nz_text *out, const nz_view *view, const nz_table_column *columns, size_t count) {
    for (int line = 0; line < 2; line++) {
        for (size_t c = 0; c < count; c++) {
            nz_text piece = {0};
            (line ? nz_table_unit : nz_table_title)(&piece, view, columns[c]);
            bool any = piece.data && *piece.data;
            nz_text_append(out, c ? " & " : "");
            if (line && any) nz_text_append(out, "(");
            put_piece(out, &piece, nz_put_tex);
            if (line && any) nz_text_append(out, ")");
        }
        nz_text_append(out, " \\\\\n");
    }
    nz_text_append(out, "\\hline\n");
    for (size_t r = 0; r < view->row_count; r++) {
        for (size_t c = 0; c < count; c++) {
            nz_text_append(out, c ? " & " : "");
            put_cell(out, view, r, columns[c], nz_put_tex);
        }
        nz_text_append(out, " \\\\\n");
    }
}

void nz_table_put_tex(nz_text *out, const nz_view *view) {
    NZ_AUTO_FREE nz_table_column *columns = NULL;
    NZ_AUTO_NOTES nz_table_notes notes;
    size_t count = 0;
    nz_status status = nz_table_plan(&columns, &count, view);
    nz_table_notes_get(&notes, view);
    if (status != NZ_OK || notes.status != NZ_OK) {
        out->status = status != NZ_OK ? status : notes.status;
        return;
    }
    nz_text_append(
        out, "% Needs no package; \\input it. Where it is too wide: \\resizebox{\\linewidth}{!}{...} of graphicx.\n"
             "\\begin{tabular}{");
    for (size_t c = 0; c < count; c++) nz_text_append(out, is_text(columns[c]) ? "l" : "r");
    nz_text_append(out, "}\n\\hline\n");
    put_tex_lines(out, view, columns, count);
    nz_text_append(out, "\\hline\n\\end{tabular}\n");
    for (size_t i = 0; i < notes.count; i++) {
        nz_text_append(out, i ? "" : "\n");
        nz_put_tex(out, notes.lines[i]);
        nz_text_append(out, "\\\\\n");
    }
    nz_beside_put(out, view, NZ_GRID_TEX);
    nz_groups_put_tex(out, view);
}

/* ---- CSV ---- */

static void put_csv_number(nz_text *out, double value) {
    nz_text_append(out, ",");
    nz_put_number(out, value);
}

/* Of what was measured in rounds: how many times better than the baseline, and what the interval says. */
static const char *const gain_parts[] = {"_ratio", "_ratio_ci95_low", "_ratio_ci95_high", "_difference"};

static bool has_gain(const nz_view *view, size_t c) {
    for (size_t r = 0; r < view->row_count; r++)
        if (!isnan(nz_view_at(view, r, c)->gain.value)) return true;
    return false;
}

static void put_csv_interval(nz_text *out, const nz_view_gain *gain) {
    put_csv_number(out, gain->has_ci ? gain->ci95[0] : (double)NAN);
    put_csv_number(out, gain->has_ci ? gain->ci95[1] : (double)NAN);
    nz_text_appendf(out, ",%s", gain->has_ci ? nz_difference_name(gain->difference) : "");
}

static void put_csv_heading(nz_text *out, const nz_view *view) {
    nz_text_append(out, "id,name,technique,status,baseline,runtime,runtime_version,threads,batch,host,seed,compute");
    static const char *const parts[] = {"", "_ci95_low", "_ci95_high", "_n", "_source", "_reason"};
    for (size_t c = 0; c < view->column_count; c++)
        for (size_t p = 0; p < NZ_COUNT(parts); p++) {
            nz_text key = {0};
            nz_text_append(&key, view->columns[c].id);
            nz_text_append(&key, parts[p]);
            nz_text_append(out, ",");
            if (key.data) nz_put_csv(out, key.data);
            if (key.status != NZ_OK) out->status = key.status;
            nz_text_done(&key);
        }
    for (int i = 0; i < NZ_VIEW_RATIOS; i++)
        nz_text_appendf(out, ",%s,%s_of,%s_reason", nz_ratio_names[i], nz_ratio_names[i], nz_ratio_names[i]);
    for (size_t c = 0; c < view->column_count; c++)
        if (has_gain(view, c))
            for (size_t p = 0; p < NZ_COUNT(gain_parts); p++) {
                nz_text key = {0};
                nz_text_appendf(&key, "%s%s", view->columns[c].id, gain_parts[p]);
                nz_text_append(out, ",");
                if (key.data) nz_put_csv(out, key.data);
                nz_text_done(&key);
            }
    for (int i = 0; i < NZ_VIEW_RATIOS; i++)
        nz_text_appendf(out, ",%s_ci95_low,%s_ci95_high,%s_difference", nz_ratio_names[i], nz_ratio_names[i],
                        nz_ratio_names[i]);
    nz_text_append(out, ",ocs,ocs_reason,ocs_partial,ocs_without,ocs_ci95_low,ocs_ci95_high,marks,error\n");
}

static void put_csv_row(nz_text *out, const nz_view *view, size_t r) {
    const nz_view_row *row = &view->rows[r];
    const char *const baseline = row->baseline == SIZE_MAX ? "" : view->rows[row->baseline].id;
    const char *const texts[] = {row->id,  row->name,    row->technique,      row->failed ? "failed" : "ok",
                                 baseline, row->runtime, row->runtime_version};
    for (size_t i = 0; i < NZ_COUNT(texts); i++) {
        nz_text_append(out, i ? "," : "");
        nz_put_csv(out, texts[i]);
    }
    put_csv_number(out, row->threads);
    put_csv_number(out, row->batch);
    nz_text_append(out, ",");
    nz_put_csv(out, row->host);
    put_csv_number(out, row->seed);
    nz_text_append(out, ",");
    nz_put_csv(out, row->compute);
    for (size_t c = 0; c < view->column_count; c++) {
        const nz_view_cell *cell = nz_view_at(view, r, c);
        put_csv_number(out, cell->value);
        put_csv_number(out, cell->has_ci ? cell->ci95[0] : (double)NAN);
        put_csv_number(out, cell->has_ci ? cell->ci95[1] : (double)NAN);
        nz_text_append(out, ",");
        if (cell->has_n) nz_text_appendf(out, "%llu", (unsigned long long)cell->n);
        nz_text_append(out, ",");
        nz_put_csv(out, cell->source);
        nz_text_append(out, ",");
        nz_put_csv(out, cell->reason);
    }
    for (int i = 0; i < NZ_VIEW_RATIOS; i++) {
        put_csv_number(out, row->ratios[i].value);
        nz_text_append(out, ",");
        nz_put_csv(out, row->ratios[i].of);
        nz_text_append(out, ",");
        nz_put_csv(out, row->ratios[i].reason);
    }
    for (size_t c = 0; c < view->column_count; c++) {
        if (!has_gain(view, c)) continue;
        put_csv_number(out, nz_view_at(view, r, c)->gain.value);
        put_csv_interval(out, &nz_view_at(view, r, c)->gain);
    }
    for (int i = 0; i < NZ_VIEW_RATIOS; i++) put_csv_interval(out, &row->ratios[i].gain);
    put_csv_number(out, row->ocs);
    nz_text_append(out, ",");
    nz_put_csv(out, row->ocs_reason);
    put_csv_number(out, row->partial);
    nz_text_append(out, ",");
    for (int i = 0, listed = 0; i < NZ_VIEW_RATIOS; i++)
        if (row->without[i]) nz_text_appendf(out, "%s%s", listed++ ? " " : "", nz_ratio_names[i]);
    put_csv_number(out, row->has_ocs_ci ? row->ocs_ci95[0] : (double)NAN);
    put_csv_number(out, row->has_ocs_ci ? row->ocs_ci95[1] : (double)NAN);
    nz_text_append(out, ",");
    nz_put_csv(out, row->mark_ids);
    nz_text_append(out, ",");
    nz_put_csv(out, row->error);
    nz_text_append(out, "\n");
}

void nz_table_put_csv(nz_text *out, const nz_view *view) {
    put_csv_heading(out, view);
    for (size_t r = 0; r < view->row_count; r++) put_csv_row(out, view, r);
}
