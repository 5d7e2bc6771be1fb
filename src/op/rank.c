/* SPDX-License-Identifier: Apache-2.0 */
/** What ranks or accumulates along one axis: ArgMax, ArgMin, Hardmax, TopK, CumSum. */
#include <math.h>
#include <string.h>

#include "op/families.h"
#include "op/grad.h"
#include "op/lift.h"

/** An axis in the middle of a tensor: outer x extent x inner elements. */
typedef struct lines {
    int64_t outer, extent, inner;
} lines;

static lines lines_of(const nz_shape *shape, int64_t axis) {
    int at = (int)(axis < 0 ? axis + shape->rank : axis);
    return (lines){nz_shape_span(shape, 0, at), shape->dim[at], nz_shape_span(shape, at + 1, shape->rank)};
}

/** Whether element a precedes b: larger (or smaller) first, NaN before every number. Equal elements precede neither way. */
static bool precedes(const nz_tensor *tensor, int64_t a, int64_t b, bool largest) {
    if (nz_dtype_get(tensor->dtype)->is_float) {
        double x = nz_tensor_real(tensor, a), y = nz_tensor_real(tensor, b);
        if (isnan(x) || isnan(y)) return isnan(x) && !isnan(y);
        return largest ? x > y : x < y;
    }
    int64_t x = nz_tensor_int(tensor, a), y = nz_tensor_int(tensor, b);
    return largest ? x > y : x < y;
}

/** Position along the axis of the first (or last) of the largest (or smallest) elements. */
static int64_t best_along(const nz_tensor *tensor, int64_t base, const lines *l, bool largest, bool last) {
    int64_t best = 0;
    for (int64_t i = 1; i < l->extent; i++) {
        int64_t x = base + i * l->inner, y = base + best * l->inner;
        if (last ? !precedes(tensor, y, x, largest) : precedes(tensor, x, y, largest)) best = i;
    }
    return best;
}

/* ---- ArgMax, ArgMin ---- */

static nz_status infer_arg(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    const nz_shape *in = &ctx->in[0]->shape;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", 0), in->rank));
    if (in->dim[axis] == 0) return nz_op_fail(ctx, NZ_E_SHAPE, "axis %d is empty: it has no largest element", axis);
    nz_shape out = {.rank = 0};
    for (int d = 0; d < in->rank; d++) {
        if (d != axis)
            out.dim[out.rank++] = in->dim[d];
        else if (nz_attr_int(ctx->node, "keepdims", 1))
            out.dim[out.rank++] = 1;
    }
    nz_op_set_out(ctx, 0, NZ_I64, &out);
    return NZ_OK;
}

static nz_status run_arg(const nz_op_ctx *ctx, bool largest) {
    lines l = lines_of(&ctx->in[0]->shape, nz_attr_int(ctx->node, "axis", 0));
    bool last = nz_attr_int(ctx->node, "select_last_index", 0) != 0;
    int64_t *out = ctx->out[0].data;
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++)
            *out++ = best_along(ctx->in[0], o * l.extent * l.inner + i, &l, largest, last);
    return NZ_OK;
}

static nz_status run_arg_max(const nz_op_ctx *ctx) { return run_arg(ctx, true); }
static nz_status run_arg_min(const nz_op_ctx *ctx) { return run_arg(ctx, false); }

/* ---- Hardmax ---- */

static nz_status infer_hardmax(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_infer_unary(ctx));
    return nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), ctx->in[0]->shape.rank);
}

static nz_status run_hardmax(const nz_op_ctx *ctx) {
    lines l = lines_of(&ctx->in[0]->shape, nz_attr_int(ctx->node, "axis", -1));
    int64_t n = nz_shape_elements(&ctx->out[0].shape);
    if (n == 0) return NZ_OK;
    memset(ctx->out[0].data, 0, (size_t)n * nz_dtype_size(ctx->out[0].dtype));
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            int64_t base = o * l.extent * l.inner + i;
            nz_tensor_set_real(&ctx->out[0], base + best_along(ctx->in[0], base, &l, true, false) * l.inner, 1);
        }
    return NZ_OK;
}

/* ---- TopK ---- */

static nz_status infer_top_k(const nz_op_ctx *ctx) {
    int axis = 0;
    int64_t k = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 2));
    NZ_TRY(nz_op_int(ctx, 1, 0, &k));
    nz_shape out = ctx->in[0]->shape;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", -1), out.rank));
    if (k < 0 || (out.dim[axis] >= 0 && k > out.dim[axis]))
        return nz_op_fail(ctx, NZ_E_SHAPE, "k is %lld for an extent of %lld", (long long)k, (long long)out.dim[axis]);
    out.dim[axis] = k;
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    nz_op_set_out(ctx, 1, NZ_I64, &out);
    return NZ_OK;
}

typedef struct candidate {
    double real;
    int64_t integer, index;
} candidate;

/** Order of TopK: by value, then by index. A float's value is in `real`, an integer's in `integer`; the other one is 0. */
static int compare_descending(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (isnan(a->real) != isnan(b->real)) return isnan(a->real) ? -1 : 1;
    if (a->real != b->real && !isnan(a->real)) return a->real > b->real ? -1 : 1;
    if (a->integer != b->integer) return a->integer > b->integer ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static int compare_ascending(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (isnan(a->real) != isnan(b->real)) return isnan(a->real) ? -1 : 1;
    if (a->real != b->real && !isnan(a->real)) return a->real < b->real ? -1 : 1;
    if (a->integer != b->integer) return a->integer < b->integer ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/** Fills `line` with the elements of the line that begins at `base`, in the order of the node. */
static void order_line(const nz_op_ctx *ctx, const lines *l, int64_t base, candidate *line) {
    const nz_tensor *in = ctx->in[0];
    bool largest = nz_attr_int(ctx->node, "largest", 1) != 0, real = nz_dtype_get(in->dtype)->is_float;
    for (int64_t j = 0; j < l->extent; j++) {
        int64_t at = base + j * l->inner;
        line[j] = (candidate){real ? nz_tensor_real(in, at) : 0, real ? 0 : nz_tensor_int(in, at), j};
    }
    qsort(line, (size_t)l->extent, sizeof *line, largest ? compare_descending : compare_ascending);
}

static nz_status run_top_k(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0];
    int64_t axis = nz_attr_int(ctx->node, "axis", -1), k = nz_tensor_int(ctx->in[1], 0);
    lines l = lines_of(&in->shape, axis);
    size_t size = nz_dtype_size(in->dtype);
    candidate *line;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &line, (size_t)l.extent, sizeof *line));
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            int64_t base = o * l.extent * l.inner + i, to = o * k * l.inner + i;
            order_line(ctx, &l, base, line);
            for (int64_t j = 0; j < k; j++, to += l.inner) {
                memcpy((char *)ctx->out[0].data + (size_t)to * size,
                       (const char *)in->data + (size_t)(base + line[j].index * l.inner) * size, size);
                if (nz_op_has_out(ctx, 1)) ((int64_t *)ctx->out[1].data)[to] = line[j].index;
            }
        }
    return NZ_OK;
}

/** What was not chosen gets nothing. */
static nz_status grad_top_k(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int64_t k = nz_tensor_int(ctx->in[1], 0);
    lines l = lines_of(&ctx->in[0]->shape, nz_attr_int(ctx->node, "axis", -1));
    const float *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0);
    candidate *line;
    memset(dx, 0, (size_t)nz_shape_elements(&ctx->in[0]->shape) * sizeof *dx);
    NZ_TRY(nz_arena_alloc(ctx->scratch, &line, (size_t)l.extent, sizeof *line));
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            int64_t base = o * l.extent * l.inner + i, from = o * k * l.inner + i;
            order_line(ctx, &l, base, line);
            for (int64_t j = 0; j < k; j++, from += l.inner) dx[base + line[j].index * l.inner] = dy[from];
        }
    return NZ_OK;
}

static nz_status lift_top_k(nz_graph *graph, int node) {
    return graph->nodes[node].opset >= 10 ? NZ_OK : nz_lift_ints(graph, node, "k", 1);
}

/* ---- CumSum ---- */

static nz_status infer_cum_sum(const nz_op_ctx *ctx) {
    int64_t wanted = 0;
    int axis = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_int(ctx, 1, 0, &wanted));
    NZ_TRY(nz_op_axis(ctx, &axis, wanted, ctx->in[0]->shape.rank));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

static nz_status cumulate(const nz_op_ctx *ctx, bool reverse) {
    const nz_tensor *in = ctx->in[0];
    lines l = lines_of(&in->shape, nz_tensor_int(ctx->in[1], 0));
    bool exclusive = nz_attr_int(ctx->node, "exclusive", 0) != 0;
    bool real = nz_dtype_get(in->dtype)->is_float;
    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            double sum = 0;
            uint64_t whole = 0;
            for (int64_t j = 0; j < l.extent; j++) {
                int64_t at = (o * l.extent + (reverse ? l.extent - 1 - j : j)) * l.inner + i;
                double x = real ? nz_tensor_real(in, at) : 0, before = sum;
                uint64_t n = real ? 0 : (uint64_t)nz_tensor_int(in, at), whole_before = whole;
                sum += x;
                whole += n;
                if (real)
                    nz_tensor_set_real(&ctx->out[0], at, exclusive ? before : sum);
                else
                    nz_tensor_set_int(&ctx->out[0], at, (int64_t)(exclusive ? whole_before : whole));
            }
        }
    return NZ_OK;
}

static nz_status run_cum_sum(const nz_op_ctx *ctx) { return cumulate(ctx, nz_attr_int(ctx->node, "reverse", 0) != 0); }

/** An element is in the sums of all that follow: the same from the other end. */
static nz_status cumulate_back(const nz_op_ctx *ctx) {
    return cumulate(ctx, nz_attr_int(ctx->node, "reverse", 0) == 0);
}
static nz_status grad_cum_sum(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return nz_grad_by_run(ctx, grad, cumulate_back);
}

/* ---- entries ---- */

const nz_op nz_ops_rank[] = {
    {.name = "ArgMax",
     .versions = NZ_VERSIONS(1, 11, 12, 13),
     .canonical_since = 12,
     .types = NZ_TYPES_NUMBER,
     .attributes = NZ_ATTRIBUTES("axis", "keepdims", "select_last_index"),
     .infer = infer_arg,
     .count = nz_op_count_input,
     .run = run_arg_max},
    {.name = "ArgMin",
     .versions = NZ_VERSIONS(1, 11, 12, 13),
     .canonical_since = 12,
     .types = NZ_TYPES_NUMBER,
     .attributes = NZ_ATTRIBUTES("axis", "keepdims", "select_last_index"),
     .infer = infer_arg,
     .count = nz_op_count_input,
     .run = run_arg_min},
    {.name = "CumSum",
     .versions = NZ_VERSIONS(11, 14),
     .canonical_since = 11,
     .plan_inputs = 2,
     .types = NZ_TYPES_NUMBER,
     .attributes = NZ_ATTRIBUTES("exclusive", "reverse"),
     .infer = infer_cum_sum,
     .count = nz_op_count_input,
     .run = run_cum_sum,
     .grad = grad_cum_sum,
     .grad_inputs = 1},
    {.name = "Hardmax",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 13,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = NZ_TYPES_FLOAT,
     .lift = nz_lift_coerced,
     .infer = infer_hardmax,
     .count = nz_op_count_input,
     .run = run_hardmax},
    {.name = "TopK",
     .versions = NZ_VERSIONS(1, 10, 11, 24),
     .canonical_since = 11,
     .plan_inputs = 2,
     .types = NZ_TYPES_NUMBER,
     .attributes = NZ_ATTRIBUTES("axis", "largest", "sorted"),
     .infer = infer_top_k,
     .count = nz_op_count_input,
     .run = run_top_k,
     .lift = lift_top_k,
     .grad = grad_top_k,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {0},
};
