/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware and software counters of this process through perf_event_open. Inherited events cannot be read as a group, so
 * each is read by itself; a group is what makes the CPU count its events at the same time. */
#include "measure/counters.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/probe.h"

typedef struct event {
    const char *name;
    uint32_t type;
    uint64_t config;
    bool leads; /* begins a group; the others join the one before */
    /* What the kernel does to a process is never seen by an event that leaves the kernel out. */
    bool in_kernel;
} event;

static const event events[NZ_COUNTERS] = {
    [NZ_COUNTER_INSTRUCTIONS] = {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, true, false},
    [NZ_COUNTER_CYCLES] = {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, false},
    [NZ_COUNTER_CACHE_REFERENCES] = {"cache_references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES, true,
                                     false},
    [NZ_COUNTER_CACHE_MISSES] = {"cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, false, false},
    [NZ_COUNTER_BRANCH_MISSES] = {"branch_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES, true, false},
    [NZ_COUNTER_TASK_CLOCK] = {"task_clock_ns", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, true, true},
    [NZ_COUNTER_CONTEXT_SWITCHES] = {"context_switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, true,
                                     true},
    [NZ_COUNTER_PAGE_FAULTS] = {"page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, true, true},
    [NZ_COUNTER_PAGE_FAULTS_MAJOR] = {"page_faults_major", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ, true,
                                      true},
    [NZ_COUNTER_MIGRATIONS] = {"migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, true, true},
};

/* One event of one thread. */
typedef struct tap {
    int fd;
    uint64_t first[3]; /* when the window began: count, ns wanted, ns that it ran */
} tap;

typedef struct counter {
    tap *taps; /* [threads]; NULL: it could not be opened */
    bool kernel;
    int error; /* errno of why not */
    bool tried_kernel;
} counter;

struct nz_counters {
    nz_counter_calls calls;
    char proc[512];
    size_t thread_count;
    int *threads;
    counter all[NZ_COUNTERS];
    nz_counter_usage first;
};

/* ---- the machine's own calls ---- */

static int system_open(void *user, const struct perf_event_attr *attr, int thread, int leader) {
    (void)user;
    long fd = syscall(SYS_perf_event_open, attr, thread, -1, leader, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

static int system_read(void *user, int fd, uint64_t ret_reading[3]) {
    (void)user;
    uint64_t reading[3];
    ssize_t got = read(fd, reading, sizeof reading);
    if (got != (ssize_t)sizeof reading) return got < 0 ? errno : EIO;
    memcpy(ret_reading, reading, sizeof reading);
    return 0;
}

static void system_close(void *user, int fd) {
    (void)user;
    close(fd);
}

static void system_usage(void *user, nz_counter_usage *ret_usage) {
    (void)user;
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    *ret_usage = (nz_counter_usage){.clock_ns = nz_process_cpu_ns(),
                                    .switches = (uint64_t)used.ru_nvcsw + (uint64_t)used.ru_nivcsw,
                                    .faults = (uint64_t)used.ru_minflt + (uint64_t)used.ru_majflt,
                                    .faults_major = (uint64_t)used.ru_majflt};
}

static const nz_counter_calls system_calls = {system_open, system_read, system_close, system_usage, NULL};

/* ---- opening ---- */

static nz_status list_threads(nz_counters *self) {
    char path[600];
    size_t capacity = 0;
    snprintf(path, sizeof path, "%s/self/task", self->proc);
    DIR *folder = opendir(path);
    if (!folder) return nz_fail(NZ_E_UNAVAILABLE, "%s cannot be listed: %s", path, strerror(errno));
    nz_status status = NZ_OK;
    for (const struct dirent *entry; status == NZ_OK && (entry = readdir(folder));) {
        int thread = atoi(entry->d_name);
        if (thread <= 0) continue;
        status = nz_grow(&self->threads, &capacity, self->thread_count + 1, sizeof *self->threads);
        if (status == NZ_OK) self->threads[self->thread_count++] = thread;
    }
    closedir(folder);
    if (status == NZ_OK && !self->thread_count) return nz_fail(NZ_E_UNAVAILABLE, "%s lists no thread", path);
    return status;
}

static void close_taps(nz_counters *self, counter *c) {
    for (size_t t = 0; c->taps && t < self->thread_count; t++)
        if (c->taps[t].fd >= 0) self->calls.close(self->calls.user, c->taps[t].fd);
    free(c->taps);
    c->taps = NULL;
}

/* All threads or none: a part of the threads would be a figure of nothing. A thread that has ended meanwhile counts none. */
static nz_status open_event(nz_counters *self, size_t id, const counter *leader, bool kernel) {
    counter *c = &self->all[id];
    struct perf_event_attr attr = {.type = events[id].type,
                                   .size = sizeof attr,
                                   .config = events[id].config,
                                   .inherit = 1,
                                   .exclude_kernel = !kernel,
                                   .exclude_hv = 1,
                                   .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING};
    NZ_TRY(nz_alloc(&c->taps, self->thread_count, sizeof *c->taps));
    for (size_t t = 0; t < self->thread_count; t++) c->taps[t].fd = -1;
    size_t opened = 0;
    c->error = 0;
    c->kernel = kernel;
    for (size_t t = 0; t < self->thread_count && !c->error; t++) {
        int first = leader ? leader->taps[t].fd : -1;
        if (leader && first < 0) continue;
        int fd = self->calls.open(self->calls.user, &attr, self->threads[t], first);
        if (fd < 0 && fd != -ESRCH) c->error = -fd;
        if (fd < 0) continue;
        c->taps[t].fd = fd;
        opened++;
    }
    if (!c->error && !opened) c->error = ESRCH;
    if (c->error) close_taps(self, c);
    return NZ_OK;
}

static bool refused(int error) { return error == EACCES || error == EPERM; }

static nz_status open_all(nz_counters *self, bool kernel) {
    const counter *leader = NULL;
    for (size_t id = 0; id < NZ_COUNTERS; id++) {
        counter *c = &self->all[id];
        bool wanted = kernel || events[id].in_kernel;
        if (events[id].leads) leader = NULL;
        NZ_TRY(open_event(self, id, leader, wanted));
        if (!c->taps && wanted && !events[id].in_kernel && refused(c->error)) /* then at least what it does itself */
            NZ_TRY(open_event(self, id, leader, false));
        /* A member that does not fit beside its leader counts by itself. */
        if (!c->taps && leader) NZ_TRY(open_event(self, id, NULL, leader->kernel));
        if (events[id].leads && c->taps) leader = c;
    }
    return NZ_OK;
}

static void close_counters(nz_counters **counters) { nz_counters_close(*counters); }

nz_status nz_counters_open_with(nz_counters **ret_counters, bool kernel, const nz_roots *roots,
                                const nz_counter_calls *calls) {
    NZ_AUTO(close_counters) nz_counters *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->calls = *calls;
    snprintf(self->proc, sizeof self->proc, "%s", nz_root_proc(roots));
    NZ_TRY(list_threads(self));
    NZ_TRY(open_all(self, kernel));
    nz_counters_begin(self);
    *ret_counters = NZ_STEAL(self);
    return NZ_OK;
}

nz_status nz_counters_open(nz_counters **ret_counters, bool kernel, const nz_roots *roots) {
    return nz_counters_open_with(ret_counters, kernel, roots, &system_calls);
}

void nz_counters_close(nz_counters *counters) {
    if (!counters) return;
    for (size_t id = 0; id < NZ_COUNTERS; id++) close_taps(counters, &counters->all[id]);
    free(counters->threads);
    free(counters);
}

/* ---- reading ---- */

void nz_counters_begin(nz_counters *counters) {
    const nz_counter_calls *calls = &counters->calls;
    calls->usage(calls->user, &counters->first);
    for (size_t id = 0; id < NZ_COUNTERS; id++) {
        counter *c = &counters->all[id];
        for (size_t t = 0; c->taps && t < counters->thread_count; t++) {
            int code = c->taps[t].fd < 0 ? 0 : calls->read(calls->user, c->taps[t].fd, c->taps[t].first);
            if (!code) continue;
            close_taps(counters, c);
            c->error = code;
        }
    }
}

/* Which of the kernel's own figures stands in where an event may not be opened; false: none does. */
static bool from_usage(size_t id, const nz_counter_usage *usage, uint64_t *ret_value) {
    switch (id) {
    case NZ_COUNTER_TASK_CLOCK: *ret_value = usage->clock_ns; return true;
    case NZ_COUNTER_CONTEXT_SWITCHES: *ret_value = usage->switches; return true;
    case NZ_COUNTER_PAGE_FAULTS: *ret_value = usage->faults; return true;
    case NZ_COUNTER_PAGE_FAULTS_MAJOR: *ret_value = usage->faults_major; return true;
    default: return false;
    }
}

/* "Seccomp: 2" in a process's status: a filter decides which calls it may make. */
static bool filtered(const nz_counters *self) {
    const nz_roots roots = {.proc = self->proc};
    NZ_AUTO_FREE char *status = nz_probe_file(nz_root_proc(&roots), "self/status");
    bool found = false;
    return status && nz_probe_field(status, "Seccomp", &found) == 2 && found;
}

static void explain_refusal(const nz_counters *self, nz_counter *value, size_t id, int error) {
    char text[32];
    bool known = nz_probe_text(text, sizeof text, self->proc, "sys/kernel/perf_event_paranoid") == 0;
    int level = known ? atoi(text) : 0, most = events[id].in_kernel ? 1 : 2;
    if (known && level > most)
        snprintf(value->reason, sizeof value->reason,
                 "kernel.perf_event_paranoid is %d here, which keeps counters from users; sudo sysctl "
                 "kernel.perf_event_paranoid=1 permits them",
                 level);
    else if (filtered(self))
        snprintf(value->reason, sizeof value->reason,
                 "a seccomp filter forbids perf_event_open (%s): in a container, start it with --cap-add PERFMON "
                 "--security-opt seccomp=PROFILE that permits the call",
                 strerror(error));
    else
        snprintf(value->reason, sizeof value->reason, "perf_event_open is not permitted (%s)", strerror(error));
}

static void explain(const nz_counters *self, nz_counter *value, size_t id, int error) {
    switch (error) {
    case EACCES:
    case EPERM: explain_refusal(self, value, id, error); return;
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP:
        snprintf(value->reason, sizeof value->reason,
                 "the CPU shows no such counter here (%s), as in a virtual machine without a virtual PMU",
                 strerror(error));
        return;
    case ENOSYS:
        snprintf(value->reason, sizeof value->reason, "%s",
                 filtered(self) ? "a seccomp filter hides perf_event_open" : "the kernel has no perf_event_open");
        return;
    case EMFILE:
        snprintf(value->reason, sizeof value->reason, "%zu threads need more open files than are permitted (ulimit -n)",
                 self->thread_count);
        return;
    default:
        snprintf(value->reason, sizeof value->reason, "%s could not be counted: %s", events[id].name, strerror(error));
    }
}

/* The sum over the threads of what was counted, each scaled to the time that it was wanted for. */
static int read_taps(const nz_counters *self, const counter *c, nz_counter *value) {
    double sum = 0, wanted = 0, ran = 0;
    for (size_t t = 0; t < self->thread_count; t++) {
        const tap *at = &c->taps[t];
        uint64_t now[3];
        if (at->fd < 0) continue;
        int code = self->calls.read(self->calls.user, at->fd, now);
        if (code) return code;
        double d[3];
        for (int i = 0; i < 3; i++) d[i] = now[i] > at->first[i] ? (double)(now[i] - at->first[i]) : 0;
        wanted += d[1];
        ran += d[2];
        if (d[1] > 0 && d[2] == 0) return EBUSY;
        sum += d[2] > 0 ? d[0] * d[1] / d[2] : 0;
    }
    value->value = sum;
    value->multiplexed = ran < wanted;
    value->running_pct = wanted > 0 ? 100 * ran / wanted : 100;
    return 0;
}

static void get_one(const nz_counters *self, size_t id, const nz_counter_usage *usage, nz_counter *value) {
    const counter *c = &self->all[id];
    *value = (nz_counter){.name = events[id].name, .source = "perf", .value = NAN, .kernel = c->kernel};
    int error = c->taps ? read_taps(self, c, value) : c->error;
    if (!error) return;
    uint64_t before, after;
    if (from_usage(id, &self->first, &before) && from_usage(id, usage, &after)) {
        *value = (nz_counter){.name = events[id].name,
                              .source = "getrusage",
                              .value = after > before ? (double)(after - before) : 0,
                              .kernel = true,
                              .running_pct = 100};
        return;
    }
    *value = (nz_counter){.name = events[id].name, .value = NAN};
    if (error == EBUSY)
        snprintf(value->reason, sizeof value->reason,
                 "another program (perf, the NMI watchdog) held the CPU's counters all the time");
    else
        explain(self, value, id, error);
}

void nz_counters_get(const nz_counters *counters, nz_counter ret_values[NZ_COUNTERS]) {
    nz_counter_usage usage;
    counters->calls.usage(counters->calls.user, &usage);
    for (size_t id = 0; id < NZ_COUNTERS; id++) get_one(counters, id, &usage, &ret_values[id]);
}

const char *nz_counter_name(nz_counter_id id) { return id < NZ_COUNTERS ? events[id].name : ""; }
