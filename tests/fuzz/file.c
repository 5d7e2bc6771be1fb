/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

const char *nz_fuzz_file(const uint8_t *bytes, size_t count) {
    static int file = -1;
    static char path[64];
    if (file >= 0) close(file);
    file = memfd_create("fuzz", MFD_CLOEXEC);
    nz_fuzz_check(file >= 0 && write(file, bytes, count) == (ssize_t)count);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return path;
}
