/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/rate.h"

#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/memory.h"

enum { LEAST = 8, MOST = 400 };
static const uint64_t repetition_ns = 2000000;

static int by_time(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void nz_rate_from(nz_rate *rate, uint64_t *took_ns, size_t count, uint64_t work) {
    rate->count = count;
    rate->per_s = rate->median_per_s = rate->spread_pct = NAN;
    if (!count) return;
    qsort(took_ns, count, sizeof *took_ns, by_time);
    if (!took_ns[0]) return; /* shorter than the clock's step: no rate */
    double done = 1e9 * (double)work;
    rate->per_s = done / (double)took_ns[0];
    rate->median_per_s = done / (double)took_ns[count / 2];
    if (count >= 3) rate->spread_pct = 100 * (1 - (double)took_ns[0] / (double)took_ns[2]);
}

static nz_status repeat(uint64_t *ret_ns, nz_rate_pass pass, void *user, uint64_t passes) {
    uint64_t begin = nz_clock_ns();
    for (uint64_t i = 0; i < passes; i++) NZ_TRY(pass(user));
    *ret_ns = nz_clock_ns() - begin;
    return NZ_OK;
}

nz_status nz_rate_measure(nz_rate *rate, nz_rate_pass pass, void *user, double seconds) {
    uint64_t took[MOST], once, passes = 1, begin = nz_clock_ns(), budget = (uint64_t)(seconds * 1e9);
    NZ_TRY(repeat(&once, pass, user, 1)); /* pages come, code is made, the clock rises */
    NZ_TRY(repeat(&once, pass, user, 1));
    if (once > budget) { /* a very slow machine: one is all there is time for, and no spread is known */
        nz_rate_from(rate, &once, 1, rate->work);
        return NZ_OK;
    }
    while (once < repetition_ns && passes < 1u << 20) {
        passes *= 2;
        NZ_TRY(repeat(&once, pass, user, passes));
    }
    for (size_t count = 0; count < MOST;) {
        NZ_TRY(repeat(&took[count], pass, user, passes));
        count++;
        bool spent = nz_clock_ns() - begin > budget;
        /* Sorting is for the looks: order does not matter to what is kept. */
        nz_rate_from(rate, took, count, rate->work * passes);
        if (count >= LEAST && (rate->spread_pct <= 1 || spent)) break;
        if (count >= 3 && nz_clock_ns() - begin > 4 * budget) break; /* a pass is long: fewer must do */
    }
    return NZ_OK;
}
