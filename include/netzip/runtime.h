/* SPDX-License-Identifier: Apache-2.0 */
/** Runtimes: what executes a model. One table entry each; "native" is netzip's own engine. */
#ifndef NETZIP_RUNTIME_H
#define NETZIP_RUNTIME_H

#include "netzip/graph.h"
#include "netzip/pass.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nz_compute {
    NZ_COMPUTE_AUTO =
        0,          /**< what the file says: float in f32, QDQ in int8, bf16 storage in bf16 where there is a kernel */
    NZ_COMPUTE_F32, /**< everything in f32, Q/DQ executed as they stand: the reference for int8 */
    NZ_COMPUTE_BF16 /**< float layers in bf16 where the CPU and a kernel allow */
} nz_compute;

typedef struct nz_runtime_options {
    int threads;   /**< 0: as many as the process may use */
    int64_t batch; /**< for a symbolic batch; 0 means 1. A model with a fixed batch keeps it */
    nz_compute compute;
    bool reference; /**< plain C kernels only (tests) */
    bool profile;   /**< keep per-layer times: adds a clock read a layer */
    bool tune;      /**< choose among algorithms by measuring once when planning (default for measuring runs) */
    const nz_binding *bindings; /**< for symbolic extents other than the batch */
    size_t binding_count;
} nz_runtime_options;

/** One executed step, which may stand for several fused nodes. */
typedef struct nz_layer {
    const char *name;    /**< of the node that does the work; borrowed from the session */
    const char *op;      /**< its operator */
    const char *kernel;  /**< the implementation: "onednn:jit_wino:avx512", "ref:Resize", ... */
    const char *fused;   /**< names of the other nodes in it, space-separated; "" */
    const char *compute; /**< "f32", "bf16", "int8", ... */
    double latency_ms;   /**< median of the latest 128 profiled runs, with one clock read each; NaN without profile */
} nz_layer;

typedef struct nz_session nz_session;

/**
 * Plans `graph` for execution: everything that can fail is checked here.
 *
 * @param runtime  "native", "onnxruntime", ... as nz_runtime_name has them, with options behind: "onnxruntime:level=basic".
 * @param graph    As nz_model_load gave it (or as a pass left it). Borrowed during the call only.
 * @param path     The file it came from, for runtimes that read it themselves; may be NULL for native.
 * @return NZ_E_UNSUPPORTED names the first node outside the claims; NZ_E_SHAPE; NZ_E_MEMORY; NZ_E_ARG for an unknown runtime.
 */
NZ_API NZ_CHECKED nz_status nz_session_open(nz_session **ret_session, const char *runtime, const nz_graph *graph,
                                            const char *path, const nz_runtime_options *options);
/** Releases a session and its plan. NULL passes. */
NZ_API void nz_session_free(nz_session *session);

/** How many inputs a run takes. */
NZ_API size_t nz_session_input_count(const nz_session *session);
/** How many outputs a run gives. */
NZ_API size_t nz_session_output_count(const nz_session *session);
/** Name, type and concrete shape (tensor->data is NULL). Borrowed. */
NZ_API const nz_tensor *nz_session_input(const nz_session *session, size_t i, const char **ret_name);
/** As nz_session_input, of output `i`. */
NZ_API const nz_tensor *nz_session_output(const nz_session *session, size_t i, const char **ret_name);
/** Runs once. `inputs` and `outputs` in the session's order, data of the caller's with exactly the session's types and
 * shapes (checked: NZ_E_SHAPE). Not thread-safe for one session. */
NZ_API NZ_CHECKED nz_status nz_session_run(nz_session *session, const nz_tensor *inputs, nz_tensor *outputs);
typedef enum nz_profile {
    NZ_PROFILE_OFF,  /**< keep no further times; those that were kept stay */
    NZ_PROFILE_ON,   /**< keep times of layers from now on */
    NZ_PROFILE_RESET /**< forget those that were kept */
} nz_profile;
/** Whether runs keep times of layers, whatever the session was opened with. NZ_E_UNSUPPORTED where a runtime cannot tell
 * them; NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_session_profile(nz_session *session, nz_profile profile);
/** How many executed steps can be asked for. */
NZ_API size_t nz_session_layer_count(const nz_session *session);
/** Step `i` < nz_session_layer_count, in the order of execution. Its strings are borrowed from the session. */
NZ_API nz_layer nz_session_layer(const nz_session *session, size_t i);
/** Bytes of the planned block of activations: activation_peak_bytes. */
NZ_API size_t nz_session_activation_bytes(const nz_session *session);
/** Bytes of a model's constants that a session holds, each byte of memory once, whether it has been touched or not. */
typedef struct nz_weight_bytes {
    size_t mapped; /**< as stored, in the mapped file: pages that the system may drop and read again */
    size_t heap;   /**< as stored or computed when planning, in memory of the graph's own */
    size_t packed; /**< copies in the order and type that kernels want, with biases and scales */
} nz_weight_bytes;
/** What the session holds of weights. */
NZ_API nz_weight_bytes nz_session_weights(const nz_session *session);
/** Whether the runtime tells what it holds in memory; else activations and weights are unknown and these two give 0. */
NZ_API bool nz_session_tells_memory(const nz_session *session);
/** What the session computes in: "f32", "int8", "bf16" or "mixed"; "" where the runtime does not tell. Borrowed. */
NZ_API const char *nz_session_compute(const nz_session *session);

/** The i-th runtime's name; NULL past the end. `ret_version` (may be NULL) gets its version, or NULL with the reason as the
 * thread's message where it is not usable here; asking for it opens the runtime's library. */
NZ_API const char *nz_runtime_name(size_t i, const char **ret_version);
/** One line about a runtime, with what may stand behind its name; NULL for an unknown one. Static. */
NZ_API const char *nz_runtime_about(const char *runtime);
/** Whether a runtime, as nz_session_open takes it, is there.
 * @param[out] ret_version  Static. @return NZ_E_ARG: no such runtime; NZ_E_UNAVAILABLE: not on this machine, and why. */
NZ_API NZ_CHECKED nz_status nz_runtime_check(const char *runtime, const char **ret_version);

#ifdef __cplusplus
}
#endif
#endif
