/* SPDX-License-Identifier: Apache-2.0 */
/* Gives every file of the folders named to the fuzz target: what once broke a reader is tried in every test run. */
#include <dirent.h>

#include "core/file.h"
#include "core/memory.h"
#include "fuzz.h"

enum { FILE_LIMIT = 64 << 20 };

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static unsigned replay(const char *folder, const char *name, unsigned number) {
    NZ_AUTO_FREE char *path = NULL, *bytes = NULL;
    size_t count = 0;
    nz_status status = nz_path_join(&path, folder, name);
    if (status == NZ_OK) status = nz_file_read(&bytes, &count, path, FILE_LIMIT);
    if (status != NZ_OK) {
        printf("not ok %u - %s\n#   %s\n", number, name, nz_last_error());
        return 1;
    }
    /* A copy of exactly this size, so that reading one byte too far is seen. */
    uint8_t *exact = malloc(count ? count : 1);
    nz_fuzz_check(exact);
    memcpy(exact, bytes, count);
    LLVMFuzzerTestOneInput(exact, count);
    free(exact);
    printf("ok %u - %s\n", number, name);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    unsigned number = 0, failures = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **entries = NULL;
        int count = scandir(argv[i], &entries, visible, by_name);
        if (count < 0) printf("not ok %u - %s cannot be listed\n", ++number, argv[i]);
        failures += count < 0;
        for (int e = 0; e < count; e++) {
            failures += replay(argv[i], entries[e]->d_name, ++number);
            free(entries[e]);
        }
        free(entries);
    }
    printf("1..%u\n", number);
    return failures ? 1 : 0;
}
