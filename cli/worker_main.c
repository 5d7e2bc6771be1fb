/* SPDX-License-Identifier: Apache-2.0 */
/* netzip-worker: the worker alone, for a machine that netzip itself is not installed on. `netzip compare --target` copies it
 * there and talks to it over the standard input and output that ssh carries. */
#include <stdio.h>
#include <string.h>

#include "netzip/compare.h"
#include "netzip/status.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("netzip-worker %s\n", NZ_VERSION);
        return 0;
    }
    int exit_status = nz_worker_main_remote(argc - 1, argv + 1);
    if (exit_status == 2) fprintf(stderr, "netzip-worker: %s\n", nz_last_error());
    return exit_status;
}
