/* SPDX-License-Identifier: Apache-2.0 */
/** A made data set of ten shapes on cluttered backgrounds: integer arithmetic only, so that the same numbers give the
 * same pixels on every machine. */
#ifndef NZ_DATA_SHAPES_H
#define NZ_DATA_SHAPES_H

#include <stdint.h>

#include "netzip/status.h"

enum { NZ_SHAPES_CLASSES = 10 };
extern const char *const nz_shapes_names[NZ_SHAPES_CLASSES];

/**
 * Draws image `index` of the set (seed, split): class index % 10; its pose, colours, textures, clutter, occlusion, light,
 * blur and noise come from a random stream of its own, so that any image can be drawn alone.
 *
 * @param[out] rgb  size x size x 3 bytes, interleaved.
 * @param size      16 to 1024 pixels: the same picture, drawn finer.
 * @return NZ_E_MEMORY. Thread-safe.
 */
NZ_CHECKED nz_status nz_shapes_draw(uint8_t *rgb, int size, uint64_t seed, unsigned split, uint64_t index);

#endif
