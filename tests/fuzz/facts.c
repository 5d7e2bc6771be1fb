/* SPDX-License-Identifier: Apache-2.0 */
/* What a model file of any bytes is said to cost: counts that fit together, or a reason. */
#include "core/memory.h"
#include "fuzz.h"
#include "graph/build.h"
#include "metric/family.h"
#include "onnx/onnx.h"
#include "pass/infer.h"

static void unref_buffer(nz_buffer **buffer) { nz_buffer_unref(*buffer); }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(unref_buffer) nz_buffer *buffer = NULL;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_graph_facts_done) nz_graph_facts facts = {0};
    nz_fuzz_check(nz_buffer_alloc(&buffer, count) == NZ_OK);
    if (count) memcpy(nz_buffer_data(buffer), bytes, count);
    if (nz_onnx_parse(&graph, buffer, "/nonexistent/fuzz.onnx", count % 2) != NZ_OK) return 0;
    if (nz_pass_lift(graph) != NZ_OK) return 0;
    if (nz_graph_facts_get(&facts, graph, NULL, 0) != NZ_OK) {
        nz_fuzz_check(*nz_last_error());
        return 0;
    }
    nz_fuzz_check(facts.params_nonzero <= facts.params && facts.weights_zero <= facts.weights);
    nz_fuzz_check(facts.weights <= facts.params && facts.layer_count == facts.counted->node_count);
    nz_fuzz_check(facts.ops_known || *facts.ops_reason);
    nz_fuzz_check(facts.macs_known || (*facts.macs_reason && !facts.ops_known));
    nz_metric_input input = nz_metric_input_none();
    input.facts = &facts;
    const nz_metric *metric;
    for (size_t i = 0; (metric = nz_metric_at(i)); i++) {
        nz_value_report value = nz_metric_value(metric, &input);
        nz_fuzz_check(value.source != NZ_UNAVAILABLE || *value.reason);
    }
    return 0;
}
