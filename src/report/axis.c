/* SPDX-License-Identifier: Apache-2.0 */
#include "report/axis.h"

#include <math.h>

#include "report/escape.h"

/* Far enough from the ends of double that differences and margins stay finite and are not lost. */
#define LARGEST 1e290
#define SMALLEST 1e-290

static double bounded(double value) {
    if (isnan(value) || fabs(value) < SMALLEST) return 0;
    return fmax(-LARGEST, fmin(LARGEST, value));
}

/* The round number (1, 2, 2.5 or 5 times a power of ten) at or above `step`. */
static double round_step(double step) {
    static const double round[] = {1, 2, 2.5, 5, 10};
    double power = pow(10, floor(log10(step)));
    for (size_t i = 0; i < sizeof round / sizeof *round; i++)
        if (round[i] * power >= step * (1 - 1e-9)) return round[i] * power;
    return 10 * power;
}

static void linear(nz_axis *axis, double least, double most, bool from_zero, size_t wanted) {
    if (from_zero) {
        least = fmin(least, 0);
        most = fmax(most, 0);
    }
    if (!(most > least)) {
        double margin = least == 0 ? 1 : fabs(least) * 0.1;
        most = least + margin;
        if (!from_zero) least -= margin;
    }
    double step = round_step((most - least) / (double)(wanted > 1 ? wanted - 1 : 1));
    while (ceil(most / step) - floor(least / step) + 1 > NZ_AXIS_TICKS) step = round_step(step * 1.01);
    axis->low = fmin(least, floor(least / step + 1e-9) * step);
    axis->high = fmax(most, ceil(most / step - 1e-9) * step);
    axis->count = 0;
    for (double k = nearbyint(axis->low / step); axis->count < NZ_AXIS_TICKS && k * step <= axis->high + step / 2; k++)
        axis->ticks[axis->count++] = k * step;
    double digits = log10(step);
    axis->decimals = digits >= 0 ? (step < 10 && step != floor(step) ? 1 : 0) : (int)ceil(-digits - 1e-9);
    if (axis->decimals < 9 && fabs(step * pow(10, axis->decimals) - nearbyint(step * pow(10, axis->decimals))) > 1e-6)
        axis->decimals++; /* 0.25 */
    if (axis->decimals > 9) axis->decimals = 9;
}

/* Ticks at powers of ten; at 1, 2 and 5 times them where that leaves too few. */
static void logarithmic(nz_axis *axis, double least, double most) {
    static const double parts[] = {1, 2, 5};
    int first = (int)floor(log10(least) + 1e-9), last = (int)ceil(log10(most) - 1e-9);
    if (last == first) last++;
    int every = (last - first) / (NZ_AXIS_TICKS - 2) + 1;
    bool fine = last - first <= 3;
    axis->low = axis->high = 0;
    axis->count = 0;
    double below = pow(10, first), above = pow(10, last);
    for (int p = first; fine && p <= last; p++)
        for (int i = 0; i < 3; i++) {
            double tick = parts[i] * pow(10, p);
            if (tick <= least * (1 + 1e-9)) below = tick;
            if (tick >= most * (1 - 1e-9) && tick < above) above = tick;
        }
    if (above <= below) above = pow(10, last); /* a single value that is a tick */
    axis->low = below;
    axis->high = above;
    for (int p = first; p <= last; p += fine ? 1 : every)
        for (int i = 0; i < (fine ? 3 : 1); i++) {
            double tick = parts[i] * pow(10, p);
            bool within = tick >= below * (1 - 1e-9) && tick <= above * (1 + 1e-9);
            if (within && axis->count < NZ_AXIS_TICKS) axis->ticks[axis->count++] = tick;
        }
}

void nz_axis_init(nz_axis *ret_axis, double least, double most, bool from_zero, bool log_asked, size_t wanted) {
    least = bounded(least);
    most = fmax(bounded(most), least);
    ret_axis->decimals = 0;
    ret_axis->logarithmic = log_asked && least > 0;
    if (ret_axis->logarithmic)
        logarithmic(ret_axis, least, most);
    else
        linear(ret_axis, least, most, from_zero, wanted);
}

bool nz_axis_spans_decades(double least, double most) { return least > 0 && most / least > 100; }

double nz_axis_at(const nz_axis *axis, double value) {
    double low = axis->low, high = axis->high;
    if (axis->logarithmic) {
        value = log10(fmax(value, low));
        low = log10(low);
        high = log10(high);
    }
    return fmax(0, fmin(1, (value - low) / (high - low)));
}

void nz_axis_put_tick(nz_text *out, const nz_axis *axis, size_t tick) {
    double value = axis->ticks[tick];
    if (value < 0) nz_text_append(out, "\xe2\x88\x92");
    if (axis->logarithmic || fabs(value) >= 1e7) {
        nz_text digits = {0};
        nz_text_appendf(&digits, "%.6g", fabs(value));
        if (digits.data) nz_text_append(out, digits.data);
        nz_text_done(&digits);
    } else
        nz_put_fixed(out, fabs(value), axis->decimals);
}

void nz_axis_init_epochs(nz_axis *x, double last) {
    double step = 1;
    nz_axis_init(x, 0, last, true, false, 6);
    x->high = last;
    if (last < 2 || last > 1e9) {
        while (x->count && x->ticks[x->count - 1] > last * (1 + 1e-9)) x->count--;
        return;
    }
    while (last / step >= NZ_AXIS_TICKS - 1) step *= step == 2 || step == 20 || step == 200 ? 2.5 : 2;
    x->decimals = 0;
    for (x->count = 0; (double)x->count * step <= last; x->count++) x->ticks[x->count] = (double)x->count * step;
}
