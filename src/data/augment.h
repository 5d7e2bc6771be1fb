/* SPDX-License-Identifier: Apache-2.0 */
/** What chance decides about one augmented sample: integers alone, from (seed, epoch, sample) alone. */
#ifndef NZ_DATA_AUGMENT_H
#define NZ_DATA_AUGMENT_H

#include "core/random.h"
#include "data/image.h"
#include "netzip/data.h"

enum { NZ_AUGMENT_ONE = 1 << 16 };

typedef struct nz_augment_draw {
    int left, top; /**< where the sample begins in the padded image, from its own corner: -crop_padding..crop_padding */
    bool flip;
    int32_t zoom;                   /**< factor, in 1/65536 as all that follow */
    int32_t shift_x, shift_y;       /**< of the sample's sides */
    int32_t hue;                    /**< of the circle */
    int32_t saturation, brightness; /**< factors */
    nz_random rest;                 /**< what nz_augment_place goes on with */
} nz_augment_draw;
nz_augment_draw nz_augment_draw_sample(const nz_augment *augment, size_t sample);
/** NZ_E_ARG where a value is outside of its key's bounds, on which the arithmetic relies. */
NZ_CHECKED nz_status nz_augment_check(const nz_augment *augment);
/** Whether nothing is asked for. */
bool nz_augment_is_none(const nz_augment *augment);

/** A part of an image, in pixels; it lies inside. */
typedef struct nz_augment_box {
    int left, top, width, height;
} nz_augment_box;
/** The part that `resized_crop` keeps of an image of width x height: area uniform in 8% to 100% of it, logarithm of the
 * ratio of sides uniform between 3:4 and 4:3, place uniform; where ten draws do not fit, the largest part in the middle
 * whose ratio lies in the range. @source C. Szegedy et al., Going Deeper with Convolutions, arXiv 1409.4842, section 6 */
nz_augment_box nz_augment_place(const nz_augment_draw *draw, int width, int height);

/** Whether an image's pixels are computed anew, not only moved or mirrored. */
bool nz_augment_changes_pixels(const nz_augment_draw *draw);
/**
 * Zooms about the middle, moves and recolours an image: bilinear between pixels, `fill` outside of it. Hue turns colours about
 * the axis of greys, saturation moves them away from their own luma (0.299 R + 0.587 G + 0.114 B) or towards it; images that
 * have not 3 channels (taken for RGB) only become lighter or darker. Interleaved in and out.
 * @return NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_augment_pixels(nz_image *ret_image, const nz_image *image, const nz_augment_draw *draw,
                                       uint8_t fill);

#endif
