/* SPDX-License-Identifier: Apache-2.0 */
/* Picks a training layer, and the order in which layers keep their weights. */
#include "core/error.h"
#include "kernel/train_onednn.h"
#include "kernel/train_packing.h"

nz_status nz_train_layer_new(nz_train_layer **ret_layer, const nz_train_layer_desc *desc) {
    nz_status status = nz_train_onednn_create(ret_layer, desc);
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
