/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes a second from memory and caches: simple loops over arrays, as wide as the CPU's registers are. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/threads.h"
#include "measure/rate.h"

/* Four sums hide the latency of an addition. The vector types compile on every architecture, to several registers each where
 * the machine's are narrower. */
typedef uint64_t lanes __attribute__((vector_size(64), may_alias));

#define SUM_BODY                                                                                                       \
    lanes a = {0}, b = {0}, c = {0}, d = {0};                                                                          \
    for (size_t i = 0; i + 4 <= count; i += 4) {                                                                       \
        a += data[i];                                                                                                  \
        b += data[i + 1];                                                                                              \
        c += data[i + 2];                                                                                              \
        d += data[i + 3];                                                                                              \
    }                                                                                                                  \
    a += b + c + d;                                                                                                    \
    return a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];

static uint64_t sum_plain(const lanes *data, size_t count) { SUM_BODY }
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx512f"))) static uint64_t sum_avx512(const lanes *data, size_t count) { SUM_BODY }
__attribute__((target("avx2"))) static uint64_t sum_avx2(const lanes *data, size_t count) { SUM_BODY }
#endif

static uint64_t (*widest_sum(void))(const lanes *data, size_t count) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f")) return sum_avx512;
    if (__builtin_cpu_supports("avx2")) return sum_avx2;
#endif
    return sum_plain;
}

typedef struct arrays {
    nz_peak_memory what;
    size_t bytes;    /* of each array */
    char *a, *b, *c; /* b and c NULL where they are not used */
    size_t rounds;   /* of a cache: how often its part is read in one pass */
    size_t thread_bytes;
    uint64_t (*sum)(const lanes *data, size_t count);
} arrays;

static void arrays_done(arrays *w) {
    free(w->a);
    free(w->b);
    free(w->c);
}

/* Units of 4 KiB, so that parts of threads share no line. */
enum { UNIT = 4096 };
static volatile uint64_t kept;

static void touch(void *argument, size_t begin, size_t end) {
    arrays *w = argument;
    memset(w->a + begin * UNIT, 1, (end - begin) * UNIT);
    if (w->b) memset(w->b + begin * UNIT, 2, (end - begin) * UNIT);
    if (w->c) memset(w->c + begin * UNIT, 3, (end - begin) * UNIT);
}

static void triad(float *restrict a, const float *restrict b, const float *restrict c, size_t count) {
    for (size_t i = 0; i < count; i++) a[i] = b[i] + 3.0F * c[i];
}

static void work(void *argument, size_t begin, size_t end) {
    const arrays *w = argument;
    size_t at = begin * UNIT, bytes = (end - begin) * UNIT;
    if (w->what == NZ_PEAK_COPY)
        memcpy(w->a + at, w->b + at, bytes);
    else if (w->what == NZ_PEAK_TRIAD)
        triad((float *)(void *)(w->a + at), (const float *)(void *)(w->b + at), (const float *)(void *)(w->c + at),
              bytes / sizeof(float));
    else {
        uint64_t total = 0;
        for (size_t i = 0; i < w->rounds; i++)
            total += w->sum((const lanes *)(void *)(w->a + at), bytes / sizeof(lanes));
        kept = total;
    }
}

static nz_status pass(void *user) {
    arrays *w = user;
    nz_parallel(w->bytes / UNIT, 1, work, w);
    return NZ_OK;
}

static nz_status arrays_init(arrays *w) {
    NZ_TRY(nz_alloc_aligned(&w->a, w->bytes, 1));
    if (w->what == NZ_PEAK_COPY || w->what == NZ_PEAK_TRIAD) NZ_TRY(nz_alloc_aligned(&w->b, w->bytes, 1));
    if (w->what == NZ_PEAK_TRIAD) NZ_TRY(nz_alloc_aligned(&w->c, w->bytes, 1));
    nz_parallel(w->bytes / UNIT, 1, touch, w); /* pages lie near the thread that uses them */
    return NZ_OK;
}

static nz_status measure(nz_rate *rate, arrays *w, double seconds) {
    static const int counted[NZ_PEAK_MEMORY] = {[NZ_PEAK_COPY] = 2, [NZ_PEAK_TRIAD] = 3};
    NZ_TRY(arrays_init(w));
    w->sum = widest_sum();
    rate->work = (uint64_t)w->bytes * (counted[w->what] ? (unsigned)counted[w->what] : w->rounds);
    return nz_rate_measure(rate, pass, w, seconds);
}

/* Four times the last cache for each thread, so that next to nothing of a pass is found there, even where threads have last
 * caches of their own; less where memory is short. */
static size_t array_bytes(const nz_hardware *hardware, int threads, const nz_memory_machine *memory) {
    uint64_t last = hardware->l3_bytes ? hardware->l3_bytes : hardware->l2_bytes;
    uint64_t wanted = 4 * last * (uint64_t)(threads < 4 ? threads : 4), most = memory->available_bytes / 8;
    if (wanted < 64u << 20) wanted = 64u << 20;
    if (wanted > 1024u << 20) wanted = 4 * last > 1024u << 20 ? 4 * last : 1024u << 20;
    if (hardware->memory_limit_bytes && most > hardware->memory_limit_bytes / 8)
        most = hardware->memory_limit_bytes / 8;
    if (wanted > most) wanted = most;
    return (size_t)wanted / UNIT * UNIT;
}

static void refuse(nz_rate *rate, const char *reason) {
    *rate = (nz_rate){.per_s = NAN, .spread_pct = NAN, .median_per_s = NAN};
    snprintf(rate->reason, sizeof rate->reason, "%s", reason);
}

static nz_status large(nz_rate *rate, nz_peak_memory what, size_t bytes, const nz_hardware *hardware, double seconds) {
    uint64_t last = hardware->l3_bytes ? hardware->l3_bytes : hardware->l2_bytes;
    NZ_AUTO(arrays_done) arrays w = {.what = what, .bytes = bytes, .rounds = 1};
    *rate = (nz_rate){0};
    int at = snprintf(rate->how, sizeof rate->how, "%d x %zu MiB",
                      what == NZ_PEAK_READ   ? 1
                      : what == NZ_PEAK_COPY ? 2
                                             : 3,
                      bytes >> 20);
    if (!last)
        snprintf(rate->how + at, sizeof rate->how - (size_t)at, ", size of the caches unknown");
    else if (bytes < 4 * last)
        snprintf(rate->how + at, sizeof rate->how - (size_t)at, ", only %.1f times the last cache: no memory for more",
                 (double)bytes / (double)last);
    return measure(rate, &w, seconds);
}

/* Half of a cache for each thread: the other half is for what else runs. The third level is shared by all. */
static nz_status cached(nz_rate *rate, nz_peak_memory what, const nz_hardware *hardware, int threads, double seconds) {
    uint64_t size[] = {hardware->l1d_bytes, hardware->l2_bytes, hardware->l3_bytes};
    static const char *const unknown = "the size of this cache is unknown";
    uint64_t cache = size[what - NZ_PEAK_L1], part = cache / 2;
    if (what == NZ_PEAK_L3) part /= (uint64_t)threads;
    part = part / UNIT * UNIT;
    if (!part) {
        refuse(rate, unknown);
        return NZ_OK;
    }
    NZ_AUTO(arrays_done)
    arrays w = {.what = what,
                .bytes = (size_t)part * (size_t)threads,
                .rounds = (size_t)(part < 4u << 20 ? (4u << 20) / part : 1)};
    *rate = (nz_rate){0};
    snprintf(rate->how, sizeof rate->how, "%llu KiB of %llu KiB%s", (unsigned long long)part >> 10,
             (unsigned long long)cache >> 10, threads > 1 ? " by each thread" : "");
    return measure(rate, &w, seconds);
}

nz_status nz_peak_memory_get(nz_peaks *peaks, const nz_hardware *hardware, double seconds,
                             const nz_progress *progress) {
    nz_memory_machine machine;
    size_t bytes = nz_memory_machine_get(&machine, NULL) == NZ_OK ? array_bytes(hardware, peaks->threads, &machine) : 0;
    for (nz_peak_memory what = 0; what < NZ_PEAK_MEMORY; what++) {
        if (progress && progress->step && progress->step(progress->user, "memory bandwidth", what, NZ_PEAK_MEMORY))
            return nz_fail(NZ_E_CANCELLED, "cancelled while memory was measured");
        if (what >= NZ_PEAK_L1)
            NZ_TRY(cached(&peaks->memory[what], what, hardware, peaks->threads, seconds / 2));
        else if (bytes < 4u << 20)
            refuse(&peaks->memory[what], "memory is too short for arrays that no cache holds");
        else
            NZ_TRY(large(&peaks->memory[what], what, bytes, hardware, seconds));
    }
    return NZ_OK;
}
