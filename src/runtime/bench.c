/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bench.h"

#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/threads.h"
#include "runtime/plan.h"
#include "runtime/runtime_internal.h"
#include "runtime/tune.h"

enum { REPEATS = 21 };

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

nz_status nz_bench_convolutions(nz_session *session, const nz_tensor *inputs, nz_tensor *outputs, double *ret_ms) {
    const nz_plan *plan = session->plan;
    double sum = 0, times[REPEATS];
    if (session->runtime != &nz_runtime_native) return nz_fail(NZ_E_ARG, "only native sessions can be taken apart");
    NZ_TRY(nz_session_run(session, inputs, outputs));
    int threads_before = nz_threads_get();
    nz_threads_set(session->threads);
    for (size_t s = 0; s < plan->step_count; s++) {
        nz_step *step = &plan->steps[s];
        if (strcmp(step->op, "Conv") != 0 && strcmp(step->op, "ConvTranspose") != 0) continue;
        for (int i = 0; i < REPEATS; i++) {
            nz_tune_cool(plan->graph);
            double before = now_ms();
            NZ_TRY(step->kind->run(step));
            times[i] = now_ms() - before;
        }
        qsort(times, REPEATS, sizeof *times, ascending);
        sum += times[REPEATS / 2];
    }
    nz_threads_set(threads_before);
    *ret_ms = sum;
    return NZ_OK;
}
