/* SPDX-License-Identifier: Apache-2.0 */
/** Products of 8-bit integers: ConvInteger, MatMulInteger, and with scales QLinearConv, QLinearMatMul. */
#include "core/error.h"
#include "op/conv.h"
#include "op/families.h"
#include "op/matmul.h"

#define TYPES_8 (NZ_TYPE_BIT(NZ_U8) | NZ_TYPE_BIT(NZ_I8))

/* Where each operand of the four operators lies; inputs that an operator does not have are NONE. */
enum { NONE = 99 };
typedef struct layout {
    size_t a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias;
} layout;
static const layout plain = {NONE, 2, 1, NONE, 3, NONE, NONE, NONE};
static const layout scaled = {1, 2, 3, 4, 5, 6, 7, 8};

static nz_status check(const nz_op_ctx *ctx, const layout *l, size_t least, size_t most) {
    NZ_TRY(nz_op_check(ctx, least, most, 1));
    const size_t typed[] = {l->b, l->y_zero};
    for (size_t i = 0; i < NZ_COUNT(typed); i++) {
        const nz_tensor *t = nz_op_in(ctx, typed[i]);
        if (t && !(TYPES_8 >> t->dtype & 1U))
            return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "input %zu of type %s is not supported, only int8 and uint8",
                              typed[i], nz_dtype_get(t->dtype)->name);
    }
    NZ_TRY(nz_op_same_type(ctx, 0, l->a_zero));
    NZ_TRY(nz_op_same_type(ctx, l->b, l->b_zero));
    const size_t scales[] = {l->a_scale, l->b_scale, l->y_scale};
    for (size_t i = 0; i < NZ_COUNT(scales); i++) {
        const nz_tensor *t = nz_op_in(ctx, scales[i]);
        if (t && t->dtype != NZ_F32 && t->dtype != NZ_F16 && t->dtype != NZ_BF16)
            return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "a scale of type %s is not supported",
                              nz_dtype_get(t->dtype)->name);
    }
    return NZ_OK;
}

/* Input i, where it is there, must hold one number or `count` of them (or any of unknown extent). */
static nz_status check_count(const nz_op_ctx *ctx, size_t i, int64_t count) {
    const nz_tensor *t = nz_op_in(ctx, i);
    int64_t elements = t ? nz_shape_elements(&t->shape) : 1;
    char text[112];
    if (elements < 0 || elements == 1 || count < 0 || elements == count) return NZ_OK;
    return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "input %zu has the shape %s; one number or %lld are supported", i,
                      nz_shape_text(&t->shape, text), (long long)count);
}

/* Element `at` of a tensor that holds one number for all or one for each; `otherwise` where it is left out. */
static double pick(const nz_tensor *t, int64_t at, double otherwise) {
    if (!t) return otherwise;
    return nz_tensor_real(t, nz_shape_elements(&t->shape) == 1 ? 0 : at);
}

/* -- convolution ------------------------------------------------------------------------------------------------ */

static nz_status infer_conv(const nz_op_ctx *ctx, const layout *l, nz_dtype dtype) {
    nz_ref_conv conv;
    const nz_tensor *bias = nz_op_in(ctx, l->bias);
    NZ_TRY(nz_op_read_conv(&conv, ctx, l->b, l->bias, NZ_WINDOW_CONV));
    NZ_TRY(check_count(ctx, l->a_zero, 1));
    NZ_TRY(check_count(ctx, l->a_scale, 1));
    NZ_TRY(check_count(ctx, l->b_zero, conv.out_channels));
    NZ_TRY(check_count(ctx, l->b_scale, conv.out_channels));
    NZ_TRY(check_count(ctx, l->y_zero, 1));
    NZ_TRY(check_count(ctx, l->y_scale, 1));
    if (bias && bias->dtype != NZ_I32) return nz_op_fail(ctx, NZ_E_SHAPE, "the bias must be int32");
    nz_shape shape = nz_window_shape(&conv.window, conv.batch, conv.out_channels);
    nz_op_set_out(ctx, 0, dtype, &shape);
    return NZ_OK;
}

static nz_status infer_conv_integer(const nz_op_ctx *ctx) {
    NZ_TRY(check(ctx, &plain, 2, 4));
    return infer_conv(ctx, &plain, NZ_I32);
}

static nz_status infer_qlinear_conv(const nz_op_ctx *ctx) {
    NZ_TRY(check(ctx, &scaled, 8, 9));
    return infer_conv(ctx, &scaled, ctx->in[scaled.y_zero]->dtype);
}

static nz_status count_conv(const nz_op_ctx *ctx, nz_op_cost *cost, const layout *l) {
    nz_ref_conv conv;
    NZ_TRY(nz_op_read_conv(&conv, ctx, l->b, l->bias, NZ_WINDOW_CONV));
    int64_t outputs = nz_shape_elements(&ctx->out[0].shape);
    NZ_TRY(nz_op_add_macs(ctx, cost, outputs, conv.in_channels / conv.groups * nz_window_taps(&conv.window)));
    return nz_op_in(ctx, l->bias) ? nz_op_add_ops(ctx, cost, outputs, 1) : NZ_OK;
}

static nz_status count_conv_integer(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_conv(ctx, cost, &plain); }
static nz_status count_qlinear_conv(const nz_op_ctx *ctx, nz_op_cost *cost) { return count_conv(ctx, cost, &scaled); }

/* Convolution of the operands less their zero points: padding then is 0. */
static nz_status accumulate_conv(const nz_op_ctx *ctx, const layout *l, nz_ref_conv *ret_conv, int32_t *sums) {
    const nz_tensor *x = ctx->in[0], *w = ctx->in[l->b], *bias = nz_op_in(ctx, l->bias);
    NZ_TRY(nz_op_read_conv(ret_conv, ctx, l->b, l->bias, NZ_WINDOW_CONV));
    int64_t inputs = nz_shape_elements(&x->shape), weights = nz_shape_elements(&w->shape),
            filters = ret_conv->out_channels;
    int64_t filter = filters ? weights / filters : 0;
    int32_t *wide_x, *wide_w;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &wide_x, (size_t)inputs, sizeof *wide_x));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &wide_w, (size_t)weights, sizeof *wide_w));
    nz_ref_widen(x->dtype, inputs, x->data, (int32_t)pick(nz_op_in(ctx, l->a_zero), 0, 0), wide_x);
    for (int64_t o = 0; o < filters; o++)
        nz_ref_widen(w->dtype, filter, (const char *)w->data + o * filter,
                     (int32_t)pick(nz_op_in(ctx, l->b_zero), o, 0), wide_w + o * filter);
    return nz_ref_conv_i32(ret_conv, wide_x, wide_w, bias ? bias->data : NULL, sums);
}

static nz_status run_conv_integer(const nz_op_ctx *ctx) {
    nz_ref_conv conv;
    return accumulate_conv(ctx, &plain, &conv, ctx->out[0].data);
}

static nz_status run_qlinear_conv(const nz_op_ctx *ctx) {
    const layout *l = &scaled;
    nz_ref_conv conv;
    nz_tensor *y = &ctx->out[0];
    int32_t *sums;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &sums, (size_t)nz_shape_elements(&y->shape), sizeof *sums));
    NZ_TRY(accumulate_conv(ctx, l, &conv, sums));
    int64_t planes = conv.batch * conv.out_channels,
            plane = conv.window.out[0] * conv.window.out[1] * conv.window.out[2];
    double a_scale = pick(ctx->in[l->a_scale], 0, 1), y_scale = pick(ctx->in[l->y_scale], 0, 1);
    for (int64_t p = 0; p < planes; p++) {
        float factor = (float)(a_scale * pick(ctx->in[l->b_scale], p % conv.out_channels, 1) / y_scale);
        nz_ref_requantize(y->dtype, plane, sums + p * plane, factor, (int32_t)pick(ctx->in[l->y_zero], 0, 0),
                          (char *)y->data + p * plane);
    }
    return NZ_OK;
}

/* -- matrix product --------------------------------------------------------------------------------------------- */

static nz_status infer_matmul(const nz_op_ctx *ctx, const layout *l, nz_dtype dtype) {
    nz_op_matmul product;
    NZ_TRY(nz_op_read_matmul(&product, ctx, 0, l->b));
    /* A zero point or scale per row of a, per column of b; per row of the output. */
    NZ_TRY(check_count(ctx, l->a_zero, product.matrix.m));
    NZ_TRY(check_count(ctx, l->a_scale, product.matrix.m));
    NZ_TRY(check_count(ctx, l->b_zero, product.matrix.n));
    NZ_TRY(check_count(ctx, l->b_scale, product.matrix.n));
    NZ_TRY(check_count(ctx, l->y_zero, product.matrix.m));
    NZ_TRY(check_count(ctx, l->y_scale, product.matrix.m));
    nz_shape shape = nz_op_matmul_shape(&product);
    nz_op_set_out(ctx, 0, dtype, &shape);
    return NZ_OK;
}

static nz_status infer_matmul_integer(const nz_op_ctx *ctx) {
    NZ_TRY(check(ctx, &plain, 2, 4));
    return infer_matmul(ctx, &plain, NZ_I32);
}

static nz_status infer_qlinear_matmul(const nz_op_ctx *ctx) {
    NZ_TRY(check(ctx, &scaled, 8, 8));
    return infer_matmul(ctx, &scaled, ctx->in[scaled.y_zero]->dtype);
}

static nz_status count_matmul(const nz_op_ctx *ctx, nz_op_cost *cost, const layout *l) {
    nz_op_matmul product;
    NZ_TRY(nz_op_read_matmul(&product, ctx, 0, l->b));
    return nz_op_add_macs(ctx, cost, nz_shape_elements(&ctx->out[0].shape), product.matrix.k);
}

static nz_status count_matmul_integer(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return count_matmul(ctx, cost, &plain);
}
static nz_status count_qlinear_matmul(const nz_op_ctx *ctx, nz_op_cost *cost) {
    return count_matmul(ctx, cost, &scaled);
}

static nz_status accumulate_matmul(const nz_op_ctx *ctx, const layout *l, nz_op_matmul *ret_product, int32_t *sums) {
    const nz_tensor *a = ctx->in[0], *b = ctx->in[l->b], *a_zero = nz_op_in(ctx, l->a_zero),
                    *b_zero = nz_op_in(ctx, l->b_zero);
    NZ_TRY(nz_op_read_matmul(ret_product, ctx, 0, l->b));
    const nz_ref_matmul *s = &ret_product->matrix;
    int64_t a_count = nz_shape_elements(&a->shape), b_count = nz_shape_elements(&b->shape);
    int32_t *wide_a, *wide_b;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &wide_a, (size_t)a_count, sizeof *wide_a));
    NZ_TRY(nz_arena_alloc(ctx->scratch, &wide_b, (size_t)b_count, sizeof *wide_b));
    for (int64_t row = 0; s->k > 0 && row < a_count / s->k; row++)
        nz_ref_widen(a->dtype, s->k, (const char *)a->data + row * s->k, (int32_t)pick(a_zero, row % s->m, 0),
                     wide_a + row * s->k);
    nz_ref_widen(b->dtype, b_count, b->data, 0, wide_b);
    for (int64_t i = 0; i < b_count; i++) wide_b[i] -= (int32_t)pick(b_zero, i % s->n, 0);
    return nz_op_matmul_run(ret_product, NZ_I32, wide_a, wide_b, sums);
}

static nz_status run_matmul_integer(const nz_op_ctx *ctx) {
    nz_op_matmul product;
    return accumulate_matmul(ctx, &plain, &product, ctx->out[0].data);
}

static nz_status run_qlinear_matmul(const nz_op_ctx *ctx) {
    const layout *l = &scaled;
    nz_op_matmul product;
    nz_tensor *y = &ctx->out[0];
    int64_t total = nz_shape_elements(&y->shape);
    int32_t *sums;
    NZ_TRY(nz_arena_alloc(ctx->scratch, &sums, (size_t)total, sizeof *sums));
    NZ_TRY(accumulate_matmul(ctx, l, &product, sums));
    int64_t m = product.matrix.m, n = product.matrix.n;
    for (int64_t i = 0; i < total; i++) {
        int64_t row = i / n % m;
        double factor =
            pick(ctx->in[l->a_scale], row, 1) * pick(ctx->in[l->b_scale], i % n, 1) / pick(ctx->in[l->y_scale], row, 1);
        nz_ref_requantize(y->dtype, 1, sums + i, (float)factor, (int32_t)pick(ctx->in[l->y_zero], row, 0),
                          (char *)y->data + i);
    }
    return NZ_OK;
}

/* Of version 21, int8 inputs are not claimed: the text saturates, the operator's own test vectors wrap around. */
static nz_status lift_qlinear_matmul(nz_graph *graph, int node) {
    const nz_node *n = &graph->nodes[node];
    if (n->opset < 21 || n->input_count < 1 || n->inputs[0] == NZ_NO_VALUE ||
        graph->values[n->inputs[0]].dtype != NZ_I8)
        return NZ_OK;
    return nz_node_fail(n, NZ_E_UNSUPPORTED, "int8 inputs are supported up to opset 20 alone; use uint8");
}

static int since_qlinear_matmul(const nz_graph *graph, const nz_node *node) {
    int scale = node->input_count > 1 ? node->inputs[1] : NZ_NO_VALUE;
    return scale != NZ_NO_VALUE && graph->values[scale].dtype != NZ_F32 ? 21 : 13;
}

#define CONV_ATTRIBUTES NZ_ATTRIBUTES("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")

const nz_op nz_ops_integer[] = {
    {.name = "ConvInteger",
     .versions = NZ_VERSIONS(10),
     .canonical_since = 10,
     .flags = NZ_OP_HAS_MACS | NZ_OP_IS_CONV,
     .attributes = CONV_ATTRIBUTES,
     .types = TYPES_8,
     .infer = infer_conv_integer,
     .count = count_conv_integer,
     .run = run_conv_integer},
    {.name = "QLinearConv",
     .versions = NZ_VERSIONS(10),
     .canonical_since = 10,
     .flags = NZ_OP_HAS_MACS | NZ_OP_IS_CONV,
     .attributes = CONV_ATTRIBUTES,
     .types = TYPES_8,
     .infer = infer_qlinear_conv,
     .count = count_qlinear_conv,
     .run = run_qlinear_conv},
    {.name = "MatMulInteger",
     .versions = NZ_VERSIONS(10),
     .canonical_since = 10,
     .flags = NZ_OP_HAS_MACS,
     .attributes = NZ_ATTRIBUTES(NULL),
     .types = TYPES_8,
     .infer = infer_matmul_integer,
     .count = count_matmul_integer,
     .run = run_matmul_integer},
    {.name = "QLinearMatMul",
     .versions = NZ_VERSIONS(10, 21),
     .canonical_since = 21,
     .flags = NZ_OP_HAS_MACS,
     .attributes = NZ_ATTRIBUTES(NULL),
     .types = TYPES_8,
     .lift = lift_qlinear_matmul,
     .infer = infer_qlinear_matmul,
     .count = count_qlinear_matmul,
     .run = run_qlinear_matmul,
     .since = since_qlinear_matmul},
    {.name = NULL},
};
