/* SPDX-License-Identifier: Apache-2.0 */
/** What a runtime supplies: one table entry each. The frame (runtime.c) checks arguments, a runtime plans and executes. */
#ifndef NZ_RUNTIME_RUNTIME_INTERNAL_H
#define NZ_RUNTIME_RUNTIME_INTERNAL_H

#include "core/memory.h"
#include "netzip/runtime.h"

/** A session's input or output: name, type and concrete shape; its tensor's data stays NULL. */
typedef struct nz_port {
    char *name;
    nz_tensor tensor;
} nz_port;

typedef struct nz_runtime {
    const char *name;
    /** The version that runs here; NULL where this runtime is not usable on this machine. Static. */
    const char *(*version)(void);
    /** Plans: sets session->plan and the ports, activation_bytes, weights, compute. What it leaves behind on failure is freed by `close`. */
    nz_status (*open)(nz_session *session, const nz_graph *graph, const char *path, const nz_runtime_options *options);
    /** Runs on data whose types and shapes the frame has checked. */
    nz_status (*run)(nz_session *session, const nz_tensor *inputs, nz_tensor *outputs);
    nz_status (*profile)(nz_session *session, nz_profile profile); /**< NULL: it has no times of layers */
    size_t (*layer_count)(const nz_session *session);
    nz_layer (*layer)(const nz_session *session, size_t i);
    void (*close)(nz_session *session); /**< frees session->plan, which may be NULL or half built */
} nz_runtime;

struct nz_session {
    const nz_runtime *runtime;
    void *plan; /**< the runtime's own */
    int threads;
    size_t input_count, output_count;
    nz_port *inputs, *outputs;
    size_t activation_bytes;
    nz_weight_bytes weights;
    const char *compute; /**< static */
};

/** Makes the ports from a specialised graph's inputs and outputs. */
NZ_CHECKED nz_status nz_session_set_ports(nz_session *session, const nz_graph *graph);

extern const nz_runtime nz_runtime_native;

#endif
