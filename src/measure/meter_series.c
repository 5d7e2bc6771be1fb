/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/meter_series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

#define DATED_FROM_NS (INT64_C(100000000) * NZ_SECOND_NS) /* 1973 */

void nz_meter_series_done(nz_meter_series *series) {
    free(series->time_ns);
    free(series->watts);
    free(series->joules);
    *series = (nz_meter_series){0};
}

/* ---- reading ---- */

typedef struct reader {
    nz_meter_series *s;
    size_t time_capacity, watts_capacity;
    uint64_t same; /* rows that the last sample is the mean of */
} reader;

static nz_status add_row(reader *r, const nz_meter_row *row, const char *path) {
    nz_meter_series *s = r->s;
    if (row->missing) {
        s->missing++;
        return NZ_OK;
    }
    if (s->count && row->time_ns < s->time_ns[s->count - 1]) {
        s->backwards++;
        return NZ_OK;
    }
    if (s->count && row->time_ns == s->time_ns[s->count - 1]) {
        double *last = &s->watts[s->count - 1];
        s->duplicates++;
        *last += (row->watts - *last) / (double)++r->same;
        return NZ_OK;
    }
    if (s->count == NZ_METER_SERIES_MOST)
        return nz_fail(NZ_E_RESOURCE, "%s: more than %u samples; cut the log to the time that matters", path,
                       NZ_METER_SERIES_MOST);
    NZ_TRY(nz_grow(&s->time_ns, &r->time_capacity, s->count + 1, sizeof *s->time_ns));
    NZ_TRY(nz_grow(&s->watts, &r->watts_capacity, s->count + 1, sizeof *s->watts));
    s->time_ns[s->count] = row->time_ns;
    s->watts[s->count++] = row->watts;
    r->same = 1;
    s->clock = row->kind == NZ_METER_CLOCK;
    return NZ_OK;
}

static int by_length(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static nz_status finish_series(nz_meter_series *s) {
    NZ_AUTO_FREE int64_t *lengths = NULL;
    NZ_TRY(nz_alloc(&s->joules, s->count, sizeof *s->joules));
    NZ_TRY(nz_alloc(&lengths, s->count, sizeof *lengths));
    for (size_t i = 1; i < s->count; i++) {
        lengths[i - 1] = s->time_ns[i] - s->time_ns[i - 1];
        s->joules[i] = s->joules[i - 1] + (s->watts[i - 1] + s->watts[i]) / 2 * ((double)lengths[i - 1] / 1e9);
    }
    qsort(lengths, s->count - 1, sizeof *lengths, by_length);
    s->interval_s = (double)lengths[(s->count - 1) / 2] / 1e9;
    s->dated = !s->clock && s->time_ns[0] >= DATED_FROM_NS;
    return NZ_OK;
}

static nz_status read_rows(nz_meter_series *s, const char *path, const nz_spec *asked) {
    NZ_AUTO_METER_LOG nz_meter_log *log = NULL;
    reader r = {.s = s};
    nz_meter_row row;
    bool more;
    NZ_TRY(nz_meter_log_open(&log, path, asked));
    for (;;) {
        NZ_TRY(nz_meter_log_next(log, &row, &more));
        if (!more) break;
        NZ_TRY(add_row(&r, &row, path));
    }
    snprintf(s->columns, sizeof s->columns, "%s", nz_meter_log_columns(log));
    if (s->count > 1) return finish_series(s);
    return nz_fail(NZ_E_FORMAT, "%s: energy needs two samples of different times, this log has %s", path,
                   s->count ? "one time only" : "none");
}

nz_status nz_meter_series_read(nz_meter_series *ret_series, const char *path, const char *columns) {
    NZ_AUTO(nz_spec_done) nz_spec asked = {0};
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    if (columns) NZ_TRY(nz_meter_columns_parse(&asked, columns));
    NZ_TRY(read_rows(&series, path, &asked));
    *ret_series = series;
    series = (nz_meter_series){0};
    return NZ_OK;
}

/* ---- windows ---- */

size_t nz_meter_series_before(const nz_meter_series *s, int64_t time_ns) {
    size_t low = 0, high = s->count - 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (s->time_ns[middle] <= time_ns)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double power_at(const nz_meter_series *s, size_t i, int64_t time_ns) {
    double share = (double)(time_ns - s->time_ns[i]) / (double)(s->time_ns[i + 1] - s->time_ns[i]);
    return s->watts[i] + (s->watts[i + 1] - s->watts[i]) * share;
}

double nz_meter_series_at(const nz_meter_series *s, int64_t time_ns) {
    if (time_ns <= s->time_ns[0]) return 0;
    if (time_ns >= s->time_ns[s->count - 1]) return s->joules[s->count - 1];
    size_t i = nz_meter_series_before(s, time_ns);
    return s->joules[i] + (s->watts[i] + power_at(s, i, time_ns)) / 2 * ((double)(time_ns - s->time_ns[i]) / 1e9);
}

void nz_meter_series_part(nz_meter_part *ret_part, const nz_meter_series *s, int64_t from_ns, int64_t to_ns) {
    *ret_part = (nz_meter_part){.watts_max = (double)NAN, .watts_mean = (double)NAN};
    double sum_w = 0;
    if (from_ns < s->time_ns[0]) from_ns = s->time_ns[0];
    if (to_ns > s->time_ns[s->count - 1]) to_ns = s->time_ns[s->count - 1];
    if (from_ns >= to_ns) return;
    size_t first = nz_meter_series_before(s, from_ns);
    ret_part->joules = nz_meter_series_at(s, to_ns) - nz_meter_series_at(s, from_ns);
    ret_part->seconds = (double)(to_ns - from_ns) / 1e9;
    ret_part->watts_max = power_at(s, first, from_ns);
    for (size_t i = first; i + 1 < s->count && s->time_ns[i] < to_ns; i++) {
        int64_t next = s->time_ns[i + 1], a = s->time_ns[i] > from_ns ? s->time_ns[i] : from_ns,
                b = next < to_ns ? next : to_ns;
        ret_part->watts_max = fmax(ret_part->watts_max, power_at(s, i, b));
        if (s->time_ns[i] >= from_ns) {
            sum_w += s->watts[i];
            ret_part->samples++;
        }
        if ((double)(next - s->time_ns[i]) / 1e9 <= NZ_METER_GAP * s->interval_s) continue;
        ret_part->gaps++;
        ret_part->gap_seconds += (double)(b - a) / 1e9;
    }
    if (ret_part->samples) ret_part->watts_mean = sum_w / (double)ret_part->samples;
}
