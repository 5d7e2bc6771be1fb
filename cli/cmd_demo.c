/* SPDX-License-Identifier: Apache-2.0 */
/* netzip demo: train, compress, compare and report on images that netzip draws itself: nothing is downloaded. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/text.h"
#include "experiment_text.h"
#include "netzip/experiment.h"

static const nz_cli_option options[] = {
    {"task", "NAME", "classification, the default and the only one"},
    {"out", "DIR", "results folder; default netzip-demo"},
    {"seed", "N",
     "of data order, initial weights and random pruning; default 0. The same seed gives the same table, apart "
     "from measured times and energies"},
    {"threads", "N", "threads to train and compress with; default all"},
    {"quick", NULL,
     "a few hundred images and one epoch: shows that everything works, in seconds; the accuracy means nothing"},
    {"json", NULL, "print results.json on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "demo",
    .arguments = "[--out DIR] [--seed N] [--threads N]",
    .summary =
        "The whole job without any file: trains a small residual network on drawn shapes, compresses it by PTQ, QAT,\n"
        "GUP_R and GUP_L1, compares, and writes the report; about two minutes on two cores. The experiment that was "
        "run\n"
        "lies in the results folder as experiment.yaml: change it, and run it by 'netzip run'.",
    .examples = "netzip demo\nnetzip demo --out shapes --seed 1",
    .least = 0,
    .most = 0,
    .options = options,
    .option_count = NZ_COUNT(options),
};

/* What differs between the demonstration and its quick form. */
typedef struct scale {
    int train, test, epochs, finetune, batch;
    double budget_s;
} scale;
static const scale whole = {12000, 2000, 10, 2, 64, 1.5}, quick = {320, 100, 1, 1, 32, 0.05};

static nz_status experiment_text(char **ret_text, const scale *s, long long seed) {
    return nz_format(ret_text,
                     "# What netzip demo runs. Change it, and run it again by: netzip run experiment.yaml --out DIR\n"
                     "name: demo\n"
                     "seeds: [%lld]          # several, such as [0, 1, 2], give means and standard deviations\n"
                     "data:\n"
                     "  train: synthetic:shapes,split=train,count=%d\n"
                     "  test: synthetic:shapes,split=test,count=%d\n"
                     "  preprocess: preset=cifar10\n"
                     "model:\n"
                     "  arch: resnet8\n"
                     "train:\n"
                     "  epochs: %d\n"
                     "  batch: %d\n"
                     "methods:                # a list as a value is a sweep: sparsity: [0.5, 0.75, 0.9]\n"
                     "  - ptq\n"
                     "  - qat: {epochs: %d, batch: %d}\n"
                     "  - gup-r: {sparsity: 0.75, finetune: %d, batch: %d}\n"
                     "  - gup-l1: {sparsity: 0.75, finetune: %d, batch: %d}\n"
                     "compare:\n"
                     "  budget: %g            # seconds for the latency of each model\n",
                     seed, s->train, s->test, s->epochs, s->batch, s->finetune, s->batch, s->finetune, s->batch,
                     s->finetune, s->batch, s->budget_s);
}

static nz_status demo(const nz_cli_args *args, int argc, char **argv, int *ret_exit) {
    NZ_AUTO(nz_experiment_result_done) nz_experiment_result result = {0};
    NZ_AUTO_FREE char *text = NULL;
    NZ_AUTO_FREE const char **command = NULL;
    const char *task = nz_cli_get(args, "task", "classification");
    long long threads = 0, seed = 0;
    if (strcmp(task, "classification") != 0)
        return nz_fail(NZ_E_ARG, "demo: --task '%s' is not known; there is classification", task);
    NZ_TRY(nz_cli_get_int(&threads, args, "threads", 0, 0, 1024));
    NZ_TRY(nz_cli_get_int(&seed, args, "seed", 0, 0, 1LL << 53));
    NZ_TRY(experiment_text(&text, nz_cli_has(args, "quick") ? &quick : &whole, seed));
    NZ_TRY(nz_alloc(&command, (size_t)argc + 1, sizeof *command));
    command[0] = "netzip";
    for (int i = 0; i < argc; i++) command[i + 1] = argv[i];
    nz_experiment_options o = {.out = nz_cli_get(args, "out", "netzip-demo"),
                               .threads = (int)threads,
                               .command = command,
                               .command_count = (size_t)argc + 1};
    NZ_TRY(nz_experiment_run_text(&result, text, "demo", &o, nz_cli_progress()));
    nz_cli_progress_end();
    if (result.failed) *ret_exit = NZ_EXIT_FAILED;
    if (nz_cli_has(args, "json")) {
        fputs(result.json, stdout);
        return NZ_OK;
    }
    NZ_TRY(nz_experiment_print(&result, stdout));
    NZ_TRY(nz_experiment_print_words(&result, stdout));
    nz_experiment_print_place(&result, stdout);
    return NZ_OK;
}

int nz_cmd_demo(int argc, char **argv) {
    nz_cli_args args;
    int exit_status = 0;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = demo(&args, argc, argv, &exit_status);
    nz_cli_args_done(&args);
    return status == NZ_OK ? exit_status : nz_cli_finish(status);
}
