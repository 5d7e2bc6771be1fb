/* SPDX-License-Identifier: Apache-2.0 */
/** Axes with round ticks, linear or logarithmic. */
#ifndef NZ_REPORT_AXIS_H
#define NZ_REPORT_AXIS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"

enum { NZ_AXIS_TICKS = 12 };

typedef struct nz_axis {
    bool logarithmic;
    double low, high; /**< what the ends stand for */
    size_t count;
    double ticks[NZ_AXIS_TICKS]; /**< ascending, within [low, high] */
    int decimals;                /**< of a linear axis' ticks */
} nz_axis;

/**
 * An axis that holds [least, most] with about `wanted` ticks.
 *
 * @param from_zero  Bars: 0 is on the axis. A logarithmic axis ignores it.
 * @param logarithmic  Taken as asked only where least > 0; else the axis is linear.
 * Values that are not finite or equal give an axis around them all the same.
 */
void nz_axis_init(nz_axis *ret_axis, double least, double most, bool from_zero, bool logarithmic, size_t wanted);
/** From 0 to the last epoch, where the lines end and their names stand; ticks at whole epochs unless there is hardly one. */
void nz_axis_init_epochs(nz_axis *ret_axis, double last);
/** Whether positive values span more than two decades. */
bool nz_axis_spans_decades(double least, double most);
/** Where a value lies, 0 at low and 1 at high; clamped to that range. */
double nz_axis_at(const nz_axis *axis, double value);
void nz_axis_put_tick(nz_text *out, const nz_axis *axis, size_t tick);

#endif
