/* SPDX-License-Identifier: Apache-2.0 */
/** Pooling over windows and over whole planes, and MaxUnpool. */
#include <math.h>
#include <string.h>

#include "kernel/ref_grad.h"
#include "op/families.h"
#include "op/grad.h"
#include "op/grad_fold.h"
#include "op/window.h"

#define TYPES_MAX_POOL (NZ_TYPES_FLOAT | NZ_TYPE_BIT(NZ_I8) | NZ_TYPE_BIT(NZ_U8))

/* -- windows ---------------------------------------------------------------------------------------------------- */

/* What a dilated average divides by where ceil_mode lets a window reach beyond the padding is not claimed: the operator's text
 * and its test vectors disagree. */
static nz_status check_divisor(const nz_ref_pool *pool, const nz_op_ctx *ctx) {
    const nz_window *w = &pool->window;
    for (int i = 0; i < 3; i++) {
        int64_t reach = (w->out[i] - 1) * w->stride[i] - w->begin[i] + (w->kernel[i] - 1) * w->dilation[i] + 1;
        if (pool->kind == NZ_POOL_AVERAGE && pool->count_include_pad && w->dilation[i] > 1 &&
            reach > w->in[i] + w->end[i])
            return nz_op_fail(
                ctx, NZ_E_UNSUPPORTED,
                "count_include_pad with dilations and ceil_mode, where a window reaches beyond the padding");
    }
    return NZ_OK;
}

static nz_status read_pool(nz_ref_pool *ret_pool, const nz_op_ctx *ctx, nz_pool_kind kind) {
    const nz_shape *x = &ctx->in[0]->shape;
    nz_ref_pool pool = {.kind = kind,
                        .count_include_pad = nz_attr_int(ctx->node, "count_include_pad", 0) != 0,
                        .column_major = nz_attr_int(ctx->node, "storage_order", 0) != 0,
                        .p = nz_attr_int(ctx->node, "p", 2)};
    if (x->rank < 3) return nz_op_fail(ctx, NZ_E_SHAPE, "an input of rank %d has no spatial axes", x->rank);
    if (kind == NZ_POOL_LP && pool.p < 1)
        return nz_op_fail(ctx, NZ_E_SHAPE, "p is %lld, at least 1 is needed", (long long)pool.p);
    NZ_TRY(nz_window_read(&pool.window, ctx, x, NULL, NZ_WINDOW_POOL));
    NZ_TRY(check_divisor(&pool, ctx));
    pool.planes = nz_shape_span(x, 0, 2);
    *ret_pool = pool;
    return NZ_OK;
}

static nz_status infer_pool(const nz_op_ctx *ctx, nz_pool_kind kind) {
    nz_ref_pool pool;
    NZ_TRY(nz_op_check(ctx, 1, 1, kind == NZ_POOL_MAX ? 2 : 1));
    NZ_TRY(read_pool(&pool, ctx, kind));
    nz_shape shape = nz_window_shape(&pool.window, ctx->in[0]->shape.dim[0], ctx->in[0]->shape.dim[1]);
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    nz_op_set_out(ctx, 1, NZ_I64, &shape);
    return NZ_OK;
}

static nz_status infer_max(const nz_op_ctx *ctx) { return infer_pool(ctx, NZ_POOL_MAX); }
static nz_status infer_average(const nz_op_ctx *ctx) { return infer_pool(ctx, NZ_POOL_AVERAGE); }
static nz_status infer_lp(const nz_op_ctx *ctx) { return infer_pool(ctx, NZ_POOL_LP); }

/* MaxPool K - 1, AveragePool K, LpPool 2K per output. */
static nz_status count_pool(const nz_op_ctx *ctx, nz_op_cost *cost, nz_pool_kind kind) {
    nz_ref_pool pool;
    NZ_TRY(read_pool(&pool, ctx, kind));
    uint64_t taps = (uint64_t)nz_window_taps(&pool.window);
    uint64_t each = kind == NZ_POOL_MAX ? taps - 1 : kind == NZ_POOL_AVERAGE ? taps : 2 * taps;
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->out[0].shape), each);
}

static nz_status count_max(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_pool(ctx, cost, NZ_POOL_MAX); }
static nz_status count_average(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return count_pool(ctx, cost, NZ_POOL_AVERAGE);
}
static nz_status count_lp(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_pool(ctx, cost, NZ_POOL_LP); }

/* Every claimed type is exact in double. */
static nz_status run_pool_double(const nz_op_ctx *ctx, const nz_ref_pool *pool, int64_t *indices) {
    const nz_tensor *x = ctx->in[0];
    nz_tensor *y = &ctx->out[0];
    int64_t inputs = nz_shape_elements(&x->shape), outputs = nz_shape_elements(&y->shape);
    double *from, *to;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &from, (size_t)inputs, sizeof *from));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &to, (size_t)outputs, sizeof *to));
    for (int64_t i = 0; i < inputs; i++) from[i] = nz_tensor_real(x, i);
    nz_ref_pool_f64(pool, from, to, indices);
    for (int64_t i = 0; i < outputs; i++) nz_tensor_set_real(y, i, to[i]);
    return NZ_OK;
}

static nz_status run_pool(const nz_op_ctx *ctx, nz_pool_kind kind) {
    nz_ref_pool pool;
    NZ_TRY(read_pool(&pool, ctx, kind));
    int64_t *indices = nz_op_has_out(ctx, 1) ? ctx->out[1].data : NULL;
    if (ctx->in[0]->dtype != NZ_F32) return run_pool_double(ctx, &pool, indices);
    nz_ref_pool_f32(&pool, ctx->in[0]->data, ctx->out[0].data, indices);
    return NZ_OK;
}

static nz_status run_max(const nz_op_ctx *ctx) { return run_pool(ctx, NZ_POOL_MAX); }
static nz_status run_average(const nz_op_ctx *ctx) { return run_pool(ctx, NZ_POOL_AVERAGE); }
static nz_status run_lp(const nz_op_ctx *ctx) { return run_pool(ctx, NZ_POOL_LP); }

static nz_status grad_pool(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_pool_kind kind) {
    nz_ref_pool pool;
    NZ_TRY(read_pool(&pool, ctx, kind));
    const float *x = kind == NZ_POOL_AVERAGE ? NULL : ctx->in[0]->data, *dy = nz_grad_from(grad, 0);
    const float *y = kind == NZ_POOL_LP ? grad->out[0]->data : NULL;
    nz_ref_pool_back_f32(&pool, x, y, dy, nz_grad_to(ctx, grad, 0));
    return NZ_OK;
}

static nz_status grad_max(const nz_op_ctx *ctx, const nz_op_grad *grad) { return grad_pool(ctx, grad, NZ_POOL_MAX); }
static nz_status grad_average(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_pool(ctx, grad, NZ_POOL_AVERAGE);
}
static nz_status grad_lp(const nz_op_ctx *ctx, const nz_op_grad *grad) { return grad_pool(ctx, grad, NZ_POOL_LP); }

/* Version 1 of LpPool and GlobalLpPool has p as a float. */
static nz_status lift_lp(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    const nz_attr *p = nz_attr_get(n, "p");
    if (!p || p->kind != NZ_ATTR_FLOAT) return NZ_OK;
    float value = p->u.floats[0];
    if (!(value >= 1 && value < 1e6F) || floorf(value) != value)
        return nz_node_fail(n, NZ_E_UNSUPPORTED, "p is %g, only whole numbers from 1 up are supported", (double)value);
    nz_node_remove_attr(n, "p");
    return nz_node_set_int(n, "p", (int64_t)value);
}

/* Dilations came to AveragePool and LpPool late; without them older opsets spell the node. */
static int since_average(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    return nz_attr_get(node, "dilations") ? 19 : 13;
}

static int since_lp(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    return nz_attr_get(node, "dilations") || nz_attr_get(node, "ceil_mode") ? 18 : 13;
}

/* -- whole planes ----------------------------------------------------------------------------------------------- */

static nz_status infer_global(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    nz_shape shape = ctx->in[0]->shape;
    if (shape.rank < 3) return nz_op_fail(ctx, NZ_E_SHAPE, "an input of rank %d has no spatial axes", shape.rank);
    for (int i = 2; i < shape.rank; i++) shape.dim[i] = 1;
    if (nz_attr_int(ctx->node, "p", 2) < 1) return nz_op_fail(ctx, NZ_E_SHAPE, "p must be at least 1");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    return NZ_OK;
}

static nz_status count_global_max(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 1);
}

static nz_status count_global_average(const nz_op_ctx *ctx, nz_op_cost *cost) {
    NZ_TRY(count_global_max(ctx, cost));
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->out[0].shape), 1);
}

static nz_status count_global_lp(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 2);
}

static double reduce_plane(const nz_tensor *x, int64_t from, int64_t count, nz_pool_kind kind, int64_t p) {
    double result = kind == NZ_POOL_MAX ? -INFINITY : 0;
    const float *fast = x->dtype == NZ_F32 ? x->data : NULL;
    for (int64_t i = from; i < from + count; i++) {
        double value = fast ? (double)fast[i] : nz_tensor_real(x, i);
        if (kind == NZ_POOL_MAX)
            result = value > result || isnan(value) ? value : result;
        else if (kind == NZ_POOL_AVERAGE)
            result += value;
        else
            result += p == 1 ? fabs(value) : p == 2 ? value * value : pow(fabs(value), (double)p);
    }
    if (kind == NZ_POOL_AVERAGE) return count ? result / (double)count : 0;
    if (kind == NZ_POOL_LP) return p == 1 ? result : p == 2 ? sqrt(result) : pow(result, 1.0 / (double)p);
    return result;
}

static nz_status run_global(const nz_op_ctx *ctx, nz_pool_kind kind) {
    const nz_tensor *x = ctx->in[0];
    int64_t planes = nz_shape_span(&x->shape, 0, 2), plane = nz_shape_span(&x->shape, 2, x->shape.rank);
    int64_t p = nz_attr_int(ctx->node, "p", 2);
    for (int64_t i = 0; i < planes; i++)
        nz_tensor_set_real(&ctx->out[0], i, reduce_plane(x, i * plane, plane, kind, p));
    return NZ_OK;
}

static nz_status run_global_max(const nz_op_ctx *ctx) { return run_global(ctx, NZ_POOL_MAX); }
static nz_status run_global_average(const nz_op_ctx *ctx) { return run_global(ctx, NZ_POOL_AVERAGE); }
static nz_status run_global_lp(const nz_op_ctx *ctx) { return run_global(ctx, NZ_POOL_LP); }

/* A whole plane is one window. */
static nz_status grad_global(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_pool_kind kind) {
    const nz_shape *x = &ctx->in[0]->shape;
    int64_t plane = nz_shape_span(x, 2, x->rank);
    nz_ref_pool pool = {.kind = kind, .planes = nz_shape_span(x, 0, 2), .p = nz_attr_int(ctx->node, "p", 2)};
    pool.window = (nz_window){.rank = 1,
                              .in = {1, 1, plane},
                              .out = {1, 1, 1},
                              .kernel = {1, 1, plane},
                              .stride = {1, 1, 1},
                              .dilation = {1, 1, 1}};
    const float *y = kind == NZ_POOL_LP ? grad->out[0]->data : NULL;
    nz_ref_pool_back_f32(&pool, kind == NZ_POOL_AVERAGE ? NULL : ctx->in[0]->data, y, nz_grad_from(grad, 0),
                         nz_grad_to(ctx, grad, 0));
    return NZ_OK;
}

static nz_status grad_global_max(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_global(ctx, grad, NZ_POOL_MAX);
}
static nz_status grad_global_average(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_global(ctx, grad, NZ_POOL_AVERAGE);
}
static nz_status grad_global_lp(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_global(ctx, grad, NZ_POOL_LP);
}

/* -- MaxUnpool -------------------------------------------------------------------------------------------------- */

/* The shape of the tensor that was pooled into x, as the window attributes give it. */
static nz_status pooled_shape(nz_shape *ret_shape, const nz_op_ctx *ctx) {
    nz_shape shape = ctx->in[0]->shape;
    size_t kernels = 0, strides = 0, pads = 0, axes = (size_t)shape.rank - 2;
    const int64_t *kernel = nz_attr_ints(ctx->node, "kernel_shape", &kernels),
                  *stride = nz_attr_ints(ctx->node, "strides", &strides);
    const int64_t *pad = nz_attr_ints(ctx->node, "pads", &pads), most = (int64_t)1 << 30;
    if (kernels != axes || (strides && strides != axes) || (pads && pads != 2 * axes))
        return nz_op_fail(ctx, NZ_E_SHAPE, "kernel_shape, strides and pads do not fit %zu spatial axes", axes);
    for (size_t i = 0; i < axes; i++) {
        int64_t *extent = &shape.dim[2 + i], step = strides ? stride[i] : 1, begin = pads ? pad[i] : 0,
                end = pads ? pad[axes + i] : 0;
        if (step < 1 || step > most || kernel[i] < 1 || kernel[i] > most || begin < 0 || begin > most || end < 0 ||
            end > most)
            return nz_op_fail(ctx, NZ_E_SHAPE, "kernel_shape, strides or pads are out of range");
        if (*extent < 0) continue;
        if (*extent < 1 || *extent > most)
            return nz_op_fail(ctx, NZ_E_SHAPE, "the input's extent %lld is out of range", (long long)*extent);
        *extent = (*extent - 1) * step + kernel[i] - begin - end;
        if (*extent < 1) return nz_op_fail(ctx, NZ_E_SHAPE, "pads leave no output");
    }
    *ret_shape = shape;
    return NZ_OK;
}

static nz_status infer_unpool(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 2, 3, 1));
    const nz_shape *x = &ctx->in[0]->shape, *at = &ctx->in[1]->shape;
    nz_shape shape;
    size_t count = 0;
    if (ctx->in[1]->dtype != NZ_I64 || at->rank != x->rank || x->rank < 3 ||
        (nz_shape_known(x) && nz_shape_known(at) && !nz_shape_equal(x, at)))
        return nz_op_fail(ctx, NZ_E_SHAPE, "indices must be int64 of the input's shape, with spatial axes");
    NZ_TRY(pooled_shape(&shape, ctx));
    if (nz_op_in(ctx, 2)) {
        int64_t extents[NZ_MAX_RANK];
        NZ_TRY(nz_op_ints(ctx, 2, extents, NZ_MAX_RANK, &count));
        if ((int)count != x->rank)
            return nz_op_fail(ctx, NZ_E_SHAPE, "output_shape has %zu extents for rank %d", count, x->rank);
        for (int i = 0; i < x->rank; i++) {
            if (extents[i] < 0 || (i < 2 && x->dim[i] >= 0 && extents[i] != x->dim[i]) ||
                (i > 1 && shape.dim[i] >= 0 && extents[i] < shape.dim[i]))
                return nz_op_fail(ctx, NZ_E_SHAPE, "output_shape is smaller than what was pooled");
            shape.dim[i] = extents[i];
        }
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    return NZ_OK;
}

/* Where in the output, which has these strides, an index of the tensor that was pooled leads; -1: nowhere. The output may
 * be larger, and coordinates stay what they were. */
static int64_t unpooled_at(const nz_shape *pooled, const int64_t strides[NZ_MAX_RANK], int64_t index) {
    int64_t to = 0;
    if (index < 0 || index >= nz_shape_elements(pooled)) return -1;
    for (int axis = pooled->rank - 1; axis >= 0; index /= pooled->dim[axis--])
        to += index % pooled->dim[axis] * strides[axis];
    return to;
}

static nz_status run_unpool(const nz_op_ctx *ctx) {
    const nz_tensor *x = ctx->in[0];
    nz_tensor *y = &ctx->out[0];
    const int64_t *indices = ctx->in[1]->data;
    nz_shape pooled;
    NZ_TRY(pooled_shape(&pooled, ctx));
    int64_t count = nz_shape_elements(&x->shape), strides[NZ_MAX_RANK];
    nz_shape_strides(&y->shape, strides);
    memset(y->data, 0, y->bytes);
    for (int64_t i = 0; i < count; i++) {
        int64_t to = unpooled_at(&pooled, strides, indices[i]);
        if (to >= 0) nz_tensor_set_real(y, to, nz_tensor_real(x, i));
    }
    return NZ_OK;
}

/* Where two inputs lead to one place, the last one stays. */
static nz_status grad_unpool(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const int64_t *indices = ctx->in[1]->data;
    const float *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0);
    nz_shape pooled;
    nz_fold fold;
    NZ_TRY(pooled_shape(&pooled, ctx));
    int64_t count = nz_shape_elements(&ctx->in[0]->shape), strides[NZ_MAX_RANK];
    const nz_shape *out = &grad->dout[0]->shape;
    nz_shape_strides(out, strides);
    NZ_TRY(nz_fold_init(&fold, NZ_FOLD_LAST, (size_t)nz_shape_elements(out), ctx->scratch));
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < count; i++) {
            int64_t to = unpooled_at(&pooled, strides, indices[i]);
            if (pass == 0 && to >= 0) nz_fold_show(&fold, to, i, 0);
            if (pass == 1) dx[i] = to >= 0 ? nz_fold_share(&fold, to, i, 0, dy[to]) : 0;
        }
    return NZ_OK;
}

#define WINDOW_ATTRIBUTES "auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"

const nz_op nz_ops_pool[] = {
    {.name = "MaxPool",
     .versions = NZ_VERSIONS(1, 8, 10, 11, 12, 22),
     .canonical_since = 12,
     .flags = NZ_OP_KEEPS_RANGE,
     .attributes = NZ_ATTRIBUTES(WINDOW_ATTRIBUTES, "storage_order"),
     .types = TYPES_MAX_POOL,
     .infer = infer_max,
     .count = count_max,
     .run = run_max,
     .grad = grad_max,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "AveragePool",
     .versions = NZ_VERSIONS(1, 7, 10, 11, 19, 22),
     .canonical_since = 19,
     .attributes = NZ_ATTRIBUTES(WINDOW_ATTRIBUTES, "count_include_pad"),
     .types = NZ_TYPES_FLOAT,
     .infer = infer_average,
     .count = count_average,
     .run = run_average,
     .since = since_average,
     .grad = grad_average,
     .grad_inputs = 1},
    {.name = "LpPool",
     .versions = NZ_VERSIONS(1, 2, 11, 18, 22),
     .canonical_since = 18,
     .attributes = NZ_ATTRIBUTES(WINDOW_ATTRIBUTES, "p"),
     .types = NZ_TYPES_FLOAT,
     .lift = lift_lp,
     .infer = infer_lp,
     .count = count_lp,
     .run = run_lp,
     .since = since_lp,
     .grad = grad_lp,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN | NZ_GRAD_READS_OUT},
    {.name = "GlobalMaxPool",
     .versions = NZ_VERSIONS(1, 22),
     .canonical_since = 1,
     .flags = NZ_OP_KEEPS_RANGE,
     .attributes = NZ_ATTRIBUTES(NULL),
     .types = NZ_TYPES_FLOAT,
     .infer = infer_global,
     .count = count_global_max,
     .run = run_global_max,
     .grad = grad_global_max,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "GlobalAveragePool",
     .versions = NZ_VERSIONS(1, 22),
     .canonical_since = 1,
     .attributes = NZ_ATTRIBUTES(NULL),
     .types = NZ_TYPES_FLOAT,
     .infer = infer_global,
     .count = count_global_average,
     .run = run_global_average,
     .grad = grad_global_average,
     .grad_inputs = 1},
    {.name = "GlobalLpPool",
     .versions = NZ_VERSIONS(1, 2, 22),
     .canonical_since = 2,
     .attributes = NZ_ATTRIBUTES("p"),
     .types = NZ_TYPES_FLOAT,
     .lift = lift_lp,
     .infer = infer_global,
     .count = count_global_lp,
     .run = run_global_lp,
     .grad = grad_global_lp,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN | NZ_GRAD_READS_OUT},
    {.name = "MaxUnpool",
     .versions = NZ_VERSIONS(9, 11, 22),
     .canonical_since = 9,
     .plan_inputs = 1U << 2,
     .attributes = NZ_ATTRIBUTES("kernel_shape", "pads", "strides"),
     .types = NZ_TYPES_FLOAT,
     .infer = infer_unpool,
     .run = run_unpool,
     .grad = grad_unpool,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_REST},
    {.name = NULL},
};
