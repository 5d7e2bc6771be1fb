/* SPDX-License-Identifier: Apache-2.0 */
/* Picks a training layer, and the order in which layers keep their weights. */
#include "core/error.h"
#include "kernel/train_crop.h"
#include "kernel/train_onednn.h"
#include "kernel/train_packing.h"
#include "kernel/train_winograd.h"

enum { CACHE_FLOATS = 3 << 20 };

/* What one direction of a 3x3 convolution of stride 1 costs about, in nanoseconds on one core: products; the transformation
 * of filters; that of tiles, for each vector of channels. size 1: without Winograd. Only the order matters. */
static double cost(const nz_train_layer_desc *d, int64_t size) {
    static const double tile_ns[] = {0, 0, 19, 0, 54};
    const nz_window *w = &d->window;
    double pairs = (double)(d->src.dim[1] * d->dst.dim[1]), channels = (double)(d->src.dim[1] + d->dst.dim[1]);
    double tiles = (double)(d->src.dim[0] * ((w->out[1] + size - 1) / size) * ((w->out[2] + size - 1) / size));
    double filters = (double)((size + 2) * (size + 2)) * pairs, filter_ns = filters < CACHE_FLOATS ? 0.1 : 0.45;
    return size == 1 ? tiles * 9 * pairs / 120
                     : filters * (tiles / 140 + filter_ns) + tiles * channels / 16 * tile_ns[size];
}

static nz_status create_winograd(nz_train_layer **ret_layer, const nz_train_layer_desc *desc) {
    double direct = cost(desc, 1), small = cost(desc, 2), large = cost(desc, 4);
    if ((small < large ? small : large) > 0.9 * direct) return NZ_E_UNSUPPORTED;
    return nz_train_winograd_create(ret_layer, desc, small < large ? 2 : 4);
}

nz_status nz_train_layer_new(nz_train_layer **ret_layer, const nz_train_layer_desc *desc) {
    nz_status status = nz_train_crop_create(ret_layer, desc);
    if (status == NZ_E_UNSUPPORTED && desc->op == NZ_KERNEL_CONV) status = create_winograd(ret_layer, desc);
    if (status == NZ_E_UNSUPPORTED) status = nz_train_onednn_create(ret_layer, desc);
    if (status != NZ_E_UNSUPPORTED) return status;
    if (desc->src.dtype == NZ_BF16)
        return nz_fail(NZ_E_UNSUPPORTED, "no training layer for bfloat16 here: it takes a CPU with AVX-512 and shapes "
                                         "that oneDNN has a kernel for; train in float32");
    return nz_train_layer_new_reference(ret_layer, desc);
}

void nz_train_layer_free(nz_train_layer *layer) {
    if (layer) layer->release(layer);
}

size_t nz_packing_elements(const nz_packing *packing) { return packing->elements; }

void nz_packing_in(const nz_packing *packing, float *packed, const float *plain) {
    packing->in(packing, packed, plain);
}

void nz_packing_out(const nz_packing *packing, float *plain, const float *packed) {
    packing->out(packing, plain, packed);
}
