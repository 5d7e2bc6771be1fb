/* SPDX-License-Identifier: Apache-2.0 */
/* netzip: the table of verbs. A verb is one file cli/cmd_<verb>.c, one word in cli/meson.build and one row here. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "core/memory.h"
#include "core/text.h"

typedef struct verb {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} verb;

static const verb verbs[] = {
    {"compare", "models side by side: accuracy, speed, size, energy, ratios", nz_cmd_compare},
    {"compress", "one model in, one smaller model out, and what happened to each layer", nz_cmd_compress},
    {"train", "a network from scratch, or further from where a model stands", nz_cmd_train},
    {"import", "weights of PyTorch and safetensors files into a known network, without Python", nz_cmd_import},
    {"run", "an experiment: one file to trained, compressed and compared models", nz_cmd_run},
    {"demo", "the whole job on images that netzip draws itself, with nothing to download", nz_cmd_demo},
    {"inspect", "what a model's file says: operations, parameters, bit widths, size", nz_cmd_inspect},
    {"combine", "the combined measures of numbers that were measured elsewhere", nz_cmd_combine},
    {"detect", "a detector over images: boxes as JSON, pictures, mean average precision", nz_cmd_detect},
    {"evaluate", "the accuracy metrics of predictions that were made elsewhere", nz_cmd_evaluate},
    {"energy", "energy and power over a window of an external meter's log", nz_cmd_energy},
    {"report", "draws the tables, plots and page of a results folder again", nz_cmd_report},
    {"conformance", "runs folders of ONNX test vectors", nz_cmd_conformance},
    {"data", "what a data set holds, and data sets that netzip makes itself", nz_cmd_data},
    {"runtime", "what executes models here; installs ONNX Runtime", nz_cmd_runtime},
    {"doctor", "what this machine can measure and run, and what it cannot, and why", nz_cmd_doctor},
    {"worker", NULL, nz_cmd_worker}, /* without help: compare starts it, nobody types it */
    {NULL, NULL, NULL},
};

static void print_help(void) {
    printf("netzip compresses neural networks (ONNX) and compares them: accuracy, speed, size, energy.\n\n"
           "usage: netzip COMMAND [arguments] [options]\n\ncommands:\n");
    for (const verb *v = verbs; v->name; v++)
        if (v->help) printf("  %-12s %s\n", v->name, v->help);
    printf("\nnetzip COMMAND --help tells what a command takes, with examples; netzip --version prints the version.\n"
           "Exit status: 0 done; 1 a --fail-if condition held or a model failed; 2 the command line is wrong;\n"
           "3 an input is missing, broken or unsupported; 4 out of memory, disk or another resource.\n");
}

static int unknown(const char *word) {
    const char *names[NZ_COUNT(verbs)] = {NULL};
    size_t count = 0;
    for (const verb *v = verbs; v->name; v++)
        if (v->help) names[count++] = v->name;
    const char *near = nz_closest(word, names, count);
    if (near)
        nz_cli_error("unknown command '%s'; did you mean '%s'?", word, near);
    else
        nz_cli_error("unknown command '%s' (netzip --help lists them)", word);
    return NZ_EXIT_USAGE;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        nz_cli_error("a command is needed (netzip --help lists them)");
        return NZ_EXIT_USAGE;
    }
    const char *word = argv[1];
    bool help = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
    if (help && argc == 2) {
        print_help();
        return NZ_EXIT_OK;
    }
    if (strcmp(word, "--version") == 0) {
        printf("netzip %s\n", NZ_VERSION);
        return NZ_EXIT_OK;
    }
    if (help && argc == 3 && word[0] != '-') { /* netzip help VERB */
        static char option[] = "--help";
        char *asked[] = {argv[0], argv[2], option, NULL};
        return dispatch(3, asked);
    }
    for (const verb *v = verbs; v->name; v++)
        if (strcmp(v->name, word) == 0) return v->run(argc - 1, argv + 1);
    return unknown(word);
}

int main(int argc, char **argv) {
    int exit_status = dispatch(argc, argv);
    nz_cli_progress_end();
    return nz_cli_finish_output(exit_status);
}
