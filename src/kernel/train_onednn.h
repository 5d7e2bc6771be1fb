/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NZ_KERNEL_TRAIN_ONEDNN_H
#define NZ_KERNEL_TRAIN_ONEDNN_H

#include "kernel/train.h"

/** Training layers by oneDNN. NZ_E_UNSUPPORTED without a message where it has no fast one; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_train_onednn_create(nz_train_layer **ret_layer, const nz_train_layer_desc *desc);

#endif
