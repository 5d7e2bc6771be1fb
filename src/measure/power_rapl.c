/* SPDX-License-Identifier: Apache-2.0 */
/* Energy counters of the CPU through powercap. The machine's figure is the sum of its packages and their DRAM; core and
 * uncore lie inside the package and psys around it, so these are shown and never added. */
#include <errno.h>
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

enum { MOST_ZONES = 64 };

/* No package or memory draws more; where a zone's own limits say more, twice those. */
static const double most_watts = 1000;
/* What may arrive between two readings beyond most_watts x time: a step that the counter was late with. */
static const double late_joules = 100;

typedef struct zone {
    char folder[128], kind[64], name[32]; /* kind: as the kernel calls it; name: with its package */
    bool added;
    uint64_t last, range; /* microjoules; range: the counter's highest value, from which it goes on at 0 */
    uint64_t last_ns;
    double joules, watts_most;
} zone;

typedef struct rapl {
    char *sys;
    const nz_system *system;
    unsigned breaks;
    size_t count;
    zone zones[MOST_ZONES];
} rapl;

static void rapl_close(void *state) {
    rapl *r = state;
    free(r->sys);
    free(r);
}

/* Time in which a zone cannot come round to where it was. */
static double once_round_s(const zone *z) { return z->range ? (double)z->range * 1e-6 / z->watts_most : INFINITY; }

/* A reading that comes too late may have missed a wrap, and one that is further on than the zone can have drawn was set back
 * (suspend does that) or is wrong: neither gives a difference, so the count goes on from here and the break is told. */
static nz_status read_zone(rapl *r, zone *z) {
    uint64_t now;
    int code = nz_probe_u64(&now, r->sys, "class/powercap/%s/energy_uj", z->folder);
    if (code)
        return nz_fail(NZ_E_UNAVAILABLE, "rapl: %s (%s) cannot be read: %s", z->folder, z->name, nz_probe_why(code));
    uint64_t now_ns = r->system->clock_ns(r->system->user);
    double seconds = (double)(now_ns - z->last_ns) * 1e-9;
    uint64_t delta = now >= z->last ? now - z->last : now + (z->range > z->last ? z->range - z->last : 0);
    bool wrapped_blindly = now < z->last && !z->range;
    if (wrapped_blindly || seconds > once_round_s(z) || (double)delta * 1e-6 > z->watts_most * seconds + late_joules)
        r->breaks++;
    else
        z->joules += (double)delta * 1e-6;
    z->last = now;
    z->last_ns = now_ns;
    return NZ_OK;
}

static nz_status rapl_read(void *state, nz_power_reading *ret_reading) {
    rapl *r = state;
    ret_reading->counts = true;
    for (size_t i = 0; i < r->count; i++) {
        zone *z = &r->zones[i];
        NZ_TRY(read_zone(r, z));
        if (z->added) ret_reading->joules += z->joules;
        nz_power_part_add(ret_reading, &(nz_power_part){.added = z->added, .joules = z->joules}, z->name);
    }
    ret_reading->breaks = r->breaks;
    return NZ_OK;
}

/* A zone below another ("intel-rapl:1:0") is told apart by its package: "core (package-1)". */
static void name_zone(zone *z, const rapl *r) {
    const char *tail = strrchr(z->folder, ':'), *package = NULL;
    size_t head = tail ? (size_t)(tail - z->folder) : 0;
    char name[sizeof z->name];
    for (size_t i = 0; i < r->count && !package; i++)
        if (strlen(r->zones[i].folder) == head && strncmp(r->zones[i].folder, z->folder, head) == 0)
            package = r->zones[i].kind;
    if (package)
        snprintf(name, sizeof name, "%.12s (%.16s)", z->kind, package);
    else
        snprintf(name, sizeof name, "%.31s", z->kind);
    memcpy(z->name, name, sizeof name);
}

static bool is_term(const zone *z) { return strncmp(z->kind, "package", 7) == 0 || strcmp(z->kind, "dram") == 0; }

/* Whether a zone is a term of the sum. The same package may be shown a second time by another driver. */
static bool is_added(const zone *z, const rapl *r) {
    if (!is_term(z)) return false;
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->zones[i].name, z->name) == 0) return false;
    return true;
}

static void find_limits(zone *z, const char *sys) {
    uint64_t microwatts;
    z->watts_most = most_watts;
    if (nz_probe_u64(&z->range, sys, "class/powercap/%s/max_energy_range_uj", z->folder)) z->range = 0;
    for (int i = 0; i < 3; i++) {
        if (nz_probe_u64(&microwatts, sys, "class/powercap/%s/constraint_%d_power_limit_uw", z->folder, i) == 0 &&
            microwatts < 100000000000)
            z->watts_most = fmax(z->watts_most, 2e-6 * (double)microwatts);
    }
}

/* What was met while zones were looked for. */
typedef struct search {
    bool listed; /* there is such a folder */
    size_t seen, refused,
        hidden; /* zones in all; not readable for this user; names without files: masked by a container */
    int broken; /* why a counter's text is none */
    bool lost;  /* one that belongs to the sum cannot be read: what is left would be a part of the machine */
    char broken_name[64];
} search;

static void find_zones(rapl *r, search *s, const char *prefix) {
    nz_probe_names names = {0};
    s->listed = nz_probe_list(&names, prefix, r->sys, "class/powercap") == 0;
    for (size_t i = 0; i < names.count && r->count < MOST_ZONES; i++) {
        zone *z = &r->zones[r->count];
        *z = (zone){0};
        if (strlen(names.items[i]) >= sizeof z->folder) continue;
        snprintf(z->folder, sizeof z->folder, "%.127s", names.items[i]);
        s->seen++;
        if (nz_probe_text(z->kind, sizeof z->kind, r->sys, "class/powercap/%s/name", z->folder)) {
            s->hidden++;
            continue;
        }
        int code = nz_probe_u64(&z->last, r->sys, "class/powercap/%s/energy_uj", z->folder);
        if (code == EACCES || code == EPERM)
            s->refused++;
        else if (code && (is_term(z) || code == EINVAL || code == EISDIR)) {
            s->broken = code;
            s->lost = s->lost || is_term(z);
            snprintf(s->broken_name, sizeof s->broken_name, "%.63s", z->folder);
        }
        if (code) continue;
        find_limits(z, r->sys);
        z->last_ns = r->system->clock_ns(r->system->user);
        name_zone(z, r);
        z->added = is_added(z, r);
        r->count++;
    }
    nz_probe_names_free(&names);
}

static nz_status refuse(const search *s, nz_power_info *info, const nz_roots *roots) {
    nz_hardware hardware;
    if (s->refused) {
        snprintf(
            info->lasts, sizeof info->lasts,
            "echo 'SUBSYSTEM==\"powercap\", KERNEL==\"intel-rapl:*\", RUN+=\"/bin/chmod a+r /sys%%p/energy_uj\"' | "
            "sudo tee /etc/udev/rules.d/70-netzip-rapl.rules");
        return nz_power_refuse(info, "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
                               "the energy counters exist, but this user may not read them");
    }
    if (s->broken)
        return nz_power_refuse(info, "", "class/powercap/%s/energy_uj cannot be read: %s", s->broken_name,
                               nz_probe_why(s->broken));
    if (s->hidden)
        return nz_power_refuse(info,
                               "start the container with --security-opt systempaths=unconfined (docker) or "
                               "--security-opt unmask=/sys/devices/virtual/powercap (podman)",
                               "the machine has energy counters, but this container hides them");
    nz_hardware_get(&hardware, roots);
    if (*hardware.virtualised)
        return nz_power_refuse(info, "measure on the host, or by a meter in its supply line (netzip energy LOG)",
                               "no energy counters: this is a virtual machine (%.80s)", hardware.virtualised);
    if (strncmp(hardware.architecture, "x86", 3) != 0 && hardware.architecture[0])
        return nz_power_refuse(info, "", "no energy counters: a CPU of the kind %.60s has no RAPL",
                               hardware.architecture);
    if (!s->listed || !s->seen)
        return nz_power_refuse(info, "sudo modprobe intel_rapl_msr",
                               "no energy counters in class/powercap (the driver, which serves AMD's CPUs too, is not "
                               "loaded, or the CPU is older than 2011)");
    return nz_power_refuse(info, "", "no zone is a package or DRAM");
}

static void tell(const rapl *r, nz_power_info *info) {
    size_t at = 0;
    for (size_t i = 0; i < r->count; i++) {
        const zone *z = &r->zones[i];
        if (!z->added) continue;
        info->longest_s = fmin(info->longest_s, once_round_s(z));
        if (at < sizeof info->detail)
            at += (size_t)snprintf(info->detail + at, sizeof info->detail - at, "%s%s", at ? " + " : "", z->name);
    }
    /* Four readings in the time in which the fastest counter comes round. */
    info->interval_ms = fmax(1, fmin(info->interval_ms, info->longest_s * 1000 / 4));
    if (isfinite(info->longest_s) && at < sizeof info->detail)
        nz_snprintf(info->detail + at, sizeof info->detail - at,
                    "; read at least every %.3g s, since a counter may come round", info->longest_s);
}

static nz_status rapl_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    rapl *r = NULL;
    NZ_TRY(nz_alloc(&r, 1, sizeof *r));
    r->system = nz_root_system(roots);
    nz_status status = nz_strdup(&r->sys, nz_root_sys(roots));
    if (status == NZ_OK) {
        search found = {0};
        /* "intel-rapl-mmio:" shows the same packages a second time, hence the colon. AMD's counters carry this name too. */
        find_zones(r, &found, "intel-rapl:");
        if (!found.seen) find_zones(r, &found, "intel-rapl-mmio:");
        bool any = false;
        for (size_t i = 0; i < r->count; i++) any = any || r->zones[i].added;
        if (found.refused || found.lost || !any) status = refuse(&found, info, roots);
    }
    if (status != NZ_OK) {
        rapl_close(r);
        return status;
    }
    tell(r, info);
    *ret_state = r;
    return NZ_OK;
}

const nz_power_source nz_power_rapl = {
    .name = "rapl",
    .title = "CPU energy counters (RAPL through powercap)",
    .scope = "CPU packages and DRAM",
    .automatic = true,
    .open = rapl_open,
    .read = rapl_read,
    .close = rapl_close,
};
