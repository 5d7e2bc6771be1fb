/* SPDX-License-Identifier: Apache-2.0 */
/** What a model's file says: everything that needs no data and no clock. */
#ifndef NZ_METRIC_INSPECT_H
#define NZ_METRIC_INSPECT_H

#include "core/json.h"
#include "netzip/metric.h"
#include "netzip/pass.h"

typedef struct nz_inspect_options {
    const char *metrics; /**< ids, categories or "all", by commas; NULL: what the file alone gives quickly */
    bool per_layer;      /**< plan the model too, and say which kernel each layer got */
    const nz_binding *bindings;
    size_t binding_count;
} nz_inspect_options;

/** What the native engine made of one node. */
typedef struct nz_node_kernel {
    char *kernel;  /**< NULL: the node was folded away or not planned */
    char *compute; /**< "f32", "int8", ... */
    char *into;    /**< the node it was fused into; NULL where it runs by itself */
} nz_node_kernel;

typedef struct nz_inspection {
    char *path, *name;
    char sha256[65];
    nz_graph *graph; /**< as read */
    nz_graph_facts facts;
    size_t count;
    const nz_metric **metrics; /**< [count] */
    nz_value_report *values;   /**< [count] */
    nz_node_kernel *kernels;   /**< [facts.layer_count] with per_layer */
    char *kernel_note;         /**< why no kernel is known; NULL */
} nz_inspection;

/** @return as nz_model_load; NZ_E_ARG for an unknown metric; NZ_E_SHAPE for bindings that do not fit. Release with
 * nz_inspection_done. */
NZ_CHECKED nz_status nz_inspect(nz_inspection *ret_inspection, const char *path, const nz_inspect_options *options);
void nz_inspection_done(nz_inspection *inspection);
/** One model object of the result files with "inputs" and "outputs", and "layers" where they were asked for. */
NZ_CHECKED nz_status nz_inspection_json(json_t **ret_json, const nz_inspection *inspection);

#endif
