/* SPDX-License-Identifier: Apache-2.0 */
/** Activation functions. */
#include <float.h>
#include <string.h>
#include <tgmath.h>

#include "op/families.h"
#include "op/lift.h"
#include "op/unary.h"

#define SIGMOID(x) (1 / (1 + exp(-(x))))
/* log(1 + e^x) without overflow. */
#define SOFTPLUS(x) (((x) > 0 ? (x) : 0) + log1p(exp(-fabs(x))))
#define CLAMP01(x) ((x) < 0 ? 0 : (x) > 1 ? 1 : (x))
#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_OVER_PI 0.79788456080286535588

NZ_UNARY(sigmoid, SIGMOID(x))
NZ_UNARY(tanh, tanh(x))
NZ_UNARY(softplus, (T)SOFTPLUS(x))
NZ_UNARY(softsign, x / (1 + fabs(x)))
NZ_UNARY(mish, x *tanh((T)SOFTPLUS(x)))
NZ_UNARY(relu_real, x < 0 ? 0 : x)
NZ_UNARY(hard_swish, x *(T)CLAMP01(x *(T)(1.0 / 6) + (T)0.5))
NZ_UNARY(gelu_erf, (T)0.5 * x * (1 + erf(x * (T)SQRT_HALF)))
NZ_UNARY(gelu_tanh, (T)0.5 * x * (1 + tanh((T)SQRT_2_OVER_PI * (x + (T)0.044715 * x * x * x))))
NZ_UNARY_ARGS(leaky_relu, x < 0 ? a * x : x, "alpha", 0.01f, "", 0)
NZ_UNARY_ARGS(elu, x < 0 ? a * expm1(x) : x, "alpha", 1.0f, "", 0)
NZ_UNARY_ARGS(celu, x < 0 ? a * expm1(x / a) : x, "alpha", 1.0f, "", 0)
NZ_UNARY_ARGS(selu, b *(x < 0 ? a * expm1(x) : x), "alpha", 1.67326319217681884765625f, "gamma",
              1.05070102214813232421875f)
NZ_UNARY_ARGS(thresholded_relu, x > a ? x : 0, "alpha", 1.0f, "", 0)
NZ_UNARY_ARGS(hard_sigmoid, (T)CLAMP01(a *x + b), "alpha", 0.2f, "beta", 0.5f)
NZ_UNARY_ARGS(shrink_real, x<-a ? x + b : x> a ? x - b : 0, "lambd", 0.5f, "bias", 0.0f)
NZ_UNARY_ARGS(swish, x *SIGMOID(a *x), "alpha", 1.0f, "", 0)

static nz_status run_gelu(const nz_op_ctx *ctx) {
    return strcmp(nz_attr_string(ctx->node, "approximate", "none"), "tanh") == 0 ? run_gelu_tanh(ctx)
                                                                                 : run_gelu_erf(ctx);
}

static nz_status infer_gelu(const nz_op_ctx *ctx) {
    const char *kind = nz_attr_string(ctx->node, "approximate", "none");
    if (strcmp(kind, "none") != 0 && strcmp(kind, "tanh") != 0)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "approximate must be none or tanh, not '%s'", kind);
    return nz_op_infer_unary(ctx);
}

/* ---- gradients: at a kink that of the flatter side ---- */

NZ_UNARY_GRAD_OUT(sigmoid, y *(1 - y))
NZ_UNARY_GRAD_OUT(tanh, 1 - y * y)
NZ_UNARY_GRAD_OUT(softplus, -expm1(-y))
NZ_UNARY_GRAD(softsign, 1 / ((1 + fabs(x)) * (1 + fabs(x))))
NZ_UNARY_GRAD_OUT(relu, y > 0 ? 1 : 0)
NZ_UNARY_GRAD(hard_swish, x <= -3 ? 0 : x >= 3 ? 1 : x * (float)(1.0 / 3) + 0.5f)
NZ_UNARY_GRAD_ARGS(leaky_relu, x > 0 ? 1 : a, "alpha", 0.01f, "", 0)
NZ_UNARY_GRAD_ARGS(elu, x > 0 ? 1 : a * exp(x), "alpha", 1.0f, "", 0)
NZ_UNARY_GRAD_ARGS(celu, x > 0 ? 1 : exp(x / a), "alpha", 1.0f, "", 0)
NZ_UNARY_GRAD_ARGS(selu, b *(x > 0 ? 1 : a * exp(x)), "alpha", 1.67326319217681884765625f, "gamma",
                   1.05070102214813232421875f)
NZ_UNARY_GRAD_ARGS(thresholded_relu, x > a ? 1 : 0, "alpha", 1.0f, "", 0)
NZ_UNARY_GRAD_ARGS(hard_sigmoid, a *x + b > 0 && a * x + b < 1 ? a : 0, "alpha", 0.2f, "beta", 0.5f)
NZ_UNARY_GRAD_ARGS(shrink, x<-a || x> a ? 1 : 0, "lambd", 0.5f, "bias", 0.0f)

/** With e = exp(x), tanh(softplus(x)) is n / (n + 2) for n = e^2 + 2e; from x = 20 on it is 1. */
static float mish_slope(float x) {
    float e = exp(x < 20 ? x : 20), n = e * (e + 2), t = n / (n + 2);
    return t + x * e / (1 + e) * (1 - t * t);
}
static float swish_slope(float x, float a) {
    float s = SIGMOID(a * x);
    return s + a * x * s * (1 - s);
}
static float gelu_erf_slope(float x) {
    return 0.5f * (1 + erf(x * (float)SQRT_HALF)) + x * (float)(0.5 * SQRT_2_OVER_PI) * exp(-0.5f * x * x);
}
static float gelu_tanh_slope(float x) {
    float t = tanh((float)SQRT_2_OVER_PI * (x + 0.044715f * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * (float)SQRT_2_OVER_PI * (1 + 0.134145f * x * x);
}
NZ_UNARY_GRAD(mish, mish_slope(x))
NZ_UNARY_GRAD_ARGS(swish, swish_slope(x, a), "alpha", 1.0f, "", 0)
NZ_UNARY_GRAD(gelu_erf, gelu_erf_slope(x))
NZ_UNARY_GRAD(gelu_tanh, gelu_tanh_slope(x))

static nz_status grad_gelu(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return strcmp(nz_attr_string(ctx->node, "approximate", "none"), "tanh") == 0 ? grad_gelu_tanh(ctx, grad)
                                                                                 : grad_gelu_erf(ctx, grad);
}

/* ---- integers ---- */

#define RELU_CASE(dtype, type)                                                                                         \
    case dtype: {                                                                                                      \
        const type *in = ctx->in[0]->data;                                                                             \
        type *out = ctx->out[0].data;                                                                                  \
        for (int64_t i = 0; i < n; i++) out[i] = (type)(in[i] < 0 ? 0 : in[i]);                                        \
        return NZ_OK;                                                                                                  \
    }

static nz_status run_relu(const nz_op_ctx *ctx) {
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    switch (ctx->in[0]->dtype) {
        NZ_EACH_SIGNED(RELU_CASE)
    default: return run_relu_real(ctx);
    }
}

/* ---- Clip: the bounds are inputs, which may be computed ---- */

static nz_status infer_clip(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 3, 1));
    for (size_t i = 1; i < ctx->in_count; i++) {
        if (!ctx->in[i]) continue;
        NZ_TRY(nz_op_same_type(ctx, 0, i));
        if (nz_shape_elements(&ctx->in[i]->shape) != 1)
            return nz_op_fail(ctx, NZ_E_SHAPE, "bound %zu must be a single number", i);
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

#define CLIP_CASE(dtype, type)                                                                                         \
    case dtype: {                                                                                                      \
        const type *in = ctx->in[0]->data, *low = least ? least->data : NULL, *high = most ? most->data : NULL;        \
        type *out = ctx->out[0].data;                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            type x = in[i];                                                                                            \
            if (low && x < *low) x = *low;                                                                             \
            if (high && x > *high) x = *high;                                                                          \
            out[i] = x;                                                                                                \
        }                                                                                                              \
        return NZ_OK;                                                                                                  \
    }

static nz_status plain_clip(const nz_op_ctx *ctx) {
    const nz_tensor *least = nz_op_in(ctx, 1), *most = nz_op_in(ctx, 2);
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    switch (ctx->in[0]->dtype) {
        NZ_EACH_INT(CLIP_CASE)
        NZ_EACH_REAL(CLIP_CASE)
    default: return nz_fail(NZ_E_INTERNAL, "Clip was planned for a type that it does not have");
    }
}
static nz_status run_clip(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_clip); }

/** 0 at the bounds, as Relu has it at 0. */
NZ_UNARY_BACK(clip, x, x > a && x < b ? 1 : 0)

static nz_status grad_clip(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_tensor *least = nz_op_in(ctx, 1), *most = nz_op_in(ctx, 2);
    const nz_unary_args bounds = {least ? nz_tensor_real(least, 0) : -INFINITY,
                                  most ? nz_tensor_real(most, 0) : INFINITY};
    return nz_unary_grad(ctx, grad, clip_back, NZ_GRAD_READS_IN, bounds);
}

static nz_status lift_clip(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    if (n->opset >= 11) return NZ_OK;
    const nz_attr *least = nz_attr_get(n, "min"), *most = nz_attr_get(n, "max");
    double low = (double)nz_attr_float(n, "min", -FLT_MAX), high = (double)nz_attr_float(n, "max", FLT_MAX);
    NZ_TRY(nz_lift_plain(graph, node));
    if (least) NZ_TRY(nz_lift_number(graph, node, "min", low, 1));
    if (most) NZ_TRY(nz_lift_number(graph, node, "max", high, 2));
    nz_node_remove_attr(&graph->nodes[node], "min");
    nz_node_remove_attr(&graph->nodes[node], "max");
    return NZ_OK;
}

/* ---- Shrink of integers, PRelu ---- */

#define SHRINK_CASE(dtype, type)                                                                                       \
    case dtype: {                                                                                                      \
        const type *in = ctx->in[0]->data;                                                                             \
        type *out = ctx->out[0].data;                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double x = (double)in[i];                                                                                  \
            out[i] = (type)(int64_t)(x < -lambda ? x + bias : x > lambda ? x - bias : 0);                              \
        }                                                                                                              \
        return NZ_OK;                                                                                                  \
    }

static nz_status run_shrink(const nz_op_ctx *ctx) {
    double lambda = (double)nz_attr_float(ctx->node, "lambd", 0.5f),
           bias = (double)nz_attr_float(ctx->node, "bias", 0.0f);
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    switch (ctx->in[0]->dtype) {
        SHRINK_CASE(NZ_I8, int8_t)
        SHRINK_CASE(NZ_I16, int16_t)
        SHRINK_CASE(NZ_I32, int32_t)
        SHRINK_CASE(NZ_U8, uint8_t)
        SHRINK_CASE(NZ_U16, uint16_t)
        SHRINK_CASE(NZ_U32, uint32_t)
    default: return run_shrink_real(ctx);
    }
}

static nz_status infer_prelu(const nz_op_ctx *ctx) {
    nz_shape shape;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 1));
    NZ_TRY(nz_op_broadcast_inputs(ctx, &shape));
    if (shape.rank != ctx->in[0]->shape.rank || nz_shape_elements(&shape) != nz_shape_elements(&ctx->in[0]->shape)) {
        char left[112], right[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "a slope of shape %s does not broadcast to %s",
                          nz_shape_text(&ctx->in[1]->shape, right), nz_shape_text(&ctx->in[0]->shape, left));
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

#define PRELU_ROW(dtype, type)                                                                                         \
    static void prelu_##type(char *const at[], const int64_t stride[], int64_t n, const void *argument) {              \
        type *out = (void *)at[0];                                                                                     \
        const type *in = (const void *)at[1], *slope = (const void *)at[2];                                            \
        (void)argument;                                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            type x = in[i * stride[1]];                                                                                \
            out[i] = x < 0 ? (type)(slope[i * stride[2]] * x) : x;                                                     \
        }                                                                                                              \
    }
NZ_EACH_REAL(PRELU_ROW)

static nz_status plain_prelu(const nz_op_ctx *ctx) {
    nz_loop loop;
    nz_loop_init(&loop, &ctx->out[0].shape);
    nz_loop_add(&loop, &ctx->out[0]);
    nz_loop_add(&loop, ctx->in[0]);
    nz_loop_add(&loop, ctx->in[1]);
    nz_loop_run(&loop, ctx->in[0]->dtype == NZ_F64 ? prelu_double : prelu_float, NULL);
    return NZ_OK;
}
static nz_status run_prelu(const nz_op_ctx *ctx) { return nz_op_run_widened(ctx, plain_prelu); }

NZ_GRAD_ROW(prelu_by_x, dy *(a > 0 ? 1 : b))
NZ_GRAD_ROW(prelu_by_slope, dy *(a < 0 ? a : 0))

static nz_status grad_prelu(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    NZ_TRY(nz_grad_broadcast(ctx, grad, 0, ctx->in[0], ctx->in[1], prelu_by_x, NULL));
    return nz_grad_broadcast(ctx, grad, 1, ctx->in[0], ctx->in[1], prelu_by_slope, NULL);
}

/** Before opset 7 a slope per channel is a plain list along axis 1. */
static nz_status lift_prelu(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    NZ_TRY(nz_lift_plain(graph, node));
    if (n->opset >= 7 || n->input_count < 2 || n->inputs[0] == NZ_NO_VALUE || n->inputs[1] == NZ_NO_VALUE) return NZ_OK;
    nz_shape data = graph->values[n->inputs[0]].shape, slope = graph->values[n->inputs[1]].shape;
    if (slope.rank == 0 || nz_shape_elements(&slope) == 1) return NZ_OK;
    if (slope.rank < 0 || data.rank < 0)
        return nz_node_fail(n, NZ_E_UNSUPPORTED, "a slope per channel of opset %d needs inputs of known rank",
                            n->opset);
    if (slope.rank != 1 || data.rank < 3) return NZ_OK;
    int64_t axes[NZ_MAX_RANK];
    int value = NZ_NO_VALUE;
    for (int d = 1; d < data.rank - 1; d++) axes[d - 1] = d;
    NZ_TRY(nz_lift_add_ints(graph, &value, "slope_axes", axes, (size_t)(data.rank - 2)));
    return nz_lift_insert(graph, NULL, node, 1, "Unsqueeze", value);
}

/** Opset 1 had rounded defaults. */
static nz_status lift_selu(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    NZ_TRY(nz_lift_plain(graph, node));
    if (n->opset >= 6) return NZ_OK;
    if (!nz_attr_get(n, "alpha")) NZ_TRY(nz_node_set_float(n, "alpha", 1.6732f));
    if (!nz_attr_get(n, "gamma")) NZ_TRY(nz_node_set_float(n, "gamma", 1.0507f));
    return NZ_OK;
}

/* ---- entries ---- */

#define TYPES_SIGNED                                                                                                   \
    (NZ_TYPES_FLOAT | NZ_TYPE_BIT(NZ_I8) | NZ_TYPE_BIT(NZ_I16) | NZ_TYPE_BIT(NZ_I32) | NZ_TYPE_BIT(NZ_I64))
#define TYPES_SHRINK                                                                                                   \
    (NZ_TYPES_FLOAT | NZ_TYPE_BIT(NZ_I8) | NZ_TYPE_BIT(NZ_I16) | NZ_TYPE_BIT(NZ_I32) | NZ_TYPE_BIT(NZ_U8) |            \
     NZ_TYPE_BIT(NZ_U16) | NZ_TYPE_BIT(NZ_U32))
#define ACTIVATION(label, vs, since_, counter, function, reads, ...)                                                   \
    {                                                                                                                  \
        .name = label, .versions = vs, .canonical_since = since_, .flags = NZ_OP_UNARY, .types = NZ_TYPES_FLOAT,       \
        .attributes = NZ_ATTRIBUTES(__VA_ARGS__), .lift = nz_lift_plain, .infer = nz_op_infer_unary, .count = counter, \
        .run = run_##function, .grad = grad_##function, .grad_inputs = 1, .grad_reads = reads                          \
    }
#define ACTIVATION_PLAIN(label, vs, since_, counter, function, reads)                                                  \
    {                                                                                                                  \
        .name = label, .versions = vs, .canonical_since = since_, .flags = NZ_OP_UNARY, .types = NZ_TYPES_FLOAT,       \
        .lift = nz_lift_plain, .infer = nz_op_infer_unary, .count = counter, .run = run_##function,                    \
        .grad = grad_##function, .grad_inputs = 1, .grad_reads = reads                                                 \
    }

const nz_op nz_ops_activation[] = {
    ACTIVATION_PLAIN("HardSwish", NZ_VERSIONS(14, 22), 14, nz_op_count_2, hard_swish, NZ_GRAD_READS_IN),
    ACTIVATION_PLAIN("Mish", NZ_VERSIONS(18, 22), 18, nz_op_count_3, mish, NZ_GRAD_READS_IN),
    ACTIVATION_PLAIN("Sigmoid", NZ_VERSIONS(1, 6, 13), 1, nz_op_count_1, sigmoid, NZ_GRAD_READS_OUT),
    ACTIVATION_PLAIN("Softplus", NZ_VERSIONS(1, 22), 1, nz_op_count_1, softplus, NZ_GRAD_READS_OUT),
    ACTIVATION_PLAIN("Softsign", NZ_VERSIONS(1, 22), 1, nz_op_count_1, softsign, NZ_GRAD_READS_IN),
    ACTIVATION_PLAIN("Tanh", NZ_VERSIONS(1, 6, 13), 1, nz_op_count_1, tanh, NZ_GRAD_READS_OUT),
    ACTIVATION("Celu", NZ_VERSIONS(12), 12, nz_op_count_1, celu, NZ_GRAD_READS_IN, "alpha"),
    ACTIVATION("Elu", NZ_VERSIONS(1, 6, 22), 1, nz_op_count_1, elu, NZ_GRAD_READS_IN, "alpha"),
    ACTIVATION("HardSigmoid", NZ_VERSIONS(1, 6, 22), 1, nz_op_count_1, hard_sigmoid, NZ_GRAD_READS_IN, "alpha", "beta"),
    ACTIVATION("LeakyRelu", NZ_VERSIONS(1, 6, 16), 1, nz_op_count_1, leaky_relu, NZ_GRAD_READS_IN, "alpha"),
    ACTIVATION("Swish", NZ_VERSIONS(24), 24, nz_op_count_2, swish, NZ_GRAD_READS_IN, "alpha"),
    ACTIVATION("ThresholdedRelu", NZ_VERSIONS(10, 22), 10, nz_op_count_1, thresholded_relu, NZ_GRAD_READS_IN, "alpha"),
    {.name = "Selu",
     .versions = NZ_VERSIONS(1, 6, 22),
     .canonical_since = 6,
     .flags = NZ_OP_UNARY,
     .types = NZ_TYPES_FLOAT,
     .attributes = NZ_ATTRIBUTES("alpha", "gamma"),
     .lift = lift_selu,
     .infer = nz_op_infer_unary,
     .count = nz_op_count_1,
     .run = run_selu,
     .grad = grad_selu,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "Gelu",
     .versions = NZ_VERSIONS(20),
     .canonical_since = 20,
     .flags = NZ_OP_UNARY,
     .types = NZ_TYPES_FLOAT,
     .attributes = NZ_ATTRIBUTES("approximate"),
     .infer = infer_gelu,
     .count = nz_op_count_5,
     .run = run_gelu,
     .grad = grad_gelu,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "Relu",
     .versions = NZ_VERSIONS(1, 6, 13, 14),
     .canonical_since = 1,
     .flags = NZ_OP_UNARY,
     .types = TYPES_SIGNED,
     .lift = nz_lift_plain,
     .infer = nz_op_infer_unary,
     .count = nz_op_count_1,
     .run = run_relu,
     .grad = grad_relu,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_OUT},
    {.name = "Shrink",
     .versions = NZ_VERSIONS(9),
     .canonical_since = 9,
     .flags = NZ_OP_UNARY,
     .types = TYPES_SHRINK,
     .attributes = NZ_ATTRIBUTES("lambd", "bias"),
     .infer = nz_op_infer_unary,
     .count = nz_op_count_1,
     .run = run_shrink,
     .grad = grad_shrink,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "Clip",
     .versions = NZ_VERSIONS(1, 6, 11, 12, 13),
     .canonical_since = 12,
     .flags = NZ_OP_UNARY,
     .types = NZ_TYPES_NUMBER,
     .lift = lift_clip,
     .infer = infer_clip,
     .count = nz_op_count_1,
     .run = run_clip,
     .grad = grad_clip,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "PRelu",
     .versions = NZ_VERSIONS(1, 6, 7, 9, 16),
     .canonical_since = 7,
     .types = NZ_TYPES_FLOAT,
     .lift = lift_prelu,
     .infer = infer_prelu,
     .count = nz_op_count_1,
     .run = run_prelu,
     .grad = grad_prelu,
     .grad_inputs = 3,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 2},
    {0},
};
