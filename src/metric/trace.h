/* SPDX-License-Identifier: Apache-2.0 */
/** What the rules of width and parameters share: where a value originates, who reads it, which constants are parameters. */
#ifndef NZ_METRIC_TRACE_H
#define NZ_METRIC_TRACE_H

#include "netzip/metric.h"
#include "op/op.h"

/** The value that `value` comes from unchanged in content: back through DequantizeLinear, Identity, Reshape, Transpose, and
 * through Cast where it leads to a constant. NZ_NO_VALUE stays NZ_NO_VALUE. */
int nz_trace_origin(const nz_graph *graph, int value);

/** How often each value is read (graph outputs count as reading) and by which node first. */
typedef struct nz_readers {
    size_t *count; /**< [value_count] */
    int *first;    /**< [value_count] node index, -1 where no node reads it */
} nz_readers;
NZ_CHECKED nz_status nz_readers_init(nz_readers *ret_readers, const nz_graph *graph);
void nz_readers_done(nz_readers *readers);

/** The number types of one node by the width rule of metrics.md. NZ_DTYPE_NONE where they cannot be known. */
typedef struct nz_width {
    nz_dtype type;               /**< decides `bits` of a node */
    nz_dtype stored;             /**< of its constant weights as stored; `type` where it has none */
    nz_dtype weight, activation; /**< the operands of a node with MACs, NZ_DTYPE_NONE of another */
} nz_width;
nz_width nz_width_of(const nz_graph *graph, const nz_readers *readers, int node);

/** Which inputs of an operator hold operands of its MACs, and which hold parameters; from one table. */
typedef struct nz_param_inputs {
    const char *op;
    unsigned weights;  /**< bit i: input i is a weight of a convolution or linear layer */
    unsigned others;   /**< bit i: input i is another parameter: bias, scale, shift, slope, recurrent weight */
    unsigned operands; /**< bit i: input i is multiplied in its MACs */
    signed char zero_points
        [4]; /**< of the inputs 0..3, where the operator takes integers itself: the input that holds it, else 0 */
} nz_param_inputs;
const nz_param_inputs *nz_param_inputs_of(const nz_node *node); /**< NULL where it has neither */

/** One parameter tensor. */
typedef struct nz_param {
    int value;           /**< the constant */
    int node;            /**< the first node that reads it as a parameter */
    bool is_weight;      /**< of a convolution or linear layer: counts in `sparsity` */
    int zero_point;      /**< the value that holds the zero points of an integer constant, NZ_NO_VALUE: 0 */
    int64_t axis, block; /**< of the zero points; block 0: none */
    uint64_t elements, nonzero;
} nz_param;
typedef struct nz_params {
    size_t count;
    nz_param *items;
    int *of_value; /**< [value_count] index into items, -1 */
} nz_params;
/** Every parameter tensor of a specialised graph, once; zeros counted. */
NZ_CHECKED nz_status nz_params_init(nz_params *ret_params, const nz_graph *graph, bool count_zeros);
void nz_params_done(nz_params *params);
/** Elements of `tensor` that are not zero, against zero points where it holds integers (`zero_point` NULL: 0). */
uint64_t nz_count_nonzero(const nz_tensor *tensor, const nz_tensor *zero_point, int64_t axis, int64_t block);

#endif
