/* SPDX-License-Identifier: Apache-2.0 */
#include "core/csv.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"

enum { COLUMNS_MOST = 4096 };

/* A reader that unquotes in place: a field never grows, so that it is written over what was read. */
typedef struct reader {
    char *at, *end;
    char separator;
    size_t line;
    const char *what;
} reader;

static bool blank(char c, char separator) { return (c == ' ' || c == '\t') && c != separator; }

static bool at_break(const reader *r) {
    return r->at == r->end || *r->at == '\n' || (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
}

static nz_status quoted(reader *r, char **ret_end) {
    size_t began = r->line;
    char *out = r->at++;
    for (; r->at < r->end; r->at++) {
        if (*r->at == '"') {
            if (r->at + 1 == r->end || r->at[1] != '"') break;
            r->at++;
        }
        r->line += *r->at == '\n';
        *out++ = *r->at;
    }
    if (r->at == r->end) return nz_fail(NZ_E_FORMAT, "%s:%zu: a quote is not closed", r->what, began);
    r->at++;
    while (r->at < r->end && blank(*r->at, r->separator)) r->at++;
    if (!at_break(r) && *r->at != r->separator)
        return nz_fail(NZ_E_FORMAT, "%s:%zu: text after a closing quote (a quote inside a field is written twice)",
                       r->what, r->line);
    *ret_end = out;
    return NZ_OK;
}

/* Takes one field. *ret_last: the line ends behind it. The terminating 0 is written where the separator stood, after the
 * place has been left. */
static nz_status field(reader *r, char **ret_field, bool *ret_last) {
    while (r->at < r->end && blank(*r->at, r->separator)) r->at++;
    char *start = r->at, *stop = start;
    if (r->at < r->end && *r->at == '"') {
        NZ_TRY(quoted(r, &stop));
    } else {
        while (!at_break(r) && *r->at != r->separator) r->at++;
        for (stop = r->at; stop > start && blank(stop[-1], r->separator);) stop--;
    }
    bool last = at_break(r);
    if (last) {
        if (r->at < r->end && *r->at == '\r') r->at++;
        r->line += r->at < r->end;
    }
    if (r->at < r->end) r->at++;
    *stop = '\0';
    *ret_field = start;
    *ret_last = last;
    return NZ_OK;
}

static void skip_empty_lines(reader *r) {
    while (r->at < r->end) {
        char *p = r->at;
        while (p < r->end && (blank(*p, r->separator) || *p == '\r')) p++;
        if (p < r->end && *p != '\n') return;
        r->at = p < r->end ? p + 1 : p;
        r->line += p < r->end;
    }
}

static nz_status read_header(nz_csv *table, reader *r) {
    size_t capacity = 0;
    skip_empty_lines(r);
    if (r->at == r->end) return nz_fail(NZ_E_FORMAT, "%s: empty; the first line must name the columns", r->what);
    size_t line = r->line;
    for (bool last = false; !last;) {
        if (table->columns == COLUMNS_MOST)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: more than %d columns", r->what, line, COLUMNS_MOST);
        NZ_TRY(nz_grow(&table->header, &capacity, table->columns + 1, sizeof *table->header));
        char *name;
        NZ_TRY(field(r, &name, &last));
        if (!*name) return nz_fail(NZ_E_FORMAT, "%s:%zu: column %zu has no name", r->what, line, table->columns + 1);
        if (nz_csv_column(table, name) != table->columns)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: column '%.80s' stands there twice", r->what, line, name);
        table->header[table->columns++] = name;
    }
    return NZ_OK;
}

static nz_status read_rows(nz_csv *table, reader *r) {
    size_t cell_capacity = 0, line_capacity = 0, cells;
    for (skip_empty_lines(r); r->at < r->end; skip_empty_lines(r)) {
        size_t line = r->line, fields = 0;
        if (!nz_mul_size(&cells, table->rows + 1, table->columns))
            return nz_fail(NZ_E_MEMORY, "%s: out of memory", r->what);
        NZ_TRY(nz_grow(&table->cells, &cell_capacity, cells, sizeof *table->cells));
        NZ_TRY(nz_grow(&table->lines, &line_capacity, table->rows + 1, sizeof *table->lines));
        for (bool last = false; !last; fields++) {
            char *text;
            NZ_TRY(field(r, &text, &last));
            if (fields < table->columns) table->cells[table->rows * table->columns + fields] = text;
        }
        if (fields != table->columns)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: %zu fields, the header has %zu", r->what, line, fields,
                           table->columns);
        table->lines[table->rows++] = line;
    }
    return NZ_OK;
}

nz_status nz_csv_parse(nz_csv *ret_table, const char *bytes, size_t count, char separator, const char *what) {
    NZ_AUTO_CSV nz_csv table = {0};
    if (count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    if (count && memchr(bytes, 0, count))
        return nz_fail(NZ_E_FORMAT, "%s: holds a 0 byte; this is not a text file", what);
    if (count == SIZE_MAX) return nz_fail(NZ_E_MEMORY, "%s: out of memory", what);
    NZ_TRY(nz_alloc(&table.text, count + 1, 1));
    if (count) memcpy(table.text, bytes, count);
    reader r = {.at = table.text, .end = table.text + count, .separator = separator, .line = 1, .what = what};
    if (!separator) {
        const char *line_end = memchr(table.text, '\n', count);
        r.separator = memchr(table.text, '\t', line_end ? (size_t)(line_end - table.text) : count) ? '\t' : ',';
    }
    NZ_TRY(read_header(&table, &r));
    NZ_TRY(read_rows(&table, &r));
    *ret_table = table;
    table = (nz_csv){0};
    return NZ_OK;
}

nz_status nz_csv_read(nz_csv *ret_table, const char *path, char separator) {
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    NZ_TRY(nz_file_read(&bytes, &count, path, (size_t)256 << 20));
    return nz_csv_parse(ret_table, bytes, count, separator, path);
}

void nz_csv_done(nz_csv *table) {
    free(table->header);
    free(table->cells);
    free(table->lines);
    free(table->text);
    *table = (nz_csv){0};
}

size_t nz_csv_column(const nz_csv *table, const char *name) {
    size_t c = 0;
    while (c < table->columns && strcmp(table->header[c], name) != 0) c++;
    return c;
}
