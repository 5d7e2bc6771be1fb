/* SPDX-License-Identifier: Apache-2.0 */
/* The same energy counters of the CPU through performance events, where powercap is not there or not permitted. The kernel
 * undoes wrap-around itself: its counts have 64 bits and a scale of their own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "measure/power.h"
#include "measure/probe.h"
#include "measure/system.h"

enum { MOST_EVENTS = 64 };
#define PMU "bus/event_source/devices/power"

static const struct kind {
    const char *event, *name;
    bool added, once; /* once: one counter for the machine, whichever package tells it */
} kinds[] = {
    {"energy-pkg", "package", true, false}, {"energy-ram", "dram", true, false},
    {"energy-cores", "core", false, false}, {"energy-gpu", "uncore", false, false},
    {"energy-psys", "psys", false, true},
};

typedef struct event {
    const struct kind *kind;
    char name[32];
    int file;
    double scale; /* joules of one count */
    uint64_t first;
} event;

/* What read() gives of an event. */
typedef struct counted {
    uint64_t value, enabled_ns, running_ns;
} counted;

typedef struct perf {
    const nz_system *system;
    size_t count;
    event events[MOST_EVENTS];
} perf;

static void perf_close(void *state) {
    perf *p = state;
    for (size_t i = 0; i < p->count; i++) p->system->close(p->system->user, p->events[i].file);
    free(p);
}

static nz_status read_event(counted *ret_counted, const perf *p, const event *e) {
    counted c = {0};
    ssize_t got = p->system->read(p->system->user, e->file, &c, sizeof c);
    if (got != (ssize_t)sizeof c)
        return nz_fail(NZ_E_UNAVAILABLE, "perf: %s cannot be read: %s", e->name,
                       got < 0 ? nz_probe_why((int)-got) : "the CPU it is read from is gone");
    if (c.enabled_ns && !c.running_ns)
        return nz_fail(NZ_E_UNAVAILABLE, "perf: %s has not counted: something else holds the counter", e->name);
    *ret_counted = c;
    return NZ_OK;
}

static nz_status perf_read(void *state, nz_power_reading *ret_reading) {
    const perf *p = state;
    ret_reading->counts = true;
    for (size_t i = 0; i < p->count; i++) {
        const event *e = &p->events[i];
        counted c = {0};
        NZ_TRY(read_event(&c, p, e));
        if (c.value < e->first) return nz_fail(NZ_E_UNAVAILABLE, "perf: %s has run backwards", e->name);
        /* An event that had to share its counter was watched for a part of the time. */
        double share = c.running_ns < c.enabled_ns ? (double)c.enabled_ns / (double)c.running_ns : 1;
        double joules = (double)(c.value - e->first) * e->scale * share;
        if (e->kind->added) ret_reading->joules += joules;
        nz_power_part_add(ret_reading, &(nz_power_part){.added = e->kind->added, .joules = joules}, e->name);
    }
    return NZ_OK;
}

/* A positive number that fills the text. */
static bool number_of(double *ret_value, const char *text) {
    char *end;
    double value = nz_strtod(text, &end);
    if (end == text || *end || !(value > 0) || !isfinite(value)) return false;
    *ret_value = value;
    return true;
}

/* "event=0x02", to which the format "config:0-7" belongs. */
static bool config_of(uint64_t *ret_config, const char *text) {
    char *end;
    if (strncmp(text, "event=", 6) != 0) return false;
    errno = 0;
    unsigned long long value = strtoull(text + 6, &end, 0);
    if (end == text + 6 || *end || errno || text[6] == '-' || value > 255) return false;
    *ret_config = value;
    return true;
}

/* What the files of an event tell; the name of the one that tells nothing useful otherwise, NULL where all do. */
static const char *describe(struct perf_event_attr *attributes, double *ret_scale, const char *sys, const char *name) {
    char text[64];
    uint64_t config;
    if (nz_probe_text(text, sizeof text, sys, PMU "/events/%s", name) || !config_of(&config, text)) return "";
    if (nz_probe_text(text, sizeof text, sys, PMU "/events/%s.scale", name) || !number_of(ret_scale, text))
        return ".scale";
    if (nz_probe_text(text, sizeof text, sys, PMU "/events/%s.unit", name) || strcmp(text, "Joules") != 0)
        return ".unit";
    attributes->config = config;
    return NULL;
}

/* "package-1", "dram (package-1)": by the package of the CPU. */
static void name_event(event *e, const char *sys, unsigned cpu, size_t nth) {
    uint64_t package;
    if (nz_probe_u64(&package, sys, "devices/system/cpu/cpu%u/topology/physical_package_id", cpu) || package > 999)
        package = nth;
    if (e->kind->once)
        snprintf(e->name, sizeof e->name, "%s", e->kind->name);
    else if (e->kind == &kinds[0])
        snprintf(e->name, sizeof e->name, "package-%u", (unsigned)package);
    else
        snprintf(e->name, sizeof e->name, "%s (package-%u)", e->kind->name, (unsigned)package);
}

static nz_status refuse_open(nz_power_info *info, int code, unsigned cpu, const nz_roots *roots) {
    int64_t paranoid = 0;
    if (code != EACCES && code != EPERM)
        return nz_power_refuse(info, "", "the kernel refuses energy-pkg on CPU %u: %s", cpu, strerror(code));
    snprintf(info->lasts, sizeof info->lasts,
             "echo kernel.perf_event_paranoid=0 | sudo tee /etc/sysctl.d/70-netzip.conf, or for this program alone: "
             "sudo setcap cap_perfmon=ep \"$(command -v netzip)\"");
    if (nz_probe_i64(&paranoid, nz_root_proc(roots), "sys/kernel/perf_event_paranoid") == 0 && paranoid <= 0) {
        *info->lasts = '\0';
        return nz_power_refuse(info, "start the container with --cap-add PERFMON",
                               "performance events are refused, although "
                               "kernel.perf_event_paranoid is %d: a container or its system call filter does that",
                               (int)paranoid);
    }
    return nz_power_refuse(info, "sudo sysctl kernel.perf_event_paranoid=0",
                           "the energy events exist, but this user may not count for the whole machine "
                           "(kernel.perf_event_paranoid is %d, and the program has no CAP_PERFMON)",
                           (int)paranoid);
}

/* Opens one kind of event on every CPU of the mask. */
static nz_status open_kind(perf *p, const struct kind *kind, struct perf_event_attr *attributes, double scale,
                           const unsigned *cpus, size_t cpu_count, nz_power_info *info, const nz_roots *roots) {
    for (size_t i = 0; i < (kind->once && cpu_count ? 1 : cpu_count) && p->count < MOST_EVENTS; i++) {
        int file = p->system->perf_open(p->system->user, attributes, -1, (int)cpus[i]);
        if (file < 0 && !kind->added) continue; /* shown where it can be had */
        if (file < 0) return refuse_open(info, -file, cpus[i], roots);
        event *e = &p->events[p->count++];
        *e = (event){.kind = kind, .file = file, .scale = scale};
        name_event(e, nz_root_sys(roots), cpus[i], i);
        counted c = {0};
        if (read_event(&c, p, e) != NZ_OK)
            return nz_power_refuse(info, "", "%.200s", nz_last_error() + strlen("perf: "));
        e->first = c.value;
    }
    return NZ_OK;
}

static nz_status open_events(perf *p, nz_power_info *info, const nz_roots *roots) {
    const char *sys = nz_root_sys(roots);
    struct perf_event_attr attributes = {
        .size = sizeof attributes, .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING};
    uint64_t type;
    char mask[256];
    unsigned cpus[MOST_EVENTS];
    size_t cpu_count = 0;
    if (nz_probe_u64(&type, sys, PMU "/type") || type > UINT32_MAX) {
        nz_hardware hardware;
        nz_hardware_get(&hardware, roots);
        bool x86 = strncmp(hardware.architecture, "x86", 3) == 0, virtual = *hardware.virtualised;
        return nz_power_refuse(info, x86 && !virtual ? "sudo modprobe rapl" : "", "no energy events (%s)",
                               virtual ? "a virtual machine has none"
                               : x86   ? "the kernel's rapl module is not loaded, or the CPU has none"
                                       : "this CPU has none");
    }
    attributes.type = (uint32_t)type;
    if (nz_probe_text(mask, sizeof mask, sys, PMU "/cpumask") || !nz_probe_cpus(cpus, &cpu_count, MOST_EVENTS, mask))
        return nz_power_refuse(info, "", PMU "/cpumask is no list of CPUs");
    for (size_t k = 0; k < NZ_COUNT(kinds); k++) {
        double scale = 0;
        char text[64];
        if (nz_probe_text(text, sizeof text, sys, PMU "/events/%s", kinds[k].event) == ENOENT) continue;
        const char *wrong = describe(&attributes, &scale, sys, kinds[k].event);
        if (wrong && !kinds[k].added) continue;
        if (wrong) return nz_power_refuse(info, "", PMU "/events/%s%s is not understood", kinds[k].event, wrong);
        NZ_TRY(open_kind(p, &kinds[k], &attributes, scale, cpus, cpu_count, info, roots));
    }
    bool package = p->count && p->events[0].kind == &kinds[0];
    return package ? NZ_OK : nz_power_refuse(info, "", "the CPU's energy events have none of a package");
}

static nz_status perf_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    perf *p = NULL;
    NZ_TRY(nz_alloc(&p, 1, sizeof *p));
    p->system = nz_root_system(roots);
    nz_status status = open_events(p, info, roots);
    if (status != NZ_OK) {
        perf_close(p);
        return status;
    }
    size_t at = 0;
    for (size_t i = 0; i < p->count && at < sizeof info->detail; i++)
        if (p->events[i].kind->added)
            at += (size_t)snprintf(info->detail + at, sizeof info->detail - at, "%s%s", at ? " + " : "",
                                   p->events[i].name);
    *ret_state = p;
    return NZ_OK;
}

const nz_power_source nz_power_perf = {
    .name = "perf",
    .title = "CPU energy counters (RAPL through performance events)",
    .scope = "CPU packages and DRAM",
    .automatic = true,
    .open = perf_open,
    .read = perf_read,
    .close = perf_close,
};
