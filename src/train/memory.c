/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything lies. Time runs through the forward steps, the loss, then the backward steps; a value lives from the step
 * that makes it to the last that reads it, in either direction, a gradient from its first contribution to the backward of
 * the step that made the value. What may take the memory of what it is made from does.
 */
#include <string.h>

#include "core/error.h"
#include "runtime/memory.h"
#include "train/plan.h"

typedef struct places {
    nz_engine *engine;
    size_t count, capacity;
    nz_lifetime *items;
    int *last_forward;   /* per slot that is no view: the last forward step that reads or makes it */
    bool *read_backward; /* per slot that is no view */
    int *backward_first; /* per slot that is no view: the last backward time at which it is read; -1 */
    bool *pinned;        /* per slot that is no view */
} places;

static void places_done(places *p) {
    free(p->items);
    free(p->last_forward);
    free(p->read_backward);
    free(p->backward_first);
    free(p->pinned);
}

static size_t loss_time(const nz_engine *e) { return e->step_count; }
static size_t backward_time(const nz_engine *e, size_t step) { return 2 * e->step_count - step; }
static size_t end_time(const nz_engine *e) { return 2 * e->step_count + 1; }

static int root_of(const nz_engine *e, int slot) {
    while (e->slots[slot].view_of >= 0) slot = e->slots[slot].view_of;
    return slot;
}

static nz_status new_buffer(places *p, int *ret_buffer, size_t bytes, size_t first, size_t last) {
    NZ_TRY(nz_grow(&p->items, &p->capacity, p->count + 1, sizeof *p->items));
    p->items[p->count] = (nz_lifetime){.bytes = bytes, .first = first, .last = last};
    *ret_buffer = (int)p->count++;
    return NZ_OK;
}

static void extend(places *p, int buffer, size_t time) {
    if (buffer < 0) return;
    if (p->items[buffer].last < time) p->items[buffer].last = time;
    if (p->items[buffer].first > time) p->items[buffer].first = time;
}

/* ---- who takes part in backward ---- */

static bool wants_gradient(const nz_slot *slot) { return slot->behind_param || slot->behind_quantizer; }

static bool gives_gradient(const nz_engine *e, const nz_engine_step *step, size_t i) {
    return step->in[i] >= 0 && nz_step_bit(step->grad_inputs, i) && wants_gradient(&e->slots[step->in[i]]);
}

/* In the order of backward: a step takes part where a gradient reaches one of its outputs, or comes in from outside. */
static nz_status activate(nz_engine *e) {
    NZ_AUTO_FREE bool *reached = NULL;
    NZ_TRY(nz_alloc(&reached, e->slot_count, sizeof *reached));
    reached[e->output] = !e->options.taps_alone;
    for (size_t s = e->step_count; s-- > 0;) {
        nz_engine_step *step = &e->steps[s];
        bool any = !step->out_count;
        for (size_t o = 0; o < step->out_count; o++) any |= step->out[o] >= 0 && reached[step->out[o]];
        step->active = any && step->kind->backward;
        for (size_t i = 0; step->active && i < step->in_count; i++) {
            if (!gives_gradient(e, step, i)) continue;
            step->adds[i] = reached[step->in[i]];
            reached[step->in[i]] = true;
        }
    }
    for (size_t i = 0; i < e->param_count; i++) e->param_homes[i].used = reached[e->param_homes[i].slot];
    return NZ_OK;
}

/* ---- values ---- */

static void note_backward(places *p, int slot, size_t time) {
    int root = root_of(p->engine, slot);
    p->read_backward[root] = true;
    if (p->backward_first[root] < (int)time) p->backward_first[root] = (int)time;
}

static void note_reads(places *p) {
    nz_engine *e = p->engine;
    for (size_t s = 0; s < e->slot_count; s++) {
        p->backward_first[s] = -1;
        if (e->slots[s].pinned) p->pinned[root_of(e, (int)s)] = true;
    }
    for (size_t s = 0; s < e->step_count; s++) {
        const nz_engine_step *step = &e->steps[s];
        for (size_t i = 0; i < step->in_count + step->out_count; i++)
            if (step->in[i] >= 0) p->last_forward[root_of(e, step->in[i])] = (int)s;
        if (!step->active) continue;
        size_t time = backward_time(e, s);
        for (size_t i = 0; i < step->in_count; i++)
            if (step->in[i] >= 0 && nz_step_bit(step->reads_in, i)) note_backward(p, step->in[i], time);
        for (size_t o = 0; o < step->out_count; o++)
            if (step->out[o] >= 0 && nz_step_bit(step->reads_out, o)) note_backward(p, step->out[o], time);
    }
}

/* Whether output 0 may be written over the input that the step offers. */
static bool may_share(const places *p, size_t s) {
    const nz_engine *e = p->engine;
    const nz_engine_step *step = &e->steps[s];
    if (step->shares < 0 || step->in[step->shares] < 0) return false;
    int in = root_of(e, step->in[step->shares]);
    const nz_slot *from = &e->slots[in], *to = &e->slots[step->out[0]];
    if (from->place != NZ_SLOT_BLOCK || from->bytes != to->bytes || p->pinned[in] || p->read_backward[in]) return false;
    for (size_t i = 0; i < step->in_count; i++)
        if ((int)i != step->shares && step->in[i] >= 0 && root_of(e, step->in[i]) == in) return false;
    return p->last_forward[in] == (int)s;
}

static nz_status place_value(places *p, int slot, size_t s, bool first_output) {
    nz_engine *e = p->engine;
    nz_slot *value = &e->slots[slot];
    if (value->place != NZ_SLOT_BLOCK || value->view_of >= 0) return NZ_OK;
    size_t last = (size_t)p->last_forward[slot];
    if (p->backward_first[slot] > (int)last) last = (size_t)p->backward_first[slot];
    if (p->pinned[slot]) last = end_time(e);
    if (first_output && may_share(p, s)) {
        value->buffer = e->slots[root_of(e, e->steps[s].in[e->steps[s].shares])].buffer;
        extend(p, value->buffer, last);
        return NZ_OK;
    }
    return new_buffer(p, &value->buffer, value->bytes, s, last);
}

static nz_status place_values(places *p) {
    nz_engine *e = p->engine;
    note_reads(p);
    for (size_t s = 0; s < e->step_count; s++) {
        nz_engine_step *step = &e->steps[s];
        for (size_t o = 0; o < step->out_count; o++)
            if (step->out[o] >= 0) NZ_TRY(place_value(p, step->out[o], s, o == 0));
        for (int way = 0; way < 2; way++) step->scratch_buffer[way] = -1;
        if (!step->scratch_bytes) continue;
        NZ_TRY(new_buffer(p, &step->scratch_buffer[0], step->scratch_bytes, s, s));
        size_t time = backward_time(e, s);
        if (step->active) NZ_TRY(new_buffer(p, &step->scratch_buffer[1], step->scratch_bytes, time, time));
    }
    return NZ_OK;
}

/* ---- gradients ---- */

/* The input whose gradient goes where that by output 0 lies; -1. Better one that is written than one that is added. */
static int sharing_input(const nz_engine *e, const nz_engine_step *step) {
    int chosen = -1;
    if (!step->out_count || step->out[0] < 0 || e->slots[step->out[0]].grad_buffer < 0) return -1;
    for (size_t i = step->in_count; i-- > 0;) {
        if (!nz_step_bit(step->grad_shares, i) || !gives_gradient(e, step, i)) continue;
        if (e->slots[step->in[i]].bytes != e->slots[step->out[0]].bytes) continue;
        if (!step->adds[i] && e->slots[step->in[i]].place == NZ_SLOT_BLOCK) return (int)i;
        if (step->adds[i]) chosen = (int)i;
    }
    return chosen;
}

static nz_status place_contribution(places *p, size_t s, size_t i, bool shares) {
    nz_engine *e = p->engine;
    nz_engine_step *step = &e->steps[s];
    nz_slot *slot = &e->slots[step->in[i]];
    size_t time = backward_time(e, s);
    int above = shares ? e->slots[step->out[0]].grad_buffer : -1;
    if (step->adds[i] && !step->kind->adds) {
        if (above >= 0)
            step->target_buffer[i] = above;
        else if (slot->place == NZ_SLOT_PARAM)
            NZ_TRY(new_buffer(p, &step->target_buffer[i], e->params[slot->param].elements * sizeof(float), time, time));
        else
            NZ_TRY(new_buffer(p, &step->target_buffer[i], slot->bytes, time, time));
    } else if (slot->place == NZ_SLOT_BLOCK) {
        if (slot->grad_buffer < 0 && above >= 0)
            slot->grad_buffer = above;
        else if (slot->grad_buffer < 0)
            NZ_TRY(new_buffer(p, &slot->grad_buffer, slot->bytes, time, time));
        step->target_buffer[i] = slot->grad_buffer;
    }
    extend(p, slot->grad_buffer, time);
    return NZ_OK;
}

static nz_status place_gradients(places *p) {
    nz_engine *e = p->engine;
    nz_slot *output = &e->slots[e->output];
    if (output->place == NZ_SLOT_BLOCK && !e->options.taps_alone)
        NZ_TRY(new_buffer(p, &output->grad_buffer, output->bytes, loss_time(e), loss_time(e)));
    for (size_t s = e->step_count; s-- > 0;) {
        nz_engine_step *step = &e->steps[s];
        for (size_t i = 0; i < step->in_count; i++) step->target_buffer[i] = -1;
        if (!step->active) continue;
        for (size_t o = 0; o < step->out_count; o++)
            if (step->out[o] >= 0) extend(p, e->slots[step->out[o]].grad_buffer, backward_time(e, s));
        int sharing = sharing_input(e, step);
        for (size_t i = 0; i < step->in_count; i++)
            if (gives_gradient(e, step, i)) NZ_TRY(place_contribution(p, s, i, (int)i == sharing));
    }
    return NZ_OK;
}

/* ---- addresses ---- */

static void *address(const places *p, int buffer) {
    return buffer < 0 ? NULL : (char *)p->engine->block + p->items[buffer].offset;
}

static void resolve(const places *p) {
    nz_engine *e = p->engine;
    for (size_t i = 0; i < e->slot_count; i++) {
        nz_slot *slot = &e->slots[i];
        const nz_slot *root = &e->slots[root_of(e, (int)i)];
        if (root->buffer >= 0)
            slot->data = address(p, root->buffer);
        else if (slot->place == NZ_SLOT_BLOCK)
            slot->data = root->data;
        if (slot->grad_buffer >= 0) slot->grad = address(p, slot->grad_buffer);
    }
    for (size_t s = 0; s < e->step_count; s++) {
        nz_engine_step *step = &e->steps[s];
        for (int way = 0; way < 2; way++) step->scratch[way] = address(p, step->scratch_buffer[way]);
        for (size_t i = 0; step->active && i < step->in_count; i++) {
            if (!gives_gradient(e, step, i)) continue;
            step->target[i] =
                step->target_buffer[i] >= 0 ? address(p, step->target_buffer[i]) : e->slots[step->in[i]].grad;
        }
    }
}

nz_status nz_engine_place(nz_engine *e) {
    NZ_AUTO(places_done) places p = {.engine = e};
    NZ_TRY(nz_alloc(&p.last_forward, e->slot_count, sizeof *p.last_forward));
    NZ_TRY(nz_alloc(&p.read_backward, e->slot_count, sizeof *p.read_backward));
    NZ_TRY(nz_alloc(&p.backward_first, e->slot_count, sizeof *p.backward_first));
    NZ_TRY(nz_alloc(&p.pinned, e->slot_count, sizeof *p.pinned));
    if (!e->options.forward_only) NZ_TRY(activate(e));
    NZ_TRY(place_values(&p));
    if (!e->options.forward_only) NZ_TRY(place_gradients(&p));
    NZ_TRY(nz_memory_place(p.items, p.count, &e->block_bytes));
    NZ_TRY(nz_alloc_aligned(&e->block, e->block_bytes ? e->block_bytes : 1, 1));
    resolve(&p);
    return NZ_OK;
}
