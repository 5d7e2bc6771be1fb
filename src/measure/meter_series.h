/* SPDX-License-Identifier: Apache-2.0 */
/** The whole log of an external meter in memory: for those who look at many windows of it, or search for one. */
#ifndef NZ_MEASURE_METER_SERIES_H
#define NZ_MEASURE_METER_SERIES_H

#include "measure/meter.h"

/** More samples than this are refused: half a gigabyte. */
#define NZ_METER_SERIES_MOST 20000000u

/** Power over time: straight lines between samples. What was left out of it and why, as in nz_meter_energy. */
typedef struct nz_meter_series {
    size_t count;
    int64_t *time_ns; /**< ascending, each once */
    double *watts;
    double *joules;    /**< from the first sample on; joules[0] is 0 */
    double interval_s; /**< median time between samples */
    bool dated;        /**< times are Unix times */
    bool clock; /**< times are HH:MM:SS, counted from the midnight before the first one; else from the log's own zero */
    uint64_t duplicates, backwards, missing;
    char columns[256];
} nz_meter_series;

/**
 * Reads a log.
 * @param columns  as nz_meter_options.columns.
 * @return as nz_meter_energy_read; NZ_E_RESOURCE for more than NZ_METER_SERIES_MOST samples. Release with nz_meter_series_done.
 */
NZ_CHECKED nz_status nz_meter_series_read(nz_meter_series *ret_series, const char *path, const char *columns);
void nz_meter_series_done(nz_meter_series *series);

/** Joules from the first sample to a time inside of the log; times outside count as its ends. */
double nz_meter_series_at(const nz_meter_series *series, int64_t time_ns);

/** The last sample at or before a time; the first one for times before the log, the last but one for times behind it. */
size_t nz_meter_series_before(const nz_meter_series *series, int64_t time_ns);

/** A piece of a log. */
typedef struct nz_meter_part {
    double joules, seconds; /**< of what the log covers of it */
    double watts_max;       /**< of the samples in it, its power at its ends included */
    double watts_mean;      /**< plain mean of the samples in it, a cross-check; NaN: there are none */
    size_t samples;
    size_t gaps;        /**< intervals longer than NZ_METER_GAP medians that reach into it */
    double gap_seconds; /**< how much of it lies in them */
} nz_meter_part;
/** The piece [from_ns, to_ns] of a log; zeroed where the log covers nothing of it. */
void nz_meter_series_part(nz_meter_part *ret_part, const nz_meter_series *series, int64_t from_ns, int64_t to_ns);

/** The piece of a log in which power is high. */
typedef struct nz_meter_step {
    int64_t start_ns, end_ns;
    double rise_w, fall_w;         /**< by how much at its ends: of means over up to a minute before and behind */
    double rise_clear, fall_clear; /**< how many times the scatter of such means within it */
} nz_meter_step;
/** A step of less is not clear enough to be taken. */
#define NZ_METER_STEP_CLEAR 5.0
/** @param path  for the message. @return NZ_E_ARG where there is no clear rise with a clear fall behind it; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_meter_step_find(nz_meter_step *ret_step, const nz_meter_series *series, const char *path);

#endif
