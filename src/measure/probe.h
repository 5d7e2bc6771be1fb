/* SPDX-License-Identifier: Apache-2.0 */
/** Reading the small files of /sys and /proc under an argument root. */
#ifndef NZ_MEASURE_PROBE_H
#define NZ_MEASURE_PROBE_H

#include <stdint.h>

#include "netzip/measure.h"

const char *nz_root_sys(const nz_roots *roots);
const char *nz_root_proc(const nz_roots *roots);
const char *nz_root_nvml(const nz_roots *roots);
const char *nz_root_dev(const nz_roots *roots);

/** Writes the start of a file (at most size - 1 bytes) into `text`, trailing white space removed. Returns 0 or the errno
 * value: most of these files may well be absent, which is no failure worth a message. */
int nz_probe_text(char *text, size_t size, const char *root, const char *format, ...) NZ_PRINTF(4, 5);
/** The same for a file that holds one whole number, with a sign or without; EINVAL where it holds something else. */
int nz_probe_i64(int64_t *ret_value, const char *root, const char *format, ...) NZ_PRINTF(3, 4);
/** The same for a number that is not negative; EINVAL where it holds something else. */
int nz_probe_u64(uint64_t *ret_value, const char *root, const char *format, ...) NZ_PRINTF(3, 4);
/** Why one of these failed, for a message. Static, or the C library's. */
const char *nz_probe_why(int code);
/** A whole file of unknown length (0-terminated, at most 4 MiB), owned by the caller; NULL where it cannot be read. */
char *nz_probe_file(const char *root, const char *format, ...) NZ_PRINTF(2, 3);
/** The number after "key" and white space or a colon at the start of a line of `text`; 0 where it is absent, with
 * *ret_found false. */
uint64_t nz_probe_field(const char *text, const char *key, bool *ret_found);

/** A list of CPUs as the kernel writes it ("0-3,18"); false where it is none or names more than `most`. */
bool nz_probe_cpus(unsigned *cpus, size_t *ret_count, size_t most, const char *text);

/** Names in a folder that begin with `prefix`, sorted, at most 256 of them. Owned: nz_probe_names_free. */
typedef struct nz_probe_names {
    size_t count;
    char **items;
} nz_probe_names;
int nz_probe_list(nz_probe_names *ret_names, const char *prefix, const char *root, const char *folder);
void nz_probe_names_free(nz_probe_names *names);

#endif
