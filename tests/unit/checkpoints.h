/* SPDX-License-Identifier: Apache-2.0 */
/** Checkpoints written byte by byte: pickles by their opcodes, and the files around them. */
#ifndef NZ_TESTS_CHECKPOINTS_H
#define NZ_TESTS_CHECKPOINTS_H

#include <zlib.h>

#include "core/file.h"
#include "core/memory.h"
#include "test.h"

typedef struct nz_bytes {
    uint8_t *data;
    size_t count, capacity;
} nz_bytes;

static inline void nz_bytes_done(nz_bytes *b) {
    free(b->data);
    *b = (nz_bytes){0};
}
#define AUTO_BYTES NZ_AUTO(nz_bytes_done) nz_bytes

static inline void put(nz_bytes *b, const void *data, size_t count) {
    nz_assert_ok(nz_grow(&b->data, &b->capacity, b->count + count + 1, 1));
    if (count) memcpy(b->data + b->count, data, count);
    b->count += count;
}
static inline void put_number(nz_bytes *b, uint64_t value, int width) {
    for (int i = 0; i < width; i++) put(b, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}
static inline void put_all(nz_bytes *b, const nz_bytes *other) { put(b, other->data, other->count); }
static inline void put_zeros(nz_bytes *b, size_t count) {
    while (count--) put(b, "", 1);
}

/* Opcodes. A string literal of opcodes without arguments goes through op(). */
static inline void op(nz_bytes *b, const char *codes) { put(b, codes, strlen(codes)); }
static inline void op_text(nz_bytes *b, const char *text) {
    op(b, "X");
    put_number(b, strlen(text), 4);
    op(b, text);
}
static inline void op_int(nz_bytes *b, int64_t value) {
    op(b, "\x8a");
    put_number(b, 8, 1);
    put_number(b, (uint64_t)value, 8);
}
static inline void op_class(nz_bytes *b, const char *module, const char *name) {
    op(b, "c");
    op(b, module);
    op(b, "\n");
    op(b, name);
    op(b, "\n");
}
static inline void op_put(nz_bytes *b, unsigned number) {
    op(b, "q");
    put_number(b, number, 1);
}
static inline void op_get(nz_bytes *b, unsigned number) {
    op(b, "h");
    put_number(b, number, 1);
}
static inline void op_protocol(nz_bytes *b) {
    op(b, "\x80");
    put_number(b, 2, 1);
}
static inline void op_ints(nz_bytes *b, const int64_t *values, size_t count) {
    op(b, "(");
    for (size_t i = 0; i < count; i++) op_int(b, values[i]);
    op(b, "t");
}

/* ('storage', torch.CLASS, key, 'cpu', elements) as a persistent id. */
static inline void op_storage(nz_bytes *b, const char *class, const char *key, int64_t elements) {
    op(b, "(");
    op_text(b, "storage");
    op_class(b, "torch", class);
    op_text(b, key);
    op_text(b, "cpu");
    op_int(b, elements);
    op(b, "tQ");
}

typedef struct nz_view {
    const char *class, *key;
    int64_t elements, offset;
    size_t rank;
    int64_t extents[10], strides[10];
} nz_view;

/* torch._utils._rebuild_tensor_v2(storage, offset, extents, strides, False, OrderedDict()) */
static inline void op_tensor(nz_bytes *b, const nz_view *v) {
    op_class(b, "torch._utils", "_rebuild_tensor_v2");
    op(b, "(");
    op_storage(b, v->class, v->key, v->elements);
    op_int(b, v->offset);
    op_ints(b, v->extents, v->rank);
    op_ints(b, v->strides, v->rank);
    op(b, "\x89");
    op_class(b, "collections", "OrderedDict");
    op(b, ")RtR");
}

/* A zip archive, its members stored (or deflated). */
typedef struct nz_zip_maker {
    nz_bytes file, directory;
    unsigned count;
} nz_zip_maker;

static inline void zip_done(nz_zip_maker *z) {
    nz_bytes_done(&z->file);
    nz_bytes_done(&z->directory);
}
static inline void zip_add(nz_zip_maker *z, const char *name, const void *data, size_t count, bool deflated) {
    static const uint8_t nothing[1];
    const uint8_t *from = data ? data : nothing;
    uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), from, (uInt)count);
    uLongf packed = compressBound(count) + 64;
    NZ_AUTO_FREE uint8_t *out = NULL;
    nz_assert_ok(nz_alloc(&out, packed, 1));
    if (deflated) {
        z_stream s = {.next_in = (uint8_t *)(uintptr_t)from, .avail_in = (uInt)count, .next_out = out};
        s.avail_out = (uInt)packed;
        assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
        packed = s.total_out;
        deflateEnd(&s);
    } else {
        packed = count;
    }
    size_t offset = z->file.count;
    for (int directory = 0; directory < 2; directory++) {
        nz_bytes *b = directory ? &z->directory : &z->file;
        put(b, directory ? "PK\1\2" : "PK\3\4", 4);
        if (directory) put_number(b, 20, 2);
        put_number(b, 20, 2);
        put_number(b, 0, 2);
        put_number(b, deflated ? 8 : 0, 2);
        put_number(b, 0, 4);
        put_number(b, crc, 4);
        put_number(b, packed, 4);
        put_number(b, count, 4);
        put_number(b, strlen(name), 2);
        put_number(b, 0, 2);
        if (directory) {
            put_zeros(b, 10);
            put_number(b, offset, 4);
        }
        put(b, name, strlen(name));
    }
    put(&z->file, deflated ? out : from, packed);
    z->count++;
}
/* Appends the directory: the archive is whole then. */
static inline nz_bytes *zip_end(nz_zip_maker *z) {
    size_t at = z->file.count;
    put_all(&z->file, &z->directory);
    put(&z->file, "PK\5\6\0\0\0\0", 8);
    put_number(&z->file, z->count, 2);
    put_number(&z->file, z->count, 2);
    put_number(&z->file, z->directory.count, 4);
    put_number(&z->file, at, 4);
    put_number(&z->file, 0, 2);
    return &z->file;
}

/* A zip checkpoint of one pickle and storages "0", "1", ... */
static inline void make_zip(nz_bytes *ret_file, const nz_bytes *object, const nz_bytes *storages, size_t count) {
    NZ_AUTO(zip_done) nz_zip_maker z = {0};
    zip_add(&z, "net/data.pkl", object->data, object->count, false);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "net/data/%zu", i);
        zip_add(&z, name, storages[i].data, storages[i].count, false);
    }
    zip_add(&z, "net/version", "3\n", 2, false);
    put_all(ret_file, zip_end(&z));
}

/* What a stream begins with: magic, protocol, facts of the machine. */
static inline void put_stream_head(nz_bytes *b) {
    put(b, "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    put(b, "\x80\2M\xe9\3.", 6);
    put(b, "\x80\2}.", 4);
}
/* A stream of one object and storages "0", "1", ... of `unit` bytes an element. */
static inline void make_stream(nz_bytes *b, const nz_bytes *object, const nz_bytes *storages, const size_t *units,
                               size_t count) {
    put_stream_head(b);
    put_all(b, object);
    op_protocol(b);
    op(b, "](");
    for (size_t i = 0; i < count; i++) op_text(b, (char[2]){(char)('0' + i), 0});
    op(b, "e.");
    for (size_t i = 0; i < count; i++) {
        put_number(b, storages[i].count / units[i], 8);
        put_all(b, &storages[i]);
    }
}

static inline void put_tar_member(nz_bytes *b, const char *name, const nz_bytes *data) {
    char head[512] = "";
    unsigned sum = 0;
    snprintf(head, 100, "%s", name);
    snprintf(head + 124, 12, "%011zo", data->count);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar", 5);
    for (size_t i = 0; i < sizeof head; i++) sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
    put(b, head, sizeof head);
    put_all(b, data);
    put_zeros(b, (512 - data->count % 512) % 512);
}

static inline void make_safetensors(nz_bytes *b, const char *header, const void *data, size_t count) {
    put_number(b, strlen(header), 8);
    put(b, header, strlen(header));
    put(b, data, count);
}

#endif
