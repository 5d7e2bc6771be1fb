/* SPDX-License-Identifier: Apache-2.0 */
/** The combined measures of a table of numbers that were measured elsewhere. */
#ifndef NZ_METRIC_COMBINE_TABLE_H
#define NZ_METRIC_COMBINE_TABLE_H

#include "core/csv.h"
#include "core/json.h"
#include "netzip/metric.h"

/** Which way is better for a column that is no metric of the table of metrics. */
typedef struct nz_stated_better {
    const char *id;
    nz_better better;
} nz_stated_better;

typedef struct nz_table_column {
    const char *id;          /**< of the metric, without a scaling suffix; the header's text for another column */
    const nz_metric *metric; /**< NULL: no metric of the table */
    nz_better better;
    double scale; /**< what a cell is multiplied with: 1e6 for "_m" */
} nz_table_column;

typedef struct nz_table {
    nz_csv csv;
    size_t count;             /**< columns after the first */
    nz_table_column *columns; /**< [count] */
    char **owned_ids;         /**< [count] NULL, or the id that a column points to */
    nz_value_report *values;  /**< [rows * count] */
    char **names;             /**< [rows] of the models: the first column, "-2" and so on where one repeats */
} nz_table;

/**
 * Reads a table: the first column names the models, the first row is the baseline, the suffixes _k _m _g _mb _gb scale an id
 * ("disk_mb" is disk_bytes). An empty cell, "-" or "n/a" is a value that is not there.
 *
 * @return NZ_E_FORMAT names file, line and column; NZ_E_ARG for a column that needs a direction, or a direction for a column
 *         that is not there or has another one.
 */
NZ_CHECKED nz_status nz_table_read(nz_table *ret_table, const char *path, const nz_stated_better *stated,
                                   size_t stated_count);
void nz_table_done(nz_table *table);
#define NZ_AUTO_TABLE NZ_AUTO(nz_table_done)

/** What was asked for: ids as they were typed, NULL for the default; the numbers always. */
typedef struct nz_table_request {
    const char *ids[4];
    double zeta, lambda[4];
} nz_table_request;

/** Resolves the ids by the columns (strings are borrowed from the table). Without a stated id: the first of top1, map50_95,
 * map50; chats, chats_macs; disk_bytes; energy_j that is a column. NZ_E_ARG for an id that is neither column nor metric. */
NZ_CHECKED nz_status nz_table_options(nz_combine_options *ret_options, const nz_table *table,
                                      const nz_table_request *request);
/** Ratios and OCS of one row. */
void nz_table_combine(nz_combined *ret_combined, const nz_table *table, const nz_combine_options *options, size_t row);
/** Says where a row's joules are not its watts x latency within the rounding of its printed digits; NULL where they are or
 * one is missing. Owned: free(). */
NZ_CHECKED nz_status nz_table_note(char **ret_note, const nz_table *table, size_t row);
/** The results document (schema netzip.results/1). `command`: the command line, for the record. */
NZ_CHECKED nz_status nz_table_json(json_t **ret_json, const nz_table *table, const nz_combine_options *options,
                                   const char *path, int argc, char **argv);

/** "a,b,c,d": four weights, finite and not negative. NZ_E_ARG. */
NZ_CHECKED nz_status nz_lambda_parse(double ret_lambda[4], const char *text, const char *what);

#endif
