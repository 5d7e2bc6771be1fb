/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment_text.h"

#include <math.h>
#include <string.h>

#include "cli.h"
#include "compare_text.h"
#include "core/error.h"
#include "core/text.h"
#include "metric/value_json.h"
#include "metric/value_text.h"
#include "table.h"

static nz_status read_json(json_t **ret_json, const nz_experiment_result *result) {
    json_error_t error;
    json_t *json = json_loads(result->json, 0, &error);
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: the results");
    *ret_json = json;
    return NZ_OK;
}

/* ---- means over seeds ---- */

enum { GROUP_COLUMNS = 7 };
/* NULL ends a list. */
static const char *const classifier_columns[GROUP_COLUMNS + 1] = {"top1",          "latency_ms", "disk_bytes",
                                                                  "entropy_bytes", "sparsity",   "energy_j"};
static const char *const detector_columns[GROUP_COLUMNS + 1] = {"map50",         "map50_95", "latency_ms", "disk_bytes",
                                                                "entropy_bytes", "sparsity", "energy_j"};

/* Whether what was compared finds objects, instead of telling one class an image. */
static bool is_detection(const json_t *results) {
    return strcmp(nz_json_text_at(json_object_get(json_object_get(results, "run"), "data"), "task"), "detection") == 0;
}

/* "91.23 +- 0.12", in the mean's unit. */
static nz_status add_moments(nz_cli_table *table, const json_t *moments) {
    char mean[NZ_VALUE_TEXT], sd[NZ_VALUE_TEXT];
    double m = nz_json_number_at(moments, "mean"), s = nz_json_number_at(moments, "sd");
    const char *unit = nz_json_text_at(moments, "unit");
    if (isnan(m)) return nz_cli_table_add(table, "\xe2\x80\x93");
    bool bytes = strcmp(unit, "B") == 0;
    nz_number_text(mean, m, unit, bytes);
    if (isnan(s) || s == 0) return nz_cli_table_add(table, mean);
    nz_number_text(sd, s, unit, bytes);
    return nz_cli_table_addf(table, "%s \xc2\xb1 %s", mean, sd);
}

/* The name, with what tells groups of one name apart. */
static nz_status add_group_name(nz_cli_table *table, const json_t *groups, const json_t *group) {
    const json_t *variant = json_object_get(group, "variant"), *other;
    size_t i, same = 0;
    json_array_foreach(groups, i, other) same +=
        strcmp(nz_json_text_at(other, "name"), nz_json_text_at(group, "name")) == 0;
    if (same < 2) return nz_cli_table_add(table, nz_json_text_at(group, "name"));
    return nz_cli_table_addf(table, "%s/%s/t%.0f/b%.0f", nz_json_text_at(group, "name"),
                             nz_json_text_at(variant, "runtime"), nz_json_number_at(variant, "threads"),
                             nz_json_number_at(variant, "batch"));
}

static nz_status print_groups(const json_t *results, FILE *stream) {
    const json_t *groups = json_object_get(results, "groups");
    const char *const *columns = is_detection(results) ? detector_columns : classifier_columns;
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = 2};
    size_t i;
    json_t *group;
    for (size_t c = 0; columns[c]; c++) table.columns++;
    NZ_TRY(nz_cli_table_add(&table, "mean \xc2\xb1 standard deviation"));
    NZ_TRY(nz_cli_table_add(&table, "seeds"));
    for (size_t c = 0; columns[c]; c++) NZ_TRY(nz_cli_table_add(&table, columns[c]));
    json_array_foreach(groups, i, group) {
        const json_t *metrics = json_object_get(group, "metrics");
        NZ_TRY(add_group_name(&table, groups, group));
        NZ_TRY(nz_cli_table_addf(&table, "%zu", json_array_size(json_object_get(group, "seeds"))));
        for (size_t c = 0; columns[c]; c++) NZ_TRY(add_moments(&table, json_object_get(metrics, columns[c])));
    }
    fputc('\n', stream);
    nz_cli_table_print(&table, stream, 1);
    return NZ_OK;
}

nz_status nz_experiment_print(const nz_experiment_result *result, FILE *stream) {
    NZ_AUTO_JSON json_t *json = NULL;
    NZ_TRY(read_json(&json, result));
    NZ_TRY(nz_compare_text_print(json, false, stream));
    if (json_array_size(json_object_get(json, "groups"))) NZ_TRY(print_groups(json, stream));
    fprintf(stream, "\n%zu steps done, %zu found done\n", result->done, result->skipped);
    return NZ_OK;
}

void nz_experiment_print_place(const nz_experiment_result *result, FILE *stream) {
    fputs("The report: ", stream);
    nz_cli_put_printable(stream, result->out);
    fputs("/report.html\n", stream);
}

/* ---- a dry run ---- */

nz_status nz_experiment_print_plan(const nz_experiment_result *result, FILE *stream) {
    NZ_AUTO_JSON json_t *json = NULL;
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = 4};
    size_t i;
    json_t *item;
    NZ_TRY(read_json(&json, result));
    NZ_TRY(nz_cli_table_add(&table, "step"));
    NZ_TRY(nz_cli_table_add(&table, "state"));
    NZ_TRY(nz_cli_table_add(&table, "output"));
    NZ_TRY(nz_cli_table_add(&table, "what"));
    json_array_foreach(json_object_get(json, "steps"), i, item) {
        NZ_TRY(nz_cli_table_add(&table, nz_json_text_at(item, "title")));
        NZ_TRY(nz_cli_table_add(&table, nz_json_text_at(item, "state")));
        NZ_TRY(nz_cli_table_add(&table, nz_json_text_at(item, "output")));
        NZ_TRY(nz_cli_table_add(&table, nz_json_text_at(item, "what")));
    }
    nz_cli_table_print(&table, stream, 15);
    json_array_foreach(json_object_get(json, "notes"), i, item) {
        fputs(i ? "  " : "\nNotes:\n  ", stream);
        nz_cli_put_printable(stream, json_string_value(item));
        fputc('\n', stream);
    }
    return NZ_OK;
}

/* ---- plain words ---- */

/* A metric of a model, or its mean over seeds. */
static double value_of(const json_t *row, const char *id) {
    const json_t *metric = json_object_get(json_object_get(row, "metrics"), id);
    const json_t *mean = json_object_get(metric, "mean");
    return mean ? nz_json_number_at(metric, "mean") : nz_json_number_at(metric, "value");
}

static void say_factor(nz_text *out, double before, double after, const char *more, const char *less) {
    if (!(before > 0) || !(after > 0)) return;
    double factor = before / after;
    if (fabs(factor - 1) < 0.05) return;
    nz_text_appendf(out, "; %.1f times %s", factor > 1 ? factor : 1 / factor, factor > 1 ? more : less);
}

/* What is said of the accuracy of the two kinds of networks. */
typedef struct accuracy {
    const char *metric, *opening, *before, *after; /* `after` the value: "of the images" */
    const char *more, *fewer;
} accuracy;
static const accuracy classifies = {"top1", "is right on", "right on", "of the images", "more", "fewer"};
static const accuracy detects = {
    "map50_95", "finds objects with a mean average precision (mAP50-95) of", "mAP50-95 of", "", "more", "less"};

/* Whether the two may be equally good: the interval of their difference on the same samples holds 0. */
static bool may_be_chance(const json_t *row, const char *id) {
    const json_t *metric = json_object_get(json_object_get(row, "metrics"), id);
    const json_t *ci95 = json_object_get(json_object_get(metric, "difference"), "ci95");
    return json_array_size(ci95) == 2 && json_number_value(json_array_get(ci95, 0)) <= 0 &&
           json_number_value(json_array_get(ci95, 1)) >= 0;
}

static void say_accuracy(nz_text *out, const accuracy *a, const json_t *base, const json_t *row) {
    double before = value_of(base, a->metric), after = value_of(row, a->metric), points = after - before;
    double same = value_of(row, "box_agreement");
    if (isnan(points)) {
        nz_text_append(out, " its accuracy could not be compared");
        return;
    }
    nz_text_appendf(out, " %s %.1f%%%s%s, ", a->before, after, *a->after ? " " : "", a->after);
    if (fabs(points) < 0.05)
        nz_text_append(out, "like the uncompressed network");
    else
        nz_text_appendf(out, "%.1f points %s than the uncompressed network%s", fabs(points),
                        points > 0 ? a->more : a->fewer, may_be_chance(row, a->metric) ? ", which may be chance" : "");
    if (!isnan(same)) nz_text_appendf(out, "; %.0f%% of the two networks' boxes are the same", same);
}

static nz_status say_row(const accuracy *a, const json_t *base, const json_t *row, FILE *stream) {
    NZ_AUTO_FREE char *text = NULL;
    nz_text out = {0};
    double sparsity = value_of(row, "sparsity");
    nz_text_appendf(&out, "  %s:", nz_json_text_at(row, "name"));
    if (strcmp(nz_json_text_at(row, "status"), "failed") == 0) {
        nz_text_appendf(&out, " failed: %s", nz_json_text_at(row, "error"));
    } else {
        say_accuracy(&out, a, base, row);
        if (sparsity > value_of(base, "sparsity") + 5)
            nz_text_appendf(&out, "; %.0f%% of its weights are zero", sparsity);
        say_factor(&out, value_of(base, "disk_bytes"), value_of(row, "disk_bytes"), "smaller on disk",
                   "larger on disk");
        say_factor(&out, value_of(base, "entropy_bytes"), value_of(row, "entropy_bytes"), "smaller when packed",
                   "larger when packed");
        say_factor(&out, value_of(base, "latency_ms"), value_of(row, "latency_ms"), "faster", "slower");
    }
    NZ_TRY(nz_text_take(&out, &text));
    nz_cli_put_printable(stream, text);
    fputc('\n', stream);
    return NZ_OK;
}

nz_status nz_experiment_print_words(const nz_experiment_result *result, FILE *stream) {
    NZ_AUTO_JSON json_t *json = NULL;
    NZ_TRY(read_json(&json, result));
    const json_t *rows = json_object_get(json, "groups"), *best = NULL;
    if (!json_array_size(rows)) rows = json_object_get(json, "models");
    const json_t *base = json_array_get(rows, 0);
    const accuracy *a = is_detection(json) ? &detects : &classifies;
    double most = 0;
    fprintf(stream, "\nIn plain words: the uncompressed network %s %.1f%%%s%s.\n", a->opening,
            value_of(base, a->metric), *a->after ? " " : "", a->after);
    for (size_t i = 1; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *ocs = json_object_get(row, "ocs");
        NZ_TRY(say_row(a, base, row, stream));
        double value = nz_json_number_at(ocs, "value");
        if (isnan(value)) value = nz_json_number_at(json_object_get(ocs, "partial"), "value");
        if (isnan(value) || (best && value <= most)) continue;
        best = row;
        most = value;
    }
    if (best)
        fprintf(stream, "  The best trade by the overall compression score: %s.\n", nz_json_text_at(best, "name"));
    return NZ_OK;
}
