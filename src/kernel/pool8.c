/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling of 8-bit images, channels last, with a change of scale: sums are exact, one rounding at the end. */
#include <stdio.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/own.h"

enum { CHANNELS_AT_ONCE = 256 };

typedef struct pool8 {
    nz_kernel base;
    nz_window window;
    const uint8_t *src;
    uint8_t *dst;
    int64_t batch, channels, batch_from, batch_to, from[3], to[3]; /* strides in elements of the three axes */
    bool src_signed, dst_signed;
    float scale, src_zero, dst_zero, least, most;
} pool8;

static void pool8_bind(nz_kernel *kernel, nz_kernel_arg arg, void *data) {
    pool8 *self = (pool8 *)kernel;
    if (arg == NZ_ARG_SRC) self->src = data;
    if (arg == NZ_ARG_DST) self->dst = data;
}

NZ_CLONES static void add_unsigned(int32_t *restrict sums, const uint8_t *restrict x, int64_t count) {
    for (int64_t i = 0; i < count; i++) sums[i] += x[i];
}

NZ_CLONES static void add_signed(int32_t *restrict sums, const int8_t *restrict x, int64_t count) {
    for (int64_t i = 0; i < count; i++) sums[i] += x[i];
}

NZ_CLONES static void finish(const pool8 *self, uint8_t *restrict to, const int32_t *restrict sums, int64_t count,
                             int64_t taps) {
    float factor = self->scale / (float)(taps ? taps : 1), zero = self->src_zero * (float)taps;
    for (int64_t i = 0; i < count; i++) {
        float value = ((float)sums[i] - zero) * factor + self->dst_zero;
        value = value < self->least ? self->least : value;
        value = value > self->most ? self->most : value;
        to[i] = (uint8_t)(int32_t)nz_round_even(value);
    }
}

/* The window at output position o of axis a: positions [*first, *last) with the dilation as step. */
static void clip_window(const nz_window *w, int a, int64_t o, int64_t *first, int64_t *last) {
    int64_t begin = o * w->stride[a] - w->begin[a], end = begin + (w->kernel[a] - 1) * w->dilation[a] + 1;
    while (begin < 0) begin += w->dilation[a];
    *first = begin;
    *last = end < w->in[a] ? end : w->in[a];
}

static void pool_position(const pool8 *self, const uint8_t *src, uint8_t *dst, const int64_t out[3]) {
    const nz_window *w = &self->window;
    int64_t first[3], last[3];
    for (int a = 0; a < 3; a++) clip_window(w, a, out[a], &first[a], &last[a]);
    for (int64_t c = 0; c < self->channels; c += CHANNELS_AT_ONCE) {
        int32_t sums[CHANNELS_AT_ONCE] = {0};
        int64_t count = self->channels - c < CHANNELS_AT_ONCE ? self->channels - c : CHANNELS_AT_ONCE, taps = 0;
        for (int64_t d = first[0]; d < last[0]; d += w->dilation[0])
            for (int64_t h = first[1]; h < last[1]; h += w->dilation[1])
                for (int64_t x = first[2]; x < last[2]; x += w->dilation[2], taps++) {
                    const uint8_t *at = src + d * self->from[0] + h * self->from[1] + x * self->from[2] + c;
                    if (self->src_signed)
                        add_signed(sums, (const int8_t *)at, count);
                    else
                        add_unsigned(sums, at, count);
                }
        finish(self, dst + c, sums, count, taps);
    }
}

static void pool_range(void *argument, size_t begin, size_t end) {
    const pool8 *self = argument;
    const nz_window *w = &self->window;
    for (size_t n = begin; n < end; n++) {
        int64_t rest = (int64_t)n, out[3];
        for (int a = 2; a >= 0; a--) {
            out[a] = rest % w->out[a];
            rest /= w->out[a];
        }
        pool_position(self, self->src + rest * self->batch_from,
                      self->dst + rest * self->batch_to + out[0] * self->to[0] + out[1] * self->to[1] +
                          out[2] * self->to[2],
                      out);
    }
}

static nz_status pool8_run(nz_kernel *kernel) {
    pool8 *self = (pool8 *)kernel;
    const nz_window *w = &self->window;
    nz_parallel((size_t)(self->batch * w->out[0] * w->out[1] * w->out[2]), 4, pool_range, self);
    return NZ_OK;
}

static void pool8_release(nz_kernel *kernel) { free(kernel); }

nz_status nz_pool8_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    if (!nz_is_8bit(desc->src.dtype) || !nz_is_8bit(desc->dst.dtype) || desc->post_count) return NZ_E_UNSUPPORTED;
    if (desc->src.stride[1] != 1 || (desc->dst.stride[1] != 1 && desc->dst.dim[1] > 1)) return NZ_E_UNSUPPORTED;
    pool8 *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->base.bind = pool8_bind, self->base.run = pool8_run, self->base.release = pool8_release;
    snprintf(self->base.name, sizeof self->base.name, "own:avgpool:int8");
    self->window = desc->window;
    self->batch = desc->src.dim[0];
    self->channels = desc->src.dim[1];
    self->batch_from = desc->src.stride[0], self->batch_to = desc->dst.stride[0];
    for (int i = 0; i < desc->window.rank; i++) {
        int at = 3 - desc->window.rank + i;
        self->from[at] = desc->src.stride[2 + i], self->to[at] = desc->dst.stride[2 + i];
    }
    self->src_signed = desc->src.dtype == NZ_I8, self->dst_signed = desc->dst.dtype == NZ_I8;
    self->scale = desc->src_quant.scale / desc->dst_quant.scale;
    self->src_zero = (float)desc->src_quant.zero_point, self->dst_zero = (float)desc->dst_quant.zero_point;
    self->least = self->dst_signed ? -128 : 0, self->most = self->dst_signed ? 127 : 255;
    *ret_kernel = &self->base;
    return NZ_OK;
}
