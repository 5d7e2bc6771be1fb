/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"
#include "graph/build.h"
#include "netzip/pass.h"

nz_status nz_pass_expose(nz_graph **ret_graph, const nz_graph *graph, const int *values, size_t count) {
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    NZ_TRY(nz_graph_clone(&copy, graph));
    for (size_t i = 0; i < count; i++) {
        if (values[i] < 0 || (size_t)values[i] >= graph->value_count)
            return nz_fail(NZ_E_ARG, "value %d is not in the model", values[i]);
        NZ_TRY(nz_graph_add_output(copy, values[i]));
    }
    NZ_TRY(nz_graph_finish(copy));
    *ret_graph = NZ_STEAL(copy);
    return NZ_OK;
}
