/* SPDX-License-Identifier: Apache-2.0 */
/** Options that say how carefully models are timed: width of intervals, length of blocks, CPUs, priority, rest. */
#ifndef NZ_COMPARE_PACE_H
#define NZ_COMPARE_PACE_H

#include "netzip/compare.h"

/**
 * "SECONDS" or "DEGREESC" (55C): rest before each block, or until the machine is no hotter.
 * @param what  how the option is called, for the message
 * @return NZ_E_ARG for anything else; 0 to 3600 s, 0 to 150 C.
 */
NZ_CHECKED nz_status nz_cooldown_parse(nz_compare_options *options, const char *text, const char *what);
/** A nice value, -20 to 19. NZ_E_ARG for anything else. */
NZ_CHECKED nz_status nz_priority_parse(nz_compare_options *options, const char *text, const char *what);
/** NZ_E_ARG for a width, block, list of CPUs, priority or rest that makes no sense; CPUs of this machine must be there. */
NZ_CHECKED nz_status nz_pace_check(const nz_compare_options *options);

enum { NZ_PACE_ARGUMENTS = 5 };
/** Arguments of the workers that are timed, NULL-terminated; borrowed from options and `number`. */
void nz_pace_arguments(const char *ret_arguments[NZ_PACE_ARGUMENTS], char number[16],
                       const nz_compare_options *options);

#endif
