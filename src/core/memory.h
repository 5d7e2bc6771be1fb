/* SPDX-License-Identifier: Apache-2.0 */
/** Memory: checked allocation, cleanup by attribute, visible transfer of ownership, shared byte buffers, an arena. */
#ifndef NZ_CORE_MEMORY_H
#define NZ_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "netzip/status.h"

/** Frees a variable at the end of its scope: `NZ_AUTO(nz_free_ptr) char *name = NULL;` The function gets a pointer to it. */
#define NZ_AUTO(function) __attribute__((__cleanup__(function)))

/** Gives ownership away: yields the pointer and leaves NULL behind, so that NZ_AUTO frees nothing. */
#define NZ_STEAL(ptr)                                                                                                  \
    __extension__({                                                                                                    \
        __typeof__(ptr) nz_stolen_ = (ptr);                                                                            \
        (ptr) = NULL;                                                                                                  \
        nz_stolen_;                                                                                                    \
    })

#define NZ_COUNT(array) (sizeof(array) / sizeof *(array))

/** free() for NZ_AUTO: takes the address of a pointer. */
static inline void nz_free_ptr(void *address_of_pointer) { free(*(void **)address_of_pointer); }
#define NZ_AUTO_FREE NZ_AUTO(nz_free_ptr)

/** count * size zeroed bytes. NZ_E_MEMORY where the product overflows or memory is short; a zero product gives a valid
 * pointer. Owned by the caller: free(). */
NZ_CHECKED nz_status nz_alloc(void *ret_pointer, size_t count, size_t size);

/** As nz_alloc, aligned to 64 bytes (a cache line, a vector register); free() releases it. Not zeroed. */
NZ_CHECKED nz_status nz_alloc_aligned(void *ret_pointer, size_t count, size_t size);

/** Makes room for `needed` elements in a growing array: *array and *capacity change together or not at all. */
NZ_CHECKED nz_status nz_grow(void *array, size_t *capacity, size_t needed, size_t size);

/** A heap copy of a string (NULL stays NULL). */
NZ_CHECKED nz_status nz_strdup(char **ret_copy, const char *text);

/** false where the result would overflow; *ret untouched then. */
static inline bool nz_mul_size(size_t *ret, size_t a, size_t b) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *ret = product;
    return true;
}

/**
 * Bytes with a reference count, so that graphs share weights without copying: heap memory or a mapped file. Immutable
 * once shared. Reference counting is atomic.
 */
typedef struct nz_buffer nz_buffer;
NZ_CHECKED nz_status nz_buffer_alloc(nz_buffer **ret_buffer, size_t bytes); /**< heap, zeroed, 64-byte aligned */
NZ_CHECKED nz_status nz_buffer_copy(nz_buffer **ret_buffer, const void *data,
                                    size_t bytes); /**< heap, a copy, 64-byte aligned */
/** Maps a whole file, read-only; an empty file has 0 bytes. */
NZ_CHECKED nz_status nz_buffer_map(nz_buffer **ret_buffer, const char *path);
nz_buffer *nz_buffer_ref(nz_buffer *buffer); /**< NULL passes */
void nz_buffer_unref(nz_buffer *buffer);     /**< NULL passes */
void *nz_buffer_data(const nz_buffer *buffer);
size_t nz_buffer_bytes(const nz_buffer *buffer);
bool nz_buffer_is_mapped(const nz_buffer *buffer); /**< its bytes lie in a mapped file */
/** Lets go of the resident pages of a range that has been copied elsewhere; a mapped file's come back when they are read
 * again. Nothing happens to heap memory. */
void nz_buffer_forget(const nz_buffer *buffer, const void *data, size_t bytes);

/** Memory of one step: allocate many, free all at once. nz_arena_reset keeps the blocks for reuse. */
typedef struct nz_arena {
    struct nz_arena_block *first, *current;
} nz_arena;
/** count * size zeroed bytes, 64-byte aligned, until the next reset. */
NZ_CHECKED nz_status nz_arena_alloc(nz_arena *arena, void *ret_pointer, size_t count, size_t size);
void nz_arena_reset(nz_arena *arena);
void nz_arena_done(nz_arena *arena);

#endif
