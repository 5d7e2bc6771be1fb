/* SPDX-License-Identifier: Apache-2.0 */
/** Choosing among algorithms by measuring, once per kind of layer. */
#ifndef NZ_RUNTIME_TUNE_H
#define NZ_RUNTIME_TUNE_H

#include "kernel/kernel.h"
#include "netzip/graph.h"

typedef struct nz_tuned {
    nz_mem src, dst;
    nz_window window;
    int64_t groups;
    size_t post_count;
    nz_algorithm algorithm;
} nz_tuned;

typedef struct nz_tuner {
    const nz_graph *graph; /**< its weights are what passes through the caches between two runs of one layer */
    size_t count, capacity;
    nz_tuned *known; /**< owned */
} nz_tuner;

/** Reads the model's weights (at most 64 MiB), as the other layers do between two runs of one: what it needs is as cold then. */
void nz_tune_cool(const nz_graph *graph);

/** The fastest algorithm for an f32 convolution; AUTO where no candidate exists. Kernels are made for nz_threads_get threads. */
NZ_CHECKED nz_status nz_tune(nz_tuner *tuner, const nz_kernel_desc *desc, nz_algorithm *ret_algorithm);

#endif
