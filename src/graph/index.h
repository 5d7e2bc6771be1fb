/* SPDX-License-Identifier: Apache-2.0 */
/** The graph room's own: what builders keep beside a graph, and how its parts are released. */
#ifndef NZ_GRAPH_INDEX_H
#define NZ_GRAPH_INDEX_H

#include "graph/names.h"
#include "netzip/graph.h"

struct nz_graph_index {
    nz_names values, nodes;
    size_t value_capacity, node_capacity, input_capacity, output_capacity, meta_capacity;
};

/** A heap copy of a list of indices; a valid pointer where count is 0. */
NZ_CHECKED nz_status nz_ints_copy(int **ret_copy, const int *from, size_t count);
void nz_attr_done(nz_attr *attr);
void nz_node_done(nz_node *node);
void nz_value_done(nz_value *value);
void nz_graph_index_free(nz_graph *graph);

#endif
