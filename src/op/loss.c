/* SPDX-License-Identifier: Apache-2.0 */
/** Losses over class scores: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. */
#include <math.h>
#include <string.h>

#include "op/families.h"
#include "op/helper.h"

typedef enum loss_reduction { LOSS_NONE, LOSS_SUM, LOSS_MEAN } loss_reduction;

static nz_status read_reduction(const nz_op_ctx *ctx, loss_reduction *ret_kind) {
    const char *name = nz_attr_string(ctx->node, "reduction", "mean");
    if (strcmp(name, "none") == 0)
        *ret_kind = LOSS_NONE;
    else if (strcmp(name, "sum") == 0)
        *ret_kind = LOSS_SUM;
    else if (strcmp(name, "mean") == 0)
        *ret_kind = LOSS_MEAN;
    else
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "reduction must be none, sum or mean, not '%s'", name);
    return NZ_OK;
}

static nz_status infer_loss(const nz_op_ctx *ctx, size_t outputs) {
    loss_reduction kind = LOSS_MEAN;
    NZ_TRY(nz_op_check(ctx, 2, 3, outputs));
    NZ_TRY(read_reduction(ctx, &kind));
    NZ_TRY(nz_op_same_type(ctx, 0, 2));
    const nz_shape *scores = &ctx->in[0]->shape, *targets = &ctx->in[1]->shape;
    const nz_tensor *weights = nz_op_in(ctx, 2);
    bool fits = scores->rank >= 2 && targets->rank == scores->rank - 1;
    for (int d = 0; fits && d < targets->rank; d++) {
        int64_t x = targets->dim[d], y = scores->dim[d == 0 ? 0 : d + 1];
        fits = x == y || x < 0 || y < 0;
    }
    if (!fits) {
        char a[112], b[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "targets of shape %s do not fit scores of shape %s",
                          nz_shape_text(targets, a), nz_shape_text(scores, b));
    }
    if (ctx->in[1]->dtype != NZ_I64 && ctx->in[1]->dtype != NZ_I32)
        return nz_op_fail(ctx, NZ_E_SHAPE, "targets must be int64 or int32");
    if (weights && (weights->shape.rank != 1 ||
                    (scores->dim[1] >= 0 && weights->shape.dim[0] >= 0 && weights->shape.dim[0] != scores->dim[1])))
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs one weight per class");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, kind == LOSS_NONE ? targets : &(nz_shape){.rank = 0});
    return NZ_OK;
}

static nz_status infer_nll(const nz_op_ctx *ctx) { return infer_loss(ctx, 1); }

static nz_status infer_cross_entropy(const nz_op_ctx *ctx) {
    NZ_TRY(infer_loss(ctx, 2));
    nz_op_set_out(ctx, 1, ctx->in[0]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

/** The loss of every target from `log_prob` (f64, shaped as the scores), reduced as the node says. */
static nz_status reduce_loss(const nz_op_ctx *ctx, const double *log_prob) {
    const nz_tensor *targets = ctx->in[1], *weights = nz_op_in(ctx, 2);
    const nz_shape *scores = &ctx->in[0]->shape;
    int64_t classes = scores->dim[1], inner = nz_shape_span(scores, 2, scores->rank),
            n = nz_shape_elements(&targets->shape);
    bool ignores = nz_attr_get(ctx->node, "ignore_index") != NULL;
    int64_t ignored = nz_attr_int(ctx->node, "ignore_index", 0);
    double sum = 0, weight_sum = 0;
    loss_reduction kind = LOSS_MEAN;
    NZ_TRY(read_reduction(ctx, &kind));
    for (int64_t i = 0; i < n; i++) {
        int64_t target = nz_tensor_int(targets, i);
        double weight = 0, loss = 0;
        if (!ignores || target != ignored) {
            if (target < 0 || target >= classes)
                return nz_op_fail(ctx, NZ_E_SHAPE, "target %lld is none of %lld classes", (long long)target,
                                  (long long)classes);
            weight = weights ? nz_tensor_real(weights, target) : 1;
            loss = -weight * log_prob[(i / inner * classes + target) * inner + i % inner];
        }
        sum += loss;
        weight_sum += weight;
        if (kind == LOSS_NONE) nz_tensor_set_real(&ctx->out[0], i, loss);
    }
    if (kind != LOSS_NONE) nz_tensor_set_real(&ctx->out[0], 0, kind == LOSS_MEAN ? sum / weight_sum : sum);
    return NZ_OK;
}

static nz_status scores_as_f64(const nz_op_ctx *ctx, double **ret_values) {
    int64_t n = nz_shape_elements(&ctx->in[0]->shape);
    NZ_TRY(nz_arena_alloc(ctx->scratch, ret_values, (size_t)n, sizeof **ret_values));
    for (int64_t i = 0; i < n; i++) (*ret_values)[i] = nz_tensor_real(ctx->in[0], i);
    return NZ_OK;
}

static nz_status run_nll(const nz_op_ctx *ctx) {
    double *values = NULL;
    NZ_TRY(scores_as_f64(ctx, &values));
    return reduce_loss(ctx, values);
}

static nz_status run_cross_entropy(const nz_op_ctx *ctx) {
    const nz_shape *scores = &ctx->in[0]->shape;
    int64_t classes = scores->dim[1], inner = nz_shape_span(scores, 2, scores->rank), n = nz_shape_elements(scores);
    double *values = NULL;
    NZ_TRY(scores_as_f64(ctx, &values));
    for (int64_t line = 0; n > 0 && line < n / classes; line++) {
        double *at = values + line / inner * classes * inner + line % inner, most = -INFINITY, sum = 0;
        for (int64_t c = 0; c < classes; c++) most = at[c * inner] > most ? at[c * inner] : most;
        for (int64_t c = 0; c < classes; c++) sum += exp(at[c * inner] - most);
        for (int64_t c = 0; c < classes; c++) at[c * inner] -= most + log(sum);
    }
    if (nz_op_has_out(ctx, 1))
        for (int64_t i = 0; i < n; i++) nz_tensor_set_real(&ctx->out[1], i, values[i]);
    return reduce_loss(ctx, values);
}

/** One product per target; the cross entropy's LogSoftmax besides. */
static nz_status count_nll(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[1]->shape), 1);
}

static nz_status count_cross_entropy(const nz_op_ctx *ctx, nz_op_cost *cost) {
    NZ_TRY(count_nll(ctx, cost));
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 3);
}

const nz_op nz_ops_loss[] = {
    {.name = "NegativeLogLikelihoodLoss",
     .versions = NZ_VERSIONS(12, 13, 22),
     .canonical_since = 13,
     .types = NZ_TYPES_FLOAT,
     .attributes = NZ_ATTRIBUTES("ignore_index", "reduction"),
     .infer = infer_nll,
     .count = count_nll,
     .run = run_nll},
    {.name = "SoftmaxCrossEntropyLoss",
     .versions = NZ_VERSIONS(12, 13),
     .canonical_since = 13,
     .types = NZ_TYPES_FLOAT,
     .attributes = NZ_ATTRIBUTES("ignore_index", "reduction"),
     .infer = infer_cross_entropy,
     .count = count_cross_entropy,
     .run = run_cross_entropy},
    {0},
};
