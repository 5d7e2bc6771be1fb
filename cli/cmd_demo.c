/* SPDX-License-Identifier: Apache-2.0 */
/* netzip demo: train, compress, compare and report on images that netzip draws itself: nothing is downloaded. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/text.h"
#include "experiment_text.h"
#include "netzip/experiment.h"

static const nz_cli_option options[] = {
    {"task", "NAME", "classification, the default, or detection"},
    {"out", "DIR", "results folder; default netzip-demo, of detection netzip-demo-detection"},
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
    .arguments = "[--task classification|detection] [--out DIR] [--seed N] [--threads N]",
    .summary =
        "The whole job without any file: trains a small network on drawn shapes, compresses it by PTQ, QAT, GUP_R and\n"
        "GUP_L1, compares, and writes the report. Classification: a residual network, about two minutes on two cores.\n"
        "Detection: a tiny YOLOv5 on scenes of several shapes, about three. The experiment that was run lies in the\n"
        "results folder as experiment.yaml: change it, and run it by 'netzip run'.",
    .examples = "netzip demo\nnetzip demo --task detection\nnetzip demo --out shapes --seed 1",
    .least = 0,
    .most = 0,
    .options = options,
    .option_count = NZ_COUNT(options),
};

/* What differs between a demonstration and its quick form. */
typedef struct scale {
    int train, test;           /* samples */
    int epochs, qat, finetune; /* epochs: of the network, of QAT, of pruning */
    int batch, side;
    double budget_s;
} scale;

/* A demonstration: what is learnt by which network, and what is done to it. */
typedef struct task {
    const char *name, *experiment, *out;
    const char *data, *preprocess, *arch;
    const char *training, *qat, *pruning; /* further options of each */
    double sparsity;
    scale whole, quick;
} task;
static const task tasks[] = {
    {.name = "classification",
     .experiment = "demo",
     .out = "netzip-demo",
     .data = "synthetic:shapes",
     .preprocess = "preset=cifar10",
     .arch = "resnet8",
     .training = "",
     .qat = "",
     .pruning = "",
     .sparsity = 0.75,
     .whole = {.train = 12000,
               .test = 2000,
               .epochs = 10,
               .qat = 2,
               .finetune = 2,
               .batch = 64,
               .side = 32,
               .budget_s = 1.5},
     .quick =
         {.train = 320, .test = 100, .epochs = 1, .qat = 1, .finetune = 1, .batch = 32, .side = 32, .budget_s = 0.05}},
    {.name = "detection",
     .experiment = "demo-detection",
     .out = "netzip-demo-detection",
     .data = "synthetic:shapes-det",
     .preprocess = "scale=1/255",
     .arch = "yolov5-tiny",
     .training = "  lr: 0.008\n  weight_decay: 0.02\n  augment: none\n",
     .qat = ", augment: none",
     .pruning = ", lr: 0.002, weight_decay: 0.02, augment: none",
     .sparsity = 0.5,
     .whole =
         {.train = 6000, .test = 500, .epochs = 8, .qat = 1, .finetune = 2, .batch = 16, .side = 160, .budget_s = 1.5},
     .quick =
         {.train = 64, .test = 24, .epochs = 1, .qat = 1, .finetune = 1, .batch = 16, .side = 64, .budget_s = 0.05}},
};

static nz_status find_task(const task **ret_task, const char *name) {
    for (size_t i = 0; i < NZ_COUNT(tasks); i++)
        if (strcmp(tasks[i].name, name) == 0) {
            *ret_task = &tasks[i];
            return NZ_OK;
        }
    return nz_fail(NZ_E_ARG, "demo: --task '%s' is not known; there are classification and detection", name);
}

static nz_status experiment_text(char **ret_text, const task *t, const scale *s, long long seed) {
    return nz_format(ret_text,
                     "# What netzip demo runs. Change it, and run it again by: netzip run experiment.yaml --out DIR\n"
                     "name: %s\n"
                     "seeds: [%lld]          # several, such as [0, 1, 2], give means and standard deviations\n"
                     "data:\n"
                     "  train: %s,split=train,count=%d,size=%d\n"
                     "  test: %s,split=test,count=%d,size=%d\n"
                     "  preprocess: %s\n"
                     "model:\n"
                     "  arch: %s\n"
                     "train:\n"
                     "  epochs: %d\n"
                     "  batch: %d\n%s"
                     "methods:                # a list as a value is a sweep: sparsity: [0.5, 0.75, 0.9]\n"
                     "  - ptq\n"
                     "  - qat: {epochs: %d, batch: %d%s}\n"
                     "  - gup-r: {sparsity: %g, finetune: %d, batch: %d%s}\n"
                     "  - gup-l1: {sparsity: %g, finetune: %d, batch: %d%s}\n"
                     "compare:\n"
                     "  budget: %g            # seconds for the latency of each model\n",
                     t->experiment, seed, t->data, s->train, s->side, t->data, s->test, s->side, t->preprocess, t->arch,
                     s->epochs, s->batch, t->training, s->qat, s->batch, t->qat, t->sparsity, s->finetune, s->batch,
                     t->pruning, t->sparsity, s->finetune, s->batch, t->pruning, s->budget_s);
}

static nz_status demo(const nz_cli_args *args, int argc, char **argv, int *ret_exit) {
    NZ_AUTO(nz_experiment_result_done) nz_experiment_result result = {0};
    NZ_AUTO_FREE char *text = NULL;
    NZ_AUTO_FREE const char **command = NULL;
    const task *t = NULL;
    long long threads = 0, seed = 0;
    NZ_TRY(find_task(&t, nz_cli_get(args, "task", "classification")));
    NZ_TRY(nz_cli_get_int(&threads, args, "threads", 0, 0, 1024));
    NZ_TRY(nz_cli_get_int(&seed, args, "seed", 0, 0, 1LL << 53));
    NZ_TRY(experiment_text(&text, t, nz_cli_has(args, "quick") ? &t->quick : &t->whole, seed));
    NZ_TRY(nz_alloc(&command, (size_t)argc + 1, sizeof *command));
    command[0] = "netzip";
    for (int i = 0; i < argc; i++) command[i + 1] = argv[i];
    nz_experiment_options o = {.out = nz_cli_get(args, "out", t->out),
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
