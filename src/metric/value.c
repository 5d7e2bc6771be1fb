/* SPDX-License-Identifier: Apache-2.0 */
/* Reported values, and the checks that several families share. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/error.h"
#include "metric/family.h"

nz_value_report nz_report_value(double value, nz_source source) {
    if (!isfinite(value)) return nz_report_unavailable(isnan(value) ? "not a number" : "infinite");
    return (nz_value_report){.value = value, .source = source};
}

nz_value_report nz_report_unavailable(const char *format, ...) {
    nz_value_report report = {.value = NAN, .source = NZ_UNAVAILABLE};
    va_list args;
    va_start(args, format);
    vsnprintf(report.reason, sizeof report.reason, format, args);
    va_end(args);
    return report;
}

nz_value_report nz_metric_missing(const char *reason) {
    return nz_report_unavailable("%s", reason ? reason : "not measured");
}

nz_value_report nz_metric_reading(double value, nz_source source, const char *reason) {
    return isnan(value) ? nz_metric_missing(reason) : nz_report_value(value, source);
}

nz_value_report nz_metric_share(uint64_t hits, uint64_t n) {
    if (n == 0) return nz_report_unavailable("no samples");
    nz_value_report report = nz_report_value(100.0 * (double)hits / (double)n, NZ_MEASURED);
    report.has_n = report.has_ci = true;
    report.n = n;
    nz_wilson(report.ci95, hits, n);
    for (int i = 0; i < 2; i++) report.ci95[i] *= 100.0;
    return report;
}

nz_value_report nz_metric_fraction(double fraction, size_t n, const char *reason) {
    if (!(fraction >= 0)) return nz_report_unavailable("%s", reason);
    nz_value_report report = nz_report_value(100 * fraction, NZ_MEASURED);
    report.has_n = true;
    report.n = n;
    return report;
}

nz_metric_input nz_metric_input_none(void) {
    return (nz_metric_input){.postprocess_ms = NAN,
                             .cpu_util_pct = NAN,
                             .cpu_util_process_pct = NAN,
                             .ram_bytes = NAN,
                             .ram_pss_bytes = NAN,
                             .ram_machine_bytes = NAN,
                             .activation_peak_bytes = NAN,
                             .ram_weights_bytes = NAN,
                             .ram_activations_bytes = NAN,
                             .ram_rest_bytes = NAN,
                             .ram_peak_pss_bytes = NAN,
                             .instructions.value = NAN,
                             .cycles.value = NAN,
                             .cache_references.value = NAN,
                             .cache_misses.value = NAN,
                             .branch_misses.value = NAN,
                             .context_switches.value = NAN,
                             .page_faults.value = NAN,
                             .gpu_util_pct = NAN,
                             .gpu_mem_bytes = NAN,
                             .latency_mean_ms = NAN,
                             .latency_least_ms = NAN,
                             .energy_j = NAN,
                             .energy_net_j = NAN,
                             .idle_power_before_w = NAN,
                             .idle_power_after_w = NAN,
                             .power_w = NAN,
                             .power_max_w = NAN,
                             .energy_estimated_j = NAN,
                             .idle_power_w = NAN};
}

nz_value_report nz_metric_value(const nz_metric *metric, const nz_metric_input *input) {
    return metric->evaluate(input, metric->argument);
}

const struct nz_detection_scores *nz_metric_detection(const nz_metric_input *input, nz_value_report *ret_missing) {
    if (input->detection) return input->detection;
    *ret_missing = input->predictions ? nz_report_unavailable("the model is a classifier")
                                      : nz_metric_missing(input->reason_accuracy);
    return NULL;
}

static nz_value_report without_predictions(const nz_metric_input *input) {
    return input->detection ? nz_report_unavailable("the model is a detector")
                            : nz_metric_missing(input->reason_accuracy);
}

bool nz_metric_labelled(const nz_metric_input *input, nz_value_report *ret_missing) {
    const nz_predictions *p = input->predictions;
    if (!p)
        *ret_missing = without_predictions(input);
    else if (!p->labels)
        *ret_missing = nz_report_unavailable("the data has no labels");
    else if (p->count == 0 || p->classes == 0)
        *ret_missing = nz_report_unavailable("no samples");
    else if (nz_labels_check(p->labels, p->count, p->classes) != NZ_OK)
        *ret_missing = nz_report_unavailable("%s", nz_last_error());
    else
        return true;
    return false;
}

bool nz_metric_pair(const nz_metric_input *input, const nz_predictions **ret_base, const nz_predictions **ret_own,
                    nz_value_report *ret_missing) {
    const nz_predictions *own = input->predictions, *base = input->baseline ? input->baseline : own;
    if (!own)
        *ret_missing = without_predictions(input);
    else if (!input->baseline && input->reason_baseline)
        *ret_missing = nz_metric_missing(input->reason_baseline);
    else if (own->count == 0 || own->classes == 0)
        *ret_missing = nz_report_unavailable("no samples");
    else if (own->count != base->count || own->classes != base->classes)
        *ret_missing = nz_report_unavailable("the baseline gave %zu x %zu scores, this model %zu x %zu", base->count,
                                             base->classes, own->count, own->classes);
    else {
        *ret_base = base;
        *ret_own = own;
        return true;
    }
    return false;
}

nz_status nz_labels_check(const int32_t *labels, size_t n, size_t classes) {
    for (size_t i = 0; i < n; i++)
        if (labels[i] < 0 || (size_t)labels[i] >= classes)
            return nz_fail(NZ_E_ARG, "label %d of sample %zu is outside the %zu classes of the scores", labels[i], i,
                           classes);
    return NZ_OK;
}

void nz_probabilities(const nz_predictions *predictions, size_t sample, double *out) {
    size_t classes = predictions->classes;
    const float *row = predictions->scores + sample * classes;
    double highest = -INFINITY, sum = 0;
    for (size_t c = 0; c < classes; c++) {
        out[c] = (double)row[c];
        if (out[c] > highest) highest = out[c];
    }
    if (predictions->probabilities) return;
    for (size_t c = 0; c < classes; c++) sum += out[c] = exp(out[c] - highest);
    for (size_t c = 0; c < classes; c++) out[c] /= sum;
}
