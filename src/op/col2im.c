/* SPDX-License-Identifier: Apache-2.0 */
/** Col2Im: columns of windows added back into an image. */
#include <string.h>

#include "op/families.h"
#include "op/window.h"

enum { COLUMNS, IMAGE, BLOCK };

/* columns [N, C * taps, windows]; the window slides over the image as a convolution's would. */
static nz_status read_col2im(nz_window *ret_window, const nz_op_ctx *ctx, nz_shape *ret_image) {
    const nz_shape *x = &ctx->in[COLUMNS]->shape;
    nz_shape image = {.rank = 2, .dim = {x->dim[0], -1}};
    int64_t block[NZ_MAX_RANK];
    size_t axes = 0, blocks = 0;
    nz_window window;
    char text[112];
    if (x->rank != 3) return nz_op_fail(ctx, NZ_E_SHAPE, "columns of rank %d, 3 is needed", x->rank);
    NZ_TRY(nz_op_ints(ctx, IMAGE, image.dim + 2, 3, &axes));
    NZ_TRY(nz_op_ints(ctx, BLOCK, block, 3, &blocks));
    if (axes < 1 || axes != blocks)
        return nz_op_fail(ctx, NZ_E_SHAPE, "image_shape has %zu extents, block_shape %zu", axes, blocks);
    for (size_t i = 0; i < axes; i++)
        if (image.dim[2 + i] < 1 || block[i] < 1)
            return nz_op_fail(ctx, NZ_E_SHAPE, "image_shape and block_shape must be positive");
    image.rank += (int)axes;
    NZ_TRY(nz_window_read(&window, ctx, &image, block, NZ_WINDOW_CONV));
    int64_t taps = nz_window_taps(&window), windows = window.out[0] * window.out[1] * window.out[2];
    if ((x->dim[1] >= 0 && x->dim[1] % taps) || (x->dim[2] >= 0 && x->dim[2] != windows))
        return nz_op_fail(ctx, NZ_E_SHAPE, "columns %s are no multiple of %lld taps at %lld windows",
                          nz_shape_text(x, text), (long long)taps, (long long)windows);
    image.dim[1] = x->dim[1] < 0 ? -1 : x->dim[1] / taps;
    *ret_window = window;
    *ret_image = image;
    return NZ_OK;
}

static nz_status infer_col2im(const nz_op_ctx *ctx) {
    nz_window window;
    nz_shape image;
    NZ_TRY(nz_op_check(ctx, 3, 3, 1));
    NZ_TRY(read_col2im(&window, ctx, &image));
    nz_op_set_out(ctx, 0, ctx->in[COLUMNS]->dtype, &image);
    return NZ_OK;
}

/* Where tap k of window l lies in the image; -1 in the padding. */
static int64_t place_of(const nz_window *s, int64_t k, int64_t l) {
    const int64_t tap[3] = {k / s->kernel[2] / s->kernel[1], k / s->kernel[2] % s->kernel[1], k % s->kernel[2]};
    const int64_t at[3] = {l / s->out[2] / s->out[1], l / s->out[2] % s->out[1], l % s->out[2]};
    int64_t place = 0;
    for (int i = 0; i < 3; i++) {
        int64_t p = at[i] * s->stride[i] - s->begin[i] + tap[i] * s->dilation[i];
        if (p < 0 || p >= s->in[i]) return -1;
        place = place * s->in[i] + p;
    }
    return place;
}

static nz_status run_col2im(const nz_op_ctx *ctx) {
    if (ctx->in[COLUMNS]->dtype != NZ_F32) return nz_op_run_widened(ctx, run_col2im);
    nz_window s;
    nz_shape image;
    NZ_TRY(read_col2im(&s, ctx, &image));
    const float *x = ctx->in[COLUMNS]->data;
    float *y = ctx->out[0].data;
    int64_t taps = nz_window_taps(&s), windows = s.out[0] * s.out[1] * s.out[2], plane = s.in[0] * s.in[1] * s.in[2];
    memset(y, 0, ctx->out[0].bytes);
    for (int64_t c = 0; c < image.dim[0] * image.dim[1]; c++)
        for (int64_t k = 0; k < taps; k++)
            for (int64_t l = 0; l < windows; l++) {
                int64_t place = place_of(&s, k, l);
                if (place >= 0) y[c * plane + place] += x[(c * taps + k) * windows + l];
            }
    return NZ_OK;
}

const nz_op nz_ops_col2im[] = {
    {.name = "Col2Im",
     .versions = NZ_VERSIONS(18),
     .canonical_since = 18,
     .plan_inputs = 1U << IMAGE | 1U << BLOCK,
     .attributes = NZ_ATTRIBUTES("dilations", "pads", "strides"),
     .types = NZ_TYPE_BIT(NZ_F32) | NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16),
     .infer = infer_col2im,
     .count = nz_op_count_input,
     .run = run_col2im},
    {.name = NULL},
};
