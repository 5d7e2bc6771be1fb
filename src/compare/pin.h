/* SPDX-License-Identifier: Apache-2.0 */
/** Where a worker runs and how urgently: CPUs and nice value, set before a thread is made. */
#ifndef NZ_COMPARE_PIN_H
#define NZ_COMPARE_PIN_H

#include <sched.h>

#include "core/json.h"
#include "netzip/status.h"

/**
 * CPUs of a list such as "0,2-3".
 * @return NZ_E_ARG for anything else, and for an empty list or a number outside of 0 to 1023.
 */
NZ_CHECKED nz_status nz_cpu_list_parse(cpu_set_t *ret_cpus, const char *text);
/** NZ_E_ARG where a CPU of the list is none of those that this process may run on. */
NZ_CHECKED nz_status nz_cpu_list_check(const char *text);

/**
 * Takes "--pin LIST" and "--nice N" of a worker's arguments into effect. Where CPUs were set the program is run anew without
 * them, since libraries have counted the CPUs before main. A refused nice value is no error: nz_pin_json tells what holds.
 *
 * @param argc, argv  what stands behind the verb
 * @param again       the whole command line without those, NULL-terminated: {"netzip", "worker", NULL}
 * @return NZ_E_ARG for arguments that are not understood or CPUs that cannot be had.
 */
NZ_CHECKED nz_status nz_pin_take(int argc, char **argv, char *const *again);
/** {"cpus": "0,2-3", "nice": N}: what holds for this process. NULL where memory is short. */
json_t *nz_pin_json(void);

#endif
