/* SPDX-License-Identifier: Apache-2.0 */
/* The engine from outside: opening, forward, backward, and what can be asked of it. */
#include "train/engine.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "train/plan.h"

/* ---- opening ---- */

static nz_status open_engine(nz_engine *e, const nz_graph *graph) {
    NZ_AUTO(nz_prepared_done) nz_prepared prepared = {0};
    NZ_TRY(nz_alloc(&e->taps, e->options.tap_count, sizeof *e->taps));
    NZ_TRY(nz_alloc(&e->tap_grads, e->options.tap_count, sizeof *e->tap_grads));
    NZ_TRY(nz_alloc(&e->tap_given, e->options.tap_count, sizeof *e->tap_given));
    NZ_TRY(nz_alloc(&e->tap_shapes, e->options.tap_count, sizeof *e->tap_shapes));
    NZ_TRY(nz_engine_prepare(e, &prepared, graph));
    NZ_TRY(nz_engine_lower(e, &prepared));
    NZ_TRY(nz_engine_fill_params(e));
    return nz_engine_place(e);
}

nz_status nz_engine_open(nz_engine **ret_engine, const nz_graph *graph, const nz_engine_options *options) {
    if (options->batch < 1)
        return nz_fail(NZ_E_ARG, "a training step takes at least 1 sample, not %lld", (long long)options->batch);
    nz_engine *e = NULL;
    NZ_TRY(nz_alloc(&e, 1, sizeof *e));
    e->options = *options;
    e->threads = options->threads > 0 ? options->threads : nz_threads_hardware();
    int before = nz_threads_get();
    nz_threads_set(e->threads);
    nz_status status = open_engine(e, graph);
    nz_threads_set(before);
    /* The caller's list of names need not outlive the call. */
    e->options.taps = NULL;
    if (status != NZ_OK) {
        nz_engine_free(e);
        return status;
    }
    *ret_engine = e;
    return NZ_OK;
}

static void free_steps(nz_engine *e) {
    for (size_t s = 0; s < e->step_count; s++) {
        nz_engine_step *step = &e->steps[s];
        if (step->kind->release)
            step->kind->release(step);
        else
            free(step->self);
        free(step->in);
        free(step->din);
        free(step->adds);
        free(step->target_buffer);
    }
    free(e->steps);
}

void nz_engine_free(nz_engine *e) {
    if (!e) return;
    free_steps(e);
    for (size_t i = 0; i < e->param_count; i++) {
        free(e->params[i].value);
        free(e->params[i].grad);
        free(e->params[i].mask);
    }
    for (size_t i = 0; i < e->running_count; i++) free(e->running[i].value);
    for (size_t i = 0; i < e->quantizer_count; i++) {
        free(e->quantizers[i].scales);
        free(e->quantizers[i].grad);
        free(e->quantizer_homes[i].sites);
        free(e->quantizer_homes[i].learnt);
    }
    for (size_t i = 0; e->tap_grads && i < e->options.tap_count; i++) free(e->tap_grads[i]);
    void *const owned[] = {e->params, e->param_homes, e->running,   e->running_homes, e->quantizers, e->quantizer_homes,
                           e->taps,   e->tap_grads,   e->tap_given, e->tap_shapes,    e->slots,      e->block};
    for (size_t i = 0; i < NZ_COUNT(owned); i++) free(owned[i]);
    nz_arena_done(&e->arena);
    nz_arena_done(&e->constants);
    nz_graph_free(e->graph);
    nz_graph_free(e->base);
    free(e);
}

/* ---- asking ---- */

size_t nz_engine_param_count(const nz_engine *e) { return e->param_count; }
nz_param *nz_engine_param(nz_engine *e, size_t i) { return &e->params[i]; }
size_t nz_engine_quantizer_count(const nz_engine *e) { return e->quantizer_count; }
nz_quantizer *nz_engine_quantizer(nz_engine *e, size_t i) { return &e->quantizers[i]; }
size_t nz_engine_running_count(const nz_engine *e) { return e->running_count; }
nz_running *nz_engine_running(nz_engine *e, size_t i) { return &e->running[i]; }
const nz_shape *nz_engine_input_shape(const nz_engine *e) { return &e->slots[e->input].shape; }
const nz_shape *nz_engine_output_shape(const nz_engine *e) { return &e->slots[e->output].shape; }
void nz_engine_set_frozen_norm(nz_engine *e, bool frozen) { e->options.frozen_norm = frozen; }
bool nz_engine_is_logits(const nz_engine *e) { return e->logits; }
const float *nz_engine_output(const nz_engine *e) { return e->slots[e->output].data; }
const nz_shape *nz_engine_tap_shape(const nz_engine *e, size_t i) { return &e->tap_shapes[i]; }

size_t nz_engine_bytes(const nz_engine *e) {
    size_t bytes = e->block_bytes;
    for (size_t i = 0; i < e->param_count; i++)
        bytes +=
            e->params[i].elements * sizeof(float) * (1U + (e->params[i].grad != NULL) + (e->params[i].mask != NULL));
    return bytes;
}

void nz_engine_tap(nz_engine *e, size_t i, float *plain) {
    const nz_slot *slot = &e->slots[e->taps[i]];
    int64_t batch = slot->shape.rank > 0 ? slot->shape.dim[0] : 1;
    if (slot->last)
        nz_train_to_plain(slot->dtype, slot->data, NZ_F32, plain, batch, nz_slot_channels(slot), nz_slot_spatial(slot));
    else
        nz_train_convert(slot->dtype, slot->data, NZ_F32, plain, (size_t)slot->elements);
}

nz_status nz_engine_tap_gradient(nz_engine *e, size_t i, const float *plain) {
    size_t elements = (size_t)e->slots[e->taps[i]].elements;
    if (!e->tap_grads[i]) NZ_TRY(nz_alloc_aligned(&e->tap_grads[i], elements, sizeof(float)));
    if (e->tap_given[i])
        nz_train_add(NZ_F32, e->tap_grads[i], plain, e->tap_grads[i], elements);
    else if (elements)
        memcpy(e->tap_grads[i], plain, elements * sizeof(float));
    e->tap_given[i] = true;
    return NZ_OK;
}

/* ---- running ---- */

static nz_status run_forward(nz_engine *e) {
    for (size_t s = 0; s < e->step_count; s++) NZ_TRY(e->steps[s].kind->forward(e, &e->steps[s]));
    return NZ_OK;
}

nz_status nz_engine_forward(nz_engine *e, const float *x, bool training, uint64_t seed) {
    /* Nothing writes through it. */
    e->slots[e->input].data = (void *)(uintptr_t)x;
    e->training = training;
    e->seed = seed;
    for (size_t i = 0; i < e->options.tap_count; i++) e->tap_given[i] = false;
    int before = nz_threads_get();
    nz_threads_set(e->threads);
    nz_engine_begin_observing(e);
    nz_status status = run_forward(e);
    nz_threads_set(before);
    e->ready = status == NZ_OK;
    return status;
}

nz_status nz_engine_refresh(nz_engine *e) {
    int before = nz_threads_get();
    nz_status status = NZ_OK;
    nz_threads_set(e->threads);
    e->training = false;
    for (size_t s = 0; s < e->step_count && status == NZ_OK; s++) {
        nz_engine_step *step = &e->steps[s];
        if (step->out_count && step->out[0] >= 0 && !e->slots[step->out[0]].behind_input)
            status = step->kind->forward(e, step);
    }
    nz_threads_set(before);
    return status;
}

/* Where the gradient by input i is written now; NULL where it is not wanted. */
static void *target(const nz_engine *e, const nz_engine_step *step, size_t i) {
    if (!step->target[i]) return NULL;
    return e->slots[step->in[i]].behind_param || e->learning ? step->target[i] : NULL;
}

static nz_status step_backward(nz_engine *e, nz_engine_step *step) {
    bool any = !step->in_count;
    for (size_t i = 0; i < step->in_count; i++) {
        step->din[i] = target(e, step, i);
        any |= step->din[i] != NULL;
    }
    if (!any && !step->always) return NZ_OK;
    NZ_TRY(step->kind->backward(e, step));
    for (size_t i = 0; i < step->in_count; i++) {
        if (!step->din[i] || !step->adds[i] || step->kind->adds) continue;
        const nz_slot *slot = &e->slots[step->in[i]];
        size_t count = slot->param >= 0 ? e->params[slot->param].elements : (size_t)slot->elements;
        nz_train_add(slot->dtype, slot->grad, step->din[i], slot->grad, count);
    }
    return NZ_OK;
}

static nz_status run_backward(nz_engine *e, const float *doutput) {
    const nz_slot *output = &e->slots[e->output];
    if (output->grad && output->bytes && !e->options.taps_alone) {
        if (doutput)
            memcpy(output->grad, doutput, output->bytes);
        else
            memset(output->grad, 0, output->bytes);
    }
    for (size_t i = 0; i < e->param_count; i++)
        if (!e->param_homes[i].used) memset(e->params[i].grad, 0, e->params[i].elements * sizeof(float));
    for (size_t s = e->step_count; s-- > 0;)
        if (e->steps[s].active) NZ_TRY(step_backward(e, &e->steps[s]));
    return NZ_OK;
}

nz_status nz_engine_backward(nz_engine *e, const float *doutput) {
    if (e->options.forward_only || !e->ready)
        return nz_fail(NZ_E_INTERNAL, e->ready ? "the engine was opened for forward alone" : "backward before forward");
    int before = nz_threads_get();
    nz_threads_set(e->threads);
    nz_engine_begin_learning(e);
    nz_status status = run_backward(e, doutput);
    nz_threads_set(before);
    return status;
}

/* ---- looking for what is not finite ---- */

static bool all_finite(const nz_slot *slot, const void *data) {
    bool finite = true;
    if (slot->dtype == NZ_F32)
        for (int64_t i = 0; i < slot->elements && finite; i++) finite = isfinite(((const float *)data)[i]);
    else if (slot->dtype == NZ_BF16)
        for (int64_t i = 0; i < slot->elements && finite; i++)
            finite = isfinite(nz_bf16_to_f32(((const uint16_t *)data)[i]));
    return finite;
}

/* Values give their memory up to others on the way, so the forward is gone through once more, as it was, without moving
 * anything that outlives it. */
static const char *first_value(nz_engine *e) {
    for (size_t s = 0; s < e->step_count; s++) {
        const nz_engine_step *step = &e->steps[s];
        if (step->kind->forward(e, &e->steps[s]) != NZ_OK) return NULL;
        for (size_t o = 0; o < step->out_count; o++) {
            if (step->out[o] < 0) continue;
            const nz_slot *slot = &e->slots[step->out[o]];
            if (!all_finite(slot, slot->data)) return step->node ? step->node->name : slot->name;
        }
    }
    return NULL;
}

const char *nz_engine_not_finite(nz_engine *e) {
    if (!e->ready) return NULL;
    const char *name = NULL;
    for (size_t i = 0; i < e->param_count && !name && !e->options.forward_only; i++)
        for (size_t k = 0; k < e->params[i].elements && !name; k++)
            if (!isfinite(e->params[i].grad[k])) name = e->params[i].name;
    int before = nz_threads_get();
    nz_threads_set(e->threads);
    e->replay = true;
    const char *value = first_value(e);
    e->replay = false;
    nz_threads_set(before);
    return value ? value : name;
}
