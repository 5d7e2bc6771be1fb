/* SPDX-License-Identifier: Apache-2.0 */
/** Training: a classifier or a detector from its initial or present weights, on labelled images. */
#ifndef NETZIP_TRAIN_H
#define NETZIP_TRAIN_H

#include "netzip/data.h"
#include "netzip/detect.h"
#include "netzip/graph.h"
#include "netzip/progress.h"
#include "netzip/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nz_optimizer {
    NZ_OPTIMIZER_SGD,
    NZ_OPTIMIZER_ADAMW,
    NZ_OPTIMIZER_AUTO /**< AdamW for detectors, else SGD */
} nz_optimizer;
typedef enum nz_schedule {
    NZ_SCHEDULE_CONSTANT,
    NZ_SCHEDULE_STEP,    /**< times `gamma` at each of `milestones` */
    NZ_SCHEDULE_COSINE,  /**< from lr down to lr_final along half a cosine */
    NZ_SCHEDULE_ONECYCLE /**< up to lr over warmup, then down along half a cosine, as PyTorch's OneCycleLR has it */
} nz_schedule;
typedef enum nz_loss { NZ_LOSS_CROSS_ENTROPY, NZ_LOSS_MSE } nz_loss;

/** Read from one option table (nz_train_options_read) that drives `netzip train --help`, experiment files and checks. */
typedef struct nz_train_options {
    double epochs;                  /**< may be a fraction: 0.5 trains on half the samples once */
    long long batch, seed, threads; /**< batch 0: chosen for the network; threads 0: all the process may use */
    int optimizer, schedule, loss, precision; /**< nz_optimizer, nz_schedule, nz_loss; 0 f32, 1 bf16 */
    double lr, lr_final, momentum, weight_decay, warmup, gamma, clip_norm, label_smoothing; /**< warmup in epochs */
    double momentum_low;          /**< at onecycle's peak; 0: momentum stays */
    double beta1, beta2, epsilon; /**< AdamW */
    bool nesterov;
    char *milestones; /**< epochs joined by '+' */
    char *augment;    /**< "crop=4+flip=1": keys of nz_augment_read joined by '+'; NULL, "" or "none": none; "auto" */
    double checkpoint_minutes; /**< between checkpoints within an epoch; there is one at every epoch's end too */
    long long evaluate_every;  /**< epochs between evaluations on `test`; the last epoch always has one */
    /** What the average of weights keeps at a step, in the long run; 0: none; -1: 0.9999 for detectors, else none. */
    double ema;
    double box_gain, object_gain, class_gain; /**< of a detector's loss */
    double anchor_ratio;                      /**< an object takes anchors that differ by less than this factor */
} nz_train_options;

/** The defaults, then the pairs of `text` ("epochs=15,lr=0.1"; NULL or "": none). lr stays 0 where none is given: it is chosen
 * for the network (nz_train_rate). Release with nz_train_options_done. NZ_E_ARG names the key and what would be accepted. */
NZ_API NZ_CHECKED nz_status nz_train_options_read(nz_train_options *ret_options, const char *text);
/** The learning rate of `options`, or where that is 0 the one that training chooses for the network: by the optimiser and the
 * batch, smaller where nothing normalises. */
NZ_API double nz_train_rate(const nz_train_options *options, const nz_graph *graph);
/** All options as text that nz_train_options_read takes: what metadata netzip.train holds. Owned: free(). */
NZ_API NZ_CHECKED nz_status nz_train_options_text(char **ret_text, const nz_train_options *options);
/** Releases the texts. */
NZ_API void nz_train_options_done(nz_train_options *options);
/** Key `i` with its default and one line of help, NULL past the end. Static. */
NZ_API const char *nz_train_option(size_t i, const char **ret_initial, const char **ret_help);

/** One epoch of the learning curve. */
typedef struct nz_train_epoch {
    double epoch, lr, train_loss, train_top1_pct;
    double test_loss, test_top1_pct;          /**< NaN where it was not evaluated, and of a detector */
    double seconds, images_per_s;             /**< of training alone */
    double test_map50_pct, test_map50_95_pct; /**< COCO protocol; NaN of a classifier, as the losses below */
    double box_loss, object_loss, class_loss; /**< parts of train_loss, with their gains */
} nz_train_epoch;

typedef struct nz_train_report {
    size_t epoch_count;
    nz_train_epoch *epochs;
    size_t parameters; /**< trained elements */
    size_t broken;     /**< samples that could not be read */
    bool resumed;
    bool augmented; /**< training samples were changed at random */
    bool detector;  /**< what the epochs tell is mAP and the parts of the loss, not top-1 */
} nz_train_report;
/** Releases the rows; safe on a zeroed one. */
NZ_API void nz_train_report_done(nz_train_report *report);

/** Where a run keeps what it needs to go on. */
typedef struct nz_train_files {
    const char *checkpoint; /**< NumPy archive, written whole; removed when training is done. NULL: none */
    const char *history;    /**< CSV of the epochs, rewritten at each epoch's end. NULL: none */
    bool resume; /**< go on from `checkpoint` where it is there and belongs to the same run (model, data, options) */
    bool keep;   /**< the caller removes the checkpoint, once it has stored the model */
} nz_train_files;

/**
 * Trains every float parameter of `graph`. A model that ends in Softmax is trained on what that reads. Batch
 * normalisation uses the batch's statistics and moves the running ones.
 *
 * The same options, data and thread count give the same weights, bit for bit, whether or not the run was interrupted.
 *
 * Data with objects train a YOLOv5 head: raw or decoded, found by its structure (the convolutions from which the outputs
 * follow without another one), with the anchors and strides of metadata netzip.detect. The loss is YOLOv5's: CIoU, objectness,
 * class. Weights are averaged (ema), and the averages are what is evaluated and handed out.
 *
 * @param graph    With one float image input and one output of class scores, or those of a YOLOv5 head. Borrowed.
 * @param train    Labelled samples. Borrowed.
 * @param test     Evaluated after epochs with the native runtime; NULL: not at all.
 * @param files    NULL: nothing is written.
 * @param progress Steps are batches; notes are one line an epoch: epoch, loss, accuracy, images/s, time left.
 * @param[out] ret_graph   With the trained weights, metadata netzip.preprocess, netzip.train (the options). Owned.
 * @param[out] ret_report  May be NULL. Release with nz_train_report_done.
 * @return NZ_E_UNSUPPORTED names a node without a gradient; NZ_E_SHAPE where data and model do not fit; NZ_E_FORMAT where
 *         the loss, a gradient, a weight or the test loss is not finite any more: the message says at which step and layer
 *         it first appeared, or which sample it came from; NZ_E_CANCELLED after writing a checkpoint; NZ_E_IO,
 *         NZ_E_MEMORY, NZ_E_RESOURCE. A checkpoint or history that cannot be written while it trains is a note.
 */
NZ_API NZ_CHECKED nz_status nz_train(nz_graph **ret_graph, nz_train_report *ret_report, const nz_graph *graph,
                                     nz_dataset *train, nz_dataset *test, const nz_train_options *options,
                                     const nz_train_files *files, const nz_progress *progress);

/* ---- anchors ---- */

/**
 * Anchors for the (first 10,000) objects of a data set, as metadata netzip.detect and nz_detect_options hold them: by k-means over
 * widths and heights as samples show them, then improved at random by what an object's best anchor misses, ordered by area.
 *
 * @param levels  How many levels with how many anchors each; what they hold is not looked at.
 * @param ratio   As nz_train_options.anchor_ratio.
 * @param[out] ret_text  "10x13+16x30+33x23/..." Owned: free().
 * @return NZ_E_ARG where the data have no objects, or fewer than anchors; NZ_E_IO, NZ_E_MEMORY. Deterministic for `seed`.
 * @source G. Jocher et al., YOLOv5 (autoanchor), behaviour read and written anew.
 */
NZ_API NZ_CHECKED nz_status nz_anchors_fit(char **ret_text, const nz_dataset *data, const nz_levels *levels,
                                           double ratio, uint64_t seed);
/** Part of the data set's first 10,000 objects, 0..1, whose sides differ from some anchor's by less than `ratio`; 1 where there is
 * none. */
NZ_API double nz_anchor_recall(const nz_dataset *data, const nz_levels *levels, double ratio);

#ifdef __cplusplus
}
#endif
#endif
