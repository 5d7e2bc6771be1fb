/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/memory.h"

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/memory.h"

enum { ALIGNMENT = 64 };

static bool overlap_in_time(const nz_lifetime *a, const nz_lifetime *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The order matters to how small the block gets: large ones first leave no unfillable gaps. Stable for equal sizes. */
static int larger_first(const void *a, const void *b) {
    const nz_lifetime *x = *(nz_lifetime *const *)a, *y = *(nz_lifetime *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

/* The lowest offset of the smallest gap between `placed` (sorted by offset) in which `bytes` fit; the end where none does. */
static size_t find_gap(nz_lifetime *const *placed, size_t count, const nz_lifetime *item, size_t bytes) {
    size_t best = SIZE_MAX, best_gap = SIZE_MAX, end = 0;
    for (size_t i = 0; i < count; i++) {
        const nz_lifetime *other = placed[i];
        if (!overlap_in_time(item, other)) continue;
        if (other->offset > end && other->offset - end >= bytes && other->offset - end < best_gap) {
            best = end;
            best_gap = other->offset - end;
        }
        size_t other_end = other->offset + (other->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (other_end > end) end = other_end;
    }
    return best == SIZE_MAX ? end : best;
}

nz_status nz_memory_place(nz_lifetime *items, size_t count, size_t *ret_bytes) {
    NZ_AUTO_FREE nz_lifetime **order = NULL;
    NZ_AUTO_FREE nz_lifetime **placed = NULL;
    NZ_TRY(nz_alloc(&order, count, sizeof(nz_lifetime *)));
    NZ_TRY(nz_alloc(&placed, count, sizeof(nz_lifetime *)));
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        order[i] = &items[i];
        if (items[i].bytes > SIZE_MAX / 2 - ALIGNMENT - sum)
            return nz_fail(NZ_E_MEMORY, "the activations are larger than the address space");
        sum += items[i].bytes + ALIGNMENT;
    }
    if (count) qsort(order, count, sizeof(nz_lifetime *), larger_first);
    size_t total = 0;
    for (size_t n = 0; n < count; n++) {
        nz_lifetime *item = order[n];
        size_t bytes = (item->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        item->offset = bytes ? find_gap(placed, n, item, bytes) : 0;
        if (item->offset + bytes > total) total = item->offset + bytes;
        size_t at = n;
        for (; at > 0 && placed[at - 1]->offset > item->offset; at--) placed[at] = placed[at - 1];
        placed[at] = item;
    }
    *ret_bytes = total;
    return NZ_OK;
}
