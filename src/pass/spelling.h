/* SPDX-License-Identifier: Apache-2.0 */
/** The opset in which a graph is written. */
#ifndef NZ_PASS_SPELLING_H
#define NZ_PASS_SPELLING_H

#include "netzip/graph.h"

/**
 * The lowest opset from 13 up in which every node and type of the graph can be spelled. Nodes that netzip does not know keep
 * their file's opset, which then is the model's.
 * @return NZ_E_UNSUPPORTED where a node that was lifted cannot be spelled in the opset that an unknown one needs.
 */
NZ_CHECKED nz_status nz_pass_choose_opset(const nz_graph *graph, int *ret_opset);

#endif
