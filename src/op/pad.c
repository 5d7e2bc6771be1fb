/* SPDX-License-Identifier: Apache-2.0 */
/** Padding and cropping: along each axis a map says from which input position an output position comes. */
#include <string.h>

#include "kernel/ref_grad.h"
#include "op/families.h"
#include "op/grad.h"
#include "op/lift.h"

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_MODES } pad_mode;
static const char *const mode_names[PAD_MODES] = {"constant", "reflect", "edge", "wrap"};

static int64_t modulo(int64_t x, int64_t y) {
    int64_t rest = x % y;
    return rest < 0 ? rest + y : rest;
}

/** The input position of output position `at` (already without the padding before), -1 for the constant. */
static int64_t map_position(pad_mode mode, int64_t at, int64_t extent) {
    if (at >= 0 && at < extent) return at;
    switch (mode) {
    case PAD_EDGE: return at < 0 ? 0 : extent - 1;
    case PAD_WRAP: return modulo(at, extent);
    case PAD_REFLECT: {
        if (extent == 1) return 0;
        int64_t period = 2 * (extent - 1), inside = modulo(at, period);
        return inside < extent ? inside : period - inside;
    }
    default: return -1;
    }
}

static void fill(char *to, int64_t count, const char *value, size_t size) {
    for (int64_t i = 0; i < count; i++) memcpy(to + (size_t)i * size, value, size);
}

typedef struct pad_job {
    const nz_tensor *in, *out;
    int64_t *map[NZ_MAX_RANK]; /**< per axis: input position of each output position, -1 for the constant */
    int64_t before_last;       /**< padding before, along the last axis */
    const char *value;         /**< the constant's bytes */
} pad_job;

/** One row along the last axis: the middle is a copy, both ends go by the map. */
static void pad_row(const pad_job *job, char *to, const char *from, size_t size) {
    int last = job->out->shape.rank - 1;
    int64_t n = job->out->shape.dim[last], extent = job->in->shape.dim[last],
            low = job->before_last < 0 ? 0 : job->before_last;
    int64_t high = job->before_last + extent > n ? n : job->before_last + extent;
    if (low > n) low = n;
    if (high < low) high = low;
    const int64_t *map = job->map[last];
    for (int64_t i = 0; i < low; i++)
        memcpy(to + (size_t)i * size, map[i] < 0 ? job->value : from + (size_t)map[i] * size, size);
    if (high > low)
        memcpy(to + (size_t)low * size, from + (size_t)(low - job->before_last) * size, (size_t)(high - low) * size);
    for (int64_t i = high; i < n; i++)
        memcpy(to + (size_t)i * size, map[i] < 0 ? job->value : from + (size_t)map[i] * size, size);
}

static void pad_rows(const pad_job *job) {
    const nz_shape *out = &job->out->shape;
    size_t size = nz_dtype_size(job->out->dtype);
    int64_t strides[NZ_MAX_RANK], index[NZ_MAX_RANK] = {0}, last = out->dim[out->rank - 1];
    int64_t rows = nz_shape_span(out, 0, out->rank - 1);
    char *to = job->out->data;
    nz_shape_strides(&job->in->shape, strides);
    for (int64_t row = 0; row < rows; row++, to += (size_t)last * size) {
        int64_t offset = 0;
        for (int d = 0; d < out->rank - 1 && offset >= 0; d++) {
            int64_t at = job->map[d][index[d]];
            offset = at < 0 ? -1 : offset + at * strides[d];
        }
        if (offset < 0)
            fill(to, last, job->value, size);
        else
            pad_row(job, to, (const char *)job->in->data + (size_t)offset * size, size);
        for (int d = out->rank - 2; d >= 0 && ++index[d] == out->dim[d]; d--) index[d] = 0;
    }
}

/** Fills output 0 from input 0 with `before` positions added in front of each axis (negative: cut off). */
static nz_status pad_into(const nz_op_ctx *ctx, pad_mode mode, const int64_t *before, const void *value) {
    static const char zero[8] = {0};
    const nz_shape *out = &ctx->out[0].shape, *in = &ctx->in[0]->shape;
    pad_job job = {.in = ctx->in[0], .out = &ctx->out[0], .value = value ? value : zero};
    if (nz_shape_elements(out) == 0) return NZ_OK;
    if (out->rank == 0) return nz_op_run_copy(ctx);
    for (int d = 0; d < out->rank; d++) {
        NZ_TRY(nz_arena_alloc(ctx->scratch, &job.map[d], (size_t)out->dim[d], sizeof *job.map[d]));
        for (int64_t i = 0; i < out->dim[d]; i++)
            job.map[d][i] = in->dim[d] == 0 ? -1 : map_position(mode, i - before[d], in->dim[d]);
    }
    job.before_last = before[out->rank - 1];
    pad_rows(&job);
    return NZ_OK;
}

/** Axis after axis, last first, every position gives its gradient back to where it came from. */
static nz_status pad_back(const nz_op_ctx *ctx, const nz_op_grad *grad, pad_mode mode, const int64_t *before) {
    const nz_shape *in = &ctx->in[0]->shape, *out = &grad->dout[0]->shape;
    const float *from = nz_grad_from(grad, 0);
    nz_shape now = *out;
    for (int d = out->rank - 1; d >= 0; d--) {
        nz_ref_taps taps = {.in = in->dim[d], .out = out->dim[d], .count = 1};
        float *to;
        if (in->dim[d] == out->dim[d] && before[d] == 0) continue;
        now.dim[d] = in->dim[d];
        NZ_TRY(nz_arena_alloc(ctx->scratch, &taps.index, (size_t)taps.out, sizeof *taps.index));
        NZ_TRY(nz_arena_alloc(ctx->scratch, &taps.weight, (size_t)taps.out, sizeof *taps.weight));
        NZ_TRY(nz_arena_alloc(ctx->scratch, &to, (size_t)nz_shape_elements(&now), sizeof *to));
        for (int64_t i = 0; i < taps.out; i++) {
            int64_t at = taps.in == 0 ? -1 : map_position(mode, i - before[d], taps.in);
            taps.index[i] = at < 0 ? 0 : at;
            taps.weight[i] = at < 0 ? 0 : 1;
        }
        nz_ref_resize_axis_back(&taps, nz_shape_span(&now, 0, d), nz_shape_span(&now, d + 1, now.rank), from, to);
        from = to;
    }
    memmove(nz_grad_to(ctx, grad, 0), from, (size_t)nz_shape_elements(in) * sizeof *from);
    return NZ_OK;
}

/* ---- Pad ---- */

static nz_status pad_amounts(const nz_op_ctx *ctx, pad_mode *ret_mode, int64_t before[NZ_MAX_RANK],
                             int64_t after[NZ_MAX_RANK]) {
    int64_t pads[2 * NZ_MAX_RANK], axes[NZ_MAX_RANK];
    const int rank = ctx->in[0]->shape.rank;
    size_t count = 0, axis_count = (size_t)rank;
    unsigned set = 0;
    const char *name = nz_attr_string(ctx->node, "mode", "constant");
    int mode = 0;
    while (mode < PAD_MODES && strcmp(name, mode_names[mode]) != 0) mode++;
    if (mode == PAD_MODES)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "mode must be constant, reflect, edge or wrap, not '%s'", name);
    NZ_TRY(nz_op_ints(ctx, 1, pads, 2 * NZ_MAX_RANK, &count));
    for (int d = 0; d < rank; d++) axes[d] = d, before[d] = after[d] = 0;
    if (nz_op_in(ctx, 3)) NZ_TRY(nz_op_ints(ctx, 3, axes, NZ_MAX_RANK, &axis_count));
    if (count != 2 * axis_count)
        return nz_op_fail(ctx, NZ_E_SHAPE, "%zu pads are given for %zu axes; two per axis are needed", count,
                          axis_count);
    NZ_TRY(nz_op_axes(ctx, &set, axes, axis_count, rank));
    for (size_t i = 0; i < axis_count; i++) {
        int d = (int)(axes[i] < 0 ? axes[i] + rank : axes[i]);
        before[d] = pads[i];
        after[d] = pads[i + axis_count];
    }
    *ret_mode = (pad_mode)mode;
    return NZ_OK;
}

static nz_status infer_pad(const nz_op_ctx *ctx) {
    int64_t before[NZ_MAX_RANK], after[NZ_MAX_RANK];
    pad_mode mode = PAD_CONSTANT;
    NZ_TRY(nz_op_check(ctx, 2, 4, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 2));
    NZ_TRY(pad_amounts(ctx, &mode, before, after));
    const nz_tensor *value = nz_op_in(ctx, 2);
    if (value && nz_shape_elements(&value->shape) != 1)
        return nz_op_fail(ctx, NZ_E_SHAPE, "the constant must be a single number");
    nz_shape out = ctx->in[0]->shape;
    for (int d = 0; d < out.rank; d++) {
        int64_t extent = out.dim[d];
        if (extent < 0) {
            out.dim[d] = before[d] || after[d] ? -1 : extent;
            continue;
        }
        if (__builtin_add_overflow(extent, before[d], &out.dim[d]) ||
            __builtin_add_overflow(out.dim[d], after[d], &out.dim[d]) || out.dim[d] < 0)
            return nz_op_fail(ctx, NZ_E_SHAPE, "axis %d of extent %lld cannot be padded by %lld and %lld", d,
                              (long long)extent, (long long)before[d], (long long)after[d]);
        if (mode != PAD_CONSTANT && extent == 0 && out.dim[d] > 0)
            return nz_op_fail(ctx, NZ_E_SHAPE, "axis %d is empty: there is nothing to repeat", d);
    }
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_pad(const nz_op_ctx *ctx) {
    int64_t before[NZ_MAX_RANK], after[NZ_MAX_RANK];
    pad_mode mode = PAD_CONSTANT;
    const nz_tensor *value = nz_op_in(ctx, 2);
    NZ_TRY(pad_amounts(ctx, &mode, before, after));
    return pad_into(ctx, mode, before, value ? value->data : NULL);
}

static nz_status grad_pad(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int64_t before[NZ_MAX_RANK], after[NZ_MAX_RANK];
    pad_mode mode = PAD_CONSTANT;
    NZ_TRY(pad_amounts(ctx, &mode, before, after));
    return pad_back(ctx, grad, mode, before);
}

static nz_status lift_pad(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    if (n->opset >= 11) return NZ_OK;
    double value = (double)nz_attr_float(n, "value", 0);
    NZ_TRY(nz_lift_ints(graph, node, n->opset < 2 ? "paddings" : "pads", 1));
    nz_node_remove_attr(&graph->nodes[node], "value");
    return value != 0 ? nz_lift_number(graph, node, "value", value, 2) : NZ_OK;
}

static int since_pad(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    if (strcmp(nz_attr_string(node, "mode", "constant"), "wrap") == 0) return 19;
    return node->input_count > 3 && node->inputs[3] != NZ_NO_VALUE ? 18 : 13;
}

/* ---- CenterCropPad ---- */

static nz_status center_amounts(const nz_op_ctx *ctx, int64_t before[NZ_MAX_RANK], nz_shape *ret_out) {
    int64_t wanted[NZ_MAX_RANK];
    size_t count = 0, axis_count;
    unsigned set = 0;
    nz_shape out = ctx->in[0]->shape;
    const int64_t *axes = nz_attr_ints(ctx->node, "axes", &axis_count);
    NZ_TRY(nz_op_ints(ctx, 1, wanted, NZ_MAX_RANK, &count));
    if (axes) NZ_TRY(nz_op_axes(ctx, &set, axes, axis_count, out.rank));
    if (count != (axes ? axis_count : (size_t)out.rank))
        return nz_op_fail(ctx, NZ_E_SHAPE, "%zu extents are given for %zu axes", count,
                          axes ? axis_count : (size_t)out.rank);
    for (int d = 0; d < out.rank; d++) before[d] = 0;
    for (size_t i = 0; i < count; i++) {
        int d = axes ? (int)(axes[i] < 0 ? axes[i] + out.rank : axes[i]) : (int)i;
        if (wanted[i] < 0) return nz_op_fail(ctx, NZ_E_SHAPE, "extent %lld is negative", (long long)wanted[i]);
        int64_t extent = out.dim[d];
        if (extent >= 0) before[d] = wanted[i] >= extent ? (wanted[i] - extent) / 2 : -((extent - wanted[i]) / 2);
        out.dim[d] = wanted[i];
    }
    *ret_out = out;
    return NZ_OK;
}

static nz_status infer_center(const nz_op_ctx *ctx) {
    int64_t before[NZ_MAX_RANK];
    nz_shape out;
    NZ_TRY(nz_op_check(ctx, 2, 2, 1));
    NZ_TRY(center_amounts(ctx, before, &out));
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &out);
    return NZ_OK;
}

static nz_status run_center(const nz_op_ctx *ctx) {
    int64_t before[NZ_MAX_RANK];
    nz_shape out;
    NZ_TRY(center_amounts(ctx, before, &out));
    return pad_into(ctx, PAD_CONSTANT, before, NULL);
}

static nz_status grad_center(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    int64_t before[NZ_MAX_RANK];
    nz_shape out;
    NZ_TRY(center_amounts(ctx, before, &out));
    return pad_back(ctx, grad, PAD_CONSTANT, before);
}

/* ---- entries ---- */

const nz_op nz_ops_pad[] = {
    {.name = "CenterCropPad",
     .versions = NZ_VERSIONS(18),
     .canonical_since = 18,
     .flags = NZ_OP_MOVES_DATA | NZ_OP_KEEPS_RANGE,
     .plan_inputs = 2,
     .attributes = NZ_ATTRIBUTES("axes"),
     .types = NZ_TYPES_BYTES,
     .infer = infer_center,
     .run = run_center,
     .grad = grad_center,
     .grad_inputs = 1},
    {.name = "Pad",
     .versions = NZ_VERSIONS(1, 2, 11, 13, 18, 19, 21, 23, 24),
     .canonical_since = 13,
     .flags = NZ_OP_MOVES_DATA | NZ_OP_KEEPS_RANGE,
     .plan_inputs = 0xa,
     .attributes = NZ_ATTRIBUTES("mode"),
     .types = NZ_TYPES_BYTES,
     .lift = lift_pad,
     .infer = infer_pad,
     .run = run_pad,
     .since = since_pad,
     .grad = grad_pad,
     .grad_inputs = 1},
    {0},
};
