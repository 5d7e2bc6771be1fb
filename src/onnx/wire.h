/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Reading protobuf's wire format in place. A cursor walks one message; every length is checked against the message that
 * holds it, nothing is copied, and nothing recurses: whoever descends into a message within a message does so on purpose.
 *
 * @source https://protobuf.dev/programming-guides/encoding
 */
#ifndef NZ_ONNX_WIRE_H
#define NZ_ONNX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

typedef enum nz_wire_type {
    NZ_WIRE_VARINT = 0,
    NZ_WIRE_FIXED64 = 1,
    NZ_WIRE_BYTES = 2,
    NZ_WIRE_FIXED32 = 5
} nz_wire_type;

typedef struct nz_wire {
    const uint8_t *base; /**< the file's first byte, for places in messages */
    const uint8_t *at, *end;
} nz_wire;

typedef struct nz_field {
    uint32_t number;
    nz_wire_type type;
    uint64_t value;       /**< VARINT, FIXED64, FIXED32 */
    nz_wire bytes;        /**< BYTES: a cursor over the content */
    const uint8_t *start; /**< of the field's tag; the field ends where the cursor now stands */
} nz_field;

/** The next field of a message; *ret_more is false at its end. NZ_E_FORMAT names the byte. */
NZ_CHECKED nz_status nz_wire_next(nz_wire *wire, nz_field *ret_field, bool *ret_more);
/** The place of a field in the file, for messages. */
size_t nz_field_place(const nz_field *field);

/** The field's value where its wire type fits; NZ_E_FORMAT names `what` and the byte otherwise. */
NZ_CHECKED nz_status nz_field_int(const nz_field *field, const char *what, int64_t *ret_value);
NZ_CHECKED nz_status nz_field_float(const nz_field *field, const char *what, float *ret_value);
NZ_CHECKED nz_status nz_field_bytes(const nz_field *field, const char *what, nz_wire *ret_bytes);
/** A heap copy of a string field, in place of what *string held. A zero byte inside is refused. */
NZ_CHECKED nz_status nz_field_string(const nz_field *field, const char *what, char **string);

/** The kinds of elements that repeated number fields hold. */
typedef enum nz_wire_number { NZ_NUMBER_INT, NZ_NUMBER_FLOAT, NZ_NUMBER_DOUBLE } nz_wire_number;

/** Walks the elements of one occurrence of a repeated number field, packed or not, each in turn as raw bits. */
typedef struct nz_packed {
    nz_wire rest;
    nz_wire_number kind;
    uint64_t single;
    bool has_single;
} nz_packed;
NZ_CHECKED nz_status nz_packed_open(nz_packed *ret_packed, const nz_field *field, const char *what,
                                    nz_wire_number kind);
NZ_CHECKED nz_status nz_packed_next(nz_packed *packed, uint64_t *ret_bits, bool *ret_more);
/** How many elements there are at most (exact but for VARINTs, which are at least a byte each): what may be allocated. */
size_t nz_packed_bound(const nz_packed *packed);

#endif
