/* SPDX-License-Identifier: Apache-2.0 */
/* The tar form of PyTorch 0.1: storages, tensors and the object are members of their own.
 * @source PyTorch, torch/serialization.py (legacy_load): the order of what a member holds */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "import/torch.h"

enum { BLOCK = 512 };

/* Where a member's bytes lie: torch->bytes[at, end). */
typedef struct member {
    const char *name;
    size_t at, end;
    bool found;
} member;

static nz_status broken(const nz_torch *torch, const char *what) {
    return nz_fail(NZ_E_FORMAT, "%s: broken tar archive of PyTorch 0.1: %s", torch->name, what);
}

static bool read_octal(const uint8_t *text, size_t count, uint64_t *ret_value) {
    uint64_t value = 0;
    size_t i = 0;
    while (i < count && text[i] == ' ') i++;
    for (; i < count && text[i] && text[i] != ' '; i++) {
        if (text[i] < '0' || text[i] > '7') return false;
        value = value * 8 + (uint64_t)(text[i] - '0');
    }
    *ret_value = value;
    return true;
}

static nz_status find_members(const nz_torch *torch, member *members, size_t count) {
    for (size_t at = 0; torch->count - at >= BLOCK && torch->bytes[at];) {
        const uint8_t *head = torch->bytes + at;
        const char *name = (const char *)head;
        uint64_t size = 0;
        size_t left = torch->count - at - BLOCK;
        if (!read_octal(head + 124, 12, &size) || size > left) return broken(torch, "a member's size");
        if (strncmp(name, "./", 2) == 0) name += 2;
        for (size_t i = 0; i < count; i++) /* type 0: a file; others carry times and the like */
            if ((head[156] == '0' || head[156] == 0) && strncmp(name, members[i].name, 90) == 0)
                members[i] = (member){members[i].name, at + BLOCK, at + BLOCK + (size_t)size, true};
        size_t whole = ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
        at += BLOCK + (whole > left ? left : whole);
    }
    for (size_t i = 0; i < count; i++)
        if (!members[i].found)
            return nz_fail(NZ_E_UNSUPPORTED, "%s: a tar archive without '%s', so no PyTorch checkpoint", torch->name,
                           members[i].name);
    return NZ_OK;
}

static nz_status next_pickle(nz_pickle *ret_pickle, const nz_torch *torch, member *m) {
    nz_pickle pickle;
    NZ_TRY(nz_pickle_read(&pickle, torch->bytes + m->at, m->end - m->at, torch->name));
    m->at += pickle.used;
    *ret_pickle = pickle;
    return NZ_OK;
}

static nz_status next_count(int64_t *ret_count, const nz_torch *torch, member *m) {
    NZ_AUTO(nz_pickle_done) nz_pickle pickle = {0};
    int64_t count = 0;
    NZ_TRY(next_pickle(&pickle, torch, m));
    if (!nz_pickle_int(&pickle, pickle.root, &count) || count < 0 || (uint64_t)count > m->end - m->at)
        return broken(torch, "a count");
    *ret_count = count;
    return NZ_OK;
}

/* Keys are numbers, written as such or as text. */
static nz_status take_key(nz_torch *torch, const char **ret_key, size_t *ret_bytes, const nz_pickle *pickle,
                          nz_pickle_ref ref) {
    const nz_pickle_value *v = nz_pickle_get(pickle, ref);
    char digits[24];
    const char *text = digits;
    size_t count = 0;
    if (v->kind == NZ_PICKLE_INT) {
        count = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)v->u.integer);
    } else if (v->kind == NZ_PICKLE_STRING && v->u.text.count <= 64) {
        text = v->u.text.data;
        count = v->u.text.count;
    } else {
        return broken(torch, "a key that is no number");
    }
    char *copy = NULL;
    NZ_TRY(nz_arena_alloc(&torch->texts, &copy, count + 1, 1));
    memcpy(copy, text, count);
    *ret_key = copy;
    *ret_bytes = count;
    return NZ_OK;
}

static nz_status read_storage(nz_torch *torch, member *m) {
    NZ_AUTO(nz_pickle_done) nz_pickle head = {0}; /* (key, location, class) */
    nz_torch_storage storage = {0};
    NZ_TRY(next_pickle(&head, torch, m));
    const nz_storage_type *type = nz_torch_storage_type(&head, nz_pickle_item(&head, head.root, 2));
    if (!type) return broken(torch, "a storage of an unknown type");
    NZ_TRY(take_key(torch, &storage.key, &storage.key_bytes, &head, nz_pickle_item(&head, head.root, 0)));
    storage.unit = type->unit;
    storage.dtype = type->dtype;
    NZ_TRY(nz_torch_take_storage(torch, &storage, &m->at, m->end));
    torch->loaded_bytes += storage.bytes;
    return nz_torch_add_storage(torch, &storage);
}

/* A storage that is a part of another: (key, key of the whole, first element, elements). */
static nz_status read_part(nz_torch *torch, nz_torch_storage *ret_storage, const nz_pickle *list, nz_pickle_ref part) {
    const char *key = NULL;
    size_t key_bytes = 0;
    int64_t first = 0, elements = 0;
    NZ_TRY(take_key(torch, &key, &key_bytes, list, nz_pickle_item(list, part, 1)));
    const nz_torch_storage *whole = nz_torch_find_storage(torch, key, key_bytes);
    if (!whole || !nz_pickle_int(list, nz_pickle_item(list, part, 2), &first) ||
        !nz_pickle_int(list, nz_pickle_item(list, part, 3), &elements) || first < 0 || elements < 0 ||
        (uint64_t)first > whole->bytes / whole->unit ||
        (uint64_t)elements > whole->bytes / whole->unit - (uint64_t)first)
        return broken(torch, "a storage that lies outside the one it is part of");
    nz_torch_storage storage = *whole;
    storage.data += (size_t)first * whole->unit;
    storage.bytes = (size_t)elements * whole->unit;
    NZ_TRY(take_key(torch, &storage.key, &storage.key_bytes, list, nz_pickle_item(list, part, 0)));
    *ret_storage = storage;
    return NZ_OK;
}

/* They are added together, because the list of the wholes must stay sorted while it is searched. */
static nz_status read_parts(nz_torch *torch, member *m) {
    NZ_AUTO(nz_pickle_done) nz_pickle list = {0};
    NZ_AUTO_FREE nz_torch_storage *parts = NULL;
    NZ_TRY(next_pickle(&list, torch, m));
    size_t count = nz_pickle_length(&list, list.root);
    NZ_TRY(nz_alloc(&parts, count, sizeof *parts));
    for (size_t i = 0; i < count; i++) NZ_TRY(read_part(torch, &parts[i], &list, nz_pickle_item(&list, list.root, i)));
    for (size_t i = 0; i < count; i++) NZ_TRY(nz_torch_add_storage(torch, &parts[i]));
    return NZ_OK;
}

static nz_status read_storages(nz_torch *torch, member *m) {
    int64_t count = 0;
    NZ_TRY(next_count(&count, torch, m));
    for (int64_t i = 0; i < count; i++) NZ_TRY(read_storage(torch, m));
    nz_torch_sort_storages(torch);
    NZ_TRY(read_parts(torch, m));
    nz_torch_sort_storages(torch);
    return NZ_OK;
}

/* (key, key of the storage, class), then the number of dimensions in 8 bytes, extents, strides and the offset. */
static nz_status read_tensor(nz_torch *torch, member *m) {
    NZ_AUTO(nz_pickle_done) nz_pickle head = {0};
    nz_torch_entry entry = {0};
    const char *key = NULL;
    size_t key_bytes = 0;
    uint64_t rank = 0, number = 0;
    NZ_TRY(next_pickle(&head, torch, m));
    NZ_TRY(take_key(torch, &entry.key, &entry.key_bytes, &head, nz_pickle_item(&head, head.root, 0)));
    NZ_TRY(take_key(torch, &key, &key_bytes, &head, nz_pickle_item(&head, head.root, 1)));
    nz_torch_view *view = &entry.view;
    view->storage = nz_torch_find_storage(torch, key, key_bytes);
    if (!view->storage) return broken(torch, "a tensor without its storage");
    view->dtype = view->storage->dtype;
    view->limit = view->storage->bytes / view->storage->unit;
    NZ_TRY(nz_torch_take64(torch, &rank, &m->at, m->end));
    rank &= 0xffffffff; /* the upper half is padding */
    if (rank > NZ_MAX_RANK) return broken(torch, "a tensor of too many dimensions");
    view->shape.rank = (int)rank;
    for (size_t i = 0; i < 2 * rank; i++) {
        NZ_TRY(nz_torch_take64(torch, &number, &m->at, m->end));
        *(i < rank ? &view->shape.dim[i] : &view->stride[i - rank]) = (int64_t)number;
    }
    NZ_TRY(nz_torch_take64(torch, &number, &m->at, m->end));
    view->offset = (int64_t)number;
    NZ_TRY(nz_grow(&torch->entries, &torch->entry_capacity, torch->entry_count + 1, sizeof *torch->entries));
    torch->entries[torch->entry_count++] = entry;
    return NZ_OK;
}

nz_status nz_torch_open_tar(nz_torch *torch) {
    member members[] = {{.name = "storages"}, {.name = "tensors"}, {.name = "pickle"}};
    int64_t count = 0;
    torch->form = "tar archive";
    NZ_TRY(find_members(torch, members, NZ_COUNT(members)));
    NZ_TRY(read_storages(torch, &members[0]));
    NZ_TRY(next_count(&count, torch, &members[1]));
    for (int64_t i = 0; i < count; i++) NZ_TRY(read_tensor(torch, &members[1]));
    nz_torch_sort_entries(torch);
    return next_pickle(&torch->object, torch, &members[2]);
}
