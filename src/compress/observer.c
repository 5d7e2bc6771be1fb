/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/observer.h"

#include <math.h>
#include <string.h>

#include "core/error.h"

enum { BINS = NZ_OBSERVER_BINS, SMALLEST_EXPONENT = -126 };

nz_status nz_observer_init(nz_observer *observer, size_t channels) {
    nz_observer o = {.min = INFINITY, .max = -INFINITY, .exponent = SMALLEST_EXPONENT, .channels = channels};
    NZ_TRY(nz_alloc(&o.bins, (size_t)2 * BINS, sizeof *o.bins));
    nz_status status = nz_alloc(&o.channel_sum, channels, sizeof *o.channel_sum);
    if (status != NZ_OK) {
        free(o.bins);
        return status;
    }
    *observer = o;
    return NZ_OK;
}

void nz_observer_done(nz_observer *observer) {
    free(observer->bins);
    free(observer->channel_sum);
    *observer = (nz_observer){0};
}

/* Widens the bins until `magnitude` fits; bins start at multiples of their width, so merging loses nothing. */
static void widen(nz_observer *o, double magnitude) {
    int target = o->exponent;
    while (magnitude >= ldexp(BINS, target)) target++;
    int shift = target - o->exponent;
    if (shift == 0) return;
    for (int i = 0; i < BINS; i++) { /* outwards from zero: the place written was read before */
        uint64_t up = o->bins[BINS + i], down = o->bins[BINS - 1 - i];
        o->bins[BINS + i] = o->bins[BINS - 1 - i] = 0;
        int to = shift < 31 ? i >> shift : 0;
        o->bins[BINS + to] += up;
        o->bins[BINS - 1 - to] += down;
    }
    o->exponent = target;
}

static void add_run(nz_observer *o, const float *values, size_t count, double *sum) {
    float low = INFINITY, high = -INFINITY;
    size_t finite = 0;
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        float v = values[i];
        if (!isfinite(v)) continue;
        low = v < low ? v : low;
        high = v > high ? v : high;
        total += v;
        finite++;
    }
    o->non_finite += count - finite;
    o->count += finite;
    *sum += total;
    if (finite == 0) return;
    if (low < o->min) o->min = low;
    if (high > o->max) o->max = high;
    widen(o, fmax(fabs((double)low), fabs((double)high)));
    double per_width = ldexp(1.0, -o->exponent);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        double place = values[i] * per_width; /* exact: a power of two */
        int bin = (int)place;
        if (place < bin) bin--;
        o->bins[BINS + bin]++;
    }
}

void nz_observer_add(nz_observer *observer, const float *values, size_t rows, size_t inner) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < observer->channels; c++)
            add_run(observer, values + (r * observer->channels + c) * inner, inner, &observer->channel_sum[c]);
    observer->channel_count += rows * inner;
}

double nz_observer_channel_mean(const nz_observer *observer, size_t channel) {
    return observer->channel_count ? observer->channel_sum[channel] / (double)observer->channel_count : 0;
}

static double bin_width(const nz_observer *o) { return ldexp(1.0, o->exponent); }

static void percentile_range(double range[2], const nz_observer *o, double percentile) {
    double cut = (100.0 - percentile) / 100.0 * (double)o->count, width = bin_width(o);
    uint64_t seen = 0;
    int low = 0, high = 2 * BINS - 1;
    while (low < 2 * BINS - 1 && (double)(seen + o->bins[low]) <= cut) seen += o->bins[low++];
    seen = 0;
    while (high > 0 && (double)(seen + o->bins[high]) <= cut) seen += o->bins[high--];
    range[0] = (low - BINS) * width;
    range[1] = (high + 1 - BINS) * width;
}

/* Divergence of the histogram cut at `edge` bins from itself merged into `levels` steps and spread again. */
static double cut_divergence(const double *h, int edge, int levels, double beyond) {
    double total = beyond, kept = 0, divergence = 0;
    for (int i = 0; i < edge; i++) total += h[i], kept += h[i];
    if (kept <= 0) return INFINITY;
    for (int level = 0; level < levels; level++) {
        int begin = (int)((int64_t)edge * level / levels), end = (int)((int64_t)edge * (level + 1) / levels);
        double mass = 0;
        int used = 0;
        for (int i = begin; i < end; i++) mass += h[i], used += h[i] > 0;
        for (int i = begin; i < end; i++) {
            double p = (h[i] + (i == edge - 1 ? beyond : 0)) / total, q = h[i] > 0 ? mass / used / kept : 0;
            if (p > 0)
                divergence +=
                    p * log(p / (q > 0 ? q : 1e-10)); /* a bin that the steps cannot express costs much, not all */
        }
    }
    return divergence;
}

static nz_status entropy_range(double range[2], const nz_observer *o, int levels) {
    NZ_AUTO_FREE double *h = NULL;
    NZ_TRY(nz_alloc(&h, BINS, sizeof *h));
    double total = 0, width = bin_width(o);
    for (int i = 0; i < BINS; i++) h[i] = (double)(o->bins[BINS + i] + o->bins[BINS - 1 - i]), total += h[i];
    /* Zeros, which ReLU makes plenty of, are exact at any range: counted, they would outvote the values that are not. */
    total += h[1] - h[0];
    h[0] = h[1];
    int steps = o->min < 0 ? levels / 2 : levels, best = BINS;
    double least = INFINITY, inside = 0;
    for (int edge = 1; edge <= BINS; edge++) {
        inside += h[edge - 1];
        if (edge < steps || edge % (BINS / 128) != 0) continue;
        double divergence = cut_divergence(h, edge, steps, total - inside);
        if (divergence < least) least = divergence, best = edge;
    }
    range[0] = -best * width;
    range[1] = best * width;
    return NZ_OK;
}

static double squared_error(const nz_observer *o, double low, double high, int levels) {
    double scale = (high - low) / (levels - 1), width = bin_width(o), error = 0;
    if (!(scale > 0)) return INFINITY;
    double zero = nearbyint(-low / scale);
    for (int i = 0; i < 2 * BINS; i++) {
        if (!o->bins[i]) continue;
        double centre = (i - BINS + 0.5) * width;
        double step = fmin(fmax(nearbyint(centre / scale) + zero, 0), levels - 1);
        double off = centre - (step - zero) * scale;
        error += (double)o->bins[i] * off * off;
    }
    return error;
}

/* Both ends shrink together first, then each alone: two short searches instead of a square of them. */
static void mse_range(double range[2], const nz_observer *o, int levels) {
    enum { STEPS = 80 };
    double least = INFINITY, full[2] = {range[0], range[1]};
    for (int phase = 0; phase < 3; phase++) {
        double start[2] = {range[0], range[1]};
        for (int k = STEPS; k >= 16; k--) {
            double share = (double)k / STEPS;
            double low = phase == 2 ? start[0] : (phase ? start[0] : full[0]) * share;
            double high = phase == 1 ? start[1] : (phase ? start[1] : full[1]) * share;
            double error = squared_error(o, low, high, levels);
            if (error < least) least = error, range[0] = low, range[1] = high;
        }
    }
}

nz_status nz_observer_range(double ret_range[2], const nz_observer *observer, nz_calibration how, double percentile,
                            int levels) {
    double range[2] = {fmin(observer->min, 0), fmax(observer->max, 0)};
    if (observer->count == 0) range[0] = range[1] = 0;
    double extremes[2] = {range[0], range[1]};
    if (range[1] > range[0]) {
        if (how == NZ_CALIB_PERCENTILE) percentile_range(range, observer, percentile);
        if (how == NZ_CALIB_ENTROPY) NZ_TRY(entropy_range(range, observer, levels));
        if (how == NZ_CALIB_MSE) mse_range(range, observer, levels);
    }
    ret_range[0] = fmax(fmin(range[0], 0), extremes[0]);
    ret_range[1] = fmin(fmax(range[1], 0), extremes[1]);
    return NZ_OK;
}
