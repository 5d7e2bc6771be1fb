/* SPDX-License-Identifier: Apache-2.0 */
/* Interpolation along one axis by a table of taps; an image is resized one axis after the other. */
#include <string.h>

#include "core/threads.h"
#include "kernel/ref.h"

typedef struct job {
    const nz_ref_taps *taps;
    int64_t inner;
    const char *x;
    char *y;
    size_t size; /* bytes that one step copies, or 0: interpolate f32 */
} job;

static void resize_part(void *argument, size_t begin, size_t end) {
    const job *j = argument;
    const nz_ref_taps *t = j->taps;
    for (size_t row = begin; row < end; row++) {
        int64_t outer = (int64_t)row / t->out, o = (int64_t)row % t->out;
        const int64_t *index = t->index + o * t->count;
        const float *weight = t->weight + o * t->count;
        if (j->size) {
            size_t bytes = (size_t)j->inner * j->size;
            memcpy(j->y + row * bytes, j->x + (size_t)(outer * t->in + index[0]) * bytes, bytes);
            continue;
        }
        const float *x = (const float *)(const void *)j->x + outer * t->in * j->inner;
        float *y = (float *)(void *)j->y + (int64_t)row * j->inner;
        for (int64_t i = 0; i < j->inner; i++) y[i] = 0;
        for (int64_t k = 0; k < t->count; k++) {
            const float *source = x + index[k] * j->inner;
            if (weight[k] == 0) continue; /* a tap of weight 0 must not carry an infinity over */
            for (int64_t i = 0; i < j->inner; i++) y[i] += weight[k] * source[i];
        }
    }
}

void nz_ref_resize_axis(const nz_ref_taps *taps, int64_t outer, int64_t inner, const float *x, float *y) {
    job j = {taps, inner, (const char *)x, (char *)y, 0};
    if (outer * taps->out * inner > 0) nz_parallel((size_t)(outer * taps->out), 1, resize_part, &j);
}

void nz_ref_resize_axis_nearest(const nz_ref_taps *taps, int64_t outer, int64_t inner, size_t size, const void *x,
                                void *y) {
    job j = {taps, inner, x, y, size};
    if (outer * taps->out * inner > 0) nz_parallel((size_t)(outer * taps->out), 1, resize_part, &j);
}
