/* SPDX-License-Identifier: Apache-2.0 */
/** An experiment under way: its steps, what they depend on, and the record that each leaves beside its output. */
#ifndef NZ_EXPERIMENT_PLAN_H
#define NZ_EXPERIMENT_PLAN_H

#include "experiment/description.h"
#include "netzip/experiment.h"
#include "netzip/graph.h"
#include "netzip/train.h"

typedef enum nz_step_kind { NZ_STEP_TRAIN, NZ_STEP_COMPRESS, NZ_STEP_COMPARE, NZ_STEP_REPORT } nz_step_kind;

typedef struct nz_step {
    nz_step_kind kind;
    size_t index;     /**< of the network or run */
    char *title;      /**< "None", "GUP_L1 (seed 2)", "comparison", "report" */
    char *output;     /**< the file it makes */
    char *stem;       /**< the same without extension: its record, checkpoint and history lie beside it */
    char key[65];     /**< hash over everything that it depends on; "" as long as that is not known */
    char sha256[65];  /**< of the output, once it is there */
    bool done, found; /**< found: by an earlier run, and not done again */
    char *error;      /**< it failed, for this reason */
    json_t *record;   /**< what is known of it once it is done or has failed */
} nz_step;

/** What was found out about a data set when it was opened; zero where it could not be (a dry run without data). */
typedef struct nz_data_facts {
    char fingerprint[65], stamp[65];
    size_t classes;
    bool objects;   /**< samples are labelled with boxes: detection */
    int64_t chw[3]; /**< 0 where it varies */
} nz_data_facts;

typedef struct nz_experiment {
    const nz_description *description;
    const nz_experiment_options *options;
    const nz_progress *progress; /**< of this experiment: steps are named */
    const char *file;            /**< for messages */
    char *out;
    size_t step_count;
    nz_step *steps;                                   /**< a network each, a run each, the comparison, the report */
    nz_data_facts train, test, calibration, compared; /**< compared: where the comparison has samples of its own */
    char source_sha256[65];                           /**< of the checkpoint or file; "" */
    json_t *notes;                                    /**< of a dry run */
    size_t failed;
    char *condition;
    int lock; /**< of the results folder; 0: none is held */
} nz_experiment;

/* plan.c */
NZ_CHECKED nz_status nz_plan_steps(nz_experiment *experiment);
void nz_plan_done(nz_experiment *experiment);
/** The step of network `n`. */
nz_step *nz_plan_network(const nz_experiment *experiment, size_t n);
/** Sets the step's key from what it depends on, which must have been done. */
NZ_CHECKED nz_status nz_plan_key(const nz_experiment *experiment, nz_step *step);

/* check.c: data, checkpoint and file, before anything is run */
NZ_CHECKED nz_status nz_experiment_check(nz_experiment *experiment);

/* record.c */
/** Takes an earlier record over where it belongs to the same key and its output is as it was left. */
NZ_CHECKED nz_status nz_record_find(nz_step *step);
/** Writes it, with the output's hash. `record` is set in the step. */
NZ_CHECKED nz_status nz_record_write(nz_step *step, double seconds);
/** Removes what earlier runs left beside the step's output. */
void nz_record_forget(const nz_step *step);
/** "STEM.step.json" */
NZ_CHECKED nz_status nz_record_path(char **ret_path, const nz_step *step);

/* folder.c: the results folder belongs to one experiment */
NZ_CHECKED nz_status nz_folder_open(nz_experiment *experiment);

/* The steps. Each fills step->record with what it has to tell. */
NZ_CHECKED nz_status nz_step_train(nz_experiment *experiment, nz_step *step);    /**< step_train.c */
NZ_CHECKED nz_status nz_step_compress(nz_experiment *experiment, nz_step *step); /**< step_compress.c */
NZ_CHECKED nz_status nz_step_compare(nz_experiment *experiment, nz_step *step);  /**< step_compare.c */
NZ_CHECKED nz_status nz_step_report(nz_experiment *experiment, nz_step *step);   /**< step_compare.c */

/** NZ_E_ARG where the comparison would refuse its options. */
NZ_CHECKED nz_status nz_step_compare_check(const nz_experiment *experiment);

/** Checkpoint and history beside the step's output; released with nz_step_files_done. */
NZ_CHECKED nz_status nz_step_files(nz_train_files *ret_files, const nz_experiment *experiment, const nz_step *step);
void nz_step_files_done(nz_train_files *files);
/** Removes the checkpoint, once the model is stored: a stop between the two would else cost the training. */
void nz_step_files_forget(const nz_experiment *experiment, const nz_step *step);
/** The learning curve for the record: NULL where memory is short, null without epochs. */
json_t *nz_curve_json(const nz_train_report *report);
/** step_train.c: whether the architecture can be built for the data as they are known; before any step. */
NZ_CHECKED nz_status nz_network_check(const nz_experiment *experiment);

#endif
