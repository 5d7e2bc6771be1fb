/* SPDX-License-Identifier: Apache-2.0 */
/** Which tensor of a checkpoint is which parameter of a graph. */
#ifndef NZ_IMPORT_MATCH_H
#define NZ_IMPORT_MATCH_H

#include "import/checkpoint.h"

/** A parameter and what the checkpoint has for it. */
typedef struct nz_match_row {
    int value;    /**< of the graph: a float constant of rank 1 or more */
    int64_t from; /**< tensor of the checkpoint, -1: none of that name */
    bool fits;    /**< type and shape do */
} nz_match_row;

typedef struct nz_match {
    char *prefix; /**< what stands in front of the names in the checkpoint */
    size_t count, capacity, loaded;
    nz_match_row *rows;
    uint8_t *used; /**< by tensor of the checkpoint */
} nz_match;

/** Compares the graph's parameters with the checkpoint's tensors. Release with nz_match_done. */
NZ_CHECKED nz_status nz_match_make(nz_match *ret_match, const nz_graph *graph, const nz_checkpoint *checkpoint);
void nz_match_done(nz_match *match); /**< safe on a zeroed one */

/** The parameter that the number of classes follows from: the weight of the last layer that has one, -1: none. */
int nz_match_head(const nz_graph *graph);
/** Outputs of the checkpoint's last layer, 0 where it has none whose other extents fit. */
int64_t nz_match_outputs(const nz_match *match, const nz_graph *graph, const nz_checkpoint *checkpoint);

#endif
