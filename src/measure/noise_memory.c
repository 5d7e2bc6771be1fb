/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"
#include "netzip/peak.h"

/* Keeps the sums from being left out. */
static volatile uint64_t kept;

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t pass(const uint64_t *data, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += data[i];
    return sum;
}

nz_status nz_noise_memory_get(nz_noise *ret_noise, const nz_hardware *hardware) {
    enum { MOST = 101 };
    NZ_AUTO_FREE uint64_t *data = NULL;
    uint64_t took[MOST], last = hardware->l3_bytes ? hardware->l3_bytes : hardware->l2_bytes, bytes = 2 * last;
    if (bytes < 16u << 20) bytes = 16u << 20;
    if (bytes > 256u << 20) bytes = 256u << 20;
    size_t words = (size_t)(bytes / sizeof *data), count = 0;
    NZ_TRY(nz_alloc_aligned(&data, words, sizeof *data));
    for (size_t i = 0; i < words; i++) data[i] = i;
    kept += pass(data, words);
    uint64_t began = nz_clock_ns();
    while (count < MOST && (count < 11 || nz_clock_ns() - began < 200000000u)) {
        uint64_t begin = nz_clock_ns();
        kept += pass(data, words);
        took[count++] = nz_clock_ns() - begin;
    }
    qsort(took, count, sizeof *took, by_value);
    double median = (double)took[count / 2];
    *ret_noise = (nz_noise){.median_ns = median,
                            .spread_pct = 100 * (double)(took[count * 9 / 10] - took[count / 10]) / median,
                            .worst_pct = 100 * ((double)took[count - 1] - median) / median,
                            .count = count};
    return NZ_OK;
}
