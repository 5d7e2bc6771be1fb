/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise kernels and small gathers that oneDNN lacks: 8-bit sums, tables, nearest neighbours, odd activations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/avx512.h"
#include "kernel/own.h"

enum { GRAIN = 16 * 1024 };

typedef struct simple {
    nz_kernel base;
    const void *src, *src1;
    void *dst;
    int64_t count;
    bool src_signed, src1_signed, dst_signed;
    float a, b, c; /* 8-bit: stored = a x + b y + c (sum) or a (x - zx)(y - zy) + c (product) */
    float x_zero, y_zero;
    float least, most;
    nz_post posts[NZ_POSTS];
    size_t post_count;
    uint8_t table[256];
} simple;

static void simple_bind(nz_kernel *kernel, nz_kernel_arg arg, void *data) {
    simple *self = (simple *)kernel;
    if (arg == NZ_ARG_SRC) self->src = data;
    if (arg == NZ_ARG_SRC1) self->src1 = data;
    if (arg == NZ_ARG_DST) self->dst = data;
}

static void simple_release(nz_kernel *kernel) { free(kernel); }

static nz_status simple_new(simple **ret_self, const nz_kernel_desc *desc, nz_status (*run)(nz_kernel *),
                            const char *name) {
    simple *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->base.bind = simple_bind, self->base.run = run, self->base.release = simple_release;
    self->count = nz_mem_elements(&desc->dst);
    snprintf(self->base.name, sizeof self->base.name, "own:%s", name);
    *ret_self = self;
    return NZ_OK;
}

/* -- 8-bit sums and products of equal shapes ---------------------------------------------------------------------- */

static inline float clamp(float x, float least, float most) {
    x = x < least ? least : x;
    return x > most ? most : x;
}

#define ADD8(NAME, X, Y, D)                                                                                            \
    NZ_CLONES static void NAME(const simple *s, size_t begin, size_t end) {                                            \
        const X *restrict x = s->src;                                                                                  \
        const Y *restrict y = s->src1;                                                                                 \
        D *restrict d = s->dst;                                                                                        \
        float a = s->a, b = s->b, c = s->c, least = s->least, most = s->most;                                          \
        for (size_t i = begin; i < end; i++)                                                                           \
            d[i] = (D)(int32_t)nz_round_even(clamp((float)x[i] * a + (float)y[i] * b + c, least, most));               \
    }
ADD8(add_uuu, uint8_t, uint8_t, uint8_t)
ADD8(add_uui, uint8_t, uint8_t, int8_t)
ADD8(add_uiu, uint8_t, int8_t, uint8_t)
ADD8(add_uii, uint8_t, int8_t, int8_t)
ADD8(add_iuu, int8_t, uint8_t, uint8_t)
ADD8(add_iui, int8_t, uint8_t, int8_t)
ADD8(add_iiu, int8_t, int8_t, uint8_t)
ADD8(add_iii, int8_t, int8_t, int8_t)

static void add8_range(void *argument, size_t begin, size_t end) {
    static void (*const functions[])(const simple *, size_t, size_t) = {add_uuu, add_uui, add_uiu, add_uii,
                                                                        add_iuu, add_iui, add_iiu, add_iii};
    const simple *s = argument;
    functions[s->src_signed * 4 + s->src1_signed * 2 + s->dst_signed](s, begin, end);
}

static nz_status add8_run(nz_kernel *kernel) {
    simple *self = (simple *)kernel;
    nz_parallel((size_t)self->count, GRAIN, add8_range, self);
    return NZ_OK;
}

static void mul8_range(void *argument, size_t begin, size_t end) {
    const simple *s = argument;
    for (size_t i = begin; i < end; i++) {
        float x = s->src_signed ? (float)((const int8_t *)s->src)[i] : (float)((const uint8_t *)s->src)[i];
        float y = s->src1_signed ? (float)((const int8_t *)s->src1)[i] : (float)((const uint8_t *)s->src1)[i];
        int32_t q = (int32_t)nz_round_even(clamp(s->a * (x - s->x_zero) * (y - s->y_zero) + s->c, s->least, s->most));
        ((uint8_t *)s->dst)[i] = (uint8_t)q; /* the same byte for both signs */
    }
}

static nz_status mul8_run(nz_kernel *kernel) {
    simple *self = (simple *)kernel;
    nz_parallel((size_t)self->count, GRAIN, mul8_range, self);
    return NZ_OK;
}

/* Bounds of what is stored: the type's, narrowed by a Relu or Clip, which commutes with rounding at these integers' real values. */
static nz_status narrow(simple *self, const nz_kernel_desc *desc) {
    self->least = self->dst_signed ? -128 : 0;
    self->most = self->dst_signed ? 127 : 255;
    float zero = (float)desc->dst_quant.zero_point;
    for (size_t i = 0; i < desc->post_count; i++) {
        const nz_post *post = &desc->posts[i];
        if (post->kind != NZ_POST_ACT) return NZ_E_UNSUPPORTED;
        float least = -INFINITY, most = INFINITY;
        if (post->act == NZ_ACT_RELU && post->alpha == 0)
            least = zero;
        else if (post->act == NZ_ACT_CLIP)
            least = post->alpha / desc->dst_quant.scale + zero, most = post->beta / desc->dst_quant.scale + zero;
        else
            return NZ_E_UNSUPPORTED;
        self->least = clamp(least, self->least, self->most);
        self->most = clamp(most, self->least, self->most);
    }
    return NZ_OK;
}

nz_status nz_add8_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    if (!nz_is_8bit(desc->src.dtype) || !nz_is_8bit(desc->src1.dtype) || !nz_is_8bit(desc->dst.dtype))
        return NZ_E_UNSUPPORTED;
    if (!nz_mem_same_places(&desc->src, &desc->dst) || !nz_mem_same_places(&desc->src1, &desc->dst) ||
        !nz_mem_dense(&desc->dst))
        return NZ_E_UNSUPPORTED;
    simple *self = NULL;
    bool sum = desc->op == NZ_KERNEL_ADD;
    NZ_TRY(simple_new(&self, desc, sum ? add8_run : mul8_run, sum ? "add:int8" : "mul:int8"));
    self->src_signed = desc->src.dtype == NZ_I8, self->src1_signed = desc->src1.dtype == NZ_I8,
    self->dst_signed = desc->dst.dtype == NZ_I8;
    nz_status status = narrow(self, desc);
    if (status != NZ_OK) {
        free(self);
        return status;
    }
    const nz_quant *x = &desc->src_quant, *y = &desc->src1_quant, *d = &desc->dst_quant;
    self->x_zero = (float)x->zero_point, self->y_zero = (float)y->zero_point;
    self->c = (float)d->zero_point;
    if (sum) {
        self->a = x->scale / d->scale, self->b = y->scale / d->scale;
        self->c -= self->x_zero * self->a + self->y_zero * self->b;
    } else {
        self->a = x->scale * y->scale / d->scale;
    }
    *ret_kernel = &self->base;
    return NZ_OK;
}

/* -- tables -------------------------------------------------------------------------------------------------------- */

static void table_range(void *argument, size_t begin, size_t end) {
    const simple *self = argument;
    const uint8_t *from = self->src;
    uint8_t *to = self->dst;
    nz_lookup(self->table, from + begin, to + begin, (int64_t)(end - begin));
}

static nz_status table_run(nz_kernel *kernel) {
    simple *self = (simple *)kernel;
    nz_parallel((size_t)self->count, GRAIN, table_range, self);
    return NZ_OK;
}

nz_status nz_table_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    if (!nz_mem_same_places(&desc->src, &desc->dst) || !nz_mem_dense(&desc->dst)) return NZ_E_UNSUPPORTED;
    simple *self = NULL;
    NZ_TRY(simple_new(&self, desc, table_run, "table:int8"));
    memcpy(self->table, desc->table, sizeof self->table);
    *ret_kernel = &self->base;
    return NZ_OK;
}

/* -- activations that are plain arithmetic --------------------------------------------------------------------------- */

NZ_CLONES static void act_pass(const simple *s, const nz_post *post, const float *from, float *to, size_t count) {
    float alpha = post->alpha, beta = post->beta;
    (void)s;
    switch (post->act) {
    case NZ_ACT_LINEAR:
        for (size_t i = 0; i < count; i++) to[i] = alpha * from[i] + beta;
        break;
    case NZ_ACT_RELU:
        for (size_t i = 0; i < count; i++) to[i] = from[i] < 0 ? alpha * from[i] : from[i];
        break;
    case NZ_ACT_CLIP:
        for (size_t i = 0; i < count; i++) to[i] = clamp(from[i], alpha, beta);
        break;
    case NZ_ACT_HARDSIGMOID:
        for (size_t i = 0; i < count; i++) to[i] = clamp(alpha * from[i] + beta, 0, 1);
        break;
    case NZ_ACT_HARDSWISH:
        for (size_t i = 0; i < count; i++) to[i] = from[i] * clamp(alpha * from[i] + beta, 0, 1);
        break;
    case NZ_ACT_SQUARE:
        for (size_t i = 0; i < count; i++) to[i] = from[i] * from[i];
        break;
    case NZ_ACT_ABS:
        for (size_t i = 0; i < count; i++) to[i] = fabsf(from[i]);
        break;
    default: break;
    }
}

static void act_range(void *argument, size_t begin, size_t end) {
    const simple *self = argument;
    enum { CHUNK = 2048 }; /* stays in the first cache from one operation to the next */
    for (size_t at = begin; at < end; at += CHUNK) {
        size_t count = end - at < CHUNK ? end - at : CHUNK;
        const float *from = (const float *)self->src + at;
        float *to = (float *)self->dst + at;
        for (size_t i = 0; i < self->post_count; i++) {
            act_pass(self, &self->posts[i], from, to, count);
            from = to;
        }
    }
}

static nz_status act_run(nz_kernel *kernel) {
    simple *self = (simple *)kernel;
    nz_parallel((size_t)self->count, GRAIN, act_range, self);
    return NZ_OK;
}

nz_status nz_simple_act_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    if (desc->src.dtype != NZ_F32 || !nz_mem_same(&desc->src, &desc->dst) || !nz_mem_dense(&desc->dst) ||
        !desc->post_count)
        return NZ_E_UNSUPPORTED;
    for (size_t i = 0; i < desc->post_count; i++) {
        nz_act act = desc->posts[i].act;
        bool known = act == NZ_ACT_LINEAR || act == NZ_ACT_RELU || act == NZ_ACT_CLIP || act == NZ_ACT_HARDSIGMOID ||
                     act == NZ_ACT_HARDSWISH || act == NZ_ACT_SQUARE || act == NZ_ACT_ABS;
        if (desc->posts[i].kind != NZ_POST_ACT || !known) return NZ_E_UNSUPPORTED;
    }
    simple *self = NULL;
    NZ_TRY(simple_new(&self, desc, act_run, "elementwise"));
    memcpy(self->posts, desc->posts, desc->post_count * sizeof *desc->posts);
    self->post_count = desc->post_count;
    *ret_kernel = &self->base;
    return NZ_OK;
}
