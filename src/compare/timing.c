/* SPDX-License-Identifier: Apache-2.0 */
/* Latency, throughput, CPU, memory and energy. The variants of a machine take turns in a race (race.h); variants that differ
 * in their batch alone share its times, and those of a batch of their own take turns in a second one. Memory is looked at in
 * between, while a worker holds no more than its model at batch 1. */
#include <math.h>
#include <string.h>

#include "compare/race.h"
#include "core/error.h"
#include "core/progress.h"

/* The first variant that is timed at batch 1 in the same way: it stands for all of them. */
static size_t leader_of(const nz_run *run, size_t v) {
    const nz_variant *mine = &run->variants[v];
    for (size_t i = 0; i < v; i++) {
        const nz_variant *other = &run->variants[i];
        if (other->entry == mine->entry && other->threads == mine->threads && other->machine == mine->machine &&
            strcmp(other->runtime, mine->runtime) == 0)
            return i;
    }
    return v;
}

/* ---- who takes part ---- */

/* What is known of a variant by the race that it would be in: it is timed alone for each batch, or by its leader at batch 1. */
static size_t seat_of(const nz_run *run, size_t v, bool batch) { return batch ? v : leader_of(run, v); }

static bool takes_part(const nz_run *run, size_t v, size_t machine, bool batch) {
    const nz_variant *variant = &run->variants[v];
    if (variant->error || variant->machine != machine) return false;
    if (!batch) return leader_of(run, v) == v;
    json_int_t fixed = json_integer_value(json_object_get(run->entries[variant->entry].describe, "fixed_batch"));
    return fixed <= 0 &&
           variant->batch != json_integer_value(json_object_get(json_object_get(variant->raw, "load"), "batch"));
}

static const char *race_of(const nz_variant *v, const char *part) {
    return nz_json_text_at(json_object_get(v->raw, part), "race");
}

/* Rounds can be paired within a race only: a group whose times are not all of one is timed anew. */
static void leave_out_whole_groups(nz_race *race) {
    size_t kept = 0;
    for (size_t g = 0; g < race->group_count; g++) {
        const char *name = NULL;
        bool whole = true;
        for (size_t i = 0; i < race->lane_count; i++) {
            if (race->lanes[i].group != g) continue;
            const char *own = race_of(race->lanes[i].variant, race->part);
            whole = whole && *own && (!name || strcmp(name, own) == 0);
            name = own;
        }
        for (size_t i = 0; i < race->lane_count; i++)
            if (race->lanes[i].group == g) race->lanes[i].group = whole ? SIZE_MAX : kept;
        kept += !whole;
    }
    size_t at = 0;
    for (size_t i = 0; i < race->lane_count; i++)
        if (race->lanes[i].group != SIZE_MAX) race->lanes[at++] = race->lanes[i];
    race->lane_count = at;
    race->group_count = kept;
}

static nz_status make_race(nz_race *race, nz_run *run, size_t machine, bool batch) {
    NZ_AUTO_FREE size_t *bases = NULL;
    *race = (nz_race){.run = run, .machine = &run->machines[machine], .part = batch ? "batch" : "timing"};
    NZ_TRY(nz_alloc(&bases, run->variant_count, sizeof *bases));
    NZ_TRY(nz_alloc(&race->lanes, run->variant_count, sizeof *race->lanes));
    for (size_t v = 0; v < run->variant_count; v++) {
        if (!takes_part(run, v, machine, batch)) continue;
        size_t base = seat_of(run, nz_run_baseline_of(run, v), batch), g = 0;
        while (g < race->group_count && bases[g] != base) g++;
        if (g == race->group_count) bases[race->group_count++] = base;
        race->lanes[race->lane_count++] = (nz_lane){.variant = &run->variants[v], .group = g, .is_baseline = base == v};
    }
    leave_out_whole_groups(race);
    return NZ_OK;
}

static void race_done(nz_race *race) { free(race->lanes); }

/* ---- workers ---- */

static void check_priority(nz_run *run, const nz_variant *v, const json_t *loaded) {
    const nz_compare_options *o = run->options;
    json_int_t got = json_integer_value(json_object_get(json_object_get(loaded, "process"), "nice"));
    if (o->has_priority && got != o->priority)
        nz_warn(run->warnings,
                "%s: priority %d was refused: models ran at %lld (a negative one needs CAP_SYS_NICE or `ulimit -e %d`)",
                nz_run_machine_of(run, v)->host, o->priority, (long long)got, 20 - o->priority);
}

/* Part "load" is that of batch 1 always; of another one only the number of samples matters. */
static nz_status load(nz_run *run, nz_lane *lane, bool batch) {
    nz_variant *v = lane->variant;
    const nz_entry *entry = &run->entries[v->entry];
    NZ_AUTO_JSON json_t *answer = NULL;
    NZ_TRY(nz_ask(run, v, &answer, "load", json_pack("{s:i}", "batch", batch ? v->batch : 1), "plan", NULL, NULL));
    if (!answer) return NZ_OK;
    lane->samples = json_integer_value(json_object_get(answer, "batch"));
    lane->load_s = json_number_value(json_object_get(answer, "load_s"));
    check_priority(run, v, answer);
    v->pid = (int)json_integer_value(json_object_get(answer, "pid"));
    json_object_del(answer, "pid");
    if (batch) return NZ_OK;
    json_object_del(answer, "ok");
    json_int_t fixed = json_integer_value(json_object_get(entry->describe, "fixed_batch"));
    if (fixed > 1)
        nz_progress_note(run->progress, "%s: the batch is fixed at %lld: latency is that of %lld samples", entry->name,
                         (long long)fixed, (long long)fixed);
    return json_object_set(v->raw, "load", answer) ? nz_fail(NZ_E_MEMORY, "out of memory: an answer") : NZ_OK;
}

static nz_status seat(nz_race *race, nz_lane *lane) {
    NZ_TRY(nz_machine_start(race->machine, &lane->variant->process, false));
    return load(race->run, lane, strcmp(race->part, "batch") == 0);
}

/* Whatever was chosen, what is told of the model's layers is the first plan. */
static nz_status seat_again(nz_race *race, nz_lane *lane) {
    json_t *raw = lane->variant->raw;
    NZ_AUTO_JSON json_t *first = json_incref(json_object_get(raw, "load"));
    NZ_TRY(seat(race, lane));
    if (lane->variant->error) return NZ_OK;
    lane->replanned +=
        !json_equal(json_object_get(first, "layers"), json_object_get(json_object_get(raw, "load"), "layers"));
    return json_object_set(raw, "load", first) ? nz_fail(NZ_E_MEMORY, "out of memory: a plan") : NZ_OK;
}

static nz_status start_lanes(nz_race *race) {
    for (size_t i = 0; i < race->lane_count; i++) {
        NZ_TRY(seat(race, &race->lanes[i]));
        nz_variant_tell(race->run, race->lanes[i].variant);
    }
    return NZ_OK;
}

static nz_status save_lanes(const nz_race *race) {
    for (size_t i = 0; i < race->lane_count; i++)
        if (!race->lanes[i].variant->error) NZ_TRY(nz_store_save(race->run, race->lanes[i].variant));
    return NZ_OK;
}

/* ---- what follows the latency ---- */

/* The workers of the same machine that wait meanwhile. */
static size_t other_pids(int *ret_pids, const nz_run *run, const nz_variant *mine) {
    size_t count = 0;
    for (size_t i = 0; i < run->variant_count; i++) {
        const nz_variant *v = &run->variants[i];
        if (v != mine && v->machine == mine->machine && v->process.pid && v->pid) ret_pids[count++] = v->pid;
    }
    return count;
}

/* What the machine has in use at that moment, GPUs too. */
static nz_status add_usage(nz_run *run, const nz_variant *v, json_t *memory) {
    NZ_AUTO_FREE int *pids = NULL;
    NZ_AUTO_JSON json_t *usage = NULL;
    NZ_TRY(nz_alloc(&pids, run->variant_count, sizeof *pids));
    NZ_TRY(nz_machine_usage(nz_run_machine_of(run, v), &usage, pids, other_pids(pids, run, v)));
    const json_t *gpu = json_object_get(usage, "gpu");
    json_object_set_new(memory, "machine", nz_json_real(nz_json_number_at(usage, "used_bytes")));
    if (!gpu) {
        json_object_set_new(memory, "gpu_reason", nz_json_string(nz_json_text_at(usage, "gpu_reason")));
        return NZ_OK;
    }
    json_object_set_new(memory, "gpu_util_pct", nz_json_real(nz_json_number_at(gpu, "util_pct")));
    json_object_set_new(memory, "gpu_mem_bytes", nz_json_real(nz_json_number_at(gpu, "mem_bytes")));
    return NZ_OK;
}

static nz_status measure_memory(nz_run *run, nz_variant *v) {
    NZ_AUTO_JSON json_t *answer = NULL;
    NZ_TRY(nz_ask(run, v, &answer, "memory", NULL, "memory", NULL, NULL));
    if (!answer) return NZ_OK;
    json_object_del(answer, "ok");
    NZ_TRY(add_usage(run, v, answer));
    return json_object_set(v->raw, "memory", answer) ? nz_fail(NZ_E_MEMORY, "out of memory: an answer") : NZ_OK;
}

/* While the process has decoded nothing yet. A worker of an interrupted run that has its times only plans and warms up. */
static nz_status finish_variant(nz_run *run, nz_variant *v) {
    if (nz_variant_has(v, "memory") && nz_variant_has(v, "counters") && nz_variant_has(v, "profile")) return NZ_OK;
    if (!v->process.pid) {
        nz_lane lane = {.variant = v};
        nz_race again = {.run = run, .machine = nz_run_machine_of(run, v)};
        NZ_TRY(nz_machine_start(again.machine, &v->process, false));
        NZ_TRY(load(run, &lane, false));
        if (!v->error) NZ_TRY(nz_lane_warm(&again, &lane));
    }
    if (!v->error) NZ_TRY(measure_memory(run, v));
    if (!v->error)
        NZ_TRY(nz_ask_part(run, v, "counters", "counters",
                           json_pack("{s:f}", "seconds", fmin(0.2, run->options->budget_s / 4)), "counters"));
    if (!v->error)
        NZ_TRY(nz_ask_part(run, v, "profile", "profile",
                           json_pack("{s:f}", "seconds", fmin(0.5, run->options->budget_s / 4)), "layers"));
    return v->error ? NZ_OK : nz_store_save(run, v);
}

static nz_status finish_variants(nz_run *run, size_t machine) {
    for (size_t v = 0; v < run->variant_count; v++) {
        if (!takes_part(run, v, machine, false)) continue;
        NZ_TRY(finish_variant(run, &run->variants[v]));
        nz_variant_tell(run, &run->variants[v]);
    }
    for (size_t v = 0; v < run->variant_count; v++) nz_process_end(&run->variants[v].process);
    return NZ_OK;
}

/* Variants of other batches are the same at batch 1. */
static nz_status share(nz_run *run, size_t machine) {
    static const char *const parts[] = {"load", "timing", "memory", "counters", "profile"};
    for (size_t i = 0; i < run->variant_count; i++) {
        nz_variant *v = &run->variants[i];
        const nz_variant *leader = &run->variants[leader_of(run, i)];
        if (v->machine != machine || leader == v || v->error) continue;
        if (leader->error) {
            nz_variant_fail(v, leader->error);
            nz_variant_tell(run, v);
            continue;
        }
        for (size_t p = 0; p < NZ_COUNT(parts); p++)
            if (json_object_set(v->raw, parts[p], json_object_get(leader->raw, parts[p])))
                return nz_fail(NZ_E_MEMORY, "out of memory: a variant");
        NZ_TRY(nz_store_save(run, v));
    }
    return NZ_OK;
}

/* ---- the phase ---- */

static nz_status run_race(nz_run *run, size_t machine, bool batch) {
    NZ_AUTO(race_done) nz_race race = {.run = run};
    NZ_TRY(make_race(&race, run, machine, batch));
    if (!race.lane_count) return NZ_OK;
    race.seat = seat_again;
    NZ_TRY(start_lanes(&race));
    NZ_TRY(nz_race_run(&race));
    NZ_TRY(save_lanes(&race));
    for (size_t i = 0; batch && i < race.lane_count; i++) nz_process_end(&race.lanes[i].variant->process);
    return NZ_OK;
}

static nz_status time_machine(nz_run *run, size_t machine) {
    NZ_TRY(run_race(run, machine, false));
    NZ_TRY(finish_variants(run, machine));
    NZ_TRY(share(run, machine));
    return run_race(run, machine, true);
}

/* A machine that is lost takes its own variants with it, and no others. */
nz_status nz_phase_timing(nz_run *run) {
    for (size_t machine = 0; run->timing && machine < run->machine_count; machine++) {
        if (run->machines[machine].error) continue;
        nz_status status = time_machine(run, machine);
        if (status == NZ_E_RESOURCE && run->machines[machine].link) {
            nz_machine_fail(run, machine, nz_last_error());
            continue;
        }
        NZ_TRY(status);
    }
    return NZ_OK;
}
