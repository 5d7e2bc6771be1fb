/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Power sources: one file power_<name>.c with one table entry each, one word in power.c's list.
 * A source is probed by opening it: it either opens, and says what it found, or fails and says what would mend that.
 */
#ifndef NZ_MEASURE_POWER_H
#define NZ_MEASURE_POWER_H

#include "netzip/measure.h"

/** How often a source is read unless it says otherwise. */
#define NZ_POWER_INTERVAL_MS 50.0

typedef struct nz_power_source {
    const char *name, *title, *scope;
    bool automatic; /**< measures what a CPU runtime draws */
    /** Fills detail, or on NZ_E_UNAVAILABLE reason, mend and lasts, of `info`; may set scope, interval_ms and longest_s. */
    nz_status (*open)(void **ret_state, nz_power_info *info, const nz_roots *roots);
    nz_status (*read)(void *state, nz_power_reading *ret_reading); /**< ret_reading is zeroed before the call */
    void (*close)(void *state);
} nz_power_source;

extern const nz_power_source nz_power_rapl, nz_power_perf, nz_power_hwmon, nz_power_battery, nz_power_pi5,
    nz_power_nvml;

/** Writes the reason a source cannot be used and returns NZ_E_UNAVAILABLE with it as the thread's message. */
nz_status nz_power_refuse(nz_power_info *info, const char *mend, const char *format, ...) NZ_PRINTF(3, 4);
/** Appends a part called `name` to a reading; where there is no more room, it is left out. */
void nz_power_part_add(nz_power_reading *reading, const nz_power_part *part, const char *name);

#endif
