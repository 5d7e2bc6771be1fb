/* SPDX-License-Identifier: Apache-2.0 */
/** Progress and notes of long work. The library only reports; the command line draws. */
#ifndef NZ_CORE_PROGRESS_H
#define NZ_CORE_PROGRESS_H
#include "netzip/progress.h"

/** Reports through `sink` (NULL: silent). false where the user asked to stop: return NZ_E_CANCELLED. */
int nz_progress_step(const nz_progress *sink, const char *what, unsigned long long done, unsigned long long total);
/** A note the user should read: a skipped image, a fallback. One line, no newline. */
void nz_progress_note(const nz_progress *sink, const char *format, ...) NZ_PRINTF(2, 3);
#endif
