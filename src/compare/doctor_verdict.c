/* SPDX-License-Identifier: Apache-2.0 */
/* Facts become verdicts: what a measurement on this machine is worth. Nothing is read here. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compare/doctor.h"
#include "compare/race.h"
#include "core/locale.h"
#include "core/memory.h"

/* Above these, figures of a machine are marked. */
static const double noise_pct = 3, busy_pct_most = 5, steal_pct_most = 1, clock_ns_most = 1000;

static nz_verdict judged(nz_grade grade, const char *format, ...) NZ_PRINTF(2, 3);
static nz_verdict judged(nz_grade grade, const char *format, ...) {
    nz_verdict verdict = {.grade = grade};
    va_list args;
    va_start(args, format);
    nz_vsnprintf(verdict.summary, sizeof verdict.summary, format, args);
    va_end(args);
    return verdict;
}

static void add(nz_verdict *verdict, const char *format, ...) NZ_PRINTF(2, 3);
static void add(nz_verdict *verdict, const char *format, ...) {
    size_t at = strlen(verdict->summary);
    va_list args;
    va_start(args, format);
    nz_vsnprintf(verdict->summary + at, sizeof verdict->summary - at, format, args);
    va_end(args);
}

/* A finding that takes something away: the grade falls. */
static void limit(nz_verdict *verdict, const char *text) {
    if (verdict->grade == NZ_GRADE_OK) verdict->grade = NZ_GRADE_LIMITED;
    add(verdict, "%s", text);
}

static void mend(nz_verdict *verdict, const char *text) {
    size_t at = strlen(verdict->mend);
    snprintf(verdict->mend + at, sizeof verdict->mend - at, "%s%s", at ? "; " : "", text);
}

nz_verdict nz_verdict_clock(const nz_clock_facts *clock) {
    nz_verdict v = judged(NZ_GRADE_OK, "%s steps by %.0f ns and costs %.0f ns a reading", clock->name,
                          clock->resolution_ns, clock->overhead_ns);
    add(&v, ": inferences below %.0f us are timed in bunches", clock->overhead_ns / NZ_CLOCK_SHARE / 1000);
    if (clock->overhead_ns > clock_ns_most) {
        limit(&v, "; that is slow: the kernel reads a device instead of the CPU's counter");
        mend(&v, "boot with a clock source of the CPU (tsc, arch_sys_counter)");
    }
    return v;
}

nz_verdict nz_verdict_noise(const nz_noise *arithmetic, const nz_noise *memory, double busy_pct) {
    nz_verdict v = judged(NZ_GRADE_OK, "arithmetic of %.0f us varies by %.1f%% (worst +%.0f%%)",
                          arithmetic->median_ns / 1000, arithmetic->spread_pct, arithmetic->worst_pct);
    if (memory)
        add(&v, ", a pass over memory of %.1f ms by %.1f%% (worst +%.0f%%)", memory->median_ns / 1e6,
            memory->spread_pct, memory->worst_pct);
    if (arithmetic->spread_pct >= noise_pct || (memory && memory->spread_pct >= 3 * noise_pct))
        limit(&v, ": differences below that need many rounds taken in turns");
    if (v.grade == NZ_GRADE_LIMITED && busy_pct > busy_pct_most) mend(&v, "end what else runs, or wait for it");
    return v;
}

static void judge_clock_rate(nz_verdict *v, const nz_doctor_cpu *cpu) {
    const nz_conditions *c = &cpu->conditions;
    if (!isnan(cpu->clock_hz)) add(v, ", %.2f GHz as measured", cpu->clock_hz * 1e-9);
    if (!isnan(c->mhz_max) && c->mhz_max > 0) add(v, " (at most %.2f GHz)", c->mhz_max / 1000);
    if (*c->governor && strcmp(c->governor, "performance") != 0) {
        limit(v, "; governor ");
        add(v, "%s lets the clock fall between inferences", c->governor);
        mend(v, "sudo cpupower frequency-set -g performance");
    }
    if (c->boost == 1) add(v, "; boost is on: the clock depends on heat and on how many CPUs work");
    if (c->throttled) add(v, "; lowered its clock for heat %llu times since boot", (unsigned long long)c->throttled);
    if (c->held > 0) limit(v, "; the board holds its clock down now (heat or lack of power)");
}

nz_verdict nz_verdict_cpu(const nz_doctor_cpu *cpu) {
    const nz_hardware *h = &cpu->hardware;
    const nz_conditions *c = &cpu->conditions;
    nz_verdict v =
        judged(NZ_GRADE_OK, "%s, %d CPUs, %d usable", *h->cpu_model ? h->cpu_model : "CPU", h->cpus, h->cpus_usable);
    judge_clock_rate(&v, cpu);
    if (c->smt == 1) add(&v, "; SMT is on: two threads may share a core (--pin chooses)");
    if (!isnan(c->quota_cpus)) {
        limit(&v, "; a control group grants ");
        add(&v, "%.2f CPUs of time", c->quota_cpus);
        mend(&v, "lift the control group's CPU quota (cpu.max)");
    }
    if (*h->virtualised) {
        limit(&v, "; virtual machine: ");
        add(&v, "%s (neighbours may show in times)", h->virtualised);
    }
    if (isnan(cpu->busy_pct)) {
        limit(&v, "; load unknown");
    } else {
        if (cpu->busy_pct > busy_pct_most) {
            limit(&v, "");
            mend(&v, "end what else runs");
        }
        add(&v, "; %.0f%% busy now", cpu->busy_pct);
    }
    if (cpu->steal_pct > steal_pct_most) {
        limit(&v, "; ");
        add(&v, "%.1f%% of the time goes to other virtual machines", cpu->steal_pct);
    }
    return v;
}

nz_verdict nz_verdict_instructions(const char *isa, const char *architecture) {
    bool bf16 = nz_peak_native(isa, NZ_PEAK_BF16), int8 = nz_peak_native(isa, NZ_PEAK_INT8),
         x86 = strcmp(architecture, "x86_64") == 0;
    if (!*isa) return judged(NZ_GRADE_UNAVAILABLE, "instruction sets of this CPU are not known");
    nz_verdict v = judged(int8 && bf16 ? NZ_GRADE_OK : NZ_GRADE_LIMITED, "%s: ", isa);
    if (int8)
        add(&v, "sums of 8-bit products have instructions of their own: INT8 can be faster than FP32 and is exact");
    else if (x86)
        add(&v, "no integer dot products (VNNI, AMX): INT8 multiplies through 16 bits, which may saturate, and is "
                "little or "
                "not at all faster than FP32");
    else
        add(&v, "no integer dot products (asimddp, i8mm): INT8 may not be faster than FP32");
    add(&v, bf16 ? "; BF16 has instructions too"
                 : "; no BF16 instructions: BF16 is emulated, saves memory and may be slower than FP32");
    return v;
}

static void add_rate(nz_verdict *v, const nz_peaks *peaks, nz_peak_type type) {
    const nz_rate *rate = &peaks->ops[type];
    const char *between = type == NZ_PEAK_FP32 ? "" : ", ";
    if (isnan(rate->per_s)) {
        add(v, "%s%s none", between, nz_peak_type_name(type));
        if (v->grade == NZ_GRADE_OK) v->grade = NZ_GRADE_LIMITED;
        return;
    }
    add(v, "%s%s %.4g%s", between, nz_peak_type_name(type), rate->per_s * 1e-9,
        peaks->emulated[type] ? " (emulated)" : "");
}

static bool loose(const nz_rate *rate) { return !isnan(rate->per_s) && !(rate->spread_pct <= NZ_PEAK_SPREAD_PCT); }

static const char unsteady[] =
    "; repetitions disagree by more than 3%: the machine is busy or its clock changes, so take these as "
    "lower bounds";

/* More than two units of the widest kind can do is a wrong clock or a wrong count; less than half of one unit's rate is no
 * well-tuned library. */
static void cross_check(nz_verdict *v, const nz_peaks *one) {
    double share = one->fp32_per_cycle / one->fp32_most;
    if (isnan(share)) {
        add(v, "; not cross-checked: the clock rate or the width of the units is not known");
        return;
    }
    add(v, "; FP32 does %.1f operations a cycle at %.2f GHz, of %.0f that two vector units of this width can",
        one->fp32_per_cycle, one->clock_hz * 1e-9, one->fp32_most);
    if (share > 1.1) limit(v, ": that is too much, the clock rate has changed meanwhile");
    if (share < 0.25) limit(v, ": that is little, the machine is busy or the library has no kernel for this CPU");
}

nz_verdict nz_verdict_arithmetic(const nz_peaks *one, const nz_peaks *all, const char *why) {
    if (!one || !all) return judged(NZ_GRADE_UNAVAILABLE, "%s", why);
    nz_verdict v =
        judged(NZ_GRADE_OK, "a well-tuned library reaches here, in G operations/s (2 per multiply-accumulate), "
                            "with 1 thread: ");
    bool shaky = false, ran = false;
    for (nz_peak_type t = 0; t < NZ_PEAK_TYPES; t++) add_rate(&v, one, t);
    if (all->threads > 1) {
        add(&v, "; with %d: ", all->threads);
        for (nz_peak_type t = 0; t < NZ_PEAK_TYPES; t++) add_rate(&v, all, t);
    }
    for (nz_peak_type t = 0; t < NZ_PEAK_TYPES; t++) {
        shaky = shaky || loose(&one->ops[t]) || loose(&all->ops[t]);
        ran = ran || !isnan(one->ops[t].per_s);
    }
    if (!ran) v.grade = NZ_GRADE_UNAVAILABLE;
    cross_check(&v, one);
    if (shaky) limit(&v, unsteady);
    return v;
}

nz_verdict nz_verdict_bandwidth(const nz_peaks *one, const nz_peaks *all, const char *why) {
    if (!one || !all) return judged(NZ_GRADE_UNAVAILABLE, "%s", why);
    if (isnan(one->memory[NZ_PEAK_READ].per_s))
        return judged(NZ_GRADE_UNAVAILABLE, "%s", one->memory[NZ_PEAK_READ].reason);
    nz_verdict v = judged(NZ_GRADE_OK, "GB/s from memory with 1 thread: ");
    const nz_peaks *both[] = {one, all};
    bool shaky = false;
    for (int i = 0; i < (all->threads > 1 ? 2 : 1); i++) {
        if (i) add(&v, "; with %d: ", all->threads);
        for (nz_peak_memory m = NZ_PEAK_READ; m <= NZ_PEAK_TRIAD; m++) {
            add(&v, "%s%s %.1f", m ? ", " : "", nz_peak_memory_name(m), both[i]->memory[m].per_s * 1e-9);
            shaky = shaky || loose(&both[i]->memory[m]);
        }
    }
    const char *between = "; caches with 1 thread: ";
    for (nz_peak_memory m = NZ_PEAK_L1; m < NZ_PEAK_MEMORY; m++) {
        if (isnan(one->memory[m].per_s)) continue;
        add(&v, "%s%s %.0f", between, nz_peak_memory_name(m), one->memory[m].per_s * 1e-9);
        between = ", ";
    }
    if (shaky) limit(&v, unsteady);
    return v;
}

nz_verdict nz_verdict_memory(const nz_doctor_memory *m) {
    bool pss = m->has_process && !isnan(m->process.pss_bytes);
    nz_verdict v = judged(m->has_process && pss && m->has_machine ? NZ_GRADE_OK
                          : m->has_process                        ? NZ_GRADE_LIMITED
                                                                  : NZ_GRADE_UNAVAILABLE,
                          "peak resident memory %s, proportional set size %s",
                          m->has_process ? "can be read" : "cannot be read", pss ? "can be read" : "cannot be read");
    if (!m->has_machine)
        add(&v, "; size unknown");
    else
        add(&v, "; %.1f GB, %.1f GB available", (double)m->machine.total_bytes * 1e-9,
            (double)m->machine.available_bytes * 1e-9);
    if (m->limit_bytes) add(&v, ", %.1f GB granted by the control group", (double)m->limit_bytes * 1e-9);
    if (m->has_machine && m->machine.swap_used_bytes > m->machine.total_bytes / 10)
        limit(&v, "; much of it has been swapped out: times of models that come back from disk mean nothing");
    return v;
}

/* What opens a sensor that is there comes before a meter that has to be bought. */
static bool needs_meter(const char *mend) { return strstr(mend, "netzip energy LOG") != NULL; }

nz_verdict nz_verdict_power(const nz_power_info *infos, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (infos[i].usable && infos[i].automatic)
            return judged(NZ_GRADE_OK, "energy is measured by '%s' (%s)", infos[i].name, infos[i].scope);
    nz_verdict v = judged(NZ_GRADE_UNAVAILABLE, "no power source: energy_j and power_w will be unavailable; "
                                                "energy_estimated_j is a model, not a measurement");
    const char *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *own = infos[i].mend;
        if (infos[i].usable) {
            v.grade = NZ_GRADE_LIMITED;
            add(&v, "; '%s' can be asked for by name: it measures the %s", infos[i].name, infos[i].scope);
        } else if (infos[i].automatic && *own && (!best || (needs_meter(best) && !needs_meter(own)))) {
            best = own;
        }
    }
    if (best) mend(&v, best);
    if (!*v.mend) mend(&v, "an external meter's log can be joined: netzip energy LOG");
    return v;
}

nz_verdict nz_verdict_counters(const nz_counter values[NZ_COUNTERS]) {
    size_t cpu = 0, known = 0;
    for (size_t i = 0; i < NZ_COUNTERS; i++) {
        known += values[i].source != NULL;
        cpu += values[i].source && i <= NZ_COUNTER_BRANCH_MISSES;
    }
    if (cpu > NZ_COUNTER_BRANCH_MISSES)
        return judged(NZ_GRADE_OK, "instructions, cycles, cache and branch misses of an inference can be counted%s",
                      values[0].multiplexed ? " (in turns: fewer counters than events)" : "");
    nz_verdict v = judged(known ? NZ_GRADE_LIMITED : NZ_GRADE_UNAVAILABLE, "%zu of %d counters: ", known, NZ_COUNTERS);
    /* Each reason once: one may be mended where another cannot be. */
    const char *between = "";
    for (size_t i = 0; i < NZ_COUNTERS; i++) {
        bool told = values[i].source != NULL;
        for (size_t k = 0; k < i && !told; k++)
            told = !values[k].source && strcmp(values[k].reason, values[i].reason) == 0;
        if (told) continue;
        add(&v, "%s%s: %s", between, values[i].name, values[i].reason);
        between = "; ";
    }
    return v;
}

void nz_doctor_busy(char ret_text[256], double busy_pct, double steal_pct) {
    ret_text[0] = '\0';
    if (steal_pct > steal_pct_most)
        nz_snprintf(ret_text, 256,
                    "%.0f%% of the CPUs' time goes to other virtual machines: rates in this report are too low",
                    steal_pct);
    if (busy_pct > busy_pct_most)
        nz_snprintf(
            ret_text, 256,
            "other processes keep the machine %.0f%% busy: rates in this report are too low; repeat when it is quiet",
            busy_pct);
}
