/* SPDX-License-Identifier: Apache-2.0 */
/** Boxes of two sides that are taken together by descending overlap, each box once. */
#ifndef NZ_METRIC_PAIRS_H
#define NZ_METRIC_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

/** Two boxes that overlap, by their places on the two sides. */
typedef struct nz_pair {
    double iou;
    uint32_t rank; /**< of equal overlaps the lower one comes first */
    uint32_t first, second;
    bool taken; /**< by the last nz_pairs_take */
} nz_pair;

typedef struct nz_pairs {
    nz_pair *list;
    size_t count, capacity;
    bool *taken[2]; /* of the two sides, by box */
    size_t boxes[2], taken_capacity[2];
} nz_pairs;
void nz_pairs_done(nz_pairs *pairs);
/** What one image may hold: boxes of one side times those of the other, and pairs that overlap. */
enum { NZ_PAIRS_COMPARED_MOST = 1 << 28, NZ_PAIRS_MOST = 1 << 22 };
/** Forgets all pairs; the sides have `first` and `second` boxes from here on, which are compared each with each:
 * NZ_E_UNSUPPORTED where that is more than is done. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_pairs_begin(nz_pairs *pairs, size_t first, size_t second);
/** NZ_E_UNSUPPORTED where there are too many; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_pairs_add(nz_pairs *pairs, nz_pair pair);
/** By descending overlap, then rank, then the places on the first and the second side. */
void nz_pairs_sort(nz_pairs *pairs);
/** Of the sorted pairs that overlap by at least `least`, marks those whose boxes were both free when their turn came. */
void nz_pairs_take(nz_pairs *pairs, double least);

#endif
