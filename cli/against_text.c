/* SPDX-License-Identifier: Apache-2.0 */
/* What got better or worse than in an earlier run, as people read it: a line for each change that is beyond noise, and how
 * many figures are not. */
#include <math.h>
#include <string.h>

#include "cli.h"
#include "compare_text.h"
#include "core/error.h"
#include "core/text.h"
#include "metric/value_text.h"

/* A name on a line of its own: what would end the line becomes a blank. */
static void put_line(nz_text *out, const char *text) {
    for (; *text; text++) nz_text_append_bytes(out, *text == '\n' ? " " : text, 1);
}

static bool is_word(const json_t *entry, const char *word) {
    return strcmp(nz_json_text_at(entry, "difference"), word) == 0;
}

static double end_of(const json_t *object, size_t end) {
    const json_t *value = json_array_get(json_object_get(object, "ci95"), end);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* "1.107x, 95% 1.080 to 1.132, relative to the baseline" */
static void say_amount(nz_text *out, const json_t *entry) {
    const json_t *points = json_object_get(entry, "points");
    bool by_points = points != NULL;
    double value = nz_json_number_at(by_points ? points : entry, by_points ? "value" : "ratio");
    double low = end_of(by_points ? points : entry, 0), high = end_of(by_points ? points : entry, 1);
    if (isnan(value)) return;
    nz_text_appendf(out, by_points ? " (%+.2f points" : " (%.3fx", value);
    if (!isnan(low)) nz_text_appendf(out, by_points ? ", 95%% %+.2f to %+.2f" : ", 95%% %.3f to %.3f", low, high);
    if (strcmp(nz_json_text_at(entry, "by"), "baseline") == 0) nz_text_append(out, ", relative to the baseline");
    nz_text_append(out, ")");
}

static void say_change(nz_text *out, const json_t *entry) {
    char before[NZ_VALUE_TEXT], after[NZ_VALUE_TEXT];
    const char *unit = nz_json_text_at(entry, "unit");
    const json_t *old = json_object_get(entry, "old"), *new = json_object_get(entry, "new");
    nz_text_appendf(out, "%s %s -> %s", nz_json_text_at(entry, "id"),
                    nz_number_text(before, json_number_value(old), unit, json_is_integer(old)),
                    nz_number_text(after, json_number_value(new), unit, json_is_integer(new)));
    say_amount(out, entry);
}

/* Every change of one kind, a line each. */
static void say_changes(nz_text *out, const json_t *metrics, const char *word) {
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *entry = json_array_get(metrics, i);
        if (!is_word(entry, word)) continue;
        nz_text_appendf(out, "    %-8s", word);
        say_change(out, entry);
        nz_text_append(out, "\n");
    }
}

/* "    new     a, b" */
static void say_ids(nz_text *out, const json_t *metrics, const char *word) {
    const char *between = NULL;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *entry = json_array_get(metrics, i);
        if (!is_word(entry, word)) continue;
        if (!between) nz_text_appendf(out, "    %-8s", word);
        nz_text_appendf(out, "%s%s", between ? between : "", nz_json_text_at(entry, "id"));
        between = ", ";
    }
    if (between) nz_text_append(out, "\n");
}

static void say_model(nz_text *out, const json_t *model) {
    const json_t *metrics = json_object_get(model, "metrics"), *notes = json_object_get(model, "notes");
    size_t same = 0, unsaid = 0;
    nz_text_append(out, "  ");
    put_line(out, nz_json_text_at(model, "id"));
    nz_text_appendf(out, ": %s\n", nz_json_text_at(model, "difference"));
    if (!json_array_size(metrics)) return;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        same += is_word(json_array_get(metrics, i), "indistinguishable");
        unsaid += is_word(json_array_get(metrics, i), "");
    }
    say_changes(out, metrics, "worse");
    say_changes(out, metrics, "better");
    say_ids(out, metrics, "new");
    say_ids(out, metrics, "gone");
    nz_text_appendf(out, "    %zu figure%s indistinguishable", same, same == 1 ? "" : "s");
    if (unsaid) nz_text_appendf(out, ", %zu without an interval to tell by", unsaid);
    nz_text_append(out, "\n");
    for (size_t i = 0; i < json_array_size(notes); i++)
        nz_text_appendf(out, "    note: %s\n", json_string_value(json_array_get(notes, i)));
}

nz_status nz_against_text_print(const json_t *results, FILE *stream) {
    const json_t *against = json_object_get(results, "against"), *models = json_object_get(against, "models"),
                 *text = json_object_get(against, "text");
    NZ_AUTO(nz_text_done) nz_text out = {0};
    if (!json_is_object(against)) return NZ_OK;
    nz_text_append(&out, "\nAgainst ");
    put_line(&out, nz_json_text_at(against, "path"));
    nz_text_append(&out, " (");
    put_line(&out, nz_json_text_at(against, "started"));
    nz_text_append(&out, "):\n");
    for (size_t i = 0; i < json_array_size(models); i++) say_model(&out, json_array_get(models, i));
    for (size_t i = 0; i < json_array_size(text); i++)
        nz_text_appendf(&out, "  note: %s\n", json_string_value(json_array_get(text, i)));
    NZ_TRY(out.status);
    /* Lines are ours, what stands in them is not. */
    for (char *line = out.data, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        nz_cli_put_printable(stream, line);
        fputc('\n', stream);
    }
    return NZ_OK;
}
