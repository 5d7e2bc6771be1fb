/* SPDX-License-Identifier: Apache-2.0 */
/** Working on one graph in place before it is handed out: types and shapes, and folding. The passes are made of these. */
#ifndef NZ_PASS_INFER_H
#define NZ_PASS_INFER_H

#include "core/memory.h"
#include "netzip/graph.h"

/**
 * Infers the outputs of one node from what is known of its inputs. On failure the outputs' shapes become unknown.
 *
 * @return NZ_E_UNSUPPORTED for a node outside the operator table, or an input of unknown type or rank; NZ_E_SHAPE. The
 *         message names the node.
 */
NZ_CHECKED nz_status nz_infer_node(nz_graph *graph, size_t node);

/**
 * Walks the nodes in order: removes those that pass their input on, infers the others, computes what depends on constants
 * alone, drops what is dead.
 *
 * @param tolerant  A node that cannot be inferred is left as it is; otherwise its message is the failure.
 */
NZ_CHECKED nz_status nz_fold_in_place(nz_graph *graph, bool tolerant);

#endif
