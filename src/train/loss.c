/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and their gradients, summed in double. */
#include <math.h>
#include <stddef.h>

#include "train/loop.h"

/* The logarithm of the sum of exp(x[c] / temperature), safe for any finite x. */
static double log_sum_exp(const float *x, size_t classes, double temperature) {
    double most = (double)x[0], sum = 0;
    for (size_t c = 1; c < classes; c++)
        if ((double)x[c] > most) most = (double)x[c];
    for (size_t c = 0; c < classes; c++) sum += exp(((double)x[c] - most) / temperature);
    return most / temperature + log(sum);
}

double nz_loss_cross_entropy(const float *logits, const int32_t *labels, size_t count, size_t classes, double smoothing,
                             float *dlogits) {
    double total = 0, other = smoothing / (double)classes, scale = 1 / (double)count;
    for (size_t n = 0; n < count; n++) {
        const float *x = logits + n * classes;
        size_t label = (size_t)labels[n];
        double norm = log_sum_exp(x, classes, 1), loss = (1 - smoothing) * (norm - (double)x[label]);
        for (size_t c = 0; smoothing > 0 && c < classes; c++) loss += other * (norm - (double)x[c]);
        total += loss;
        for (size_t c = 0; dlogits && c < classes; c++) {
            double target = other + (c == label ? 1 - smoothing : 0);
            dlogits[n * classes + c] = (float)((exp((double)x[c] - norm) - target) * scale);
        }
    }
    return total * scale;
}

double nz_loss_mse(const float *x, const float *target, size_t n, double weight, float *dx) {
    double total = 0, scale = weight / (double)n;
    for (size_t i = 0; i < n; i++) {
        double difference = (double)x[i] - (double)target[i];
        total += difference * difference;
        if (dx) dx[i] += (float)(2 * scale * difference);
    }
    return total * scale;
}

double nz_loss_kl(const float *student, const float *teacher, size_t count, size_t classes, double temperature,
                  double weight, float *dlogits) {
    double total = 0, scale = weight / (double)count;
    for (size_t n = 0; n < count; n++) {
        const float *s = student + n * classes, *t = teacher + n * classes;
        double student_norm = log_sum_exp(s, classes, temperature), teacher_norm = log_sum_exp(t, classes, temperature);
        for (size_t c = 0; c < classes; c++) {
            double log_s = (double)s[c] / temperature - student_norm, log_t = (double)t[c] / temperature - teacher_norm;
            double p = exp(log_t);
            total += p * (log_t - log_s);
            /* d/ds of T^2 KL is T (softmax(s/T) - softmax(t/T)) */
            if (dlogits) dlogits[n * classes + c] += (float)(scale * temperature * (exp(log_s) - p));
        }
    }
    return total * scale * temperature * temperature;
}
