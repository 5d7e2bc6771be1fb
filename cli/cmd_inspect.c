/* SPDX-License-Identifier: Apache-2.0 */
/* netzip inspect: what a model's file says. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/text.h"
#include "metric/inspect.h"
#include "metric/value_json.h"
#include "metric/value_text.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"json", NULL, "print one JSON object on standard output, and nothing else"},
    {"per-layer", NULL, "count every layer, and show which kernel it gets on this machine"},
    {"metrics", "ID,...",
     "metrics by id or category, or all; default: what the file alone gives quickly (not entropy_bytes)"},
    {"input", "NAME=1x3x224x224", "the shape of an input that the model leaves open; may be repeated"},
};

static const nz_cli_usage usage = {
    .verb = "inspect",
    .arguments = "MODEL [options]",
    .summary = "Shows what a model's file says: operations, bit widths, parameters, zeros, size. Counts are of one "
               "inference at\n"
               "batch 1, after constant folding and before any fusion. The model is not run.",
    .examples = "netzip inspect model.onnx\n"
                "netzip inspect model.onnx --per-layer\n"
                "netzip inspect model.onnx --json --metrics macs,params,entropy_bytes\n"
                "netzip inspect model.onnx --input images=1x3x640x640",
    .least = 1,
    .most = 1,
    .options = options,
    .option_count = NZ_COUNT(options),
};

/* --input NAME=1x3x224x224, several times. */
typedef struct binding_list {
    nz_binding *items;
    char **names;
    size_t count;
} binding_list;

static void bindings_done(binding_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->names[i]);
    free(list->names);
    free(list->items);
}

static nz_status read_shape(nz_shape *ret_shape, const char *text, const char *whole) {
    nz_shape shape = {0};
    for (const char *p = text;;) {
        size_t length = strcspn(p, "x");
        long long extent = 0;
        NZ_AUTO_FREE char *piece = NULL;
        NZ_TRY(nz_format(&piece, "%.*s", (int)length, p));
        if (shape.rank == NZ_MAX_RANK || nz_parse_int(&extent, piece, "extent") != NZ_OK || extent < 1)
            return nz_fail(NZ_E_ARG, "inspect: --input '%s' is not of the form NAME=1x3x224x224", whole);
        shape.dim[shape.rank++] = extent;
        if (!p[length]) break;
        p += length + 1;
    }
    *ret_shape = shape;
    return NZ_OK;
}

static nz_status read_bindings(binding_list *list, const nz_cli_args *args) {
    size_t count = nz_cli_count(args, "input");
    NZ_TRY(nz_alloc(&list->items, count, sizeof *list->items));
    NZ_TRY(nz_alloc(&list->names, count, sizeof *list->names));
    for (size_t i = 0; i < count; i++) {
        const char *text = nz_cli_get_at(args, "input", i), *equals = strrchr(text, '=');
        if (!equals || equals == text)
            return nz_fail(NZ_E_ARG, "inspect: --input '%s' is not of the form NAME=1x3x224x224", text);
        NZ_TRY(read_shape(&list->items[i].shape, equals + 1, text));
        NZ_TRY(nz_format(&list->names[i], "%.*s", (int)(equals - text), text));
        list->items[i].input = list->names[i];
        list->count++;
    }
    return NZ_OK;
}

static nz_status describe_shape(char **ret_text, const nz_value *value) {
    nz_text text = {0};
    if (value->shape.rank < 0) nz_text_append(&text, "of unknown rank");
    if (value->shape.rank == 0) nz_text_append(&text, "scalar");
    for (int d = 0; d < value->shape.rank; d++) {
        if (d) nz_text_append(&text, "x");
        if (value->shape.dim[d] >= 0)
            nz_text_appendf(&text, "%lld", (long long)value->shape.dim[d]);
        else
            nz_text_append(&text, value->dim_names[d] ? value->dim_names[d] : "?");
    }
    return nz_text_take(&text, ret_text);
}

static nz_status add_ports(nz_cli_table *table, const char *what, const nz_graph *graph, const int *values,
                           size_t count) {
    for (size_t i = 0; i < count; i++) {
        const nz_value *value = &graph->values[values[i]];
        NZ_AUTO_FREE char *shape = NULL;
        NZ_TRY(describe_shape(&shape, value));
        NZ_TRY(nz_cli_table_add(table, what));
        NZ_TRY(nz_cli_table_add(table, value->name));
        NZ_TRY(nz_cli_table_add(table, nz_dtype_get(value->dtype)->name));
        NZ_TRY(nz_cli_table_add(table, shape));
    }
    return NZ_OK;
}

static nz_status print_head(const nz_inspection *in) {
    const nz_graph *g = in->graph;
    const char *technique = nz_graph_meta(g, "netzip.technique");
    NZ_AUTO_CLI_TABLE nz_cli_table ports = {.columns = 4};
    nz_cli_put_printable(stdout, in->path);
    printf("\nONNX opset %d", g->opset);
    if (g->producer && *g->producer) {
        printf(", written by ");
        nz_cli_put_printable(stdout, g->producer);
    }
    if (technique) {
        printf(", compressed by ");
        nz_cli_put_printable(stdout, technique);
    }
    printf("\n\n");
    NZ_TRY(add_ports(&ports, "input", g, g->inputs, g->input_count));
    NZ_TRY(add_ports(&ports, "output", g, g->outputs, g->output_count));
    nz_cli_table_print(&ports, stdout, 0xf);
    putchar('\n');
    return NZ_OK;
}

static nz_status print_metrics(const nz_inspection *in) {
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = 4};
    char text[NZ_VALUE_TEXT];
    NZ_TRY(nz_cli_table_add(&out, "metric"));
    NZ_TRY(nz_cli_table_add(&out, "id"));
    NZ_TRY(nz_cli_table_add(&out, "value"));
    NZ_TRY(nz_cli_table_add(&out, "source"));
    for (size_t i = 0; i < in->count; i++) {
        const nz_value_report *value = &in->values[i];
        NZ_TRY(nz_cli_table_add(&out, in->metrics[i]->title));
        NZ_TRY(nz_cli_table_add(&out, in->metrics[i]->id));
        NZ_TRY(nz_cli_table_add(&out, nz_value_text(text, value, in->metrics[i])));
        NZ_TRY(nz_cli_table_addf(&out, "%s%s%s", nz_source_name(value->source), *value->reason ? ": " : "",
                                 value->reason));
    }
    nz_cli_table_print(&out, stdout, 1u | 1u << 1 | 1u << 3);
    return NZ_OK;
}

static nz_status add_count(nz_cli_table *table, bool known, uint64_t count) {
    char text[NZ_VALUE_TEXT];
    return nz_cli_table_add(table, !known ? "-" : count == 0 ? "" : nz_number_text(text, (double)count, "", true));
}

static nz_status add_layer(nz_cli_table *out, const nz_layer_facts *f, const nz_node_kernel *k, bool planned) {
    NZ_TRY(nz_cli_table_add(out, f->name));
    NZ_TRY(nz_cli_table_add(out, f->op));
    NZ_TRY(add_count(out, f->ops_known, f->macs));
    NZ_TRY(add_count(out, f->ops_known, f->ops));
    NZ_TRY(add_count(out, true, f->params));
    if (f->params)
        NZ_TRY(nz_cli_table_addf(out, "%.1f%%", 100.0 * (double)(f->params - f->params_nonzero) / (double)f->params));
    else
        NZ_TRY(nz_cli_table_add(out, ""));
    if (f->ops_known && f->ops == 0)
        NZ_TRY(nz_cli_table_add(out, "")); /* nothing is computed */
    else if (f->weight_bits && f->activation_bits)
        NZ_TRY(nz_cli_table_addf(out, "%d (w%d a%d)", f->bits, f->weight_bits, f->activation_bits));
    else if (f->bits)
        NZ_TRY(nz_cli_table_addf(out, "%d", f->bits));
    else
        NZ_TRY(nz_cli_table_add(out, "-"));
    if (k->into) return nz_cli_table_addf(out, "in %s", k->into);
    return nz_cli_table_add(out, k->kernel ? k->kernel : planned ? "no step of its own" : "-");
}

static nz_status print_layers(const nz_inspection *in) {
    static const char *const headings[] = {"layer",      "operator", "MACs", "operations",
                                           "parameters", "zeros",    "bits", "kernel"};
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = NZ_COUNT(headings)};
    for (size_t i = 0; i < NZ_COUNT(headings); i++) NZ_TRY(nz_cli_table_add(&out, headings[i]));
    for (size_t i = 0; i < in->facts.layer_count; i++)
        NZ_TRY(add_layer(&out, &in->facts.layers[i], &in->kernels[i], !in->kernel_note));
    putchar('\n');
    nz_cli_table_print(&out, stdout, 1u | 1u << 1 | 1u << 7);
    if (in->kernel_note) {
        printf("\nno kernels: ");
        nz_cli_put_printable(stdout, in->kernel_note);
        putchar('\n');
    }
    return NZ_OK;
}

static nz_status inspect(const nz_cli_args *args) {
    NZ_AUTO(bindings_done) binding_list bindings = {0};
    NZ_AUTO(nz_inspection_done) nz_inspection in = {0};
    NZ_TRY(read_bindings(&bindings, args));
    nz_inspect_options wanted = {.metrics = nz_cli_get(args, "metrics", NULL),
                                 .per_layer = nz_cli_has(args, "per-layer"),
                                 .bindings = bindings.items,
                                 .binding_count = bindings.count};
    NZ_TRY(nz_inspect(&in, args->operands[0], &wanted));
    if (nz_cli_has(args, "json")) {
        NZ_AUTO_JSON json_t *json = NULL;
        NZ_TRY(nz_inspection_json(&json, &in));
        return nz_cli_print_json(json);
    }
    NZ_TRY(print_head(&in));
    NZ_TRY(print_metrics(&in));
    return wanted.per_layer ? print_layers(&in) : NZ_OK;
}

int nz_cmd_inspect(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = inspect(&args);
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
