/* SPDX-License-Identifier: Apache-2.0 */
/* Uncertainty: intervals and tests of the metrics. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "metric/family.h"

static const double Z = NZ_NORMAL_95;

void nz_wilson(double ret_ci95[2], uint64_t hits, uint64_t n) {
    if (n == 0) {
        ret_ci95[0] = 0;
        ret_ci95[1] = 1;
        return;
    }
    double count = (double)n, p = (double)hits / count, z2 = Z * Z;
    double centre = (p + z2 / (2 * count)) / (1 + z2 / count);
    double half = Z / (1 + z2 / count) * sqrt(p * (1 - p) / count + z2 / (4 * count * count));
    ret_ci95[0] = hits == 0 ? 0 : fmax(centre - half, 0);
    ret_ci95[1] = hits == n ? 1 : fmin(centre + half, 1);
}

static double log_choose(double n, double k) { return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1); }

/* P(X = k) for X binomial(n, p). */
static double binomial(size_t n, size_t k, double p) {
    return exp(log_choose((double)n, (double)k) + (double)k * log(p) + (double)(n - k) * log1p(-p));
}

void nz_paired_counts(nz_paired *ret, uint64_t n, uint64_t only_first, uint64_t only_second) {
    *ret = (nz_paired){.n = n, .only_first = only_first, .only_second = only_second, .p_exact = 1, .p_mid = 1};
    uint64_t discordant = only_first + only_second, fewer = only_first < only_second ? only_first : only_second;
    if (discordant > 0) {
        double tail = 0, at = binomial(discordant, fewer, 0.5);
        for (uint64_t k = fewer + 1; k-- > 0;) {
            double term = binomial(discordant, k, 0.5);
            tail += term;
            if (term < 1e-18 * tail) break; /* what is left cannot change a digit */
        }
        ret->p_exact = fmin(1, 2 * tail);
        ret->p_mid = fmin(1, 2 * (tail - at / 2));
    }
    if (n == 0) return;
    double total = (double)n;
    ret->difference_pct = 100.0 * ((double)only_second - (double)only_first) / total;
    double gained = ((double)only_second + 1) / (total + 2), lost = ((double)only_first + 1) / (total + 2),
           d = gained - lost;
    double half = Z * sqrt(fmax(gained + lost - d * d, 0) / (total + 2));
    ret->ci95_pct[0] = 100.0 * fmax(d - half, -1);
    ret->ci95_pct[1] = 100.0 * fmin(d + half, 1);
}

nz_status nz_paired_topk(nz_paired *ret, const nz_predictions *first, const nz_predictions *second, int k) {
    if (first->count != second->count)
        return nz_fail(NZ_E_ARG, "paired comparison: %zu samples against %zu", first->count, second->count);
    if (!first->labels || !second->labels) return nz_fail(NZ_E_ARG, "paired comparison: the data has no labels");
    size_t least = first->classes < second->classes ? first->classes : second->classes;
    if (k < 1 || (size_t)k > least) return nz_fail(NZ_E_ARG, "paired comparison: k is %d, with %zu classes", k, least);
    NZ_TRY(nz_labels_check(first->labels, first->count, least));
    uint64_t only_first = 0, only_second = 0;
    for (size_t i = 0; i < first->count; i++) {
        bool tie;
        if (first->labels[i] != second->labels[i])
            return nz_fail(NZ_E_ARG, "paired comparison: sample %zu is labelled %d and %d", i, first->labels[i],
                           second->labels[i]);
        bool a = nz_topk_hit(first->scores + i * first->classes, first->classes, first->labels[i], k, &tie);
        bool b = nz_topk_hit(second->scores + i * second->classes, second->classes, second->labels[i], k, &tie);
        only_first += a && !b;
        only_second += b && !a;
    }
    nz_paired_counts(ret, first->count, only_first, only_second);
    return NZ_OK;
}

enum { TAIL_PER_MILLE = 25 };

bool nz_quantile_ranks(size_t *ret_low, size_t *ret_high, size_t n, double q) {
    const double tail = TAIL_PER_MILLE / 1000.0;
    if (n < nz_quantile_least(q)) return false;
    /* Walks inwards from both ends; each walk ends at the last rank whose outer tail stays within 2.5%. */
    size_t low = 0, high = n - 1;
    double below = binomial(n, 0, q), above = binomial(n, n, q); /* P(X <= low), P(X >= high + 1) */
    for (double next; low + 1 < n && (next = below + binomial(n, low + 1, q)) <= tail; below = next) low++;
    for (double next; high > 0 && (next = above + binomial(n, high, q)) <= tail; above = next) high--;
    *ret_low = low;
    *ret_high = high;
    return true;
}

size_t nz_quantile_least(double q) {
    /* (1-q)^n and q^n, the chances that the whole sample lies above or below the quantile, must both be within the tail. */
    double nearer = q > 0.5 ? q : 1 - q;
    return (size_t)ceil(log(TAIL_PER_MILLE / 1000.0) / log(nearer));
}

double nz_quantile(const double *ascending, size_t n, double q) {
    double place = q * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n) return ascending[n - 1];
    return ascending[below] + (place - (double)below) * (ascending[below + 1] - ascending[below]);
}

static int ascending_order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void nz_sort_ascending(double *values, size_t n) { qsort(values, n, sizeof *values, ascending_order); }

nz_status nz_bootstrap(double ret_ci95[2], size_t n, double (*statistic)(void *user, const size_t *indices, size_t n),
                       void *user, size_t resamples, uint64_t seed) {
    if (n == 0 || resamples == 0) return nz_fail(NZ_E_ARG, "bootstrap: no samples");
    NZ_AUTO_FREE size_t *indices = NULL;
    NZ_AUTO_FREE double *values = NULL;
    NZ_TRY(nz_alloc(&indices, n, sizeof *indices));
    NZ_TRY(nz_alloc(&values, resamples, sizeof *values));
    nz_random random;
    nz_random_init(&random, seed, 0);
    size_t count = 0;
    for (size_t r = 0; r < resamples; r++) {
        for (size_t i = 0; i < n; i++) indices[i] = (size_t)nz_random_below(&random, n);
        double value = statistic(user, indices, n);
        if (!isnan(value)) values[count++] = value;
    }
    if (count == 0) return nz_fail(NZ_E_ARG, "bootstrap: no resample gave a number");
    nz_sort_ascending(values, count);
    ret_ci95[0] = nz_quantile(values, count, TAIL_PER_MILLE / 1000.0);
    ret_ci95[1] = nz_quantile(values, count, 1 - TAIL_PER_MILLE / 1000.0);
    return NZ_OK;
}
