/* SPDX-License-Identifier: Apache-2.0 */
/** Gradients of folds: who gets which share. */
#include "op/grad_fold.h"

#include "core/error.h"

typedef struct nz_fold_group {
    int64_t count, zeros, owner;
    double product; /**< of what is not 0 */
    float best;
} nz_fold_group;

nz_status nz_fold_init(nz_fold *fold, nz_fold_kind kind, size_t groups, nz_arena *scratch) {
    nz_fold made = {.kind = kind};
    if (kind != NZ_FOLD_SUM) NZ_TRY(nz_arena_alloc(scratch, &made.groups, groups, sizeof *made.groups));
    *fold = made;
    return NZ_OK;
}

void nz_fold_show(const nz_fold *fold, int64_t group, int64_t item, float value) {
    if (fold->kind == NZ_FOLD_SUM) return;
    nz_fold_group *g = &fold->groups[group];
    bool first = g->count++ == 0, wins = first || fold->kind == NZ_FOLD_LAST;
    if (fold->kind == NZ_FOLD_PRODUCT) {
        if (first) g->product = 1;
        g->zeros += value == 0;
        g->product *= value == 0 ? 1 : (double)value;
        return;
    }
    /* NaN stands for all, the first one of them. */
    if (fold->kind == NZ_FOLD_LARGEST) wins |= value > g->best || (value != value && g->best == g->best);
    if (fold->kind == NZ_FOLD_SMALLEST) wins |= value < g->best || (value != value && g->best == g->best);
    if (!wins) return;
    g->best = value;
    g->owner = item;
}

float nz_fold_share(const nz_fold *fold, int64_t group, int64_t item, float value, float dy) {
    if (fold->kind == NZ_FOLD_SUM) return dy;
    const nz_fold_group *g = &fold->groups[group];
    if (fold->kind != NZ_FOLD_PRODUCT) return g->owner == item ? dy : 0;
    /* The product of the others. */
    if (g->zeros > (value == 0)) return 0;
    return (float)((double)dy * (value == 0 ? g->product : g->product / (double)value));
}
