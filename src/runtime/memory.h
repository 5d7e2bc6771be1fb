/* SPDX-License-Identifier: Apache-2.0 */
/** Places activations in one block: two that live at the same time never overlap. Pure arithmetic. */
#ifndef NZ_RUNTIME_MEMORY_H
#define NZ_RUNTIME_MEMORY_H

#include <stddef.h>

#include "netzip/status.h"

/** One activation: alive from step `first` (which writes it) to step `last` (the last to read it), both included. */
typedef struct nz_lifetime {
    size_t bytes;
    size_t first, last;
    size_t offset; /**< the result: a multiple of 64 */
} nz_lifetime;

/** Sets every offset and the block's size. Greedy, largest first, into the smallest gap that fits. NZ_E_MEMORY where the sum overflows. */
NZ_CHECKED nz_status nz_memory_place(nz_lifetime *items, size_t count, size_t *ret_bytes);

#endif
