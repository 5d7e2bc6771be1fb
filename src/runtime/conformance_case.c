/* SPDX-License-Identifier: Apache-2.0 */
/* One case of ONNX test vectors: load, plan with what planning needs, run, compare. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "graph/build.h"
#include "netzip/onnx.h"
#include "op/op.h"
#include "runtime/conformance.h"

static void free_session_ptr(nz_session **session) { nz_session_free(*session); }

/* Tensors of one data set, in the order of the model's inputs or outputs. */
typedef struct tensors {
    size_t count;
    nz_tensor *items;
} tensors;

static void tensors_done(tensors *list) {
    for (size_t i = 0; i < list->count; i++) nz_tensor_done(&list->items[i]);
    free(list->items);
}

/* ONNX's vectors hold bfloat16 as uint16, the model says which it is. */
static nz_status load_tensors(tensors *list, const char *folder, const char *kind, const nz_graph *graph,
                              const int *values, size_t count) {
    NZ_TRY(nz_alloc(&list->items, count, sizeof *list->items));
    for (; list->count < count; list->count++) {
        NZ_AUTO_FREE char *path = NULL, *name = NULL;
        NZ_TRY(nz_format(&path, "%s/%s_%zu.pb", folder, kind, list->count));
        nz_tensor *item = &list->items[list->count];
        NZ_TRY(nz_onnx_tensor_load(item, &name, path));
        if (item->dtype == NZ_U16 && graph->values[values[list->count]].dtype == NZ_BF16) item->dtype = NZ_BF16;
    }
    return NZ_OK;
}

/* -- what planning must know ------------------------------------------------------------------------------------ */

/* Marks the values that operators need when they are planned, then what those are computed from. A Shape needs no value. */
static nz_status mark_needed(bool **ret_needed, const nz_graph *graph) {
    NZ_AUTO_FREE bool *needed = NULL;
    NZ_TRY(nz_alloc(&needed, graph->value_count, sizeof *needed));
    for (size_t n = graph->node_count; n-- > 0;) {
        const nz_node *node = &graph->nodes[n];
        const nz_op *op = nz_op_of(node);
        bool all = false;
        for (size_t i = 0; i < node->output_count; i++)
            all |= node->outputs[i] != NZ_NO_VALUE && needed[node->outputs[i]];
        if (strcmp(node->op_type, "Shape") == 0 || strcmp(node->op_type, "Size") == 0) continue;
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != NZ_NO_VALUE && (all || (op && i < 32 && (op->plan_inputs >> i & 1U))))
                needed[node->inputs[i]] = true;
    }
    *ret_needed = NZ_STEAL(needed);
    return NZ_OK;
}

static nz_status check_ports(const nz_graph *graph) {
    for (size_t i = 0; i < graph->input_count + graph->output_count; i++) {
        bool input = i < graph->input_count;
        const nz_value *value = &graph->values[input ? graph->inputs[i] : graph->outputs[i - graph->input_count]];
        const nz_dtype_info *info = nz_dtype_get(value->dtype);
        if (input && value->dtype == NZ_DTYPE_NONE)
            return nz_fail(NZ_E_UNSUPPORTED, "input '%s' is no tensor", value->name);
        if (value->dtype != NZ_DTYPE_NONE && info->bits == 0)
            return nz_fail(NZ_E_UNSUPPORTED, "'%s' is a tensor of %s, which netzip does not hold", value->name,
                           info->name);
    }
    return NZ_OK;
}

static nz_status check_nodes(const nz_graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].unsupported) return nz_fail(NZ_E_UNSUPPORTED, "%s", graph->nodes[n].unsupported);
    return NZ_OK;
}

/* -- comparing -------------------------------------------------------------------------------------------------- */

static const double relative_tolerance = 1e-3, absolute_tolerance = 1e-7;

static bool agree(double got, double expected) {
    if (isnan(got) || isnan(expected)) return isnan(got) && isnan(expected);
    if (isinf(got) || isinf(expected)) return got == expected;
    return fabs(got - expected) <= absolute_tolerance + relative_tolerance * fabs(expected);
}

/* ONNX's vectors hold bfloat16 as the integers of its bits, and were made by cutting the float off rather than rounding it.
 * Its runner compares those integers with the relative tolerance (16 apart near 1); here neighbours agree, no more. */
static bool agree_bf16(uint16_t got, uint16_t expected) {
    return got - expected <= 1 && expected - got <= 1 && got >> 15 == expected >> 15;
}

static bool agree_at(const nz_tensor *got, const nz_tensor *expected, int64_t i) {
    if (!nz_dtype_get(got->dtype)->is_float) return nz_tensor_int(got, i) == nz_tensor_int(expected, i);
    if (agree(nz_tensor_real(got, i), nz_tensor_real(expected, i))) return true;
    return got->dtype == NZ_BF16 && !isnan(nz_tensor_real(got, i)) && !isnan(nz_tensor_real(expected, i)) &&
           agree_bf16(((const uint16_t *)got->data)[i], ((const uint16_t *)expected->data)[i]);
}

nz_status nz_conformance_compare(const nz_tensor *got, const nz_tensor *expected, const char *name) {
    char gt[112], et[112];
    if (got->dtype != expected->dtype || !nz_shape_equal(&got->shape, &expected->shape))
        return nz_fail(NZ_E_SHAPE, "output '%s' is %s %s, expected %s %s", name, nz_dtype_get(got->dtype)->name,
                       nz_shape_text(&got->shape, gt), nz_dtype_get(expected->dtype)->name,
                       nz_shape_text(&expected->shape, et));
    int64_t count = nz_shape_elements(&got->shape), wrong = 0, first = 0;
    for (int64_t i = count - 1; i >= 0; i--) {
        if (!agree_at(got, expected, i)) wrong++, first = i;
    }
    if (wrong == 0) return NZ_OK;
    return nz_fail(NZ_E_SHAPE, "output '%s': %lld of %lld elements differ, first at %lld: %.9g instead of %.9g", name,
                   (long long)wrong, (long long)count, (long long)first, nz_tensor_real(got, first),
                   nz_tensor_real(expected, first));
}

/* -- running ---------------------------------------------------------------------------------------------------- */

/* The data set's tensor that belongs to a name among the model's inputs. */
static const nz_tensor *input_named(const nz_graph *graph, const tensors *inputs, const char *name) {
    for (size_t i = 0; i < graph->input_count; i++)
        if (strcmp(graph->values[graph->inputs[i]].name, name) == 0) return &inputs->items[i];
    return NULL;
}

static nz_status run_session(nz_session *session, const nz_graph *graph, const tensors *inputs,
                             const tensors *expected) {
    size_t in = nz_session_input_count(session), out = nz_session_output_count(session);
    NZ_AUTO_FREE nz_tensor *given = NULL;
    NZ_AUTO(tensors_done) tensors results = {0};
    if (out != expected->count)
        return nz_fail(NZ_E_SHAPE, "the session has %zu outputs, expected %zu", out, expected->count);
    NZ_TRY(nz_alloc(&given, in, sizeof *given));
    for (size_t i = 0; i < in; i++) {
        const char *name = NULL;
        (void)nz_session_input(session, i, &name);
        const nz_tensor *from = input_named(graph, inputs, name);
        if (!from) return nz_fail(NZ_E_INTERNAL, "the session has an input '%s' that the model lacks", name);
        given[i] = *from;
    }
    NZ_TRY(nz_alloc(&results.items, out, sizeof *results.items));
    for (; results.count < out; results.count++) {
        const nz_tensor *port = nz_session_output(session, results.count, NULL);
        NZ_TRY(nz_tensor_init(&results.items[results.count], port->dtype, &port->shape));
    }
    NZ_TRY(nz_session_run(session, given, results.items));
    for (size_t i = 0; i < out; i++)
        NZ_TRY(nz_conformance_compare(&results.items[i], &expected->items[i], graph->values[graph->outputs[i]].name));
    return NZ_OK;
}

static nz_status run_data_set(const nz_graph *graph, const bool *needed, const char *folder, const char *runtime,
                              int threads) {
    NZ_AUTO(tensors_done) tensors inputs = {0}, expected = {0};
    NZ_AUTO_FREE nz_binding *bindings = NULL;
    NZ_AUTO(free_session_ptr) nz_session *session = NULL;
    bool reference = strcmp(runtime, "reference") == 0;
    NZ_TRY(load_tensors(&inputs, folder, "input", graph, graph->inputs, graph->input_count));
    NZ_TRY(load_tensors(&expected, folder, "output", graph, graph->outputs, graph->output_count));
    NZ_TRY(nz_alloc(&bindings, graph->input_count, sizeof *bindings));
    for (size_t i = 0; i < graph->input_count; i++)
        bindings[i] = (nz_binding){.input = graph->values[graph->inputs[i]].name,
                                   .shape = inputs.items[i].shape,
                                   .value = needed[graph->inputs[i]] ? &inputs.items[i] : NULL};
    const nz_runtime_options options = {
        .threads = threads, .reference = reference, .bindings = bindings, .binding_count = graph->input_count};
    NZ_TRY(nz_session_open(&session, reference ? "native" : runtime, graph, NULL, &options));
    nz_status status = run_session(session, graph, &inputs, &expected);
    /* After planning there is only passed or failed. */
    return status == NZ_E_UNSUPPORTED ? NZ_E_INTERNAL : status;
}

nz_status nz_conformance_case(const char *folder, const char *runtime, int threads) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_FREE char *model = NULL;
    NZ_AUTO_FREE bool *needed = NULL;
    size_t sets = 0;
    NZ_TRY(nz_path_join(&model, folder, "model.onnx"));
    NZ_TRY(nz_model_load(&graph, model));
    NZ_TRY(check_nodes(graph));
    NZ_TRY(check_ports(graph));
    NZ_TRY(mark_needed(&needed, graph));
    for (;; sets++) {
        NZ_AUTO_FREE char *set = NULL;
        NZ_TRY(nz_format(&set, "%s/test_data_set_%zu", folder, sets));
        if (!nz_dir_exists(set)) break;
        NZ_TRY(run_data_set(graph, needed, set, runtime, threads));
    }
    return sets ? NZ_OK : nz_fail(NZ_E_IO, "%s holds no test_data_set_0", folder);
}
