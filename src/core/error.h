/* SPDX-License-Identifier: Apache-2.0 */
/** Writing failure messages, and handing them upwards. Internal side of netzip/status.h. */
#ifndef NZ_CORE_ERROR_H
#define NZ_CORE_ERROR_H

#include "netzip/status.h"

/**
 * Writes the calling thread's message and returns `status`, so that a check reads `return nz_fail(NZ_E_FORMAT, ...)`.
 * The message is one line: control characters and line breaks that came in through arguments are written as \xNN.
 */
nz_status nz_fail(nz_status status, const char *format, ...) NZ_PRINTF(2, 3);

/** Puts "context: " in front of the calling thread's message, keeping it; returns `status`. NZ_OK passes unchanged. */
nz_status nz_fail_context(nz_status status, const char *format, ...) NZ_PRINTF(2, 3);

/** The failure of a call on a file, "path: what: reason", from errno: NZ_E_MEMORY and NZ_E_RESOURCE where memory, the disk
 * or the process's descriptors ran out, NZ_E_IO for what is about this file. */
nz_status nz_fail_errno(const char *path, const char *what);

/** Returns from the enclosing function where `expr` is not NZ_OK. */
#define NZ_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        nz_status nz_try_status_ = (expr);                                                                             \
        if (nz_try_status_ != NZ_OK) return nz_try_status_;                                                            \
    } while (0)

#endif
