/* SPDX-License-Identifier: Apache-2.0 */
/** How long work tells its caller where it stands. */
#ifndef NETZIP_PROGRESS_H
#define NETZIP_PROGRESS_H

#include "netzip/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nz_progress {
    /** `done` of `total` units of `what` (total 0: unknown). Returns 0 to go on, else the work stops with NZ_E_CANCELLED. */
    int (*step)(void *user, const char *what, unsigned long long done, unsigned long long total);
    /** One line that the user should read. May be NULL. */
    void (*note)(void *user, const char *line);
    void *user;
} nz_progress;

#ifdef __cplusplus
}
#endif
#endif
