/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int kernel_perf_open(void *user, const struct perf_event_attr *attributes, pid_t pid, int cpu) {
    (void)user;
    long file = syscall(SYS_perf_event_open, attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return file < 0 ? -errno : (int)file;
}

static int kernel_open(void *user, const char *path, int flags) {
    (void)user;
    int file = open(path, flags | O_CLOEXEC);
    return file < 0 ? -errno : file;
}

static ssize_t kernel_read(void *user, int file, void *bytes, size_t size) {
    (void)user;
    ssize_t got;
    do got = read(file, bytes, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int kernel_ioctl(void *user, int file, unsigned long request, void *argument) {
    (void)user;
    int code = ioctl(file, request, argument);
    return code < 0 ? -errno : code;
}

static void kernel_close(void *user, int file) {
    (void)user;
    close(file);
}

static uint64_t kernel_clock_ns(void *user) {
    (void)user;
    return nz_clock_ns();
}

static const nz_system kernel = {
    .perf_open = kernel_perf_open,
    .open = kernel_open,
    .read = kernel_read,
    .ioctl = kernel_ioctl,
    .close = kernel_close,
    .clock_ns = kernel_clock_ns,
};

const nz_system *nz_root_system(const nz_roots *roots) { return roots && roots->system ? roots->system : &kernel; }
