/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of samples from a table `sample,label`. */
#include <string.h>

#include "core/csv.h"
#include "core/error.h"
#include "core/text.h"
#include "metric/evaluate.h"

/* How the first column names samples. */
typedef enum naming { BY_ROW, IN_ORDER } naming;

static nz_status find_columns(const nz_csv *table, const char *path, size_t *ret_sample, size_t *ret_label) {
    size_t sample = nz_csv_column(table, "sample"), label = nz_csv_column(table, "label");
    if (sample == table->columns || label == table->columns)
        return nz_fail(NZ_E_FORMAT, "%s:1: the header must name the columns sample and label", path);
    *ret_sample = sample;
    *ret_label = label;
    return NZ_OK;
}

/* Row numbers from 0, each once, in any order; or whatever stands there in the order of the scores, unless it is numbers
 * that are out of order, which would be somebody's row numbers gone wrong. */
static nz_status find_naming(const nz_csv *table, size_t column, const char *path, naming *ret_naming, bool *seen) {
    bool rows = true, consecutive = true, numbers = true;
    long long first = 0, number;
    size_t wrong = 0;
    for (size_t r = 0; r < table->rows && numbers; r++) {
        numbers = nz_parse_int(&number, nz_csv_cell(table, r, column), "sample") == NZ_OK;
        if (!numbers) break;
        if (r == 0) first = number;
        consecutive = consecutive && (unsigned long long)number - (unsigned long long)first == r;
        bool fits = number >= 0 && (unsigned long long)number < table->rows && !seen[number];
        if (rows && !fits) wrong = r;
        rows = rows && fits;
        if (fits) seen[number] = true;
    }
    if (numbers && !rows && !consecutive)
        return nz_fail(NZ_E_FORMAT,
                       "%s:%zu: sample '%.40s' is not a row of the scores, 0 to %zu, or stands there twice", path,
                       table->lines[wrong], nz_csv_cell(table, wrong, column), table->rows - 1);
    *ret_naming = numbers && rows ? BY_ROW : IN_ORDER;
    return NZ_OK;
}

nz_status nz_label_table_read(int32_t *ret_labels, size_t n, size_t classes, const char *path) {
    NZ_AUTO_CSV nz_csv table = {0};
    NZ_AUTO_FREE bool *seen = NULL;
    NZ_AUTO_FREE int32_t *labels = NULL;
    size_t sample = 0, label = 0;
    naming by = IN_ORDER;
    NZ_TRY(nz_csv_read(&table, path, 0));
    NZ_TRY(find_columns(&table, path, &sample, &label));
    if (table.rows != n)
        return nz_fail(NZ_E_FORMAT, "%s: %zu labels, but the scores have %zu samples", path, table.rows, n);
    NZ_TRY(nz_alloc(&seen, n, sizeof *seen));
    NZ_TRY(nz_alloc(&labels, n, sizeof *labels));
    NZ_TRY(find_naming(&table, sample, path, &by, seen));
    for (size_t r = 0; r < n; r++) {
        const char *text = nz_csv_cell(&table, r, label);
        long long value, row = (long long)r;
        if (nz_parse_int(&value, text, "label") != NZ_OK || value < 0 || (unsigned long long)value >= classes)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: label '%.40s' is not a class of the scores, 0 to %zu", path,
                           table.lines[r], text, classes - 1);
        if (by == BY_ROW) NZ_TRY(nz_parse_int(&row, nz_csv_cell(&table, r, sample), "sample"));
        labels[row] = (int32_t)value;
    }
    if (n) memcpy(ret_labels, labels, n * sizeof *labels);
    return NZ_OK;
}
