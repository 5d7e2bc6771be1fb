/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution without im2col: loops ordered so that the innermost runs along an image row and vectorises. */
#include "core/threads.h"
#include "kernel/ref.h"

/* Output positions [from, to) of a row whose input lies inside the image, for one horizontal tap. */
typedef struct row_range {
    int64_t from, to;
} row_range;

static row_range row_range_of(const nz_window *s, int64_t tap) {
    int64_t offset = tap * s->dilation[2] - s->begin[2], step = s->stride[2], last = s->in[2] - 1 - offset;
    row_range range = {offset >= 0 ? 0 : (-offset + step - 1) / step, last < 0 ? 0 : last / step + 1};
    if (range.to > s->out[2]) range.to = s->out[2];
    return range;
}

/* Ranges of the first taps are computed once for a whole plane; wider kernels compute the rest as they go. */
enum { KEPT_RANGES = 16 };

static void row_ranges(const nz_window *s, row_range ranges[KEPT_RANGES]) {
    for (int64_t k = 0; k < s->kernel[2] && k < KEPT_RANGES; k++) ranges[k] = row_range_of(s, k);
}

/* A 1x1 convolution of stride 1 sees a plane as one long row. */
static nz_window flatten_pointwise(const nz_window *window) {
    nz_window s = *window;
    for (int i = 0; i < 3; i++)
        if (s.kernel[i] != 1 || s.stride[i] != 1 || s.begin[i] != 0 || s.in[i] != s.out[i]) return s;
    s.in[2] = s.out[2] = s.in[0] * s.in[1] * s.in[2];
    s.in[0] = s.out[0] = s.in[1] = s.out[1] = 1;
    return s;
}

#define WITH_TRANSPOSE
#define T float
#define NAME(x) x##_f32
#include "kernel/ref_conv_body.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "kernel/ref_conv_body.h"
#undef T
#undef NAME
#undef WITH_TRANSPOSE
/* Unsigned, because accumulators wrap and signed overflow would be undefined. */
#define T uint32_t
#define NAME(x) x##_i32
#include "kernel/ref_conv_body.h"
#undef T
#undef NAME

void nz_ref_conv_f32(const nz_ref_conv *conv, const float *x, const float *w, const float *bias, float *y) {
    conv_f32(conv, x, w, bias, y);
}

void nz_ref_conv_f64(const nz_ref_conv *conv, const double *x, const double *w, const double *bias, double *y) {
    conv_f64(conv, x, w, bias, y);
}

void nz_ref_conv_i32(const nz_ref_conv *conv, const int32_t *x, const int32_t *w, const int32_t *bias, int32_t *y) {
    conv_i32(conv, (const uint32_t *)x, (const uint32_t *)w, (const uint32_t *)bias, (uint32_t *)y);
}

void nz_ref_conv_transpose_f32(const nz_ref_conv *conv, const float *x, const float *w, const float *bias, float *y) {
    transpose_f32(conv, x, w, bias, y);
}

void nz_ref_conv_transpose_f64(const nz_ref_conv *conv, const double *x, const double *w, const double *bias,
                               double *y) {
    transpose_f64(conv, x, w, bias, y);
}
