/* SPDX-License-Identifier: Apache-2.0 */
/* Temperatures, and what lowers the clock for heat or for lack of power. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "measure/conditions.h"
#include "measure/probe.h"

enum { MOST_UNITS = 256, MOST_TEMPERATURES = 128 };
static const double least_c = -60, most_c = 200;

static bool begins_with(const char *text, const char *const *prefixes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

/* ---- temperatures ---- */

static void take_millidegrees(nz_conditions *c, int64_t value) {
    double degrees = (double)value / 1000;
    if (degrees >= least_c && degrees <= most_c) c->temperature_c = fmax(c->temperature_c, degrees);
}

/* Zones that are neither CPU nor board, and the one whose temperature is a constant. */
static const char *const other_zones[] = {"iwlwifi", "BAT",   "bat",     "nvme", "INT3400",
                                          "wifi",    "modem", "charger", "gpu"};

static void read_zones(nz_conditions *c, const char *sys) {
    nz_probe_names zones = {0};
    if (nz_probe_list(&zones, "thermal_zone", sys, "class/thermal") != 0) return;
    for (size_t i = 0; i < zones.count; i++) {
        char type[64] = "";
        int64_t value;
        if (nz_probe_text(type, sizeof type, sys, "class/thermal/%s/type", zones.items[i]) != 0) *type = '\0';
        if (begins_with(type, other_zones, NZ_COUNT(other_zones))) continue;
        if (nz_probe_i64(&value, sys, "class/thermal/%s/temp", zones.items[i]) == 0) take_millidegrees(c, value);
    }
    nz_probe_names_free(&zones);
}

static const char *const cpu_chips[] = {"coretemp", "k10temp", "zenpower", "cpu_thermal", "cputemp", "soc_thermal"};

static void read_chip(nz_conditions *c, const char *sys, const char *chip) {
    char folder[300], name[64];
    nz_probe_names files = {0};
    if (nz_probe_text(name, sizeof name, sys, "class/hwmon/%s/name", chip) != 0) return;
    if (strcmp(name, "rpi_volt") == 0) {
        uint64_t low;
        if (nz_probe_u64(&low, sys, "class/hwmon/%s/in0_lcrit_alarm", chip) == 0)
            c->held = (c->held < 0 ? 0 : c->held) | (low ? NZ_HELD_UNDER_VOLTAGE : 0);
    }
    if (!begins_with(name, cpu_chips, NZ_COUNT(cpu_chips))) return;
    snprintf(folder, sizeof folder, "class/hwmon/%.255s", chip);
    if (nz_probe_list(&files, "temp", sys, folder) != 0) return;
    for (size_t i = 0; i < files.count && i < MOST_TEMPERATURES; i++) {
        int64_t value;
        const char *end = strstr(files.items[i], "_input");
        if (end && !end[6] && nz_probe_i64(&value, sys, "%s/%s", folder, files.items[i]) == 0)
            take_millidegrees(c, value);
    }
    nz_probe_names_free(&files);
}

static void read_chips(nz_conditions *c, const char *sys) {
    nz_probe_names chips = {0};
    if (nz_probe_list(&chips, "hwmon", sys, "class/hwmon") != 0) return;
    for (size_t i = 0; i < chips.count; i++) read_chip(c, sys, chips.items[i]);
    nz_probe_names_free(&chips);
}

/* ---- throttling ---- */

/* CPUs of one core or package tell the same count: the highest is the unit's. */
typedef struct units {
    size_t count;
    uint64_t ids[MOST_UNITS], events[MOST_UNITS];
} units;

static void note_unit(units *u, uint64_t id, uint64_t events) {
    size_t i = 0;
    while (i < u->count && u->ids[i] != id) i++;
    if (i == MOST_UNITS) return;
    if (i == u->count) u->ids[u->count++] = id, u->events[i] = 0;
    if (events > u->events[i]) u->events[i] = events;
}

static uint64_t id_of(const char *sys, size_t cpu, const char *file, uint64_t otherwise) {
    uint64_t id;
    return nz_probe_u64(&id, sys, "devices/system/cpu/cpu%zu/topology/%s", cpu, file) == 0 ? id & UINT32_MAX
                                                                                           : otherwise;
}

static void read_counters(nz_conditions *c, const char *sys, const nz_cpu_bits *cpus) {
    units cores = {0}, packages = {0};
    for (size_t cpu = 0; cpu < NZ_CPUS_MOST; cpu++) {
        uint64_t events;
        if (!nz_cpu_bits_has(cpus, cpu)) continue;
        bool has_core =
            nz_probe_u64(&events, sys, "devices/system/cpu/cpu%zu/thermal_throttle/core_throttle_count", cpu) == 0;
        uint64_t package = id_of(sys, cpu, "physical_package_id", 0);
        if (has_core) note_unit(&cores, package << 32 | id_of(sys, cpu, "core_id", cpu), events);
        if (nz_probe_u64(&events, sys, "devices/system/cpu/cpu%zu/thermal_throttle/package_throttle_count", cpu) == 0)
            note_unit(&packages, package, events);
        else if (!has_core)
            break; /* a machine whose first CPU does not count has none that does */
    }
    c->has_throttled = cores.count + packages.count > 0;
    for (size_t i = 0; i < cores.count; i++) c->throttled += cores.events[i];
    for (size_t i = 0; i < packages.count; i++) c->throttled += packages.events[i];
}

/* What the kernel uses to cool a CPU by lowering its clock; a state above 0 means that it does so now. */
static const char *const cpu_coolers[] = {"cpufreq", "thermal-cpufreq", "Processor"};

static void read_coolers(nz_conditions *c, const char *sys) {
    nz_probe_names devices = {0};
    if (nz_probe_list(&devices, "cooling_device", sys, "class/thermal") != 0) return;
    for (size_t i = 0; i < devices.count; i++) {
        char type[64];
        int64_t state;
        if (nz_probe_text(type, sizeof type, sys, "class/thermal/%s/type", devices.items[i]) != 0) continue;
        if (!begins_with(type, cpu_coolers, NZ_COUNT(cpu_coolers))) continue;
        if (nz_probe_i64(&state, sys, "class/thermal/%s/cur_state", devices.items[i]) != 0) continue;
        c->held = (c->held < 0 ? 0 : c->held) | (state > 0 ? NZ_HELD_CAPPED : 0);
    }
    nz_probe_names_free(&devices);
}

/* A Raspberry Pi's firmware: four bits of what holds now, and sixteen further up of what has held since it was started. */
static void take_firmware(nz_conditions *c, const char *text) {
    char *end;
    unsigned long bits = strtoul(text, &end, 16);
    if (end == text || *end || bits > 0xfffff) return;
    c->held = (c->held < 0 ? 0 : c->held) | (int)(bits & 15);
    c->held_since_boot = (int)(bits >> 16 & 15);
}

static void read_firmware(nz_conditions *c, const char *sys) {
    nz_probe_names socs = {0};
    if (nz_probe_list(&socs, "soc", sys, "devices/platform") != 0) return;
    for (size_t i = 0; i < socs.count; i++) {
        char folder[300], text[32];
        nz_probe_names parts = {0};
        snprintf(folder, sizeof folder, "devices/platform/%.255s", socs.items[i]);
        if (nz_probe_list(&parts, "soc", sys, folder) != 0) continue;
        for (size_t k = 0; k < parts.count; k++)
            if (strstr(parts.items[k], ":firmware") &&
                nz_probe_text(text, sizeof text, sys, "%s/%s/get_throttled", folder, parts.items[k]) == 0)
                take_firmware(c, text);
        nz_probe_names_free(&parts);
    }
    nz_probe_names_free(&socs);
}

void nz_conditions_heat(nz_conditions *c, const nz_roots *roots, const nz_cpu_bits *cpus) {
    const char *sys = nz_root_sys(roots);
    read_zones(c, sys);
    read_chips(c, sys);
    read_counters(c, sys, cpus);
    read_coolers(c, sys);
    read_firmware(c, sys);
}
