/* SPDX-License-Identifier: Apache-2.0 */
/* How far a compressed model's outputs are from those of the model it came from, sample by sample. */
#include <math.h>

#include "core/memory.h"
#include "metric/family.h"

static nz_value_report agreement(const nz_metric_input *input, int argument) {
    (void)argument;
    const nz_predictions *base, *own;
    nz_value_report report;
    if (!nz_metric_pair(input, &base, &own, &report)) return report;
    uint64_t same = 0;
    for (size_t i = 0; i < own->count; i++) {
        int32_t guess = nz_top1_class(own->scores + i * own->classes, own->classes);
        same += guess >= 0 && guess == nz_top1_class(base->scores + i * base->classes, base->classes);
    }
    return nz_metric_share(same, own->count);
}

static nz_value_report negative_flips(const nz_metric_input *input, int argument) {
    (void)argument;
    const nz_predictions *base, *own;
    nz_value_report report;
    if (!nz_metric_labelled(input, &report) || !nz_metric_pair(input, &base, &own, &report)) return report;
    uint64_t flips = 0;
    for (size_t i = 0; i < own->count; i++) {
        bool tie;
        flips += nz_topk_hit(base->scores + i * base->classes, base->classes, own->labels[i], 1, &tie) &&
                 !nz_topk_hit(own->scores + i * own->classes, own->classes, own->labels[i], 1, &tie);
    }
    return nz_metric_share(flips, own->count);
}

/* KL(p, q) of one sample. Terms with p = 0 are 0; p > 0 with q = 0 makes it infinite. */
static double divergence(const double *p, const double *q, size_t classes) {
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
        if (!(p[c] == 0)) sum += p[c] * log(p[c] / q[c]);
    return sum;
}

static nz_value_report kl(const nz_metric_input *input, int argument) {
    (void)argument;
    const nz_predictions *base, *own;
    nz_value_report report;
    if (!nz_metric_pair(input, &base, &own, &report)) return report;
    NZ_AUTO_FREE double *rows = NULL;
    if (nz_alloc(&rows, own->classes, 2 * sizeof *rows) != NZ_OK) return nz_report_unavailable("%s", nz_last_error());
    double mean = 0, squares = 0; /* Welford */
    size_t infinite = 0;
    for (size_t i = 0; i < own->count; i++) {
        nz_probabilities(base, i, rows);
        nz_probabilities(own, i, rows + own->classes);
        double value = divergence(rows, rows + own->classes, own->classes);
        if (isnan(value)) return nz_report_unavailable("sample %zu has scores that are not numbers", i);
        infinite += isinf(value) != 0;
        double before = value - mean;
        mean += before / (double)(i + 1);
        squares += before * (value - mean);
    }
    if (infinite)
        return nz_report_unavailable(
            "infinite: in %zu of %zu samples a class has probability 0 that the baseline gives it more than 0",
            infinite, own->count);
    report = nz_report_value(mean, NZ_MEASURED);
    report.has_n = true;
    report.n = own->count;
    report.has_ci = own->count > 1;
    double half = own->count > 1 ? NZ_NORMAL_95 * sqrt(squares / (double)(own->count - 1) / (double)own->count) : 0;
    report.ci95[0] = mean - half;
    report.ci95[1] = mean + half;
    return report;
}

static nz_value_report max_abs_diff(const nz_metric_input *input, int argument) {
    (void)argument;
    const nz_predictions *base, *own;
    nz_value_report report;
    if (!nz_metric_pair(input, &base, &own, &report)) return report;
    double most = 0;
    for (size_t i = 0; i < own->count * own->classes; i++) {
        double difference = fabs((double)own->scores[i] - (double)base->scores[i]);
        if (own->scores[i] == base->scores[i]) difference = 0; /* equal infinities */
        if (isnan(difference))
            return nz_report_unavailable("sample %zu has scores that are not numbers", i / own->classes);
        if (difference > most) most = difference;
    }
    report = nz_report_value(most, NZ_MEASURED);
    report.has_n = true;
    report.n = own->count;
    return report;
}

static nz_value_report sqnr_db(const nz_metric_input *input, int argument) {
    (void)argument;
    const nz_predictions *base, *own;
    nz_value_report report;
    if (!nz_metric_pair(input, &base, &own, &report)) return report;
    double signal = 0, noise = 0;
    for (size_t i = 0; i < own->count * own->classes; i++) {
        double s = (double)base->scores[i], d = (double)own->scores[i] - s;
        signal += s * s;
        noise += d * d;
    }
    if (isnan(signal) || isnan(noise) || isinf(signal) || isinf(noise))
        return nz_report_unavailable("there are scores that are not finite numbers");
    if (noise == 0) return nz_report_unavailable("identical");
    if (signal == 0) return nz_report_unavailable("the baseline's outputs are all 0");
    report = nz_report_value(10.0 * log10(signal / noise), NZ_MEASURED);
    report.has_n = true;
    report.n = own->count;
    return report;
}

#define EQUIVALENCE_ROW(ID, TITLE, UNIT, BETTER, HELP)                                                                 \
    {                                                                                                                  \
        .id = #ID, .title = (TITLE), .unit = (UNIT), .category = "accuracy", .better = (BETTER), .by_default = true,   \
        .task = NZ_TASK_CLASSIFICATION, .needs_scores = true, .help = (HELP), .evaluate = ID                           \
    }

const nz_metric nz_metrics_equivalence[] = {
    EQUIVALENCE_ROW(agreement, "Agreement", "%", NZ_HIGHER,
                    "% of samples on which the top-1 class equals the baseline's"),
    EQUIVALENCE_ROW(negative_flips, "Negative flips", "%", NZ_LOWER,
                    "% of samples the baseline has right and this model wrong"),
    EQUIVALENCE_ROW(kl, "KL divergence", "nat", NZ_LOWER, "mean KL(baseline, this model) of the class probabilities"),
    EQUIVALENCE_ROW(max_abs_diff, "Largest difference", "", NZ_LOWER,
                    "largest absolute difference of an output from the baseline's"),
    EQUIVALENCE_ROW(sqnr_db, "SQNR", "dB", NZ_HIGHER,
                    "signal-to-quantisation-noise ratio of the outputs against the baseline's"),
    {.id = NULL},
};
