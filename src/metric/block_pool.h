/* SPDX-License-Identifier: Apache-2.0 */
/** All values of one model, ready to be asked for the statistic of any number of copies of each round. */
#ifndef NZ_METRIC_BLOCK_POOL_H
#define NZ_METRIC_BLOCK_POOL_H

#include "netzip/blocks.h"

/**
 * Values in ascending order with the round of each. `below` holds, for every `step`-th place, how many values of each round
 * stand before it: a weighted rank is found by bisection over those rows and a walk of at most `step` values.
 */
typedef struct nz_block_pool {
    nz_block_statistic statistic; /* a mean or a quantile */
    double quantile;
    size_t rounds, count, step, rows;
    double *values;   /* [count] ascending */
    uint32_t *origin; /* [count] the round of each */
    uint32_t *below;  /* [rows, rounds] */
    double *sums;     /* [rounds] */
    uint32_t *counts; /* [rounds] */
    double *each;     /* [rounds] the statistic of each round alone */
} nz_block_pool;

NZ_CHECKED nz_status nz_block_pool_open(nz_block_pool *pool, const nz_blocks *blocks, size_t model,
                                        const nz_block_options *options);
void nz_block_pool_done(nz_block_pool *pool);
/** The statistic where round r stands `weights[r]` times; at least one weight is above 0. */
double nz_block_pool_value(const nz_block_pool *pool, const uint32_t *weights);

#endif
