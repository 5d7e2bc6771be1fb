/* SPDX-License-Identifier: Apache-2.0 */
/* netzip report: tables, plots and page once more from results.json. */
#include "cli.h"
#include "core/memory.h"
#include "netzip/report.h"

static const nz_cli_option options[] = {
    {"json", NULL, "print one JSON object with the folder on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "report",
    .arguments = "DIR [--json]",
    .summary =
        "Draws table.csv, table.md, table.tex, plots/ and report.html in DIR again, from DIR/results.json alone.\n"
        "Nothing is measured; what cannot be read ends it with one line and leaves the files as they were.",
    .examples = "netzip compare None=resnet20.onnx PTQ=resnet20-int8.onnx --data cifar10:cifar-10-batches-bin --out "
                "comparison\n"
                "netzip report comparison",
    .least = 1,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

int nz_cmd_report(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = nz_report_write(args.operands[0], nz_cli_progress());
    if (status == NZ_OK && nz_cli_has(&args, "json")) {
        NZ_AUTO_JSON json_t *json = json_pack("{s:o}", "path", nz_json_string(args.operands[0]));
        status = nz_cli_print_json(json);
    }
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
