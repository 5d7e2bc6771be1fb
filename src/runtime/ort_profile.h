/* SPDX-License-Identifier: Apache-2.0 */
/** ONNX Runtime's profile: which kernels ran for how long, under the names that our own layers have. */
#ifndef NZ_RUNTIME_ORT_PROFILE_H
#define NZ_RUNTIME_ORT_PROFILE_H

#include "netzip/graph.h"
#include "netzip/runtime.h"

typedef struct nz_ort_layer {
    char *name, *op, *kernel, *fused;
    double latency_ms; /**< median over the runs */
    size_t first, count;
} nz_ort_layer;
typedef struct nz_ort_layers {
    size_t count, capacity;
    nz_ort_layer *items;
} nz_ort_layers;

/**
 * Reads a profile: a JSON array of events of which those of category "Node" are executed kernels.
 *
 * Its names are those of nodes after the library's own optimisation: a node of the file, or the value that a group of nodes ends
 * in, with marks such as "_nchwc" behind. The layer of a value is the nearest node before it with the executed operator; those
 * between are `fused`. What stands for no node of the file keeps the library's name.
 *
 * @param graph  That the session was made from: names of nodes and values. Borrowed.
 * @return NZ_E_IO, NZ_E_FORMAT, NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_ort_profile_read(nz_ort_layers *ret_layers, const char *path, const nz_graph *graph);
void nz_ort_layers_done(nz_ort_layers *layers);

#endif
