/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where quantisation goes: chooses which layers and which activations become integers, and writes QuantizeLinear and
 * DequantizeLinear pairs into a graph. Knows nothing of how ranges were found, so that PTQ and QAT share it.
 */
#ifndef NZ_COMPRESS_QDQ_H
#define NZ_COMPRESS_QDQ_H

#include "graph/build.h"

typedef struct nz_qlayer {
    int node, input, weight,
        bias; /**< indices; weight is the float constant (through Cast of half precision); bias -1 if none */
    int axis; /**< of output channels in the weight */
} nz_qlayer;

typedef struct nz_qplan {
    size_t layer_count, activation_count;
    nz_qlayer *layers;
    int *activations; /**< values to quantise, each once */
    int *
        groups; /**< of each activation: activations of one group share scale and zero point; the group's first index */
} nz_qplan;

/** What stays float: nodes that fit patterns, and nodes by their place in the graph that the plan is of. */
typedef struct nz_qleft {
    const char *patterns; /**< nz_node_matches; NULL: none */
    const bool *nodes;    /**< [count]; NULL: none */
    size_t count;
} nz_qleft;
/** Whether node `n` of `graph`, which begins with the nodes of the plan's graph, stays float. `left` NULL: none does. */
bool nz_qdq_leaves(const nz_qleft *left, const nz_graph *graph, size_t n);

/**
 * Layers: Conv, ConvTranspose, Gemm and MatMul with constant float weights that are not left float. Activations: their inputs, and
 * the inputs of Add, pooling, Concat and range-keeping operators whose results reach such an input, so that runs of layers
 * stay in integers. What keeps its range shares its input's scale; a Concat shares its scale with inputs read by nobody else.
 */
NZ_CHECKED nz_status nz_qplan_make(nz_qplan *ret_plan, const nz_graph *graph, const nz_qleft *left);
void nz_qplan_done(nz_qplan *plan);
/** NZ_E_UNSUPPORTED where the plan has no layer: nothing to quantise. */
NZ_CHECKED nz_status nz_qplan_check(const nz_qplan *plan);
/** Place of a value among the plan's activations, activation_count where it is none of them. */
size_t nz_qplan_place(const nz_qplan *plan, int value);
/** NZ_E_UNSUPPORTED where the model holds a QuantizeLinear: it is quantised already. */
NZ_CHECKED nz_status nz_qdq_refuse_quantised(const nz_graph *graph);

/** true for the operators whose results are among the values of their input. */
bool nz_qdq_keeps_range(const nz_node *node);
/** true for the operators whose weights can be quantised, whether or not this one's can. */
bool nz_qdq_is_layer(const nz_node *node);

/** Affine parameters of an activation or of each channel of a weight. */
typedef struct nz_qparams {
    nz_dtype dtype;     /**< NZ_U8, NZ_I8, NZ_I4 */
    size_t count;       /**< 1: per tensor */
    float *scales;      /**< [count] */
    int64_t zero_point; /**< the same for all channels */
    int axis;
} nz_qparams;

/** Puts a Q/DQ pair behind `value`; every node that reads it reads the pair's output. Graph outputs, and the nodes that
 * stay float (`left`), keep reading `value`. */
NZ_CHECKED nz_status nz_qdq_insert(nz_graph *graph, int value, const nz_qparams *params, const nz_qleft *left);
/** The pair alone: *ret_value is the DequantizeLinear's output, which nobody reads yet. `constants`: the values of scale and
 * zero point that it reads; where the first is NZ_NO_VALUE both are made from `params` and handed back. */
NZ_CHECKED nz_status nz_qdq_pair(nz_graph *graph, int *ret_value, int value, const nz_qparams *params,
                                 int constants[2]);
/** The first `readers` nodes that read `value` read `to` instead, but for those that stay float. */
void nz_qdq_redirect(nz_graph *graph, int value, int to, size_t readers, const nz_qleft *left);
/** A constant of integers with its DequantizeLinear; *ret_value is the DequantizeLinear's output. */
NZ_CHECKED nz_status nz_qdq_constant(nz_graph *graph, int *ret_value, const char *name, const nz_tensor *integers,
                                     const nz_qparams *params);

#endif
