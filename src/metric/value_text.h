/* SPDX-License-Identifier: Apache-2.0 */
/** Metric values as people read them: "1.08 MB", "40.6 M", "92.34", "3.21 ms". */
#ifndef NZ_METRIC_VALUE_TEXT_H
#define NZ_METRIC_VALUE_TEXT_H

#include "netzip/metric.h"

enum { NZ_VALUE_TEXT = 64 };

/** The value with its unit; "-" where it is unavailable. Counts and bytes are scaled by powers of 1000. Returns `text`. */
const char *nz_value_text(char text[NZ_VALUE_TEXT], const nz_value_report *report, const nz_metric *metric);
/** A number with its unit by the same rules. `integer`: a count or bytes. */
const char *nz_number_text(char text[NZ_VALUE_TEXT], double value, const char *unit, bool integer);

#endif
