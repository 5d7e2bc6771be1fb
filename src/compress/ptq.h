/* SPDX-License-Identifier: Apache-2.0 */
/** Post-training quantisation: its options, and how one layer's weights and bias become integers. */
#ifndef NZ_COMPRESS_PTQ_H
#define NZ_COMPRESS_PTQ_H

#include "compress/observer.h"
#include "compress/qdq.h"
#include "core/options.h"

typedef struct nz_ptq_options {
    int wbits, abits; /**< index into the choices: 0 is 8 bits, 1 is 4 */
    int calib;        /**< nz_calibration */
    int activations;  /**< 0 uint8, 1 int8 */
    int wcalib;       /**< 0 minmax, 1 mse */
    double percentile, sensitivity, float_share;
    long long samples, sqnr_samples, sensitivity_samples;
    bool per_channel, bias_correction;
    char *exclude;
} nz_ptq_options;

/** The keys of every method that quantises; offsets are into nz_ptq_options. */
enum { NZ_PTQ_SHARED_OPTIONS = 12 };
extern const nz_option nz_ptq_shared_options[NZ_PTQ_SHARED_OPTIONS];

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

/** What training has found for one layer. */
typedef struct nz_trained_layer {
    const float *scales; /**< of the weight, as many as nz_ptq_scale_count says */
    /** Batch normalisation that follows the layer and goes into it, y = k x + d by output; NULL: none. Only with one scale
     * per channel: then k times the rounded weights is what k times the scale makes of the same integers. */
    const double *k, *d;
} nz_trained_layer;

/** As nz_ptq_quantize_layer, with trained scales: the integers are those that training computed with. */
NZ_CHECKED nz_status nz_ptq_write_trained(nz_graph *graph, const nz_qlayer *layer, float input_scale,
                                          const nz_trained_layer *trained, const nz_ptq_options *options);
/** Whether the layer's bias, present or to come, can be a vector of integers. */
NZ_CHECKED nz_status nz_ptq_takes_bias(bool *ret_takes, const nz_graph *graph, const nz_qlayer *layer,
                                       const nz_ptq_options *options);
/** The largest integer of a weight; the least is its negative. */
int nz_ptq_most(const nz_ptq_options *options);
/** Scales of the layer's weight: its output channels, or 1. */
size_t nz_ptq_scale_count(const nz_graph *graph, const nz_qlayer *layer, const nz_ptq_options *options);
/** Chooses the scales of a weight by its values: scales[count], count as nz_ptq_scale_count says. Above 0. */
NZ_CHECKED nz_status nz_ptq_weight_scales(float *scales, size_t count, const nz_tensor *weight, int axis,
                                          const nz_ptq_options *options);

#endif
