/* SPDX-License-Identifier: Apache-2.0 */
/* netzip energy: energy and power over a window of an external meter's log. */
#include <math.h>
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "energy_results.h"
#include "metric/value_json.h"
#include "metric/value_text.h"
#include "netzip/measure.h"
#include "netzip/report.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"start", "T",
     "where the window begins: Unix seconds, ISO date and time, or HH:MM:SS (UTC, the first such time in the log); "
     "default: where the log begins"},
    {"end", "T", "where it ends, this time excluded; HH:MM:SS: the first such time after the start"},
    {"columns", "ROLE=COLUMN,...",
     "time, volts, amps, watts, marker: a column's name or number from 1, with its unit behind a colon (amps=3:mA); "
     "default: told by the names in the first line. marker: the window is where this column is neither empty nor 0"},
    {"marker", "step",
     "the window is where power rises for good until it falls again; how clear these two steps are is told, and what "
     "is "
     "not clear is refused"},
    {"plot", "FILE", "draw power over time, the window, gaps and idle power into FILE, .svg or .png; may be repeated"},
    {"results", "DIR",
     "the log was written while netzip compare --out DIR ran: give each model its joules, and draw the report again"},
    {"shift", "SECONDS",
     "with --results: how far the meter's clock is ahead of the machine's; auto: found from the steps of power; "
     "default 0"},
    {"host", "NAME", "with --results of several machines: the one that the meter fed"},
    {"json", NULL, "print one JSON document on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "energy",
    .arguments =
        "LOG [--start T --end T | --marker step] [--columns ...] [--plot FILE] [--results DIR [--shift S]] [--json]",
    .summary =
        "Integrates the power in the log of an external meter over the window [start, end): a line for each sample, "
        "with commas,\nsemicolons or tabs between columns of time and volts, amperes or watts, in any order and at "
        "any interval.",
    .examples =
        "netzip energy meter.csv\n"
        "netzip energy meter.csv --start 06:07:37 --end 10:30:21\n"
        "netzip energy meter.csv --start 2023-03-05T06:07:37Z --end 2023-03-05T10:30:21Z --json\n"
        "netzip energy bare.tsv --columns time=1,volts=2,amps=3:mA\n"
        "netzip energy board.csv --columns watts=P_in,marker=gpio4\n"
        "netzip energy meter.csv --marker step --plot power.svg\n"
        "netzip compare a.onnx b.onnx --block 10 --budget 200 --out cmp && netzip energy meter.csv --results cmp "
        "--shift auto",
    .least = 1,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

enum { ROWS = 16 };
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
        {"energy_net_j", "Energy above idle", "J", "energy", e->joules_net, false, NZ_LOWER, NZ_DERIVED},
        {"power_w", "Mean power", "W", "energy", e->watts, false, NZ_LOWER, NZ_MEASURED},
        {"power_max_w", "Largest power", "W", "energy", e->watts_max, false, NZ_LOWER, NZ_MEASURED},
        {"idle_power_before_w", "Power before the window", "W", "energy", e->idle_before_w, false, NZ_LOWER,
         NZ_MEASURED},
        {"idle_power_after_w", "Power behind the window", "W", "energy", e->idle_after_w, false, NZ_LOWER, NZ_MEASURED},
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
            NZ_TRY(nz_cli_table_add(&out, isnan(rows[i].value)
                                              ? "\xe2\x80\x93"
                                              : nz_number_text(text, rows[i].value, rows[i].unit, false)));
    }
    nz_cli_put_printable(stdout, path);
    printf("\nwindow   %s to %s\ncolumns  ", nz_meter_time_text(from, e->start_ns), nz_meter_time_text(to, e->end_ns));
    nz_cli_put_printable(stdout, e->columns);
    if (!isnan(e->step_clear))
        printf("\nmarker   power rises by %.3g W and falls by %.3g W, %.3g times what it scatters by", e->step_rise_w,
               e->step_fall_w, e->step_clear);
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
        nz_value_report report =
            isnan(rows[i].value)
                ? nz_report_unavailable("the log covers no %d samples beside the window", NZ_METER_IDLE)
                : nz_report_value(rows[i].value, rows[i].source);
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
    if (!isnan(e->step_clear))
        failed |= json_object_set_new(json, "step",
                                      json_pack("{s:f,s:f,s:o}", "rise_w", e->step_rise_w, "fall_w", e->step_fall_w,
                                                "clear", nz_json_real(e->step_clear)));
    return nz_cli_print_json(failed ? NULL : json);
}

static bool ends_in(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static nz_status draw(const nz_cli_args *args, const nz_meter_options *asked, const nz_meter_energy *energy) {
    for (size_t i = 0; i < nz_cli_count(args, "plot"); i++) {
        const char *file = nz_cli_get_at(args, "plot", i);
        bool svg = ends_in(file, ".svg");
        NZ_TRY(nz_report_power(svg ? file : NULL, svg ? NULL : file, args->operands[0], asked->columns, energy));
    }
    return NZ_OK;
}

static nz_status check_arguments(const nz_cli_args *args, const nz_meter_options *asked) {
    const char *marker = nz_cli_get(args, "marker", NULL);
    for (size_t i = 0; i < nz_cli_count(args, "plot"); i++) {
        const char *file = nz_cli_get_at(args, "plot", i);
        if (!ends_in(file, ".svg") && !ends_in(file, ".png"))
            return nz_fail(NZ_E_ARG, "energy: --plot '%s' ends neither in .svg nor in .png", file);
    }
    if (marker && !asked->step)
        return nz_fail(NZ_E_ARG, "energy: --marker '%s' is not step; a marker's column is --columns marker=NAME",
                       marker);
    if (nz_cli_has(args, "shift") || nz_cli_has(args, "host"))
        return nz_fail(NZ_E_ARG, "energy: --%s is for --results DIR", nz_cli_has(args, "shift") ? "shift" : "host");
    return NZ_OK;
}

static nz_status energy_of_log(const nz_cli_args *args) {
    nz_meter_options asked = {.columns = nz_cli_get(args, "columns", NULL),
                              .start = nz_cli_get(args, "start", NULL),
                              .end = nz_cli_get(args, "end", NULL),
                              .step = strcmp(nz_cli_get(args, "marker", ""), "step") == 0};
    nz_meter_energy energy;
    NZ_TRY(check_arguments(args, &asked));
    NZ_TRY(nz_meter_energy_read(&energy, args->operands[0], &asked));
    NZ_TRY(draw(args, &asked, &energy));
    return nz_cli_has(args, "json") ? print_json(&energy, args->operands[0]) : print_table(&energy, args->operands[0]);
}

int nz_cmd_energy(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = nz_cli_has(&args, "results") ? nz_energy_results(&args) : energy_of_log(&args);
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
