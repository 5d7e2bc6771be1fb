/* SPDX-License-Identifier: Apache-2.0 */
/* How far a meter's clock is ahead, from the steps of power themselves. Windows of known kinds (each model's blocks, the quiet
 * before and behind them) are laid over the log at every shift it has room for; at the true one the means of power within a
 * kind agree, those of a window's pieces too. What is judged is the share of their variance that kinds leave unexplained. */
#include <math.h>

#include "compare/meter_join.h"
#include "core/error.h"
#include "core/memory.h"

enum { CANDIDATES = 16, FINER = 32, STEPS = 8, PIECES_MOST = 8 };
#define GRID_MOST 8000000.0
#define WORK_MOST 2e8
#define CLEAR_LEAST 1.5 /* the next best shift leaves this many times as much unexplained */
#define UNEXPLAINED_MOST 0.3
#define F_LEAST 16.0 /* and by so much that chance among so many windows does not do it */

typedef struct overlay {
    const nz_meter_series *s;
    const nz_meter_windows *w;
    int64_t first_ns; /* of the windows */
    double room_s;    /* the first window may begin this late in the log */
    double shortest_s, step_s;
    double quiet_weight;
    size_t pieces;          /* each window is looked at in so many: what is not its own shows at its ends */
    double *mean_w;         /* [count * pieces] at a shift */
    double *sum_w, *weight; /* [kind_count] */
    double grid_s, *grid;   /* joules at equal distances: a look-up in place of a search */
    size_t grid_count;
} overlay;

static void overlay_done(overlay *o) {
    free(o->mean_w);
    free(o->sum_w);
    free(o->weight);
    free(o->grid);
}

static double seconds_of(const nz_meter_window *w) { return (double)(w->to_ns - w->from_ns) / 1e9; }

static double by_grid(const overlay *o, double at_s) {
    double place = at_s / o->grid_s;
    size_t i = place <= 0 ? 0 : place >= (double)(o->grid_count - 1) ? o->grid_count - 2 : (size_t)place;
    return o->grid[i] + (o->grid[i + 1] - o->grid[i]) * (place - (double)i);
}

static double exactly(const overlay *o, double at_s) {
    return nz_meter_series_at(o->s, o->s->time_ns[0] + (int64_t)(at_s * 1e9));
}

/* Share of the variance that kinds leave over, where the first window begins `late_s` into the log. */
static double unexplained(const overlay *o, double late_s, bool exact) {
    double all = 0, weight = 0, within = 0, whole = 0;
    for (size_t k = 0; k < o->w->kind_count; k++) o->sum_w[k] = o->weight[k] = 0;
    for (size_t i = 0; i < o->w->count; i++) {
        const nz_meter_window *w = &o->w->items[i];
        double from = late_s + (double)(w->from_ns - o->first_ns) / 1e9, each = seconds_of(w) / (double)o->pieces;
        double own = each * (w->kind ? 1 : o->quiet_weight), before = exact ? exactly(o, from) : by_grid(o, from);
        for (size_t k = 0; k < o->pieces; k++) {
            double to = from + (double)(k + 1) * each, joules = exact ? exactly(o, to) : by_grid(o, to);
            double mean = o->mean_w[i * o->pieces + k] = (joules - before) / each;
            o->sum_w[w->kind] += own * mean;
            o->weight[w->kind] += own;
            all += own * mean;
            weight += own;
            before = joules;
        }
    }
    for (size_t i = 0; i < o->w->count; i++) {
        const nz_meter_window *w = &o->w->items[i];
        double own = seconds_of(w) / (double)o->pieces * (w->kind ? 1 : o->quiet_weight);
        for (size_t k = 0; k < o->pieces; k++) {
            double mean = o->mean_w[i * o->pieces + k], apart = mean - all / weight;
            double inside = mean - o->sum_w[w->kind] / o->weight[w->kind];
            within += own * inside * inside;
            whole += own * apart * apart;
        }
    }
    return whole > 0 ? within / whole : 1;
}

/* ---- preparing ---- */

static nz_status measure_windows(overlay *o, const char *log) {
    double quiet = 0, busy = 0;
    int64_t last_ns = INT64_MIN;
    o->first_ns = INT64_MAX;
    o->shortest_s = INFINITY;
    for (size_t i = 0; i < o->w->count; i++) {
        const nz_meter_window *w = &o->w->items[i];
        if (w->from_ns < o->first_ns) o->first_ns = w->from_ns;
        if (w->to_ns > last_ns) last_ns = w->to_ns;
        *(w->kind ? &busy : &quiet) += seconds_of(w);
        if (w->kind) o->shortest_s = fmin(o->shortest_s, seconds_of(w));
    }
    if (!(busy > 0)) return nz_fail(NZ_E_ARG, "%s: there are no blocks to find the shift of the meter's clock by", log);
    /* Two short windows of quiet say as much about the clock as all blocks: they count as half of these. */
    o->quiet_weight = quiet > 0 ? fmax(1, busy / 2 / quiet) : 1;
    double whole = (double)(last_ns - o->first_ns) / 1e9,
           covered = (double)(o->s->time_ns[o->s->count - 1] - o->s->time_ns[0]) / 1e9;
    o->room_s = covered - whole;
    if (o->room_s >= 0) return NZ_OK;
    return nz_fail(NZ_E_ARG,
                   "%s: covers %.3f s, and what was measured took %.3f s: a shift can be found in a log of the whole "
                   "time alone; --shift SECONDS states it",
                   log, covered, whole);
}

static nz_status prepare(overlay *o, const char *log) {
    NZ_TRY(measure_windows(o, log));
    o->pieces = (size_t)fmin(PIECES_MOST, fmax(1, o->shortest_s / o->s->interval_s));
    o->step_s = o->shortest_s / STEPS;
    if (o->room_s / o->step_s * (double)o->w->count * (double)o->pieces > WORK_MOST)
        return nz_fail(NZ_E_ARG,
                       "%s: too long to look for the shift in: cut it to the time around the run, or state the "
                       "shift by --shift SECONDS",
                       log);
    double covered = (double)(o->s->time_ns[o->s->count - 1] - o->s->time_ns[0]) / 1e9;
    o->grid_s = fmax(o->step_s / 2, covered / GRID_MOST);
    o->grid_count = (size_t)ceil(covered / o->grid_s) + 2;
    NZ_TRY(nz_alloc(&o->grid, o->grid_count, sizeof *o->grid));
    for (size_t i = 0; i < o->grid_count; i++) o->grid[i] = exactly(o, (double)i * o->grid_s);
    NZ_TRY(nz_alloc(&o->mean_w, o->w->count * o->pieces, sizeof *o->mean_w));
    NZ_TRY(nz_alloc(&o->sum_w, o->w->kind_count, sizeof *o->sum_w));
    return nz_alloc(&o->weight, o->w->kind_count, sizeof *o->weight);
}

/* ---- searching ---- */

typedef struct candidate {
    double late_s, left;
} candidate;

/* Keeps the best ones, in ascending order of what they leave. */
static void keep(candidate best[CANDIDATES], double late_s, double left) {
    size_t at = CANDIDATES;
    while (at > 0 && left < best[at - 1].left) at--;
    if (at == CANDIDATES) return;
    for (size_t i = CANDIDATES - 1; i > at; i--) best[i] = best[i - 1];
    best[at] = (candidate){late_s, left};
}

/* Local minima at steps of an eighth of the shortest block. */
static void scan(candidate best[CANDIDATES], const overlay *o) {
    size_t steps = (size_t)(o->room_s / o->step_s) + 1;
    double before = INFINITY, here = unexplained(o, 0, false);
    for (size_t i = 0; i <= steps; i++) {
        double next_s = fmin((double)(i + 1) * o->step_s, o->room_s);
        double next = i < steps ? unexplained(o, next_s, false) : INFINITY;
        if (here <= before && here <= next) keep(best, fmin((double)i * o->step_s, o->room_s), here);
        before = here;
        here = next;
    }
}

static void refine(candidate *c, const overlay *o) {
    c->left = unexplained(o, c->late_s, true);
    for (double step = o->step_s / 4; step > o->step_s / FINER / FINER; step /= 4) {
        double centre = c->late_s;
        for (int k = -4; k <= 4; k++) {
            double late = fmin(fmax(centre + k * step, 0), o->room_s), left = unexplained(o, late, true);
            if (left < c->left) *c = (candidate){late, left};
        }
    }
}

/* How far from the best shift what is left is still as little as chance allows. */
static double width_of(const candidate *best, const overlay *o, double freedom) {
    double limit = best->left * (1 + 4 / freedom) + 1e-9, step = o->step_s / FINER, width = 0;
    for (int side = -1; side <= 1; side += 2)
        for (int k = 1; k <= 4 * FINER; k++) {
            double late = best->late_s + side * k * step;
            if (late < 0 || late > o->room_s || unexplained(o, late, true) > limit) break;
            width = fmax(width, k * step);
        }
    return fmax(width, step);
}

static int by_left(const void *a, const void *b) {
    double x = ((const candidate *)a)->left, y = ((const candidate *)b)->left;
    return (x > y) - (x < y);
}

static nz_status judge(nz_meter_shift *shift, const candidate best[CANDIDATES], const overlay *o, const char *log) {
    double next = INFINITY, freedom = (double)o->w->count - (double)o->w->kind_count;
    for (size_t i = 1; i < CANDIDATES; i++)
        if (fabs(best[i].late_s - best[0].late_s) > 0.75 * o->shortest_s) next = fmin(next, best[i].left);
    *shift = (nz_meter_shift){.explained_pct = 100 * (1 - best[0].left),
                              .clear = best[0].left > 0 ? next / best[0].left : (double)INFINITY};
    shift->seconds = (double)(o->s->time_ns[0] - o->first_ns) / 1e9 + best[0].late_s;
    if (freedom < 3)
        return nz_fail(NZ_E_ARG,
                       "%s: %zu blocks are too few to find the shift of the meter's clock; --shift SECONDS states "
                       "it",
                       log, o->w->count);
    shift->within_s = width_of(&best[0], o, freedom);
    double needed = fmax(CLEAR_LEAST, 1 + F_LEAST / freedom), nearest = o->shortest_s / 4;
    if (best[0].left <= UNEXPLAINED_MOST && shift->clear >= needed && shift->within_s <= nearest) return NZ_OK;
    if (best[0].left > UNEXPLAINED_MOST)
        return nz_fail(
            NZ_E_ARG,
            "%s: the shift of the meter's clock cannot be found: even at the best one the blocks explain %.0f%% of "
            "the power's variance (%.0f%% are needed); --shift SECONDS states it",
            log, shift->explained_pct, 100 * (1 - UNEXPLAINED_MOST));
    return nz_fail(
        NZ_E_ARG,
        "%s: the shift of the meter's clock is uncertain: %.3f s fits best, within %.3g s (%.3g s at most is "
        "wanted), and the next one leaves %.2f times as much unexplained (%.2f at least is wanted); --shift SECONDS "
        "states it",
        log, shift->seconds, shift->within_s, nearest, shift->clear, needed);
}

nz_status nz_meter_shift_find(nz_meter_shift *ret_shift, const nz_meter_series *series, const nz_meter_windows *windows,
                              const char *log) {
    NZ_AUTO(overlay_done) overlay o = {.s = series, .w = windows};
    candidate best[CANDIDATES];
    nz_meter_shift shift;
    NZ_TRY(prepare(&o, log));
    for (size_t i = 0; i < CANDIDATES; i++) best[i] = (candidate){-INFINITY, INFINITY};
    scan(best, &o);
    for (size_t i = 0; i < CANDIDATES; i++)
        if (isfinite(best[i].left)) refine(&best[i], &o);
    qsort(best, CANDIDATES, sizeof *best, by_left);
    NZ_TRY(judge(&shift, best, &o, log));
    *ret_shift = shift;
    return NZ_OK;
}
