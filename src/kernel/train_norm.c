/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalisation over channels-last maps, with Relu and an addend: two passes over memory each way. Rows are taken
 * several at a time, so that they fill whole vectors whatever the number of channels; what is left over at the end, or
 * of several rows where filling vectors to the last would take too many of them, goes element by element. Sums are of 32 numbers in single precision about a
 * shift near the mean, then in double precision.
 */
#include <math.h>

#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train_ref.h"
#include "kernel/train_vector.h"

enum { LANES = 64, LANES_MOST = 4096, SUMS = 8192, BLOCK = 32, VECTORS = LANES / 16 };
enum { GRAIN = 16384 }; /* elements worth a thread */
enum { SHIFT_ROWS = 8 };

typedef struct norm_job {
    const nz_train_norm *norm;
    int64_t fold, rows;     /* rows taken at once; whole such rows */
    int64_t stride, lanes;  /* fold x channels; those of them that fill whole vectors */
    int64_t groups, chunks; /* of LANES lanes; of rows, summed apart */
    const void *x, *addend, *y_mask, *dy;
    void *y, *dx, *daddend;
    double *sums[2]; /* [chunks, lanes] */
    /* per lane */
    float shift[LANES_MOST], a[LANES_MOST], b[LANES_MOST], c[LANES_MOST];
} norm_job;

static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }

static float get(const nz_train_norm *norm, const void *x, int64_t i) {
    return norm->dtype == NZ_BF16 ? nz_from_bf16(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

static void put(const nz_train_norm *norm, void *y, int64_t i, float value) {
    if (norm->dtype == NZ_BF16)
        ((uint16_t *)y)[i] = nz_to_bf16(value);
    else
        ((float *)y)[i] = value;
}

/* false: too many channels. */
static bool plan(norm_job *job, const nz_train_norm *norm) {
    if (norm->channels > LANES_MOST) return false;
    job->norm = norm;
    job->fold = LANES / divisor(norm->channels, LANES);
    if (job->fold * norm->channels > LANES_MOST) job->fold = LANES_MOST / norm->channels;
    job->stride = job->fold * norm->channels;
    job->lanes = job->stride / LANES * LANES;
    job->rows = norm->rows / job->fold;
    job->groups = job->lanes / LANES;
    job->chunks = nz_threads_get();
    if (job->chunks > SUMS / job->lanes) job->chunks = SUMS / job->lanes;
    if (job->chunks > job->rows * job->lanes / GRAIN) job->chunks = job->rows * job->lanes / GRAIN;
    if (job->chunks < 1) job->chunks = 1;
    return true;
}

static void spread(const norm_job *job, float *lanes) {
    for (int64_t i = job->norm->channels; i < job->stride; i++) lanes[i] = lanes[i - job->norm->channels];
}

/* -- sums ------------------------------------------------------------------------------------------------------------ */

/* Of one group of lanes over a chunk of rows: what is off the shift, and its square; or the gradient, and its product with
 * what is off the shift. */
NZ_INLINE void sum_group(const norm_job *job, int64_t unit, bool narrow, bool backward, bool relu) {
    int64_t chunk = unit / job->groups, lane = unit % job->groups * LANES;
    int64_t row = job->rows * chunk / job->chunks, last = job->rows * (chunk + 1) / job->chunks;
    double *to0 = job->sums[0] + chunk * job->lanes + lane, *to1 = job->sums[1] + chunk * job->lanes + lane;
    nz_v16 shift[VECTORS];
    for (int v = 0; v < VECTORS; v++) memcpy(&shift[v], job->shift + lane + 16 * v, sizeof shift[v]);
    for (int k = 0; k < LANES; k++) to0[k] = to1[k] = 0;
    while (row < last) {
        int64_t end = row + BLOCK < last ? row + BLOCK : last;
        nz_v16 first[VECTORS] = {{0}}, second[VECTORS] = {{0}};
        for (; row < end; row++)
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                int64_t at = row * job->stride + lane + 16 * v;
                nz_v16 off, d, y;
                nz_load16(&off, narrow, job->x, at);
                off -= shift[v];
                if (backward) {
                    nz_load16(&d, narrow, job->dy, at);
                    if (relu) nz_load16(&y, narrow, job->y_mask, at), nz_mask16_by(&d, &y);
                    first[v] += d, second[v] += d * off;
                } else
                    first[v] += off, second[v] += off * off;
            }
        for (int k = 0; k < LANES; k++) {
            to0[k] += (double)first[k / 16][k % 16];
            to1[k] += (double)second[k / 16][k % 16];
        }
    }
}

#define SUM(name, narrow, backward, relu)                                                                              \
    NZ_CLONES static void name(void *argument, size_t begin, size_t end) {                                             \
        for (size_t unit = begin; unit < end; unit++) sum_group(argument, (int64_t)unit, narrow, backward, relu);      \
    }
SUM(sum_x_f32, false, false, false)
SUM(sum_x_bf16, true, false, false)
SUM(sum_d_f32, false, true, false)
SUM(sum_d_bf16, true, true, false)
SUM(sum_masked_f32, false, true, true)
SUM(sum_masked_bf16, true, true, true)

/* The gradient behind the mask. */
static float masked(const norm_job *job, int64_t i) {
    return job->norm->relu && !(get(job->norm, job->y_mask, i) > 0) ? 0 : get(job->norm, job->dy, i);
}

static void add_element(const norm_job *job, int64_t i, int64_t channel, bool backward, double sums[2]) {
    double off = (double)get(job->norm, job->x, i) - (double)job->shift[channel];
    double d = backward ? (double)masked(job, i) : off;
    sums[0] += d, sums[1] += d * off;
}

/* Adds up what the chunks have for each channel, and what fills no vectors. */
static void collect(const norm_job *job, int64_t channel, bool backward, double ret_sums[2]) {
    const nz_train_norm *norm = job->norm;
    int64_t lane = channel;
    ret_sums[0] = ret_sums[1] = 0;
    for (int64_t chunk = 0; chunk < job->chunks; chunk++)
        for (lane = channel; lane < job->lanes; lane += norm->channels)
            for (int k = 0; k < 2; k++) ret_sums[k] += job->sums[k][chunk * job->lanes + lane];
    for (; lane < job->stride; lane += norm->channels)
        for (int64_t row = 0; row < job->rows; row++)
            add_element(job, row * job->stride + lane, channel, backward, ret_sums);
    for (int64_t row = job->rows * job->fold; row < norm->rows; row++)
        add_element(job, row * norm->channels + channel, channel, backward, ret_sums);
}

static void sum_all(norm_job *job, bool backward) {
    bool narrow = job->norm->dtype == NZ_BF16;
    void (*part)(void *, size_t, size_t) = narrow ? sum_x_bf16 : sum_x_f32;
    if (backward) part = narrow ? sum_d_bf16 : sum_d_f32;
    if (backward && job->norm->relu) part = narrow ? sum_masked_bf16 : sum_masked_f32;
    size_t work = (size_t)(job->rows / job->chunks * LANES);
    nz_parallel((size_t)(job->chunks * job->groups), 1 + GRAIN / (2 * work + 1), part, job);
}

/* -- element by element ------------------------------------------------------------------------------------------------ */

static void apply_element(const norm_job *job, int64_t i, int64_t lane) {
    float value = (get(job->norm, job->x, i) - job->shift[lane]) * job->a[lane] + job->b[lane];
    if (job->addend) value += get(job->norm, job->addend, i);
    put(job->norm, job->y, i, job->norm->relu && value <= 0 ? 0 : value);
}

/* Calls `element` for what fills no vectors in rows of the stride; apart from the loop over vectors, which a call in it
 * would slow down by a third. */
__attribute__((noinline)) static void each_rest(const norm_job *job, int64_t begin, int64_t end,
                                                void (*element)(const norm_job *job, int64_t i, int64_t lane)) {
    for (int64_t row = begin; row < end; row++)
        for (int64_t lane = job->lanes; lane < job->stride; lane++) element(job, row * job->stride + lane, lane);
}

/* y = a (x - shift) + b. Rows from the last to the first: those that were summed last are still in the cache. */
NZ_INLINE void apply_rows(const norm_job *job, int64_t begin, int64_t end, bool narrow, bool relu, bool addend) {
    for (int64_t row = end - 1; row >= begin; row--) {
        int64_t from = row * job->stride;
        for (int64_t lane = 0; lane < job->lanes; lane += 16) {
            nz_v16 v, a, b, shift, other;
            nz_load16(&v, narrow, job->x, from + lane);
            memcpy(&a, job->a + lane, sizeof a), memcpy(&b, job->b + lane, sizeof b);
            memcpy(&shift, job->shift + lane, sizeof shift);
            v = (v - shift) * a + b;
            if (addend) nz_load16(&other, narrow, job->addend, from + lane), v += other;
            if (relu) nz_relu16(&v);
            nz_store16(&v, narrow, job->y, from + lane);
        }
    }
    if (job->lanes < job->stride) each_rest(job, begin, end, apply_element);
}

#define APPLY(name, narrow, relu, addend)                                                                              \
    NZ_CLONES static void name(void *argument, size_t begin, size_t end) {                                             \
        apply_rows(argument, (int64_t)begin, (int64_t)end, narrow, relu, addend);                                      \
    }
APPLY(apply_f32, false, false, false)
APPLY(apply_f32_a, false, false, true)
APPLY(apply_f32_r, false, true, false)
APPLY(apply_f32_ra, false, true, true)
APPLY(apply_bf16, true, false, false)
APPLY(apply_bf16_a, true, false, true)
APPLY(apply_bf16_r, true, true, false)
APPLY(apply_bf16_ra, true, true, true)

static void apply(norm_job *job) {
    static void (*const parts[2][2][2])(void *, size_t,
                                        size_t) = {{{apply_f32, apply_f32_a}, {apply_f32_r, apply_f32_ra}},
                                                   {{apply_bf16, apply_bf16_a}, {apply_bf16_r, apply_bf16_ra}}};
    const nz_train_norm *norm = job->norm;
    nz_parallel((size_t)job->rows, 1 + (size_t)(GRAIN / job->stride),
                parts[norm->dtype == NZ_BF16][norm->relu][job->addend != NULL], job);
    for (int64_t i = job->rows * job->stride; i < norm->rows * norm->channels; i++)
        apply_element(job, i, i % norm->channels);
}

static void back_element(const norm_job *job, int64_t i, int64_t lane) {
    float d = masked(job, i), off = get(job->norm, job->x, i) - job->shift[lane];
    if (job->daddend) put(job->norm, job->daddend, i, d);
    put(job->norm, job->dx, i, job->a[lane] * d + (job->b[lane] * off + job->c[lane]));
}

/* dx = a d + b (x - shift) + c. */
NZ_INLINE void back_rows(const norm_job *job, int64_t begin, int64_t end, bool narrow, bool relu, bool addend) {
    for (int64_t row = end - 1; row >= begin; row--) {
        int64_t from = row * job->stride;
        for (int64_t lane = 0; lane < job->lanes; lane += 16) {
            int64_t at = from + lane;
            nz_v16 d, x, y, a, b, c, shift;
            nz_load16(&d, narrow, job->dy, at), nz_load16(&x, narrow, job->x, at);
            if (relu) nz_load16(&y, narrow, job->y_mask, at), nz_mask16_by(&d, &y);
            memcpy(&a, job->a + lane, sizeof a), memcpy(&b, job->b + lane, sizeof b);
            memcpy(&c, job->c + lane, sizeof c), memcpy(&shift, job->shift + lane, sizeof shift);
            x = a * d + (b * (x - shift) + c);
            if (addend) nz_store16(&d, narrow, job->daddend, at);
            nz_store16(&x, narrow, job->dx, at);
        }
    }
    if (job->lanes < job->stride) each_rest(job, begin, end, back_element);
}

#define BACK(name, narrow, relu, addend)                                                                               \
    NZ_CLONES static void name(void *argument, size_t begin, size_t end) {                                             \
        back_rows(argument, (int64_t)begin, (int64_t)end, narrow, relu, addend);                                       \
    }
BACK(back_f32, false, false, false)
BACK(back_f32_a, false, false, true)
BACK(back_f32_r, false, true, false)
BACK(back_f32_ra, false, true, true)
BACK(back_bf16, true, false, false)
BACK(back_bf16_a, true, false, true)
BACK(back_bf16_r, true, true, false)
BACK(back_bf16_ra, true, true, true)

static void back(norm_job *job) {
    static void (*const parts[2][2][2])(void *, size_t, size_t) = {
        {{back_f32, back_f32_a}, {back_f32_r, back_f32_ra}}, {{back_bf16, back_bf16_a}, {back_bf16_r, back_bf16_ra}}};
    const nz_train_norm *norm = job->norm;
    nz_parallel((size_t)job->rows, 1 + (size_t)(GRAIN / job->stride),
                parts[norm->dtype == NZ_BF16][norm->relu][job->daddend != NULL], job);
    for (int64_t i = job->rows * job->stride; i < norm->rows * norm->channels; i++)
        back_element(job, i, i % norm->channels);
}

/* -- the layer ------------------------------------------------------------------------------------------------------- */

static void set_factors(norm_job *job, const float *gamma, const float *beta, const float *mean,
                        const float *variance) {
    for (int64_t c = 0; c < job->norm->channels; c++) {
        job->a[c] = (float)((double)gamma[c] / sqrt((double)variance[c] + (double)job->norm->epsilon));
        job->b[c] = beta[c];
        job->shift[c] = mean[c];
    }
    spread(job, job->a), spread(job, job->b), spread(job, job->shift);
}

/* Something near the mean: that of the first rows. */
static void set_shift(norm_job *job) {
    int64_t rows = job->norm->rows < SHIFT_ROWS ? job->norm->rows : SHIFT_ROWS, channels = job->norm->channels;
    for (int64_t c = 0; c < channels; c++) job->shift[c] = get(job->norm, job->x, c);
    for (int64_t row = 1; row < rows; row++)
        for (int64_t c = 0; c < channels; c++) job->shift[c] += get(job->norm, job->x, row * channels + c);
    for (int64_t c = 0; c < channels; c++) job->shift[c] *= 1.0F / (float)rows;
    spread(job, job->shift);
}

void nz_train_norm_apply(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                         const float *beta, const float *mean, const float *variance, void *y) {
    norm_job job = {.x = x, .addend = addend, .y = y};
    if (!plan(&job, norm)) {
        nz_train_ref_norm_apply(norm, x, addend, gamma, beta, mean, variance, y);
        return;
    }
    set_factors(&job, gamma, beta, mean, variance);
    apply(&job);
}

void nz_train_norm_forward(const nz_train_norm *norm, const void *x, const void *addend, const float *gamma,
                           const float *beta, void *y, float *mean, float *variance) {
    double sums[2][SUMS];
    norm_job job = {.x = x, .addend = addend, .y = y, .sums = {sums[0], sums[1]}};
    if (!plan(&job, norm)) {
        nz_train_ref_norm_forward(norm, x, addend, gamma, beta, y, mean, variance);
        return;
    }
    set_shift(&job);
    sum_all(&job, false);
    for (int64_t c = 0; c < norm->channels; c++) {
        double of[2];
        collect(&job, c, false, of);
        double off = of[0] / (double)norm->rows, spread_out = of[1] / (double)norm->rows - off * off;
        mean[c] = (float)((double)job.shift[c] + off);
        variance[c] = spread_out < 0 ? 0 : (float)spread_out;
    }
    set_factors(&job, gamma, beta, mean, variance);
    apply(&job);
}

void nz_train_norm_backward(const nz_train_norm *norm, const void *x, const void *y, const void *dy, const float *gamma,
                            const float *mean, const float *variance, bool frozen, void *dx, void *daddend,
                            float *dgamma, float *dbeta) {
    double sums[2][SUMS];
    norm_job job = {.x = x, .y_mask = y, .dy = dy, .dx = dx, .daddend = daddend, .sums = {sums[0], sums[1]}};
    if (!plan(&job, norm)) {
        nz_train_ref_norm_backward(norm, x, y, dy, gamma, mean, variance, frozen, dx, daddend, dgamma, dbeta);
        return;
    }
    memcpy(job.shift, mean, (size_t)norm->channels * sizeof(float));
    spread(&job, job.shift);
    sum_all(&job, true);
    for (int64_t c = 0; c < norm->channels; c++) {
        double of[2], inverse = 1 / sqrt((double)variance[c] + (double)norm->epsilon);
        collect(&job, c, true, of);
        double sum = of[0], product = of[1];
        double a = (double)gamma[c] * inverse;
        dgamma[c] = (float)(product * inverse);
        dbeta[c] = (float)sum;
        job.a[c] = (float)a;
        job.b[c] = frozen ? 0 : (float)(-a * inverse * inverse * product / (double)norm->rows);
        job.c[c] = frozen ? 0 : (float)(-a * sum / (double)norm->rows);
    }
    spread(&job, job.a), spread(&job, job.b), spread(&job, job.c);
    back(&job);
}
