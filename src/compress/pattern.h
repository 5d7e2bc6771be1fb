/* SPDX-License-Identifier: Apache-2.0 */
/** Nodes chosen by shell patterns of their names or operators: exclude=, distill_at=. */
#ifndef NZ_COMPRESS_PATTERN_H
#define NZ_COMPRESS_PATTERN_H

#include "netzip/graph.h"

/** true where the shell pattern of `length` bytes fits the node's name or operator; an empty one fits none. */
bool nz_node_fits(const nz_node *node, const char *text, size_t length);
/** true where a pattern of `list` (shell patterns joined by plus signs, "conv1+Gemm"; NULL: none) fits the node. */
bool nz_node_matches(const nz_node *node, const char *list);

#endif
