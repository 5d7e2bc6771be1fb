/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Half-precision storage: parameters are stored as float16 or bfloat16 and cast to float where they are used. Every runtime runs
 * the result; the arithmetic stays float unless a runtime chooses otherwise.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compress/method.h"
#include "compress/pattern.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"
#include "metric/trace.h"
#include "netzip/pass.h"

typedef struct half_options {
    char *exclude;
} half_options;

static const nz_option half_table[] = {
    {.name = "exclude",
     .type = NZ_OPTION_TEXT,
     .offset = offsetof(half_options, exclude),
     .help = "layers to leave alone: shell patterns of node names or operators, joined by '+'"},
};

/* true where a node outside of what is excluded reads the constant, and nobody needs it while planning or inside a subgraph. */
static bool may_be_cast(const nz_graph *graph, int value, const char *exclude) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        const nz_op *op = nz_op_of(node);
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] == value &&
                (!op || (i < 32 && op->plan_inputs >> i & 1u) || nz_node_matches(node, exclude)))
                return false;
        for (size_t i = 0; i < node->capture_count; i++)
            if (node->captures[i] == value) return false;
    }
    return !nz_graph_is_output(graph, value);
}

/* Parameters by the rule of metrics.md: running variances underflow in float16, and the grids and anchors of a detector lose
 * whole pixels in bfloat16. */
static bool convertible(const nz_graph *graph, const nz_param *param, const char *exclude) {
    const nz_value *v = &graph->values[param->value];
    return v->dtype == NZ_F32 && nz_shape_elements(&v->shape) >= 2 && may_be_cast(graph, param->value, exclude);
}

/* false where a finite value would overflow: that tensor stays as it is. */
static nz_status encode(nz_tensor *ret_half, bool *ret_fits, double *ret_sqnr_db, const nz_tensor *source,
                        nz_dtype dtype) {
    NZ_AUTO_TENSOR nz_tensor half = {0};
    NZ_TRY(nz_tensor_init(&half, dtype, &source->shape));
    double signal = 0, noise = 0;
    bool fits = true;
    for (int64_t k = 0, n = nz_shape_elements(&source->shape); k < n; k++) {
        double exact = nz_tensor_real(source, k);
        nz_tensor_set_real(&half, k, exact);
        double stored = nz_tensor_real(&half, k);
        if (isfinite(exact) && !isfinite(stored)) fits = false;
        signal += exact * exact;
        noise += (exact - stored) * (exact - stored);
    }
    *ret_sqnr_db = noise > 0 ? 10 * log10(signal / noise) : INFINITY;
    *ret_fits = fits;
    *ret_half = half;
    half = (nz_tensor){0};
    return NZ_OK;
}

static nz_status store_one(nz_graph *graph, nz_compress_report *report, const nz_method_input *input,
                           const nz_param *param, nz_dtype dtype, size_t *stored) {
    NZ_AUTO_TENSOR nz_tensor half = {0};
    NZ_AUTO_FREE char *name = NULL;
    bool fits = false;
    double sqnr_db = 0;
    int value = param->value;
    NZ_TRY(encode(&half, &fits, &sqnr_db, &graph->values[value].constant, dtype));
    if (!fits) {
        nz_progress_note(input->progress, "%s stays float: a value lies beyond the range of %s",
                         graph->values[value].name, nz_dtype_get(dtype)->name);
        return NZ_OK;
    }
    int constant = 0, cast_value = 0, cast = 0;
    NZ_TRY(nz_format(&name, "%s_%s", graph->values[value].name, nz_dtype_get(dtype)->name));
    NZ_TRY(nz_graph_add_constant(graph, &constant, name, &half));
    NZ_TRY(nz_graph_add_value(graph, &cast_value, "", NZ_F32, &half.shape));
    nz_graph_redirect(graph, value, cast_value);
    NZ_TRY(nz_graph_add_node(graph, &cast, "Cast", "", &constant, 1, &cast_value, 1));
    NZ_TRY(nz_node_set_int(&graph->nodes[cast], "to", NZ_F32));
    char what[96];
    snprintf(what, sizeof what, "%lld values stored as %s", (long long)nz_shape_elements(&half.shape),
             nz_dtype_get(dtype)->name);
    NZ_TRY(nz_compress_report_add(report, &graph->nodes[param->node], what, sqnr_db, NAN));
    ++*stored;
    return NZ_OK;
}

static nz_status store_half(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                            const half_options *o, nz_dtype dtype) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_params_done) nz_params params = {0};
    size_t stored = 0;
    NZ_TRY(nz_pass_fold(&graph, input->graph));
    NZ_TRY(nz_params_init(&params, graph, false));
    for (size_t i = 0; i < params.count; i++)
        if (convertible(graph, &params.items[i], o->exclude))
            NZ_TRY(store_one(graph, report, input, &params.items[i], dtype, &stored));
    if (stored == 0)
        return nz_fail(NZ_E_UNSUPPORTED, "the model has no float parameters to store as %s", nz_dtype_get(dtype)->name);
    NZ_TRY(nz_graph_finish(graph));
    NZ_TRY(nz_format(&report->summary,
                     "%zu parameter tensors are stored as %s, at half the bytes, and cast to float where they are "
                     "used: arithmetic and speed "
                     "stay those of float unless the runtime computes in half precision.",
                     stored, nz_dtype_get(dtype)->name));
    *ret_graph = NZ_STEAL(graph);
    return NZ_OK;
}

static nz_status apply_fp16(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                            const void *options) {
    return store_half(ret_graph, report, input, options, NZ_F16);
}

static nz_status apply_bf16(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                            const void *options) {
    return store_half(ret_graph, report, input, options, NZ_BF16);
}

const nz_method nz_method_fp16 = {
    .name = "fp16",
    .alias = "FP16",
    .technique = "FP16",
    .help = "store parameters as float16",
    .options = half_table,
    .option_count = NZ_COUNT(half_table),
    .options_bytes = sizeof(half_options),
    .apply = apply_fp16,
};

const nz_method nz_method_bf16 = {
    .name = "bf16",
    .alias = "BF16",
    .technique = "BF16",
    .help = "store parameters as bfloat16",
    .options = half_table,
    .option_count = NZ_COUNT(half_table),
    .options_bytes = sizeof(half_options),
    .apply = apply_bf16,
};
