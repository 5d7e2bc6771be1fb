/* SPDX-License-Identifier: Apache-2.0 */
/** Compression methods: one table entry each. */
#ifndef NETZIP_COMPRESS_H
#define NETZIP_COMPRESS_H

#include "netzip/data.h"
#include "netzip/graph.h"
#include "netzip/progress.h"

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
    char *summary;  /**< one paragraph in plain words */
    size_t samples; /**< calibration samples used */
    size_t broken;  /**< samples that could not be read */
} nz_compress_report;
/** Releases the rows and the summary of a report and zeroes it; safe on a zeroed one. */
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

/** true where the method named by the text needs samples. NZ_E_ARG for an unknown method or key. */
NZ_API NZ_CHECKED nz_status nz_compress_needs_data(bool *ret_needs, const char *method);
/** Name, one line of help and the keys with defaults (one per line) of method `i`; NULL past the end. Borrowed. */
NZ_API const char *nz_compress_method(size_t i, const char **ret_help, const char **ret_keys);

#ifdef __cplusplus
}
#endif
#endif
