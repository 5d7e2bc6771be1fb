/* SPDX-License-Identifier: Apache-2.0 */
/** Training as a part of a method: its keys among the method's own, a teacher, and one call. */
#ifndef NZ_COMPRESS_FINETUNE_H
#define NZ_COMPRESS_FINETUNE_H

#include "compress/method.h"
#include "train/loop.h"

typedef enum nz_distill { NZ_DISTILL_NONE, NZ_DISTILL_LOGITS, NZ_DISTILL_LAYERS } nz_distill;

/** Part of the options of a method that trains; nz_method.training says where. */
typedef struct nz_finetune_options {
    nz_train_options train;
    int distill;           /**< nz_distill */
    double distill_weight; /**< of its loss beside that of the labels */
    double distill_temperature;
    char *distill_at; /**< node patterns; NULL: chosen by nz_distill_places */
} nz_finetune_options;

/**
 * The keys of a method: those it shares with others, its own, and where it trains those of distillation and training with
 * the method's defaults, but for those that it has itself. Offsets are into the method's options.
 *
 * @param[out] ret_table  Owned: free(). The strings are static.
 * @param[out] ret_own    How many mean something where it does not train: they come first.
 */
NZ_CHECKED nz_status nz_finetune_table(nz_option **ret_table, size_t *ret_count, size_t *ret_own,
                                       const nz_method *method);
/** The options' place within a method's options; NULL where the method never trains. */
nz_finetune_options *nz_finetune_within(const nz_method *method, void *options);
/** Puts into METHOD what its keys leave to the model, where it trains: the augmentation that the model was trained with (its
 * metadata netzip.train) unless one is given, and the learning rate that lr=0 stands for. */
NZ_CHECKED nz_status nz_finetune_settle(nz_spec *spec, const nz_method *method, const nz_finetune_options *options,
                                        const nz_graph *graph);

typedef struct nz_finetune_job {
    const nz_graph *student; /**< what is trained */
    const nz_graph *teacher; /**< the network before compression, with the same names of values */
    const nz_method_input *input;
    const nz_finetune_options *options;
    /** The method's own. add_gradients, taps and identity are the job's to set. */
    nz_train_hooks hooks;
} nz_finetune_job;

/** " Trained for 2 epochs (...): top-1 91.20% of the test samples.", of a detector its mAP, or "" where nothing was trained. Owned: free(). */
NZ_CHECKED nz_status nz_finetune_describe(char **ret_text, const nz_compress_report *report,
                                          const nz_finetune_options *options);

/** Trains; the history goes to the report. NZ_E_ARG where the samples have no labels; else as nz_train. */
NZ_CHECKED nz_status nz_finetune(nz_graph **ret_graph, nz_compress_report *report, const nz_finetune_job *job);

#endif
