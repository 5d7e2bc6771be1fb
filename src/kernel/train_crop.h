/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NZ_KERNEL_TRAIN_CROP_H
#define NZ_KERNEL_TRAIN_CROP_H

#include "kernel/train.h"

/** A convolution over a map so small that some taps of its kernel only ever meet padding: computed with the others alone,
 * while the weights of those taps are kept, with a gradient of 0. NZ_E_UNSUPPORTED without a message where every tap
 * meets the map, or weights must be plain; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_train_crop_create(nz_train_layer **ret_layer, const nz_train_layer_desc *desc);

#endif
