/* SPDX-License-Identifier: Apache-2.0 */
/** PyTorch's three file forms behind one face: an object (a pickle's values) whose tensors are read on demand. */
#ifndef NZ_IMPORT_TORCH_H
#define NZ_IMPORT_TORCH_H

#include "data/zip.h"
#include "import/pickle.h"
#include "netzip/tensor.h"

/** Memory that tensors look at. Keys order the list. */
typedef struct nz_torch_storage {
    const char *key;
    size_t key_bytes, bytes, unit; /**< unit: of an element as the storage's class has it */
    nz_dtype dtype;                /**< by its class */
    const uint8_t *data;           /**< NULL until read */
    nz_buffer *owner;              /**< NULL: the file */
} nz_torch_storage;

/** What a tensor shows of a storage; extents and strides in elements. */
typedef struct nz_torch_view {
    nz_torch_storage *storage;
    nz_dtype dtype;        /**< NZ_DTYPE_NONE: a type that is not read */
    uint64_t first, limit; /**< elements of the storage that the tensor may use: [first, limit) */
    int64_t offset;        /**< of the first element, from `first` on */
    nz_shape shape;
    int64_t stride[NZ_MAX_RANK];
} nz_torch_view;

/** A tensor of the tar form, which the object refers to by a number. */
typedef struct nz_torch_entry {
    const char *key;
    size_t key_bytes;
    nz_torch_view view;
} nz_torch_entry;

typedef struct nz_torch {
    const uint8_t *bytes;
    size_t count;
    nz_buffer *file;         /**< borrowed; NULL: tensors borrow `bytes` */
    const char *name, *form; /**< borrowed; static: "zip archive" */
    nz_pickle object;
    nz_buffer *object_bytes; /**< where the pickle was deflated */
    size_t storage_count, storage_capacity, entry_count, entry_capacity;
    nz_torch_storage *storages; /**< by key */
    nz_torch_entry *entries;    /**< by key; tar alone */
    nz_zip zip;
    char *folder; /**< in front of the names in a zip archive: "archive/" */
    bool big_endian;
    nz_arena texts; /**< keys of the tar form */
    size_t loaded_bytes, copied_bytes;
} nz_torch;

typedef enum nz_torch_form { NZ_TORCH_NONE, NZ_TORCH_ZIP, NZ_TORCH_STREAM, NZ_TORCH_TAR } nz_torch_form;
/** By the first bytes. A stream is told by its pickle's first byte alone. */
nz_torch_form nz_torch_detect(const uint8_t *bytes, size_t count);
/** `bytes` and `name` stay the caller's and must outlive it. NZ_E_FORMAT, NZ_E_UNSUPPORTED, NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_torch_open(nz_torch *torch, nz_torch_form form, const uint8_t *bytes, size_t count,
                                   nz_buffer *file, const char *name);
void nz_torch_done(nz_torch *torch); /**< safe on a zeroed one */

NZ_CHECKED nz_status nz_torch_open_zip(nz_torch *torch);
NZ_CHECKED nz_status nz_torch_open_stream(nz_torch *torch);
NZ_CHECKED nz_status nz_torch_open_tar(nz_torch *torch);

/** Whether the value is a tensor (a parameter, ...), be it one that can be read or not. */
bool nz_torch_is_tensor(const nz_torch *torch, nz_pickle_ref ref);
/**
 * The tensor, contiguous and row-major: in place where it lies so in the file, else a copy.
 *
 * @param what  The tensor's name, for messages.
 * @return NZ_E_FORMAT where it reaches outside its storage; NZ_E_UNSUPPORTED for types and kinds that are not read.
 */
NZ_CHECKED nz_status nz_torch_tensor(nz_tensor *ret_tensor, nz_torch *torch, nz_pickle_ref ref, const char *what);

/* Storages: torch_storage.c. */
typedef struct nz_storage_type {
    const char *storage, *dtype_name; /**< torch.FloatStorage, torch.float32 */
    nz_dtype dtype;                   /**< NZ_DTYPE_NONE: known by size alone */
    size_t unit;
} nz_storage_type;
/** Of a class value such as torch.FloatStorage or torch.float32; NULL where it is unknown. Static. */
const nz_storage_type *nz_torch_storage_type(const nz_pickle *pickle, nz_pickle_ref type);
const nz_storage_type *nz_torch_dtype(const nz_pickle *pickle, nz_pickle_ref type);

/** A persistent id ('storage', class, key, location, elements, view): `ret_view` gets type, range and, where the storage is
 * listed already, the storage. NZ_E_FORMAT where it is none. */
NZ_CHECKED nz_status nz_torch_storage_id(const nz_torch *torch, nz_torch_view *ret_view, nz_torch_storage *ret_storage,
                                         nz_pickle_ref persistent);
/** Lists the storages that the object names. */
NZ_CHECKED nz_status nz_torch_list_storages(nz_torch *torch);
NZ_CHECKED nz_status nz_torch_add_storage(nz_torch *torch, const nz_torch_storage *storage);
void nz_torch_sort_storages(nz_torch *torch);
nz_torch_storage *nz_torch_find_storage(const nz_torch *torch, const char *key, size_t key_bytes);
/** Makes `data` point at the bytes. */
NZ_CHECKED nz_status nz_torch_load_storage(nz_torch *torch, nz_torch_storage *storage);

/** 64 bits, little-endian, at `*at`, which moves on. NZ_E_FORMAT names the file where they are missing. */
NZ_CHECKED nz_status nz_torch_take64(const nz_torch *torch, uint64_t *ret_value, size_t *at, size_t end);
void nz_torch_sort_entries(nz_torch *torch);
/** Raw bytes behind a count of elements, as streams hold a storage. */
NZ_CHECKED nz_status nz_torch_take_storage(const nz_torch *torch, nz_torch_storage *storage, size_t *at, size_t end);

#endif
