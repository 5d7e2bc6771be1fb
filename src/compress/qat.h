/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Quantisation-aware training: the graph that is trained, with Q/DQ pairs where PTQ has them, and what becomes of it
 * afterwards: the same integers, written as PTQ writes them.
 *
 * Batch normalisation: a layer keeps its BatchNormalization while it trains, and its weights are quantised before it, one
 * scale per output channel. Folding multiplies a channel of the weights by one number k; as rounding is per channel,
 * k round(w / s) s = round(w / s) (k s): the folded layer has the very integers that were trained with, and k goes into the
 * scale. Nothing has to be simulated with batch statistics, and the layer's output needs no division afterwards.
 */
#ifndef NZ_COMPRESS_QAT_H
#define NZ_COMPRESS_QAT_H

#include "compress/calibrate.h"
#include "compress/finetune.h"
#include "compress/sensitivity.h"

typedef struct nz_qat_options {
    nz_ptq_options quant;
    int norm;      /**< nz_qat_norm */
    bool learn;    /**< scales are trained (LSQ) */
    double freeze; /**< share of training after which ranges and running statistics stay as they are */
    nz_finetune_options tune;
} nz_qat_options;

typedef enum nz_qat_norm {
    NZ_QAT_KEEP, /**< as told above */
    NZ_QAT_FOLD  /**< folded before training; needed with one scale for a whole tensor */
} nz_qat_norm;

/** What is remembered of one layer of the plan. */
typedef struct nz_qat_layer {
    int norm;           /**< node of plain that normalises its output, -1: none */
    size_t scale_count; /**< of its weight */
    char *scale;        /**< name of the constant in the training graph that holds the weight's scales */
} nz_qat_layer;

typedef struct nz_qat {
    nz_graph *plain;    /**< in float: what is exported from, and the teacher */
    nz_graph *training; /**< with Q/DQ pairs */
    nz_qplan plan;      /**< of plain */
    nz_ranges ranges;   /**< of its activations before training */
    nz_sensitivity sensitivity;
    nz_qat_layer *layers;
    char *(*params)[2]; /**< by activation: names of scale and zero point of the group in the training graph */
} nz_qat;

/** Calibrates and builds the training graph. @return as PTQ; NZ_E_ARG for norm=keep without scales per channel where
 * there is something to keep. Release with nz_qat_done. */
NZ_CHECKED nz_status nz_qat_prepare(nz_qat *ret_qat, const nz_method_input *input, const nz_qat_options *options,
                                    nz_compress_report *report);
void nz_qat_done(nz_qat *qat);
/** The integers of a trained graph, whose constants have the names that the training graph has. */
NZ_CHECKED nz_status nz_qat_export(nz_graph **ret_graph, const nz_qat *qat, const nz_graph *trained,
                                   const nz_qat_options *options);

#endif
