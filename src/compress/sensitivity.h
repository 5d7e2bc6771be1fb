/* SPDX-License-Identifier: Apache-2.0 */
/** Which layers had better stay float: told by what their integers alone do to the model's outputs, on calibration samples. */
#ifndef NZ_COMPRESS_SENSITIVITY_H
#define NZ_COMPRESS_SENSITIVITY_H

#include "compress/calibrate.h"

/** What was measured of one layer. */
typedef struct nz_layer_sensitivity {
    int node;
    double alone_db;  /**< the outputs' ratio of signal to noise with this layer alone in integers; NaN: not measured */
    double share_pct; /**< of the noise that all layers make, each alone; NaN: not measured */
    bool left;        /**< it stays float for it */
} nz_layer_sensitivity;

typedef struct nz_sensitivity {
    size_t count; /**< layers that could be in integers */
    nz_layer_sensitivity *layers;
    double before_db, after_db; /**< outputs with all of them in integers, and as chosen; NaN: not measured */
    double macs_pct;            /**< share of the multiply-accumulates that stays float for it */
    bool *nodes;                /**< [node_count] by node of the graph: stays float */
    size_t node_count;
} nz_sensitivity;
void nz_sensitivity_done(nz_sensitivity *sensitivity);
/** Nothing measured yet: all layers of the plan, NaN. Release with nz_sensitivity_done. */
NZ_CHECKED nz_status nz_sensitivity_init(nz_sensitivity *ret_sensitivity, const nz_graph *graph, const nz_qplan *plan);
/** What stays float by options->exclude and by measurement; borrows both. */
nz_qleft nz_sensitivity_left(const nz_sensitivity *sensitivity, const nz_ptq_options *options);

/**
 * Leaves a few layers float, so that the outputs of the others' integers reach options->sensitivity where that can be had.
 *
 * With everything in integers the outputs are compared with the float model's on options->sensitivity_samples. Where they are
 * good enough, that is all. Otherwise each layer is tried alone; then those that make the most noise are taken out one after
 * another, the whole being measured each time, while they make more than their part of it and no more than
 * options->float_share of the multiply-accumulates stays float; the last ones go back where the whole is no better for them.
 * Where all that gains less than 1 dB, nothing stays float: the noise comes from everywhere. Weights count as 8 bits wide: what
 * fewer bits lose is no single layer's doing.
 *
 * The samples and the exact outputs are held in memory; runs over them are at most 1 + twice the number of layers.
 *
 * @param sensitivity   As nz_sensitivity_init made it.
 * @param plan, ranges  Of all layers; replaced by those of the layers that are left.
 * @return as nz_tap_open; NZ_E_FORMAT where no sample can be read; NZ_E_CANCELLED.
 */
NZ_CHECKED nz_status nz_sensitivity_choose(nz_sensitivity *sensitivity, nz_qplan *plan, nz_ranges *ranges,
                                           const nz_graph *graph, const nz_method_input *input,
                                           const nz_ptq_options *options);
/** " Rounding everything gives 7.1 dB at the outputs ...", or "" where all is in integers without having been doubted. */
NZ_CHECKED nz_status nz_sensitivity_describe(char **ret_text, const nz_sensitivity *sensitivity,
                                             const nz_ptq_options *options);
/** Rows of the layers that stay float, with the reason. */
NZ_CHECKED nz_status nz_sensitivity_report(nz_compress_report *report, const nz_sensitivity *sensitivity,
                                           const nz_graph *graph);

#endif
