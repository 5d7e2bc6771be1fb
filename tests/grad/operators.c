/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator with a gradient against differences, at several shapes and attributes. */
#include "../grad/grad.h"

/* clang-format off */
#define ROW(name, text, ...) {.op_type = name, .attributes = text, .inputs = {__VA_ARGS__}}
#define WITHIN(least, most, name, text, ...) {.op_type = name, .attributes = text, .inputs = {__VA_ARGS__}, .low = least, .high = most}
#define OUTPUTS(count, name, text, ...) {.op_type = name, .attributes = text, .inputs = {__VA_ARGS__}, .outputs = count}
/* In single precision alone: the operator has no run in double. */
#define SINGLE(name, text, ...) {.op_type = name, .attributes = text, .inputs = {__VA_ARGS__}, .single = true}

static const grad_row rows[] = {
    /* activations */
    ROW("Relu", NULL, "3x5"), ROW("Relu", NULL, "2x3x7x5"),
    ROW("LeakyRelu", NULL, "3x5"), ROW("LeakyRelu", "alpha=0.3f", "2x3x3"), ROW("LeakyRelu", "alpha=-0.3f", "11"),
    ROW("PRelu", NULL, "2x3x4x5", "3x1x1"), ROW("PRelu", NULL, "2x3", "1"), ROW("PRelu", NULL, "2x3x4", "2x3x4"),
    ROW("PRelu", NULL, "4x3", "3"),
    ROW("Clip", NULL, "4x5", "F:-0.6", "F:0.7"), ROW("Clip", NULL, "17", "-", "F:0.4"), ROW("Clip", NULL, "17", "F:-1"),
    ROW("Clip", NULL, "17"),
    WITHIN(-4, 4, "Sigmoid", NULL, "3x7"), WITHIN(-3, 3, "Tanh", NULL, "3x7"),
    WITHIN(-4, 4, "HardSigmoid", NULL, "3x7"), WITHIN(-2, 2, "HardSigmoid", "alpha=0.5f beta=0.3f", "3x7"),
    WITHIN(-5, 5, "HardSwish", NULL, "3x9"),
    ROW("Elu", NULL, "3x7"), ROW("Elu", "alpha=0.7f", "3x7"),
    ROW("Selu", NULL, "3x7"), ROW("Selu", "alpha=1.2f gamma=0.8f", "3x7"),
    ROW("Celu", NULL, "3x7"), ROW("Celu", "alpha=0.4f", "3x7"),
    WITHIN(-8, 8, "Softplus", NULL, "3x7"), WITHIN(-4, 4, "Softsign", NULL, "3x7"), WITHIN(-6, 6, "Mish", NULL, "3x7"),
    WITHIN(-4, 4, "Gelu", NULL, "3x7"), WITHIN(-4, 4, "Gelu", "approximate:tanh", "3x7"),
    WITHIN(-4, 4, "Swish", NULL, "3x7"), WITHIN(-4, 4, "Swish", "alpha=1.5f", "3x7"),
    ROW("ThresholdedRelu", "alpha=0.4f", "3x7"),
    ROW("Shrink", NULL, "3x7"), ROW("Shrink", "lambd=0.8f bias=0.3f", "3x7"),
    /* functions of one tensor */
    ROW("Abs", NULL, "3x7"), ROW("Neg", NULL, "3x7"), ROW("Erf", NULL, "3x7"), ROW("Exp", NULL, "3x7"),
    ROW("Log", NULL, "p3x7"), ROW("Sqrt", NULL, "p3x7"), ROW("Reciprocal", NULL, "p3x7"),
    ROW("Sin", NULL, "3x7"), ROW("Cos", NULL, "3x7"), WITHIN(-1.2, 1.2, "Tan", NULL, "3x7"),
    WITHIN(-0.9, 0.9, "Asin", NULL, "3x7"), WITHIN(-0.9, 0.9, "Acos", NULL, "3x7"), WITHIN(-3, 3, "Atan", NULL, "3x7"),
    ROW("Sinh", NULL, "3x7"), ROW("Cosh", NULL, "3x7"), WITHIN(-3, 3, "Asinh", NULL, "3x7"),
    WITHIN(1.2, 4, "Acosh", NULL, "3x7"), WITHIN(-0.9, 0.9, "Atanh", NULL, "3x7"),
    /* arithmetic: every way to broadcast */
    ROW("Add", NULL, "3x5", "3x5"), ROW("Add", NULL, "2x3x4x5", "3x1x1"), ROW("Add", NULL, "2x3x4", "4"),
    ROW("Add", NULL, "", "2x3"), ROW("Add", NULL, "2x1x4", "3x1"), ROW("Add", NULL, "7", "1"),
    ROW("Add", NULL, "3x70", "70"), ROW("Add", NULL, "3x70x3", "70x1"), ROW("Add", NULL, "5x1x3x1", "4x1x2"),
    ROW("Sub", NULL, "3x5", "5"), ROW("Sub", NULL, "5", "3x5"), ROW("Sub", NULL, "2x3x4x5", "1x3x1x1"),
    ROW("Mul", NULL, "3x5", "3x5"), ROW("Mul", NULL, "2x3x4x5", "1x3x1x1"), ROW("Mul", NULL, "2x1x4", "3x1"),
    ROW("Mul", NULL, "", "2x3"), ROW("Mul", NULL, "2x3", "1"),
    ROW("Div", NULL, "3x5", "p3x5"), ROW("Div", NULL, "2x3x4", "p3x1"), ROW("Div", NULL, "4", "p2x3x1"),
    ROW("Pow", NULL, "p3x5", "3x5"), ROW("Pow", NULL, "p2x3x4", "3x1"), ROW("Pow", NULL, "3x5", "I:3"),
    ROW("Pow", NULL, "3x5", "I:2"), ROW("Pow", NULL, "p3x5", "i:-1,0,1,2,5"),
    ROW("Sum", NULL, "3x5", "5", "3x1"), ROW("Sum", NULL, "3x5"), ROW("Mean", NULL, "3x5", "5", "3x1"),
    ROW("Max", NULL, "3x5", "3x5"), ROW("Max", NULL, "2x3x4", "4", "3x1"), ROW("Max", NULL, "7"), ROW("Max", NULL, "2x9", "F:0.1"),
    ROW("Min", NULL, "3x5", "3x5"), ROW("Min", NULL, "2x3x4", "4", "3x1"), ROW("Min", NULL, "2x9", ""),
    /* convolutions */
    ROW("Conv", NULL, "1x1x5x5", "1x1x3x3", "1"), ROW("Conv", "pads=1,1,1,1", "2x3x5x6", "5x3x3x3", "5"),
    ROW("Conv", "strides=2,2 pads=1,1,1,1", "1x2x7x6", "3x2x3x3"), ROW("Conv", "pads=0,1,2,3 strides=1,3", "2x2x4x7", "2x2x3x2", "2"),
    ROW("Conv", "group=2 pads=1,1,1,1", "2x4x4x5", "6x2x3x3", "6"), ROW("Conv", "group=5 pads=2,2,2,2", "1x5x4x9", "5x1x5x5"),
    ROW("Conv", "dilations=2,3 pads=2,3,2,3", "1x2x6x9", "3x2x3x3", "3"), ROW("Conv", NULL, "2x5x3x11", "7x5x1x1", "7"),
    ROW("Conv", "strides=2,2", "2x3x5x5", "4x3x1x1"), ROW("Conv", "pads=1,1", "2x3x9", "4x3x3", "4"),
    ROW("Conv", "strides=2,1,2 pads=1,0,1,1,0,1", "1x2x4x3x5", "2x2x3x2x3", "2"), ROW("Conv", "auto_pad:SAME_UPPER strides=2,2", "1x1x6x5", "2x1x3x3"),
    ROW("Conv", "group=3 strides=2,2 dilations=2,2 pads=2,2,2,2", "2x3x7x7", "6x1x3x3", "6"),
    ROW("Conv", "pads=3,3,3,3 strides=4,4", "1x2x3x3", "2x2x2x2"),
    ROW("ConvTranspose", NULL, "1x1x3x3", "1x1x3x3", "1"), ROW("ConvTranspose", "strides=2,2 pads=1,1,1,1", "2x3x4x3", "3x2x3x3", "2"),
    ROW("ConvTranspose", "strides=3,2 output_padding=1,1", "1x2x3x4", "2x3x2x3", "3"), ROW("ConvTranspose", "group=2 strides=2,2", "2x4x3x3", "4x2x2x2", "4"),
    ROW("ConvTranspose", "dilations=2,2 pads=1,2,2,1", "1x2x4x5", "2x2x3x3"), ROW("ConvTranspose", "strides=2, pads=1,0", "2x3x5", "3x2x4", "2"),
    /* products of matrices */
    ROW("MatMul", NULL, "3x5", "5x4"), ROW("MatMul", NULL, "2x3x5", "5x4"), ROW("MatMul", NULL, "2x3x5", "2x5x4"),
    ROW("MatMul", NULL, "3x1x2x5", "4x5x3"), ROW("MatMul", NULL, "5", "5x3"), ROW("MatMul", NULL, "3x5", "5"), ROW("MatMul", NULL, "5", "5"),
    ROW("MatMul", NULL, "2x3x5", "5"), ROW("MatMul", NULL, "5", "2x5x3"), ROW("MatMul", NULL, "3x5", "2x5x4"), ROW("MatMul", NULL, "1x17", "17x1"),
    ROW("Gemm", NULL, "3x5", "5x4", "4"), ROW("Gemm", "transA=1", "5x3", "5x4", "3x1"), ROW("Gemm", "transB=1", "3x5", "4x5", "1x4"),
    ROW("Gemm", "transA=1 transB=1 alpha=0.5f beta=2.0f", "5x3", "4x5", "3x4"), ROW("Gemm", "alpha=-1.5f", "3x5", "5x4"),
    ROW("Gemm", "transB=1 beta=0.5f", "3x5", "4x5", "F:0.3"),
    /* normalisation and softmax */
    SINGLE("BatchNormalization", NULL, "3x4x5", "4", "4", "4", "p4"),
    SINGLE("BatchNormalization", "epsilon=0.1f", "2x3x4x2", "3", "3", "3", "p3"),
    SINGLE("BatchNormalization", NULL, "5x3", "3", "3", "3", "p3"),
    SINGLE("BatchNormalization", "training_mode=1", "3x4x5", "4", "4", "4", "p4"),
    SINGLE("BatchNormalization", "training_mode=1 epsilon=0.1f", "4x2x3x1", "2", "2", "2", "p2"),
    SINGLE("Softmax", NULL, "3x5"), SINGLE("Softmax", "axis=1", "2x5x3"), SINGLE("Softmax", "axis=0", "7"),
    SINGLE("LogSoftmax", NULL, "3x5"), SINGLE("LogSoftmax", "axis=-2", "2x5x3"),
    SINGLE("InstanceNormalization", NULL, "2x3x4x2", "3", "3"), SINGLE("InstanceNormalization", "epsilon=0.1f", "3x2x5", "2", "2"),
    SINGLE("GroupNormalization", "num_groups=2", "2x4x3x2", "4", "4"), SINGLE("GroupNormalization", "num_groups=3", "1x6x5", "6", "6"),
    SINGLE("LayerNormalization", NULL, "3x7", "7", "7"), SINGLE("LayerNormalization", "axis=1", "2x3x4", "3x4", "3x4"), SINGLE("LayerNormalization", "axis=-2", "2x3x4", "4"),
    SINGLE("LayerNormalization", NULL, "2x3x5", "1", "3x1"), SINGLE("RMSNormalization", NULL, "3x7", "7"), SINGLE("RMSNormalization", "axis=1", "2x3x4", "3x4"),
    {.op_type = "LayerNormalization", .inputs = {"3x5", "5", "5"}, .outputs = 3, .single = true},
    SINGLE("LpNormalization", NULL, "3x5"), SINGLE("LpNormalization", "axis=1", "2x4x3"), SINGLE("LpNormalization", "p=1 axis=0", "5x3"),
    SINGLE("MeanVarianceNormalization", NULL, "2x3x2x3"), SINGLE("MeanVarianceNormalization", "axes=-1,", "3x5"),
    SINGLE("LRN", "size=3", "2x5x2x2"), SINGLE("LRN", "size=4 alpha=0.5f beta=0.6f bias=1.5f", "1x6x3"), SINGLE("LRN", "size=9 alpha=1.0f", "2x4"),
    /* pooling */
    ROW("MaxPool", "kernel_shape=2,2 strides=2,2", "2x2x4x6"), ROW("MaxPool", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", "2x2x5x6"),
    ROW("MaxPool", "kernel_shape=3,2 strides=1,2 pads=1,0,0,1 ceil_mode=1", "1x3x5x6"), ROW("MaxPool", "kernel_shape=3, dilations=2,", "2x2x9"),
    ROW("MaxPool", "kernel_shape=2,2 strides=2,2 ceil_mode=1", "1x2x5x5"), ROW("MaxPool", "kernel_shape=2,2,2 strides=2,1,2", "1x1x4x3x4"),
    OUTPUTS(2, "MaxPool", "kernel_shape=2,2 strides=2,2 storage_order=1", "1x2x4x4"),
    ROW("AveragePool", "kernel_shape=2,2 strides=2,2", "2x2x4x6"), ROW("AveragePool", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", "2x2x5x6"),
    ROW("AveragePool", "kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1", "1x2x4x5"),
    ROW("AveragePool", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1 ceil_mode=1 count_include_pad=1", "1x2x6x6"),
    ROW("AveragePool", "kernel_shape=2,2 strides=2,2 ceil_mode=1", "1x2x5x5"), ROW("AveragePool", "kernel_shape=3, dilations=2, pads=1,2", "2x2x9"),
    ROW("LpPool", "kernel_shape=2,2 strides=2,2", "1x2x4x6"), ROW("LpPool", "kernel_shape=3,3 pads=1,1,1,1 p=1", "1x2x4x4"),
    ROW("LpPool", "kernel_shape=3,2 p=3", "1x2x4x4"),
    ROW("GlobalAveragePool", NULL, "2x3x4x5"), ROW("GlobalAveragePool", NULL, "2x3x7"), ROW("GlobalMaxPool", NULL, "2x3x4x5"),
    ROW("GlobalLpPool", NULL, "2x3x4x5"), ROW("GlobalLpPool", "p=1", "2x3x7"), ROW("GlobalLpPool", "p=3", "2x3x7"),
    /* the same elements under another shape */
    ROW("Identity", NULL, "3x5"), ROW("Flatten", NULL, "2x3x4"), ROW("Flatten", "axis=-1", "2x3x4"), ROW("Reshape", NULL, "2x3x4", "i:4,-1"),
    ROW("Squeeze", NULL, "1x3x1", "i:-1"), ROW("Squeeze", NULL, "1x3x1"), ROW("Unsqueeze", NULL, "3x2", "i:0,-1"), ROW("Dropout", NULL, "3x5"),
    OUTPUTS(2, "Dropout", NULL, "3x5"),
    /* elements in other places */
    ROW("Transpose", NULL, "2x3x4"), ROW("Transpose", "perm=0,2,3,1", "2x3x4x5"), ROW("Transpose", "perm=1,0", "20x21"),
    ROW("Concat", "axis=1", "2x3x2", "2x1x2", "2x4x2"), ROW("Concat", "axis=-1", "3x2", "3x5"), ROW("Concat", "axis=0", "3"),
    OUTPUTS(3, "Split", "axis=1 num_outputs=3", "2x6x2"), OUTPUTS(2, "Split", "axis=-1", "3x7", "i:2,5"), OUTPUTS(3, "Split", "num_outputs=3", "7x2"),
    ROW("Slice", NULL, "4x7", "i:1", "i:3"), ROW("Slice", NULL, "4x7", "i:-1,1", "i:-9,6", "i:0,-1", "i:-1,2"),
    ROW("Slice", NULL, "5x6", "i:4", "i:0", "i:1", "i:-3"), ROW("Slice", NULL, "2x3x4", "i:0,2", "i:1,3", "i:-2,-1"),
    ROW("Expand", NULL, "3x1", "i:2,3,4"), ROW("Expand", NULL, "1x5", "i:3,1"), ROW("Expand", NULL, "2x3", "i:2,3"), ROW("Expand", NULL, "", "i:2,2"),
    ROW("Tile", NULL, "2x3", "i:2,3"), ROW("Tile", NULL, "2x1x3", "i:1,4,2"), ROW("Tile", NULL, "5", "i:1"),
    ROW("DepthToSpace", "blocksize=2", "2x8x2x3"), ROW("DepthToSpace", "blocksize=2 mode:CRD", "1x8x3x2"), ROW("SpaceToDepth", "blocksize=2", "2x3x4x2"),
    ROW("Pad", NULL, "3x4", "i:1,2,0,3"), ROW("Pad", "mode:reflect", "2x4x5", "i:0,2,3,0,1,4"), ROW("Pad", "mode:edge", "3x4", "i:1,2,2,3"),
    ROW("Pad", "mode:wrap", "3x4", "i:1,5,2,3"), ROW("Pad", NULL, "4x5", "i:-1,1,-1,-2"), ROW("Pad", NULL, "2x3x4", "i:1,2", "F:0.5", "i:-1"),
    ROW("Pad", NULL, "2x3", "i:0,0,0,0"), ROW("CenterCropPad", NULL, "4x5", "i:7,3"), ROW("CenterCropPad", "axes=1,", "3x4", "i:6"),
    ROW("Cast", "to=1", "3x4"), ROW("Cast", "to=11", "3x4"), ROW("CastLike", NULL, "3x4", "F:1"),
    ROW("Where", NULL, "b3x4", "3x4", "3x4"), ROW("Where", NULL, "b2x1x4", "3x1", "4"), ROW("Where", NULL, "b4", "", "3x4"),
    ROW("Gather", NULL, "5x3", "i:1,4,1"), ROW("Gather", "axis=1", "2x4x3", "i2x2:0,-1,2,2"), ROW("Gather", "axis=-1", "2x7", "I:3"),
    ROW("GatherElements", "axis=1", "3x4", "i3x2:0,3,1,1,-1,2"), ROW("GatherElements", NULL, "3x2", "i4x2:0,1,2,1,2,0,0,0"),
    ROW("GatherND", NULL, "3x4x2", "i3x2:0,1,2,3,0,1"), ROW("GatherND", "batch_dims=1", "2x3x2", "i2x1:1,-1"),
    ROW("ScatterElements", "axis=1", "3x4", "i3x2:0,3,1,1,-1,2", "3x2"), ROW("ScatterElements", "reduction:add", "3x2", "i4x2:0,1,2,1,2,0,0,0", "4x2"),
    ROW("ScatterElements", "reduction:mul", "3x2", "i4x2:0,1,2,1,2,0,0,0", "4x2"), ROW("ScatterElements", "reduction:max", "3x2", "i4x2:0,1,2,1,2,0,0,0", "4x2"),
    ROW("ScatterElements", "reduction:min", "3x2", "i4x2:0,1,2,1,2,0,0,0", "4x2"),
    ROW("ScatterND", NULL, "4x3", "i3x1:2,0,2", "3x3"), ROW("ScatterND", "reduction:add", "4x3", "i3x2:2,1,0,0,2,1", "3"),
    ROW("ScatterND", "reduction:mul", "4x3", "i3x2:2,1,0,0,2,1", "3"), ROW("ScatterND", "reduction:max", "4x3", "i3x1:2,0,2", "3x3"),
    ROW("Compress", "axis=1", "3x4", "B:1,0,1,1"), ROW("Compress", NULL, "3x4", "B:0,1,1,0,0,0,1"), ROW("ReverseSequence", NULL, "4x3x2", "i:4,1,3"),
    ROW("ReverseSequence", "batch_axis=0 time_axis=1", "2x5", "i:3,5"),
    ROW("Trilu", NULL, "2x4x5"), ROW("Trilu", "upper=0", "4x3", "I:-1"), ROW("Trilu", NULL, "3x6", "I:2"),
    ROW("CumSum", NULL, "3x5", "I:1"), ROW("CumSum", "reverse=1", "3x5x2", "I:-2"), ROW("CumSum", "exclusive=1", "7", "I:0"), ROW("CumSum", "exclusive=1 reverse=1", "2x4", "I:1"),
    OUTPUTS(2, "TopK", NULL, "3x6", "i:2"), OUTPUTS(2, "TopK", "axis=0 largest=0", "5x3", "i:3"), ROW("TopK", "axis=1 sorted=0", "2x5x2", "i:4"),
    ROW("MaxUnpool", "kernel_shape=2,2 strides=2,2", "1x1x2x2", "i1x1x2x2:5,7,13,15"), ROW("MaxUnpool", "kernel_shape=2, strides=2,", "1x2x2", "i1x2x2:1,2,5,6", "i:1,2,5"),
    /* reductions */
#define REDUCTIONS(name) \
    ROW(name, NULL, "3x5"), ROW(name, "keepdims=0", "2x3x4", "i:1"), ROW(name, NULL, "2x3x4x2", "i:-1,1"), ROW(name, "keepdims=0", "3x11", "i:0"), \
    ROW(name, "noop_with_empty_axes=1", "3x4"), ROW(name, "keepdims=0", "2x1x3x4", "i:0,2")
    REDUCTIONS("ReduceSum"), REDUCTIONS("ReduceMean"), REDUCTIONS("ReduceL2"), REDUCTIONS("ReduceSumSquare"),
    REDUCTIONS("ReduceLogSumExp"), REDUCTIONS("ReduceMax"), REDUCTIONS("ReduceMin"), REDUCTIONS("ReduceL1"), REDUCTIONS("ReduceProd"),
    ROW("ReduceL2", NULL, ""), ROW("ReduceMax", NULL, ""), ROW("ReduceLogSum", NULL, "p3x5"), ROW("ReduceLogSum", "keepdims=0", "p2x3x4", "i:-2"),
    /* interpolation */
    ROW("Resize", NULL, "1x2x3x4", "-", "f:1,1,2,2"), ROW("Resize", "coordinate_transformation_mode:asymmetric nearest_mode:floor", "1x1x5x4", "-", "f:1,1,0.6,1.5"),
    ROW("Resize", NULL, "5x4", "-", "-", "i:3,7"),
    SINGLE("Resize", "mode:linear", "1x2x3x4", "-", "f:1,1,2,2"), SINGLE("Resize", "mode:linear coordinate_transformation_mode:align_corners", "1x1x3x4", "-", "-", "i:1,1,5,7"),
    SINGLE("Resize", "mode:linear antialias=1", "6x8", "-", "f:0.5,0.4"), SINGLE("Resize", "mode:cubic", "1x1x4x5", "-", "f:1,1,1.5,2"),
    SINGLE("Resize", "mode:cubic exclude_outside=1 coordinate_transformation_mode:pytorch_half_pixel", "4x5", "-", "f:2,0.6"),
    SINGLE("Resize", "mode:linear coordinate_transformation_mode:tf_crop_and_resize extrapolation_value=2.5f", "5x6", "f:0.2,-0.3,0.8,1.2", "-", "i:4,5"),
    SINGLE("Resize", "mode:linear axes=2,3", "1x2x3x3", "-", "f:2,3"),
    /* sums of products */
    ROW("Einsum", "equation:ij,jk->ik", "3x4", "4x5"), ROW("Einsum", "equation:bij,bjk->bik", "2x3x4", "2x4x2"), ROW("Einsum", "equation:i,j->ij", "3", "4"),
    ROW("Einsum", "equation:ij->i", "3x4"), ROW("Einsum", "equation:ii->i", "4x4"), ROW("Einsum", "equation:ii", "4x4"), ROW("Einsum", "equation:ij->ji", "3x4"),
    ROW("Einsum", "equation:...ij,...jk->...ik", "2x1x2x3", "4x3x2"), ROW("Einsum", "equation:ijk,ki,j->k", "2x3x4", "4x2", "3"), ROW("Einsum", "equation:ij,ij->", "3x4", "3x4"),
};
/* clang-format on */

static void gradients_follow_differences(void **state) {
    const char *only = getenv("NETZIP_TEST_OP");
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(rows); i++)
        if (!only || strcmp(only, rows[i].op_type) == 0) grad_check(&rows[i]);
}

/* The straight-through gradients of quantisation have no differences to follow: tests/grad/rules.c has them. */
static const char *const by_rule[] = {"QuantizeLinear", "DequantizeLinear"};

static void every_gradient_is_checked(void **state) {
    (void)state;
    for (size_t i = 0; nz_op_at(i); i++) {
        const nz_op *op = nz_op_at(i);
        bool checked = false;
        for (size_t r = 0; r < NZ_COUNT(rows); r++) checked |= strcmp(rows[r].op_type, op->name) == 0;
        for (size_t r = 0; r < NZ_COUNT(by_rule); r++) checked |= strcmp(by_rule[r], op->name) == 0;
        if (op->grad && !checked) fail_msg("%s has a gradient that no row checks", op->name);
        if (!op->grad && (op->grad_inputs || op->grad_reads || op->params))
            fail_msg("%s names inputs of a gradient that it lacks", op->name);
        if (op->grad && !op->grad_inputs) fail_msg("%s has a gradient by no input", op->name);
        if (op->params & ~op->grad_inputs) fail_msg("%s has a parameter without a gradient", op->name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_follow_differences),
        cmocka_unit_test(every_gradient_is_checked),
    };
    return cmocka_run_group_tests_name("grad/operators", tests, NULL, NULL);
}
