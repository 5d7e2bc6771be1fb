/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The native runtime's plan: steps in order over numbered buffers. A step is bound to addresses before it runs and then
 * knows everything; nothing is looked up, allocated or decided while running.
 */
#ifndef NZ_RUNTIME_PLAN_H
#define NZ_RUNTIME_PLAN_H

#include "core/memory.h"
#include "netzip/graph.h"
#include "netzip/runtime.h"

/** Where a buffer's bytes lie. */
typedef enum nz_place {
    NZ_PLACE_BLOCK,    /**< in the planned block */
    NZ_PLACE_CONSTANT, /**< owned by the plan's graph or its own constants */
    NZ_PLACE_INPUT,    /**< the caller's input `port` */
    NZ_PLACE_OUTPUT    /**< the caller's output `port` */
} nz_place;

typedef struct nz_plan_buffer {
    nz_place place;
    size_t bytes;
    size_t port;
    void *data; /**< constants: from the start; block: after placing; ports: while running */
} nz_plan_buffer;

/** One operand of a step. */
typedef struct nz_plan_arg {
    int buffer;    /**< -1: left out */
    size_t offset; /**< bytes into the buffer */
    bool writes;
} nz_plan_arg;

typedef struct nz_step nz_step;

typedef struct nz_step_kind {
    void (*bind)(nz_step *step, size_t arg, void *data); /**< operand `arg` now lies at `data` */
    nz_status (*run)(nz_step *step);                     /**< cannot fail but for memory */
    void (*release)(nz_step *step);                      /**< frees step->self, which may be NULL */
} nz_step_kind;

struct nz_step {
    const nz_step_kind *kind;
    void *self; /**< the kind's own */
    size_t arg_count;
    nz_plan_arg *args;
    char *name, *op, *kernel, *fused; /**< for nz_layer */
    const char *compute;              /**< static */
    bool hidden;                      /**< bookkeeping that is no layer of the model (copies to outputs) */
    double *times_ms;                 /**< profile: ring of the latest runs */
    size_t time_count;
    size_t weight_bytes; /**< that its kernel keeps of its own */
};

/** An address that changes from run to run. */
typedef struct nz_plan_patch {
    size_t step, arg;
} nz_plan_patch;

typedef struct nz_plan {
    nz_graph *graph; /**< the specialised graph: owns names, attributes and constants that steps refer to */
    size_t buffer_count, buffer_capacity;
    nz_plan_buffer *buffers;
    size_t step_count, step_capacity;
    nz_step *steps;
    size_t patch_count, patch_capacity;
    nz_plan_patch *patches;
    void *block;
    size_t block_bytes;
    size_t constant_count, constant_capacity;
    void **constants; /**< memory that the plan made itself: reordered weights, compensations */
    size_t constant_bytes;
    bool profile;
    nz_arena scratch; /**< of reference steps */
} nz_plan;

enum { NZ_PLAN_TIMES = 128 };

void nz_plan_free(nz_plan *plan);
NZ_CHECKED nz_status nz_plan_add_buffer(nz_plan *plan, int *ret_buffer, nz_place place, size_t bytes, size_t port,
                                        void *data);
/** Memory for a constant that lives as long as the plan, 64-byte aligned. */
NZ_CHECKED nz_status nz_plan_add_constant(nz_plan *plan, void *ret_memory, size_t bytes);
/** Appends a step; takes `self` over (also on failure) and copies the operands and strings. */
NZ_CHECKED nz_status nz_plan_add_step(nz_plan *plan, const nz_step_kind *kind, void *self, const nz_plan_arg *args,
                                      size_t arg_count, const char *name, const char *op, const char *kernel);
/** Places the block, binds every operand that does not change, and lists those that do. */
NZ_CHECKED nz_status nz_plan_place(nz_plan *plan);
NZ_CHECKED nz_status nz_plan_profile(nz_plan *plan, nz_profile profile);
NZ_CHECKED nz_status nz_plan_run(nz_plan *plan, const nz_tensor *inputs, nz_tensor *outputs);

/** Plain C kernels only, a step per node (reference.c). `graph` is specialised. */
NZ_CHECKED nz_status nz_plan_reference(nz_plan *plan, const nz_graph *graph);
/** Appends a step that runs `node` by its operator table entry; operands: inputs, then outputs (NZ_NO_VALUE ones have buffer -1). */
NZ_CHECKED nz_status nz_plan_add_reference(nz_plan *plan, const nz_graph *graph, const nz_node *node,
                                           const nz_plan_arg *args);
/** Appends a step that copies bytes: all of `to` from `from` at `offset`. */
NZ_CHECKED nz_status nz_plan_add_copy(nz_plan *plan, int from, size_t offset, int to, const char *name);
/** Appends a step that sets every byte of a buffer. */
NZ_CHECKED nz_status nz_plan_add_fill(nz_plan *plan, int buffer, uint8_t byte, const char *name, const char *op);
/** Forgets steps, buffers and constants: as new, the graph stays. */
void nz_plan_reset(nz_plan *plan);
/** What the plan holds of weights (weights.c). */
NZ_CHECKED nz_status nz_plan_weights(const nz_plan *plan, nz_weight_bytes *ret_bytes);

#endif
