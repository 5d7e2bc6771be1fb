/* SPDX-License-Identifier: Apache-2.0 */
/* Latency, CPU, memory and energy. The variants take turns in blocks (A B A B), so that a machine that warms up or gets
 * busy meanwhile does the same to all; one worker runs while the others block in read. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compare/run.h"
#include "core/error.h"
#include "core/progress.h"

enum { LEAST_BLOCKS = 3, MOST_BLOCK = 20000 };
static const double block_s = 0.25, energy_block_s = 1.05, wanted_interval = 0.01;

/* Half a second of quiet tells the machine's own load to 1%; a short budget asks for less. */
static double quiet_s(const nz_run *run) { return fmin(0.5, run->options->budget_s); }

/* One variant while it is being timed. */
typedef struct timer {
    nz_variant *variant;
    bool done;
    double each_ns, spent_s;
    size_t blocks, count, capacity;
    uint64_t *ns;
    uint64_t cpu_ns, wall_ns;
    double before_pct;          /* how busy the machine was before the first block */
    uint64_t busy, idle, steal; /* ticks during the blocks */
    double joules, energy_s, watts_max, interval_s;
    size_t energy_count;
    char *energy_reason;
} timer;

static void timer_done(timer *t) {
    free(t->ns);
    free(t->energy_reason);
}

static nz_status measure_idle(nz_run *run) {
    for (size_t i = 0; i < run->machine_count; i++) {
        nz_machine *m = &run->machines[i];
        NZ_TRY(nz_machine_quiet(m, &m->before, m->has_power ? 1.1 : quiet_s(run)));
        m->was_quiet = true;
        double busy = nz_watch_busy_pct(&m->before);
        if (busy > 10)
            nz_warn(run->warnings,
                    "%s was %.0f%% busy before the measurement began: times are less certain than they look", m->host,
                    busy);
    }
    return NZ_OK;
}

static nz_status load_variant(nz_run *run, timer *t) {
    nz_variant *v = t->variant;
    const nz_entry *entry = &run->entries[v->entry];
    NZ_TRY(nz_ask_part(run, v, "load", "load", NULL, "plan"));
    if (v->error) return NZ_OK;
    json_int_t fixed = json_integer_value(json_object_get(entry->describe, "fixed_batch"));
    if (fixed > 1)
        nz_progress_note(run->progress, "%s: the batch is fixed at %lld: latency is that of %lld samples", entry->name,
                         (long long)fixed, (long long)fixed);
    return NZ_OK;
}

static nz_status warm_up(nz_run *run, timer *t) {
    json_t *answer = NULL;
    double budget = run->options->budget_s;
    nz_watch quiet;
    NZ_TRY(nz_machine_quiet(nz_run_machine_of(run, t->variant), &quiet, quiet_s(run)));
    t->before_pct = nz_watch_busy_pct(&quiet);
    NZ_TRY(nz_ask(run, t->variant, &answer, "warm", json_pack("{s:f}", "seconds", fmin(0.3, budget / 4)), "warm up",
                  NULL, NULL));
    if (!answer) return NZ_OK;
    t->each_ns = fmax(1, json_number_value(json_object_get(answer, "ns")));
    json_decref(answer);
    return NZ_OK;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Width of the 95% interval of the median, relative to it; infinity where there are too few times for one. */
static nz_status median_interval(double *ret_width, const timer *t) {
    size_t low, high;
    *ret_width = INFINITY;
    if (!nz_quantile_ranks(&low, &high, t->count, 0.5)) return NZ_OK;
    NZ_AUTO_FREE uint64_t *sorted = NULL;
    NZ_TRY(nz_alloc(&sorted, t->count, sizeof *sorted));
    memcpy(sorted, t->ns, t->count * sizeof *sorted);
    qsort(sorted, t->count, sizeof *sorted, by_value);
    *ret_width = (double)(sorted[high] - sorted[low]) / fmax(1, (double)sorted[t->count / 2]);
    return NZ_OK;
}

static nz_status note_watch(timer *t, const nz_watch *watch, size_t count) {
    const nz_energy *energy = &watch->energy;
    t->busy += watch->busy;
    t->idle += watch->idle;
    t->steal += watch->steal;
    if (t->energy_reason) return NZ_OK;
    if (!watch->has_energy) return nz_strdup(&t->energy_reason, watch->energy_reason);
    t->joules += energy->joules;
    t->energy_s += energy->seconds;
    t->energy_count += count;
    t->interval_s = energy->interval_s;
    if (isnan(t->watts_max) || energy->watts_max > t->watts_max) t->watts_max = energy->watts_max;
    return NZ_OK;
}

static nz_status take_times(timer *t, const json_t *answer) {
    const json_t *list = json_object_get(answer, "ns");
    NZ_TRY(nz_grow(&t->ns, &t->capacity, t->count + json_array_size(list), sizeof *t->ns));
    for (size_t i = 0; i < json_array_size(list); i++)
        t->ns[t->count++] = (uint64_t)json_integer_value(json_array_get(list, i));
    t->cpu_ns += (uint64_t)json_integer_value(json_object_get(answer, "cpu_ns"));
    t->wall_ns += (uint64_t)json_integer_value(json_object_get(answer, "wall_ns"));
    t->blocks++;
    return NZ_OK;
}

static nz_status run_block(nz_run *run, timer *t) {
    nz_machine *machine = nz_run_machine_of(run, t->variant);
    double seconds = machine->has_power ? energy_block_s : fmin(block_s, run->options->budget_s);
    json_int_t count = (json_int_t)fmin(fmax(1, seconds * 1e9 / t->each_ns), MOST_BLOCK);
    nz_watch watch;
    NZ_AUTO_JSON json_t *answer = NULL;
    uint64_t begin = nz_clock_ns();
    NZ_TRY(nz_machine_watch(machine));
    NZ_TRY(nz_ask(run, t->variant, &answer, "time",
                  json_pack("{s:I,s:f}", "count", count, "seconds", machine->has_power ? seconds : 0.0), "latency",
                  NULL, NULL));
    NZ_TRY(nz_machine_watched(machine, &watch, 0, 0));
    if (!answer) return NZ_OK;
    NZ_TRY(note_watch(t, &watch, (size_t)json_integer_value(json_object_get(answer, "runs"))));
    t->spent_s += (double)(nz_clock_ns() - begin) * 1e-9;
    NZ_TRY(take_times(t, answer));
    double width;
    NZ_TRY(median_interval(&width, t));
    t->done = t->blocks >= LEAST_BLOCKS && (width < wanted_interval || t->spent_s >= run->options->budget_s);
    /* One inference may take longer than the whole budget: five are the least. */
    if (t->spent_s >= run->options->budget_s && t->count >= 5) t->done = true;
    return NZ_OK;
}

/* What the machine has in use, less what the other workers hold. */
static double machine_memory(const nz_run *run, const nz_variant *mine) {
    nz_memory_machine machine;
    if (nz_memory_machine_get(&machine, run->options->roots) != NZ_OK) return NAN;
    double used = (double)machine.used_bytes;
    for (size_t i = 0; i < run->variant_count; i++) {
        nz_memory_process other;
        if (&run->variants[i] == mine || !run->variants[i].process.pid) continue;
        if (nz_memory_process_get(&other, (int)run->variants[i].process.pid, NULL) == NZ_OK && !isnan(other.pss_bytes))
            used -= other.pss_bytes;
    }
    return used;
}

static nz_status measure_memory(nz_run *run, nz_variant *v) {
    json_t *answer = NULL;
    NZ_TRY(nz_ask(run, v, &answer, "memory", NULL, "memory", NULL, NULL));
    if (!answer) return NZ_OK;
    json_object_del(answer, "ok");
    json_object_set_new(answer, "machine", nz_json_real(machine_memory(run, v)));
    nz_gpu gpu;
    if (nz_gpu_get(&gpu, run->options->roots) == NZ_OK) {
        json_object_set_new(answer, "gpu_util_pct", nz_json_real(gpu.util_pct));
        json_object_set_new(answer, "gpu_mem_bytes", nz_json_real(gpu.mem_bytes));
    } else {
        json_object_set_new(answer, "gpu_reason", nz_json_string(nz_last_error()));
    }
    return json_object_set_new(v->raw, "memory", answer) ? nz_fail(NZ_E_MEMORY, "out of memory: an answer") : NZ_OK;
}

static nz_status measure_throughput(nz_run *run, const timer *t) {
    nz_variant *v = t->variant;
    const nz_entry *entry = &run->entries[v->entry];
    json_int_t fixed = json_integer_value(json_object_get(entry->describe, "fixed_batch"));
    json_int_t own = json_integer_value(json_object_get(json_object_get(v->raw, "load"), "batch"));
    if (fixed > 0 || v->batch == own) {
        double sum = 0, samples = (double)t->count * (double)own;
        for (size_t i = 0; i < t->count; i++) sum += (double)t->ns[i] * 1e-9;
        json_t *part =
            json_pack("{s:f,s:I,s:I}", "per_second", samples / sum, "batch", own, "samples", (json_int_t)samples);
        return json_object_set_new(v->raw, "throughput", part) ? nz_fail(NZ_E_MEMORY, "out of memory: an answer")
                                                               : NZ_OK;
    }
    return nz_ask_part(run, v, "throughput", "throughput",
                       json_pack("{s:i,s:f}", "batch", v->batch, "seconds", fmin(1.0, run->options->budget_s / 2)),
                       "throughput");
}

static nz_status store_times(nz_run *run, timer *t) {
    nz_variant *v = t->variant;
    json_t *list = json_array();
    for (size_t i = 0; i < t->count; i++) json_array_append_new(list, json_integer((json_int_t)t->ns[i]));
    nz_cpu_times none = {0}, during = {.busy = t->busy, .idle = t->idle, .steal = t->steal};
    const nz_machine *machine = nz_run_machine_of(run, v);
    const json_t *power = json_object_get(machine->about, "power");
    double cpus = machine->cpus;
    json_t *part =
        json_pack("{s:o,s:I,s:o,s:o,s:o,s:o}", "ns", list, "blocks", (json_int_t)t->blocks, "cpu_before_pct",
                  nz_json_real(t->before_pct), "cpu_during_pct", nz_json_real(nz_cpu_busy_pct(&none, &during)),
                  "cpu_steal_pct", nz_json_real(nz_cpu_steal_pct(&none, &during)), "cpu_process_pct",
                  nz_json_real(100 * (double)t->cpu_ns / ((double)t->wall_ns * cpus)));
    int failed = !part;
    if (machine->has_power && !t->energy_reason) {
        json_t *energy =
            json_pack("{s:f,s:f,s:o,s:I,s:f,s:s,s:s,s:o}", "joules", t->joules, "seconds", t->energy_s, "watts_max",
                      nz_json_real(t->watts_max), "count", (json_int_t)t->energy_count, "interval_s", t->interval_s,
                      "power", nz_json_text_at(power, "name"), "scope", nz_json_text_at(power, "scope"), "idle_w",
                      nz_json_real(machine->before.has_energy ? machine->before.energy.watts : NAN));
        failed |= json_object_set_new(part, "energy", energy);
    } else {
        failed |= json_object_set_new(part, "energy_reason", nz_json_string(t->energy_reason));
    }
    failed |= json_object_set_new(v->raw, "timing", part);
    return failed ? nz_fail(NZ_E_MEMORY, "out of memory: the times of a variant") : NZ_OK;
}

/* What follows once the latency of a variant stands, while its process has decoded nothing yet. */
static nz_status finish_variant(nz_run *run, timer *t) {
    nz_variant *v = t->variant;
    NZ_TRY(store_times(run, t));
    NZ_TRY(measure_memory(run, v));
    if (!v->error) NZ_TRY(measure_throughput(run, t));
    if (!v->error)
        NZ_TRY(nz_ask_part(run, v, "profile", "profile",
                           json_pack("{s:f}", "seconds", fmin(0.5, run->options->budget_s / 4)), "layers"));
    return v->error ? NZ_OK : nz_store_save(run, v);
}

static nz_status for_each(nz_run *run, timer *timers, size_t count, nz_status (*step)(nz_run *, timer *)) {
    for (size_t i = 0; i < count; i++) {
        if (timers[i].variant->error) continue;
        NZ_TRY(step(run, &timers[i]));
        nz_variant_tell(run, timers[i].variant);
    }
    return NZ_OK;
}

static nz_status time_all(nz_run *run, timer *timers, size_t count) {
    NZ_TRY(measure_idle(run));
    NZ_TRY(for_each(run, timers, count, load_variant));
    NZ_TRY(for_each(run, timers, count, warm_up));
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            if (timers[i].variant->error || timers[i].done) continue;
            NZ_TRY(for_each(run, &timers[i], 1, run_block));
            more = true;
        }
    }
    return for_each(run, timers, count, finish_variant);
}

nz_status nz_phase_timing(nz_run *run) {
    timer *timers = NULL;
    size_t count = 0;
    if (!run->timing) return NZ_OK;
    NZ_TRY(nz_alloc(&timers, run->variant_count, sizeof *timers));
    nz_status status = NZ_OK;
    for (size_t i = 0; i < run->variant_count; i++) {
        nz_variant *v = &run->variants[i];
        if (!v->error && !nz_variant_has(v, "profile")) timers[count++] = (timer){.variant = v, .watts_max = NAN};
    }
    /* Every worker is there before anything is measured. */
    for (size_t i = 0; status == NZ_OK && i < count; i++)
        status = nz_process_start(&timers[i].variant->process, nz_worker_program(run), false);
    if (count && status == NZ_OK) status = time_all(run, timers, count);
    for (size_t i = 0; i < count; i++) timer_done(&timers[i]);
    free(timers);
    return status;
}
