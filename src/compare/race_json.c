/* SPDX-License-Identifier: Apache-2.0 */
/* What a race has found out about a variant, as its raw part. */
#include <math.h>
#include <string.h>

#include "compare/race.h"
#include "core/memory.h"

/* A kept time, and how many of a block it stands for. */
typedef struct kept {
    double ns, weight;
} kept;

static int by_ns(const void *a, const void *b) {
    double x = ((const kept *)a)->ns, y = ((const kept *)b)->ns;
    return (x > y) - (x < y);
}

static double weighted_middle(const kept *sorted, size_t count, double total) {
    double below = 0;
    size_t i = 0;
    while (i + 1 < count && below + sorted[i].weight < total / 2) below += sorted[i++].weight;
    return sorted[i].ns;
}

/* Times beyond 1.5 medians: counted, and kept. */
static json_t *outliers_json(const json_t *rounds) {
    size_t count = 0, at = 0;
    double total = 0, beyond = 0, slowest = 0;
    for (size_t r = 0; r < json_array_size(rounds); r++)
        count += json_array_size(json_object_get(json_array_get(rounds, r), "ns"));
    NZ_AUTO_FREE kept *all = NULL;
    if (!count || nz_alloc(&all, count, sizeof *all) != NZ_OK) return NULL;
    for (size_t r = 0; r < json_array_size(rounds); r++) {
        const json_t *round = json_array_get(rounds, r), *times = json_object_get(round, "ns");
        double timed = json_number_value(json_object_get(round, "timed")), n = (double)json_array_size(times);
        for (size_t i = 0; i < json_array_size(times); i++)
            all[at++] = (kept){json_number_value(json_array_get(times, i)), timed / n};
        total += timed;
        slowest = fmax(slowest, json_number_value(json_object_get(round, "most_ns")));
    }
    qsort(all, count, sizeof *all, by_ns);
    double middle = weighted_middle(all, count, total);
    for (size_t i = 0; i < count; i++) beyond += all[i].ns > 1.5 * middle ? all[i].weight : 0;
    return json_pack("{s:I,s:I,s:f}", "count", (json_int_t)llround(beyond), "of", (json_int_t)llround(total),
                     "slowest_ms", fmax(slowest, all[count - 1].ns) * 1e-6);
}

/* Where single inferences took too long for the warm-up to tell, the rounds do. */
static bool was_steady(const nz_lane *lane) {
    enum { LEAST = 10 };
    bool steady = false;
    size_t rounds = json_array_size(lane->rounds), first;
    NZ_AUTO_FREE double *means = NULL;
    if (lane->warm_steady || lane->warm_values > LEAST || rounds < LEAST) return lane->warm_steady;
    if (nz_alloc(&means, rounds, sizeof *means) != NZ_OK) return false;
    for (size_t r = 0; r < rounds; r++)
        means[r] = json_number_value(json_object_get(json_array_get(lane->rounds, r), "mean_ns"));
    return nz_steady_from(&first, &steady, means, rounds) == NZ_OK && steady;
}

static json_t *numbers(const double *values, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, nz_json_real(values[i]));
    return list;
}

static json_t *conditions_json(const nz_race *race, const nz_lane *lane) {
    const nz_race_sums *s = &lane->sums;
    const nz_compare_options *o = race->run->options;
    double cpus = race->machine->cpus, ticks = (double)(s->busy + s->idle + s->steal);
    double busy = ticks > 0 ? 100 * (double)s->busy / ticks : NAN;
    double ours = 100 * (double)(s->whole_cpu_ns + s->station_ns) * 1e-9 / (s->watch_s * cpus);
    const json_t *process = json_object_get(json_object_get(lane->variant->raw, "load"), "process");
    json_int_t nice_value = json_integer_value(json_object_get(process, "nice"));
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:f,s:o,s:o,s:I,s:I,s:b,s:I,s:o}", "before_pct",
                     nz_json_real(nz_watch_busy_pct(&race->machine->before)), "busy_pct", nz_json_real(busy),
                     "process_pct", nz_json_real(100 * s->cpu_s / (s->block_s * cpus)), "others_pct",
                     nz_json_real(isnan(busy) ? busy : fmax(0, busy - ours)), "steal_pct",
                     nz_json_real(ticks > 0 ? 100 * (double)s->steal / ticks : NAN), "mhz", numbers(s->mhz, 3),
                     "temperature_c", numbers(s->temperature_c, 3), "throttled", (json_int_t)s->throttled,
                     "held_back_s", s->held_back_s, "pressure_pct", nz_json_real(100 * s->pressure_s / s->watch_s),
                     "load1", nz_json_real(s->load1), "swapped_pages", (json_int_t)s->swapped_pages,
                     "page_faults_major", (json_int_t)s->page_faults_major, "priority_refused",
                     o->has_priority && nice_value != o->priority, "nice", nice_value, "cpus",
                     json_deep_copy(json_object_get(process, "cpus")));
}

static json_t *look_json(const nz_race *race, const nz_lane *lane) {
    const nz_race_group *g = &race->groups[lane->group];
    return json_pack("{s:b,s:o,s:f,s:o,s:I,s:I}", "enough", g->enough, "width_pct", nz_json_real(100 * g->widest),
                     "wanted_pct", race->run->options->width_pct, "confidence", nz_json_real(g->confidence), "rounds",
                     (json_int_t)g->rounds, "looks", (json_int_t)g->looks);
}

/* What each domain or rail had of it, shown ones too. */
static json_t *parts_json(const nz_race_sums *s) {
    json_t *parts = json_object();
    for (size_t i = 0; i < s->part_count; i++)
        json_object_set_new(
            parts, s->parts[i].name,
            json_pack("{s:o,s:b}", "joules", nz_json_real(s->parts[i].joules), "added", s->parts[i].added));
    return parts;
}

static json_t *energy_json(const nz_race *race, const nz_lane *lane) {
    const nz_race_sums *s = &lane->sums;
    const json_t *power = json_object_get(race->machine->about, "power");
    const nz_watch *around[2] = {&race->machine->before, &race->machine->after};
    double idle[2];
    for (size_t i = 0; i < 2; i++) idle[i] = around[i]->has_energy ? around[i]->energy.watts : NAN;
    return json_pack("{s:f,s:f,s:o,s:o,s:I,s:o,s:o,s:f,s:o,s:I,s:s,s:s,s:o,s:o}", "joules", s->joules, "seconds",
                     s->energy_s, "watts", nz_json_real(s->joules / s->energy_s), "watts_max",
                     nz_json_real(s->watts_max), "samples", (json_int_t)s->power_samples, "interval_s",
                     nz_json_real(s->interval_s), "update_s", nz_json_real(s->update_s), "gap_seconds", s->gap_seconds,
                     "parts", parts_json(s), "count", (json_int_t)s->runs, "power", nz_json_text_at(power, "name"),
                     "scope", nz_json_text_at(power, "scope"), "idle_w", numbers(idle, 2), "mean_samples_w",
                     nz_json_real(s->samples_w / s->energy_s));
}

json_t *nz_lane_json(const nz_race *race, const nz_lane *lane) {
    const nz_race_sums *s = &lane->sums;
    double timed = 0;
    for (size_t r = 0; r < json_array_size(lane->rounds); r++)
        timed += json_number_value(json_object_get(json_array_get(lane->rounds, r), "timed"));
    json_t *part = json_pack(
        "{s:s,s:I,s:I,s:O,s:{s:I,s:I},s:{s:I,s:f,s:b},s:o,s:o,s:o,s:o,s:o}", "race", race->name, "bunch", lane->bunch,
        "samples", lane->samples, "rounds", lane->rounds, "sittings", "count",
        (json_int_t)race->groups[lane->group].sittings, "replanned", (json_int_t)lane->replanned, "warmup", "runs",
        lane->warm_runs, "seconds", lane->warm_s, "steady", was_steady(lane), "look", look_json(race, lane), "outliers",
        outliers_json(lane->rounds), "conditions", conditions_json(race, lane), "clock_overhead_pct",
        nz_json_real(100 * race->machine->clock_overhead_ns * timed / (s->inference_s * 1e9)), "loop_overhead_pct",
        nz_json_real(fmax(0, 100 * (1 - s->inference_s / s->block_s))));
    int failed = !part;
    if (*s->energy_reason)
        failed |= json_object_set_new(part, "energy_reason", nz_json_string(s->energy_reason));
    else
        failed |= json_object_set_new(part, "energy", energy_json(race, lane));
    if (!failed) return part;
    json_decref(part);
    return NULL;
}
