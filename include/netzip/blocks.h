/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Uncertainty of what was measured in turns: models run in blocks (A B A B ...), and intervals come from resampling whole
 * rounds, so that what the machine does to all of them cancels. Pure functions of numbers; docs/statistics.md explains them.
 */
#ifndef NETZIP_BLOCKS_H
#define NETZIP_BLOCKS_H

#include "netzip/metric.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Fewer rounds than this have no interval. Where workers are started anew every few rounds, what is called a round here is
 * all that was measured between two starts. */
#define NZ_BLOCKS_LEAST 5

/**
 * What was measured, in order: a round holds one block of every model, a block at least one value (a time, joules of an
 * inference). Borrowed by every function here. Values are finite and above 0.
 */
typedef struct nz_blocks {
    size_t round_count, model_count;
    const double *values; /**< round after round, in a round model after model */
    const size_t *start;  /**< [round_count * model_count + 1] where a block begins in `values`; the first is 0 */
} nz_blocks;

typedef enum nz_block_statistic {
    NZ_BLOCK_MEDIAN,  /**< of all values of a model, the mean of the middle two of an even number */
    NZ_BLOCK_MEAN,    /**< of all values of a model */
    NZ_BLOCK_QUANTILE /**< of all values of a model, as nz_quantile has it */
} nz_block_statistic;

typedef struct nz_block_options {
    nz_block_statistic statistic;
    double quantile;   /**< of NZ_BLOCK_QUANTILE, in (0, 1) */
    double confidence; /**< in (0.5, 1) */
    size_t replicates; /**< at least 100 */
    size_t length;     /**< rounds that are drawn together; 0: from the autocorrelation of the data */
    uint64_t seed; /**< the same seed and values give the same interval; intervals of one seed and length share draws */
} nz_block_options;
/** Medians, 95%, 1,000 replicates, length from the data, seed 0. */
NZ_API nz_block_options nz_block_options_default(void);

typedef struct nz_block_interval {
    double value;   /**< of all values, as measured */
    double ends[2]; /**< ends[0] <= value <= ends[1] */
    size_t length;  /**< rounds drawn together */
    double stretch; /**< factor on the logarithm of each replicate for few independent rounds; above 1 */
} nz_block_interval;

/**
 * Interval of the median (or mean) of one model by a circular block bootstrap over rounds.
 *
 * @param[out] ret_replicates  [options->replicates] in the order of the draws, stretched: their percentiles are the
 *                             interval. NULL: not wanted. Unspecified on error.
 * @return NZ_E_ARG for fewer than NZ_BLOCKS_LEAST rounds, an empty block, a value that is not above 0, options out of range;
 *         NZ_E_MEMORY.
 * Takes about replicates * rounds * log2(values / rounds) operations; exact, not approximated, for any number of values.
 * @source H. Kuensch, Annals of Statistics 17:1217 (1989), D. Politis and J. Romano (1992): blocks of moving, circular
 *         place; D. Politis and H. White, Econometric Reviews 23:53 (2004), with A. Patton's correction 28:372 (2009): their
 *         length; T. Hesterberg, The American Statistician 69:371 (2015), section 3.3: percentiles widened for few samples.
 */
NZ_API NZ_CHECKED nz_status nz_blocks_value(nz_block_interval *ret_interval, double *ret_replicates,
                                            const nz_blocks *blocks, size_t model, const nz_block_options *options);
/**
 * Interval of value(top) / value(bottom): both sides are computed from the same draws of rounds. Else as nz_blocks_value.
 * The speedup of a model over the baseline has the baseline on top.
 */
NZ_API NZ_CHECKED nz_status nz_blocks_ratio(nz_block_interval *ret_interval, double *ret_replicates,
                                            const nz_blocks *blocks, size_t top, size_t bottom,
                                            const nz_block_options *options);

/**
 * How many neighbouring values of a series have to be resampled together so that its autocorrelation survives: 1 for noise
 * that knows no past, at most count / 3. A constant series gives 1.
 * @return NZ_E_ARG without values; NZ_E_MEMORY. @source Politis and White 2004, Patton, Politis and White 2009 (circular blocks)
 */
NZ_API NZ_CHECKED nz_status nz_block_length(size_t *ret_length, const double *series, size_t count);

/* ---- When to stop ---- */

typedef struct nz_look_options {
    nz_block_options blocks; /**< confidence: what shall hold after stopping; looks are taken at a higher one */
    double width;            /**< wanted: (high - low) / value of every interval */
    size_t least_rounds;     /**< no look before; at least NZ_BLOCKS_LEAST */
    size_t baseline;         /**< index of the model that ratios compare with */
} nz_look_options;
/** As nz_block_options_default, 1% wide, 20 rounds at least, model 0 as the baseline. */
NZ_API nz_look_options nz_look_options_default(void);

typedef struct nz_look {
    bool enough;        /**< every interval is as narrow as wanted */
    double widest;      /**< relative width of the widest interval */
    size_t next_rounds; /**< number of rounds, all in all, at which to look again */
    double confidence;  /**< at which the intervals were taken: for further ones from the same rounds */
} nz_look;

/**
 * A look at running measurements: intervals of every model and of its ratio to the baseline, and whether they are narrow
 * enough. Call it at `least_rounds`, then at each `next_rounds`, and last when the budget is spent. The decision depends on
 * widths alone, never on where an interval lies; what the choice of a lucky moment costs is paid by looking at half of the
 * error that is allowed (97.5% for 95%), at few moments: each has at least a quarter more rounds than the one before.
 *
 * @param[out] ret_values  [model_count]. Untouched on error.
 * @param[out] ret_ratios  [model_count] baseline / model; of the baseline itself exactly 1. Untouched on error.
 * @return as nz_blocks_value; NZ_E_ARG for a width that is not above 0 or a baseline that is not there.
 * @source Y. Chow and H. Robbins, Annals of Mathematical Statistics 36:457 (1965): fixed-width sequential intervals;
 *         P. Glynn and W. Whitt, Annals of Applied Probability 2:180 (1992): for simulation output
 */
NZ_API NZ_CHECKED nz_status nz_blocks_look(nz_look *ret_look, nz_block_interval *ret_values,
                                           nz_block_interval *ret_ratios, const nz_blocks *blocks,
                                           const nz_look_options *options);

/**
 * Where warming up ends in a series of block medians (or single times): the first value that belongs to the steady state.
 *
 * @param[out] ret_first   index of it, below (count + 1) / 2; untouched where the series is not steady.
 * @param[out] ret_steady  false: the second half still changes, or fewer than 10 values. Untouched on error.
 * Values far from the second half's median (five times its median deviation) count as that far, so that no single outlier
 * decides.
 * @return NZ_E_ARG for a value that is not finite; NZ_E_MEMORY.
 * @source K. White, Simulation 69:323 (1997): the truncation that makes the standard error of the rest the least (MSER)
 */
NZ_API NZ_CHECKED nz_status nz_steady_from(size_t *ret_first, bool *ret_steady, const double *values, size_t count);

/* ---- What an interval says ---- */

typedef enum nz_difference { NZ_INDISTINGUISHABLE, NZ_BETTER, NZ_WORSE } nz_difference;
/** Of the interval of a ratio whose improvement lies above 1: indistinguishable where it holds 1, its ends included, or where an
 * end is no number. */
NZ_API nz_difference nz_ratio_difference(const double ends[2]);
/** "indistinguishable", "better", "worse". Static. */
NZ_API const char *nz_difference_name(nz_difference difference);

/* ---- OCS ---- */

/** How uncertain one of the four ratios is; with neither it stands as it is (a file's size has no noise). */
typedef struct nz_ratio_spread {
    const double *replicates; /**< [count of the call] of the ratio, from nz_blocks_ratio; borrowed. NULL: none */
    bool has_ci;              /**< without replicates: draws from a normal distribution on each side of the value */
    double ci95[2];           /**< of the ratio, around its value */
} nz_ratio_spread;

/**
 * Interval of OCS (of `partial` where a term is missing): every draw changes the ratios and goes through nz_combine.
 *
 * @param spread      of performance, speedup, compression, efficiency. Replicates that came from one seed and length are drawn
 *                    together; the intervals are independent of each other.
 * @param confidence  in (0.5, 1): 0.95, or nz_look.confidence for measurements that a look has ended.
 * @param replicates  number of draws, at least 100, the length of every list of replicates.
 * @param[out] ret_ends  Untouched on error.
 * @return NZ_E_ARG where neither OCS nor partial has a value, a spread is no number, or confidence or replicates are out of
 *         range; NZ_E_MEMORY.
 * @source B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals)
 */
NZ_API NZ_CHECKED nz_status nz_ocs_interval(double ret_ends[2], const nz_combine_options *options,
                                            const nz_value_report original[4], const nz_value_report compressed[4],
                                            const nz_ratio_spread spread[4], double confidence, size_t replicates,
                                            uint64_t seed);

/** How far one weight of OCS may move, the others staying, while the same model wins. */
typedef struct nz_lambda_range {
    bool known; /**< false: a model of the contest has no such ratio, so that only weight 0 can be told */
    double low, high;
    bool has_low, has_high;       /**< false: the winner stays down to 0, however high */
    size_t low_rival, high_rival; /**< who overtakes there */
} nz_lambda_range;
typedef struct nz_ocs_rank {
    size_t winner;    /**< the highest OCS, the first of equals */
    size_t runner_up; /**< the highest of the others; the winner itself where it is alone */
    nz_lambda_range lambda[4];
} nz_ocs_rank;
/**
 * The winner by OCS and the exact ranges of its weights: OCS is linear in each of them, so two models draw level at one weight
 * at most.
 *
 * @param models  [count]; those without an OCS take no part.
 * @param lambda  the weights that `models` were combined with.
 * @return false where no model has an OCS; *ret untouched then.
 */
NZ_API bool nz_ocs_rank_get(nz_ocs_rank *ret, const nz_combined *models, size_t count, const double lambda[4]);

#ifdef __cplusplus
}
#endif
#endif
