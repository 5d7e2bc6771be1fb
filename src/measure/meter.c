/* SPDX-License-Identifier: Apache-2.0 */
/* Energy of a window of an external meter's log, in two passes: the first finds the window and how often the meter samples,
 * the second integrates. */
#include "measure/meter.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/meter_series.h"

/* ---- the first pass ---- */

/* Intervals are counted in classes of 0.1%, from a nanosecond to centuries: their median costs the same memory for any log. */
enum { CLASSES = 44000 };
#define CLASS_WIDTH 1e-3
typedef struct interval_class {
    uint64_t count;
    double sum_ns; /* exact up to 104 days */
} interval_class;

typedef struct survey {
    uint64_t rows, intervals;
    int64_t first_ns, last_ns;
    bool begun, ended; /* the marker */
    int64_t mark_start_ns, mark_end_ns;
    char columns[256];
    bool cut;
    interval_class *classes; /* [CLASSES] */
} survey;

static void count_interval(survey *s, int64_t ns) {
    size_t at = (size_t)(log((double)ns) / CLASS_WIDTH);
    interval_class *class = &s->classes[at < CLASSES ? at : CLASSES - 1];
    class->count++;
    class->sum_ns += (double)ns;
    s->intervals++;
}

static double median_interval(const survey *s) {
    uint64_t below = 0;
    for (size_t i = 0; i < CLASSES; i++) {
        below += s->classes[i].count;
        if (s->classes[i].count && 2 * below >= s->intervals)
            return s->classes[i].sum_ns / (double)s->classes[i].count / 1e9;
    }
    return (double)NAN;
}

static void survey_row(survey *s, const nz_meter_row *row) {
    if (!s->rows++) s->first_ns = s->last_ns = row->time_ns;
    if (row->time_ns > s->last_ns) {
        count_interval(s, row->time_ns - s->last_ns);
        s->last_ns = row->time_ns;
    }
    if (row->marked && !s->begun) {
        s->begun = true;
        s->mark_start_ns = row->time_ns;
    } else if (!row->marked && s->begun && !s->ended) {
        s->ended = true;
        s->mark_end_ns = row->time_ns;
    }
}

static nz_status survey_log(survey *s, bool *ret_has_marker, const char *path, const nz_spec *asked) {
    NZ_AUTO_METER_LOG nz_meter_log *log = NULL;
    nz_meter_row row;
    bool more;
    NZ_TRY(nz_alloc(&s->classes, CLASSES, sizeof *s->classes));
    NZ_TRY(nz_meter_log_open(&log, path, asked));
    for (;;) {
        NZ_TRY(nz_meter_log_next(log, &row, &more));
        if (!more) break;
        survey_row(s, &row);
    }
    if (!s->intervals)
        return nz_fail(NZ_E_FORMAT, "%s: energy needs two samples of different times, this log has %s", path,
                       s->rows ? "one time only" : "none");
    *ret_has_marker = nz_meter_log_has_marker(log);
    s->cut = nz_meter_log_cut(log);
    snprintf(s->columns, sizeof s->columns, "%s", nz_meter_log_columns(log));
    return NZ_OK;
}

/* ---- the window ---- */

/* HH:MM:SS is the first such time from `from_ns` on. */
static nz_status window_end(int64_t *ret_ns, const char *option, const char *text, int64_t from_ns) {
    nz_meter_time_kind kind;
    int64_t ns;
    if (!nz_meter_time_parse(&ns, &kind, text, NZ_SECOND_NS) || ns > NZ_METER_TIME_MOST || ns < -NZ_METER_TIME_MOST)
        return nz_fail(NZ_E_ARG, "--%s '%s' is no time: Unix seconds, YYYY-MM-DDTHH:MM:SS or HH:MM:SS (UTC)", option,
                       text);
    if (kind == NZ_METER_CLOCK) {
        int64_t day = from_ns / NZ_DAY_NS - (from_ns % NZ_DAY_NS < 0);
        ns += day * NZ_DAY_NS;
        if (ns < from_ns) ns += NZ_DAY_NS;
    }
    *ret_ns = ns;
    return NZ_OK;
}

/* The window must hold a part of the log. `both`: neither of its ends is the log's own. */
static nz_status check_window(const nz_meter_energy *e, const char *path, bool both) {
    char from[40], to[40], first[40], last[40];
    if (e->start_ns < e->end_ns && e->start_ns < e->last_ns && e->end_ns > e->first_ns) return NZ_OK;
    nz_meter_time_text(from, e->start_ns);
    nz_meter_time_text(to, e->end_ns);
    if (both && e->start_ns >= e->end_ns)
        return nz_fail(NZ_E_ARG, "%s: the window from %s to %s is empty: its end must lie behind its start", path, from,
                       to);
    return nz_fail(NZ_E_ARG, "%s: the log covers %s to %s, and nothing of a window that %s %s", path,
                   nz_meter_time_text(first, e->first_ns), nz_meter_time_text(last, e->last_ns),
                   e->start_ns >= e->last_ns ? "begins at" : "ends at", e->start_ns >= e->last_ns ? from : to);
}

static nz_status window_by_step(nz_meter_energy *e, const survey *s, bool has_marker, const nz_meter_options *options,
                                const char *path) {
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    nz_meter_step step;
    if (has_marker || options->start || options->end)
        return nz_fail(NZ_E_ARG,
                       "a step of power gives the window: --start, --end and a marker's column are not for it");
    NZ_TRY(nz_meter_series_read(&series, path, options->columns));
    NZ_TRY(nz_meter_step_find(&step, &series, path));
    e->start_ns = step.start_ns;
    e->end_ns = step.end_ns;
    e->step_rise_w = step.rise_w;
    e->step_fall_w = step.fall_w;
    e->step_clear = fmin(step.rise_clear, step.fall_clear);
    e->first_ns = s->first_ns;
    e->last_ns = s->last_ns;
    return check_window(e, path, true);
}

static nz_status find_window(nz_meter_energy *e, const survey *s, bool has_marker, const nz_meter_options *options,
                             const char *path) {
    if (options->step) return window_by_step(e, s, has_marker, options, path);
    if (has_marker) {
        if (options->start || options->end)
            return nz_fail(NZ_E_ARG, "a marker gives the window: --start and --end are not for it");
        if (!s->begun) return nz_fail(NZ_E_ARG, "%s: the marker's column is empty or 0 throughout", path);
        e->start_ns = s->mark_start_ns;
        e->end_ns = s->ended ? s->mark_end_ns : s->last_ns;
    } else {
        e->start_ns = s->first_ns;
        e->end_ns = s->last_ns;
        /* Who reads 06:07:18 off a log that begins at 06:07:18.089 means today. */
        int64_t second = s->first_ns - (s->first_ns % NZ_SECOND_NS + NZ_SECOND_NS) % NZ_SECOND_NS;
        if (options->start) NZ_TRY(window_end(&e->start_ns, "start", options->start, second));
        if (options->end) NZ_TRY(window_end(&e->end_ns, "end", options->end, e->start_ns + 1));
    }
    e->first_ns = s->first_ns;
    e->last_ns = s->last_ns;
    return check_window(e, path, has_marker || (options->start && options->end));
}

/* ---- the second pass ---- */

typedef struct integral {
    nz_meter_energy *e;
    bool whole; /* no end was asked for: the log's last sample belongs to the window */
    bool has_point, has_pending;
    int64_t point_ns, pending_ns, covered_ns;
    double point_w, pending_sum;
    uint64_t pending_count;
    double sum_w;
    double idle_j[2]; /* before and behind the window */
    int64_t idle_ns[2];
} integral;

/* Idle power is that of the minute beside the window. */
#define IDLE_NS (60 * (int64_t)NZ_SECOND_NS)

static bool inside(const integral *in, int64_t ns) {
    return ns >= in->e->start_ns && (ns < in->e->end_ns || (in->whole && ns == in->e->end_ns));
}

/* Joules of the piece [from, to] of the straight line from the last point to this one; how long it is. */
static int64_t add_piece(double *joules, const integral *in, int64_t ns, double watts, int64_t from, int64_t to) {
    if (from < in->point_ns) from = in->point_ns;
    if (to > ns) to = ns;
    if (from >= to) return 0;
    double slope = (watts - in->point_w) / (double)(ns - in->point_ns);
    double at_from = in->point_w + slope * (double)(from - in->point_ns), at_to = watts - slope * (double)(ns - to);
    *joules += (at_from + at_to) / 2 * ((double)(to - from) * 1e-9);
    return to - from;
}

static void add_line(integral *in, int64_t ns, double watts) {
    nz_meter_energy *e = in->e;
    in->idle_ns[0] += add_piece(&in->idle_j[0], in, ns, watts, e->start_ns - IDLE_NS, e->start_ns);
    in->idle_ns[1] += add_piece(&in->idle_j[1], in, ns, watts, e->end_ns, e->end_ns + IDLE_NS);
    int64_t inside_ns = add_piece(&e->joules, in, ns, watts, e->start_ns, e->end_ns);
    double intervals = (double)(ns - in->point_ns) / 1e9 / e->interval_s;
    in->covered_ns += inside_ns;
    if (!inside_ns || intervals <= NZ_METER_GAP) return;
    double lost = round(intervals) - 1;
    e->gaps++;
    e->gap_seconds += (double)inside_ns * 1e-9;
    e->dropped += lost < 1 ? 1 : lost < 1e18 ? (uint64_t)lost : (uint64_t)1e18;
}

static void flush(integral *in) {
    if (!in->has_pending) return;
    double watts = in->pending_sum / (double)in->pending_count;
    if (in->has_point) add_line(in, in->pending_ns, watts);
    in->point_ns = in->pending_ns;
    in->point_w = watts;
    in->has_point = true;
    in->has_pending = false;
}

static void integrate_row(integral *in, const nz_meter_row *row) {
    nz_meter_energy *e = in->e;
    bool counts = inside(in, row->time_ns);
    if (row->missing) {
        e->missing += counts;
        return;
    }
    if (in->has_pending && row->time_ns < in->pending_ns) {
        e->backwards += counts;
        return;
    }
    if (in->has_pending && row->time_ns == in->pending_ns) {
        e->duplicates += counts;
    } else {
        flush(in);
        in->has_pending = true;
        in->pending_ns = row->time_ns;
        in->pending_sum = 0;
        in->pending_count = 0;
    }
    in->pending_sum += row->watts;
    in->pending_count++;
    if (!counts) return;
    e->watts_max = e->samples++ ? fmax(e->watts_max, row->watts) : row->watts;
    in->sum_w += row->watts;
}

static void note(nz_meter_energy *e, const char *format, ...) NZ_PRINTF(2, 3);
static void note(nz_meter_energy *e, const char *format, ...) {
    va_list args;
    if (e->note_count == NZ_METER_NOTES) return;
    va_start(args, format);
    vsnprintf(e->notes[e->note_count++], sizeof e->notes[0], format, args);
    va_end(args);
}

static void set_idle(nz_meter_energy *e, const integral *in) {
    double *watts[2] = {&e->idle_before_w, &e->idle_after_w}, sum = 0, count = 0;
    for (int i = 0; i < 2; i++) {
        double seconds = (double)in->idle_ns[i] / 1e9;
        *watts[i] = (double)NAN;
        if (!(seconds >= NZ_METER_IDLE * e->interval_s)) continue;
        *watts[i] = in->idle_j[i] / seconds;
        sum += *watts[i];
        count++;
    }
    e->joules_net = count > 0 ? e->joules - sum / count * e->seconds : (double)NAN;
}

/* What makes the figures doubtful, and what was left out of them. */
static void judge(nz_meter_energy *e, const survey *s) {
    double asked = (double)(e->end_ns - e->start_ns) * 1e-9, short_by = asked - e->seconds;
    double by_samples = e->watts_mean_samples * e->seconds;
    e->disagreement_pct = e->joules != 0    ? fabs(by_samples - e->joules) / fabs(e->joules) * 100
                          : by_samples != 0 ? 100
                                            : 0;
    if (!(e->disagreement_pct <= 1)) {
        e->marked = true;
        note(e, "joules and the mean of the samples x seconds differ by %.3g%%: the samples are not spread evenly",
             e->disagreement_pct);
    }
    if (short_by > NZ_METER_GAP * e->interval_s) {
        e->marked = e->marked || short_by > asked * 0.01;
        note(e, "the log covers %.3f s of the window's %.3f s; the figures are those of what it covers", e->seconds,
             asked);
    }
    if (e->gaps) {
        e->marked = e->marked || e->gap_seconds > e->seconds * 0.01;
        note(e, "%llu gap%s, %.3f s in all, through which a straight line was drawn", (unsigned long long)e->gaps,
             e->gaps == 1 ? "" : "s", e->gap_seconds);
    }
    if (e->backwards) {
        e->marked = e->marked || (double)e->backwards > (double)e->samples * 0.01;
        note(e, "time runs backwards: %llu rows left out", (unsigned long long)e->backwards);
    }
    if (e->missing) note(e, "%llu rows without a reading left out", (unsigned long long)e->missing);
    if (e->duplicates)
        note(e, "%llu rows repeat the time before them: the mean of such rows is one sample",
             (unsigned long long)e->duplicates);
    if (s->cut) note(e, "the last line is cut off and was left out");
}

static nz_status integrate_log(integral *in, const char *path, const nz_spec *asked) {
    NZ_AUTO_METER_LOG nz_meter_log *log = NULL;
    nz_meter_row row;
    bool more;
    NZ_TRY(nz_meter_log_open(&log, path, asked));
    for (;;) {
        NZ_TRY(nz_meter_log_next(log, &row, &more));
        if (!more) break;
        integrate_row(in, &row);
    }
    flush(in);
    return NZ_OK;
}

static nz_status energy_of(nz_meter_energy *e, survey *s, const char *path, const nz_meter_options *options,
                           const nz_spec *asked) {
    bool has_marker = false;
    NZ_TRY(survey_log(s, &has_marker, path, asked));
    NZ_TRY(find_window(e, s, has_marker, options, path));
    snprintf(e->columns, sizeof e->columns, "%s", s->columns);
    e->interval_s = median_interval(s);
    e->watts_max = (double)NAN;
    bool whole = e->end_ns == s->last_ns && !options->end && !options->step && !s->ended;
    integral in = {.e = e, .whole = whole};
    NZ_TRY(integrate_log(&in, path, asked));
    e->seconds = (double)in.covered_ns / 1e9;
    if (!in.covered_ns || !e->samples)
        return nz_fail(NZ_E_ARG,
                       "%s: no sample with a reading lies in the window; the median time between samples is %g s", path,
                       e->interval_s);
    e->watts = e->joules / e->seconds;
    e->watts_mean_samples = in.sum_w / (double)e->samples;
    set_idle(e, &in);
    judge(e, s);
    return NZ_OK;
}

nz_status nz_meter_energy_read(nz_meter_energy *ret_energy, const char *path, const nz_meter_options *options) {
    static const nz_meter_options none = {0};
    NZ_AUTO(nz_spec_done) nz_spec asked = {0};
    nz_meter_energy energy = {.step_clear = (double)NAN, .step_rise_w = (double)NAN, .step_fall_w = (double)NAN};
    survey s = {0};
    if (!options) options = &none;
    if (options->columns) NZ_TRY(nz_meter_columns_parse(&asked, options->columns));
    nz_status status = energy_of(&energy, &s, path, options, &asked);
    free(s.classes);
    if (status == NZ_OK) *ret_energy = energy;
    return status;
}
