/* SPDX-License-Identifier: Apache-2.0 */
/** An operator's context for a node of a graph: what infer, count and run are called with. */
#ifndef NZ_PASS_CONTEXT_H
#define NZ_PASS_CONTEXT_H

#include "op/op.h"

typedef struct nz_op_context {
    nz_op_ctx ctx;
    nz_tensor *tensors;   /**< of the inputs; data only where constant */
    const nz_tensor **in; /**< NULL: left out */
    nz_tensor *out;       /**< zeroed */
} nz_op_context;

/** Fills the context with types, shapes and constants; its memory is the arena's. */
NZ_CHECKED nz_status nz_op_context_open(nz_op_context *ret, const nz_graph *graph, const nz_node *node,
                                        nz_arena *scratch);

#endif
