/* SPDX-License-Identifier: Apache-2.0 */
/* netzip compress: one model in, one smaller model out, and what happened to each layer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text.h"
#include "data_text.h"
#include "finished.h"
#include "graph/build.h"
#include "netzip/compress.h"
#include "netzip/onnx.h"
#include "train_text.h"

static const nz_cli_option options[] = {
    {"method", "METHOD[,key=value...]", "how to compress; --list shows the methods and their keys"},
    {"data", "DATA", "calibration or training samples, where the method needs them (netzip data --help)"},
    {"test", "DATA", "samples that a method which trains is tested on after each epoch"},
    {"out", "MODEL.onnx", "where the compressed model goes"},
    {"resume", NULL, "go on with training that was stopped, from MODEL.checkpoint.npz beside the result"},
    {"threads", "N", "threads to compute with (default: all)"},
    {"json", NULL, "print one JSON document about what was done"},
    {"list", NULL, "list the methods with their keys and defaults"},
};

static const nz_cli_usage usage = {
    .verb = "compress",
    .arguments = "MODEL --method METHOD[,key=value...] --out MODEL.onnx [--data DATA]",
    .summary = "Compresses an ONNX model and writes standard ONNX that every runtime reads.",
    .examples =
        "netzip compress resnet20.onnx --method ptq --data cifar10:cifar-10-batches-bin --out resnet20-int8.onnx\n"
        "netzip compress resnet20.onnx --method ptq,calib=mse,samples=256 --data imagefolder:calibration --out "
        "small.onnx\n"
        "netzip compress yolov5n.onnx --method ptq --data coco:instances.json,images=train2017,limit=300 --out "
        "int8.onnx\n"
        "netzip compress resnet20.onnx --method gup-l1,sparsity=0.5 --out pruned.onnx\n"
        "netzip compress resnet20.onnx --method gup-l1,sparsity=0.75,finetune=5 --data cifar10:cifar-10-batches-bin "
        "--out pruned.onnx\n"
        "netzip compress resnet20.onnx --method qat,wbits=4,epochs=3 --data cifar10:cifar-10-batches-bin --out "
        "int4.onnx --resume\n"
        "netzip compress --list",
    .least = 0,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static void list_methods(void) {
    const char *help = NULL, *keys = NULL, *name = NULL;
    for (size_t i = 0; (name = nz_compress_method(i, &help, &keys)); i++) {
        printf("%s%s  %s\n", i ? "\n" : "", name, help);
        for (const char *line = keys; *line;) {
            int length = (int)strcspn(line, "\n");
            printf("    %.*s\n", length, line);
            line += length + (line[length] == '\n');
        }
    }
}

/* A line of keys is "name=default  help". */
static json_t *key_json(const char *line, size_t length) {
    size_t name = strcspn(line, "="), value = strcspn(line + name + 1, " \n"), help = name + 1 + value;
    help += strspn(line + help, " ");
    return json_pack("{s:s%, s:s%, s:s%}", "key", line, name, "default", line + name + 1, value, "help", line + help,
                     length - help);
}

static nz_status list_methods_json(void) {
    const char *help = NULL, *keys = NULL, *name = NULL;
    NZ_AUTO_JSON json_t *methods = json_array();
    for (size_t i = 0; (name = nz_compress_method(i, &help, &keys)); i++) {
        json_t *list = json_array();
        for (const char *line = keys; *line;) {
            size_t length = strcspn(line, "\n");
            json_array_append_new(list, key_json(line, length));
            line += length + (line[length] == '\n');
        }
        json_array_append_new(methods, json_pack("{s:s, s:s, s:o}", "name", name, "help", help, "keys", list));
    }
    NZ_AUTO_JSON json_t *all = json_pack("{s:O}", "methods", methods);
    return nz_cli_print_json(all);
}

static void print_report(const nz_compress_report *report) {
    printf("%-32s %-14s %10s %10s  %s\n", "layer", "operator", "SQNR dB", "zeros %", "change");
    for (size_t i = 0; i < report->count; i++) {
        const nz_layer_change *row = &report->layers[i];
        char sqnr[16] = "-", zeros[16] = "-";
        if (isfinite(row->sqnr_db)) snprintf(sqnr, sizeof sqnr, "%.1f", row->sqnr_db);
        if (isfinite(row->sparsity_pct)) snprintf(zeros, sizeof zeros, "%.2f", row->sparsity_pct);
        nz_cli_put_printable(stdout, row->name);
        printf("%*s %-14s %10s %10s  %s\n", (int)(strlen(row->name) < 32 ? 32 - strlen(row->name) : 0), "", row->op,
               sqnr, zeros, row->what);
    }
    printf("\n");
    nz_cli_put_printable(stdout, report->summary ? report->summary : ""); /* it names layers */
    printf("\n");
}

static nz_status print_json(const nz_compress_report *report, const nz_graph *result, const char *path, uint64_t before,
                            uint64_t after) {
    NZ_AUTO_JSON json_t *layers = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const nz_layer_change *row = &report->layers[i];
        json_array_append_new(layers,
                              json_pack("{so so so so so}", "name", nz_json_string(row->name), "op",
                                        nz_json_string(row->op), "change", nz_json_string(row->what), "sqnr_db",
                                        nz_json_real(row->sqnr_db), "sparsity", nz_json_real(row->sparsity_pct)));
    }
    NZ_AUTO_JSON json_t *epochs = json_array();
    for (size_t i = 0; i < report->training.epoch_count; i++)
        json_array_append_new(epochs, nz_train_epoch_json(&report->training.epochs[i]));
    NZ_AUTO_JSON json_t *all = json_pack(
        "{so so so so sI sI sI sI sO sO}", "path", nz_json_string(path), "technique",
        nz_json_string(nz_graph_meta(result, "netzip.technique")), "method",
        nz_json_string(nz_graph_meta(result, "netzip.method")), "summary", nz_json_string(report->summary),
        "disk_bytes_before", (json_int_t)before, "disk_bytes", (json_int_t)after, "calibration_samples",
        (json_int_t)report->samples, "broken_samples", (json_int_t)report->broken, "epochs", epochs, "layers", layers);
    return nz_cli_print_json(all);
}

static nz_status open_data(nz_dataset **ret_data, const nz_cli_args *args, const char *option, nz_data_use use,
                           const nz_graph *graph) {
    const char *spec = nz_cli_get(args, option, NULL);
    if (!spec) return NZ_OK;
    NZ_TRY(nz_data_open_for_model(ret_data, spec, use, graph));
    nz_cli_warn_of_data(*ret_data);
    if (nz_data_default_preprocess(*ret_data))
        nz_cli_error(
            "warning: neither the model nor --%s states a preprocessing; pixels are scaled to 0..1 and nothing "
            "else",
            option);
    return NZ_OK;
}

/* MODEL.onnx becomes MODEL.checkpoint.npz. */
static nz_status beside(char **ret_path, const char *out, const char *suffix) {
    size_t length = strlen(out);
    if (length > 5 && strcmp(out + length - 5, ".onnx") == 0) length -= 5;
    return nz_format(ret_path, "%.*s%s", (int)length, out, suffix);
}

static nz_status refuse_idle(const nz_cli_args *args, const nz_compress_needs *needs) {
    static const char *const of_training[] = {"test", "resume"};
    for (size_t i = 0; i < NZ_COUNT(of_training) && !needs->trains; i++)
        if (nz_cli_has(args, of_training[i]))
            return nz_fail(NZ_E_ARG, "compress: --%s is for methods that train; %s does not as it is given",
                           of_training[i], nz_cli_get(args, "method", ""));
    return needs->data ? nz_cli_need(args, "data") : NZ_OK;
}

static nz_status print_result(const nz_cli_args *args, const nz_compress_report *report, const nz_graph *result,
                              const uint64_t bytes[2]) {
    const char *out = nz_cli_get(args, "out", NULL);
    nz_cli_progress_end();
    if (nz_cli_has(args, "json")) return print_json(report, result, out, bytes[0], bytes[1]);
    print_report(report);
    printf("%s: %.3f MB, was %.3f MB\n", out, (double)bytes[1] / 1e6, (double)bytes[0] / 1e6);
    return NZ_OK;
}

static inline void free_data(nz_dataset **data) { nz_data_free(*data); }

static nz_status compress(const nz_cli_args *args) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    NZ_AUTO(free_data) nz_dataset *test = NULL;
    NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
    NZ_AUTO_FREE char *checkpoint = NULL, *history = NULL;
    const char *path = args->operands[0], *out = nz_cli_get(args, "out", NULL);
    const char *method = nz_cli_get(args, "method", "");
    long long threads = 0;
    bool finished = false;
    nz_compress_needs needs;
    uint64_t bytes[2] = {0};
    NZ_TRY(nz_cli_need(args, "method"));
    NZ_TRY(nz_cli_need(args, "out"));
    NZ_TRY(nz_cli_get_int(&threads, args, "threads", 0, 0, 1024));
    NZ_TRY(nz_compress_what_needs(&needs, method));
    NZ_TRY(refuse_idle(args, &needs));
    NZ_TRY(nz_model_load(&graph, path));
    if (needs.data) NZ_TRY(open_data(&data, args, "data", NZ_DATA_TRAIN, graph));
    if (needs.trains) NZ_TRY(open_data(&test, args, "test", NZ_DATA_COMPARE, graph));
    NZ_TRY(beside(&checkpoint, out, ".checkpoint.npz"));
    NZ_TRY(beside(&history, out, ".history.csv"));
    if (needs.trains) NZ_TRY(nz_cli_is_finished(&finished, args, checkpoint, "netzip.method", method, NULL));
    if (finished) return NZ_OK;
    const nz_train_files files = {
        .checkpoint = checkpoint, .history = history, .resume = nz_cli_has(args, "resume"), .keep = true};
    const nz_compress_inputs inputs = {
        .data = data, .test = test, .files = needs.trains ? &files : NULL, .threads = (int)threads};
    NZ_TRY(nz_compress_with(&result, &report, graph, method, &inputs, nz_cli_progress()));
    NZ_TRY(nz_model_disk_bytes(&bytes[0], path));
    NZ_TRY(nz_model_save(result, out));
    NZ_TRY(nz_model_disk_bytes(&bytes[1], out));
    if (needs.trains) unlink(checkpoint);
    return print_result(args, &report, result, bytes);
}

/* The message of training that was stopped names its checkpoint. */
static int finish(nz_status status) {
    const char *message = nz_last_error();
    if (status != NZ_E_CANCELLED || !strstr(message, ".checkpoint.npz")) return nz_cli_finish(status);
    nz_cli_error("%s (netzip compress with the same options and --resume)", message);
    return nz_status_exit_code(status);
}

int nz_cmd_compress(int argc, char **argv) {
    nz_cli_args args;
    int exit_status = 0;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    if (nz_cli_has(&args, "list")) {
        if (!nz_cli_has(&args, "json")) list_methods();
        exit_status = nz_cli_has(&args, "json") ? nz_cli_finish(list_methods_json()) : NZ_EXIT_OK;
    } else if (args.operand_count == 0) {
        nz_cli_error("compress: a MODEL is needed (netzip compress --help)");
        exit_status = NZ_EXIT_USAGE;
    } else {
        exit_status = finish(compress(&args));
    }
    nz_cli_args_done(&args);
    return exit_status;
}
