/* SPDX-License-Identifier: Apache-2.0 */
/* netzip energy: energy and power over a window of an external meter's log. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "metric/value_json.h"
#include "metric/value_text.h"
#include "netzip/measure.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"start", "T",
     "where the window begins: Unix seconds, ISO date and time, or HH:MM:SS (UTC, the first such time in the log); "
     "default: where the log begins"},
    {"end", "T", "where it ends, this time excluded; HH:MM:SS: the first such time after the start"},
    {"columns", "ROLE=COLUMN,...",
     "time, volts, amps, watts, marker: a column's name or number from 1, with its unit behind a colon (amps=3:mA); "
     "default: told by the names in the first line. marker: the window is where this column is neither empty nor 0"},
    {"json", NULL, "print one JSON document on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "energy",
    .arguments = "LOG [--start T --end T] [--columns ...] [--json]",
    .summary =
        "Integrates the power in the log of an external meter over the window [start, end): a line for each sample, "
        "with commas,\nsemicolons or tabs between columns of time and volts, amperes or watts, in any order and at "
        "any interval.",
    .examples = "netzip energy meter.csv\n"
                "netzip energy meter.csv --start 06:07:37 --end 10:30:21\n"
                "netzip energy meter.csv --start 2023-03-05T06:07:37Z --end 2023-03-05T10:30:21Z --json\n"
                "netzip energy bare.tsv --columns time=1,volts=2,amps=3:mA\n"
                "netzip energy board.csv --columns watts=P_in,marker=gpio4",
    .least = 1,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

enum { ROWS = 13 };
typedef struct row {
    const char *id, *title, *unit, *category;
    double value;
    bool integer;
    nz_better better;
    nz_source source;
} row;

static void rows_of(row rows[ROWS], const nz_meter_energy *e) {
    const row all[ROWS] = {
        {"energy_j", "Energy", "J", "energy", e->joules, false, NZ_LOWER, NZ_MEASURED},
        {"power_w", "Mean power", "W", "energy", e->watts, false, NZ_LOWER, NZ_MEASURED},
        {"power_max_w", "Largest power", "W", "energy", e->watts_max, false, NZ_LOWER, NZ_MEASURED},
        {"power_mean_samples_w", "Mean of the samples", "W", "energy", e->watts_mean_samples, false, NZ_LOWER,
         NZ_MEASURED},
        {"disagreement_pct", "Disagreement", "%", "energy", e->disagreement_pct, false, NZ_LOWER, NZ_DERIVED},
        {"seconds", "Window", "s", "time", e->seconds, false, NZ_NEITHER, NZ_MEASURED},
        {"samples", "Samples", "", "log", (double)e->samples, true, NZ_NEITHER, NZ_MEASURED},
        {"interval_s", "Sampling interval", "s", "log", e->interval_s, false, NZ_NEITHER, NZ_MEASURED},
        {"gaps", "Gaps", "", "log", (double)e->gaps, true, NZ_LOWER, NZ_MEASURED},
        {"dropped", "Dropped samples", "", "log", (double)e->dropped, true, NZ_LOWER, NZ_DERIVED},
        {"missing", "Rows without reading", "", "log", (double)e->missing, true, NZ_LOWER, NZ_MEASURED},
        {"duplicates", "Repeated times", "", "log", (double)e->duplicates, true, NZ_LOWER, NZ_MEASURED},
        {"backwards", "Rows back in time", "", "log", (double)e->backwards, true, NZ_LOWER, NZ_MEASURED},
    };
    memcpy(rows, all, sizeof all);
}

static nz_status print_table(const nz_meter_energy *e, const char *path) {
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = 3};
    static const char *const headings[] = {"figure", "id", "value"};
    row rows[ROWS];
    char text[NZ_VALUE_TEXT], from[40], to[40];
    rows_of(rows, e);
    for (size_t i = 0; i < NZ_COUNT(headings); i++) NZ_TRY(nz_cli_table_add(&out, headings[i]));
    for (size_t i = 0; i < ROWS; i++) {
        NZ_TRY(nz_cli_table_add(&out, rows[i].title));
        NZ_TRY(nz_cli_table_add(&out, rows[i].id));
        if (rows[i].integer)
            NZ_TRY(nz_cli_table_addf(&out, "%.0f", rows[i].value));
        else
            NZ_TRY(nz_cli_table_add(&out, nz_number_text(text, rows[i].value, rows[i].unit, false)));
    }
    nz_cli_put_printable(stdout, path);
    printf("\nwindow   %s to %s\ncolumns  ", nz_meter_time_text(from, e->start_ns), nz_meter_time_text(to, e->end_ns));
    nz_cli_put_printable(stdout, e->columns);
    printf("\n\n");
    nz_cli_table_print(&out, stdout, 1u | 1u << 1);
    if (e->note_count) putchar('\n');
    for (size_t i = 0; i < e->note_count; i++) {
        fputs("note: ", stdout);
        nz_cli_put_printable(stdout, e->notes[i]);
        putchar('\n');
    }
    if (e->marked) printf("MARKED: these figures should not be quoted without the notes above\n");
    return NZ_OK;
}

static json_t *time_json(int64_t ns) {
    char text[40];
    return json_pack("{s:o, s:s}", "seconds", nz_json_real((double)ns * 1e-9), "text", nz_meter_time_text(text, ns));
}

static nz_status print_json(const nz_meter_energy *e, const char *path) {
    NZ_AUTO_JSON json_t *json = json_object();
    row rows[ROWS];
    rows_of(rows, e);
    int failed = json_object_set_new(json, "log", nz_json_string(path));
    for (size_t i = 0; i < ROWS; i++) {
        nz_value_report report = nz_report_value(rows[i].value, rows[i].source);
        report.has_n = i == 0 || strcmp(rows[i].unit, "W") == 0;
        report.n = e->samples;
        json_t *value = nz_value_json_as(&report, rows[i].unit, rows[i].category, rows[i].better, rows[i].integer);
        failed |= json_object_set_new(json, rows[i].id, value);
    }
    json_t *notes = json_array();
    failed |= json_object_set_new(json, "notes", notes);
    for (size_t i = 0; i < e->note_count; i++) failed |= json_array_append_new(notes, nz_json_string(e->notes[i]));
    failed |= json_object_set_new(json, "marked", json_boolean(e->marked));
    failed |= json_object_set_new(json, "columns", nz_json_string(e->columns));
    failed |= json_object_set_new(json, "start", time_json(e->start_ns));
    failed |= json_object_set_new(json, "end", time_json(e->end_ns));
    return nz_cli_print_json(failed ? NULL : json);
}

int nz_cmd_energy(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_meter_options asked = {nz_cli_get(&args, "columns", NULL), nz_cli_get(&args, "start", NULL),
                              nz_cli_get(&args, "end", NULL)};
    nz_meter_energy energy;
    nz_status status = nz_meter_energy_read(&energy, args.operands[0], &asked);
    if (status == NZ_OK)
        status =
            nz_cli_has(&args, "json") ? print_json(&energy, args.operands[0]) : print_table(&energy, args.operands[0]);
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
