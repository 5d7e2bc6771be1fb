/* SPDX-License-Identifier: Apache-2.0 */
/* A marker that nobody had to set: the piece of the log in which power is high, before and behind which it is low. Of all
 * pieces the one is taken whose two levels explain most of the log's variance; then both of its ends are held against how much
 * power scatters within it. @source A. Olshen, E. Venkatraman and others, Biostatistics 5:557 (2004): circular segmentation */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/meter_series.h"

enum { BINS = 1500, LEAST_INTERVALS = 3, PIECES_MOST = 4096 };
#define LONGEST_S 60.0

typedef struct search {
    const nz_meter_series *s;
    int64_t first_ns, last_ns;
    double seconds, mean_w;
    double joules[BINS + 1]; /* at the edges of equal pieces */
} search;

static int64_t edge_ns(const search *f, size_t i) {
    return f->first_ns + (int64_t)((double)(f->last_ns - f->first_ns) * (double)i / BINS);
}

/* How much variance two levels explain: one between two times, another outside. Below 0: it is low in there. */
static double gain(const search *f, double joules, double seconds) {
    double excess = joules - f->mean_w * seconds, share = seconds / f->seconds;
    return excess > 0 && share > 0 && share < 1 ? excess * excess / (seconds * (1 - share)) : -1;
}

static bool best_piece(const search *f, size_t *ret_start, size_t *ret_end) {
    double best = 0, each = f->seconds / BINS;
    for (size_t i = 1; i < BINS; i++)
        for (size_t k = i + 1; k < BINS; k++) {
            double g = gain(f, f->joules[k] - f->joules[i], (double)(k - i) * each);
            if (g <= best) continue;
            best = g;
            *ret_start = i;
            *ret_end = k;
        }
    return best > 0;
}

/* The time between two samples near `edge` at which the gain is largest, the other end being `other_ns`. */
static int64_t refine(const search *f, size_t edge, int64_t other_ns, bool is_start) {
    const nz_meter_series *s = f->s;
    int64_t from = edge_ns(f, edge > 2 ? edge - 2 : 0), to = edge_ns(f, edge + 2 < BINS ? edge + 2 : BINS),
            best_ns = edge_ns(f, edge);
    double best = -1, there = nz_meter_series_at(s, other_ns);
    for (size_t i = nz_meter_series_before(s, from); i + 1 < s->count && s->time_ns[i] < to; i++) {
        int64_t t = s->time_ns[i] + (s->time_ns[i + 1] - s->time_ns[i]) / 2;
        double joules = nz_meter_series_at(s, t) - there, seconds = (double)(t - other_ns) / 1e9;
        double g = is_start ? gain(f, -joules, -seconds) : gain(f, joules, seconds);
        if (g <= best) continue;
        best = g;
        best_ns = t;
    }
    return best_ns;
}

static double mean_w(const nz_meter_series *s, int64_t from, int64_t to) {
    return (nz_meter_series_at(s, to) - nz_meter_series_at(s, from)) / ((double)(to - from) / 1e9);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Deviations of the means of whole pieces from the mean of all of them. */
static size_t add_deviations(double *values, size_t count, const nz_meter_series *s, int64_t from, int64_t to,
                             int64_t length) {
    if (to - from < length) return count;
    double middle = mean_w(s, from, to);
    for (int64_t t = from; t + length <= to && count < PIECES_MOST; t += length)
        values[count++] = fabs(mean_w(s, t, t + length) - middle);
    return count;
}

/* How means over `length` scatter around the two levels: 1.48 times the median deviation, and no less than half of the root
 * mean square, so that neither a few bursts nor few pieces decide. */
static double scatter_of(const search *f, const nz_meter_step *step, int64_t length, double *values) {
    size_t count = add_deviations(values, 0, f->s, step->start_ns, step->end_ns, length);
    count = add_deviations(values, count, f->s, f->first_ns, step->start_ns, length);
    count = add_deviations(values, count, f->s, step->end_ns, f->last_ns, length);
    double squares = 0;
    for (size_t i = 0; i < count; i++) squares += values[i] * values[i];
    qsort(values, count, sizeof *values, by_size);
    return count ? fmax(1.4826 * values[count / 2], sqrt(squares / (double)count) / 2) : 0;
}

/* One end of the window: the change over as long as the log allows, a minute at most, and how many scatters it is. */
static nz_status judge_end(double *ret_change, double *ret_clear, const search *f, const nz_meter_step *step,
                           bool rise) {
    int64_t outside = rise ? step->start_ns - f->first_ns : f->last_ns - step->end_ns;
    int64_t within = (step->end_ns - step->start_ns) / 8, length = (int64_t)(LONGEST_S * 1e9);
    if (length > outside) length = outside;
    if (length > within) length = within;
    *ret_change = *ret_clear = 0;
    if ((double)length / 1e9 < LEAST_INTERVALS * f->s->interval_s) return NZ_OK;
    int64_t t = rise ? step->start_ns : step->end_ns;
    double before = mean_w(f->s, t - length, t), behind = mean_w(f->s, t, t + length);
    NZ_AUTO_FREE double *values = NULL;
    NZ_TRY(nz_alloc(&values, PIECES_MOST, sizeof *values));
    double scatter = scatter_of(f, step, length, values);
    *ret_change = rise ? behind - before : before - behind;
    *ret_clear = scatter > 0 ? *ret_change / scatter : *ret_change > 0 ? (double)INFINITY : 0;
    return NZ_OK;
}

static nz_status check(const nz_meter_step *step, const char *path) {
    char text[40];
    bool rises = step->rise_clear >= NZ_METER_STEP_CLEAR;
    if (rises && step->fall_clear >= NZ_METER_STEP_CLEAR) return NZ_OK;
    return nz_fail(NZ_E_ARG,
                   "%s: no clear marker: where the best window %s, at %s, power %s by %.3g W, %.1f times its scatter "
                   "within (%g are needed); --start and --end give the window",
                   path, rises ? "ends" : "begins", nz_meter_time_text(text, rises ? step->end_ns : step->start_ns),
                   rises ? "falls" : "rises", rises ? step->fall_w : step->rise_w,
                   rises ? step->fall_clear : step->rise_clear, NZ_METER_STEP_CLEAR);
}

nz_status nz_meter_step_find(nz_meter_step *ret_step, const nz_meter_series *series, const char *path) {
    NZ_AUTO_FREE search *f = NULL;
    nz_meter_step step = {0};
    size_t start = 0, end = 0;
    NZ_TRY(nz_alloc(&f, 1, sizeof *f));
    *f = (search){.s = series, .first_ns = series->time_ns[0], .last_ns = series->time_ns[series->count - 1]};
    f->seconds = (double)(f->last_ns - f->first_ns) / 1e9;
    f->mean_w = series->joules[series->count - 1] / f->seconds;
    for (size_t i = 0; i <= BINS; i++) f->joules[i] = nz_meter_series_at(series, edge_ns(f, i));
    if (!best_piece(f, &start, &end))
        return nz_fail(NZ_E_ARG, "%s: power does not rise and fall again: there is no step to take as a marker", path);
    step.start_ns = refine(f, start, edge_ns(f, end), true);
    step.end_ns = refine(f, end, step.start_ns, false);
    step.start_ns = refine(f, start, step.end_ns, true);
    NZ_TRY(judge_end(&step.rise_w, &step.rise_clear, f, &step, true));
    NZ_TRY(judge_end(&step.fall_w, &step.fall_clear, f, &step, false));
    NZ_TRY(check(&step, path));
    *ret_step = step;
    return NZ_OK;
}
