/* SPDX-License-Identifier: Apache-2.0 */
#include "netzip/peak.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/threads.h"
#include "measure/rate.h"

const char *nz_peak_type_name(nz_peak_type type) {
    static const char *const names[NZ_PEAK_TYPES] = {"FP32", "BF16", "INT8"};
    return names[type];
}

const char *nz_peak_memory_name(nz_peak_memory memory) {
    static const char *const names[NZ_PEAK_MEMORY] = {"read", "copy", "triad", "l1", "l2", "l3"};
    return names[memory];
}

static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += length)
        if ((p == list || p[-1] == ' ') && (p[length] == ' ' || !p[length])) return true;
    return false;
}

/* Names as in /proc/cpuinfo; "bf16" alone is Arm's. */
static const struct {
    const char *name;
    nz_peak_type type;
} products[] = {
    {"avx512_bf16", NZ_PEAK_BF16}, {"amx_bf16", NZ_PEAK_BF16}, {"bf16", NZ_PEAK_BF16},    {"avx512_vnni", NZ_PEAK_INT8},
    {"avx_vnni", NZ_PEAK_INT8},    {"amx_int8", NZ_PEAK_INT8}, {"asimddp", NZ_PEAK_INT8}, {"i8mm", NZ_PEAK_INT8},
};

bool nz_peak_native(const char *isa, nz_peak_type type) {
    bool native = type == NZ_PEAK_FP32;
    for (size_t i = 0; i < NZ_COUNT(products); i++)
        native = native || (products[i].type == type && has_word(isa, products[i].name));
    return native;
}

/* Two units of so many lanes, 2 operations each; sve's width is not told by its name. */
double nz_peak_fp32_per_cycle(const char *isa) {
    if (has_word(isa, "avx512f")) return 64;
    if (has_word(isa, "avx2") && has_word(isa, "fma")) return 32;
    if (has_word(isa, "avx")) return 16;
    if (has_word(isa, "sse4_2")) return 8;
    if (has_word(isa, "asimd") && !has_word(isa, "sve")) return 16;
    return NAN;
}

double nz_clock_rate_hz(void) {
    enum { TIMES = 15, STEPS = 20000 };
    uint64_t best = UINT64_MAX, x = 1, y = 3;
    for (int i = 0; i < TIMES; i++) {
        uint64_t begin = nz_clock_ns();
        for (int step = 0; step < STEPS; step++) {
            /* Ten additions of two registers, each of which needs the last; the compiler may not join them. */
#define ADD                                                                                                            \
    x += y;                                                                                                            \
    __asm__ volatile("" : "+r"(x), "+r"(y));
            ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD
#undef ADD
        }
        uint64_t took = nz_clock_ns() - begin;
        if (took < best) best = took;
    }
    return best && best < UINT64_MAX ? 1e9 * 10 * STEPS / (double)best : NAN;
}

static nz_status measure_ops(nz_peaks *peaks, double seconds, const nz_progress *progress) {
    for (nz_peak_type type = 0; type < NZ_PEAK_TYPES; type++) {
        if (progress && progress->step && progress->step(progress->user, "arithmetic", type, NZ_PEAK_TYPES))
            return nz_fail(NZ_E_CANCELLED, "cancelled while the peak rates were measured");
        NZ_TRY(nz_peak_ops_get(&peaks->ops[type], type, seconds));
    }
    return NZ_OK;
}

nz_status nz_peaks_get(nz_peaks *ret_peaks, const nz_hardware *hardware, int threads, double seconds,
                       const nz_progress *progress) {
    if (threads < 1 || !(seconds > 0)) return nz_fail(NZ_E_ARG, "peak rates need at least one thread and some time");
    int before = nz_threads_get(), most = nz_threads_hardware();
    uint64_t begin = nz_clock_ns();
    nz_peaks peaks = {.threads = threads < most ? threads : most};
    for (nz_peak_type type = 0; type < NZ_PEAK_TYPES; type++)
        peaks.emulated[type] = !nz_peak_native(hardware->isa, type);
    peaks.fp32_most = nz_peak_fp32_per_cycle(hardware->isa);
    nz_threads_set(peaks.threads);
    nz_status status = measure_ops(&peaks, seconds, progress);
    peaks.clock_hz = nz_clock_rate_hz();
    if (status == NZ_OK) status = nz_peak_memory_get(&peaks, hardware, seconds, progress);
    nz_threads_set(before);
    NZ_TRY(status);
    peaks.fp32_per_cycle = peaks.ops[NZ_PEAK_FP32].per_s / peaks.threads / peaks.clock_hz;
    peaks.seconds = (double)(nz_clock_ns() - begin) * 1e-9;
    *ret_peaks = peaks;
    return NZ_OK;
}
