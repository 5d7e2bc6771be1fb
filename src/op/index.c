/* SPDX-License-Identifier: Apache-2.0 */
/** Reading and writing at places that other tensors name. An index outside its axis is an error that names it. */
#include <string.h>

#include "kernel/ref_grad.h"
#include "op/families.h"
#include "op/grad.h"
#include "op/grad_fold.h"
#include "op/lift.h"

static nz_status check_index_type(const nz_op_ctx *ctx, size_t i) {
    nz_dtype dtype = ctx->in[i]->dtype;
    if (dtype == NZ_I64 || dtype == NZ_I32) return NZ_OK;
    return nz_op_fail(ctx, NZ_E_SHAPE, "indices must be int64 or int32, not %s", nz_dtype_get(dtype)->name);
}

/** Index `i` of the tensor, counted from the end where negative, in [0, extent). */
static nz_status index_at(const nz_op_ctx *ctx, int64_t *ret_at, const nz_tensor *indices, int64_t i, int64_t extent) {
    int64_t at = indices->dtype == NZ_I64 ? ((const int64_t *)indices->data)[i] : ((const int32_t *)indices->data)[i];
    if (at < -extent || at >= extent)
        return nz_op_fail(ctx, NZ_E_SHAPE, "index %lld is outside an axis of extent %lld", (long long)at,
                          (long long)extent);
    *ret_at = at < 0 ? at + extent : at;
    return NZ_OK;
}

static nz_status check_constant_indices(const nz_op_ctx *ctx, const nz_tensor *indices, int64_t extent) {
    int64_t n = nz_shape_elements(&indices->shape), at;
    if (!indices->data || extent < 0) return NZ_OK;
    for (int64_t i = 0; i < n; i++) NZ_TRY(index_at(ctx, &at, indices, i, extent));
    return NZ_OK;
}

/* ---- Gather ---- */

static nz_status infer_gather(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(check_index_type(ctx, 1));
    const nz_shape *in = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", 0), in->rank));
    nz_shape out = {.rank = in->rank - 1 + indices->rank};
    if (out.rank > NZ_MAX_RANK)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "rank %d is above the supported %d", out.rank, NZ_MAX_RANK);
    NZ_TRY(check_constant_indices(ctx, ctx->in[1], in->dim[axis]));
    for (int d = 0; d < axis; d++) out.dim[d] = in->dim[d];
    for (int d = 0; d < indices->rank; d++) out.dim[axis + d] = indices->dim[d];
    for (int d = axis + 1; d < in->rank; d++) out.dim[indices->rank - 1 + d] = in->dim[d];
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_gather(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0], *indices = ctx->in[1];
    int64_t axis = nz_attr_int(ctx->node, "axis", 0);
    if (axis < 0) axis += in->shape.rank;
    int64_t outer = nz_shape_span(&in->shape, 0, (int)axis), extent = in->shape.dim[axis];
    int64_t inner = nz_shape_span(&in->shape, (int)axis + 1, in->shape.rank), n = nz_shape_elements(&indices->shape);
    size_t block = (size_t)inner * nz_dtype_size(in->dtype);
    char *to = ctx->out[0].data;
    const char *from = in->data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n; i++, to += block) {
            int64_t at = 0;
            NZ_TRY(index_at(ctx, &at, indices, i, extent));
            memcpy(to, from + (size_t)(o * extent + at) * block, block);
        }
    return NZ_OK;
}

/** An index that occurs more than once collects the gradients of all its places. */
static nz_status grad_gather(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *in = &ctx->in[0]->shape;
    int64_t axis = nz_attr_int(ctx->node, "axis", 0), n = nz_shape_elements(&ctx->in[1]->shape);
    if (axis < 0) axis += in->rank;
    nz_ref_taps taps = {.in = in->dim[axis], .out = n, .count = 1};
    NZ_TRY(nz_arena_alloc(ctx->scratch, &taps.index, (size_t)n, sizeof *taps.index));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &taps.weight, (size_t)n, sizeof *taps.weight));
    for (int64_t i = 0; i < n; i++) {
        taps.weight[i] = 1;
        NZ_TRY(index_at(ctx, &taps.index[i], ctx->in[1], i, taps.in));
    }
    nz_ref_resize_axis_back(&taps, nz_shape_span(in, 0, (int)axis), nz_shape_span(in, (int)axis + 1, in->rank),
                            nz_grad_from(grad, 0), nz_grad_to(ctx, grad, 0));
    return NZ_OK;
}

/* ---- GatherElements, ScatterElements ---- */

typedef enum reduction { SCATTER_NONE, SCATTER_ADD, SCATTER_MUL, SCATTER_MAX, SCATTER_MIN, SCATTER_KINDS } reduction;

static nz_status read_reduction(const nz_op_ctx *ctx, reduction *ret_kind) {
    static const char *const names[SCATTER_KINDS] = {"none", "add", "mul", "max", "min"};
    const char *name = nz_attr_string(ctx->node, "reduction", "none");
    for (int k = 0; k < SCATTER_KINDS; k++)
        if (strcmp(name, names[k]) == 0) {
            *ret_kind = (reduction)k;
            if (k != SCATTER_NONE && !(NZ_TYPES_NUMBER & NZ_TYPE_BIT(ctx->in[0]->dtype)))
                return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "type %s cannot be reduced",
                                  nz_dtype_get(ctx->in[0]->dtype)->name);
            return NZ_OK;
        }
    return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "reduction '%s' is not one of none, add, mul, max and min", name);
}

static double reduce_real(reduction kind, double old, double value) {
    switch (kind) {
    case SCATTER_ADD: return old + value;
    case SCATTER_MUL: return old * value;
    case SCATTER_MAX: return old > value ? old : value;
    case SCATTER_MIN: return old < value ? old : value;
    default: return value;
    }
}

static int64_t reduce_int(reduction kind, int64_t old, int64_t value) {
    switch (kind) {
    case SCATTER_ADD: return (int64_t)((uint64_t)old + (uint64_t)value);
    case SCATTER_MUL: return (int64_t)((uint64_t)old * (uint64_t)value);
    case SCATTER_MAX: return old > value ? old : value;
    case SCATTER_MIN: return old < value ? old : value;
    default: return value;
    }
}

/** out[to] = reduced(out[to], updates[from]). */
static void scatter_one(nz_tensor *out, int64_t to, const nz_tensor *updates, int64_t from, reduction kind) {
    size_t size = nz_dtype_size(out->dtype);
    if (kind == SCATTER_NONE)
        memcpy((char *)out->data + (size_t)to * size, (const char *)updates->data + (size_t)from * size, size);
    else if (nz_dtype_get(out->dtype)->is_float)
        nz_tensor_set_real(out, to, reduce_real(kind, nz_tensor_real(out, to), nz_tensor_real(updates, from)));
    else
        nz_tensor_set_int(out, to, reduce_int(kind, nz_tensor_int(out, to), nz_tensor_int(updates, from)));
}

/** What is called with every index's position and the place in the data that it names. */
typedef void visitor(const nz_op_ctx *ctx, int64_t data_at, int64_t index_at, const void *argument);

static nz_status each_element(const nz_op_ctx *ctx, const nz_shape *data, const nz_tensor *indices, int axis,
                              visitor *visit, const void *argument) {
    int64_t strides[NZ_MAX_RANK], at[NZ_MAX_RANK] = {0}, n = nz_shape_elements(&indices->shape);
    nz_shape_strides(data, strides);
    for (int64_t i = 0; i < n; i++) {
        int64_t place = 0, along = 0;
        NZ_TRY(index_at(ctx, &along, indices, i, data->dim[axis]));
        for (int d = 0; d < data->rank; d++) place += (d == axis ? along : at[d]) * strides[d];
        visit(ctx, place, i, argument);
        for (int d = data->rank - 1; d >= 0 && ++at[d] == indices->shape.dim[d]; d--) at[d] = 0;
    }
    return NZ_OK;
}

static nz_status check_elements(const nz_op_ctx *ctx, int *ret_axis) {
    NZ_TRY(check_index_type(ctx, 1));
    const nz_shape *in = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    bool fits = in->rank == indices->rank && in->rank > 0;
    if (fits) NZ_TRY(nz_op_axis(ctx, ret_axis, nz_attr_int(ctx->node, "axis", 0), in->rank));
    for (int d = 0; fits && d < in->rank; d++)
        fits = d == *ret_axis || in->dim[d] < 0 || indices->dim[d] < 0 || indices->dim[d] <= in->dim[d];
    if (!fits) {
        char a[112], b[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "indices of shape %s do not fit data of shape %s", nz_shape_text(indices, a),
                          nz_shape_text(in, b));
    }
    return check_constant_indices(ctx, ctx->in[1], in->dim[*ret_axis]);
}

static nz_status infer_gather_elements(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(check_elements(ctx, &axis));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[1]->shape);
    return NZ_OK;
}

static void take_element(const nz_op_ctx *ctx, int64_t data_at, int64_t index_at, const void *argument) {
    size_t size = nz_dtype_size(ctx->in[0]->dtype);
    (void)argument;
    memcpy((char *)ctx->out[0].data + (size_t)index_at * size, (const char *)ctx->in[0]->data + (size_t)data_at * size,
           size);
}

static nz_status run_gather_elements(const nz_op_ctx *ctx) {
    int64_t axis = nz_attr_int(ctx->node, "axis", 0);
    const nz_shape *in = &ctx->in[0]->shape;
    return each_element(ctx, in, ctx->in[1], (int)(axis < 0 ? axis + in->rank : axis), take_element, NULL);
}

static void give_element(const nz_op_ctx *ctx, int64_t data_at, int64_t index_at, const void *argument) {
    const nz_op_grad *grad = argument;
    nz_grad_to(ctx, grad, 0)[data_at] += nz_grad_from(grad, 0)[index_at];
}

static nz_status grad_gather_elements(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int64_t axis = nz_attr_int(ctx->node, "axis", 0);
    const nz_shape *in = &ctx->in[0]->shape;
    memset(nz_grad_to(ctx, grad, 0), 0, (size_t)nz_shape_elements(in) * sizeof(float));
    return each_element(ctx, in, ctx->in[1], (int)(axis < 0 ? axis + in->rank : axis), give_element, grad);
}

static nz_status infer_scatter_elements(const nz_op_ctx *ctx) {
    int axis = 0;
    reduction kind;
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 2));
    NZ_TRY(read_reduction(ctx, &kind));
    NZ_TRY(check_elements(ctx, &axis));
    if (nz_shape_known(&ctx->in[1]->shape) && nz_shape_known(&ctx->in[2]->shape) &&
        !nz_shape_equal(&ctx->in[1]->shape, &ctx->in[2]->shape))
        return nz_op_fail(ctx, NZ_E_SHAPE, "indices and updates must have one shape");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

static void put_element(const nz_op_ctx *ctx, int64_t data_at, int64_t index_at, const void *argument) {
    scatter_one(&ctx->out[0], data_at, ctx->in[2], index_at, *(const reduction *)argument);
}

static nz_status run_scatter_elements(const nz_op_ctx *ctx) {
    int64_t axis = nz_attr_int(ctx->node, "axis", 0);
    const nz_shape *in = &ctx->in[0]->shape;
    reduction kind;
    NZ_TRY(read_reduction(ctx, &kind));
    nz_op_copy(&ctx->out[0], ctx->in[0]);
    return each_element(ctx, in, ctx->in[1], (int)(axis < 0 ? axis + in->rank : axis), put_element, &kind);
}

/* ---- gradients of scattering: what lands at one place of the output folds into it, the data first ---- */

typedef struct scatter_back {
    nz_fold fold;
    const float *updates, *dy;
    float *to;     /**< of the updates, NULL: not wanted */
    int64_t first; /**< number of the first update in the fold */
} scatter_back;

static void show_element(const nz_op_ctx *ctx, int64_t data_at, int64_t index_at, const void *argument) {
    const scatter_back *back = argument;
    (void)ctx;
    nz_fold_show(&back->fold, data_at, back->first + index_at, back->updates[index_at]);
}

static void share_element(const nz_op_ctx *ctx, int64_t data_at, int64_t index_at, const void *argument) {
    const scatter_back *back = argument;
    (void)ctx;
    back->to[index_at] =
        nz_fold_share(&back->fold, data_at, back->first + index_at, back->updates[index_at], back->dy[data_at]);
}

/** The gradients of data and updates; `walk` visits every update. */
static nz_status grad_scatter(const nz_op_ctx *ctx, const nz_op_grad *grad,
                              nz_status (*walk)(const nz_op_ctx *, visitor *, const void *)) {
    static const nz_fold_kind folds[SCATTER_KINDS] = {NZ_FOLD_LAST, NZ_FOLD_SUM, NZ_FOLD_PRODUCT, NZ_FOLD_LARGEST,
                                                      NZ_FOLD_SMALLEST};
    const float *data = ctx->in[0]->data;
    int64_t n = nz_shape_elements(&ctx->in[0]->shape);
    float *to = nz_grad_to(ctx, grad, 0);
    scatter_back back = {
        .updates = ctx->in[2]->data, .dy = nz_grad_from(grad, 0), .to = nz_grad_to(ctx, grad, 2), .first = n};
    reduction kind = SCATTER_NONE;
    NZ_TRY(read_reduction(ctx, &kind));
    NZ_TRY(nz_fold_init(&back.fold, folds[kind], (size_t)n, ctx->scratch));
    for (int64_t i = 0; i < n; i++) nz_fold_show(&back.fold, i, i, data[i]);
    NZ_TRY(walk(ctx, show_element, &back));
    for (int64_t i = 0; to && i < n; i++) to[i] = nz_fold_share(&back.fold, i, i, data[i], back.dy[i]);
    return back.to ? walk(ctx, share_element, &back) : NZ_OK;
}

static nz_status walk_elements(const nz_op_ctx *ctx, visitor *visit, const void *argument) {
    int64_t axis = nz_attr_int(ctx->node, "axis", 0);
    const nz_shape *in = &ctx->in[0]->shape;
    return each_element(ctx, in, ctx->in[1], (int)(axis < 0 ? axis + in->rank : axis), visit, argument);
}

static nz_status grad_scatter_elements(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_scatter(ctx, grad, walk_elements);
}

static nz_status lift_scatter(nz_graph *graph, int node) {
    return nz_node_set_op(&graph->nodes[node], "ScatterElements");
}

static int since_scatter(const nz_graph *graph, const nz_node *node) {
    const char *kind = nz_attr_string(node, "reduction", "none");
    (void)graph;
    if (strcmp(kind, "max") == 0 || strcmp(kind, "min") == 0) return 18;
    return strcmp(kind, "none") == 0 ? 13 : 16;
}

/* ---- GatherND, ScatterND ---- */

/** Position in the data, in blocks of `inner` elements, that tuple `i` of `depth` indices names below `first` axes. */
static nz_status tuple_at(const nz_op_ctx *ctx, int64_t *ret_at, int64_t i, int depth, int first) {
    const nz_shape *data = &ctx->in[0]->shape;
    int64_t at = 0;
    for (int k = 0; k < depth; k++) {
        int64_t along = 0;
        NZ_TRY(index_at(ctx, &along, ctx->in[1], i * depth + k, data->dim[first + k]));
        at = at * data->dim[first + k] + along;
    }
    *ret_at = at;
    return NZ_OK;
}

static nz_status check_tuples(const nz_op_ctx *ctx, int batch, int *ret_depth) {
    NZ_TRY(check_index_type(ctx, 1));
    const nz_shape *data = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    int64_t depth = indices->rank > 0 ? indices->dim[indices->rank - 1] : 0;
    if (indices->rank > 0 && depth < 0)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "the last extent of the indices is not known");
    if (batch < 0 || batch >= indices->rank || depth < 1 || depth > data->rank - batch) {
        char a[112], b[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "indices of shape %s do not fit data of shape %s with %d batch axes",
                          nz_shape_text(indices, a), nz_shape_text(data, b), batch);
    }
    for (int d = 0; d < batch; d++)
        if (data->dim[d] >= 0 && indices->dim[d] >= 0 && data->dim[d] != indices->dim[d])
            return nz_op_fail(ctx, NZ_E_SHAPE, "data and indices differ along batch axis %d", d);
    *ret_depth = (int)depth;
    return NZ_OK;
}

static nz_status infer_gather_nd(const nz_op_ctx *ctx) {
    int depth = 0;
    int64_t batch = nz_attr_int(ctx->node, "batch_dims", 0);
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(check_tuples(ctx, batch < 0 || batch > NZ_MAX_RANK ? -1 : (int)batch, &depth));
    const nz_shape *data = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    nz_shape out = {.rank = indices->rank - 1 + data->rank - depth - (int)batch};
    if (out.rank > NZ_MAX_RANK)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "rank %d is above the supported %d", out.rank, NZ_MAX_RANK);
    for (int d = 0; d < indices->rank - 1; d++) out.dim[d] = indices->dim[d];
    for (int d = (int)batch + depth, to = indices->rank - 1; d < data->rank; d++) out.dim[to++] = data->dim[d];
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_gather_nd(const nz_op_ctx *ctx) {
    const nz_shape *data = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    int batch = (int)nz_attr_int(ctx->node, "batch_dims", 0), depth = (int)indices->dim[indices->rank - 1];
    int64_t batches = nz_shape_span(data, 0, batch), named = nz_shape_span(data, batch, batch + depth);
    int64_t tuples = nz_shape_span(indices, batch, indices->rank - 1);
    size_t block = (size_t)nz_shape_span(data, batch + depth, data->rank) * nz_dtype_size(ctx->in[0]->dtype);
    char *to = ctx->out[0].data;
    for (int64_t b = 0; b < batches; b++)
        for (int64_t i = 0; i < tuples; i++, to += block) {
            int64_t at = 0;
            NZ_TRY(tuple_at(ctx, &at, b * tuples + i, depth, batch));
            memcpy(to, (const char *)ctx->in[0]->data + (size_t)(b * named + at) * block, block);
        }
    return NZ_OK;
}

static nz_status grad_gather_nd(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *data = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    int batch = (int)nz_attr_int(ctx->node, "batch_dims", 0), depth = (int)indices->dim[indices->rank - 1];
    int64_t batches = nz_shape_span(data, 0, batch), named = nz_shape_span(data, batch, batch + depth);
    int64_t tuples = nz_shape_span(indices, batch, indices->rank - 1);
    int64_t block = nz_shape_span(data, batch + depth, data->rank);
    const float *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0);
    memset(dx, 0, (size_t)nz_shape_elements(data) * sizeof *dx);
    for (int64_t b = 0; b < batches; b++)
        for (int64_t i = 0; i < tuples; i++, dy += block) {
            int64_t at = 0;
            NZ_TRY(tuple_at(ctx, &at, b * tuples + i, depth, batch));
            for (int64_t k = 0; k < block; k++) dx[(b * named + at) * block + k] += dy[k];
        }
    return NZ_OK;
}

static nz_status infer_scatter_nd(const nz_op_ctx *ctx) {
    int depth = 0;
    reduction kind;
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 2));
    NZ_TRY(read_reduction(ctx, &kind));
    NZ_TRY(check_tuples(ctx, 0, &depth));
    const nz_shape *data = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape, *updates = &ctx->in[2]->shape;
    nz_shape wanted = {.rank = indices->rank - 1 + data->rank - depth};
    bool fits = wanted.rank == updates->rank;
    for (int d = 0; fits && d < wanted.rank; d++) {
        wanted.dim[d] = d < indices->rank - 1 ? indices->dim[d] : data->dim[depth + d - (indices->rank - 1)];
        fits = wanted.dim[d] < 0 || updates->dim[d] < 0 || wanted.dim[d] == updates->dim[d];
    }
    if (!fits) {
        char a[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "updates of shape %s do not fit data and indices",
                          nz_shape_text(updates, a));
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, data);
    return NZ_OK;
}

static nz_status run_scatter_nd(const nz_op_ctx *ctx) {
    const nz_shape *data = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    int depth = (int)indices->dim[indices->rank - 1];
    int64_t tuples = nz_shape_span(indices, 0, indices->rank - 1), inner = nz_shape_span(data, depth, data->rank);
    reduction kind;
    NZ_TRY(read_reduction(ctx, &kind));
    nz_op_copy(&ctx->out[0], ctx->in[0]);
    for (int64_t i = 0; i < tuples; i++) {
        int64_t at = 0;
        NZ_TRY(tuple_at(ctx, &at, i, depth, 0));
        for (int64_t k = 0; k < inner; k++) scatter_one(&ctx->out[0], at * inner + k, ctx->in[2], i * inner + k, kind);
    }
    return NZ_OK;
}

static nz_status walk_tuples(const nz_op_ctx *ctx, visitor *visit, const void *argument) {
    const nz_shape *data = &ctx->in[0]->shape, *indices = &ctx->in[1]->shape;
    int depth = (int)indices->dim[indices->rank - 1];
    int64_t tuples = nz_shape_span(indices, 0, indices->rank - 1), inner = nz_shape_span(data, depth, data->rank);
    for (int64_t i = 0; i < tuples; i++) {
        int64_t at = 0;
        NZ_TRY(tuple_at(ctx, &at, i, depth, 0));
        for (int64_t k = 0; k < inner; k++) visit(ctx, at * inner + k, i * inner + k, argument);
    }
    return NZ_OK;
}

static nz_status grad_scatter_nd(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_scatter(ctx, grad, walk_tuples);
}

/* ---- entries ---- */

/** A reduction is one operation per update; plain placing moves data. */
static nz_status count_scatter(const nz_op_ctx *ctx, nz_op_cost *cost) {
    bool reduces = strcmp(nz_attr_string(ctx->node, "reduction", "none"), "none") != 0;
    return reduces ? nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[2]->shape), 1) : NZ_OK;
}

#define MOVES (NZ_OP_MOVES_DATA | NZ_OP_KEEPS_RANGE)

const nz_op nz_ops_index[] = {
    {.name = "Gather",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 11,
     .flags = MOVES,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_gather,
     .run = run_gather,
     .grad = grad_gather,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_REST},
    {.name = "GatherElements",
     .versions = NZ_VERSIONS(11, 13),
     .canonical_since = 11,
     .flags = MOVES,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_gather_elements,
     .run = run_gather_elements,
     .grad = grad_gather_elements,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_REST},
    {.name = "GatherND",
     .versions = NZ_VERSIONS(11, 12, 13),
     .canonical_since = 12,
     .flags = MOVES,
     .attributes = NZ_ATTRIBUTES("batch_dims"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_gather_nd,
     .run = run_gather_nd,
     .grad = grad_gather_nd,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_REST},
    {.name = "Scatter",
     .versions = NZ_VERSIONS(9, 11),
     .canonical_since = 9,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = NZ_TYPES_BYTES,
     .lift = lift_scatter,
     .infer = infer_scatter_elements,
     .run = run_scatter_elements},
    {.name = "ScatterElements",
     .versions = NZ_VERSIONS(11, 13, 16, 18),
     .canonical_since = 11,
     .attributes = NZ_ATTRIBUTES("axis", "reduction"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_scatter_elements,
     .count = count_scatter,
     .run = run_scatter_elements,
     .since = since_scatter,
     .grad = grad_scatter_elements,
     .grad_inputs = 5,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "ScatterND",
     .versions = NZ_VERSIONS(11, 13, 16, 18),
     .canonical_since = 11,
     .attributes = NZ_ATTRIBUTES("reduction"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_scatter_nd,
     .count = count_scatter,
     .run = run_scatter_nd,
     .since = since_scatter,
     .grad = grad_scatter_nd,
     .grad_inputs = 5,
     .grad_reads = NZ_GRAD_READS_IN},
    {0},
};
