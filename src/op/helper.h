/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What operators share: checking a node before its shapes are inferred, axes, broadcasting, constant lists of integers,
 * counting, and loops over strided tensors.
 */
#ifndef NZ_OP_HELPER_H
#define NZ_OP_HELPER_H

#include "core/error.h"
#include "op/op.h"

/* ---- failing and checking ---- */

/** nz_fail with "node 'name' (Conv): " in front. */
nz_status nz_op_fail(const nz_op_ctx *ctx, nz_status status, const char *format, ...) NZ_PRINTF(3, 4);
/** As nz_op_fail for a lift, which has a node alone. */
nz_status nz_node_fail(const nz_node *node, nz_status status, const char *format, ...) NZ_PRINTF(3, 4);

/**
 * What every infer begins with: between `least` and `most` inputs of which the first `least` are there, at most
 * `most_outputs` outputs, a known type and rank of every input, a claimed type of the first one, and plan inputs that are
 * constant.
 * @return NZ_E_SHAPE for counts; NZ_E_UNSUPPORTED for what is not known or not claimed.
 */
NZ_CHECKED nz_status nz_op_check(const nz_op_ctx *ctx, size_t least, size_t most, size_t most_outputs);
#define NZ_OP_ANY SIZE_MAX /**< no limit of inputs or outputs */

/** Input i, NULL where it is left out or past the end. */
static inline const nz_tensor *nz_op_in(const nz_op_ctx *ctx, size_t i) {
    return i < ctx->in_count ? ctx->in[i] : NULL;
}
static inline bool nz_op_has_out(const nz_op_ctx *ctx, size_t i) {
    return i < ctx->out_count && ctx->node->outputs[i] != NZ_NO_VALUE;
}
/** Sets type and shape of output i where the node has it. */
void nz_op_set_out(const nz_op_ctx *ctx, size_t i, nz_dtype dtype, const nz_shape *shape);
/** NZ_E_SHAPE unless inputs i and j have the same type (left out ones pass). */
NZ_CHECKED nz_status nz_op_same_type(const nz_op_ctx *ctx, size_t i, size_t j);

/* ---- shapes and axes ---- */

/** axis in [-rank, rank) to [0, rank). NZ_E_SHAPE otherwise. */
NZ_CHECKED nz_status nz_op_axis(const nz_op_ctx *ctx, int *ret_axis, int64_t axis, int rank);
/** A list of axes as a set of bits; NZ_E_SHAPE for one out of range or given twice. */
NZ_CHECKED nz_status nz_op_axes(const nz_op_ctx *ctx, unsigned *ret_set, const int64_t *axes, size_t count, int rank);
/** The integers of constant input i (int32 or int64, rank 0 or 1) into values[capacity]. NZ_E_UNSUPPORTED where it is not
 * constant, NZ_E_SHAPE where it is longer or of another type or rank. */
NZ_CHECKED nz_status nz_op_ints(const nz_op_ctx *ctx, size_t i, int64_t *values, size_t capacity, size_t *ret_count);
/** The one number of a constant input; `otherwise` where it is left out. */
NZ_CHECKED nz_status nz_op_int(const nz_op_ctx *ctx, size_t i, int64_t otherwise, int64_t *ret_value);
/** Numpy's rule; false where the shapes do not fit. Unknown extents give way to known ones. */
bool nz_shape_broadcast(nz_shape *ret_shape, const nz_shape *a, const nz_shape *b);
/** Product of extents [from, to) of a known shape. */
int64_t nz_shape_span(const nz_shape *shape, int from, int to);
/** Row-major strides in elements; 0 for all where an extent is 0 is not needed: no element is visited then. */
void nz_shape_strides(const nz_shape *shape, int64_t strides[NZ_MAX_RANK]);

/* ---- infer and count functions to put into entries ---- */

nz_status nz_op_infer_unary(const nz_op_ctx *ctx);     /**< one input; output: its type and shape */
nz_status nz_op_infer_broadcast(const nz_op_ctx *ctx); /**< all inputs of one type, broadcast together */
/** The shape that all inputs broadcast to; NZ_E_SHAPE names those that do not fit. */
NZ_CHECKED nz_status nz_op_broadcast_inputs(const nz_op_ctx *ctx, nz_shape *ret_shape);
nz_status nz_op_count_1(const nz_op_ctx *ctx, nz_op_cost *cost); /**< 1 per element of output 0 */
nz_status nz_op_count_2(const nz_op_ctx *ctx, nz_op_cost *cost);
nz_status nz_op_count_3(const nz_op_ctx *ctx, nz_op_cost *cost);
nz_status nz_op_count_5(const nz_op_ctx *ctx, nz_op_cost *cost);
nz_status nz_op_count_nary(const nz_op_ctx *ctx, nz_op_cost *cost);  /**< inputs - 1 per element of output 0 */
nz_status nz_op_count_input(const nz_op_ctx *ctx, nz_op_cost *cost); /**< 1 per element of input 0 */
/** cost->ops += each * elements. NZ_E_SHAPE where elements is unknown (negative) or the sum overflows. */
NZ_CHECKED nz_status nz_op_add_ops(const nz_op_ctx *ctx, nz_op_cost *cost, int64_t elements, uint64_t each);
/** cost->macs += macs, cost->ops += 2 * macs. */
NZ_CHECKED nz_status nz_op_add_macs(const nz_op_ctx *ctx, nz_op_cost *cost, int64_t outputs, int64_t macs_each);

/* ---- running ---- */

/** Bytes per element, 0 for packed 4-bit types. */
size_t nz_dtype_size(nz_dtype dtype);

/** Calls run with f16 and bf16 inputs widened to f32 copies, and narrows such outputs: an operator then needs f32 alone. */
NZ_CHECKED nz_status nz_op_run_widened(const nz_op_ctx *ctx, nz_status (*run)(const nz_op_ctx *));

/** All elements of a f32, f16 or bf16 tensor from / to f32; the fast path that nz_tensor_set_real is not. */
void nz_narrow_f32(nz_tensor *tensor, const float *values, int64_t count);

/** The elements of `in` as they are into `out`, of the same type and number of elements; 4-bit types too. */
void nz_op_copy(const nz_tensor *out, const nz_tensor *in);
/** As an entry's run: input 0 as it is into output 0. */
nz_status nz_op_run_copy(const nz_op_ctx *ctx);

enum { NZ_LOOP_OPERANDS = 4 };

/** A walk over an index space with a data pointer per operand, each with strides of its own (in elements; 0 repeats). */
typedef struct nz_loop {
    int rank, operands;
    int64_t dim[2 * NZ_MAX_RANK];
    int64_t stride[NZ_LOOP_OPERANDS][2 * NZ_MAX_RANK];
    char *data[NZ_LOOP_OPERANDS];
    size_t size[NZ_LOOP_OPERANDS]; /**< bytes per element */
} nz_loop;

/** One inner row: n elements, operand k at at[k] with stride[k] elements between neighbours. */
typedef void nz_loop_row(char *const at[], const int64_t stride[], int64_t n, const void *argument);

/** A loop over `shape` without operands. */
void nz_loop_init(nz_loop *loop, const nz_shape *shape);
/** Adds an operand that broadcasts to the loop's shape. */
void nz_loop_add(nz_loop *loop, const nz_tensor *tensor);
/** Adds an operand with explicit strides (loop->rank of them), starting at `data`. */
void nz_loop_add_strided(nz_loop *loop, const void *data, size_t size, const int64_t *strides);
/** Merges what can be merged, then visits everything; rows of large loops run in parallel. */
void nz_loop_run(nz_loop *loop, nz_loop_row *row, const void *argument);
/** Operand 1 copied into operand 0 element by element (sizes 1, 2, 4, 8). */
void nz_loop_copy(nz_loop *loop);

/** 64-bit and shorter integer types with their C types: NZ_EACH_INT(X) expands X(NZ_I8, int8_t) ... */
#define NZ_EACH_SIGNED(X) X(NZ_I8, int8_t) X(NZ_I16, int16_t) X(NZ_I32, int32_t) X(NZ_I64, int64_t)
#define NZ_EACH_UNSIGNED(X) X(NZ_U8, uint8_t) X(NZ_U16, uint16_t) X(NZ_U32, uint32_t) X(NZ_U64, uint64_t)
#define NZ_EACH_INT(X) NZ_EACH_SIGNED(X) NZ_EACH_UNSIGNED(X)
#define NZ_EACH_REAL(X) X(NZ_F32, float) X(NZ_F64, double)

/** Claims by bytes alone: every type whose elements are whole bytes. */
#define NZ_TYPES_BYTES                                                                                                 \
    (NZ_TYPES_FLOAT | NZ_TYPES_INT | NZ_TYPE_BIT(NZ_BOOL) | NZ_TYPE_BIT(NZ_F8E4M3FN) | NZ_TYPE_BIT(NZ_F8E4M3FNUZ) |    \
     NZ_TYPE_BIT(NZ_F8E5M2) | NZ_TYPE_BIT(NZ_F8E5M2FNUZ))
#define NZ_TYPES_NUMBER (NZ_TYPES_FLOAT | NZ_TYPES_INT)

/** Lists in entries: versions (ended by 0) and attributes (ended by NULL). */
#define NZ_VERSIONS(...) ((const int[]){__VA_ARGS__, 0})
#define NZ_ATTRIBUTES(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
