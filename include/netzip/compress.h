/* SPDX-License-Identifier: Apache-2.0 */
/** Compression methods: one table entry each. */
#ifndef NETZIP_COMPRESS_H
#define NETZIP_COMPRESS_H

#include "netzip/data.h"
#include "netzip/graph.h"
#include "netzip/progress.h"
#include "netzip/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a method did to one layer, for the report on the terminal and the layers of results. */
typedef struct nz_layer_change {
    char *name, *op;
    char *what;     /**< "int8 per-channel weights, u8 activations", "50.0% zeros" */
    double sqnr_db; /**< ptq: of the layer's output against the uncompressed layer's; fp16, bf16: of the parameters as
                         stored against before, infinite where nothing was lost; NaN: not measured */
    double sparsity_pct; /**< of its weights afterwards; NaN: not applicable */
} nz_layer_change;

typedef struct nz_compress_report {
    size_t count;
    nz_layer_change *layers;
    char *summary;            /**< one paragraph in plain words */
    size_t samples;           /**< calibration samples used */
    size_t broken;            /**< samples that could not be read */
    nz_train_report training; /**< epoch_count 0 where the method did not train */
} nz_compress_report;
/** Releases the rows, the summary and the training history of a report and zeroes it; safe on a zeroed one. */
NZ_API void nz_compress_report_done(nz_compress_report *report);

/**
 * Runs `METHOD[,key=value...]` on a model.
 *
 * @param graph  As nz_model_load gave it. Borrowed.
 * @param data   Calibration or training samples; NULL where the method needs none (NZ_E_ARG if it does).
 * @param[out] ret_graph   A new graph with metadata netzip.technique, netzip.method (the full text with defaults) and
 *                         netzip.preprocess set. Owned: nz_graph_free.
 * @param[out] ret_report  May be NULL. Release with nz_compress_report_done.
 */
NZ_API NZ_CHECKED nz_status nz_compress(nz_graph **ret_graph, nz_compress_report *ret_report, const nz_graph *graph,
                                        const char *method, nz_dataset *data, int threads, const nz_progress *progress);

/** What a method works with beside the model; all of it borrowed. */
typedef struct nz_compress_inputs {
    nz_dataset *data;            /**< calibration or training samples; NULL where the method needs none */
    nz_dataset *test;            /**< for methods that train: evaluated after epochs; NULL: not at all */
    const nz_train_files *files; /**< for methods that train: checkpoint and history; NULL: nothing is written */
    int threads;                 /**< 0: all the process may use */
} nz_compress_inputs;

/** nz_compress with all that a method that trains can use. NZ_E_ARG also where such a method gets samples without labels;
 * NZ_E_CANCELLED after its checkpoint was written; else as nz_train. */
NZ_API NZ_CHECKED nz_status nz_compress_with(nz_graph **ret_graph, nz_compress_report *ret_report,
                                             const nz_graph *graph, const char *method,
                                             const nz_compress_inputs *inputs, const nz_progress *progress);

/** What METHOD asks for, by its options too: pruning needs samples where it is followed by fine-tuning. */
typedef struct nz_compress_needs {
    bool data;   /**< samples */
    bool trains; /**< with labels: it can use test samples, a checkpoint and a history */
    bool seed;   /**< the result hangs on chance: it trains, or chooses at random */
} nz_compress_needs;
/** NZ_E_ARG for an unknown method or key. */
NZ_API NZ_CHECKED nz_status nz_compress_what_needs(nz_compress_needs *ret_needs, const char *method);
/** true where the method named by the text needs samples. NZ_E_ARG for an unknown method or key. */
NZ_API NZ_CHECKED nz_status nz_compress_needs_data(bool *ret_needs, const char *method);
/** Name, one line of help and the keys with defaults (one per line) of method `i`; NULL past the end. Borrowed. */
NZ_API const char *nz_compress_method(size_t i, const char **ret_help, const char **ret_keys);

#ifdef __cplusplus
}
#endif
#endif
