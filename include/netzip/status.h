/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Statuses and messages: how every fallible function of netzip answers.
 *
 * A function that can fail returns nz_status and leaves its outputs untouched on failure. The deepest level writes one
 * message that names the file, the place in it and what would mend it; upper levels may put context in front of it.
 */
#ifndef NETZIP_STATUS_H
#define NETZIP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define NZ_API __attribute__((visibility("default")))
#define NZ_CHECKED __attribute__((warn_unused_result))
#define NZ_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

typedef enum nz_status {
    NZ_OK = 0,
    NZ_E_ARG,         /**< an argument or option is wrong (the caller's, or the command line's) */
    NZ_E_IO,          /**< a file is missing or could not be read or written */
    NZ_E_FORMAT,      /**< a file's content is broken */
    NZ_E_SHAPE,       /**< shapes or types do not fit each other */
    NZ_E_UNSUPPORTED, /**< valid, but outside what netzip claims to support */
    NZ_E_MEMORY,      /**< out of memory */
    NZ_E_RESOURCE,    /**< another resource ran out: disk, processes, time */
    NZ_E_UNAVAILABLE, /**< a sensor, runtime or quantity does not exist here: a result, not a failure of the run */
    NZ_E_CANCELLED,   /**< the user asked to stop */
    NZ_E_INTERNAL     /**< a bug of netzip's own */
} nz_status;

/** The last message written on the calling thread, "" where there is none. Borrowed; valid until the next failure. */
NZ_API const char *nz_last_error(void);

/** A short fixed name of a status, such as "format". Static. */
NZ_API const char *nz_status_name(nz_status status);

/** The exit status that the command line gives for a status (cli.md): 0, 2 (usage), 3 (input), 4 (resources). */
NZ_API int nz_status_exit_code(nz_status status);

#ifdef __cplusplus
}
#endif
#endif
