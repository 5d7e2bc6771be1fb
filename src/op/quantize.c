/* SPDX-License-Identifier: Apache-2.0 */
/** QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear. */
#include <math.h>

#include "kernel/ref.h"
#include "op/families.h"
#include "op/grad.h"

#define TYPES_F8                                                                                                       \
    (NZ_TYPE_BIT(NZ_F8E4M3FN) | NZ_TYPE_BIT(NZ_F8E4M3FNUZ) | NZ_TYPE_BIT(NZ_F8E5M2) | NZ_TYPE_BIT(NZ_F8E5M2FNUZ))
#define TYPES_SHORT (NZ_TYPE_BIT(NZ_U4) | NZ_TYPE_BIT(NZ_I4) | NZ_TYPE_BIT(NZ_U16) | NZ_TYPE_BIT(NZ_I16))
#define TYPES_QUANTIZED (NZ_TYPE_BIT(NZ_U8) | NZ_TYPE_BIT(NZ_I8) | TYPES_SHORT | TYPES_F8)
#define TYPES_SCALE (NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16))

static bool is_in(unsigned types, nz_dtype dtype) { return types >> dtype & 1U; }

/* Which scale an element has: x is [outer, extent, inner]; the scales are one, or one per `block` along the middle axis
 * and, where blocked, one per inner position. */
typedef struct grid {
    int64_t outer, extent, inner, block, scales;
    bool single, blocked;
} grid;

static nz_status read_grid(grid *ret_grid, const nz_op_ctx *ctx) {
    const nz_shape *x = &ctx->in[0]->shape, *scale = &ctx->in[1]->shape;
    const nz_tensor *zero = nz_op_in(ctx, 2);
    grid g = {.outer = 1, .extent = 1, .inner = nz_shape_elements(x), .block = nz_attr_int(ctx->node, "block_size", 0)};
    char xt[112], st[112];
    nz_shape_text(x, xt);
    nz_shape_text(scale, st);
    if (zero && nz_shape_known(scale) && nz_shape_known(&zero->shape) &&
        nz_shape_elements(scale) != nz_shape_elements(&zero->shape))
        return nz_op_fail(ctx, NZ_E_SHAPE, "the zero point's shape differs from the scale's, which is %s", st);
    g.single = scale->rank == 0 || (scale->rank == 1 && scale->dim[0] == 1 && g.block == 0);
    if (!g.single) {
        int axis = 0;
        NZ_TRY(nz_op_axis(ctx, &axis, nz_attr_int(ctx->node, "axis", 1), x->rank));
        g.blocked = g.block > 0;
        if (g.block < 0 || scale->rank != (g.blocked ? x->rank : 1))
            return nz_op_fail(ctx, NZ_E_SHAPE, "scale %s does not fit input %s with block_size %lld", st, xt,
                              (long long)g.block);
        g.outer = nz_shape_span(x, 0, axis), g.extent = x->dim[axis], g.inner = nz_shape_span(x, axis + 1, x->rank);
        if (!g.blocked) g.block = 1;
        g.scales = scale->dim[g.blocked ? axis : 0];
        int64_t needed = g.extent < 0 ? -1 : g.extent / g.block + (g.extent % g.block != 0);
        bool fits = needed < 0 || g.scales < 0 || needed == g.scales;
        for (int i = 0; g.blocked && i < x->rank; i++)
            fits &= i == axis || x->dim[i] < 0 || scale->dim[i] < 0 || x->dim[i] == scale->dim[i];
        if (!fits)
            return nz_op_fail(ctx, NZ_E_SHAPE, "scale %s does not fit input %s along axis %d with blocks of %lld", st,
                              xt, axis, (long long)g.block);
    }
    *ret_grid = g;
    return NZ_OK;
}

/* What runs of neighbouring elements with one scale are given to: the first element, their number, the scale's index. */
typedef void run_body(const nz_op_ctx *ctx, const nz_op_grad *grad, int64_t first, int64_t count, int64_t at);

static void each_run(const grid *g, run_body *body, const nz_op_ctx *ctx, const nz_op_grad *grad) {
    if (g->single) {
        body(ctx, grad, 0, g->outer * g->extent * g->inner, 0);
        return;
    }
    for (int64_t o = 0; o < g->outer; o++)
        for (int64_t d = 0; d < g->extent; d++) {
            int64_t first = (o * g->extent + d) * g->inner;
            if (!g->blocked) {
                body(ctx, grad, first, g->inner, d);
                continue;
            }
            for (int64_t i = 0; i < g->inner; i++)
                body(ctx, grad, first + i, 1, (o * g->scales + d / g->block) * g->inner + i);
        }
}

/* -- QuantizeLinear --------------------------------------------------------------------------------------------- */

static nz_status infer_quantize(const nz_op_ctx *ctx) {
    grid g;
    NZ_TRY(nz_op_check(ctx, 2, 3, 1));
    nz_dtype asked = (nz_dtype)nz_attr_int(ctx->node, "output_dtype", 0), dtype = asked ? asked : NZ_U8;
    const nz_tensor *zero = nz_op_in(ctx, 2);
    if (zero && asked && zero->dtype != asked)
        return nz_op_fail(ctx, NZ_E_SHAPE, "output_dtype %d is not the type of the zero point", (int)asked);
    if (zero) dtype = zero->dtype;
    if (dtype < NZ_DTYPE_NONE || dtype >= NZ_DTYPE_END || !is_in(TYPES_QUANTIZED, dtype))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "quantising to %s is not supported", nz_dtype_get(dtype)->name);
    if (!is_in(TYPES_SCALE, ctx->in[1]->dtype))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "a scale of type %s is not supported",
                          nz_dtype_get(ctx->in[1]->dtype)->name);
    NZ_TRY(read_grid(&g, ctx));
    nz_op_set_out(ctx, 0, dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

static void quantize_run(const nz_op_ctx *ctx, const nz_op_grad *grad, int64_t first, int64_t count, int64_t at) {
    const nz_tensor *x = ctx->in[0], *zero = nz_op_in(ctx, 2);
    (void)grad;
    nz_tensor *y = &ctx->out[0];
    float scale = (float)nz_tensor_real(ctx->in[1], at);
    const nz_dtype_info *info = nz_dtype_get(y->dtype);
    int64_t shift = zero && info->is_integer ? nz_tensor_int(zero, at) : 0;
    if (x->dtype == NZ_F32 && y->dtype == NZ_U8) {
        nz_ref_quantize_u8(count, (const float *)x->data + first, scale, (int32_t)shift, (uint8_t *)y->data + first);
    } else if (x->dtype == NZ_F32 && y->dtype == NZ_I8) {
        nz_ref_quantize_i8(count, (const float *)x->data + first, scale, (int32_t)shift, (int8_t *)y->data + first);
    } else if (info->is_integer) {
        int64_t low = info->is_signed ? -((int64_t)1 << (info->bits - 1)) : 0;
        int64_t high = ((int64_t)1 << (info->bits - (info->is_signed ? 1 : 0))) - 1;
        for (int64_t i = first; i < first + count; i++)
            nz_tensor_set_int(y, i,
                              nz_ref_quantize_one((double)((float)nz_tensor_real(x, i) / scale), shift, low, high));
    } else {
        bool saturate = nz_attr_int(ctx->node, "saturate", 1) != 0;
        for (int64_t i = first; i < first + count; i++)
            ((uint8_t *)y->data)[i] = nz_f32_to_f8(y->dtype, (float)nz_tensor_real(x, i) / scale, saturate);
    }
}

static nz_status run_quantize(const nz_op_ctx *ctx) {
    grid g;
    NZ_TRY(read_grid(&g, ctx));
    each_run(&g, quantize_run, ctx, NULL);
    return NZ_OK;
}

/* The least and the greatest number of a type, for 8-bit floats too. */
static void range_of(nz_dtype dtype, double *ret_least, double *ret_most) {
    const nz_dtype_info *info = nz_dtype_get(dtype);
    if (!info->is_integer) {
        *ret_most = (double)nz_f8_to_f32(dtype, nz_f32_to_f8(dtype, INFINITY, true));
        *ret_least = -*ret_most;
        return;
    }
    *ret_least = info->is_signed ? -ldexp(1, info->bits - 1) : 0;
    *ret_most = ldexp(1, info->bits - (info->is_signed ? 1 : 0)) - 1;
}

/* Straight through: rounding counts as the identity, saturation as a constant. */
static void quantize_back(const nz_op_ctx *ctx, const nz_op_grad *grad, int64_t first, int64_t count, int64_t at) {
    const nz_tensor *zero = nz_op_in(ctx, 2);
    const float *x = ctx->in[0]->data, *dy = nz_grad_from(grad, 0), scale = (float)nz_tensor_real(ctx->in[1], at);
    bool integer = nz_dtype_get(grad->out[0]->dtype)->is_integer;
    double least, most, shift = zero && integer ? (double)nz_tensor_int(zero, at) : 0;
    float *dx = nz_grad_to(ctx, grad, 0);
    range_of(grad->out[0]->dtype, &least, &most);
    for (int64_t i = first; i < first + count; i++) {
        double level = (double)(x[i] / scale);
        if (integer) level = nearbyint(level) + shift;
        dx[i] = level >= least && level <= most ? dy[i] / scale : 0;
    }
}

static nz_status grad_quantize(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    grid g;
    NZ_TRY(read_grid(&g, ctx));
    each_run(&g, quantize_back, ctx, grad);
    return NZ_OK;
}

static nz_status count_conversions(const nz_op_ctx *ctx, nz_op_cost *cost) {
    int64_t elements = nz_shape_elements(&ctx->in[0]->shape);
    if (elements < 0) return nz_op_fail(ctx, NZ_E_SHAPE, "the input's shape is not known");
    cost->conversions += (uint64_t)elements;
    return NZ_OK;
}

/* Types and attributes arrived over the years: the node needs the youngest of those it uses. */
static int since(const nz_graph *graph, const nz_node *node) {
    nz_dtype types[3] = {NZ_DTYPE_NONE, NZ_DTYPE_NONE, NZ_DTYPE_NONE};
    for (size_t i = 0; i < 3 && i < node->input_count; i++)
        if (node->inputs[i] != NZ_NO_VALUE) types[i] = graph->values[node->inputs[i]].dtype;
    if (nz_attr_get(node, "block_size") || nz_attr_get(node, "output_dtype")) return 21;
    for (size_t i = 0; i < 3; i++)
        if (is_in(TYPES_SHORT, types[i])) return 21;
    if (nz_attr_get(node, "saturate")) return 19;
    for (size_t i = 0; i < 3; i++)
        if (is_in(TYPES_F8 | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16), types[i])) return 19;
    return 13;
}

/* -- DequantizeLinear ------------------------------------------------------------------------------------------- */

static nz_status infer_dequantize(const nz_op_ctx *ctx) {
    grid g;
    NZ_TRY(nz_op_check(ctx, 2, 3, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 2));
    if (!is_in(TYPES_SCALE, ctx->in[1]->dtype))
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "a scale of type %s is not supported",
                          nz_dtype_get(ctx->in[1]->dtype)->name);
    NZ_TRY(read_grid(&g, ctx));
    nz_op_set_out(ctx, 0, ctx->in[1]->dtype, &ctx->in[0]->shape);
    return NZ_OK;
}

static void dequantize_run(const nz_op_ctx *ctx, const nz_op_grad *grad, int64_t first, int64_t count, int64_t at) {
    const nz_tensor *x = ctx->in[0], *zero = nz_op_in(ctx, 2);
    (void)grad;
    nz_tensor *y = &ctx->out[0];
    float scale = (float)nz_tensor_real(ctx->in[1], at);
    if (!nz_dtype_get(x->dtype)->is_integer) {
        double shift = zero ? nz_tensor_real(zero, at) : 0;
        for (int64_t i = first; i < first + count; i++)
            nz_tensor_set_real(y, i, (nz_tensor_real(x, i) - shift) * (double)scale);
        return;
    }
    int64_t shift = zero ? nz_tensor_int(zero, at) : 0;
    if (y->dtype == NZ_F32 && x->dtype == NZ_U8)
        nz_ref_dequantize_u8(count, (const uint8_t *)x->data + first, scale, (int32_t)shift, (float *)y->data + first);
    else if (y->dtype == NZ_F32 && x->dtype == NZ_I8)
        nz_ref_dequantize_i8(count, (const int8_t *)x->data + first, scale, (int32_t)shift, (float *)y->data + first);
    else
        for (int64_t i = first; i < first + count; i++)
            nz_tensor_set_real(y, i, (double)((float)(nz_tensor_int(x, i) - shift) * scale));
}

static nz_status run_dequantize(const nz_op_ctx *ctx) {
    grid g;
    NZ_TRY(read_grid(&g, ctx));
    each_run(&g, dequantize_run, ctx, NULL);
    return NZ_OK;
}

static void dequantize_back(const nz_op_ctx *ctx, const nz_op_grad *grad, int64_t first, int64_t count, int64_t at) {
    const float *dy = nz_grad_from(grad, 0), scale = (float)nz_tensor_real(ctx->in[1], at);
    float *dx = nz_grad_to(ctx, grad, 0);
    for (int64_t i = first; i < first + count; i++) dx[i] = dy[i] * scale;
}

static nz_status grad_dequantize(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    grid g;
    NZ_TRY(read_grid(&g, ctx));
    each_run(&g, dequantize_back, ctx, grad);
    return NZ_OK;
}

/* -- DynamicQuantizeLinear -------------------------------------------------------------------------------------- */

static nz_status infer_dynamic(const nz_op_ctx *ctx) {
    NZ_TRY(nz_op_check(ctx, 1, 1, 3));
    const nz_shape scalar = {.rank = 0};
    nz_op_set_out(ctx, 0, NZ_U8, &ctx->in[0]->shape);
    nz_op_set_out(ctx, 1, NZ_F32, &scalar);
    nz_op_set_out(ctx, 2, NZ_U8, &scalar);
    return NZ_OK;
}

/* A minimum and a maximum over the input, as two reductions; the conversion itself is free. */
static nz_status count_dynamic(const nz_op_ctx *ctx, nz_op_cost *cost) {
    NZ_TRY(count_conversions(ctx, cost));
    return nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->in[0]->shape), 2);
}

static nz_status run_dynamic(const nz_op_ctx *ctx) {
    const float *x = ctx->in[0]->data;
    int64_t count = nz_shape_elements(&ctx->in[0]->shape);
    float least = 0, most = 0; /* 0 is always representable */
    for (int64_t i = 0; i < count; i++) {
        if (x[i] < least) least = x[i];
        if (x[i] > most) most = x[i];
    }
    float scale = (most - least) / 255;
    uint8_t zero = scale > 0 ? (uint8_t)nz_ref_quantize_one((double)(-least / scale), 0, 0, 255) : 0;
    if (nz_op_has_out(ctx, 1)) *(float *)ctx->out[1].data = scale;
    if (nz_op_has_out(ctx, 2)) *(uint8_t *)ctx->out[2].data = zero;
    if (nz_op_has_out(ctx, 0)) nz_ref_quantize_u8(count, x, scale > 0 ? scale : 1, zero, ctx->out[0].data);
    return NZ_OK;
}

const nz_op nz_ops_quantize[] = {
    {.name = "QuantizeLinear",
     .versions = NZ_VERSIONS(10, 13, 19, 21, 23, 25),
     .canonical_since = 21,
     .flags = NZ_OP_CONVERTS,
     .attributes = NZ_ATTRIBUTES("axis", "block_size", "output_dtype", "saturate"),
     .types = TYPES_SCALE | NZ_TYPE_BIT(NZ_I32),
     .infer = infer_quantize,
     .count = count_conversions,
     .run = run_quantize,
     .since = since,
     .grad = grad_quantize,
     .grad_inputs = 1,
     .grad_reads = NZ_GRAD_READS_IN},
    {.name = "DequantizeLinear",
     .versions = NZ_VERSIONS(10, 13, 19, 21, 23, 25),
     .canonical_since = 21,
     .flags = NZ_OP_CONVERTS,
     .attributes = NZ_ATTRIBUTES("axis", "block_size"),
     .types = TYPES_QUANTIZED | NZ_TYPE_BIT(NZ_I32),
     .infer = infer_dequantize,
     .count = count_conversions,
     .run = run_dequantize,
     .since = since,
     .grad = grad_dequantize,
     .grad_inputs = 1},
    {.name = "DynamicQuantizeLinear",
     .versions = NZ_VERSIONS(11),
     .canonical_since = 11,
     .attributes = NZ_ATTRIBUTES(NULL),
     .types = NZ_TYPE_BIT(NZ_F32),
     .infer = infer_dynamic,
     .count = count_dynamic,
     .run = run_dynamic},
    {.name = NULL},
};
