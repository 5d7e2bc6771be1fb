/* SPDX-License-Identifier: Apache-2.0 */
/* netzip import: weights of PyTorch and safetensors files into a known architecture, without Python. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/preprocess.h"
#include "graph/build.h"
#include "netzip/import.h"
#include "netzip/onnx.h"
#include "netzip/pass.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"arch", "NAME", "the network that the weights belong to (netzip train --list shows the names)"},
    {"out", "MODEL.onnx", "where the model goes"},
    {"classes", "N", "classes to tell apart (default: as many as the checkpoint's network does)"},
    {"size", "HxW", "height and width of the images (default: the architecture's own)"},
    {"seed", "N", "seed of the initial values of what the checkpoint lacks (default: 0)"},
    {"fold", NULL, "fold batch normalisation into the layers before it; not where the model is to be trained further"},
    {"preprocess", "TEXT",
     "how images become inputs, kept in the model: 'mean=0.5:0.5:0.5,std=...', 'preset=imagenet' (default: none, of a "
     "detector its letterbox)"},
    {"list", NULL, "show the tensors and the architecture that fits best; nothing is written (default without --arch)"},
    {"json", NULL, "print one JSON document about what was read"},
};

static const nz_cli_usage usage = {
    .verb = "import",
    .arguments = "CHECKPOINT --arch NAME --out MODEL.onnx [options]",
    .summary =
        "Reads the weights of a PyTorch checkpoint (.pt, .pth, .th: zip, stream or tar) or a safetensors file into a\n"
        "known architecture, and writes it as ONNX. Nothing in the file is executed.",
    .examples = "netzip import resnet18.pth\n"
                "netzip import resnet18.pth --arch resnet18 --preprocess preset=imagenet --out resnet18.onnx\n"
                "netzip import resnet18.pth --arch resnet18 --classes 10 --out start.onnx\n"
                "netzip import yolov5n.pt --arch yolov5n --out yolov5n.onnx",
    .least = 1,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static inline void free_checkpoint(nz_checkpoint **checkpoint) { nz_checkpoint_free(*checkpoint); }
#define AUTO_CHECKPOINT NZ_AUTO(free_checkpoint) nz_checkpoint *
#define AUTO_REPORT NZ_AUTO(nz_import_report_done) nz_import_report

static json_t *list_json(char *const *names, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, nz_json_string(names[i]));
    return list;
}

static json_t *report_json(const nz_import_report *report) {
    return json_pack("{s:I, s:o, s:o, s:o, s:I, s:o, s:I, s:b}", "loaded", (json_int_t)report->loaded, "missing",
                     list_json(report->missing, report->missing_count), "extra",
                     list_json(report->extra, report->extra_count), "reshaped",
                     list_json(report->reshaped, report->reshaped_count), "counters_passed_over",
                     (json_int_t)report->counters, "prefix", nz_json_string(report->prefix), "classes",
                     (json_int_t)report->classes, "classes_from_checkpoint", report->classes_from_checkpoint);
}

static json_t *shape_json(const nz_shape *shape) {
    json_t *list = json_array();
    for (int i = 0; i < shape->rank; i++) json_array_append_new(list, json_integer(shape->dim[i]));
    return list;
}

static json_t *tensors_json(const nz_checkpoint *checkpoint) {
    json_t *list = json_array();
    for (size_t i = 0; i < nz_checkpoint_count(checkpoint); i++) {
        const char *name = NULL;
        const nz_tensor *tensor = nz_checkpoint_tensor(checkpoint, i, &name);
        json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "name", nz_json_string(name), "type",
                                              nz_dtype_get(tensor->dtype)->name, "shape", shape_json(&tensor->shape)));
    }
    return list;
}

static nz_status print_tensors(const nz_checkpoint *checkpoint, long long *ret_elements) {
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = 3};
    static const char *const heads[] = {"tensor", "type", "shape"};
    long long elements = 0;
    for (size_t i = 0; i < NZ_COUNT(heads); i++) NZ_TRY(nz_cli_table_add(&table, heads[i]));
    for (size_t i = 0; i < nz_checkpoint_count(checkpoint); i++) {
        const char *name = NULL;
        char shape[112];
        const nz_tensor *tensor = nz_checkpoint_tensor(checkpoint, i, &name);
        NZ_TRY(nz_cli_table_add(&table, name));
        NZ_TRY(nz_cli_table_add(&table, nz_dtype_get(tensor->dtype)->name));
        NZ_TRY(nz_cli_table_add(&table, nz_shape_text(&tensor->shape, shape)));
        elements += nz_shape_elements(&tensor->shape);
    }
    nz_cli_table_print(&table, stdout, 7);
    *ret_elements = elements;
    return NZ_OK;
}

static void print_names(const char *what, char *const *names, size_t count) {
    if (!count) return;
    printf("%-10s %zu\n", what, count);
    for (size_t i = 0; i < count; i++) {
        printf("  ");
        nz_cli_put_printable(stdout, names[i]);
        printf("\n");
    }
}

static void print_describe(const nz_checkpoint *checkpoint) {
    nz_cli_put_printable(stdout, nz_checkpoint_describe(checkpoint));
    printf("\n");
}

static nz_status list(const char *path, bool json) {
    AUTO_CHECKPOINT checkpoint = NULL;
    AUTO_REPORT report = {0};
    const char *arch = NULL;
    long long elements = 0;
    NZ_TRY(nz_checkpoint_open(&checkpoint, path));
    NZ_TRY(nz_import_best(&arch, &report, checkpoint));
    if (json) {
        NZ_AUTO_JSON json_t *all =
            json_pack("{s:o, s:o, s:o, s:o, s:o}", "path", nz_json_string(path), "format",
                      nz_json_string(nz_checkpoint_describe(checkpoint)), "tensors", tensors_json(checkpoint),
                      "fits_best", nz_json_string(arch), "fit", arch ? report_json(&report) : json_null());
        return nz_cli_print_json(all);
    }
    NZ_TRY(print_tensors(checkpoint, &elements));
    printf("\n%zu tensors, %lld elements\n", nz_checkpoint_count(checkpoint), elements);
    print_describe(checkpoint);
    if (!arch) {
        printf("fits none of the known architectures (netzip train --list)\n");
        return NZ_OK;
    }
    printf(
        "fits best: %s with %lld classes: %zu tensors fit, %zu are missing, %zu differ in shape, %zu are left over\n",
        arch, (long long)report.classes, report.loaded, report.missing_count, report.reshaped_count,
        report.extra_count);
    return NZ_OK;
}

static nz_status read_size(nz_arch_options *ret_options, const nz_cli_args *args) {
    const char *text = nz_cli_get(args, "size", NULL);
    if (!text) return NZ_OK;
    const char *cross = strchr(text, 'x');
    NZ_AUTO_FREE char *height = NULL;
    long long h = 0, w = 0;
    if (cross) NZ_TRY(nz_format(&height, "%.*s", (int)(cross - text), text));
    if (!cross || nz_parse_int(&h, height, "height") != NZ_OK || nz_parse_int(&w, cross + 1, "width") != NZ_OK ||
        h < 1 || w < 1 || h > 65536 || w > 65536)
        return nz_fail(NZ_E_ARG, "import: --size '%s' is not of the form HxW, such as 224x224", text);
    ret_options->height = h;
    ret_options->width = w;
    return NZ_OK;
}

/* The text as the model keeps it: every key said, so that later changes of defaults change nothing. */
static nz_status read_preprocess(char **ret_text, const nz_cli_args *args) {
    const char *text = nz_cli_get(args, "preprocess", NULL);
    NZ_AUTO_FREE char *headed = NULL;
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    nz_preprocess preprocess;
    if (!text) return NZ_OK;
    NZ_TRY(nz_format(&headed, "preprocess,%s", text));
    NZ_TRY(nz_spec_parse(&spec, headed));
    for (size_t i = 0; i < spec.count; i++) {
        const char *key = NULL;
        for (size_t k = 0; (key = nz_preprocess_key(k, NULL)); k++)
            if (strcmp(key, spec.pairs[i].key) == 0) break;
        if (!key)
            return nz_fail(NZ_E_ARG, "import: --preprocess: '%s' is none of its keys (netzip data --help shows them)",
                           spec.pairs[i].key);
    }
    NZ_TRY(nz_preprocess_read(&preprocess, &spec, NULL, "import: --preprocess"));
    return nz_preprocess_text(ret_text, &preprocess);
}

static nz_status print_result(const nz_cli_args *args, const nz_checkpoint *checkpoint, const nz_graph *graph,
                              const nz_import_report *report) {
    const char *out = nz_cli_get(args, "out", ""), *arch = nz_cli_get(args, "arch", "");
    if (nz_cli_has(args, "json")) {
        NZ_AUTO_JSON json_t *all =
            json_pack("{s:o, s:s, s:o, s:o, s:o}", "path", nz_json_string(out), "arch", arch, "format",
                      nz_json_string(nz_checkpoint_describe(checkpoint)), "preprocess",
                      nz_json_string(nz_graph_meta(graph, "netzip.preprocess")), "fit", report_json(report));
        return nz_cli_print_json(all);
    }
    print_describe(checkpoint);
    printf("loaded     %zu tensors into %s with %lld classes%s\n", report->loaded, arch, (long long)report->classes,
           report->classes_from_checkpoint ? ", as many as the checkpoint has" : "");
    if (report->prefix && *report->prefix) {
        printf("prefix     '");
        nz_cli_put_printable(stdout, report->prefix);
        printf("' in front of their names in the checkpoint\n");
    }
    if (report->counters)
        printf("passed     %zu counters of batches (num_batches_tracked), which no network needs\n", report->counters);
    print_names("missing", report->missing, report->missing_count);
    print_names("reshaped", report->reshaped, report->reshaped_count);
    print_names("left over", report->extra, report->extra_count);
    if (report->missing_count || report->reshaped_count)
        printf("What is missing or differs in shape keeps its initial values: train the model before it is used.\n");
    nz_cli_put_printable(stdout, out);
    printf("\n");
    return NZ_OK;
}

static nz_status fold(nz_graph **graph) {
    NZ_AUTO_GRAPH nz_graph *folded = NULL;
    nz_graph *result = NULL;
    NZ_TRY(nz_pass_fold(&folded, *graph));
    NZ_TRY(nz_pass_fold_batchnorm(&result, folded));
    nz_graph_free(*graph);
    *graph = result;
    return NZ_OK;
}

static nz_status import(const nz_cli_args *args) {
    AUTO_CHECKPOINT checkpoint = NULL;
    AUTO_REPORT report = {0};
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_FREE char *preprocess = NULL;
    nz_arch_options arch = {0};
    long long classes = 0, seed = 0;
    const char *path = args->operands[0];
    NZ_TRY(nz_cli_need(args, "out"));
    NZ_TRY(nz_cli_get_int(&classes, args, "classes", 0, 1, 1 << 20));
    NZ_TRY(nz_cli_get_int(&seed, args, "seed", 0, 0, INT64_MAX));
    NZ_TRY(read_size(&arch, args));
    NZ_TRY(read_preprocess(&preprocess, args));
    arch.classes = classes;
    arch.seed = (uint64_t)seed;
    NZ_TRY(nz_checkpoint_open(&checkpoint, path));
    NZ_TRY(nz_import_checkpoint(&graph, &report, checkpoint, path, nz_cli_get(args, "arch", ""), &arch));
    if (preprocess) NZ_TRY(nz_graph_set_meta(graph, "netzip.preprocess", preprocess));
    if (nz_cli_has(args, "fold")) NZ_TRY(fold(&graph));
    NZ_TRY(nz_model_save(graph, nz_cli_get(args, "out", NULL)));
    return print_result(args, checkpoint, graph, &report);
}

int nz_cmd_import(int argc, char **argv) {
    nz_cli_args args;
    int exit_status = 0;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    if (nz_cli_has(&args, "list") || !nz_cli_has(&args, "arch"))
        exit_status = nz_cli_finish(!nz_cli_has(&args, "list") && nz_cli_has(&args, "out")
                                        ? nz_cli_need(&args, "arch")
                                        : list(args.operands[0], nz_cli_has(&args, "json")));
    else
        exit_status = nz_cli_finish(import(&args));
    nz_cli_args_done(&args);
    return exit_status;
}
