/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and processor time of the process that ran the model, and of the machine. */
#include <stddef.h>

#include "metric/family.h"

static double read_at(const nz_metric_input *input, int offset) {
    return *(const double *)((const char *)input + offset);
}

static nz_value_report process(const nz_metric_input *input, int offset) {
    return nz_metric_reading(read_at(input, offset), NZ_MEASURED, input->reason_process);
}

static const char *why_not_held(const nz_metric_input *input) {
    return input->reason_held ? input->reason_held : input->reason_process;
}

static nz_value_report held(const nz_metric_input *input, int offset) {
    return nz_metric_reading(read_at(input, offset), NZ_MEASURED, why_not_held(input));
}

static nz_value_report planned(const nz_metric_input *input, int offset) {
    return nz_metric_reading(read_at(input, offset), NZ_DERIVED, why_not_held(input));
}

static nz_value_report gpu(const nz_metric_input *input, int offset) {
    return nz_metric_reading(read_at(input, offset), NZ_MEASURED, input->reason_gpu);
}

#define PROCESS_ROW(ID, ALIAS, TITLE, UNIT, DEFAULT, EVALUATE, INTEGER, HELP)                                          \
    {                                                                                                                  \
        .id = #ID, .alias = (ALIAS), .title = (TITLE), .unit = (UNIT), .category = "size", .better = NZ_LOWER,         \
        .by_default = (DEFAULT), .help = (HELP), .evaluate = (EVALUATE),                                               \
        .argument = (int)offsetof(nz_metric_input, ID), .integer = (INTEGER), .needs_process = true                    \
    }

const nz_metric nz_metrics_process[] = {
    PROCESS_ROW(cpu_util_pct, "CPU_usage", "CPU utilisation", "%", true, process, false,
                "% of time the machine's CPUs are not idle during inference minus the same before it"),
    PROCESS_ROW(cpu_util_process_pct, NULL, "CPU utilisation (process)", "%", true, process, false,
                "% of the machine's CPU time that the worker itself uses during inference"),
    PROCESS_ROW(
        ram_bytes, "RAM_usage", "Memory", "B", true, process, true,
        "peak resident memory of the worker after inference minus its resident memory before the model is loaded"),
    PROCESS_ROW(ram_pss_bytes, NULL, "Memory (PSS)", "B", false, process, true,
                "largest sampled proportional set size of the worker minus the same before the model is loaded"),
    PROCESS_ROW(ram_machine_bytes, NULL, "Memory (machine)", "B", false, process, true,
                "memory in use on the whole machine during inference: the figure that the paper used"),
    PROCESS_ROW(
        ram_peak_pss_bytes, NULL, "Peak memory (PSS)", "B", true, process, true,
        "largest sampled proportional set size of the worker, nothing subtracted: weights, activations and the rest"),
    PROCESS_ROW(ram_weights_bytes, NULL, "Memory of weights", "B", true, held, true,
                "weights as stored, as far as they are in memory, and the copies in the kernels' own order"),
    PROCESS_ROW(ram_activations_bytes, NULL, "Memory of activations", "B", true, held, true,
                "the planned block of activations and scratch that the worker holds"),
    PROCESS_ROW(ram_rest_bytes, NULL, "Memory of the rest", "B", true, held, true,
                "peak memory less weights and activations: program, libraries, planning, input and output"),
    PROCESS_ROW(activation_peak_bytes, NULL, "Activation memory", "B", true, planned, true,
                "the block that the engine plans for all activations"),
    PROCESS_ROW(gpu_util_pct, "GPU_usage", "GPU utilisation", "%", false, gpu, false,
                "% of time the GPU is busy, from NVML"),
    PROCESS_ROW(gpu_mem_bytes, NULL, "GPU memory", "B", false, gpu, true, "memory in use on the GPU, from NVML"),
    {.id = NULL},
};
