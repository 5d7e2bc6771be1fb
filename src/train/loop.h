/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The training loop: epochs, losses, schedules, updates, checkpoints. What a compression method adds to it (masks,
 * quantisers that freeze, a teacher) goes into one set of hooks.
 */
#ifndef NZ_TRAIN_LOOP_H
#define NZ_TRAIN_LOOP_H

#include "core/options.h"
#include "netzip/train.h"
#include "train/engine.h"

/**
 * What the loss reads of the network, and where it pushes its gradient in. Of a classifier one: the scores [batch, classes]
 * (logits, where the model ends in a Softmax that was left out). Of a detector one for each level of its head, by descending
 * resolution: the raw outputs of the head's convolutions [batch, anchors * (5 + classes), h, w], before any sigmoid, as
 * train/head.h finds them; the decoding behind them is neither run nor differentiated. A quantiser's Q/DQ pair behind such a
 * convolution belongs to the level: its output is what the loss reads, so that QAT trains what will run.
 */
typedef struct nz_train_output {
    nz_shape shape;
    const float *value; /**< row-major */
    float *gradient;    /**< of the loss so far by `value`; add to it */
} nz_train_output;

/** Where a run stands: given to hooks. */
typedef struct nz_train_state {
    nz_engine *engine;
    uint64_t step, steps; /**< updates done, and in all */
    double epoch, epochs;
    const float *x;        /**< the batch about to be used, during `add_gradients` */
    const int32_t *labels; /**< NULL of a detector */
    size_t batch;
    const nz_train_output *outputs; /**< during `add_gradients`; else NULL */
    size_t output_count;
    /** What a loss that is a mean over the batch (and its gradient) is to be multiplied by to be of the run's own kind: 1 of a
     * classifier; the batch of a detector, whose loss is summed over it. */
    double loss_scale;
} nz_train_state;

/** All may be NULL. A failure ends the run as it is. */
typedef struct nz_train_hooks {
    void *user;
    /** The engine is open (and restored from a checkpoint where `restored`); taps are numbered as in engine_options. */
    nz_status (*begin)(void *user, nz_engine *engine, bool restored);
    /** Before forward: sparsity schedules, freezing. */
    nz_status (*before_step)(void *user, const nz_train_state *state);
    /** Between forward and backward: adds to the loss, and to gradients at taps or in state->outputs. `doutput` is the gradient of
     * a classifier's scores [batch, classes]; NULL of a detector. */
    nz_status (*add_gradients)(void *user, const nz_train_state *state, double *loss, float *doutput);
    /** After the update. */
    nz_status (*after_step)(void *user, const nz_train_state *state);
    /** Names and bytes of the hooks' own state, kept in checkpoints: fixed size, read back before `begin`. */
    void *state;
    size_t state_bytes;
    const char *const *taps; /**< a detector's levels are tapped behind these, so that their numbers stay */
    size_t tap_count;
    bool frozen_norm;
    const char *what;     /**< in progress lines: "training", "fine-tuning", "QAT"; NULL: "training" */
    const char *identity; /**< text that tells this run from another with the same model, data and options; NULL: "" */
} nz_train_hooks;

/** nz_train with hooks. Data with objects (nz_data_has_objects) train a detector, other data a classifier. */
NZ_CHECKED nz_status nz_train_loop(nz_graph **ret_graph, nz_train_report *ret_report, const nz_graph *graph,
                                   nz_dataset *train, nz_dataset *test, const nz_train_options *options,
                                   const nz_train_files *files, const nz_train_hooks *hooks,
                                   const nz_progress *progress);

/** The option table behind nz_train_options, for those who embed it (METHOD keys, experiment files). Static. */
const nz_option *nz_train_option_table(size_t *ret_count);

/** Fills in what the defaults leave to other options, and checks the texts. NZ_E_ARG. For those who fill nz_train_options by
 * the table without nz_train_options_read. */
NZ_CHECKED nz_status nz_train_options_settle(nz_train_options *options);

/** What the options leave to the network, chosen: optimiser, batch, rate, clipping, the average of weights. The texts are shared. */
void nz_train_options_choose(nz_train_options *options, const nz_graph *graph);

/** Whether any operator normalises: a network without one bears a smaller rate. */
bool nz_train_normalises(const nz_graph *graph);
/** As nz_train_rate, of clip_norm; 0: not at all. */
double nz_train_clip(const nz_train_options *options, const nz_graph *graph);

/** Mean loss over `count` rows of logits [count, classes] and its gradient (may be NULL): cross-entropy with label smoothing
 * by log-sum-exp. @source C. Szegedy et al., Rethinking the Inception Architecture, 2015, section 7 (smoothing). */
double nz_loss_cross_entropy(const float *logits, const int32_t *labels, size_t count, size_t classes, double smoothing,
                             float *dlogits);
/** Mean over all elements of (x - target)^2 and its gradient times `weight`, added to dx. Returns weight x loss. */
double nz_loss_mse(const float *x, const float *target, size_t n, double weight, float *dx);
/** Distillation: weight T^2 KL(teacher || student) at temperature T, mean over rows; its gradient is added to dlogits.
 * @source G. Hinton et al., Distilling the Knowledge in a Neural Network, 2015. */
double nz_loss_kl(const float *student, const float *teacher, size_t count, size_t classes, double temperature,
                  double weight, float *dlogits);

#endif
