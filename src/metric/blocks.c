/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals of what was measured in turns, by a circular block bootstrap over rounds. */
#include "netzip/blocks.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "metric/block_pool.h"
#include "metric/family.h"

enum { LEAST_REPLICATES = 100 };

nz_block_options nz_block_options_default(void) { return (nz_block_options){.confidence = 0.95, .replicates = 1000}; }

/* The value that a standard normal variable exceeds with probability `tail`, by bisection. */
static double normal_quantile(double tail) {
    double low = 0, high = 40;
    for (int i = 0; i < 80; i++) {
        double middle = (low + high) / 2;
        *(erfc(middle / sqrt(2)) / 2 > tail ? &low : &high) = middle;
    }
    return low;
}

/* Student's quantile over the normal one, by the expansion in 1 / freedom; freedom >= 2.
 * @source Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5 */
static double student_over_normal(double z, double freedom) {
    double s = z * z, v = freedom;
    double terms[] = {(s + 1) / 4, ((5 * s + 16) * s + 3) / 96, (((3 * s + 19) * s + 17) * s - 15) / 384,
                      ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160};
    double sum = 1, power = 1;
    for (size_t i = 0; i < NZ_COUNT(terms); i++) sum += terms[i] / (power *= v);
    return sum;
}

/* The correlation of a series with itself `lag` values later, its bias of few values undone as far as an AR(1) process has it.
 * @source M. Kendall, Biometrika 41:403 (1954) */
static double correlation(const double *series, size_t count, size_t lag) {
    double n = (double)count, mean = 0, square = 0, product = 0;
    for (size_t i = 0; i < count; i++) mean += series[i] / n;
    for (size_t i = 0; i < count; i++) square += (series[i] - mean) * (series[i] - mean);
    for (size_t i = 0; i + lag < count; i++) product += (series[i] - mean) * (series[i + lag] - mean);
    double rounding = 1e-14 * mean;
    if (square <= n * rounding * rounding) return 0;
    double found = product / square;
    return found + (1 + 3 * found) / n;
}

/* How strongly a series remembers: as an AR(1) process with its first correlation, or a later one where all before it are
 * more than noise (a process with noise on top decays slower than its first correlation says). */
static double memory_of(const double *series, size_t count) {
    enum { MOST_LAG = 6 };
    static const double most = 0.95;
    double memory = 0, noise = 1 / sqrt((double)count);
    for (size_t lag = 1; lag <= MOST_LAG; lag++) {
        double found = correlation(series, count, lag);
        if (found <= 0) break;
        memory = fmax(memory, pow(found, 1.0 / (double)lag));
        if (found < noise) break;
    }
    return fmin(memory, most);
}

/* Variance of a sum of n values of an AR(1) process with correlation `memory`, over that of n independent ones. */
static double inflation(double memory, double n) {
    double power = pow(memory, n);
    return (1 + memory) / (1 - memory) - 2 * memory * (1 - power) / (n * (1 - memory) * (1 - memory));
}

/* What the percentiles lack: blocks of `length` keep the memory within them alone, rounds that remember are worth fewer
 * independent ones, a bootstrap of n independent draws is too narrow by sqrt((n - 1) / n), and it knows nothing of Student. */
static double stretch_of(const double *series, size_t rounds, size_t length, double z) {
    double memory = memory_of(series, rounds), all = inflation(memory, (double)rounds);
    double within = inflation(memory, (double)length), blocks = (double)rounds / (double)length;
    double independent = fmax(2, fmin(blocks, (double)rounds / all));
    return sqrt(fmax(1, all / within) * independent / (independent - 1)) *
           student_over_normal(z, fmax(2, independent - 1));
}

static void draw_rounds(uint32_t *weights, size_t rounds, size_t length, nz_random *random) {
    memset(weights, 0, rounds * sizeof *weights);
    for (size_t drawn = 0; drawn < rounds;) {
        size_t at = (size_t)nz_random_below(random, rounds);
        for (size_t i = 0; i < length && drawn < rounds; i++, drawn++) {
            weights[at]++;
            at = at + 1 < rounds ? at + 1 : 0;
        }
    }
}

static nz_status check(const nz_blocks *blocks, size_t model, const nz_block_options *options) {
    if (model >= blocks->model_count) return nz_fail(NZ_E_ARG, "blocks: model %zu of %zu", model, blocks->model_count);
    if (blocks->round_count < NZ_BLOCKS_LEAST)
        return nz_fail(NZ_E_ARG, "blocks: %zu rounds: an interval needs %d", blocks->round_count, NZ_BLOCKS_LEAST);
    if (blocks->round_count > UINT32_MAX / 2) return nz_fail(NZ_E_ARG, "blocks: too many rounds");
    if (!(options->confidence > 0.5 && options->confidence < 1))
        return nz_fail(NZ_E_ARG, "blocks: a confidence of %g is not between 0.5 and 1", options->confidence);
    if (options->replicates < LEAST_REPLICATES)
        return nz_fail(NZ_E_ARG, "blocks: %zu replicates: %d are the least", options->replicates, LEAST_REPLICATES);
    if (options->statistic == NZ_BLOCK_QUANTILE && !(options->quantile > 0 && options->quantile < 1))
        return nz_fail(NZ_E_ARG, "blocks: a quantile of %g is not between 0 and 1", options->quantile);
    if (options->length > blocks->round_count / 2)
        return nz_fail(NZ_E_ARG, "blocks: %zu of %zu rounds drawn together: half of them are the most", options->length,
                       blocks->round_count);
    return NZ_OK;
}

/* One model, or a ratio of two. */
typedef struct resampling {
    nz_block_pool top, bottom;
    bool ratio;
} resampling;

static void resampling_done(resampling *r) {
    nz_block_pool_done(&r->top);
    nz_block_pool_done(&r->bottom);
}

static double value_of(const resampling *r, const uint32_t *weights) {
    double top = nz_block_pool_value(&r->top, weights);
    return r->ratio ? top / nz_block_pool_value(&r->bottom, weights) : top;
}

/* The logarithm of each round's own value: what remembers. */
static void fill_series(double *ret_series, const resampling *r) {
    for (size_t i = 0; i < r->top.rounds; i++)
        ret_series[i] = log(r->top.each[i]) - (r->ratio ? log(r->bottom.each[i]) : 0);
}

/* From the data, but never so short that correlations too weak to be seen in so few rounds are cut everywhere. */
static nz_status length_of(size_t *ret_length, const double *series, size_t rounds) {
    size_t length = 1, least = (size_t)cbrt((double)rounds);
    NZ_TRY(nz_block_length(&length, series, rounds));
    *ret_length = length > least ? length : least;
    return NZ_OK;
}

static nz_status resample(nz_block_interval *ret_interval, double *ret_replicates, const resampling *r,
                          const nz_block_options *options) {
    NZ_AUTO_FREE uint32_t *weights = NULL;
    NZ_AUTO_FREE double *values = NULL, *series = NULL;
    size_t rounds = r->top.rounds, count = options->replicates;
    double tail = (1 - options->confidence) / 2;
    nz_block_interval interval = {.length = options->length};
    nz_random random;
    NZ_TRY(nz_alloc(&weights, rounds, sizeof *weights));
    NZ_TRY(nz_alloc(&values, count, sizeof *values));
    NZ_TRY(nz_alloc(&series, rounds, sizeof *series));
    fill_series(series, r);
    if (!interval.length) NZ_TRY(length_of(&interval.length, series, rounds));
    interval.stretch = stretch_of(series, rounds, interval.length, normal_quantile(tail));
    for (size_t i = 0; i < rounds; i++) weights[i] = 1;
    interval.value = value_of(r, weights);
    if (!(interval.value > 0) || !isfinite(interval.value))
        return nz_fail(NZ_E_ARG, "blocks: %g is beyond what a number holds", interval.value);
    nz_random_init(&random, options->seed, 0);
    for (size_t i = 0; i < count; i++) {
        draw_rounds(weights, rounds, interval.length, &random);
        double stretched = interval.value * pow(value_of(r, weights) / interval.value, interval.stretch);
        values[i] = fmin(stretched, DBL_MAX);
    }
    if (ret_replicates) memcpy(ret_replicates, values, count * sizeof *values);
    nz_sort_ascending(values, count);
    interval.ends[0] = fmin(nz_quantile(values, count, tail), interval.value);
    interval.ends[1] = fmax(nz_quantile(values, count, 1 - tail), interval.value);
    *ret_interval = interval;
    return NZ_OK;
}

nz_status nz_blocks_value(nz_block_interval *ret_interval, double *ret_replicates, const nz_blocks *blocks,
                          size_t model, const nz_block_options *options) {
    NZ_AUTO(resampling_done) resampling r = {0};
    NZ_TRY(check(blocks, model, options));
    NZ_TRY(nz_block_pool_open(&r.top, blocks, model, options));
    return resample(ret_interval, ret_replicates, &r, options);
}

nz_status nz_blocks_ratio(nz_block_interval *ret_interval, double *ret_replicates, const nz_blocks *blocks, size_t top,
                          size_t bottom, const nz_block_options *options) {
    NZ_AUTO(resampling_done) resampling r = {.ratio = true};
    NZ_TRY(check(blocks, top, options));
    NZ_TRY(check(blocks, bottom, options));
    NZ_TRY(nz_block_pool_open(&r.top, blocks, top, options));
    NZ_TRY(nz_block_pool_open(&r.bottom, blocks, bottom, options));
    return resample(ret_interval, ret_replicates, &r, options);
}
