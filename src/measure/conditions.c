/* SPDX-License-Identifier: Apache-2.0 */
/* Clock rates and what governs them; the other conditions are read next door. */
#include "measure/conditions.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/locale.h"
#include "core/memory.h"
#include "measure/probe.h"

/* A reading of all CPUs of a large machine takes milliseconds; this many, spread over them, tell as much. */
enum { MOST_SAMPLED = 64, LEAST_SAMPLED = 8 };
/* Kernels up to 5.17 sleep 10 ms before they tell the clock rate of a CPU that idles. */
static const uint64_t patience_ns = 100000000;
static const double least_mhz = 1, most_mhz = 100000;

/* ---- text ---- */

bool nz_cpu_bits_parse(nz_cpu_bits *ret_bits, const char *text) {
    nz_cpu_bits bits = {{0}};
    const char *p = text;
    for (;;) {
        char *end;
        if (!isdigit((unsigned char)*p)) return false;
        unsigned long first = strtoul(p, &end, 10), last = first;
        if (*end == '-') {
            if (!isdigit((unsigned char)end[1])) return false;
            last = strtoul(end + 1, &end, 10);
        }
        if (first > last || last >= NZ_CPUS_MOST) return false;
        for (unsigned long cpu = first; cpu <= last; cpu++) bits.words[cpu / 64] |= (uint64_t)1 << (cpu % 64);
        p = end;
        if (*p != ',') break;
        p++;
    }
    if (*p && *p != '\n') return false;
    *ret_bits = bits;
    return true;
}

const char *nz_line_after(const char *text, const char *key) {
    size_t length = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, key, length) != 0) continue;
        const char *p = line + length + strspn(line + length, " \t");
        if (*p == ':') return p + 1 + strspn(p + 1, " \t");
    }
    return NULL;
}

static double sane_mhz(double mhz) { return mhz >= least_mhz && mhz <= most_mhz ? mhz : NAN; }

void nz_cpuinfo_mhz(double *ret_mhz, size_t count, const char *cpuinfo) {
    size_t cpu = SIZE_MAX;
    for (size_t i = 0; i < count; i++) ret_mhz[i] = NAN;
    for (const char *line = cpuinfo; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        const char *colon = line + strcspn(line, ":\n");
        if (*colon != ':') continue;
        if (strncmp(line, "processor", 9) == 0) cpu = strtoul(colon + 1, NULL, 10);
        if (strncmp(line, "cpu MHz", 7) == 0 && cpu < count) ret_mhz[cpu] = sane_mhz(nz_strtod(colon + 1, NULL));
    }
}

/* ---- which CPUs ---- */

void nz_conditions_cpus(nz_cpu_bits *ret_cpus, const nz_roots *roots, const char *cpus) {
    char online[512];
    *ret_cpus = (nz_cpu_bits){{0}};
    if (cpus && nz_cpu_bits_parse(ret_cpus, cpus)) return;
    NZ_AUTO_FREE char *status = nz_probe_file(nz_root_proc(roots), "self/status");
    const char *allowed = nz_line_after(status, "Cpus_allowed_list");
    if (allowed && nz_cpu_bits_parse(ret_cpus, allowed)) return;
    if (nz_probe_text(online, sizeof online, nz_root_sys(roots), "devices/system/cpu/online") == 0)
        if (nz_cpu_bits_parse(ret_cpus, online)) return;
    ret_cpus->words[0] = 1;
}

/* At most MOST_SAMPLED of them, evenly spread. */
static size_t pick(size_t *ret_cpus, const nz_cpu_bits *bits) {
    size_t total = 0, seen = 0, count = 0;
    for (size_t cpu = 0; cpu < NZ_CPUS_MOST; cpu++) total += nz_cpu_bits_has(bits, cpu);
    size_t step = (total + MOST_SAMPLED - 1) / MOST_SAMPLED;
    for (size_t cpu = 0; cpu < NZ_CPUS_MOST; cpu++) {
        if (!nz_cpu_bits_has(bits, cpu)) continue;
        if (seen++ % step == 0) ret_cpus[count++] = cpu;
    }
    return count;
}

/* ---- clocks ---- */

/* A file of kHz of one CPU in MHz; NaN where there is none. */
static double mhz_of(const char *sys, size_t cpu, const char *file) {
    uint64_t khz;
    if (nz_probe_u64(&khz, sys, "devices/system/cpu/cpu%zu/cpufreq/%s", cpu, file) != 0) return NAN;
    return sane_mhz((double)khz / 1000);
}

static double base_of(const char *sys, size_t cpu) {
    uint64_t mhz;
    double base = mhz_of(sys, cpu, "base_frequency");
    if (isnan(base) && nz_probe_u64(&mhz, sys, "devices/system/cpu/cpu%zu/acpi_cppc/nominal_freq", cpu) == 0)
        base = sane_mhz((double)mhz);
    return base;
}

/* Adds a word to a list by commas, once; a word that is none, or does not fit, is left out. */
static void add_word(char *list, size_t size, const char *word) {
    size_t length = strlen(word), at = strlen(list);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)word[i]) && word[i] != '_' && word[i] != '-') return;
    if (!length || at + length + 2 > size) return;
    for (const char *p = list; (p = strstr(p, word)); p += length)
        if ((p == list || p[-1] == ',') && (p[length] == ',' || !p[length])) return;
    snprintf(list + at, size - at, "%s%s", at ? "," : "", word);
}

static void add_word_of(char *list, size_t size, const char *sys, size_t cpu, const char *file) {
    char word[32];
    if (nz_probe_text(word, sizeof word, sys, "devices/system/cpu/cpu%zu/cpufreq/%s", cpu, file) == 0)
        add_word(list, size, word);
}

static int switch_of(const char *sys, const char *file, bool negated) {
    uint64_t value;
    if (nz_probe_u64(&value, sys, "devices/system/cpu/%s", file) != 0 || value > 1) return -1;
    return (int)value ^ negated;
}

/* Mean, least and highest of what is known. */
static void summarise(nz_conditions *c, const double *mhz, size_t count) {
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(mhz[i])) continue;
        sum += mhz[i];
        c->mhz_least = fmin(c->mhz_least, mhz[i]);
        c->mhz_most = fmax(c->mhz_most, mhz[i]);
        known++;
    }
    if (known) c->mhz = sum / (double)known;
}

void nz_conditions_clock(nz_conditions *c, const nz_roots *roots, const char *list) {
    const char *sys = nz_root_sys(roots);
    size_t cpus[MOST_SAMPLED];
    double now[MOST_SAMPLED];
    nz_cpu_bits bits;
    nz_conditions_cpus(&bits, roots, list);
    size_t count = pick(cpus, &bits), known = 0;
    uint64_t begin_ns = nz_clock_ns();
    for (size_t i = 0; i < count; i++) {
        bool late = i >= LEAST_SAMPLED && nz_clock_ns() - begin_ns > patience_ns;
        now[i] = late ? (double)NAN : mhz_of(sys, cpus[i], "scaling_cur_freq");
        known += isnan(now[i]) ? 0 : 1;
        double most = mhz_of(sys, cpus[i], "scaling_max_freq");
        c->mhz_max = fmin(c->mhz_max, isnan(most) ? mhz_of(sys, cpus[i], "cpuinfo_max_freq") : most);
        c->mhz_base = fmin(c->mhz_base, base_of(sys, cpus[i]));
        add_word_of(c->governor, sizeof c->governor, sys, cpus[i], "scaling_governor");
        add_word_of(c->preference, sizeof c->preference, sys, cpus[i], "energy_performance_preference");
    }
    if (!known) {
        double all[NZ_CPUS_MOST];
        NZ_AUTO_FREE char *info = nz_probe_file(nz_root_proc(roots), "cpuinfo");
        nz_cpuinfo_mhz(all, NZ_CPUS_MOST, info);
        for (size_t i = 0; i < count; i++) now[i] = all[cpus[i]];
    }
    summarise(c, now, count);
    c->smt = switch_of(sys, "smt/active", false);
    c->boost = switch_of(sys, "cpufreq/boost", false);
    if (c->boost < 0) c->boost = switch_of(sys, "intel_pstate/no_turbo", true);
    nz_conditions_heat(c, roots, &bits);
}

/* ---- the whole ---- */

void nz_conditions_get(nz_conditions *ret_conditions, const nz_roots *roots, const char *cpus) {
    nz_conditions c = {.t_ns = nz_clock_ns(),
                       .mhz = NAN,
                       .mhz_least = NAN,
                       .mhz_most = NAN,
                       .mhz_base = NAN,
                       .mhz_max = NAN,
                       .boost = -1,
                       .smt = -1,
                       .temperature_c = NAN,
                       .held = -1,
                       .held_since_boot = -1,
                       .quota_cpus = NAN,
                       .held_back_s = NAN,
                       .pressure_s = NAN,
                       .load1 = NAN,
                       .runnable = -1};
    c.has_cpu = nz_cpu_times_get(&c.cpu, roots) == NZ_OK;
    nz_conditions_clock(&c, roots, cpus);
    nz_conditions_limits(&c, roots);
    *ret_conditions = c;
}
