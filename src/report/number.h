/* SPDX-License-Identifier: Apache-2.0 */
/** Numbers of one column written alike: one scale, units once in the heading, as many digits as the uncertainty allows. */
#ifndef NZ_REPORT_NUMBER_H
#define NZ_REPORT_NUMBER_H

#include "core/text.h"
#include "report/view.h"

/** Chooses scale, shown unit and decimals of a column from its values and intervals. */
void nz_number_plan(nz_view *view, size_t column);

/** The value in the column's scale, without unit; an en dash where it is NaN. */
void nz_put_value(nz_text *out, const nz_view_column *column, double value);
/** The same with the unit behind it. */
void nz_put_value_unit(nz_text *out, const nz_view_column *column, double value);
/** "Size on disk (MB)": title and shown unit. */
void nz_put_heading(nz_text *out, const nz_view_column *column);
/** A ratio, an OCS: two decimals, three below 1 in size; an en dash where it is NaN. */
void nz_put_ratio(nz_text *out, double value);
/** "1.598 [1.592, 1.602]": as many decimals as the interval gives meaning to. */
void nz_put_interval(nz_text *out, double value, const double ends[2]);
/** "[1.592, 1.604]" alone. */
void nz_put_ends(nz_text *out, const double ends[2]);
/** Where a value comes from, in one line: value with unit, interval, samples, source; or why there is none. */
void nz_put_detail(nz_text *out, const nz_view_column *column, const nz_view_cell *cell);

/** The power of 1000 and its prefix that suits a number of this size. `least`, `most`: bounds of the exponent, in threes. */
double nz_number_prefix(double size, int least, int most, const char **ret_prefix);

#endif
