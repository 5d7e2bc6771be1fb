/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "measure/probe.h"

void nz_conditions_get(nz_conditions *ret_conditions, const nz_roots *roots, const char *cpus) {
    (void)cpus;
    nz_conditions c = {.t_ns = nz_clock_ns(),
                       .mhz = NAN,
                       .mhz_least = NAN,
                       .mhz_base = NAN,
                       .mhz_max = NAN,
                       .boost = -1,
                       .smt = -1,
                       .temperature_c = NAN,
                       .held = -1,
                       .quota_cpus = NAN,
                       .held_back_s = NAN,
                       .pressure_s = NAN,
                       .load1 = NAN,
                       .runnable = -1};
    c.has_cpu = nz_cpu_times_get(&c.cpu, roots) == NZ_OK;
    *ret_conditions = c;
}
