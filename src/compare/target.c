/* SPDX-License-Identifier: Apache-2.0 */
/* The names of machines. What goes on ssh's command line is looked at here: a name that begins with a dash would be an option
 * of ssh's, and whatever no name of a machine holds has no business there. */
#include "compare/target.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* `more` beside letters and digits; the first character is neither '-' nor '.'. */
static bool is_name(const char *text, size_t length, size_t most, const char *more) {
    if (!length || length >= most || *text == '-' || *text == '.') return false;
    for (size_t i = 0; i < length; i++)
        if (!strchr(letters, text[i]) && !strchr(more, text[i])) return false;
    return true;
}

static nz_status fail(const char *text, const char *why) {
    return nz_fail(NZ_E_ARG, "compare: --target '%s': %s; it is local or ssh://[USER@]HOST[:PORT]", text, why);
}

static nz_status take_port(nz_target *target, const char *port, const char *text) {
    long long number;
    if (!*port) return NZ_OK;
    if (*port != ':') return fail(text, "the name of the machine has characters that no name has");
    if (nz_parse_int(&number, port + 1, "") != NZ_OK || port[1] == '+' || number < 1 || number > 65535)
        return fail(text, "the port is no number from 1 to 65535");
    target->port = (int)number;
    return NZ_OK;
}

nz_status nz_target_parse(nz_target *ret_target, const char *text) {
    static const char scheme[] = "ssh://";
    nz_target target = {.local = strcmp(text, "local") == 0};
    if (target.local) {
        *ret_target = target;
        return NZ_OK;
    }
    if (strncmp(text, scheme, sizeof scheme - 1) != 0) return fail(text, "is no machine");
    const char *host = text + sizeof scheme - 1, *at = strrchr(host, '@');
    if (at) {
        if (!is_name(host, (size_t)(at - host), sizeof target.user, "._-"))
            return fail(text, "the user's name has characters that no name has");
        memcpy(target.user, host, (size_t)(at - host));
        host = at + 1;
    }
    bool numeric = *host == '['; /* an IPv6 address */
    host += numeric;
    size_t length = strcspn(host, numeric ? "]" : ":/");
    if (!is_name(host, length, sizeof target.host, numeric ? ":.%" : "._-") || (numeric && host[length] != ']'))
        return fail(text, "the name of the machine has characters that no name has");
    memcpy(target.host, host, length);
    const char *rest = host + length + numeric;
    if (strcmp(rest, "/") != 0) NZ_TRY(take_port(&target, rest, text));
    *ret_target = target;
    return NZ_OK;
}
