/* SPDX-License-Identifier: Apache-2.0 */
/** Walking through a checkpoint's object depth first, without recursion, within a budget of steps. */
#ifndef NZ_IMPORT_WALK_H
#define NZ_IMPORT_WALK_H

#include "import/torch.h"

/** What a container holds under one key. */
typedef struct nz_walk_item {
    const char *key; /**< NULL: `index` is the key */
    size_t key_bytes;
    int64_t index;
    nz_pickle_ref value;
} nz_walk_item;

/** A container on the way: its items are walk->items[next, end). */
typedef struct nz_walk_frame {
    nz_pickle_ref container;
    size_t begin, next, end;
    size_t tensors; /**< the visitor's count */
    size_t name_length;
} nz_walk_frame;

typedef struct nz_walk {
    const nz_torch *torch;
    size_t item_count, item_capacity, depth, frame_capacity;
    nz_walk_item *items;
    nz_walk_frame *frames;
    size_t steps;
} nz_walk;

/** Items per file in all walks together: a structure that holds itself many times over ends here. */
enum { NZ_WALK_STEPS_MAX = 1 << 23 };

/** Goes into a container. *ret_entered is false where the value holds nothing. NZ_E_FORMAT beyond the budget. */
NZ_CHECKED nz_status nz_walk_enter(nz_walk *walk, bool *ret_entered, nz_pickle_ref container);
/** The innermost container, NULL at the end. */
static inline nz_walk_frame *nz_walk_top(nz_walk *walk) { return walk->depth ? &walk->frames[walk->depth - 1] : NULL; }
/** The innermost container's next item, NULL at its end. Valid until the next nz_walk_enter. */
static inline const nz_walk_item *nz_walk_next(nz_walk *walk) {
    nz_walk_frame *frame = nz_walk_top(walk);
    return frame->next < frame->end ? &walk->items[frame->next++] : NULL;
}
void nz_walk_leave(nz_walk *walk);
void nz_walk_reset(nz_walk *walk); /**< back to the start, steps kept */
void nz_walk_done(nz_walk *walk);

/** A module object's attributes, NZ_PICKLE_NOTHING where the value is none. */
nz_pickle_ref nz_walk_module(const nz_pickle *pickle, nz_pickle_ref ref);

#endif
