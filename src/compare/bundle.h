/* SPDX-License-Identifier: Apache-2.0 */
/** The worker for another machine: a program and the shared libraries that it needs, built by `./run build worker`. */
#ifndef NZ_COMPARE_BUNDLE_H
#define NZ_COMPARE_BUNDLE_H

#include "compare/link.h"

/** The folder here of the bundle for an architecture, as `uname -m` names it. Owned: free().
 * @return NZ_E_RESOURCE: none is built; the message names the command. */
NZ_CHECKED nz_status nz_bundle_find(char **ret_folder, const char *architecture);
/** Puts the bundle for the link's machine there, unless it lies there: sets link->bundle and link->loader. */
NZ_CHECKED nz_status nz_bundle_send(nz_link *link);

#endif
