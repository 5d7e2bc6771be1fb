/* SPDX-License-Identifier: Apache-2.0 */
#include "op/helper.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- failing and checking ---- */

static nz_status fail_at(const nz_node *node, nz_status status, const char *format, va_list arguments) {
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    return nz_fail(status, "node '%s' (%s): %s", node->name ? node->name : "", node->op_type ? node->op_type : "?",
                   text);
}

nz_status nz_op_fail(const nz_op_ctx *ctx, nz_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    status = fail_at(ctx->node, status, format, arguments);
    va_end(arguments);
    return status;
}

nz_status nz_node_fail(const nz_node *node, nz_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    status = fail_at(node, status, format, arguments);
    va_end(arguments);
    return status;
}

/** Extents whose product no memory holds, also where an extent of 0 hides it. */
static bool is_absurd(const nz_shape *shape) {
    int64_t product = 1;
    for (int d = 0; d < shape->rank; d++)
        if (shape->dim[d] > 0 &&
            (__builtin_mul_overflow(product, shape->dim[d], &product) || product > INT64_C(1) << 48))
            return true;
    return false;
}

nz_status nz_op_check(const nz_op_ctx *ctx, size_t least, size_t most, size_t most_outputs) {
    const nz_op *op = nz_op_find(ctx->node->domain, ctx->node->op_type);
    if (ctx->in_count < least || ctx->in_count > most)
        return nz_op_fail(ctx, NZ_E_SHAPE, "has %zu inputs, needs %s %zu", ctx->in_count,
                          ctx->in_count < least ? "at least" : "at most", ctx->in_count < least ? least : most);
    if (ctx->out_count > most_outputs)
        return nz_op_fail(ctx, NZ_E_SHAPE, "has %zu outputs, at most %zu are defined", ctx->out_count, most_outputs);
    for (size_t i = 0; i < ctx->in_count; i++) {
        const nz_tensor *in = ctx->in[i];
        if (!in && i < least) return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu is left out but required", i);
        if (!in) continue;
        if (in->dtype == NZ_DTYPE_NONE)
            return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "the type of input %zu is not known", i);
        if (in->shape.rank < 0) return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "the rank of input %zu is not known", i);
        if (is_absurd(&in->shape)) {
            char text[112];
            return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu has the shape %s, which no memory holds", i,
                              nz_shape_text(&in->shape, text));
        }
        if (op && i < 32 && (op->plan_inputs >> i & 1) && !in->data)
            return nz_op_fail(
                ctx, NZ_E_UNSUPPORTED,
                "input %zu must be a constant when the model is planned; bind its value or fix the shapes", i);
    }
    if (op && op->types && least > 0 && !(op->types & NZ_TYPE_BIT(ctx->in[0]->dtype)))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "type %s is not supported", nz_dtype_get(ctx->in[0]->dtype)->name);
    return NZ_OK;
}

void nz_op_set_out(const nz_op_ctx *ctx, size_t i, nz_dtype dtype, const nz_shape *shape) {
    if (i >= ctx->out_count) return;
    ctx->out[i].dtype = dtype;
    ctx->out[i].shape = *shape;
}

nz_status nz_op_same_type(const nz_op_ctx *ctx, size_t i, size_t j) {
    const nz_tensor *a = nz_op_in(ctx, i), *b = nz_op_in(ctx, j);
    if (!a || !b || a->dtype == b->dtype) return NZ_OK;
    return nz_op_fail(ctx, NZ_E_SHAPE, "inputs %zu and %zu must have one type, but are %s and %s", i, j,
                      nz_dtype_get(a->dtype)->name, nz_dtype_get(b->dtype)->name);
}

/* ---- shapes and axes ---- */

nz_status nz_op_axis(const nz_op_ctx *ctx, int *ret_axis, int64_t axis, int rank) {
    if (axis < -rank || axis >= rank)
        return nz_op_fail(ctx, NZ_E_SHAPE, "axis %lld is outside a tensor of rank %d", (long long)axis, rank);
    *ret_axis = (int)(axis < 0 ? axis + rank : axis);
    return NZ_OK;
}

nz_status nz_op_axes(const nz_op_ctx *ctx, unsigned *ret_set, const int64_t *axes, size_t count, int rank) {
    unsigned set = 0;
    for (size_t i = 0; i < count; i++) {
        int axis = 0;
        NZ_TRY(nz_op_axis(ctx, &axis, axes[i], rank));
        if (set >> axis & 1) return nz_op_fail(ctx, NZ_E_SHAPE, "axis %d is given twice", axis);
        set |= 1u << axis;
    }
    *ret_set = set;
    return NZ_OK;
}

nz_status nz_op_ints(const nz_op_ctx *ctx, size_t i, int64_t *values, size_t capacity, size_t *ret_count) {
    const nz_tensor *in = nz_op_in(ctx, i);
    if (!in || !in->data)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "input %zu must be a constant when the model is planned", i);
    int64_t count = nz_shape_elements(&in->shape);
    if ((in->dtype != NZ_I64 && in->dtype != NZ_I32) || in->shape.rank > 1)
        return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu must be a list of int64 or int32, but is %s of rank %d", i,
                          nz_dtype_get(in->dtype)->name, in->shape.rank);
    if (count < 0 || (size_t)count > capacity)
        return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu has %lld elements, at most %zu make sense", i, (long long)count,
                          capacity);
    for (int64_t k = 0; k < count; k++) values[k] = nz_tensor_int(in, k);
    *ret_count = (size_t)count;
    return NZ_OK;
}

nz_status nz_op_int(const nz_op_ctx *ctx, size_t i, int64_t otherwise, int64_t *ret_value) {
    const nz_tensor *in = nz_op_in(ctx, i);
    if (!in) {
        *ret_value = otherwise;
        return NZ_OK;
    }
    if (!in->data)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "input %zu must be a constant when the model is planned", i);
    if (nz_shape_elements(&in->shape) != 1) return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu must be a single number", i);
    *ret_value = nz_tensor_int(in, 0);
    return NZ_OK;
}

bool nz_shape_broadcast(nz_shape *ret_shape, const nz_shape *a, const nz_shape *b) {
    nz_shape out = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int d = 0; d < out.rank; d++) {
        int in_a = d - (out.rank - a->rank), in_b = d - (out.rank - b->rank);
        int64_t x = in_a < 0 ? 1 : a->dim[in_a], y = in_b < 0 ? 1 : b->dim[in_b];
        if (x == y || y == 1)
            out.dim[d] = x;
        else if (x == 1 || x < 0)
            out.dim[d] = y;
        else if (y < 0)
            out.dim[d] = x;
        else
            return false;
    }
    *ret_shape = out;
    return true;
}

int64_t nz_shape_span(const nz_shape *shape, int from, int to) {
    uint64_t product = 1;
    for (int d = from; d < to; d++) product *= (uint64_t)shape->dim[d];
    return (int64_t)product;
}

void nz_shape_strides(const nz_shape *shape, int64_t strides[NZ_MAX_RANK]) {
    uint64_t stride = 1; /* beside an extent of 0 the product may overflow: no element is visited then */
    for (int d = shape->rank - 1; d >= 0; d--) {
        strides[d] = (int64_t)stride;
        stride *= (uint64_t)shape->dim[d];
    }
}

/* ---- infer and count functions to put into entries ---- */

nz_status nz_op_infer_unary(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

nz_status nz_op_broadcast_inputs(const nz_op_ctx *ctx, nz_shape *ret_shape) {
    nz_shape shape = ctx->in[0]->shape;
    for (size_t i = 1; i < ctx->in_count; i++) {
        char left[112], right[112];
        if (!ctx->in[i]) continue;
        if (!nz_shape_broadcast(&shape, &shape, &ctx->in[i]->shape))
            return nz_op_fail(ctx, NZ_E_SHAPE, "shapes %s and %s of input %zu do not broadcast",
                              nz_shape_text(&shape, left), nz_shape_text(&ctx->in[i]->shape, right), i);
    }
    *ret_shape = shape;
    return NZ_OK;
}

nz_status nz_op_infer_broadcast(const nz_op_ctx *ctx) {
    nz_shape shape;
    NZ_TRY(nz_op_check(ctx, 1, NZ_OP_ANY, 1));
    for (size_t i = 1; i < ctx->in_count; i++) {
        if (!ctx->in[i]) return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu is left out but required", i);
        NZ_TRY(nz_op_same_type(ctx, 0, i));
    }
    NZ_TRY(nz_op_broadcast_inputs(ctx, &shape));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    return NZ_OK;
}

nz_status nz_op_add_ops(const nz_op_ctx *ctx, nz_op_cost *cost, int64_t elements, uint64_t each) {
    uint64_t ops;
    if (elements < 0) return nz_op_fail(ctx, NZ_E_SHAPE, "operations cannot be counted while a shape is not known");
    if (__builtin_mul_overflow((uint64_t)elements, each, &ops) || __builtin_add_overflow(ops, cost->ops, &ops))
        return nz_op_fail(ctx, NZ_E_SHAPE, "the count of operations overflows");
    cost->ops = ops;
    return NZ_OK;
}

nz_status nz_op_add_macs(const nz_op_ctx *ctx, nz_op_cost *cost, int64_t outputs, int64_t macs_each) {
    uint64_t macs;
    if (outputs < 0 || macs_each < 0)
        return nz_op_fail(ctx, NZ_E_SHAPE, "operations cannot be counted while a shape is not known");
    if (__builtin_mul_overflow((uint64_t)outputs, (uint64_t)macs_each, &macs) || macs > INT64_MAX)
        return nz_op_fail(ctx, NZ_E_SHAPE, "the count of operations overflows");
    NZ_TRY(nz_op_add_ops(ctx, cost, (int64_t)macs, 2));
    cost->macs += macs;
    return NZ_OK;
}

static nz_status count_outputs(const nz_op_ctx *ctx, nz_op_cost *cost, uint64_t each) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->out[0].shape), each);
}

nz_status nz_op_count_1(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_outputs(ctx, cost, 1); }
nz_status nz_op_count_2(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_outputs(ctx, cost, 2); }
nz_status nz_op_count_3(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_outputs(ctx, cost, 3); }
nz_status nz_op_count_5(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_outputs(ctx, cost, 5); }

nz_status nz_op_count_nary(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return count_outputs(ctx, cost, ctx->in_count - 1);
}

nz_status nz_op_count_input(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 1);
}
