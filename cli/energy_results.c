/* SPDX-License-Identifier: Apache-2.0 */
#include "energy_results.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/json.h"
#include "metric/value_text.h"
#include "netzip/compare.h"
#include "netzip/report.h"
#include "table.h"

static const char *const ids[] = {"energy_j", "energy_net_j", "power_w", "power_max_w"};
static const char *const headings[] = {"energy", "above idle", "power", "largest"};

static const json_t *metric_of(const json_t *model, const char *id) {
    return json_object_get(json_object_get(model, "metrics"), id);
}

/* "1.23 mJ [1.20, 1.26]", or a dash. */
static nz_status add_value(nz_cli_table *table, const json_t *metric) {
    char text[NZ_VALUE_TEXT], low[NZ_VALUE_TEXT], high[NZ_VALUE_TEXT];
    const json_t *ends = json_object_get(metric, "ci95");
    const char *unit = nz_json_text_at(metric, "unit");
    double value = nz_json_number_at(metric, "value");
    if (isnan(value)) return nz_cli_table_add(table, "\xe2\x80\x93");
    nz_number_text(text, value, unit, false);
    if (json_array_size(ends) != 2) return nz_cli_table_add(table, text);
    return nz_cli_table_addf(table, "%s [%s, %s]", text,
                             nz_number_text(low, json_number_value(json_array_get(ends, 0)), unit, false),
                             nz_number_text(high, json_number_value(json_array_get(ends, 1)), unit, false));
}

static nz_status add_ratio(nz_cli_table *table, const json_t *ratio, const char *mark) {
    const json_t *ends = json_object_get(ratio, "ci95");
    double value = nz_json_number_at(ratio, "value");
    if (isnan(value)) return nz_cli_table_add(table, "\xe2\x80\x93");
    if (json_array_size(ends) != 2) return nz_cli_table_addf(table, "%.3f%s", value, mark);
    return nz_cli_table_addf(table, "%.3f%s [%.3f, %.3f]", value, mark, json_number_value(json_array_get(ends, 0)),
                             json_number_value(json_array_get(ends, 1)));
}

static nz_status print_text(const json_t *results, const char *dir) {
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = NZ_COUNT(ids) + 3};
    const json_t *models = json_object_get(results, "models"), *meter = json_object_get(results, "meter"),
                 *texts = json_object_get(meter, "text");
    NZ_TRY(nz_cli_table_add(&table, "model"));
    for (size_t i = 0; i < NZ_COUNT(ids); i++) NZ_TRY(nz_cli_table_add(&table, headings[i]));
    NZ_TRY(nz_cli_table_addf(
        &table, "efficiency (%s)",
        nz_json_text_at(json_object_get(json_object_get(json_array_get(models, 0), "ratios"), "efficiency"), "of")));
    NZ_TRY(nz_cli_table_add(&table, "OCS"));
    for (size_t m = 0; m < json_array_size(models); m++) {
        const json_t *model = json_array_get(models, m), *ocs = json_object_get(model, "ocs");
        bool whole = json_is_number(json_object_get(ocs, "value"));
        NZ_TRY(nz_cli_table_add(&table, nz_json_text_at(model, "id")));
        for (size_t i = 0; i < NZ_COUNT(ids); i++) NZ_TRY(add_value(&table, metric_of(model, ids[i])));
        NZ_TRY(add_ratio(&table, json_object_get(json_object_get(model, "ratios"), "efficiency"), ""));
        NZ_TRY(add_ratio(&table, whole ? ocs : json_object_get(ocs, "partial"), whole ? "" : "*"));
    }
    nz_cli_table_print(&table, stdout, 1);
    putchar('\n');
    for (size_t i = 0; i < json_array_size(texts); i++) {
        fputs("note: ", stdout);
        nz_cli_put_printable(stdout, json_string_value(json_array_get(texts, i)));
        putchar('\n');
    }
    nz_cli_put_printable(stdout, dir);
    fputs(": results and report are written anew\n", stdout);
    return NZ_OK;
}

/* The meter, and what it says of each model. */
static nz_status print_json(const json_t *results) {
    const json_t *models = json_object_get(results, "models");
    json_t *list = json_array();
    for (size_t m = 0; m < json_array_size(models); m++) {
        const json_t *model = json_array_get(models, m);
        json_t *metrics = json_object(),
               *row = json_pack("{s:O,s:o}", "id", json_object_get(model, "id"), "metrics", metrics);
        for (size_t i = 0; i < NZ_COUNT(ids); i++)
            if (metric_of(model, ids[i]))
                json_object_set(metrics, ids[i], json_object_get(json_object_get(model, "metrics"), ids[i]));
        json_object_set(row, "efficiency", json_object_get(json_object_get(model, "ratios"), "efficiency"));
        json_object_set(row, "ocs", json_object_get(model, "ocs"));
        json_array_append_new(list, row);
    }
    NZ_AUTO_JSON json_t *json = json_pack("{s:O,s:o}", "meter", json_object_get(results, "meter"), "models", list);
    return nz_cli_print_json(json);
}

nz_status nz_energy_results(const nz_cli_args *args) {
    static const char *const of_logs[] = {"start", "end", "marker", "plot"};
    const char *dir = nz_cli_get(args, "results", NULL);
    NZ_AUTO_FREE char *text = NULL;
    json_error_t error;
    for (size_t i = 0; i < NZ_COUNT(of_logs); i++)
        if (nz_cli_has(args, of_logs[i]))
            return nz_fail(NZ_E_ARG,
                           "energy: --%s is for a log alone; with --results the windows are those that were "
                           "measured",
                           of_logs[i]);
    nz_compare_meter_options options = {.columns = nz_cli_get(args, "columns", NULL),
                                        .shift = nz_cli_get(args, "shift", NULL),
                                        .host = nz_cli_get(args, "host", NULL)};
    NZ_TRY(nz_compare_meter(&text, dir, args->operands[0], &options));
    NZ_TRY(nz_report_write(dir, nz_cli_progress()));
    nz_cli_progress_end();
    NZ_AUTO_JSON json_t *results = json_loads(text, 0, &error);
    if (!results) return nz_fail(NZ_E_MEMORY, "out of memory: the results");
    return nz_cli_has(args, "json") ? print_json(results) : print_text(results, dir);
}
