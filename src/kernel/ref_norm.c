/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations and softmax. Sums are kept in double: a long row would lose digits in float. */
#include <math.h>

#include "core/threads.h"
#include "kernel/ref.h"

typedef struct norm_job {
    int64_t batch, channels, plane;
    const float *x, *scale, *shift, *mean, *variance;
    float epsilon, *y, *ret_mean, *ret_inverse;
} norm_job;

static void batch_norm_part(void *argument, size_t begin, size_t end) {
    const norm_job *job = argument;
    for (size_t task = begin; task < end; task++) {
        int64_t c = (int64_t)task % job->channels;
        const float *x = job->x + (int64_t)task * job->plane;
        float *y = job->y + (int64_t)task * job->plane, mean = job->mean[c], shift = job->shift[c];
        float scale = (float)((double)job->scale[c] / sqrt((double)job->variance[c] + (double)job->epsilon));
        for (int64_t i = 0; i < job->plane; i++) y[i] = (x[i] - mean) * scale + shift;
    }
}

void nz_ref_batch_norm(int64_t batch, int64_t channels, int64_t plane, const float *x, const float *scale,
                       const float *shift, const float *mean, const float *variance, float epsilon, float *y) {
    norm_job job = {batch, channels, plane, x, scale, shift, mean, variance, epsilon, y, NULL, NULL};
    nz_parallel((size_t)(batch * channels), 8, batch_norm_part, &job);
}

void nz_ref_batch_moments(int64_t batch, int64_t channels, int64_t plane, const float *x, float *mean,
                          float *variance) {
    double count = (double)batch * (double)plane;
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t n = 0; n < batch; n++)
            for (int64_t i = 0; i < plane; i++) sum += (double)x[(n * channels + c) * plane + i];
        double middle = sum / count;
        for (int64_t n = 0; n < batch; n++)
            for (int64_t i = 0; i < plane; i++) {
                double difference = (double)x[(n * channels + c) * plane + i] - middle;
                squares += difference * difference;
            }
        mean[c] = (float)middle;
        variance[c] = (float)(squares / count);
    }
}

static void normalise_part(void *argument, size_t begin, size_t end) {
    const norm_job *job = argument;
    for (size_t row = begin; row < end; row++) {
        const float *x = job->x + (int64_t)row * job->plane;
        float *y = job->y + (int64_t)row * job->plane;
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < job->plane; i++) sum += (double)x[i];
        double mean = sum / (double)job->plane;
        for (int64_t i = 0; i < job->plane; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
        double inverse = 1.0 / sqrt(squares / (double)job->plane + (double)job->epsilon);
        for (int64_t i = 0; i < job->plane; i++) y[i] = (float)(((double)x[i] - mean) * inverse);
        if (job->ret_mean) job->ret_mean[row] = (float)mean;
        if (job->ret_inverse) job->ret_inverse[row] = (float)inverse;
    }
}

void nz_ref_normalise_rows(int64_t rows, int64_t width, const float *x, float epsilon, float *y, float *ret_mean,
                           float *ret_inverse) {
    norm_job job = {
        .plane = width, .x = x, .epsilon = epsilon, .y = y, .ret_mean = ret_mean, .ret_inverse = ret_inverse};
    nz_parallel((size_t)rows, 1, normalise_part, &job);
}

void nz_ref_rms_rows(int64_t rows, int64_t width, const float *x, float epsilon, float *y) {
    for (int64_t row = 0; row < rows; row++) {
        double squares = 0;
        for (int64_t i = row * width; i < (row + 1) * width; i++) squares += (double)x[i] * (double)x[i];
        double inverse = 1.0 / sqrt(squares / (double)width + (double)epsilon);
        for (int64_t i = row * width; i < (row + 1) * width; i++) y[i] = (float)((double)x[i] * inverse);
    }
}

void nz_ref_lrn(int64_t batch, int64_t channels, int64_t plane, const float *x, int64_t size, float alpha, float beta,
                float bias, float *y) {
    int64_t before = (size - 1) / 2, after = size - 1 - before;
    for (int64_t n = 0; n < batch; n++)
        for (int64_t c = 0; c < channels; c++) {
            int64_t from = c > before ? c - before : 0, to = c + after < channels ? c + after : channels - 1;
            for (int64_t i = 0; i < plane; i++) {
                double squares = 0;
                for (int64_t k = from; k <= to; k++) {
                    double value = (double)x[(n * channels + k) * plane + i];
                    squares += value * value;
                }
                int64_t at = (n * channels + c) * plane + i;
                y[at] =
                    (float)((double)x[at] / pow((double)bias + (double)alpha / (double)size * squares, (double)beta));
            }
        }
}

typedef struct softmax_job {
    int64_t count, inner;
    const float *x;
    bool logarithm;
    float *y;
} softmax_job;

static void softmax_part(void *argument, size_t begin, size_t end) {
    const softmax_job *job = argument;
    int64_t step = job->inner;
    for (size_t task = begin; task < end; task++) {
        int64_t start = (int64_t)task / step * job->count * step + (int64_t)task % step;
        const float *x = job->x + start;
        float *y = job->y + start, most = x[0];
        for (int64_t i = 1; i < job->count; i++)
            if (x[i * step] > most) most = x[i * step];
        double sum = 0;
        for (int64_t i = 0; i < job->count; i++) {
            float power = expf(x[i * step] - most);
            sum += (double)power;
            if (!job->logarithm) y[i * step] = power;
        }
        double logarithm = log(sum), inverse = 1.0 / sum;
        for (int64_t i = 0; i < job->count; i++)
            y[i * step] = job->logarithm ? (float)((double)(x[i * step] - most) - logarithm)
                                         : (float)((double)y[i * step] * inverse);
    }
}

void nz_ref_softmax(int64_t outer, int64_t count, int64_t inner, const float *x, bool logarithm, float *y) {
    softmax_job job = {count, inner, x, logarithm, y};
    if (count > 0) nz_parallel((size_t)(outer * inner), 1, softmax_part, &job);
}
