/* SPDX-License-Identifier: Apache-2.0 */
/** Folding a graph that is not handed out yet. */
#ifndef NZ_PASS_FOLD_H
#define NZ_PASS_FOLD_H

#include "graph/build.h"

typedef enum nz_fold_mode {
    NZ_FOLD_SYMBOLIC, /**< extents may be unknown: what cannot be inferred stays unknown */
    NZ_FOLD_TOLERANT, /**< every extent is known: a node that is refused is marked as unsupported, with the reason */
    NZ_FOLD_STRICT    /**< every extent is known: the first refusal is the failure */
} nz_fold_mode;

/** Walks the nodes in order: removes those that pass their input on, infers the others, computes what depends on constants
 * (or known shapes) alone, drops what is dead. Indices change. */
NZ_CHECKED nz_status nz_fold_in_place(nz_graph *graph, nz_fold_mode mode);

#endif
