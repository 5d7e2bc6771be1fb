/* SPDX-License-Identifier: Apache-2.0 */
/* netzip run: one file describes training, compression and comparison; it is done step by step. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "experiment_text.h"
#include "netzip/experiment.h"

static const nz_cli_option options[] = {
    {"out", "DIR", "results folder; default beside the file, under its name"},
    {"resume", NULL, "go on where an earlier run was stopped; steps whose inputs have not changed are not done again"},
    {"data", "DATA", "other samples than the file's, kind:path[,key=value...]; its preprocessing stays"},
    {"set", "KEY=VALUE", "another value than the file's: train.epochs=3, seeds=[0], methods.0=ptq; may be repeated"},
    {"threads", "N", "threads to train and compress with; default all (compare: threads: says those that are timed)"},
    {"dry-run", NULL, "check everything and list the steps, but do nothing; data may be absent"},
    {"json", NULL, "print results.json (of a dry run the steps) on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "run",
    .arguments = "EXPERIMENT.yaml [options]",
    .summary =
        "Trains, compresses and compares as one file describes it (docs/experiments.md tells its keys), and writes\n"
        "the report. Every method starts from the same trained network; lists as values are swept; several seeds\n"
        "give means and standard deviations. Paths in the file count from where the command is run. Configuration\n"
        "files of the first NetZIP are taken too.",
    .examples = "netzip run experiments/resnet20-cifar10.yaml --out results\n"
                "netzip run experiments/resnet20-cifar10.yaml --out results --resume\n"
                "netzip run experiments/resnet18-cifar10.yaml --data cifar10:cifar-10-batches-bin --set train.epochs=3",
    .least = 1,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static nz_status run(const nz_cli_args *args, int argc, char **argv, int *ret_exit) {
    NZ_AUTO(nz_experiment_result_done) nz_experiment_result result = {0};
    NZ_AUTO_FREE const char **command = NULL, **changes = NULL;
    long long threads = 0;
    size_t count = nz_cli_count(args, "set");
    NZ_TRY(nz_cli_get_int(&threads, args, "threads", 0, 0, 1024));
    NZ_TRY(nz_alloc(&command, (size_t)argc + 1, sizeof *command));
    NZ_TRY(nz_alloc(&changes, count, sizeof *changes));
    command[0] = "netzip";
    for (int i = 0; i < argc; i++) command[i + 1] = argv[i];
    for (size_t i = 0; i < count; i++) changes[i] = nz_cli_get_at(args, "set", i);
    nz_experiment_options o = {.out = nz_cli_get(args, "out", NULL),
                               .resume = nz_cli_has(args, "resume"),
                               .dry_run = nz_cli_has(args, "dry-run"),
                               .data = nz_cli_get(args, "data", NULL),
                               .changes = changes,
                               .change_count = count,
                               .threads = (int)threads,
                               .command = command,
                               .command_count = (size_t)argc + 1};
    NZ_TRY(nz_experiment_run(&result, args->operands[0], &o, nz_cli_progress()));
    nz_cli_progress_end();
    if (nz_cli_has(args, "json"))
        fputs(result.json, stdout);
    else if (o.dry_run)
        NZ_TRY(nz_experiment_print_plan(&result, stdout));
    else
        NZ_TRY(nz_experiment_print(&result, stdout));
    if (!nz_cli_has(args, "json") && !o.dry_run) nz_experiment_print_place(&result, stdout);
    if (result.condition) nz_cli_error("fail_if: %s", result.condition);
    if (result.failed || result.condition) *ret_exit = NZ_EXIT_FAILED;
    return NZ_OK;
}

int nz_cmd_run(int argc, char **argv) {
    nz_cli_args args;
    int exit_status = 0;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = run(&args, argc, argv, &exit_status);
    nz_cli_args_done(&args);
    return status == NZ_OK ? exit_status : nz_cli_finish(status);
}
