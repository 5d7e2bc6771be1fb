/* SPDX-License-Identifier: Apache-2.0 */
/** Asking the operator table about a node of a graph: its shapes, its values. What passes share. */
#ifndef NZ_PASS_INFER_H
#define NZ_PASS_INFER_H

#include "op/op.h"

/** The context of one node over a graph that is being built; the arrays lie in the arena. */
NZ_CHECKED nz_status nz_pass_context(nz_op_ctx *ret_ctx, const nz_graph *graph, int node, nz_arena *arena);

/**
 * Infers the outputs of a node and stores them in the graph.
 *
 * @return NZ_E_UNSUPPORTED for a node without an entry, and what op->infer returns; then the values stay as they were.
 *         NZ_E_SHAPE for a value of more than 2^40 elements.
 */
NZ_CHECKED nz_status nz_pass_infer_node(nz_graph *graph, int node, nz_arena *arena);

/** Whether type and rank (exact: every extent) of all inputs are known. */
bool nz_pass_inputs_known(const nz_graph *graph, const nz_node *node, bool exact);

/** Marks a node as unsupported with the calling thread's last message as the reason. */
NZ_CHECKED nz_status nz_pass_mark_unsupported(nz_node *node);

/** Brings every node of a graph as it was parsed into canonical form, as far as the operator table reaches, and infers shapes
 * on the way. Nodes that cannot be lifted are marked and left as they are. Sorts the graph; removes nothing. */
NZ_CHECKED nz_status nz_pass_lift(nz_graph *graph);

#endif
