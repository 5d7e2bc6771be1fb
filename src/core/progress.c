/* SPDX-License-Identifier: Apache-2.0 */
#include "core/progress.h"

#include <stdarg.h>
#include <stdio.h>

int nz_progress_step(const nz_progress *sink, const char *what, unsigned long long done, unsigned long long total) {
    return !sink || !sink->step || sink->step(sink->user, what, done, total) == 0;
}

void nz_progress_note(const nz_progress *sink, const char *format, ...) {
    if (!sink || !sink->note) return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    sink->note(sink->user, line);
}
