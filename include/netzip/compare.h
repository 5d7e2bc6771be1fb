/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The comparison: every model in a worker process of its own, measured in turns, its predictions scored, everything
 * gathered into one results document (schema netzip.results/1 of the command line's contract).
 */
#ifndef NETZIP_COMPARE_H
#define NETZIP_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What is known of a model beside its file: experiments compare the same method under several seeds. Strings are borrowed. */
typedef struct nz_compare_model {
    const char *name; /**< exactly so, also where other models have it with other seeds; NULL: as `models` says */
    const char
        *error; /**< set: it could not be made, and counts as failed with this reason; its file is not looked at */
    const char *method; /**< with `error`: how it should have been made; may be NULL */
    long long seed;     /**< what it was made with, part of its variants' identity; -1: none */
    size_t baseline;    /**< index of the model it is compared with; SIZE_MAX: the baseline of all */
} nz_compare_model;

typedef struct nz_compare_options {
    const char *const *models; /**< [NAME=]PATH each; the first is the baseline unless `baseline` names another */
    size_t model_count;
    const nz_compare_model *details; /**< [model_count], or NULL */
    const char *data;                /**< DATA text; NULL: accuracy is unavailable, timing uses random input */
    const char *const *preprocess;   /**< "KEYS" for all models, "NAME=KEYS" for one: in place of what `data` states */
    size_t preprocess_count;
    const char *metrics;         /**< ids, categories or "all", by commas; NULL: the default ones */
    const char *const *runtimes; /**< NULL: native */
    size_t runtime_count;
    const int *threads; /**< NULL: 1 */
    size_t thread_count;
    const int *batches; /**< of `throughput`; NULL: 1 */
    size_t batch_count;
    const char *baseline;                                         /**< a model's name; NULL: the first */
    const char *performance, *speedup, *compression, *efficiency; /**< ids of the ratios; NULL: the defaults */
    double zeta, lambda[4];
    const char
        *detect;     /**< of detectors: how outputs become boxes, as nz_detect_options_read takes it; NULL: defaults */
    size_t pictures; /**< images of the data, with each detector's boxes, that go into `out`; 0: none */
    const char *out; /**< folder for results.json and manifest.json; NULL: none is written */
    bool resume;     /**< take over the finished parts of an interrupted run in `out` */
    const char *fail_if; /**< condition; NULL: none */
    const char
        *power; /**< power source by name, or "meter:LOG": an external meter's log that grows meanwhile; NULL: the
                            first usable one */
    const char *meter_columns; /**< of that log, as nz_meter_options.columns; NULL: told by their names */
    const char *meter_shift;   /**< how many seconds the meter's clock is ahead of this machine's, or "auto"; NULL: 0 */
    uint64_t seed;
    double budget_s;            /**< for the latency of one variant */
    double width_pct;           /**< wanted width of the 95% intervals of medians and ratios, in % of the value */
    double block_s;             /**< length of a block of inferences; 0: 0.25 s, 1.05 s where a power source is read */
    const char *const *targets; /**< machines that measure: "local" or "ssh://[USER@]HOST[:PORT]"; NULL: this one */
    size_t target_count;
    const char *target_data; /**< where another machine finds the data: a folder there, or "here": accuracy is computed
                                  on this machine; NULL: what DATA reads is copied */
    const char *pin;         /**< CPUs that workers run on, "0,2-3"; NULL: any */
    bool has_priority;
    int priority;                 /**< nice value of workers, -20 to 19 */
    double cooldown_s;            /**< rest before each block; 0: none */
    double cooldown_c;            /**< rest until the machine is no hotter, in degrees Celsius; NaN: no such wait */
    const char *against;          /**< results.json of an earlier run that this one is compared with; NULL: none */
    double timeout_s;             /**< how long a worker may say nothing */
    const struct nz_roots *roots; /**< where power, CPU times and GPUs are read; NULL: this machine */
    const char *worker;           /**< program that is run as `PROGRAM worker`; NULL: /proc/self/exe */
    const char *const *command;   /**< the command line, for the record */
    size_t command_count;
} nz_compare_options;

/** Everything at its default. */
NZ_API void nz_compare_options_init(nz_compare_options *options);

typedef struct nz_compare_result {
    char *json;          /**< the results document, indented; owned */
    size_t failed;       /**< variants whose status is "failed" */
    bool condition_held; /**< `fail_if` held for a model */
    char *condition;     /**< which, in one line; NULL where it did not hold; owned */
} nz_compare_result;
/** Releases the strings of a result and zeroes it; safe on a zeroed one. */
NZ_API void nz_compare_result_done(nz_compare_result *result);

/**
 * Compares. A model that is broken, unsupported, crashes or hangs has status "failed" in the document and ends nothing.
 *
 * @return NZ_E_ARG for options that make no sense, NZ_E_IO / NZ_E_FORMAT for data that cannot be opened, NZ_E_RESOURCE,
 *         NZ_E_MEMORY, NZ_E_CANCELLED. Results of a cancelled run with `out` stay there for `resume`.
 */
NZ_API NZ_CHECKED nz_status nz_compare(nz_compare_result *ret_result, const nz_compare_options *options,
                                       const nz_progress *progress);

/** How an external meter's log belongs to results. */
typedef struct nz_compare_meter_options {
    const char *columns; /**< as nz_meter_options.columns; NULL: told by their names */
    const char *shift;   /**< how many seconds the meter's clock is ahead, or "auto"; NULL: 0 */
    const char *host;    /**< the machine that the meter fed; NULL: there is one only */
} nz_compare_meter_options;

/**
 * Gives the models of DIR/results.json the energies that the log of an external meter, written while they were measured, tells:
 * the moments of their blocks are in DIR/times.json. Energies, powers, ratios and OCS with their intervals, and the marks of
 * conditions, are written anew into both files; nz_report_write draws the rest.
 *
 * @param[out] ret_json  the results document as text, owned: free(). NULL: not wanted. Untouched on error.
 * @return NZ_E_IO, NZ_E_FORMAT for DIR or the log; NZ_E_ARG where both do not meet, blocks are too short for the meter, or the
 *         shift of its clock is uncertain; NZ_E_RESOURCE; NZ_E_MEMORY. Nothing is written then.
 */
NZ_API NZ_CHECKED nz_status nz_compare_meter(char **ret_json, const char *dir, const char *log,
                                             const nz_compare_meter_options *options);

/**
 * What a program does when it is run as `PROGRAM worker [--pin LIST] [--nice N]`: takes its CPUs and its priority, serves
 * requests on file descriptor 3 until that is closed.
 * @param argc, argv  What stands behind the verb.
 * Returns the exit status.
 */
NZ_API int nz_worker_main(int argc, char **argv);

/** The same on another machine: serves requests on standard input and output, which ssh carries, and ends with them, also
 * in the middle of a computation. Takes the arguments behind the program's name. Returns the exit status. */
NZ_API int nz_worker_main_remote(int argc, char **argv);

typedef struct nz_doctor_options {
    bool quick;                   /**< leave out peak rates and bandwidth: about a second instead of five */
    const char *target;           /**< "ssh://[USER@]HOST[:PORT]": another machine; NULL, "local": this one */
    const struct nz_roots *roots; /**< where /sys and /proc of this machine are read; NULL: as they are */
} nz_doctor_options;
/**
 * What this machine can measure and run, and what it cannot, and why: one JSON document (schema netzip.doctor/1,
 * docs/doctor.md).
 * @param[out] ret_json  Indented text. Owned: free().
 * @param options        NULL: everything.
 * @return NZ_E_MEMORY, NZ_E_CANCELLED; of another machine also NZ_E_ARG, NZ_E_RESOURCE: no such target, or out of reach.
 */
NZ_API NZ_CHECKED nz_status nz_doctor(char **ret_json, const nz_doctor_options *options, const nz_progress *progress);

#ifdef __cplusplus
}
#endif
#endif
