/* SPDX-License-Identifier: Apache-2.0 */
/** A made data set of scenes with several shapes and their exact boxes: integer arithmetic only, as shapes.h. */
#ifndef NZ_DATA_SCENES_H
#define NZ_DATA_SCENES_H

#include <stddef.h>
#include <stdint.h>

#include "netzip/data.h"

enum { NZ_SCENE_OBJECTS = 8 };

/**
 * Draws scene `index` of the set (seed, split): a background, clutter, and 1 to NZ_SCENE_OBJECTS shapes of any class, size
 * and turn that may overlap. A shape of which less than 40% would be seen is not there at all. The scene is the same at every
 * size, drawn finer.
 *
 * @param[out] rgb          size x size x 3 bytes, interleaved; NULL: only the objects are asked for.
 * @param size              16 to 1024 pixels.
 * @param[out] ret_objects  The shapes, those in front first. A pixel is a shape's where it covers half of it or more and
 *                          nothing lies before it; the box is tight around those pixels, the area is their number. A shape
 *                          without any, which happens to the smallest ones at few pixels, is left out; where all would be,
 *                          pixels that a shape touches are its own.
 * @return NZ_E_MEMORY. Thread-safe.
 */
NZ_CHECKED nz_status nz_scene_draw(uint8_t *rgb, nz_object ret_objects[NZ_SCENE_OBJECTS], size_t *ret_count, int size,
                                   uint64_t seed, unsigned split, uint64_t index);

#endif
