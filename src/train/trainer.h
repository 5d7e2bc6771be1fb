/* SPDX-License-Identifier: Apache-2.0 */
/** The parts of a training run, one file each: feeding batches, evaluating, telling runs apart, keeping and restoring. */
#ifndef NZ_TRAIN_TRAINER_H
#define NZ_TRAIN_TRAINER_H

#include "train/loop.h"
#include "train/schedule.h"
#include "train/update.h"

/* ---- feed.c: whole batches in the order of a seed ---- */

typedef struct nz_feed {
    const nz_dataset *data;
    const nz_progress *progress;
    nz_augment augment;
    size_t batch, batches; /**< samples of one, and how many whole ones an epoch has */
    int threads;           /**< that read */
    uint64_t seed;
    size_t *order; /**< [samples] of the present epoch */
    nz_loader *loader;
    size_t next;  /**< batch of the epoch that comes next */
    size_t heard; /**< broken samples of the present loader that have been looked at */
    bool *broken; /**< [samples] */
    size_t broken_count;
} nz_feed;

/** @param augment  As in nz_train_options. NZ_E_ARG with fewer samples than a batch; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_feed_init(nz_feed *ret_feed, const nz_dataset *data, const nz_train_options *options,
                                  int threads, const nz_progress *progress);
void nz_feed_done(nz_feed *feed);
/** Epoch `epoch` from its batch `first` on. */
NZ_CHECKED nz_status nz_feed_begin(nz_feed *feed, uint64_t epoch, size_t first);
/** The next whole batch; feed->next is behind it. Samples that cannot be read are replaced by others of their batch; a batch
 * without any is left out. count 0: there is none left in the epoch. */
NZ_CHECKED nz_status nz_feed_next(nz_feed *feed, nz_batch *ret_batch);

/* ---- evaluate.c: by the native runtime ---- */

typedef struct nz_evaluation {
    double loss, top1_pct; /**< over `count` samples */
    size_t count, broken;
} nz_evaluation;
typedef struct nz_evaluate_options {
    int64_t batch; /**< where the model leaves it open */
    int threads;
    int loss;     /**< nz_loss, without smoothing */
    bool softmax; /**< the model gives probabilities: cross-entropy takes their logarithm for logits */
    size_t classes;
} nz_evaluate_options;
/** NZ_E_FORMAT where no sample can be read; NZ_E_CANCELLED; what nz_session_open returns. */
NZ_CHECKED nz_status nz_train_evaluate(nz_evaluation *ret_evaluation, const nz_graph *graph, const nz_dataset *data,
                                       const nz_evaluate_options *options, const nz_progress *progress);
/** Rows whose highest score, the first of equal ones, is the label's. */
size_t nz_count_hits(const float *scores, const int32_t *labels, size_t count, size_t classes);

/* ---- finite.c: whether there are still numbers ---- */

bool nz_all_finite(const float *x, size_t count);
/** The name of the first parameter, running statistic or quantiser that holds something not finite; NULL: none does. */
const char *nz_state_not_finite(nz_engine *engine);

/* ---- identity.c: which run a checkpoint belongs to ---- */

/** Lines "what value" of all that the weights depend on. Owned: free(). */
NZ_CHECKED nz_status nz_run_identity(char **ret_text, const nz_graph *graph, const nz_dataset *data,
                                     const nz_train_options *options, int threads, const nz_train_hooks *hooks);
/** NZ_E_ARG says what differs and what would mend it. */
NZ_CHECKED nz_status nz_run_same(const char *path, const char *theirs, const char *ours);

/* ---- average.c: exponential moving averages of everything that training moves ---- */

/** Lies as the engine's parameters, running statistics and scales do. */
typedef struct nz_average {
    nz_engine *engine;
    double keep; /**< in the long run */
    size_t param_count, running_count, quantizer_count;
    float **params, **running, **scales; /**< scales: of quantisers */
} nz_average;
/** Begins at the present values. @param keep in (0, 1). NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_average_init(nz_average *ret_average, nz_engine *engine, double keep);
void nz_average_done(nz_average *average);
/** Behind update `step` >= 1: each average keeps keep (1 - exp(-step / 2000)) of itself, so that early weights are forgotten.
 * @source G. Jocher et al., YOLOv5 (ModelEMA), behaviour read and written anew. */
void nz_average_step(nz_average *average, uint64_t step);
/** Exchanges the averages with the engine's values; masks hold for what the engine gets. Twice: all is as it was but for what is
 * masked in the averages. */
void nz_average_exchange(nz_average *average);

/* ---- snapshot.c: a run on disk ---- */

enum { NZ_LOSS_PARTS = 3 }; /**< of a detector: box, object, class */

/** Where a run stands beside its weights. */
typedef struct nz_standing {
    uint64_t step;       /**< updates done or left out */
    uint64_t hits, seen; /**< of the present epoch */
    double loss_sum;     /**< likewise, over samples */
    double parts[NZ_LOSS_PARTS];
    double seconds;         /**< likewise, of training alone */
    size_t count, capacity; /**< finished epochs */
    nz_train_epoch *epochs;
} nz_standing;
/** Appends a finished epoch. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_standing_add(nz_standing *standing, const nz_train_epoch *epoch);

/** Everything that a checkpoint holds, borrowed. */
typedef struct nz_snapshot {
    const char *identity;
    nz_engine *engine;
    nz_updater *updater;
    nz_average *average; /**< NULL: none */
    nz_standing *standing;
    nz_feed *feed; /**< its broken samples; NULL: none */
    void *state;   /**< of hooks */
    size_t state_bytes;
} nz_snapshot;
/** Written whole or not at all. NZ_E_IO, NZ_E_RESOURCE, NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_snapshot_write(const char *path, const nz_snapshot *snapshot);
/** Changes nothing unless all of it is there and fits. NZ_E_ARG: of another run; NZ_E_FORMAT; NZ_E_IO; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_snapshot_read(const char *path, const nz_snapshot *snapshot);

/* ---- history.c: the learning curve as a table ---- */

enum { NZ_EPOCH_COLUMNS = 13, NZ_AS_SHORT = -1 };
/** The columns of the history, and of checkpoints. */
typedef struct nz_epoch_column {
    const char *name;
    size_t offset; /**< of a double in nz_train_epoch */
    int decimals;  /**< NZ_AS_SHORT: six digits in all */
} nz_epoch_column;
extern const nz_epoch_column nz_epoch_columns[NZ_EPOCH_COLUMNS];
double *nz_epoch_cell(nz_train_epoch *epoch, size_t column);

/** CSV with the columns of nz_train_epoch, whole or not at all; empty cells where a value is NaN. */
NZ_CHECKED nz_status nz_history_write(const char *path, const nz_train_epoch *epochs, size_t count);

#endif
