/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can measure and run. Each category ends in a verdict: "ok", "limited" or "unavailable", with a line
 * that says what a measurement here is worth. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compare/run.h"
#include "core/error.h"
#include "core/locale.h"
#include "netzip/compare.h"
#include "netzip/runtime.h"

static json_t *verdict(const char *grade, const char *format, ...) NZ_PRINTF(2, 3);

static json_t *verdict(const char *grade, const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return json_pack("{s:s,s:o}", "verdict", grade, "summary", nz_json_string(line));
}

static json_t *clock_json(void) {
    nz_clock_facts clock;
    nz_noise noise;
    nz_clock_facts_get(&clock);
    nz_noise_get(&noise);
    bool calm = noise.spread_pct < 3;
    json_t *json = verdict(
        calm ? "ok" : "limited",
        "%s steps by %.0f ns and costs %.0f ns a reading; a fixed piece of work of %.0f us varies by %.1f%% (worst "
        "%.0f%%)%s",
        clock.name, clock.resolution_ns, clock.overhead_ns, noise.median_ns / 1000, noise.spread_pct, noise.worst_pct,
        calm ? "" : ": the machine is busy or its clock rate changes, so repeat and compare side by side");
    json_object_set_new(json, "resolution_ns", nz_json_real(clock.resolution_ns));
    json_object_set_new(json, "overhead_ns", nz_json_real(clock.overhead_ns));
    json_object_set_new(json, "noise_spread_pct", nz_json_real(noise.spread_pct));
    json_object_set_new(json, "noise_worst_pct", nz_json_real(noise.worst_pct));
    return json;
}

static json_t *cpu_json(const nz_hardware *h) {
    nz_cpu_times before, after;
    double busy = NAN, steal = NAN;
    if (nz_cpu_times_get(&before, NULL) == NZ_OK) {
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
        if (nz_cpu_times_get(&after, NULL) == NZ_OK) {
            busy = nz_cpu_busy_pct(&before, &after);
            steal = nz_cpu_steal_pct(&before, &after);
        }
    }
    bool limited =
        isnan(busy) || busy > 10 || *h->virtualised || (*h->governor && strcmp(h->governor, "performance") != 0);
    char why[256], load[32] = "load unknown";
    if (!isnan(busy)) nz_snprintf(load, sizeof load, "%.0f%% busy now", busy);
    snprintf(why, sizeof why, "%s%.120s%s%s%.30s", *h->virtualised ? "; virtual machine: " : "", h->virtualised,
             *h->virtualised ? " (neighbours may show in times)" : "", *h->governor ? "; governor " : "", h->governor);
    json_t *json = verdict(limited ? "limited" : "ok", "%s, %d CPUs (%d usable), %s%s",
                           *h->cpu_model ? h->cpu_model : "CPU", h->cpus, h->cpus_usable, load, why);
    json_object_set_new(json, "busy_pct", nz_json_real(busy));
    json_object_set_new(json, "steal_pct", nz_json_real(steal));
    if (*h->governor && strcmp(h->governor, "performance") != 0)
        json_object_set_new(json, "mend", json_string("sudo cpupower frequency-set -g performance"));
    return json;
}

static json_t *memory_json(void) {
    nz_memory_process process;
    nz_memory_machine machine;
    bool peak = nz_memory_process_get(&process, 0, NULL) == NZ_OK,
         whole = nz_memory_machine_get(&machine, NULL) == NZ_OK;
    bool pss = peak && !isnan(process.pss_bytes);
    char size[64] = "size unknown";
    if (whole)
        nz_snprintf(size, sizeof size, "%.1f GB, %.1f GB available", (double)machine.total_bytes * 1e-9,
                    (double)machine.available_bytes * 1e-9);
    json_t *json = verdict(peak && pss && whole ? "ok"
                           : peak               ? "limited"
                                                : "unavailable",
                           "%s; peak resident memory %s, proportional set size %s", size,
                           peak ? "can be read" : "cannot be read", pss ? "can be read" : "cannot be read");
    json_object_set_new(json, "total_bytes", whole ? json_integer((json_int_t)machine.total_bytes) : json_null());
    if (whole) json_object_set_new(json, "available_bytes", json_integer((json_int_t)machine.available_bytes));
    return json;
}

static json_t *power_json(void) {
    nz_power_info info;
    const char *first = NULL;
    json_t *sources = json_array();
    for (size_t i = 0; nz_power_probe(&info, i, NULL); i++) {
        json_t *source = json_pack("{s:s,s:s,s:s,s:b,s:b}", "name", info.name, "title", info.title, "scope", info.scope,
                                   "usable", info.usable, "automatic", info.automatic);
        json_object_set_new(source, info.usable ? "detail" : "reason",
                            nz_json_string(info.usable ? info.detail : info.reason));
        if (*info.mend) json_object_set_new(source, "mend", nz_json_string(info.mend));
        json_array_append_new(sources, source);
        if (info.usable && info.automatic && !first) first = info.name;
    }
    json_t *json =
        first ? verdict("ok", "energy is measured by '%s'", first)
              : verdict("unavailable",
                        "no power source: energy_j and power_w will be unavailable; energy_estimated_j is a model, "
                        "not a measurement");
    json_object_set_new(json, "sources", sources);
    return json;
}

static json_t *gpu_json(void) {
    nz_gpu gpu;
    if (nz_gpu_get(&gpu, NULL) != NZ_OK) return verdict("unavailable", "%s", nz_last_error());
    return verdict("ok", "%d GPU: %s, %.0f%% busy", gpu.count, gpu.names, gpu.util_pct);
}

static json_t *runtimes_json(void) {
    const char *name, *version;
    size_t usable = 0, count = 0;
    json_t *list = json_array();
    for (; (name = nz_runtime_name(count, &version)); count++) {
        bool here = version && *version;
        usable += here;
        json_array_append_new(list, json_pack("{s:s,s:o,s:b}", "name", name, "version",
                                              here ? nz_json_string(version) : json_null(), "usable", here));
    }
    json_t *json = verdict(usable ? "ok" : "unavailable", "%zu of %zu runtimes usable", usable, count);
    json_object_set_new(json, "runtimes", list);
    return json;
}

nz_status nz_doctor(char **ret_json) {
    nz_hardware hardware;
    nz_hardware_get(&hardware, NULL);
    NZ_AUTO_JSON json_t *json = json_pack(
        "{s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "schema", "netzip.doctor/1", "version", NZ_VERSION, "host",
        nz_hardware_json(&hardware), "clock", clock_json(), "cpu", cpu_json(&hardware), "memory", memory_json(),
        "power", power_json(), "gpu", gpu_json(), "runtime", runtimes_json(), "libraries", nz_libraries_json());
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: the report of this machine");
    return nz_json_text(ret_json, json, 0);
}
