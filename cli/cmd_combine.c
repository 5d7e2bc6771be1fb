/* SPDX-License-Identifier: Apache-2.0 */
/* netzip combine: ratios and OCS of numbers that were measured elsewhere. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "metric/combine_table.h"
#include "metric/value_json.h"
#include "netzip/report.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"performance", "ID", "metric of the performance ratio; default top1, else map50_95, else map50"},
    {"speedup", "ID", "metric of the speedup ratio; default chats, else chats_macs"},
    {"compression", "ID", "metric of the compression ratio; default disk_bytes"},
    {"efficiency", "ID", "metric of the efficiency ratio; default energy_j"},
    {"zeta", "X", "factor of the speedup ratio where its metric is counted, not timed; default 1"},
    {"lambda", "A,B,C,D",
     "weights of performance, speedup, compression, efficiency in OCS; 0 removes a term; default 1,1,1,1"},
    {"better", "ID=lower",
     "which way is better (lower or higher) for a column that is no metric of netzip; may be repeated"},
    {"out", "DIR", "write results.json, manifest.json, tables, plots and report.html there"},
    {"json", NULL, "print the results document on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "combine",
    .arguments = "TABLE.csv [options]",
    .summary = "Computes the combined measures (ratios and overall compression score) of numbers that were measured "
               "elsewhere.\n"
               "TABLE.csv has a header. Its first column names the models, its first row is the baseline, the other "
               "columns are\n"
               "metrics by id; a suffix _k, _m, _g, _mb or _gb scales one (disk_mb is disk_bytes in units of 10^6).",
    .examples = "netzip combine results.csv\n"
                "netzip combine results.csv --speedup chats_macs --compression cpu_util_pct\n"
                "netzip combine results.csv --better co2_g=lower --efficiency co2_g --lambda 1,1,0,1 --out combined",
    .least = 1,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

/* --better ID=lower, several times or with commas. */
typedef struct stated_list {
    nz_stated_better *items;
    size_t count, capacity;
} stated_list;

static void stated_done(stated_list *list) {
    for (size_t i = 0; i < list->count; i++) free((char *)(uintptr_t)list->items[i].id);
    free(list->items);
}

static nz_status add_stated(stated_list *list, const char *text, size_t length) {
    NZ_AUTO_FREE char *piece = NULL;
    NZ_TRY(nz_format(&piece, "%.*s", (int)length, text));
    char *equals = strrchr(piece, '=');
    bool lower = equals && strcmp(equals + 1, "lower") == 0, higher = equals && strcmp(equals + 1, "higher") == 0;
    if ((!lower && !higher) || equals == piece)
        return nz_fail(NZ_E_ARG, "combine: --better '%s' is not of the form ID=lower or ID=higher", piece);
    *equals = '\0';
    NZ_TRY(nz_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    list->items[list->count++] = (nz_stated_better){NZ_STEAL(piece), lower ? NZ_LOWER : NZ_HIGHER};
    return NZ_OK;
}

static nz_status read_stated(stated_list *list, const nz_cli_args *args) {
    for (size_t i = 0; i < nz_cli_count(args, "better"); i++)
        for (const char *p = nz_cli_get_at(args, "better", i);;) {
            size_t length = strcspn(p, ",");
            NZ_TRY(add_stated(list, p, length));
            if (!p[length]) break;
            p += length + 1;
        }
    return NZ_OK;
}

static nz_status read_request(nz_table_request *request, const nz_cli_args *args) {
    for (int i = 0; i < 4; i++) {
        request->ids[i] = nz_cli_get(args, nz_ratio_names[i], NULL);
        request->lambda[i] = 1;
    }
    NZ_TRY(nz_cli_get_real(&request->zeta, args, "zeta", 1));
    if (!(request->zeta > 0)) return nz_fail(NZ_E_ARG, "combine: --zeta must be above 0");
    const char *lambda = nz_cli_get(args, "lambda", NULL);
    return lambda ? nz_lambda_parse(request->lambda, lambda, "combine: --lambda") : NZ_OK;
}

static nz_status add_value(nz_cli_table *table, const nz_value_report *value) {
    if (value->source == NZ_UNAVAILABLE) return nz_cli_table_add(table, "-");
    return nz_cli_table_addf(table, "%.4f", value->value);
}

static nz_status print_table(const nz_table *table, const nz_combine_options *chosen) {
    const char *const ids[4] = {chosen->performance, chosen->speedup, chosen->compression, chosen->efficiency};
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = 6};
    NZ_TRY(nz_cli_table_add(&out, table->csv.header[0]));
    for (int i = 0; i < 4; i++) NZ_TRY(nz_cli_table_addf(&out, "%s (%.100s)", nz_ratio_names[i], ids[i]));
    NZ_TRY(nz_cli_table_add(&out, "OCS"));
    for (size_t r = 0; r < table->csv.rows; r++) {
        nz_combined combined;
        nz_table_combine(&combined, table, chosen, r);
        NZ_TRY(nz_cli_table_add(&out, table->names[r]));
        for (int i = 0; i < 4; i++) NZ_TRY(add_value(&out, &combined.ratio[i]));
        NZ_TRY(add_value(&out, &combined.ocs));
    }
    nz_cli_table_print(&out, stdout, 1);
    return NZ_OK;
}

static void print_line(const char *name, const char *text) {
    nz_cli_put_printable(stdout, name);
    fputs(": ", stdout);
    nz_cli_put_printable(stdout, text);
    fputc('\n', stdout);
}

static nz_status print_partial(const char *name, const nz_combined *combined) {
    NZ_AUTO_FREE char *line = NULL;
    nz_text text = {0};
    nz_text_append(&text, "OCS without ");
    bool first = true;
    for (int i = 0; i < 4; i++) {
        if (!combined->without[i]) continue;
        nz_text_appendf(&text, "%s%s", first ? "" : " and ", nz_ratio_names[i]);
        first = false;
    }
    nz_text_appendf(&text, ": %.4f", combined->partial.value);
    NZ_TRY(nz_text_take(&text, &line));
    print_line(name, line);
    return NZ_OK;
}

/* Why something is missing, and what does not fit together. */
static nz_status print_notes(const nz_table *table, const nz_combine_options *chosen) {
    for (size_t r = 0; r < table->csv.rows; r++) {
        nz_combined combined;
        NZ_AUTO_FREE char *note = NULL;
        nz_table_combine(&combined, table, chosen, r);
        for (int i = 0; i < 4; i++)
            if (combined.ratio[i].source == NZ_UNAVAILABLE) {
                NZ_AUTO_FREE char *line = NULL;
                NZ_TRY(nz_format(&line, "no %s ratio: %s", nz_ratio_names[i], combined.ratio[i].reason));
                print_line(table->names[r], line);
            }
        if (combined.ocs.source == NZ_UNAVAILABLE && combined.partial.source != NZ_UNAVAILABLE)
            NZ_TRY(print_partial(table->names[r], &combined));
        NZ_TRY(nz_table_note(&note, table, r));
        if (note) print_line(table->names[r], note);
    }
    return NZ_OK;
}

/* Who wins, and what it hangs on. */
static void print_rank(const json_t *document) {
    const json_t *rank = json_object_get(document, "ocs_rank");
    for (size_t i = 0; i < json_array_size(rank); i++) {
        nz_cli_put_printable(stdout, nz_json_text_at(json_array_get(rank, i), "text"));
        fputc('\n', stdout);
    }
}

/* What it takes to repeat the calculation: the command, the table as it was, the choices in force. */
static json_t *manifest_json(const json_t *document, const nz_combine_options *chosen) {
    const json_t *run = json_object_get(document, "run");
    return json_pack("{s:s, s:O, s:O, s:O, s:O, s:{s:s, s:s, s:s, s:s, s:f, s:[f,f,f,f]}}", "schema",
                     "netzip.manifest/1", "started", json_object_get(run, "started"), "command",
                     json_object_get(run, "command"), "version", json_object_get(run, "version"), "table",
                     json_object_get(run, "table"), "options", "performance", chosen->performance, "speedup",
                     chosen->speedup, "compression", chosen->compression, "efficiency", chosen->efficiency, "zeta",
                     chosen->zeta, "lambda", chosen->lambda[0], chosen->lambda[1], chosen->lambda[2],
                     chosen->lambda[3]);
}

static nz_status write_results(const json_t *document, const nz_combine_options *chosen, const char *folder) {
    NZ_AUTO_FREE char *results = NULL, *manifest = NULL;
    NZ_AUTO_JSON json_t *how = manifest_json(document, chosen);
    NZ_TRY(nz_dir_make(folder));
    NZ_TRY(nz_path_join(&results, folder, "results.json"));
    NZ_TRY(nz_path_join(&manifest, folder, "manifest.json"));
    NZ_TRY(nz_json_write(how, manifest));
    return nz_json_write(document, results);
}

static nz_status combine(const nz_cli_args *args, int argc, char **argv) {
    NZ_AUTO(stated_done) stated_list stated = {0};
    NZ_AUTO_TABLE nz_table table = {0};
    NZ_AUTO_JSON json_t *document = NULL;
    nz_table_request request = {0};
    nz_combine_options chosen;
    const char *path = args->operands[0], *out = nz_cli_get(args, "out", NULL);
    NZ_TRY(read_request(&request, args));
    NZ_TRY(read_stated(&stated, args));
    NZ_TRY(nz_table_read(&table, path, stated.items, stated.count));
    NZ_TRY(nz_table_options(&chosen, &table, &request));
    NZ_TRY(nz_table_json(&document, &table, &chosen, path, argc, argv));
    if (out) {
        NZ_TRY(write_results(document, &chosen, out));
        NZ_TRY(nz_report_write(out, nz_cli_progress()));
        nz_cli_progress_end();
    }
    if (nz_cli_has(args, "json")) {
        return nz_cli_print_json(document);
    }
    NZ_TRY(print_table(&table, &chosen));
    NZ_TRY(print_notes(&table, &chosen));
    print_rank(document);
    return NZ_OK;
}

int nz_cmd_combine(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = combine(&args, argc, argv);
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
