/* SPDX-License-Identifier: Apache-2.0 */
#include "data/inflate.h"

#include <limits.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "core/error.h"

enum { STEP = 1 << 30 }; /* zlib counts in unsigned int */

static uInt step(size_t left) { return left > STEP ? STEP : (uInt)left; }

static nz_status fail_zlib(int code, const z_stream *z, const char *name) {
    if (code == Z_MEM_ERROR) return nz_fail(NZ_E_MEMORY, "%s: out of memory while inflating", name);
    if (code == Z_OK || code == Z_BUF_ERROR)
        return nz_fail(NZ_E_FORMAT, "%s: the compressed data ends too early", name);
    return nz_fail(NZ_E_FORMAT, "%s: broken compressed data%s%s", name, z->msg ? ": " : "", z->msg ? z->msg : "");
}

/* Inflates one member from z->next_in (of `left` bytes) into out[capacity]; *filled grows. Z_STREAM_END when it is done,
 * Z_OK when `out` is full. */
static int inflate_some(z_stream *z, size_t *left, uint8_t *out, size_t *filled, size_t capacity) {
    int code = Z_OK;
    while (code == Z_OK && *filled < capacity) {
        uInt in = step(*left), room = step(capacity - *filled);
        z->avail_in = in;
        z->next_out = out + *filled;
        z->avail_out = room;
        code = inflate(z, Z_NO_FLUSH);
        *left -= in - z->avail_in;
        *filled += room - z->avail_out;
    }
    return code;
}

nz_status nz_inflate_raw(nz_buffer **ret_buffer, const void *bytes, size_t count, size_t size, const char *name) {
    if (size / 1100 > count + 64)
        return nz_fail(NZ_E_FORMAT, "%s: says that %zu bytes become %zu, which deflate cannot do", name, count, size);
    nz_buffer *buffer = NULL;
    NZ_TRY(nz_buffer_alloc(&buffer, size + 1)); /* one more, so that a longer stream shows itself */
    z_stream z = {.next_in = bytes};
    size_t left = count, filled = 0;
    int code = inflateInit2(&z, -MAX_WBITS);
    if (code == Z_OK) code = inflate_some(&z, &left, nz_buffer_data(buffer), &filled, size + 1);
    nz_status status = NZ_OK;
    if (filled > size)
        status = nz_fail(NZ_E_FORMAT, "%s: inflates to more than the %zu bytes it states", name, size);
    else if (code != Z_STREAM_END)
        status = fail_zlib(code, &z, name);
    else if (filled != size)
        status = nz_fail(NZ_E_FORMAT, "%s: inflates to %zu bytes instead of the %zu it states", name, filled, size);
    inflateEnd(&z);
    if (status != NZ_OK)
        nz_buffer_unref(buffer);
    else
        *ret_buffer = buffer;
    return status;
}

static nz_status gunzip_all(z_stream *z, uint8_t **out, size_t *filled, size_t count, size_t limit, const char *name) {
    size_t left = count, capacity = 0;
    for (;;) {
        if (*filled == capacity) {
            if (capacity > limit)
                return nz_fail(NZ_E_FORMAT, "%s: inflates to more than the %zu bytes that are allowed", name, limit);
            NZ_TRY(nz_grow(out, &capacity, capacity ? capacity * 2 : count * 4 + 4096, 1));
        }
        int code = inflate_some(z, &left, *out, filled, capacity);
        if (code == Z_STREAM_END) {
            if (!left) break;
            if (inflateReset(z) != Z_OK) return nz_fail(NZ_E_INTERNAL, "%s: zlib could not be reset", name);
        } else if (code != Z_OK) {
            return fail_zlib(code, z, name);
        }
    }
    if (*filled > limit)
        return nz_fail(NZ_E_FORMAT, "%s: inflates to more than the %zu bytes that are allowed", name, limit);
    return NZ_OK;
}

nz_status nz_gunzip(nz_buffer **ret_buffer, const void *bytes, size_t count, size_t limit, const char *name) {
    NZ_AUTO_FREE uint8_t *out = NULL;
    size_t filled = 0;
    z_stream z = {.next_in = bytes};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return nz_fail(NZ_E_MEMORY, "%s: out of memory while inflating", name);
    nz_status status = gunzip_all(&z, &out, &filled, count, limit, name);
    inflateEnd(&z);
    NZ_TRY(status);
    nz_buffer *buffer = NULL;
    NZ_TRY(nz_buffer_alloc(&buffer, filled));
    memcpy(nz_buffer_data(buffer), out, filled);
    *ret_buffer = buffer;
    return NZ_OK;
}
