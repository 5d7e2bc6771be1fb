/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Writing protobuf's wire format. A message is put together in memory, but large bytes (weights) are only referred to and
 * copied when it is written out. After a failure a message stays as it was and remembers it: check once, at the end.
 */
#ifndef NZ_ONNX_PUT_H
#define NZ_ONNX_PUT_H

#include <stddef.h>
#include <stdint.h>

#include "core/file.h"

typedef struct nz_put {
    uint8_t *data; /**< what is held here */
    size_t length, capacity;
    struct nz_put_reference {
        size_t at; /**< comes before data[at] */
        const void *bytes;
        size_t count;
    } * references;
    size_t reference_count, reference_capacity;
    size_t referred_bytes;
    nz_status status;
} nz_put;

void nz_put_int(nz_put *put, uint32_t field, int64_t value);
void nz_put_float(nz_put *put, uint32_t field, float value);
void nz_put_bytes(nz_put *put, uint32_t field, const void *bytes, size_t count);
void nz_put_string(nz_put *put, uint32_t field, const char *text); /**< NULL: nothing */
/** Refers to bytes that must stay until the message is written. */
void nz_put_reference(nz_put *put, uint32_t field, const void *bytes, size_t count);
/** Puts a finished message into this one and empties it; its failure becomes this one's. */
void nz_put_message(nz_put *put, uint32_t field, nz_put *message);
/** Fields that are encoded already. */
void nz_put_encoded(nz_put *put, const void *bytes, size_t count);

size_t nz_put_total(const nz_put *put); /**< bytes of the whole message */
NZ_CHECKED nz_status nz_put_write(const nz_put *put, nz_file_writer *writer);
void nz_put_done(nz_put *put);

#endif
