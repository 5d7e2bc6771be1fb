/* SPDX-License-Identifier: Apache-2.0 */
/** What an experiment file says, checked: networks to train, methods to run on each, and how to compare. */
#ifndef NZ_EXPERIMENT_DESCRIPTION_H
#define NZ_EXPERIMENT_DESCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/text.h"
#include "core/yaml.h"

#define NZ_ANCHORS_FIT "fit" /* as of netzip train --anchors */
enum { NZ_EXPERIMENT_RUNS_MOST = 500, NZ_EXPERIMENT_SEEDS_MOST = 100 };

/** Where the uncompressed network comes from: one of `arch` (with or without a checkpoint) and `file`. */
typedef struct nz_network_source {
    char *arch, *checkpoint, *file;
    long long classes;                 /**< 0: as the data, the checkpoint or the file have it */
    long long channels, height, width; /**< 0: as the data have it */
    char *anchors; /**< of a detector; NZ_ANCHORS_FIT: fitted to the data; NULL: the architecture's own */
} nz_network_source;

/** One method on one network: a row of the comparison. */
typedef struct nz_method_run {
    char *name;     /**< in tables: "GUP_L1 sparsity=0.5" */
    char *text;     /**< METHOD with its keys, the seed among them; of `further`, options of training */
    bool further;   /**< not compressed: the network trained further, to compare fairly with what was fine-tuned */
    long long seed; /**< of the run: its own, else its network's */
    size_t network;
} nz_method_run;

/** Options of the comparison, as nz_compare takes them. */
typedef struct nz_comparison {
    char *metrics, *runtime, *threads, *batch, *performance, *speedup, *compression, *efficiency, *lambda, *fail_if,
        *power, *data, *detect, *pin, *priority, *cooldown;
    double zeta, budget_s, timeout_s, width_pct;
    long long pictures;
} nz_comparison;

typedef struct nz_description {
    char *name;
    char *text; /**< of the file, as it was read */
    char *train_data, *test_data, *calibration_data;
    nz_network_source source;
    char *training; /**< options of nz_train, without the seed; NULL: the network is taken as it is */
    size_t network_count, run_count, run_capacity;
    long long *network_seeds; /**< [network_count] */
    nz_method_run *runs;
    nz_comparison comparison;
    bool is_seeded; /**< several seeds: they tell rows apart */
} nz_description;

/**
 * Reads and checks everything that can be checked without data: keys, methods, architecture, options.
 *
 * @param yaml  Borrowed; `changes` (may be NULL) have been applied to it already.
 * @return NZ_E_ARG: "file:line:column: what is wrong, and what would be right"; NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_description_read(nz_description *ret_description, const nz_yaml *yaml);
void nz_description_done(nz_description *description);

/** Sets the value at a dotted path ("train.epochs", "methods.0") before a document is read. `assignment` is "PATH=VALUE" with
 * VALUE in YAML. NZ_E_ARG. */
NZ_CHECKED nz_status nz_description_set(nz_yaml *yaml, const char *assignment);

/** Whether a document is a configuration file of the first NetZIP: it has keys in capitals. */
bool nz_first_is(const nz_yaml *yaml);
/** Rewrites such a document into what nz_description_read takes. `data`: DATA, NULL: data/<name> by the data set's name. */
NZ_CHECKED nz_status nz_first_convert(nz_yaml *yaml, const char *data);

/* ---- values.c: what the parts of the reader share ---- */

/** "file:line:column: " before the message that was just written, for the place of `key` in `container`. */
nz_status nz_place_context(nz_status status, const nz_yaml *yaml, const json_t *container, const char *key,
                           size_t index);
/** The same for the key of `section` that the message names; where it names none, for `key` or `index` of `container`. */
nz_status nz_place_by_message(nz_status status, const nz_yaml *yaml, const json_t *section, const json_t *container,
                              const char *key, size_t index);
/** NZ_E_ARG with the nearest of `known` where `section` (an object) has a key that is none of them. */
NZ_CHECKED nz_status nz_known_keys(const nz_yaml *yaml, const json_t *section, const char *const *known, size_t count,
                                   const char *what);
/** The text under `key` (numbers as they are written); NULL where it is absent or null. NZ_E_ARG for a list or mapping. */
NZ_CHECKED nz_status nz_text_value(char **ret_text, const nz_yaml *yaml, const json_t *section, const char *key);
/** A whole number under `key` in [least, most]; untouched where it is absent. */
NZ_CHECKED nz_status nz_int_value(long long *ret_value, const nz_yaml *yaml, const json_t *section, const char *key,
                                  long long least, long long most);
/** A value as options take it: true is 1, a list is joined by `join`, a mapping becomes "key=value" joined by '+'. */
NZ_CHECKED nz_status nz_option_text(char **ret_text, const json_t *value, const char *join);
/** Appends ",key=value" (without the comma at the beginning of a text), with backslashes where the value needs them. */
void nz_append_option(nz_text *text, const char *key, const char *value);

/* ---- methods.c ---- */
NZ_CHECKED nz_status nz_methods_read(nz_description *description, const nz_yaml *yaml, const long long *seeds,
                                     size_t seed_count, bool each_network);

#endif
