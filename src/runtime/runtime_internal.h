/* SPDX-License-Identifier: Apache-2.0 */
/** What a runtime supplies: one table entry each. The frame (runtime.c) checks arguments, a runtime plans and executes. */
#ifndef NZ_RUNTIME_RUNTIME_INTERNAL_H
#define NZ_RUNTIME_RUNTIME_INTERNAL_H

#include "core/memory.h"
#include "core/options.h"
#include "netzip/runtime.h"

/** A session's input or output: name, type and concrete shape; its tensor's data stays NULL. */
typedef struct nz_port {
    char *name;
    nz_tensor tensor;
} nz_port;

typedef struct nz_runtime {
    const char *name, *about; /**< about: one line, with what may stand behind the name */
    /** The version that runs here; NULL, with the reason as the thread's message, where it is not usable. Static. */
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
    bool opaque;         /**< its memory is the runtime's own business */
    nz_spec details;     /**< what stood behind the runtime's name: options by key */
    const char *compute; /**< static; "": the runtime does not tell */
};

/** Makes the ports from a specialised graph's inputs and outputs. */
NZ_CHECKED nz_status nz_session_set_ports(nz_session *session, const nz_graph *graph);

extern const nz_runtime nz_runtime_native, nz_runtime_onnxruntime;

#endif
