/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/trace.h"

#include <string.h>

static bool passes_through(const char *op) {
    static const char *const names[] = {"DequantizeLinear", "Identity", "Reshape", "Transpose"};
    for (size_t i = 0; i < NZ_COUNT(names); i++)
        if (strcmp(op, names[i]) == 0) return true;
    return false;
}

static const nz_node *producer_of(const nz_graph *graph, int value) {
    int node = graph->values[value].producer;
    if (node < 0 || nz_value_is_constant(graph, value)) return NULL;
    const nz_node *n = &graph->nodes[node];
    return *n->domain || n->input_count == 0 || n->inputs[0] == NZ_NO_VALUE ? NULL : n;
}

int nz_trace_origin(const nz_graph *graph, int value) {
    if (value == NZ_NO_VALUE) return value;
    int origin = value; /* as far as is certain; `at` runs ahead through Casts, which count only before a constant */
    bool certain = true;
    for (int at = value;;) {
        if (nz_value_is_constant(graph, at)) return at;
        const nz_node *node = producer_of(graph, at);
        bool cast = node && strcmp(node->op_type, "Cast") == 0;
        if (!node || (!cast && !passes_through(node->op_type))) return origin;
        certain = certain && !cast;
        at = node->inputs[0];
        if (certain) origin = at;
    }
}

nz_status nz_readers_init(nz_readers *ret_readers, const nz_graph *graph) {
    NZ_AUTO(nz_readers_done) nz_readers readers = {0};
    nz_status status = nz_alloc(&readers.count, graph->value_count, sizeof *readers.count);
    if (status == NZ_OK) status = nz_alloc(&readers.first, graph->value_count, sizeof *readers.first);
    if (status != NZ_OK) return status;
    for (size_t v = 0; v < graph->value_count; v++) readers.first[v] = -1;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n].input_count; i++) {
            int value = graph->nodes[n].inputs[i];
            if (value == NZ_NO_VALUE) continue;
            if (readers.count[value]++ == 0) readers.first[value] = (int)n;
        }
    for (size_t n = 0; n < graph->node_count; n++) /* what the branches of control flow read from outside */
        for (size_t i = 0; i < graph->nodes[n].capture_count; i++) readers.count[graph->nodes[n].captures[i]]++;
    for (size_t i = 0; i < graph->output_count; i++) readers.count[graph->outputs[i]]++;
    *ret_readers = readers;
    readers = (nz_readers){0};
    return NZ_OK;
}

void nz_readers_done(nz_readers *readers) {
    free(readers->count);
    free(readers->first);
    *readers = (nz_readers){0};
}
