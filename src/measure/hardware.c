/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/locale.h"
#include "core/memory.h"
#include "core/threads.h"
#include "measure/hardware_arm.h"
#include "measure/probe.h"

/* What decides which kernels a CPU can use: names as in /proc/cpuinfo (x86 "flags", Arm "Features"). */
static const char *const isa_names[] = {
    "sse4_2",      "avx",      "avx2",        "fma",         "f16c",     "avx512f",  "avx512bw", "avx512vl",
    "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd",
    "asimdhp",     "asimddp",  "i8mm",        "bf16",        "sve",      "sve2",
};

/* The text after "key<blanks>:" at the start of the first line that has it; "" where there is none. */
static void info_field(char *ret, size_t size, const char *info, const char *key) {
    size_t length = strlen(key);
    ret[0] = '\0';
    for (const char *line = info; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, key, length) != 0) continue;
        const char *p = line + length + strspn(line + length, " \t");
        if (*p != ':') continue;
        p += 1 + strspn(p + 1, " \t");
        snprintf(ret, size, "%.*s", (int)strcspn(p, "\n"), p);
        return;
    }
}

static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += length)
        if ((p == list || p[-1] == ' ') && (p[length] == ' ' || !p[length])) return true;
    return false;
}

/* "Cortex-A72 (Raspberry Pi 4 Model B Rev 1.4)": the cores, and the board that they are on. */
static void read_arm_model(nz_hardware *hardware, const char *info, const char *proc) {
    char cores[96], board[96];
    nz_arm_cores(cores, sizeof cores, info);
    info_field(board, sizeof board, info, "Model");
    if (!*board && nz_probe_text(board, sizeof board, proc, "device-tree/model")) board[0] = '\0';
    snprintf(hardware->cpu_model, sizeof hardware->cpu_model, *cores && *board ? "%.60s (%.60s)" : "%.60s%.60s", cores,
             board);
}

static void read_isa(nz_hardware *hardware, const char *flags) {
    size_t at = 0;
    for (size_t i = 0; i < NZ_COUNT(isa_names); i++)
        if (has_word(flags, isa_names[i]) && at < sizeof hardware->isa)
            at += (size_t)snprintf(hardware->isa + at, sizeof hardware->isa - at, "%s%s", at ? " " : "", isa_names[i]);
}

/* Sockets are the different "physical id"s (below 64 of them); "cpu cores" counts the cores of one. */
static void read_topology(nz_hardware *hardware, const char *info) {
    char cores[32];
    uint64_t seen = 0;
    for (const char *p = info; (p = strstr(p, "physical id")); p += 11) {
        const char *colon = p + strcspn(p, ":\n");
        long id = *colon == ':' ? strtol(colon + 1, NULL, 10) : -1;
        if (id >= 0 && id < 64) seen |= (uint64_t)1 << id;
    }
    hardware->sockets = __builtin_popcountll(seen);
    info_field(cores, sizeof cores, info, "cpu cores");
    long each = strtol(cores, NULL, 10);
    if (each > 0 && each < 4096) hardware->cores = (int)each * (hardware->sockets ? hardware->sockets : 1);
}

static void read_caches(nz_hardware *hardware, const char *sys) {
    for (int i = 0; i < 8; i++) {
        char type[32], text[32], *unit;
        uint64_t level;
        const char *folder = "devices/system/cpu/cpu0/cache/index";
        if (nz_probe_u64(&level, sys, "%s%d/level", folder, i) ||
            nz_probe_text(type, sizeof type, sys, "%s%d/type", folder, i) ||
            nz_probe_text(text, sizeof text, sys, "%s%d/size", folder, i))
            continue;
        uint64_t bytes = strtoull(text, &unit, 10);
        if (bytes > 1u << 30) continue;
        bytes <<= *unit == 'K' ? 10 : *unit == 'M' ? 20 : 0;
        if (level == 1 && strcmp(type, "Instruction") != 0) hardware->l1d_bytes = bytes;
        if (level == 2) hardware->l2_bytes = bytes;
        if (level == 3) hardware->l3_bytes = bytes;
    }
}

static void read_frequency(nz_hardware *hardware, const char *sys, const char *info) {
    uint64_t khz;
    char text[32];
    const char *folder = "devices/system/cpu/cpu0/cpufreq";
    hardware->mhz = hardware->mhz_max = NAN;
    if (nz_probe_u64(&khz, sys, "%s/scaling_cur_freq", folder) == 0) hardware->mhz = (double)khz / 1000;
    if (nz_probe_u64(&khz, sys, "%s/cpuinfo_max_freq", folder) == 0) hardware->mhz_max = (double)khz / 1000;
    if (isnan(hardware->mhz)) {
        info_field(text, sizeof text, info, "cpu MHz");
        if (*text) hardware->mhz = nz_strtod(text, NULL);
    }
    if (nz_probe_text(hardware->governor, sizeof hardware->governor, sys, "%s/scaling_governor", folder))
        hardware->governor[0] = '\0';
}

static void read_virtualised(nz_hardware *hardware, const char *sys, const char *flags) {
    char vendor[64] = "", product[64] = "";
    bool guest = has_word(flags, "hypervisor");
    if (nz_probe_text(vendor, sizeof vendor, sys, "class/dmi/id/sys_vendor")) vendor[0] = '\0';
    if (nz_probe_text(product, sizeof product, sys, "class/dmi/id/product_name")) product[0] = '\0';
    /* Arm has no such flag; these vendors make nothing but virtual machines. */
    guest = guest || strcmp(vendor, "QEMU") == 0 || strstr(vendor, "VMware") || strstr(product, "KVM");
    if (!guest) return;
    snprintf(hardware->virtualised, sizeof hardware->virtualised, "%s%s%s", vendor, *vendor && *product ? " " : "",
             product);
    if (!*hardware->virtualised) snprintf(hardware->virtualised, sizeof hardware->virtualised, "hypervisor");
}

static void read_memory(nz_hardware *hardware, const nz_roots *roots) {
    nz_memory_machine memory;
    uint64_t limit;
    if (nz_memory_machine_get(&memory, roots) == NZ_OK) hardware->memory_bytes = memory.total_bytes;
    const char *sys = nz_root_sys(roots);
    if (nz_probe_u64(&limit, sys, "fs/cgroup/memory.max") != 0 &&
        nz_probe_u64(&limit, sys, "fs/cgroup/memory/memory.limit_in_bytes") != 0)
        return;
    if (limit < hardware->memory_bytes)
        hardware->memory_limit_bytes = limit; /* version 1 says "none" by a huge number */
}

void nz_hardware_get(nz_hardware *ret_hardware, const nz_roots *roots) {
    nz_hardware hardware = {.load1 = NAN};
    NZ_AUTO_FREE char *info = nz_probe_file(nz_root_proc(roots), "cpuinfo");
    const char *text = info ? info : "";
    char flags[4096], load[64];
    struct utsname names;

    info_field(hardware.cpu_model, sizeof hardware.cpu_model, text, "model name");
    if (!*hardware.cpu_model) read_arm_model(&hardware, text, nz_root_proc(roots));
    info_field(flags, sizeof flags, text, "flags");
    if (!*flags) info_field(flags, sizeof flags, text, "Features");
    read_isa(&hardware, flags);
    read_topology(&hardware, text);
    read_caches(&hardware, nz_root_sys(roots));
    read_frequency(&hardware, nz_root_sys(roots), text);
    read_virtualised(&hardware, nz_root_sys(roots), flags);
    read_memory(&hardware, roots);
    if (nz_probe_text(load, sizeof load, nz_root_proc(roots), "loadavg") == 0 && isdigit((unsigned char)*load))
        hardware.load1 = nz_strtod(load, NULL);
    if (uname(&names) == 0) {
        snprintf(hardware.architecture, sizeof hardware.architecture, "%.*s", (int)sizeof hardware.architecture - 1,
                 names.machine);
        snprintf(hardware.system, sizeof hardware.system, "%.60s %.60s", names.sysname, names.release);
        snprintf(hardware.hostname, sizeof hardware.hostname, "%.*s", (int)sizeof hardware.hostname - 1,
                 names.nodename);
    }
    hardware.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    hardware.cpus_usable = nz_threads_hardware();
    *ret_hardware = hardware;
}
