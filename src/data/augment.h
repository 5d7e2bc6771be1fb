/* SPDX-License-Identifier: Apache-2.0 */
/** What chance decides about one augmented sample: integers alone, from (seed, epoch, sample) alone. */
#ifndef NZ_DATA_AUGMENT_H
#define NZ_DATA_AUGMENT_H

#include "core/random.h"
#include "netzip/data.h"

typedef struct nz_augment_draw {
    int left, top; /**< where the sample begins in the padded image, from its own corner: -crop_padding..crop_padding */
    bool flip;
    nz_random rest; /**< what nz_augment_place goes on with */
} nz_augment_draw;
nz_augment_draw nz_augment_draw_sample(const nz_augment *augment, size_t sample);

/** A part of an image, in pixels; it lies inside. */
typedef struct nz_augment_box {
    int left, top, width, height;
} nz_augment_box;
/** The part that `resized_crop` keeps of an image of width x height: area uniform in 8% to 100% of it, logarithm of the
 * ratio of sides uniform between 3:4 and 4:3, place uniform; where ten draws do not fit, the largest part in the middle
 * whose ratio lies in the range. @source C. Szegedy et al., Going Deeper with Convolutions, arXiv 1409.4842, section 6 */
nz_augment_box nz_augment_place(const nz_augment_draw *draw, int width, int height);

#endif
