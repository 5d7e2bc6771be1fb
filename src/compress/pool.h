/* SPDX-License-Identifier: Apache-2.0 */
/** All weights that are pruned together, in one row: what "global" means, and which of them go. */
#ifndef NZ_COMPRESS_POOL_H
#define NZ_COMPRESS_POOL_H

#include "compress/weights.h"
#include "core/memory.h"

typedef struct nz_pool {
    nz_tensor *tensors; /**< private copies, in the order of the list */
    size_t count;
    uint64_t total, zeros; /**< weights, and those that were zero when the pool was made */
} nz_pool;

/** Copies the weights of a list. Release with nz_pool_done. */
NZ_CHECKED nz_status nz_pool_init(nz_pool *ret_pool, const nz_graph *graph, const nz_weight_list *list);
void nz_pool_done(nz_pool *pool);
uint64_t nz_pool_zeros(const nz_pool *pool); /**< weights that are zero now */

/** round(share x total), half to even. */
uint64_t nz_pool_share(const nz_pool *pool, double share);
/** Zeroes the `wanted` smallest in magnitude; of equals, those that come first. NaN is never small. */
NZ_CHECKED nz_status nz_pool_zero_smallest(nz_pool *pool, uint64_t wanted);
/** Zeroes weights drawn without replacement from those that are not zero, until `wanted` are (selection sampling). */
void nz_pool_zero_random(nz_pool *pool, uint64_t wanted, uint64_t seed);

#endif
