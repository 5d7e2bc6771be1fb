/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/value_text.h"
#include "core/locale.h"

#include <math.h>
#include <string.h>

/* Three significant digits at least, without an exponent where a person would not write one. */
static void digits(char *text, size_t capacity, double value) {
    double size = fabs(value);
    if (size == 0)
        nz_snprintf(text, capacity, "0");
    else if (size < 1e-3 || size >= 1e7)
        nz_snprintf(text, capacity, "%.3g", value);
    else
        nz_snprintf(text, capacity, "%.*f", size >= 99.995 ? 1 : size >= 9.9995 ? 2 : size >= 0.99995 ? 3 : 4, value);
}

const char *nz_number_text(char text[NZ_VALUE_TEXT], double value, const char *unit, bool integer) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    char number[40];
    size_t prefix = 0;
    bool percent = strcmp(unit, "%") == 0;
    if (!isfinite(value)) {
        nz_snprintf(text, NZ_VALUE_TEXT, "-");
        return text;
    }
    if (integer) {
        while (fabs(value) >= 999.95 && prefix + 1 < sizeof prefixes / sizeof *prefixes) {
            value /= 1000;
            prefix++;
        }
        if (prefix == 0)
            nz_snprintf(number, sizeof number, "%.0f", value);
        else
            nz_snprintf(number, sizeof number, "%.*f",
                        fabs(value) >= 99.995   ? 1
                        : fabs(value) >= 9.9995 ? 2
                                                : 3,
                        value);
    } else if (percent)
        nz_snprintf(number, sizeof number, "%.2f", value);
    else
        digits(number, sizeof number, value);
    const char *scale = integer ? prefixes[prefix] : "", *before_scale = *scale ? " " : "";
    const char *before_unit = !*unit || percent || (*scale && strcmp(unit, "B") == 0) ? "" : " ";
    nz_snprintf(text, NZ_VALUE_TEXT, "%s%s%s%s%.16s", number, before_scale, scale, before_unit, unit);
    return text;
}

const char *nz_value_text(char text[NZ_VALUE_TEXT], const nz_value_report *report, const nz_metric *metric) {
    double value = report->source == NZ_UNAVAILABLE ? NAN : report->value;
    return nz_number_text(text, value, metric->unit, metric->integer);
}
