/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "core/text.h"

nz_status nz_cli_table_add(nz_cli_table *table, const char *text) {
    if (table->count == table->capacity) {
        nz_status status = nz_grow(&table->cells, &table->capacity, table->count + 1, sizeof *table->cells);
        if (status != NZ_OK) return status;
    }
    nz_text clean = {0};
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f)
            nz_text_appendf(&clean, "\\x%02x", c);
        else
            nz_text_append_bytes(&clean, p, 1);
    }
    nz_status status = nz_text_take(&clean, &table->cells[table->count]);
    if (status == NZ_OK) table->count++;
    return status;
}

nz_status nz_cli_table_addf(nz_cli_table *table, const char *format, ...) {
    char piece[512];
    va_list args;
    va_start(args, format);
    vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    return nz_cli_table_add(table, piece);
}

/* Columns on a terminal: characters, not bytes. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t widest(const nz_cli_table *table, size_t column) {
    size_t width = 0;
    for (size_t i = column; i < table->count; i += table->columns) {
        size_t own = width_of(table->cells[i]);
        if (own > width) width = own;
    }
    return width;
}

void nz_cli_table_print(const nz_cli_table *table, FILE *stream, unsigned left) {
    enum { COLUMNS_MOST = 64 };
    size_t widths[COLUMNS_MOST] = {0};
    for (size_t c = 0; c < table->columns && c < COLUMNS_MOST; c++) widths[c] = widest(table, c);
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns, own = width_of(table->cells[i]);
        bool last = column + 1 == table->columns || i + 1 == table->count,
             to_left = column < 32 && (left >> column & 1u);
        size_t gap = column < COLUMNS_MOST && widths[column] > own ? widths[column] - own : 0;
        if (column) fputs("  ", stream);
        if (!to_left) fprintf(stream, "%*s", (int)gap, "");
        fputs(table->cells[i], stream);
        if (to_left && !last) fprintf(stream, "%*s", (int)gap, "");
        if (last) fputc('\n', stream);
    }
}

void nz_cli_table_done(nz_cli_table *table) {
    for (size_t i = 0; i < table->count; i++) free(table->cells[i]);
    free(table->cells);
    *table = (nz_cli_table){0};
}
