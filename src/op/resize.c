/* SPDX-License-Identifier: Apache-2.0 */
/** Resize, and the Upsample that became it. */
#include "op/resize.h"

#include <math.h>
#include <string.h>

#include "kernel/ref_grad.h"
#include "op/families.h"
#include "op/grad.h"
#include "op/lift.h"

enum { X, ROI, SCALES, SIZES };

#define EXTENT_MOST ((int64_t)1 << 30)

/* -- reading the node ------------------------------------------------------------------------------------------- */

static nz_status choose(const nz_op_ctx *ctx, const char *attribute, const char *const *names, size_t count,
                        int *ret_choice) {
    const char *text = nz_attr_string(ctx->node, attribute, names[0]);
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret_choice = (int)i;
            return NZ_OK;
        }
    return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "%s '%s' is unknown", attribute, text);
}

static nz_status read_modes(nz_resize *r, const nz_op_ctx *ctx) {
    static const char *const modes[] = {"nearest", "linear", "cubic"}, *const policies[] = {"stretch", "not_larger",
                                                                                            "not_smaller"};
    static const char *const coordinates[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                              "align_corners", "asymmetric",           "tf_crop_and_resize"};
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    int choice = 0;
    NZ_TRY(choose(ctx, "mode", modes, NZ_COUNT(modes), &choice));
    r->mode = (nz_resize_mode)choice;
    NZ_TRY(choose(ctx, "coordinate_transformation_mode", coordinates, NZ_COUNT(coordinates), &choice));
    r->coordinates = (nz_resize_coordinates)choice;
    NZ_TRY(choose(ctx, "nearest_mode", nearest, NZ_COUNT(nearest), &choice));
    r->nearest = (nz_resize_nearest)choice;
    NZ_TRY(choose(ctx, "keep_aspect_ratio_policy", policies, NZ_COUNT(policies), &r->policy));
    r->antialias = nz_attr_int(ctx->node, "antialias", 0) != 0 && r->mode != NZ_RESIZE_NEAREST;
    r->exclude_outside = nz_attr_int(ctx->node, "exclude_outside", 0) != 0;
    r->cubic_a = (double)nz_attr_float(ctx->node, "cubic_coeff_a", -0.75F);
    r->outside = nz_attr_float(ctx->node, "extrapolation_value", 0);
    return NZ_OK;
}

/* Input i, or NULL where it is left out or empty, which older opsets asked for. */
static const nz_tensor *list_input(const nz_op_ctx *ctx, size_t i) {
    const nz_tensor *t = nz_op_in(ctx, i);
    return t && nz_shape_elements(&t->shape) != 0 ? t : NULL;
}

/* The axes that scales, sizes and roi speak of, in their order. */
static nz_status read_axes(const nz_op_ctx *ctx, int axes[NZ_MAX_RANK], size_t *ret_count) {
    size_t count = 0;
    int rank = ctx->in[X]->shape.rank;
    const int64_t *list = nz_attr_ints(ctx->node, "axes", &count);
    unsigned set = 0;
    if (!list || count == 0) {
        for (int i = 0; i < rank; i++) axes[i] = i;
        *ret_count = (size_t)rank;
        return NZ_OK;
    }
    NZ_TRY(nz_op_axes(ctx, &set, list, count, rank));
    for (size_t i = 0; i < count; i++) NZ_TRY(nz_op_axis(ctx, &axes[i], list[i], rank));
    *ret_count = count;
    return NZ_OK;
}

static nz_status expect_list(const nz_op_ctx *ctx, const nz_tensor *list, const char *what, size_t count, bool real) {
    const nz_dtype_info *info = nz_dtype_get(list->dtype);
    if (list->shape.rank != 1 || list->shape.dim[0] != (int64_t)count ||
        (real ? !info->is_float : list->dtype != NZ_I64))
        return nz_op_fail(ctx, NZ_E_SHAPE, "%s must be a list of %zu %s", what, count, real ? "numbers" : "int64");
    return NZ_OK;
}

static nz_status use_scales(nz_resize *r, const nz_op_ctx *ctx, const nz_tensor *scales, const int *axes,
                            size_t count) {
    NZ_TRY(expect_list(ctx, scales, "scales", count, true));
    for (size_t i = 0; i < count; i++) {
        nz_resize_axis *a = &r->axis[axes[i]];
        float scale = (float)nz_tensor_real(scales, (int64_t)i);
        if (!(scale >= 1e-6F && scale < 1e6F))
            return nz_op_fail(ctx, NZ_E_SHAPE, "scale %g is out of range", (double)scale);
        a->scale = (double)scale;
        if (a->in < 0) {
            a->out = -1;
            continue;
        }
        /* The operator's text would crop here too; its shape inference, its definition and every runtime do not. */
        float extent = floorf((float)a->in * scale);
        if (!(extent >= 0 && extent <= (float)EXTENT_MOST))
            return nz_op_fail(ctx, NZ_E_SHAPE, "scale %g of extent %lld is out of range", (double)scale,
                              (long long)a->in);
        a->out = (int64_t)extent;
    }
    return NZ_OK;
}

static nz_status use_sizes(nz_resize *r, const nz_op_ctx *ctx, const nz_tensor *sizes, const int *axes, size_t count) {
    NZ_TRY(expect_list(ctx, sizes, "sizes", count, false));
    double common = 0;
    for (size_t i = 0; i < count; i++) {
        nz_resize_axis *a = &r->axis[axes[i]];
        a->out = nz_tensor_int(sizes, (int64_t)i);
        if (a->out < 0 || a->out > EXTENT_MOST)
            return nz_op_fail(ctx, NZ_E_SHAPE, "size %lld is out of range", (long long)a->out);
        if (a->in == 0) return nz_op_fail(ctx, NZ_E_SHAPE, "axis %d is empty", axes[i]);
        a->scale = a->in > 0 ? (double)a->out / (double)a->in : 1;
        if (a->in < 0 && r->policy != 0)
            return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "keep_aspect_ratio_policy needs a known input shape");
        if (i == 0 || (r->policy == 1 ? a->scale < common : a->scale > common)) common = a->scale;
    }
    for (size_t i = 0; r->policy != 0 && i < count; i++) {
        nz_resize_axis *a = &r->axis[axes[i]];
        a->scale = common;
        double extent = floor(common * (double)a->in + 0.5);
        if (!(extent <= (double)EXTENT_MOST)) return nz_op_fail(ctx, NZ_E_SHAPE, "the output's extent is out of range");
        a->out = (int64_t)extent;
    }
    return NZ_OK;
}

nz_status nz_op_read_resize(nz_resize *ret_resize, const nz_op_ctx *ctx) {
    const nz_tensor *x = ctx->in[X], *roi = list_input(ctx, ROI), *scales = list_input(ctx, SCALES),
                    *sizes = list_input(ctx, SIZES);
    nz_resize r = {.rank = x->shape.rank};
    int axes[NZ_MAX_RANK];
    size_t count = 0;
    NZ_TRY(read_modes(&r, ctx));
    NZ_TRY(read_axes(ctx, axes, &count));
    for (int i = 0; i < r.rank; i++) {
        int64_t in = x->shape.dim[i];
        if (in > EXTENT_MOST) return nz_op_fail(ctx, NZ_E_SHAPE, "extent %lld is out of range", (long long)in);
        r.axis[i] = (nz_resize_axis){.in = in, .out = in, .scale = 1, .start = 0, .end = 1};
    }
    if (r.coordinates == NZ_RESIZE_CROP) {
        if (!roi) return nz_op_fail(ctx, NZ_E_SHAPE, "tf_crop_and_resize needs a roi");
        NZ_TRY(expect_list(ctx, roi, "roi", 2 * count, true));
        for (size_t i = 0; i < count; i++) {
            double start = nz_tensor_real(roi, (int64_t)i), end = nz_tensor_real(roi, (int64_t)(count + i));
            if (!(fabs(start) < 1e6 && fabs(end) < 1e6)) return nz_op_fail(ctx, NZ_E_SHAPE, "roi is out of range");
            r.axis[axes[i]].start = start, r.axis[axes[i]].end = end;
        }
    }
    if (!scales == !sizes) return nz_op_fail(ctx, NZ_E_SHAPE, "either scales or sizes must be given");
    if (scales)
        NZ_TRY(use_scales(&r, ctx, scales, axes, count));
    else
        NZ_TRY(use_sizes(&r, ctx, sizes, axes, count));
    for (int i = 0; i < r.rank; i++) {
        nz_resize_axis *a = &r.axis[i];
        a->active =
            a->in != a->out || a->scale != 1 || (r.coordinates == NZ_RESIZE_CROP && (a->start != 0 || a->end != 1));
    }
    *ret_resize = r;
    return NZ_OK;
}

static nz_status infer_resize(const nz_op_ctx *ctx) {
    nz_resize r;
    NZ_TRY(nz_op_check(ctx, 1, 4, 1));
    NZ_TRY(nz_op_read_resize(&r, ctx));
    if (r.mode != NZ_RESIZE_NEAREST && !(NZ_TYPES_FLOAT & ~NZ_TYPE_BIT(NZ_F64) & NZ_TYPE_BIT(ctx->in[X]->dtype)))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "type %s is supported by mode nearest alone",
                          nz_dtype_get(ctx->in[X]->dtype)->name);
    nz_shape shape = {.rank = r.rank};
    for (int i = 0; i < r.rank; i++) shape.dim[i] = r.axis[i].out;
    nz_op_set_out(ctx, 0, ctx->in[X]->dtype, &shape);
    return NZ_OK;
}

/* Linear and cubic: 2t - 1 per output with t taps, 2 or 4 along each axis that changes. */
static nz_status count_resize(const nz_op_ctx *ctx, nz_op_cost *cost) {
    nz_resize r;
    NZ_TRY(nz_op_read_resize(&r, ctx));
    if (r.mode == NZ_RESIZE_NEAREST) return NZ_OK;
    uint64_t taps = 1;
    for (int i = 0; i < r.rank; i++)
        if (r.axis[i].active) taps *= r.mode == NZ_RESIZE_LINEAR ? 2 : 4;
    return taps == 1 ? NZ_OK : nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->out[0].shape), 2 * taps - 1);
}

/* -- running ---------------------------------------------------------------------------------------------------- */

/* Resizes axis after axis; `buffers` hold every state in between. Nearest moves elements of `size` bytes. */
static nz_status resize_axes(const nz_op_ctx *ctx, const nz_resize *r, size_t size) {
    const char *from = ctx->in[X]->data;
    int64_t extents[NZ_MAX_RANK], total = nz_shape_elements(&ctx->out[0].shape);
    bool *outside = NULL;
    for (int i = 0; i < r->rank; i++) extents[i] = r->axis[i].in;
    for (int i = 0; i < r->rank; i++) {
        const nz_resize_axis *a = &r->axis[i];
        if (!a->active) continue;
        nz_ref_taps taps;
        bool *away;
        int64_t outer = 1, inner = 1;
        char *to;
        NZ_TRY(nz_resize_taps(&taps, &away, r, a, ctx->scratch));
        for (int k = 0; k < i; k++) outer *= extents[k];
        for (int k = i + 1; k < r->rank; k++) inner *= extents[k];
        extents[i] = a->out;
        NZ_TRY(nz_arena_alloc(ctx->scratch, &to, (size_t)(outer * a->out * inner), size));
        if (r->mode == NZ_RESIZE_NEAREST)
            nz_ref_resize_axis_nearest(&taps, outer, inner, size, from, to);
        else
            nz_ref_resize_axis(&taps, outer, inner, (const float *)(const void *)from, (float *)(void *)to);
        from = to;
        if (r->coordinates != NZ_RESIZE_CROP) continue;
        /* Positions outside the image along this axis: remembered for the end, in the output's coordinates. */
        int64_t step = 1;
        for (int k = i + 1; k < r->rank; k++) step *= r->axis[k].out;
        if (!outside) NZ_TRY(nz_arena_alloc(ctx->scratch, &outside, (size_t)total, sizeof *outside));
        for (int64_t k = 0; k < total; k++) outside[k] |= away[k / step % a->out];
    }
    memcpy(ctx->out[0].data, from, (size_t)total * size);
    for (int64_t k = 0; outside && k < total; k++)
        if (outside[k]) nz_tensor_set_real(&ctx->out[0], k, (double)r->outside);
    return NZ_OK;
}

static nz_status run_resize(const nz_op_ctx *ctx) {
    nz_resize r;
    NZ_TRY(nz_op_read_resize(&r, ctx));
    nz_dtype dtype = ctx->in[X]->dtype;
    if (r.mode != NZ_RESIZE_NEAREST && dtype != NZ_F32) return nz_op_run_widened(ctx, run_resize);
    return resize_axes(ctx, &r, nz_dtype_size(dtype));
}

/* The axes in reverse order, each gradient given back to the taps that made the position. */
static nz_status grad_resize(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    nz_resize r;
    NZ_TRY(nz_op_read_resize(&r, ctx));
    const nz_shape *out = &grad->dout[0]->shape;
    const float *from = nz_grad_from(grad, 0);
    nz_shape now = *out;
    int64_t total = nz_shape_elements(out);
    nz_ref_taps taps[NZ_MAX_RANK];
    bool *away[NZ_MAX_RANK];
    float *inside = NULL;
    for (int i = 0; i < r.rank; i++) {
        if (!r.axis[i].active) continue;
        NZ_TRY(nz_resize_taps(&taps[i], &away[i], &r, &r.axis[i], ctx->scratch));
        if (r.coordinates != NZ_RESIZE_CROP) continue;
        /* Positions outside the image have a value of their own. */
        int64_t step = nz_shape_span(out, i + 1, r.rank);
        if (!inside) {
            NZ_TRY(nz_arena_alloc(ctx->scratch, &inside, (size_t)total, sizeof *inside));
            memcpy(inside, from, (size_t)total * sizeof *inside);
        }
        for (int64_t k = 0; k < total; k++)
            if (away[i][k / step % out->dim[i]]) inside[k] = 0;
        from = inside;
    }
    for (int i = r.rank - 1; i >= 0; i--) {
        float *to;
        if (!r.axis[i].active) continue;
        now.dim[i] = r.axis[i].in;
        NZ_TRY(nz_arena_alloc(ctx->scratch, &to, (size_t)nz_shape_elements(&now), sizeof *to));
        nz_ref_resize_axis_back(&taps[i], nz_shape_span(&now, 0, i), nz_shape_span(&now, i + 1, r.rank), from, to);
        from = to;
    }
    memmove(nz_grad_to(ctx, grad, X), from, (size_t)nz_shape_elements(&now) * sizeof *from);
    return NZ_OK;
}

/* -- lifts ------------------------------------------------------------------------------------------------------ */

/* Version 10 of Resize and every Upsample: corners meet, the lower neighbour is the nearest, scales are the second input. */
static nz_status lift_old(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    if (n->input_count != 2) return nz_node_fail(n, NZ_E_SHAPE, "two inputs are needed");
    NZ_TRY(nz_node_set_string(n, "coordinate_transformation_mode", "asymmetric"));
    NZ_TRY(nz_node_set_string(n, "nearest_mode", "floor"));
    const char *mode = nz_attr_string(n, "mode", "nearest");
    if (strcmp(mode, "bilinear") == 0) NZ_TRY(nz_node_set_string(n, "mode", "linear"));
    return nz_node_set_inputs(n, (int[]){n->inputs[0], NZ_NO_VALUE, n->inputs[1]}, 3);
}

/* Version 10 took the upper neighbour along an axis that shrinks (its own test vectors and ONNX Runtime say so). */
static nz_status lift_resize_10(nz_graph *graph, int node) {
    NZ_TRY(lift_old(graph, node));
    nz_node *n = &graph->nodes[node];
    int scales = n->inputs[2];
    bool shrinks = false, grows = false;
    if (strcmp(nz_attr_string(n, "mode", "nearest"), "nearest") != 0 || !nz_value_is_constant(graph, scales))
        return NZ_OK;
    const nz_tensor *list = &graph->values[scales].constant;
    for (int64_t i = 0; i < nz_shape_elements(&list->shape); i++) {
        shrinks |= nz_tensor_real(list, i) < 1;
        grows |= nz_tensor_real(list, i) > 1;
    }
    if (shrinks && grows)
        return nz_node_fail(n, NZ_E_UNSUPPORTED, "nearest of opset 10 along axes of which some shrink and some grow");
    return shrinks ? nz_node_set_string(n, "nearest_mode", "ceil") : NZ_OK;
}

/* TensorFlow's half pixel for nearest with floor is the half pixel rounded up at ties; it left with version 13. */
static nz_status lift_resize(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    if (n->opset < 11) return lift_resize_10(graph, node);
    if (strcmp(nz_attr_string(n, "coordinate_transformation_mode", ""), "tf_half_pixel_for_nn") == 0) {
        if (strcmp(nz_attr_string(n, "mode", "nearest"), "nearest") != 0 ||
            strcmp(nz_attr_string(n, "nearest_mode", ""), "floor") != 0)
            return nz_node_fail(n, NZ_E_UNSUPPORTED,
                                "tf_half_pixel_for_nn is supported with mode nearest and nearest_mode floor alone");
        NZ_TRY(nz_node_set_string(n, "coordinate_transformation_mode", "half_pixel"));
        NZ_TRY(nz_node_set_string(n, "nearest_mode", "round_prefer_ceil"));
    }
    for (size_t i = 1; i < n->input_count; i++) /* an empty list meant: left out */
        if (n->inputs[i] != NZ_NO_VALUE && nz_value_is_constant(graph, n->inputs[i]) &&
            nz_shape_elements(&graph->values[n->inputs[i]].shape) == 0)
            n->inputs[i] = NZ_NO_VALUE;
    return NZ_OK;
}

static nz_status lift_upsample(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    float scales[NZ_MAX_RANK] = {1, 1, nz_attr_float(n, "height_scale", 1), nz_attr_float(n, "width_scale", 1)};
    size_t count = 4;
    int value = -1;
    const nz_attr *list = nz_attr_get(n, "scales");
    if (list && (list->kind != NZ_ATTR_FLOATS || list->count > NZ_MAX_RANK))
        return nz_node_fail(n, NZ_E_SHAPE, "scales is no short list");
    if (n->opset < 9) {
        if (list) memcpy(scales, list->u.floats, (count = list->count) * sizeof *scales);
        const nz_shape shape = {1, {(int64_t)count}};
        const nz_tensor constant = nz_tensor_borrow(NZ_F32, &shape, scales);
        if (n->input_count != 1) return nz_node_fail(n, NZ_E_SHAPE, "one input is needed");
        NZ_TRY(nz_graph_add_constant(graph, &value, "scales", &constant));
        n = &graph->nodes[node];
        NZ_TRY(nz_node_set_inputs(n, (int[]){n->inputs[0], value}, 2));
    }
    static const char *const gone[] = {"scales", "height_scale", "width_scale"};
    for (size_t i = 0; i < NZ_COUNT(gone); i++) nz_node_remove_attr(n, gone[i]);
    NZ_TRY(lift_old(graph, node));
    return nz_node_set_op(&graph->nodes[node], "Resize");
}

static int since_resize(const nz_graph *graph, const nz_node *node) {
    (void)graph;
    if (strcmp(nz_attr_string(node, "coordinate_transformation_mode", ""), "half_pixel_symmetric") == 0) return 19;
    return nz_attr_get(node, "antialias") || nz_attr_get(node, "axes") || nz_attr_get(node, "keep_aspect_ratio_policy")
               ? 18
               : 13;
}

#define RESIZE_ATTRIBUTES                                                                                              \
    NZ_ATTRIBUTES("antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside",           \
                  "extrapolation_value", "keep_aspect_ratio_policy", "mode", "nearest_mode")

const nz_op nz_ops_resize[] = {
    {.name = "Resize",
     .versions = NZ_VERSIONS(10, 11, 13, 18, 19),
     .canonical_since = 19,
     .plan_inputs = 1U << ROI | 1U << SCALES | 1U << SIZES,
     .attributes = RESIZE_ATTRIBUTES,
     .types = NZ_TYPES_BYTES,
     .flags = NZ_OP_KEEPS_RANGE, /* of some modes: nz_op_keeps_range knows */
     .lift = lift_resize,
     .infer = infer_resize,
     .count = count_resize,
     .run = run_resize,
     .since = since_resize,
     .grad = grad_resize,
     .grad_inputs = 1},
    {.name = "Upsample", /* always lifted: the entry says which versions that can be done for */
     .versions = NZ_VERSIONS(1, 7, 9),
     .canonical_since = 7,
     .attributes = RESIZE_ATTRIBUTES,
     .types = NZ_TYPES_BYTES,
     .lift = lift_upsample,
     .infer = infer_resize,
     .count = count_resize,
     .run = run_resize},
    {.name = NULL},
};
