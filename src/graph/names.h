/* SPDX-License-Identifier: Apache-2.0 */
/** A map from names to indices of an array whose elements hold the names: open addressing, FNV-1a. */
#ifndef NZ_GRAPH_NAMES_H
#define NZ_GRAPH_NAMES_H

#include "core/memory.h"

/** The name of element `index` of `holder`; what is found is compared with it, so the map holds no strings of its own. */
typedef const char *(*nz_names_get)(const void *holder, int index);

typedef struct nz_names {
    struct nz_names_slot {
        uint64_t hash;
        int index_plus_one; /**< 0: free */
    } * slots;
    size_t slot_count, used;
    nz_names_get get;
} nz_names;

/** The index under `name`, -1 where there is none. */
int nz_names_find(const nz_names *names, const void *holder, const char *name);
/** Puts `index` under `name`, in place of another index where the name is taken. */
NZ_CHECKED nz_status nz_names_set(nz_names *names, const void *holder, const char *name, int index);
void nz_names_done(nz_names *names);

#endif
