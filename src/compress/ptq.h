/* SPDX-License-Identifier: Apache-2.0 */
/** Post-training quantisation: its options, and how one layer's weights and bias become integers. */
#ifndef NZ_COMPRESS_PTQ_H
#define NZ_COMPRESS_PTQ_H

#include "compress/observer.h"
#include "compress/qdq.h"

typedef struct nz_ptq_options {
    int wbits, abits; /**< index into the choices: 0 is 8 bits, 1 is 4 */
    int calib;        /**< nz_calibration */
    int activations;  /**< 0 uint8, 1 int8 */
    int wcalib;       /**< 0 minmax, 1 mse */
    double percentile;
    long long samples, sqnr_samples;
    bool per_channel, bias_correction;
    char *exclude;
} nz_ptq_options;

/**
 * Replaces the weight and the bias of one layer by integer constants with DequantizeLinear. The bias is int32 with scale
 * input scale x weight scale, as integer kernels add it.
 *
 * @param input_scale  Of the layer's quantised input.
 * @param observer     Of the layer's input, for the bias correction.
 * Weights shared with another layer are quantised for each on its own.
 */
NZ_CHECKED nz_status nz_ptq_quantize_layer(nz_graph *graph, const nz_qlayer *layer, float input_scale,
                                           const nz_observer *observer, const nz_ptq_options *options);

#endif
