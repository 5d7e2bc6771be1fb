/* SPDX-License-Identifier: Apache-2.0 */
/* The length of blocks that keeps a series' autocorrelation. @source D. Politis, H. White, Automatic Block-Length Selection for
 * the Dependent Bootstrap, 2004, with the correction of 2009. */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "netzip/blocks.h"

static double autocovariance(const double *centred, size_t count, size_t lag) {
    double sum = 0;
    for (size_t i = 0; i + lag < count; i++) sum += centred[i] * centred[i + lag];
    return sum / (double)count;
}

/* The last lag before a run of correlations that noise alone would show. */
static size_t last_significant(const double *covariance, size_t lags, size_t run, double bound) {
    size_t quiet = 0;
    for (size_t k = 1; k <= lags; k++) {
        quiet = fabs(covariance[k]) < bound * covariance[0] ? quiet + 1 : 0;
        if (quiet == run) return k - run;
    }
    return lags - quiet;
}

/* 1 up to half of the window, then falling to 0. */
static double flat_top(double t) { return t <= 0.5 ? 1 : t < 1 ? 2 * (1 - t) : 0; }

nz_status nz_block_length(size_t *ret_length, const double *series, size_t count) {
    if (!count) return nz_fail(NZ_E_ARG, "block length: no values");
    NZ_AUTO_FREE double *centred = NULL, *covariance = NULL;
    double n = (double)count, mean = 0, reach = fmax(5, sqrt(log10(n)));
    size_t most = count / 3 > 0 ? count / 3 : 1;
    size_t lags = (size_t)(ceil(sqrt(n)) + reach);
    lags = lags < count - 1 ? lags : count - 1;
    NZ_TRY(nz_alloc(&centred, count, sizeof *centred));
    NZ_TRY(nz_alloc(&covariance, lags + 1, sizeof *covariance));
    for (size_t i = 0; i < count; i++) mean += series[i] / n;
    for (size_t i = 0; i < count; i++) centred[i] = series[i] - mean;
    for (size_t k = 0; k <= lags; k++) covariance[k] = autocovariance(centred, count, k);
    double rounding = 1e-14 * fabs(mean);
    if (covariance[0] <= rounding * rounding) {
        *ret_length = 1;
        return NZ_OK;
    }
    size_t last = last_significant(covariance, lags, (size_t)reach, 2 * sqrt(log10(n) / n));
    size_t window = 2 * last < lags ? 2 * last : lags;
    double spectrum = covariance[0], slope = 0;
    for (size_t k = 1; k <= window; k++) {
        double weight = 2 * flat_top((double)k / (double)window) * covariance[k];
        spectrum += weight;
        slope += weight * (double)k;
    }
    /* The window may make the spectrum negative: there is no such thing, and the longest block is the careful answer. */
    double length = spectrum > 0 ? cbrt(2 * slope * slope / (4.0 / 3 * spectrum * spectrum) * n) : (double)most;
    if (last == 0) length = 1;
    *ret_length = length < (double)most ? (size_t)fmax(1, ceil(length)) : most;
    return NZ_OK;
}
