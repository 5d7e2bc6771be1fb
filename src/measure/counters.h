/* SPDX-License-Identifier: Apache-2.0 */
/** The calls that counters are read by, so that tests can stand in for a CPU that counts. */
#ifndef NZ_MEASURE_COUNTERS_H
#define NZ_MEASURE_COUNTERS_H

#include <linux/perf_event.h>

#include "netzip/measure.h"

/** What the kernel counts for every process, permitted or not: getrusage and the process clock. */
typedef struct nz_counter_usage {
    uint64_t clock_ns, switches, faults, faults_major;
} nz_counter_usage;

typedef struct nz_counter_calls {
    /** Begins to count; a descriptor, or -errno. `leader`: descriptor of the group's first event, -1 for a group of its own. */
    int (*open)(void *user, const struct perf_event_attr *attr, int thread, int leader);
    /** The count, and the ns that it was wanted for and ran. 0 or errno. */
    int (*read)(void *user, int fd, uint64_t ret_reading[3]);
    void (*close)(void *user, int fd);
    void (*usage)(void *user, nz_counter_usage *ret_usage);
    void *user;
} nz_counter_calls;

/** nz_counters_open with the calls of a test; they are copied. */
NZ_CHECKED nz_status nz_counters_open_with(nz_counters **ret_counters, bool kernel, const nz_roots *roots,
                                           const nz_counter_calls *calls);

#endif
