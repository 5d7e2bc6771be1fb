/* SPDX-License-Identifier: Apache-2.0 */
/** Random numbers, and memory whose surroundings must not change, for the tests of kernels. */
#ifndef NZ_TESTS_KERNEL_GUARDED_H
#define NZ_TESTS_KERNEL_GUARDED_H

#include "core/random.h"
#include "netzip/tensor.h"
#include "test.h"

enum { GUARD = 64 };

static nz_random random_state;

static inline int64_t between(int64_t least, int64_t most) {
    return least + (int64_t)nz_random_below(&random_state, (uint64_t)(most - least + 1));
}
static inline float number(void) { return (float)nz_random_unit(&random_state) * 2 - 1; }

/** Bytes with a guard on both sides, filled with what no result is; 64-byte aligned. */
typedef struct guarded {
    unsigned char *all;
    size_t bytes;
    void *data;
} guarded;

static inline guarded make_guarded(size_t bytes) {
    guarded g = {.bytes = bytes};
    assert_int_equal(posix_memalign((void **)&g.all, 64, bytes + 2 * GUARD), 0);
    memset(g.all, 0xAB, bytes + 2 * GUARD);
    g.data = g.all + GUARD;
    return g;
}

static inline void release_guarded(guarded *g) {
    for (int i = 0; i < GUARD; i++) {
        assert_int_equal(g->all[i], 0xAB);
        assert_int_equal(g->all[GUARD + g->bytes + (size_t)i], 0xAB);
    }
    free(g->all);
}

/** `n` random numbers of a type; f32 and bf16. */
static inline guarded make_random(nz_dtype dtype, size_t n) {
    guarded g = make_guarded(n * (dtype == NZ_BF16 ? 2 : 4));
    for (size_t i = 0; i < n; i++) {
        if (dtype == NZ_BF16)
            ((uint16_t *)g.data)[i] = nz_f32_to_bf16(number());
        else
            ((float *)g.data)[i] = number();
    }
    return g;
}

static inline float element(nz_dtype dtype, const void *x, size_t i) {
    return dtype == NZ_BF16 ? nz_bf16_to_f32(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

#endif
