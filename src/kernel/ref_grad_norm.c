/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of normalisations and of softmax. */
#include <math.h>

#include "core/threads.h"
#include "kernel/ref_grad.h"

/* -- batch normalisation, one channel at a time ------------------------------------------------------------------ */

typedef struct norm_back {
    int64_t batch, channels, plane;
    const float *x, *dy, *scale, *mean, *variance; /* mean NULL: of the batch itself */
    float epsilon, *dx, *dscale, *dshift;
} norm_back;

static void channel_moments(const norm_back *job, int64_t c, double *ret_mean, double *ret_variance) {
    double sum = 0, squares = 0, count = (double)job->batch * (double)job->plane;
    for (int64_t n = 0; n < job->batch; n++) {
        const float *x = job->x + (n * job->channels + c) * job->plane;
        for (int64_t i = 0; i < job->plane; i++) sum += (double)x[i];
    }
    double mean = sum / count;
    for (int64_t n = 0; n < job->batch; n++) {
        const float *x = job->x + (n * job->channels + c) * job->plane;
        for (int64_t i = 0; i < job->plane; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    *ret_mean = mean;
    *ret_variance = squares / count;
}

static void back_part(void *argument, size_t begin, size_t end) {
    const norm_back *job = argument;
    double count = (double)job->batch * (double)job->plane;
    for (int64_t c = (int64_t)begin; c < (int64_t)end; c++) {
        double mean, variance, sum = 0, products = 0;
        if (job->mean)
            mean = (double)job->mean[c], variance = (double)job->variance[c];
        else
            channel_moments(job, c, &mean, &variance);
        double inverse = 1 / sqrt(variance + (double)job->epsilon), factor = (double)job->scale[c] * inverse;
        for (int64_t n = 0; n < job->batch; n++) {
            int64_t at = (n * job->channels + c) * job->plane;
            for (int64_t i = at; i < at + job->plane; i++) {
                sum += (double)job->dy[i];
                products += (double)job->dy[i] * ((double)job->x[i] - mean);
            }
        }
        products *= inverse; /* of dy and the normalised x */
        if (job->dscale) job->dscale[c] = (float)products;
        if (job->dshift) job->dshift[c] = (float)sum;
        if (!job->dx) continue;
        /* dx = factor * (dy - middle - slope * (x - mean)): through given statistics nothing flows back. */
        double middle = job->mean ? 0 : sum / count, slope = job->mean ? 0 : products * inverse / count;
        for (int64_t n = 0; n < job->batch; n++) {
            int64_t at = (n * job->channels + c) * job->plane;
            for (int64_t i = at; i < at + job->plane; i++)
                job->dx[i] = (float)(factor * ((double)job->dy[i] - middle - slope * ((double)job->x[i] - mean)));
        }
    }
}

void nz_ref_batch_norm_back(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *dy,
                            const float *scale, const float *mean, const float *variance, float epsilon, float *dx,
                            float *dscale, float *dshift) {
    norm_back job = {batch, channels, plane, x, dy, scale, mean, variance, epsilon, dx, dscale, dshift};
    nz_parallel((size_t)channels, 1, back_part, &job);
}

void nz_ref_batch_norm_train_back(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *dy,
                                  const float *scale, float epsilon, float *dx, float *dscale, float *dshift) {
    norm_back job = {batch, channels, plane, x, dy, scale, NULL, NULL, epsilon, dx, dscale, dshift};
    nz_parallel((size_t)channels, 1, back_part, &job);
}

/* -- rows -------------------------------------------------------------------------------------------------------- */

typedef struct rows_back {
    int64_t width;
    bool centred;
    float epsilon;
    const float *x, *dn;
    float *dx, *normal;
} rows_back;

static void rows_part(void *argument, size_t begin, size_t end) {
    const rows_back *job = argument;
    double count = (double)job->width;
    for (size_t row = begin; row < end; row++) {
        const float *x = job->x + (int64_t)row * job->width, *dn = job->dn + (int64_t)row * job->width;
        float *dx = job->dx + (int64_t)row * job->width;
        double sum = 0, squares = 0, flow = 0, products = 0;
        for (int64_t i = 0; job->centred && i < job->width; i++) sum += (double)x[i];
        double mean = sum / count;
        for (int64_t i = 0; i < job->width; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
        double inverse = 1 / sqrt(squares / count + (double)job->epsilon);
        for (int64_t i = 0; i < job->width; i++) {
            flow += (double)dn[i];
            products += (double)dn[i] * ((double)x[i] - mean) * inverse;
        }
        if (!job->centred) flow = 0;
        for (int64_t i = 0; i < job->width; i++) {
            double normal = ((double)x[i] - mean) * inverse;
            dx[i] = (float)(inverse * ((double)dn[i] - flow / count - normal * products / count));
            if (job->normal) job->normal[(int64_t)row * job->width + i] = (float)normal;
        }
    }
}

void nz_ref_normalise_rows_back(int64_t rows, int64_t width, bool centred, const float *x, float epsilon,
                                const float *dn, float *dx, float *ret_normal) {
    rows_back job = {width, centred, epsilon, x, dn, dx, ret_normal};
    nz_parallel((size_t)rows, 1, rows_part, &job);
}

/* -- across channels --------------------------------------------------------------------------------------------- */

typedef struct lrn_back {
    int64_t channels, plane, size;
    double alpha, beta, bias;
    const float *x, *dy;
    float *scratch, *dx;
} lrn_back;

/* bias + alpha / size * sum of squares around channel c. */
static double lrn_divisor(const lrn_back *job, const float *x, int64_t c) {
    int64_t before = (job->size - 1) / 2, after = job->size - 1 - before;
    int64_t from = c > before ? c - before : 0, to = c + after < job->channels ? c + after : job->channels - 1;
    double squares = 0;
    for (int64_t k = from; k <= to; k++) squares += (double)x[k * job->plane] * (double)x[k * job->plane];
    return job->bias + job->alpha / (double)job->size * squares;
}

static void lrn_part(void *argument, size_t begin, size_t end) {
    const lrn_back *job = argument;
    int64_t before = (job->size - 1) / 2, after = job->size - 1 - before;
    for (size_t task = begin; task < end; task++) {
        int64_t first = (int64_t)task / job->plane * job->channels * job->plane + (int64_t)task % job->plane;
        const float *x = job->x + first, *dy = job->dy + first;
        float *share = job->scratch + first, *dx = job->dx + first;
        for (int64_t c = 0; c < job->channels; c++) {
            double divisor = lrn_divisor(job, x, c), power = pow(divisor, -job->beta);
            dx[c * job->plane] = (float)((double)dy[c * job->plane] * power);
            share[c * job->plane] = (float)((double)dy[c * job->plane] * (double)x[c * job->plane] * power / divisor);
        }
        /* x[c] is in the divisor of every channel whose window holds c. */
        for (int64_t c = 0; c < job->channels; c++) {
            int64_t from = c > after ? c - after : 0, to = c + before < job->channels ? c + before : job->channels - 1;
            double sum = 0;
            for (int64_t k = from; k <= to; k++) sum += (double)share[k * job->plane];
            dx[c * job->plane] -=
                (float)(2 * job->alpha * job->beta / (double)job->size * (double)x[c * job->plane] * sum);
        }
    }
}

void nz_ref_lrn_back(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *dy, int64_t size,
                     float alpha, float beta, float bias, float *scratch, float *dx) {
    lrn_back job = {channels, plane, size, (double)alpha, (double)beta, (double)bias, x, dy, scratch, dx};
    nz_parallel((size_t)(batch * plane), 16, lrn_part, &job);
}

/* -- softmax ----------------------------------------------------------------------------------------------------- */

typedef struct softmax_back {
    int64_t count, inner;
    const float *y, *dy;
    bool logarithm;
    float *dx;
} softmax_back;

static void softmax_part(void *argument, size_t begin, size_t end) {
    const softmax_back *job = argument;
    int64_t step = job->inner;
    for (size_t task = begin; task < end; task++) {
        int64_t first = (int64_t)task / step * job->count * step + (int64_t)task % step;
        const float *y = job->y + first, *dy = job->dy + first;
        float *dx = job->dx + first;
        double sum = 0;
        for (int64_t i = 0; i < job->count * step; i += step)
            sum += job->logarithm ? (double)dy[i] : (double)dy[i] * (double)y[i];
        for (int64_t i = 0; i < job->count * step; i += step)
            dx[i] = job->logarithm ? (float)((double)dy[i] - exp((double)y[i]) * sum)
                                   : (float)((double)y[i] * ((double)dy[i] - sum));
    }
}

void nz_ref_softmax_back(int64_t outer, int64_t count, int64_t inner, const float *y, const float *dy, bool logarithm,
                         float *dx) {
    softmax_back job = {count, inner, y, dy, logarithm, dx};
    nz_parallel((size_t)(outer * inner), 1, softmax_part, &job);
}
