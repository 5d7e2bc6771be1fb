/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of a PyTorch checkpoint: which records are tensors, and what they show of their storages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "import/torch.h"

/* Copies may take this much beyond four times what was read: no file makes many large tensors of one storage. */
enum { COPY_SLACK_BYTES = 64 << 20, WRAPPERS_MAX = 16 };

typedef enum form {
    FORM_NONE,
    FORM_VIEW,    /* (storage, offset, extents, strides, ...) */
    FORM_TYPED,   /* the same; the type comes as argument 6 */
    FORM_WRAPPER, /* (tensor, ...) */
    FORM_CALL,    /* (function, type, arguments, state) */
    FORM_REFUSED
} form;

static const struct {
    const char *module, *name;
    form form;
} makers[] = {
    {"torch._utils", "_rebuild_tensor", FORM_VIEW},
    {"torch._utils", "_rebuild_tensor_v2", FORM_VIEW},
    {"torch._utils", "_rebuild_tensor_v3", FORM_TYPED},
    {"torch._utils", "_rebuild_parameter", FORM_WRAPPER},
    {"torch._utils", "_rebuild_parameter_with_state", FORM_WRAPPER},
    {"torch.nn.parameter", "Parameter", FORM_WRAPPER},
    {"torch.nn.parameter", "Buffer", FORM_WRAPPER},
    {"torch.autograd.variable", "Variable", FORM_WRAPPER},
    {"torch._tensor", "_rebuild_from_type", FORM_CALL},
    {"torch._tensor", "_rebuild_from_type_v2", FORM_CALL},
    {"torch.tensor", "_rebuild_from_type", FORM_CALL},
    {"torch._utils", "_rebuild_qtensor", FORM_REFUSED},
    {"torch._utils", "_rebuild_sparse_tensor", FORM_REFUSED},
    {"torch._utils", "_rebuild_sparse_csr_tensor", FORM_REFUSED},
    {"torch._utils", "_rebuild_nested_tensor", FORM_REFUSED},
    {"torch._utils", "_rebuild_meta_tensor_no_storage", FORM_REFUSED},
    {"torch._utils", "_rebuild_wrapper_subclass", FORM_REFUSED},
    {"torch._utils", "_rebuild_device_tensor_from_numpy", FORM_REFUSED},
    {"torch._utils", "_rebuild_xla_tensor", FORM_REFUSED},
    {"torch._utils", "_rebuild_mlc_tensor", FORM_REFUSED},
};

static size_t maker_of(const nz_pickle *p, nz_pickle_ref function) {
    size_t i = 0;
    while (i < NZ_COUNT(makers) && !nz_pickle_class_is(p, function, makers[i].module, makers[i].name)) i++;
    return i;
}

static int compare_entries(const void *a, const void *b) {
    const nz_torch_entry *x = a, *y = b;
    size_t least = x->key_bytes < y->key_bytes ? x->key_bytes : y->key_bytes;
    int order = least ? memcmp(x->key, y->key, least) : 0;
    return order ? order : (x->key_bytes > y->key_bytes) - (x->key_bytes < y->key_bytes);
}

void nz_torch_sort_entries(nz_torch *torch) {
    if (torch->entry_count) qsort(torch->entries, torch->entry_count, sizeof *torch->entries, compare_entries);
}

/* The tensor of the tar form that a persistent id names; its number may be written as text. */
static const nz_torch_entry *entry_of(const nz_torch *torch, nz_pickle_ref ref) {
    if (!torch->entry_count || !nz_pickle_is(&torch->object, ref, NZ_PICKLE_PERSISTENT)) return NULL;
    const nz_pickle_value *id = nz_pickle_get(&torch->object, nz_pickle_get(&torch->object, ref)->u.object.args);
    char digits[24];
    nz_torch_entry wanted = {.key = digits};
    if (id->kind == NZ_PICKLE_INT) {
        wanted.key_bytes = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)id->u.integer);
    } else if (id->kind == NZ_PICKLE_STRING) {
        wanted.key = id->u.text.data;
        wanted.key_bytes = id->u.text.count;
    } else {
        return NULL;
    }
    return bsearch(&wanted, torch->entries, torch->entry_count, sizeof wanted, compare_entries);
}

/* What finally makes the tensor, behind parameters and subclasses around it. */
typedef struct maker {
    form form;
    const char *name;
    nz_pickle_ref args;
    const nz_torch_entry *entry;
} maker;

static maker find_maker(const nz_torch *torch, nz_pickle_ref ref) {
    const nz_pickle *p = &torch->object;
    for (int depth = 0; depth < WRAPPERS_MAX; depth++) {
        const nz_torch_entry *entry = entry_of(torch, ref);
        if (entry) return (maker){.form = FORM_VIEW, .entry = entry};
        const nz_pickle_value *v = nz_pickle_get(p, ref);
        if (v->kind != NZ_PICKLE_OBJECT) break;
        nz_pickle_ref args = v->u.object.args;
        size_t i = maker_of(p, v->u.object.type);
        if (i < NZ_COUNT(makers) && makers[i].form == FORM_CALL) {
            i = maker_of(p, nz_pickle_item(p, args, 0));
            args = nz_pickle_item(p, args, 2);
        }
        if (i == NZ_COUNT(makers) || makers[i].form == FORM_CALL) break;
        if (makers[i].form != FORM_WRAPPER) return (maker){makers[i].form, makers[i].name, args, NULL};
        ref = nz_pickle_item(p, args, 0);
    }
    return (maker){.form = FORM_NONE};
}

bool nz_torch_is_tensor(const nz_torch *torch, nz_pickle_ref ref) { return find_maker(torch, ref).form != FORM_NONE; }

static nz_status read_extents(const nz_pickle *p, nz_torch_view *view, nz_pickle_ref extents, nz_pickle_ref strides,
                              const char *what) {
    /* torch.Size is a tuple in a call */
    if (nz_pickle_is(p, extents, NZ_PICKLE_OBJECT))
        extents = nz_pickle_item(p, nz_pickle_get(p, extents)->u.object.args, 0);
    size_t rank = nz_pickle_length(p, extents);
    if (rank != nz_pickle_length(p, strides))
        return nz_fail(NZ_E_FORMAT, "%s: %zu extents and %zu strides", what, rank, nz_pickle_length(p, strides));
    if (rank > NZ_MAX_RANK)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: %zu dimensions; up to %d are read", what, rank, NZ_MAX_RANK);
    view->shape.rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        if (!nz_pickle_int(p, nz_pickle_item(p, extents, i), &view->shape.dim[i]) ||
            !nz_pickle_int(p, nz_pickle_item(p, strides, i), &view->stride[i]))
            return nz_fail(NZ_E_FORMAT, "%s: an extent or stride is no number", what);
    }
    return NZ_OK;
}

static nz_status read_view(const nz_torch *torch, nz_torch_view *ret_view, const maker *by, const char *what) {
    const nz_pickle *p = &torch->object;
    nz_torch_view view;
    NZ_TRY(nz_torch_storage_id(torch, &view, NULL, nz_pickle_item(p, by->args, 0)));
    if (!view.storage) return nz_fail(NZ_E_FORMAT, "%s: its storage is not in the file", what);
    if (!nz_pickle_int(p, nz_pickle_item(p, by->args, 1), &view.offset))
        return nz_fail(NZ_E_FORMAT, "%s: its offset is no number", what);
    NZ_TRY(read_extents(p, &view, nz_pickle_item(p, by->args, 2), nz_pickle_item(p, by->args, 3), what));
    if (by->form == FORM_TYPED) { /* the storage counts bytes, the tensor elements */
        const nz_storage_type *type = nz_torch_dtype(p, nz_pickle_item(p, by->args, 6));
        if (!type) return nz_fail(NZ_E_UNSUPPORTED, "%s: its element type is not known", what);
        if (view.first || view.storage->unit != 1)
            return nz_fail(NZ_E_FORMAT, "%s: a type of its own over a storage that has one", what);
        view.dtype = type->dtype;
        view.limit /= type->unit;
    }
    *ret_view = view;
    return NZ_OK;
}

/* Every element lies within the storage, and there are not more of them than it has. */
static nz_status check_view(const nz_torch_view *view, const char *what) {
    uint64_t last = 0, room = view->limit - view->first, elements = 1;
    char shape[112];
    bool fits = view->offset >= 0, empty = false;
    for (int i = 0; i < view->shape.rank; i++) {
        if (view->shape.dim[i] < 0 || view->stride[i] < 0)
            return nz_fail(NZ_E_FORMAT, "%s: a negative extent or stride", what);
        empty = empty || view->shape.dim[i] == 0;
    }
    if (empty) return NZ_OK;
    for (int i = 0; i < view->shape.rank && fits; i++) {
        uint64_t step = 0;
        fits = !__builtin_mul_overflow((uint64_t)view->shape.dim[i] - 1, (uint64_t)view->stride[i], &step) &&
               !__builtin_add_overflow(last, step, &last) &&
               !__builtin_mul_overflow(elements, (uint64_t)view->shape.dim[i], &elements);
    }
    fits = fits && !__builtin_add_overflow(last, (uint64_t)view->offset, &last) && last < room;
    if (!fits)
        return nz_fail(NZ_E_FORMAT, "%s: a tensor of %s reaches outside its storage of %llu elements", what,
                       nz_shape_text(&view->shape, shape), (unsigned long long)room);
    if (elements > room)
        return nz_fail(NZ_E_UNSUPPORTED,
                       "%s: a tensor of %s repeats the %llu elements of its storage; save it after .contiguous()", what,
                       nz_shape_text(&view->shape, shape), (unsigned long long)room);
    return NZ_OK;
}

/* Without elements there is nothing that could lie apart, and no bound on the product of the other extents. */
static bool is_contiguous(const nz_torch_view *view) {
    int64_t expected = 1;
    if (nz_shape_elements(&view->shape) == 0) return true;
    for (int i = view->shape.rank; i-- > 0;) {
        if (view->shape.dim[i] != 1 && view->stride[i] != expected) return false;
        expected *= view->shape.dim[i];
    }
    return true;
}

/* Row by row along the last dimension, the others counted like the digits of a number. */
static void copy_elements(uint8_t *out, const uint8_t *from, const nz_torch_view *view, size_t unit) {
    int rank = view->shape.rank, inner = rank - 1;
    int64_t at[NZ_MAX_RANK] = {0};
    for (;;) {
        const uint8_t *row = from;
        for (int i = 0; i < inner; i++) row += (uint64_t)at[i] * (uint64_t)view->stride[i] * unit;
        int64_t length = rank ? view->shape.dim[inner] : 1, stride = rank ? view->stride[inner] : 1;
        if (stride == 1) {
            memcpy(out, row, (size_t)length * unit);
            out += (size_t)length * unit;
        } else {
            for (int64_t i = 0; i < length; i++, out += unit) memcpy(out, row + (uint64_t)(i * stride) * unit, unit);
        }
        int digit = inner - 1;
        while (digit >= 0 && ++at[digit] == view->shape.dim[digit]) at[digit--] = 0;
        if (digit < 0) return;
    }
}

static void swap_bytes(uint8_t *bytes, size_t count, size_t unit) {
    for (size_t at = 0; at + unit <= count; at += unit)
        for (size_t i = 0; i < unit / 2; i++) {
            uint8_t first = bytes[at + i];
            bytes[at + i] = bytes[at + unit - 1 - i];
            bytes[at + unit - 1 - i] = first;
        }
}

static nz_status copy_view(nz_tensor *ret_tensor, nz_torch *torch, const nz_torch_view *view, const uint8_t *from,
                           const char *what) {
    NZ_AUTO(nz_tensor_done) nz_tensor copy = {0};
    size_t unit = (size_t)nz_dtype_get(view->dtype)->bits / 8;
    NZ_TRY(nz_tensor_init(&copy, view->dtype, &view->shape));
    torch->copied_bytes += copy.bytes;
    if (torch->copied_bytes / 4 > torch->loaded_bytes + COPY_SLACK_BYTES / 4)
        return nz_fail(NZ_E_UNSUPPORTED,
                       "%s: the tensors up to this one are views that need far more memory than the "
                       "file has; save them after .contiguous()",
                       what);
    if (copy.bytes) copy_elements(copy.data, from, view, unit);
    if (torch->big_endian) swap_bytes(copy.data, copy.bytes, unit);
    *ret_tensor = copy;
    copy = (nz_tensor){0};
    return NZ_OK;
}

nz_status nz_torch_tensor(nz_tensor *ret_tensor, nz_torch *torch, nz_pickle_ref ref, const char *what) {
    maker by = find_maker(torch, ref);
    nz_torch_view view;
    if (by.form == FORM_REFUSED)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a tensor made by %s (quantised, sparse, ...) is not read; dense ones are",
                       what, by.name);
    if (by.entry)
        view = by.entry->view;
    else
        NZ_TRY(read_view(torch, &view, &by, what));
    if (view.dtype == NZ_DTYPE_NONE)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a complex or quantised element type is not read", what);
    NZ_TRY(check_view(&view, what));
    nz_status status = nz_torch_load_storage(torch, view.storage);
    if (status != NZ_OK) return nz_fail_context(status, "%s", what);
    size_t unit = (size_t)nz_dtype_get(view.dtype)->bits / 8, bytes = 0;
    NZ_TRY(nz_dtype_bytes(&bytes, view.dtype, nz_shape_elements(&view.shape)));
    const uint8_t *from = bytes ? view.storage->data + (view.first + (uint64_t)view.offset) * unit : view.storage->data;
    bool in_place = is_contiguous(&view) && (uintptr_t)from % unit == 0 && !torch->big_endian && bytes;
    if (!in_place) return copy_view(ret_tensor, torch, &view, from, what);
    nz_buffer *owner = view.storage->owner ? view.storage->owner : torch->file;
    *ret_tensor = (nz_tensor){.dtype = view.dtype,
                              .shape = view.shape,
                              .data = (void *)(uintptr_t)from,
                              .bytes = bytes,
                              .owner = nz_buffer_ref(owner)};
    return NZ_OK;
}
