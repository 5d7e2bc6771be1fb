/* SPDX-License-Identifier: Apache-2.0 */
/** Normalisations: Batch, Instance, Layer, Group, RMS, Lp, mean and variance, local response. */
#include <math.h>
#include <string.h>

#include "kernel/ref_grad.h"
#include "op/families.h"
#include "op/grad.h"
#include "op/helper.h"

/* f16 and bf16 go through f32. */
#define TYPES_NORM (NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16))
#define WIDEN(run)                                                                                                     \
    if (ctx->in[0]->dtype != NZ_F32) return nz_op_run_widened(ctx, run)

/* Input i must be a list of `count` numbers (-1: any length) of a floating type. */
static nz_status check_list(const nz_op_ctx *ctx, size_t i, int64_t count) {
    const nz_tensor *list = nz_op_in(ctx, i);
    char text[112];
    if (!list) return NZ_OK;
    if (!nz_dtype_get(list->dtype)->is_float || list->shape.rank != 1 ||
        (count >= 0 && list->shape.dim[0] >= 0 && list->shape.dim[0] != count))
        return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu is %s of %s, %lld numbers are needed", i,
                          nz_shape_text(&list->shape, text), nz_dtype_get(list->dtype)->name, (long long)count);
    return NZ_OK;
}

/* x[batch, channels, plane...] as three extents. */
static void split_channels(const nz_shape *x, int64_t extents[3]) {
    extents[0] = x->rank > 0 ? x->dim[0] : 1;
    extents[1] = x->rank > 1 ? x->dim[1] : 1;
    extents[2] = x->rank > 2 ? nz_shape_span(x, 2, x->rank) : 1;
}

/* Layer-, Instance-, GroupNormalization: 5 per element, + 1 with a scale and + 1 with a shift. */
static nz_status count_normalise(const nz_op_ctx *ctx, nz_op_cost *cost) {
    uint64_t each = 5U + (nz_op_in(ctx, 1) != NULL) + (nz_op_in(ctx, 2) != NULL);
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), each);
}

/* -- BatchNormalization ----------------------------------------------------------------------------------------- */

static nz_status infer_batch(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 5, 5, 5));
    const nz_shape *x = &ctx->in[0]->shape;
    bool training = nz_attr_int(ctx->node, "training_mode", 0) != 0;
    if (x->rank < 1) return nz_op_fail(ctx, NZ_E_SHAPE, "the input is a scalar");
    int64_t channels = x->rank > 1 ? x->dim[1] : 1;
    for (size_t i = 1; i < 5; i++) {
        NZ_TRY(check_list(ctx, i, channels));
        if (channels < 0) channels = ctx->in[i]->shape.dim[0];
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, x);
    nz_shape list = {1, {channels}};
    for (size_t i = 1; i < ctx->out_count; i++) {
        if (nz_op_has_out(ctx, i) && (!training || i > 2))
            return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "output %zu belongs to training, and training_mode is %d", i,
                              training);
        nz_op_set_out(ctx, i, ctx->in[3]->dtype, &list);
    }
    return NZ_OK;
}

/* What the running statistics become: the old ones weigh `momentum`. */
static void mix(float *target, const float *old, const float *now, int64_t count, float momentum) {
    for (int64_t i = 0; target && i < count; i++) target[i] = old[i] * momentum + now[i] * (1 - momentum);
}

static nz_status run_batch(const nz_op_ctx *ctx) {
    WIDEN(run_batch);
    int64_t e[3];
    split_channels(&ctx->in[0]->shape, e);
    /* scale, shift, mean and variance may have types of their own. */
    float *lists[4];
    for (size_t i = 0; i < 4; i++) {
        NZ_TRY(nz_arena_alloc(ctx->scratch, &lists[i], (size_t)e[1], sizeof(float)));
        nz_tensor_to_f32(ctx->in[1 + i], lists[i]);
    }
    float *mean = lists[2], *variance = lists[3];
    if (nz_attr_int(ctx->node, "training_mode", 0) != 0) {
        float momentum = nz_attr_float(ctx->node, "momentum", 0.9F);
        NZ_TRY(nz_arena_alloc(ctx->scratch, &mean, (size_t)e[1], sizeof(float)));
        NZ_TRY(nz_arena_alloc(ctx->scratch, &variance, (size_t)e[1], sizeof(float)));
        nz_ref_batch_moments(e[0], e[1], e[2], ctx->in[0]->data, mean, variance);
        if (nz_op_has_out(ctx, 1)) mix(ctx->out[1].data, lists[2], mean, e[1], momentum);
        if (nz_op_has_out(ctx, 2)) mix(ctx->out[2].data, lists[3], variance, e[1], momentum);
    }
    nz_ref_batch_norm(e[0], e[1], e[2], ctx->in[0]->data, lists[0], lists[1], mean, variance,
                      nz_attr_float(ctx->node, "epsilon", 1e-5F), ctx->out[0].data);
    return NZ_OK;
}

static nz_status grad_batch(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const float *x = ctx->in[0]->data, *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0), *dscale = nz_grad_to(ctx, grad, 1), *dshift = nz_grad_to(ctx, grad, 2);
    float epsilon = nz_attr_float(ctx->node, "epsilon", 1e-5F), *lists[3];
    static const size_t inputs[3] = {1, 3, 4};
    int64_t e[3];
    for (size_t i = 0; !dy && i < 3; i++) /* the running statistics alone are read, which are not trained */
        if (nz_grad_to(ctx, grad, i))
            memset(nz_grad_to(ctx, grad, i), 0, (size_t)nz_shape_elements(&ctx->in[i]->shape) * sizeof(float));
    if (!dy) return NZ_OK;
    split_channels(&ctx->in[0]->shape, e);
    for (size_t i = 0; i < 3; i++) {
        NZ_TRY(nz_arena_alloc(ctx->scratch, &lists[i], (size_t)e[1], sizeof(float)));
        nz_tensor_to_f32(ctx->in[inputs[i]], lists[i]);
    }
    if (nz_attr_int(ctx->node, "training_mode", 0) != 0)
        nz_ref_batch_norm_train_back(e[0], e[1], e[2], x, dy, lists[0], epsilon, dx, dscale, dshift);
    else
        nz_ref_batch_norm_back(e[0], e[1], e[2], x, dy, lists[0], lists[1], lists[2], epsilon, dx, dscale, dshift);
    return NZ_OK;
}

/* Before version 14 the number of outputs told training from inference. */
static nz_status lift_batch(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    if (n->opset >= 14) return NZ_OK;
    for (size_t i = 1; i < n->output_count; i++)
        if (n->outputs[i] != NZ_NO_VALUE &&
            (nz_graph_is_output(graph, n->outputs[i]) || nz_graph_consumers(graph, n->outputs[i], NULL)))
            return nz_node_fail(n, NZ_E_UNSUPPORTED, "training mode of opset %d is not supported", n->opset);
    if (n->output_count > 1) n->output_count = 1;
    if (nz_attr_int(n, "spatial", 1) != 1) return nz_node_fail(n, NZ_E_UNSUPPORTED, "spatial=0 is not supported");
    static const char *const gone[] = {"spatial", "is_test", "consumed_inputs"};
    for (size_t i = 0; i < NZ_COUNT(gone); i++) nz_node_remove_attr(n, gone[i]);
    return NZ_OK;
}

static int since_batch(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    return nz_attr_get(node, "training_mode") ? 14 : 13;
}

/* -- InstanceNormalization, GroupNormalization ------------------------------------------------------------------ */

static nz_status infer_channels(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    const nz_shape *x = &ctx->in[0]->shape;
    if (x->rank < 2) return nz_op_fail(ctx, NZ_E_SHAPE, "an input of rank %d has no channels", x->rank);
    NZ_TRY(check_list(ctx, 1, x->dim[1]));
    NZ_TRY(check_list(ctx, 2, x->dim[1]));
    if (strcmp(ctx->node->op_type, "GroupNormalization") == 0) {
        int64_t groups = nz_attr_int(ctx->node, "num_groups", 0);
        if (groups < 1 || (x->dim[1] >= 0 && x->dim[1] % groups))
            return nz_op_fail(ctx, NZ_E_SHAPE, "num_groups %lld does not divide %lld channels", (long long)groups,
                              (long long)x->dim[1]);
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, x);
    return NZ_OK;
}

/* Rows of the channels of one group, then a scale and shift per channel. */
static nz_status run_groups(const nz_op_ctx *ctx) {
    WIDEN(run_groups);
    int64_t e[3];
    split_channels(&ctx->in[0]->shape, e);
    int64_t groups = nz_attr_int(ctx->node, "num_groups", e[1]);
    const float *scale = ctx->in[1]->data, *shift = ctx->in[2]->data;
    float *y = ctx->out[0].data;
    if (groups < 1 || nz_shape_elements(&ctx->in[0]->shape) == 0) return NZ_OK;
    nz_ref_normalise_rows(e[0] * groups, e[1] / groups * e[2], ctx->in[0]->data,
                          nz_attr_float(ctx->node, "epsilon", 1e-5F), y, NULL, NULL);
    for (int64_t c = 0; c < e[0] * e[1]; c++)
        for (int64_t i = 0; i < e[2]; i++) y[c * e[2] + i] = y[c * e[2] + i] * scale[c % e[1]] + shift[c % e[1]];
    return NZ_OK;
}

static nz_status grad_groups(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int64_t e[3];
    split_channels(&ctx->in[0]->shape, e);
    int64_t groups = nz_attr_int(ctx->node, "num_groups", e[1]), total = e[0] * e[1] * e[2];
    const float *scale = ctx->in[1]->data, *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0), *dscale = nz_grad_to(ctx, grad, 1), *dshift = nz_grad_to(ctx, grad, 2), *flow,
          *normal;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &flow, (size_t)total, sizeof *flow));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &normal, (size_t)total, sizeof *normal));
    for (int64_t c = 0; c < e[0] * e[1]; c++)
        for (int64_t i = c * e[2]; i < (c + 1) * e[2]; i++) flow[i] = dy[i] * scale[c % e[1]];
    if (total > 0)
        nz_ref_normalise_rows_back(e[0] * groups, e[1] / groups * e[2], true, ctx->in[0]->data,
                                   nz_attr_float(ctx->node, "epsilon", 1e-5F), flow, dx ? dx : flow, normal);
    if (dshift) nz_ref_channel_sums(e[0], e[1], e[2], dy, dshift);
    for (int64_t i = 0; i < total; i++) normal[i] *= dy[i];
    if (dscale) nz_ref_channel_sums(e[0], e[1], e[2], normal, dscale);
    return NZ_OK;
}

static nz_status lift_instance(nz_graph *graph, int node) {
    nz_node_remove_attr(&graph->nodes[node], "consumed_inputs");
    return NZ_OK;
}

/* -- LayerNormalization, RMSNormalization ----------------------------------------------------------------------- */

static nz_status infer_layer(const nz_op_ctx *ctx) {
    bool rms = strcmp(ctx->node->op_type, "RMSNormalization") == 0;
    NZ_TRY(nz_op_check(ctx, 2, rms ? 2 : 3, rms ? 1 : 3));
    const nz_shape *x = &ctx->in[0]->shape;
    nz_shape joined, rest = {.rank = 0}, reduced = *x;
    int axis = 0;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), x->rank));
    for (int i = axis; i < x->rank; i++) rest.dim[rest.rank++] = x->dim[i], reduced.dim[i] = 1;
    for (size_t i = 1; i < 3; i++) {
        const nz_tensor *list = nz_op_in(ctx, i);
        char lt[112], xt[112];
        if (!list) continue;
        NZ_TRY(nz_op_same_type(ctx, 0, i));
        if (!nz_shape_broadcast(&joined, x, &list->shape) || joined.rank != x->rank ||
            (nz_shape_known(x) && !nz_shape_equal(&joined, x)))
            return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu of %s does not fit %s", i, nz_shape_text(&list->shape, lt),
                              nz_shape_text(x, xt));
    }
    if (nz_attr_int(ctx->node, "stash_type", 1) != 1)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "stash_type %lld is not supported, only 1 (float)",
                          (long long)nz_attr_int(ctx->node, "stash_type", 1));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, x);
    nz_op_set_out(ctx, 1, NZ_F32, &reduced);
    nz_op_set_out(ctx, 2, NZ_F32, &reduced);
    return NZ_OK;
}

NZ_GRAD_ROW(times_row, dy *a)

static nz_status run_layer(const nz_op_ctx *ctx) {
    WIDEN(run_layer);
    const nz_shape *shape = &ctx->in[0]->shape;
    int axis = 0;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), shape->rank));
    int64_t rows = nz_shape_span(shape, 0, axis), width = nz_shape_span(shape, axis, shape->rank);
    float *y = ctx->out[0].data, *mean = nz_op_has_out(ctx, 1) ? ctx->out[1].data : NULL;
    float *inverse = nz_op_has_out(ctx, 2) ? ctx->out[2].data : NULL,
          epsilon = nz_attr_float(ctx->node, "epsilon", 1e-5F);
    if (rows * width == 0) return NZ_OK;
    if (strcmp(ctx->node->op_type, "RMSNormalization") == 0)
        nz_ref_rms_rows(rows, width, ctx->in[0]->data, epsilon, y);
    else
        nz_ref_normalise_rows(rows, width, ctx->in[0]->data, epsilon, y, mean, inverse);
    for (size_t i = 1; i < 3; i++) {
        const nz_tensor *list = nz_op_in(ctx, i);
        if (!list) continue;
        const float *value = list->data;
        int64_t count = nz_shape_elements(&list->shape), total = rows * width;
        if (nz_shape_equal(&list->shape, shape) || count == width || count == 1) {
            for (int64_t k = 0; k < total; k++) y[k] = i == 1 ? y[k] * value[k % count] : y[k] + value[k % count];
            continue;
        }
        for (int64_t k = 0; k < total; k++) {
            int64_t rest = k, at = 0, step = 1;
            for (int a = shape->rank - 1, b = list->shape.rank - 1; b >= 0; a--, b--) {
                if (list->shape.dim[b] != 1) at += rest % shape->dim[a] * step;
                rest /= shape->dim[a];
                step *= list->shape.dim[b];
            }
            y[k] = i == 1 ? y[k] * value[at] : y[k] + value[at];
        }
    }
    return NZ_OK;
}

/* What flows in at the mean and at 1 / deviation of each row, outputs 1 and 2, added to dx. */
static nz_status add_moments_back(const nz_op_ctx *ctx, const nz_op_grad *grad, int64_t rows, int64_t width,
                                  float *dx) {
    const float *dmean = ctx->out_count > 1 ? nz_grad_from(grad, 1) : NULL,
                *dinverse = ctx->out_count > 2 ? nz_grad_from(grad, 2) : NULL;
    float *normal, *inverse;
    if (!dx || (!dmean && !dinverse)) return NZ_OK;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &normal, (size_t)(rows * width), sizeof *normal));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &inverse, (size_t)rows, sizeof *inverse));
    nz_ref_normalise_rows(rows, width, ctx->in[0]->data, nz_attr_float(ctx->node, "epsilon", 1e-5F), normal, NULL,
                          inverse);
    for (int64_t i = 0; i < rows * width; i++) {
        int64_t row = i / width;
        if (dmean) dx[i] += dmean[row] / (float)width;
        if (dinverse) dx[i] -= dinverse[row] * inverse[row] * inverse[row] * normal[i] / (float)width;
    }
    return NZ_OK;
}

static nz_status grad_layer(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *shape = &ctx->in[0]->shape;
    int axis = 0;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), shape->rank));
    int64_t rows = nz_shape_span(shape, 0, axis), width = nz_shape_span(shape, axis, shape->rank), total = rows * width;
    float *dx = nz_grad_to(ctx, grad, 0), *dscale = nz_grad_to(ctx, grad, 1), *dshift = nz_grad_to(ctx, grad, 2);
    float *flow, *normal, *none = NULL;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &flow, (size_t)total, sizeof *flow));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &normal, (size_t)total, sizeof *normal));
    if (!grad->dout[0]) NZ_TRY(nz_arena_alloc(ctx->scratch, &none, (size_t)total, sizeof *none));
    const nz_tensor product = nz_tensor_borrow(NZ_F32, shape, flow),
                    dy = grad->dout[0] ? *grad->dout[0] : nz_tensor_borrow(NZ_F32, shape, none);
    nz_loop loop;
    nz_loop_init(&loop, shape);
    nz_loop_add(&loop, &product);
    nz_loop_add(&loop, &dy);
    nz_loop_add(&loop, ctx->in[1]);
    nz_loop_add(&loop, ctx->in[1]);
    nz_loop_run(&loop, times_row, NULL);
    if (total > 0)
        nz_ref_normalise_rows_back(rows, width, strcmp(ctx->node->op_type, "RMSNormalization") != 0, ctx->in[0]->data,
                                   nz_attr_float(ctx->node, "epsilon", 1e-5F), flow, dx ? dx : flow, normal);
    if (dshift) nz_grad_sum_to(dshift, &ctx->in[2]->shape, shape, dy.data);
    for (int64_t i = 0; i < total; i++) normal[i] *= ((const float *)dy.data)[i];
    if (dscale) nz_grad_sum_to(dscale, &ctx->in[1]->shape, shape, normal);
    return total > 0 ? add_moments_back(ctx, grad, rows, width, dx) : NZ_OK;
}

/* Without a mean: square, sum, root, division; + 1 for the scale. */
static nz_status count_rms(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 4);
}

/* -- LpNormalization, MeanVarianceNormalization, LRN ------------------------------------------------------------ */

static nz_status infer_lp(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_infer_unary(ctx));
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), ctx->in[0]->shape.rank));
    int64_t p = nz_attr_int(ctx->node, "p", 2);
    return p == 1 || p == 2 ? NZ_OK : nz_op_fail(ctx, NZ_E_UNSUPPORTED, "p is %lld, 1 or 2 is needed", (long long)p);
}

/* The norm as a Reduce* (1 per element, 2 for L2) and a division. */
static nz_status count_lp(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), nz_attr_int(ctx->node, "p", 2) == 2 ? 3 : 2);
}

static nz_status run_lp(const nz_op_ctx *ctx) {
    WIDEN(run_lp);
    const nz_shape *shape = &ctx->in[0]->shape;
    int axis = 0;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), shape->rank));
    int64_t outer = nz_shape_span(shape, 0, axis), count = shape->dim[axis],
            inner = nz_shape_span(shape, axis + 1, shape->rank);
    bool squares = nz_attr_int(ctx->node, "p", 2) == 2;
    for (int64_t row = 0; row < outer * inner; row++) {
        const float *x = (const float *)ctx->in[0]->data + row / inner * count * inner + row % inner;
        float *y = (float *)ctx->out[0].data + row / inner * count * inner + row % inner;
        double norm = 0;
        for (int64_t i = 0; i < count; i++) {
            double value = (double)x[i * inner];
            norm += squares ? value * value : fabs(value);
        }
        if (squares) norm = sqrt(norm);
        for (int64_t i = 0; i < count; i++) y[i * inner] = norm > 0 ? (float)((double)x[i * inner] / norm) : 0;
    }
    return NZ_OK;
}

/* dx = (dy - sign * sum(dy y)) / norm, where the sign of L1 becomes y itself for L2. */
static nz_status grad_lp(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *shape = &ctx->in[0]->shape;
    int axis = 0;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), shape->rank));
    int64_t outer = nz_shape_span(shape, 0, axis), inner = nz_shape_span(shape, axis + 1, shape->rank),
            length = shape->dim[axis] * inner;
    bool squares = nz_attr_int(ctx->node, "p", 2) == 2;
    for (int64_t row = 0; row < outer * inner; row++) {
        int64_t first = row / inner * length + row % inner;
        const float *x = (const float *)ctx->in[0]->data + first, *dy = nz_grad_from(grad, 0) + first;
        float *dx = nz_grad_to(ctx, grad, 0) + first;
        double norm = 0, sum = 0;
        for (int64_t i = 0; i < length; i += inner) {
            norm += squares ? (double)x[i] * (double)x[i] : fabs((double)x[i]);
            sum += (double)dy[i] * (double)x[i];
        }
        if (squares) norm = sqrt(norm);
        for (int64_t i = 0; i < length; i += inner) {
            double direction = squares ? (double)x[i] / norm : (double)((x[i] > 0) - (x[i] < 0));
            dx[i] = norm > 0 ? (float)(((double)dy[i] - direction * sum / norm) / norm) : 0;
        }
    }
    return NZ_OK;
}

static nz_status mvn_axes(const nz_op_ctx *ctx, unsigned *ret_set) {
    static const int64_t usual[] = {0, 2, 3};
    size_t count = 0;
    const int64_t *axes = nz_attr_ints(ctx->node, "axes", &count);
    return nz_op_axes(ctx, ret_set, axes ? axes : usual, axes ? count : NZ_COUNT(usual), ctx->in[0]->shape.rank);
}

static nz_status infer_mvn(const nz_op_ctx *ctx) {
    unsigned set;
    NZ_TRY(nz_op_infer_unary(ctx));
    return mvn_axes(ctx, &set);
}

/* Which group of elements that are normalised together element `i` belongs to. */
static int64_t mvn_group(const nz_shape *shape, unsigned set, int64_t i) {
    int64_t group = 0, step = 1;
    for (int axis = shape->rank - 1; axis >= 0; i /= shape->dim[axis--]) {
        if (set >> axis & 1) continue;
        group += i % shape->dim[axis] * step;
        step *= shape->dim[axis];
    }
    return group;
}

typedef struct mvn_sums {
    unsigned set;
    int64_t groups;
    double count; /* elements of a group */
    double *mean, *deviation, *flow, *products;
} mvn_sums;

/* Mean and deviation of every group. */
static nz_status mvn_moments(const nz_op_ctx *ctx, mvn_sums *ret_sums) {
    const nz_shape *shape = &ctx->in[0]->shape;
    const float *x = ctx->in[0]->data;
    int64_t total = nz_shape_elements(shape);
    mvn_sums m = {.groups = 1};
    NZ_TRY(mvn_axes(ctx, &m.set));
    for (int i = 0; i < shape->rank; i++) m.groups *= m.set >> i & 1 ? 1 : shape->dim[i];
    double **lists[] = {&m.mean, &m.deviation, &m.flow, &m.products};
    for (size_t i = 0; i < NZ_COUNT(lists); i++)
        NZ_TRY(nz_arena_alloc(ctx->scratch, lists[i], (size_t)m.groups, sizeof(double)));
    m.count = m.groups ? (double)total / (double)m.groups : 0;
    for (int64_t i = 0; i < total; i++) m.mean[mvn_group(shape, m.set, i)] += (double)x[i];
    for (int64_t g = 0; g < m.groups; g++) m.mean[g] /= m.count;
    for (int64_t i = 0; i < total; i++) {
        int64_t g = mvn_group(shape, m.set, i);
        m.deviation[g] += ((double)x[i] - m.mean[g]) * ((double)x[i] - m.mean[g]);
    }
    for (int64_t g = 0; g < m.groups; g++) m.deviation[g] = sqrt(m.deviation[g] / m.count);
    *ret_sums = m;
    return NZ_OK;
}

#define MVN_EPSILON 1e-9 /* added to the deviation, as the operator's own definition has it */

static nz_status run_mvn(const nz_op_ctx *ctx) {
    WIDEN(run_mvn);
    const nz_shape *shape = &ctx->in[0]->shape;
    const float *x = ctx->in[0]->data;
    float *y = ctx->out[0].data;
    mvn_sums m;
    NZ_TRY(mvn_moments(ctx, &m));
    for (int64_t i = 0; i < nz_shape_elements(shape); i++) {
        int64_t g = mvn_group(shape, m.set, i);
        y[i] = (float)(((double)x[i] - m.mean[g]) / (m.deviation[g] + MVN_EPSILON));
    }
    return NZ_OK;
}

static nz_status grad_mvn(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *shape = &ctx->in[0]->shape;
    const float *x = ctx->in[0]->data, *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0);
    mvn_sums m;
    NZ_TRY(mvn_moments(ctx, &m));
    for (int64_t i = 0; i < nz_shape_elements(shape); i++) {
        int64_t g = mvn_group(shape, m.set, i);
        m.flow[g] += (double)dy[i];
        m.products[g] += (double)dy[i] * ((double)x[i] - m.mean[g]);
    }
    for (int64_t i = 0; i < nz_shape_elements(shape); i++) {
        int64_t g = mvn_group(shape, m.set, i);
        double divisor = m.deviation[g] + MVN_EPSILON, spread = m.count * m.deviation[g] * divisor;
        double through = spread > 0 ? ((double)x[i] - m.mean[g]) * m.products[g] / spread : 0;
        dx[i] = (float)(((double)dy[i] - m.flow[g] / m.count - through) / divisor);
    }
    return NZ_OK;
}

static nz_status infer_lrn(const nz_op_ctx *ctx) {
    int64_t size = nz_attr_int(ctx->node, "size", 0);
    NZ_TRY(nz_op_infer_unary(ctx));
    if (ctx->in[0]->shape.rank < 2) return nz_op_fail(ctx, NZ_E_SHAPE, "the input has no channels");
    return size >= 1 && size <= (1 << 30)
               ? NZ_OK
               : nz_op_fail(ctx, NZ_E_SHAPE, "size is %lld, at least 1 is needed", (long long)size);
}

/* A sum of squares as LpPool counts it (2 per tap), then a product, a sum, a power and a division. */
static nz_status count_lrn(const nz_op_ctx *ctx, nz_op_cost *cost) {
    uint64_t size = (uint64_t)nz_attr_int(ctx->node, "size", 1);
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 2 * size + 4);
}

static nz_status run_lrn(const nz_op_ctx *ctx) {
    WIDEN(run_lrn);
    int64_t e[3];
    split_channels(&ctx->in[0]->shape, e);
    nz_ref_lrn(e[0], e[1], e[2], ctx->in[0]->data, nz_attr_int(ctx->node, "size", 1),
               nz_attr_float(ctx->node, "alpha", 1e-4F), nz_attr_float(ctx->node, "beta", 0.75F),
               nz_attr_float(ctx->node, "bias", 1.0F), ctx->out[0].data);
    return NZ_OK;
}

static nz_status grad_lrn(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int64_t e[3];
    float *scratch;
    split_channels(&ctx->in[0]->shape, e);
    NZ_TRY(nz_arena_alloc(ctx->scratch, &scratch, (size_t)(e[0] * e[1] * e[2]), sizeof *scratch));
    nz_ref_lrn_back(e[0], e[1], e[2], ctx->in[0]->data, nz_grad_from(grad, 0), nz_attr_int(ctx->node, "size", 1),
                    nz_attr_float(ctx->node, "alpha", 1e-4F), nz_attr_float(ctx->node, "beta", 0.75F),
                    nz_attr_float(ctx->node, "bias", 1.0F), scratch, nz_grad_to(ctx, grad, 0));
    return NZ_OK;
}

/* -- lifts of GroupNormalization -------------------------------------------------------------------------------- */

/* Version 18 scales per group, which is what InstanceNormalization does once the groups are the channels:
 * Reshape(x, [0, groups, -1]), InstanceNormalization, Reshape back. */
static nz_status lift_group(nz_graph *graph, int node) {
    if (graph->nodes[node].opset >= 21) return NZ_OK;
    const nz_node *n = &graph->nodes[node];
    int64_t list[3] = {0, nz_attr_int(n, "num_groups", 0), -1};
    float epsilon = nz_attr_float(n, "epsilon", 1e-5F);
    if (n->input_count != 3 || n->inputs[0] < 0 || n->output_count != 1 || n->outputs[0] < 0 || list[1] < 1)
        return nz_node_fail(n, NZ_E_SHAPE, "three inputs, one output and num_groups are needed");
    int x = n->inputs[0], scale = n->inputs[1], shift = n->inputs[2], shape = -1, target = -1, grouped = -1, done = -1,
        added = -1;
    const nz_shape three = {1, {3}};
    const nz_tensor constant = nz_tensor_borrow(NZ_I64, &three, list);
    nz_dtype dtype = graph->values[x].dtype;
    const char *y = graph->values[n->outputs[0]].name;
    NZ_TRY(nz_graph_add_constant(graph, &target, y, &constant));
    NZ_TRY(nz_graph_add_value(graph, &shape, y, NZ_I64, NULL));
    NZ_TRY(nz_graph_add_value(graph, &grouped, y, dtype, NULL));
    NZ_TRY(nz_graph_add_value(graph, &done, y, dtype, NULL));
    NZ_TRY(nz_graph_add_node(graph, NULL, "Shape", NULL, (int[]){x}, 1, (int[]){shape}, 1));
    NZ_TRY(nz_graph_add_node(graph, NULL, "Reshape", NULL, (int[]){x, target}, 2, (int[]){grouped}, 1));
    NZ_TRY(nz_graph_add_node(graph, &added, "InstanceNormalization", NULL, (int[]){grouped, scale, shift}, 3,
                             (int[]){done}, 1));
    NZ_TRY(nz_node_set_float(&graph->nodes[added], "epsilon", epsilon));
    nz_node *last = &graph->nodes[node];
    nz_node_remove_attr(last, "num_groups");
    nz_node_remove_attr(last, "epsilon");
    NZ_TRY(nz_node_set_op(last, "Reshape"));
    return nz_node_set_inputs(last, (int[]){done, shape}, 2);
}

const nz_op nz_ops_norm[] = {
    {.name = "BatchNormalization",
     .versions = NZ_VERSIONS(1, 6, 7, 9, 14, 15),
     .canonical_since = 14,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("epsilon", "momentum", "training_mode"),
     .types = TYPES_NORM,
     .lift = lift_batch,
     .infer = infer_batch,
     .count = nz_op_count_2,
     .run = run_batch,
     .since = since_batch,
     .grad = grad_batch,
     .grad_inputs = 7,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 6},
    {.name = "InstanceNormalization",
     .versions = NZ_VERSIONS(1, 6, 22),
     .canonical_since = 6,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("epsilon"),
     .types = TYPES_NORM,
     .lift = lift_instance,
     .infer = infer_channels,
     .count = count_normalise,
     .run = run_groups,
     .grad = grad_groups,
     .grad_inputs = 7,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 6},
    {.name = "GroupNormalization",
     .versions = NZ_VERSIONS(18, 21),
     .canonical_since = 21,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("epsilon", "num_groups", "stash_type"),
     .types = TYPES_NORM,
     .lift = lift_group,
     .infer = infer_channels,
     .count = count_normalise,
     .run = run_groups,
     .grad = grad_groups,
     .grad_inputs = 7,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 6},
    {.name = "LayerNormalization",
     .versions = NZ_VERSIONS(17),
     .canonical_since = 17,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("axis", "epsilon", "stash_type"),
     .types = TYPES_NORM,
     .infer = infer_layer,
     .count = count_normalise,
     .run = run_layer,
     .grad = grad_layer,
     .grad_inputs = 7,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 6},
    {.name = "RMSNormalization",
     .versions = NZ_VERSIONS(23),
     .canonical_since = 23,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("axis", "epsilon", "stash_type"),
     .types = TYPES_NORM,
     .infer = infer_layer,
     .count = count_rms,
     .run = run_layer,
     .grad = grad_layer,
     .grad_inputs = 3,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 2},
    {.name = "LpNormalization",
     .versions = NZ_VERSIONS(1, 22),
     .canonical_since = 1,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("axis", "p"),
     .types = TYPES_NORM,
     .infer = infer_lp,
     .count = count_lp,
     .run = run_lp,
     .grad = grad_lp,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "MeanVarianceNormalization",
     .versions = NZ_VERSIONS(9, 13),
     .canonical_since = 9,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("axes"),
     .types = TYPES_NORM,
     .infer = infer_mvn,
     .count = nz_op_count_5,
     .run = run_mvn,
     .grad = grad_mvn,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "LRN",
     .versions = NZ_VERSIONS(1, 13),
     .canonical_since = 1,
     .flags = NZ_OP_NORMALISES,
     .attributes = NZ_ATTRIBUTES("alpha", "beta", "bias", "size"),
     .types = TYPES_NORM,
     .infer = infer_lrn,
     .count = count_lrn,
     .run = run_lrn,
     .grad = grad_lrn,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = NULL},
};
