/* SPDX-License-Identifier: Apache-2.0 */
/** One comparison under way: what its phases share. */
#ifndef NZ_COMPARE_RUN_H
#define NZ_COMPARE_RUN_H

#include "compare/condition.h"
#include "compare/machine.h"
#include "compare/process.h"
#include "netzip/compare.h"
#include "netzip/measure.h"
#include "netzip/metric.h"

/** A file on the command line. */
typedef struct nz_entry {
    char *name, *path;
    char *data; /**< DATA text with the preprocessing that this model gets; NULL: no data */
    char sha256[65];
    json_t *describe;   /**< the worker's answer; NULL where the model could not be read */
    char *error;        /**< why not */
    char *samples;      /**< file of samples for timing; NULL: none */
    const char *method; /**< of a model that could not be made; NULL: its file says */
    long long seed;     /**< -1: none of its own */
    size_t baseline;    /**< entry that it is compared with */
} nz_entry;

/** A model under one runtime, thread count and batch: a row of the results. */
typedef struct nz_variant {
    size_t entry, machine;
    const char *runtime, *runtime_version;
    int threads, batch;
    char *id;     /**< "PTQ/native/t1/b1" */
    char key[65]; /**< what its stored parts are known by */
    json_t *raw;  /**< the parts measured so far, by phase: load, timing, memory, throughput, profile, predict, facts */
    char *error;  /**< set: the variant has failed */
    bool told;    /**< the user has been told so */
    json_t *detection; /**< of a detector, for the results: evaluations, curves, samples; NULL: none */
    nz_process process;
    int pid; /**< of the worker, on its own machine */
} nz_variant;

/** One metric of one variant. */
typedef struct nz_cell {
    nz_value_report report;
    bool has_paired; /**< difference to the baseline on the same samples */
    nz_paired paired;
    bool has_resampled; /**< the same in points of mAP, by resampled images */
    double difference_pct, difference_ci95_pct[2];
    size_t images, replicates;
} nz_cell;

typedef struct nz_run {
    const nz_compare_options *options;
    const nz_progress *progress;
    size_t entry_count, variant_count, metric_count, baseline;
    nz_entry *entries;
    nz_variant *variants;
    const nz_metric **metrics; /**< asked for, then those that ratios or the condition need besides */
    nz_combine_options combine;
    nz_task task; /**< NZ_TASK_DETECTION where the data is labelled with objects; NZ_TASK_ANY without data */
    nz_condition condition;
    bool timing, scores, entropy, load; /**< what the metrics need */
    char *work;                         /**< folder of the parts */
    bool work_is_temporary;
    char fingerprint[65], stamp[65]; /**< of the data; "" without */
    json_t *data;                    /**< about the data set, for the document; NULL: no data */
    nz_data_places places;           /**< what it reads, where another machine may need it */
    size_t machine_count;
    nz_machine *machines;    /**< those that measure; the first is the one that documents name as the run's host */
    double meter_interval_s; /**< of the external meter that is the source of power; 0: there is none */
    json_t *earlier;         /**< results of --against; NULL: none */
    json_t *warnings;        /**< of the whole run: array of strings */
    char started[32];
    uint64_t began_ns;
} nz_run;

/* plan.c */
NZ_CHECKED nz_status nz_run_plan(nz_run *run);          /**< entries, variants, metrics, condition from the options */
NZ_CHECKED nz_status nz_run_open_machines(nz_run *run); /**< compare.c: after the plan, before anything is measured */
nz_machine *nz_run_machine_of(const nz_run *run, const nz_variant *variant);
/* preprocess.c */
NZ_CHECKED nz_status nz_plan_preprocess(nz_run *run); /**< each entry's data */
/* store.c: parts of a variant, kept between an interruption and --resume */
NZ_CHECKED nz_status nz_store_open(nz_run *run);
NZ_CHECKED nz_status nz_store_load(nz_run *run, nz_variant *variant);
NZ_CHECKED nz_status nz_store_save(nz_run *run, const nz_variant *variant);
void nz_store_close(nz_run *run, bool finished);
/** Where the predictions of a variant lie: scores of classes, or detections. */
NZ_CHECKED nz_status nz_store_scores(char **ret_path, const nz_run *run, const nz_variant *variant);
/* ask.c: one request to a variant's worker */
/** Takes the answer over as part `part` of the variant. On the worker's failure the variant has failed, its process has
 * ended and NZ_OK is returned; any other status ends the run. `extra` is merged into the request and released. */
NZ_CHECKED nz_status nz_ask_part(nz_run *run, nz_variant *variant, const char *verb, const char *part, json_t *extra,
                                 const char *what);
/** The same, but hands the answer back (NULL where the variant failed). */
NZ_CHECKED nz_status nz_ask(nz_run *run, nz_variant *variant, json_t **ret_answer, const char *verb, json_t *extra,
                            const char *what, void (*tick)(void *user), void *user);
const char *nz_worker_program(const nz_run *run);
void nz_variant_fail(nz_variant *variant, const char *message);
/** All variants of a machine have failed: it cannot be reached any more. */
void nz_machine_fail(nz_run *run, size_t machine, const char *message);
/** Tells the user once that the variant has failed; nothing where it has not. */
void nz_variant_tell(const nz_run *run, nz_variant *variant);
bool nz_variant_has(const nz_variant *variant, const char *part);
/* the phases, in order */
NZ_CHECKED nz_status nz_run_open_data(nz_run *run);  /**< describe.c: what the data is, before anything else */
NZ_CHECKED nz_status nz_phase_describe(nz_run *run); /**< describe.c */
NZ_CHECKED nz_status nz_phase_timing(nz_run *run);   /**< timing.c */
NZ_CHECKED nz_status nz_phase_scoring(nz_run *run);  /**< scoring.c: predictions, facts, layers */
/* meter_run.c: an external meter as the source of power; nothing where it is none */
/** Sets the length of blocks where none is asked for. *ret_interval_s is left alone where there is no meter.
 * @return as nz_meter_series_read; NZ_E_ARG for blocks that are too short for the meter. */
NZ_CHECKED nz_status nz_meter_begin(nz_compare_options *options, double *ret_interval_s);
/** Lays the log over the blocks of `times`. Where that fails the reason is in `times` and in the run's warnings.
 * @param[out] ret_about  as nz_meter_join; untouched where it failed. */
NZ_CHECKED nz_status nz_meter_finish(json_t **ret_about, nz_run *run, json_t *times, double interval_s);
/* values.c */
NZ_CHECKED nz_status nz_values_get(nz_cell **ret_cells,
                                   nz_run *run); /**< [variant_count][metric_count], owned: free() */
/* stale.c: boxes and images for the report that an earlier run left in OUT */
/** Those that OUT/results.json names, as keys of an object; an empty one where there are no such results. */
NZ_CHECKED nz_status nz_stale_find(json_t **ret_files, const char *out);
/** Removes those of `before` that the new results do not name. */
NZ_CHECKED nz_status nz_stale_remove(json_t *before, const char *out, const json_t *results);
/* results.c */
/** {"schema": "netzip.times/1", "models"}: the raw times of each variant, shared with it. */
NZ_CHECKED nz_status nz_times_json(json_t **ret_json, const nz_run *run);
/** @param times  of nz_times_json */
NZ_CHECKED nz_status nz_results_json(json_t **ret_json, const nz_run *run, const nz_cell *cells, const json_t *times);
NZ_CHECKED nz_status nz_manifest_json(json_t **ret_json, const nz_run *run);
json_t *nz_hardware_json(const nz_hardware *hardware); /**< host.c */
json_t *nz_libraries_json(void);                       /**< host.c */

/** groups.c: mean and standard deviation over models that differ in their seed alone; null where there are none. `models` is
 * the array of the results. NULL where memory is short. */
json_t *nz_groups_json(const json_t *models);

/** The baseline's variant that has the same runtime, threads and batch as variant v. */
size_t nz_run_baseline_of(const nz_run *run, size_t v);
/** Adds a line to an array of strings once. */
void nz_warn(json_t *array, const char *format, ...) NZ_PRINTF(2, 3);

#endif
