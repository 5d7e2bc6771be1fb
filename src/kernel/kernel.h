/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The kernel interface: one description of a computation, shaped like oneDNN 3 (scales and zero points per argument, the
 * bias and every post-operation in real units), and a table of providers that are asked in order for a kernel that does
 * it. Weights are handed over once, in ONNX layout; a provider keeps them in whatever form it likes.
 */
#ifndef NZ_KERNEL_KERNEL_H
#define NZ_KERNEL_KERNEL_H

#include "core/memory.h"
#include "kernel/ref.h"
#include "netzip/tensor.h"

/** A tensor as kernels see it: logical extents (N, C, spatial...) and where each step leads, in elements. */
typedef struct nz_mem {
    nz_dtype dtype;
    int rank;
    int64_t dim[NZ_MAX_RANK], stride[NZ_MAX_RANK];
} nz_mem;

typedef enum nz_kernel_op {
    NZ_KERNEL_CONV,         /**< src, weights [O, I/g, k...] */
    NZ_KERNEL_DECONV,       /**< src, weights [I, O/g, k...] */
    NZ_KERNEL_LINEAR,       /**< dst[m, n] = src[m, k] * weights[k, n] */
    NZ_KERNEL_MATMUL,       /**< dst = src * src1, batched; both computed values */
    NZ_KERNEL_MAX_POOL,     /**< window */
    NZ_KERNEL_AVG_POOL,     /**< window; padding does not count */
    NZ_KERNEL_AVG_POOL_PAD, /**< window; padding counts */
    NZ_KERNEL_ACT,          /**< element-wise: the post-operations alone */
    NZ_KERNEL_ADD,          /**< src + src1, which broadcasts; and so on */
    NZ_KERNEL_SUB,
    NZ_KERNEL_MUL,
    NZ_KERNEL_DIV,
    NZ_KERNEL_MAX,
    NZ_KERNEL_MIN,
    NZ_KERNEL_SOFTMAX,     /**< along `axis` */
    NZ_KERNEL_LOG_SOFTMAX, /**< along `axis` */
    NZ_KERNEL_NEAREST,     /**< Resize: element i of dst along axis d is element index[d][i] of src */
    NZ_KERNEL_COPY,        /**< the same elements in another order, type or quantisation */
    NZ_KERNEL_TABLE        /**< dst = table[src], 8-bit */
} nz_kernel_op;

typedef enum nz_act {
    NZ_ACT_LINEAR, /**< alpha x + beta */
    NZ_ACT_RELU,   /**< x < 0 ? alpha x : x */
    NZ_ACT_CLIP,   /**< min(max(x, alpha), beta) */
    NZ_ACT_SIGMOID,
    NZ_ACT_TANH,
    NZ_ACT_ELU,         /**< alpha */
    NZ_ACT_SWISH,       /**< x sigmoid(alpha x) */
    NZ_ACT_HARDSWISH,   /**< x min(max(alpha x + beta, 0), 1) */
    NZ_ACT_HARDSIGMOID, /**< min(max(alpha x + beta, 0), 1) */
    NZ_ACT_GELU_ERF,
    NZ_ACT_GELU_TANH,
    NZ_ACT_SOFTPLUS,
    NZ_ACT_MISH,
    NZ_ACT_ABS,
    NZ_ACT_SQRT,
    NZ_ACT_EXP,
    NZ_ACT_LOG,
    NZ_ACT_SQUARE
} nz_act;

/** What follows a computation, in real units (dequantised), in order. */
typedef enum nz_post_kind {
    NZ_POST_ACT,
    NZ_POST_SUM,    /**< + scale (d - zero_point), d: what dst holds before, as `dtype` */
    NZ_POST_ADD,    /**< + src1, a float tensor that broadcasts to dst */
    NZ_POST_MUL,    /**< x src1 */
    NZ_POST_REQUANT /**< through a Q/DQ pair: (min(max(rint(x / scale) + zero_point, least), most) - zero_point) scale */
} nz_post_kind;

typedef struct nz_post {
    nz_post_kind kind;
    nz_act act;
    float alpha, beta;
    float scale;
    int32_t zero_point, least, most;
    nz_dtype dtype;
} nz_post;

enum { NZ_POSTS = 8 };

/** Quantisation of an 8-bit argument; scale 1 and zero point 0 for floats. */
typedef struct nz_quant {
    float scale;
    int32_t zero_point;
} nz_quant;

/** How a convolution is computed. AUTO: what is usually best, without measuring. */
typedef enum nz_algorithm {
    NZ_ALGORITHM_AUTO,
    NZ_ALGORITHM_GENERAL,    /**< the library's choice */
    NZ_ALGORITHM_GEMM,       /**< 1x1 in f32 as a matrix product of our own */
    NZ_ALGORITHM_WINOGRAD_2, /**< 3x3 in f32, F(2x2, 3x3) */
    NZ_ALGORITHM_WINOGRAD_4, /**< 3x3 in f32, F(4x4, 3x3) */
    NZ_ALGORITHM_END
} nz_algorithm;

/** Winograd is used for weights for which it stays this close to the exact sums, relative to the largest one. */
#define NZ_WINOGRAD_BOUND 1e-4

typedef struct nz_kernel_desc {
    nz_kernel_op op;
    nz_mem src, src1, dst;
    nz_quant src_quant, src1_quant, dst_quant;
    nz_window window;
    int64_t groups;
    const nz_tensor *weights;   /**< f32 or i8 (symmetric), dense; borrowed during creation */
    const float *weight_scales; /**< i8 weights: 1 or one per output channel */
    size_t weight_scale_count;
    bool weights_transposed; /**< LINEAR: weights are [n, k] */
    const float *bias;       /**< real units, one per output channel; NULL: none */
    nz_post posts[NZ_POSTS];
    size_t post_count;
    int axis;
    const int32_t *index[NZ_MAX_RANK]; /**< NEAREST: NULL where the axis stays; copied */
    const uint8_t *table;              /**< TABLE: 256 entries; copied */
    nz_algorithm algorithm;
} nz_kernel_desc;

typedef enum nz_kernel_arg { NZ_ARG_SRC, NZ_ARG_SRC1, NZ_ARG_DST, NZ_ARG_SCRATCH, NZ_ARG_COUNT } nz_kernel_arg;

typedef struct nz_kernel nz_kernel;
struct nz_kernel {
    void (*bind)(nz_kernel *kernel, nz_kernel_arg arg, void *data);
    nz_status (*run)(nz_kernel *kernel);
    void (*release)(nz_kernel *kernel);
    char name[64];        /**< "onednn:brgconv:avx512_core", "own:wino4x3:avx512" */
    size_t scratch_bytes; /**< wanted at NZ_ARG_SCRATCH, 64-byte aligned; kernels of a plan share it */
    size_t weight_bytes;  /**< that it keeps itself: weights in its own order, biases, scales */
};

/** Makes the kernel that the first provider able to do so offers, for as many threads as nz_threads_get says now.
 * NZ_E_UNSUPPORTED where there is none (the operator's plain C then computes it); NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_kernel_new(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
/** As nz_kernel_new, but only by the algorithm that desc names, not by another in its place. */
NZ_CHECKED nz_status nz_kernel_new_algorithm(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
/** false where the algorithm that desc names costs so much more than others by a rough count that trying it is waste. */
bool nz_kernel_plausible(const nz_kernel_desc *desc);
void nz_kernel_free(nz_kernel *kernel);
/** Whether 8-bit kernels sum all products exactly on this CPU. Without VNNI they add two products in 16 bits, which saturates,
 * and halve the weights where the source is signed. */
bool nz_kernel_sums_exactly(void);
/** The version of oneDNN that is in use: it decides most times. */
void nz_kernel_library(char ret_version[32]);

/** A provider: NZ_E_UNSUPPORTED without a message where it has no kernel for this. */
typedef struct nz_kernel_provider {
    const char *name;
    nz_status (*create)(nz_kernel **ret_kernel, const nz_kernel_desc *desc);
} nz_kernel_provider;
extern const nz_kernel_provider nz_kernel_provider_onednn, nz_kernel_provider_own;
const nz_kernel_provider *nz_kernel_provider_at(size_t i); /**< NULL past the end */

/** Dense strides: row-major, or channels last (N, spatial..., C). */
nz_mem nz_mem_plain(nz_dtype dtype, const nz_shape *shape);
nz_mem nz_mem_channels_last(nz_dtype dtype, const nz_shape *shape);
bool nz_mem_same(const nz_mem *a, const nz_mem *b);        /**< type, extents, and strides of extents above 1 */
bool nz_mem_same_places(const nz_mem *a, const nz_mem *b); /**< the same without the type */
bool nz_mem_dense(const nz_mem *mem);                      /**< its elements fill an interval, in some order */
int64_t nz_mem_elements(const nz_mem *mem);
size_t nz_mem_bytes(const nz_mem *mem); /**< from its first to its last element */

#endif
