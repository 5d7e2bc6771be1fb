/* SPDX-License-Identifier: Apache-2.0 */
/** Logs of external meters: times and numbers as text, columns by name, rows one by one. meter.c integrates them. */
#ifndef NZ_MEASURE_METER_H
#define NZ_MEASURE_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/options.h"
#include "netzip/measure.h"

enum { NZ_SECOND_NS = 1000000000 };
#define NZ_DAY_NS (INT64_C(86400) * NZ_SECOND_NS)
/** The years 1843 to 2096: differences and sums of two such times fit into 64 bits. */
#define NZ_METER_TIME_MOST (INT64_C(4000000000) * NZ_SECOND_NS)

/* ---- text (meter_text.c) ---- */

typedef enum nz_meter_time_kind {
    NZ_METER_NUMBER, /**< since the epoch, or since the log's own zero */
    NZ_METER_DATE,   /**< date and time */
    NZ_METER_CLOCK   /**< HH:MM:SS */
} nz_meter_time_kind;

/** A decimal number without exponent as an exact multiple of 1/unit_ns: "1677996438.089" with a second as unit is
 * 1677996438089000000. Digits beyond a nanosecond are cut off. false: not such a number, or out of range. */
bool nz_meter_number_ns(int64_t *ret_ns, const char *text, int64_t unit_ns);
/** Any of the three kinds; a number counts `unit_ns`. false: none of them. */
bool nz_meter_time_parse(int64_t *ret_ns, nz_meter_time_kind *ret_kind, const char *text, int64_t unit_ns);
/** A finite number; `comma`: a single comma may be the decimal point. */
bool nz_meter_value_parse(double *ret_value, const char *text, bool comma);

/* ---- columns (meter_columns.c) ---- */

typedef enum nz_meter_role {
    NZ_METER_TIME,
    NZ_METER_VOLTS,
    NZ_METER_AMPS,
    NZ_METER_WATTS,
    NZ_METER_MARKER,
    NZ_METER_ROLES
} nz_meter_role;
#define NZ_METER_NO_COLUMN SIZE_MAX

typedef struct nz_meter_columns {
    size_t at[NZ_METER_ROLES]; /**< index from 0, or NZ_METER_NO_COLUMN */
    double scale[NZ_METER_ROLES];
    int64_t unit_ns; /**< of times that are numbers; 0: told by how large the first one is */
} nz_meter_columns;

/** Reads what --columns says. NZ_E_ARG. */
NZ_CHECKED nz_status nz_meter_columns_parse(nz_spec *ret_asked, const char *text);
/**
 * Finds the columns.
 *
 * @param asked   what --columns said, parsed; NULL: nothing.
 * @param fields  the first line's fields. @param named  whether they are names.
 * @return NZ_E_ARG where a column that was asked for is not there; NZ_E_FORMAT where a role has none, or several.
 */
NZ_CHECKED nz_status nz_meter_columns_find(nz_meter_columns *ret_columns, const nz_spec *asked, char *const *fields,
                                           size_t count, bool named, const char *what);
/** "time current_real_time, volts voltage": which columns are used; cut where it does not fit. */
void nz_meter_columns_text(char *text, size_t size, const nz_meter_columns *columns, char *const *fields, size_t count,
                           bool named);

/* ---- rows (meter_log.c) ---- */

typedef struct nz_meter_row {
    int64_t time_ns;
    double watts;
    bool missing; /**< it has a time and no power */
    bool marked;  /**< the marker's cell is neither empty nor 0 */
    nz_meter_time_kind kind;
} nz_meter_row;

typedef struct nz_meter_log nz_meter_log;
/** Opens a log and reads its first line. @param asked  as above. */
NZ_CHECKED nz_status nz_meter_log_open(nz_meter_log **ret_log, const char *path, const nz_spec *asked);
/** *ret_more is false at the end. Times come as they stand in the file, days counted where they are clock times. */
NZ_CHECKED nz_status nz_meter_log_next(nz_meter_log *log, nz_meter_row *ret_row, bool *ret_more);
/** Which columns are used, in words. Borrowed. */
const char *nz_meter_log_columns(const nz_meter_log *log);
bool nz_meter_log_has_marker(const nz_meter_log *log);
/** Whether the last line was cut off in its middle, and left out. */
bool nz_meter_log_cut(const nz_meter_log *log);
void nz_meter_log_close(nz_meter_log *log); /**< NULL passes */
static inline void nz_meter_log_close_at(nz_meter_log **log) { nz_meter_log_close(*log); }
#define NZ_AUTO_METER_LOG NZ_AUTO(nz_meter_log_close_at)

#endif
