/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/put.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "onnx/wire.h"

/* Below this, bytes are copied: a reference costs more. */
enum { LEAST_REFERENCE = 256 };

static void append(nz_put *put, const void *bytes, size_t count) {
    if (put->status != NZ_OK || !count) return;
    put->status = nz_grow(&put->data, &put->capacity, put->length + count, 1);
    if (put->status != NZ_OK) return;
    memcpy(put->data + put->length, bytes, count);
    put->length += count;
}

static void append_varint(nz_put *put, uint64_t value) {
    uint8_t bytes[10];
    size_t count = 0;
    do {
        bytes[count++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    append(put, bytes, count);
}

static void append_tag(nz_put *put, uint32_t field, nz_wire_type type) {
    append_varint(put, (uint64_t)field << 3 | (uint64_t)type);
}

static void refer(nz_put *put, size_t at, const void *bytes, size_t count) {
    if (put->status != NZ_OK) return;
    put->status =
        nz_grow(&put->references, &put->reference_capacity, put->reference_count + 1, sizeof *put->references);
    if (put->status != NZ_OK) return;
    put->references[put->reference_count++] = (struct nz_put_reference){.at = at, .bytes = bytes, .count = count};
    put->referred_bytes += count;
}

void nz_put_int(nz_put *put, uint32_t field, int64_t value) {
    append_tag(put, field, NZ_WIRE_VARINT);
    append_varint(put, (uint64_t)value);
}

void nz_put_float(nz_put *put, uint32_t field, float value) {
    append_tag(put, field, NZ_WIRE_FIXED32);
    append(put, &value, sizeof value);
}

void nz_put_bytes(nz_put *put, uint32_t field, const void *bytes, size_t count) {
    append_tag(put, field, NZ_WIRE_BYTES);
    append_varint(put, count);
    append(put, bytes, count);
}

void nz_put_string(nz_put *put, uint32_t field, const char *text) {
    if (text) nz_put_bytes(put, field, text, strlen(text));
}

void nz_put_reference(nz_put *put, uint32_t field, const void *bytes, size_t count) {
    if (count < LEAST_REFERENCE) {
        nz_put_bytes(put, field, bytes, count);
        return;
    }
    append_tag(put, field, NZ_WIRE_BYTES);
    append_varint(put, count);
    refer(put, put->length, bytes, count);
}

void nz_put_encoded(nz_put *put, const void *bytes, size_t count) { append(put, bytes, count); }

size_t nz_put_total(const nz_put *put) { return put->length + put->referred_bytes; }

void nz_put_message(nz_put *put, uint32_t field, nz_put *message) {
    if (put->status == NZ_OK) put->status = message->status;
    append_tag(put, field, NZ_WIRE_BYTES);
    append_varint(put, nz_put_total(message));
    size_t base = put->length;
    append(put, message->data, message->length);
    for (size_t i = 0; i < message->reference_count; i++) {
        const struct nz_put_reference *r = &message->references[i];
        refer(put, base + r->at, r->bytes, r->count);
    }
    nz_put_done(message);
}

nz_status nz_put_write(const nz_put *put, nz_file_writer *writer) {
    if (put->status != NZ_OK) return put->status;
    size_t at = 0;
    for (size_t i = 0; i < put->reference_count; i++) {
        const struct nz_put_reference *r = &put->references[i];
        NZ_TRY(nz_file_writer_append(writer, put->data + at, r->at - at));
        NZ_TRY(nz_file_writer_append(writer, r->bytes, r->count));
        at = r->at;
    }
    return at < put->length ? nz_file_writer_append(writer, put->data + at, put->length - at) : NZ_OK;
}

void nz_put_done(nz_put *put) {
    free(put->data);
    free(put->references);
    *put = (nz_put){0};
}
