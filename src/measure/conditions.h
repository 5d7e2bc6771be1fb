/* SPDX-License-Identifier: Apache-2.0 */
/** Text of /sys and /proc that tells of a machine's conditions. What does not make sense is unknown, never a failure. */
#ifndef NZ_MEASURE_CONDITIONS_H
#define NZ_MEASURE_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/measure.h"

enum { NZ_CPUS_MOST = 4096 };

/** A set of CPUs. */
typedef struct nz_cpu_bits {
    uint64_t words[NZ_CPUS_MOST / 64];
} nz_cpu_bits;
static inline bool nz_cpu_bits_has(const nz_cpu_bits *bits, size_t cpu) {
    return cpu < NZ_CPUS_MOST && bits->words[cpu / 64] >> (cpu % 64) & 1;
}
/** "0,2-3" up to the end of the line; false where it is anything else, empty, or names a CPU from NZ_CPUS_MOST on. */
bool nz_cpu_bits_parse(nz_cpu_bits *ret_bits, const char *text);

/** The rest of the line that begins with "key" and a colon, without white space before it; NULL where there is none. */
const char *nz_line_after(const char *text, const char *key);
/** The clock rates that /proc/cpuinfo gives, by CPU: ret_mhz[0 .. count), NaN where it gives none. */
void nz_cpuinfo_mhz(double *ret_mhz, size_t count, const char *cpuinfo);
/** "some avg10=0.00 ... total=123" of /proc/pressure/cpu: microseconds; false where there is no such line. */
bool nz_pressure_total(uint64_t *ret_us, const char *text);
/**
 * The path of the group that /proc/self/cgroup names, of version 2 or of version 1's CPU controller: "/a/b", "" for the top.
 * false where there is none, it is longer than fits, or leads upwards.
 */
bool nz_cgroup_path(char *ret_path, size_t size, const char *text, bool unified);
/** "max 100000" or "150000 100000": how many CPUs' time; NaN where there is no limit or it makes no sense. */
double nz_cgroup_quota(const char *text);

/* The parts of nz_conditions_get: each fills its own members. */
void nz_conditions_clock(nz_conditions *c, const nz_roots *roots, const char *cpus);
void nz_conditions_heat(nz_conditions *c, const nz_roots *roots, const nz_cpu_bits *cpus);
void nz_conditions_limits(nz_conditions *c, const nz_roots *roots);
/** The CPUs that matter: those of the list, those that this process may run on, those online. */
void nz_conditions_cpus(nz_cpu_bits *ret_cpus, const nz_roots *roots, const char *cpus);

#endif
