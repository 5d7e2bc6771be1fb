/* SPDX-License-Identifier: Apache-2.0 */
/** What the convolutions share: shapes of x [N, C, ...], w [M, C/groups, ...] (transposed: [C, M/groups, ...]), bias [M]. */
#ifndef NZ_OP_CONV_H
#define NZ_OP_CONV_H

#include "op/window.h"

/** x is input 0. Unknown extents stay -1. NZ_E_SHAPE where they do not fit, and all that nz_window_read refuses. */
NZ_CHECKED nz_status nz_op_read_conv(nz_ref_conv *ret_conv, const nz_op_ctx *ctx, size_t w_input, size_t bias_input,
                                     nz_window_form form);

#endif
