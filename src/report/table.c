/* SPDX-License-Identifier: Apache-2.0 */
#include "report/table.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/grid.h"
#include "report/number.h"

nz_status nz_table_plan(nz_table_column **ret_columns, size_t *ret_count, const nz_view *view) {
    NZ_AUTO_FREE nz_table_column *columns = NULL;
    size_t count = 0;
    NZ_TRY(nz_alloc(&columns, view->column_count + 8, sizeof *columns));
    columns[count++] = (nz_table_column){NZ_COLUMN_LABEL, 0};
    if (view->has_technique) columns[count++] = (nz_table_column){NZ_COLUMN_TECHNIQUE, 0};
    for (size_t c = 0; c < view->column_count; c++)
        if (nz_view_is_main(view, c)) columns[count++] = (nz_table_column){NZ_COLUMN_METRIC, c};
    bool any = false;
    for (size_t i = 0; i < NZ_VIEW_RATIOS; i++) {
        bool known = false; /* why a ratio is missing everywhere is told beside the table */
        for (size_t r = 0; r < view->row_count; r++)
            known = known || (!view->rows[r].is_baseline && !isnan(view->rows[r].ratios[i].value));
        if (known) columns[count++] = (nz_table_column){NZ_COLUMN_RATIO, i};
        any = any || known;
    }
    if (any) columns[count++] = (nz_table_column){NZ_COLUMN_OCS, 0};
    *ret_columns = NZ_STEAL(columns);
    *ret_count = count;
    return NZ_OK;
}

const char *nz_table_metric_title(const nz_view *view, const char *id) {
    size_t c = nz_view_column_find(view, id);
    const nz_metric *known = c < view->column_count ? NULL : nz_metric_find(id);
    return c < view->column_count ? view->columns[c].title : known ? known->title : id;
}

void nz_table_title(nz_text *out, const nz_view *view, nz_table_column column) {
    char name[32] = "";
    switch (column.kind) {
    case NZ_COLUMN_LABEL: nz_text_append(out, "Model"); break;
    case NZ_COLUMN_TECHNIQUE: nz_text_append(out, "Technique"); break;
    case NZ_COLUMN_METRIC: nz_text_append(out, view->columns[column.index].title); break;
    case NZ_COLUMN_OCS: nz_text_append(out, "OCS"); break;
    case NZ_COLUMN_RATIO:
        for (size_t i = 0; nz_ratio_names[column.index][i] && i + 1 < sizeof name; i++)
            name[i] = nz_ratio_names[column.index][i];
        name[0] = (char)toupper((unsigned char)name[0]);
        nz_text_append(out, name);
        break;
    }
}

void nz_table_unit(nz_text *out, const nz_view *view, nz_table_column column) {
    if (column.kind == NZ_COLUMN_METRIC) nz_text_append(out, view->columns[column.index].shown_unit);
    if (column.kind == NZ_COLUMN_RATIO) {
        const char *of = nz_view_ratio_of(view, column.index);
        if (*of) nz_text_append(out, nz_table_metric_title(view, of));
    }
}

void nz_table_cell(nz_text *out, const nz_view *view, size_t row, nz_table_column column) {
    const nz_view_row *r = &view->rows[row];
    bool partial;
    switch (column.kind) {
    case NZ_COLUMN_LABEL: nz_text_append(out, r->label); break;
    case NZ_COLUMN_TECHNIQUE: nz_text_append(out, *r->technique ? r->technique : "\xe2\x80\x93"); break;
    case NZ_COLUMN_METRIC:
        nz_put_value(out, &view->columns[column.index], nz_view_at(view, row, column.index)->value);
        break;
    case NZ_COLUMN_RATIO: nz_put_ratio(out, r->ratios[column.index].value); break;
    case NZ_COLUMN_OCS:
        nz_put_ratio(out, nz_view_ocs(r, &partial));
        if (partial) nz_text_append(out, "*");
        break;
    }
}

double nz_table_number(const nz_view *view, size_t row, nz_table_column column) {
    bool partial;
    if (column.kind == NZ_COLUMN_METRIC) return nz_view_at(view, row, column.index)->value;
    if (column.kind == NZ_COLUMN_RATIO) return view->rows[row].ratios[column.index].value;
    if (column.kind == NZ_COLUMN_OCS) return nz_view_ocs(&view->rows[row], &partial);
    return NAN;
}

/* ---- notes ---- */

enum { NOTE_NAME_MOST = 60 };

static void add_note(nz_table_notes *notes, nz_text *line) {
    if (notes->status == NZ_OK)
        notes->status = nz_grow(&notes->lines, &notes->capacity, notes->count + 1, sizeof *notes->lines);
    if (notes->status == NZ_OK) notes->status = nz_text_take(line, &notes->lines[notes->count]);
    if (notes->status == NZ_OK) notes->count++;
    nz_text_done(line);
}

/* Whether all rows that did not fail give the same reason for having no value. */
static bool one_reason(const nz_view *view, size_t c, const char **ret_reason) {
    *ret_reason = NULL;
    for (size_t r = 0; r < view->row_count; r++) {
        const char *reason = nz_view_at(view, r, c)->reason;
        if (view->rows[r].failed) continue;
        if (*ret_reason && strcmp(*ret_reason, reason) != 0) return false;
        *ret_reason = reason;
    }
    return *ret_reason != NULL;
}

/* "A, B and C: reason", metrics that are missing everywhere for the same reason taken together. */
static void note_missing_everywhere(nz_table_notes *notes, const nz_view *view) {
    for (size_t c = 0; c < view->column_count; c++) {
        const char *reason, *other;
        if (view->columns[c].available > 0 || !one_reason(view, c, &reason)) continue;
        bool told = false;
        nz_text line = {0};
        nz_text_append(&line, "Not available: ");
        for (size_t k = 0, listed = 0; k < view->column_count; k++) {
            if (view->columns[k].available > 0 || !one_reason(view, k, &other) || strcmp(reason, other) != 0) continue;
            told = told || k < c;
            nz_text_append(&line, listed++ ? ", " : "");
            nz_text_append(&line, view->columns[k].title);
        }
        nz_text_append(&line, ": ");
        nz_text_append(&line, reason);
        nz_text_append(&line, ".");
        if (told)
            nz_text_done(&line);
        else
            add_note(notes, &line);
    }
}

/* Whether the cell has no value and its reason is to be told. */
static bool is_missing(const nz_view *view, size_t r, size_t c) {
    return isnan(nz_view_at(view, r, c)->value) && !view->rows[r].failed;
}

/* "A, B: no Latency (p99): reason", rows of one reason taken together. */
static void note_missing_column(nz_table_notes *notes, const nz_view *view, size_t c) {
    for (size_t r = 0; r < view->row_count; r++) {
        const char *reason = nz_view_at(view, r, c)->reason;
        bool told = !is_missing(view, r, c);
        for (size_t k = 0; k < r && !told; k++)
            told = is_missing(view, k, c) && strcmp(nz_view_at(view, k, c)->reason, reason) == 0;
        if (told) continue;
        nz_text line = {0};
        for (size_t k = r, listed = 0; k < view->row_count; k++) {
            if (!is_missing(view, k, c) || strcmp(nz_view_at(view, k, c)->reason, reason) != 0) continue;
            nz_text_append(&line, listed++ ? ", " : "");
            nz_put_short(&line, view->rows[k].label, NOTE_NAME_MOST);
        }
        nz_text_appendf(&line, ": no %s: %s", view->columns[c].title, reason);
        add_note(notes, &line);
    }
}

static void note_missing_cells(nz_table_notes *notes, const nz_view *view) {
    for (size_t c = 0; c < view->column_count; c++) {
        const char *reason;
        bool everywhere = view->columns[c].available == 0;
        if ((everywhere && one_reason(view, c, &reason)) || (!everywhere && !nz_view_is_main(view, c))) continue;
        note_missing_column(notes, view, c);
    }
}

/* "The same for all: MACs 40.6 M MAC, parameters 269 k." of what the main table leaves out for that. */
static void note_constant(nz_table_notes *notes, const nz_view *view) {
    nz_text line = {0};
    size_t listed = 0;
    for (size_t c = 0; c < view->column_count; c++) {
        if (!nz_view_is_constant(view, c) || nz_view_is_main(view, c) || view->columns[c].noisy) continue;
        double value = NAN;
        for (size_t r = 0; r < view->row_count && isnan(value); r++) value = nz_view_at(view, r, c)->value;
        nz_text_append(&line, listed++ ? ", " : "The same for all: ");
        nz_text_append(&line, view->columns[c].title);
        nz_text_append(&line, " ");
        nz_put_value_unit(&line, &view->columns[c], value);
    }
    nz_text_append(&line, ".");
    if (listed)
        add_note(notes, &line);
    else
        nz_text_done(&line);
}

static void note_ratios(nz_table_notes *notes, const nz_view *view) {
    bool partial[NZ_VIEW_RATIOS] = {false}, any = false;
    for (size_t i = 0; i < NZ_VIEW_RATIOS; i++) {
        const char *told = "";
        for (size_t r = 0; r < view->row_count; r++) {
            const nz_view_row *row = &view->rows[r];
            bool of_part;
            if (isnan(nz_view_ocs(row, &of_part)) || !of_part) of_part = false;
            any = any || of_part;
            partial[i] = partial[i] || (of_part && row->without[i]);
            size_t of = nz_view_column_find(view, row->ratios[i].of);
            bool known = row->failed; /* then its cause is told already: the model failed, or a metric is missing */
            if (of < view->column_count)
                known = known || isnan(nz_view_at(view, r, of)->value) || isnan(nz_view_base_value(view, r, of));
            if (!isnan(row->ratios[i].value) || !*row->ratios[i].reason || known ||
                strcmp(told, row->ratios[i].reason) == 0)
                continue;
            told = row->ratios[i].reason;
            nz_text line = {0};
            nz_text_appendf(&line, "No %s ratio: ", nz_ratio_names[i]);
            nz_text_append(&line, told);
            add_note(notes, &line);
        }
    }
    if (!any) return;
    nz_text line = {0};
    nz_text_append(&line, "* OCS over the terms that could be had; left out: ");
    for (size_t i = 0, listed = 0; i < NZ_VIEW_RATIOS; i++)
        if (partial[i]) nz_text_appendf(&line, "%s%s", listed++ ? ", " : "", nz_ratio_names[i]);
    nz_text_append(&line, ".");
    add_note(notes, &line);
}

/* What speaks against the figures of models, for as many as can be listed. */
static void note_marks(nz_table_notes *notes, const nz_view *view) {
    enum { MOST = 12 };
    size_t told = 0;
    for (size_t r = 0; r < view->row_count && told <= MOST; r++) {
        nz_text line = {0};
        nz_view_put_marks(&line, view, r);
        if (!line.length) continue;
        if (told++ == MOST) {
            nz_text_done(&line);
            nz_text_append(&line, view->mark_note);
        }
        add_note(notes, &line);
    }
}

/* One note per line of a text. */
static void note_lines(nz_table_notes *notes, nz_text *lines) {
    for (const char *p = lines->data ? lines->data : ""; *p;) {
        size_t length = strcspn(p, "\n");
        nz_text line = {0};
        nz_text_append_bytes(&line, p, length);
        add_note(notes, &line);
        p += length + (p[length] == '\n');
    }
    if (lines->status != NZ_OK) notes->status = lines->status;
    nz_text_done(lines);
}

/* Who wins by OCS, and how far each weight may move before another does. */
static void note_rank(nz_table_notes *notes, const nz_view *view) {
    for (size_t i = 0; i < json_array_size(view->rank); i++) {
        nz_text line = {0};
        nz_view_put_rank(&line, view, i);
        if (line.length)
            add_note(notes, &line);
        else
            nz_text_done(&line);
    }
}

void nz_table_notes_get(nz_table_notes *ret_notes, const nz_view *view) {
    *ret_notes = (nz_table_notes){0};
    for (size_t r = 0; r < view->row_count; r++) {
        if (!view->rows[r].failed) continue;
        nz_text line = {0};
        nz_put_short(&line, view->rows[r].label, NOTE_NAME_MOST);
        nz_text_append(&line, " failed: ");
        nz_text_append(&line, *view->rows[r].error ? view->rows[r].error : "no reason is given");
        add_note(ret_notes, &line);
    }
    note_rank(ret_notes, view);
    note_marks(ret_notes, view);
    nz_text noise = {0};
    nz_measured_noise(&noise, view);
    note_lines(ret_notes, &noise);
    note_constant(ret_notes, view);
    note_missing_everywhere(ret_notes, view);
    note_missing_cells(ret_notes, view);
    note_ratios(ret_notes, view);
}

void nz_table_notes_done(nz_table_notes *notes) {
    for (size_t i = 0; i < notes->count; i++) free(notes->lines[i]);
    free(notes->lines);
    *notes = (nz_table_notes){0};
}
