/* SPDX-License-Identifier: Apache-2.0 */
/* Storages: the memory behind tensors, named by keys in a checkpoint's object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "import/torch.h"

static const nz_storage_type types[] = {
    {"FloatStorage", "float32", NZ_F32, 4},
    {"DoubleStorage", "float64", NZ_F64, 8},
    {"HalfStorage", "float16", NZ_F16, 2},
    {"BFloat16Storage", "bfloat16", NZ_BF16, 2},
    {"LongStorage", "int64", NZ_I64, 8},
    {"IntStorage", "int32", NZ_I32, 4},
    {"ShortStorage", "int16", NZ_I16, 2},
    {"CharStorage", "int8", NZ_I8, 1},
    {"ByteStorage", "uint8", NZ_U8, 1},
    {"BoolStorage", "bool", NZ_BOOL, 1},
    {"UntypedStorage", "uint8", NZ_U8, 1}, /* a tensor over it brings its own type */
    {"UInt16Storage", "uint16", NZ_U16, 2},
    {"UInt32Storage", "uint32", NZ_U32, 4},
    {"UInt64Storage", "uint64", NZ_U64, 8},
    {"Float8_e4m3fnStorage", "float8_e4m3fn", NZ_F8E4M3FN, 1},
    {"Float8_e4m3fnuzStorage", "float8_e4m3fnuz", NZ_F8E4M3FNUZ, 1},
    {"Float8_e5m2Storage", "float8_e5m2", NZ_F8E5M2, 1},
    {"Float8_e5m2fnuzStorage", "float8_e5m2fnuz", NZ_F8E5M2FNUZ, 1},
    {"ComplexFloatStorage", "complex64", NZ_DTYPE_NONE, 8},
    {"ComplexDoubleStorage", "complex128", NZ_DTYPE_NONE, 16},
    {"QInt8Storage", "qint8", NZ_DTYPE_NONE, 1},
    {"QUInt8Storage", "quint8", NZ_DTYPE_NONE, 1},
    {"QInt32Storage", "qint32", NZ_DTYPE_NONE, 4},
    {"QUInt4x2Storage", "quint4x2", NZ_DTYPE_NONE, 1},
    {"QUInt2x4Storage", "quint2x4", NZ_DTYPE_NONE, 1},
};

const nz_storage_type *nz_torch_storage_type(const nz_pickle *pickle, nz_pickle_ref type) {
    for (size_t i = 0; i < NZ_COUNT(types); i++)
        if (nz_pickle_class_is(pickle, type, NULL, types[i].storage)) return &types[i];
    return NULL;
}

const nz_storage_type *nz_torch_dtype(const nz_pickle *pickle, nz_pickle_ref type) {
    for (size_t i = 0; i < NZ_COUNT(types); i++)
        if (nz_pickle_class_is(pickle, type, "torch", types[i].dtype_name)) return &types[i];
    return NULL;
}

static int compare_keys(const void *a, const void *b) {
    const nz_torch_storage *x = a, *y = b;
    size_t least = x->key_bytes < y->key_bytes ? x->key_bytes : y->key_bytes;
    int order = least ? memcmp(x->key, y->key, least) : 0;
    return order ? order : (x->key_bytes > y->key_bytes) - (x->key_bytes < y->key_bytes);
}

nz_torch_storage *nz_torch_find_storage(const nz_torch *torch, const char *key, size_t key_bytes) {
    nz_torch_storage wanted = {.key = key, .key_bytes = key_bytes};
    if (!torch->storage_count) return NULL;
    return bsearch(&wanted, torch->storages, torch->storage_count, sizeof wanted, compare_keys);
}

void nz_torch_sort_storages(nz_torch *torch) {
    if (torch->storage_count) qsort(torch->storages, torch->storage_count, sizeof *torch->storages, compare_keys);
}

nz_status nz_torch_add_storage(nz_torch *torch, const nz_torch_storage *storage) {
    NZ_TRY(nz_grow(&torch->storages, &torch->storage_capacity, torch->storage_count + 1, sizeof *torch->storages));
    torch->storages[torch->storage_count++] = *storage;
    return NZ_OK;
}

static nz_status no_id(const nz_torch *torch, const char *what) {
    return nz_fail(NZ_E_FORMAT, "%s: a broken reference to a storage: %s", torch->name, what);
}

/* The part of a storage that is a storage of its own: (key, first element, elements); None as a rule. */
static nz_status read_window(const nz_torch *torch, nz_torch_view *view, nz_pickle_ref window) {
    int64_t first = 0, elements = 0;
    if (!nz_pickle_is(&torch->object, window, NZ_PICKLE_TUPLE)) return NZ_OK;
    if (!nz_pickle_int(&torch->object, nz_pickle_item(&torch->object, window, 1), &first) ||
        !nz_pickle_int(&torch->object, nz_pickle_item(&torch->object, window, 2), &elements) || first < 0 ||
        elements < 0 || (uint64_t)first > view->limit || (uint64_t)elements > view->limit - (uint64_t)first)
        return no_id(torch, "a part that lies outside of it");
    view->first = (uint64_t)first;
    view->limit = (uint64_t)first + (uint64_t)elements;
    return NZ_OK;
}

nz_status nz_torch_storage_id(const nz_torch *torch, nz_torch_view *ret_view, nz_torch_storage *ret_storage,
                              nz_pickle_ref persistent) {
    const nz_pickle *p = &torch->object;
    nz_pickle_ref id = nz_pickle_is(p, persistent, NZ_PICKLE_PERSISTENT) ? nz_pickle_get(p, persistent)->u.object.args
                                                                         : NZ_PICKLE_NOTHING;
    if (!nz_pickle_text_is(p, nz_pickle_item(p, id, 0), "storage")) return no_id(torch, "it does not say 'storage'");
    const nz_pickle_value *key = nz_pickle_get(p, nz_pickle_item(p, id, 2));
    const nz_storage_type *type = nz_torch_storage_type(p, nz_pickle_item(p, id, 1));
    int64_t elements = 0;
    size_t bytes = 0;
    if (key->kind != NZ_PICKLE_STRING) return no_id(torch, "its key is no string");
    if (!type) return nz_fail(NZ_E_UNSUPPORTED, "%s: storage of an unknown type", torch->name);
    if (!nz_pickle_int(p, nz_pickle_item(p, id, 4), &elements) || elements < 0 ||
        !nz_mul_size(&bytes, (size_t)elements, type->unit) || bytes > SIZE_MAX / 2)
        return no_id(torch, "its size is no number of elements");
    nz_torch_view view = {.dtype = type->dtype, .limit = (uint64_t)elements};
    NZ_TRY(read_window(torch, &view, nz_pickle_item(p, id, 5)));
    view.storage = nz_torch_find_storage(torch, key->u.text.data, key->u.text.count);
    if (ret_storage)
        *ret_storage = (nz_torch_storage){
            .key = key->u.text.data, .key_bytes = key->u.text.count, .bytes = bytes, .unit = type->unit};
    if (ret_view) *ret_view = view;
    return NZ_OK;
}

/* Each storage once, however often the object names it. */
static nz_status drop_repeated(nz_torch *torch) {
    size_t kept = 0;
    for (size_t i = 0; i < torch->storage_count; i++) {
        nz_torch_storage *last = kept ? &torch->storages[kept - 1] : NULL, *s = &torch->storages[i];
        if (!last || compare_keys(last, s) != 0)
            torch->storages[kept++] = *s;
        else if (last->bytes != s->bytes || last->unit != s->unit)
            return no_id(torch, "one storage with two sizes");
    }
    torch->storage_count = kept;
    return NZ_OK;
}

nz_status nz_torch_list_storages(nz_torch *torch) {
    const nz_pickle *p = &torch->object;
    for (nz_pickle_ref ref = 0; ref < p->count; ref++) {
        nz_torch_storage storage;
        if (!nz_pickle_is(p, ref, NZ_PICKLE_PERSISTENT)) continue;
        nz_pickle_ref id = nz_pickle_get(p, ref)->u.object.args;
        if (!nz_pickle_text_is(p, nz_pickle_item(p, id, 0), "storage")) continue; /* the source text of a class */
        NZ_TRY(nz_torch_storage_id(torch, NULL, &storage, ref));
        NZ_TRY(nz_torch_add_storage(torch, &storage));
    }
    nz_torch_sort_storages(torch);
    return drop_repeated(torch);
}

nz_status nz_torch_take64(const nz_torch *torch, uint64_t *ret_value, size_t *at, size_t end) {
    if (end - *at < 8)
        return nz_fail(NZ_E_FORMAT, "%s: the file ends at byte %zu, before its tensors do", torch->name, end);
    uint64_t value = 0;
    for (int i = 8; i-- > 0;) value = value << 8 | torch->bytes[*at + (size_t)i];
    *at += 8;
    *ret_value = value;
    return NZ_OK;
}

nz_status nz_torch_take_storage(const nz_torch *torch, nz_torch_storage *storage, size_t *at, size_t end) {
    uint64_t elements = 0;
    NZ_TRY(nz_torch_take64(torch, &elements, at, end));
    if (elements > (end - *at) / storage->unit)
        return nz_fail(NZ_E_FORMAT, "%s: a storage of %llu elements of %zu bytes, but %zu bytes are left in the file",
                       torch->name, (unsigned long long)elements, storage->unit, end - *at);
    storage->data = torch->bytes + *at;
    storage->bytes = (size_t)elements * storage->unit;
    *at += storage->bytes;
    return NZ_OK;
}

nz_status nz_torch_load_storage(nz_torch *torch, nz_torch_storage *storage) {
    if (storage->data) return NZ_OK;
    NZ_AUTO_FREE char *member = NULL, *what = NULL;
    int length = storage->key_bytes > 256 ? 256 : (int)storage->key_bytes;
    NZ_TRY(nz_format(&member, "%sdata/%.*s", torch->folder ? torch->folder : "", length, storage->key));
    NZ_TRY(nz_format(&what, "%s: %s", torch->name, member));
    const nz_zip_entry *entry = torch->folder ? nz_zip_find(&torch->zip, member) : NULL;
    if (!entry) return nz_fail(NZ_E_FORMAT, "%s: the file lacks it, though a tensor needs it", what);
    if (entry->size != storage->bytes)
        return nz_fail(NZ_E_FORMAT, "%s: %zu bytes, though its tensors say %zu", what, entry->size, storage->bytes);
    nz_buffer *owner = NULL;
    const uint8_t *bytes = NULL;
    NZ_TRY(nz_zip_read(&bytes, &owner, &torch->zip, entry, what));
    storage->data = bytes;
    storage->owner = owner;
    torch->loaded_bytes += storage->bytes;
    return NZ_OK;
}
