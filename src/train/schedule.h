/* SPDX-License-Identifier: Apache-2.0 */
/** Learning rate and momentum over the steps of a run: pure functions. */
#ifndef NZ_TRAIN_SCHEDULE_H
#define NZ_TRAIN_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "netzip/train.h"

typedef struct nz_pace {
    const nz_train_options *options;
    const double *milestones; /**< epochs, ascending */
    size_t milestone_count;
    uint64_t steps;         /**< of the whole run */
    double steps_per_epoch; /**< of a whole epoch */
} nz_pace;

/** Epochs joined by '+', ascending and above 0; NULL or "": none. Owned: free(). NZ_E_ARG names what is no number. */
NZ_CHECKED nz_status nz_schedule_milestones(double **ret_epochs, size_t *ret_count, const char *text);

/** The learning rate of step `step` in [0, steps). onecycle: from lr/25 to lr and on to lr_final (0: lr/250,000), each along
 * half a cosine, with the peak at step warmup - 1.
 * @source L. Smith and N. Topin, Super-Convergence, 2017; as PyTorch's OneCycleLR (cosine, two phases) has it. */
double nz_schedule_rate(const nz_pace *pace, uint64_t step);
/** `high`, or with onecycle and momentum_low: from high down to momentum_low and up again, opposite to the rate. */
double nz_schedule_momentum(const nz_pace *pace, double high, uint64_t step);

#endif
