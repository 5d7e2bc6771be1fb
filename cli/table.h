/* SPDX-License-Identifier: Apache-2.0 */
/** Aligned tables on the terminal. */
#ifndef NZ_CLI_TABLE_H
#define NZ_CLI_TABLE_H

#include <stdio.h>

#include "core/memory.h"

/** Cells are added row by row; the first row is the heading. */
typedef struct nz_cli_table {
    size_t columns, count, capacity; /**< count: of cells */
    char **cells;
} nz_cli_table;

/** Appends a copy of `text` with control characters made visible. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_cli_table_add(nz_cli_table *table, const char *text);
NZ_CHECKED nz_status nz_cli_table_addf(nz_cli_table *table, const char *format, ...) NZ_PRINTF(2, 3);
/** Prints it; bit c of `left`: column c is aligned to the left, else to the right. */
void nz_cli_table_print(const nz_cli_table *table, FILE *stream, unsigned left);
void nz_cli_table_done(nz_cli_table *table);
#define NZ_AUTO_CLI_TABLE NZ_AUTO(nz_cli_table_done)

#endif
