/* SPDX-License-Identifier: Apache-2.0 */
/* The system's ssh as a process: its command line, its two streams, its end told in words. No password is ever asked for;
 * everything else is the user's own configuration. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare/link.h"
#include "core/error.h"
#include "core/progress.h"

extern char **environ;

void nz_shell_quote(nz_text *out, const char *text) {
    nz_text_append(out, "'");
    for (const char *end; (end = strchr(text, '\'')); text = end + 1) {
        nz_text_append_bytes(out, text, (size_t)(end - text));
        nz_text_append(out, "'\\''");
    }
    nz_text_append(out, text);
    nz_text_append(out, "'");
}

nz_status nz_ssh_sockets(int ret_ends[2]) {
    int got[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, got) != 0)
        return nz_fail(NZ_E_RESOURCE, "no socket for ssh: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        ret_ends[i] = got[i] > STDERR_FILENO ? got[i] : fcntl(got[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (ret_ends[i] != got[i]) close(got[i]);
    }
    if (ret_ends[0] >= 0 && ret_ends[1] >= 0) return NZ_OK;
    for (int i = 0; i < 2; i++)
        if (ret_ends[i] >= 0) close(ret_ends[i]);
    return nz_fail(NZ_E_RESOURCE, "no socket for ssh: %s", strerror(errno));
}

nz_status nz_ssh_log(int *ret_fd) {
    int fd = memfd_create("netzip-ssh", MFD_CLOEXEC);
    if (fd < 0) return nz_fail(NZ_E_RESOURCE, "no memory for what ssh says: %s", strerror(errno));
    *ret_fd = fd;
    return NZ_OK;
}

/* ssh's options besides the user's own: no prompt, a dead line is noticed within a minute, one login for all. */
static size_t put_options(const nz_link *link, char **arguments, char port[16], bool master) {
    static char name[] = "ssh", option[] = "-o", batch[] = "BatchMode=yes", connect[] = "ConnectTimeout=15",
                alive[] = "ServerAliveInterval=15", most[] = "ServerAliveCountMax=3", quiet[] = "LogLevel=ERROR",
                is_master[] = "ControlMaster=yes", is_not[] = "ControlMaster=no", stays[] = "ControlPersist=no",
                plain[] = "-axT", port_option[] = "-p", user_option[] = "-l";
    char *options[] = {batch, connect, alive, most, quiet, stays, master ? is_master : is_not, link->control};
    size_t n = 0;
    arguments[n++] = name;
    arguments[n++] = plain;
    for (size_t i = 0; i < NZ_COUNT(options); i++) {
        arguments[n++] = option;
        arguments[n++] = options[i];
    }
    if (link->target.port) {
        snprintf(port, 16, "%d", link->target.port);
        arguments[n++] = port_option;
        arguments[n++] = port;
    }
    if (*link->target.user) {
        arguments[n++] = user_option;
        arguments[n++] = (char *)(uintptr_t)link->target.user;
    }
    return n;
}

static int spawn(const nz_link *link, pid_t *ret_pid, char *const *arguments, int fd, int log) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int code = posix_spawn_file_actions_init(&actions);
    if (code) return code;
    code = posix_spawnattr_init(&attributes);
    if (!code) {
        /* A group of its own: an interrupt from the terminal is the parent's to handle. */
        code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
        if (!code) code = posix_spawnattr_setsigdefault(&attributes, &defaults);
        if (!code) code = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
        if (!code) code = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
        if (!code) code = posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
        if (!code) code = posix_spawnp(ret_pid, link->program, &actions, &attributes, arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

nz_status nz_ssh_start(const nz_link *link, pid_t *ret_pid, const char *script, int fd, int log, bool master) {
    enum { MOST_ARGUMENTS = 32 };
    static char end[] = "--";
    NZ_AUTO(nz_text_done) nz_text command = {0};
    char *arguments[MOST_ARGUMENTS], port[16];
    size_t n = put_options(link, arguments, port, master);
    /* The account's own shell may be any: it only starts sh. */
    nz_text_append(&command, "exec sh -c ");
    nz_shell_quote(&command, script);
    NZ_TRY(command.status);
    arguments[n++] = end;
    arguments[n++] = (char *)(uintptr_t)link->target.host;
    arguments[n++] = command.data;
    arguments[n] = NULL;
    int code = spawn(link, ret_pid, arguments, fd, log);
    if (code) return nz_fail(NZ_E_RESOURCE, "%s: cannot be started: %s", link->program, strerror(code));
    return NZ_OK;
}

/* ---- how it ended ---- */

static const struct {
    const char *says, *mends;
} hints[] = {
    {"Permission denied (", "; no password is asked for: ssh-copy-id lets a key in"},
    {"Host key verification failed", "; log in once by hand, so that its key is known"},
};

nz_status nz_ssh_fail(const nz_link *link, int how, int log) {
    char said[320] = "";
    const char *hint = "";
    nz_process_said(said, sizeof said, log);
    for (size_t i = 0; i < NZ_COUNT(hints); i++)
        if (strstr(said, hints[i].says)) hint = hints[i].mends;
    if (*said) return nz_fail(NZ_E_RESOURCE, "%s: %s%s", link->target.host, said, hint);
    if (WIFSIGNALED(how))
        return nz_fail(NZ_E_RESOURCE, "%s: ssh was ended by signal %d", link->target.host, WTERMSIG(how));
    return nz_fail(NZ_E_RESOURCE, "%s: %s (exit status %d)", link->target.host,
                   WEXITSTATUS(how) == 255 ? "the connection broke" : "a command failed there", WEXITSTATUS(how));
}

/* ---- an exchange ---- */

typedef struct talk {
    const nz_exchange *exchange;
    int fd;
    bool sending, open;
    size_t at, count; /* of the buffer, on its way there */
    unsigned long long sent;
    char buffer[65536];
} talk;

static nz_status send_some(talk *t) {
    if (t->at == t->count) {
        t->at = t->count = 0;
        NZ_TRY(t->exchange->feed(t->exchange->feed_user, t->buffer, sizeof t->buffer, &t->count));
    }
    ssize_t sent = t->count ? send(t->fd, t->buffer + t->at, t->count - t->at, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) return NZ_OK;
    /* Where the other side takes no more, what it says in the end tells why. */
    if (!t->count || sent < 0) {
        t->sending = false;
        shutdown(t->fd, SHUT_WR);
        return NZ_OK;
    }
    t->at += (size_t)sent;
    t->sent += (unsigned long long)sent;
    return NZ_OK;
}

static nz_status take_some(talk *t) {
    char bytes[16384];
    ssize_t got = recv(t->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return NZ_OK;
    if (got <= 0) {
        t->open = false;
        return NZ_OK;
    }
    return t->exchange->take ? t->exchange->take(t->exchange->take_user, bytes, (size_t)got) : NZ_OK;
}

static nz_status converse(talk *t, const nz_progress *progress) {
    while (t->open) {
        struct pollfd ready = {.fd = t->fd, .events = (short)(POLLIN | (t->sending ? POLLOUT : 0))};
        if (poll(&ready, 1, 200) > 0) {
            if (ready.revents & (POLLIN | POLLHUP | POLLERR)) NZ_TRY(take_some(t));
            if (t->sending && (ready.revents & POLLOUT)) NZ_TRY(send_some(t));
        }
        if (!nz_progress_step(progress, t->exchange->what, t->sent, 0))
            return nz_fail(NZ_E_CANCELLED, "stopped by the user");
    }
    return NZ_OK;
}

nz_status nz_link_exchange(nz_link *link, const nz_exchange *exchange) {
    NZ_AUTO_FREE talk *t = NULL;
    int ends[2], log = -1, how = 0;
    pid_t pid = 0;
    NZ_TRY(nz_alloc(&t, 1, sizeof *t));
    NZ_TRY(nz_ssh_log(&log));
    nz_status status = nz_ssh_sockets(ends);
    if (status == NZ_OK) {
        status = nz_ssh_start(link, &pid, exchange->script, ends[1], log, false);
        close(ends[1]);
        *t = (talk){.exchange = exchange, .fd = ends[0], .sending = exchange->feed != NULL, .open = true};
        if (!t->sending) shutdown(ends[0], SHUT_WR);
        if (status == NZ_OK) status = converse(t, link->progress);
        close(ends[0]);
    }
    if (pid) {
        if (status != NZ_OK) kill(pid, SIGTERM);
        while (waitpid(pid, &how, 0) < 0 && errno == EINTR) {
        }
        if (status == NZ_OK && !(WIFEXITED(how) && WEXITSTATUS(how) == 0)) status = nz_ssh_fail(link, how, log);
    }
    close(log);
    return status;
}

static nz_status take_text(void *user, const char *bytes, size_t count) {
    enum { MOST = 1 << 20 };
    nz_text *text = user;
    if (text->length + count > MOST) return nz_fail(NZ_E_FORMAT, "the other machine says more than a mebibyte");
    nz_text_append_bytes(text, bytes, count);
    return text->status;
}

nz_status nz_link_ask(nz_link *link, char **ret_output, const char *script) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_exchange exchange = {.script = script, .what = link->target.host, .take = take_text, .take_user = &text};
    NZ_TRY(nz_link_exchange(link, &exchange));
    nz_text_append(&text, "");
    return nz_text_take(&text, ret_output);
}
