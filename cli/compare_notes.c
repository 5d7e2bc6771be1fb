/* SPDX-License-Identifier: Apache-2.0 */
/* What stands below the tables of a comparison. A sentence that holds for several models is said once. */
#include <math.h>
#include <string.h>

#include "cli.h"
#include "compare_text.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/text.h"
#include "metric/value_json.h"

#define DAGGER "\xe2\x80\xa0"
#define DOUBLE_DAGGER "\xe2\x80\xa1"

const char *nz_compare_label(const json_t *models, size_t i) {
    const char *name = nz_json_text_at(json_array_get(models, i), "name");
    for (size_t k = 0; k < json_array_size(models); k++)
        if (k != i && strcmp(nz_json_text_at(json_array_get(models, k), "name"), name) == 0)
            return nz_json_text_at(json_array_get(models, i), "id");
    return name;
}

const char *nz_compare_sign(const json_t *model) {
    const json_t *conditions = json_object_get(model, "conditions");
    if (!json_array_size(json_object_get(conditions, "marks"))) return "";
    return strcmp(nz_json_text_at(conditions, "harm"), "certainty") == 0 ? DOUBLE_DAGGER : DAGGER;
}

/* ---- sentences, each with the models it holds for: {sentence: {index: true}} ---- */

static nz_status hold(json_t *sentences, const char *sentence, size_t about) {
    char key[24];
    nz_snprintf(key, sizeof key, "%zu", about);
    json_t *list = json_object_get(sentences, sentence);
    if (!list && json_object_set_new(sentences, sentence, json_object()) == 0)
        list = json_object_get(sentences, sentence);
    return !list || json_object_set_new(list, key, json_true()) ? nz_fail(NZ_E_MEMORY, "out of memory: notes") : NZ_OK;
}

static bool is_about(const json_t *list, size_t i) {
    char key[24];
    nz_snprintf(key, sizeof key, "%zu", i);
    return json_object_get(list, key) != NULL;
}

/* Whether the list holds all variants of the i-th model's name. */
static bool holds_name(const json_t *list, const json_t *models, size_t i) {
    const char *name = nz_json_text_at(json_array_get(models, i), "name");
    for (size_t k = 0; k < json_array_size(models); k++)
        if (strcmp(nz_json_text_at(json_array_get(models, k), "name"), name) == 0 && !is_about(list, k)) return false;
    return true;
}

static bool is_first_of_name(const json_t *models, size_t i) {
    const char *name = nz_json_text_at(json_array_get(models, i), "name");
    for (size_t k = 0; k < i; k++)
        if (strcmp(nz_json_text_at(json_array_get(models, k), "name"), name) == 0) return false;
    return true;
}

/* "all models", "None, PTQ/native/t1/b8": a name stands for all its variants. */
static void put_models(FILE *stream, const json_t *list, const json_t *models) {
    size_t count = json_object_size(list);
    if (count > 1 && count == json_array_size(models)) {
        fputs("all models", stream);
        return;
    }
    for (size_t i = 0, told = 0; i < json_array_size(models); i++) {
        bool whole = holds_name(list, models, i);
        if (!is_about(list, i) || (whole && !is_first_of_name(models, i))) continue;
        fputs(told++ ? ", " : "", stream);
        nz_cli_put_printable(stream,
                             whole ? nz_json_text_at(json_array_get(models, i), "name") : nz_compare_label(models, i));
    }
}

static void put_sentences(FILE *stream, json_t *sentences, const json_t *models, const char *lead) {
    const char *sentence;
    json_t *list;
    json_object_foreach(sentences, sentence, list) {
        fprintf(stream, "%s  ", lead);
        lead = "";
        put_models(stream, list, models);
        fputs(": ", stream);
        nz_cli_put_printable(stream, sentence);
        fputc('\n', stream);
    }
}

/* ---- what speaks against figures ---- */

/* Of the models behind one sign, and what it means for who reads them. */
static nz_status print_marked(const json_t *models, const char *harm, const char *lead, FILE *stream) {
    NZ_AUTO_JSON json_t *sentences = json_object();
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *conditions = json_object_get(json_array_get(models, i), "conditions"),
                     *texts = json_object_get(conditions, "texts");
        const char *own = nz_json_text_at(conditions, "harm");
        if (!json_array_size(json_object_get(conditions, "marks"))) continue;
        if (strcmp(*own ? own : "figures", harm) != 0) continue;
        for (size_t t = 0; t < json_array_size(texts); t++) {
            const char *text = json_string_value(json_array_get(texts, t));
            if (text) NZ_TRY(hold(sentences, text, i));
        }
    }
    put_sentences(stream, sentences, models, lead);
    return NZ_OK;
}

static nz_status print_conditions(const json_t *models, FILE *stream) {
    NZ_TRY(print_marked(models, "ratios",
                        "\n" DAGGER " measured under conditions that speak against the figures, and against ratios:\n",
                        stream));
    NZ_TRY(print_marked(models, "figures",
                        "\n" DAGGER
                        " measured under conditions that speak against the figures (against ratios less: the "
                        "models took turns):\n",
                        stream));
    return print_marked(models, "certainty",
                        "\n" DOUBLE_DAGGER " right, but less sure than was wanted, as the intervals say:\n", stream);
}

/* ---- who wins, and how still the machine was ---- */

static void print_rank(const json_t *rank, FILE *stream) {
    size_t count = json_array_size(rank);
    for (size_t i = 0; i < count; i++) {
        const char *text = nz_json_text_at(json_array_get(rank, i), "text");
        size_t same = 0;
        bool told = !*text;
        for (size_t k = 0; k < count; k++) {
            bool equal = strcmp(nz_json_text_at(json_array_get(rank, k), "text"), text) == 0;
            told = told || (equal && k < i);
            same += equal;
        }
        if (told) continue;
        for (size_t k = i, listed = 0; k < count && same < count; k++) {
            if (strcmp(nz_json_text_at(json_array_get(rank, k), "text"), text) != 0) continue;
            fputs(listed++ ? ", " : "", stream);
            nz_cli_put_printable(stream, nz_json_text_at(json_array_get(rank, k), "group"));
        }
        fputs(same < count ? ": " : "", stream);
        nz_cli_put_printable(stream, text);
        fputc('\n', stream);
    }
}

static void print_noise(const json_t *machines, FILE *stream) {
    enum { MANY_PCT = 1000 };
    for (size_t m = 0; m < json_array_size(machines); m++) {
        const json_t *machine = json_array_get(machines, m), *noise = json_object_get(machine, "noise");
        double spread = nz_json_number_at(noise, "spread_pct"), worst = nz_json_number_at(noise, "worst_pct");
        if (isnan(spread)) continue;
        fputs("Noise floor of ", stream);
        nz_cli_put_printable(stream, nz_json_text_at(machine, "host"));
        fprintf(stream, ": a fixed piece of work varies by %.1f%%", spread);
        if (worst > MANY_PCT)
            fprintf(stream, " (the slowest took %.0f times as long)", 1 + worst / 100);
        else if (!isnan(worst))
            fprintf(stream, " (worst +%.0f%%)", worst);
        fputc('\n', stream);
    }
}

/* ---- what is missing ---- */

/* A reason that is a list, "no power source (rapl: ...; perf: ...)", has a line for each of its parts. */
static void put_reason(FILE *stream, const char *reason) {
    enum { LONG = 160 };
    const char *open = strstr(reason, " (");
    size_t length = strlen(reason);
    NZ_AUTO(nz_text_done) nz_text text = {0};
    if (length <= LONG || !open || reason[length - 1] != ')') {
        nz_cli_put_printable(stream, reason);
        fputc('\n', stream);
        return;
    }
    nz_text_append_bytes(&text, reason, (size_t)(open - reason));
    for (const char *p = open + 2; text.status == NZ_OK && *p;) {
        const char *end = strstr(p, "; ");
        size_t part = end ? (size_t)(end - p) : strlen(p) - 1;
        nz_cli_put_printable(stream, text.data);
        fputs("\n    ", stream);
        nz_text_done(&text);
        nz_text_append_bytes(&text, p, part);
        p += part + (end ? 2 : 1);
    }
    nz_cli_put_printable(stream, text.data ? text.data : "");
    fputc('\n', stream);
}

/* One line for each reason, with the metrics it holds for: a missing sensor would otherwise fill the screen. */
static nz_status print_missing(const json_t *models, FILE *stream) {
    NZ_AUTO_JSON json_t *reasons = json_object();
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        bool itself = strcmp(nz_json_text_at(model, "id"), nz_json_text_at(model, "baseline")) == 0;
        const char *id;
        json_t *metric;
        if (strcmp(nz_json_text_at(model, "status"), "failed") == 0) continue;
        json_object_foreach(json_object_get(model, "metrics"), id, metric) {
            const char *reason = nz_json_text_at(metric, "reason");
            if (!*reason || (itself && strcmp(reason, "identical") == 0)) continue;
            json_t *ids = json_object_get(reasons, reason);
            if (!ids && json_object_set_new(reasons, reason, json_object()) == 0)
                ids = json_object_get(reasons, reason);
            if (!ids || json_object_set_new(ids, id, json_true()))
                return nz_fail(NZ_E_MEMORY, "out of memory: reasons");
        }
    }
    const char *lead = "\nUnavailable:\n", *reason, *id;
    json_t *ids, *unused;
    json_object_foreach(reasons, reason, ids) {
        const char *between = "";
        fprintf(stream, "%s  ", lead);
        lead = "";
        json_object_foreach(ids, id, unused) {
            fprintf(stream, "%s%s", between, id);
            between = ", ";
        }
        fputs(": ", stream);
        put_reason(stream, reason);
    }
    return NZ_OK;
}

/* ---- notes ---- */

/* Whether a warning only repeats what the marks above have said. */
static bool is_mark(const json_t *marks, const char *warning) {
    for (size_t i = 0; i < json_array_size(marks); i++) {
        const char *text = nz_json_text_at(json_array_get(marks, i), "text");
        size_t own = strlen(text), length = strlen(warning);
        if (own && length > own && strcmp(warning + length - own, text) == 0) return true;
    }
    return false;
}

static nz_status print_notes(const json_t *results, FILE *stream) {
    const json_t *models = json_object_get(results, "models"), *run = json_object_get(results, "run"),
                 *warnings = json_object_get(run, "warnings");
    NZ_AUTO_JSON json_t *sentences = json_object();
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *notes = json_object_get(model, "notes");
        NZ_AUTO_FREE char *line = NULL;
        if (strcmp(nz_json_text_at(model, "status"), "failed") == 0) {
            NZ_TRY(nz_format(&line, "failed: %s", nz_json_text_at(model, "error")));
            NZ_TRY(hold(sentences, line, i));
        }
        for (size_t n = 0; n < json_array_size(notes); n++) {
            const char *note = json_string_value(json_array_get(notes, n));
            if (note) NZ_TRY(hold(sentences, note, i));
        }
    }
    const char *lead = "\nNotes:\n";
    put_sentences(stream, sentences, models, lead);
    if (json_object_size(sentences)) lead = "";
    for (size_t n = 0; n < json_array_size(warnings); n++) {
        const char *warning = json_string_value(json_array_get(warnings, n));
        if (!warning || is_mark(json_object_get(run, "marks"), warning)) continue;
        fprintf(stream, "%s  ", lead);
        lead = "";
        nz_cli_put_printable(stream, warning);
        fputc('\n', stream);
    }
    return NZ_OK;
}

nz_status nz_compare_notes_print(const json_t *results, FILE *stream) {
    const json_t *models = json_object_get(results, "models");
    NZ_TRY(print_conditions(models, stream));
    fputc('\n', stream);
    print_rank(json_object_get(results, "ocs_rank"), stream);
    print_noise(json_object_get(results, "machines"), stream);
    NZ_TRY(print_missing(models, stream));
    return print_notes(results, stream);
}
