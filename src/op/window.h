/* SPDX-License-Identifier: Apache-2.0 */
/** From the attributes strides, dilations, pads, auto_pad, kernel_shape and ceil_mode to a window's geometry. */
#ifndef NZ_OP_WINDOW_H
#define NZ_OP_WINDOW_H

#include "kernel/ref.h"
#include "op/helper.h"

typedef enum nz_window_form { NZ_WINDOW_CONV, NZ_WINDOW_POOL, NZ_WINDOW_TRANSPOSED } nz_window_form;

/**
 * Geometry of a node whose input is x [N, C, spatial...]. An unknown extent of x or of the kernel (-1) stays -1, and so
 * does what follows from it.
 *
 * @param kernel  The kernel's spatial extents, or NULL: the attribute kernel_shape alone (which otherwise must agree).
 * @return NZ_E_UNSUPPORTED for other than 1 to 3 spatial axes; NZ_E_SHAPE for lists of a wrong length, values out of
 *         range and a kernel that does not fit into the padded input.
 */
NZ_CHECKED nz_status nz_window_read(nz_window *ret_window, const nz_op_ctx *ctx, const nz_shape *x,
                                    const int64_t *kernel, nz_window_form form);
/** [batch, channels, out...]. */
nz_shape nz_window_shape(const nz_window *window, int64_t batch, int64_t channels);
/** Taps of one window. */
int64_t nz_window_taps(const nz_window *window);

#endif
