/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of external meters, read line by line, as a whole, and searched for a step of power. A first line that begins with '?'
 * says columns, start and end, each behind a '?'. */
#include <math.h>

#include "core/memory.h"
#include "fuzz.h"
#include "measure/meter_series.h"

static void check(const nz_meter_energy *e) {
    nz_fuzz_check(isfinite(e->joules) && isfinite(e->watts) && isfinite(e->watts_max) &&
                  isfinite(e->watts_mean_samples));
    nz_fuzz_check(e->seconds > 0 && e->samples > 0 && e->interval_s > 0);
    nz_fuzz_check(e->seconds <= (double)(e->end_ns - e->start_ns) * 1e-9 * (1 + 1e-9));
    nz_fuzz_check(e->gap_seconds <= e->seconds * (1 + 1e-9) && (e->gaps > 0) == (e->dropped > 0));
    nz_fuzz_check(e->watts_max <= 1e21 && e->watts_mean_samples <= e->watts_max + fabs(e->watts_max) * 1e-9);
    nz_fuzz_check(fabs(e->watts * e->seconds - e->joules) <= 1e-9 * fabs(e->joules) && e->disagreement_pct >= 0);
    nz_fuzz_check(e->note_count <= NZ_METER_NOTES && memchr(e->columns, 0, sizeof e->columns));
    for (size_t i = 0; i < e->note_count; i++) nz_fuzz_check(*e->notes[i]);
    char text[40];
    nz_fuzz_check(strlen(nz_meter_time_text(text, e->first_ns)) < sizeof text && e->first_ns < e->last_ns);
}

/* The whole log as a series: what lies in a window is never more than the whole of it. */
static void check_series(const char *path, const char *columns) {
    NZ_AUTO(nz_meter_series_done) nz_meter_series s = {0};
    nz_meter_part part;
    nz_meter_step step;
    if (nz_meter_series_read(&s, path, columns) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !s.time_ns);
        return;
    }
    int64_t first = s.time_ns[0], last = s.time_ns[s.count - 1], middle = first + (last - first) / 3;
    nz_fuzz_check(s.count > 1 && first < last && s.interval_s > 0 && isfinite(s.joules[s.count - 1]));
    nz_meter_series_part(&part, &s, first, last);
    nz_fuzz_check(isfinite(part.joules) && part.seconds > 0 && part.samples > 0 &&
                  part.gap_seconds <= part.seconds * 1.001);
    nz_meter_series_part(&part, &s, middle, INT64_MAX);
    nz_fuzz_check(part.seconds <= (double)(last - first) / 1e9 * 1.001);
    nz_meter_series_part(&part, &s, INT64_MIN, middle);
    nz_fuzz_check(isfinite(part.joules));
    if (nz_meter_step_find(&step, &s, "log") == NZ_OK)
        nz_fuzz_check(first < step.start_ns && step.start_ns < step.end_ns && step.end_ns < last &&
                      step.rise_clear > 0);
    else
        nz_fuzz_check(*nz_last_error());
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO_FREE char *line = NULL;
    nz_meter_options options = {0};
    const char **const parts[] = {&options.columns, &options.start, &options.end};
    if (count && bytes[0] == '?') {
        const uint8_t *end = memchr(bytes, '\n', count);
        size_t length = end ? (size_t)(end - bytes) : count;
        line = malloc(length + 1);
        nz_fuzz_check(line);
        memcpy(line, bytes, length);
        line[length] = '\0';
        char *at = line;
        for (size_t i = 0; at && i < NZ_COUNT(parts); i++) {
            *at++ = '\0';
            char *next = strchr(at, '?');
            if (*at && *at != '?') *parts[i] = at;
            at = next;
        }
        if (at) *at = '\0';
        bytes += length;
        count -= length;
    }
    nz_meter_energy energy = {0};
    const char *path = nz_fuzz_file(bytes, count);
    check_series(path, options.columns);
    if (nz_meter_energy_read(&energy, path, &options) == NZ_OK)
        check(&energy);
    else
        nz_fuzz_check(*nz_last_error() && energy.seconds == 0);
    return 0;
}
