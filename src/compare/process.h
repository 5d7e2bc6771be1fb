/* SPDX-License-Identifier: Apache-2.0 */
/** A worker process as its parent sees it: started, asked, ended; its death told in words. */
#ifndef NZ_COMPARE_PROCESS_H
#define NZ_COMPARE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "compare/message.h"
#include "netzip/progress.h"

typedef struct nz_process {
    pid_t pid; /**< 0: not running */
    nz_channel channel;
    const char *host; /**< the machine that its worker is on, ssh being the process here; NULL: this one. Borrowed */
    int log;          /**< what ssh says, a file without a name; 0: none */
} nz_process;

/** What happens while an answer is awaited. */
typedef struct nz_wait {
    double timeout_s; /**< longest silence */
    int tick_ms;      /**< how often `tick` is called; 0: every 200 ms */
    void (*tick)(void *user);
    void *user;
    const nz_progress *progress; /**< gets the worker's progress as `what`; may be NULL */
    const char *what;
} nz_wait;

/**
 * Starts `program worker`.
 *
 * @param patient  Its threads sleep while they wait for each other, instead of spinning: on a machine that others use as
 *                 well this is many times faster, on an idle one a little slower. Not for what is timed.
 * @return NZ_E_RESOURCE, NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_process_start(nz_process *ret_process, const char *program, bool patient);
/** The same with arguments behind `worker`, NULL-terminated: --pin LIST, --nice N (pin.h). */
NZ_CHECKED nz_status nz_process_start_with(nz_process *ret_process, const char *program, const char *const *arguments,
                                           bool patient);
/**
 * Sends a request and waits for its answer. After any failure but the worker's own ("ok": false) the process has ended.
 *
 * @param[out] ret_answer  The whole answer; the caller's reference.
 * @return the worker's status with its message where it answered "ok": false; NZ_E_RESOURCE where it died (the message
 *         names the signal) or was silent for too long; NZ_E_CANCELLED.
 */
NZ_CHECKED nz_status nz_process_ask(nz_process *process, json_t **ret_answer, const json_t *request,
                                    const nz_wait *wait);
/** Ends it: kindly by closing the socket, by force where that does not help. Safe on one that has ended. */
void nz_process_end(nz_process *process);
/** Ends it at once. */
void nz_process_kill(nz_process *process);
/** Its socket was closed from the other side: ends it and tells how it ended. Never NZ_OK. */
NZ_CHECKED nz_status nz_process_fail(nz_process *process);
/** The last line that a program wrote to a log: "" where there is none. */
void nz_process_said(char *ret_line, size_t size, int log);

#endif
