/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the doctor's report is made of: facts of a machine, judged by pure functions. A verdict is a grade, a line that says
 * what a measurement here is worth, and what would mend it.
 */
#ifndef NZ_COMPARE_DOCTOR_H
#define NZ_COMPARE_DOCTOR_H

#include <jansson.h>

#include "netzip/compare.h"
#include "netzip/measure.h"
#include "netzip/peak.h"

typedef enum nz_grade { NZ_GRADE_OK, NZ_GRADE_LIMITED, NZ_GRADE_UNAVAILABLE } nz_grade;

typedef struct nz_verdict {
    nz_grade grade;
    char summary[768];
    char mend[384]; /**< a command or an act; "" where nothing is to be mended */
} nz_verdict;

/** What a CPU was found doing. */
typedef struct nz_doctor_cpu {
    nz_hardware hardware;
    nz_conditions conditions;
    double busy_pct, steal_pct; /**< while nothing of ours ran; NaN: unknown */
    double clock_hz;            /**< measured; NaN: unknown */
} nz_doctor_cpu;

typedef struct nz_doctor_memory {
    bool has_process, has_machine;
    nz_memory_process process;
    nz_memory_machine machine;
    uint64_t limit_bytes; /**< of the control group; 0: none */
} nz_doctor_memory;

nz_verdict nz_verdict_clock(const nz_clock_facts *clock);
/** @param memory  NULL: it could not be measured. @param busy_pct  Of the machine, NaN: unknown. */
nz_verdict nz_verdict_noise(const nz_noise *arithmetic, const nz_noise *memory, double busy_pct);
nz_verdict nz_verdict_cpu(const nz_doctor_cpu *cpu);
/** What the instruction sets mean for INT8 and BF16. */
nz_verdict nz_verdict_instructions(const char *isa, const char *architecture);
/** @param one, all  With one thread and with all; NULL: not measured, because `why`. */
nz_verdict nz_verdict_arithmetic(const nz_peaks *one, const nz_peaks *all, const char *why);
nz_verdict nz_verdict_bandwidth(const nz_peaks *one, const nz_peaks *all, const char *why);
nz_verdict nz_verdict_memory(const nz_doctor_memory *memory);
/** @param infos  [count] as nz_power_probe gives them. */
nz_verdict nz_verdict_power(const nz_power_info *infos, size_t count);
nz_verdict nz_verdict_counters(const nz_counter values[NZ_COUNTERS]);
/** The machine is busy: figures of this report are too low, or 0 where it is not. A sentence, "" where there is none. */
void nz_doctor_busy(char ret_text[256], double busy_pct, double steal_pct);

/** The whole report; a worker answers with it, so that another machine's comes from there. The reference is the caller's. */
NZ_CHECKED nz_status nz_doctor_json(json_t **ret_json, const nz_doctor_options *options, const nz_progress *progress);
/** {"verdict", "summary", "mend" where there is one}. */
json_t *nz_verdict_json(const nz_verdict *verdict);
/** One entry of "arithmetic" or "bandwidth": {"threads", "clock_hz", rates by name}. */
json_t *nz_peaks_ops_json(const nz_peaks *peaks);
json_t *nz_peaks_memory_json(const nz_peaks *peaks);

#endif
