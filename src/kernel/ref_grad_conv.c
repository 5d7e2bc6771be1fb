/* SPDX-License-Identifier: Apache-2.0 */
/* Gradient of a convolution by its weights: each is a sum of products of two rows, over all rows of all images. */
#include <string.h>

#include "core/threads.h"
#include "kernel/ref_grad.h"
#include "kernel/ref_window.h"

enum {
    BLOCK = 4,     /* output channels that share a row of x */
    WIDTH = 4,     /* numbers of a vector */
    PIECE = 512,   /* positions of a row that are taken together */
    LONGEST = 1024 /* products that are summed in float */
};

nz_ref_conv nz_ref_conv_turn(const nz_ref_conv *conv) {
    nz_ref_conv turned = *conv;
    turned.in_channels = conv->out_channels;
    turned.out_channels = conv->in_channels;
    memcpy(turned.window.in, conv->window.out, sizeof turned.window.in);
    memcpy(turned.window.out, conv->window.in, sizeof turned.window.out);
    return turned;
}

typedef struct weights_job {
    const nz_ref_conv *conv;
    nz_window window; /* conv's; a pointwise one sees a plane as one row */
    const float *x, *dy;
    float *dw;
} weights_job;

typedef float vector __attribute__((vector_size(16))); /* what every 64-bit processor has */

/* Sums of the output channels of a block: short ones in float, emptied into double before they get long. */
typedef struct running {
    vector part[BLOCK];
    double sum[BLOCK];
    int64_t count; /* products in each lane of `part`, at most */
} running;

static void empty(running *r) {
    for (int l = 0; l < BLOCK; l++) {
        for (int j = 0; j < WIDTH; j++) r->sum[l] += (double)r->part[l][j];
        r->part[l] = (vector){0};
    }
    r->count = 0;
}

static vector load(const float *from) {
    vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* Adds the products of n neighbours of x with those of the rows of four channels. */
static void multiply_rows(const float *x, const float *const dy[BLOCK], int64_t n, running *r) {
    vector a = r->part[0], b = r->part[1], c = r->part[2], d = r->part[3];
    int64_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        const vector v = load(x + i);
        a += v * load(dy[0] + i), b += v * load(dy[1] + i), c += v * load(dy[2] + i), d += v * load(dy[3] + i);
    }
    for (; i < n; i++) {
        a[0] += x[i] * dy[0][i], b[0] += x[i] * dy[1][i];
        c[0] += x[i] * dy[2][i], d[0] += x[i] * dy[3][i];
    }
    r->part[0] = a, r->part[1] = b, r->part[2] = c, r->part[3] = d;
    r->count += n / WIDTH + WIDTH;
    if (r->count > LONGEST) empty(r);
}

/* A row of dy of `lanes` channels against what its positions see of x, `stride` apart. */
static void multiply_row(const float *x, int64_t stride, const float *dy, int64_t plane, int64_t lanes, int64_t n,
                         running *r) {
    float seen[PIECE];
    for (int64_t from = 0; from < n; from += PIECE) {
        int64_t count = n - from < PIECE ? n - from : PIECE;
        const float *rows[BLOCK], *at = x + from * stride;
        for (int64_t l = 0; l < BLOCK; l++) rows[l] = dy + (l < lanes ? l : 0) * plane + from;
        for (int64_t i = 0; stride != 1 && i < count; i++) seen[i] = at[i * stride];
        multiply_rows(stride == 1 ? at : seen, rows, count, r);
    }
}

/* One tap (kd, kh, kw) of `lanes` output channels from `o` on and the input channel `c`. */
static void weights_tap(const weights_job *job, int64_t o, int64_t lanes, int64_t c, const int64_t tap[3],
                        double sums[BLOCK]) {
    const nz_ref_conv *conv = job->conv;
    const nz_window *s = &job->window;
    int64_t in_plane = s->in[0] * s->in[1] * s->in[2], out_plane = s->out[0] * s->out[1] * s->out[2];
    int64_t offset[3];
    nz_reach at[3];
    running r = {0};
    for (int axis = 0; axis < 3; axis++) {
        offset[axis] = tap[axis] * s->dilation[axis] - s->begin[axis];
        at[axis] = nz_window_outputs_inside(s, axis, tap[axis]);
    }
    for (int64_t n = 0; at[2].from < at[2].to && n < conv->batch; n++) {
        const float *x = job->x + (n * conv->in_channels + c) * in_plane;
        const float *dy = job->dy + (n * conv->out_channels + o) * out_plane;
        for (int64_t d = at[0].from; d < at[0].to; d++)
            for (int64_t h = at[1].from; h < at[1].to; h++) {
                int64_t row = (d * s->stride[0] + offset[0]) * s->in[1] + h * s->stride[1] + offset[1];
                multiply_row(x + row * s->in[2] + at[2].from * s->stride[2] + offset[2], s->stride[2],
                             dy + (d * s->out[1] + h) * s->out[2] + at[2].from, out_plane, lanes, at[2].to - at[2].from,
                             &r);
            }
    }
    empty(&r);
    memcpy(sums, r.sum, sizeof r.sum);
}

static void weights_part(void *argument, size_t begin, size_t end) {
    const weights_job *job = argument;
    const nz_ref_conv *conv = job->conv;
    const nz_window *s = &job->window;
    int64_t group_in = conv->in_channels / conv->groups, group_out = conv->out_channels / conv->groups;
    int64_t blocks = (group_out + BLOCK - 1) / BLOCK, taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
    for (size_t task = begin; task < end; task++) {
        int64_t c = (int64_t)task % group_in, block = (int64_t)task / group_in % blocks,
                group = (int64_t)task / group_in / blocks;
        int64_t o = group * group_out + block * BLOCK, left = group_out - block * BLOCK;
        int64_t lanes = left < BLOCK ? left : BLOCK;
        for (int64_t k = 0; k < taps; k++) {
            int64_t tap[3] = {k / s->kernel[2] / s->kernel[1], k / s->kernel[2] % s->kernel[1], k % s->kernel[2]};
            double sums[BLOCK];
            weights_tap(job, o, lanes, group * group_in + c, tap, sums);
            for (int64_t l = 0; l < lanes; l++) job->dw[((o + l) * group_in + c) * taps + k] = (float)sums[l];
        }
    }
}

void nz_ref_conv_weights_f32(const nz_ref_conv *conv, const float *x, const float *dy, float *dw) {
    weights_job job = {conv, nz_window_flatten_pointwise(&conv->window), x, dy, dw};
    int64_t group_in = conv->in_channels / conv->groups, group_out = conv->out_channels / conv->groups;
    nz_parallel((size_t)(conv->groups * ((group_out + BLOCK - 1) / BLOCK) * group_in), 1, weights_part, &job);
}

typedef struct sums_job {
    int64_t batch, channels, plane;
    const float *x;
    float *sums;
} sums_job;

static void sums_part(void *argument, size_t begin, size_t end) {
    const sums_job *job = argument;
    for (size_t c = begin; c < end; c++) {
        double sum = 0;
        for (int64_t n = 0; n < job->batch; n++) {
            const float *x = job->x + (n * job->channels + (int64_t)c) * job->plane;
            for (int64_t i = 0; i < job->plane; i++) sum += (double)x[i];
        }
        job->sums[c] = (float)sum;
    }
}

void nz_ref_channel_sums(int64_t batch, int64_t channels, int64_t plane, const float *x, float *sums) {
    sums_job job = {batch, channels, plane, x, sums};
    nz_parallel((size_t)channels, 1, sums_part, &job);
}
