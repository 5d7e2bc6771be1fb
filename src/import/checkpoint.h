/* SPDX-License-Identifier: Apache-2.0 */
/** What the readers fill: tensors by name. */
#ifndef NZ_IMPORT_CHECKPOINT_H
#define NZ_IMPORT_CHECKPOINT_H

#include "core/memory.h"
#include "netzip/import.h"

typedef struct nz_checkpoint_entry {
    char *name;
    nz_tensor tensor;
} nz_checkpoint_entry;

struct nz_checkpoint {
    size_t count, capacity;
    nz_checkpoint_entry *entries;
    char *describe;
    size_t class_count;
    char *class_names; /**< a JSON list of class_count texts; NULL: it has none */
};

/** Appends a tensor, which is taken over (and left zeroed) where this succeeds. */
NZ_CHECKED nz_status nz_checkpoint_add(nz_checkpoint *checkpoint, const char *name, nz_tensor *tensor);
/** nz_checkpoint_open over bytes in memory. `file`: the buffer that holds them, which tensors then share; NULL: they borrow
 * the bytes, which must outlive the checkpoint. `name` begins the messages. */
NZ_CHECKED nz_status nz_checkpoint_open_bytes(nz_checkpoint **ret_checkpoint, const uint8_t *bytes, size_t count,
                                              nz_buffer *file, const char *name);

/** Whether the bytes begin as safetensors do: the length of a header and its brace. */
bool nz_safetensors_detect(const uint8_t *bytes, size_t count);
/** @source https://github.com/huggingface/safetensors, the format's description */
NZ_CHECKED nz_status nz_safetensors_read(nz_checkpoint *checkpoint, const uint8_t *bytes, size_t count, nz_buffer *file,
                                         const char *name);

#endif
