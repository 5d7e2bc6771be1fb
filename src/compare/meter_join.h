/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The log of an external meter laid over what was measured meanwhile: energies of blocks that times.json tells the moments
 * of. A meter has a clock of its own; how far it is ahead is stated or found.
 */
#ifndef NZ_COMPARE_METER_JOIN_H
#define NZ_COMPARE_METER_JOIN_H

#include "core/json.h"
#include "measure/meter_series.h"

/** A block of a model, or a time in which nobody computed. */
typedef struct nz_meter_window {
    int64_t from_ns, to_ns; /**< Unix time by the clock of the machine that measured */
    size_t kind;            /**< 0: nobody computed; else which model, from 1 */
    json_t *round;          /**< where its energy goes; borrowed, NULL for kind 0 */
} nz_meter_window;
typedef struct nz_meter_windows {
    size_t count, capacity, kind_count; /**< kinds in use are below kind_count */
    nz_meter_window *items;
} nz_meter_windows;
/** Adds a window. NZ_E_FORMAT for times that are none. */
NZ_CHECKED nz_status nz_meter_windows_add(nz_meter_windows *windows, double unix_s, double seconds, size_t kind,
                                          json_t *round);
void nz_meter_windows_done(nz_meter_windows *windows);

/** How far the meter's clock is ahead. */
typedef struct nz_meter_shift {
    double seconds;
    double within_s;      /**< the true one lies this near, with 95% confidence; NaN: it was stated */
    double explained_pct; /**< how much of the windows' variance of power their kinds explain */
    double clear; /**< how many times more remains unexplained at the next best shift; infinity: there is none */
} nz_meter_shift;
/**
 * Finds the shift at which each model, and the time in which nobody computed, has a power of its own.
 * @return NZ_E_ARG where the log does not hold the whole time, or where no shift stands out: the message says how to state it.
 */
NZ_CHECKED nz_status nz_meter_shift_find(nz_meter_shift *ret_shift, const nz_meter_series *series,
                                         const nz_meter_windows *windows, const char *log);

/** What to join. */
typedef struct nz_meter_join_options {
    const char *log;     /**< its path, for messages and the record */
    const char *shift;   /**< seconds, or "auto"; NULL: 0 */
    const json_t *ids;   /**< an object whose keys are the models that the meter fed; NULL: all */
    const json_t *quiet; /**< array of {"unix_s", "seconds"} or null: nobody computed, before and after the models */
} nz_meter_join_options;
/**
 * Writes "joules" and "watts_max" into the rounds of each model's "timing" in `times`, and its "energy" (or, where the log
 * holds too little of it, "energy_reason").
 *
 * A block's joules are its length times the mean power (trapezoids) of its inside, a sampling interval less at both ends: a
 * sample beside the block's end would smear what comes next into it. A block that the log does not hold, that is shorter than
 * three intervals or of which more than a third lies in gaps has none.
 *
 * @param[out] ret_about  {"log", "columns", "interval_s", "samples", "shift_s", "shift_within_s", "shift_found", "blocks",
 *                        "left_out", "gaps", "gap_seconds", "text": [sentences]}. The caller's reference.
 * @return NZ_E_ARG where the log and the blocks do not meet, blocks are too short for the meter, or the shift is uncertain;
 *         NZ_E_FORMAT; NZ_E_MEMORY. `times` is unchanged then.
 */
NZ_CHECKED nz_status nz_meter_join(json_t **ret_about, json_t *times, const nz_meter_series *series,
                                   const nz_meter_join_options *options);

#endif
