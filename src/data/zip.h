/* SPDX-License-Identifier: Apache-2.0 */
/** Zip archives in memory: the directory read and checked, members by name. What NumPy's and PyTorch's files are made of. */
#ifndef NZ_DATA_ZIP_H
#define NZ_DATA_ZIP_H

#include "core/memory.h"

typedef struct nz_zip_entry {
    char *name;
    unsigned method; /**< 0 stored, 8 deflated; others are refused when the member is read */
    uint32_t crc;
    size_t offset, packed, size; /**< of the local header; of the data as stored and as it becomes */
} nz_zip_entry;

/** An opened archive over borrowed bytes. */
typedef struct nz_zip {
    const uint8_t *bytes;
    size_t count, entry_count, capacity;
    char *name;       /**< for messages */
    const char *kind; /**< what it should be, for messages: ".npz file" */
    nz_zip_entry *entries;
    size_t *order; /**< entries by name, equal names in the file's order */
} nz_zip;

/** Reads the directory of at most 65535 members whose packed sizes fit into the file together. `kind` is static.
 * NZ_E_FORMAT says what is broken; NZ_E_UNSUPPORTED: encrypted. Release with nz_zip_done. */
NZ_CHECKED nz_status nz_zip_open(nz_zip *ret_zip, const void *bytes, size_t count, const char *name, const char *kind);
void nz_zip_done(nz_zip *zip); /**< safe on a zeroed one */
/** The first member of that name, NULL where there is none. Borrowed. */
const nz_zip_entry *nz_zip_find(const nz_zip *zip, const char *name);
/** The member's bytes, its checksum verified: where they lie (*ret_owner NULL), or inflated into a buffer of their own, which
 * the caller releases. `what` begins the message. NZ_E_FORMAT, NZ_E_UNSUPPORTED, NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_zip_read(const uint8_t **ret_bytes, nz_buffer **ret_owner, const nz_zip *zip,
                                 const nz_zip_entry *entry, const char *what);

#endif
