/* SPDX-License-Identifier: Apache-2.0 */
/** Parallel loops on the one pool that oneDNN uses too, so that no two pools fight for the same cores. */
#ifndef NZ_CORE_THREADS_H
#define NZ_CORE_THREADS_H

#include <stddef.h>

/** How many threads parallel loops started by the calling thread use (>= 1). Per calling thread, as OpenMP has it. */
void nz_threads_set(int count);
int nz_threads_get(void);
int nz_threads_hardware(void); /**< CPUs this process may run on */

/** Splits [0, count) into contiguous ranges, one per thread, and runs body(argument, begin, end) on each.
 * With one thread, or count below 2 * grain, the caller runs all of it. Returns when all are done. */
void nz_parallel(size_t count, size_t grain, void (*body)(void *argument, size_t begin, size_t end), void *argument);

#endif
