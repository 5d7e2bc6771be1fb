/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios and the overall compression score. @source arXiv 2305.10616, section 3.5 */
#include <math.h>
#include <string.h>

#include "metric/family.h"

enum { PERFORMANCE, SPEEDUP, TERMS = 4 };

static bool available(const nz_value_report *report) {
    return report->source != NZ_UNAVAILABLE && isfinite(report->value);
}

static const char *why(const nz_value_report *report) { return *report->reason ? report->reason : "not measured"; }

/* A ratio is only as certain as the less certain of its two numbers. */
static nz_source weaker(nz_source a, nz_source b) {
    if (a == NZ_ESTIMATED || b == NZ_ESTIMATED) return NZ_ESTIMATED;
    return NZ_DERIVED;
}

static nz_value_report ratio_of(const char *id, nz_better better, const nz_value_report *original,
                                const nz_value_report *compressed, double zeta) {
    if (!id) return nz_report_unavailable("no metric was chosen");
    if (better == NZ_NEITHER) return nz_report_unavailable("%s has no better direction", id);
    if (!available(original)) return nz_report_unavailable("%s of the baseline: %.120s", id, why(original));
    if (!available(compressed)) return nz_report_unavailable("%s: %.150s", id, why(compressed));
    const nz_value_report *top = better == NZ_LOWER ? original : compressed,
                          *bottom = better == NZ_LOWER ? compressed : original;
    const char *whose = bottom == original ? "of the baseline " : "";
    if (bottom->value == 0) return nz_report_unavailable("%s %sis 0", id, whose);
    if (bottom->value < 0) return nz_report_unavailable("%s %sis negative", id, whose);
    if (top->value < 0) return nz_report_unavailable("%s %sis negative", id, top == original ? "of the baseline " : "");
    double value = zeta * (top->value / bottom->value);
    if (!isfinite(value)) return nz_report_unavailable("%s: the ratio is beyond what a number holds", id);
    return nz_report_value(value, weaker(original->source, compressed->source));
}

/* OCS over the terms that are wanted and not left out. Without the performance ratio its factor is left out with its term. */
static double score(const nz_combined *c, const double lambda[TERMS], const bool without[TERMS]) {
    double sum = 0;
    for (int i = 0; i < TERMS; i++)
        if (!without[i] && lambda[i] != 0) sum += lambda[i] * (c->ratio[i].value - 1);
    return without[PERFORMANCE] ? sum : c->ratio[PERFORMANCE].value * sum;
}

void nz_combine(nz_combined *ret, const nz_combine_options *options, const nz_value_report original[4],
                const nz_value_report compressed[4], bool is_baseline) {
    static const char *const names[TERMS] = {"performance", "speedup", "compression", "efficiency"};
    const char *const ids[TERMS] = {options->performance, options->speedup, options->compression, options->efficiency};
    nz_combined c = {0};
    int missing = -1, left = 0;
    nz_source source = NZ_DERIVED;
    for (int i = 0; i < TERMS; i++) {
        double zeta = i == SPEEDUP && options->zeta_applies && !is_baseline ? options->zeta : 1;
        c.ratio[i] = ratio_of(ids[i], options->better[i], &original[i], &compressed[i], zeta);
        /* The score multiplies by P even where the term P - 1 has no weight. */
        bool needed = i == PERFORMANCE || options->lambda[i] != 0;
        c.without[i] = needed && !available(&c.ratio[i]);
        if (c.without[i] && missing < 0) missing = i;
        if (c.without[i]) continue;
        if (options->lambda[i] != 0) left++;
        if (needed) source = weaker(source, c.ratio[i].source);
    }
    bool finite = true;
    if (missing < 0) {
        double value = score(&c, options->lambda, c.without);
        finite = isfinite(value);
        c.ocs = finite ? nz_report_value(value, source) : nz_report_unavailable("beyond what a number holds");
        c.partial = nz_report_unavailable("%s", finite ? "nothing is missing" : "beyond what a number holds");
    } else {
        c.ocs = nz_report_unavailable("the %s ratio is unavailable: %.140s", names[missing], why(&c.ratio[missing]));
        double value = score(&c, options->lambda, c.without);
        c.partial = left == 0 ? nz_report_unavailable("no term is left") : nz_report_value(value, source);
    }
    *ret = c;
}
