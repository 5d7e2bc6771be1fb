/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/ptq_graph.h"

#include "core/error.h"

nz_status nz_ptq_graph(nz_graph **ret_graph, const nz_graph *graph, const nz_qplan *plan, const nz_ranges *ranges,
                       const nz_qleft *left, const nz_ptq_options *options) {
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_TRY(nz_graph_clone(&result, graph));
    for (size_t i = 0; i < plan->layer_count; i++) {
        size_t at = nz_qplan_place(plan, plan->layers[i].input);
        NZ_TRY(nz_ptq_quantize_layer(result, &plan->layers[i], ranges->scales[at], ranges->observers[at], options));
    }
    for (size_t i = 0; i < plan->activation_count; i++)
        NZ_TRY(nz_qdq_insert(result, plan->activations[i], &ranges->params[i], left));
    NZ_TRY(nz_graph_finish(result));
    *ret_graph = NZ_STEAL(result);
    return NZ_OK;
}
