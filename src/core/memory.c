/* SPDX-License-Identifier: Apache-2.0 */
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

enum { ALIGNMENT = 64, ARENA_BLOCK_BYTES = 64 * 1024 };

nz_status nz_alloc(void *ret_pointer, size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p) return nz_fail(NZ_E_MEMORY, "out of memory: %zu x %zu bytes", count, size);
    *(void **)ret_pointer = p;
    return NZ_OK;
}

nz_status nz_alloc_aligned(void *ret_pointer, size_t count, size_t size) {
    size_t bytes = 0;
    if (!nz_mul_size(&bytes, count, size) || bytes > SIZE_MAX - ALIGNMENT)
        return nz_fail(NZ_E_MEMORY, "out of memory: %zu x %zu bytes", count, size);
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *p = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
    if (!p) return nz_fail(NZ_E_MEMORY, "out of memory: %zu x %zu bytes", count, size);
    *(void **)ret_pointer = p;
    return NZ_OK;
}

nz_status nz_grow(void *array, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity) return NZ_OK;
    size_t target = *capacity ? *capacity : 8;
    while (target < needed) {
        if (target > SIZE_MAX / 2) return nz_fail(NZ_E_MEMORY, "out of memory: %zu elements", needed);
        target *= 2;
    }
    void *grown = reallocarray(*(void **)array, target, size);
    if (!grown) return nz_fail(NZ_E_MEMORY, "out of memory: %zu x %zu bytes", target, size);
    memset((char *)grown + *capacity * size, 0, (target - *capacity) * size);
    *(void **)array = grown;
    *capacity = target;
    return NZ_OK;
}

nz_status nz_strdup(char **ret_copy, const char *text) {
    char *copy = NULL;
    if (text && !(copy = strdup(text)))
        return nz_fail(NZ_E_MEMORY, "out of memory: a string of %zu bytes", strlen(text));
    *ret_copy = copy;
    return NZ_OK;
}

struct nz_buffer {
    atomic_size_t references;
    void *data, *block; /* block: what free() takes; NULL: data is mapped */
    size_t bytes;
};

static nz_status buffer_new(nz_buffer **ret_buffer, void *data, size_t bytes, void *block) {
    nz_buffer *b = NULL;
    NZ_TRY(nz_alloc(&b, 1, sizeof *b));
    atomic_init(&b->references, 1);
    b->data = data;
    b->bytes = bytes;
    b->block = block;
    *ret_buffer = b;
    return NZ_OK;
}

/* Much memory comes from the system as zeros already: pages that nobody writes to are never touched. */
nz_status nz_buffer_alloc(nz_buffer **ret_buffer, size_t bytes) {
    NZ_AUTO_FREE char *block = NULL;
    if (bytes > SIZE_MAX - ALIGNMENT) return nz_fail(NZ_E_MEMORY, "out of memory: %zu bytes", bytes);
    NZ_TRY(nz_alloc(&block, bytes + ALIGNMENT, 1));
    NZ_TRY(buffer_new(ret_buffer, block + (ALIGNMENT - (uintptr_t)block % ALIGNMENT), bytes, block));
    block = NULL;
    return NZ_OK;
}

nz_status nz_buffer_copy(nz_buffer **ret_buffer, const void *data, size_t bytes) {
    NZ_AUTO_FREE void *copy = NULL;
    NZ_TRY(nz_alloc_aligned(&copy, bytes, 1));
    if (bytes) memcpy(copy, data, bytes);
    NZ_TRY(buffer_new(ret_buffer, copy, bytes, copy));
    copy = NULL;
    return NZ_OK;
}

nz_status nz_buffer_map(nz_buffer **ret_buffer, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nz_fail_errno(path, "cannot be opened");
    struct stat info;
    nz_status status = NZ_OK;
    void *data = NULL;
    if (fstat(fd, &info) != 0)
        status = nz_fail_errno(path, "cannot be examined");
    else if (!S_ISREG(info.st_mode))
        status = nz_fail(NZ_E_IO, "%s: is not a regular file", path);
    else if (info.st_size > 0) {
        data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) status = nz_fail_errno(path, "cannot be mapped");
    }
    close(fd);
    if (status != NZ_OK) return status;
    status = buffer_new(ret_buffer, data, (size_t)info.st_size, NULL);
    if (status != NZ_OK && data) munmap(data, (size_t)info.st_size);
    return status;
}

nz_buffer *nz_buffer_ref(nz_buffer *buffer) {
    if (buffer) atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

void nz_buffer_unref(nz_buffer *buffer) {
    if (!buffer || atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) != 1) return;
    if (buffer->block)
        free(buffer->block);
    else if (buffer->data)
        munmap(buffer->data, buffer->bytes);
    free(buffer);
}

void *nz_buffer_data(const nz_buffer *buffer) { return buffer->data; }
size_t nz_buffer_bytes(const nz_buffer *buffer) { return buffer->bytes; }
bool nz_buffer_is_mapped(const nz_buffer *buffer) { return !buffer->block && buffer->data; }

void nz_buffer_forget(const nz_buffer *buffer, const void *data, size_t bytes) {
    if (buffer->block || bytes < ARENA_BLOCK_BYTES) return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)data + page - 1) / page * page, end = ((uintptr_t)data + bytes) / page * page;
    if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

struct nz_arena_block {
    struct nz_arena_block *next;
    char *data;
    size_t used, bytes;
};

nz_status nz_arena_alloc(nz_arena *arena, void *ret_pointer, size_t count, size_t size) {
    size_t bytes = 0;
    if (!nz_mul_size(&bytes, count, size) || bytes > SIZE_MAX / 2)
        return nz_fail(NZ_E_MEMORY, "out of memory: %zu x %zu bytes", count, size);
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct nz_arena_block *b = arena->current;
    while (b && b->bytes - b->used < bytes) b = b->next;
    if (!b) {
        NZ_TRY(nz_alloc(&b, 1, sizeof *b));
        size_t block = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
        nz_status status = nz_alloc_aligned(&b->data, block, 1);
        if (status != NZ_OK) {
            free(b);
            return status;
        }
        b->bytes = block;
        struct nz_arena_block **end = &arena->first;
        while (*end) end = &(*end)->next;
        *end = b;
    }
    arena->current = b;
    memset(b->data + b->used, 0, bytes);
    *(void **)ret_pointer = b->data + b->used;
    b->used += bytes;
    return NZ_OK;
}

void nz_arena_reset(nz_arena *arena) {
    for (struct nz_arena_block *b = arena->first; b; b = b->next) b->used = 0;
    arena->current = arena->first;
}

void nz_arena_done(nz_arena *arena) {
    for (struct nz_arena_block *b = arena->first, *next; b; b = next) {
        next = b->next;
        free(b->data);
        free(b);
    }
    arena->first = arena->current = NULL;
}
