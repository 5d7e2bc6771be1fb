/* SPDX-License-Identifier: Apache-2.0 */
/** What differs between learning classes and learning objects: one table entry each. The loop around it is the same. */
#ifndef NZ_TRAIN_TASK_H
#define NZ_TRAIN_TASK_H

#include "netzip/detect.h"
#include "train/trainer.h"

typedef struct nz_task nz_task;

/** The loss over one batch. */
typedef struct nz_task_loss {
    double loss;                 /**< as the engine's gradients belong to it */
    double parts[NZ_LOSS_PARTS]; /**< box, object, class: means; 0 of a classifier */
    size_t hits;                 /**< of a classifier */
} nz_task_loss;

typedef struct nz_task_kind {
    bool detects;
    /** Before the engine is opened: what it is to be opened with. Fills options->taps (behind those that are there). */
    nz_status (*plan)(nz_task *task, nz_engine_options *options);
    /** The engine is open: checks that network and data fit, and makes task->outputs. */
    nz_status (*begin)(nz_task *task);
    /** Behind a forward: the loss, and its gradient in task->outputs. */
    nz_status (*lose)(nz_task *task, const nz_batch *batch, nz_task_loss *ret_loss);
    /** Gives the gradients to the engine; *ret_doutput is what backward takes. */
    nz_status (*push)(nz_task *task, const float **ret_doutput);
    /** The network as it stands on the test samples: fills the test_ columns. *ret_broken: samples that could not be read. */
    nz_status (*evaluate)(nz_task *task, const nz_graph *graph, nz_train_epoch *epoch, size_t *ret_broken);
    /** Metadata of the trained network; NULL: none. */
    nz_status (*describe)(nz_task *task, nz_graph *graph);
    void (*done)(nz_task *task);
} nz_task_kind;

extern const nz_task_kind nz_task_classify, nz_task_detect;

struct nz_task {
    const nz_task_kind *kind;
    const nz_train_options *options;
    const nz_graph *graph; /**< to begin with */
    const nz_dataset *train, *test;
    const nz_progress *progress;
    nz_engine *engine; /**< set when it is open */
    size_t batch;
    int threads;
    size_t first_tap; /**< taps of hooks stand before the task's own */
    size_t classes;
    double loss_scale; /**< nz_train_state has it */
    nz_train_output outputs[NZ_LEVELS_MOST];
    size_t output_count;
    void *own;
};

/** Fails where samples and the engine's input have other shapes. */
NZ_CHECKED nz_status nz_task_check_samples(const nz_task *task, const nz_dataset *data);

#endif
