/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>

#include "core/memory.h"
#include "netzip/measure.h"

uint64_t nz_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void nz_clock_facts_get(nz_clock_facts *ret_facts) {
    enum { ROUNDS = 101, READS = 200 };
    uint64_t cost[ROUNDS], smallest = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = nz_clock_ns(), before = begin, now = begin;
        for (int i = 0; i < READS; i++) {
            now = nz_clock_ns();
            if (now > before && now - before < smallest) smallest = now - before;
            before = now;
        }
        cost[round] = now - begin;
    }
    qsort(cost, ROUNDS, sizeof *cost, by_value);
    *ret_facts = (nz_clock_facts){.name = "CLOCK_MONOTONIC_RAW",
                                  .resolution_ns = (double)smallest,
                                  .overhead_ns = (double)cost[ROUNDS / 2] / READS};
}

/* Integer arithmetic whose length does not depend on data or on the compiler's vectorisation: each step needs the last. */
static uint64_t fixed_work(uint64_t x) {
    for (int i = 0; i < 50000; i++) x = x * 6364136223846793005u + 1442695040888963407u;
    return x;
}

void nz_noise_get(nz_noise *ret_noise) {
    enum { COUNT = 501 };
    static volatile uint64_t kept;
    uint64_t took[COUNT];
    for (int i = 0; i < 20; i++) kept = fixed_work(kept); /* wakes the CPU up */
    for (int i = 0; i < COUNT; i++) {
        uint64_t begin = nz_clock_ns();
        kept = fixed_work(kept);
        took[i] = nz_clock_ns() - begin;
    }
    qsort(took, COUNT, sizeof *took, by_value);
    double median = (double)took[COUNT / 2];
    *ret_noise = (nz_noise){.median_ns = median,
                            .spread_pct = 100 * (double)(took[COUNT * 9 / 10] - took[COUNT / 10]) / median,
                            .worst_pct = 100 * ((double)took[COUNT - 1] - median) / median,
                            .count = COUNT};
}
