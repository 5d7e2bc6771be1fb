/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Kernels of training: layers with weights that change from step to step, forward and backward, and the element-wise work
 * around them. Feature maps are channels last (N, spatial..., C); for them `rows` is N x spatial and `channels` is C. Types are
 * f32, or bf16 for feature maps and their gradients in mixed precision; weights, their gradients, statistics and sums
 * are always f32. Everything runs on nz_threads_get() threads, split so that the same number of threads gives the same
 * bytes.
 */
#ifndef NZ_KERNEL_TRAIN_H
#define NZ_KERNEL_TRAIN_H

#include "kernel/kernel.h"

/* ---- where weights lie ---- */

/** The order in which a layer wants its weights and gives their gradient: what training keeps them in between steps. Made
 * of the elements in ONNX order and of padding, which is 0 and stays 0 under every element-wise update that maps 0 with
 * gradient 0 to 0. */
typedef struct nz_packing nz_packing;
size_t nz_packing_elements(const nz_packing *packing);                            /**< padding included */
void nz_packing_in(const nz_packing *packing, float *packed, const float *plain); /**< writes the padding too */
void nz_packing_out(const nz_packing *packing, float *plain, const float *packed);

/* ---- layers with weights ---- */

typedef struct nz_train_layer_desc {
    nz_kernel_op op;         /**< NZ_KERNEL_CONV, NZ_KERNEL_DECONV or NZ_KERNEL_LINEAR */
    nz_mem src, dst;         /**< channels last, or plain; f32 or bf16, both the same */
    nz_shape weights;        /**< ONNX's order of extents */
    bool weights_transposed; /**< LINEAR: [n, k] */
    bool bias;
    nz_window window;
    int64_t groups;
    bool plain_weights; /**< weights and gradient in ONNX order: for weights that are computed, shared, or looked at */
    bool source_gradient; /**< backward_data will be wanted */
} nz_train_layer_desc;

typedef struct nz_train_layer nz_train_layer;
struct nz_train_layer {
    /** dst = layer(src). */
    nz_status (*forward)(nz_train_layer *layer, const void *src, const float *weights, const float *bias, void *dst);
    /** dsrc = what ddst means for src. */
    nz_status (*backward_data)(nz_train_layer *layer, const void *ddst, const float *weights, void *dsrc);
    /** Writes (does not add to) dweights, and dbias where the layer has one. */
    nz_status (*backward_weights)(nz_train_layer *layer, const void *src, const void *ddst, float *dweights,
                                  float *dbias);
    void (*bind_scratch)(nz_train_layer *layer, void *scratch); /**< memory that layers share, 64-byte aligned */
    void (*release)(nz_train_layer *layer);
    const nz_packing *packing; /**< of weights and dweights; NULL: ONNX order */
    size_t scratch_bytes;
    char name[3][64]; /**< forward, backward_data, backward_weights: "onednn:brgconv:avx512_core" */
};

/** The fastest layer that this machine has for it; plain C (float32) where no library does it.
 * NZ_E_UNSUPPORTED for bf16 where the CPU or the library lacks it; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_train_layer_new(nz_train_layer **ret_layer, const nz_train_layer_desc *desc);
/** As nz_train_layer_new, in plain C: what the others are tested against. */
NZ_CHECKED nz_status nz_train_layer_new_reference(nz_train_layer **ret_layer, const nz_train_layer_desc *desc);
void nz_train_layer_free(nz_train_layer *layer); /**< NULL passes */

/* ---- batch normalisation, with what stands around it ---- */

/** y = act(gamma (x - mean) / sqrt(var + epsilon) + beta [+ addend]), act Relu or nothing. */
typedef struct nz_train_norm {
    nz_dtype dtype; /**< of x, y, addend and their gradients */
    int64_t rows, channels;
    float epsilon;
    bool relu;
} nz_train_norm;

/** Over the batch: writes y and the batch's mean and biased variance [channels]. `addend` NULL: none. `x` may be `y`'s memory
 * only where the caller needs x no more. */
void nz_train_norm_forward(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                           const float *beta, void *y, float *mean, float *variance);
/** With given statistics: evaluation, and frozen batch normalisation. */
void nz_train_norm_apply(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                         const float *beta, const float *mean, const float *variance, void *y);
/**
 * Gradients. `y` is read for Relu's mask alone. dx may be dy's memory.
 * @param frozen   Statistics were given, so that no gradient flows through them.
 * @param daddend  NULL: none; else gets dy behind the mask (may be dy's memory where dx is not).
 */
void nz_train_norm_backward(const nz_train_norm *norm, const void *x, const void *y, const void *dy, const float *gamma,
                            const float *mean, const float *variance, bool frozen, void *dx, void *daddend,
                            float *dgamma, float *dbeta);

/* ---- element-wise and pooling; `dtype` f32 or bf16, `n` elements ---- */

void nz_train_relu(nz_dtype dtype, const void *x, void *y, size_t n);                           /**< y may be x */
void nz_train_relu_backward(nz_dtype dtype, const void *y, const void *dy, void *dx, size_t n); /**< dx may be dy */
/** y = x sigmoid(x); to about 3e-7 of it, the same bits at every instruction set. y may be x. */
void nz_train_silu(nz_dtype dtype, const void *x, void *y, size_t n);
void nz_train_silu_backward(nz_dtype dtype, const void *x, const void *dy, void *dx, size_t n); /**< dx may be dy */
void nz_train_add(nz_dtype dtype, const void *a, const void *b, void *y, size_t n);             /**< y may be a or b */
void nz_train_convert(nz_dtype from, const void *x, nz_dtype to, void *y, size_t n);            /**< f32 and bf16 */
/** N, C, spatial to N, spatial, C and back, converting the type: x and y differ in place and order. */
void nz_train_to_channels_last(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                               int64_t spatial);
void nz_train_to_plain(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                       int64_t spatial);

/** Max pooling over channels-last maps; `choice` [rows of y, channels] u16: the tap that won, for the way back. */
void nz_train_max_pool(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels, const void *x, void *y,
                       uint16_t *choice);
void nz_train_max_pool_backward(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels,
                                const void *dy, const uint16_t *choice, void *dx);
/** Average over all positions: x [batch, spatial, channels], y [batch, channels]. */
void nz_train_global_pool(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *x, void *y);
void nz_train_global_pool_backward(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *dy,
                                   void *dx);

/* ---- fake quantisation: what a QuantizeLinear/DequantizeLinear pair does, in float ---- */

/** x [outer, channels, inner] with one scale per channel (channels 1: one for all);
 * y = (clamp(rint(x / scale) + zero, least, most) - zero) scale. */
typedef struct nz_train_quant {
    int64_t outer, channels, inner;
    const float *scales;
    int32_t zero, least, most;
} nz_train_quant;
void nz_train_quantize(const nz_train_quant *quant, nz_dtype dtype, const void *x, void *y); /**< y may be x */
/** Straight through: dx = dy where x lies within the range, else 0. dscale [channels] (NULL: not wanted) gets the gradient
 * by the scale. @source S. Esser et al., Learned Step Size Quantization, ICLR 2020, equation 3. dx may be dy. */
void nz_train_quantize_backward(const nz_train_quant *quant, nz_dtype dtype, const void *x, const void *dy, void *dx,
                                float *dscale);

/* ---- updates: one pass over a parameter ---- */

/** g += decay w; m = momentum m + g; w -= lr (nesterov ? g + momentum m : m), as torch.optim.SGD has it; then
 * w = +0 where a mask is 0, whatever w was. first: m is taken for not yet begun (m = g). g stays as it was. */
typedef struct nz_train_sgd {
    float lr, momentum, decay, gradient_scale; /**< gradient_scale: of clipping, applied to g first */
    bool nesterov, first;
} nz_train_sgd;
void nz_train_sgd_update(const nz_train_sgd *sgd, float *w, const float *g, float *m, const float *mask, size_t n);
/** torch.optim.AdamW at step `step` >= 1. */
typedef struct nz_train_adamw {
    float lr, beta1, beta2, epsilon, decay, gradient_scale;
    uint64_t step;
} nz_train_adamw;
void nz_train_adamw_update(const nz_train_adamw *adamw, float *w, const float *g, float *m, float *v, const float *mask,
                           size_t n);
/** Sum of squares in double, the same at a given number of threads. NaN where one is not finite. */
double nz_train_square_sum(const float *x, size_t n);

#endif
