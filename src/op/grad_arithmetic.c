/* SPDX-License-Identifier: Apache-2.0 */
/** Gradients of arithmetic with broadcasting. */
#include "op/grad_arithmetic.h"

#include <math.h>
#include <string.h>

#include "op/grad.h"

/* ---- what passes on as it is ---- */

/** Every wanted gradient is factor(i) times what flows in, summed over what was broadcast. */
static nz_status pass_on(const nz_op_ctx *ctx, const nz_op_grad *grad, float first, float others) {
    for (size_t i = 0; i < ctx->in_count; i++) {
        float *to = nz_grad_to(ctx, grad, i), factor = i == 0 ? first : others;
        if (!to) continue;
        nz_grad_sum_to(to, &ctx->in[i]->shape, &grad->dout[0]->shape, nz_grad_from(grad, 0));
        if (factor == 1) continue;
        int64_t n = nz_shape_elements(&ctx->in[i]->shape);
        for (int64_t k = 0; k < n; k++) to[k] *= factor;
    }
    return NZ_OK;
}

nz_status nz_grad_add(const nz_op_ctx *ctx, const nz_op_grad *grad) { return pass_on(ctx, grad, 1, 1); }
nz_status nz_grad_sum_of(const nz_op_ctx *ctx, const nz_op_grad *grad) { return pass_on(ctx, grad, 1, 1); }
nz_status nz_grad_sub(const nz_op_ctx *ctx, const nz_op_grad *grad) { return pass_on(ctx, grad, 1, -1); }
nz_status nz_grad_mean(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    float share = 1 / (float)ctx->in_count;
    return pass_on(ctx, grad, share, share);
}

/* ---- products and quotients ---- */

NZ_GRAD_ROW(times_a, dy *a)
NZ_GRAD_ROW(over_b, dy / b)
NZ_GRAD_ROW(quotient_by_b, -dy *a / b / b)

nz_status nz_grad_mul(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    NZ_TRY(nz_grad_broadcast(ctx, grad, 0, ctx->in[1], NULL, times_a, NULL));
    return nz_grad_broadcast(ctx, grad, 1, ctx->in[0], NULL, times_a, NULL);
}

nz_status nz_grad_div(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    NZ_TRY(nz_grad_broadcast(ctx, grad, 0, ctx->in[0], ctx->in[1], over_b, NULL));
    return nz_grad_broadcast(ctx, grad, 1, ctx->in[0], ctx->in[1], quotient_by_b, NULL);
}

/* ---- powers ---- */

static float power_by_base(float x, float exponent) {
    if (exponent == 0) return 0;
    if (exponent == 1) return 1;
    if (exponent == 2) return 2 * x;
    return exponent * powf(x, exponent - 1);
}
/** 0 where the base is 0, as the power then does not depend on an exponent above 0. */
static float power_by_exponent(float x, float exponent) {
    return x == 0 && exponent >= 0 ? 0 : powf(x, exponent) * logf(x);
}
NZ_GRAD_ROW(by_base, dy *power_by_base(a, b))
NZ_GRAD_ROW(by_exponent, dy *power_by_exponent(a, b))

nz_status nz_grad_pow(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    nz_tensor exponent = *ctx->in[1];
    if (exponent.dtype != NZ_F32) { /* it may have any type of numbers */
        int64_t n = nz_shape_elements(&exponent.shape);
        float *values;
        NZ_TRY(nz_arena_alloc(ctx->scratch, &values, (size_t)n, sizeof *values));
        nz_tensor_to_f32(ctx->in[1], values);
        exponent = nz_tensor_borrow(NZ_F32, &ctx->in[1]->shape, values);
    }
    NZ_TRY(nz_grad_broadcast(ctx, grad, 0, ctx->in[0], &exponent, by_base, NULL));
    return nz_grad_broadcast(ctx, grad, 1, ctx->in[0], &exponent, by_exponent, NULL);
}

/* ---- the largest and the smallest: all goes to the first of equals ---- */

typedef struct contest {
    float number;
    bool smallest;
} contest;

/* at: winner so far, best so far, values of input `number`. */
static void compete_row(char *const at[], const int64_t stride[], int64_t n, const void *argument) {
    float *winner = (void *)at[0], *best = (void *)at[1];
    const float *x = (const void *)at[2];
    const contest *c = argument;
    for (int64_t i = 0; i < n; i++) {
        float value = x[i * stride[2]], *held = &best[i * stride[1]];
        bool wins =
            c->number == 0 || (*held == *held && (value != value || (c->smallest ? value < *held : value > *held)));
        if (!wins) continue;
        *held = value;
        winner[i * stride[0]] = c->number;
    }
}

static void winner_row(char *const at[], const int64_t stride[], int64_t n, const void *argument) {
    float *to = (void *)at[0];
    const float *dy = (const void *)at[1], *winner = (const void *)at[2], number = *(const float *)argument;
    for (int64_t i = 0; i < n; i++) to[i * stride[0]] = winner[i * stride[2]] == number ? dy[i * stride[1]] : 0;
}

static nz_status grad_best(const nz_op_ctx *ctx, const nz_op_grad *grad, bool smallest) {
    const nz_shape *shape = &grad->dout[0]->shape;
    size_t n = (size_t)nz_shape_elements(shape);
    float *winners, *best;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &winners, n, sizeof *winners));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &best, n, sizeof *best));
    const nz_tensor winner = nz_tensor_borrow(NZ_F32, shape, winners), held = nz_tensor_borrow(NZ_F32, shape, best);
    for (size_t i = 0; i < ctx->in_count; i++) {
        const contest c = {(float)i, smallest};
        nz_loop loop;
        nz_loop_init(&loop, shape);
        nz_loop_add(&loop, &winner);
        nz_loop_add(&loop, &held);
        nz_loop_add(&loop, ctx->in[i]);
        nz_loop_run(&loop, compete_row, &c);
    }
    for (size_t i = 0; i < ctx->in_count; i++) {
        const float number = (float)i;
        NZ_TRY(nz_grad_broadcast(ctx, grad, i, &winner, NULL, winner_row, &number));
    }
    return NZ_OK;
}

nz_status nz_grad_max(const nz_op_ctx *ctx, const nz_op_grad *grad) { return grad_best(ctx, grad, false); }
nz_status nz_grad_min(const nz_op_ctx *ctx, const nz_op_grad *grad) { return grad_best(ctx, grad, true); }
