/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/probe.h"

/* "cpu user nice system idle iowait irq softirq steal guest guest_nice"; guest times are part of user and nice already. */
nz_status nz_cpu_times_get(nz_cpu_times *ret_times, const nz_roots *roots) {
    NZ_AUTO_FREE char *text = nz_probe_file(nz_root_proc(roots), "stat");
    if (!text) return nz_fail(NZ_E_UNAVAILABLE, "%s/stat cannot be read", nz_root_proc(roots));
    uint64_t t[8] = {0};
    int got =
        sscanf(text, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
    if (got < 4)
        return nz_fail(NZ_E_UNAVAILABLE, "%s/stat has no line 'cpu' with at least four times", nz_root_proc(roots));
    *ret_times = (nz_cpu_times){.busy = t[0] + t[1] + t[2] + t[5] + t[6], .idle = t[3] + t[4], .steal = t[7]};
    return NZ_OK;
}

/* iowait may run backwards on some kernels; a step back counts as none. */
static double forward(uint64_t before, uint64_t after) { return after > before ? (double)(after - before) : 0; }

static double share(const nz_cpu_times *before, const nz_cpu_times *after, double part) {
    double total =
        forward(before->busy, after->busy) + forward(before->idle, after->idle) + forward(before->steal, after->steal);
    return total > 0 ? 100 * part / total : NAN;
}

double nz_cpu_busy_pct(const nz_cpu_times *before, const nz_cpu_times *after) {
    return share(before, after, forward(before->busy, after->busy));
}

double nz_cpu_steal_pct(const nz_cpu_times *before, const nz_cpu_times *after) {
    return share(before, after, forward(before->steal, after->steal));
}

uint64_t nz_process_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}
