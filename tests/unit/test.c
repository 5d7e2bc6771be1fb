/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <ftw.h>

static char folder[256];

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

const char *nz_test_dir(void) {
    if (*folder) return folder;
    const char *place = getenv("TMPDIR");
    char pattern[sizeof folder];
    snprintf(pattern, sizeof pattern, "%s/netzip-test-XXXXXX", place && *place ? place : "/tmp");
    if (!mkdtemp(pattern)) fail_msg("%s: no temporary folder", pattern);
    memcpy(folder, pattern, sizeof folder);
    atexit(remove_folder);
    return folder;
}

const char *nz_test_file(const char *name) {
    static char paths[8][4096];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", nz_test_dir(), name);
    return path;
}
