/* SPDX-License-Identifier: Apache-2.0 */
/** Ranges of activations from samples: what PTQ uses as they are and QAT begins with. */
#ifndef NZ_COMPRESS_CALIBRATE_H
#define NZ_COMPRESS_CALIBRATE_H

#include "compress/method.h"
#include "compress/ptq.h"

/** By activation of a plan, in its order. */
typedef struct nz_ranges {
    size_t count;
    const nz_observer **observers;
    double (*own)[2];   /**< lower and upper end that each was given by itself */
    double (*ends)[2];  /**< lower and upper end, of the first of each group */
    nz_qparams *params; /**< the same within a group */
    float *scales;      /**< what params point to */
    nz_observer *store; /**< [store_count] where the observers lie that are owned */
    size_t store_count;
} nz_ranges;

/**
 * Runs the model over the first samples of the input's data and chooses scale and zero point of every activation.
 *
 * @param graph    The one that the plan is of, in float.
 * @param options  calib, percentile, samples and activations are read.
 * @param report   Gets the numbers of samples.
 * @return NZ_E_FORMAT where no sample can be read or an activation is not finite; NZ_E_CANCELLED; as nz_tap_open.
 */
NZ_CHECKED nz_status nz_ranges_calibrate(nz_ranges *ret_ranges, const nz_graph *graph, const nz_qplan *plan,
                                         const nz_method_input *input, const nz_ptq_options *options,
                                         nz_compress_report *report);
void nz_ranges_done(nz_ranges *ranges);
/**
 * The ranges of a plan with fewer layers of the same graph: the same observations, grouped as that plan groups.
 *
 * @param ranges    Of `plan`. Its observers are borrowed: it has to outlive the result.
 * @param narrower  Its activations are all among those of `plan`: NZ_E_INTERNAL otherwise.
 */
NZ_CHECKED nz_status nz_ranges_narrow(nz_ranges *ret_ranges, const nz_ranges *ranges, const nz_qplan *plan,
                                      const nz_qplan *narrower, const nz_ptq_options *options);

#endif
