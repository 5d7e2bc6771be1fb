/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"
#include "core/locale.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 2048 };

static _Thread_local char message[MESSAGE_BYTES];

/* Names from hostile files end up in messages; a line break or an escape sequence in one must not reach a terminal. */
static void copy_printable(char *out, size_t capacity, const char *in) {
    size_t at = 0;
    for (; *in && at + 5 < capacity; in++) {
        unsigned char c = (unsigned char)*in;
        if (c < 0x20 || c == 0x7f)
            at += (size_t)snprintf(out + at, capacity - at, "\\x%02x", c);
        else
            out[at++] = (char)c;
    }
    out[at] = '\0';
}

nz_status nz_fail(nz_status status, const char *format, ...) {
    char raw[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    nz_vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    copy_printable(message, sizeof message, raw);
    return status;
}

nz_status nz_fail_errno(const char *path, const char *what) {
    int code = errno;
    bool full = code == ENOSPC || code == EDQUOT || code == EFBIG || code == EMFILE || code == ENFILE;
    nz_status status = code == ENOMEM ? NZ_E_MEMORY : full ? NZ_E_RESOURCE : NZ_E_IO;
    return nz_fail(status, "%s: %s: %s", path, what, strerror(code));
}

nz_status nz_fail_context(nz_status status, const char *format, ...) {
    if (status == NZ_OK) return status;
    char context[512], clean[512], joined[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    nz_vsnprintf(context, sizeof context, format, args);
    va_end(args);
    copy_printable(clean, sizeof clean, context);
    snprintf(joined, sizeof joined, "%s: %.*s", clean, (int)(MESSAGE_BYTES - sizeof clean - 3), message);
    memcpy(message, joined, sizeof message);
    return status;
}

const char *nz_last_error(void) { return message; }

/* One row per status, in the enum's order. */
static const struct {
    const char *name;
    int exit_code;
} statuses[] = {
    [NZ_OK] = {"ok", 0},
    [NZ_E_ARG] = {"argument", 2},
    [NZ_E_IO] = {"io", 3},
    [NZ_E_FORMAT] = {"format", 3},
    [NZ_E_SHAPE] = {"shape", 3},
    [NZ_E_UNSUPPORTED] = {"unsupported", 3},
    [NZ_E_MEMORY] = {"memory", 4},
    [NZ_E_RESOURCE] = {"resource", 4},
    [NZ_E_UNAVAILABLE] = {"unavailable", 3},
    [NZ_E_CANCELLED] = {"cancelled", 4},
    [NZ_E_INTERNAL] = {"internal", 4},
};

const char *nz_status_name(nz_status status) {
    return (size_t)status < sizeof statuses / sizeof *statuses ? statuses[status].name : "unknown";
}

int nz_status_exit_code(nz_status status) {
    return (size_t)status < sizeof statuses / sizeof *statuses ? statuses[status].exit_code : 4;
}
