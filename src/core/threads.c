/* SPDX-License-Identifier: Apache-2.0 */
#include "core/threads.h"

#include <sched.h>
#ifdef _OPENMP
#include <omp.h>
#else
/* A compiler without an OpenMP runtime builds a program that runs on one thread. */
static void omp_set_num_threads(int count) { (void)count; }
static int omp_get_max_threads(void) { return 1; }
static int omp_in_parallel(void) { return 0; }
static int omp_get_thread_num(void) { return 0; }
static int omp_get_num_threads(void) { return 1; }
#endif

void nz_threads_set(int count) { omp_set_num_threads(count < 1 ? 1 : count); }
int nz_threads_get(void) { return omp_get_max_threads(); }

int nz_threads_hardware(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count;
}

void nz_parallel(size_t count, size_t grain, void (*body)(void *argument, size_t begin, size_t end), void *argument) {
    size_t threads = (size_t)omp_get_max_threads(), useful = count / (grain ? grain : 1);
    if (threads > useful) threads = useful;
    if (threads < 2 || omp_in_parallel()) {
        if (count) body(argument, 0, count);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel num_threads((int)threads)
#endif
    {
        size_t t = (size_t)omp_get_thread_num(), n = (size_t)omp_get_num_threads();
        size_t begin = count * t / n, end = count * (t + 1) / n;
        if (begin < end) body(argument, begin, end);
    }
}
