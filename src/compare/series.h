/* SPDX-License-Identifier: Apache-2.0 */
/** Round by round what was measured of one model, from a raw part of it ("timing" or "batch"). */
#ifndef NZ_COMPARE_SERIES_H
#define NZ_COMPARE_SERIES_H

#include "core/json.h"
#include "netzip/blocks.h"

typedef enum nz_quantity {
    NZ_QUANTITY_TIMES,     /**< every time that was kept: nanoseconds of an inference */
    NZ_QUANTITY_SINGLES,   /**< the same but never means of a bunch: what percentiles are of */
    NZ_QUANTITY_MEAN_TIME, /**< one value a round: the mean time of its inferences */
    NZ_QUANTITY_JOULES,    /**< one value a round: joules of an inference */
    NZ_QUANTITY_NET,       /**< joules of an inference less those that the machine draws idle */
    NZ_QUANTITY_WATTS      /**< one value a round */
} nz_quantity;

/** Sittings are drawn one by one: processes that were started anew have nothing in common but the machine, whose moods cancel in
 * a ratio. */
enum { NZ_SITTINGS_TOGETHER = 1 };

/** The sittings of one model, called rounds as in blocks.h; one without a usable value is empty. */
typedef struct nz_series {
    size_t rounds;
    double *values;
    size_t *start; /**< [rounds + 1] */
    char race[64]; /**< rounds of the same race were measured in turns */
    char
        reason[160]; /**< why there is no usable round, or why those that are cannot stand for all; "" where they can */
} nz_series;

/** @param part  NULL or without rounds: a series of none. Release with nz_series_done. NZ_E_MEMORY; NZ_E_FORMAT for rounds that
 * are no rounds. */
NZ_CHECKED nz_status nz_series_get(nz_series *ret_series, const json_t *part, nz_quantity quantity);
void nz_series_done(nz_series *series);

/** Blocks of one series, or of two that were measured in turns: rounds that either lacks are left out of both. */
typedef struct nz_series_blocks {
    nz_blocks blocks; /**< its lists are the two below */
    double *values;
    size_t *start;
} nz_series_blocks;
/** @param other  NULL: one model */
NZ_CHECKED nz_status nz_series_blocks_get(nz_series_blocks *ret_blocks, const nz_series *one, const nz_series *other);
void nz_series_blocks_done(nz_series_blocks *blocks);

/** Watts that the machine of a raw part draws idle: the mean of before and after, of one where the other is missing; NaN: unknown. */
double nz_idle_watts(const json_t *part);

#endif
