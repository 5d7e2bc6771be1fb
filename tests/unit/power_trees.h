/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of files that stand for the machines whose power is read, and what stands in for their kernels. */
#ifndef NZ_TESTS_POWER_TREES_H
#define NZ_TESTS_POWER_TREES_H

#include <errno.h>
#include <linux/perf_event.h>

#include "core/file.h"
#include "core/memory.h"
#include "measure/system.h"
#include "netzip/measure.h"
#include "test.h"

/* A kernel: time that only tests move, events by CPU and number, a device that answers requests. */
typedef struct fake_event {
    int cpu;
    uint64_t config;
    uint64_t value, enabled, running;
    int error; /* errno of opening it */
} fake_event;

static struct {
    uint64_t now_ns;
    fake_event events[16];
    size_t event_count;
    uint32_t type;    /* of the events */
    int open_files;   /* opened and not closed */
    int device_error; /* errno of opening the device */
    int (*answer)(void *message);
} fake;

static int fake_perf_open(void *user, const struct perf_event_attr *attributes, pid_t pid, int cpu) {
    (void)user;
    if (attributes->type != fake.type || pid != -1) return -ENOENT;
    for (size_t i = 0; i < fake.event_count; i++) {
        if (fake.events[i].cpu != cpu || fake.events[i].config != attributes->config) continue;
        if (fake.events[i].error) return -fake.events[i].error;
        fake.open_files++;
        return (int)i;
    }
    return -ENOENT;
}
static int fake_open(void *user, const char *path, int flags) {
    (void)user, (void)path, (void)flags;
    if (fake.device_error) return -fake.device_error;
    fake.open_files++;
    return 99;
}
static ssize_t fake_read(void *user, int file, void *bytes, size_t size) {
    (void)user;
    const fake_event *e = &fake.events[file];
    uint64_t counted[3] = {e->value, e->enabled, e->running};
    if (size != sizeof counted) return -EINVAL;
    memcpy(bytes, counted, sizeof counted);
    return (ssize_t)size;
}
static int fake_ioctl(void *user, int file, unsigned long request, void *argument) {
    (void)user, (void)request;
    assert_int_equal(file, 99);
    return fake.answer(argument);
}
static void fake_close(void *user, int file) {
    (void)user, (void)file;
    fake.open_files--;
}
static uint64_t fake_clock(void *user) {
    (void)user;
    return fake.now_ns;
}
static const nz_system fake_system = {.perf_open = fake_perf_open,
                                      .open = fake_open,
                                      .read = fake_read,
                                      .ioctl = fake_ioctl,
                                      .close = fake_close,
                                      .clock_ns = fake_clock};

static nz_roots roots;

/* Every test begins with empty trees of its own, and a kernel that has nothing. */
static int begin(void **state) {
    (void)state;
    static char sys[4096], proc[4096];
    static int number;
    snprintf(sys, sizeof sys, "%s/sys%d", nz_test_dir(), ++number);
    snprintf(proc, sizeof proc, "%s/proc%d", nz_test_dir(), number);
    memset(&fake, 0, sizeof fake);
    fake.now_ns = 1000000000;
    fake.device_error = ENOENT;
    roots = (nz_roots){.sys = sys,
                       .proc = proc,
                       .nvml = "/nonexistent/libnvidia-ml.so",
                       .dev = "/nonexistent",
                       .system = &fake_system};
    return nz_dir_make(sys) != NZ_OK || nz_dir_make(proc) != NZ_OK;
}

static void put(const char *root, const char *name, const char *text) {
    char path[4096], folder[4096];
    snprintf(path, sizeof path, "%s/%s", root, name);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    nz_assert_ok(nz_dir_make(folder));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}
/* A file of /sys below a folder. */
static inline void put_in(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    put(roots.sys, path, text);
}
static inline void drop_in(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s", roots.sys, folder, name);
    assert_int_equal(remove(path), 0);
}
static inline void put_proc(const char *name, const char *text) { put(roots.proc, name, text); }

static nz_power_info probe(const char *name) {
    nz_power_info info;
    for (size_t i = 0; nz_power_probe(&info, i, &roots); i++)
        if (strcmp(info.name, name) == 0) return info;
    fail_msg("no source is called %s", name);
    return info;
}

static void close_power(nz_power **power) { nz_power_close(*power); }
#define AUTO_POWER NZ_AUTO(close_power) nz_power *

/* The part of a reading that is called `name`. */
static inline const nz_power_part *part_of(const nz_power_reading *reading, const char *name) {
    for (size_t i = 0; i < reading->part_count; i++)
        if (strcmp(reading->parts[i].name, name) == 0) return &reading->parts[i];
    fail_msg("no part is called %s", name);
    return NULL;
}

#define assert_has(text, piece)                                                                                        \
    do {                                                                                                               \
        if (!strstr(text, piece)) fail_msg("'%s' lacks '%s'", text, piece);                                            \
    } while (0)

#endif
