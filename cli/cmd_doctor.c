/* SPDX-License-Identifier: Apache-2.0 */
/* netzip doctor: what this machine can measure and run, and what it cannot, and why. */
#include "cli.h"
#include "core/error.h"
#include "core/json.h"
#include "netzip/compare.h"

static const nz_cli_option options[] = {
    {"json", NULL, "print one JSON document on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "doctor",
    .arguments = "[--json]",
    .summary = "Says what this machine can measure and run, how well, and what it cannot, why, and what would mend it.",
    .examples = "netzip doctor",
    .least = 0,
    .most = 0,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static void print_row(const char *name, const char *grade, const char *text) {
    printf("%-9s %-12s ", name, grade);
    nz_cli_put_printable(stdout, text);
    putchar('\n');
}

static void print_mend(const json_t *json) {
    const char *mend = nz_json_text_at(json, "mend");
    if (!*mend) return;
    printf("%-22s mend: ", "");
    nz_cli_put_printable(stdout, mend);
    putchar('\n');
}

static void print_sources(const json_t *sources) {
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *source = json_array_get(sources, i);
        bool usable = json_is_true(json_object_get(source, "usable"));
        printf("%-22s %s: ", "", nz_json_text_at(source, "name"));
        nz_cli_put_printable(stdout, nz_json_text_at(source, usable ? "detail" : "reason"));
        putchar('\n');
        print_mend(source);
    }
}

static void print_document(const json_t *doctor) {
    static const char *const categories[] = {"clock", "cpu", "memory", "power", "gpu", "runtime"};
    for (size_t i = 0; i < NZ_COUNT(categories); i++) {
        const json_t *part = json_object_get(doctor, categories[i]);
        print_row(categories[i], nz_json_text_at(part, "verdict"), nz_json_text_at(part, "summary"));
        print_mend(part);
        print_sources(json_object_get(part, "sources"));
    }
    const json_t *host = json_object_get(doctor, "host");
    printf("%-22s instruction sets: ", "");
    nz_cli_put_printable(stdout, nz_json_text_at(host, "isa"));
    printf("\n%-9s %-12s ", "libraries", "");
    json_t *libraries = json_object_get(doctor, "libraries");
    const char *between = "";
    for (void *at = json_object_iter(libraries); at; at = json_object_iter_next(libraries, at)) {
        const char *version = json_string_value(json_object_iter_value(at));
        printf("%s%s %s", between, json_object_iter_key(at), version ? version : "(unusable)");
        between = ", ";
    }
    putchar('\n');
}

int nz_cmd_doctor(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    NZ_AUTO_FREE char *text = NULL;
    nz_status status = nz_doctor(&text);
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
