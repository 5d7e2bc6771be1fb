/* SPDX-License-Identifier: Apache-2.0 */
/* Reading NumPy archives: a zip file's central directory, members stored or deflated, zip64 where sizes need it.
 * @source PKWARE APPNOTE.TXT 6.3, sections 4.3.6 to 4.3.16 and 4.5.3 */
#include "data/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/error.h"
#include "data/inflate.h"

enum { ENTRIES_MAX = 65535, END_BYTES = 22, DIRECTORY_BYTES = 46, LOCAL_BYTES = 30, NAME_MAX_BYTES = 1024 };

struct nz_npz {
    nz_buffer *file; /* NULL over borrowed bytes */
    const uint8_t *bytes;
    size_t count, entry_count, capacity;
    char *name;
    struct entry {
        char *name;
        unsigned method;
        uint32_t crc;
        size_t offset, packed, size; /* of the local header; of the data */
    } * entries;
};

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] | (unsigned)p[1] << 8; }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16; }
static uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

void nz_npz_free(nz_npz *npz) {
    if (!npz) return;
    for (size_t i = 0; i < npz->entry_count; i++) free(npz->entries[i].name);
    free(npz->entries);
    free(npz->name);
    nz_buffer_unref(npz->file);
    free(npz);
}

static void free_npz(nz_npz **npz) { nz_npz_free(*npz); }

size_t nz_npz_count(const nz_npz *npz) { return npz->entry_count; }
const char *nz_npz_name(const nz_npz *npz, size_t i) { return i < npz->entry_count ? npz->entries[i].name : NULL; }

static nz_status broken(const nz_npz *npz, const char *what) {
    return nz_fail(NZ_E_FORMAT, "%s: not a whole .npz file: %s", npz->name, what);
}

/* The end record is the last thing in the file but for a comment of at most 65535 bytes. */
static nz_status find_end(const nz_npz *npz, size_t *ret_at) {
    size_t least = npz->count > END_BYTES + 65535 ? npz->count - END_BYTES - 65535 : 0;
    for (size_t at = npz->count < END_BYTES ? 0 : npz->count - END_BYTES + 1; at-- > least;)
        if (get32(npz->bytes + at) == 0x06054b50) {
            *ret_at = at;
            return NZ_OK;
        }
    return broken(npz, "the end of the zip directory is missing");
}

static nz_status find_directory(const nz_npz *npz, uint64_t *ret_offset, uint64_t *ret_entries) {
    size_t end = 0;
    NZ_TRY(find_end(npz, &end));
    const uint8_t *p = npz->bytes + end;
    uint64_t entries = get16(p + 10), offset = get32(p + 16);
    if (entries == 0xffff ||
        offset == 0xffffffff) { /* the real figures stand in a zip64 record that a locator in front points to */
        if (end < 20 || get32(p - 20) != 0x07064b50) return broken(npz, "the zip64 locator is missing");
        uint64_t at = get64(p - 20 + 8);
        if (at > npz->count || npz->count - at < 56 || get32(npz->bytes + at) != 0x06064b50)
            return broken(npz, "the zip64 record is missing");
        entries = get64(npz->bytes + at + 32);
        offset = get64(npz->bytes + at + 48);
    }
    if (entries > ENTRIES_MAX) return broken(npz, "more members than can be");
    if (offset > end) return broken(npz, "the zip directory lies outside the file");
    *ret_offset = offset;
    *ret_entries = entries;
    return NZ_OK;
}

/* Sizes and offset of 0xffffffff stand in the zip64 extra field instead, in this order. */
static nz_status read_zip64(const nz_npz *npz, const uint8_t *extra, size_t length, uint64_t *size, uint64_t *packed,
                            uint64_t *offset) {
    uint64_t *wanted[] = {size, packed, offset};
    if (*size != 0xffffffff && *packed != 0xffffffff && *offset != 0xffffffff) return NZ_OK;
    for (size_t at = 0; length - at >= 4;) {
        size_t bytes = get16(extra + at + 2), used = 0;
        if (bytes > length - at - 4) break;
        if (get16(extra + at) == 1) {
            for (size_t i = 0; i < NZ_COUNT(wanted); i++) {
                if (*wanted[i] != 0xffffffff) continue;
                if (bytes - used < 8) return broken(npz, "a zip64 field is too short");
                *wanted[i] = get64(extra + at + 4 + used);
                used += 8;
            }
            return NZ_OK;
        }
        at += 4 + bytes;
    }
    return broken(npz, "a zip64 field is missing");
}

static nz_status add_entry(nz_npz *npz, const uint8_t *p, size_t name_bytes, size_t extra_bytes) {
    uint64_t packed = get32(p + 20), size = get32(p + 24), offset = get32(p + 42);
    NZ_TRY(read_zip64(npz, p + DIRECTORY_BYTES + name_bytes, extra_bytes, &size, &packed, &offset));
    if (get16(p + 8) & 1) return nz_fail(NZ_E_UNSUPPORTED, "%s: a member is encrypted", npz->name);
    if (!name_bytes || name_bytes > NAME_MAX_BYTES) return broken(npz, "a member's name is empty or too long");
    if (offset > npz->count || packed > npz->count || size > SIZE_MAX / 2)
        return broken(npz, "a member lies outside the file");
    NZ_TRY(nz_grow(&npz->entries, &npz->capacity, npz->entry_count + 1, sizeof *npz->entries));
    struct entry *e = &npz->entries[npz->entry_count];
    *e = (struct entry){.method = get16(p + 10),
                        .crc = get32(p + 16),
                        .offset = (size_t)offset,
                        .packed = (size_t)packed,
                        .size = (size_t)size};
    NZ_TRY(nz_alloc(&e->name, name_bytes + 1, 1));
    memcpy(e->name, p + DIRECTORY_BYTES, name_bytes);
    if (name_bytes > 4 && memcmp(e->name + name_bytes - 4, ".npy", 4) == 0) e->name[name_bytes - 4] = '\0';
    npz->entry_count++;
    return NZ_OK;
}

static nz_status read_directory(nz_npz *npz) {
    uint64_t offset = 0, entries = 0;
    NZ_TRY(find_directory(npz, &offset, &entries));
    size_t at = (size_t)offset;
    for (uint64_t i = 0; i < entries; i++) {
        const uint8_t *p = npz->bytes + at;
        if (npz->count - at < DIRECTORY_BYTES || get32(p) != 0x02014b50)
            return broken(npz, "the zip directory ends too early");
        size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32),
               rest = npz->count - at - DIRECTORY_BYTES;
        if (name + extra + comment > rest) return broken(npz, "the zip directory ends too early");
        NZ_TRY(add_entry(npz, p, name, extra));
        at += DIRECTORY_BYTES + name + extra + comment;
    }
    return NZ_OK;
}

nz_status nz_npz_open_bytes(nz_npz **ret_npz, const void *bytes, size_t count, const char *name) {
    NZ_AUTO(free_npz) nz_npz *npz = NULL;
    NZ_TRY(nz_alloc(&npz, 1, sizeof *npz));
    npz->bytes = bytes;
    npz->count = count;
    NZ_TRY(nz_strdup(&npz->name, name));
    NZ_TRY(read_directory(npz));
    *ret_npz = NZ_STEAL(npz);
    return NZ_OK;
}

nz_status nz_npz_open(nz_npz **ret_npz, const char *path) {
    nz_buffer *file = NULL;
    NZ_TRY(nz_buffer_map(&file, path));
    nz_npz *npz = NULL;
    nz_status status = nz_npz_open_bytes(&npz, nz_buffer_data(file), nz_buffer_bytes(file), path);
    if (status != NZ_OK) {
        nz_buffer_unref(file);
        return status;
    }
    npz->file = file;
    *ret_npz = npz;
    return NZ_OK;
}

static uint32_t checksum(const uint8_t *bytes, size_t count) {
    enum { STEP = 1 << 30 };
    uLong crc = crc32(0, NULL, 0);
    for (; count > STEP; bytes += STEP, count -= STEP) crc = crc32(crc, bytes, STEP);
    return (uint32_t)crc32(crc, bytes, (uInt)count);
}

/* The member's bytes: inflated into a buffer of their own (*ret_owner), or where they lie. */
static nz_status member_bytes(const uint8_t **ret_bytes, nz_buffer **ret_owner, const nz_npz *npz,
                              const struct entry *e, const char *what) {
    const uint8_t *local = npz->bytes + e->offset;
    size_t left = npz->count - e->offset;
    if (left < LOCAL_BYTES || get32(local) != 0x04034b50)
        return nz_fail(NZ_E_FORMAT, "%s: the zip header is broken", what);
    size_t skip = LOCAL_BYTES + get16(local + 26) + get16(local + 28);
    if (skip > left || e->packed > left - skip)
        return nz_fail(NZ_E_FORMAT, "%s: the file ends before the array does", what);
    nz_buffer *owner = NULL;
    const uint8_t *bytes = local + skip;
    if (e->method == 8) {
        NZ_TRY(nz_inflate_raw(&owner, bytes, e->packed, e->size, what));
        bytes = nz_buffer_data(owner);
    } else if (e->method != 0) {
        return nz_fail(NZ_E_UNSUPPORTED, "%s: zip compression method %u; stored and deflated arrays are read", what,
                       e->method);
    } else if (e->packed != e->size) {
        return nz_fail(NZ_E_FORMAT, "%s: stored, but of two sizes (%zu and %zu)", what, e->packed, e->size);
    }
    if (checksum(bytes, e->size) != e->crc) {
        nz_buffer_unref(owner);
        return nz_fail(NZ_E_FORMAT, "%s: the checksum does not match; the file is damaged", what);
    }
    *ret_bytes = bytes;
    *ret_owner = owner;
    return NZ_OK;
}

/* A tensor over the array where it lies, if it may stay there and is aligned for its type; else over a copy. */
static nz_status make_tensor(nz_tensor *ret_tensor, const nz_npz *npz, const uint8_t *bytes, nz_buffer *owner,
                             const nz_npy *npy) {
    size_t unit = (size_t)nz_dtype_get(npy->dtype)->bits / 8;
    nz_buffer *keep = owner ? owner : npz->file;
    void *data = (void *)(uintptr_t)(bytes + npy->offset);
    if (keep && (uintptr_t)data % unit == 0) {
        *ret_tensor = (nz_tensor){
            .dtype = npy->dtype, .shape = npy->shape, .data = data, .bytes = npy->bytes, .owner = nz_buffer_ref(keep)};
        return NZ_OK;
    }
    nz_tensor copy;
    NZ_TRY(nz_tensor_init(&copy, npy->dtype, &npy->shape));
    if (npy->bytes) memcpy(copy.data, data, npy->bytes);
    *ret_tensor = copy;
    return NZ_OK;
}

nz_status nz_npz_get(nz_tensor *ret_tensor, const nz_npz *npz, const char *name) {
    const struct entry *e = NULL;
    for (size_t i = 0; i < npz->entry_count && !e; i++)
        if (strcmp(npz->entries[i].name, name) == 0) e = &npz->entries[i];
    if (!e) return nz_fail(NZ_E_FORMAT, "%s: no array '%s' in it", npz->name, name);
    char what[512];
    snprintf(what, sizeof what, "%s: array '%s'", npz->name, name);
    const uint8_t *bytes = NULL;
    nz_buffer *owner = NULL;
    nz_npy npy;
    NZ_TRY(member_bytes(&bytes, &owner, npz, e, what));
    nz_status status = nz_npy_parse(&npy, bytes, e->size, what);
    if (status == NZ_OK) status = make_tensor(ret_tensor, npz, bytes, owner, &npy);
    nz_buffer_unref(owner);
    return status;
}

nz_status nz_npz_read(nz_tensor *ret_tensor, const char *path, const char *name) {
    NZ_AUTO(free_npz) nz_npz *npz = NULL;
    NZ_TRY(nz_npz_open(&npz, path));
    return nz_npz_get(ret_tensor, npz, name);
}
