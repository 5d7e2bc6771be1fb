/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What power sources and counters ask of the kernel beyond reading files: performance events, requests to devices, the time.
 * Calls go through this table, so that tests stand in for a machine that has them (nz_roots.system).
 */
#ifndef NZ_MEASURE_SYSTEM_H
#define NZ_MEASURE_SYSTEM_H

#include <sys/types.h>

#include "netzip/measure.h"

struct perf_event_attr;

typedef struct nz_system {
    void *user; /**< handed to every call */
    /** perf_event_open without a group: a file descriptor or -errno. */
    int (*perf_open)(void *user, const struct perf_event_attr *attributes, pid_t pid, int cpu);
    int (*open)(void *user, const char *path, int flags);                      /**< a file descriptor or -errno */
    ssize_t (*read)(void *user, int file, void *bytes, size_t size);           /**< bytes read or -errno */
    int (*ioctl)(void *user, int file, unsigned long request, void *argument); /**< 0 or more, or -errno */
    void (*close)(void *user, int file);
    uint64_t (*clock_ns)(void *user);
} nz_system;

/** The roots' table, or the kernel's. Static or borrowed from the roots. */
const nz_system *nz_root_system(const nz_roots *roots);

#endif
