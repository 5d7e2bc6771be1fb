/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of batch normalisation, one channel at a time. */
#include <math.h>

#include "core/threads.h"
#include "kernel/ref_grad.h"

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
