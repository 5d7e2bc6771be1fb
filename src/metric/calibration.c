/* SPDX-License-Identifier: Apache-2.0 */
/* Expected calibration error. @source Guo et al. 2017, arXiv 1706.04599 */
#include <math.h>

#include "core/memory.h"
#include "metric/family.h"

enum { BINS = 15 };

static nz_value_report ece(const nz_metric_input *input, int argument) {
    (void)argument;
    nz_value_report report;
    if (!nz_metric_labelled(input, &report)) return report;
    const nz_predictions *p = input->predictions;
    NZ_AUTO_FREE double *row = NULL;
    if (nz_alloc(&row, p->classes, sizeof *row) != NZ_OK) return nz_report_unavailable("%s", nz_last_error());
    double confidence[BINS] = {0}, right[BINS] = {0}, error = 0;
    for (size_t i = 0; i < p->count; i++) {
        int32_t guess = nz_top1_class(p->scores + i * p->classes, p->classes);
        nz_probabilities(p, i, row);
        double c = guess < 0 ? NAN : row[guess];
        if (isnan(c)) return nz_report_unavailable("sample %zu has scores that are not numbers", i);
        /* Bins are open below and closed above; what lies outside [0, 1] belongs to the outermost. */
        int bin = (int)ceil(fmin(fmax(c, 0.0), 1.0) * BINS) - 1;
        if (bin < 0) bin = 0;
        confidence[bin] += c;
        right[bin] += guess == p->labels[i];
    }
    for (int b = 0; b < BINS; b++) error += fabs(right[b] - confidence[b]) / (double)p->count;
    report = nz_report_value(error, NZ_MEASURED);
    report.has_n = true;
    report.n = p->count;
    return report;
}

const nz_metric nz_metrics_calibration[] = {
    {.id = "ece",
     .title = "Expected calibration error",
     .unit = "",
     .category = "accuracy",
     .better = NZ_LOWER,
     .by_default = true,
     .task = NZ_TASK_CLASSIFICATION,
     .needs_scores = true,
     .help = "mean gap between confidence and accuracy over 15 equal-width bins of confidence",
     .evaluate = ece},
    {.id = NULL},
};
