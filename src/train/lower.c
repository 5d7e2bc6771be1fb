/* SPDX-License-Identifier: Apache-2.0 */
/* From the specialised graph to slots and steps: node by node, each by the first lowering that is for it. */
#include <string.h>

#include "core/error.h"
#include "train/plan.h"

/* ---- slots ---- */

int64_t nz_slot_channels(const nz_slot *slot) { return slot->shape.rank > 1 ? slot->shape.dim[1] : 1; }

int64_t nz_slot_spatial(const nz_slot *slot) {
    int64_t spatial = 1;
    for (int d = 2; d < slot->shape.rank; d++) spatial *= slot->shape.dim[d];
    return spatial;
}

nz_mem nz_slot_mem(const nz_slot *slot) {
    return slot->last ? nz_mem_channels_last(slot->dtype, &slot->shape) : nz_mem_plain(slot->dtype, &slot->shape);
}

nz_status nz_lower_slot(nz_lowering *l, int *ret_slot, nz_slot_place place, const char *name, nz_dtype dtype,
                        const nz_shape *shape, bool last) {
    nz_engine *e = l->engine;
    nz_slot slot = {.place = place,
                    .name = name,
                    .dtype = dtype,
                    .shape = *shape,
                    .last = last,
                    .param = -1,
                    .view_of = -1,
                    .form = {{-1, -1}, {-1, -1}},
                    .buffer = -1,
                    .grad_buffer = -1};
    slot.elements = nz_shape_elements(shape);
    if (slot.elements < 0) return nz_fail(NZ_E_SHAPE, "the shape of '%s' is not known when planning", name);
    NZ_TRY(nz_dtype_bytes(&slot.bytes, dtype, slot.elements));
    NZ_TRY(nz_grow(&e->slots, &e->slot_capacity, e->slot_count + 1, sizeof *e->slots));
    e->slots[e->slot_count] = slot;
    *ret_slot = (int)e->slot_count++;
    return NZ_OK;
}

const nz_tensor *nz_lower_constant(const nz_lowering *l, int value) {
    return nz_value_is_constant(l->graph, value) ? &l->graph->values[value].constant : NULL;
}

/* Kernels read whole elements: a constant that lies crooked in its file is copied. */
static nz_status constant_slot(nz_lowering *l, int *ret_slot, const nz_value *value) {
    const nz_tensor *tensor = &value->constant;
    void *data = tensor->data;
    if ((uintptr_t)data % 8) {
        NZ_TRY(nz_arena_alloc(&l->engine->constants, &data, tensor->bytes, 1));
        memcpy(data, tensor->data, tensor->bytes);
    }
    NZ_TRY(nz_lower_slot(l, ret_slot, NZ_SLOT_CONSTANT, value->name, tensor->dtype, &tensor->shape, false));
    l->engine->slots[*ret_slot].data = data;
    return NZ_OK;
}

nz_status nz_lower_value(nz_lowering *l, int *ret_slot, int value) {
    *ret_slot = -1;
    if (value == NZ_NO_VALUE) return NZ_OK;
    if (l->slot_of[value] < 0) {
        if (!nz_value_is_constant(l->graph, value))
            return nz_fail(NZ_E_INTERNAL, "'%s' is read before it is made", l->graph->values[value].name);
        NZ_TRY(constant_slot(l, &l->slot_of[value], &l->graph->values[value]));
    }
    *ret_slot = l->slot_of[value];
    return NZ_OK;
}

/* ---- steps ---- */

static void release(nz_engine_step *step) {
    if (step->kind->release)
        step->kind->release(step);
    else
        free(step->self);
}

static nz_status allocate(nz_engine_step *step, const int *in, size_t in_count, const int *out, size_t out_count) {
    NZ_TRY(nz_alloc(&step->in, in_count + out_count, sizeof *step->in));
    step->out = step->in + in_count;
    step->in_count = in_count;
    step->out_count = out_count;
    for (size_t i = 0; i < in_count; i++) step->in[i] = in[i];
    for (size_t i = 0; i < out_count; i++) step->out[i] = out[i];
    NZ_TRY(nz_alloc(&step->din, 2 * in_count, sizeof *step->din));
    step->target = step->din + in_count;
    NZ_TRY(nz_alloc(&step->adds, in_count, sizeof *step->adds));
    return nz_alloc(&step->target_buffer, in_count, sizeof *step->target_buffer);
}

static bool is_real(nz_dtype dtype) { return dtype == NZ_F32 || dtype == NZ_BF16; }

/* What stands behind the inputs stands behind the outputs. */
static void inherit(nz_engine *e, const nz_engine_step *step) {
    for (size_t o = 0; o < step->out_count; o++) {
        if (step->out[o] < 0) continue;
        nz_slot *out = &e->slots[step->out[o]];
        for (size_t i = 0; i < step->in_count; i++) {
            if (step->in[i] < 0) continue;
            const nz_slot *in = &e->slots[step->in[i]];
            out->behind_input |= in->behind_input;
            if (!nz_step_bit(step->grad_inputs, i) || !is_real(out->dtype)) continue;
            out->behind_param |= in->behind_param;
            out->behind_quantizer |= in->behind_quantizer;
        }
    }
}

nz_status nz_lower_step(nz_lowering *l, const nz_engine_step *step, const int *in, size_t in_count, const int *out,
                        size_t out_count) {
    nz_engine *e = l->engine;
    nz_engine_step added = *step;
    nz_status status = nz_grow(&e->steps, &e->step_capacity, e->step_count + 1, sizeof *e->steps);
    if (status == NZ_OK) status = allocate(&added, in, in_count, out, out_count);
    if (status != NZ_OK) {
        free(added.in);
        free(added.din);
        free(added.adds);
        release(&added);
        return status;
    }
    e->steps[e->step_count++] = added;
    inherit(e, &added);
    return NZ_OK;
}

const nz_node *nz_lower_only_reader(const nz_lowering *l, int value) {
    if (value < 0 || l->pinned[value] || l->readers[value] != 1) return NULL;
    return &l->graph->nodes[l->reader[value]];
}

void nz_lower_take(nz_lowering *l, const nz_node *node) { l->taken[node - l->graph->nodes] = true; }

/* ---- the same elements in another form ---- */

static nz_status convert(const nz_slot *from, const void *x, const nz_slot *to, void *y) {
    int64_t batch = from->shape.rank > 0 ? from->shape.dim[0] : 1, channels = nz_slot_channels(from);
    if (from->last == to->last)
        nz_train_convert(from->dtype, x, to->dtype, y, (size_t)from->elements);
    else if (to->last)
        nz_train_to_channels_last(from->dtype, x, to->dtype, y, batch, channels, nz_slot_spatial(from));
    else
        nz_train_to_plain(from->dtype, x, to->dtype, y, batch, channels, nz_slot_spatial(from));
    return NZ_OK;
}

static nz_status convert_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *from = &e->slots[step->in[0]], *to = &e->slots[step->out[0]];
    return convert(from, from->data, to, to->data);
}

static nz_status convert_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *from = &e->slots[step->in[0]], *to = &e->slots[step->out[0]];
    return convert(to, to->grad, from, step->din[0]);
}

static const nz_step_kind convert_kind = {"conversion", convert_forward, convert_backward, NULL, false};

/* The output is the input; of the batch, it is another each time. */
static nz_status view_forward(nz_engine *e, nz_engine_step *step) {
    e->slots[step->out[0]].data = e->slots[step->in[0]].data;
    return NZ_OK;
}

static nz_status view_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *out = &e->slots[step->out[0]];
    if (step->adds[0])
        nz_train_add(out->dtype, step->din[0], out->grad, step->din[0], (size_t)out->elements);
    else if (step->din[0] != out->grad && out->bytes)
        memcpy(step->din[0], out->grad, out->bytes);
    return NZ_OK;
}

static const nz_step_kind view_kind = {"view", view_forward, view_backward, NULL, true};

nz_status nz_lower_alias(nz_lowering *l, const nz_node *node, int slot, int view) {
    nz_engine *e = l->engine;
    e->slots[view].view_of = slot;
    nz_engine_step step = {.kind = &view_kind, .node = node, .grad_inputs = 1, .shares = -1, .grad_shares = 1};
    return nz_lower_step(l, &step, &slot, 1, &view, 1);
}

nz_status nz_lower_form(nz_lowering *l, int *ret_slot, int slot, bool last, nz_dtype dtype) {
    nz_engine *e = l->engine;
    nz_slot from = e->slots[slot];
    if (!dtype) dtype = from.dtype;
    if (from.shape.rank < 3) last = false;
    if (from.last == last && from.dtype == dtype) {
        *ret_slot = slot;
        return NZ_OK;
    }
    int *kept = &e->slots[slot].form[last][dtype == NZ_BF16], made = *kept;
    if (made < 0) {
        NZ_TRY(nz_lower_slot(l, &made, NZ_SLOT_BLOCK, from.name, dtype, &from.shape, last));
        bool same_places = nz_slot_spatial(&from) == 1 || nz_slot_channels(&from) == 1;
        nz_engine_step step = {.kind = &convert_kind, .grad_inputs = 1, .shares = -1};
        if (same_places && from.dtype == dtype)
            NZ_TRY(nz_lower_alias(l, NULL, slot, made));
        else
            NZ_TRY(nz_lower_step(l, &step, &slot, 1, &made, 1));
        e->slots[slot].form[last][dtype == NZ_BF16] = made;
    }
    *ret_slot = made;
    return NZ_OK;
}

/* ---- a tap: where gradients from outside come in ---- */

typedef struct tap_step {
    size_t index;
} tap_step;

static nz_status tap_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *slot = &e->slots[step->in[0]];
    size_t i = ((const tap_step *)step->self)->index;
    if (!step->adds[0]) memset(step->din[0], 0, slot->bytes);
    if (!e->tap_given[i]) return NZ_OK;
    e->tap_given[i] = false;
    const float *given = e->tap_grads[i];
    if (slot->dtype == NZ_F32 && !slot->last) {
        nz_train_add(NZ_F32, step->din[0], given, step->din[0], (size_t)slot->elements);
        return NZ_OK;
    }
    nz_slot plain = *slot;
    plain.dtype = NZ_F32;
    plain.last = false;
    void *converted = NULL;
    NZ_TRY(nz_arena_alloc(&e->arena, &converted, slot->bytes, 1));
    NZ_TRY(convert(&plain, given, slot, converted));
    nz_train_add(slot->dtype, step->din[0], converted, step->din[0], (size_t)slot->elements);
    nz_arena_reset(&e->arena);
    return NZ_OK;
}

static nz_status tap_forward(nz_engine *e, nz_engine_step *step) {
    (void)e, (void)step; /* looked at from outside */
    return NZ_OK;
}

static const nz_step_kind tap_kind = {"tap", tap_forward, tap_backward, NULL, true};

nz_status nz_lower_tap(nz_lowering *l, int slot, size_t i) {
    tap_step *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->index = i;
    l->engine->slots[slot].pinned = true;
    nz_engine_step step = {.kind = &tap_kind, .self = self, .grad_inputs = 1, .shares = -1};
    return nz_lower_step(l, &step, &slot, 1, NULL, 0);
}

/* ---- the walk ---- */

static nz_status count_readers(nz_lowering *l) {
    const nz_graph *g = l->graph;
    for (size_t n = 0; n < g->node_count; n++)
        for (size_t i = 0; i < g->nodes[n].input_count; i++) {
            int value = g->nodes[n].inputs[i];
            if (value < 0) continue;
            l->readers[value]++;
            l->reader[value] = (int)n;
        }
    for (size_t i = 0; i < g->output_count; i++) l->pinned[g->outputs[i]] = true;
    return NZ_OK;
}

static bool names_value(char *const *names, size_t count, const char *name, size_t *ret_at) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) {
            if (ret_at) *ret_at = i;
            return true;
        }
    return false;
}

/* Slots of the batch and the parameters; Dropout's factors have none. */
static nz_status lower_inputs(nz_lowering *l) {
    const nz_prepared *p = l->prepared;
    for (size_t i = 0; i < l->graph->input_count; i++) {
        int value = l->graph->inputs[i];
        const nz_value *v = &l->graph->values[value];
        size_t at = 0;
        if (names_value(p->dropouts, p->dropout_count, v->name, &at)) {
            l->drops[value] = p->ratios[at];
        } else if (i > 0) { /* those that nobody reads any more stay as they are */
            if (l->readers[value]) NZ_TRY(nz_engine_add_param(l, &l->slot_of[value], v));
        } else {
            NZ_TRY(nz_lower_slot(l, &l->slot_of[value], NZ_SLOT_INPUT, v->name, v->dtype, &v->shape, false));
            l->engine->input = l->slot_of[value];
            l->engine->slots[l->engine->input].behind_input = true;
        }
    }
    return NZ_OK;
}

static nz_status lower_node(nz_lowering *l, const nz_node *node) {
    static nz_lower_try *const tries[] = {nz_lower_quantizer, nz_lower_dropout, nz_lower_norm, nz_lower_layer,
                                          nz_lower_map};
    for (size_t i = 0; i < NZ_COUNT(tries); i++) {
        bool done = false;
        NZ_TRY(tries[i](l, node, &done));
        if (done) return NZ_OK;
    }
    return nz_lower_generic(l, node);
}

/* A tap's step stands right behind the step that makes it. */
static nz_status lower_taps(nz_lowering *l, bool *done) {
    nz_engine *e = l->engine;
    for (size_t i = 0; i < e->options.tap_count; i++) {
        int value = nz_graph_find_value(l->graph, e->options.taps[i]);
        if (value < 0) return nz_fail(NZ_E_ARG, "the model computes no value named '%s'", e->options.taps[i]);
        int slot = l->slot_of[value];
        if (done[i] || slot < 0) continue;
        if (!is_real(e->slots[slot].dtype))
            return nz_fail(NZ_E_ARG, "value '%s' holds %s, not floats", e->options.taps[i],
                           nz_dtype_get(e->slots[slot].dtype)->name);
        NZ_TRY(nz_lower_tap(l, slot, i));
        e->taps[i] = slot;
        e->tap_shapes[i] = e->slots[slot].shape;
        done[i] = true;
    }
    return NZ_OK;
}

static nz_status lower_all(nz_lowering *l) {
    nz_engine *e = l->engine;
    NZ_AUTO_FREE bool *tapped = NULL;
    NZ_TRY(nz_alloc(&tapped, e->options.tap_count, sizeof *tapped));
    NZ_TRY(lower_inputs(l));
    for (size_t n = 0; n < l->graph->node_count; n++) {
        if (l->taken[n]) continue;
        NZ_TRY(lower_node(l, &l->graph->nodes[n]));
        if (e->options.tap_count) NZ_TRY(lower_taps(l, tapped));
    }
    NZ_TRY(nz_lower_value(l, &e->output_map, l->graph->outputs[0]));
    e->output = e->output_map;
    if (!e->options.taps_alone) NZ_TRY(nz_lower_form(l, &e->output, e->output_map, false, NZ_F32));
    e->slots[e->output].pinned = true;
    if (!e->slots[e->output].behind_param && !e->options.forward_only)
        return nz_fail(NZ_E_UNSUPPORTED, "no parameter stands behind the output '%s'",
                       l->graph->values[l->graph->outputs[0]].name);
    return NZ_OK;
}

nz_status nz_engine_lower(nz_engine *engine, const nz_prepared *prepared) {
    size_t values = engine->graph->value_count, nodes = engine->graph->node_count;
    nz_lowering l = {.engine = engine, .graph = engine->graph, .prepared = prepared};
    NZ_AUTO_FREE void *all = NULL;
    NZ_TRY(nz_alloc(&all, values * (sizeof(double) + 3 * sizeof(int) + sizeof(bool)) + nodes, 1));
    l.drops = all;
    l.slot_of = (int *)(void *)(l.drops + values);
    l.readers = l.slot_of + values;
    l.reader = l.readers + values;
    l.pinned = (bool *)(l.reader + values);
    l.taken = l.pinned + values;
    for (size_t v = 0; v < values; v++) {
        l.drops[v] = -1;
        l.slot_of[v] = -1;
    }
    NZ_TRY(count_readers(&l));
    return lower_all(&l);
}
