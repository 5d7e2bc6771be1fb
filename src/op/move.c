/* SPDX-License-Identifier: Apache-2.0 */
/** Data movement along axes: elements keep their values and find new places. All of it is copying between strides. */
#include <string.h>

#include "op/families.h"
#include "op/grad.h"
#include "op/lift.h"

/** Copies `from` (with strides over `shape`) into `to` (likewise). */
static void copy_strided(const nz_shape *shape, void *to, const int64_t *to_strides, const void *from,
                         const int64_t *from_strides, size_t size) {
    nz_loop loop;
    nz_loop_init(&loop, shape);
    nz_loop_add_strided(&loop, to, size, to_strides);
    nz_loop_add_strided(&loop, from, size, from_strides);
    nz_loop_copy(&loop);
}

/* ---- Transpose ---- */

static nz_status permutation(const nz_op_ctx *ctx, int perm[NZ_MAX_RANK]) {
    int rank = ctx->in[0]->shape.rank;
    size_t count;
    const int64_t *list = nz_attr_ints(ctx->node, "perm", &count);
    unsigned seen = 0;
    for (int d = 0; d < rank; d++) perm[d] = rank - 1 - d;
    if (!list) return NZ_OK;
    if (count != (size_t)rank)
        return nz_op_fail(ctx, NZ_E_SHAPE, "perm has %zu entries for a tensor of rank %d", count, rank);
    NZ_TRY(nz_op_axes(ctx, &seen, list, count, rank));
    for (int d = 0; d < rank; d++) perm[d] = (int)(list[d] < 0 ? list[d] + rank : list[d]);
    return NZ_OK;
}

static nz_status infer_transpose(const nz_op_ctx *ctx) {
    int perm[NZ_MAX_RANK] = {0};
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    NZ_TRY(permutation(ctx, perm));
    nz_shape out = {.rank = ctx->in[0]->shape.rank};
    for (int d = 0; d < out.rank; d++) out.dim[d] = ctx->in[0]->shape.dim[perm[d]];
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_transpose(const nz_op_ctx *ctx) {
    int perm[NZ_MAX_RANK] = {0};
    int64_t own[NZ_MAX_RANK], from[NZ_MAX_RANK], to[NZ_MAX_RANK];
    const nz_tensor *in = ctx->in[0], *out = &ctx->out[0];
    NZ_TRY(permutation(ctx, perm));
    nz_shape_strides(&in->shape, own);
    nz_shape_strides(&out->shape, to);
    for (int d = 0; d < out->shape.rank; d++) from[d] = own[perm[d]];
    if (nz_dtype_size(in->dtype) > 0) {
        copy_strided(&out->shape, out->data, to, in->data, from, nz_dtype_size(in->dtype));
        return NZ_OK;
    }
    /* Packed 4-bit elements have no addresses of their own. */
    int64_t n = nz_shape_elements(&out->shape);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0;
        for (int d = out->shape.rank - 1; d >= 0; rest /= out->shape.dim[d--]) at += rest % out->shape.dim[d] * from[d];
        nz_tensor_set_int(&ctx->out[0], i, nz_tensor_int(in, at));
    }
    return NZ_OK;
}

static nz_status grad_transpose(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int perm[NZ_MAX_RANK] = {0};
    int64_t own[NZ_MAX_RANK], from[NZ_MAX_RANK], to[NZ_MAX_RANK];
    const nz_shape *in = &ctx->in[0]->shape;
    NZ_TRY(permutation(ctx, perm));
    nz_shape_strides(&grad->dout[0]->shape, own);
    nz_shape_strides(in, to);
    for (int d = 0; d < in->rank; d++) from[perm[d]] = own[d];
    copy_strided(in, nz_grad_to(ctx, grad, 0), to, nz_grad_from(grad, 0), from, sizeof(float));
    return NZ_OK;
}

/* ---- Concat, Split ---- */

static nz_status infer_concat(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_check(ctx, 1, NZ_OP_ANY, 1));
    nz_shape out = ctx->in[0]->shape;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", 0), out.rank));
    for (size_t i = 1; i < ctx->in_count; i++) {
        char first[112], other[112];
        if (!ctx->in[i]) return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu is left out but required", i);
        NZ_TRY(nz_op_same_type(ctx, 0, i));
        const nz_shape *shape = &ctx->in[i]->shape;
        bool fits = shape->rank == out.rank;
        for (int d = 0; fits && d < out.rank; d++) {
            int64_t x = out.dim[d], y = shape->dim[d];
            if (d == axis) {
                if (x < 0 || y < 0)
                    out.dim[d] = -1;
                else if (__builtin_add_overflow(x, y, &out.dim[d]))
                    fits = false;
            } else {
                fits = x == y || x < 0 || y < 0;
                out.dim[d] = x < 0 ? y : x;
            }
        }
        if (!fits)
            return nz_op_fail(ctx, NZ_E_SHAPE, "input %zu of shape %s does not join %s along axis %d", i,
                              nz_shape_text(shape, other), nz_shape_text(&ctx->in[0]->shape, first), axis);
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_concat(const nz_op_ctx *ctx) {
    const nz_tensor *out = &ctx->out[0];
    int64_t strides[NZ_MAX_RANK], own[NZ_MAX_RANK], axis = nz_attr_int(ctx->node, "axis", 0);
    size_t size = nz_dtype_size(out->dtype);
    if (axis < 0) axis += out->shape.rank;
    char *to = out->data;
    nz_shape_strides(&out->shape, strides);
    for (size_t i = 0; i < ctx->in_count; i++) {
        nz_shape_strides(&ctx->in[i]->shape, own);
        copy_strided(&ctx->in[i]->shape, to, strides, ctx->in[i]->data, own, size);
        to += size * (size_t)(ctx->in[i]->shape.dim[axis] * strides[axis]);
    }
    return NZ_OK;
}

static nz_status grad_concat(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int64_t strides[NZ_MAX_RANK], own[NZ_MAX_RANK], axis = nz_attr_int(ctx->node, "axis", 0);
    if (axis < 0) axis += grad->dout[0]->shape.rank;
    const float *from = nz_grad_from(grad, 0);
    nz_shape_strides(&grad->dout[0]->shape, strides);
    for (size_t i = 0; i < ctx->in_count; i++) {
        const nz_shape *in = &ctx->in[i]->shape;
        nz_shape_strides(in, own);
        if (nz_grad_to(ctx, grad, i)) copy_strided(in, nz_grad_to(ctx, grad, i), own, from, strides, sizeof(float));
        from += in->dim[axis] * strides[axis];
    }
    return NZ_OK;
}

static nz_status lift_concat(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    return n->opset < 4 && !nz_attr_get(n, "axis") ? nz_node_set_int(n, "axis", 1) : NZ_OK;
}

static nz_status infer_split(const nz_op_ctx *ctx) {
    int axis = 0;
    NZ_TRY(nz_op_check(ctx, 1, 2, NZ_OP_ANY));
    const nz_shape *in = &ctx->in[0]->shape;
    NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", 0), in->rank));
    const nz_tensor *sizes = nz_op_in(ctx, 1);
    int64_t extent = in->dim[axis], parts = (int64_t)ctx->out_count, sum = 0;
    int64_t declared = nz_attr_int(ctx->node, "num_outputs", parts);
    if (declared != parts)
        return nz_op_fail(ctx, NZ_E_SHAPE, "num_outputs is %lld, but there are %lld outputs", (long long)declared,
                          (long long)parts);
    if (sizes && (nz_shape_elements(&sizes->shape) != parts || sizes->shape.rank != 1 || sizes->dtype != NZ_I64))
        return nz_op_fail(ctx, NZ_E_SHAPE, "split must list %lld int64 sizes, one per output", (long long)parts);
    int64_t chunk = parts > 0 && extent >= 0 ? (extent + parts - 1) / parts : -1;
    for (int64_t i = 0; i < parts; i++) {
        nz_shape out = *in;
        int64_t size = chunk;
        if (sizes)
            size = nz_tensor_int(sizes, i);
        else if (extent >= 0)
            size = extent - sum < chunk ? extent - sum : chunk;
        if ((sizes && size < 0) || (extent >= 0 && size > extent - sum))
            return nz_op_fail(ctx, NZ_E_SHAPE, "the sizes to split do not sum up to %lld", (long long)extent);
        sum += size;
        out.dim[axis] = size;
        nz_op_set_out(ctx, (size_t)i, ctx->in[0]->dtype, &out);
    }
    if (extent >= 0 && sum != extent)
        return nz_op_fail(ctx, NZ_E_SHAPE, "the sizes to split sum up to %lld, not %lld", (long long)sum,
                          (long long)extent);
    return NZ_OK;
}

/** Extent of part `i`, whether or not there is an output for it. */
static int64_t split_extent(const nz_op_ctx *ctx, size_t i, int64_t extent) {
    const nz_tensor *sizes = nz_op_in(ctx, 1);
    int64_t parts = (int64_t)ctx->out_count, chunk = (extent + parts - 1) / parts, rest = extent - (int64_t)i * chunk;
    if (sizes) return nz_tensor_int(sizes, (int64_t)i);
    return rest < 0 ? 0 : rest < chunk ? rest : chunk;
}

static nz_status run_split(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0];
    int64_t strides[NZ_MAX_RANK], own[NZ_MAX_RANK], axis = nz_attr_int(ctx->node, "axis", 0);
    size_t size = nz_dtype_size(in->dtype);
    if (axis < 0) axis += in->shape.rank;
    const char *from = in->data;
    nz_shape_strides(&in->shape, strides);
    for (size_t i = 0; i < ctx->out_count; i++) {
        const nz_tensor *out = &ctx->out[i];
        nz_shape_strides(&out->shape, own);
        if (nz_op_has_out(ctx, i)) copy_strided(&out->shape, out->data, own, from, strides, size);
        from += size * (size_t)(split_extent(ctx, i, in->shape.dim[axis]) * strides[axis]);
    }
    return NZ_OK;
}

/** Parts that nobody reads give nothing back. */
static nz_status grad_split(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *in = &ctx->in[0]->shape;
    int64_t strides[NZ_MAX_RANK], own[NZ_MAX_RANK], axis = nz_attr_int(ctx->node, "axis", 0);
    if (axis < 0) axis += in->rank;
    float *to = nz_grad_to(ctx, grad, 0);
    nz_shape_strides(in, strides);
    memset(to, 0, (size_t)nz_shape_elements(in) * sizeof *to);
    for (size_t i = 0; i < ctx->out_count; i++) {
        if (grad->dout[i]) {
            nz_shape_strides(&grad->dout[i]->shape, own);
            copy_strided(&grad->dout[i]->shape, to, strides, nz_grad_from(grad, i), own, sizeof(float));
        }
        to += split_extent(ctx, i, in->dim[axis]) * strides[axis];
    }
    return NZ_OK;
}

static nz_status lift_split(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    if (n->opset < 13) NZ_TRY(nz_lift_ints(graph, node, "split", 1));
    n = &graph->nodes[node];
    if (n->opset < 18 && (n->input_count < 2 || n->inputs[1] == NZ_NO_VALUE))
        return nz_node_set_int(n, "num_outputs", (int64_t)n->output_count);
    return NZ_OK;
}

static int since_split(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    return nz_attr_get(node, "num_outputs") ? 18 : 13;
}

/* ---- Slice ---- */

typedef struct slice_plan {
    nz_shape out;
    int64_t start[NZ_MAX_RANK], step[NZ_MAX_RANK];
} slice_plan;

/** One axis by the rules of ONNX: negative positions count from the end, then both ends are clamped. */
static int64_t slice_axis(int64_t extent, int64_t *start, int64_t end, int64_t step) {
    int64_t first = *start, last = step > 0 ? extent : extent - 1, lowest = step > 0 ? 0 : -1;
    if (extent <= 0) return *start = 0;
    if (first < 0) first = first < -extent ? -1 : first + extent;
    if (end < 0) end = end < -extent ? -1 : end + extent;
    first = first < 0 ? 0 : first > last ? last : first;
    end = end < lowest ? lowest : end > extent ? extent : end;
    *start = first;
    int64_t distance = step > 0 ? end - first : first - end;
    if (distance <= 0) return 0;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    return (int64_t)(((uint64_t)distance - 1) / stride) + 1;
}

static nz_status plan_slice(const nz_op_ctx *ctx, slice_plan *plan) {
    int64_t starts[NZ_MAX_RANK], ends[NZ_MAX_RANK], axes[NZ_MAX_RANK], steps[NZ_MAX_RANK];
    size_t count = 0, end_count = 0, axis_count = 0, step_count = 0;
    unsigned set = 0;
    const nz_shape *in = &ctx->in[0]->shape;
    NZ_TRY(nz_op_ints(ctx, 1, starts, NZ_MAX_RANK, &count));
    NZ_TRY(nz_op_ints(ctx, 2, ends, NZ_MAX_RANK, &end_count));
    axis_count = step_count = count;
    for (size_t i = 0; i < count; i++) axes[i] = (int64_t)i, steps[i] = 1;
    if (nz_op_in(ctx, 3)) NZ_TRY(nz_op_ints(ctx, 3, axes, NZ_MAX_RANK, &axis_count));
    if (nz_op_in(ctx, 4)) NZ_TRY(nz_op_ints(ctx, 4, steps, NZ_MAX_RANK, &step_count));
    if (end_count != count || axis_count != count || step_count != count)
        return nz_op_fail(ctx, NZ_E_SHAPE, "starts, ends, axes and steps have %zu, %zu, %zu and %zu entries", count,
                          end_count, axis_count, step_count);
    NZ_TRY(nz_op_axes(ctx, &set, axes, count, in->rank));
    plan->out = *in;
    for (int d = 0; d < in->rank; d++) plan->start[d] = 0, plan->step[d] = 1;
    for (size_t i = 0; i < count; i++) {
        int d = (int)(axes[i] < 0 ? axes[i] + in->rank : axes[i]);
        if (steps[i] == 0) return nz_op_fail(ctx, NZ_E_SHAPE, "a step of 0 never ends");
        plan->step[d] = steps[i];
        plan->start[d] = starts[i];
        /* Of an unknown extent only the first elements can be told: [0, n) for a small n may still be cut short. */
        plan->out.dim[d] = in->dim[d] < 0 ? -1 : slice_axis(in->dim[d], &plan->start[d], ends[i], steps[i]);
    }
    return NZ_OK;
}

static nz_status infer_slice(const nz_op_ctx *ctx) {
    slice_plan plan;
    NZ_TRY(nz_op_check(ctx, 3, 5, 1));
    NZ_TRY(plan_slice(ctx, &plan));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &plan.out);
    return NZ_OK;
}

static nz_status run_slice(const nz_op_ctx *ctx) {
    slice_plan plan;
    int64_t own[NZ_MAX_RANK], to[NZ_MAX_RANK], offset = 0;
    const nz_tensor *in = ctx->in[0], *out = &ctx->out[0];
    if (nz_shape_elements(&out->shape) == 0) return NZ_OK;
    NZ_TRY(plan_slice(ctx, &plan));
    nz_shape_strides(&in->shape, own);
    nz_shape_strides(&out->shape, to);
    for (int d = 0; d < in->shape.rank; d++) {
        offset += plan.start[d] * own[d];
        own[d] = out->shape.dim[d] > 1 ? own[d] * plan.step[d] : 0;
    }
    size_t size = nz_dtype_size(in->dtype);
    copy_strided(&out->shape, out->data, to, (const char *)in->data + (int64_t)size * offset, own, size);
    return NZ_OK;
}

/** What was cut off gets nothing. */
static nz_status grad_slice(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    slice_plan plan;
    const nz_shape *in = &ctx->in[0]->shape, *out = &grad->dout[0]->shape;
    int64_t own[NZ_MAX_RANK], from[NZ_MAX_RANK];
    float *to = nz_grad_to(ctx, grad, 0);
    memset(to, 0, (size_t)nz_shape_elements(in) * sizeof *to);
    if (nz_shape_elements(out) == 0) return NZ_OK;
    NZ_TRY(plan_slice(ctx, &plan));
    nz_shape_strides(in, own);
    nz_shape_strides(out, from);
    for (int d = 0; d < in->rank; d++) {
        to += plan.start[d] * own[d];
        own[d] = out->dim[d] > 1 ? own[d] * plan.step[d] : 0;
    }
    copy_strided(out, to, own, nz_grad_from(grad, 0), from, sizeof(float));
    return NZ_OK;
}

static nz_status lift_slice(nz_graph *graph, int node) {
    if (graph->nodes[node].opset >= 10) return NZ_OK;
    NZ_TRY(nz_lift_ints(graph, node, "starts", 1));
    NZ_TRY(nz_lift_ints(graph, node, "ends", 2));
    return nz_lift_ints(graph, node, "axes", 3);
}

/* ---- Expand, Tile ---- */

static nz_status infer_expand(const nz_op_ctx *ctx) {
    int64_t wanted[NZ_MAX_RANK];
    size_t count = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_ints(ctx, 1, wanted, NZ_MAX_RANK, &count));
    nz_shape shape = {.rank = (int)count}, out;
    for (size_t d = 0; d < count; d++) {
        if (wanted[d] < 0)
            return nz_op_fail(ctx, NZ_E_SHAPE, "cannot expand to an extent of %lld", (long long)wanted[d]);
        shape.dim[d] = wanted[d];
    }
    if (!nz_shape_broadcast(&out, &ctx->in[0]->shape, &shape)) {
        char from[112], to[112];
        return nz_op_fail(ctx, NZ_E_SHAPE, "shape %s does not expand to %s", nz_shape_text(&ctx->in[0]->shape, from),
                          nz_shape_text(&shape, to));
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_expand(const nz_op_ctx *ctx) {
    nz_loop loop;
    nz_loop_init(&loop, &ctx->out[0].shape);
    nz_loop_add(&loop, &ctx->out[0]);
    nz_loop_add(&loop, ctx->in[0]);
    nz_loop_copy(&loop);
    return NZ_OK;
}

static nz_status infer_tile(const nz_op_ctx *ctx) {
    int64_t repeats[NZ_MAX_RANK];
    size_t count = 0;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(nz_op_ints(ctx, 1, repeats, NZ_MAX_RANK, &count));
    nz_shape out = ctx->in[0]->shape;
    if (count != (size_t)out.rank)
        return nz_op_fail(ctx, NZ_E_SHAPE, "%zu repeats are given for a tensor of rank %d", count, out.rank);
    for (int d = 0; d < out.rank; d++) {
        if (repeats[d] < 0 || (out.dim[d] >= 0 && __builtin_mul_overflow(out.dim[d], repeats[d], &out.dim[d])))
            return nz_op_fail(ctx, NZ_E_SHAPE, "cannot repeat an extent %lld times", (long long)repeats[d]);
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_tile(const nz_op_ctx *ctx) {
    const nz_tensor *in = ctx->in[0], *out = &ctx->out[0];
    int64_t own[NZ_MAX_RANK], from[2 * NZ_MAX_RANK], to[2 * NZ_MAX_RANK], outer[NZ_MAX_RANK];
    nz_loop loop = {.rank = 2 * in->shape.rank};
    if (nz_shape_elements(&out->shape) == 0) return NZ_OK;
    nz_shape_strides(&in->shape, own);
    nz_shape_strides(&out->shape, outer);
    for (int d = 0; d < in->shape.rank; d++) {
        loop.dim[2 * d] = out->shape.dim[d] / in->shape.dim[d];
        loop.dim[2 * d + 1] = in->shape.dim[d];
        from[2 * d] = 0;
        from[2 * d + 1] = own[d];
        to[2 * d] = outer[d] * in->shape.dim[d];
        to[2 * d + 1] = outer[d];
    }
    nz_loop_add_strided(&loop, out->data, nz_dtype_size(in->dtype), to);
    nz_loop_add_strided(&loop, in->data, nz_dtype_size(in->dtype), from);
    nz_loop_copy(&loop);
    return NZ_OK;
}

static nz_status grad_tile(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    const nz_shape *in = &ctx->in[0]->shape, *out = &grad->dout[0]->shape;
    int64_t dims[2 * NZ_MAX_RANK];
    unsigned repeats = 0;
    for (int d = 0; d < in->rank; d++) {
        dims[2 * d] = in->dim[d] ? out->dim[d] / in->dim[d] : 0;
        dims[2 * d + 1] = in->dim[d];
        repeats |= 1u << 2 * d;
    }
    nz_grad_sum(nz_grad_to(ctx, grad, 0), nz_grad_from(grad, 0), 2 * in->rank, dims, repeats);
    return NZ_OK;
}

/* ---- DepthToSpace, SpaceToDepth: transposition of a tensor of rank 6 ---- */

static nz_status check_blocks(const nz_op_ctx *ctx, int64_t *ret_block) {
    int64_t block = nz_attr_int(ctx->node, "blocksize", 0);
    NZ_TRY(nz_op_check(ctx, 1, 1, 1));
    if (ctx->in[0]->shape.rank != 4)
        return nz_op_fail(ctx, NZ_E_SHAPE, "needs a tensor of rank 4, not %d", ctx->in[0]->shape.rank);
    if (block < 1 || block > 65536)
        return nz_op_fail(ctx, NZ_E_SHAPE, "blocksize %lld makes no sense", (long long)block);
    *ret_block = block;
    return NZ_OK;
}

static nz_status infer_depth_to_space(const nz_op_ctx *ctx) {
    int64_t b = 1;
    NZ_TRY(check_blocks(ctx, &b));
    const char *mode = nz_attr_string(ctx->node, "mode", "DCR");
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "mode must be DCR or CRD, not '%s'", mode);
    nz_shape out = ctx->in[0]->shape;
    if (out.dim[1] >= 0 && out.dim[1] % (b * b))
        return nz_op_fail(ctx, NZ_E_SHAPE, "%lld channels are no multiple of %lld", (long long)out.dim[1],
                          (long long)(b * b));
    if (out.dim[1] >= 0) out.dim[1] /= b * b;
    for (int d = 2; d < 4; d++)
        if (out.dim[d] >= 0 && __builtin_mul_overflow(out.dim[d], b, &out.dim[d]))
            return nz_op_fail(ctx, NZ_E_SHAPE, "the output is too large");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status infer_space_to_depth(const nz_op_ctx *ctx) {
    int64_t b = 1;
    NZ_TRY(check_blocks(ctx, &b));
    nz_shape out = ctx->in[0]->shape;
    for (int d = 2; d < 4; d++) {
        if (out.dim[d] >= 0 && out.dim[d] % b)
            return nz_op_fail(ctx, NZ_E_SHAPE, "extent %lld is no multiple of %lld", (long long)out.dim[d],
                              (long long)b);
        if (out.dim[d] >= 0) out.dim[d] /= b;
    }
    if (out.dim[1] >= 0 && __builtin_mul_overflow(out.dim[1], b * b, &out.dim[1]))
        return nz_op_fail(ctx, NZ_E_SHAPE, "the output is too large");
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

/** Walks (n, c, h, w, block row, block column) of the shallow side `space` and the deep side `depth`. */
static void move_blocks(const nz_tensor *space, const nz_tensor *depth, int64_t b, bool column_row_depth,
                        bool to_space) {
    const nz_shape *s = &space->shape, *d = &depth->shape;
    int64_t plane = d->dim[2] * d->dim[3], c = s->dim[1];
    nz_shape walk = {.rank = 6, .dim = {s->dim[0], c, d->dim[2], b, d->dim[3], b}};
    int64_t in_space[6] = {c * s->dim[2] * s->dim[3], s->dim[2] * s->dim[3], b * s->dim[3], s->dim[3], b, 1};
    int64_t block = column_row_depth ? 1 : c, channel = column_row_depth ? b * b : 1;
    int64_t in_depth[6] = {d->dim[1] * plane, channel * plane, d->dim[3], b * block * plane, 1, block * plane};
    size_t size = nz_dtype_size(space->dtype);
    if (to_space)
        copy_strided(&walk, space->data, in_space, depth->data, in_depth, size);
    else
        copy_strided(&walk, depth->data, in_depth, space->data, in_space, size);
}

static nz_status run_depth_to_space(const nz_op_ctx *ctx) {
    move_blocks(&ctx->out[0], ctx->in[0], nz_attr_int(ctx->node, "blocksize", 1),
                strcmp(nz_attr_string(ctx->node, "mode", "DCR"), "CRD") == 0, true);
    return NZ_OK;
}

static nz_status run_space_to_depth(const nz_op_ctx *ctx) {
    move_blocks(ctx->in[0], &ctx->out[0], nz_attr_int(ctx->node, "blocksize", 1), false, false);
    return NZ_OK;
}

/* Each gives back what the other does. */
static nz_status back_to_depth(const nz_op_ctx *ctx) {
    move_blocks(ctx->in[0], &ctx->out[0], nz_attr_int(ctx->node, "blocksize", 1),
                strcmp(nz_attr_string(ctx->node, "mode", "DCR"), "CRD") == 0, false);
    return NZ_OK;
}
static nz_status grad_depth_to_space(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return nz_grad_by_run(ctx, grad, back_to_depth);
}
static nz_status grad_space_to_depth(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return nz_grad_by_run(ctx, grad, run_depth_to_space);
}

/* ---- entries ---- */

#define MOVES (NZ_OP_MOVES_DATA | NZ_OP_KEEPS_RANGE)

const nz_op nz_ops_move[] = {
    {.name = "Concat",
     .versions = NZ_VERSIONS(1, 4, 11, 13),
     .canonical_since = 11,
     .flags = MOVES,
     .attributes = NZ_ATTRIBUTES("axis"),
     .types = NZ_TYPES_BYTES,
     .lift = lift_concat,
     .infer = infer_concat,
     .run = run_concat,
     .grad = grad_concat,
     .grad_inputs = NZ_GRAD_ALL_INPUTS},
    {.name = "DepthToSpace",
     .versions = NZ_VERSIONS(1, 11, 13),
     .canonical_since = 11,
     .flags = MOVES,
     .attributes = NZ_ATTRIBUTES("blocksize", "mode"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_depth_to_space,
     .run = run_depth_to_space,
     .grad = grad_depth_to_space,
     .grad_inputs = 1},
    {.name = "Expand",
     .versions = NZ_VERSIONS(8, 13),
     .canonical_since = 8,
     .flags = MOVES,
     .plan_inputs = 2,
     .types = NZ_TYPES_BYTES,
     .infer = infer_expand,
     .run = run_expand,
     .grad = nz_grad_expand,
     .grad_inputs = 1},
    {.name = "Slice",
     .versions = NZ_VERSIONS(1, 10, 11, 13),
     .canonical_since = 11,
     .flags = MOVES,
     .plan_inputs = 0x1e,
     .types = NZ_TYPES_BYTES,
     .lift = lift_slice,
     .infer = infer_slice,
     .run = run_slice,
     .grad = grad_slice,
     .grad_inputs = 1},
    {.name = "SpaceToDepth",
     .versions = NZ_VERSIONS(1, 13),
     .canonical_since = 1,
     .flags = MOVES,
     .attributes = NZ_ATTRIBUTES("blocksize"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_space_to_depth,
     .run = run_space_to_depth,
     .grad = grad_space_to_depth,
     .grad_inputs = 1},
    {.name = "Split",
     .versions = NZ_VERSIONS(1, 2, 11, 13, 18),
     .canonical_since = 13,
     .flags = MOVES,
     .plan_inputs = 2,
     .attributes = NZ_ATTRIBUTES("axis", "num_outputs"),
     .types = NZ_TYPES_BYTES,
     .lift = lift_split,
     .infer = infer_split,
     .run = run_split,
     .since = since_split,
     .grad = grad_split,
     .grad_inputs = 1},
    {.name = "Tile",
     .versions = NZ_VERSIONS(6, 13),
     .canonical_since = 6,
     .flags = MOVES,
     .plan_inputs = 2,
     .types = NZ_TYPES_BYTES,
     .infer = infer_tile,
     .run = run_tile,
     .grad = grad_tile,
     .grad_inputs = 1},
    {.name = "Transpose",
     .versions = NZ_VERSIONS(1, 13, 21, 23, 24),
     .canonical_since = 1,
     .flags = MOVES,
     .attributes = NZ_ATTRIBUTES("perm"),
     .types = NZ_TYPES_BYTES | NZ_TYPE_BIT(NZ_U4) | NZ_TYPE_BIT(NZ_I4),
     .infer = infer_transpose,
     .run = run_transpose,
     .grad = grad_transpose,
     .grad_inputs = 1},
    {0},
};
