/* SPDX-License-Identifier: Apache-2.0 */
/* Energy counters of the CPU through powercap. The machine's figure is the sum of its packages and their DRAM; core and
 * uncore lie inside the package and psys around it, so these are shown and never added. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/power.h"
#include "measure/probe.h"

enum { MOST_ZONES = 64 };

typedef struct zone {
    char folder[128], name[64];
    bool added;
    uint64_t last, range; /* microjoules; range: the counter's highest value, from which it goes on at 0 */
    double joules;
} zone;

typedef struct rapl {
    char *sys;
    size_t count;
    zone zones[MOST_ZONES];
} rapl;

static void rapl_close(void *state) {
    rapl *r = state;
    free(r->sys);
    free(r);
}

static nz_status read_zone(rapl *r, zone *z) {
    uint64_t now;
    int code = nz_probe_u64(&now, r->sys, "class/powercap/%s/energy_uj", z->folder);
    if (code) return nz_fail(NZ_E_UNAVAILABLE, "rapl: %s (%s) cannot be read: %s", z->folder, z->name, strerror(code));
    uint64_t delta = now >= z->last ? now - z->last : now + (z->range > z->last ? z->range - z->last : 0);
    z->joules += (double)delta * 1e-6;
    z->last = now;
    return NZ_OK;
}

static nz_status rapl_read(void *state, nz_power_reading *ret_reading) {
    rapl *r = state;
    ret_reading->counts = true;
    for (size_t i = 0; i < r->count; i++) {
        zone *z = &r->zones[i];
        NZ_TRY(read_zone(r, z));
        if (z->added) ret_reading->joules += z->joules;
        if (z->added || ret_reading->part_count >= NZ_POWER_PARTS) continue;
        nz_power_part *part = &ret_reading->parts[ret_reading->part_count++];
        snprintf(part->name, sizeof part->name, "%.31s", z->name);
        part->joules = z->joules;
    }
    return NZ_OK;
}

/* A zone below another ("intel-rapl:1:0") is told apart by its package: "core (package-1)". */
static void name_zone(zone *z, const char *name, const rapl *r) {
    size_t head = strlen(z->folder);
    const char *tail = strrchr(z->folder, ':');
    if (tail) head = (size_t)(tail - z->folder);
    for (size_t i = 0; i < r->count; i++) {
        if (strlen(r->zones[i].folder) != head || strncmp(r->zones[i].folder, z->folder, head) != 0) continue;
        char package[25];
        memcpy(package, r->zones[i].name, sizeof package - 1);
        package[sizeof package - 1] = '\0';
        snprintf(z->name, sizeof z->name, "%.24s (%s)", name, package);
        return;
    }
    snprintf(z->name, sizeof z->name, "%.63s", name);
}

static nz_status find_zones(rapl *r, nz_power_info *info) {
    nz_probe_names names = {0};
    /* "intel-rapl-mmio:" shows the same packages a second time, hence the colon. AMD's counters carry this name too. */
    int code = nz_probe_list(&names, "intel-rapl:", r->sys, "class/powercap");
    int refused = 0;
    size_t added = 0;
    for (size_t i = 0; i < names.count && r->count < MOST_ZONES; i++) {
        zone *z = &r->zones[r->count];
        char name[64];
        if (strlen(names.items[i]) >= sizeof z->folder) continue;
        snprintf(z->folder, sizeof z->folder, "%.127s", names.items[i]);
        if (nz_probe_text(name, sizeof name, r->sys, "class/powercap/%s/name", z->folder)) continue;
        int unreadable = nz_probe_u64(&z->last, r->sys, "class/powercap/%s/energy_uj", z->folder);
        if (unreadable == EACCES || unreadable == EPERM) refused++;
        if (unreadable) continue;
        z->range = 0;
        if (nz_probe_u64(&z->range, r->sys, "class/powercap/%s/max_energy_range_uj", z->folder)) z->range = 0;
        z->added = strncmp(name, "package", 7) == 0 || strcmp(name, "dram") == 0;
        name_zone(z, name, r);
        added += z->added;
        r->count++;
    }
    nz_probe_names_free(&names);
    if (refused)
        return nz_power_refuse(info, "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
                               "the energy counters exist, but this user may not read them");
    if (added) return NZ_OK;
    if (code)
        return nz_power_refuse(info, "", "no energy counters (a virtual machine, or a CPU or kernel without RAPL)");
    if (!r->count) return nz_power_refuse(info, "sudo modprobe intel_rapl_msr", "no energy counters in class/powercap");
    return nz_power_refuse(info, "", "no zone is a package or DRAM");
}

static nz_status rapl_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    rapl *r = NULL;
    NZ_TRY(nz_alloc(&r, 1, sizeof *r));
    nz_status status = nz_strdup(&r->sys, nz_root_sys(roots));
    if (status == NZ_OK) status = find_zones(r, info);
    if (status != NZ_OK) {
        rapl_close(r);
        return status;
    }
    size_t at = 0;
    for (size_t i = 0; i < r->count && at < sizeof info->detail; i++)
        if (r->zones[i].added)
            at += (size_t)snprintf(info->detail + at, sizeof info->detail - at, "%s%s", at ? " + " : "",
                                   r->zones[i].name);
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
