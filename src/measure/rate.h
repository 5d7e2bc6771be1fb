/* SPDX-License-Identifier: Apache-2.0 */
/** A piece of work that is repeated until its best repetitions agree. */
#ifndef NZ_MEASURE_RATE_H
#define NZ_MEASURE_RATE_H

#include "netzip/peak.h"

/** One pass over the work; NZ_OK or what went wrong. */
typedef nz_status (*nz_rate_pass)(void *user);

/** Repeats `pass` (each repetition as many passes as fill 2 ms) and fills in rate->per_s, spread_pct, median_per_s, count;
 * rate->work is what a pass does. Until the three best agree to 1% or `seconds` are spent, with eight repetitions at least, fewer where a pass
 * takes long; one where it takes longer than `seconds`. */
NZ_CHECKED nz_status nz_rate_measure(nz_rate *rate, nz_rate_pass pass, void *user, double seconds);
/** From repetitions that took `took_ns` each and did `work` each: best, median, spread. Sorts the times. */
void nz_rate_from(nz_rate *rate, uint64_t *took_ns, size_t count, uint64_t work);

/** peak_memory.c: fills in peaks->memory. */
NZ_CHECKED nz_status nz_peak_memory_get(nz_peaks *peaks, const nz_hardware *hardware, double seconds,
                                        const nz_progress *progress);
/** peak_ops.c: one type. */
NZ_CHECKED nz_status nz_peak_ops_get(nz_rate *rate, nz_peak_type type, double seconds);

#endif
