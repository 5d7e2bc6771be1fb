/* SPDX-License-Identifier: Apache-2.0 */
/* A model file of any bytes: parsed, lifted, folded with its extents open and fixed. */
#include "onnx/onnx.h"
#include "core/memory.h"
#include "fuzz.h"
#include "graph/build.h"
#include "netzip/pass.h"
#include "pass/infer.h"

static void check_index(const nz_graph *graph, int value) {
    nz_fuzz_check(value >= NZ_NO_VALUE && value < (int)graph->value_count);
}

/* What everything behind the reader relies on. */
static void check_graph(const nz_graph *graph) {
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        nz_fuzz_check(value->name && *value->name && value->shape.rank <= NZ_MAX_RANK &&
                      value->producer < (int)graph->node_count);
        if (!value->constant.data) continue;
        size_t bytes = 0;
        nz_fuzz_check(nz_dtype_bytes(&bytes, value->dtype, nz_shape_elements(&value->shape)) == NZ_OK);
        nz_fuzz_check(bytes == value->constant.bytes && value->producer == -1);
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < bytes; i += 509) sum = (uint8_t)(sum + ((const uint8_t *)value->constant.data)[i]);
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        nz_fuzz_check(node->name && node->op_type && *node->op_type);
        for (size_t i = 0; i < node->input_count; i++) {
            check_index(graph, node->inputs[i]);
            if (node->inputs[i] >= 0) nz_fuzz_check(graph->values[node->inputs[i]].producer < (int)n);
        }
        for (size_t i = 0; i < node->output_count; i++) check_index(graph, node->outputs[i]);
        for (size_t i = 0; i < node->capture_count; i++) check_index(graph, node->captures[i]);
    }
    for (size_t i = 0; i < graph->input_count; i++) check_index(graph, graph->inputs[i]);
    for (size_t i = 0; i < graph->output_count; i++)
        nz_fuzz_check(graph->outputs[i] >= 0 && graph->outputs[i] < (int)graph->value_count);
}

static void unref_buffer(nz_buffer **buffer) { nz_buffer_unref(*buffer); }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(unref_buffer) nz_buffer *buffer = NULL;
    NZ_AUTO_GRAPH nz_graph *graph = NULL, *folded = NULL, *fixed = NULL, *merged = NULL;
    nz_fuzz_check(nz_buffer_alloc(&buffer, count) == NZ_OK);
    if (count) memcpy(nz_buffer_data(buffer), bytes, count);
    nz_tensor tensor = {0};
    if (nz_onnx_parse_tensor(&tensor, NULL, buffer, "/nonexistent/fuzz.pb") == NZ_OK) {
        nz_fuzz_check(tensor.data && tensor.shape.rank <= NZ_MAX_RANK);
        nz_tensor_done(&tensor);
    }
    if (nz_onnx_parse(&graph, buffer, "/nonexistent/fuzz.onnx", count % 2) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !strchr(nz_last_error(), '\n') && !graph);
        return 0;
    }
    check_graph(graph);
    if (nz_pass_lift(graph) != NZ_OK) {
        nz_fuzz_check(*nz_last_error());
        return 0;
    }
    check_graph(graph);
    if (nz_pass_fold(&folded, graph) == NZ_OK) {
        check_graph(folded);
        if (nz_pass_fold_batchnorm(&merged, folded) == NZ_OK) check_graph(merged);
    }
    if (nz_pass_specialise(&fixed, graph, 1, NULL, 0, count % 3) == NZ_OK) check_graph(fixed);
    return 0;
}
