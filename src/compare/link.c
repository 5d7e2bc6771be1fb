/* SPDX-License-Identifier: Apache-2.0 */
/* A link to another machine: one login that everything shares. The command of that login makes the folder of temporary files,
 * waits for the end of its input and removes the folder: it ends with this program, however that ends. */
#include "compare/link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compare/bundle.h"
#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "netzip/measure.h"

static const char login_script[] =
    "umask 077; c=\"${XDG_CACHE_HOME:-$HOME/.cache}/netzip\"; mkdir -p \"$c/files\" \"$c/worker\" \"$c/data\" || exit "
    "3; "
    "find \"$c\" -maxdepth 1 -name 'run-*' -mtime +7 -exec rm -rf {} + 2>/dev/null; "
    "t=$(mktemp -d \"$c/run-XXXXXX\") || exit 3; trap 'rm -rf \"$t\"' EXIT; "
    "printf 'netzip-target\\n%s\\n%s\\n%s\\n' \"$(uname -m)\" \"$c\" \"$t\"; cat >/dev/null";
enum { LOGIN_S = 60, HELLO_S = 60, MOST_NOISE = 200 };

/* ---- the login ---- */

static bool take_line(char *text, const char **ret_line, char **ret_rest) {
    char *end = strchr(text, '\n');
    if (!end) return false;
    *end = 0;
    *ret_line = text;
    *ret_rest = end + 1;
    return true;
}

/* What the account's shell prints by itself before is passed over. */
static nz_status read_login(nz_link *link, const char *said, bool *ret_whole) {
    NZ_AUTO_FREE char *text = NULL;
    const char *mark = strstr(said, "netzip-target\n"), *architecture, *cache, *run;
    char *rest;
    *ret_whole = false;
    if (!mark) return NZ_OK;
    NZ_TRY(nz_strdup(&text, mark + strlen("netzip-target\n")));
    if (!take_line(text, &architecture, &rest) || !take_line(rest, &cache, &rest) || !take_line(rest, &run, &rest))
        return NZ_OK;
    if (!*architecture || *cache != '/' || *run != '/')
        return nz_fail(NZ_E_RESOURCE, "%s: says '%s' and '%s' instead of its architecture and a folder",
                       link->target.host, architecture, run);
    NZ_TRY(nz_strdup(&link->architecture, architecture));
    NZ_TRY(nz_strdup(&link->cache, cache));
    NZ_TRY(nz_strdup(&link->run, run));
    *ret_whole = true;
    return NZ_OK;
}

/* Waits until `pid` has ended, at most `wait_ms`. */
static bool wait_end(pid_t pid, int *ret_how, int wait_ms) {
    for (int waited = 0;; waited += 10) {
        pid_t got = waitpid(pid, ret_how, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR)) return true;
        if (waited >= wait_ms) return false;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static void end_master(nz_link *link, int *ret_how) {
    if (link->master_fd >= 0) close(link->master_fd);
    link->master_fd = -1;
    if (!link->master) return;
    if (!wait_end(link->master, ret_how, 3000)) {
        kill(link->master, SIGTERM);
        if (!wait_end(link->master, ret_how, 1000)) {
            kill(link->master, SIGKILL);
            while (waitpid(link->master, ret_how, 0) < 0 && errno == EINTR) {
            }
        }
    }
    link->master = 0;
}

static nz_status await_login(nz_link *link, int log) {
    char said[8192];
    size_t length = 0;
    bool whole = false;
    uint64_t begin = nz_clock_ns();
    int how = 0;
    while (!whole) {
        struct pollfd ready = {.fd = link->master_fd, .events = POLLIN};
        if (!nz_progress_step(link->progress, link->target.host, 0, 0))
            return nz_fail(NZ_E_CANCELLED, "stopped by the user");
        if ((double)(nz_clock_ns() - begin) * 1e-9 > LOGIN_S)
            return nz_fail(NZ_E_RESOURCE, "%s: no answer within %d s", link->target.host, LOGIN_S);
        if (poll(&ready, 1, 200) <= 0) continue;
        ssize_t got = read(link->master_fd, said + length, sizeof said - 1 - length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            end_master(link, &how);
            return nz_ssh_fail(link, how, log);
        }
        length += (size_t)got;
        said[length] = 0;
        NZ_TRY(read_login(link, said, &whole));
        if (length == sizeof said - 1 && !whole)
            return nz_fail(NZ_E_RESOURCE, "%s: its shell prints much, and no answer", link->target.host);
    }
    return NZ_OK;
}

static nz_status log_in(nz_link *link) {
    int ends[2], log = -1;
    NZ_TRY(nz_ssh_log(&log));
    nz_status status = nz_ssh_sockets(ends);
    if (status == NZ_OK) {
        status = nz_ssh_start(link, &link->master, login_script, ends[1], log, true);
        close(ends[1]);
        link->master_fd = ends[0];
    }
    if (status == NZ_OK) status = await_login(link, log);
    close(log);
    return status;
}

/* A socket's path may have about a hundred bytes, ssh's own addition included. */
static nz_status make_folder(nz_link *link) {
    const char *places[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    for (size_t i = 0; i < NZ_COUNT(places); i++) {
        if (!places[i] || *places[i] != '/' || strlen(places[i]) > 48) continue;
        NZ_AUTO_FREE char *pattern = NULL;
        NZ_TRY(nz_format(&pattern, "%s/netzip-XXXXXX", places[i]));
        if (!mkdtemp(pattern)) continue;
        link->folder = NZ_STEAL(pattern);
        return nz_format(&link->control, "ControlPath=%s/s", link->folder);
    }
    return nz_fail(NZ_E_RESOURCE, "/tmp: no temporary folder: %s", strerror(errno));
}

static void free_link(nz_link **link) { nz_link_close(*link); }

nz_status nz_link_open(nz_link **ret_link, const char *target, const nz_progress *progress) {
    NZ_AUTO(free_link) nz_link *link = NULL;
    const char *program = getenv("NETZIP_SSH");
    nz_target parsed;
    NZ_TRY(nz_target_parse(&parsed, target));
    if (parsed.local) return nz_fail(NZ_E_ARG, "compare: '%s' is this machine", target);
    NZ_TRY(nz_alloc(&link, 1, sizeof *link));
    *link = (nz_link){
        .target = parsed, .program = program && *program ? program : "ssh", .progress = progress, .master_fd = -1};
    NZ_TRY(make_folder(link));
    NZ_TRY(log_in(link));
    NZ_TRY(nz_bundle_send(link));
    *ret_link = NZ_STEAL(link);
    return NZ_OK;
}

void nz_link_close(nz_link *link) {
    int how;
    if (!link) return;
    end_master(link, &how);
    if (link->folder) {
        NZ_AUTO_FREE char *path = NULL;
        if (nz_path_join(&path, link->folder, "s") == NZ_OK) unlink(path);
        rmdir(link->folder);
    }
    for (size_t i = 0; i < link->copy_count; i++) {
        free(link->copies[i].local);
        free(link->copies[i].remote);
    }
    free(link->copies);
    free(link->folder);
    free(link->control);
    free(link->architecture);
    free(link->cache);
    free(link->run);
    free(link->bundle);
    free(link->loader);
    free(link);
}

const char *nz_link_host(const nz_link *link) { return link->target.host; }

/* ---- workers ---- */

/* Not exec: a shell that remains tells by which signal the worker was ended. */
static nz_status worker_script(nz_text *script, const nz_link *link, const char *const *arguments, bool patient) {
    nz_text_append(script, "d=");
    nz_shell_quote(script, link->bundle);
    nz_text_append(script, patient ? "; export OMP_WAIT_POLICY=PASSIVE; " : "; export GOMP_SPINCOUNT=2000; ");
    if (link->loader) {
        nz_text_append(script, "\"$d\"/");
        nz_shell_quote(script, link->loader);
        nz_text_append(script, " --library-path \"$d\" ");
    }
    nz_text_append(script, "\"$d\"/netzip-worker");
    for (size_t i = 0; arguments && arguments[i]; i++) {
        nz_text_append(script, " ");
        nz_shell_quote(script, arguments[i]);
    }
    nz_text_append(script, "; exit $?");
    return script->status;
}

static nz_status check_hello(const nz_link *link, const json_t *hello) {
    const char *version = nz_json_text_at(hello, "version");
    if (strcmp(version, NZ_VERSION) == 0) return NZ_OK;
    return nz_fail(NZ_E_RESOURCE,
                   "%s: its worker is of version %s, and this is %s; ./run build worker --arch %s builds it anew",
                   link->target.host, version, NZ_VERSION, link->architecture);
}

/* Whatever a shell prints first is no JSON and is passed over. */
static nz_status await_hello(const nz_link *link, nz_process *process) {
    uint64_t begin = nz_clock_ns();
    for (int noise = 0; noise < MOST_NOISE;) {
        NZ_AUTO_JSON json_t *message = NULL;
        nz_channel_event event = NZ_CHANNEL_QUIET;
        nz_status status = nz_channel_receive(&process->channel, &event, &message, 200);
        if (status == NZ_E_FORMAT) {
            noise++;
            continue;
        }
        NZ_TRY(status);
        if (event == NZ_CHANNEL_CLOSED) return nz_process_fail(process);
        const json_t *hello = json_object_get(message, "hello");
        if (hello) return check_hello(link, hello);
        if (!nz_progress_step(link->progress, link->target.host, 0, 0))
            return nz_fail(NZ_E_CANCELLED, "stopped by the user");
        if ((double)(nz_clock_ns() - begin) * 1e-9 > HELLO_S) break;
    }
    return nz_fail(NZ_E_RESOURCE, "%s: the worker does not begin", link->target.host);
}

nz_status nz_link_start(nz_link *link, nz_process *ret_process, const char *const *arguments, bool patient) {
    NZ_AUTO(nz_text_done) nz_text script = {0};
    nz_process process = {.channel = {.fd = -1}, .host = link->target.host};
    int ends[2];
    NZ_TRY(worker_script(&script, link, arguments, patient));
    NZ_TRY(nz_ssh_log(&process.log));
    nz_status status = nz_ssh_sockets(ends);
    if (status == NZ_OK) {
        status = nz_ssh_start(link, &process.pid, script.data, ends[1], process.log, false);
        close(ends[1]);
        process.channel.fd = ends[0];
    }
    if (status == NZ_OK) status = await_hello(link, &process);
    if (status != NZ_OK) {
        nz_process_kill(&process);
        return status;
    }
    *ret_process = process;
    return NZ_OK;
}
