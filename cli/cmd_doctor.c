/* SPDX-License-Identifier: Apache-2.0 */
/* netzip doctor: what this machine can measure and run, and what it cannot, and why. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/json.h"
#include "netzip/compare.h"

static const nz_cli_option options[] = {
    {"quick", NULL, "leave out the peak rates of arithmetic and memory: one second instead of about five"},
    {"target", "ssh://HOST", "ask another machine: a worker is copied there, as compare --target does"},
    {"json", NULL, "print one JSON document on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "doctor",
    .arguments = "[--target ssh://HOST] [--quick] [--json]",
    .summary =
        "Says what this machine can measure and run, how well, and what it cannot, why, and what would mend it.\n"
        "Measures the clock, the noise floor, peak rates of arithmetic in FP32, BF16 and INT8, and bandwidths.",
    .examples = "netzip doctor\n"
                "netzip doctor --target ssh://pi@raspberrypi\n"
                "netzip doctor --json | jq .arithmetic.peaks",
    .least = 0,
    .most = 0,
    .options = options,
    .option_count = NZ_COUNT(options),
};

enum { INDENT = 26, WIDTH = 100 };

/* The text behind `used` columns, broken between words and indented. */
static void print_wrapped(const char *text, int used) {
    int column = used;
    while (*text) {
        size_t length = strcspn(text, " ");
        char word[256];
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), text);
        if (column > used && column + (int)length > WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > used) {
            putchar(' ');
        }
        nz_cli_put_printable(stdout, word);
        column += (int)length + 1;
        if (length >= sizeof word) length = sizeof word - 1;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_row(const char *name, const char *grade, const char *text) {
    printf("%-13s %-11s ", name, grade);
    print_wrapped(text, INDENT);
}

/* What is to be typed stays on one line, so that it can be copied. */
static void print_mend(const json_t *json) {
    static const char *const keys[] = {"mend", "lasts"}, *const words[] = {"mend", "to last over restarts"};
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        const char *text = nz_json_text_at(json, keys[i]);
        if (!*text) continue;
        printf("%*s%s: ", INDENT, "", words[i]);
        nz_cli_put_printable(stdout, text);
        putchar('\n');
    }
}

/* Whether one of the part's sources says itself what would mend it: then that is told once. */
static bool sources_mend(const json_t *sources) {
    for (size_t i = 0; i < json_array_size(sources); i++)
        if (*nz_json_text_at(json_array_get(sources, i), "mend")) return true;
    return false;
}

static void print_sources(const json_t *sources) {
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *source = json_array_get(sources, i);
        bool usable = json_is_true(json_object_get(source, "usable"));
        const char *name = nz_json_text_at(source, "name");
        printf("%*s%s: ", INDENT, "", name);
        print_wrapped(nz_json_text_at(source, usable ? "detail" : "reason"), INDENT + (int)strlen(name) + 2);
        print_mend(source);
    }
}

static void print_libraries(const json_t *doctor) {
    char list[1024] = "";
    json_t *libraries = json_object_get(doctor, "libraries");
    for (void *at = json_object_iter(libraries); at; at = json_object_iter_next(libraries, at)) {
        const char *version = json_string_value(json_object_iter_value(at));
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s %s", used ? ", " : "", json_object_iter_key(at),
                 version ? version : "(unusable)");
    }
    print_row("libraries", "", list);
}

static void print_document(const json_t *doctor) {
    static const char *const categories[] = {"clock",  "noise", "cpu",      "instructions", "arithmetic", "bandwidth",
                                             "memory", "power", "counters", "gpu",          "runtime"};
    for (size_t i = 0; i < NZ_COUNT(categories); i++) {
        const json_t *part = json_object_get(doctor, categories[i]);
        print_row(categories[i], nz_json_text_at(part, "verdict"), nz_json_text_at(part, "summary"));
        if (!sources_mend(json_object_get(part, "sources"))) print_mend(part);
        print_sources(json_object_get(part, "sources"));
    }
    print_libraries(doctor);
}

int nz_cmd_doctor(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    NZ_AUTO_FREE char *text = NULL;
    nz_doctor_options what = {.quick = nz_cli_has(&args, "quick"), .target = nz_cli_get(&args, "target", NULL)};
    nz_progress progress = *nz_cli_progress();
    if (nz_cli_has(&args, "json")) progress.note = NULL; /* it stands in the document */
    nz_status status = nz_doctor(&text, &what, &progress);
    nz_cli_progress_end();
    json_error_t error;
    NZ_AUTO_JSON json_t *document = status == NZ_OK ? json_loads(text, 0, &error) : NULL;
    if (status == NZ_OK && !document) status = nz_fail(NZ_E_MEMORY, "out of memory: the report of this machine");
    if (status == NZ_OK && nz_cli_has(&args, "json"))
        fputs(text, stdout);
    else if (status == NZ_OK)
        print_document(document);
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
