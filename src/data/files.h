/* SPDX-License-Identifier: Apache-2.0 */
/** Samples that are image files: what kinds whose images lie in files of their own share. */
#ifndef NZ_DATA_FILES_H
#define NZ_DATA_FILES_H

#include "data/source.h"

/** A growing list of image files with a label each; the `state` of such a source, or the first member of it. */
typedef struct nz_files {
    size_t count, capacity;
    struct nz_files_entry {
        char *path;
        int32_t label; /**< -1: none */
    } * entries;
    char *root; /**< the folder that the set lies in: left out of the fingerprint; on the heap */
} nz_files;

/** Adds a copy of `path`. */
NZ_CHECKED nz_status nz_files_add(nz_files *files, const char *path, int32_t label);
/** Adds the .jpg, .jpeg and .png files in and below a folder, in the order of their names' bytes; hidden ones are passed over. */
NZ_CHECKED nz_status nz_files_add_folder(nz_files *files, const char *folder, int32_t label);
void nz_files_done(nz_files *files);

/** Names in a folder in the order of their bytes, without hidden ones. Release with nz_labels_free. */
NZ_CHECKED nz_status nz_folder_names(char ***ret_names, size_t *ret_count, const char *folder);
bool nz_is_image_name(const char *name);

/* The entries of a source's table, where its state begins with nz_files. */
NZ_CHECKED nz_status nz_files_image(const nz_source *source, size_t i, nz_image *ret_image);
NZ_CHECKED nz_status nz_files_size(const nz_source *source, size_t i, int *ret_width, int *ret_height);
int32_t nz_files_label(const nz_source *source, size_t i);
const char *nz_files_path(const nz_source *source, size_t i);
void nz_files_identify(const nz_source *source, size_t i, nz_text *text);
void nz_files_close(nz_source *source); /**< for a state that is nz_files alone */

#endif
