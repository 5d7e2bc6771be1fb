/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/progress.h"
#include "netzip/measure.h"

extern char **environ;

static int describe_files(posix_spawn_file_actions_t *actions, int worker_end) {
    int code = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!code && fcntl(STDERR_FILENO, F_GETFD) < 0)
        code = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    /* Standard output belongs to the parent's document: whatever a library prints goes to standard error. */
    if (!code) code = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
    if (!code) code = posix_spawn_file_actions_adddup2(actions, worker_end, NZ_WORKER_FD);
    return code;
}

/* The environment with OpenMP's waiting policy, which is read before main and so cannot be set by the worker itself: a
 * patient worker's threads sleep at once, others after about a fifth of a millisecond, which outlasts the gaps inside a run
 * but does not burn the time of the very thread that is waited for. What the user has set stays. */
static nz_status waiting_environment(char ***ret_environment, bool patient) {
    static char sleeping[] = "OMP_WAIT_POLICY=PASSIVE", spinning[] = "GOMP_SPINCOUNT=2000";
    size_t count = 0, at = 0;
    while (environ[count]) count++;
    char **copy = NULL;
    NZ_TRY(nz_alloc(&copy, count + 2, sizeof *copy));
    if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT")) copy[at++] = patient ? sleeping : spinning;
    memcpy(copy + at, environ, count * sizeof *copy);
    *ret_environment = copy;
    return NZ_OK;
}

/* Two connected sockets above the descriptors of the worker: where the parent's standard streams are closed they would land
 * on those, and dup2 of a descriptor onto itself would keep its close-on-exec flag. Returns 0 or an errno. */
static int connect_ends(int ends[2]) {
    int got[2], code = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, got) != 0) return errno;
    for (int i = 0; i < 2; i++) {
        ends[i] = got[i] > NZ_WORKER_FD ? got[i] : fcntl(got[i], F_DUPFD_CLOEXEC, NZ_WORKER_FD + 1);
        if (ends[i] < 0) code = errno;
    }
    for (int i = 0; i < 2; i++) {
        if (got[i] != ends[i]) close(got[i]);
        if (code && ends[i] >= 0) close(ends[i]);
    }
    return code;
}

nz_status nz_process_start(nz_process *ret_process, const char *program, bool patient) {
    return nz_process_start_with(ret_process, program, NULL, patient);
}

/* "netzip worker" and what follows. */
static nz_status make_arguments(char ***ret_list, const char *const *arguments) {
    static char name[] = "netzip", verb[] = "worker";
    char **list = NULL;
    size_t count = 0;
    while (arguments && arguments[count]) count++;
    NZ_TRY(nz_alloc(&list, count + 3, sizeof *list));
    list[0] = name;
    list[1] = verb;
    for (size_t i = 0; i < count; i++)
        list[2 + i] = (char *)(uintptr_t)arguments[i]; /* the started program's to change */
    *ret_list = list;
    return NZ_OK;
}

nz_status nz_process_start_with(nz_process *ret_process, const char *program, const char *const *arguments,
                                bool patient) {
    NZ_AUTO_FREE char **environment = NULL, **list = NULL;
    NZ_TRY(waiting_environment(&environment, patient));
    NZ_TRY(make_arguments(&list, arguments));
    int ends[2] = {-1, -1};
    pid_t pid = 0;
    int code = connect_ends(ends);
    if (code) return nz_fail(NZ_E_RESOURCE, "no socket for a worker: %s", strerror(code));
    posix_spawn_file_actions_t actions;
    code = posix_spawn_file_actions_init(&actions);
    if (!code) {
        code = describe_files(&actions, ends[1]);
        if (!code) code = posix_spawn(&pid, program, &actions, NULL, list, environment);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (code) {
        close(ends[0]);
        return nz_fail(NZ_E_RESOURCE, "%s: cannot be started as a worker: %s", program, strerror(code));
    }
    *ret_process = (nz_process){.pid = pid, .channel = {.fd = ends[0]}};
    return NZ_OK;
}

/* Waits for the end of the process, at most `wait_ms`; false where it still runs. */
static int reap(nz_process *process, int *ret_how, int wait_ms) {
    for (int waited = 0;; waited += 10) {
        pid_t got = waitpid(process->pid, ret_how, WNOHANG);
        if (got == process->pid || (got < 0 && errno != EINTR)) return 1;
        if (waited >= wait_ms) return 0;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

/* The process is no more: what belonged to it goes as well. */
static void forget(nz_process *process) {
    process->pid = 0;
    nz_channel_done(&process->channel);
    if (process->log > 0) close(process->log);
    process->log = 0;
}

void nz_process_kill(nz_process *process) {
    int how;
    if (process->pid) {
        kill(process->pid, SIGKILL);
        while (waitpid(process->pid, &how, 0) < 0 && errno == EINTR) {
        }
    }
    forget(process);
}

void nz_process_end(nz_process *process) {
    int how;
    if (!process->pid) return;
    nz_channel_done(&process->channel);
    if (reap(process, &how, process->host ? 2000 : 500))
        forget(process);
    else
        nz_process_kill(process);
}

void nz_process_said(char *ret_line, size_t size, int log) {
    char text[2048];
    off_t end = log > 0 ? lseek(log, 0, SEEK_END) : 0;
    off_t from = end > (off_t)sizeof text - 1 ? end - (off_t)sizeof text + 1 : 0;
    ssize_t got = end > 0 ? pread(log, text, sizeof text - 1, from) : 0;
    *ret_line = 0;
    if (got <= 0) return;
    while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == '\r' || text[got - 1] == ' ')) got--;
    text[got] = 0;
    const char *line = strrchr(text, '\n');
    snprintf(ret_line, size, "%s", line ? line + 1 : text);
}

static nz_status fail_signal(const char *where, int number) {
    const char *name = sigabbrev_np(number), *text = sigdescr_np(number);
    return nz_fail(NZ_E_RESOURCE, "the worker%s was ended by signal %d, SIG%s (%s)%s", where, number, name ? name : "?",
                   text ? text : "unknown", number == SIGKILL ? "; the system does this when memory runs out" : "");
}

/* ssh tells by 255 that the connection is gone; a shell there tells a signal by 128 and its number. */
static nz_status fail_remote(const nz_process *process, int how) {
    char said[320], where[320];
    int code = WIFEXITED(how) ? WEXITSTATUS(how) : 255;
    nz_process_said(said, sizeof said, process->log);
    snprintf(where, sizeof where, " on %s", process->host);
    if (code > 128 && code < 128 + 65) return fail_signal(where, code - 128);
    if (code == 255)
        return nz_fail(NZ_E_RESOURCE, "the connection to %s broke%s%s", process->host, *said ? ": " : "", said);
    return nz_fail(NZ_E_RESOURCE, "the worker%s ended by itself with exit status %d%s%s", where, code,
                   *said ? ": " : "", said);
}

nz_status nz_process_fail(nz_process *process) {
    int how = 0;
    if (!reap(process, &how, 2000)) {
        nz_process_kill(process);
        return nz_fail(NZ_E_RESOURCE, "the worker closed its socket and was ended");
    }
    nz_status status = process->host ? fail_remote(process, how)
                       : WIFSIGNALED(how)
                           ? fail_signal("", WTERMSIG(how))
                           : nz_fail(NZ_E_RESOURCE, "the worker ended by itself with exit status %d", WEXITSTATUS(how));
    forget(process);
    return status;
}

/* The status that the worker's answer names. */
static nz_status answered_failure(const json_t *answer) {
    const char *name = json_string_value(json_object_get(answer, "status")),
               *error = json_string_value(json_object_get(answer, "error"));
    nz_status status = NZ_E_INTERNAL;
    for (int s = NZ_E_ARG; s <= NZ_E_INTERNAL; s++)
        if (name && strcmp(name, nz_status_name((nz_status)s)) == 0) status = (nz_status)s;
    return nz_fail(status, "%s", error && *error ? error : "the worker failed without a message");
}

/* true where the message was progress, which `state` then holds. */
static bool take_progress(const json_t *message, json_int_t state[2]) {
    const json_t *pair = json_object_get(message, "progress");
    if (!json_is_array(pair)) return false;
    for (size_t i = 0; i < 2; i++) state[i] = json_integer_value(json_array_get(pair, i));
    return true;
}

nz_status nz_process_ask(nz_process *process, json_t **ret_answer, const json_t *request, const nz_wait *wait) {
    if (!process->pid) return nz_fail(NZ_E_RESOURCE, "the worker has ended");
    if (nz_channel_send(&process->channel, request) != NZ_OK) return nz_process_fail(process);
    uint64_t heard_ns = nz_clock_ns();
    json_int_t state[2] = {0, 0};
    for (;;) {
        NZ_AUTO_JSON json_t *message = NULL;
        nz_channel_event event;
        nz_status status = nz_channel_receive(&process->channel, &event, &message, wait->tick_ms ? wait->tick_ms : 200);
        if (status != NZ_OK) {
            nz_process_kill(process);
            return status;
        }
        if (event == NZ_CHANNEL_CLOSED) return nz_process_fail(process);
        if (event == NZ_CHANNEL_MESSAGE) {
            heard_ns = nz_clock_ns();
            if (!take_progress(message, state)) {
                if (!json_is_true(json_object_get(message, "ok"))) return answered_failure(message);
                *ret_answer = NZ_STEAL(message);
                return NZ_OK;
            }
        }
        if (wait->tick) wait->tick(wait->user);
        if (!nz_progress_step(wait->progress, wait->what, (unsigned long long)state[0], (unsigned long long)state[1])) {
            nz_process_kill(process);
            return nz_fail(NZ_E_CANCELLED, "stopped by the user");
        }
        if ((double)(nz_clock_ns() - heard_ns) * 1e-9 > wait->timeout_s) {
            nz_process_kill(process);
            return nz_fail(NZ_E_RESOURCE, "the worker said nothing for %.0f s and was ended (--timeout)",
                           wait->timeout_s);
        }
    }
}
