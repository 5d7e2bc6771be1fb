/* SPDX-License-Identifier: Apache-2.0 */
/**
 * JSON lines over a socket, between a comparison and its workers; over a pair of pipes where ssh carries them.
 *
 * A request is {"do": VERB, ...}. Its answer is {"ok": true, ...} or {"ok": false, "status": NAME, "error": TEXT}; before
 * it any number of {"progress": [done, total]} may come. One request at a time; a worker that has none blocks in read.
 */
#ifndef NZ_COMPARE_MESSAGE_H
#define NZ_COMPARE_MESSAGE_H

#include "core/json.h"

enum { NZ_WORKER_FD = 3 }; /**< the worker's end */

typedef struct nz_channel {
    int fd;
    int out; /**< where messages are written; 0: to fd, a socket */
    char *buffer;
    size_t length, capacity;
} nz_channel;

typedef enum nz_channel_event { NZ_CHANNEL_MESSAGE, NZ_CHANNEL_QUIET, NZ_CHANNEL_CLOSED } nz_channel_event;

/** NZ_E_IO where the other side is gone. */
NZ_CHECKED nz_status nz_channel_send(nz_channel *channel, const json_t *message);
/**
 * Waits at most `timeout_ms` (-1: for ever) for one message.
 * @param[out] ret_message  The caller's reference where the event is NZ_CHANNEL_MESSAGE; untouched otherwise.
 * @return NZ_E_FORMAT for a line that is no JSON object or longer than 256 MiB; NZ_E_IO.
 */
NZ_CHECKED nz_status nz_channel_receive(nz_channel *channel, nz_channel_event *ret_event, json_t **ret_message,
                                        int timeout_ms);
void nz_channel_done(nz_channel *channel); /**< closes the descriptors, frees the buffer */

#endif
