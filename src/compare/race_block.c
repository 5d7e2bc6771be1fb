/* SPDX-License-Identifier: Apache-2.0 */
/* Warming up, and a block of inferences in a window that the machine's station watches. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/race.h"
#include "core/error.h"
#include "core/progress.h"

static const double shortest_block_s = 0.25, power_block_s = 1.05, longest_block_s = 20, power_readings = 10,
                    long_ns = 1e9;

double nz_block_seconds(const nz_race *race) {
    const nz_compare_options *o = race->run->options;
    if (o->block_s > 0) return o->block_s;
    if (!race->machine->has_power) return fmin(shortest_block_s, o->budget_s / 25);
    /* A source that seldom has something new needs blocks that hold enough of it. */
    double interval_ms = nz_json_number_at(json_object_get(race->machine->about, "power"), "interval_ms");
    return fmin(longest_block_s, fmax(power_block_s, power_readings * interval_ms * 1e-3));
}

/* ---- rest ---- */

static nz_status rest(nz_race *race, nz_watch *ret_watch, double seconds) {
    return nz_machine_quiet(race->machine, ret_watch, seconds);
}

static nz_status wait_for_temperature(nz_race *race, double wanted_c) {
    enum { LONGEST_S = 300 };
    nz_watch watch;
    NZ_TRY(rest(race, &watch, 0));
    for (int waited = 0; watch.end.temperature_c > wanted_c; waited++) {
        if (waited == LONGEST_S) {
            nz_warn(race->run->warnings,
                    "%s: after %d s of rest it was still at %.0f C: blocks did not wait for %.0f C",
                    race->machine->host, LONGEST_S, watch.end.temperature_c, wanted_c);
            race->stays_warm = true;
            return NZ_OK;
        }
        NZ_TRY(rest(race, &watch, 1));
    }
    if (isnan(watch.end.temperature_c)) {
        nz_warn(race->run->warnings, "%s: no temperature can be read: blocks did not wait for %.0f C (--cooldown)",
                race->machine->host, wanted_c);
        race->stays_warm = true;
    }
    return NZ_OK;
}

nz_status nz_race_cool_down(nz_race *race) {
    const nz_compare_options *o = race->run->options;
    nz_watch watch;
    if (o->cooldown_s > 0) NZ_TRY(rest(race, &watch, o->cooldown_s));
    if (isnan(o->cooldown_c) || race->stays_warm) return NZ_OK;
    return wait_for_temperature(race, o->cooldown_c);
}

/* ---- warming up ---- */

/* So many inferences between two readings that a reading costs no more than its share of them. */
static json_int_t bunch_for(const nz_race *race, double each_ns) {
    double least_ns = race->machine->clock_overhead_ns / NZ_CLOCK_SHARE;
    return each_ns >= least_ns || !(least_ns > 0) ? 1 : (json_int_t)ceil(fmin(least_ns / each_ns, 1e7));
}

double nz_warm_again_s(const nz_race *race) { return fmin(0.05, race->run->options->budget_s / 32); }

/* The first one also wakes the machine, and its end is looked for; a process that is started anew has but its memory to touch. */
nz_status nz_lane_warm(nz_race *race, nz_lane *lane) {
    NZ_AUTO_JSON json_t *answer = NULL;
    double budget = race->run->options->budget_s;
    bool first = race->sitting == 0;
    NZ_TRY(nz_ask(race->run, lane->variant, &answer, "warm",
                  json_pack("{s:f,s:f,s:i}", "seconds", first ? budget / 4 : nz_warm_again_s(race), "least",
                            first ? fmin(0.3, budget / 8) : nz_warm_again_s(race), "least_runs", first ? 3 : 1),
                  "warm up", NULL, NULL));
    if (!answer) return NZ_OK;
    lane->each_ns = fmax(1, json_number_value(json_object_get(answer, "ns")));
    lane->warm_s += json_number_value(json_object_get(answer, "seconds"));
    lane->warm_runs += json_integer_value(json_object_get(answer, "runs"));
    if (!first) return NZ_OK;
    lane->warm_values = json_integer_value(json_object_get(answer, "values"));
    lane->warm_steady = json_is_true(json_object_get(answer, "steady"));
    lane->bunch = bunch_for(race, lane->each_ns);
    return NZ_OK;
}

/* ---- a block ---- */

/* A block whose source shows other parts than the first one's has none to add. */
static void note_parts(nz_race_sums *s, const nz_energy *e) {
    if (!s->begun) {
        s->part_count = e->part_count;
        memcpy(s->parts, e->parts, sizeof s->parts);
        return;
    }
    for (size_t i = 0; i < s->part_count; i++) {
        bool same = i < e->part_count && strcmp(s->parts[i].name, e->parts[i].name) == 0;
        s->parts[i].joules += same ? e->parts[i].joules : NAN;
    }
}

static void note_energy(nz_race_sums *s, const nz_watch *watch, json_t *round) {
    const nz_energy *e = &watch->energy;
    json_object_set_new(round, "joules", nz_json_real(watch->has_energy ? e->joules : NAN));
    json_object_set_new(round, "watts_max", nz_json_real(watch->has_energy ? e->watts_max : NAN));
    if (!watch->has_energy) {
        if (!*s->energy_reason) snprintf(s->energy_reason, sizeof s->energy_reason, "%s", watch->energy_reason);
        return;
    }
    s->joules += e->joules;
    s->energy_s += e->seconds;
    s->interval_s = e->interval_s;
    s->update_s = fmax(s->update_s, e->update_s);
    s->gap_seconds += e->gap_seconds;
    note_parts(s, e);
    s->power_samples += e->samples;
    s->samples_w += e->watts_mean_samples * e->seconds;
    s->watts_max = s->begun ? fmax(s->watts_max, e->watts_max) : e->watts_max;
}

static void note_conditions(nz_race_sums *s, const nz_watch *w) {
    double warm = fmax(w->begin.temperature_c, w->end.temperature_c);
    if (!s->begun) {
        /* The clock rate is read where work has just ended: before the first block the CPUs were idle. Those that did not
         * work are so still; the fastest one did. */
        s->mhz[0] = s->mhz[2] = w->end.mhz_most;
        s->temperature_c[0] = s->temperature_c[2] = w->begin.temperature_c;
        s->load1 = w->begin.load1;
    }
    s->mhz[1] = w->end.mhz_most;
    s->mhz[2] = fmin(s->mhz[2], w->end.mhz_most);
    s->temperature_c[1] = w->end.temperature_c;
    s->temperature_c[2] = fmax(s->temperature_c[2], warm);
    s->busy += w->busy;
    s->idle += w->idle;
    s->steal += w->steal;
    s->throttled += w->throttled;
    s->swapped_pages += w->swapped_pages;
    s->watch_s += w->seconds;
    s->held_back_s += isnan(w->held_back_s) ? 0 : w->held_back_s;
    s->pressure_s += isnan(w->pressure_pct) ? 0 : w->pressure_pct / 100 * w->seconds;
    s->station_ns += w->own_ns;
    s->begun = true;
}

static void note_worker(nz_race_sums *s, const json_t *answer) {
    double runs = json_number_value(json_object_get(answer, "runs"));
    s->runs += (uint64_t)runs;
    s->inference_s += json_number_value(json_object_get(answer, "mean_ns")) * runs * 1e-9;
    s->block_s += json_number_value(json_object_get(answer, "seconds"));
    s->cpu_s += json_number_value(json_object_get(answer, "cpu_ns")) * 1e-9;
    s->page_faults_major += (uint64_t)json_integer_value(json_object_get(answer, "page_faults_major"));
    s->whole_cpu_ns += (uint64_t)json_integer_value(json_object_get(answer, "whole_cpu_ns"));
}

/* What later figures divide by must be there. */
static bool is_whole(const json_t *answer) {
    static const char *const positive[] = {"timed", "runs", "mean_ns", "seconds", "from_ns"};
    const json_t *times = json_object_get(answer, "ns");
    bool whole = json_array_size(times) > 0;
    for (size_t i = 0; i < NZ_COUNT(positive); i++)
        whole = whole && json_number_value(json_object_get(answer, positive[i])) > 0;
    for (size_t i = 0; i < json_array_size(times); i++)
        whole = whole && json_number_value(json_array_get(times, i)) > 0;
    return whole;
}

static json_t *block_request(const nz_race *race, const nz_lane *lane) {
    enum { MOST_VALUES = 100000 };
    const nz_compare_options *o = race->run->options;
    double seconds = nz_block_seconds(race);
    double values = round(seconds * 1e9 / (lane->each_ns * (double)lane->bunch));
    /* Another model has used the caches meanwhile, which an inference of a second hardly feels; after a rest the clock has to
     * rise again too. */
    double refill = o->cooldown_s > 0 || !isnan(o->cooldown_c) ? 0.1 : lane->each_ns < long_ns ? seconds / 50 : 0;
    return json_pack("{s:I,s:I,s:f,s:f}", "count", (json_int_t)fmin(fmax(1, values), MOST_VALUES), "bunch", lane->bunch,
                     "seconds", race->machine->has_power || o->block_s > 0 ? seconds : 0.0, "refill_s", refill);
}

nz_status nz_lane_block(nz_race *race, nz_lane *lane, const char *what) {
    json_t *answer = NULL;
    nz_watch watch;
    NZ_TRY(nz_machine_watch(race->machine));
    uint64_t begin = nz_clock_ns();
    NZ_TRY(nz_ask(race->run, lane->variant, &answer, "time", block_request(race, lane), what, NULL, NULL));
    lane->spent_s += (double)(nz_clock_ns() - begin) * 1e-9;
    json_int_t from = json_integer_value(json_object_get(answer, "from_ns")),
               to = json_integer_value(json_object_get(answer, "to_ns"));
    nz_status status = nz_machine_watched(race->machine, &watch, (uint64_t)from, (uint64_t)to);
    if (status != NZ_OK || !answer) {
        json_decref(answer);
        return status;
    }
    if (!is_whole(answer)) {
        json_decref(answer);
        nz_variant_fail(lane->variant, "the worker's answer holds no times");
        return NZ_OK;
    }
    note_worker(&lane->sums, answer);
    note_energy(&lane->sums, &watch, answer);
    note_conditions(&lane->sums, &watch);
    lane->each_ns = json_number_value(json_object_get(answer, "mean_ns"));
    json_object_del(answer, "ok");
    json_object_del(answer, "whole_cpu_ns");
    json_object_set_new(answer, "sitting", json_integer((json_int_t)race->sitting));
    return json_array_append_new(lane->rounds, answer) ? nz_fail(NZ_E_MEMORY, "out of memory: a round") : NZ_OK;
}
