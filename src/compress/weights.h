/* SPDX-License-Identifier: Apache-2.0 */
/** Which constants are the weights of a model's layers: asked by every method. */
#ifndef NZ_COMPRESS_WEIGHTS_H
#define NZ_COMPRESS_WEIGHTS_H

#include <stdlib.h>

#include "netzip/graph.h"

/** One weight tensor and the first node that uses it as its weight; each tensor once, in node order. */
typedef struct nz_weight {
    int node;  /**< index of the convolution or linear node */
    int value; /**< index of the constant */
} nz_weight;

typedef struct nz_weight_list {
    size_t count;
    nz_weight *items;
} nz_weight_list;

static inline void nz_weight_list_done(nz_weight_list *list) {
    free(list->items);
    *list = (nz_weight_list){0};
}

/**
 * Lists the weights of convolutions, and of Gemm and MatMul too where `linear`, leaving out nodes that fit `exclude`
 * (nz_node_matches; NULL: none) and the weights that such a node shares with others. Looks back from the node's second
 * input through Identity, Cast, Reshape and Transpose.
 * Release with nz_weight_list_done.
 *
 * @return NZ_E_UNSUPPORTED where a weight is stored as an integer behind a DequantizeLinear: compress the float model.
 */
NZ_CHECKED nz_status nz_weights_list(nz_weight_list *ret_list, const nz_graph *graph, bool linear, const char *exclude);

/** In place: what a Cast makes of a constant stored in half precision becomes a constant of float32, which training can
 * change. Ends with nz_graph_finish where anything changed. */
NZ_CHECKED nz_status nz_weights_widen(nz_graph *graph);

#endif
