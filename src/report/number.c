/* SPDX-License-Identifier: Apache-2.0 */
#include "report/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "report/escape.h"

#define EN_DASH "\xe2\x80\x93"
#define MINUS "\xe2\x88\x92"
#define TIMES "\xc3\x97"

double nz_number_prefix(double size, int least, int most, const char **ret_prefix) {
    static const char *const prefixes[] = {"n", "\xc2\xb5", "m", "", "k", "M", "G", "T", "P", "E"};
    int power = size > 0 && isfinite(size) ? (int)floor(log10(size * 1.0005) / 3) : 0;
    power = power < least ? least : power > most ? most : power;
    *ret_prefix = prefixes[power + 3];
    return pow(1000, power);
}

/* How many decimals the shortest form of a number has, at most `most`. */
static int decimals_needed(double value, int most) {
    for (int d = 0; d < most; d++) {
        double scaled = value * pow(10, d);
        if (fabs(scaled - nearbyint(scaled)) < 1e-9 * fmax(1, fabs(scaled))) return d;
    }
    return most;
}

/* Decimals that leave `digits` significant ones of `size`. */
static int decimals_for(double size, int digits) {
    if (!(size > 0) || !isfinite(size)) return 0;
    return digits - 1 - (int)floor(log10(size));
}

static int clamp(int value, int least, int most) { return value < least ? least : value > most ? most : value; }

void nz_number_plan(nz_view *view, size_t c) {
    nz_view_column *column = &view->columns[c];
    double largest = 0, smallest = INFINITY, tightest = INFINITY;
    for (size_t r = 0; r < view->row_count; r++) {
        const nz_view_cell *cell = nz_view_at(view, r, c);
        double size = fabs(cell->value), half = (cell->ci95[1] - cell->ci95[0]) / 2;
        if (isnan(size) || isinf(size)) continue;
        largest = fmax(largest, size);
        if (size > 0) smallest = fmin(smallest, size);
        if (cell->has_ci && half > 0) tightest = fmin(tightest, half);
    }
    bool percent = strcmp(column->unit, "%") == 0, bare = !*column->unit && !column->integer;
    bool energy = strcmp(column->unit, "J") == 0 || strcmp(column->unit, "W") == 0;
    const char *prefix = "";
    column->scale = 1;
    if (!percent && !bare)
        column->scale = nz_number_prefix(largest, energy ? -3 : 0, column->integer ? 6 : energy ? 2 : 0, &prefix);
    snprintf(column->shown_unit, sizeof column->shown_unit, "%s%s%.24s", prefix,
             *prefix && strlen(column->unit) > 1 ? " " : "", column->unit);

    int needed = 0, most;
    if (isfinite(tightest)) /* two digits of the tightest interval, and no more than four of the value */
        most =
            clamp(decimals_for(tightest / column->scale, 2), 0, clamp(decimals_for(largest / column->scale, 4), 0, 6));
    else if (percent)
        most = 2;
    else /* three digits of the smallest, unless that would give the largest more than five */
        most =
            clamp(decimals_for(smallest / column->scale, 3), 0, clamp(decimals_for(largest / column->scale, 5), 0, 6));
    for (size_t r = 0; r < view->row_count; r++) {
        const nz_view_cell *cell = nz_view_at(view, r, c);
        const double shown[] = {cell->value, cell->has_ci ? cell->ci95[0] : 0, cell->has_ci ? cell->ci95[1] : 0};
        for (size_t i = 0; i < NZ_COUNT(shown); i++) {
            int own = isfinite(shown[i]) ? decimals_needed(shown[i] / column->scale, most) : 0;
            needed = own > needed ? own : needed;
        }
    }
    /* Values of different sizes keep three digits each; decimals alike would give some none and others too many. */
    bool decades = !percent && largest > 100 * smallest;
    column->decimals = decades ? NZ_DECIMALS_EACH : needed;
}

static void put_signed(nz_text *out, double value, int decimals) {
    nz_text digits = {0};
    nz_put_fixed(&digits, fabs(value), decimals);
    bool zero = digits.data && strspn(digits.data, "0.") == digits.length;
    if (value < 0 && !zero) nz_text_append(out, MINUS);
    if (digits.data) nz_text_append(out, digits.data);
    if (digits.status != NZ_OK) out->status = digits.status;
    nz_text_done(&digits);
}

static void put_power(nz_text *out, double value) {
    static const char *const raised[] = {"\xe2\x81\xb0", "\xc2\xb9",     "\xc2\xb2",     "\xc2\xb3",
                                         "\xe2\x81\xb4", "\xe2\x81\xb5", "\xe2\x81\xb6", "\xe2\x81\xb7",
                                         "\xe2\x81\xb8", "\xe2\x81\xb9"};
    int exponent = (int)floor(log10(fabs(value)));
    double digits = value / pow(10, exponent);
    if (fabs(digits) >= 9.95) {
        digits /= 10;
        exponent++;
    }
    char power[16];
    put_signed(out, digits, 1);
    snprintf(power, sizeof power, "%d", exponent < 0 ? -exponent : exponent);
    nz_text_append(out, TIMES "10");
    if (exponent < 0) nz_text_append(out, "\xe2\x81\xbb");
    for (const char *p = power; *p; p++) nz_text_append(out, raised[*p - '0']);
}

void nz_put_value(nz_text *out, const nz_view_column *column, double value) {
    if (isnan(value)) {
        nz_text_append(out, EN_DASH);
        return;
    }
    double shown = value / column->scale, size = fabs(shown);
    bool each = column->decimals == NZ_DECIMALS_EACH;
    int decimals = each ? clamp(decimals_for(size, 3), 0, 6) : column->decimals;
    if (size >= 1e7 || (size > 0 && size < 1e-5))
        put_power(out, shown);
    else if (size > 0 && size < pow(10, -decimals)) /* a small one among large ones keeps two digits */
        put_signed(out, shown, clamp(decimals_for(size, 2), 0, 7));
    else
        put_signed(out, shown, decimals);
}

void nz_put_value_unit(nz_text *out, const nz_view_column *column, double value) {
    nz_put_value(out, column, value);
    if (isnan(value) || !*column->shown_unit) return;
    nz_text_append(out, "\xc2\xa0"); /* a space that does not break */
    nz_text_append(out, column->shown_unit);
}

void nz_put_heading(nz_text *out, const nz_view_column *column) {
    nz_text_append(out, column->title);
    if (*column->shown_unit) nz_text_appendf(out, " (%s)", column->shown_unit);
}

void nz_put_ratio(nz_text *out, double value) {
    if (isnan(value))
        nz_text_append(out, EN_DASH);
    else if (fabs(value) >= 1e5)
        put_power(out, value);
    else
        put_signed(out, value,
                   fabs(value) >= 999.5                  ? 0
                   : fabs(value) >= 99.95                ? 1
                   : fabs(value) >= 0.9995 || value == 0 ? 2
                                                         : 3);
}

void nz_put_detail(nz_text *out, const nz_view_column *column, const nz_view_cell *cell) {
    if (isnan(cell->value)) {
        nz_text_append(out, "not available: ");
        nz_text_append(out, cell->reason);
        return;
    }
    nz_put_value_unit(out, column, cell->value);
    if (cell->has_ci) {
        nz_text_append(out, " [");
        nz_put_value(out, column, cell->ci95[0]);
        nz_text_append(out, ", ");
        nz_put_value(out, column, cell->ci95[1]);
        nz_text_append(out, "] (95% interval)");
    }
    if (*cell->source) nz_text_appendf(out, "; %s", cell->source);
    if (cell->has_n) nz_text_appendf(out, "; n = %llu", (unsigned long long)cell->n);
    if (cell->has_difference) {
        nz_text_append(out, "; against the baseline on the same samples ");
        nz_text_append(out, cell->difference > 0 ? "+" : "");
        put_signed(out, cell->difference, 2);
        nz_text_append(out, " points [");
        put_signed(out, cell->difference_ci95[0], 2);
        nz_text_append(out, ", ");
        put_signed(out, cell->difference_ci95[1], 2);
        nz_text_append(out, "]");
    }
    if (cell->has_ties) nz_text_appendf(out, "; ties %llu", (unsigned long long)cell->ties);
    if (*cell->reason) nz_text_appendf(out, "; %s", cell->reason);
}

/* Two digits of the interval's own width. */
static int decimals_of(const double ends[2]) {
    double width = ends[1] - ends[0];
    int decimals = width > 0 && isfinite(width) ? 1 - (int)floor(log10(width)) : 2;
    return decimals < 1 ? 1 : decimals > 5 ? 5 : decimals;
}

void nz_put_ends(nz_text *out, const double ends[2]) {
    int decimals = decimals_of(ends);
    nz_text_append(out, "[");
    nz_put_fixed(out, ends[0], decimals);
    nz_text_append(out, ", ");
    nz_put_fixed(out, ends[1], decimals);
    nz_text_append(out, "]");
}

void nz_put_interval(nz_text *out, double value, const double ends[2]) {
    nz_put_fixed(out, value, decimals_of(ends));
    nz_text_append(out, " ");
    nz_put_ends(out, ends);
}
