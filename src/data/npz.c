/* SPDX-License-Identifier: Apache-2.0 */
/* Reading NumPy archives: arrays by name out of a zip file. */
#include "data/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "data/zip.h"

struct nz_npz {
    nz_buffer *file; /* NULL over borrowed bytes */
    nz_zip zip;
    char **names; /* of the arrays: the members' without ".npy" */
};

void nz_npz_free(nz_npz *npz) {
    if (!npz) return;
    for (size_t i = 0; npz->names && i < npz->zip.entry_count; i++) free(npz->names[i]);
    free(npz->names);
    nz_zip_done(&npz->zip);
    nz_buffer_unref(npz->file);
    free(npz);
}

static void free_npz(nz_npz **npz) { nz_npz_free(*npz); }

size_t nz_npz_count(const nz_npz *npz) { return npz->zip.entry_count; }
const char *nz_npz_name(const nz_npz *npz, size_t i) { return i < npz->zip.entry_count ? npz->names[i] : NULL; }

static nz_status name_arrays(nz_npz *npz) {
    NZ_TRY(nz_alloc(&npz->names, npz->zip.entry_count, sizeof *npz->names));
    for (size_t i = 0; i < npz->zip.entry_count; i++) {
        const char *member = npz->zip.entries[i].name;
        size_t length = strlen(member);
        NZ_TRY(nz_strdup(&npz->names[i], member));
        if (length > 4 && strcmp(member + length - 4, ".npy") == 0) npz->names[i][length - 4] = '\0';
    }
    return NZ_OK;
}

nz_status nz_npz_open_bytes(nz_npz **ret_npz, const void *bytes, size_t count, const char *name) {
    NZ_AUTO(free_npz) nz_npz *npz = NULL;
    NZ_TRY(nz_alloc(&npz, 1, sizeof *npz));
    NZ_TRY(nz_zip_open(&npz->zip, bytes, count, name, ".npz file"));
    NZ_TRY(name_arrays(npz));
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
    const nz_zip_entry *e = NULL;
    for (size_t i = 0; i < npz->zip.entry_count && !e; i++)
        if (strcmp(npz->names[i], name) == 0) e = &npz->zip.entries[i];
    if (!e) return nz_fail(NZ_E_FORMAT, "%s: no array '%s' in it", npz->zip.name, name);
    char what[512];
    snprintf(what, sizeof what, "%s: array '%s'", npz->zip.name, name);
    const uint8_t *bytes = NULL;
    nz_buffer *owner = NULL;
    nz_npy npy;
    NZ_TRY(nz_zip_read(&bytes, &owner, &npz->zip, e, what));
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
