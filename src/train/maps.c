/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to feature maps between layers: Relu, sums, pooling, joining channels, other shapes for the same bytes. */
#include <string.h>

#include "core/error.h"
#include "core/threads.h"
#include "op/window.h"
#include "train/plan.h"

/* A slot for output 0 of a node, in the form of `like`. */
static nz_status make_output(nz_lowering *l, int *ret_out, const nz_node *node, const nz_slot *like, bool last) {
    const nz_value *value = &l->graph->values[node->outputs[0]];
    NZ_TRY(nz_lower_slot(l, ret_out, NZ_SLOT_BLOCK, value->name, like->dtype, &value->shape,
                         last && value->shape.rank > 2));
    l->slot_of[node->outputs[0]] = *ret_out;
    return NZ_OK;
}

/* ---- Relu ---- */

static nz_status relu_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    nz_train_relu(x->dtype, x->data, nz_step_out(e, step, 0), (size_t)x->elements);
    return NZ_OK;
}

static nz_status relu_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *y = &e->slots[step->out[0]];
    nz_train_relu_backward(y->dtype, y->data, y->grad, step->din[0], (size_t)y->elements);
    return NZ_OK;
}

static const nz_step_kind relu_kind = {"Relu", relu_forward, relu_backward, NULL, false};

static nz_status lower_relu(nz_lowering *l, const nz_node *node, bool *ret_done) {
    int in = -1, out = -1;
    NZ_TRY(nz_lower_value(l, &in, node->inputs[0]));
    nz_slot x = l->engine->slots[in];
    if (x.place == NZ_SLOT_CONSTANT || (x.dtype != NZ_F32 && x.dtype != NZ_BF16)) return NZ_OK;
    NZ_TRY(make_output(l, &out, node, &x, x.last));
    nz_engine_step step = {
        .kind = &relu_kind, .node = node, .grad_inputs = 1, .reads_out = 1, .shares = 0, .grad_shares = 1};
    *ret_done = true;
    return nz_lower_step(l, &step, &in, 1, &out, 1);
}

/* ---- sums of maps of one shape: gradients pass through as they are ---- */

static nz_status add_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *y = &e->slots[step->out[0]];
    nz_train_add(y->dtype, nz_step_in(e, step, 0), nz_step_in(e, step, 1), y->data, (size_t)y->elements);
    return NZ_OK;
}

static nz_status add_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *y = &e->slots[step->out[0]];
    for (size_t i = 0; i < 2; i++) {
        if (!step->din[i]) continue;
        if (step->adds[i])
            nz_train_add(y->dtype, step->din[i], y->grad, step->din[i], (size_t)y->elements);
        else if (step->din[i] != y->grad && y->bytes)
            memcpy(step->din[i], y->grad, y->bytes);
    }
    return NZ_OK;
}

static const nz_step_kind add_kind = {"Add", add_forward, add_backward, NULL, true};

static nz_status lower_add(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    int in[2], out = -1;
    if (node->input_count != 2) return NZ_OK;
    for (int i = 0; i < 2; i++) {
        const nz_value *value = &l->graph->values[node->inputs[i]];
        if (!nz_shape_equal(&value->shape, &l->graph->values[node->outputs[0]].shape) || value->dtype != NZ_F32)
            return NZ_OK;
        NZ_TRY(nz_lower_value(l, &in[i], node->inputs[i]));
        nz_slot_place place = e->slots[in[i]].place;
        if (place != NZ_SLOT_BLOCK && place != NZ_SLOT_INPUT) return NZ_OK;
    }
    nz_slot a = e->slots[in[0]], b = e->slots[in[1]];
    bool last = a.last || b.last;
    nz_dtype dtype = a.dtype == NZ_BF16 || b.dtype == NZ_BF16 ? NZ_BF16 : NZ_F32;
    for (int i = 0; i < 2; i++) NZ_TRY(nz_lower_form(l, &in[i], in[i], last, dtype));
    a = e->slots[in[0]];
    NZ_TRY(make_output(l, &out, node, &a, last));
    nz_engine_step step = {.kind = &add_kind, .node = node, .grad_inputs = 3, .shares = 0, .grad_shares = 3};
    *ret_done = true;
    return nz_lower_step(l, &step, in, 2, &out, 1);
}

/* ---- max pooling ---- */

static nz_status max_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    nz_train_max_pool(x->dtype, step->self, x->shape.dim[0], nz_slot_channels(x), x->data, nz_step_out(e, step, 0),
                      nz_step_out(e, step, 1));
    return NZ_OK;
}

static nz_status max_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    nz_train_max_pool_backward(x->dtype, step->self, x->shape.dim[0], nz_slot_channels(x), nz_step_dout(e, step, 0),
                               nz_step_out(e, step, 1), step->din[0]);
    return NZ_OK;
}

static const nz_step_kind max_kind = {"MaxPool", max_forward, max_backward, NULL, false};

static nz_status lower_max(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    int in = -1, out[2] = {-1, -1};
    if (node->output_count > 1 && node->outputs[1] >= 0) return NZ_OK;
    NZ_TRY(nz_lower_value(l, &in, node->inputs[0]));
    nz_slot x = e->slots[in];
    nz_tensor tensor = {.dtype = NZ_F32, .shape = x.shape};
    const nz_tensor *list = &tensor;
    nz_op_ctx ctx = {.node = node, .in_count = 1, .in = &list};
    nz_window window;
    if (x.place == NZ_SLOT_CONSTANT || x.shape.rank < 3) return NZ_OK;
    NZ_TRY(nz_window_read(&window, &ctx, &x.shape, NULL, NZ_WINDOW_POOL));
    if (nz_window_taps(&window) >= UINT16_MAX) return NZ_OK;
    NZ_TRY(nz_lower_form(l, &in, in, true, x.dtype));
    NZ_TRY(make_output(l, &out[0], node, &x, true));
    NZ_TRY(nz_lower_slot(l, &out[1], NZ_SLOT_BLOCK, x.name, NZ_U16, &e->slots[out[0]].shape, false));
    nz_window *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    *self = window;
    nz_engine_step step = {
        .kind = &max_kind, .node = node, .self = self, .grad_inputs = 1, .reads_out = 2, .shares = -1};
    *ret_done = true;
    return nz_lower_step(l, &step, &in, 1, out, 2);
}

/* ---- averages over all positions ---- */

static nz_status global_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    nz_train_global_pool(x->dtype, x->shape.dim[0], nz_slot_spatial(x), nz_slot_channels(x), x->data,
                         nz_step_out(e, step, 0));
    return NZ_OK;
}

static nz_status global_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    nz_train_global_pool_backward(x->dtype, x->shape.dim[0], nz_slot_spatial(x), nz_slot_channels(x),
                                  nz_step_dout(e, step, 0), step->din[0]);
    return NZ_OK;
}

static const nz_step_kind global_kind = {"GlobalAveragePool", global_forward, global_backward, NULL, false};

/* ReduceMean over exactly the spatial axes. */
static bool reduces_space(const nz_lowering *l, const nz_node *node) {
    int rank = l->graph->values[node->inputs[0]].shape.rank;
    const nz_tensor *axes = node->input_count > 1 ? nz_lower_constant(l, node->inputs[1]) : NULL;
    if (!axes) return false;
    unsigned set = 0;
    for (int64_t i = 0; i < nz_shape_elements(&axes->shape); i++) {
        int64_t axis = nz_tensor_int(axes, i);
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank) return false;
        set |= 1U << axis;
    }
    return rank > 2 && set == (1U << rank) - 4U;
}

/* AveragePool with one window, which is the whole map. */
static bool covers_space(const nz_lowering *l, const nz_node *node) {
    nz_tensor tensor = {.dtype = NZ_F32, .shape = l->graph->values[node->inputs[0]].shape};
    const nz_tensor *list = &tensor;
    nz_op_ctx ctx = {.node = node, .in_count = 1, .in = &list};
    nz_window w;
    if (nz_window_read(&w, &ctx, &tensor.shape, NULL, NZ_WINDOW_POOL) != NZ_OK) return false;
    for (int i = 0; i < 3; i++)
        if (w.out[i] != 1 || w.kernel[i] != w.in[i] || w.begin[i] || w.end[i] ||
            (w.kernel[i] > 1 && w.dilation[i] != 1))
            return false;
    return true;
}

static nz_status lower_global(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    int in = -1, out = -1;
    if (nz_lower_is(node, "ReduceMean") && !reduces_space(l, node)) return NZ_OK;
    if (nz_lower_is(node, "AveragePool") && !covers_space(l, node)) return NZ_OK;
    NZ_TRY(nz_lower_value(l, &in, node->inputs[0]));
    nz_slot x = e->slots[in];
    if (!x.last) return NZ_OK;
    /* One position: channels last and row-major are the same bytes. */
    NZ_TRY(make_output(l, &out, node, &x, false));
    nz_engine_step step = {.kind = &global_kind, .node = node, .grad_inputs = 1, .shares = -1};
    *ret_done = true;
    return nz_lower_step(l, &step, &in, 1, &out, 1);
}

/* ---- the same bytes under another shape ---- */

static nz_status lower_shape(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    int in = -1, out = -1;
    NZ_TRY(nz_lower_value(l, &in, node->inputs[0]));
    if (e->slots[in].place == NZ_SLOT_CONSTANT || e->slots[in].param >= 0) return NZ_OK;
    NZ_TRY(nz_lower_form(l, &in, in, false, NZ_DTYPE_NONE));
    nz_slot x = e->slots[in];
    NZ_TRY(make_output(l, &out, node, &x, false));
    *ret_done = true;
    return nz_lower_alias(l, node, in, out);
}

/* ---- channels of several maps one after the other ---- */

typedef struct join_job {
    char *joined;
    const char *part;
    size_t row, part_row; /* bytes */
    bool apart;
} join_job;

static void join_rows(void *argument, size_t begin, size_t end) {
    const join_job *job = argument;
    for (size_t r = begin; r < end; r++) {
        char *whole = job->joined + r * job->row;
        const char *part = job->part + r * job->part_row;
        if (job->apart)
            memcpy((char *)(uintptr_t)part, whole, job->part_row);
        else
            memcpy(whole, part, job->part_row);
    }
}

/* Copies part `i` of the channels in or out; returns its bytes per row. */
static size_t move_part(const nz_slot *whole, const nz_slot *part, void *joined, const void *data, size_t at,
                        bool apart) {
    size_t rows = (size_t)(whole->shape.dim[0] * nz_slot_spatial(whole));
    size_t each = rows ? part->bytes / rows : 0;
    join_job job = {(char *)joined + at, data, rows ? whole->bytes / rows : 0, each, apart};
    if (data && each) nz_parallel(rows, 256, join_rows, &job);
    return each;
}

static nz_status join_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *y = &e->slots[step->out[0]];
    size_t at = 0;
    for (size_t i = 0; i < step->in_count; i++) {
        const nz_slot *x = &e->slots[step->in[i]];
        at += move_part(y, x, y->data, x->data, at, false);
    }
    return NZ_OK;
}

static nz_status join_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *y = &e->slots[step->out[0]];
    size_t at = 0;
    for (size_t i = 0; i < step->in_count; i++)
        at += move_part(y, &e->slots[step->in[i]], y->grad, step->din[i], at, true);
    return NZ_OK;
}

static const nz_step_kind join_kind = {"Concat", join_forward, join_backward, NULL, false};

static nz_status lower_join(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    const nz_shape *shape = &l->graph->values[node->outputs[0]].shape;
    NZ_AUTO_FREE int *in = NULL;
    int out = -1;
    int64_t axis = nz_attr_int(node, "axis", 0);
    if (shape->rank < 3 || (axis != 1 && axis + shape->rank != 1)) return NZ_OK;
    NZ_TRY(nz_alloc(&in, node->input_count, sizeof *in));
    bool any = false, half = false;
    for (size_t i = 0; i < node->input_count; i++) {
        NZ_TRY(nz_lower_value(l, &in[i], node->inputs[i]));
        any |= e->slots[in[i]].last;
        half |= e->slots[in[i]].dtype == NZ_BF16;
    }
    if (!any) return NZ_OK;
    for (size_t i = 0; i < node->input_count; i++)
        NZ_TRY(nz_lower_form(l, &in[i], in[i], true, half ? NZ_BF16 : NZ_F32));
    nz_slot first = e->slots[in[0]];
    NZ_TRY(make_output(l, &out, node, &first, true));
    nz_engine_step step = {.kind = &join_kind, .node = node, .grad_inputs = ~0U, .shares = -1};
    *ret_done = true;
    return nz_lower_step(l, &step, in, node->input_count, &out, 1);
}

nz_status nz_lower_map(nz_lowering *l, const nz_node *node, bool *ret_done) {
    static const struct {
        const char *op_type;
        nz_lower_try *lower;
    } table[] = {{"Relu", lower_relu},         {"Clip", nz_lower_clip},       {"Sigmoid", nz_lower_silu},
                 {"Add", lower_add},           {"MaxPool", lower_max},        {"GlobalAveragePool", lower_global},
                 {"ReduceMean", lower_global}, {"AveragePool", lower_global}, {"Flatten", lower_shape},
                 {"Reshape", lower_shape},     {"Squeeze", lower_shape},      {"Unsqueeze", lower_shape},
                 {"Concat", lower_join}};
    if (l->engine->options.reference) return NZ_OK;
    for (size_t i = 0; i < NZ_COUNT(table); i++)
        if (nz_lower_is(node, table[i].op_type)) return table[i].lower(l, node, ret_done);
    return NZ_OK;
}
