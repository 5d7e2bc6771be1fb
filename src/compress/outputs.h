/* SPDX-License-Identifier: Apache-2.0 */
/** How far a changed model's outputs are from the exact ones, quantity by quantity: boxes and scores are not mixed. */
#ifndef NZ_COMPRESS_OUTPUTS_H
#define NZ_COMPRESS_OUTPUTS_H

#include "compress/tap.h"
#include "netzip/graph.h"

typedef struct nz_meter nz_meter;

/**
 * Of a detector whose head netzip knows there are two quantities: scores (objectness x class of every box and class), and boxes
 * (differences of centre and extent over the extent, weighted by the exact score, so that boxes of nothing do not count). Of any other
 * model each output is one.
 *
 * @param tap    Open on all float outputs of `graph`, in their order.
 */
NZ_CHECKED nz_status nz_meter_open(nz_meter **ret_meter, const nz_graph *graph, const nz_tap *tap);
void nz_meter_free(nz_meter *meter); /**< NULL passes */
static inline void nz_meter_free_ptr(nz_meter **meter) { nz_meter_free(*meter); }

/** Forgets what was added. */
void nz_meter_reset(nz_meter *meter);
/** One sample: exact[i] and changed[i] are output i. */
void nz_meter_add(nz_meter *meter, const float *const *exact, const float *const *changed);
/** Noise over signal, summed over the quantities; 0: no difference. NZ_NOISE_MOST at most, which outputs that are no numbers
 * have too. An output whose exact values are all zero has 1 where the others are not; of a detector, 0. */
#define NZ_NOISE_MOST 1e12
double nz_meter_noise(const nz_meter *meter);

#endif
