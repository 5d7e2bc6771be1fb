/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/train_ref.h"

#include <math.h>

static float get(nz_dtype dtype, const void *x, int64_t i) {
    return dtype == NZ_BF16 ? nz_bf16_to_f32(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

static void put(nz_dtype dtype, void *y, int64_t i, double value) {
    if (dtype == NZ_BF16)
        ((uint16_t *)y)[i] = nz_f32_to_bf16((float)value);
    else
        ((float *)y)[i] = (float)value;
}

/* -- batch normalisation ----------------------------------------------------------------------------------------- */

void nz_train_ref_norm_apply(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                             const float *beta, const float *mean, const float *variance, void *y) {
    for (int64_t i = 0; i < norm->rows * norm->channels; i++) {
        int64_t c = i % norm->channels;
        double inverse = 1 / sqrt((double)variance[c] + (double)norm->epsilon);
        double value =
            ((double)get(norm->dtype, x, i) - (double)mean[c]) * inverse * (double)gamma[c] + (double)beta[c];
        if (addend) value += (double)get(norm->dtype, addend, i);
        put(norm->dtype, y, i, norm->relu && value <= 0 ? 0 : value);
    }
}

void nz_train_ref_norm_forward(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                               const float *beta, void *y, float *mean, float *variance) {
    for (int64_t c = 0; c < norm->channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < norm->rows; r++) sum += (double)get(norm->dtype, x, r * norm->channels + c);
        double centre = sum / (double)norm->rows;
        for (int64_t r = 0; r < norm->rows; r++) {
            double off = (double)get(norm->dtype, x, r * norm->channels + c) - centre;
            squares += off * off;
        }
        mean[c] = (float)centre;
        variance[c] = (float)(squares / (double)norm->rows);
    }
    nz_train_ref_norm_apply(norm, x, addend, gamma, beta, mean, variance, y);
}

void nz_train_ref_norm_backward(const nz_train_norm *norm, const void *x, const void *y, const void *dy,
                                const float *gamma, const float *mean, const float *variance, bool frozen, void *dx,
                                void *daddend, float *dgamma, float *dbeta) {
    nz_dtype t = norm->dtype;
    for (int64_t c = 0; c < norm->channels; c++) {
        double inverse = 1 / sqrt((double)variance[c] + (double)norm->epsilon), sum = 0, product = 0;
        for (int64_t r = 0; r < norm->rows; r++) {
            int64_t i = r * norm->channels + c;
            if (norm->relu && !(get(t, y, i) > 0)) continue;
            sum += (double)get(t, dy, i);
            product += (double)get(t, dy, i) * ((double)get(t, x, i) - (double)mean[c]) * inverse;
        }
        for (int64_t r = 0; r < norm->rows; r++) {
            int64_t i = r * norm->channels + c;
            double d = norm->relu && !(get(t, y, i) > 0) ? 0 : (double)get(t, dy, i), through = d;
            double normal = ((double)get(t, x, i) - (double)mean[c]) * inverse;
            if (!frozen) through -= (sum + normal * product) / (double)norm->rows;
            if (daddend) put(t, daddend, i, d);
            put(t, dx, i, through * inverse * (double)gamma[c]);
        }
        dgamma[c] = (float)product;
        dbeta[c] = (float)sum;
    }
}

/* -- element-wise ------------------------------------------------------------------------------------------------ */

void nz_train_ref_relu(nz_dtype dtype, const void *x, void *y, size_t n) {
    for (int64_t i = 0; i < (int64_t)n; i++) {
        float value = get(dtype, x, i);
        put(dtype, y, i, value < 0 ? 0 : (double)value);
    }
}

void nz_train_ref_relu_backward(nz_dtype dtype, const void *y, const void *dy, void *dx, size_t n) {
    for (int64_t i = 0; i < (int64_t)n; i++) put(dtype, dx, i, get(dtype, y, i) > 0 ? (double)get(dtype, dy, i) : 0);
}

void nz_train_ref_silu(nz_dtype dtype, const void *x, void *y, size_t n) {
    for (int64_t i = 0; i < (int64_t)n; i++) {
        double value = (double)get(dtype, x, i);
        put(dtype, y, i, value / (1 + exp(-value)));
    }
}

void nz_train_ref_silu_backward(nz_dtype dtype, const void *x, const void *dy, void *dx, size_t n) {
    for (int64_t i = 0; i < (int64_t)n; i++) {
        double value = (double)get(dtype, x, i), s = 1 / (1 + exp(-value));
        put(dtype, dx, i, (double)get(dtype, dy, i) * s * (1 + value * (1 - s)));
    }
}

void nz_train_ref_add(nz_dtype dtype, const void *a, const void *b, void *y, size_t n) {
    for (int64_t i = 0; i < (int64_t)n; i++) put(dtype, y, i, (double)get(dtype, a, i) + (double)get(dtype, b, i));
}

void nz_train_ref_convert(nz_dtype from, const void *x, nz_dtype to, void *y, size_t n) {
    for (int64_t i = 0; i < (int64_t)n; i++) put(to, y, i, (double)get(from, x, i));
}

void nz_train_ref_to_channels_last(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                                   int64_t spatial) {
    for (int64_t n = 0; n < batch; n++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t s = 0; s < spatial; s++)
                put(to, y, (n * spatial + s) * channels + c, (double)get(from, x, (n * channels + c) * spatial + s));
}

void nz_train_ref_to_plain(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                           int64_t spatial) {
    nz_train_ref_to_channels_last(from, x, to, y, batch, spatial, channels);
}

/* -- pooling ----------------------------------------------------------------------------------------------------- */

static int64_t volume(const int64_t extents[3]) { return extents[0] * extents[1] * extents[2]; }

/* The input position that tap `tap` of output position `at` reads; -1: padding. */
static int64_t read_at(const nz_window *w, int64_t at, int64_t tap) {
    int64_t where = 0, divide_out = volume(w->out), divide_tap = volume(w->kernel);
    for (int i = 0; i < 3; i++) {
        divide_out /= w->out[i], divide_tap /= w->kernel[i];
        int64_t p =
            at / divide_out % w->out[i] * w->stride[i] - w->begin[i] + tap / divide_tap % w->kernel[i] * w->dilation[i];
        if (p < 0 || p >= w->in[i]) return -1;
        where = where * w->in[i] + p;
    }
    return where;
}

void nz_train_ref_max_pool(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels, const void *x,
                           void *y, uint16_t *choice) {
    int64_t out = volume(window->out), in = volume(window->in);
    for (int64_t i = 0; i < batch * out * channels; i++) {
        int64_t c = i % channels, at = i / channels % out, n = i / channels / out, best_tap = UINT16_MAX;
        float best = -INFINITY;
        for (int64_t tap = 0; tap < volume(window->kernel); tap++) {
            int64_t from = read_at(window, at, tap);
            if (from < 0) continue;
            float value = get(dtype, x, (n * in + from) * channels + c);
            if (best_tap == UINT16_MAX || value > best) best = value, best_tap = tap;
        }
        put(dtype, y, i, (double)best);
        choice[i] = (uint16_t)best_tap;
    }
}

void nz_train_ref_max_pool_backward(nz_dtype dtype, const nz_window *window, int64_t batch, int64_t channels,
                                    const void *dy, const uint16_t *choice, void *dx) {
    int64_t out = volume(window->out), in = volume(window->in), taps = volume(window->kernel);
    for (int64_t i = 0; i < batch * in * channels; i++) {
        int64_t c = i % channels, to = i / channels % in, n = i / channels / in;
        double sum = 0;
        for (int64_t at = 0; at < out; at++)
            for (int64_t tap = 0; tap < taps; tap++) {
                int64_t from = (n * out + at) * channels + c;
                if (choice[from] == tap && read_at(window, at, tap) == to) sum += (double)get(dtype, dy, from);
            }
        put(dtype, dx, i, sum);
    }
}

void nz_train_ref_global_pool(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *x,
                              void *y) {
    for (int64_t n = 0; n < batch; n++)
        for (int64_t c = 0; c < channels; c++) {
            double sum = 0;
            for (int64_t s = 0; s < spatial; s++) sum += (double)get(dtype, x, (n * spatial + s) * channels + c);
            put(dtype, y, n * channels + c, sum / (double)spatial);
        }
}

void nz_train_ref_global_pool_backward(nz_dtype dtype, int64_t batch, int64_t spatial, int64_t channels, const void *dy,
                                       void *dx) {
    for (int64_t i = 0; i < batch * spatial * channels; i++)
        put(dtype, dx, i, (double)get(dtype, dy, i / channels / spatial * channels + i % channels) / (double)spatial);
}

/* -- fake quantisation ------------------------------------------------------------------------------------------- */

void nz_train_ref_quantize(const nz_train_quant *quant, nz_dtype dtype, const void *x, void *y) {
    for (int64_t i = 0; i < quant->outer * quant->channels * quant->inner; i++) {
        float scale = quant->scales[i / quant->inner % quant->channels];
        float level = rintf(get(dtype, x, i) / scale) + (float)quant->zero;
        level = level < (float)quant->least ? (float)quant->least : level; /* NaN stays */
        level = level > (float)quant->most ? (float)quant->most : level;
        put(dtype, y, i, (double)((level - (float)quant->zero) * scale));
    }
}

void nz_train_ref_quantize_backward(const nz_train_quant *quant, nz_dtype dtype, const void *x, const void *dy,
                                    void *dx, float *dscale) {
    for (int64_t c = 0; c < quant->channels; c++) {
        double sum = 0;
        float low = (float)(quant->least - quant->zero), high = (float)(quant->most - quant->zero);
        for (int64_t o = 0; o < quant->outer; o++)
            for (int64_t k = 0; k < quant->inner; k++) {
                int64_t i = (o * quant->channels + c) * quant->inner + k;
                float v = get(dtype, x, i) / quant->scales[c], r = rintf(v), d = get(dtype, dy, i);
                bool inside = r >= low && r <= high;
                sum += (double)d * (inside ? (double)r - (double)v : (double)(r < low ? low : high));
                put(dtype, dx, i, inside ? (double)d : 0);
            }
        if (dscale) dscale[c] = (float)sum;
    }
}

/* -- updates ----------------------------------------------------------------------------------------------------- */

void nz_train_ref_sgd_update(const nz_train_sgd *sgd, float *w, const float *g, float *m, const float *mask, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float gradient = sgd->gradient_scale * g[i] + sgd->decay * w[i], change = gradient;
        if (m) {
            m[i] = sgd->first ? gradient : sgd->momentum * m[i] + gradient;
            change = sgd->nesterov ? gradient + sgd->momentum * m[i] : m[i];
        }
        w[i] = mask && mask[i] == 0 ? 0 : w[i] - sgd->lr * change;
    }
}

void nz_train_ref_adamw_update(const nz_train_adamw *adamw, float *w, const float *g, float *m, float *v,
                               const float *mask, size_t n) {
    double first = 1 - pow((double)adamw->beta1, (double)adamw->step);
    double second = 1 - pow((double)adamw->beta2, (double)adamw->step);
    for (size_t i = 0; i < n; i++) {
        float gradient = adamw->gradient_scale * g[i];
        m[i] = adamw->beta1 * m[i] + (1 - adamw->beta1) * gradient;
        v[i] = adamw->beta2 * v[i] + (1 - adamw->beta2) * gradient * gradient;
        double change = (double)m[i] / first / (sqrt((double)v[i] / second) + (double)adamw->epsilon);
        double kept = (double)w[i] * (1 - (double)adamw->lr * (double)adamw->decay);
        w[i] = mask && mask[i] == 0 ? 0 : (float)(kept - (double)adamw->lr * change);
    }
}

double nz_train_ref_square_sum(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return isfinite(sum) ? sum : (double)NAN;
}
