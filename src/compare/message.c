/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"

enum { CHUNK = 65536, LONGEST_LINE = 256 << 20 };

nz_status nz_channel_send(nz_channel *channel, const json_t *message) {
    NZ_AUTO_FREE char *text = NULL;
    NZ_TRY(nz_json_text(&text, message, 1));
    for (size_t at = 0, length = strlen(text); at < length;) {
        ssize_t sent = channel->out > 0 ? write(channel->out, text + at, length - at)
                                        : send(channel->fd, text + at, length - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return nz_fail(NZ_E_IO, "the other side of a worker's socket is gone: %s", strerror(errno));
        at += (size_t)sent;
    }
    return NZ_OK;
}

/* Takes the first whole line out of the buffer. */
static nz_status take_line(nz_channel *channel, char *end, json_t **ret_message) {
    size_t length = (size_t)(end - channel->buffer);
    json_error_t error;
    json_t *message = json_loadb(channel->buffer, length, 0, &error);
    channel->length -= length + 1;
    memmove(channel->buffer, end + 1, channel->length);
    if (!message) return nz_fail(NZ_E_FORMAT, "a message between processes is no JSON: %s", error.text);
    if (!json_is_object(message)) {
        json_decref(message);
        return nz_fail(NZ_E_FORMAT, "a message between processes is no JSON object");
    }
    *ret_message = message;
    return NZ_OK;
}

nz_status nz_channel_receive(nz_channel *channel, nz_channel_event *ret_event, json_t **ret_message, int timeout_ms) {
    size_t seen = 0;
    for (;;) {
        char *end = channel->length > seen ? memchr(channel->buffer + seen, '\n', channel->length - seen) : NULL;
        if (end) {
            NZ_TRY(take_line(channel, end, ret_message));
            *ret_event = NZ_CHANNEL_MESSAGE;
            return NZ_OK;
        }
        seen = channel->length;
        if (seen > LONGEST_LINE)
            return nz_fail(NZ_E_FORMAT, "a message between processes is longer than %d bytes", LONGEST_LINE);
        struct pollfd ready = {.fd = channel->fd, .events = POLLIN};
        int count = poll(&ready, 1, timeout_ms);
        if (count < 0 && errno != EINTR) return nz_fail(NZ_E_IO, "a worker's socket: %s", strerror(errno));
        if (count <= 0) { /* an interrupt is reported as quiet too, so that the caller can look whether to stop */
            *ret_event = NZ_CHANNEL_QUIET;
            return NZ_OK;
        }
        NZ_TRY(nz_grow(&channel->buffer, &channel->capacity, channel->length + CHUNK, 1));
        ssize_t got = read(channel->fd, channel->buffer + channel->length, CHUNK);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            *ret_event = NZ_CHANNEL_CLOSED;
            return NZ_OK;
        }
        channel->length += (size_t)got;
    }
}

void nz_channel_done(nz_channel *channel) {
    if (channel->fd >= 0) close(channel->fd);
    if (channel->out > 0) close(channel->out);
    free(channel->buffer);
    *channel = (nz_channel){.fd = -1};
}
