/* SPDX-License-Identifier: Apache-2.0 */
/** What turns gradients into new parameters: SGD or AdamW over all of an engine's parameters and learned scales. */
#ifndef NZ_TRAIN_UPDATE_H
#define NZ_TRAIN_UPDATE_H

#include "netzip/train.h"
#include "train/engine.h"

/** What an optimiser remembers about one parameter, in the parameter's own order. */
typedef struct nz_moments {
    float *first;  /**< SGD's momentum, AdamW's averaged gradient */
    float *second; /**< AdamW's averaged square; NULL with SGD */
    size_t elements;
} nz_moments;

typedef struct nz_updater {
    const nz_train_options *options;
    nz_engine *engine;
    size_t param_count, quantizer_count;
    nz_moments *params;     /**< [param_count] */
    nz_moments *quantizers; /**< [quantizer_count], of learned scales */
} nz_updater;

/** Zeroed moments for every parameter and quantiser. NZ_E_MEMORY. Release with nz_updater_done. */
NZ_CHECKED nz_status nz_updater_init(nz_updater *ret_updater, nz_engine *engine, const nz_train_options *options);
void nz_updater_done(nz_updater *updater);

/**
 * One update of everything. Scales of quantisers in mode LEARN move as parameters without decay, by the gradient that the
 * engine has scaled for that, and stay above 0.
 *
 * @param momentum  SGD's, or AdamW's beta1.
 * @param step      From 1.
 * @return the norm of all gradients (those under a mask are 0) before clipping where clip_norm is set, else 0. NaN: nothing was changed.
 */
double nz_updater_step(nz_updater *updater, double lr, double momentum, uint64_t step);

#endif
