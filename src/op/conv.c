/* SPDX-License-Identifier: Apache-2.0 */
/** Conv and ConvTranspose in floating point. */
#include "op/conv.h"

#include "kernel/ref_grad.h"
#include "op/families.h"
#include "op/grad.h"

#define CHANNELS_MOST ((int64_t)1 << 30)

nz_status nz_op_read_conv(nz_ref_conv *ret_conv, const nz_op_ctx *ctx, size_t w_input, size_t bias_input,
                          nz_window_form form) {
    const nz_shape *x = &ctx->in[0]->shape, *w = &ctx->in[w_input]->shape;
    const nz_tensor *bias = nz_op_in(ctx, bias_input);
    bool transposed = form == NZ_WINDOW_TRANSPOSED;
    nz_ref_conv conv = {.groups = nz_attr_int(ctx->node, "group", 1)};
    if (x->rank < 3 || w->rank != x->rank)
        return nz_op_fail(ctx, NZ_E_SHAPE, "weights of rank %d do not fit an input of rank %d", w->rank, x->rank);
    if (w->dim[0] > CHANNELS_MOST || w->dim[1] > CHANNELS_MOST || conv.groups < 1 || conv.groups > CHANNELS_MOST)
        return nz_op_fail(ctx, NZ_E_SHAPE, "group %lld or the weights' channels are out of range",
                          (long long)conv.groups);
    NZ_TRY(nz_window_read(&conv.window, ctx, x, w->dim + 2, form));
    conv.batch = x->dim[0];
    conv.in_channels = transposed ? w->dim[0] : x->dim[1];
    conv.out_channels = transposed && w->dim[1] >= 0 ? w->dim[1] * conv.groups : transposed ? -1 : w->dim[0];
    if (conv.in_channels < 0 && w->dim[1] >= 0) conv.in_channels = w->dim[1] * conv.groups;
    int64_t needed = transposed ? w->dim[0] : w->dim[1] < 0 ? -1 : w->dim[1] * conv.groups;
    char xs[112], ws[112];
    if ((x->dim[1] >= 0 && needed >= 0 && x->dim[1] != needed) ||
        (conv.in_channels >= 0 && conv.in_channels % conv.groups) ||
        (conv.out_channels >= 0 && conv.out_channels % conv.groups))
        return nz_op_fail(ctx, NZ_E_SHAPE, "weights %s with group %lld do not fit input %s", nz_shape_text(w, ws),
                          (long long)conv.groups, nz_shape_text(x, xs));
    if (bias && (bias->shape.rank != 1 ||
                 (bias->shape.dim[0] >= 0 && conv.out_channels >= 0 && bias->shape.dim[0] != conv.out_channels)))
        return nz_op_fail(ctx, NZ_E_SHAPE, "bias %s does not fit %lld output channels", nz_shape_text(&bias->shape, ws),
                          (long long)conv.out_channels);
    *ret_conv = conv;
    return NZ_OK;
}

static nz_status infer(const nz_op_ctx *ctx, nz_window_form form) {
    nz_ref_conv conv;
    NZ_TRY(nz_op_check(ctx, 2, 3, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 1));
    NZ_TRY(nz_op_same_type(ctx, 0, 2));
    NZ_TRY(nz_op_read_conv(&conv, ctx, 1, 2, form));
    nz_shape shape = nz_window_shape(&conv.window, conv.batch, conv.out_channels);
    nz_op_set_out(ctx, 0, ctx->in[0]->dtype, &shape);
    return NZ_OK;
}

static nz_status infer_conv(const nz_op_ctx *ctx) { return infer(ctx, NZ_WINDOW_CONV); }
static nz_status infer_transpose(const nz_op_ctx *ctx) { return infer(ctx, NZ_WINDOW_TRANSPOSED); }

static nz_status count_conv(const nz_op_ctx *ctx, nz_op_cost *cost) {
    nz_ref_conv conv;
    NZ_TRY(nz_op_read_conv(&conv, ctx, 1, 2, NZ_WINDOW_CONV));
    int64_t outputs = nz_shape_elements(&ctx->out[0].shape);
    NZ_TRY(nz_op_add_macs(ctx, cost, outputs, conv.in_channels / conv.groups * nz_window_taps(&conv.window)));
    return nz_op_in(ctx, 2) ? nz_op_add_ops(ctx, cost, outputs, 1) : NZ_OK;
}

static nz_status count_transpose(const nz_op_ctx *ctx, nz_op_cost *cost) {
    nz_ref_conv conv;
    NZ_TRY(nz_op_read_conv(&conv, ctx, 1, 2, NZ_WINDOW_TRANSPOSED));
    int64_t inputs = nz_shape_elements(&ctx->in[0]->shape);
    NZ_TRY(nz_op_add_macs(ctx, cost, inputs, conv.out_channels / conv.groups * nz_window_taps(&conv.window)));
    return nz_op_in(ctx, 2) ? nz_op_add_ops(ctx, cost, nz_shape_elements(&ctx->out[0].shape), 1) : NZ_OK;
}

static nz_status run_conv(const nz_op_ctx *ctx) {
    if (ctx->in[0]->dtype == NZ_F16 || ctx->in[0]->dtype == NZ_BF16) return nz_op_run_widened(ctx, run_conv);
    nz_ref_conv conv;
    NZ_TRY(nz_op_read_conv(&conv, ctx, 1, 2, NZ_WINDOW_CONV));
    const void *x = ctx->in[0]->data, *w = ctx->in[1]->data, *bias = nz_op_in(ctx, 2) ? ctx->in[2]->data : NULL;
    return ctx->in[0]->dtype == NZ_F64 ? nz_ref_conv_f64(&conv, x, w, bias, ctx->out[0].data)
                                       : nz_ref_conv_f32(&conv, x, w, bias, ctx->out[0].data);
}

static nz_status run_transpose(const nz_op_ctx *ctx) {
    if (ctx->in[0]->dtype == NZ_F16 || ctx->in[0]->dtype == NZ_BF16) return nz_op_run_widened(ctx, run_transpose);
    nz_ref_conv conv;
    NZ_TRY(nz_op_read_conv(&conv, ctx, 1, 2, NZ_WINDOW_TRANSPOSED));
    const void *x = ctx->in[0]->data, *w = ctx->in[1]->data, *bias = nz_op_in(ctx, 2) ? ctx->in[2]->data : NULL;
    if (ctx->in[0]->dtype == NZ_F64)
        nz_ref_conv_transpose_f64(&conv, x, w, bias, ctx->out[0].data);
    else
        nz_ref_conv_transpose_f32(&conv, x, w, bias, ctx->out[0].data);
    return NZ_OK;
}

/* Conv with x, w and dy as they are; ConvTranspose with everything turned round. */
static nz_status grad_form(const nz_op_ctx *ctx, const nz_op_grad *grad, nz_window_form form) {
    nz_ref_conv conv;
    NZ_TRY(nz_op_read_conv(&conv, ctx, 1, 2, form));
    const nz_ref_conv turned = nz_ref_conv_turn(&conv);
    const float *x = ctx->in[0]->data, *w = ctx->in[1]->data, *dy = nz_grad_from(grad, 0);
    float *dx = nz_grad_to(ctx, grad, 0), *dw = nz_grad_to(ctx, grad, 1), *dbias = nz_grad_to(ctx, grad, 2);
    if (form == NZ_WINDOW_CONV) {
        if (dx) nz_ref_conv_transpose_f32(&turned, dy, w, NULL, dx);
        if (dw) nz_ref_conv_weights_f32(&conv, x, dy, dw);
    } else {
        if (dx) NZ_TRY(nz_ref_conv_f32(&turned, dy, w, NULL, dx));
        if (dw) nz_ref_conv_weights_f32(&turned, dy, x, dw);
    }
    const nz_window *s = &conv.window;
    if (dbias) nz_ref_channel_sums(conv.batch, conv.out_channels, s->out[0] * s->out[1] * s->out[2], dy, dbias);
    return NZ_OK;
}

static nz_status grad_conv(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_form(ctx, grad, NZ_WINDOW_CONV);
}
static nz_status grad_transpose(const nz_op_ctx *ctx, const nz_op_grad *grad) {
    return grad_form(ctx, grad, NZ_WINDOW_TRANSPOSED);
}

const nz_op nz_ops_conv[] = {
    {.name = "Conv",
     .versions = NZ_VERSIONS(1, 11, 22),
     .canonical_since = 1,
     .flags = NZ_OP_HAS_MACS | NZ_OP_IS_CONV,
     .attributes = NZ_ATTRIBUTES("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"),
     .types = NZ_TYPES_FLOAT,
     .infer = infer_conv,
     .count = count_conv,
     .run = run_conv,
     .grad = grad_conv,
     .grad_inputs = 7,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 6},
    {.name = "ConvTranspose",
     .versions = NZ_VERSIONS(1, 11, 22),
     .canonical_since = 1,
     .flags = NZ_OP_HAS_MACS | NZ_OP_IS_CONV,
     .attributes = NZ_ATTRIBUTES("auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape",
                                 "pads", "strides"),
     .types = NZ_TYPES_FLOAT,
     .infer = infer_transpose,
     .count = count_transpose,
     .run = run_transpose,
     .grad = grad_transpose,
     .grad_inputs = 7,
     .grad_reads = NZ_GRAD_READS_IN,
     .params = 6},
    {.name = NULL},
};
