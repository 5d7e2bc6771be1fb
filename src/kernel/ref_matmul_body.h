/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix product for one element type. Included by ref_matmul.c once per type, with T and NAME(x) defined. */

typedef struct NAME(job) {
    const nz_ref_matmul *shape;
    const T *a, *b;
    T *c;
} NAME(job);

/* A row times a matrix whose rows lie along k: dot products in `LANES` running sums, which vectorise. */
static void NAME(row_by_transposed)(const nz_ref_matmul *s, const T *a, int64_t a_step, const T *b, T *c) {
    for (int64_t j = 0; j < s->n; j++) {
        const T *column = b + j * s->k;
        T sums[LANES] = {0}, sum = 0;
        int64_t k = 0;
        if (a_step == 1)
            for (; k + LANES <= s->k; k += LANES)
                for (int lane = 0; lane < LANES; lane++) sums[lane] += a[k + lane] * column[k + lane];
        for (; k < s->k; k++) sum += a[k * a_step] * column[k];
        for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
        c[j] = sum;
    }
}

static void NAME(matmul_part)(void *argument, size_t begin, size_t end) {
    const NAME(job) *job = argument;
    const nz_ref_matmul *s = job->shape;
    int64_t a_row = s->a_transposed ? 1 : s->k, a_step = s->a_transposed ? s->m : 1;
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        const T *a = job->a + i * a_row;
        T *c = job->c + i * s->n;
        if (s->b_transposed) {
            NAME(row_by_transposed)(s, a, a_step, job->b, c);
            continue;
        }
        for (int64_t from = 0; from < s->n; from += PANEL) {
            int64_t count = s->n - from < PANEL ? s->n - from : PANEL;
            for (int64_t j = 0; j < count; j++) c[from + j] = 0;
            for (int64_t k = 0; k < s->k; k++) {
                T weight = a[k * a_step];
                const T *b = job->b + k * s->n + from;
                for (int64_t j = 0; j < count; j++) c[from + j] += weight * b[j];
            }
        }
    }
}

static void NAME(matmul)(const nz_ref_matmul *shape, const T *a, const T *b, T *c) {
    NAME(job) job = {shape, a, b, c};
    nz_parallel((size_t)shape->m, 1, NAME(matmul_part), &job);
}
