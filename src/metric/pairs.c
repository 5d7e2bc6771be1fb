/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

void nz_pairs_done(nz_pairs *pairs) {
    free(pairs->list);
    for (int side = 0; side < 2; side++) free(pairs->taken[side]);
    *pairs = (nz_pairs){0};
}

nz_status nz_pairs_begin(nz_pairs *pairs, size_t first, size_t second) {
    const size_t boxes[2] = {first, second};
    if (first && second > NZ_PAIRS_COMPARED_MOST / first)
        return nz_fail(NZ_E_UNSUPPORTED,
                       "%zu and %zu boxes, more than are compared with each other; keep the "
                       "best of them",
                       first, second);
    for (int side = 0; side < 2; side++) {
        NZ_TRY(nz_grow(&pairs->taken[side], &pairs->taken_capacity[side], boxes[side] + 1, sizeof *pairs->taken[side]));
        pairs->boxes[side] = boxes[side];
    }
    pairs->count = 0;
    return NZ_OK;
}

nz_status nz_pairs_add(nz_pairs *pairs, nz_pair pair) {
    if (pairs->count == NZ_PAIRS_MOST)
        return nz_fail(NZ_E_UNSUPPORTED,
                       "an image has more than %d pairs of boxes that overlap; suppress what lies on the "
                       "same place",
                       NZ_PAIRS_MOST);
    NZ_TRY(nz_grow(&pairs->list, &pairs->capacity, pairs->count + 1, sizeof *pairs->list));
    pairs->list[pairs->count++] = pair;
    return NZ_OK;
}

static int compare(const void *a, const void *b) {
    const nz_pair *p = a, *q = b;
    if (p->iou != q->iou) return p->iou > q->iou ? -1 : 1;
    if (p->rank != q->rank) return p->rank < q->rank ? -1 : 1;
    if (p->first != q->first) return p->first < q->first ? -1 : 1;
    return p->second < q->second ? -1 : p->second > q->second;
}

void nz_pairs_sort(nz_pairs *pairs) {
    if (pairs->count > 1) qsort(pairs->list, pairs->count, sizeof *pairs->list, compare);
}

void nz_pairs_take(nz_pairs *pairs, double least) {
    for (int side = 0; side < 2; side++) memset(pairs->taken[side], 0, pairs->boxes[side] * sizeof(bool));
    for (size_t i = 0; i < pairs->count; i++) {
        nz_pair *p = &pairs->list[i];
        p->taken = p->iou >= least && !pairs->taken[0][p->first] && !pairs->taken[1][p->second];
        if (!p->taken) continue;
        pairs->taken[0][p->first] = pairs->taken[1][p->second] = true;
    }
}
