/* SPDX-License-Identifier: Apache-2.0 */
/** The head of a detector by structure: where its raw outputs are, whatever decodes them. */
#ifndef NZ_TRAIN_HEAD_H
#define NZ_TRAIN_HEAD_H

#include "netzip/detect.h"
#include "netzip/graph.h"

/** Names of values, to be tapped (nz_engine_options.taps with taps_alone). */
typedef struct nz_head_places {
    size_t count;
    char *names[NZ_LEVELS_MOST]; /**< owned; in the order of the graph's nodes */
} nz_head_places;
void nz_head_places_done(nz_head_places *places);

/**
 * The convolutions from which the model's outputs follow without another convolution, each with the Q/DQ pairs that alone read
 * it.
 * @return NZ_E_UNSUPPORTED where there is none, or more than a head has levels; NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_head_find(nz_head_places *ret_places, const nz_graph *graph);

/**
 * Puts levels in order of resolution and checks them against anchors and strides.
 * @param shapes    [count] of what was tapped: [batch, anchors * (5 + classes), h, w].
 * @param height, width  Of the model's input.
 * @param[out] ret_order    [count] ret_order[i]: which of `shapes` is level i.
 * @param[out] ret_classes  How many the head tells apart.
 * @return NZ_E_UNSUPPORTED with the shapes where this is no such head, or anchors and strides do not fit it.
 */
NZ_CHECKED nz_status nz_head_order(size_t *ret_order, size_t *ret_classes, const nz_shape *shapes, size_t count,
                                   const nz_levels *levels, int64_t height, int64_t width);

#endif
