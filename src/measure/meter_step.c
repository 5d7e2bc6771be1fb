/* SPDX-License-Identifier: Apache-2.0 */
/* A marker that nobody had to set: the moment at which power rises for good, and the one at which it falls again. A change
 * at a time is the difference of the means of power behind and before it. It is looked at over several lengths, each half of
 * the one before, and weighed by the root of the length: of two changes of one size the one that lasts longer counts more. */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/meter_series.h"

enum { LENGTHS = 12, LEAST_INTERVALS = 3 };
#define LONGEST_S 10.0

/* The largest change at the time between sample i and the next one. */
typedef struct change {
    float rise, fall; /* weighed; 0: none */
    uint8_t rise_length, fall_length;
} change;

typedef struct search {
    const nz_meter_series *s;
    size_t count; /* of changes: samples - 1 */
    change *changes;
    size_t length_count;
    int64_t lengths_ns[LENGTHS];
} search;

static int64_t time_of(const search *f, size_t i) {
    return f->s->time_ns[i] + (f->s->time_ns[i + 1] - f->s->time_ns[i]) / 2;
}

/* Joules up to a time; times ascend from call to call, so that no search is needed. */
static double joules_at(const nz_meter_series *s, int64_t time_ns, size_t *at) {
    while (*at + 2 < s->count && s->time_ns[*at + 1] <= time_ns) ++*at;
    double into = (double)(time_ns - s->time_ns[*at]), length = (double)(s->time_ns[*at + 1] - s->time_ns[*at]);
    return s->joules[*at] + (s->watts[*at] + (s->watts[*at + 1] - s->watts[*at]) * into / length / 2) * into / 1e9;
}

static void look(search *f, size_t which) {
    const nz_meter_series *s = f->s;
    int64_t length = f->lengths_ns[which];
    double seconds = (double)length / 1e9;
    size_t left = 0, middle = 0, right = 0;
    for (size_t i = 0; i < f->count; i++) {
        int64_t t = time_of(f, i);
        if (t - length < s->time_ns[0] || t + length > s->time_ns[s->count - 1]) continue;
        double here = joules_at(s, t, &middle), step = joules_at(s, t + length, &right) - 2 * here;
        float weighed = (float)((step + joules_at(s, t - length, &left)) / seconds * sqrt(seconds));
        change *c = &f->changes[i];
        if (weighed > c->rise) *c = (change){weighed, c->fall, (uint8_t)which, c->fall_length};
        if (-weighed > c->fall) *c = (change){c->rise, -weighed, c->rise_length, (uint8_t)which};
    }
}

/* The largest rise and fall that are further than the longest length from `near_ns`. */
static float next_best(const search *f, int64_t near_ns, bool rise) {
    float best = 0;
    for (size_t i = 0; i < f->count; i++) {
        int64_t away = time_of(f, i) - near_ns;
        float value = rise ? f->changes[i].rise : f->changes[i].fall;
        if ((away > f->lengths_ns[0] || -away > f->lengths_ns[0]) && value > best) best = value;
    }
    return best;
}

/* The rise and the fall behind it whose sum is the largest. */
static bool best_pair(const search *f, size_t *ret_rise, size_t *ret_fall) {
    size_t rise = 0;
    float best = 0;
    for (size_t i = 1; i < f->count; i++) {
        const change *c = &f->changes[i], *r = &f->changes[rise];
        if (r->rise > 0 && c->fall > 0 && r->rise + c->fall > best) {
            best = r->rise + c->fall;
            *ret_rise = rise;
            *ret_fall = i;
        }
        if (c->rise > r->rise) rise = i;
    }
    return best > 0;
}

static double clear_by(float own, float other) { return other > 0 ? (double)own / (double)other : (double)INFINITY; }

static nz_status judge(nz_meter_step *step, const search *f, const char *path) {
    size_t rise = 0, fall = 0;
    if (!best_pair(f, &rise, &fall))
        return nz_fail(NZ_E_ARG, "%s: power does not rise and fall again: there is no step to take as a marker", path);
    const change *r = &f->changes[rise], *l = &f->changes[fall];
    *step = (nz_meter_step){.start_ns = time_of(f, rise),
                            .end_ns = time_of(f, fall),
                            .rise_s = (double)f->lengths_ns[r->rise_length] / 1e9,
                            .fall_s = (double)f->lengths_ns[l->fall_length] / 1e9};
    step->rise_w = (double)r->rise / sqrt(step->rise_s);
    step->fall_w = (double)l->fall / sqrt(step->fall_s);
    step->rise_clear = clear_by(r->rise, next_best(f, step->start_ns, true));
    step->fall_clear = clear_by(l->fall, next_best(f, step->end_ns, false));
    bool rises = step->rise_clear >= NZ_METER_STEP_CLEAR;
    if (rises && step->fall_clear >= NZ_METER_STEP_CLEAR) return NZ_OK;
    char text[40];
    return nz_fail(
        NZ_E_ARG,
        "%s: no clear marker: the largest %s of power, %.3g W at %s, is only %.2f times the next one; --start "
        "and --end give the window",
        path, rises ? "fall" : "rise", rises ? step->fall_w : step->rise_w,
        nz_meter_time_text(text, rises ? step->end_ns : step->start_ns), rises ? step->fall_clear : step->rise_clear);
}

nz_status nz_meter_step_find(nz_meter_step *ret_step, const nz_meter_series *series, const char *path) {
    search f = {.s = series, .count = series->count - 1};
    nz_meter_step step;
    double whole = (double)(series->time_ns[series->count - 1] - series->time_ns[0]) / 1e9;
    NZ_AUTO_FREE change *changes = NULL;
    NZ_TRY(nz_alloc(&changes, f.count, sizeof *changes));
    f.changes = changes;
    for (double l = fmin(LONGEST_S, whole / 4); f.length_count < LENGTHS; l /= 2) {
        if (l < LEAST_INTERVALS * series->interval_s) break;
        f.lengths_ns[f.length_count++] = (int64_t)(l * 1e9);
    }
    if (!f.length_count)
        return nz_fail(NZ_E_ARG,
                       "%s: a step of power needs %d samples before and behind it; --start and --end give the "
                       "window",
                       path, LEAST_INTERVALS);
    for (size_t i = 0; i < f.length_count; i++) look(&f, i);
    NZ_TRY(judge(&step, &f, path));
    *ret_step = step;
    return NZ_OK;
}
