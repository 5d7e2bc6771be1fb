/* SPDX-License-Identifier: Apache-2.0 */
/* Writing NumPy archives: stored members, dated 1980-01-01 so that the same arrays give the same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "data/npy.h"
#include "data/npz.h"

enum { DATE = 1 << 5 | 1, NPY_ALIGNMENT = 64, CRC_STEP = 1 << 30 };

typedef struct member {
    const char *name;
    const nz_tensor *tensor;
    char header[512]; /* of the .npy */
    size_t header_bytes, size, offset;
    uint32_t crc;
} member;

static void put16(nz_text *text, unsigned value) {
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    nz_text_append_bytes(text, bytes, sizeof bytes);
}

static void put32(nz_text *text, uint32_t value) {
    put16(text, value & 0xffff);
    put16(text, value >> 16);
}

/* "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", padded so that the data begin at a multiple of 64. */
static nz_status make_header(member *m, const char *path) {
    const nz_tensor *t = m->tensor;
    const char *code = nz_npy_code(t->dtype);
    char shape[256] = "", dictionary[400];
    if (!code)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: NumPy has no type for %s ('%s')", path, nz_dtype_get(t->dtype)->name,
                       m->name);
    size_t used = 0;
    for (int i = 0; i < t->shape.rank; i++)
        used +=
            (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", i ? ", " : "", (long long)t->shape.dim[i]);
    int length = snprintf(dictionary, sizeof dictionary, "{'descr': '%s%s', 'fortran_order': False, 'shape': (%s%s), }",
                          nz_dtype_get(t->dtype)->bits == 8 ? "|" : "<", code, shape, t->shape.rank == 1 ? "," : "");
    size_t total = ((size_t)length + 11 + NPY_ALIGNMENT - 1) / NPY_ALIGNMENT * NPY_ALIGNMENT, rest = total - 10;
    memcpy(m->header, "\x93NUMPY\x01\x00", 8);
    m->header[8] = (char)(rest & 0xff);
    m->header[9] = (char)(rest >> 8);
    memset(m->header + 10, ' ', rest);
    memcpy(m->header + 10, dictionary, (size_t)length);
    m->header[total - 1] = '\n';
    m->header_bytes = total;
    return NZ_OK;
}

static nz_status prepare(member *m, const char *name, const nz_tensor *tensor, const char *path) {
    m->name = name;
    m->tensor = tensor;
    NZ_TRY(make_header(m, path));
    m->size = m->header_bytes + tensor->bytes;
    if (m->size > UINT32_MAX / 2 * 2 - 1)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: array '%s' is 4 GB or more", path, name);
    uLong crc = crc32(crc32(0, NULL, 0), (const Bytef *)m->header, (uInt)m->header_bytes);
    for (size_t at = 0; at < tensor->bytes; at += CRC_STEP) {
        size_t left = tensor->bytes - at;
        crc = crc32(crc, (const Bytef *)tensor->data + at, left > CRC_STEP ? CRC_STEP : (uInt)left);
    }
    m->crc = (uint32_t)crc;
    return NZ_OK;
}

/* The fields that the local header and the directory share. */
static void put_common(nz_text *text, const member *m) {
    put16(text, 20);    /* version needed */
    put16(text, 0x800); /* the name is UTF-8 */
    put16(text, 0);     /* stored */
    put16(text, 0);
    put16(text, DATE);
    put32(text, m->crc);
    put32(text, (uint32_t)m->size);
    put32(text, (uint32_t)m->size);
    put16(text, (unsigned)strlen(m->name) + 4);
}

static nz_status append_text(nz_file_writer *writer, nz_text *text) {
    nz_status status = text->status;
    if (status == NZ_OK) status = nz_file_writer_append(writer, text->data, text->length);
    nz_text_done(text);
    return status;
}

/* numpy.load maps nothing inside archives, but this reader does: the data of every array begin at a multiple of 64 bytes. */
static void put_local(nz_text *text, const member *m, size_t at) {
    size_t padding = (NPY_ALIGNMENT - (at + 30 + strlen(m->name) + 4 + 4) % NPY_ALIGNMENT) % NPY_ALIGNMENT;
    put32(text, 0x04034b50);
    put_common(text, m);
    put16(text, (unsigned)padding + 4);
    nz_text_appendf(text, "%s.npy", m->name);
    put16(text, 0x4e5a); /* an extra field of our own that pads */
    put16(text, (unsigned)padding);
    static const char zeros[NPY_ALIGNMENT];
    nz_text_append_bytes(text, zeros, padding);
}

static nz_status write_all(nz_file_writer *writer, member *members, size_t count, const char *path) {
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        member *m = &members[i];
        nz_text local = {0};
        m->offset = at;
        put_local(&local, m, at);
        at += local.length + m->size;
        if (at > UINT32_MAX - (1 << 20)) {
            nz_text_done(&local);
            return nz_fail(NZ_E_UNSUPPORTED, "%s: an archive of 4 GB or more is not written", path);
        }
        NZ_TRY(append_text(writer, &local));
        NZ_TRY(nz_file_writer_append(writer, m->header, m->header_bytes));
        NZ_TRY(nz_file_writer_append(writer, m->tensor->data, m->tensor->bytes));
    }
    nz_text directory = {0};
    for (size_t i = 0; i < count; i++) {
        put32(&directory, 0x02014b50);
        put16(&directory, 20);
        put_common(&directory, &members[i]);
        for (int zeros = 0; zeros < 4; zeros++) put16(&directory, 0); /* extra, comment, disk, attributes */
        put32(&directory, 0);
        put32(&directory, (uint32_t)members[i].offset);
        nz_text_appendf(&directory, "%s.npy", members[i].name);
    }
    uint32_t bytes = (uint32_t)directory.length;
    put32(&directory, 0x06054b50);
    put32(&directory, 0);
    put16(&directory, (unsigned)count);
    put16(&directory, (unsigned)count);
    put32(&directory, bytes);
    put32(&directory, (uint32_t)at);
    put16(&directory, 0);
    return append_text(writer, &directory);
}

nz_status nz_npz_write(const char *path, const char *const *names, const nz_tensor *tensors, size_t count) {
    NZ_AUTO_FREE member *members = NULL;
    nz_file_writer *writer = NULL;
    if (count > 1000) return nz_fail(NZ_E_UNSUPPORTED, "%s: %zu arrays in one archive", path, count);
    NZ_TRY(nz_alloc(&members, count, sizeof *members));
    for (size_t i = 0; i < count; i++) {
        if (!*names[i] || strlen(names[i]) > 256)
            return nz_fail(NZ_E_ARG, "%s: an array's name is empty or too long", path);
        NZ_TRY(prepare(&members[i], names[i], &tensors[i], path));
    }
    NZ_TRY(nz_file_writer_open(&writer, path));
    nz_status status = write_all(writer, members, count, path);
    if (status == NZ_OK) return nz_file_writer_commit(writer);
    nz_file_writer_abort(writer);
    return status;
}
