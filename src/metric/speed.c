/* SPDX-License-Identifier: Apache-2.0 */
/* Timed speed: statistics of latencies that were gathered elsewhere, and throughput. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "metric/family.h"

enum { MEAN = -1, MINIMUM = -2, MEDIAN = 50 }; /* any other argument: a percentile */

static nz_value_report mean(const double *times, size_t n) {
    double average = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double before = times[i] - average;
        average += before / (double)(i + 1);
        squares += before * (times[i] - average);
    }
    nz_value_report report = nz_report_value(average, NZ_MEASURED);
    /* The normal interval stands on many samples; few timings of a skewed distribution have none worth printing. */
    report.has_ci = n >= 30;
    double half = n >= 30 ? NZ_NORMAL_95 * sqrt(squares / (double)(n - 1) / (double)n) : 0;
    report.ci95[0] = average - half;
    report.ci95[1] = average + half;
    return report;
}

static nz_value_report percentile(const double *sorted, size_t n, int percent) {
    double q = percent / 100.0;
    size_t low, high;
    bool interval = nz_quantile_ranks(&low, &high, n, q);
    if (!interval && percent != MEDIAN)
        return nz_report_unavailable("p%d needs %zu timed inferences, there are %zu", percent, nz_quantile_least(q), n);
    nz_value_report report = nz_report_value(nz_quantile(sorted, n, q), NZ_MEASURED);
    report.has_ci = interval;
    if (interval) {
        report.ci95[0] = sorted[low];
        report.ci95[1] = sorted[high];
    }
    return report;
}

/* Of which times a statistic is: mean and median of all, the least and percentiles of single inferences. */
typedef struct listed {
    const double *ms;
    size_t count;
    uint64_t n; /* how many they stand for */
} listed;

static listed list_of(const nz_metric_input *input, int which) {
    if (input->latency_bunch > 1 && which != MEAN && which != MEDIAN)
        return (listed){input->single_ms, input->single_count, input->single_count};
    return (listed){input->latency_ms, input->latency_count,
                    input->latency_n ? input->latency_n : input->latency_count};
}

static nz_value_report statistic(const nz_metric_input *input, int which, const double *sorted, size_t n) {
    if (which == MINIMUM)
        return nz_report_value(fmin(sorted[0], isnan(input->latency_least_ms) ? sorted[0] : input->latency_least_ms),
                               NZ_MEASURED);
    if (which != MEAN) return percentile(sorted, n, which);
    nz_value_report report = mean(sorted, n);
    if (isnan(input->latency_mean_ms)) return report;
    double shift = input->latency_mean_ms - report.value;
    report.value += shift;
    for (int i = 0; i < 2; i++) report.ci95[i] += shift;
    return report;
}

static nz_value_report latency(const nz_metric_input *input, int which) {
    listed list = list_of(input, which);
    if (!input->latency_ms || input->latency_count == 0) return nz_metric_missing(input->reason_speed);
    if (!list.ms || list.count == 0)
        return nz_report_unavailable(
            "the model is so fast that the clock is read once in %llu inferences: their mean is "
            "known, not the time of each",
            (unsigned long long)input->latency_bunch);
    NZ_AUTO_FREE double *sorted = NULL;
    if (nz_alloc(&sorted, list.count, sizeof *sorted) != NZ_OK) return nz_report_unavailable("%s", nz_last_error());
    for (size_t i = 0; i < list.count; i++) {
        if (!isfinite(list.ms[i])) return nz_report_unavailable("inference %zu has no finite time", i);
        sorted[i] = list.ms[i];
    }
    nz_sort_ascending(sorted, list.count);
    nz_value_report report = statistic(input, which, sorted, list.count);
    report.has_n = true;
    report.n = list.n;
    return report;
}

static nz_value_report throughput(const nz_metric_input *input, int argument) {
    (void)argument;
    if (!(input->throughput > 0)) return nz_metric_missing(input->reason_speed);
    nz_value_report report = nz_report_value(input->throughput, NZ_MEASURED);
    report.has_n = input->throughput_n > 0;
    report.n = input->throughput_n;
    return report;
}

static nz_value_report postprocess(const nz_metric_input *input, int argument) {
    (void)argument;
    if (!input->detection)
        return input->predictions ? nz_report_unavailable("the model is no detector")
                                  : nz_metric_missing(input->reason_accuracy);
    nz_value_report report = nz_metric_reading(input->postprocess_ms, NZ_MEASURED, NULL);
    report.has_n = report.source == NZ_MEASURED;
    report.n = input->postprocess_n;
    return report;
}

#define LATENCY_ROW(ID, ALIAS, TITLE, DEFAULT, ARGUMENT, HELP)                                                         \
    {                                                                                                                  \
        .id = (ID), .alias = (ALIAS), .title = (TITLE), .unit = "ms", .category = "speed", .better = NZ_LOWER,         \
        .by_default = (DEFAULT), .needs_timing = true, .help = (HELP), .evaluate = latency, .argument = (ARGUMENT)     \
    }

const nz_metric nz_metrics_speed[] = {
    LATENCY_ROW("latency_ms", "Latency", "Latency", true, MEDIAN,
                "median time of one inference, batch 1, after warm-up"),
    LATENCY_ROW("latency_ms_mean", NULL, "Latency (mean)", true, MEAN, "mean time of one inference, batch 1"),
    LATENCY_ROW("latency_ms_min", NULL, "Latency (minimum)", true, MINIMUM, "least time of one inference, batch 1"),
    LATENCY_ROW("latency_ms_p90", NULL, "Latency (p90)", true, 90, "time that 90% of inferences stay within; needs 36"),
    LATENCY_ROW("latency_ms_p99", NULL, "Latency (p99)", true, 99,
                "time that 99% of inferences stay within; needs 368"),
    {.id = "throughput",
     .title = "Throughput",
     .unit = "samples/s",
     .category = "speed",
     .better = NZ_HIGHER,
     .by_default = true,
     .needs_timing = true,
     .help = "samples per second at the variant's batch size and thread count",
     .evaluate = throughput},
    {.id = "postprocess_ms",
     .title = "Decoding and suppression",
     .unit = "ms",
     .category = "speed",
     .better = NZ_LOWER,
     .by_default = true,
     .task = NZ_TASK_DETECTION,
     .needs_scores = true,
     .needs_timing = true,
     .help = "mean time from a detector's outputs to boxes, a sample, on one thread; latency does not hold it",
     .evaluate = postprocess},
    {.id = NULL},
};
