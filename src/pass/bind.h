/* SPDX-License-Identifier: Apache-2.0 */
/** What a sample of data says about a model's open extents. */
#ifndef NZ_PASS_BIND_H
#define NZ_PASS_BIND_H

#include "netzip/pass.h"

/**
 * The binding that lets `graph` take samples of a shape: where its only input has open extents beside the batch, these are
 * the sample's.
 *
 * @param[out] ret_binding  Set where *ret_count is 1; borrows the input's name from the graph.
 * @param[out] ret_count    0 where nothing but the batch is open, or the sample has another rank; else 1.
 * @param sample            Of one sample, without the batch; rank -1: unknown.
 * @param batch             For a symbolic batch.
 */
void nz_sample_binding(nz_binding *ret_binding, size_t *ret_count, const nz_graph *graph, const nz_shape *sample,
                       int64_t batch);

#endif
