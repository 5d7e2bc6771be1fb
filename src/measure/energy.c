/* SPDX-License-Identifier: Apache-2.0 */
/* Energy of a window out of a power source's readings. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "netzip/measure.h"

enum { MOST_POINTS = 8192, LEAST_POINTS = 4 };

/* The highest mean power between two counter readings is taken over at least this long: counters step every millisecond
 * or so, and two readings on either side of one step would show a power that never was. */
static const uint64_t spike_least_ns = 10000000;

/* One reading, and what had come together up to it. */
struct nz_energy_point {
    uint64_t t_ns;
    double joules;   /* from the first reading on: of counters by their difference, of samples by trapezoids */
    double watts;    /* of samples */
    double sum_w;    /* of the samples up to and with this one */
    double max_w;    /* the highest sample since the point before, this one included */
    size_t readings; /* up to and with this one */
    bool merged;     /* readings between it and the point before have gone */
    double parts[NZ_POWER_PARTS];
};
typedef struct nz_energy_point point;

/* Every other point goes; the first and the last stay. */
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
}

static void name_parts(nz_energy_trace *trace, const nz_power_reading *reading) {
    trace->counts = reading->counts;
    trace->part_count = reading->part_count < NZ_POWER_PARTS ? reading->part_count : NZ_POWER_PARTS;
    for (size_t i = 0; i < trace->part_count; i++)
        snprintf(trace->part_names[i], sizeof trace->part_names[i], "%.31s", reading->parts[i].name);
}

nz_status nz_energy_add(nz_energy_trace *trace, uint64_t t_ns, const nz_power_reading *reading) {
    size_t most = trace->most >= LEAST_POINTS ? trace->most : MOST_POINTS;
    if (trace->count && t_ns <= trace->points[trace->count - 1].t_ns) return NZ_OK;
    if (trace->count >= most) thin(trace);
    NZ_TRY(nz_grow(&trace->points, &trace->capacity, trace->count + 1, sizeof *trace->points));
    if (!trace->count) name_parts(trace, reading);
    point next = {.t_ns = t_ns,
                  .joules = reading->counts ? reading->joules : 0,
                  .watts = reading->watts,
                  .sum_w = reading->watts,
                  .max_w = reading->watts,
                  .readings = 1};
    for (size_t i = 0; i < trace->part_count; i++) next.parts[i] = reading->parts[i].joules;
    if (trace->count) {
        const point *last = &trace->points[trace->count - 1];
        if (!reading->counts)
            next.joules = last->joules + (last->watts + reading->watts) / 2 * ((double)(t_ns - last->t_ns) * 1e-9);
        next.sum_w += last->sum_w;
        next.readings += last->readings;
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
    for (size_t k = 0; k < trace->part_count; k++) p.parts[k] = a->parts[k] + (b->parts[k] - a->parts[k]) * along;
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
    size_t first = find(trace, from_ns), last = find(trace, to_ns);
    if (trace->points[first].t_ns < from_ns) first++;
    if (trace->points[last + 1].t_ns <= to_ns) last++;
    const point *p = trace->points;
    bool any = first <= last;
    nz_energy energy = {.joules = to.joules - from.joules,
                        .seconds = (double)(to_ns - from_ns) * 1e-9,
                        .watts_mean_samples = NAN,
                        .part_count = trace->part_count};
    if (any) energy.samples = p[last].readings - p[first].readings + 1;
    double total = (double)(p[trace->count - 1].readings - 1);
    energy.interval_s = (double)(end - begin) * 1e-9 / total;
    energy.watts = energy.joules / energy.seconds;
    energy.watts_max =
        trace->counts ? highest_mean(trace, &from, &to, first, last) : highest_sample(trace, &from, &to, first, last);
    /* A counter's last step may fall into a tail too short to be a sample of its own: the peak is still no less than the mean. */
    if (!(energy.watts_max >= energy.watts)) energy.watts_max = energy.watts;
    if (!trace->counts && any) {
        double sum = p[last].sum_w - p[first].sum_w + p[first].watts;
        energy.watts_mean_samples = sum / (double)energy.samples;
    }
    for (size_t i = 0; i < energy.part_count; i++) {
        snprintf(energy.parts[i].name, sizeof energy.parts[i].name, "%s", trace->part_names[i]);
        energy.parts[i].joules = to.parts[i] - from.parts[i];
    }
    *ret_energy = energy;
    return NZ_OK;
}

void nz_energy_trace_clear(nz_energy_trace *trace) { trace->count = 0; }

void nz_energy_trace_done(nz_energy_trace *trace) {
    free(trace->points);
    *trace = (nz_energy_trace){0};
}
