/* SPDX-License-Identifier: Apache-2.0 */
/* A worker at the far end of an ssh connection. Its parent lies on another machine, so that the kernel does not tell of its
 * death: what tells is that the other side of standard input is gone, which a thread waits for. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compare/pin.h"
#include "compare/worker.h"
#include "core/error.h"
#include "core/file.h"
#include "netzip/compare.h"

enum { IDLE_MS = 60000, GRACE_S = 2, STACK = 128 << 10 };

/* Whoever only waits for requests sees the end himself; whoever computes is ended after a moment. Reads nothing. */
static void *watch(void *user) {
    struct pollfd input = {.fd = *(const int *)user, .events = POLLRDHUP};
    while (poll(&input, 1, -1) < 1 || !(input.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL))) {
    }
    sleep(GRACE_S);
    _exit(1);
}

static nz_status begin_watch(const int *fd) {
    pthread_t thread;
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (!code) code = pthread_attr_setstacksize(&attributes, STACK);
    if (!code) code = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (!code) code = pthread_create(&thread, &attributes, watch, (void *)(uintptr_t)fd);
    return code ? nz_fail(NZ_E_RESOURCE, "a worker's watch cannot be started: %s", strerror(code)) : NZ_OK;
}

/* Standard input and output become the channel alone: what a library prints goes to standard error. */
static nz_status take_streams(int *ret_in, int *ret_out) {
    int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1),
        out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool failed =
        in < 0 || out < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0;
    if (null >= 0) close(null);
    if (failed)
        return nz_fail(NZ_E_ARG, "standard input, output and error are needed: netzip compare --target starts this");
    *ret_in = in;
    *ret_out = out;
    return NZ_OK;
}

/* The first line: that everything is loaded, and which program and machine this is. */
static nz_status greet(nz_worker *worker) {
    struct utsname name;
    if (uname(&name) != 0) memset(&name, 0, sizeof name);
    NZ_AUTO_JSON json_t *hello = json_pack("{s:{s:s,s:o,s:o}}", "hello", "version", NZ_VERSION, "architecture",
                                           nz_json_string(name.machine), "host", nz_json_string(name.nodename));
    return hello ? nz_channel_send(&worker->channel, hello) : nz_fail(NZ_E_MEMORY, "out of memory: a greeting");
}

/* The whole command line (that of a loader, where the program was started by one) without the last `dropped` arguments. */
static nz_status command_line(char **ret_text, char ***ret_again, int dropped) {
    enum { LIMIT = 1 << 20 };
    NZ_AUTO_FREE char *text = NULL, **again = NULL;
    size_t bytes, count = 0, at = 0;
    NZ_TRY(nz_file_read(&text, &bytes, "/proc/self/cmdline", LIMIT));
    for (size_t i = 0; i < bytes; i++) count += !text[i];
    NZ_TRY(nz_alloc(&again, count + 1, sizeof *again));
    for (size_t i = 0; i + (size_t)dropped < count; i++, at += strlen(text + at) + 1) again[i] = text + at;
    *ret_text = NZ_STEAL(text);
    *ret_again = NZ_STEAL(again);
    return NZ_OK;
}

static nz_status take_place(int argc, char **argv) {
    NZ_AUTO_FREE char *text = NULL, **again = NULL;
    if (!argc) return NZ_OK;
    NZ_TRY(command_line(&text, &again, argc));
    return nz_pin_take(argc, argv, again);
}

int nz_worker_main_remote(int argc, char **argv) {
    static int in, out; /* the watch looks at them to the very end */
    if (take_place(argc, argv) != NZ_OK) return 2;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_DFL);
    if (take_streams(&in, &out) != NZ_OK || begin_watch(&in) != NZ_OK) return 2;
    nz_worker worker = {.channel = {.fd = in, .out = out}, .idle_ms = IDLE_MS, .samples = -1};
    if (greet(&worker) != NZ_OK) return 2;
    nz_worker_serve(&worker);
    return 0;
}
