/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can measure and run. Each category ends in a verdict: "ok", "limited" or "unavailable", with a line
 * that says what a measurement here is worth; doctor_verdict.c judges what is gathered here. */
#include "compare/doctor.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "compare/run.h"
#include "compare/target.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/text.h"
#include "netzip/runtime.h"

enum { SOURCES_MOST = 32 };
static const double rate_seconds = 0.3;

/* Before anything of ours computes: half a second of looking on. */
static void look_on(nz_doctor_cpu *cpu, const nz_roots *roots) {
    nz_cpu_times before, after;
    cpu->busy_pct = cpu->steal_pct = NAN;
    if (nz_cpu_times_get(&before, roots) != NZ_OK) return;
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    if (nz_cpu_times_get(&after, roots) != NZ_OK) return;
    cpu->busy_pct = nz_cpu_busy_pct(&before, &after);
    cpu->steal_pct = nz_cpu_steal_pct(&before, &after);
}

static json_t *clock_json(void) {
    nz_clock_facts clock;
    nz_clock_facts_get(&clock);
    nz_verdict verdict = nz_verdict_clock(&clock);
    json_t *json = nz_verdict_json(&verdict);
    json_object_set_new(json, "source", json_string(clock.name));
    json_object_set_new(json, "resolution_ns", nz_json_real(clock.resolution_ns));
    json_object_set_new(json, "overhead_ns", nz_json_real(clock.overhead_ns));
    return json;
}

static json_t *kernel_json(const nz_noise *noise) {
    return json_pack("{s:o,s:o,s:o,s:I}", "median_ns", nz_json_real(noise->median_ns), "spread_pct",
                     nz_json_real(noise->spread_pct), "worst_pct", nz_json_real(noise->worst_pct), "count",
                     (json_int_t)noise->count);
}

static json_t *noise_json(const nz_doctor_cpu *cpu) {
    nz_noise arithmetic, memory;
    nz_noise_get(&arithmetic);
    bool has_memory = nz_noise_memory_get(&memory, &cpu->hardware) == NZ_OK;
    nz_verdict verdict = nz_verdict_noise(&arithmetic, has_memory ? &memory : NULL, cpu->busy_pct);
    json_t *json = nz_verdict_json(&verdict);
    json_object_set_new(json, "arithmetic", kernel_json(&arithmetic));
    json_object_set_new(json, "memory", has_memory ? kernel_json(&memory) : json_null());
    return json;
}

static json_t *switch_json(int state) { return state < 0 ? json_null() : json_boolean(state); }

static json_t *cpu_json(const nz_doctor_cpu *cpu) {
    const nz_conditions *c = &cpu->conditions;
    nz_verdict verdict = nz_verdict_cpu(cpu);
    json_t *json = nz_verdict_json(&verdict);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"busy_pct", cpu->busy_pct},
                   {"steal_pct", cpu->steal_pct},
                   {"load1", c->load1},
                   {"clock_hz", cpu->clock_hz},
                   {"mhz", c->mhz},
                   {"mhz_max", c->mhz_max},
                   {"quota_cpus", c->quota_cpus},
                   {"temperature_c", c->temperature_c}};
    for (size_t i = 0; i < NZ_COUNT(numbers); i++)
        json_object_set_new(json, numbers[i].key, nz_json_real(numbers[i].value));
    json_object_set_new(json, "governor", *c->governor ? nz_json_string(c->governor) : json_null());
    json_object_set_new(json, "boost", switch_json(c->boost));
    json_object_set_new(json, "smt", switch_json(c->smt));
    return json;
}

static json_t *instructions_json(const nz_hardware *h) {
    nz_verdict verdict = nz_verdict_instructions(h->isa, h->architecture);
    json_t *json = nz_verdict_json(&verdict);
    json_object_set_new(json, "sets", nz_json_string(h->isa));
    json_object_set_new(json, "bf16", json_boolean(nz_peak_native(h->isa, NZ_PEAK_BF16)));
    json_object_set_new(json, "int8", json_boolean(nz_peak_native(h->isa, NZ_PEAK_INT8)));
    return json;
}

static json_t *memory_json(const nz_hardware *h, const nz_roots *roots) {
    nz_doctor_memory m = {.limit_bytes = h->memory_limit_bytes};
    m.has_process = nz_memory_process_get(&m.process, 0, roots) == NZ_OK;
    m.has_machine = nz_memory_machine_get(&m.machine, roots) == NZ_OK;
    nz_verdict verdict = nz_verdict_memory(&m);
    json_t *json = nz_verdict_json(&verdict);
    json_object_set_new(json, "total_bytes",
                        m.has_machine ? json_integer((json_int_t)m.machine.total_bytes) : json_null());
    json_object_set_new(json, "available_bytes",
                        m.has_machine ? json_integer((json_int_t)m.machine.available_bytes) : json_null());
    return json;
}

static json_t *power_json(const nz_roots *roots) {
    nz_power_info infos[SOURCES_MOST];
    size_t count = 0;
    json_t *sources = json_array();
    for (; count < SOURCES_MOST && nz_power_probe(&infos[count], count, roots); count++) {
        const nz_power_info *info = &infos[count];
        json_t *source = json_pack("{s:s,s:s,s:s,s:b,s:b}", "name", info->name, "title", info->title, "scope",
                                   info->scope, "usable", info->usable, "automatic", info->automatic);
        json_object_set_new(source, info->usable ? "detail" : "reason",
                            nz_json_string(info->usable ? info->detail : info->reason));
        if (info->usable) json_object_set_new(source, "interval_ms", nz_json_real(info->interval_ms));
        if (*info->mend) json_object_set_new(source, "mend", nz_json_string(info->mend));
        if (*info->lasts) json_object_set_new(source, "lasts", nz_json_string(info->lasts));
        json_array_append_new(sources, source);
    }
    nz_verdict verdict = nz_verdict_power(infos, count);
    json_t *json = nz_verdict_json(&verdict);
    json_object_set_new(json, "sources", sources);
    return json;
}

static json_t *counters_json(const nz_roots *roots) {
    nz_counters *counters = NULL;
    nz_counter values[NZ_COUNTERS];
    if (nz_counters_open(&counters, false, roots) != NZ_OK) {
        nz_verdict none = {.grade = NZ_GRADE_UNAVAILABLE};
        nz_snprintf(none.summary, sizeof none.summary, "%s", nz_last_error());
        return nz_verdict_json(&none);
    }
    nz_counters_begin(counters);
    nz_counters_get(counters, values);
    nz_counters_close(counters);
    nz_verdict verdict = nz_verdict_counters(values);
    json_t *json = nz_verdict_json(&verdict), *list = json_array();
    for (size_t i = 0; i < NZ_COUNTERS; i++) {
        json_t *one = json_pack("{s:s,s:b,s:s?}", "name", values[i].name, "usable", values[i].source != NULL, "source",
                                values[i].source);
        if (!values[i].source) json_object_set_new(one, "reason", nz_json_string(values[i].reason));
        json_array_append_new(list, one);
    }
    json_object_set_new(json, "counters", list);
    return json;
}

static json_t *gpu_json(const nz_roots *roots) {
    nz_gpu gpu;
    nz_verdict verdict = {.grade = NZ_GRADE_UNAVAILABLE};
    if (nz_gpu_get(&gpu, roots) == NZ_OK) {
        verdict.grade = NZ_GRADE_OK;
        nz_snprintf(verdict.summary, sizeof verdict.summary, "%d GPU: %s, %.0f%% busy", gpu.count, gpu.names,
                    gpu.util_pct);
    } else {
        nz_snprintf(verdict.summary, sizeof verdict.summary, "%s", nz_last_error());
    }
    return nz_verdict_json(&verdict);
}

static json_t *runtimes_json(void) {
    const char *name, *version;
    size_t usable = 0, count = 0;
    NZ_AUTO(nz_text_done) nz_text found = {0};
    nz_verdict verdict = {0};
    json_t *list = json_array();
    for (; (name = nz_runtime_name(count, &version)); count++) {
        bool here = version && *version;
        usable += here;
        if (here) nz_text_appendf(&found, "%s%s %s", found.length ? ", " : ": ", name, version);
        json_array_append_new(list, json_pack("{s:s,s:o,s:b}", "name", name, "version",
                                              here ? nz_json_string(version) : json_null(), "usable", here));
    }
    verdict.grade = usable ? NZ_GRADE_OK : NZ_GRADE_UNAVAILABLE;
    nz_snprintf(verdict.summary, sizeof verdict.summary, "%zu of %zu runtimes usable%s", usable, count,
                found.data ? found.data : "");
    json_t *json = nz_verdict_json(&verdict);
    json_object_set_new(json, "runtimes", list);
    return json;
}

/* Peaks with one thread and with all; the clock of the CPU comes from them where they are wanted. */
static nz_status add_peaks(json_t *json, nz_doctor_cpu *cpu, bool quick, const nz_progress *progress) {
    nz_peaks one, all;
    const char *why = "not measured (--quick)";
    if (quick) {
        cpu->clock_hz = nz_clock_rate_hz();
    } else {
        NZ_TRY(nz_peaks_get(&one, &cpu->hardware, 1, rate_seconds, progress));
        all = one;
        if (cpu->hardware.cpus_usable > 1)
            NZ_TRY(nz_peaks_get(&all, &cpu->hardware, cpu->hardware.cpus_usable, rate_seconds, progress));
        cpu->clock_hz = one.clock_hz;
    }
    nz_verdict ops = nz_verdict_arithmetic(quick ? NULL : &one, quick ? NULL : &all, why),
               bytes = nz_verdict_bandwidth(quick ? NULL : &one, quick ? NULL : &all, why);
    json_t *arithmetic = nz_verdict_json(&ops), *bandwidth = nz_verdict_json(&bytes), *a = json_array(),
           *b = json_array();
    for (int i = 0; !quick && i < (all.threads > 1 ? 2 : 1); i++) {
        json_array_append_new(a, nz_peaks_ops_json(i ? &all : &one));
        json_array_append_new(b, nz_peaks_memory_json(i ? &all : &one));
    }
    json_object_set_new(arithmetic, "peaks", a);
    json_object_set_new(bandwidth, "peaks", b);
    json_object_set_new(json, "arithmetic", arithmetic);
    json_object_set_new(json, "bandwidth", bandwidth);
    return NZ_OK;
}

nz_status nz_doctor_json(json_t **ret_json, const nz_doctor_options *options, const nz_progress *progress) {
    const nz_roots *roots = options ? options->roots : NULL;
    uint64_t began = nz_clock_ns();
    nz_doctor_cpu cpu = {.clock_hz = NAN};
    char busy[256];
    look_on(&cpu, roots);
    nz_doctor_busy(busy, cpu.busy_pct, cpu.steal_pct);
    if (*busy && progress && progress->note) progress->note(progress->user, busy);
    nz_hardware_get(&cpu.hardware, roots);
    nz_conditions_get(&cpu.conditions, roots, NULL);
    NZ_AUTO_JSON json_t *json = json_pack("{s:s,s:s,s:o}", "schema", "netzip.doctor/1", "version", NZ_VERSION, "host",
                                          nz_hardware_json(&cpu.hardware));
    json_object_set_new(json, "clock", clock_json());
    json_object_set_new(json, "noise", noise_json(&cpu));
    NZ_TRY(add_peaks(json, &cpu, options && options->quick, progress));
    json_object_set_new(json, "cpu", cpu_json(&cpu));
    json_object_set_new(json, "instructions", instructions_json(&cpu.hardware));
    json_object_set_new(json, "memory", memory_json(&cpu.hardware, roots));
    json_object_set_new(json, "power", power_json(roots));
    json_object_set_new(json, "counters", counters_json(roots));
    json_object_set_new(json, "gpu", gpu_json(roots));
    json_object_set_new(json, "runtime", runtimes_json());
    json_object_set_new(json, "libraries", nz_libraries_json());
    json_object_set_new(json, "warning", *busy ? nz_json_string(busy) : json_null());
    json_object_set_new(json, "seconds", nz_json_real((double)(nz_clock_ns() - began) * 1e-9));
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: the report of this machine");
    *ret_json = NZ_STEAL(json);
    return NZ_OK;
}

/* ---- another machine ---- */

typedef struct remote {
    nz_link *link;
    nz_process process;
} remote;

static void remote_done(remote *r) {
    nz_process_end(&r->process);
    nz_link_close(r->link);
}

/* A worker there does the same and answers with its report. */
static nz_status ask_target(json_t **ret_json, const nz_doctor_options *options, const nz_progress *progress) {
    enum { SILENCE_S = 120 };
    NZ_AUTO(remote_done) remote r = {.process = {.channel = {.fd = -1}}};
    NZ_AUTO_JSON json_t *answer = NULL, *request = json_pack("{s:s,s:b}", "do", "doctor", "quick", options->quick);
    const nz_wait wait = {.timeout_s = SILENCE_S, .progress = progress, .what = "doctor"};
    if (!request) return nz_fail(NZ_E_MEMORY, "out of memory: a request");
    NZ_TRY(nz_link_open(&r.link, options->target, progress));
    NZ_TRY(nz_link_start(r.link, &r.process, NULL, false));
    nz_status status = nz_process_ask(&r.process, &answer, request, &wait);
    if (status == NZ_E_CANCELLED) return status;
    if (status != NZ_OK) return nz_fail_context(status, "%s", options->target);
    json_t *report = json_object_get(answer, "doctor");
    if (strcmp(nz_json_text_at(report, "schema"), "netzip.doctor/1") != 0)
        return nz_fail(NZ_E_FORMAT, "%s: its worker answers with no report of a doctor", options->target);
    const char *busy = nz_json_text_at(report, "warning");
    if (*busy && progress && progress->note) progress->note(progress->user, busy);
    *ret_json = json_incref(report);
    return NZ_OK;
}

nz_status nz_doctor(char **ret_json, const nz_doctor_options *options, const nz_progress *progress) {
    NZ_AUTO_JSON json_t *json = NULL;
    nz_target target = {.local = true};
    if (options && options->target) NZ_TRY(nz_target_parse(&target, options->target));
    NZ_TRY(target.local ? nz_doctor_json(&json, options, progress) : ask_target(&json, options, progress));
    return nz_json_text(ret_json, json, 0);
}
