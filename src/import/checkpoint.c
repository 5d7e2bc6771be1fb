/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint of any form as a list of named tensors. */
#include "import/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "import/state.h"

void nz_checkpoint_free(nz_checkpoint *checkpoint) {
    if (!checkpoint) return;
    for (size_t i = 0; i < checkpoint->count; i++) {
        free(checkpoint->entries[i].name);
        nz_tensor_done(&checkpoint->entries[i].tensor);
    }
    free(checkpoint->entries);
    free(checkpoint->describe);
    free(checkpoint->class_names);
    free(checkpoint);
}

static void free_checkpoint(nz_checkpoint **checkpoint) { nz_checkpoint_free(*checkpoint); }
static void unref(nz_buffer **buffer) { nz_buffer_unref(*buffer); }

size_t nz_checkpoint_count(const nz_checkpoint *checkpoint) { return checkpoint->count; }

const nz_tensor *nz_checkpoint_tensor(const nz_checkpoint *checkpoint, size_t i, const char **ret_name) {
    if (i >= checkpoint->count) return NULL;
    if (ret_name) *ret_name = checkpoint->entries[i].name;
    return &checkpoint->entries[i].tensor;
}

const char *nz_checkpoint_describe(const nz_checkpoint *checkpoint) { return checkpoint->describe; }

nz_status nz_checkpoint_add(nz_checkpoint *checkpoint, const char *name, nz_tensor *tensor) {
    NZ_TRY(nz_grow(&checkpoint->entries, &checkpoint->capacity, checkpoint->count + 1, sizeof *checkpoint->entries));
    nz_checkpoint_entry *entry = &checkpoint->entries[checkpoint->count];
    NZ_TRY(nz_strdup(&entry->name, name));
    entry->tensor = *tensor;
    *tensor = (nz_tensor){0};
    checkpoint->count++;
    return NZ_OK;
}

static nz_status read_torch(nz_checkpoint *checkpoint, nz_torch_form form, const uint8_t *bytes, size_t count,
                            nz_buffer *file, const char *name) {
    NZ_AUTO(nz_torch_done) nz_torch torch = {0};
    NZ_AUTO(nz_state_done) nz_state state = {0};
    NZ_TRY(nz_torch_open(&torch, form, bytes, count, file, name));
    NZ_TRY(nz_state_find(&state, &torch));
    for (size_t i = 0; i < state.count; i++) {
        NZ_AUTO(nz_tensor_done) nz_tensor tensor = {0};
        NZ_AUTO_FREE char *what = NULL;
        NZ_TRY(nz_format(&what, "%s: %s", name, state.entries[i].name));
        NZ_TRY(nz_torch_tensor(&tensor, &torch, state.entries[i].tensor, what));
        NZ_TRY(nz_checkpoint_add(checkpoint, state.entries[i].name, &tensor));
    }
    checkpoint->class_count = json_array_size(state.class_names);
    if (state.class_names) checkpoint->class_names = json_dumps(state.class_names, JSON_COMPACT);
    if (state.class_names && !checkpoint->class_names) return nz_fail(NZ_E_MEMORY, "out of memory: names of classes");
    return nz_format(&checkpoint->describe, "PyTorch %s, state dictionary %s", torch.form, state.found);
}

/* What wraps networks puts one prefix in front of all names but its own counter's. */
static bool all_begin_with(const nz_checkpoint *checkpoint, const char *prefix) {
    size_t length = strlen(prefix), with = 0;
    for (size_t i = 0; i < checkpoint->count; i++) {
        const char *name = checkpoint->entries[i].name;
        if (strcmp(name, "n_averaged") == 0) continue;
        if (strncmp(name, prefix, length) != 0 || !name[length]) return false;
        with++;
    }
    return with > 0;
}

static nz_status take_prefixes_off(nz_checkpoint *checkpoint) {
    static const char *const prefixes[] = {"module.", "_orig_mod."};
    NZ_AUTO(nz_text_done) nz_text taken = {0};
    for (size_t p = 0; p < NZ_COUNT(prefixes);) {
        size_t length = strlen(prefixes[p]);
        if (!all_begin_with(checkpoint, prefixes[p])) {
            p++;
            continue;
        }
        for (size_t i = 0; i < checkpoint->count; i++) {
            char *name = checkpoint->entries[i].name;
            if (strncmp(name, prefixes[p], length) == 0) memmove(name, name + length, strlen(name + length) + 1);
        }
        nz_text_append(&taken, prefixes[p]);
        p = 0; /* they come in any order */
    }
    NZ_TRY(taken.status);
    if (!taken.length) return NZ_OK;
    char *longer = NULL;
    NZ_TRY(nz_format(&longer, "%s; prefix '%s' taken off all names", checkpoint->describe, taken.data));
    free(checkpoint->describe);
    checkpoint->describe = longer;
    return NZ_OK;
}

nz_status nz_checkpoint_open_bytes(nz_checkpoint **ret_checkpoint, const uint8_t *bytes, size_t count, nz_buffer *file,
                                   const char *name) {
    NZ_AUTO(free_checkpoint) nz_checkpoint *checkpoint = NULL;
    NZ_TRY(nz_alloc(&checkpoint, 1, sizeof *checkpoint));
    nz_torch_form form = nz_torch_detect(bytes, count);
    if (form != NZ_TORCH_ZIP && form != NZ_TORCH_TAR && nz_safetensors_detect(bytes, count))
        NZ_TRY(nz_safetensors_read(checkpoint, bytes, count, file, name));
    else if (form != NZ_TORCH_NONE)
        NZ_TRY(read_torch(checkpoint, form, bytes, count, file, name));
    else
        return nz_fail(NZ_E_FORMAT, "%s: neither a PyTorch checkpoint (zip, stream or tar) nor safetensors", name);
    NZ_TRY(take_prefixes_off(checkpoint));
    *ret_checkpoint = NZ_STEAL(checkpoint);
    return NZ_OK;
}

nz_status nz_checkpoint_open(nz_checkpoint **ret_checkpoint, const char *path) {
    NZ_AUTO(unref) nz_buffer *file = NULL;
    NZ_TRY(nz_buffer_map(&file, path));
    return nz_checkpoint_open_bytes(ret_checkpoint, nz_buffer_data(file), nz_buffer_bytes(file), file, path);
}
