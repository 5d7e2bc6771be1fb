/* SPDX-License-Identifier: Apache-2.0 */
/** What netzip train prints: the list of architectures, and what a run has come to. */
#ifndef NZ_CLI_TRAIN_TEXT_H
#define NZ_CLI_TRAIN_TEXT_H

#include <stdbool.h>

#include "core/json.h"
#include "netzip/train.h"

/** Every known architecture with its parameters and MACs at its own size. */
NZ_CHECKED nz_status nz_train_print_list(bool json);

/** What is told of a run. Borrowed. */
typedef struct nz_train_outcome {
    const char *model, *history, *svg, *png;
    const nz_train_report *report;
    const char *options;            /**< in full */
    const nz_dataset *train, *test; /**< test NULL: none */
} nz_train_outcome;
/** A row of the learning curve with all its columns. NULL where memory is short. */
json_t *nz_train_epoch_json(const nz_train_epoch *epoch);
NZ_CHECKED nz_status nz_train_print_outcome(const nz_train_outcome *outcome, bool json);

#endif
