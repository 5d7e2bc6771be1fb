/* SPDX-License-Identifier: Apache-2.0 */
/** The main table in the paper's arrangement, a row per variant, and the CSV that holds everything. */
#ifndef NZ_REPORT_TABLE_H
#define NZ_REPORT_TABLE_H

#include "core/text.h"
#include "report/view.h"

typedef enum nz_table_kind {
    NZ_COLUMN_LABEL,
    NZ_COLUMN_TECHNIQUE,
    NZ_COLUMN_METRIC,
    NZ_COLUMN_RATIO,
    NZ_COLUMN_OCS
} nz_table_kind;

/** One column of the main table. */
typedef struct nz_table_column {
    nz_table_kind kind;
    size_t index; /**< of the metric in the view, or of the ratio */
} nz_table_column;

/** The columns of the main table. Owned: free(). */
NZ_CHECKED nz_status nz_table_plan(nz_table_column **ret_columns, size_t *ret_count, const nz_view *view);
/** Heading without unit, and the unit or what the ratio is of ("" where there is neither). Plain text. */
void nz_table_title(nz_text *out, const nz_view *view, nz_table_column column);
void nz_table_unit(nz_text *out, const nz_view *view, nz_table_column column);
/** One cell as plain text: an en dash where there is no value, an asterisk behind a partial OCS. */
void nz_table_cell(nz_text *out, const nz_view *view, size_t row, nz_table_column column);
/** What the cell is sorted by; NaN for text and for what is unavailable. */
double nz_table_number(const nz_view *view, size_t row, nz_table_column column);
/** The title of a metric by id, the id itself where the view lacks it. */
const char *nz_table_metric_title(const nz_view *view, const char *id);

void nz_table_put_text(nz_text *out, const nz_view *view);
void nz_table_put_markdown(nz_text *out, const nz_view *view);
void nz_table_put_tex(nz_text *out, const nz_view *view);
void nz_table_put_csv(nz_text *out, const nz_view *view);

/** What a reader of the table must know beside it, one line each: failures, what is unavailable, what an asterisk means. */
typedef struct nz_table_notes {
    size_t count, capacity;
    char **lines; /**< plain text */
    nz_status status;
} nz_table_notes;
void nz_table_notes_get(nz_table_notes *ret_notes, const nz_view *view);
void nz_table_notes_done(nz_table_notes *notes);
#define NZ_AUTO_NOTES NZ_AUTO(nz_table_notes_done)

#endif
