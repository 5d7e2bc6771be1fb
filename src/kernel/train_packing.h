/* SPDX-License-Identifier: Apache-2.0 */
/** What a provider of training layers fills in for the order it keeps weights in. */
#ifndef NZ_KERNEL_TRAIN_PACKING_H
#define NZ_KERNEL_TRAIN_PACKING_H

#include "kernel/train.h"

struct nz_packing {
    size_t elements;
    void (*in)(const nz_packing *packing, float *packed, const float *plain);
    void (*out)(const nz_packing *packing, float *plain, const float *packed);
};

#endif
