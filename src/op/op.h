/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The operator table: one entry per ONNX operator, one file per family. An entry says which versions, types and
 * attributes are claimed; how older versions are lifted; how shapes follow; how many operations it costs; and it computes
 * the operator in plain C (the reference that tests, folding and the planner's fallback use).
 */
#ifndef NZ_OP_OP_H
#define NZ_OP_OP_H

#include "core/memory.h"
#include "graph/build.h"
#include "netzip/graph.h"

/** What infer, count and run see of one node: one struct for the three, so that an operator is written against one thing. */
typedef struct nz_op_ctx {
    const nz_node *node;
    size_t in_count, out_count;
    const nz_tensor *const
        *in;           /**< NULL: left out. infer, count: type and shape known, data only where constant. run: data */
    nz_tensor *out;    /**< infer fills type and shape; count reads them; run writes data, which the caller allocated.
                                     An output that is left out has dtype NONE after infer only if the operator says so */
    nz_arena *scratch; /**< run: memory until it returns */
} nz_op_ctx;

/** Cost of one execution by the table of metrics.md. */
typedef struct nz_op_cost {
    uint64_t macs;        /**< multiply-accumulates */
    uint64_t ops;         /**< all operations, 2 x MACs included */
    uint64_t conversions; /**< elements through Quantize/DequantizeLinear */
} nz_op_cost;

/** Roles that several rooms ask about, instead of comparing names. */
typedef enum nz_op_flags {
    NZ_OP_HAS_MACS = 1 << 0,    /**< Conv, Gemm, MatMul and kin: weights are counted, quantised, pruned */
    NZ_OP_MOVES_DATA = 1 << 1,  /**< Identity, Reshape, Transpose, Flatten, ...: no arithmetic, values unchanged */
    NZ_OP_CONVERTS = 1 << 2,    /**< QuantizeLinear, DequantizeLinear */
    NZ_OP_IS_CONV = 1 << 3,     /**< convolution family: Conv, ConvTranspose, QLinearConv, ConvInteger */
    NZ_OP_NORMALISES = 1 << 4,  /**< BatchNormalization and kin */
    NZ_OP_KEEPS_RANGE = 1 << 5, /**< MaxPool, Reshape, Slice, ...: the output needs the scale of the input */
    NZ_OP_UNARY = 1 << 6,       /**< element-wise of one tensor */
    NZ_OP_READS_SHAPE = 1 << 7  /**< the output follows from input 0's type and shape alone: folds without its data */
} nz_op_flags;

/** Gradients of one node after run: what flows in from its outputs, and where what flows out to its inputs goes. At least
 * one gradient flows in, and at least one is wanted. Tensors have shapes even where they have no data. */
typedef struct nz_op_grad {
    const nz_tensor *const *out;  /**< the outputs as run left them; data only where the entry says NZ_GRAD_READS_OUT */
    const nz_tensor *const *dout; /**< gradient of the loss by output i, of its shape; NULL: none flows */
    nz_tensor *const *din;        /**< gradient by input i: every element is written, nothing added; NULL: not wanted */
} nz_op_grad;

/** What a gradient reads, so that a plan may overwrite the rest. Constants keep their data in any case. */
typedef enum nz_op_grad_reads {
    NZ_GRAD_READS_IN = 1 << 0, /**< all inputs */
    NZ_GRAD_READS_OUT = 1 << 1,
    NZ_GRAD_READS_REST = 1 << 2 /**< inputs behind the first: indices, lengths, which a model may compute */
} nz_op_grad_reads;

#define NZ_GRAD_ALL_INPUTS (~0u) /**< of grad_inputs: every input, however many */

typedef struct nz_op {
    const char *name;
    const char *domain; /**< NULL or "": ai.onnx */
    const int
        *versions; /**< since-versions claimed, ascending, 0-terminated: a node of opset v has the last one <= v */
    int canonical_since; /**< the lowest opset in which the canonical (NZ_OPSET) spelling is valid */
    unsigned flags;
    unsigned plan_inputs; /**< bit i: input i must be known when planning (Reshape's shape, Slice's starts, ...) */
    const char *const *attributes; /**< names claimed, NULL-terminated; any other makes the node unsupported */
    uint32_t types; /**< bit per nz_dtype claimed for the first input (nz_op_type_bit), 0: any with a tensor */

    /** Rewrites the node of graph (whose opset is node->opset) into canonical form. NULL: every claimed version is spelled
     * as the canonical one. May add constants. NZ_E_UNSUPPORTED with a reason where that is impossible. */
    nz_status (*lift)(nz_graph *graph, int node);
    /** Sets type and shape of every output. NZ_E_SHAPE with a message naming shapes; NZ_E_UNSUPPORTED for a refused attribute
     * value or type, or where a plan input is not constant. */
    nz_status (*infer)(const nz_op_ctx *ctx);
    /** Adds the cost. NULL: free (data movement). */
    nz_status (*count)(const nz_op_ctx *ctx, nz_op_cost *cost);
    /** Computes the outputs. Cannot fail on data that infer accepted, except for memory. */
    nz_status (*run)(const nz_op_ctx *ctx);
    /** Computes the gradients by inputs from those by outputs: float32, ctx->in with data where the entry says that they are read.
     * Where the function has a kink, the gradient of one side (0 for Relu at 0, as everybody has it). NULL: the operator cannot be
     * trained through. Fails for want of memory alone. */
    nz_status (*grad)(const nz_op_ctx *ctx, const nz_op_grad *grad);
    unsigned grad_inputs; /**< bit i: input i has a gradient; a tensor at any other input is taken for constant */
    unsigned grad_reads;  /**< nz_op_grad_reads */
    unsigned params;      /**< bit i: a float constant at input i is a parameter, which training changes */
    /** The lowest opset from 13 up that can spell this node as it stands (types, optional inputs); NULL: canonical_since. */
    int (*since)(const nz_graph *graph, const nz_node *node);
} nz_op;

#define NZ_TYPE_BIT(dtype) (1u << (dtype))
#define NZ_TYPES_FLOAT (NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16) | NZ_TYPE_BIT(NZ_F64))
#define NZ_TYPES_INT                                                                                                   \
    (NZ_TYPE_BIT(NZ_I8) | NZ_TYPE_BIT(NZ_I16) | NZ_TYPE_BIT(NZ_I32) | NZ_TYPE_BIT(NZ_I64) | NZ_TYPE_BIT(NZ_U8) |       \
     NZ_TYPE_BIT(NZ_U16) | NZ_TYPE_BIT(NZ_U32) | NZ_TYPE_BIT(NZ_U64))

/** The entry for (domain, op_type); NULL where there is none. */
const nz_op *nz_op_find(const char *domain, const char *op_type);
/** Entry `i` of the whole table in alphabetical order, NULL past the end. */
const nz_op *nz_op_at(size_t i);
/** Entry of a node that is supported; NULL where node->unsupported is set or there is no entry. */
const nz_op *nz_op_of(const nz_node *node);
/** NZ_OP_KEEPS_RANGE of this very node: a Resize that interpolates, or reaches beyond the image, makes values of its own. */
bool nz_op_keeps_range(const nz_node *node);

#endif
