/* SPDX-License-Identifier: Apache-2.0 */
/** The families of operators: each is one file that exports its entries, ended by one without a name. */
#ifndef NZ_OP_FAMILIES_H
#define NZ_OP_FAMILIES_H

#include "op/op.h"

extern const nz_op nz_ops_activation[]; /**< Relu, Clip, PRelu, ... */
extern const nz_op nz_ops_arithmetic[]; /**< Add, Mul, Pow, Max, Sum, ...: arithmetic with broadcasting */
extern const nz_op nz_ops_cast[];       /**< Cast, CastLike */
extern const nz_op nz_ops_conv[];       /**< Conv, ConvTranspose */
extern const nz_op nz_ops_create[];     /**< Constant, ConstantOfShape, Range, OneHot, ...: tensors made from numbers */
extern const nz_op nz_ops_detect[];     /**< NonMaxSuppression, RoiAlign */
extern const nz_op nz_ops_einsum[];     /**< Einsum */
extern const nz_op nz_ops_grid[];       /**< GridSample, AffineGrid */
extern const nz_op nz_ops_index[];      /**< Gather, ScatterND, ...: places that other tensors name */
extern const nz_op nz_ops_integer[];    /**< ConvInteger, MatMulInteger, QLinearConv, QLinearMatMul */
extern const nz_op nz_ops_logic[];      /**< Equal, And, BitShift, Where, ... */
extern const nz_op nz_ops_loss[];       /**< NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss */
extern const nz_op nz_ops_matmul[];     /**< MatMul, Gemm */
extern const nz_op nz_ops_move[];       /**< Transpose, Concat, Slice, Tile, ...: elements find new places */
extern const nz_op nz_ops_norm[];       /**< Batch-, Instance-, Group-, Layer-, Lp-, ... normalisation, LRN */
extern const nz_op nz_ops_pad[];        /**< Pad, CenterCropPad */
extern const nz_op nz_ops_pool[];       /**< pooling over windows and planes, MaxUnpool */
extern const nz_op nz_ops_quantize[];   /**< QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear */
extern const nz_op nz_ops_rank[];       /**< ArgMax, ArgMin, Hardmax, TopK, CumSum */
extern const nz_op nz_ops_recurrent[];  /**< RNN, GRU, LSTM */
extern const nz_op nz_ops_reduce[];     /**< ReduceSum, ReduceMean, ...: reductions along axes */
extern const nz_op nz_ops_resize[];     /**< Resize, Upsample */
extern const nz_op nz_ops_select[];     /**< Compress, NonZero, Trilu, ReverseSequence */
extern const nz_op nz_ops_shape[];      /**< Reshape, Squeeze, Shape, ...: the same elements under another shape */
extern const nz_op nz_ops_softmax[];    /**< Softmax, LogSoftmax */
extern const nz_op nz_ops_unary[];      /**< Exp, Sqrt, Abs, ...: mathematical functions of one tensor */
extern const nz_op nz_ops_col2im[];     /**< Col2Im */

#endif
