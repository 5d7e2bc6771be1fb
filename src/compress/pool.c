/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/random.h"

void nz_pool_done(nz_pool *pool) {
    for (size_t i = 0; i < pool->count; i++) nz_tensor_done(&pool->tensors[i]);
    free(pool->tensors);
    *pool = (nz_pool){0};
}

static uint64_t count_zeros(const nz_tensor *t) {
    uint64_t zeros = 0;
    for (int64_t k = 0, n = nz_shape_elements(&t->shape); k < n; k++) zeros += nz_tensor_real(t, k) == 0;
    return zeros;
}

nz_status nz_pool_init(nz_pool *ret_pool, const nz_graph *graph, const nz_weight_list *list) {
    NZ_AUTO(nz_pool_done) nz_pool p = {0};
    NZ_TRY(nz_alloc(&p.tensors, list->count, sizeof *p.tensors));
    for (size_t i = 0; i < list->count; i++) {
        const nz_tensor *source = &graph->values[list->items[i].value].constant;
        nz_tensor *copy = &p.tensors[i];
        NZ_TRY(nz_tensor_init(copy, source->dtype, &source->shape));
        p.count++;
        memcpy(copy->data, source->data, copy->bytes);
        p.total += (uint64_t)nz_shape_elements(&copy->shape);
    }
    p.zeros = nz_pool_zeros(&p);
    *ret_pool = p;
    p = (nz_pool){0};
    return NZ_OK;
}

uint64_t nz_pool_zeros(const nz_pool *pool) {
    uint64_t zeros = 0;
    for (size_t i = 0; i < pool->count; i++) zeros += count_zeros(&pool->tensors[i]);
    return zeros;
}

uint64_t nz_pool_share(const nz_pool *pool, double share) { return (uint64_t)nearbyint(share * (double)pool->total); }

/* A magnitude whose order as an integer is its order as a number; NaN comes last, so that it is never taken for small. */
static uint32_t magnitude_bits(const nz_tensor *t, int64_t k) {
    float m = (float)fabs(nz_tensor_real(t, k));
    uint32_t bits;
    memcpy(&bits, &m, sizeof bits);
    return bits & 0x7fffffffu;
}

/* Finds the bits of the k-th smallest magnitude (k from 0) and how many are smaller, by two passes over 16-bit halves:
 * exact, and in memory that does not grow with the model. */
static nz_status find_threshold(uint32_t *ret_bits, uint64_t *ret_below, const nz_pool *p, uint64_t k) {
    NZ_AUTO_FREE uint64_t *histogram = NULL;
    NZ_TRY(nz_alloc(&histogram, 65536, sizeof *histogram));
    uint32_t high = 0, low = 0;
    uint64_t below = 0;
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n; j++)
            histogram[magnitude_bits(&p->tensors[i], j) >> 16]++;
    while (below + histogram[high] <= k) below += histogram[high++];
    memset(histogram, 0, 65536 * sizeof *histogram);
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n; j++) {
            uint32_t bits = magnitude_bits(&p->tensors[i], j);
            if (bits >> 16 == high) histogram[bits & 0xffff]++;
        }
    while (below + histogram[low] <= k) below += histogram[low++];
    *ret_bits = high << 16 | low;
    *ret_below = below;
    return NZ_OK;
}

nz_status nz_pool_zero_smallest(nz_pool *p, uint64_t wanted) {
    if (wanted == 0) return NZ_OK;
    uint32_t threshold = 0;
    uint64_t below = 0;
    NZ_TRY(find_threshold(&threshold, &below, p, wanted - 1));
    uint64_t equals = wanted - below;
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n; j++) {
            uint32_t bits = magnitude_bits(&p->tensors[i], j);
            if (bits < threshold || (bits == threshold && equals > 0 && equals--))
                nz_tensor_set_real(&p->tensors[i], j, 0);
        }
    return NZ_OK;
}

void nz_pool_zero_random(nz_pool *p, uint64_t wanted, uint64_t seed) {
    nz_random random;
    nz_random_init(&random, seed, 0);
    uint64_t zeros = nz_pool_zeros(p), left = p->total - zeros, needed = wanted > zeros ? wanted - zeros : 0;
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n && needed > 0; j++) {
            if (nz_tensor_real(&p->tensors[i], j) == 0) continue;
            if (nz_random_below(&random, left--) < needed) {
                nz_tensor_set_real(&p->tensors[i], j, 0);
                needed--;
            }
        }
}
