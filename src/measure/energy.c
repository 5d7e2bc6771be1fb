/* SPDX-License-Identifier: Apache-2.0 */
/* Energy of a window out of a power source's readings. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "netzip/measure.h"

enum { MOST_POINTS = 8192, LEAST_POINTS = 4 };

/* The highest mean power between two counter readings is taken over at least this long: counters step every millisecond
 * or so, and two readings on either side of one step would show a power that never was. */
static const uint64_t spike_least_ns = 10000000;

/* Fewer new values than these in a window are too few for its energy. */
static const double least_updates = 10;

/* One reading, and what had come together up to it. */
struct nz_energy_point {
    uint64_t t_ns;
    double joules;   /* from the first reading on: of counters by their difference, of samples by trapezoids */
    double watts;    /* of samples */
    double sum_w;    /* of the samples up to and with this one */
    double max_w;    /* the highest sample since the point before, this one included */
    size_t readings; /* up to and with this one */
    bool merged;     /* readings between it and the point before have gone */
    unsigned breaks;
    size_t changes;     /* readings that differed from the one before, up to and with this one */
    uint64_t change_ns; /* when the last of them came */
    struct {
        double joules, watts;
    } parts[NZ_POWER_PARTS];
};
typedef struct nz_energy_point point;

/* Every other point goes, the first and the last stay, and from now on a point stands for twice as many readings. */
static void thin(nz_energy_trace *trace) {
    size_t kept = 1;
    point *p = trace->points;
    for (size_t i = 2; i < trace->count; i += 2) {
        point next = p[i];
        next.max_w = fmax(next.max_w, p[i - 1].max_w);
        next.merged = true;
        p[kept++] = next;
    }
    if (trace->count % 2 == 0) p[kept++] = p[trace->count - 1];
    trace->count = kept;
    trace->stride = trace->stride ? trace->stride * 2 : 2;
}

/* Whether the last point stands for fewer readings than a point does by now, so that the next one takes its place. */
static bool is_open(const nz_energy_trace *trace) {
    const point *last = &trace->points[trace->count - 1];
    return trace->count > 1 && trace->stride > 1 && last->readings - last[-1].readings < trace->stride;
}

static void name_parts(nz_energy_trace *trace, const nz_power_reading *reading) {
    trace->counts = reading->counts;
    trace->part_count = reading->part_count < NZ_POWER_PARTS ? reading->part_count : NZ_POWER_PARTS;
    for (size_t i = 0; i < trace->part_count; i++) {
        snprintf(trace->part_names[i], sizeof trace->part_names[i], "%.31s", reading->parts[i].name);
        trace->part_added[i] = reading->parts[i].added;
    }
}

/* What comes together from one reading to the next one. */
static void go_on(point *next, const point *last, const nz_energy_trace *trace) {
    double seconds = (double)(next->t_ns - last->t_ns) * 1e-9;
    bool changed = trace->counts ? next->joules != last->joules : next->watts != last->watts;
    if (!trace->counts) {
        next->joules = last->joules + (last->watts + next->watts) / 2 * seconds;
        for (size_t i = 0; i < trace->part_count; i++)
            next->parts[i].joules = last->parts[i].joules + (last->parts[i].watts + next->parts[i].watts) / 2 * seconds;
    }
    next->sum_w += last->sum_w;
    next->readings += last->readings;
    next->changes = last->changes + (changed ? 1 : 0);
    next->change_ns = changed ? next->t_ns : last->change_ns;
}

nz_status nz_energy_add(nz_energy_trace *trace, uint64_t t_ns, const nz_power_reading *reading) {
    size_t most = trace->most >= LEAST_POINTS ? trace->most : MOST_POINTS;
    if (trace->count && t_ns <= trace->points[trace->count - 1].t_ns) return NZ_OK;
    bool open = trace->count && is_open(trace);
    if (!open && trace->count >= most) thin(trace);
    NZ_TRY(nz_grow(&trace->points, &trace->capacity, trace->count + 1, sizeof *trace->points));
    if (!trace->count) name_parts(trace, reading);
    point next = {.t_ns = t_ns,
                  .joules = reading->counts ? reading->joules : 0,
                  .watts = reading->watts,
                  .sum_w = reading->watts,
                  .max_w = reading->watts,
                  .readings = 1,
                  .breaks = reading->breaks,
                  .change_ns = t_ns};
    for (size_t i = 0; i < trace->part_count && i < reading->part_count; i++) {
        next.parts[i].joules = reading->counts ? reading->parts[i].joules : 0;
        next.parts[i].watts = reading->parts[i].watts;
    }
    if (trace->count) go_on(&next, &trace->points[trace->count - 1], trace);
    if (open) {
        next.max_w = fmax(next.max_w, trace->points[trace->count - 1].max_w);
        next.merged = true;
        trace->count--;
    }
    trace->points[trace->count++] = next;
    return NZ_OK;
}

nz_status nz_energy_sample(nz_energy_trace *trace, nz_power *power) {
    nz_power_reading reading;
    uint64_t begin = nz_clock_ns();
    NZ_TRY(nz_power_read(power, &reading));
    return nz_energy_add(trace, begin + (nz_clock_ns() - begin) / 2, &reading);
}

/* Index of the last point that is not later than `t_ns`; the last but one at most. */
static size_t find(const nz_energy_trace *trace, uint64_t t_ns) {
    size_t low = 0, high = trace->count - 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (trace->points[middle].t_ns <= t_ns)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* What a reading at `t_ns` between two points would have been. */
static point at(const nz_energy_trace *trace, uint64_t t_ns) {
    size_t i = find(trace, t_ns);
    const point *a = &trace->points[i], *b = a + 1;
    double along = (double)(t_ns - a->t_ns) / (double)(b->t_ns - a->t_ns), seconds = (double)(t_ns - a->t_ns) * 1e-9;
    point p = {.t_ns = t_ns, .watts = a->watts + (b->watts - a->watts) * along};
    /* Between readings that have gone the sum is known and the line is not. */
    if (trace->counts || b->merged)
        p.joules = a->joules + (b->joules - a->joules) * along;
    else
        p.joules = a->joules + (a->watts + p.watts) / 2 * seconds;
    p.max_w = p.watts;
    for (size_t k = 0; k < trace->part_count; k++)
        p.parts[k].joules = a->parts[k].joules + (b->parts[k].joules - a->parts[k].joules) * along;
    return p;
}

/* Highest mean power of counters between ends that lie far enough apart; NaN where none do. */
static double highest_mean(const nz_energy_trace *trace, const point *from, const point *to, size_t first,
                           size_t last) {
    double highest = NAN;
    const point *since = from;
    for (size_t i = first; i <= last + 1; i++) {
        const point *p = i <= last ? &trace->points[i] : to;
        if (p->t_ns < since->t_ns + spike_least_ns) continue;
        highest = fmax(highest, (p->joules - since->joules) / ((double)(p->t_ns - since->t_ns) * 1e-9));
        since = p;
    }
    return highest;
}

static double highest_sample(const nz_energy_trace *trace, const point *from, const point *to, size_t first,
                             size_t last) {
    double highest = fmax(from->watts, to->watts);
    for (size_t i = first; i <= last; i++) highest = fmax(highest, trace->points[i].max_w);
    return highest;
}

/* Time of the window that lies between samples too far apart. */
static double gap_seconds(const point *first, const point *last, uint64_t from_ns, uint64_t to_ns, double interval_s) {
    double gaps = 0;
    for (const point *a = first; a < last; a++) {
        const point *b = a + 1;
        double apart_s = (double)(b->t_ns - a->t_ns) * 1e-9 / (double)(b->readings - a->readings);
        if (apart_s <= NZ_ENERGY_GAP * interval_s) continue;
        uint64_t from = a->t_ns > from_ns ? a->t_ns : from_ns, to = b->t_ns < to_ns ? b->t_ns : to_ns;
        gaps += (double)(to - from) * 1e-9;
    }
    return gaps;
}

/* Mean time between readings that differ from the one before. */
static double update_s(const point *from, const point *to) {
    size_t changes = to->changes - from->changes;
    if (!changes) return (double)(to->t_ns - from->change_ns) * 1e-9; /* at least that */
    return (double)(to->change_ns - from->change_ns) * 1e-9 / (double)changes;
}

static void put_parts(nz_energy *energy, const nz_energy_trace *trace, const point *from, const point *to) {
    for (size_t i = 0; i < energy->part_count; i++) {
        snprintf(energy->parts[i].name, sizeof energy->parts[i].name, "%s", trace->part_names[i]);
        energy->parts[i].added = trace->part_added[i];
        energy->parts[i].joules = to->parts[i].joules - from->parts[i].joules;
        energy->parts[i].watts = energy->parts[i].joules / energy->seconds;
    }
}

nz_status nz_energy_between(nz_energy *ret_energy, const nz_energy_trace *trace, uint64_t from_ns, uint64_t to_ns) {
    if (trace->count < 2)
        return nz_fail(NZ_E_UNAVAILABLE, "an energy window needs two readings with time between them, got %zu",
                       trace->count);
    uint64_t begin = trace->points[0].t_ns, end = trace->points[trace->count - 1].t_ns;
    if (!from_ns && !to_ns) from_ns = begin, to_ns = end;
    if (from_ns >= to_ns) return nz_fail(NZ_E_UNAVAILABLE, "an energy window ends before it begins");
    if (from_ns < begin || to_ns > end)
        return nz_fail(NZ_E_UNAVAILABLE, "power was read from %.3f s after the window's begin to %.3f s before its end",
                       fmax(0, ((double)begin - (double)from_ns) * 1e-9),
                       fmax(0, ((double)to_ns - (double)end) * 1e-9));
    point from = at(trace, from_ns), to = at(trace, to_ns);
    size_t first = find(trace, from_ns), last = find(trace, to_ns), behind = last;
    if (trace->points[last].t_ns < to_ns) behind++;
    const point *before = &trace->points[first];
    if (trace->points[behind].breaks != before->breaks)
        return nz_fail(NZ_E_UNAVAILABLE, "an energy counter was set back, or read so late that it may have come round");
    if (trace->points[first].t_ns < from_ns) first++;
    if (trace->points[last + 1].t_ns <= to_ns) last++;
    const point *p = trace->points;
    bool any = first <= last;
    nz_energy energy = {.joules = to.joules - from.joules,
                        .seconds = (double)(to_ns - from_ns) * 1e-9,
                        .watts_mean_samples = NAN,
                        .update_s = update_s(before, &trace->points[behind]),
                        .part_count = trace->part_count};
    if (any) energy.samples = p[last].readings - p[first].readings + 1;
    double total = (double)(p[trace->count - 1].readings - 1);
    energy.interval_s = (double)(end - begin) * 1e-9 / total;
    /* Counters lose nothing while nobody reads them. */
    if (!trace->counts)
        energy.gap_seconds = gap_seconds(before, &trace->points[behind], from_ns, to_ns, energy.interval_s);
    energy.watts = energy.joules / energy.seconds;
    energy.watts_max =
        trace->counts ? highest_mean(trace, &from, &to, first, last) : highest_sample(trace, &from, &to, first, last);
    /* A counter's last step may fall into a tail too short to be a sample of its own: the peak is still no less than the mean. */
    if (!(energy.watts_max >= energy.watts)) energy.watts_max = energy.watts;
    if (!trace->counts && any) {
        double sum = p[last].sum_w - p[first].sum_w + p[first].watts;
        energy.watts_mean_samples = sum / (double)energy.samples;
    }
    put_parts(&energy, trace, &from, &to);
    *ret_energy = energy;
    return NZ_OK;
}

bool nz_energy_check(nz_energy_doubt *ret_doubt, const nz_energy *energy) {
    nz_energy_doubt doubt = {.disagreement_pct = 0};
    double ways[] = {energy->watts * energy->seconds, energy->watts_mean_samples * energy->seconds};
    for (size_t i = 0; i < NZ_COUNT(ways); i++)
        if (!isnan(ways[i]) && ways[i] != energy->joules)
            doubt.disagreement_pct = fmax(doubt.disagreement_pct, 100 * fabs(ways[i] / energy->joules - 1));
    if (isnan(energy->joules) || isnan(energy->seconds)) doubt.disagreement_pct = NAN;
    doubt.disagrees = !(doubt.disagreement_pct <= NZ_ENERGY_AGREE_PCT);
    doubt.gaps = energy->gap_seconds * 100 > energy->seconds;
    doubt.coarse = energy->update_s * least_updates > energy->seconds;
    size_t at = 0;
    if (doubt.disagrees)
        at = (size_t)nz_snprintf(doubt.text, sizeof doubt.text, "joules, watts and seconds disagree by %.2g%%",
                                 doubt.disagreement_pct);
    if (doubt.gaps)
        at += (size_t)nz_snprintf(doubt.text + at, sizeof doubt.text - at, "%s%.2g s of the window have no samples",
                                  at ? "; " : "", energy->gap_seconds);
    if (doubt.coarse)
        nz_snprintf(doubt.text + at, sizeof doubt.text - at,
                    "%sthe source tells a new value only every %.2g s: the window should be longer than %.2g s",
                    at ? "; " : "", energy->update_s, energy->update_s * least_updates);
    *ret_doubt = doubt;
    return doubt.disagrees || doubt.gaps || doubt.coarse;
}

void nz_energy_trace_clear(nz_energy_trace *trace) {
    trace->count = 0;
    trace->stride = 0;
}

void nz_energy_trace_done(nz_energy_trace *trace) {
    free(trace->points);
    *trace = (nz_energy_trace){0};
}
