/* SPDX-License-Identifier: Apache-2.0 */
/** Masks that hold through training, set at once or step by step. */
#ifndef NZ_COMPRESS_PRUNE_TRAIN_H
#define NZ_COMPRESS_PRUNE_TRAIN_H

#include "compress/finetune.h"
#include "compress/pool.h"

/** Where a gradual schedule stands: events at steps every, 2 every, ... events x every, counted from 1. */
typedef struct nz_ramp {
    uint64_t every, events;
} nz_ramp;
/** A ramp over the first `until` (0 to 1) of `steps` updates. every 0: about 20 events. At least one event, at the last of
 * those updates where `every` is beyond it. */
nz_ramp nz_ramp_make(uint64_t steps, double until, uint64_t every);
/**
 * Weights that are zero after event `event` in 1..events: s(t) = s_f + (s_i - s_f) (1 - t/T)^3 of the total, `wanted` itself
 * at the last one. @source M. Zhu, S. Gupta, To prune, or not to prune, 2017, equation 1.
 */
uint64_t nz_ramp_zeros(const nz_ramp *ramp, uint64_t event, uint64_t before, uint64_t wanted);

typedef struct nz_prune_job {
    const nz_graph *graph; /**< before pruning, in float */
    const nz_weight_list *list;
    const nz_finetune_options *options;
    const nz_method_input *input;
    double sparsity;
    bool random, gradual;
    uint64_t seed;
    double until;
    uint64_t every;
} nz_prune_job;

/** The masks of a run, as hooks of training. */
typedef struct nz_pruner nz_pruner;
/** `job` and what it names are borrowed until nz_pruner_free. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_pruner_open(nz_pruner **ret_pruner, const nz_prune_job *job);
void nz_pruner_free(nz_pruner *pruner); /**< NULL passes */
/** Borrowed from the pruner. `begin` is NZ_E_UNSUPPORTED where a weight is no parameter of the engine. */
nz_train_hooks nz_pruner_hooks(nz_pruner *pruner);

/** Prunes and trains. The result's values are found by the names they have in the job's graph. */
NZ_CHECKED nz_status nz_prune_and_train(nz_graph **ret_graph, nz_compress_report *report, const nz_prune_job *job);

#endif
