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
#define DAGGER "\xe2\x80\xa0"

static const json_t *metric_at(const json_t *model, const char *id) {
    return json_object_get(json_object_get(model, "metrics"), id);
}

/* The name alone where every model has one variant, else the id. */
static const char *label_of(const json_t *models, size_t i) {
    const char *name = nz_json_text_at(json_array_get(models, i), "name");
    for (size_t k = 0; k < json_array_size(models); k++)
        if (k != i && strcmp(nz_json_text_at(json_array_get(models, k), "name"), name) == 0)
            return nz_json_text_at(json_array_get(models, i), "id");
    return name;
}

/* Whether its figures were taken under conditions that speak against them. */
static bool is_marked(const json_t *model) {
    return json_array_size(json_object_get(json_object_get(model, "conditions"), "marks")) > 0;
}

static nz_status add_label(nz_cli_table *table, const json_t *models, size_t i) {
    return nz_cli_table_addf(table, "%s%s", label_of(models, i), is_marked(json_array_get(models, i)) ? DAGGER : "");
}

static size_t choose_columns(const char *ids[MOST_COLUMNS], const char *headings[MOST_COLUMNS], const json_t *models) {
    const json_t *metrics = json_object_get(json_array_get(models, 0), "metrics");
    size_t count = 0;
    if (json_object_size(metrics) > NZ_COUNT(main_columns) + 2) {
        for (size_t i = 0; i < NZ_COUNT(main_columns); i++)
            if (json_object_get(metrics, main_columns[i].id)) {
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
        if (is_main(json_object_iter_key(at))) continue;
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

static nz_status print_ratios(const json_t *models, FILE *stream) {
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = 6};
    const json_t *first = json_object_get(json_array_get(models, 0), "ratios");
    NZ_TRY(nz_cli_table_add(&table, "ratio to the baseline"));
    for (size_t r = 0; r < 4; r++)
        NZ_TRY(nz_cli_table_addf(&table, "%s (%s)", nz_ratio_names[r],
                                 nz_json_text_at(json_object_get(first, nz_ratio_names[r]), "of")));
    NZ_TRY(nz_cli_table_add(&table, "OCS"));
    bool partial = false;
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *ratios = json_object_get(model, "ratios"),
                     *ocs = json_object_get(model, "ocs");
        NZ_TRY(add_label(&table, models, i));
        for (size_t r = 0; r < 4; r++)
            NZ_TRY(add_number(&table, nz_json_number_at(json_object_get(ratios, nz_ratio_names[r]), "value"), ""));
        double whole = nz_json_number_at(ocs, "value"),
               part = nz_json_number_at(json_object_get(ocs, "partial"), "value");
        partial = partial || (isnan(whole) && !isnan(part));
        NZ_TRY(add_score(&table, isnan(whole) ? part : whole, isnan(whole) ? json_object_get(ocs, "partial") : ocs,
                         isnan(whole) ? "*" : ""));
    }
    fputc('\n', stream);
    nz_cli_table_print(&table, stream, 1);
    if (partial) fputs("* OCS without the terms that are unavailable\n", stream);
    return NZ_OK;
}

/* One line for each reason, with the metrics it holds for: a missing sensor would otherwise fill the screen. */
static nz_status print_missing(const json_t *models, FILE *stream) {
    NZ_AUTO_JSON json_t *reasons = json_object();
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        json_t *metrics = json_object_get(model, "metrics");
        if (strcmp(nz_json_text_at(model, "status"), "failed") == 0) continue;
        for (void *at = json_object_iter(metrics); at; at = json_object_iter_next(metrics, at)) {
            const char *reason = nz_json_text_at(json_object_iter_value(at), "reason");
            bool itself = strcmp(nz_json_text_at(model, "id"), nz_json_text_at(model, "baseline")) == 0;
            if (!*reason || (itself && strcmp(reason, "identical") == 0)) continue;
            json_t *ids = json_object_get(reasons, reason);
            if (!ids && json_object_set_new(reasons, reason, json_object()) == 0)
                ids = json_object_get(reasons, reason);
            json_object_set_new(ids, json_object_iter_key(at), json_true());
        }
    }
    const char *lead = "\nUnavailable (\xe2\x80\x93):\n";
    for (void *at = json_object_iter(reasons); at; at = json_object_iter_next(reasons, at)) {
        fputs(lead, stream);
        lead = "";
        fputs("  ", stream);
        json_t *ids = json_object_iter_value(at);
        const char *between = "";
        for (void *id = json_object_iter(ids); id; id = json_object_iter_next(ids, id)) {
            fprintf(stream, "%s%s", between, json_object_iter_key(id));
            between = ", ";
        }
        fputs(": ", stream);
        nz_cli_put_printable(stream, json_object_iter_key(at));
        fputc('\n', stream);
    }
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
        nz_text_appendf(&line, "  %s:", label_of(models, i));
        say_accuracy(&line, model);
        if (!say_interval(&line, model, "latency_ms", "latency", "faster", "slower"))
            say_factor(&line, base, model, "latency_ms", "faster", "slower");
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

static void print_note(FILE *stream, const char **lead, const char *about, const char *text) {
    fputs(*lead, stream);
    *lead = "";
    fputs("  ", stream);
    if (*about) {
        nz_cli_put_printable(stream, about);
        fputs(": ", stream);
    }
    nz_cli_put_printable(stream, text);
    fputc('\n', stream);
}

static void print_notes(const json_t *results, FILE *stream) {
    const json_t *models = json_object_get(results, "models"),
                 *warnings = json_object_get(json_object_get(results, "run"), "warnings");
    const char *lead = "\nNotes:\n";
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *notes = json_object_get(model, "notes");
        if (strcmp(nz_json_text_at(model, "status"), "failed") == 0) {
            NZ_AUTO_FREE char *line = NULL;
            if (nz_format(&line, "failed: %s", nz_json_text_at(model, "error")) == NZ_OK)
                print_note(stream, &lead, label_of(models, i), line);
        }
        for (size_t n = 0; n < json_array_size(notes); n++)
            print_note(stream, &lead, label_of(models, i), json_string_value(json_array_get(notes, n)));
    }
    for (size_t n = 0; n < json_array_size(warnings); n++)
        print_note(stream, &lead, "", json_string_value(json_array_get(warnings, n)));
}

static void print_line(FILE *stream, const char *text) {
    if (!*text) return;
    nz_cli_put_printable(stream, text);
    fputc('\n', stream);
}

/* How still the machine was: in every report. */
static void print_noise(const json_t *results, FILE *stream) {
    const json_t *machines = json_object_get(results, "machines");
    for (size_t m = 0; m < json_array_size(machines); m++) {
        const json_t *machine = json_array_get(machines, m), *noise = json_object_get(machine, "noise");
        double spread = nz_json_number_at(noise, "spread_pct"), worst = nz_json_number_at(noise, "worst_pct");
        NZ_AUTO_FREE char *line = NULL;
        if (isnan(spread)) continue;
        if (nz_format(&line, "Noise floor of %s: a fixed piece of work varies by %.1f%% (worst +%.0f%%)",
                      nz_json_text_at(machine, "host"), spread, worst) == NZ_OK)
            print_line(stream, line);
    }
}

/* What speaks against the figures of a model, who wins by OCS while which weight moves, and the noise floor. */
static void print_conditions(const json_t *results, FILE *stream) {
    const json_t *models = json_object_get(results, "models"), *rank = json_object_get(results, "ocs_rank");
    const char *lead = "\n" DAGGER " measured under conditions that speak against it:\n";
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i),
                     *texts = json_object_get(json_object_get(model, "conditions"), "texts");
        if (!is_marked(model)) continue;
        fputs(lead, stream);
        lead = "";
        for (size_t t = 0; t < json_array_size(texts); t++) {
            fprintf(stream, t ? "; " : "  ");
            if (!t) nz_cli_put_printable(stream, label_of(models, i));
            if (!t) fputs(DAGGER ": ", stream);
            const char *text = json_string_value(json_array_get(texts, t));
            nz_cli_put_printable(stream, text ? text : "");
        }
        fputc('\n', stream);
    }
    fputc('\n', stream);
    for (size_t i = 0; i < json_array_size(rank); i++) {
        if (json_array_size(rank) > 1) fprintf(stream, "%s: ", nz_json_text_at(json_array_get(rank, i), "group"));
        print_line(stream, nz_json_text_at(json_array_get(rank, i), "text"));
    }
    print_noise(results, stream);
}

nz_status nz_compare_text_print(const json_t *results, bool everything, FILE *stream) {
    const json_t *models = json_object_get(results, "models");
    NZ_TRY(print_figures(models, stream));
    if (everything) NZ_TRY(print_others(models, stream));
    NZ_TRY(print_ratios(models, stream));
    NZ_TRY(print_summary(models, stream));
    NZ_TRY(nz_against_text_print(results, stream));
    print_conditions(results, stream);
    NZ_TRY(print_missing(models, stream));
    print_notes(results, stream);
    return NZ_OK;
}
