/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What calibration remembers of one tensor: extremes, a histogram of fixed size and the mean of each channel. Memory does not
 * grow with the number of samples, and the result does not depend on their order.
 */
#ifndef NZ_COMPRESS_OBSERVER_H
#define NZ_COMPRESS_OBSERVER_H

#include "core/memory.h"

/** Bins on each side of zero. Their width is a power of two that grows by merging neighbours, which is exact. */
#define NZ_OBSERVER_BINS 2048

typedef struct nz_observer {
    double min, max;     /**< +inf, -inf before the first value */
    uint64_t count;      /**< finite values seen */
    uint64_t non_finite; /**< NaN and infinities seen, not counted elsewhere */
    int exponent;        /**< bin width 2^exponent */
    uint64_t *bins;      /**< [2 * NZ_OBSERVER_BINS]; bin i holds [(i - NZ_OBSERVER_BINS) * width, + width) */
    size_t channels;
    double *channel_sum; /**< [channels] */
    uint64_t channel_count;
} nz_observer;

typedef enum nz_calibration { NZ_CALIB_MINMAX, NZ_CALIB_PERCENTILE, NZ_CALIB_ENTROPY, NZ_CALIB_MSE } nz_calibration;

NZ_CHECKED nz_status nz_observer_init(nz_observer *observer, size_t channels);
void nz_observer_done(nz_observer *observer);
/** Takes `rows` samples of `channels` x `inner` values each, row-major. */
void nz_observer_add(nz_observer *observer, const float *values, size_t rows, size_t inner);
double nz_observer_channel_mean(const nz_observer *observer, size_t channel); /**< 0 before the first value */

/**
 * Chooses the range that an affine quantiser of `levels` steps should cover. Always contains zero.
 *
 * minmax: the extremes. percentile: cuts (100 - percentile)% at each end. entropy: the symmetric cut whose quantised
 * histogram has the least Kullback-Leibler divergence from the unquantised one. mse: the range of least mean squared error,
 * searched over both ends.
 *
 * @param[out] ret_range  [2], lower and upper end.
 * @source entropy: S. Migacz, 8-bit inference with TensorRT, GTC 2017, read for one-sided and two-sided histograms.
 */
NZ_CHECKED nz_status nz_observer_range(double ret_range[2], const nz_observer *observer, nz_calibration how,
                                       double percentile, int levels);

#endif
