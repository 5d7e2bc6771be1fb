/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training layers in plain C over any strides. A convolution, a transposed one and a linear layer are one thing: pairs of
 * a position in a large map and one in a small map that a tap of the kernel connects. A convolution's source is the
 * large map, a transposed one's the small one, and a linear layer is a convolution over one position.
 */
#include <stdio.h>

#include "core/error.h"
#include "core/threads.h"
#include "kernel/train.h"

typedef struct map {
    int64_t channel, batch, space[3]; /* strides in elements */
} map;

typedef struct ref_layer {
    nz_train_layer base;
    nz_window window; /* of the convolution: `in` is the large map's extents, `out` the small one's */
    bool from_small;  /* a transposed convolution */
    int64_t batch, groups, large_channels, small_channels; /* per group */
    map large, small;
    int64_t w_group, w_large, w_small; /* strides of the weights; a tap's is 1 */
    bool bias;
    nz_mem dst;
    /* of the call that runs */
    const float *read_large, *read_small, *weights, *shift;
    float *write, *write_bias;
} ref_layer;

static int64_t volume(const int64_t extents[3]) { return extents[0] * extents[1] * extents[2]; }

static int64_t place(const map *m, int64_t n, int64_t channel, const int64_t at[3]) {
    return n * m->batch + channel * m->channel + at[0] * m->space[0] + at[1] * m->space[1] + at[2] * m->space[2];
}

static void split(int64_t index, const int64_t extents[3], int64_t at[3]) {
    at[2] = index % extents[2];
    at[1] = index / extents[2] % extents[1];
    at[0] = index / extents[2] / extents[1];
}

/* The large position that `small` reads by tap `k`; false: padding. */
static bool large_of(const nz_window *w, const int64_t small[3], const int64_t k[3], int64_t large[3]) {
    for (int i = 0; i < 3; i++) {
        large[i] = small[i] * w->stride[i] - w->begin[i] + k[i] * w->dilation[i];
        if (large[i] < 0 || large[i] >= w->in[i]) return false;
    }
    return true;
}

static bool small_of(const nz_window *w, const int64_t large[3], const int64_t k[3], int64_t small[3]) {
    for (int i = 0; i < 3; i++) {
        int64_t from = large[i] + w->begin[i] - k[i] * w->dilation[i];
        if (from < 0 || from % w->stride[i] || from / w->stride[i] >= w->out[i]) return false;
        small[i] = from / w->stride[i];
    }
    return true;
}

/* Index: batch x groups x small channels. */
static void small_part(void *argument, size_t begin, size_t end) {
    const ref_layer *l = argument;
    int64_t taps = volume(l->window.kernel), channels = l->groups * l->small_channels;
    for (size_t index = begin; index < end; index++) {
        int64_t n = (int64_t)index / channels, c = (int64_t)index % channels, group = c / l->small_channels;
        const float *w = l->weights + group * l->w_group + c % l->small_channels * l->w_small;
        for (int64_t p = 0; p < volume(l->window.out); p++) {
            int64_t at[3], k3[3], from[3];
            double sum = l->shift ? (double)l->shift[c] : 0;
            split(p, l->window.out, at);
            for (int64_t k = 0; k < taps; k++) {
                split(k, l->window.kernel, k3);
                if (!large_of(&l->window, at, k3, from)) continue;
                const float *x = l->read_large + place(&l->large, n, group * l->large_channels, from);
                for (int64_t i = 0; i < l->large_channels; i++)
                    sum += (double)x[i * l->large.channel] * (double)w[i * l->w_large + k];
            }
            l->write[place(&l->small, n, c, at)] = (float)sum;
        }
    }
}

/* Index: batch x groups x large channels. */
static void large_part(void *argument, size_t begin, size_t end) {
    const ref_layer *l = argument;
    int64_t taps = volume(l->window.kernel), channels = l->groups * l->large_channels;
    for (size_t index = begin; index < end; index++) {
        int64_t n = (int64_t)index / channels, c = (int64_t)index % channels, group = c / l->large_channels;
        const float *w = l->weights + group * l->w_group + c % l->large_channels * l->w_large;
        for (int64_t p = 0; p < volume(l->window.in); p++) {
            int64_t at[3], k3[3], from[3];
            double sum = l->shift ? (double)l->shift[c] : 0;
            split(p, l->window.in, at);
            for (int64_t k = 0; k < taps; k++) {
                split(k, l->window.kernel, k3);
                if (!small_of(&l->window, at, k3, from)) continue;
                const float *x = l->read_small + place(&l->small, n, group * l->small_channels, from);
                for (int64_t i = 0; i < l->small_channels; i++)
                    sum += (double)x[i * l->small.channel] * (double)w[i * l->w_small + k];
            }
            l->write[place(&l->large, n, c, at)] = (float)sum;
        }
    }
}

static double weight_gradient(const ref_layer *l, int64_t small_channel, int64_t large_channel, const int64_t k3[3]) {
    double sum = 0;
    for (int64_t n = 0; n < l->batch; n++)
        for (int64_t p = 0; p < volume(l->window.out); p++) {
            int64_t at[3], from[3];
            split(p, l->window.out, at);
            if (!large_of(&l->window, at, k3, from)) continue;
            sum += (double)l->read_small[place(&l->small, n, small_channel, at)] *
                   (double)l->read_large[place(&l->large, n, large_channel, from)];
        }
    return sum;
}

/* Index: groups x small channels. */
static void weights_part(void *argument, size_t begin, size_t end) {
    const ref_layer *l = argument;
    for (size_t index = begin; index < end; index++) {
        int64_t c = (int64_t)index, group = c / l->small_channels;
        float *w = l->write + group * l->w_group + c % l->small_channels * l->w_small;
        for (int64_t i = 0; i < l->large_channels; i++)
            for (int64_t k = 0; k < volume(l->window.kernel); k++) {
                int64_t k3[3];
                split(k, l->window.kernel, k3);
                w[i * l->w_large + k] = (float)weight_gradient(l, c, group * l->large_channels + i, k3);
            }
    }
}

static void bias_part(void *argument, size_t begin, size_t end) {
    const ref_layer *l = argument;
    const map *m = l->from_small ? &l->large : &l->small;
    const int64_t *extents = l->from_small ? l->window.in : l->window.out;
    const float *ddst = l->from_small ? l->read_large : l->read_small;
    for (size_t c = begin; c < end; c++) {
        double sum = 0;
        for (int64_t n = 0; n < l->batch; n++)
            for (int64_t p = 0; p < volume(extents); p++) {
                int64_t at[3];
                split(p, extents, at);
                sum += (double)ddst[place(m, n, (int64_t)c, at)];
            }
        l->write_bias[c] = (float)sum;
    }
}

static void to_small(ref_layer *l) {
    nz_parallel((size_t)(l->batch * l->groups * l->small_channels), 1, small_part, l);
}

static void to_large(ref_layer *l) {
    nz_parallel((size_t)(l->batch * l->groups * l->large_channels), 1, large_part, l);
}

static nz_status ref_forward(nz_train_layer *layer, const void *src, const float *weights, const float *bias,
                             void *dst) {
    ref_layer *l = (ref_layer *)layer;
    l->weights = weights, l->shift = l->bias ? bias : NULL, l->write = dst;
    l->read_large = l->read_small = src;
    if (l->from_small)
        to_large(l);
    else
        to_small(l);
    return NZ_OK;
}

static nz_status ref_backward_data(nz_train_layer *layer, const void *ddst, const float *weights, void *dsrc) {
    ref_layer *l = (ref_layer *)layer;
    l->weights = weights, l->shift = NULL, l->write = dsrc;
    l->read_large = l->read_small = ddst;
    if (l->from_small)
        to_small(l);
    else
        to_large(l);
    return NZ_OK;
}

static nz_status ref_backward_weights(nz_train_layer *layer, const void *src, const void *ddst, float *dweights,
                                      float *dbias) {
    ref_layer *l = (ref_layer *)layer;
    l->read_large = l->from_small ? ddst : src, l->read_small = l->from_small ? src : ddst;
    l->write = dweights, l->write_bias = dbias;
    nz_parallel((size_t)(l->groups * l->small_channels), 1, weights_part, l);
    if (l->bias && dbias) nz_parallel((size_t)l->dst.dim[1], 1, bias_part, l);
    return NZ_OK;
}

static void ref_bind_scratch(nz_train_layer *layer, void *scratch) { (void)layer, (void)scratch; }
static void ref_release(nz_train_layer *layer) { free(layer); }

static map map_of(const nz_mem *mem) {
    map m = {.batch = mem->stride[0], .channel = mem->stride[1]};
    for (int i = 2; i < mem->rank; i++) m.space[3 - mem->rank + i] = mem->stride[i];
    return m;
}

static void read_window(ref_layer *l, const nz_train_layer_desc *desc) {
    if (desc->op == NZ_KERNEL_LINEAR) {
        for (int i = 0; i < 3; i++)
            l->window.in[i] = l->window.out[i] = l->window.kernel[i] = l->window.stride[i] = l->window.dilation[i] = 1;
        return;
    }
    l->window = desc->window;
    if (!l->from_small) return;
    for (int i = 0; i < 3; i++) l->window.in[i] = desc->window.out[i], l->window.out[i] = desc->window.in[i];
}

static void read_weights(ref_layer *l, const nz_train_layer_desc *desc) {
    int64_t taps = volume(l->window.kernel);
    if (desc->op == NZ_KERNEL_LINEAR) {
        l->w_small = desc->weights_transposed ? l->large_channels : 1;
        l->w_large = desc->weights_transposed ? 1 : l->small_channels;
        return;
    }
    /* ONNX: [small, large per group, taps] in both cases. */
    l->w_large = taps;
    l->w_small = taps * l->large_channels;
    l->w_group = l->w_small * l->small_channels;
}

nz_status nz_train_layer_new_reference(nz_train_layer **ret_layer, const nz_train_layer_desc *desc) {
    ref_layer *l = NULL;
    if (desc->src.dtype != NZ_F32 || desc->dst.dtype != NZ_F32)
        return nz_fail(NZ_E_UNSUPPORTED, "the plain C training layers compute in f32 alone");
    NZ_TRY(nz_alloc(&l, 1, sizeof *l));
    l->base = (nz_train_layer){.forward = ref_forward,
                               .backward_data = ref_backward_data,
                               .backward_weights = ref_backward_weights,
                               .bind_scratch = ref_bind_scratch,
                               .release = ref_release};
    for (int i = 0; i < 3; i++) snprintf(l->base.name[i], sizeof l->base.name[i], "own:ref:any");
    l->from_small = desc->op == NZ_KERNEL_DECONV;
    l->bias = desc->bias;
    l->dst = desc->dst;
    l->groups = desc->op == NZ_KERNEL_LINEAR ? 1 : desc->groups;
    l->batch = desc->src.dim[0];
    const nz_mem *large = l->from_small ? &desc->dst : &desc->src, *small = l->from_small ? &desc->src : &desc->dst;
    l->large = map_of(large), l->small = map_of(small);
    l->large_channels = large->dim[1] / l->groups, l->small_channels = small->dim[1] / l->groups;
    read_window(l, desc);
    read_weights(l, desc);
    *ret_layer = &l->base;
    return NZ_OK;
}
