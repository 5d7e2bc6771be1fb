/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel of 3x3 over a map of one pixel multiplies padding by eight of its nine taps. The layer within has the taps that
 * count; weights are kept as its own, followed by those that do not count. */
#include "kernel/train_crop.h"

#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/train_packing.h"

enum { LANES = 16, GRAIN = 1 << 16 };

typedef struct crop {
    nz_train_layer base;
    nz_packing packing;
    nz_train_layer *inner;
    int64_t filters, kernel[3], first[3], last[3]; /* of the taps that count, along each axis */
    size_t live, kept, dead;                       /* floats: plain within, kept within (whole vectors), not counting */
    float *plain;                                  /* [live] */
    float *zeros;                                  /* the dead part of the call's gradient */
} crop;

/* Goes through all taps of all filters; `live` and `dead` walk along what each has. */
static void walk(const crop *l, float *all, float *live, float *dead, bool out) {
    for (int64_t f = 0; f < l->filters; f++)
        for (int64_t d = 0; d < l->kernel[0]; d++)
            for (int64_t h = 0; h < l->kernel[1]; h++)
                for (int64_t w = 0; w < l->kernel[2]; w++, all++) {
                    bool counts = d >= l->first[0] && d <= l->last[0] && h >= l->first[1] && h <= l->last[1] &&
                                  w >= l->first[2] && w <= l->last[2];
                    float *place = counts ? live++ : dead++;
                    if (out)
                        *all = *place;
                    else
                        *place = *all;
                }
}

static const crop *crop_of(const nz_packing *packing) {
    return (const crop *)((const char *)packing - offsetof(crop, packing));
}

static void packing_in(const nz_packing *packing, float *kept, const float *plain) {
    const crop *l = crop_of(packing);
    const nz_packing *inner = l->inner->packing;
    memset(kept, 0, l->kept * sizeof(float));
    walk(l, (float *)(uintptr_t)plain, inner ? l->plain : kept, kept + l->kept, false);
    if (inner) nz_packing_in(inner, kept, l->plain);
}

static void packing_out(const nz_packing *packing, float *plain, const float *kept) {
    const crop *l = crop_of(packing);
    const nz_packing *inner = l->inner->packing;
    float *all = (float *)(uintptr_t)kept; /* only read */
    if (inner) nz_packing_out(inner, l->plain, kept);
    walk(l, plain, inner ? l->plain : all, all + l->kept, true);
}

static nz_status crop_forward(nz_train_layer *base, const void *src, const float *weights, const float *bias,
                              void *dst) {
    nz_train_layer *inner = ((crop *)base)->inner;
    return inner->forward(inner, src, weights, bias, dst);
}

static nz_status crop_backward_data(nz_train_layer *base, const void *ddst, const float *weights, void *dsrc) {
    nz_train_layer *inner = ((crop *)base)->inner;
    return inner->backward_data(inner, ddst, weights, dsrc);
}

static void clear(void *argument, size_t begin, size_t end) {
    const crop *l = argument;
    memset(l->zeros + begin, 0, (end - begin) * sizeof(float));
}

static nz_status crop_backward_weights(nz_train_layer *base, const void *src, const void *ddst, float *dweights,
                                       float *dbias) {
    crop *l = (crop *)base;
    l->zeros = dweights + l->kept;
    nz_parallel(l->dead, GRAIN, clear, l);
    return l->inner->backward_weights(l->inner, src, ddst, dweights, dbias);
}

static void crop_bind_scratch(nz_train_layer *base, void *scratch) {
    nz_train_layer *inner = ((crop *)base)->inner;
    inner->bind_scratch(inner, scratch);
}

static void crop_release(nz_train_layer *base) {
    crop *l = (crop *)base;
    nz_train_layer_free(l->inner);
    free(l->plain);
    free(l);
}

static bool counts(const nz_window *w, int axis, int64_t tap) {
    for (int64_t o = 0; o < w->out[axis]; o++) {
        int64_t at = o * w->stride[axis] - w->begin[axis] + tap * w->dilation[axis];
        if (at >= 0 && at < w->in[axis]) return true;
    }
    return false;
}

/* The description of the layer within; false: every tap counts, or none does. */
static bool shrink(nz_train_layer_desc *d, crop *l) {
    nz_window *w = &d->window;
    bool smaller = false;
    for (int i = 0; i < 3; i++) {
        l->kernel[i] = w->kernel[i];
        l->first[i] = 0, l->last[i] = w->kernel[i] - 1;
        while (l->first[i] <= l->last[i] && !counts(w, i, l->first[i])) l->first[i]++;
        while (l->last[i] > l->first[i] && !counts(w, i, l->last[i])) l->last[i]--;
        int64_t kernel = l->last[i] - l->first[i] + 1;
        if (kernel < 1) return false;
        smaller |= kernel < w->kernel[i];
        w->kernel[i] = kernel;
        w->begin[i] -= l->first[i] * w->dilation[i];
        w->end[i] = (w->out[i] - 1) * w->stride[i] + (kernel - 1) * w->dilation[i] + 1 - w->in[i] - w->begin[i];
        if (w->begin[i] < 0) return false;
    }
    for (int i = 0; i < w->rank; i++) d->weights.dim[2 + i] = w->kernel[3 - w->rank + i];
    return smaller;
}

/* One tap over one pixel is a linear layer. */
static void make_linear(nz_train_layer_desc *d) {
    if (d->groups != 1 || nz_shape_elements(&d->weights) != d->weights.dim[0] * d->weights.dim[1]) return;
    for (int i = 0; i < 3; i++)
        if (d->window.in[i] != 1 || d->window.out[i] != 1) return;
    d->op = NZ_KERNEL_LINEAR;
    d->weights_transposed = true;
    d->src.rank = d->dst.rank = d->weights.rank = 2;
}

nz_status nz_train_crop_create(nz_train_layer **ret_layer, const nz_train_layer_desc *desc) {
    nz_train_layer_desc within = *desc;
    crop *l = NULL, found = {.filters = desc->weights.dim[0] * desc->weights.dim[1]};
    if (desc->op != NZ_KERNEL_CONV || desc->plain_weights || !shrink(&within, &found)) return NZ_E_UNSUPPORTED;
    make_linear(&within);
    NZ_TRY(nz_alloc(&l, 1, sizeof *l));
    *l = found;
    l->live = (size_t)nz_shape_elements(&within.weights);
    l->dead = (size_t)nz_shape_elements(&desc->weights) - l->live;
    nz_status status = nz_train_layer_new(&l->inner, &within);
    if (status == NZ_OK) status = nz_alloc(&l->plain, l->live, sizeof(float));
    if (status != NZ_OK) {
        crop_release(&l->base);
        return status;
    }
    l->base = *l->inner;
    l->base.forward = crop_forward, l->base.backward_data = crop_backward_data;
    l->base.backward_weights = crop_backward_weights;
    l->base.bind_scratch = crop_bind_scratch, l->base.release = crop_release;
    l->base.packing = &l->packing;
    l->kept = l->inner->packing ? nz_packing_elements(l->inner->packing) : l->live;
    l->kept = (l->kept + LANES - 1) / LANES * LANES;
    l->packing = (nz_packing){l->kept + l->dead, packing_in, packing_out};
    *ret_layer = &l->base;
    return NZ_OK;
}
