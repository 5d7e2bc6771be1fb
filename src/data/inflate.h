/* SPDX-License-Identifier: Apache-2.0 */
/** Inflating into memory, bounded: nothing is allocated that the compressed bytes could not become. */
#ifndef NZ_DATA_INFLATE_H
#define NZ_DATA_INFLATE_H

#include "core/memory.h"

/** A gzip file of one or more members. `limit` in bytes of the result. NZ_E_FORMAT: broken, truncated or larger. */
NZ_CHECKED nz_status nz_gunzip(nz_buffer **ret_buffer, const void *bytes, size_t count, size_t limit, const char *name);
/** Raw deflate data (a zip member) that must become exactly `size` bytes. */
NZ_CHECKED nz_status nz_inflate_raw(nz_buffer **ret_buffer, const void *bytes, size_t count, size_t size,
                                    const char *name);

#endif
