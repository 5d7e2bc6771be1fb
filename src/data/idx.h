/* SPDX-License-Identifier: Apache-2.0 */
/** MNIST's idx files. */
#ifndef NZ_DATA_IDX_H
#define NZ_DATA_IDX_H

#include "core/memory.h"

typedef struct nz_idx {
    int rank;
    uint32_t dim[4];
    const uint8_t *data; /**< the elements; borrowed from the parsed bytes */
} nz_idx;

/** An idx file of unsigned bytes with `rank` (1..4) dimensions. NZ_E_FORMAT where the header and the size do not agree. */
NZ_CHECKED nz_status nz_idx_parse(nz_idx *ret_idx, const uint8_t *bytes, size_t count, int rank, const char *name);
/** The file's bytes, inflated where it is gzip (at most `limit` bytes), else another reference to `file`. */
NZ_CHECKED nz_status nz_idx_bytes(nz_buffer **ret_buffer, nz_buffer *file, size_t limit, const char *name);

#endif
