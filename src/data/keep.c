/* SPDX-License-Identifier: Apache-2.0 */
#include "data/keep.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"

enum { FORMS = 2 };

struct nz_keep {
    size_t count;
    atomic_size_t left;               /* bytes */
    _Atomic(nz_image *) *form[FORMS]; /* [count], NULL where not kept */
};

nz_status nz_keep_new(nz_keep **ret_keep, size_t count, size_t bytes) {
    nz_keep *k = NULL;
    NZ_TRY(nz_alloc(&k, 1, sizeof *k));
    atomic_init(&k->left, bytes);
    k->count = count;
    nz_status status = NZ_OK;
    for (int f = 0; f < FORMS && status == NZ_OK; f++) status = nz_alloc(&k->form[f], count, sizeof *k->form[f]);
    if (status != NZ_OK) {
        nz_keep_free(k);
        return status;
    }
    *ret_keep = k;
    return NZ_OK;
}

void nz_keep_free(nz_keep *k) {
    if (!k) return;
    for (int f = 0; f < FORMS; f++) {
        for (size_t i = 0; k->form[f] && i < k->count; i++) {
            nz_image *image = atomic_load_explicit(&k->form[f][i], memory_order_relaxed);
            if (!image) continue;
            nz_image_done(image);
            free(image);
        }
        free(k->form[f]);
    }
    free(k);
}

bool nz_keep_find(const nz_keep *k, int form, size_t i, nz_image *ret_image) {
    const nz_image *image = atomic_load_explicit(&k->form[form][i], memory_order_acquire);
    if (!image) return false;
    *ret_image = *image;
    ret_image->owned = NULL;
    return true;
}

static bool take_room(nz_keep *k, size_t bytes) {
    size_t left = atomic_load_explicit(&k->left, memory_order_relaxed);
    do {
        if (left < bytes) return false;
    } while (!atomic_compare_exchange_weak_explicit(&k->left, &left, left - bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void nz_keep_put(nz_keep *k, int form, size_t i, nz_image *image) {
    size_t bytes =
        sizeof *image + (size_t)image->width * (size_t)image->height * (size_t)image->channels; /* it exists: it fits */
    nz_image *none = NULL, *mine;
    if (!image->owned || !take_room(k, bytes)) return;
    if ((mine = malloc(sizeof *mine))) {
        *mine = *image;
        if (atomic_compare_exchange_strong_explicit(&k->form[form][i], &none, mine, memory_order_release,
                                                    memory_order_relaxed)) {
            image->owned = NULL;
            return;
        }
    }
    free(mine); /* another thread was first, or memory is short */
    atomic_fetch_add_explicit(&k->left, bytes, memory_order_relaxed);
}
