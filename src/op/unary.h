/* SPDX-License-Identifier: Apache-2.0 */
/** How element-wise functions of one tensor are written down and run: one expression, in f32 and f64. */
#ifndef NZ_OP_UNARY_H
#define NZ_OP_UNARY_H

#include "op/helper.h"

/** Up to two numbers of a function: the node's attributes, read once. */
typedef struct nz_unary_args {
    double alpha, beta;
} nz_unary_args;

/** n elements from `in` to `out` (which may be the same). */
typedef void nz_unary_row(void *out, const void *in, int64_t n, const nz_unary_args *args);

/** Runs f32 or f64 (by input 0's type; half precision by way of f32) over all elements, in parallel where large. */
NZ_CHECKED nz_status nz_unary_run(const nz_op_ctx *ctx, nz_unary_row *f32, nz_unary_row *f64, nz_unary_args args);

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

#endif
