/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Plain C kernels of the operators that do arithmetic: what the fast ones are tested against, and what runs where no
 * faster one exists. They trust their arguments: shapes were checked when the model was planned. Tensors are dense and
 * row-major, images N, C, spatial. Work is split over output channels or rows, never within a sum, so that results do
 * not depend on the number of threads.
 */
#ifndef NZ_KERNEL_REF_H
#define NZ_KERNEL_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/memory.h"
#include "netzip/tensor.h"

/* -- windows: convolution and pooling -------------------------------------------------------------------------- */

/** A sliding window over `rank` (1..3) spatial axes. Axis i of the model lies at index 3 - rank + i; the axes before it
 * are 1 wide with a kernel of 1, so that every kernel is written for three axes. */
typedef struct nz_window {
    int rank;
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3];
    int64_t begin[3], end[3]; /**< padding; may be negative in a ConvTranspose */
} nz_window;

typedef struct nz_ref_conv {
    nz_window window; /**< of the convolution; for a ConvTranspose `in` is its input, `out` its output */
    int64_t batch, in_channels, out_channels, groups;
} nz_ref_conv;

/** y[batch, out_channels, out] = x[batch, in_channels, in] * w[out_channels, in_channels/groups, kernel] + bias (or NULL).
 * @return NZ_E_MEMORY: the input's rows are laid out anew. */
NZ_CHECKED nz_status nz_ref_conv_f32(const nz_ref_conv *conv, const float *x, const float *w, const float *bias,
                                     float *y);
NZ_CHECKED nz_status nz_ref_conv_f64(const nz_ref_conv *conv, const double *x, const double *w, const double *bias,
                                     double *y);
/** The same modulo 2^32: what int32 accumulators do. */
NZ_CHECKED nz_status nz_ref_conv_i32(const nz_ref_conv *conv, const int32_t *x, const int32_t *w, const int32_t *bias,
                                     int32_t *y);
/** The gradient of a convolution as a layer; w[in_channels, out_channels/groups, kernel]. */
void nz_ref_conv_transpose_f32(const nz_ref_conv *conv, const float *x, const float *w, const float *bias, float *y);
void nz_ref_conv_transpose_f64(const nz_ref_conv *conv, const double *x, const double *w, const double *bias,
                               double *y);

typedef enum nz_pool_kind { NZ_POOL_MAX, NZ_POOL_AVERAGE, NZ_POOL_LP } nz_pool_kind;

typedef struct nz_ref_pool {
    nz_window window;
    nz_pool_kind kind;
    int64_t planes;         /**< batch x channels */
    bool count_include_pad; /**< AVERAGE: positions of the padding count in the divisor */
    bool column_major;      /**< MAX: indices count the first spatial axis fastest */
    int64_t p;              /**< LP: the norm's exponent */
} nz_ref_pool;

/** y[planes, out] from x[planes, in]. A window that covers padding alone gives -inf (MAX) or 0.
 * @param indices  MAX: position of each maximum in the whole x; NULL where not wanted. */
void nz_ref_pool_f32(const nz_ref_pool *pool, const float *x, float *y, int64_t *indices);
void nz_ref_pool_f64(const nz_ref_pool *pool, const double *x, double *y, int64_t *indices);

/* -- matrices --------------------------------------------------------------------------------------------------- */

/** c[m, n] = sum over k of a and b; a is [m, k], or [k, m] where transposed; b is [k, n], or [n, k]. */
typedef struct nz_ref_matmul {
    int64_t m, n, k;
    bool a_transposed, b_transposed;
} nz_ref_matmul;
void nz_ref_matmul_f32(const nz_ref_matmul *shape, const float *a, const float *b, float *c);
void nz_ref_matmul_f64(const nz_ref_matmul *shape, const double *a, const double *b, double *c);
/** Modulo 2^32 and 2^64: for signed and unsigned alike. */
void nz_ref_matmul_i32(const nz_ref_matmul *shape, const uint32_t *a, const uint32_t *b, uint32_t *c);
void nz_ref_matmul_i64(const nz_ref_matmul *shape, const uint64_t *a, const uint64_t *b, uint64_t *c);

/* -- normalisation ---------------------------------------------------------------------------------------------- */

/** y = (x - mean[c]) * scale[c] / sqrt(variance[c] + epsilon) + shift[c] over x[batch, channels, plane]. */
void nz_ref_batch_norm(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *scale,
                       const float *shift, const float *mean, const float *variance, float epsilon, float *y);
/** Mean and population variance of each channel of x[batch, channels, plane]. */
void nz_ref_batch_moments(int64_t batch, int64_t channels, int64_t plane, const float *x, float *mean, float *variance);
/** Each of `rows` rows of `width` numbers: (x - mean) / sqrt(variance + epsilon).
 * @param ret_mean, ret_inverse  [rows] mean and 1/sqrt(variance + epsilon) of each row; either may be NULL. */
void nz_ref_normalise_rows(int64_t rows, int64_t width, const float *x, float epsilon, float *y, float *ret_mean,
                           float *ret_inverse);
/** Each row divided by sqrt(mean of squares + epsilon). */
void nz_ref_rms_rows(int64_t rows, int64_t width, const float *x, float epsilon, float *y);
/** Across channels: y = x / (bias + alpha / size * sum of squares in the window)^beta; x[batch, channels, plane]. */
void nz_ref_lrn(int64_t batch, int64_t channels, int64_t plane, const float *x, int64_t size, float alpha, float beta,
                float bias, float *y);
/** Over the middle axis of x[outer, count, inner]: exp(x - max) / sum, or its logarithm. */
void nz_ref_softmax(int64_t outer, int64_t count, int64_t inner, const float *x, bool logarithm, float *y);

/* -- quantisation ----------------------------------------------------------------------------------------------- */

/** saturate(round half to even(x / scale) + zero_point) of `count` numbers; NaN gives the lowest value. */
void nz_ref_quantize_u8(int64_t count, const float *x, float scale, int32_t zero_point, uint8_t *y);
void nz_ref_quantize_i8(int64_t count, const float *x, float scale, int32_t zero_point, int8_t *y);
/** (x - zero_point) * scale. */
void nz_ref_dequantize_u8(int64_t count, const uint8_t *x, float scale, int32_t zero_point, float *y);
void nz_ref_dequantize_i8(int64_t count, const int8_t *x, float scale, int32_t zero_point, float *y);
/** One number of any integer type whose range is [low, high]. */
int64_t nz_ref_quantize_one(double x, int64_t zero_point, int64_t low, int64_t high);
/** u8 or i8 as int32, less a zero point. */
void nz_ref_widen(nz_dtype dtype, int64_t count, const void *x, int32_t zero_point, int32_t *y);
/** saturate(round(accumulator * factor) + zero_point) into u8 or i8. */
void nz_ref_requantize(nz_dtype dtype, int64_t count, const int32_t *accumulators, float factor, int32_t zero_point,
                       void *y);

/* -- interpolation ---------------------------------------------------------------------------------------------- */

/** How each of `out` positions of an axis is made from `in` positions: `count` indices and weights for each. */
typedef struct nz_ref_taps {
    int64_t in, out, count;
    int64_t *index; /**< [out, count], each in [0, in) */
    float *weight;  /**< [out, count] */
} nz_ref_taps;
/** y[outer, out, inner] from x[outer, in, inner]. */
void nz_ref_resize_axis(const nz_ref_taps *taps, int64_t outer, int64_t inner, const float *x, float *y);
/** Copies the first tap, elements of `size` bytes of any type. */
void nz_ref_resize_axis_nearest(const nz_ref_taps *taps, int64_t outer, int64_t inner, size_t size, const void *x,
                                void *y);

/* -- recurrent layers ------------------------------------------------------------------------------------------- */

/** An activation with its two parameters, applied in place. */
typedef struct nz_ref_activation {
    void (*apply)(float *values, int64_t count, float alpha, float beta);
    float alpha, beta;
} nz_ref_activation;

typedef enum nz_ref_cell { NZ_CELL_RNN, NZ_CELL_GRU, NZ_CELL_LSTM } nz_ref_cell;

/** One direction of a recurrent layer. Gates lie as in ONNX: GRU z, r, h; LSTM i, o, f, c. */
typedef struct nz_ref_recurrent {
    nz_ref_cell cell;
    int64_t steps, batch, input, hidden;
    bool reverse, linear_before_reset, input_forget;
    float clip;                /**< bounds what goes into the activations to [-clip, clip]; 0: no bound */
    nz_ref_activation f, g, h; /**< h: LSTM alone */
    const float *w, *r;        /**< [gates * hidden, input], [gates * hidden, hidden] */
    const float *bias;         /**< [2 * gates * hidden] or NULL */
    const float *peephole;     /**< LSTM: [3 * hidden] in the order i, o, f, or NULL */
    const int32_t *lengths;    /**< [batch] or NULL: all `steps` long */
} nz_ref_recurrent;

/** Gates of a cell: 1, 3 or 4. */
int nz_ref_gates(nz_ref_cell cell);
/** Runs x[steps, batch, input].
 * @param h, c  State [batch, hidden]: the initial one, then the final one; c for an LSTM alone.
 * @param y     Output of step t and sample b at y[t * y_step + b * y_sample], `hidden` numbers; NULL where not wanted.
 * @return NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_ref_recurrent_run(const nz_ref_recurrent *layer, nz_arena *scratch, const float *x, float *h,
                                          float *c, float *y, int64_t y_step, int64_t y_sample);
/** The activation of that ONNX name (any case) with its default parameters; false where there is none. */
bool nz_ref_activation_find(nz_ref_activation *ret_activation, const char *name);

#endif
