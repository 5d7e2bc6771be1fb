/* SPDX-License-Identifier: Apache-2.0 */
/** Mathematical functions of one tensor. */
#include "op/unary.h"

#include <tgmath.h>

#include "core/threads.h"
#include "op/families.h"
#include "op/lift.h"

typedef struct unary_job {
    nz_unary_row *row;
    nz_unary_args args;
    char *out;
    const char *in;
    size_t size;
} unary_job;

static void unary_part(void *argument, size_t begin, size_t end) {
    const unary_job *job = argument;
    job->row(job->out + begin * job->size, job->in + begin * job->size, (int64_t)(end - begin), &job->args);
}

/** Half-precision values pass through a small buffer, so that no copy of the whole tensor is needed. */
static void unary_half(const nz_op_ctx *ctx, nz_unary_row *row, const nz_unary_args *args) {
    float values[256];
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    for (int64_t at = 0; at < n; at += (int64_t)NZ_COUNT(values)) {
        int64_t count = n - at < (int64_t)NZ_COUNT(values) ? n - at : (int64_t)NZ_COUNT(values);
        nz_shape shape = {.rank = 1, .dim = {count}};
        nz_tensor in = nz_tensor_borrow(ctx->in[0]->dtype, &shape, (uint16_t *)ctx->in[0]->data + at);
        nz_tensor out = nz_tensor_borrow(ctx->out[0].dtype, &shape, (uint16_t *)ctx->out[0].data + at);
        nz_tensor_to_f32(&in, values);
        row(values, values, count, args);
        nz_narrow_f32(&out, values, count);
    }
}

nz_status nz_unary_run(const nz_op_ctx *ctx, nz_unary_row *f32, nz_unary_row *f64, nz_unary_args args) {
    nz_dtype dtype = ctx->in[0]->dtype;
    if (dtype == NZ_F16 || dtype == NZ_BF16) {
        unary_half(ctx, f32, &args);
        return NZ_OK;
    }
    unary_job job = {dtype == NZ_F64 ? f64 : f32, args, ctx->out[0].data, ctx->in[0]->data, nz_dtype_size(dtype)};
    nz_parallel((size_t)nz_shape_elements(&ctx->out[0].shape), 8192, unary_part, &job);
    return NZ_OK;
}

typedef struct back_job {
    nz_unary_back *row;
    nz_unary_args args;
    float *to;
    const float *dy, *from;
} back_job;

static void back_part(void *argument, size_t begin, size_t end) {
    const back_job *job = argument;
    job->row(job->to + begin, job->dy + begin, job->from + begin, (int64_t)(end - begin), &job->args);
}

nz_status nz_unary_grad(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_unary_back *row, nz_op_grad_reads source,
                        nz_unary_args args) {
    const nz_tensor *from = source == NZ_GRAD_READS_IN ? ctx->in[0] : grad->out[0];
    back_job job = {row, args, nz_grad_to(ctx, grad, 0), nz_grad_from(grad, 0), from->data};
    nz_parallel((size_t)nz_shape_elements(&ctx->in[0]->shape), 8192, back_part, &job);
    return NZ_OK;
}

NZ_UNARY(ceil, ceil(x))
NZ_UNARY(floor, floor(x))
NZ_UNARY(round, nearbyint(x)) /* half to even: the default rounding mode, which netzip never changes */
NZ_UNARY(sqrt, sqrt(x))
NZ_UNARY(exp, exp(x))
NZ_UNARY(log, log(x))
NZ_UNARY(erf, erf(x))
NZ_UNARY(reciprocal, 1 / x)
NZ_UNARY(sin, sin(x))
NZ_UNARY(cos, cos(x))
NZ_UNARY(tan, tan(x))
NZ_UNARY(asin, asin(x))
NZ_UNARY(acos, acos(x))
NZ_UNARY(atan, atan(x))
NZ_UNARY(sinh, sinh(x))
NZ_UNARY(cosh, cosh(x))
NZ_UNARY(asinh, asinh(x))
NZ_UNARY(acosh, acosh(x))
NZ_UNARY(atanh, atanh(x))
NZ_UNARY(abs_real, fabs(x))
NZ_UNARY(neg_real, -x)
NZ_UNARY(sign_real, (T)(x > 0 ? 1 : x < 0 ? -1 : x)) /* keeps NaN and 0 */

/* ---- gradients ---- */

#define TWO_OVER_ROOT_PI 1.12837916709551257390
NZ_UNARY_GRAD_OUT(sqrt, 0.5f / y)
NZ_UNARY_GRAD_OUT(exp, y)
NZ_UNARY_GRAD(log, 1 / x)
NZ_UNARY_GRAD(erf, (float)TWO_OVER_ROOT_PI *exp(-x *x))
NZ_UNARY_GRAD_OUT(reciprocal, -y *y)
NZ_UNARY_GRAD(sin, cos(x))
NZ_UNARY_GRAD(cos, -sin(x))
NZ_UNARY_GRAD_OUT(tan, 1 + y * y)
NZ_UNARY_GRAD(asin, 1 / sqrt((1 - x) * (1 + x)))
NZ_UNARY_GRAD(acos, -1 / sqrt((1 - x) * (1 + x)))
NZ_UNARY_GRAD(atan, 1 / (1 + x * x))
NZ_UNARY_GRAD(sinh, cosh(x))
NZ_UNARY_GRAD(cosh, sinh(x))
NZ_UNARY_GRAD(asinh, 1 / sqrt(1 + x * x))
NZ_UNARY_GRAD(acosh, 1 / sqrt((x - 1) * (x + 1)))
NZ_UNARY_GRAD(atanh, 1 / ((1 - x) * (1 + x)))
NZ_UNARY_GRAD(abs, x > 0 ? 1 : x < 0 ? -1 : 0)

/* ---- integers too: Abs, Neg, Sign ---- */

#define INT_CASE(op, dtype, type)                                                                                      \
    case dtype: {                                                                                                      \
        const type *in = ctx->in[0]->data;                                                                             \
        type *out = ctx->out[0].data;                                                                                  \
        for (int64_t i = 0; i < n; i++) out[i] = (type)op(in[i]);                                                      \
        return NZ_OK;                                                                                                  \
    }
#define INT_ABS(x) ((x) < 0 ? 0 - (uint64_t)(x) : (uint64_t)(x)) /* the least integer stays: wrap-around */
#define INT_NEG(x) (0 - (uint64_t)(x))
#define INT_SIGN(x) (((x) > 0) - ((x) < 0))
#define SAME(x) (x)
#define NOT_ZERO(x) ((x) != 0)
#define ABS_CASE(dtype, type) INT_CASE(INT_ABS, dtype, type)
#define NEG_CASE(dtype, type) INT_CASE(INT_NEG, dtype, type)
#define SIGN_CASE(dtype, type) INT_CASE(INT_SIGN, dtype, type)
#define SAME_CASE(dtype, type) INT_CASE(SAME, dtype, type)
#define NOT_ZERO_CASE(dtype, type) INT_CASE(NOT_ZERO, dtype, type)

static nz_status run_abs(const nz_op_ctx *ctx) {
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    switch (ctx->in[0]->dtype) {
        NZ_EACH_SIGNED(ABS_CASE)
        NZ_EACH_UNSIGNED(SAME_CASE)
    default: return run_abs_real(ctx);
    }
}

static nz_status run_neg(const nz_op_ctx *ctx) {
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    switch (ctx->in[0]->dtype) {
        NZ_EACH_SIGNED(NEG_CASE)
    default: return run_neg_real(ctx);
    }
}

static nz_status run_sign(const nz_op_ctx *ctx) {
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    switch (ctx->in[0]->dtype) {
        NZ_EACH_SIGNED(SIGN_CASE)
        NZ_EACH_UNSIGNED(NOT_ZERO_CASE)
    default: return run_sign_real(ctx);
    }
}

static nz_status grad_neg(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return nz_grad_by_run(ctx, grad, run_neg_real);
}

/* ---- entries ---- */

#define TYPES_SIGNED                                                                                                   \
    (NZ_TYPES_FLOAT | NZ_TYPE_BIT(NZ_I8) | NZ_TYPE_BIT(NZ_I16) | NZ_TYPE_BIT(NZ_I32) | NZ_TYPE_BIT(NZ_I64))
#define UNARY(label, vs, ts, fn)                                                                                       \
    {                                                                                                                  \
        .name = label, .versions = vs, .canonical_since = 1, .flags = NZ_OP_UNARY, .types = ts, .lift = nz_lift_plain, \
        .infer = nz_op_infer_unary, .count = nz_op_count_1, .run = fn                                                  \
    }
#define SMOOTH(label, vs, ts, fn, back, reads)                                                                         \
    {                                                                                                                  \
        .name = label, .versions = vs, .canonical_since = 1, .flags = NZ_OP_UNARY, .types = ts, .lift = nz_lift_plain, \
        .infer = nz_op_infer_unary, .count = nz_op_count_1, .run = fn, .grad = back, .grad_inputs = 1,                 \
        .grad_reads = reads                                                                                            \
    }

const nz_op nz_ops_unary[] = {
    SMOOTH("Abs", NZ_VERSIONS(1, 6, 13), NZ_TYPES_NUMBER, run_abs, grad_abs, NZ_GRAD_READS_IN),
    SMOOTH("Acos", NZ_VERSIONS(7, 22), NZ_TYPES_FLOAT, run_acos, grad_acos, NZ_GRAD_READS_IN),
    SMOOTH("Acosh", NZ_VERSIONS(9, 22), NZ_TYPES_FLOAT, run_acosh, grad_acosh, NZ_GRAD_READS_IN),
    SMOOTH("Asin", NZ_VERSIONS(7, 22), NZ_TYPES_FLOAT, run_asin, grad_asin, NZ_GRAD_READS_IN),
    SMOOTH("Asinh", NZ_VERSIONS(9, 22), NZ_TYPES_FLOAT, run_asinh, grad_asinh, NZ_GRAD_READS_IN),
    SMOOTH("Atan", NZ_VERSIONS(7, 22), NZ_TYPES_FLOAT, run_atan, grad_atan, NZ_GRAD_READS_IN),
    SMOOTH("Atanh", NZ_VERSIONS(9, 22), NZ_TYPES_FLOAT, run_atanh, grad_atanh, NZ_GRAD_READS_IN),
    UNARY("Ceil", NZ_VERSIONS(1, 6, 13), NZ_TYPES_FLOAT, run_ceil),
    SMOOTH("Cos", NZ_VERSIONS(7, 22), NZ_TYPES_FLOAT, run_cos, grad_cos, NZ_GRAD_READS_IN),
    SMOOTH("Cosh", NZ_VERSIONS(9, 22), NZ_TYPES_FLOAT, run_cosh, grad_cosh, NZ_GRAD_READS_IN),
    SMOOTH("Erf", NZ_VERSIONS(9, 13), NZ_TYPES_FLOAT, run_erf, grad_erf, NZ_GRAD_READS_IN),
    SMOOTH("Exp", NZ_VERSIONS(1, 6, 13), NZ_TYPES_FLOAT, run_exp, grad_exp, NZ_GRAD_READS_OUT),
    UNARY("Floor", NZ_VERSIONS(1, 6, 13), NZ_TYPES_FLOAT, run_floor),
    SMOOTH("Log", NZ_VERSIONS(1, 6, 13), NZ_TYPES_FLOAT, run_log, grad_log, NZ_GRAD_READS_IN),
    SMOOTH("Neg", NZ_VERSIONS(1, 6, 13), TYPES_SIGNED, run_neg, grad_neg, 0),
    SMOOTH("Reciprocal", NZ_VERSIONS(1, 6, 13), NZ_TYPES_FLOAT, run_reciprocal, grad_reciprocal, NZ_GRAD_READS_OUT),
    UNARY("Round", NZ_VERSIONS(11, 22), NZ_TYPES_FLOAT, run_round),
    UNARY("Sign", NZ_VERSIONS(9, 13), NZ_TYPES_NUMBER, run_sign),
    SMOOTH("Sin", NZ_VERSIONS(7, 22), NZ_TYPES_FLOAT, run_sin, grad_sin, NZ_GRAD_READS_IN),
    SMOOTH("Sinh", NZ_VERSIONS(9, 22), NZ_TYPES_FLOAT, run_sinh, grad_sinh, NZ_GRAD_READS_IN),
    SMOOTH("Sqrt", NZ_VERSIONS(1, 6, 13), NZ_TYPES_FLOAT, run_sqrt, grad_sqrt, NZ_GRAD_READS_OUT),
    SMOOTH("Tan", NZ_VERSIONS(7, 22), NZ_TYPES_FLOAT, run_tan, grad_tan, NZ_GRAD_READS_OUT),
    {0},
};
