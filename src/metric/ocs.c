/* SPDX-License-Identifier: Apache-2.0 */
/* What an interval of a ratio says, the interval of OCS, and how firm its winner stands. */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "metric/family.h"
#include "netzip/blocks.h"

enum { TERMS = 4, PERFORMANCE = 0, LEAST_DRAWS = 100 };

nz_difference nz_ratio_difference(const double ends[2]) {
    if (ends[0] > 1 && ends[1] >= ends[0]) return NZ_BETTER;
    if (ends[1] < 1 && ends[0] <= ends[1]) return NZ_WORSE;
    return NZ_INDISTINGUISHABLE;
}

const char *nz_difference_name(nz_difference difference) {
    static const char *const names[] = {"indistinguishable", "better", "worse"};
    return names[difference];
}

static bool available(const nz_value_report *report) { return report->source != NZ_UNAVAILABLE; }

/* ---- Interval ---- */

static nz_status check_spread(const nz_combined *combined, const nz_ratio_spread spread[TERMS], size_t replicates) {
    static const char *const names[TERMS] = {"performance", "speedup", "compression", "efficiency"};
    if (replicates < LEAST_DRAWS)
        return nz_fail(NZ_E_ARG, "OCS: %zu replicates: %d are the least", replicates, LEAST_DRAWS);
    for (int i = 0; i < TERMS; i++) {
        if (!available(&combined->ratio[i])) continue;
        double value = combined->ratio[i].value, low = spread[i].ci95[0], high = spread[i].ci95[1];
        for (size_t k = 0; spread[i].replicates && k < replicates; k++)
            if (!(spread[i].replicates[k] >= 0) || !isfinite(spread[i].replicates[k]))
                return nz_fail(NZ_E_ARG, "OCS: replicate %zu of the %s ratio is %g", k, names[i],
                               spread[i].replicates[k]);
        if (!spread[i].replicates && spread[i].has_ci &&
            !(isfinite(low) && isfinite(high) && low <= value && value <= high))
            return nz_fail(NZ_E_ARG, "OCS: the %s ratio %g does not lie in its interval from %g to %g", names[i], value,
                           low, high);
    }
    return NZ_OK;
}

/* A ratio as it may have come out. Of an interval: normal, with the spread of its own on each side, never below 0. */
static double drawn_ratio(const nz_ratio_spread *spread, double value, size_t k, nz_random *random) {
    if (spread->replicates) return spread->replicates[k];
    if (!spread->has_ci) return value;
    double step = nz_random_normal(random);
    double side = step < 0 ? value - spread->ci95[0] : spread->ci95[1] - value;
    return fmax(0, value + step / NZ_NORMAL_95 * side);
}

nz_status nz_ocs_interval(double ret_ends[2], const nz_combine_options *options, const nz_value_report original[4],
                          const nz_value_report compressed[4], const nz_ratio_spread spread[4], double confidence,
                          size_t replicates, uint64_t seed) {
    NZ_AUTO_FREE double *scores = NULL;
    nz_combined as_measured;
    nz_random random[TERMS]; /* a stream each: a ratio's draws do not depend on what the others have */
    nz_combine(&as_measured, options, original, compressed, false);
    bool whole = available(&as_measured.ocs);
    if (!whole && !available(&as_measured.partial))
        return nz_fail(NZ_E_ARG, "OCS: no value: %s", as_measured.ocs.reason);
    if (!(confidence > 0.5 && confidence < 1))
        return nz_fail(NZ_E_ARG, "OCS: a confidence of %g is not between 0.5 and 1", confidence);
    NZ_TRY(check_spread(&as_measured, spread, replicates));
    NZ_TRY(nz_alloc(&scores, replicates, sizeof *scores));
    for (uint64_t i = 0; i < TERMS; i++) nz_random_init(&random[i], seed, i + 1);
    for (size_t k = 0; k < replicates; k++) {
        nz_value_report first[TERMS], second[TERMS];
        nz_combined combined;
        for (int i = 0; i < TERMS; i++) {
            first[i] = original[i];
            second[i] = compressed[i];
            double value = as_measured.ratio[i].value;
            if (!available(&as_measured.ratio[i]) || value == 0) continue;
            /* The number above the fraction bar carries the whole change: the ratio comes out as drawn, zeta included. */
            nz_value_report *top = options->better[i] == NZ_LOWER ? &first[i] : &second[i];
            top->value *= drawn_ratio(&spread[i], value, k, &random[i]) / value;
        }
        nz_combine(&combined, options, first, second, false);
        const nz_value_report *score = whole ? &combined.ocs : &combined.partial;
        if (!available(score)) return nz_fail(NZ_E_ARG, "OCS: a replicate has no value: %s", score->reason);
        scores[k] = score->value;
    }
    nz_sort_ascending(scores, replicates);
    ret_ends[0] = nz_quantile(scores, replicates, (1 - confidence) / 2);
    ret_ends[1] = nz_quantile(scores, replicates, (1 + confidence) / 2);
    return NZ_OK;
}

/* ---- Rank ---- */

/* What OCS gains where a weight grows by 1; NaN where the ratio is not known. */
static double gain(const nz_combined *c, int term) {
    return available(&c->ratio[term]) ? c->ratio[PERFORMANCE].value * (c->ratio[term].value - 1) : NAN;
}

static nz_lambda_range range_of(const nz_combined *models, size_t count, size_t winner, int term, double lambda) {
    nz_lambda_range range = {.known = !isnan(gain(&models[winner], term)), .low_rival = winner, .high_rival = winner};
    for (size_t m = 0; m < count && range.known; m++) {
        if (m == winner || !available(&models[m].ocs)) continue;
        double lead = models[winner].ocs.value - models[m].ocs.value;
        double slope = gain(&models[winner], term) - gain(&models[m], term);
        double level = lambda - lead / slope; /* where the two draw level */
        if (isnan(slope)) {
            range.known = false;
        } else if (slope > 0 && level >= 0 && (!range.has_low || level > range.low)) {
            range.low = level;
            range.has_low = true;
            range.low_rival = m;
        } else if (slope < 0 && isfinite(level) && (!range.has_high || level < range.high)) {
            range.high = level;
            range.has_high = true;
            range.high_rival = m;
        }
    }
    if (!range.known) return (nz_lambda_range){.low_rival = winner, .high_rival = winner};
    if (!range.has_high) range.high = INFINITY;
    return range;
}

bool nz_ocs_rank_get(nz_ocs_rank *ret, const nz_combined *models, size_t count, const double lambda[4]) {
    nz_ocs_rank rank = {.winner = count};
    for (size_t m = 0; m < count; m++)
        if (available(&models[m].ocs) && (rank.winner == count || models[m].ocs.value > models[rank.winner].ocs.value))
            rank.winner = m;
    if (rank.winner == count) return false;
    rank.runner_up = rank.winner;
    for (size_t m = 0; m < count; m++)
        if (m != rank.winner && available(&models[m].ocs) &&
            (rank.runner_up == rank.winner || models[m].ocs.value > models[rank.runner_up].ocs.value))
            rank.runner_up = m;
    for (int i = 0; i < TERMS; i++) rank.lambda[i] = range_of(models, count, rank.winner, i, lambda[i]);
    *ret = rank;
    return true;
}
