/* SPDX-License-Identifier: Apache-2.0 */
/** Distillation: a network learns from another beside the labels, by its outputs or layer by layer. */
#ifndef NZ_COMPRESS_DISTILL_H
#define NZ_COMPRESS_DISTILL_H

#include "compress/finetune.h"

/** Names of the values that layers are compared at. */
typedef struct nz_distill_places {
    size_t count;
    char **names;
} nz_distill_places;
/**
 * The outputs of the nodes that fit `patterns`, each taken behind the normalisation and activation that alone read it.
 * NULL: of every Add of two computed values (blocks of a residual network); where there is none, of every convolution
 * and linear layer. NZ_E_ARG where a pattern fits nothing. Release with nz_distill_places_done.
 */
NZ_CHECKED nz_status nz_distill_places_find(nz_distill_places *ret_places, const nz_graph *graph, const char *patterns);
void nz_distill_places_done(nz_distill_places *places);

typedef struct nz_distiller nz_distiller;
/** A teacher for the batches that `student` takes. `graph` and `places` (NULL: the outputs) are borrowed during the call.
 * Taps of the student are the places in their order. `detects`: the outputs are the raw ones of a detector's head
 * (train/head.h). Release with nz_distiller_free. */
NZ_CHECKED nz_status nz_distiller_open(nz_distiller **ret_distiller, const nz_graph *graph,
                                       const nz_distill_places *places, bool detects,
                                       const nz_finetune_options *options, nz_engine *student, int threads);
void nz_distiller_free(nz_distiller *distiller); /**< NULL passes */
/**
 * Between the student's forward and backward: adds to the loss and to gradients.
 * By outputs: weight T^2 KL(teacher || student) at temperature T; of a detector, whose outputs are no one distribution, as by
 * layers at the head's raw outputs. By layers: weight times the mean over layers of the squared difference over the teacher's
 * mean square. @source G. Hinton et al., 2015; A. Romero et al., FitNets, 2015.
 */
NZ_CHECKED nz_status nz_distiller_add(nz_distiller *distiller, const nz_train_state *state, double *loss,
                                      float *doutput);

#endif
