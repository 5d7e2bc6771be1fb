/* SPDX-License-Identifier: Apache-2.0 */
/* Times and numbers of meters' logs. Times are whole nanoseconds: a double holds Unix time only to a quarter of a
 * microsecond, which is a part of the interval of a fast meter. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/locale.h"
#include "measure/meter.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* Takes exactly `count` digits. */
static bool digits(int *ret_value, const char **at, int count) {
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!digit((*at)[i])) return false;
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += count;
    *ret_value = value;
    return true;
}

/* Digits behind a decimal point as a part of `unit`. */
static int64_t fraction(const char **at, int64_t unit) {
    int64_t part = 0;
    for (; digit(**at); ++*at) {
        unit /= 10;
        part += (**at - '0') * unit;
    }
    return part;
}

bool nz_meter_number_ns(int64_t *ret_ns, const char *text, int64_t unit_ns) {
    bool minus = *text == '-';
    int64_t whole = 0, part = 0;
    text += *text == '-' || *text == '+';
    if (!digit(*text)) return false;
    for (; digit(*text); text++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *text - '0', &whole))
            return false;
    if (*text == '.' || *text == ',') {
        text++;
        part = fraction(&text, unit_ns);
    }
    if (*text) return false;
    if (__builtin_mul_overflow(whole, unit_ns, &whole) || __builtin_add_overflow(whole, part, &whole)) return false;
    *ret_ns = minus ? -whole : whole;
    return true;
}

/* Days since 1970-01-01 of a day of the Gregorian calendar: years begin in March, so that the leap day is the last one. */
static int64_t days_of(int year, int month, int day) {
    int y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* YYYY-MM-DD or YYYY/MM/DD, in nanoseconds. */
static bool take_date(int64_t *ret_ns, const char **at) {
    int year, month, day;
    if (!digits(&year, at, 4) || (**at != '-' && **at != '/')) return false;
    char between = *(*at)++;
    if (!digits(&month, at, 2) || *(*at)++ != between || !digits(&day, at, 2)) return false;
    /* The range of 64 bits of nanoseconds is 1677 to 2262. */
    if (year < 1700 || year > 2200 || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) return false;
    *ret_ns = days_of(year, month, day) * NZ_DAY_NS;
    return true;
}

/* H:MM, HH:MM, with :SS and a fraction behind where they are there. A leap second counts as the next one. */
static bool take_clock(int64_t *ret_ns, const char **at, bool seconds_needed) {
    int hour, minute, second = 0;
    int64_t part = 0;
    if (!digits(&hour, at, (*at)[0] && (*at)[1] == ':' ? 1 : 2) || *(*at)++ != ':' || !digits(&minute, at, 2))
        return false;
    if (**at == ':') {
        ++*at;
        if (!digits(&second, at, 2)) return false;
        if (**at == '.' || **at == ',') {
            ++*at;
            if (!digit(**at)) return false;
            part = fraction(at, NZ_SECOND_NS);
        }
    } else if (seconds_needed) {
        return false;
    }
    if (hour > 23 || minute > 59 || second > 60) return false;
    *ret_ns = ((int64_t)hour * 3600 + minute * 60 + second) * NZ_SECOND_NS + part;
    return true;
}

/* "", "Z", "UTC", "+01:00", "+0100" or "+01": what is to be taken off. */
static bool take_zone(int64_t *ret_ns, const char *at) {
    int hours, minutes = 0;
    *ret_ns = 0;
    at += *at == ' ';
    if (!*at || strcmp(at, "Z") == 0 || strcmp(at, "z") == 0 || strcmp(at, "UTC") == 0) return true;
    if (*at != '+' && *at != '-') return false;
    bool minus = *at++ == '-';
    if (!digits(&hours, &at, 2)) return false;
    at += *at == ':';
    if (*at && !digits(&minutes, &at, 2)) return false;
    if (*at || hours > 23 || minutes > 59) return false;
    *ret_ns = (minus ? -1 : 1) * ((int64_t)hours * 3600 + minutes * 60) * NZ_SECOND_NS;
    return true;
}

bool nz_meter_time_parse(int64_t *ret_ns, nz_meter_time_kind *ret_kind, const char *text, int64_t unit_ns) {
    int64_t day, clock, zone;
    if (nz_meter_number_ns(ret_ns, text, unit_ns)) {
        *ret_kind = NZ_METER_NUMBER;
        return true;
    }
    const char *at = text;
    if (take_date(&day, &at) && (*at == 'T' || *at == ' ' || *at == 't')) {
        at++;
        if (!take_clock(&clock, &at, false) || !take_zone(&zone, at)) return false;
        *ret_kind = NZ_METER_DATE;
        *ret_ns = day + clock - zone;
        return true;
    }
    at = text;
    if (!take_clock(&clock, &at, true) || *at) return false;
    *ret_kind = NZ_METER_CLOCK;
    *ret_ns = clock;
    return true;
}

/* Up to 15 digits and 22 decimals: both are exact in a double, so that their quotient is the nearest one. */
static bool short_decimal(double *ret_value, const char *text, bool comma) {
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool minus = *text == '-';
    int64_t mantissa = 0;
    int count = 0, decimals = -1;
    text += *text == '-' || *text == '+';
    for (; *text; text++) {
        if ((*text == '.' || (comma && *text == ',')) && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (!digit(*text) || ++count > 15) return false;
        mantissa = mantissa * 10 + (*text - '0');
        if (decimals >= 0) decimals++;
    }
    if (!count) return false;
    double value = (double)mantissa / tens[decimals > 0 ? decimals : 0];
    *ret_value = minus ? -value : value;
    return true;
}

bool nz_meter_value_parse(double *ret_value, const char *text, bool comma) {
    if (short_decimal(ret_value, text, comma)) return true;
    /* Nothing but decimal numbers with an exponent is left: no "inf", no hexadecimal. */
    if (!digit(text[strspn(text, "+-.")]) || text[strspn(text, "+-.0123456789eE")]) return false;
    char *end = NULL;
    double value = nz_strtod(text, &end);
    if (end == text || *end || !isfinite(value)) return false;
    *ret_value = value;
    return true;
}

const char *nz_meter_time_text(char text[40], int64_t time_ns) {
    int64_t day = time_ns / NZ_DAY_NS, rest = time_ns % NZ_DAY_NS;
    if (rest < 0) {
        rest += NZ_DAY_NS;
        day--;
    }
    int ms = (int)(rest / 1000000 % 1000), second = (int)(rest / NZ_SECOND_NS);
    char clock[32];
    snprintf(clock, sizeof clock, "%02d:%02d:%02d.%03d", second / 3600 % 24, second / 60 % 60, second % 60, ms);
    if (day >= -1000 && day < 1000) {
        if (day)
            snprintf(text, 40, "%.12s of day %+d", clock, (int)day);
        else
            snprintf(text, 40, "%s", clock);
        return text;
    }
    time_t midnight = (time_t)(day * (NZ_DAY_NS / NZ_SECOND_NS));
    struct tm date;
    gmtime_r(&midnight, &date);
    size_t count = strftime(text, 40, "%Y-%m-%d ", &date);
    snprintf(text + count, 40 - count, "%.12s UTC", clock);
    return text;
}
