/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/combine_table.h"

#include <math.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/error.h"
#include "core/file.h"
#include "core/locale.h"
#include "core/text.h"
#include "metric/combined_json.h"
#include "metric/value_json.h"

/* ---- Columns ---- */

static const struct suffix {
    const char *text, *instead;
    double scale;
} suffixes[] = {
    {"_mb", "_bytes", 1e6}, {"_gb", "_bytes", 1e9}, {"_k", "", 1e3}, {"_m", "", 1e6}, {"_g", "", 1e9},
};

static const char *stated_id(const char *id, const nz_stated_better *stated, size_t count, nz_better *ret_better) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(stated[i].id, id) == 0) {
            *ret_better = stated[i].better;
            return stated[i].id;
        }
    return NULL;
}

/* Recognises `name` as it stands or behind a suffix, as a metric or as an id whose direction was stated. */
static nz_status recognise(nz_table_column *ret_column, char **ret_owned, const char *name,
                           const nz_stated_better *stated, size_t count) {
    nz_table_column column = {.scale = 1, .metric = nz_metric_find(name)};
    NZ_AUTO_FREE char *base = NULL;
    if (!column.metric) column.id = stated_id(name, stated, count, &column.better);
    for (size_t s = 0; !column.metric && !column.id && s < NZ_COUNT(suffixes); s++) {
        size_t length = strlen(name), tail = strlen(suffixes[s].text);
        if (length <= tail || strcasecmp(name + length - tail, suffixes[s].text) != 0) continue;
        free(base);
        base = NULL;
        NZ_TRY(nz_format(&base, "%.*s%s", (int)(length - tail), name, suffixes[s].instead));
        column.metric = nz_metric_find(base);
        if (!column.metric && stated_id(base, stated, count, &column.better)) column.id = base;
        if (column.metric || column.id) column.scale = suffixes[s].scale;
    }
    if (column.metric) {
        column.id = column.metric->id;
        column.better = column.metric->better;
    }
    *ret_column = column;
    *ret_owned = column.id && column.id == base ? NZ_STEAL(base) : NULL;
    return NZ_OK;
}

static nz_status read_column(nz_table *table, size_t c, const char *path, const nz_stated_better *stated,
                             size_t count) {
    const char *name = table->csv.header[c + 1];
    nz_table_column *column = &table->columns[c];
    NZ_TRY(recognise(column, &table->owned_ids[c], name, stated, count));
    nz_better better;
    if (!column->id) {
        const char *near = nz_metric_closest(name);
        return nz_fail(
            NZ_E_ARG,
            "%s: column '%.80s' is no metric%s%s%s; state which way is better: --better %.80s=higher or =lower", path,
            name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "", name);
    }
    if (column->metric && stated_id(column->id, stated, count, &better) && better != column->better)
        return nz_fail(NZ_E_ARG, "--better: of %s, %s is better", column->id, nz_better_name(column->better));
    for (size_t i = 0; i < c; i++)
        if (strcmp(table->columns[i].id, column->id) == 0)
            return nz_fail(NZ_E_FORMAT, "%s: columns '%.80s' and '%.80s' are both %s", path, table->csv.header[i + 1],
                           name, column->id);
    return NZ_OK;
}

static nz_status read_columns(nz_table *table, const char *path, const nz_stated_better *stated, size_t count) {
    for (size_t c = 0; c < table->count; c++) NZ_TRY(read_column(table, c, path, stated, count));
    for (size_t s = 0; s < count; s++) {
        const nz_metric *metric = nz_metric_find(stated[s].id);
        bool found = false;
        for (size_t c = 0; c < table->count; c++)
            found = found || strcmp(table->columns[c].id, metric ? metric->id : stated[s].id) == 0;
        if (!found) return nz_fail(NZ_E_ARG, "--better: '%.80s' is no column of %s", stated[s].id, path);
    }
    return NZ_OK;
}

/* ---- Cells ---- */

static bool is_missing(const char *text) {
    static const char *const words[] = {"", "-", "n/a", "na", "nan", "null", "none"};
    for (size_t i = 0; i < NZ_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return false;
}

static nz_status read_cells(nz_table *table, const char *path) {
    for (size_t r = 0; r < table->csv.rows; r++)
        for (size_t c = 0; c < table->count; c++) {
            const char *text = nz_csv_cell(&table->csv, r, c + 1);
            nz_value_report *value = &table->values[r * table->count + c];
            double number;
            if (is_missing(text)) {
                *value = nz_report_unavailable("not in the table");
                continue;
            }
            if (nz_parse_double(&number, text, "cell") != NZ_OK || !isfinite(number * table->columns[c].scale))
                return nz_fail(NZ_E_FORMAT,
                               "%s:%zu: column '%.60s': '%.60s' is not a number (leave a missing value empty)", path,
                               table->csv.lines[r], table->csv.header[c + 1], text);
            number *= table->columns[c].scale;
            bool count = table->columns[c].metric && table->columns[c].metric->integer && table->columns[c].scale > 1;
            *value = nz_report_value(count ? nearbyint(number) : number, NZ_MEASURED);
        }
    return NZ_OK;
}

static bool name_is_taken(const nz_table *table, size_t rows, const char *name) {
    for (size_t r = 0; r < rows; r++)
        if (strcmp(table->names[r], name) == 0) return true;
    return false;
}

static nz_status read_names(nz_table *table, const char *path) {
    enum { ROWS_MOST = 10000 }; /* names are compared with each other */
    if (table->csv.rows > ROWS_MOST) return nz_fail(NZ_E_FORMAT, "%s: more than %d rows", path, ROWS_MOST);
    for (size_t r = 0; r < table->csv.rows; r++) {
        const char *name = nz_csv_cell(&table->csv, r, 0);
        if (!*name)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: the first column, which names the model, is empty", path,
                           table->csv.lines[r]);
        NZ_TRY(nz_strdup(&table->names[r], name));
        for (int i = 2; name_is_taken(table, r, table->names[r]); i++) {
            free(NZ_STEAL(table->names[r]));
            NZ_TRY(nz_format(&table->names[r], "%s-%d", name, i));
        }
    }
    return NZ_OK;
}

static nz_status fill_table(nz_table *table, const char *path, const nz_stated_better *stated, size_t stated_count) {
    NZ_TRY(nz_csv_read(&table->csv, path, 0));
    if (table->csv.columns < 2)
        return nz_fail(NZ_E_FORMAT, "%s: only one column; metrics follow the one that names the models", path);
    if (table->csv.rows == 0) return nz_fail(NZ_E_FORMAT, "%s: no rows; the first one is the baseline", path);
    table->count = table->csv.columns - 1;
    size_t cells;
    if (!nz_mul_size(&cells, table->csv.rows, table->count)) return nz_fail(NZ_E_MEMORY, "%s: out of memory", path);
    NZ_TRY(nz_alloc(&table->columns, table->count, sizeof *table->columns));
    NZ_TRY(nz_alloc(&table->owned_ids, table->count, sizeof *table->owned_ids));
    NZ_TRY(nz_alloc(&table->names, table->csv.rows, sizeof *table->names));
    NZ_TRY(nz_alloc(&table->values, cells, sizeof *table->values));
    NZ_TRY(read_columns(table, path, stated, stated_count));
    NZ_TRY(read_names(table, path));
    return read_cells(table, path);
}

nz_status nz_table_read(nz_table *ret_table, const char *path, const nz_stated_better *stated, size_t stated_count) {
    NZ_AUTO_TABLE nz_table table = {0};
    NZ_TRY(fill_table(&table, path, stated, stated_count));
    *ret_table = table;
    table = (nz_table){0};
    return NZ_OK;
}

void nz_table_done(nz_table *table) {
    for (size_t c = 0; table->owned_ids && c < table->count; c++) free(table->owned_ids[c]);
    for (size_t r = 0; table->names && r < table->csv.rows; r++) free(table->names[r]);
    free(table->owned_ids);
    free(table->names);
    free(table->columns);
    free(table->values);
    nz_csv_done(&table->csv);
    *table = (nz_table){0};
}

/* ---- Ratios ---- */

static size_t column_of(const nz_table *table, const char *id) {
    size_t c = 0;
    while (c < table->count && strcmp(table->columns[c].id, id) != 0) c++;
    return c;
}

nz_status nz_table_options(nz_combine_options *ret_options, const nz_table *table, const nz_table_request *request) {
    static const char *const defaults[4][3] = {{"top1", "map50_95", "map50"},
                                               {"chats", "chats_macs", NULL},
                                               {"disk_bytes", NULL, NULL},
                                               {"energy_j", NULL, NULL}};
    const char *ids[4];
    nz_combine_options options = {.zeta = request->zeta};
    for (int i = 0; i < 4; i++) {
        options.lambda[i] = request->lambda[i];
        ids[i] = defaults[i][0];
        for (int d = 2; d >= 0 && !request->ids[i]; d--)
            if (defaults[i][d] && column_of(table, defaults[i][d]) < table->count) ids[i] = defaults[i][d];
        if (request->ids[i]) ids[i] = request->ids[i];
        const nz_metric *metric = nz_metric_find(ids[i]);
        if (metric) ids[i] = metric->id;
        size_t c = column_of(table, ids[i]);
        for (size_t h = 0; c == table->count && h < table->count; h++) /* a header's own spelling, such as disk_mb */
            if (strcmp(table->csv.header[h + 1], ids[i]) == 0) c = h;
        if (c == table->count && !metric) {
            const char *near = nz_metric_closest(ids[i]);
            return nz_fail(NZ_E_ARG, "--%s: '%.80s' is neither a column of the table nor a metric%s%s%s",
                           nz_ratio_names[i], ids[i], near ? "; did you mean '" : "", near ? near : "",
                           near ? "'?" : "");
        }
        if (c < table->count) {
            ids[i] = table->columns[c].id;
            metric = table->columns[c].metric;
        }
        options.better[i] = c < table->count ? table->columns[c].better : metric->better;
        if (i == 1) options.zeta_applies = metric && metric->theoretical;
    }
    options.performance = ids[0];
    options.speedup = ids[1];
    options.compression = ids[2];
    options.efficiency = ids[3];
    *ret_options = options;
    return NZ_OK;
}

static nz_value_report value_of(const nz_table *table, size_t row, const char *id) {
    size_t c = column_of(table, id);
    return c < table->count ? table->values[row * table->count + c] : nz_report_unavailable("not in the table");
}

void nz_table_combine(nz_combined *ret_combined, const nz_table *table, const nz_combine_options *options, size_t row) {
    const char *const ids[4] = {options->performance, options->speedup, options->compression, options->efficiency};
    nz_value_report original[4], own[4];
    for (int i = 0; i < 4; i++) {
        original[i] = value_of(table, 0, ids[i]);
        own[i] = value_of(table, row, ids[i]);
    }
    nz_combine(ret_combined, options, original, own, row == 0);
}

nz_status nz_lambda_parse(double ret_lambda[4], const char *text, const char *what) {
    double lambda[4];
    const char *at = text;
    for (int i = 0; i < 4; i++) {
        size_t length = strcspn(at, ",");
        NZ_AUTO_FREE char *piece = NULL;
        NZ_TRY(nz_format(&piece, "%.*s", (int)length, at));
        if (at[length] != (i < 3 ? ',' : '\0') || nz_parse_double(&lambda[i], piece, what) != NZ_OK ||
            !(lambda[i] >= 0))
            return nz_fail(NZ_E_ARG, "%s: '%.80s' is not four weights of 0 or more, such as 1,1,1,1", what, text);
        at += length + 1;
    }
    memcpy(ret_lambda, lambda, sizeof lambda);
    return NZ_OK;
}

/* ---- Joules against watts x latency ---- */

/* Half a unit of the last digit that is printed: "14" stands for 13.5 to 14.5, "2.2" for 2.15 to 2.25. */
static double half_unit(const char *text) {
    size_t mantissa = strcspn(text, "eE");
    const char *point = memchr(text, '.', mantissa), *exponent = text[mantissa] ? text + mantissa + 1 : "0";
    double decimals = point ? (double)(text + mantissa - point - 1) : 0;
    return 0.5 * pow(10, nz_strtod(exponent, NULL) - decimals);
}

nz_status nz_table_note(char **ret_note, const nz_table *table, size_t row) {
    static const char *const ids[3] = {"energy_j", "power_w", "latency_ms"};
    double value[3], half[3];
    for (int i = 0; i < 3; i++) {
        size_t c = column_of(table, ids[i]);
        if (c == table->count || table->values[row * table->count + c].source == NZ_UNAVAILABLE) {
            *ret_note = NULL;
            return NZ_OK;
        }
        double scale = table->columns[c].scale;
        value[i] = table->values[row * table->count + c].value;
        half[i] = scale * half_unit(nz_csv_cell(&table->csv, row, c + 1));
    }
    double least = (value[1] - half[1]) * (value[2] - half[2]) / 1e3,
           most = (value[1] + half[1]) * (value[2] + half[2]) / 1e3;
    if (value[0] + half[0] >= least && value[0] - half[0] <= most) {
        *ret_note = NULL;
        return NZ_OK;
    }
    return nz_format(
        ret_note, "%.4g J is not %.6g W x %.6g ms = %.4g J: energy and latency come from different runs; used as given",
        value[0], value[1], value[2], value[1] * value[2] / 1e3);
}

/* ---- The results document ---- */

static nz_status model_json(json_t **ret_json, const nz_table *table, const nz_combine_options *options, size_t row) {
    nz_combined combined;
    NZ_AUTO_FREE char *note = NULL;
    NZ_AUTO_JSON json_t *model = json_object();
    nz_table_combine(&combined, table, options, row);
    NZ_TRY(nz_table_note(&note, table, row));
    json_t *metrics = json_object(), *notes = json_array();
    int failed = 0;
    failed |= json_object_set_new(model, "id", nz_json_string(table->names[row]));
    failed |= json_object_set_new(model, "name", nz_json_string(table->names[row]));
    failed |= json_object_set_new(model, "technique", nz_json_string(nz_csv_cell(&table->csv, row, 0)));
    failed |= json_object_set_new(model, "baseline", nz_json_string(table->names[0]));
    failed |= json_object_set_new(model, "variant", json_object());
    failed |= json_object_set_new(model, "status", json_string("ok"));
    failed |= json_object_set_new(model, "metrics", metrics);
    for (size_t c = 0; c < table->count; c++) {
        const nz_table_column *column = &table->columns[c];
        const nz_value_report *value = &table->values[row * table->count + c];
        failed |= json_object_set_new(metrics, column->id,
                                      column->metric ? nz_value_json(value, column->metric)
                                                     : nz_value_json_as(value, "", "other", column->better, false));
    }
    failed |= json_object_set_new(model, "ratios", nz_ratios_json(&combined, options));
    failed |= json_object_set_new(model, "ocs", nz_ocs_json(&combined, options));
    failed |= json_object_set_new(model, "notes", notes);
    if (note) failed |= json_array_append_new(notes, nz_json_string(note));
    if (failed) return nz_fail(NZ_E_MEMORY, "out of memory: the results of '%s'", table->names[row]);
    *ret_json = NZ_STEAL(model);
    return NZ_OK;
}

static json_t *run_json(const char *path, const char *sha256, int argc, char **argv) {
    char started[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    NZ_AUTO_JSON json_t *run = json_object();
    json_t *command = json_array(), *table = json_object();
    int failed = 0;
    failed |= json_object_set_new(run, "started", json_string(started));
    failed |= json_object_set_new(run, "command", command);
    failed |= json_array_append_new(command, json_string("netzip"));
    for (int i = 0; i < argc; i++) failed |= json_array_append_new(command, nz_json_string(argv[i]));
    failed |= json_object_set_new(run, "seed", json_integer(0));
    failed |= json_object_set_new(run, "version", json_string(NZ_VERSION));
    failed |= json_object_set_new(run, "host", json_object());
    failed |= json_object_set_new(run, "data", json_object());
    failed |= json_object_set_new(run, "table", table);
    failed |= json_object_set_new(table, "path", nz_json_string(path));
    failed |= json_object_set_new(table, "sha256", json_string(sha256));
    return failed ? NULL : NZ_STEAL(run);
}

nz_status nz_table_json(json_t **ret_json, const nz_table *table, const nz_combine_options *options, const char *path,
                        int argc, char **argv) {
    char sha256[65];
    NZ_TRY(nz_sha256_file(sha256, path));
    NZ_AUTO_JSON json_t *document = json_object();
    json_t *models = json_array(), *rank = NULL;
    int failed = json_object_set_new(document, "schema", json_string("netzip.results/1"));
    failed |= json_object_set_new(document, "run", run_json(path, sha256, argc, argv));
    failed |= json_object_set_new(document, "models", models);
    for (size_t r = 0; r < table->csv.rows && !failed; r++) {
        json_t *model;
        NZ_TRY(model_json(&model, table, options, r));
        failed |= json_array_append_new(models, model);
    }
    if (!failed) NZ_TRY(nz_ocs_rank_json(&rank, models));
    failed |= json_object_set_new(document, "ocs_rank", rank);
    if (failed) return nz_fail(NZ_E_MEMORY, "out of memory: the results of %s", path);
    *ret_json = NZ_STEAL(document);
    return NZ_OK;
}
