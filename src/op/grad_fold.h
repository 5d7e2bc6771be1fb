/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Gradients of folds: many elements become one by a sum, a product, or by one of them standing for all. First every
 * element is shown in the order of the fold, then each asks for its share of what flows in.
 */
#ifndef NZ_OP_GRAD_FOLD_H
#define NZ_OP_GRAD_FOLD_H

#include "core/memory.h"

typedef enum nz_fold_kind {
    NZ_FOLD_LAST, /**< the last one stands for all */
    NZ_FOLD_SUM,
    NZ_FOLD_PRODUCT,
    NZ_FOLD_LARGEST, /**< the first of the largest stands for all */
    NZ_FOLD_SMALLEST
} nz_fold_kind;

typedef struct nz_fold {
    nz_fold_kind kind;
    struct nz_fold_group *groups;
} nz_fold;

NZ_CHECKED nz_status nz_fold_init(nz_fold *fold, nz_fold_kind kind, size_t groups, nz_arena *scratch);
/** Element number `item` (counted by the caller) with this value folds into `group`. */
void nz_fold_show(const nz_fold *fold, int64_t group, int64_t item, float value);
/** The gradient by that element from `dy` by its group's result. */
float nz_fold_share(const nz_fold *fold, int64_t group, int64_t item, float value, float dy);

#endif
