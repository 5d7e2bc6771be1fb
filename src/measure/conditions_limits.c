/* SPDX-License-Identifier: Apache-2.0 */
/* What other processes and the control groups leave of the machine. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/locale.h"
#include "core/memory.h"
#include "measure/conditions.h"
#include "measure/probe.h"

enum { MOST_PATH = 512 };

bool nz_pressure_total(uint64_t *ret_us, const char *text) {
    if (strncmp(text, "some ", 5) != 0) return false;
    const char *end = text + strcspn(text, "\n"), *total = strstr(text, " total=");
    if (!total || total >= end || !isdigit((unsigned char)total[7])) return false;
    *ret_us = strtoull(total + 7, NULL, 10);
    return true;
}

/* ---- control groups ---- */

/* Whether "cpu" is one of the names by commas in [begin, end). */
static bool names_cpu(const char *begin, const char *end) {
    for (const char *p = begin; p < end; p += strcspn(p, ",:") + 1)
        if (end - p >= 3 && memcmp(p, "cpu", 3) == 0 && (p + 3 == end || p[3] == ',')) return true;
    return false;
}

/* Lines are "0::/path" of version 2 and "4:cpu,cpuacct:/path" of version 1. */
bool nz_cgroup_path(char *ret_path, size_t size, const char *text, bool unified) {
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        size_t whole = strcspn(line, "\n");
        const char *names = memchr(line, ':', whole);
        const char *path = names ? memchr(names + 1, ':', whole - (size_t)(names + 1 - line)) : NULL;
        if (!path) continue;
        bool version2 = names == line + 1 && *line == '0' && path == names + 1;
        if (unified ? !version2 : !names_cpu(names + 1, path)) continue;
        size_t length = whole - (size_t)(++path - line);
        while (length && path[length - 1] == '/') length--;
        if (length >= size || (length && *path != '/')) return false;
        for (size_t i = 0; i + 1 < length; i++)
            if (path[i] == '.' && path[i + 1] == '.') return false;
        memcpy(ret_path, path, length);
        ret_path[length] = '\0';
        return true;
    }
    return false;
}

static double quota(double granted, double period) {
    double cpus = granted / period;
    return granted > 0 && period > 0 && cpus < NZ_CPUS_MOST ? cpus : NAN;
}

double nz_cgroup_quota(const char *text) {
    char *end;
    if (!isdigit((unsigned char)*text)) return NAN; /* "max" */
    double granted = (double)strtoull(text, &end, 10);
    return *end == ' ' && isdigit((unsigned char)end[1]) ? quota(granted, (double)strtoull(end + 1, NULL, 10)) : NAN;
}

static void add_held_back(nz_conditions *c, const char *stat, const char *key, double unit_s) {
    bool has_time, has_count;
    uint64_t time = nz_probe_field(stat, key, &has_time), count = nz_probe_field(stat, "nr_throttled", &has_count);
    if (!has_time) return;
    c->held_back_s = (isnan(c->held_back_s) ? 0 : c->held_back_s) + (double)time * unit_s;
    if (has_count) c->held_back += count;
}

/* One group: its own limit, and for how long that limit has held its processes back. */
static void read_group(nz_conditions *c, const char *sys, const char *mount, const char *path, bool unified) {
    char text[64];
    uint64_t granted, period;
    if (unified && nz_probe_text(text, sizeof text, sys, "%s%s/cpu.max", mount, path) == 0)
        c->quota_cpus = fmin(c->quota_cpus, nz_cgroup_quota(text));
    if (!unified && nz_probe_u64(&granted, sys, "%s%s/cpu.cfs_quota_us", mount, path) == 0 &&
        nz_probe_u64(&period, sys, "%s%s/cpu.cfs_period_us", mount, path) == 0)
        c->quota_cpus = fmin(c->quota_cpus, quota((double)granted, (double)period));
    NZ_AUTO_FREE char *stat = nz_probe_file(sys, "%s%s/cpu.stat", mount, path);
    if (stat) add_held_back(c, stat, unified ? "throttled_usec" : "throttled_time", unified ? 1e-6 : 1e-9);
}

/* A limit of any group above holds as well. In a container the path may be one of the host's, of which nothing is seen here but
 * the top, which is then the container's own. */
static void read_groups(nz_conditions *c, const char *sys, const char *mount, char path[MOST_PATH], bool unified) {
    for (;;) {
        read_group(c, sys, mount, path, unified);
        char *slash = strrchr(path, '/');
        if (!slash) return;
        *slash = '\0';
    }
}

static void read_quota(nz_conditions *c, const nz_roots *roots) {
    static const struct {
        const char *mount;
        bool unified;
    } places[] = {
        {"fs/cgroup", true}, {"fs/cgroup/unified", true}, {"fs/cgroup/cpu,cpuacct", false}, {"fs/cgroup/cpu", false}};
    const char *sys = nz_root_sys(roots);
    NZ_AUTO_FREE char *groups = nz_probe_file(nz_root_proc(roots), "self/cgroup");
    for (size_t i = 0; i < NZ_COUNT(places) && isnan(c->held_back_s); i++) {
        char path[MOST_PATH];
        if (!groups || !nz_cgroup_path(path, sizeof path, groups, places[i].unified)) *path = '\0';
        read_groups(c, sys, places[i].mount, path, places[i].unified);
    }
}

/* ---- other processes ---- */

/* "0.05 1.05 1.99 3/104 29596"; the one that asks is among those that run. */
static void read_load(nz_conditions *c, const char *proc) {
    char text[128], *end;
    if (nz_probe_text(text, sizeof text, proc, "loadavg") != 0 || !isdigit((unsigned char)*text)) return;
    double load = nz_strtod(text, &end);
    if (load >= 0 && load < 1e6) c->load1 = load;
    const char *slash = strchr(text, '/');
    if (!slash) return;
    while (slash > text && isdigit((unsigned char)slash[-1])) slash--;
    unsigned long running = strtoul(slash, &end, 10);
    if (*end == '/' && end != slash && running < 1000000) c->runnable = running ? (int)running - 1 : 0;
}

void nz_conditions_limits(nz_conditions *c, const nz_roots *roots) {
    const char *proc = nz_root_proc(roots);
    char text[256];
    uint64_t us;
    read_quota(c, roots);
    read_load(c, proc);
    if (nz_probe_text(text, sizeof text, proc, "pressure/cpu") == 0 && nz_pressure_total(&us, text))
        c->pressure_s = (double)us * 1e-6;
    NZ_AUTO_FREE char *vm = nz_probe_file(proc, "vmstat");
    bool has_in = false, has_out = false;
    uint64_t in = vm ? nz_probe_field(vm, "pswpin", &has_in) : 0,
             out = vm ? nz_probe_field(vm, "pswpout", &has_out) : 0;
    c->has_swapped = has_in && has_out;
    if (c->has_swapped) c->swapped_pages = in + out;
}
