/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_text.h"

#include <math.h>
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/text.h"
#include "metric/value_json.h"
#include "metric/value_text.h"
#include "netzip/blocks.h"
#include "table.h"

/* What a row shows where more was measured than fits a line. */
static const struct {
    const char *id, *heading;
} main_columns[] = {
    {"top1", "top-1"},
    {"top5", "top-5"},
    {"map50", "mAP50"},
    {"map50_95", "mAP50-95"},
    {"box_agreement", "same boxes"},
    {"latency_ms", "latency"},
    {"throughput", "throughput"},
    {"macs", "MACs"},
    {"chats", "CHATS"},
    {"disk_bytes", "disk"},
    {"params", "params"},
    {"sparsity", "sparsity"},
    {"ram_bytes", "RAM"},
    {"cpu_util_pct", "CPU"},
    {"energy_j", "energy"},
};
enum { MOST_COLUMNS = 30 };

static const json_t *metric_at(const json_t *model, const char *id) {
    return json_object_get(json_object_get(model, "metrics"), id);
}

static nz_status add_label(nz_cli_table *table, const json_t *models, size_t i) {
    return nz_cli_table_addf(table, "%s%s", nz_compare_label(models, i), nz_compare_sign(json_array_get(models, i)));
}

/* What no model has needs no column: why is told below. */
static bool any_value(const json_t *models, const char *id) {
    for (size_t i = 0; i < json_array_size(models); i++)
        if (!isnan(nz_json_number_at(metric_at(json_array_get(models, i), id), "value"))) return true;
    return false;
}

static size_t choose_columns(const char *ids[MOST_COLUMNS], const char *headings[MOST_COLUMNS], const json_t *models) {
    const json_t *metrics = json_object_get(json_array_get(models, 0), "metrics");
    size_t count = 0;
    if (json_object_size(metrics) > NZ_COUNT(main_columns) + 2) {
        for (size_t i = 0; i < NZ_COUNT(main_columns); i++)
            if (any_value(models, main_columns[i].id)) {
                ids[count] = main_columns[i].id;
                headings[count++] = main_columns[i].heading;
            }
        return count;
    }
    for (void *at = json_object_iter((json_t *)(uintptr_t)metrics); at && count < MOST_COLUMNS;
         at = json_object_iter_next((json_t *)(uintptr_t)metrics, at)) {
        ids[count] = json_object_iter_key(at);
        headings[count++] = json_object_iter_key(at);
    }
    return count;
}

static nz_status add_metric(nz_cli_table *table, const json_t *metric) {
    char text[NZ_VALUE_TEXT];
    bool integer = json_is_integer(json_object_get(metric, "value"));
    if (isnan(nz_json_number_at(metric, "value"))) return nz_cli_table_add(table, "\xe2\x80\x93");
    return nz_cli_table_add(
        table, nz_number_text(text, nz_json_number_at(metric, "value"), nz_json_text_at(metric, "unit"), integer));
}

static nz_status print_figures(const json_t *models, FILE *stream) {
    const char *ids[MOST_COLUMNS], *headings[MOST_COLUMNS];
    size_t count = choose_columns(ids, headings, models);
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = count + 1};
    NZ_TRY(nz_cli_table_add(&table, "model"));
    for (size_t c = 0; c < count; c++) NZ_TRY(nz_cli_table_add(&table, headings[c]));
    for (size_t i = 0; i < json_array_size(models); i++) {
        NZ_TRY(add_label(&table, models, i));
        for (size_t c = 0; c < count; c++) NZ_TRY(add_metric(&table, metric_at(json_array_get(models, i), ids[c])));
    }
    nz_cli_table_print(&table, stream, 1);
    return NZ_OK;
}

static bool is_main(const char *id) {
    for (size_t i = 0; i < NZ_COUNT(main_columns); i++)
        if (strcmp(main_columns[i].id, id) == 0) return true;
    return false;
}

/* What the rows above have no room for: metrics as rows. */
static nz_status print_others(const json_t *models, FILE *stream) {
    const json_t *metrics = json_object_get(json_array_get(models, 0), "metrics");
    if (json_object_size(metrics) <= NZ_COUNT(main_columns) + 2) return NZ_OK; /* all are above */
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = json_array_size(models) + 1};
    NZ_TRY(nz_cli_table_add(&table, "metric"));
    for (size_t i = 0; i < json_array_size(models); i++) NZ_TRY(add_label(&table, models, i));
    for (void *at = json_object_iter((json_t *)(uintptr_t)metrics); at;
         at = json_object_iter_next((json_t *)(uintptr_t)metrics, at)) {
        if (is_main(json_object_iter_key(at)) || !any_value(models, json_object_iter_key(at))) continue;
        NZ_TRY(nz_cli_table_add(&table, json_object_iter_key(at)));
        for (size_t i = 0; i < json_array_size(models); i++)
            NZ_TRY(add_metric(&table, metric_at(json_array_get(models, i), json_object_iter_key(at))));
    }
    fputc('\n', stream);
    nz_cli_table_print(&table, stream, 1);
    return NZ_OK;
}

static nz_status add_number(nz_cli_table *table, double value, const char *mark) {
    return isnan(value) ? nz_cli_table_add(table, "\xe2\x80\x93") : nz_cli_table_addf(table, "%.3f%s", value, mark);
}

static double end_of(const json_t *object, size_t end) {
    const json_t *value = json_array_get(json_object_get(object, "ci95"), end);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* "5.394* [5.267, 5.527]" */
static nz_status add_score(nz_cli_table *table, double value, const json_t *from, const char *mark) {
    double low = end_of(from, 0), high = end_of(from, 1);
    if (isnan(value) || isnan(low) || isnan(high)) return add_number(table, value, mark);
    return nz_cli_table_addf(table, "%.3f%s [%.3f, %.3f]", value, mark, low, high);
}

static bool json_holds(const json_t *list, const char *word) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *own = json_string_value(json_array_get(list, i));
        if (own && strcmp(own, word) == 0) return true;
    }
    return false;
}

static bool any_ratio(const json_t *models, size_t r) {
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *ratios = json_object_get(json_array_get(models, i), "ratios");
        if (!isnan(nz_json_number_at(json_object_get(ratios, nz_ratio_names[r]), "value"))) return true;
    }
    return false;
}

static nz_status print_ratios(const json_t *models, FILE *stream) {
    enum { RATIOS = 4 };
    const json_t *first = json_object_get(json_array_get(models, 0), "ratios");
    size_t shown[RATIOS], count = 0;
    for (size_t r = 0; r < RATIOS; r++)
        if (any_ratio(models, r)) shown[count++] = r;
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = count + 2};
    if (!count) return NZ_OK;
    NZ_TRY(nz_cli_table_add(&table, "ratio to the baseline"));
    for (size_t k = 0; k < count; k++)
        NZ_TRY(nz_cli_table_addf(&table, "%s (%s)", nz_ratio_names[shown[k]],
                                 nz_json_text_at(json_object_get(first, nz_ratio_names[shown[k]]), "of")));
    NZ_TRY(nz_cli_table_add(&table, "OCS"));
    bool without[RATIOS] = {false}, partial = false;
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *ratios = json_object_get(model, "ratios"),
                     *ocs = json_object_get(model, "ocs"), *rest = json_object_get(ocs, "partial");
        double whole = nz_json_number_at(ocs, "value"), part = nz_json_number_at(rest, "value");
        NZ_TRY(add_label(&table, models, i));
        for (size_t k = 0; k < count; k++)
            NZ_TRY(
                add_number(&table, nz_json_number_at(json_object_get(ratios, nz_ratio_names[shown[k]]), "value"), ""));
        bool of_part = isnan(whole) && !isnan(part);
        partial = partial || of_part;
        for (size_t r = 0; r < RATIOS && of_part; r++)
            without[r] = without[r] || json_holds(json_object_get(rest, "without"), nz_ratio_names[r]);
        NZ_TRY(add_score(&table, of_part ? part : whole, of_part ? rest : ocs, of_part ? "*" : ""));
    }
    fputc('\n', stream);
    nz_cli_table_print(&table, stream, 1);
    if (!partial) return NZ_OK;
    fputs("* OCS without the terms that are unavailable:", stream);
    for (size_t r = 0, told = 0; r < RATIOS; r++)
        if (without[r]) {
            fprintf(stream, "%s %s (", told++ ? "," : "", nz_ratio_names[r]);
            nz_cli_put_printable(stream, nz_json_text_at(json_object_get(first, nz_ratio_names[r]), "of"));
            fputc(')', stream);
        }
    fputc('\n', stream);
    return NZ_OK;
}

static const json_t *find_model(const json_t *models, const char *id) {
    for (size_t i = 0; i < json_array_size(models); i++)
        if (strcmp(nz_json_text_at(json_array_get(models, i), "id"), id) == 0) return json_array_get(models, i);
    return NULL;
}

/* "2.00x faster (95% 1.96 to 2.04)", "latency indistinguishable (ratio 1.003, 95% 0.994 to 1.011)"; false without an interval. */
static bool say_interval(nz_text *out, const json_t *model, const char *id, const char *title, const char *more,
                         const char *less) {
    const json_t *ratio = json_object_get(metric_at(model, id), "ratio");
    double value = nz_json_number_at(ratio, "value"), low = end_of(ratio, 0), high = end_of(ratio, 1);
    if (!(value > 0) || !(low > 0) || isnan(high)) return false;
    const double ends[2] = {low, high};
    switch (nz_ratio_difference(ends)) {
    case NZ_BETTER: nz_text_appendf(out, ", %.3fx %s (95%% %.3f to %.3f)", value, more, low, high); break;
    case NZ_WORSE: nz_text_appendf(out, ", %.3fx %s (95%% %.3f to %.3f)", 1 / value, less, 1 / high, 1 / low); break;
    default: nz_text_appendf(out, ", %s indistinguishable (ratio %.3f, 95%% %.3f to %.3f)", title, value, low, high);
    }
    return true;
}

/* "2.00x faster" or "1.20x slower"; nothing where either figure is missing. */
static void say_factor(nz_text *out, const json_t *base, const json_t *model, const char *id, const char *more,
                       const char *less) {
    double before = nz_json_number_at(metric_at(base, id), "value"),
           after = nz_json_number_at(metric_at(model, id), "value");
    if (!(before > 0) || !(after > 0)) return;
    double factor = before / after;
    if (fabs(factor - 1) < 0.005) return;
    nz_text_appendf(out, ", %.2fx %s", factor > 1 ? factor : 1 / factor, factor > 1 ? more : less);
}

/* "top-1 -0.30 points (95% -0.81 to +0.21, within chance)" */
static bool say_difference(nz_text *out, const json_t *model, const char *id, const char *title, const char *lead) {
    const json_t *difference = json_object_get(metric_at(model, id), "difference");
    const json_t *interval = json_object_get(difference, "ci95");
    if (!difference) return false;
    double low = json_number_value(json_array_get(interval, 0)), high = json_number_value(json_array_get(interval, 1));
    nz_text_appendf(out, "%s %s %+.2f points (95%% %+.2f to %+.2f%s)", lead, title,
                    nz_json_number_at(difference, "value"), low, high, low <= 0 && high >= 0 ? ", within chance" : "");
    return true;
}

static void say_accuracy(nz_text *out, const json_t *model) {
    double agreement = nz_json_number_at(metric_at(model, "agreement"), "value"),
           same = nz_json_number_at(metric_at(model, "box_agreement"), "value");
    bool said = say_difference(out, model, "top1", "top-1", "");
    said = say_difference(out, model, "map50", "mAP50", said ? "," : "") || said;
    said = say_difference(out, model, "map50_95", "mAP50-95", said ? "," : "") || said;
    if (!said) nz_text_append(out, " accuracy not compared");
    if (!isnan(agreement)) nz_text_appendf(out, ", agrees on %.1f%%", agreement);
    if (!isnan(same)) nz_text_appendf(out, ", %.1f%% of the boxes are the same", same);
}

static nz_status print_summary(const json_t *models, FILE *stream) {
    const char *lead = "\nAgainst the baseline:\n";
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *base = find_model(models, nz_json_text_at(model, "baseline"));
        if (!base || base == model || strcmp(nz_json_text_at(model, "status"), "ok") != 0 ||
            strcmp(nz_json_text_at(base, "status"), "ok") != 0)
            continue;
        nz_text line = {0};
        NZ_AUTO_FREE char *text = NULL;
        nz_text_appendf(&line, "  %s%s:", nz_compare_label(models, i), nz_compare_sign(model));
        say_accuracy(&line, model);
        if (!say_interval(&line, model, "latency_ms", "latency", "faster", "slower"))
            say_factor(&line, base, model, "latency_ms", "faster", "slower");
        if (nz_json_number_at(json_object_get(model, "variant"), "batch") > 1)
            (void)say_interval(&line, model, "throughput", "throughput at its batch", "the throughput at its batch",
                               "less throughput at its batch");
        say_factor(&line, base, model, "disk_bytes", "smaller", "larger");
        say_factor(&line, base, model, "entropy_bytes", "smaller when packed", "larger when packed");
        if (!say_interval(&line, model, "energy_j", "energy", "less energy", "more energy"))
            say_factor(&line, base, model, "energy_j", "less energy", "more energy");
        NZ_TRY(nz_text_take(&line, &text));
        fputs(lead, stream);
        lead = "";
        nz_cli_put_printable(stream, text);
        fputc('\n', stream);
    }
    return NZ_OK;
}

nz_status nz_compare_text_print(const json_t *results, bool everything, FILE *stream) {
    const json_t *models = json_object_get(results, "models");
    NZ_TRY(print_figures(models, stream));
    if (everything) NZ_TRY(print_others(models, stream));
    NZ_TRY(print_ratios(models, stream));
    NZ_TRY(print_summary(models, stream));
    NZ_TRY(nz_against_text_print(results, stream));
    return nz_compare_notes_print(results, stream);
}
