/* SPDX-License-Identifier: Apache-2.0 */
/** Files: results appear whole or not at all; paths are joined in one place. */
#ifndef NZ_CORE_FILE_H
#define NZ_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

/** Writes `count` bytes to a temporary file beside `path`, syncs, and renames it over `path`. NZ_E_IO / NZ_E_RESOURCE
 * (disk full); nothing is left behind on failure. */
NZ_CHECKED nz_status nz_file_write(const char *path, const void *bytes, size_t count);

/** A file being written piece by piece that appears under its name only at commit. */
typedef struct nz_file_writer nz_file_writer;
NZ_CHECKED nz_status nz_file_writer_open(nz_file_writer **ret_writer, const char *path);
NZ_CHECKED nz_status nz_file_writer_append(nz_file_writer *writer, const void *bytes, size_t count);
NZ_CHECKED nz_status nz_file_writer_commit(nz_file_writer *writer); /**< sync, rename; the writer is freed either way */
void nz_file_writer_abort(nz_file_writer *writer);                  /**< removes the temporary file; NULL passes */

/** Reads a whole file, refusing more than `limit` bytes (NZ_E_FORMAT); 0-terminated beyond its end. Owned: free(). */
NZ_CHECKED nz_status nz_file_read(char **ret_bytes, size_t *ret_count, const char *path, size_t limit);

NZ_CHECKED nz_status nz_dir_make(const char *path); /**< with parents; an existing directory is fine */
bool nz_file_exists(const char *path);
bool nz_dir_exists(const char *path);
/** folder/name; name alone where it is absolute. Owned: free(), as the two below. */
NZ_CHECKED nz_status nz_path_join(char **ret_path, const char *folder, const char *name);
const char *nz_path_base(const char *path);                               /**< after the last '/'; borrowed */
NZ_CHECKED nz_status nz_path_stem(char **ret_stem, const char *path);     /**< base without its last extension */
NZ_CHECKED nz_status nz_path_folder(char **ret_folder, const char *path); /**< "." where there is none */

/** From the root on, without "." and ".."; links are not looked at. Owned: free(). */
NZ_CHECKED nz_status nz_path_absolute(char **ret_path, const char *path);

/** SHA-256 of a file or of bytes as 64 lower-case hex digits and a 0. */
NZ_CHECKED nz_status nz_sha256_file(char ret_hex[65], const char *path);
void nz_sha256(char ret_hex[65], const void *bytes, size_t count);

#endif
