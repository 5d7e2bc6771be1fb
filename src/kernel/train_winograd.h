/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NZ_KERNEL_TRAIN_WINOGRAD_H
#define NZ_KERNEL_TRAIN_WINOGRAD_H

#include "kernel/train.h"

/** A 3x3 convolution of stride 1 by F(size x size, 3 x 3), size 2 or 4. NZ_E_UNSUPPORTED without a message for what it does
 * not do (AVX-512, whole vectors of channels, f32, channels last, a packing of its own); NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_train_winograd_create(nz_train_layer **ret_layer, const nz_train_layer_desc *desc, int size);

#endif
