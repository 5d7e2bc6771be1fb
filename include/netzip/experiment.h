/* SPDX-License-Identifier: Apache-2.0 */
/** Experiments: train, compress and compare as one described run with sweeps. */
#ifndef NETZIP_EXPERIMENT_H
#define NETZIP_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "netzip/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nz_experiment_options {
    const char *out;            /**< results folder; NULL: beside the file, under its stem */
    bool resume;                /**< steps whose inputs have not changed since they were done are not done again */
    bool dry_run;               /**< everything is checked and the steps are listed; nothing is run or written */
    const char *data;           /**< DATA instead of the file's; NULL: the file's */
    const char *const *changes; /**< "KEY=VALUE" each, before the file is checked: "train.epochs=3" */
    size_t change_count;
    int threads;                /**< 0: all */
    const char *program;        /**< this program, which serves as worker */
    const char *const *command; /**< the command line, for the record */
    size_t command_count;
} nz_experiment_options;

typedef struct nz_experiment_result {
    char *out;            /**< the results folder; owned */
    char *json;           /**< the results document; of a dry run {"steps": [...], "notes": [...]}; owned */
    size_t failed;        /**< models that failed, to be made or to be measured; the others are reported */
    size_t done, skipped; /**< steps done now, and found done */
    char *condition;      /**< which model was too bad by `compare: fail_if`, in one line; NULL: none; owned */
} nz_experiment_result;
/** Releases the strings; safe on a zeroed one. */
NZ_API void nz_experiment_result_done(nz_experiment_result *result);

/**
 * Runs the experiment that a YAML file describes: docs/experiments.md tells its keys. Configuration files of the first
 * NetZIP (SEED_NUMBER, MODEL_CHOICE, ...) are taken too.
 *
 * Everything is checked before the first step. A method that fails is reported with its reason and ends nothing.
 *
 * @param progress  Steps are named "2/9 GUP_L1: ..."; notes tell what begins and ends.
 * @return NZ_E_ARG or NZ_E_FORMAT name the line and key; NZ_E_ARG also for a folder that holds another experiment;
 *         NZ_E_IO; NZ_E_CANCELLED with how to go on; NZ_E_RESOURCE; NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_experiment_run(nz_experiment_result *ret_result, const char *path,
                                              const nz_experiment_options *options, const nz_progress *progress);
/** The same with the text itself; `name` stands for the file in messages. */
NZ_API NZ_CHECKED nz_status nz_experiment_run_text(nz_experiment_result *ret_result, const char *text, const char *name,
                                                   const nz_experiment_options *options, const nz_progress *progress);

#ifdef __cplusplus
}
#endif
#endif
