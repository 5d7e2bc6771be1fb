/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/block_pool.h"

#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"

typedef struct item {
    double value;
    uint32_t round;
} item;

/* Equal values by round, so that the order is the same with any sorting procedure. */
static int item_order(const void *a, const void *b) {
    const item *x = a, *y = b;
    if (x->value != y->value) return (x->value > y->value) - (x->value < y->value);
    return (x->round > y->round) - (x->round < y->round);
}

void nz_block_pool_done(nz_block_pool *pool) {
    free(pool->values);
    free(pool->origin);
    free(pool->below);
    free(pool->sums);
    free(pool->counts);
    free(pool->each);
    *pool = (nz_block_pool){0};
}

/* Checks the blocks of a model and counts their values. */
static nz_status count_values(size_t *ret_count, const nz_blocks *blocks, size_t model) {
    size_t count = 0;
    for (size_t r = 0; r < blocks->round_count; r++) {
        const size_t *block = blocks->start + r * blocks->model_count + model;
        if (block[1] <= block[0]) return nz_fail(NZ_E_ARG, "blocks: round %zu of model %zu holds no value", r, model);
        for (size_t i = block[0]; i < block[1]; i++)
            if (!(blocks->values[i] > 0) || !isfinite(blocks->values[i]))
                return nz_fail(NZ_E_ARG, "blocks: round %zu of model %zu holds %g: values are finite and above 0", r,
                               model, blocks->values[i]);
        count += block[1] - block[0];
    }
    if (count > UINT32_MAX / 2) return nz_fail(NZ_E_ARG, "blocks: %zu values of one model are too many", count);
    *ret_count = count;
    return NZ_OK;
}

static void fill_rows(nz_block_pool *pool) {
    for (size_t row = 1; row < pool->rows; row++) {
        uint32_t *now = pool->below + row * pool->rounds;
        const uint32_t *before = now - pool->rounds, *origin = pool->origin + (row - 1) * pool->step;
        for (size_t r = 0; r < pool->rounds; r++) now[r] = before[r];
        for (size_t i = 0; i < pool->step; i++) now[origin[i]]++;
    }
}

/* Where a quantile lies among `count` ascending values: `part` of the way from one to the next. */
typedef struct place {
    uint64_t low, high;
    double part;
} place;

static place place_of(double quantile, uint64_t count) {
    double at = quantile * (double)(count - 1), low = floor(at);
    return (place){.low = (uint64_t)low, .high = (uint64_t)ceil(at), .part = at - low};
}

/* The statistic of each round alone. In ascending order a quantile of a round is met when its share of the values has gone by. */
static nz_status fill_each(nz_block_pool *pool) {
    NZ_AUTO_FREE uint32_t *seen = NULL;
    NZ_TRY(nz_alloc(&seen, pool->rounds, sizeof *seen));
    for (size_t i = 0; pool->statistic == NZ_BLOCK_QUANTILE && i < pool->count; i++) {
        uint32_t r = pool->origin[i], gone = seen[r]++;
        place wanted = place_of(pool->quantile, pool->counts[r]);
        if (gone == wanted.low) pool->each[r] = pool->values[i];
        if (gone == wanted.high) pool->each[r] += (pool->values[i] - pool->each[r]) * wanted.part;
    }
    for (size_t r = 0; pool->statistic == NZ_BLOCK_MEAN && r < pool->rounds; r++)
        pool->each[r] = pool->sums[r] / pool->counts[r];
    return NZ_OK;
}

static nz_status allocate(nz_block_pool *pool) {
    NZ_TRY(nz_alloc(&pool->values, pool->count, sizeof *pool->values));
    NZ_TRY(nz_alloc(&pool->origin, pool->count, sizeof *pool->origin));
    NZ_TRY(nz_alloc(&pool->below, pool->rows, pool->rounds * sizeof *pool->below));
    NZ_TRY(nz_alloc(&pool->sums, pool->rounds, sizeof *pool->sums));
    NZ_TRY(nz_alloc(&pool->counts, pool->rounds, sizeof *pool->counts));
    return nz_alloc(&pool->each, pool->rounds, sizeof *pool->each);
}

nz_status nz_block_pool_open(nz_block_pool *pool, const nz_blocks *blocks, size_t model,
                             const nz_block_options *options) {
    NZ_AUTO(nz_block_pool_done)
    nz_block_pool p = {.statistic = options->statistic, .quantile = options->quantile, .rounds = blocks->round_count};
    if (p.statistic == NZ_BLOCK_MEDIAN) {
        p.statistic = NZ_BLOCK_QUANTILE;
        p.quantile = 0.5;
    }
    NZ_AUTO_FREE item *items = NULL;
    NZ_TRY(count_values(&p.count, blocks, model));
    p.step = p.rounds > 16 ? p.rounds : 16;
    p.rows = p.count / p.step + 1;
    NZ_TRY(allocate(&p));
    NZ_TRY(nz_alloc(&items, p.count, sizeof *items));
    size_t n = 0;
    for (size_t r = 0; r < p.rounds; r++) {
        const size_t *block = blocks->start + r * blocks->model_count + model;
        p.counts[r] = (uint32_t)(block[1] - block[0]);
        for (size_t i = block[0]; i < block[1]; i++) {
            items[n++] = (item){blocks->values[i], (uint32_t)r};
            p.sums[r] += blocks->values[i];
        }
    }
    qsort(items, n, sizeof *items, item_order);
    for (size_t i = 0; i < n; i++) {
        p.values[i] = items[i].value;
        p.origin[i] = items[i].round;
    }
    fill_rows(&p);
    NZ_TRY(fill_each(&p));
    *pool = p;
    p = (nz_block_pool){0};
    return NZ_OK;
}

/* How many weighted values stand before a row's place. */
static uint64_t weight_before(const nz_block_pool *pool, const uint32_t *weights, size_t row) {
    const uint32_t *below = pool->below + row * pool->rounds;
    uint64_t sum = 0;
    for (size_t r = 0; r < pool->rounds; r++) sum += (uint64_t)weights[r] * below[r];
    return sum;
}

static double quantile(const nz_block_pool *pool, const uint32_t *weights) {
    uint64_t total = 0;
    for (size_t r = 0; r < pool->rounds; r++) total += (uint64_t)weights[r] * pool->counts[r];
    place wanted = place_of(pool->quantile, total);
    uint64_t before = 0;
    size_t row = 0, past = pool->rows; /* the last row with at most `wanted.low` before it lies in [row, past) */
    while (past - row > 1) {
        size_t middle = row + (past - row) / 2;
        uint64_t weight = weight_before(pool, weights, middle);
        if (weight <= wanted.low) {
            row = middle;
            before = weight;
        } else {
            past = middle;
        }
    }
    size_t i = row * pool->step;
    while (before + weights[pool->origin[i]] <= wanted.low) before += weights[pool->origin[i++]];
    double lower = pool->values[i];
    while (before + weights[pool->origin[i]] <= wanted.high) before += weights[pool->origin[i++]];
    return lower + (pool->values[i] - lower) * wanted.part;
}

double nz_block_pool_value(const nz_block_pool *pool, const uint32_t *weights) {
    if (pool->statistic == NZ_BLOCK_QUANTILE) return quantile(pool, weights);
    double sum = 0, count = 0;
    for (size_t r = 0; r < pool->rounds; r++) {
        sum += weights[r] * pool->sums[r];
        count += (double)weights[r] * pool->counts[r];
    }
    return sum / count;
}
