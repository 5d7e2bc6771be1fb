/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/race.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compare/series.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"

static double budget_of(const nz_race *race, size_t group) {
    size_t lanes = 0;
    for (size_t i = 0; i < race->lane_count; i++)
        lanes += race->lanes[i].group == group && !race->lanes[i].variant->error;
    return race->run->options->budget_s * (double)lanes;
}

static double spent_of(const nz_race *race, size_t group) {
    double spent = 0;
    for (size_t i = 0; i < race->lane_count; i++)
        if (race->lanes[i].group == group && !race->lanes[i].variant->error) spent += race->lanes[i].spent_s;
    return spent;
}

/* ---- a look ---- */

/* The blocks of the lanes of a group that are still there, its baseline first. */
typedef struct gathered {
    nz_blocks blocks;
    double *values;
    size_t *start;
    const nz_lane **lanes;
    nz_block_interval *intervals; /* of the medians, then of the ratios */
} gathered;

static void gathered_done(gathered *g) {
    free(g->values);
    free(g->start);
    free(g->lanes);
    free(g->intervals);
}

static nz_status gather_lanes(gathered *g, const nz_race *race, size_t group) {
    NZ_TRY(nz_alloc(&g->lanes, race->lane_count, sizeof(const nz_lane *)));
    for (size_t i = 0; i < race->lane_count; i++) {
        const nz_lane *lane = &race->lanes[i];
        if (lane->group != group || lane->variant->error) continue;
        size_t at = g->blocks.model_count++;
        g->lanes[at] = lane;
        if (!lane->is_baseline) continue;
        g->lanes[at] = g->lanes[0];
        g->lanes[0] = lane;
    }
    return NZ_OK;
}

static const json_t *times_of(const nz_lane *lane, size_t round) {
    return json_object_get(json_array_get(lane->rounds, round), "ns");
}

static size_t sitting_of(const nz_lane *lane, size_t round) {
    return (size_t)json_integer_value(json_object_get(json_array_get(lane->rounds, round), "sitting"));
}

/* The times of one lane in one sitting. */
static size_t add_times(double *values, const nz_lane *lane, size_t rounds, size_t sitting) {
    size_t at = 0;
    for (size_t r = 0; r < rounds; r++) {
        const json_t *times = times_of(lane, r);
        for (size_t i = 0; sitting_of(lane, r) == sitting && i < json_array_size(times); i++)
            values[at++] = json_number_value(json_array_get(times, i));
    }
    return at;
}

static nz_status gather(gathered *g, const nz_race *race, size_t group) {
    NZ_TRY(gather_lanes(g, race, group));
    size_t rounds = race->groups[group].rounds, sittings = race->groups[group].sittings;
    size_t models = g->blocks.model_count, count = 0, at = 0, block = 0;
    for (size_t m = 0; m < models; m++)
        for (size_t r = 0; r < rounds; r++) count += json_array_size(times_of(g->lanes[m], r));
    NZ_TRY(nz_alloc(&g->values, count, sizeof *g->values));
    NZ_TRY(nz_alloc(&g->start, sittings * models + 1, sizeof *g->start));
    NZ_TRY(nz_alloc(&g->intervals, 2 * models, sizeof *g->intervals));
    for (size_t s = 0; s < sittings; s++)
        for (size_t m = 0; m < models; m++) {
            at += add_times(g->values + at, g->lanes[m], rounds, s);
            g->start[++block] = at;
        }
    g->blocks.round_count = sittings;
    g->blocks.values = g->values;
    g->blocks.start = g->start;
    return NZ_OK;
}

static nz_status look(nz_race *race, size_t group) {
    nz_race_group *state = &race->groups[group];
    NZ_AUTO(gathered_done) gathered g = {.values = NULL};
    nz_look_options options = nz_look_options_default();
    nz_look seen;
    NZ_TRY(gather(&g, race, group));
    if (!g.blocks.model_count) return NZ_OK;
    options.width = race->run->options->width_pct / 100;
    options.blocks.seed = race->run->options->seed;
    options.blocks.length = NZ_SITTINGS_TOGETHER;
    options.least_rounds = NZ_RACE_SITTINGS / 2 + 1;
    NZ_TRY(nz_blocks_look(&seen, g.intervals, g.intervals + g.blocks.model_count, &g.blocks, &options));
    state->looks++;
    state->enough = seen.enough;
    state->widest = seen.widest;
    state->confidence = seen.confidence;
    state->next_look = seen.next_rounds;
    return NZ_OK;
}

/* ---- rounds ---- */

/* Done where a look says so, or where the budget is spent and there are sittings enough for an interval: also of a model whose
 * single inference takes longer than its budget. */
static nz_status after_sitting(nz_race *race, size_t group) {
    nz_race_group *state = &race->groups[group];
    double budget = budget_of(race, group);
    if (!(budget > 0)) {
        state->done = true; /* all of them have failed */
        return NZ_OK;
    }
    state->sittings++;
    bool spent = spent_of(race, group) >= budget && state->sittings >= NZ_BLOCKS_LEAST;
    if (spent || state->sittings >= state->next_look) NZ_TRY(look(race, group));
    state->done = spent || state->enough;
    return NZ_OK;
}

/* "latency, round 12, interval 1.8% (1.0% wanted), at most 3 s left" */
static void tell(char *text, size_t size, const nz_race *race, size_t round, double wall_s) {
    double left = 0, spent = 0, widest = NAN;
    for (size_t g = 0; g < race->group_count; g++) {
        spent += spent_of(race, g);
        if (race->groups[g].done) continue;
        left += fmax(0, budget_of(race, g) - spent_of(race, g));
        widest = fmax(widest, race->groups[g].widest);
    }
    if (spent > 0) left *= fmax(1, wall_s / spent);
    int length =
        snprintf(text, size, "%s, round %zu", strcmp(race->part, "batch") == 0 ? "throughput" : "latency", round + 1);
    if (length > 0 && (size_t)length < size && !isnan(widest))
        length += snprintf(text + length, size - (size_t)length, ", interval %.2g%% (%.2g%% wanted)", 100 * widest,
                           race->run->options->width_pct);
    if (length > 0 && (size_t)length < size)
        snprintf(text + length, size - (size_t)length, ", at most %.0f s left", left);
}

/* Blocks are shorter than the time after which an awaited answer is told about. */
static nz_status go_on(const nz_race *race, const nz_lane *lane, const char *what) {
    NZ_AUTO_FREE char *label = NULL;
    NZ_TRY(nz_format(&label, "%s: %s", race->run->entries[lane->variant->entry].name, what));
    return nz_progress_step(race->run->progress, label, 0, 0) ? NZ_OK : nz_fail(NZ_E_CANCELLED, "stopped by the user");
}

static bool plays(const nz_race *race, const nz_lane *lane) {
    return !lane->variant->error && !race->groups[lane->group].done;
}

static nz_status run_round(nz_race *race, size_t round, double wall_s) {
    char what[160];
    for (size_t k = 0; k < race->lane_count; k++) {
        /* A B, then B A: a drift within rounds falls on both alike. */
        nz_lane *lane = &race->lanes[round % 2 ? race->lane_count - 1 - k : k];
        if (!plays(race, lane)) continue;
        tell(what, sizeof what, race, round, wall_s);
        NZ_TRY(go_on(race, lane, what));
        NZ_TRY(nz_race_cool_down(race));
        NZ_TRY(nz_lane_block(race, lane, what));
        nz_variant_tell(race->run, lane->variant);
    }
    for (size_t g = 0; g < race->group_count; g++)
        if (!race->groups[g].done) race->groups[g].rounds++;
    return NZ_OK;
}

/* Of the time of a variant. Starting anew takes as long as measuring at most, but for slow models, which sit down
 * NZ_RACE_SITTINGS times all the same. Of a long budget a sitting gets no more than a second, or what starting anew takes. */
static double sitting_seconds(const nz_race *race) {
    enum { MOST_SITTINGS = 25 };
    double budget = race->run->options->budget_s, start_s = 0;
    for (size_t i = 0; i < race->lane_count; i++)
        if (plays(race, &race->lanes[i])) start_s = fmax(start_s, race->lanes[i].load_s + nz_warm_again_s(race));
    double seconds = fmin(fmax(start_s, budget / MOST_SITTINGS), budget / NZ_RACE_SITTINGS);
    return fmin(seconds, fmax(1, start_s));
}

/* By the variant that has had the most: a block takes at least one inference, however long that is. */
static double most_spent(const nz_race *race) {
    double most = 0;
    for (size_t i = 0; i < race->lane_count; i++)
        if (plays(race, &race->lanes[i])) most = fmax(most, race->lanes[i].spent_s);
    return most;
}

/* New processes for those that are still there. */
static nz_status sit_down_again(nz_race *race) {
    for (size_t i = 0; i < race->lane_count; i++)
        if (plays(race, &race->lanes[i])) nz_process_end(&race->lanes[i].variant->process);
    for (size_t i = 0; i < race->lane_count; i++) {
        nz_lane *lane = &race->lanes[i];
        if (!plays(race, lane)) continue;
        NZ_TRY(race->seat(race, lane));
        if (!lane->variant->error) NZ_TRY(nz_lane_warm(race, lane));
        nz_variant_tell(race->run, lane->variant);
    }
    return NZ_OK;
}

static nz_status run_sitting(nz_race *race, size_t *round, uint64_t begin_ns) {
    if (race->sitting) NZ_TRY(sit_down_again(race));
    double seconds = sitting_seconds(race), before = most_spent(race);
    size_t rounds = (size_t)fmax(1, floor(seconds / nz_block_seconds(race)));
    for (size_t r = 0; r < rounds && (!r || most_spent(race) - before < seconds); r++)
        NZ_TRY(run_round(race, (*round)++, (double)(nz_clock_ns() - begin_ns) * 1e-9));
    for (size_t g = 0; g < race->group_count; g++)
        if (!race->groups[g].done) NZ_TRY(after_sitting(race, g));
    return NZ_OK;
}

static bool runs_on(const nz_race *race) {
    for (size_t g = 0; g < race->group_count; g++)
        if (!race->groups[g].done) return true;
    return false;
}

/* ---- the whole ---- */

static double quiet_seconds(const nz_race *race) {
    double own = race->machine->has_power ? 1.1 : fmin(0.5, race->run->options->budget_s);
    /* Long blocks are for a source or a meter that is slow, which needs as long for idle power. */
    return fmax(own, race->machine->has_power ? nz_block_seconds(race) : race->run->options->block_s);
}

static nz_status begin(nz_race *race) {
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(race->name, sizeof race->name, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(race->name + length, sizeof race->name - length, ".%06ldZ", now.tv_nsec / 1000);
    NZ_TRY(nz_alloc(&race->groups, race->group_count, sizeof *race->groups));
    for (size_t g = 0; g < race->group_count; g++)
        race->groups[g] = (nz_race_group){.next_look = NZ_RACE_SITTINGS / 2 + 1, .widest = NAN, .confidence = NAN};
    for (size_t i = 0; i < race->lane_count; i++) {
        race->lanes[i].rounds = json_array();
        if (!race->lanes[i].rounds) return nz_fail(NZ_E_MEMORY, "out of memory: rounds of a variant");
    }
    if (race->machine->was_quiet) return NZ_OK;
    NZ_TRY(nz_machine_quiet(race->machine, &race->machine->before, quiet_seconds(race)));
    race->machine->was_quiet = true;
    return NZ_OK;
}

static nz_status store(nz_race *race) {
    NZ_TRY(nz_machine_quiet(race->machine, &race->machine->after, quiet_seconds(race)));
    for (size_t i = 0; i < race->lane_count; i++) {
        nz_variant *v = race->lanes[i].variant;
        if (v->error) continue;
        if (json_object_set_new(v->raw, race->part, nz_lane_json(race, &race->lanes[i])))
            return nz_fail(NZ_E_MEMORY, "out of memory: the times of a variant");
    }
    return NZ_OK;
}

static nz_status run_all(nz_race *race) {
    NZ_TRY(begin(race));
    for (size_t i = 0; i < race->lane_count; i++) {
        if (race->lanes[i].variant->error) continue;
        NZ_TRY(nz_lane_warm(race, &race->lanes[i]));
        nz_variant_tell(race->run, race->lanes[i].variant);
    }
    uint64_t begin_ns = nz_clock_ns();
    size_t round = 0;
    for (race->sitting = 0; runs_on(race); race->sitting++) NZ_TRY(run_sitting(race, &round, begin_ns));
    return store(race);
}

nz_status nz_race_run(nz_race *race) {
    nz_status status = run_all(race);
    for (size_t i = 0; i < race->lane_count; i++) json_decref(race->lanes[i].rounds);
    free(race->groups);
    race->groups = NULL;
    return status;
}
