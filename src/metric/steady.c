/* SPDX-License-Identifier: Apache-2.0 */
/* The end of warming up. @source K. White, An Effective Truncation Heuristic for Bias Reduction in Simulation Output, 1997 */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/family.h"
#include "netzip/blocks.h"

enum { LEAST_VALUES = 10 };
static const double farthest = 5; /* median deviations */

static double median_in_place(double *values, size_t count) {
    nz_sort_ascending(values, count);
    return nz_quantile(values, count, 0.5);
}

/* Values far from the second half's median move nearer. */
static nz_status clip(double *ret_clipped, const double *values, size_t count) {
    NZ_AUTO_FREE double *half = NULL;
    size_t n = count - count / 2;
    NZ_TRY(nz_alloc(&half, n, sizeof *half));
    memcpy(half, values + count / 2, n * sizeof *half);
    double centre = median_in_place(half, n);
    for (size_t i = 0; i < n; i++) half[i] = fabs(half[i] - centre);
    double reach = farthest * median_in_place(half, n);
    for (size_t i = 0; i < count; i++) ret_clipped[i] = fmin(fmax(values[i], centre - reach), centre + reach);
    return NZ_OK;
}

nz_status nz_steady_from(size_t *ret_first, bool *ret_steady, const double *values, size_t count) {
    NZ_AUTO_FREE double *clipped = NULL;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return nz_fail(NZ_E_ARG, "steady state: value %zu is no number", i);
    if (count < LEAST_VALUES) {
        *ret_steady = false;
        return NZ_OK;
    }
    NZ_TRY(nz_alloc(&clipped, count, sizeof *clipped));
    NZ_TRY(clip(clipped, values, count));
    /* From behind, mean and sum of squares of what stays grow by one value at a time (Welford). A cut may leave a quarter at
     * the least; a best cut beyond the middle says that the second half still changes. */
    double mean = 0, squares = 0, least = INFINITY;
    size_t best = 0, most = count - count / 4;
    for (size_t i = count; i-- > 0;) {
        double n = (double)(count - i), off = clipped[i] - mean;
        mean += off / n;
        squares += off * (clipped[i] - mean);
        if (i <= most && squares / (n * n) <= least) {
            least = squares / (n * n);
            best = i;
        }
    }
    *ret_steady = best < (count + 1) / 2;
    if (*ret_steady) *ret_first = best;
    return NZ_OK;
}
