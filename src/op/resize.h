/* SPDX-License-Identifier: Apache-2.0 */
/** Resize as data: what is asked along each axis, and the taps that follow from it. */
#ifndef NZ_OP_RESIZE_H
#define NZ_OP_RESIZE_H

#include "kernel/ref.h"
#include "op/helper.h"

typedef enum nz_resize_mode { NZ_RESIZE_NEAREST, NZ_RESIZE_LINEAR, NZ_RESIZE_CUBIC } nz_resize_mode;
typedef enum nz_resize_coordinates {
    NZ_RESIZE_HALF_PIXEL,
    NZ_RESIZE_SYMMETRIC,
    NZ_RESIZE_PYTORCH,
    NZ_RESIZE_CORNERS,
    NZ_RESIZE_ASYMMETRIC,
    NZ_RESIZE_CROP
} nz_resize_coordinates;
typedef enum nz_resize_nearest {
    NZ_NEAREST_FLOOR_AT_TIE,
    NZ_NEAREST_CEIL_AT_TIE,
    NZ_NEAREST_FLOOR,
    NZ_NEAREST_CEIL
} nz_resize_nearest;

typedef struct nz_resize_axis {
    int64_t in, out;          /**< -1: unknown */
    double scale, start, end; /**< start, end: of the roi, as parts of the input */
    bool active;              /**< whether the axis changes at all */
} nz_resize_axis;

typedef struct nz_resize {
    nz_resize_mode mode;
    nz_resize_coordinates coordinates;
    nz_resize_nearest nearest;
    int policy;
    bool antialias, exclude_outside;
    double cubic_a;
    float outside; /**< value of positions outside the image */
    int rank;
    nz_resize_axis axis[NZ_MAX_RANK];
} nz_resize;

/** NZ_E_UNSUPPORTED for unknown modes and inputs that are no constants, NZ_E_SHAPE for lists that do not fit. */
NZ_CHECKED nz_status nz_op_read_resize(nz_resize *ret_resize, const nz_op_ctx *ctx);
/** The taps of an axis, in scratch memory. ret_outside[out]: whether the position lies outside the image. */
NZ_CHECKED nz_status nz_resize_taps(nz_ref_taps *ret_taps, bool **ret_outside, const nz_resize *resize,
                                    const nz_resize_axis *axis, nz_arena *scratch);

#endif
