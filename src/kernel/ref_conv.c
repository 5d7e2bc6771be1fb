/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution without im2col: every output vector gathers its products while the sums stay in registers. */
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/ref_window.h"

enum { VECTOR_BYTES = 16 }; /* what every 64-bit processor has */

/* A row of the input, laid out so that the positions an output row reads at one tap lie next to each other, whatever the
 * stride: columns of the padded row sorted by their remainder, `phase` of each of the `phases` remainders that taps have.
 * Columns outside the image are 0, and so is what a last, incomplete vector reads. */
enum { KEPT_OFFSETS = 16 };
typedef struct row_layout {
    int64_t phases, phase, size;
    int64_t offset[KEPT_OFFSETS]; /* of the first taps */
} row_layout;

/* Where output position 0 reads at horizontal tap `tap`. */
static int64_t tap_offset(const nz_window *s, const row_layout *l, int64_t tap) {
    int64_t column = tap * s->dilation[2];
    return column % s->stride[2] * l->phase + column / s->stride[2];
}

static bool lay_out(row_layout *ret_layout, const nz_window *s, int64_t width) {
    int64_t positions = (s->out[2] + width - 1) / width * width, reach = (s->kernel[2] - 1) * s->dilation[2];
    row_layout layout = {.phases = reach + 1 < s->stride[2] ? reach + 1 : s->stride[2],
                         .phase = positions + reach / s->stride[2]};
    if (__builtin_mul_overflow(layout.phase, layout.phases, &layout.size)) return false;
    for (int64_t k = 0; k < KEPT_OFFSETS; k++) layout.offset[k] = tap_offset(s, &layout, k);
    *ret_layout = layout;
    return true;
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

nz_status nz_ref_conv_f32(const nz_ref_conv *conv, const float *x, const float *w, const float *bias, float *y) {
    return conv_f32(conv, x, w, bias, y);
}

nz_status nz_ref_conv_f64(const nz_ref_conv *conv, const double *x, const double *w, const double *bias, double *y) {
    return conv_f64(conv, x, w, bias, y);
}

nz_status nz_ref_conv_i32(const nz_ref_conv *conv, const int32_t *x, const int32_t *w, const int32_t *bias,
                          int32_t *y) {
    return conv_i32(conv, (const uint32_t *)x, (const uint32_t *)w, (const uint32_t *)bias, (uint32_t *)y);
}

void nz_ref_conv_transpose_f32(const nz_ref_conv *conv, const float *x, const float *w, const float *bias, float *y) {
    transpose_f32(conv, x, w, bias, y);
}

void nz_ref_conv_transpose_f64(const nz_ref_conv *conv, const double *x, const double *w, const double *bias,
                               double *y) {
    transpose_f64(conv, x, w, bias, y);
}
