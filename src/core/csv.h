/* SPDX-License-Identifier: Apache-2.0 */
/** Tables of text: CSV and TSV with a header, in memory, bounded. */
#ifndef NZ_CORE_CSV_H
#define NZ_CORE_CSV_H

#include <stddef.h>

#include "core/memory.h"
#include "netzip/status.h"

typedef struct nz_csv {
    size_t columns, rows; /**< rows after the header */
    char **header;        /**< [columns] */
    char **cells;         /**< [rows * columns], row by row */
    size_t *lines;        /**< [rows] the line of the file that a row begins on, from 1 */
    char *text;           /**< what the strings above point into */
} nz_csv;

/**
 * Parses a table: the first line names the columns, every other line has as many fields. A field may stand in double
 * quotes, inside which a quote is written twice and separators and line breaks are text; blanks around an unquoted field
 * are dropped. Empty lines, a byte order mark and carriage returns before line breaks are skipped.
 *
 * @param separator  ',' or '\t'; 0: a tab where the first line holds one, else a comma.
 * @param what       names the file in messages.
 * @return NZ_E_FORMAT names line and field: no header, a column named twice or not at all, a row of another length, a
 *         quote that is not closed, a 0 byte; NZ_E_MEMORY. Release with nz_csv_done.
 */
NZ_CHECKED nz_status nz_csv_parse(nz_csv *ret_table, const char *bytes, size_t count, char separator, const char *what);
/** The same from a file of at most 256 MiB. */
NZ_CHECKED nz_status nz_csv_read(nz_csv *ret_table, const char *path, char separator);
void nz_csv_done(nz_csv *table);
#define NZ_AUTO_CSV NZ_AUTO(nz_csv_done)

/** The index of a column by name, table->columns where there is none. */
size_t nz_csv_column(const nz_csv *table, const char *name);
static inline const char *nz_csv_cell(const nz_csv *table, size_t row, size_t column) {
    return table->cells[row * table->columns + column];
}

#endif
