/* SPDX-License-Identifier: Apache-2.0 */
/* netzip worker: what compare starts for each model; it serves requests on a socket that it inherits. */
#include "cli.h"
#include "netzip/compare.h"

int nz_cmd_worker(int argc, char **argv) {
    int exit_status = nz_worker_main(argc - 1, argv + 1);
    if (exit_status == NZ_EXIT_USAGE) nz_cli_error("%s", nz_last_error());
    return exit_status;
}
