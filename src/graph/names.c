/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/names.h"

#include <string.h>

#include "core/error.h"

static uint64_t hash_of(const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

/* The slot that holds the name, else the free slot where it would go. slot_count is a power of two, never full. */
static struct nz_names_slot *probe(const nz_names *names, const void *holder, const char *name, uint64_t hash) {
    size_t mask = names->slot_count - 1, at = (size_t)hash & mask;
    for (;; at = (at + 1) & mask) {
        struct nz_names_slot *slot = &names->slots[at];
        if (!slot->index_plus_one) return slot;
        if (slot->hash != hash) continue;
        const char *held = names->get(holder, slot->index_plus_one - 1);
        if (held && strcmp(held, name) == 0) return slot;
    }
}

int nz_names_find(const nz_names *names, const void *holder, const char *name) {
    return names->slot_count ? probe(names, holder, name, hash_of(name))->index_plus_one - 1 : -1;
}

static nz_status rehash(nz_names *names, size_t slot_count) {
    struct nz_names_slot *slots = NULL;
    NZ_TRY(nz_alloc(&slots, slot_count, sizeof *slots));
    for (size_t i = 0; i < names->slot_count; i++) {
        struct nz_names_slot *from = &names->slots[i];
        if (!from->index_plus_one) continue;
        size_t at = (size_t)from->hash & (slot_count - 1);
        while (slots[at].index_plus_one) at = (at + 1) & (slot_count - 1);
        slots[at] = *from;
    }
    free(names->slots);
    names->slots = slots;
    names->slot_count = slot_count;
    return NZ_OK;
}

nz_status nz_names_set(nz_names *names, const void *holder, const char *name, int index) {
    if (names->used * 2 >= names->slot_count) NZ_TRY(rehash(names, names->slot_count ? names->slot_count * 2 : 64));
    uint64_t hash = hash_of(name);
    struct nz_names_slot *slot = probe(names, holder, name, hash);
    if (!slot->index_plus_one) names->used++;
    *slot = (struct nz_names_slot){.hash = hash, .index_plus_one = index + 1};
    return NZ_OK;
}

void nz_names_done(nz_names *names) {
    free(names->slots);
    *names = (nz_names){.get = names->get};
}
