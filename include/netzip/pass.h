/* SPDX-License-Identifier: Apache-2.0 */
/** Passes: graph in, new graph out. The input stays as it was; weights are shared. */
#ifndef NETZIP_PASS_H
#define NETZIP_PASS_H

#include "netzip/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A graph input's concrete shape, or its value where planning needs it. */
typedef struct nz_binding {
    const char *input;
    nz_shape shape;         /**< used where value is NULL */
    const nz_tensor *value; /**< the input becomes this constant (borrowed during the call, then shared) */
} nz_binding;

/**
 * Gives every graph input a concrete shape and every value its type and shape: binds `bindings`; a symbolic first extent
 * becomes `batch`, extents of the same symbolic name are the same, every other symbolic extent must be bound. Then folds
 * constants (Shape/Gather/Concat chains, ...), removes what moves nothing (Identity, Dropout in inference, a Reshape to the
 * same shape, a Pad by 0, ...) and dead nodes. Results of more than 64 MB, or that take long, are left to the run. Never
 * folded: DequantizeLinear, and Cast to float of a weight stored in fewer bits, because
 * how a weight is stored is a fact that the metrics report.
 *
 * @return NZ_E_SHAPE names the node and shapes; NZ_E_UNSUPPORTED names the first unsupported node unless `tolerant`, in
 *         which case its outputs stay unknown and everything that can be known is known.
 */
NZ_API NZ_CHECKED nz_status nz_pass_specialise(nz_graph **ret_graph, const nz_graph *graph, int64_t batch,
                                               const nz_binding *bindings, size_t binding_count, bool tolerant);

/** Folds constants and removes dead nodes without fixing symbolic extents: what compression methods start from. */
NZ_API NZ_CHECKED nz_status nz_pass_fold(nz_graph **ret_graph, const nz_graph *graph);

/** Folds inference-mode BatchNormalization (and a constant per-channel Mul/Add) into the Conv, ConvTranspose or Gemm before it,
 * where that one's output has no other reader. Shared weights are copied first. */
NZ_API NZ_CHECKED nz_status nz_pass_fold_batchnorm(nz_graph **ret_graph, const nz_graph *graph);

/** Adds values as graph outputs (calibration, layer comparisons). Indices refer to `graph`; the new outputs follow the old. */
NZ_API NZ_CHECKED nz_status nz_pass_expose(nz_graph **ret_graph, const nz_graph *graph, const int *values,
                                           size_t count);

#ifdef __cplusplus
}
#endif
#endif
