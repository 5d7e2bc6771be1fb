/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Another machine, reached by the system's ssh: workers that run there, files that are copied there once. Nothing is
 * installed but files below ~/.cache/netzip of the account that logs in; no process outlives the link.
 */
#ifndef NZ_COMPARE_TARGET_H
#define NZ_COMPARE_TARGET_H

#include "compare/process.h"
#include "netzip/progress.h"

/** "ssh://[USER@]HOST[:PORT]" in parts. */
typedef struct nz_target {
    bool local;               /**< "local": the other fields are empty */
    char user[64], host[256]; /**< "": none */
    int port;                 /**< 0: ssh's own choice */
} nz_target;
/** @return NZ_E_ARG for anything else: a name that ssh could take for an option, or with characters that no name has. */
NZ_CHECKED nz_status nz_target_parse(nz_target *ret_target, const char *text);

typedef struct nz_link nz_link;

/**
 * Logs in once, finds the worker's bundle for that machine's architecture and copies it there where it is not yet.
 *
 * @param target  "ssh://..."; copied.
 * @return NZ_E_ARG: no such target; NZ_E_RESOURCE: it cannot be reached, the login is refused, its disk is full, no bundle is
 *         built for its architecture (the message names the command that builds it); NZ_E_MEMORY; NZ_E_CANCELLED.
 */
NZ_CHECKED nz_status nz_link_open(nz_link **ret_link, const char *target, const nz_progress *progress);
/** Ends the link: its temporary files there are removed, what was copied stays for the next time. NULL passes. */
void nz_link_close(nz_link *link);
/** "HOST", as the target names it. Borrowed. */
const char *nz_link_host(const nz_link *link);

/** Starts a worker there with `arguments` (NULL-terminated, behind the program's name; NULL: none). `patient` as in
 * nz_process_start; release with nz_process_end. */
NZ_CHECKED nz_status nz_link_start(nz_link *link, nz_process *ret_process, const char *const *arguments, bool patient);

/** The path there of a copy of the local file, made unless one of the same content lies there; NULL before. Owned: free(). */
NZ_CHECKED nz_status nz_link_copy(nz_link *link, char **ret_path, const char *local);
/** The same of an ONNX model with the external data files that it names. */
NZ_CHECKED nz_status nz_link_copy_model(nz_link *link, char **ret_path, const char *local);
/** A path there for a file that a worker writes; it is removed with the link. Owned: free(). */
NZ_CHECKED nz_status nz_link_place(nz_link *link, char **ret_path, const char *name);
/** Brings a file from there to `local`, whole or not at all. */
NZ_CHECKED nz_status nz_link_fetch(nz_link *link, const char *remote, const char *local);

#endif
