/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The training engine: one graph planned for forward and backward over a fixed batch. Knows parameters, running statistics
 * and quantisers; nothing of data sets, losses over epochs, optimisers or files.
 *
 * A float constant that an operator's table entry calls a parameter (nz_op.params), directly or through operators with
 * gradients, is a parameter here. BatchNormalization uses the batch's statistics when training and keeps the running
 * ones; Dropout drops when training; a QuantizeLinear whose only reader is a DequantizeLinear is a quantiser with a
 * straight-through gradient. Hot operators run on kernel/train.h, channels last; every other one by its table entry's
 * run and grad.
 */
#ifndef NZ_TRAIN_ENGINE_H
#define NZ_TRAIN_ENGINE_H

#include "kernel/train.h"
#include "netzip/graph.h"

typedef struct nz_engine nz_engine;

typedef struct nz_engine_options {
    int64_t batch;           /**< samples per step; a model with a fixed batch above 1 must have this one */
    int64_t chw[3];          /**< extents of the image where the model leaves them open; 0: not given */
    int threads;             /**< 0: as many as the process may use */
    bool bf16;               /**< feature maps in bf16 where there is a kernel; parameters and sums stay f32 */
    bool reference;          /**< plain C alone, by the operators' table entries (tests) */
    bool frozen_norm;        /**< BatchNormalization keeps to its running statistics */
    bool keep_softmax;       /**< a Softmax or LogSoftmax at the end stays: for losses that have none in them */
    bool forward_only;       /**< no backward: nothing is kept for it (a teacher) */
    const char *const *taps; /**< names of values to look at and to push gradients into (distillation, tests) */
    size_t tap_count;
    /** The taps stand for the model's outputs: what follows on them is neither run nor differentiated, and backward starts at
     * their gradients (heads of detectors). */
    bool taps_alone;
} nz_engine_options;

/** A tensor that training changes. Borrowed from the engine; values and gradients may be written to. */
typedef struct nz_param {
    const char *name; /**< of the constant in the graph */
    const char *node; /**< of the first node that uses it */
    nz_shape shape;
    size_t elements;           /**< stored, padding included */
    const nz_packing *packing; /**< NULL: value and grad are in ONNX order */
    float *value, *grad;       /**< [elements], 64-byte aligned */
    float *mask;               /**< NULL, or [elements] of 0 and 1 in the same order: set by nz_engine_mask */
    bool decays;               /**< weight decay is meant for it: a weight, or more than a list of numbers */
    bool is_weight;            /**< of a convolution or linear layer */
} nz_param;

typedef enum nz_quantizer_mode {
    NZ_QUANTIZER_OBSERVE, /**< activations: moving average of the batches' extremes; weights: extremes of the moment */
    NZ_QUANTIZER_FROZEN,
    NZ_QUANTIZER_LEARN /**< the scale is a parameter (LSQ); `grad` is its gradient */
} nz_quantizer_mode;

/** A Q/DQ pair. Borrowed from the engine; mode, scales and zero may be written to between steps. */
typedef struct nz_quantizer {
    const char *name; /**< of the value that is quantised */
    bool is_weight;   /**< what it quantises depends on parameters alone */
    nz_quantizer_mode mode;
    size_t count;  /**< 1, or channels */
    float *scales; /**< [count] */
    float *grad;   /**< [count], after backward in mode LEARN */
    int32_t zero, least, most;
    bool symmetric;   /**< zero stays as it is; else OBSERVE sets it for the range that was seen */
    float low, high;  /**< moving extremes of an activation; low > high before the first batch */
    float averaging;  /**< weight of a new batch, 0.01 unless set */
    int64_t elements; /**< of one channel of what is quantised (per sample for activations), for LSQ's gradient scale */
} nz_quantizer;

/** A running statistic: plain order. Borrowed; may be written to between steps. */
typedef struct nz_running {
    const char *name;
    size_t elements;
    float *value;
} nz_running;

/**
 * Plans. @return NZ_E_UNSUPPORTED names the first node without a gradient on the way from a parameter to the output, or
 * says that there is no parameter, not exactly one float input, or not one float output;
 * NZ_E_SHAPE where that is not [batch, classes...], or the model cannot take the batch; NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_engine_open(nz_engine **ret_engine, const nz_graph *graph, const nz_engine_options *options);
void nz_engine_free(nz_engine *engine); /**< NULL passes */
static inline void nz_engine_free_ptr(nz_engine **engine) { nz_engine_free(*engine); }

size_t nz_engine_param_count(const nz_engine *engine);
nz_param *nz_engine_param(nz_engine *engine, size_t i);
size_t nz_engine_quantizer_count(const nz_engine *engine);
nz_quantizer *nz_engine_quantizer(nz_engine *engine, size_t i);
size_t nz_engine_running_count(const nz_engine *engine);
nz_running *nz_engine_running(nz_engine *engine, size_t i);

/** From the next forward on BatchNormalization keeps to its running statistics, or uses the batch's again (QAT freezes them
 * for the last part of a run). */
void nz_engine_set_frozen_norm(nz_engine *engine, bool frozen);

/** Reads or writes a parameter in ONNX order: `plain` has as many elements as its shape. */
void nz_param_get(const nz_param *param, float *plain);
void nz_param_set(nz_param *param, const float *plain);
/** The same of other numbers that lie as the parameter does: `stored` has param->elements (masks, moments, gradients). */
void nz_param_unpack(const nz_param *param, float *plain, const float *stored);
void nz_param_pack(const nz_param *param, float *stored, const float *plain);
/** Gives the parameter a mask (0 and 1, ONNX order) and applies it to the value at once; updates hold it from then on.
 * NULL takes it away. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_engine_mask(nz_engine *engine, nz_param *param, const float *plain);

/** Shape of one step's input and output, batch first; of what feeds a Softmax that was left out. With taps_alone the output
 * is the first tap as it lies, and the model may have any number of outputs. */
const nz_shape *nz_engine_input_shape(const nz_engine *engine);
const nz_shape *nz_engine_output_shape(const nz_engine *engine);
/** Whether a Softmax at the model's end was left out, so that the model itself gives probabilities. A LogSoftmax is left out
 * as well; the model then gives other logits of the same probabilities, and this is false. */
bool nz_engine_is_logits(const nz_engine *engine);

/**
 * Forward over one whole batch.
 * @param x         [batch, ...] as the model's input has it, plain order. Borrowed until backward is done.
 * @param training  Batch statistics, dropout, observing quantisers; else what inference does.
 * @param seed      Of this step's dropout.
 */
NZ_CHECKED nz_status nz_engine_forward(nz_engine *engine, const float *x, bool training, uint64_t seed);
/** The output of the last forward: f32, plain order. Borrowed until the next. */
const float *nz_engine_output(const nz_engine *engine);
/** Tap `i` of the last forward into plain[elements], f32; and its shape. */
void nz_engine_tap(nz_engine *engine, size_t i, float *plain);
const nz_shape *nz_engine_tap_shape(const nz_engine *engine, size_t i);
/** Adds to what will flow back at tap `i`; after forward, before backward. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_engine_tap_gradient(nz_engine *engine, size_t i, const float *plain);
/** Backward from the loss's gradient by the output [batch, classes...], plain order: fills every parameter's grad.
 * @param doutput  NULL: none but what was given at taps. */
NZ_CHECKED nz_status nz_engine_backward(nz_engine *engine, const float *doutput);

/** The name of the first node whose output of the last forward, or of the first parameter whose gradient, holds something
 * not finite; NULL where all is well. Slow: goes through the forward again, whose x must still be there; for the message of
 * a failed run. */
const char *nz_engine_not_finite(nz_engine *engine);

/** The graph that was opened with the present values of parameters, running statistics and quantisers. Owned. */
NZ_CHECKED nz_status nz_engine_graph(nz_graph **ret_graph, nz_engine *engine);

/** Bytes of feature maps and gradients, of parameters with gradients, and of scratch. */
size_t nz_engine_bytes(const nz_engine *engine);

#endif
