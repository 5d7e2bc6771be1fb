/* SPDX-License-Identifier: Apache-2.0 */
/* PyTorch's file forms: the zip archive (since 1.6), the stream of pickles before it, and the tar archive of 0.1.
 * @source PyTorch, torch/serialization.py: the order of what a file holds */
#include "import/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"

enum { OBJECT_BYTES_MAX = 1 << 28, STREAM_PROTOCOL = 1001 };

void nz_torch_done(nz_torch *torch) {
    for (size_t i = 0; i < torch->storage_count; i++) nz_buffer_unref(torch->storages[i].owner);
    free(torch->storages);
    free(torch->entries);
    free(torch->folder);
    nz_zip_done(&torch->zip);
    nz_pickle_done(&torch->object);
    nz_buffer_unref(torch->object_bytes);
    nz_arena_done(&torch->texts);
    *torch = (nz_torch){0};
}

/* The archive's folder has any name; the object is its data.pkl. */
static const nz_zip_entry *find_object(const nz_zip *zip, size_t *ret_folder_bytes) {
    static const char object[] = "data.pkl";
    for (size_t i = 0; i < zip->entry_count; i++) {
        size_t length = strlen(zip->entries[i].name), tail = sizeof object - 1;
        const char *end = zip->entries[i].name + length;
        if (length < tail || strcmp(end - tail, object) != 0 || (length > tail && end[-(ptrdiff_t)tail - 1] != '/'))
            continue;
        *ret_folder_bytes = length - tail;
        return &zip->entries[i];
    }
    return NULL;
}

static nz_status read_byte_order(nz_torch *torch) {
    NZ_AUTO_FREE char *member = NULL, *what = NULL;
    NZ_TRY(nz_format(&member, "%sbyteorder", torch->folder));
    NZ_TRY(nz_format(&what, "%s: %s", torch->name, member));
    const nz_zip_entry *entry = nz_zip_find(&torch->zip, member);
    if (!entry) return NZ_OK;
    if (entry->size > 16) return nz_fail(NZ_E_FORMAT, "%s: neither 'little' nor 'big'", what);
    const uint8_t *bytes = NULL;
    nz_buffer *owner = NULL;
    NZ_TRY(nz_zip_read(&bytes, &owner, &torch->zip, entry, what));
    bool little = entry->size == 6 && memcmp(bytes, "little", 6) == 0;
    torch->big_endian = entry->size == 3 && memcmp(bytes, "big", 3) == 0;
    nz_buffer_unref(owner);
    if (!little && !torch->big_endian) return nz_fail(NZ_E_FORMAT, "%s: neither 'little' nor 'big'", what);
    return NZ_OK;
}

nz_status nz_torch_open_zip(nz_torch *torch) {
    NZ_AUTO_FREE char *what = NULL;
    size_t folder = 0;
    const uint8_t *bytes = NULL;
    torch->form = "zip archive";
    NZ_TRY(nz_zip_open(&torch->zip, torch->bytes, torch->count, torch->name, "PyTorch checkpoint"));
    const nz_zip_entry *entry = find_object(&torch->zip, &folder);
    if (!entry)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a zip archive without data.pkl, so no PyTorch checkpoint", torch->name);
    if (entry->size > OBJECT_BYTES_MAX)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: %s has %zu bytes; up to %d are read", torch->name, entry->name,
                       entry->size, OBJECT_BYTES_MAX);
    NZ_TRY(nz_format(&torch->folder, "%.*s", (int)folder, entry->name));
    NZ_TRY(nz_format(&what, "%s: %s", torch->name, entry->name));
    NZ_TRY(nz_zip_read(&bytes, &torch->object_bytes, &torch->zip, entry, what));
    NZ_TRY(nz_pickle_read(&torch->object, bytes, entry->size, what));
    NZ_TRY(read_byte_order(torch));
    return nz_torch_list_storages(torch);
}

static nz_status next_pickle(nz_pickle *ret_pickle, const nz_torch *torch, size_t *at) {
    nz_pickle pickle;
    NZ_TRY(nz_pickle_read(&pickle, torch->bytes + *at, torch->count - *at, torch->name));
    *at += pickle.used;
    *ret_pickle = pickle;
    return NZ_OK;
}

/* The same number in both spellings: protocol 2 and up, and before. */
static bool is_magic(const nz_pickle_value *v) {
    static const uint8_t bytes[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    static const char digits[] = "119547037146038801333356";
    if (v->kind != NZ_PICKLE_LONG) return false;
    return (v->u.text.count == sizeof bytes && memcmp(v->u.text.data, bytes, sizeof bytes) == 0) ||
           (v->u.text.count == sizeof digits - 1 && memcmp(v->u.text.data, digits, sizeof digits - 1) == 0);
}

/* A magic number, a protocol number and facts of the machine, each a pickle. */
static nz_status read_stream_head(const nz_torch *torch, size_t *at) {
    for (int part = 0; part < 3; part++) {
        NZ_AUTO(nz_pickle_done) nz_pickle pickle = {0};
        int64_t protocol = 0;
        NZ_TRY(next_pickle(&pickle, torch, at));
        const nz_pickle_value *v = nz_pickle_get(&pickle, pickle.root);
        if (part == 0 && !is_magic(v))
            return nz_fail(NZ_E_UNSUPPORTED, "%s: a pickle, but not one that torch.save wrote", torch->name);
        if (part == 1 && (!nz_pickle_int(&pickle, pickle.root, &protocol) || protocol != STREAM_PROTOCOL))
            return nz_fail(NZ_E_UNSUPPORTED, "%s: a stream of another protocol than %d", torch->name, STREAM_PROTOCOL);
    }
    return NZ_OK;
}

nz_status nz_torch_open_stream(nz_torch *torch) {
    size_t at = 0;
    NZ_AUTO(nz_pickle_done) nz_pickle keys = {0};
    torch->form = "stream";
    NZ_TRY(read_stream_head(torch, &at));
    NZ_TRY(next_pickle(&torch->object, torch, &at));
    NZ_TRY(nz_torch_list_storages(torch));
    NZ_TRY(next_pickle(&keys, torch, &at));
    for (size_t i = 0; i < nz_pickle_length(&keys, keys.root); i++) {
        const nz_pickle_value *key = nz_pickle_get(&keys, nz_pickle_item(&keys, keys.root, i));
        nz_torch_storage *storage = NULL;
        if (key->kind == NZ_PICKLE_STRING) storage = nz_torch_find_storage(torch, key->u.text.data, key->u.text.count);
        if (!storage || storage->data)
            return nz_fail(NZ_E_FORMAT, "%s: storage %zu of the file is none that its tensors name, or comes twice",
                           torch->name, i);
        size_t stated = storage->bytes;
        NZ_TRY(nz_torch_take_storage(torch, storage, &at, torch->count));
        torch->loaded_bytes += storage->bytes;
        if (storage->bytes != stated)
            return nz_fail(NZ_E_FORMAT, "%s: storage %zu has %zu bytes, though its tensors say %zu", torch->name, i,
                           storage->bytes, stated);
    }
    return NZ_OK;
}

/* The checksum of a tar header counts its own field as spaces. */
static bool is_tar(const uint8_t *bytes, size_t count) {
    unsigned long sum = 0, stated = 0;
    if (count < 512 || !bytes[0]) return false;
    for (size_t i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? ' ' : bytes[i];
    for (size_t i = 148; i < 156; i++) {
        if (bytes[i] == ' ' || bytes[i] == 0) continue;
        if (bytes[i] < '0' || bytes[i] > '7') return false;
        stated = stated * 8 + (unsigned long)(bytes[i] - '0');
    }
    return sum == stated;
}

nz_torch_form nz_torch_detect(const uint8_t *bytes, size_t count) {
    if (count >= 4 && memcmp(bytes, "PK\3\4", 4) == 0) return NZ_TORCH_ZIP;
    if (is_tar(bytes, count)) return NZ_TORCH_TAR;
    return count && (bytes[0] == 0x80 || bytes[0] == 'L') ? NZ_TORCH_STREAM : NZ_TORCH_NONE;
}

nz_status nz_torch_open(nz_torch *torch, nz_torch_form form, const uint8_t *bytes, size_t count, nz_buffer *file,
                        const char *name) {
    NZ_AUTO(nz_torch_done) nz_torch opened = {.bytes = bytes, .count = count, .file = file, .name = name};
    nz_status (*const open[])(nz_torch *) = {[NZ_TORCH_ZIP] = nz_torch_open_zip,
                                             [NZ_TORCH_STREAM] = nz_torch_open_stream,
                                             [NZ_TORCH_TAR] = nz_torch_open_tar};
    NZ_TRY(open[form](&opened));
    *torch = opened;
    opened = (nz_torch){0};
    return NZ_OK;
}
