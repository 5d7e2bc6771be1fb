/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/wire.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

static size_t place(const nz_wire *wire, const uint8_t *at) { return (size_t)(at - wire->base); }

static nz_status read_varint(nz_wire *wire, uint64_t *ret_value) {
    uint64_t value = 0;
    const uint8_t *start = wire->at;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (wire->at == wire->end) return nz_fail(NZ_E_FORMAT, "byte %zu: a number is cut off", place(wire, start));
        uint8_t byte = *wire->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        *ret_value = value;
        return NZ_OK;
    }
    return nz_fail(NZ_E_FORMAT, "byte %zu: a number is longer than 64 bits", place(wire, start));
}

static nz_status read_fixed(nz_wire *wire, size_t bytes, uint64_t *ret_value) {
    if ((size_t)(wire->end - wire->at) < bytes)
        return nz_fail(NZ_E_FORMAT, "byte %zu: a number of %zu bytes is cut off", place(wire, wire->at), bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += bytes;
    *ret_value = value;
    return NZ_OK;
}

static nz_status read_bytes(nz_wire *wire, nz_wire *ret_bytes) {
    uint64_t length = 0;
    const uint8_t *start = wire->at;
    NZ_TRY(read_varint(wire, &length));
    if (length > (uint64_t)(wire->end - wire->at))
        return nz_fail(NZ_E_FORMAT,
                       "byte %zu: a length of %llu goes past the end, %zu bytes on; the file is cut off or damaged",
                       place(wire, start), (unsigned long long)length, (size_t)(wire->end - wire->at));
    *ret_bytes = (nz_wire){.base = wire->base, .at = wire->at, .end = wire->at + length};
    wire->at += length;
    return NZ_OK;
}

nz_status nz_wire_next(nz_wire *wire, nz_field *ret_field, bool *ret_more) {
    if (wire->at == wire->end) {
        *ret_more = false;
        return NZ_OK;
    }
    uint64_t tag = 0;
    nz_field field = {.start = wire->at, .bytes = {.base = wire->base}};
    NZ_TRY(read_varint(wire, &tag));
    if (tag >> 3 == 0 || tag >> 32 != 0)
        return nz_fail(NZ_E_FORMAT, "byte %zu: no protobuf field begins here", place(wire, field.start));
    field.number = (uint32_t)(tag >> 3);
    field.type = (nz_wire_type)(tag & 7);
    switch (field.type) {
    case NZ_WIRE_VARINT: NZ_TRY(read_varint(wire, &field.value)); break;
    case NZ_WIRE_FIXED64: NZ_TRY(read_fixed(wire, 8, &field.value)); break;
    case NZ_WIRE_FIXED32: NZ_TRY(read_fixed(wire, 4, &field.value)); break;
    case NZ_WIRE_BYTES: NZ_TRY(read_bytes(wire, &field.bytes)); break;
    default:
        return nz_fail(NZ_E_FORMAT, "byte %zu: field %u has wire type %d, which ONNX does not use",
                       place(wire, field.start), field.number, (int)field.type);
    }
    *ret_field = field;
    *ret_more = true;
    return NZ_OK;
}

size_t nz_field_place(const nz_field *field) { return place(&field->bytes, field->start); }

static nz_status wrong_type(const nz_field *field, const char *what) {
    return nz_fail(NZ_E_FORMAT, "byte %zu: %s has wire type %d, which does not fit it", nz_field_place(field), what,
                   (int)field->type);
}

nz_status nz_field_int(const nz_field *field, const char *what, int64_t *ret_value) {
    if (field->type != NZ_WIRE_VARINT) return wrong_type(field, what);
    *ret_value = (int64_t)field->value;
    return NZ_OK;
}

nz_status nz_field_float(const nz_field *field, const char *what, float *ret_value) {
    if (field->type != NZ_WIRE_FIXED32) return wrong_type(field, what);
    uint32_t bits = (uint32_t)field->value;
    memcpy(ret_value, &bits, sizeof bits);
    return NZ_OK;
}

nz_status nz_field_bytes(const nz_field *field, const char *what, nz_wire *ret_bytes) {
    if (field->type != NZ_WIRE_BYTES) return wrong_type(field, what);
    *ret_bytes = field->bytes;
    return NZ_OK;
}

nz_status nz_field_string(const nz_field *field, const char *what, char **string) {
    nz_wire bytes = {0};
    NZ_TRY(nz_field_bytes(field, what, &bytes));
    size_t length = (size_t)(bytes.end - bytes.at);
    if (length && memchr(bytes.at, 0, length))
        return nz_fail(NZ_E_FORMAT, "byte %zu: %s holds a zero byte", nz_field_place(field), what);
    char *copy = NULL;
    NZ_TRY(nz_alloc(&copy, length + 1, 1));
    if (length) memcpy(copy, bytes.at, length);
    free(*string);
    *string = copy;
    return NZ_OK;
}

nz_status nz_packed_open(nz_packed *ret_packed, const nz_field *field, const char *what, nz_wire_number kind) {
    static const nz_wire_type single_types[] = {NZ_WIRE_VARINT, NZ_WIRE_FIXED32, NZ_WIRE_FIXED64};
    if (field->type != NZ_WIRE_BYTES && field->type != single_types[kind]) return wrong_type(field, what);
    *ret_packed = (nz_packed){.rest = field->bytes, .kind = kind};
    if (field->type != NZ_WIRE_BYTES) {
        ret_packed->single = field->value;
        ret_packed->has_single = true;
    }
    return NZ_OK;
}

nz_status nz_packed_next(nz_packed *packed, uint64_t *ret_bits, bool *ret_more) {
    *ret_more = true;
    if (packed->has_single) {
        packed->has_single = false;
        *ret_bits = packed->single;
        return NZ_OK;
    }
    if (packed->rest.at == packed->rest.end) {
        *ret_more = false;
        return NZ_OK;
    }
    if (packed->kind == NZ_NUMBER_INT) return read_varint(&packed->rest, ret_bits);
    return read_fixed(&packed->rest, packed->kind == NZ_NUMBER_FLOAT ? 4 : 8, ret_bits);
}

size_t nz_packed_bound(const nz_packed *packed) {
    static const size_t least_bytes[] = {1, 4, 8};
    return (size_t)(packed->rest.end - packed->rest.at) / least_bytes[packed->kind] + packed->has_single;
}
