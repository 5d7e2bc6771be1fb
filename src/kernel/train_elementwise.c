/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element: Relu, addition, conversion, change of layout, and the updates of parameters. */
#include <math.h>

#include "core/threads.h"
#include "kernel/own.h"
#include "kernel/train.h"
#include "kernel/train_bf16.h"

enum { GRAIN = 8192, TILE = 32, SUM_BLOCK = 4096, SUM_BLOCKS = 256 };

/* -- maps of elements to elements --------------------------------------------------------------------------------- */

typedef struct map_job {
    const void *a, *b;
    void *y;
} map_job;

/* One loop per type: `expression` of the floats a and b. */
#define MAP(name, expression)                                                                                          \
    NZ_CLONES static void name##_f32(void *argument, size_t begin, size_t end) {                                       \
        const map_job *job = argument;                                                                                 \
        const float *pa = job->a, *pb = job->b;                                                                        \
        float *y = job->y;                                                                                             \
        for (size_t i = begin; i < end; i++) {                                                                         \
            float a = pa[i], b = pb[i];                                                                                \
            y[i] = expression;                                                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    NZ_CLONES static void name##_bf16(void *argument, size_t begin, size_t end) {                                      \
        const map_job *job = argument;                                                                                 \
        const uint16_t *pa = job->a, *pb = job->b;                                                                     \
        uint16_t *y = job->y;                                                                                          \
        for (size_t i = begin; i < end; i++) {                                                                         \
            float a = nz_from_bf16(pa[i]), b = nz_from_bf16(pb[i]);                                                    \
            y[i] = nz_to_bf16(expression);                                                                             \
        }                                                                                                              \
    }
MAP(relu, b < 0 ? 0.0F : a)
MAP(mask, a > 0 ? b : 0.0F)
MAP(sum, a + b)

void nz_train_relu(nz_dtype dtype, const void *x, void *y, size_t n) {
    nz_parallel(n, GRAIN, dtype == NZ_BF16 ? relu_bf16 : relu_f32, &(map_job){x, x, y});
}

void nz_train_relu_backward(nz_dtype dtype, const void *y, const void *dy, void *dx, size_t n) {
    nz_parallel(n, GRAIN, dtype == NZ_BF16 ? mask_bf16 : mask_f32, &(map_job){y, dy, dx});
}

void nz_train_add(nz_dtype dtype, const void *a, const void *b, void *y, size_t n) {
    nz_parallel(n, GRAIN, dtype == NZ_BF16 ? sum_bf16 : sum_f32, &(map_job){a, b, y});
}

NZ_CLONES static void widen(void *argument, size_t begin, size_t end) {
    const map_job *job = argument;
    const uint16_t *x = job->a;
    float *y = job->y;
    for (size_t i = begin; i < end; i++) y[i] = nz_from_bf16(x[i]);
}

NZ_CLONES static void narrow(void *argument, size_t begin, size_t end) {
    const map_job *job = argument;
    const float *x = job->a;
    uint16_t *y = job->y;
    for (size_t i = begin; i < end; i++) y[i] = nz_to_bf16(x[i]);
}

static void copy_bytes(void *argument, size_t begin, size_t end) {
    const map_job *job = argument;
    memcpy((char *)job->y + begin, (const char *)job->a + begin, end - begin);
}

void nz_train_convert(nz_dtype from, const void *x, nz_dtype to, void *y, size_t n) {
    map_job job = {x, NULL, y};
    if (from == to)
        nz_parallel(n * (from == NZ_BF16 ? 2 : 4), GRAIN * 4, copy_bytes, &job);
    else
        nz_parallel(n, GRAIN, from == NZ_BF16 ? widen : narrow, &job);
}

/* -- layout: for every image a [rows, columns] matrix becomes [columns, rows] ---------------------------------------- */

typedef struct transpose_job {
    const void *x;
    void *y;
    int64_t rows, columns;
} transpose_job;

/* Index: images x blocks of TILE columns, so that both sides are walked in runs that stay in the cache. */
#define TRANSPOSE(name, from_type, to_type, convert)                                                                   \
    NZ_CLONES static void name(void *argument, size_t begin, size_t end) {                                             \
        const transpose_job *job = argument;                                                                           \
        int64_t rows = job->rows, columns = job->columns, blocks = (columns + TILE - 1) / TILE;                        \
        for (size_t index = begin; index < end; index++) {                                                             \
            int64_t image = (int64_t)index / blocks, first = (int64_t)index % blocks * TILE;                           \
            int64_t last = first + TILE < columns ? first + TILE : columns;                                            \
            const from_type *x = (const from_type *)job->x + image * rows * columns;                                   \
            to_type *y = (to_type *)job->y + image * rows * columns;                                                   \
            for (int64_t r0 = 0; r0 < rows; r0 += TILE) {                                                              \
                int64_t r1 = r0 + TILE < rows ? r0 + TILE : rows;                                                      \
                for (int64_t c = first; c < last; c++)                                                                 \
                    for (int64_t r = r0; r < r1; r++) y[c * rows + r] = convert(x[r * columns + c]);                   \
            }                                                                                                          \
        }                                                                                                              \
    }
#define SAME(x) (x)
TRANSPOSE(turn_4, float, float, SAME)
TRANSPOSE(turn_2, uint16_t, uint16_t, SAME)
TRANSPOSE(turn_narrow, float, uint16_t, nz_to_bf16)
TRANSPOSE(turn_widen, uint16_t, float, nz_from_bf16)

static void turn(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t rows, int64_t columns) {
    transpose_job job = {x, y, rows, columns};
    size_t count = (size_t)(batch * ((columns + TILE - 1) / TILE)), work = (size_t)rows * TILE;
    nz_parallel(count, 1 + GRAIN / (work + 1),
                from == to ? (from == NZ_BF16 ? turn_2 : turn_4) : (from == NZ_BF16 ? turn_widen : turn_narrow), &job);
}

void nz_train_to_channels_last(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                               int64_t spatial) {
    turn(from, x, to, y, batch, channels, spatial);
}

void nz_train_to_plain(nz_dtype from, const void *x, nz_dtype to, void *y, int64_t batch, int64_t channels,
                       int64_t spatial) {
    turn(from, x, to, y, batch, spatial, channels);
}

/* -- updates ----------------------------------------------------------------------------------------------------- */

typedef struct update_job {
    const nz_train_sgd *sgd;
    const nz_train_adamw *adamw;
    float *w, *m, *v;
    const float *g, *mask;
    float correction, root; /* AdamW: lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
} update_job;

NZ_CLONES static void sgd_part(void *argument, size_t begin, size_t end) {
    const update_job *job = argument;
    const float lr = job->sgd->lr, decay = job->sgd->decay, scale = job->sgd->gradient_scale;
    /* What is taken of the momentum before, and what of gradient and momentum makes the step. */
    const float kept = job->sgd->first ? 0 : job->sgd->momentum, ahead = job->sgd->nesterov ? job->sgd->momentum : 1;
    const float direct = job->sgd->nesterov ? 1 : 0;
    float *w = job->w, *m = job->m;
    const float *g = job->g;
    if (!m) {
        for (size_t i = begin; i < end; i++) w[i] -= lr * (scale * g[i] + decay * w[i]);
    } else if (job->sgd->first) { /* m may hold anything, NaN too */
        for (size_t i = begin; i < end; i++) {
            float gradient = scale * g[i] + decay * w[i];
            m[i] = gradient;
            w[i] -= lr * (direct * gradient + ahead * gradient);
        }
    } else {
        for (size_t i = begin; i < end; i++) {
            float gradient = scale * g[i] + decay * w[i], momentum = kept * m[i] + gradient;
            m[i] = momentum;
            w[i] -= lr * (direct * gradient + ahead * momentum);
        }
    }
    if (job->mask)
        for (size_t i = begin; i < end; i++) w[i] = job->mask[i] != 0 ? w[i] : 0.0F;
}

void nz_train_sgd_update(const nz_train_sgd *sgd, float *w, const float *g, float *m, const float *mask, size_t n) {
    nz_parallel(n, GRAIN, sgd_part, &(update_job){.sgd = sgd, .w = w, .g = g, .m = m, .mask = mask});
}

NZ_CLONES static void adamw_part(void *argument, size_t begin, size_t end) {
    const update_job *job = argument;
    const nz_train_adamw *a = job->adamw;
    const float b1 = a->beta1, b2 = a->beta2, new1 = 1 - b1, new2 = 1 - b2, epsilon = a->epsilon;
    const float kept = 1 - a->lr * a->decay, scale = a->gradient_scale;
    float *w = job->w, *m = job->m, *v = job->v;
    const float *g = job->g;
    for (size_t i = begin; i < end; i++) {
        float gradient = scale * g[i], first = b1 * m[i] + new1 * gradient,
              second = b2 * v[i] + new2 * gradient * gradient;
        m[i] = first;
        v[i] = second;
        w[i] = kept * w[i] - job->correction * first / (sqrtf(second) * job->root + epsilon);
    }
    if (job->mask)
        for (size_t i = begin; i < end; i++) w[i] = job->mask[i] != 0 ? w[i] : 0.0F;
}

void nz_train_adamw_update(const nz_train_adamw *adamw, float *w, const float *g, float *m, float *v, const float *mask,
                           size_t n) {
    double first = 1 - pow((double)adamw->beta1, (double)adamw->step);
    double second = 1 - pow((double)adamw->beta2, (double)adamw->step);
    update_job job = {.adamw = adamw, .w = w, .g = g, .m = m, .v = v, .mask = mask};
    job.correction = (float)((double)adamw->lr / first);
    job.root = (float)(1 / sqrt(second));
    nz_parallel(n, GRAIN, adamw_part, &job);
}

typedef struct square_job {
    const float *x;
    size_t n, size; /* elements of one block */
    double sums[SUM_BLOCKS];
} square_job;

NZ_CLONES static void square_part(void *argument, size_t begin, size_t end) {
    square_job *job = argument;
    for (size_t block = begin; block < end; block++) {
        size_t last = (block + 1) * job->size < job->n ? (block + 1) * job->size : job->n;
        double sums[16] = {0};
        size_t i = block * job->size;
        for (; i + 16 <= last; i += 16)
            for (size_t k = 0; k < 16; k++) sums[k] += (double)job->x[i + k] * (double)job->x[i + k];
        for (; i < last; i++) sums[0] += (double)job->x[i] * (double)job->x[i];
        double sum = 0;
        for (size_t k = 0; k < 16; k++) sum += sums[k];
        job->sums[block] = sum;
    }
}

/* Blocks do not depend on the number of threads, so neither does the sum. */
double nz_train_square_sum(const float *x, size_t n) {
    square_job job = {.x = x, .n = n, .size = (n + SUM_BLOCKS - 1) / SUM_BLOCKS};
    if (job.size < SUM_BLOCK) job.size = SUM_BLOCK;
    size_t blocks = (n + job.size - 1) / job.size;
    double sum = 0;
    nz_parallel(blocks, 2, square_part, &job);
    for (size_t i = 0; i < blocks; i++) sum += job.sums[i];
    return isfinite(sum) ? sum : (double)NAN;
}
