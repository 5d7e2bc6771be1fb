/* SPDX-License-Identifier: Apache-2.0 */
/* A zip file's central directory, members stored or deflated, zip64 where sizes need it.
 * @source PKWARE APPNOTE.TXT 6.3, sections 4.3.6 to 4.3.16 and 4.5.3 */
#include "data/zip.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/error.h"
#include "data/inflate.h"

enum { ENTRIES_MAX = 65535, END_BYTES = 22, DIRECTORY_BYTES = 46, LOCAL_BYTES = 30, NAME_MAX_BYTES = 1024 };

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] | (unsigned)p[1] << 8; }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16; }
static uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

void nz_zip_done(nz_zip *zip) {
    for (size_t i = 0; i < zip->entry_count; i++) free(zip->entries[i].name);
    free(zip->entries);
    free(zip->order);
    free(zip->name);
    *zip = (nz_zip){0};
}

static nz_status broken(const nz_zip *zip, const char *what) {
    return nz_fail(NZ_E_FORMAT, "%s: not a whole %s: %s", zip->name, zip->kind, what);
}

/* The end record is the last thing in the file but for a comment of at most 65535 bytes. */
static nz_status find_end(const nz_zip *zip, size_t *ret_at) {
    size_t least = zip->count > END_BYTES + 65535 ? zip->count - END_BYTES - 65535 : 0;
    for (size_t at = zip->count < END_BYTES ? 0 : zip->count - END_BYTES + 1; at-- > least;)
        if (get32(zip->bytes + at) == 0x06054b50) {
            *ret_at = at;
            return NZ_OK;
        }
    return broken(zip, "the end of the zip directory is missing");
}

static nz_status find_directory(const nz_zip *zip, uint64_t *ret_offset, uint64_t *ret_entries) {
    size_t end = 0;
    NZ_TRY(find_end(zip, &end));
    const uint8_t *p = zip->bytes + end;
    uint64_t entries = get16(p + 10), offset = get32(p + 16);
    if (entries == 0xffff ||
        offset == 0xffffffff) { /* the real figures stand in a zip64 record that a locator in front points to */
        if (end < 20 || get32(p - 20) != 0x07064b50) return broken(zip, "the zip64 locator is missing");
        uint64_t at = get64(p - 20 + 8);
        if (at > zip->count || zip->count - at < 56 || get32(zip->bytes + at) != 0x06064b50)
            return broken(zip, "the zip64 record is missing");
        entries = get64(zip->bytes + at + 32);
        offset = get64(zip->bytes + at + 48);
    }
    if (entries > ENTRIES_MAX) return broken(zip, "more members than can be");
    if (offset > end) return broken(zip, "the zip directory lies outside the file");
    *ret_offset = offset;
    *ret_entries = entries;
    return NZ_OK;
}

/* Sizes and offset of 0xffffffff stand in the zip64 extra field instead, in this order. */
static nz_status read_zip64(const nz_zip *zip, const uint8_t *extra, size_t length, uint64_t *size, uint64_t *packed,
                            uint64_t *offset) {
    uint64_t *wanted[] = {size, packed, offset};
    if (*size != 0xffffffff && *packed != 0xffffffff && *offset != 0xffffffff) return NZ_OK;
    for (size_t at = 0; length - at >= 4;) {
        size_t bytes = get16(extra + at + 2), used = 0;
        if (bytes > length - at - 4) break;
        if (get16(extra + at) == 1) {
            for (size_t i = 0; i < NZ_COUNT(wanted); i++) {
                if (*wanted[i] != 0xffffffff) continue;
                if (bytes - used < 8) return broken(zip, "a zip64 field is too short");
                *wanted[i] = get64(extra + at + 4 + used);
                used += 8;
            }
            return NZ_OK;
        }
        at += 4 + bytes;
    }
    return broken(zip, "a zip64 field is missing");
}

static nz_status add_entry(nz_zip *zip, const uint8_t *p, size_t name_bytes, size_t extra_bytes) {
    uint64_t packed = get32(p + 20), size = get32(p + 24), offset = get32(p + 42);
    NZ_TRY(read_zip64(zip, p + DIRECTORY_BYTES + name_bytes, extra_bytes, &size, &packed, &offset));
    if (get16(p + 8) & 1) return nz_fail(NZ_E_UNSUPPORTED, "%s: a member is encrypted", zip->name);
    if (!name_bytes || name_bytes > NAME_MAX_BYTES) return broken(zip, "a member's name is empty or too long");
    if (offset > zip->count || packed > zip->count || size > SIZE_MAX / 2)
        return broken(zip, "a member lies outside the file");
    NZ_TRY(nz_grow(&zip->entries, &zip->capacity, zip->entry_count + 1, sizeof *zip->entries));
    nz_zip_entry *e = &zip->entries[zip->entry_count];
    *e = (nz_zip_entry){.method = get16(p + 10),
                        .crc = get32(p + 16),
                        .offset = (size_t)offset,
                        .packed = (size_t)packed,
                        .size = (size_t)size};
    NZ_TRY(nz_alloc(&e->name, name_bytes + 1, 1));
    memcpy(e->name, p + DIRECTORY_BYTES, name_bytes);
    zip->entry_count++;
    return NZ_OK;
}

static nz_status read_directory(nz_zip *zip) {
    uint64_t offset = 0, entries = 0;
    NZ_TRY(find_directory(zip, &offset, &entries));
    size_t at = (size_t)offset;
    for (uint64_t i = 0; i < entries; i++) {
        const uint8_t *p = zip->bytes + at;
        if (zip->count - at < DIRECTORY_BYTES || get32(p) != 0x02014b50)
            return broken(zip, "the zip directory ends too early");
        size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32),
               rest = zip->count - at - DIRECTORY_BYTES;
        if (name + extra + comment > rest) return broken(zip, "the zip directory ends too early");
        NZ_TRY(add_entry(zip, p, name, extra));
        at += DIRECTORY_BYTES + name + extra + comment;
    }
    return NZ_OK;
}

/* Members that share bytes are how a small file becomes a huge one. */
static nz_status check_sizes(const nz_zip *zip) {
    size_t left = zip->count;
    for (size_t i = 0; i < zip->entry_count; i++) {
        if (zip->entries[i].packed > left) return broken(zip, "its members overlap");
        left -= zip->entries[i].packed;
    }
    return NZ_OK;
}

static int compare_names(const void *a, const void *b, void *zip) {
    const nz_zip_entry *entries = ((const nz_zip *)zip)->entries;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = strcmp(entries[i].name, entries[k].name);
    return order ? order : (i > k) - (i < k);
}

static nz_status sort_names(nz_zip *zip) {
    NZ_TRY(nz_alloc(&zip->order, zip->entry_count, sizeof *zip->order));
    for (size_t i = 0; i < zip->entry_count; i++) zip->order[i] = i;
    qsort_r(zip->order, zip->entry_count, sizeof *zip->order, compare_names, zip);
    return NZ_OK;
}

nz_status nz_zip_open(nz_zip *ret_zip, const void *bytes, size_t count, const char *name, const char *kind) {
    NZ_AUTO(nz_zip_done) nz_zip zip = {.bytes = bytes, .count = count, .kind = kind};
    NZ_TRY(nz_strdup(&zip.name, name));
    NZ_TRY(read_directory(&zip));
    NZ_TRY(check_sizes(&zip));
    NZ_TRY(sort_names(&zip));
    *ret_zip = zip;
    zip = (nz_zip){0};
    return NZ_OK;
}

const nz_zip_entry *nz_zip_find(const nz_zip *zip, const char *name) {
    size_t low = 0, high = zip->entry_count; /* the first that is not before `name` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(zip->entries[zip->order[middle]].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zip->entry_count || strcmp(zip->entries[zip->order[low]].name, name) != 0) return NULL;
    return &zip->entries[zip->order[low]];
}

static uint32_t checksum(const uint8_t *bytes, size_t count) {
    enum { STEP = 1 << 30 };
    uLong crc = crc32(0, NULL, 0);
    for (; count > STEP; bytes += STEP, count -= STEP) crc = crc32(crc, bytes, STEP);
    return (uint32_t)crc32(crc, bytes, (uInt)count);
}

nz_status nz_zip_read(const uint8_t **ret_bytes, nz_buffer **ret_owner, const nz_zip *zip, const nz_zip_entry *e,
                      const char *what) {
    const uint8_t *local = zip->bytes + e->offset;
    size_t left = zip->count - e->offset;
    if (left < LOCAL_BYTES || get32(local) != 0x04034b50)
        return nz_fail(NZ_E_FORMAT, "%s: the zip header is broken", what);
    size_t skip = LOCAL_BYTES + get16(local + 26) + get16(local + 28);
    if (skip > left || e->packed > left - skip)
        return nz_fail(NZ_E_FORMAT, "%s: the file ends before its member does", what);
    nz_buffer *owner = NULL;
    const uint8_t *bytes = local + skip;
    if (e->method == 8) {
        NZ_TRY(nz_inflate_raw(&owner, bytes, e->packed, e->size, what));
        bytes = nz_buffer_data(owner);
    } else if (e->method != 0) {
        return nz_fail(NZ_E_UNSUPPORTED, "%s: zip compression method %u; stored and deflated members are read", what,
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
