/* SPDX-License-Identifier: Apache-2.0 */
/** How element-wise functions of one tensor are written down and run: one expression, in f32 and f64. */
#ifndef NZ_OP_UNARY_H
#define NZ_OP_UNARY_H

#include "op/grad.h"

/** Up to two numbers of a function: the node's attributes, read once. */
typedef struct nz_unary_args {
    double alpha, beta;
} nz_unary_args;

/** n elements from `in` to `out` (which may be the same). */
typedef void nz_unary_row(void *out, const void *in, int64_t n, const nz_unary_args *args);

/** Runs f32 or f64 (by input 0's type; half precision by way of f32) over all elements, in parallel where large. */
NZ_CHECKED nz_status nz_unary_run(const nz_op_ctx *ctx, nz_unary_row *f32, nz_unary_row *f64, nz_unary_args args);

/** Gradients of n elements: to = dy * f'(x), where `from` is x or f(x). `to` may be dys. */
typedef void nz_unary_back(float *to, const float *dys, const float *from, int64_t n, const nz_unary_args *args);
/** As an entry's grad, with what `source` says (NZ_GRAD_READS_IN or NZ_GRAD_READS_OUT) as `from`. */
NZ_CHECKED nz_status nz_unary_grad(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_unary_back *row,
                                   nz_op_grad_reads source, nz_unary_args args);

/** Defines run_<name>, which computes EXPR of x (of type T: float, then double) with the numbers a and b, which are the
 * attributes ALPHA and BETA (a string, and the value where it is absent). */
#define NZ_UNARY_ARGS(name, EXPR, ALPHA, ALPHA_DEFAULT, BETA, BETA_DEFAULT)                                            \
    NZ_UNARY_ROW(name, float, EXPR)                                                                                    \
    NZ_UNARY_ROW(name, double, EXPR)                                                                                   \
    static nz_status run_##name(const nz_op_ctx *ctx) {                                                                \
        nz_unary_args args = {(double)nz_attr_float(ctx->node, ALPHA, ALPHA_DEFAULT),                                  \
                              (double)nz_attr_float(ctx->node, BETA, BETA_DEFAULT)};                                   \
        return nz_unary_run(ctx, name##_float, name##_double, args);                                                   \
    }
#define NZ_UNARY(name, EXPR)                                                                                           \
    NZ_UNARY_ROW(name, float, EXPR)                                                                                    \
    NZ_UNARY_ROW(name, double, EXPR)                                                                                   \
    static nz_status run_##name(const nz_op_ctx *ctx) {                                                                \
        return nz_unary_run(ctx, name##_float, name##_double, (nz_unary_args){0});                                     \
    }
#define NZ_UNARY_ROW(name, REAL, EXPR)                                                                                 \
    static void name##_##REAL(void *to, const void *from, int64_t n, const nz_unary_args *args) {                      \
        typedef REAL T;                                                                                                \
        const T *in = from, a = (T)args->alpha, b = (T)args->beta;                                                     \
        T *out = to;                                                                                                   \
        (void)a, (void)b;                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const T x = in[i];                                                                                         \
            out[i] = (EXPR);                                                                                           \
        }                                                                                                              \
    }

/** Defines grad_<name>: the derivative EXPR of x, with the numbers a and b as NZ_UNARY_ARGS has them. */
#define NZ_UNARY_GRAD_ARGS(name, EXPR, ALPHA, ALPHA_DEFAULT, BETA, BETA_DEFAULT)                                       \
    NZ_UNARY_BACK(name, x, EXPR)                                                                                       \
    static nz_status grad_##name(const nz_op_ctx *ctx, const nz_op_grad *grad) {                                       \
        nz_unary_args args = {(double)nz_attr_float(ctx->node, ALPHA, ALPHA_DEFAULT),                                  \
                              (double)nz_attr_float(ctx->node, BETA, BETA_DEFAULT)};                                   \
        return nz_unary_grad(ctx, grad, name##_back, NZ_GRAD_READS_IN, args);                                          \
    }
/** Defines grad_<name> by a derivative that EXPR gives from x, the function's argument, */
#define NZ_UNARY_GRAD(name, EXPR)                                                                                      \
    NZ_UNARY_BACK(name, x, EXPR)                                                                                       \
    static nz_status grad_##name(const nz_op_ctx *ctx, const nz_op_grad *grad) {                                       \
        return nz_unary_grad(ctx, grad, name##_back, NZ_GRAD_READS_IN, (nz_unary_args){0});                            \
    }
/** or from y, its value. */
#define NZ_UNARY_GRAD_OUT(name, EXPR)                                                                                  \
    NZ_UNARY_BACK(name, y, EXPR)                                                                                       \
    static nz_status grad_##name(const nz_op_ctx *ctx, const nz_op_grad *grad) {                                       \
        return nz_unary_grad(ctx, grad, name##_back, NZ_GRAD_READS_OUT, (nz_unary_args){0});                           \
    }
#define NZ_UNARY_BACK(name, value, EXPR)                                                                               \
    static void name##_back(float *to, const float *dys, const float *from, int64_t n, const nz_unary_args *args) {    \
        const float a = (float)args->alpha, b = (float)args->beta;                                                     \
        (void)a, (void)b;                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const float value = from[i];                                                                               \
            (void)value;                                                                                               \
            to[i] = dys[i] * (float)(EXPR);                                                                            \
        }                                                                                                              \
    }

#endif
