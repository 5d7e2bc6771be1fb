/* SPDX-License-Identifier: Apache-2.0 */
/** Arm processors, which /proc/cpuinfo tells by numbers alone. */
#ifndef NZ_MEASURE_HARDWARE_ARM_H
#define NZ_MEASURE_HARDWARE_ARM_H

#include <stddef.h>

/**
 * "2 x Cortex-A76 + 4 x Cortex-A55", "Cortex-A72": the kinds of cores that the "CPU implementer" and "CPU part" lines of
 * /proc/cpuinfo name, in their order there; "" where there are none. A core that is not in the table is shown by its numbers.
 */
void nz_arm_cores(char *ret_text, size_t size, const char *info);

#endif
