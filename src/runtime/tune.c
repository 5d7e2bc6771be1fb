/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses how a convolution is computed by measuring each way once, with its weights as cold as they are in a whole run. */
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/random.h"
#include "core/threads.h"
#include "runtime/tune.h"

enum { FLUSH_MOST = 64 << 20, ROUNDS = 5 };

typedef struct bench {
    float *src, *src1, *dst, *scratch;
    const nz_graph *graph;
} bench;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void read_range(void *argument, size_t begin, size_t end) {
    const unsigned char *bytes = argument;
    unsigned char sum = 0;
    for (size_t i = begin; i < end; i++) sum = (unsigned char)(sum + bytes[i * 64]);
    __asm__ volatile("" : : "r"(sum)); /* the reading is the point */
}

void nz_tune_cool(const nz_graph *graph) {
    size_t left = FLUSH_MOST;
    for (size_t v = 0; v < graph->value_count && left; v++) {
        const nz_tensor *t = &graph->values[v].constant;
        size_t bytes = t->data && t->bytes < left ? t->bytes : t->data ? left : 0;
        nz_parallel(bytes / 64, 1024, read_range, t->data);
        left -= bytes;
    }
}

static nz_status fill(float **ret_data, const nz_mem *mem) {
    size_t count = nz_mem_bytes(mem) / sizeof(float);
    nz_random random;
    nz_random_init(&random, 1, 0);
    NZ_TRY(nz_alloc_aligned(ret_data, count, sizeof(float)));
    for (size_t i = 0; i < count; i++) (*ret_data)[i] = (float)nz_random_unit(&random);
    return NZ_OK;
}

static nz_status time_kernel(bench *b, nz_kernel *kernel, double *ret_ms) {
    NZ_AUTO_FREE void *scratch = NULL;
    NZ_TRY(nz_alloc_aligned(&scratch, kernel->scratch_bytes, 1));
    kernel->bind(kernel, NZ_ARG_SRC, b->src);
    kernel->bind(kernel, NZ_ARG_SRC1, b->src1);
    kernel->bind(kernel, NZ_ARG_DST, b->dst);
    kernel->bind(kernel, NZ_ARG_SCRATCH, scratch);
    double best = 1e30;
    NZ_TRY(kernel->run(kernel));
    for (int i = 0; i < ROUNDS; i++) {
        nz_tune_cool(b->graph);
        double before = now_ms();
        NZ_TRY(kernel->run(kernel));
        double taken = now_ms() - before;
        best = taken < best ? taken : best;
    }
    *ret_ms = best;
    return NZ_OK;
}

static nz_status choose(nz_algorithm *ret_algorithm, bench *b, const nz_kernel_desc *desc) {
    double best = 1e30;
    nz_algorithm chosen = NZ_ALGORITHM_AUTO;
    NZ_TRY(fill(&b->src, &desc->src));
    NZ_TRY(fill(&b->dst, &desc->dst));
    if (desc->src1.rank) NZ_TRY(fill(&b->src1, &desc->src1));
    for (nz_algorithm a = NZ_ALGORITHM_GENERAL; a < NZ_ALGORITHM_END; a++) {
        nz_kernel_desc candidate = *desc;
        nz_kernel *kernel = NULL;
        double taken = 0;
        candidate.algorithm = a;
        if (!nz_kernel_plausible(&candidate)) continue;
        nz_status status = nz_kernel_new_algorithm(&kernel, &candidate);
        if (status == NZ_E_UNSUPPORTED) continue;
        NZ_TRY(status);
        status = time_kernel(b, kernel, &taken);
        nz_kernel_free(kernel);
        NZ_TRY(status);
        if (taken < best) best = taken, chosen = a;
    }
    *ret_algorithm = chosen;
    return NZ_OK;
}

static bool same_problem(const nz_tuned *t, const nz_kernel_desc *desc) {
    return nz_mem_same(&t->src, &desc->src) && nz_mem_same(&t->dst, &desc->dst) &&
           memcmp(&t->window, &desc->window, sizeof t->window) == 0 && t->groups == desc->groups &&
           t->post_count == desc->post_count;
}

nz_status nz_tune(nz_tuner *tuner, const nz_kernel_desc *desc, nz_algorithm *ret_algorithm) {
    for (size_t i = 0; i < tuner->count; i++)
        if (same_problem(&tuner->known[i], desc)) {
            *ret_algorithm = tuner->known[i].algorithm;
            return NZ_OK;
        }
    nz_algorithm algorithm = NZ_ALGORITHM_AUTO;
    bench b = {.graph = tuner->graph};
    nz_status status = choose(&algorithm, &b, desc);
    free(b.src);
    free(b.src1);
    free(b.dst);
    NZ_TRY(status);
    NZ_TRY(nz_grow(&tuner->known, &tuner->capacity, tuner->count + 1, sizeof *tuner->known));
    tuner->known[tuner->count++] =
        (nz_tuned){desc->src, desc->dst, desc->window, desc->groups, desc->post_count, algorithm};
    *ret_algorithm = algorithm;
    return NZ_OK;
}
