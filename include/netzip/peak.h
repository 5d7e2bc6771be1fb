/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The roof over every latency on this machine: how many operations a second a well-tuned library reaches here by number
 * type, and how many bytes a second come from memory. Measured, not looked up; docs/doctor.md says how.
 */
#ifndef NETZIP_PEAK_H
#define NETZIP_PEAK_H

#include "netzip/measure.h"
#include "netzip/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nz_peak_type { NZ_PEAK_FP32, NZ_PEAK_BF16, NZ_PEAK_INT8, NZ_PEAK_TYPES } nz_peak_type;
typedef enum nz_peak_memory {
    NZ_PEAK_READ,  /**< every byte of an array once */
    NZ_PEAK_COPY,  /**< one array to another, as the C library copies; counts what is read and what is written */
    NZ_PEAK_TRIAD, /**< a[i] = b[i] + s c[i] in floats; counts two arrays read and one written */
    NZ_PEAK_L1,    /**< reads of half of a CPU's first-level data cache; L2, L3 alike */
    NZ_PEAK_L2,
    NZ_PEAK_L3,
    NZ_PEAK_MEMORY
} nz_peak_memory;

/** A rate that was measured several times. */
typedef struct nz_rate {
    double per_s;      /**< the best repetition: others take time away, nobody adds any; NaN: none */
    double spread_pct; /**< how far the third best stays behind the best; NaN with fewer than three */
    double median_per_s;
    size_t count;     /**< repetitions */
    uint64_t work;    /**< operations or bytes of one pass */
    char how[96];     /**< kernel and sizes, or sizes of the arrays */
    char reason[160]; /**< why there is no rate; "" where there is one */
} nz_rate;

/** A rate whose three best repetitions lie further apart than this, in %, is not to be relied on. */
#define NZ_PEAK_SPREAD_PCT 3.0

typedef struct nz_peaks {
    int threads;
    nz_rate ops[NZ_PEAK_TYPES];     /**< operations/s of matrix products, 2 per multiply-accumulate */
    bool emulated[NZ_PEAK_TYPES];   /**< the CPU has no instructions for products of this type */
    nz_rate memory[NZ_PEAK_MEMORY]; /**< bytes/s, all threads together */
    double clock_hz; /**< cycles a second of one CPU while these were measured, by a chain of additions; NaN: unknown */
    double fp32_per_cycle; /**< of one thread: ops[FP32] / threads / clock_hz; NaN: unknown */
    double fp32_most;      /**< what two vector units of the widest kind here reach in a cycle; NaN: unknown */
    double seconds;        /**< that all of it took */
} nz_peaks;

/**
 * Measures the peaks with `threads` threads (at least 1; more than CPUs usable are taken as that many).
 *
 * @param hardware  whose caches, instruction sets and memory decide sizes; as nz_hardware_get gives it.
 * @param seconds   for each rate at most; 0.3 is usually enough. A rate is repeated until its three best repetitions agree
 *                  to 1%, or this is spent.
 * @param progress  NULL: silent.
 * @return NZ_E_CANCELLED, NZ_E_MEMORY, NZ_E_ARG. A rate that cannot be had is no failure: its reason says why.
 * Uses the threads of nz_parallel and leaves their number as it was.
 */
NZ_API NZ_CHECKED nz_status nz_peaks_get(nz_peaks *ret_peaks, const nz_hardware *hardware, int threads, double seconds,
                                         const nz_progress *progress);
/**
 * How far passes over an array that no cache holds differ right now: the noise floor of models that are bound by memory, as
 * nz_noise_get is that of arithmetic. Takes about 200 ms.
 * @return NZ_E_MEMORY where there is no room for the array.
 */
NZ_API NZ_CHECKED nz_status nz_noise_memory_get(nz_noise *ret_noise, const nz_hardware *hardware);
/** "FP32", "BF16", "INT8". Static. */
NZ_API const char *nz_peak_type_name(nz_peak_type type);
/** "read", "copy", "triad", "l1", "l2", "l3". Static. */
NZ_API const char *nz_peak_memory_name(nz_peak_memory memory);
/** Cycles a second of the CPU that the caller runs on right now, by a chain of dependent additions (one a cycle on every
 * CPU since the 1990s); takes a few milliseconds. */
NZ_API double nz_clock_rate_hz(void);
/** Single-precision operations that two vector units of the widest kind in `isa` (nz_hardware.isa) can do in a cycle, 2 per
 * multiply-accumulate: 64 with AVX-512, 32 with AVX2 and FMA, 16 with asimd; NaN where none is known. */
NZ_API double nz_peak_fp32_per_cycle(const char *isa);
/** Whether instructions for products of this type are among `isa`; always for FP32. */
NZ_API bool nz_peak_native(const char *isa, nz_peak_type type);

#ifdef __cplusplus
}
#endif
#endif
