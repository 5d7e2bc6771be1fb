/* SPDX-License-Identifier: Apache-2.0 */
/* netzip train: a network from scratch or from where a model stands, with its learning curve beside it. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "core/text.h"
#include "data_text.h"
#include "finished.h"
#include "graph/build.h"
#include "netzip/arch.h"
#include "netzip/onnx.h"
#include "netzip/report.h"
#include "train/loop.h"
#include "train_text.h"

static const nz_cli_option own_options[] = {
    {"arch", "NAME", "the network to train from scratch; --list shows them"},
    {"model", "MODEL",
     "the ONNX classifier or detector to train on, instead of --arch; the learning rate is a 25th unless given"},
    {"data", "DATA", "training samples (netzip data --help)"},
    {"test", "DATA", "samples to measure accuracy on after each epoch (default: the test or val split of --data)"},
    {"out", "MODEL.onnx", "where the trained model goes; history, curve and checkpoint go beside it"},
    {"classes", "N", "outputs of --arch (default: as many as the data has classes)"},
    {"anchors", "fit|TEXT",
     "of a detector by --arch: fitted to the data's objects, or in pixels as 10x13+16x30+33x23/... (default: its own)"},
    {"resume", NULL, "go on from MODEL.checkpoint.npz, where a run with the same settings was stopped"},
    {"list", NULL, "list the architectures with their parameters and MACs"},
    {"json", NULL, "print one JSON document about what was done"},
};

/* The verb's own options, and one for each key of the training table. */
enum { OPTIONS_MAX = 48, NAME_BYTES = 32, HELP_BYTES = 256 };
static nz_cli_option all_options[OPTIONS_MAX];
static char names[OPTIONS_MAX][NAME_BYTES], helps[OPTIONS_MAX][HELP_BYTES];

static nz_cli_usage usage = {
    .verb = "train",
    .arguments = "(--arch NAME | --model MODEL) --data DATA --out MODEL.onnx [options]",
    .summary =
        "Trains a classifier or a detector and writes standard ONNX, with the learning curve beside it. The same\n"
        "options, data and number of threads give the same weights, also when a run is stopped and resumed.",
    .examples = "netzip train --arch resnet8 --data synthetic:shapes --out shapes.onnx\n"
                "netzip train --arch resnet20-cifar --data cifar10:cifar-10-batches-bin,preset=cifar10 --out "
                "resnet20.onnx\n"
                "netzip train --arch resnet20-cifar --data cifar10:cifar-10-batches-bin,preset=cifar10 --out "
                "resnet20.onnx --resume\n"
                "netzip train --model resnet20.onnx --data cifar10:cifar-10-batches-bin --epochs 3 --lr 0.01 --out "
                "tuned.onnx\n"
                "netzip train --arch yolov5-tiny --data synthetic:shapes-det --epochs 20 --out boxes.onnx\n"
                "netzip train --list",
    .least = 0,
    .most = 0,
    .options = all_options,
};

static const char *dashed(char out[NAME_BYTES], const char *key) {
    snprintf(out, NAME_BYTES, "%s", key);
    for (char *p = out; *p; p++)
        if (*p == '_') *p = '-';
    return out;
}

static const char *value_name(const nz_option *o) {
    switch (o->type) {
    case NZ_OPTION_INT: return "N";
    case NZ_OPTION_REAL: return "X";
    case NZ_OPTION_BOOL: return "0|1";
    case NZ_OPTION_CHOICE: return o->choices;
    case NZ_OPTION_TEXT: break;
    }
    return "TEXT";
}

static void fill_options(void) {
    size_t count = 0, rows = 0;
    const nz_option *table = nz_train_option_table(&rows);
    for (; count < NZ_COUNT(own_options); count++) all_options[count] = own_options[count];
    for (size_t i = 0; i < rows && count < OPTIONS_MAX; i++, count++) {
        bool shown = table[i].initial && *table[i].initial;
        snprintf(helps[count], HELP_BYTES, "%s%s%s%s", table[i].help, shown ? " (default " : "",
                 shown ? table[i].initial : "", shown ? ")" : "");
        all_options[count] = (nz_cli_option){dashed(names[count], table[i].name), value_name(&table[i]), helps[count]};
    }
    usage.option_count = count;
}

/* ---- what is to be done ---- */

typedef struct job {
    const nz_cli_args *args;
    nz_train_options options;
    nz_graph *graph;
    nz_dataset *train, *test;
    char *history, *checkpoint, *stem, *svg, *png;
} job;

static void job_done(job *j) {
    nz_train_options_done(&j->options);
    nz_graph_free(j->graph);
    nz_data_free(j->train);
    nz_data_free(j->test);
    free(j->history);
    free(j->checkpoint);
    free(j->stem);
    free(j->svg);
    free(j->png);
}

static nz_status read_options(job *j) {
    nz_text text = {0};
    NZ_AUTO_FREE char *all = NULL;
    size_t rows = 0;
    const nz_option *table = nz_train_option_table(&rows);
    for (size_t i = 0; i < rows; i++) {
        char name[NAME_BYTES];
        const char *value = nz_cli_get(j->args, dashed(name, table[i].name), NULL);
        if (!value) continue;
        nz_text_appendf(&text, "%s%s=", text.length ? "," : "", table[i].name);
        nz_spec_put(&text, value);
    }
    NZ_TRY(nz_text_take(&text, &all));
    return nz_train_options_read(&j->options, all);
}

static nz_status read_files(job *j) {
    const char *out = nz_cli_get(j->args, "out", NULL);
    size_t length = strlen(out);
    NZ_AUTO_FREE char *folder = NULL;
    if (length > 5 && strcmp(out + length - 5, ".onnx") == 0) length -= 5;
    NZ_TRY(nz_format(&j->stem, "%.*s", (int)length, out));
    NZ_TRY(nz_format(&j->history, "%s.history.csv", j->stem));
    NZ_TRY(nz_format(&j->checkpoint, "%s.checkpoint.npz", j->stem));
    NZ_TRY(nz_format(&j->svg, "%s.curve.svg", j->stem));
    NZ_TRY(nz_format(&j->png, "%s.curve.png", j->stem));
    /* Better told now than after hours. */
    NZ_TRY(nz_path_folder(&folder, out));
    if (nz_dir_exists(out)) return nz_fail(NZ_E_IO, "%s: is a folder; --out names the model's file", out);
    return access(folder, W_OK) == 0 ? NZ_OK : nz_fail_errno(folder, "cannot be written to");
}

static nz_status choose_anchors(const job *j, const char *arch, nz_arch_options *options, char **ret_fitted) {
    const char *given = nz_cli_get(j->args, "anchors", NULL);
    if (!given) return NZ_OK;
    const nz_arch_info *info = nz_arch_get(arch);
    if (!info || !info->detector) return nz_fail(NZ_E_ARG, "train: --anchors: %s is no detector", arch);
    if (strcmp(given, "fit") == 0) {
        nz_levels levels = {.count = NZ_ARCH_LEVELS, .anchors = NZ_ARCH_ANCHORS};
        NZ_TRY(nz_anchors_fit(ret_fitted, j->train, &levels, j->options.anchor_ratio, options->seed));
        nz_progress_note(nz_cli_progress(), "anchors fitted to the data: %s", *ret_fitted);
        given = *ret_fitted;
    }
    options->anchors = given;
    return NZ_OK;
}

static nz_status open_arch(job *j, const char *arch, const char *data) {
    long long classes = 0;
    nz_shape shape;
    NZ_TRY(nz_cli_get_int(&classes, j->args, "classes", 0, 1, 1 << 24));
    NZ_TRY(nz_data_open_for_arch(&j->train, data, NZ_DATA_TRAIN, arch));
    nz_data_shape(j->train, &shape);
    if (!nz_shape_known(&shape) || shape.rank != 3)
        return nz_fail(NZ_E_SHAPE, "%s: samples vary in size; give resize=HxW, crop= or letterbox= behind it",
                       nz_data_describe(j->train));
    if (shape.dim[0] > 4 && shape.dim[2] <= 4)
        return nz_fail(NZ_E_SHAPE, "%s: architectures take images channels first; leave layout=nhwc out",
                       nz_data_describe(j->train));
    if (!classes) classes = (long long)nz_data_classes(j->train);
    if (!classes)
        return nz_fail(NZ_E_FORMAT, "%s: the data have no labels; there is nothing to learn",
                       nz_data_describe(j->train));
    nz_arch_options options = {.classes = classes,
                               .channels = shape.dim[0],
                               .height = shape.dim[1],
                               .width = shape.dim[2],
                               .seed = (uint64_t)j->options.seed};
    NZ_AUTO_FREE char *fitted = NULL;
    NZ_TRY(choose_anchors(j, arch, &options, &fitted));
    return nz_arch_build(&j->graph, arch, &options);
}

static nz_status open_model(job *j, const char *model, const char *data) {
    if (nz_cli_has(j->args, "classes") || nz_cli_has(j->args, "anchors"))
        return nz_fail(NZ_E_ARG, "train: --%s goes with --arch; a model has what it has",
                       nz_cli_has(j->args, "classes") ? "classes" : "anchors");
    NZ_TRY(nz_model_load(&j->graph, model));
    return nz_data_open_for_model(&j->train, data, NZ_DATA_TRAIN, j->graph);
}

/* DATA without split=, where that names the training samples; NULL where it names others. */
static nz_status test_spec(char **ret_spec, const char *data) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    nz_text text = {0};
    NZ_TRY(nz_spec_parse(&spec, data));
    const char *split = nz_spec_get(&spec, "split");
    if (split && strcmp(split, "train") != 0 && strcmp(split, "default") != 0) return NZ_OK;
    nz_spec_put(&text, spec.head);
    for (size_t i = 0; i < spec.count; i++) {
        if (strcmp(spec.pairs[i].key, "split") == 0) continue;
        nz_text_appendf(&text, ",%s=", spec.pairs[i].key);
        nz_spec_put(&text, spec.pairs[i].value);
    }
    return nz_text_take(&text, ret_spec);
}

/* The samples to test on; without --test none is no failure. What the training samples went through goes for them too. */
static nz_status open_test(job *j, const char *data) {
    const char *given = nz_cli_get(j->args, "test", NULL);
    NZ_AUTO_FREE char *spec = NULL;
    NZ_TRY(nz_graph_set_meta(j->graph, "netzip.preprocess", nz_data_preprocess(j->train)));
    if (given) return nz_data_open_for_model(&j->test, given, NZ_DATA_COMPARE, j->graph);
    NZ_TRY(test_spec(&spec, data));
    nz_status status = spec ? nz_data_open_for_model(&j->test, spec, NZ_DATA_COMPARE, j->graph) : NZ_OK;
    if (status == NZ_E_MEMORY) return status;
    if (status != NZ_OK) {
        nz_progress_note(nz_cli_progress(), "accuracy is not tested (--test DATA): %s", nz_last_error());
        return NZ_OK;
    }
    if (j->test && strcmp(nz_data_fingerprint(j->test), nz_data_fingerprint(j->train)) == 0) {
        nz_data_free(j->test);
        j->test = NULL;
    }
    if (!j->test)
        nz_progress_note(nz_cli_progress(),
                         "--data has no samples apart from those to train on: accuracy is not tested (--test DATA)");
    return NZ_OK;
}

static nz_status open_job(job *j) {
    const char *arch = nz_cli_get(j->args, "arch", NULL), *model = nz_cli_get(j->args, "model", NULL),
               *data = nz_cli_get(j->args, "data", NULL);
    if (!arch == !model) return nz_fail(NZ_E_ARG, "train: one of --arch and --model is needed (netzip train --help)");
    NZ_TRY(nz_cli_need(j->args, "data"));
    NZ_TRY(nz_cli_need(j->args, "out"));
    NZ_TRY(read_options(j));
    NZ_TRY(read_files(j));
    if (arch)
        NZ_TRY(open_arch(j, arch, data));
    else
        NZ_TRY(open_model(j, model, data));
    nz_cli_warn_of_data(j->train);
    if (model && j->options.lr <= 0) j->options.lr = nz_train_rate(&j->options, j->graph) / 25; /* it has learnt */
    NZ_TRY(open_test(j, data));
    nz_cli_warn_of_data(j->test);
    return NZ_OK;
}

/* The options in full, as the run will settle them. */
static nz_status settled_text(char **ret_text, const job *j) {
    nz_train_options settled = j->options; /* shares the texts */
    nz_train_options_choose(&settled, j->graph);
    return nz_train_options_text(ret_text, &settled);
}

static nz_status is_finished(bool *ret_finished, const job *j) {
    NZ_AUTO_FREE char *text = NULL, *whole = NULL;
    NZ_TRY(settled_text(&text, j));
    NZ_TRY(nz_format(&whole, "train,%s", text));
    return nz_cli_is_finished(ret_finished, j->args, j->checkpoint, "netzip.train", whole, j->graph);
}

static nz_status train(const nz_cli_args *args) {
    NZ_AUTO(job_done) job j = {.args = args};
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_AUTO(nz_train_report_done) nz_train_report report = {0};
    const char *out = nz_cli_get(args, "out", NULL);
    bool finished = false;
    NZ_TRY(open_job(&j));
    NZ_TRY(is_finished(&finished, &j));
    if (finished) return NZ_OK;
    nz_train_files files = {
        .checkpoint = j.checkpoint, .history = j.history, .resume = nz_cli_has(args, "resume"), .keep = true};
    NZ_TRY(nz_train(&result, &report, j.graph, j.train, j.test, &j.options, &files, nz_cli_progress()));
    NZ_TRY(nz_model_save(result, out));
    unlink(j.checkpoint); /* where there is none, so much the better */
    NZ_TRY(nz_report_curve(j.history, j.svg, j.png, nz_path_base(j.stem)));
    nz_cli_progress_end();
    nz_train_outcome outcome = {.model = out,
                                .history = j.history,
                                .svg = j.svg,
                                .png = j.png,
                                .report = &report,
                                .options = nz_graph_meta(result, "netzip.train"),
                                .train = j.train,
                                .test = j.test};
    return nz_train_print_outcome(&outcome, nz_cli_has(args, "json"));
}

int nz_cmd_train(int argc, char **argv) {
    nz_cli_args args;
    int exit_status = 0;
    fill_options();
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = nz_cli_has(&args, "list") ? nz_train_print_list(nz_cli_has(&args, "json")) : train(&args);
    nz_cli_args_done(&args);
    if (status != NZ_E_CANCELLED) return nz_cli_finish(status);
    nz_cli_error("%s (netzip train with the same options and --resume)", nz_last_error());
    return nz_status_exit_code(status);
}
