/* SPDX-License-Identifier: Apache-2.0 */
/* What the CPU and the kernel count while the model runs, of one inference. */
#include <math.h>
#include <stddef.h>

#include "metric/family.h"

static nz_value_report with_n(nz_value_report report, const nz_metric_input *input) {
    report.has_n = report.source == NZ_MEASURED && input->counted_n > 0;
    report.n = input->counted_n;
    return report;
}

static nz_value_report counted(const nz_metric_input *input, int offset) {
    const nz_counted *count = (const nz_counted *)(const void *)((const char *)input + offset);
    const char *reason = count->reason ? count->reason : input->reason_process;
    return with_n(nz_metric_reading(count->value, NZ_MEASURED, reason), input);
}

static nz_value_report per_cycle(const nz_metric_input *input, int argument) {
    (void)argument;
    const nz_counted *missing = isnan(input->instructions.value) ? &input->instructions : &input->cycles;
    if (isnan(missing->value)) return nz_metric_missing(missing->reason ? missing->reason : input->reason_process);
    if (!(input->cycles.value > 0)) return nz_report_unavailable("no cycle was counted");
    return with_n(nz_report_value(input->instructions.value / input->cycles.value, NZ_MEASURED), input);
}

#define COUNTER_ROW(ID, TITLE, DEFAULT, HELP)                                                                          \
    {                                                                                                                  \
        .id = #ID, .title = (TITLE), .unit = "", .category = "speed", .better = NZ_LOWER, .by_default = (DEFAULT),     \
        .needs_process = true, .help = (HELP), .evaluate = counted, .argument = (int)offsetof(nz_metric_input, ID)     \
    }

const nz_metric nz_metrics_counters[] = {
    COUNTER_ROW(instructions, "Instructions", true,
                "instructions of one inference, all threads, without the kernel's; repeatable where times are not"),
    COUNTER_ROW(cycles, "CPU cycles", false, "cycles of the CPU in one inference, all threads, without the kernel's"),
    {.id = "instructions_per_cycle",
     .title = "Instructions per cycle",
     .unit = "",
     .category = "speed",
     .better = NZ_HIGHER,
     .needs_process = true,
     .help = "instructions divided by cycles of the same window",
     .evaluate = per_cycle},
    COUNTER_ROW(cache_references, "Cache references", false, "accesses of one inference to the last level of cache"),
    COUNTER_ROW(cache_misses, "Cache misses", false, "accesses of one inference that miss the last level of cache"),
    COUNTER_ROW(branch_misses, "Branch misses", false, "mispredicted branches of one inference"),
    COUNTER_ROW(context_switches, "Context switches", false,
                "how often the threads of one inference lost their CPU or gave it up"),
    COUNTER_ROW(page_faults, "Page faults", false,
                "pages that one inference found missing in its address space, with those read from disk"),
    {.id = NULL},
};
