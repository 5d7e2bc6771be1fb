/* SPDX-License-Identifier: Apache-2.0 */
/* Energy and power, from windows that were measured elsewhere. @source arXiv 2305.10616, section 3.4 */
#include <math.h>
#include <stddef.h>

#include "metric/family.h"

static double read_at(const nz_metric_input *input, int offset) {
    return *(const double *)((const char *)input + offset);
}

static nz_value_report measured(const nz_metric_input *input, int offset) {
    nz_value_report report = nz_metric_reading(read_at(input, offset), NZ_MEASURED, input->reason_energy);
    report.has_n = report.source != NZ_UNAVAILABLE && input->energy_n > 0;
    report.n = input->energy_n;
    return report;
}

static nz_value_report net(const nz_metric_input *input, int offset) {
    if (!isnan(input->energy_j) && isnan(input->energy_net_j) && input->reason_energy_net)
        return nz_metric_missing(input->reason_energy_net);
    return measured(input, offset);
}

static nz_value_report estimated(const nz_metric_input *input, int offset) {
    return nz_metric_reading(read_at(input, offset), NZ_ESTIMATED, "no energy model was applied");
}

#define ENERGY_ROW(ID, ALIAS, TITLE, UNIT, DEFAULT, EVALUATE, HELP)                                                    \
    {                                                                                                                  \
        .id = #ID, .alias = (ALIAS), .title = (TITLE), .unit = (UNIT), .category = "energy", .better = NZ_LOWER,       \
        .by_default = (DEFAULT), .needs_energy = true, .help = (HELP), .evaluate = (EVALUATE),                         \
        .argument = (int)offsetof(nz_metric_input, ID)                                                                 \
    }

const nz_metric nz_metrics_energy[] = {
    ENERGY_ROW(energy_j, "Energy", "Energy", "J", true, measured,
               "joules per inference: the integral of power over the window"),
    ENERGY_ROW(
        energy_net_j, NULL, "Energy above idle", "J", true, net,
        "joules per inference less those that the machine draws idle: idle power is the mean of before and after"),
    ENERGY_ROW(power_w, "Power", "Power", "W", true, measured, "energy of the window divided by its length"),
    ENERGY_ROW(power_max_w, NULL, "Largest power", "W", false, measured, "the largest power sample of the window"),
    ENERGY_ROW(idle_power_w, NULL, "Idle power", "W", false, measured,
               "power while nobody computes: the mean of before and after the measurement"),
    ENERGY_ROW(idle_power_before_w, NULL, "Idle power before", "W", false, measured,
               "power before anything is measured"),
    ENERGY_ROW(idle_power_after_w, NULL, "Idle power after", "W", false, measured, "power after the last inference"),
    ENERGY_ROW(energy_estimated_j, NULL, "Energy (estimated)", "J", false, estimated,
               "a model of joules per operation and per byte moved, for machines without a sensor"),
    {.id = NULL},
};
