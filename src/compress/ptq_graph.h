/* SPDX-License-Identifier: Apache-2.0 */
/** The quantised graph of a plan and its ranges. */
#ifndef NZ_COMPRESS_PTQ_GRAPH_H
#define NZ_COMPRESS_PTQ_GRAPH_H

#include "compress/calibrate.h"

/**
 * A copy of `graph` in which the plan's layers have integer weights and its activations Q/DQ pairs. The nodes of `graph` keep
 * their places, new ones follow.
 * @param left  As the plan was made with.
 */
NZ_CHECKED nz_status nz_ptq_graph(nz_graph **ret_graph, const nz_graph *graph, const nz_qplan *plan,
                                  const nz_ranges *ranges, const nz_qleft *left, const nz_ptq_options *options);

#endif
