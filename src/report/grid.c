/* SPDX-License-Identifier: Apache-2.0 */
#include "report/grid.h"

#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "report/escape.h"

void nz_grid_take(nz_grid *grid, nz_text *cell) {
    if (!cell->length) nz_text_append(cell, "\xe2\x80\x93");
    if (grid->status == NZ_OK)
        grid->status = nz_grow(&grid->cells, &grid->capacity, grid->count + 1, sizeof *grid->cells);
    if (grid->status == NZ_OK) grid->status = nz_text_take(cell, &grid->cells[grid->count]);
    if (grid->status == NZ_OK) grid->count++;
    nz_text_done(cell);
}

void nz_grid_add(nz_grid *grid, const char *cell) {
    nz_text text = {0};
    nz_text_append(&text, cell);
    nz_grid_take(grid, &text);
}

void nz_grid_addf(nz_grid *grid, const char *format, ...) {
    char cell[512];
    va_list args;
    va_start(args, format);
    nz_vsnprintf(cell, sizeof cell, format, args);
    va_end(args);
    nz_grid_add(grid, cell);
}

void nz_grid_number(nz_grid *grid, double value, int digits) {
    if (isnan(value))
        nz_grid_add(grid, "");
    else
        nz_grid_addf(grid, "%.*g", digits, value);
}

void nz_grid_done(nz_grid *grid) {
    for (size_t i = 0; i < grid->count; i++) free(grid->cells[i]);
    free(grid->cells);
    free(grid->own_note);
    *grid = (nz_grid){0};
}

bool nz_grid_any(const nz_grid *grid) { return grid->columns && grid->count > grid->columns; }

static bool is_text(const nz_grid *grid, size_t c) { return c < 32 && grid->texts >> c & 1u; }

/* ---- terminal ---- */

static void put_text(nz_text *out, const nz_grid *grid) {
    NZ_AUTO_FREE size_t *widths = NULL;
    nz_status status = nz_alloc(&widths, grid->columns, sizeof *widths);
    if (status != NZ_OK) {
        out->status = status;
        return;
    }
    for (size_t i = 0; i < grid->count; i++) {
        size_t own = nz_utf8_count(grid->cells[i]);
        if (own > widths[i % grid->columns]) widths[i % grid->columns] = own;
    }
    nz_text_appendf(out, "\n%s\n", grid->title);
    for (size_t i = 0; i < grid->count; i++) {
        size_t c = i % grid->columns, own = nz_utf8_count(grid->cells[i]);
        bool left = is_text(grid, c), last = c + 1 == grid->columns;
        nz_text_append(out, c ? "  " : "");
        for (size_t k = own; !left && k < widths[c]; k++) nz_text_append(out, " ");
        nz_text_append(out, grid->cells[i]);
        for (size_t k = own; left && !last && k < widths[c]; k++) nz_text_append(out, " ");
        nz_text_append(out, last ? "\n" : "");
    }
    if (*grid->note) nz_text_appendf(out, "%s\n", grid->note);
}

/* ---- Markdown ---- */

static void put_markdown(nz_text *out, const nz_grid *grid) {
    nz_text_append(out, "\n**");
    nz_put_markdown(out, grid->title);
    nz_text_append(out, "**\n\n");
    for (size_t i = 0; i < grid->count; i++) {
        size_t c = i % grid->columns;
        nz_text_append(out, "| ");
        nz_put_markdown(out, grid->cells[i]);
        nz_text_append(out, c + 1 == grid->columns ? " |\n" : " ");
        if (i + 1 == grid->columns) {
            for (size_t k = 0; k < grid->columns; k++) nz_text_append(out, is_text(grid, k) ? "|---" : "|---:");
            nz_text_append(out, "|\n");
        }
    }
    if (*grid->note) {
        nz_text_append(out, "\n");
        nz_put_markdown(out, grid->note);
        nz_text_append(out, "\n");
    }
}

/* ---- LaTeX ---- */

static void put_tex(nz_text *out, const nz_grid *grid) {
    nz_text_append(out, "\n\\medskip\\noindent ");
    nz_put_tex(out, grid->title);
    nz_text_append(out, "\\\\\n\\begin{tabular}{");
    for (size_t c = 0; c < grid->columns; c++) nz_text_append(out, is_text(grid, c) ? "l" : "r");
    nz_text_append(out, "}\n\\hline\n");
    for (size_t i = 0; i < grid->count; i++) {
        size_t c = i % grid->columns;
        nz_text_append(out, c ? " & " : "");
        nz_put_tex(out, grid->cells[i]);
        if (c + 1 == grid->columns) nz_text_append(out, i + 1 == grid->columns ? " \\\\\n\\hline\n" : " \\\\\n");
    }
    nz_text_append(out, "\\hline\n\\end{tabular}\n");
    if (*grid->note) {
        nz_text_append(out, "\n");
        nz_put_tex(out, grid->note);
        nz_text_append(out, "\n");
    }
}

/* ---- the page ---- */

static void put_html(nz_text *out, const nz_grid *grid) {
    nz_text_append(out, "<h3 class=gap>");
    nz_put_html(out, grid->title);
    nz_text_append(out, "</h3>\n<div class=\"box scroll fit\" tabindex=0 role=region aria-label=\"");
    nz_put_html(out, grid->title);
    nz_text_append(out, "\"><table class=full><thead><tr>");
    for (size_t i = 0; i < grid->count; i++) {
        size_t c = i % grid->columns;
        bool head = i < grid->columns;
        const char *class = c == 0 ? "text stick long" : is_text(grid, c) ? "text" : "n";
        if (i && c == 0) nz_text_append(out, "<tr>");
        nz_text_appendf(out,
                        head ? "<th scope=col class=\"%s\"><bdi>"
                        : c  ? "<td class=\"%s\"><bdi>"
                             : "<th scope=row class=\"%s\"><bdi>",
                        class);
        nz_put_html(out, grid->cells[i]);
        nz_text_append(out, head || !c ? "</bdi></th>" : "</bdi></td>");
        if (c + 1 < grid->columns) continue;
        nz_text_append(out, i + 1 == grid->columns ? "</tr></thead>\n<tbody>\n" : "</tr>\n");
    }
    nz_text_append(out, "</tbody></table></div>\n");
    if (*grid->note) {
        nz_text_append(out, "<p class=small>");
        nz_put_html(out, grid->note);
        nz_text_append(out, "</p>\n");
    }
}

void nz_grid_put(nz_text *out, const nz_grid *grid, nz_grid_form form) {
    static void (*const put[])(nz_text *, const nz_grid *) = {put_text, put_markdown, put_tex, put_html};
    if (grid->status != NZ_OK) out->status = grid->status;
    if (grid->status == NZ_OK && nz_grid_any(grid)) put[form](out, grid);
}

void nz_grid_put_csv(nz_text *out, const nz_grid *grid) {
    if (grid->status != NZ_OK) out->status = grid->status;
    for (size_t i = 0; i < grid->count; i++) {
        nz_text_append(out, i % grid->columns ? "," : "");
        nz_put_csv(out, grid->cells[i]);
        if (i % grid->columns + 1 == grid->columns) nz_text_append(out, "\n");
    }
}
