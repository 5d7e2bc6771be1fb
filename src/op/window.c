/* SPDX-License-Identifier: Apache-2.0 */
#include "op/window.h"

#include <string.h>

/* Larger strides, pads, kernels and images mean a broken file, and below it no product here overflows. */
#define MOST ((int64_t)1 << 30)
#define TAPS_MOST ((int64_t)1 << 32)

/* The list attribute `name` of `count` values within [least, MOST] into values; absent: all `otherwise`. */
static nz_status read_list(const nz_op_ctx *ctx, const char *name, size_t count, int64_t least, int64_t otherwise,
                           int64_t *values) {
    size_t given = 0;
    const int64_t *list = nz_attr_ints(ctx->node, name, &given);
    if (list && given && given != count)
        return nz_op_fail(ctx, NZ_E_SHAPE, "%s has %zu values, %zu are needed", name, given, count);
    for (size_t i = 0; i < count; i++) {
        values[i] = list && given ? list[i] : otherwise;
        if (values[i] < least || values[i] > MOST)
            return nz_op_fail(ctx, NZ_E_SHAPE, "%s holds %lld, which is out of range", name, (long long)values[i]);
    }
    return NZ_OK;
}

static nz_status read_kernel(nz_window *w, const nz_op_ctx *ctx, const int64_t *kernel) {
    int first = 3 - w->rank;
    size_t given = 0;
    const int64_t *list = nz_attr_ints(ctx->node, "kernel_shape", &given);
    if (!kernel && !given) return nz_op_fail(ctx, NZ_E_SHAPE, "kernel_shape is missing");
    NZ_TRY(read_list(ctx, "kernel_shape", (size_t)w->rank, 1, 1, w->kernel + first));
    if (!kernel) return NZ_OK;
    for (int i = 0; i < w->rank; i++) {
        if (list && given && kernel[i] >= 0 && kernel[i] != list[i])
            return nz_op_fail(ctx, NZ_E_SHAPE, "kernel_shape says %lld where the weights have %lld", (long long)list[i],
                              (long long)kernel[i]);
        if (kernel[i] == 0 || kernel[i] > MOST)
            return nz_op_fail(ctx, NZ_E_SHAPE, "the weights have a kernel of extent %lld", (long long)kernel[i]);
        if (!given || kernel[i] >= 0) w->kernel[first + i] = kernel[i];
    }
    return NZ_OK;
}

typedef enum pad_mode { PAD_GIVEN, PAD_VALID, PAD_UPPER, PAD_LOWER } pad_mode;

static nz_status read_pads(nz_window *w, const nz_op_ctx *ctx, pad_mode *ret_mode) {
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const char *name = nz_attr_string(ctx->node, "auto_pad", "NOTSET");
    int64_t pads[6] = {0};
    size_t mode = 0;
    if (!*name) name = names[PAD_GIVEN];
    while (mode < NZ_COUNT(names) && strcmp(name, names[mode]) != 0) mode++;
    if (mode == NZ_COUNT(names)) return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "auto_pad '%s' is unknown", name);
    *ret_mode = (pad_mode)mode;
    if (mode == PAD_GIVEN) NZ_TRY(read_list(ctx, "pads", (size_t)w->rank * 2, 0, 0, pads));
    for (int i = 0; i < w->rank; i++) {
        w->begin[3 - w->rank + i] = pads[i];
        w->end[3 - w->rank + i] = pads[w->rank + i];
    }
    return NZ_OK;
}

static void split_total(nz_window *w, int axis, int64_t total, bool more_at_end) {
    int64_t half = total / 2;
    w->begin[axis] = more_at_end ? half : total - half;
    w->end[axis] = total - w->begin[axis];
}

static nz_status slide_axis(nz_window *w, const nz_op_ctx *ctx, int axis, pad_mode mode, bool ceiling) {
    int64_t in = w->in[axis], stride = w->stride[axis];
    w->out[axis] = -1;
    if (in < 0 || w->kernel[axis] < 0) return NZ_OK;
    int64_t extent = (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    if (mode == PAD_UPPER || mode == PAD_LOWER) {
        int64_t out = (in + stride - 1) / stride, total = (out - 1) * stride + extent - in;
        if (in == 0) return nz_op_fail(ctx, NZ_E_SHAPE, "the input has an extent of 0");
        split_total(w, axis, total > 0 ? total : 0, mode == PAD_UPPER);
        w->out[axis] = out;
        return NZ_OK;
    }
    int64_t room = in + w->begin[axis] + w->end[axis] - extent;
    if (room < 0)
        return nz_op_fail(ctx, NZ_E_SHAPE,
                          "a kernel that spans %lld does not fit into an input of %lld padded by %lld and %lld",
                          (long long)extent, (long long)in, (long long)w->begin[axis], (long long)w->end[axis]);
    w->out[axis] = room / stride + 1;
    /* A window must begin inside the image or the padding in front of it. */
    if (ceiling && room % stride && w->out[axis] * stride < in + w->begin[axis]) w->out[axis]++;
    return NZ_OK;
}

static nz_status transposed_axis(nz_window *w, const nz_op_ctx *ctx, int axis, pad_mode mode, int64_t more,
                                 int64_t wanted) {
    w->out[axis] = -1;
    if (w->in[axis] < 0 || w->kernel[axis] < 0) return NZ_OK;
    int64_t full = w->stride[axis] * (w->in[axis] - 1) + more + (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    if (wanted < 0 && (mode == PAD_UPPER || mode == PAD_LOWER)) wanted = w->in[axis] * w->stride[axis];
    if (wanted >= 0) {
        split_total(w, axis, full > wanted ? full - wanted : 0, mode == PAD_UPPER);
        w->out[axis] = wanted;
    } else {
        w->out[axis] = full - w->begin[axis] - w->end[axis];
    }
    if (w->out[axis] < 1)
        return nz_op_fail(ctx, NZ_E_SHAPE, "pads %lld and %lld leave nothing of an output of %lld",
                          (long long)w->begin[axis], (long long)w->end[axis], (long long)full);
    return NZ_OK;
}

nz_status nz_window_read(nz_window *ret_window, const nz_op_ctx *ctx, const nz_shape *x, const int64_t *kernel,
                         nz_window_form form) {
    nz_window w = {.rank = x->rank - 2,
                   .in = {1, 1, 1},
                   .out = {1, 1, 1},
                   .kernel = {1, 1, 1},
                   .stride = {1, 1, 1},
                   .dilation = {1, 1, 1}};
    int64_t more[3] = {0}, wanted[3] = {-1, -1, -1};
    pad_mode mode = PAD_GIVEN;
    if (w.rank < 1 || w.rank > 3)
        return nz_op_fail(ctx, NZ_E_UNSUPPORTED, "an input of rank %d: netzip runs 1 to 3 spatial axes", x->rank);
    int first = 3 - w.rank;
    for (int i = 0; i < w.rank; i++) {
        w.in[first + i] = x->dim[2 + i];
        if (x->dim[2 + i] > MOST)
            return nz_op_fail(ctx, NZ_E_SHAPE, "an extent of %lld is out of range", (long long)x->dim[2 + i]);
    }
    NZ_TRY(read_kernel(&w, ctx, kernel));
    NZ_TRY(read_list(ctx, "strides", (size_t)w.rank, 1, 1, w.stride + first));
    NZ_TRY(read_list(ctx, "dilations", (size_t)w.rank, 1, 1, w.dilation + first));
    NZ_TRY(read_pads(&w, ctx, &mode));
    if (form == NZ_WINDOW_TRANSPOSED) {
        size_t given = 0;
        NZ_TRY(read_list(ctx, "output_padding", (size_t)w.rank, 0, 0, more + first));
        if (nz_attr_ints(ctx->node, "output_shape", &given) && given)
            NZ_TRY(read_list(ctx, "output_shape", (size_t)w.rank, 1, 1, wanted + first));
    }
    bool ceiling = form == NZ_WINDOW_POOL && nz_attr_int(ctx->node, "ceil_mode", 0) != 0;
    int64_t taps = 1;
    for (int axis = first; axis < 3; axis++)
        if (w.kernel[axis] > 0 && (taps *= w.kernel[axis]) > TAPS_MOST)
            return nz_op_fail(ctx, NZ_E_SHAPE, "a kernel of more than 2^32 taps");
    for (int axis = first; axis < 3; axis++)
        if (form == NZ_WINDOW_TRANSPOSED)
            NZ_TRY(transposed_axis(&w, ctx, axis, mode, more[axis], wanted[axis]));
        else
            NZ_TRY(slide_axis(&w, ctx, axis, mode, ceiling));
    *ret_window = w;
    return NZ_OK;
}

nz_shape nz_window_shape(const nz_window *window, int64_t batch, int64_t channels) {
    nz_shape shape = {.rank = window->rank + 2, .dim = {batch, channels}};
    for (int i = 0; i < window->rank; i++) shape.dim[2 + i] = window->out[3 - window->rank + i];
    return shape;
}

int64_t nz_window_taps(const nz_window *window) { return window->kernel[0] * window->kernel[1] * window->kernel[2]; }
