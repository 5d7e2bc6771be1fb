/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What an engine is made of. Slots: a value of the graph in one form (row-major or channels last, f32 or bf16), where it lies
 * and where its gradient lies. Steps: what computes slots from slots, and gradients from gradients; forward they run in
 * order, backward in reverse. lower.c makes them from the graph, memory.c gives them their memory.
 */
#ifndef NZ_TRAIN_PLAN_H
#define NZ_TRAIN_PLAN_H

#include "kernel/train.h"
#include "op/op.h"
#include "train/engine.h"

typedef enum nz_slot_place {
    NZ_SLOT_BLOCK,   /**< computed, in the engine's block */
    NZ_SLOT_INPUT,   /**< the batch: the caller's memory */
    NZ_SLOT_PARAM,   /**< a parameter's memory, in its packing where it has one */
    NZ_SLOT_CONSTANT /**< memory that no step writes */
} nz_slot_place;

typedef struct nz_slot {
    nz_slot_place place;
    const char *name; /**< of the value; the graph's */
    nz_dtype dtype;
    nz_shape shape; /**< ONNX's order of extents, in whatever order the elements lie */
    bool last;      /**< channels last: rank 3 and more */
    int64_t elements;
    size_t bytes;
    bool behind_param;     /**< a parameter stands behind it: its gradient is wanted */
    bool behind_quantizer; /**< a quantiser does: its gradient is wanted where scales are learnt */
    bool behind_input;     /**< the batch does */
    bool pinned;           /**< kept until the next forward: the output, taps */
    int param;             /**< PARAM: which; else -1 */
    int view_of;           /**< the same bytes as this earlier slot; -1 */
    int form[2][2];        /**< copies [channels last][bf16] made for steps that want them; -1 */
    void *data, *grad;
    int buffer, grad_buffer; /**< while planning memory; -1 */
} nz_slot;

typedef struct nz_engine_step nz_engine_step;

typedef struct nz_step_kind {
    const char *name; /**< in messages */
    nz_status (*forward)(nz_engine *engine, nz_engine_step *step);
    /** Writes step->din[i] (NULL: not wanted) from the gradients of its outputs. NULL: nothing flows back. */
    nz_status (*backward)(nz_engine *engine, nz_engine_step *step);
    void (*release)(nz_engine_step *step); /**< of self; NULL: free */
    bool adds;                             /**< backward adds to din[i] itself where step->adds[i] */
} nz_step_kind;

struct nz_engine_step {
    const nz_step_kind *kind;
    const nz_node *node; /**< the first one that it computes; NULL for conversions */
    void *self;
    size_t in_count, out_count;
    int *in, *out;                /**< slots; -1: left out. `out` lies behind `in` */
    unsigned grad_inputs;         /**< bit i (31: and all after): backward gives a gradient by input i */
    unsigned reads_in, reads_out; /**< bit i: backward reads input, output i */
    int shares;                   /**< input whose memory output 0 may take; -1 */
    unsigned grad_shares;         /**< bit i: the gradient by input i may take the memory of that by output 0 */
    bool always;                  /**< backward runs also where no input's gradient is wanted (learnt scales) */
    size_t scratch_bytes;         /**< wanted in both directions */
    void *scratch[2];             /**< forward, backward */
    /* Of the plan of memory. */
    bool active; /**< takes part in backward */
    void **din, **target;
    bool *adds;
    int *target_buffer;
    int scratch_buffer[2];
};

/** What nz_param does not show. */
typedef struct nz_param_home {
    int base_value; /**< its constant in engine->base */
    int slot;
    bool used; /**< its gradient is written by backward */
} nz_param_home;

typedef struct nz_running_home {
    int base_value;
} nz_running_home;

/** Constants of engine->base that a Q/DQ pair reads; those with the same scale are one quantiser. */
typedef struct nz_quantizer_site {
    int scale[2], zero[2]; /**< of Q and of DQ; -1 */
} nz_quantizer_site;

typedef struct nz_quantizer_home {
    size_t site_count, site_capacity;
    nz_quantizer_site *sites;
    float prior_low, prior_high; /**< moving extremes before this forward */
    float seen_low, seen_high;   /**< of this forward */
    float *learnt;               /**< [count]: gradient of one site */
} nz_quantizer_home;

struct nz_engine {
    nz_engine_options options;
    int threads;
    nz_graph *base;  /**< as it was opened, with constants of its own where several stood behind one */
    nz_graph *graph; /**< specialised; parameters are inputs of it */
    bool logits;
    size_t slot_count, slot_capacity;
    nz_slot *slots;
    size_t step_count, step_capacity;
    nz_engine_step *steps;
    size_t param_count, param_capacity, param_home_capacity;
    nz_param *params;
    nz_param_home *param_homes;
    size_t running_count, running_capacity, running_home_capacity;
    nz_running *running;
    nz_running_home *running_homes;
    size_t quantizer_count, quantizer_capacity, quantizer_home_capacity;
    nz_quantizer *quantizers;
    nz_quantizer_home *quantizer_homes;
    int input, output; /**< slots */
    int output_map;    /**< slot before it was made f32 and plain */
    int *taps;         /**< slots */
    float **tap_grads; /**< [tap_count], each NULL until it is used */
    bool *tap_given;   /**< [tap_count]: adds to this backward */
    nz_shape *tap_shapes;
    nz_arena arena;     /**< of one step */
    nz_arena constants; /**< constants that were computed or aligned */
    void *block;
    size_t block_bytes, scratch_bytes;
    bool training; /**< of the last forward */
    bool learning; /**< some quantiser is in mode LEARN: of this backward */
    bool ready;    /**< forward has been done */
    bool replay;   /**< the last forward is gone through again: running statistics and observers stay */
    uint64_t seed;
};

static inline bool nz_step_bit(unsigned set, size_t i) { return set >> (i < 31 ? i : 31) & 1U; }
static inline const void *nz_step_in(const nz_engine *engine, const nz_engine_step *step, size_t i) {
    return step->in[i] < 0 ? NULL : engine->slots[step->in[i]].data;
}
static inline void *nz_step_out(const nz_engine *engine, const nz_engine_step *step, size_t i) {
    return step->out[i] < 0 ? NULL : engine->slots[step->out[i]].data;
}
/** Gradient by output i; NULL: none flows. */
static inline const void *nz_step_dout(const nz_engine *engine, const nz_engine_step *step, size_t i) {
    return step->out[i] < 0 ? NULL : engine->slots[step->out[i]].grad;
}

/** Channels, and positions per sample, of a slot [N, C, spatial...]. */
int64_t nz_slot_channels(const nz_slot *slot);
int64_t nz_slot_spatial(const nz_slot *slot);
nz_mem nz_slot_mem(const nz_slot *slot);

/* ---- prepare.c ---- */

/** What the graph became before it was lowered. */
typedef struct nz_prepared {
    size_t param_count;
    char **params; /**< names of the constants that became inputs */
    size_t dropout_count;
    char **dropouts; /**< names of the factors that Dropout nodes became products with */
    double *ratios;
    const char *input; /**< name of the batch; the graph's */
} nz_prepared;
void nz_prepared_done(nz_prepared *prepared);
/** Sets engine->base, engine->graph and engine->logits. */
NZ_CHECKED nz_status nz_engine_prepare(nz_engine *engine, nz_prepared *ret_prepared, const nz_graph *graph);

/** rebatch.c: lets a model whose input has a batch of 1 take any batch. Shapes behind it are to be inferred anew. */
NZ_CHECKED nz_status nz_engine_open_batch(nz_graph *graph);

/* ---- lower.c ---- */

typedef struct nz_lowering {
    nz_engine *engine;
    const nz_graph *graph;
    const nz_prepared *prepared;
    int *slot_of;  /**< per value; -1: none yet */
    int *readers;  /**< per value: reads by nodes */
    int *reader;   /**< per value: the last node that reads it */
    bool *pinned;  /**< per value: an output or a tap */
    double *drops; /**< per value: ratio of the Dropout whose factor it is; -1 */
    bool *taken;   /**< per node: computed by an earlier step */
} nz_lowering;

NZ_CHECKED nz_status nz_engine_lower(nz_engine *engine, const nz_prepared *prepared);
/** A slot for a value; nothing of its memory. */
NZ_CHECKED nz_status nz_lower_slot(nz_lowering *lowering, int *ret_slot, nz_slot_place place, const char *name,
                                   nz_dtype dtype, const nz_shape *shape, bool last);
/** The slot of an input value, -1 for one that is left out. Constants get theirs here. */
NZ_CHECKED nz_status nz_lower_value(nz_lowering *lowering, int *ret_slot, int value);
/** The value's slot in a form, converted where it has another. dtype NONE: as it is. */
NZ_CHECKED nz_status nz_lower_form(nz_lowering *lowering, int *ret_slot, int slot, bool last, nz_dtype dtype);
/** Appends the step that makes slot `view`, the same bytes as `slot` under another shape; node may be NULL. */
NZ_CHECKED nz_status nz_lower_alias(nz_lowering *lowering, const nz_node *node, int slot, int view);
/** Appends a step with its operands; `step` gives all that is not the plan of memory, but in and out, which are copied.
 * Takes step->self over, also on failure. */
NZ_CHECKED nz_status nz_lower_step(nz_lowering *lowering, const nz_engine_step *step, const int *in, size_t in_count,
                                   const int *out, size_t out_count);
/** The only node that reads a value, which is neither an output nor a tap; NULL otherwise. */
const nz_node *nz_lower_only_reader(const nz_lowering *lowering, int value);
bool nz_lower_is(const nz_node *node, const char *op_type);
/** Marks a node as computed by another's step. */
void nz_lower_take(nz_lowering *lowering, const nz_node *node);
/** The constant tensor of a value; NULL where it is none. */
const nz_tensor *nz_lower_constant(const nz_lowering *lowering, int value);

/** A lowering of one node: *ret_done false where it is not for it (and nothing has been changed). */
typedef nz_status nz_lower_try(nz_lowering *lowering, const nz_node *node, bool *ret_done);
nz_lower_try nz_lower_quantizer, nz_lower_dropout, nz_lower_norm, nz_lower_layer, nz_lower_map, nz_lower_clip,
    nz_lower_silu;
NZ_CHECKED nz_status nz_lower_generic(nz_lowering *lowering, const nz_node *node);

/** Puts a step behind a slot that lets gradients of tap `i` in. */
NZ_CHECKED nz_status nz_lower_tap(nz_lowering *lowering, int slot, size_t i);

/* ---- memory.c, params.c, quantizer.c, export.c ---- */

/** Decides who takes part in backward, where gradients go, and places everything in one block. */
NZ_CHECKED nz_status nz_engine_place(nz_engine *engine);
/** A parameter with a slot, from a constant of the base graph. */
NZ_CHECKED nz_status nz_engine_add_param(nz_lowering *lowering, int *ret_slot, const nz_value *value);
/** Memory and first values of all parameters. */
NZ_CHECKED nz_status nz_engine_fill_params(nz_engine *engine);
/** A running statistic from constant `value` of the engine's graph; its index. */
NZ_CHECKED nz_status nz_engine_add_running(nz_engine *engine, size_t *ret_index, const nz_value *value);
/** Before a forward: nothing has been seen yet. Before a backward: no gradients of scales. */
void nz_engine_begin_observing(nz_engine *engine);
void nz_engine_begin_learning(nz_engine *engine);
/** Computes what depends on parameters alone, so that scales of weights fit their present values. */
NZ_CHECKED nz_status nz_engine_refresh(nz_engine *engine);

#endif
