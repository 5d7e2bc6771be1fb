/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "netzip/pass.h"
#include "op/op.h"
#include "pass/infer.h"

/* A folded constant larger than this is left to be computed when the model runs: a hostile file must not fill memory. */
enum { FOLD_BYTES_MAX = 64 << 20 };

static bool is_op(const nz_node *node, const char *op_type) { return strcmp(node->op_type, op_type) == 0; }

/* How a weight is stored is a fact that the metrics report: what widens stored bits to float is kept. */
static bool keeps_storage(const nz_graph *graph, const nz_node *node) {
    if (is_op(node, "DequantizeLinear")) return true;
    if (!is_op(node, "Cast") && !is_op(node, "CastLike")) return false;
    const nz_dtype_info *from = nz_dtype_get(graph->values[node->inputs[0]].dtype),
                        *to = nz_dtype_get(graph->values[node->outputs[0]].dtype);
    return to->is_float && from->bits < to->bits && (from->is_float || from->bits <= 8) &&
           graph->values[node->inputs[0]].dtype != NZ_BOOL;
}

/* true for a node that hands its input on unchanged. */
static bool passes_on(const nz_graph *graph, const nz_node *node) {
    if (node->input_count == 0 || node->inputs[0] == NZ_NO_VALUE) return false;
    if (is_op(node, "Identity")) return true;
    if (is_op(node, "Cast")) return graph->values[node->inputs[0]].dtype == (nz_dtype)nz_attr_int(node, "to", 0);
    if (!is_op(node, "Dropout") || (node->output_count > 1 && node->outputs[1] != NZ_NO_VALUE)) return false;
    if (node->input_count < 3 || node->inputs[2] == NZ_NO_VALUE) return true;
    return nz_value_is_constant(graph, node->inputs[2]) &&
           nz_tensor_int(&graph->values[node->inputs[2]].constant, 0) == 0;
}

static bool is_graph_input(const nz_graph *graph, int value) {
    for (size_t i = 0; i < graph->input_count; i++)
        if (graph->inputs[i] == value) return true;
    return false;
}

/* An output of the model that would become one of its inputs, a constant or a second name of another output keeps its node. */
static bool can_redirect(const nz_graph *graph, int from, int to) {
    if (!nz_graph_is_output(graph, from)) return true;
    return !is_graph_input(graph, to) && !nz_value_is_constant(graph, to) && !nz_graph_is_output(graph, to);
}

/* Constants, or, for what asks of its input no more than that, a known shape. */
static bool inputs_known(const nz_graph *graph, const nz_node *node) {
    bool shape_suffices = is_op(node, "Shape") || is_op(node, "Size");
    for (size_t i = 0; i < node->input_count; i++) {
        int value = node->inputs[i];
        if (value == NZ_NO_VALUE || nz_value_is_constant(graph, value)) continue;
        if (!shape_suffices || nz_shape_elements(&graph->values[value].shape) < 0) return false;
    }
    return true;
}

static bool foldable(const nz_graph *graph, const nz_node *node) {
    const nz_op *op = nz_op_of(node);
    if (!op || !op->run || keeps_storage(graph, node)) return false;
    if (!inputs_known(graph, node)) return false;
    size_t total = 0;
    for (size_t o = 0; o < node->output_count; o++) {
        if (node->outputs[o] == NZ_NO_VALUE) continue;
        const nz_value *v = &graph->values[node->outputs[o]];
        int64_t elements = nz_shape_elements(&v->shape);
        size_t bytes = 0;
        if (elements < 0 || nz_graph_is_output(graph, node->outputs[o])) return false;
        if (nz_dtype_bytes(&bytes, v->dtype, elements) != NZ_OK || bytes > FOLD_BYTES_MAX - total) return false;
        total += bytes;
    }
    return true;
}

static nz_status compute(nz_graph *graph, size_t n, nz_tensor *outputs) {
    NZ_AUTO(nz_arena_done) nz_arena scratch = {0};
    const nz_node *node = &graph->nodes[n];
    nz_op_ctx c;
    NZ_TRY(nz_pass_context(&c, graph, (int)n, &scratch));
    for (size_t o = 0; o < node->output_count; o++) {
        if (node->outputs[o] == NZ_NO_VALUE) continue;
        const nz_value *v = &graph->values[node->outputs[o]];
        NZ_TRY(nz_tensor_init(&outputs[o], v->dtype, &v->shape));
        c.out[o] = outputs[o];
    }
    NZ_TRY(nz_op_of(node)->run(&c));
    for (size_t o = 0; o < node->output_count; o++)
        if (node->outputs[o] != NZ_NO_VALUE) NZ_TRY(nz_graph_set_constant(graph, node->outputs[o], &outputs[o]));
    return NZ_OK;
}

static nz_status fold_node(nz_graph *graph, size_t n) {
    NZ_AUTO_FREE nz_tensor *outputs = NULL;
    size_t count = graph->nodes[n].output_count;
    NZ_TRY(nz_alloc(&outputs, count, sizeof *outputs));
    nz_status status = compute(graph, n, outputs);
    for (size_t o = 0; o < count; o++) nz_tensor_done(&outputs[o]);
    if (status == NZ_OK) nz_graph_drop_node(graph, (int)n);
    return status;
}

/* Infers a node; where that is refused, what its outputs were thought to be does not hold. */
static nz_status infer(nz_graph *graph, size_t n) {
    NZ_AUTO(nz_arena_done) nz_arena scratch = {0};
    nz_status status = nz_pass_infer_node(graph, (int)n, &scratch);
    if (status == NZ_OK) return status;
    const nz_node *node = &graph->nodes[n];
    for (size_t o = 0; o < node->output_count; o++)
        if (node->outputs[o] >= 0) graph->values[node->outputs[o]].shape = (nz_shape){.rank = -1};
    return status;
}

nz_status nz_fold_in_place(nz_graph *graph, bool tolerant) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        if (nz_op_of(node) && passes_on(graph, node) && can_redirect(graph, node->outputs[0], node->inputs[0])) {
            int from = node->outputs[0], to = node->inputs[0];
            nz_graph_drop_node(graph, (int)n);
            nz_graph_redirect(graph, from, to);
            continue;
        }
        nz_status status = infer(graph, n);
        if (status != NZ_OK && (!tolerant || status == NZ_E_MEMORY)) return status;
        if (status == NZ_OK && foldable(graph, node)) NZ_TRY(fold_node(graph, n));
    }
    return nz_graph_finish(graph);
}

nz_status nz_pass_fold(nz_graph **ret_graph, const nz_graph *graph) {
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    NZ_TRY(nz_graph_clone(&copy, graph));
    NZ_TRY(nz_fold_in_place(copy, true));
    *ret_graph = NZ_STEAL(copy);
    return NZ_OK;
}
