/* SPDX-License-Identifier: Apache-2.0 */
/* BatchNormalization with the batch's statistics, and with the Add and the Relu behind it. */
#include <string.h>

#include "core/error.h"
#include "train/plan.h"

typedef struct norm {
    nz_train_norm desc;
    size_t mean, variance; /* running statistics */
    float momentum;
    bool given;       /* the last forward used the running statistics */
    float *batch;     /* [4][channels]: mean, variance, gradients by gamma and beta where nobody wants them */
    nz_node nodes[2]; /* reference: inference, training */
} norm;

enum { X, GAMMA, BETA, ADDEND };

static void norm_release(nz_engine_step *step) {
    norm *self = step->self;
    for (int i = 0; i < 2; i++) nz_node_release(&self->nodes[i]);
    free(self->batch);
    free(self);
}

/* As ONNX has it, with the unbiased variance that PyTorch keeps. */
static void move_running(nz_engine *e, const norm *self) {
    int64_t channels = self->desc.channels, rows = self->desc.rows;
    float *mean = e->running[self->mean].value, *variance = e->running[self->variance].value;
    float keep = self->momentum, unbiased = rows > 1 ? (float)((double)rows / (double)(rows - 1)) : 1.0F;
    for (int64_t c = 0; c < channels; c++) {
        mean[c] = mean[c] * keep + self->batch[c] * (1 - keep);
        variance[c] = variance[c] * keep + self->batch[channels + c] * unbiased * (1 - keep);
    }
}

/* Statistics that backward must find as forward had them, whatever has happened to the running ones since. */
static void take_running(const nz_engine *e, const norm *self) {
    size_t bytes = (size_t)self->desc.channels * sizeof(float);
    memcpy(self->batch, e->running[self->mean].value, bytes);
    memcpy(self->batch + self->desc.channels, e->running[self->variance].value, bytes);
}

static nz_status norm_forward(nz_engine *e, nz_engine_step *step) {
    norm *self = step->self;
    const float *gamma = nz_step_in(e, step, GAMMA), *beta = nz_step_in(e, step, BETA);
    float *mean = self->batch, *variance = mean + self->desc.channels;
    const void *x = nz_step_in(e, step, X), *addend = nz_step_in(e, step, ADDEND);
    void *y = nz_step_out(e, step, 0);
    self->given = !e->training || e->options.frozen_norm;
    if (self->given) {
        take_running(e, self);
        nz_train_norm_apply(&self->desc, x, addend, gamma, beta, mean, variance, y);
        return NZ_OK;
    }
    nz_train_norm_forward(&self->desc, x, addend, gamma, beta, y, mean, variance);
    if (!e->replay) move_running(e, self);
    return NZ_OK;
}

static nz_status norm_backward(nz_engine *e, nz_engine_step *step) {
    norm *self = step->self;
    float *mean = self->batch, *variance = mean + self->desc.channels, *spare = variance + self->desc.channels;
    const void *dy = nz_step_dout(e, step, 0);
    void *dx = step->din[X] ? step->din[X] : step->scratch[1];
    float *dgamma = step->din[GAMMA] ? step->din[GAMMA] : spare;
    float *dbeta = step->din[BETA] ? step->din[BETA] : spare + self->desc.channels;
    nz_train_norm_backward(&self->desc, nz_step_in(e, step, X), nz_step_out(e, step, 0), dy, nz_step_in(e, step, GAMMA),
                           mean, variance, self->given, dx, step->in[ADDEND] < 0 ? NULL : step->din[ADDEND], dgamma,
                           dbeta);
    return NZ_OK;
}

static const nz_step_kind norm_kind = {"batch normalisation", norm_forward, norm_backward, norm_release, false};

/* ---- in plain C, by the operator's entry ---- */

static nz_tensor describe(const nz_slot *slot, void *data) {
    nz_tensor tensor = nz_tensor_borrow(slot->dtype, &slot->shape, data);
    tensor.bytes = slot->bytes;
    return tensor;
}

typedef struct reference_args {
    nz_tensor tensors[5], out;
    const nz_tensor *in[5];
    nz_op_ctx ctx;
} reference_args;

static void fill_reference(reference_args *a, nz_engine *e, const nz_engine_step *step) {
    norm *self = step->self;
    float *statistics[2] = {self->batch, self->batch + self->desc.channels};
    for (size_t i = 0; i < 3; i++) a->tensors[i] = describe(&e->slots[step->in[i]], e->slots[step->in[i]].data);
    for (size_t i = 3; i < 5; i++) a->tensors[i] = describe(&e->slots[step->in[BETA]], statistics[i - 3]);
    for (size_t i = 0; i < 5; i++) a->in[i] = &a->tensors[i];
    a->out = describe(&e->slots[step->out[0]], e->slots[step->out[0]].data);
    a->ctx = (nz_op_ctx){.node = &self->nodes[!self->given],
                         .in_count = 5,
                         .out_count = 1,
                         .in = a->in,
                         .out = &a->out,
                         .scratch = &e->arena};
}

static nz_status reference_forward(nz_engine *e, nz_engine_step *step) {
    norm *self = step->self;
    reference_args a;
    const nz_slot *x = &e->slots[step->in[X]];
    self->given = !e->training || e->options.frozen_norm;
    if (self->given)
        take_running(e, self);
    else
        nz_ref_batch_moments(x->shape.dim[0], self->desc.channels, nz_slot_spatial(x), x->data, self->batch,
                             self->batch + self->desc.channels);
    fill_reference(&a, e, step);
    NZ_TRY(nz_op_of(step->node)->run(&a.ctx));
    nz_arena_reset(&e->arena);
    if (!self->given && !e->replay) move_running(e, self);
    return NZ_OK;
}

static nz_status reference_backward(nz_engine *e, nz_engine_step *step) {
    reference_args a;
    nz_tensor gradients[5] = {0};
    nz_tensor *din[5] = {NULL};
    fill_reference(&a, e, step);
    for (size_t i = 0; i < 3; i++) {
        gradients[i] = describe(&e->slots[step->in[i]], step->din[i]);
        if (step->din[i]) din[i] = &gradients[i];
    }
    nz_tensor dy = describe(&e->slots[step->out[0]], e->slots[step->out[0]].grad);
    const nz_tensor *dout = &dy, *out = &a.out;
    nz_op_grad grad = {.out = &out, .dout = &dout, .din = din};
    nz_status status = nz_op_of(step->node)->grad(&a.ctx, &grad);
    nz_arena_reset(&e->arena);
    return status;
}

static const nz_step_kind reference_kind = {"batch normalisation", reference_forward, reference_backward, norm_release,
                                            false};

/* ---- lowering ---- */

/* What is fused: the nodes behind it, and the value that is added. */
typedef struct chain {
    const nz_node *add, *relu;
    int addend, out; /* values */
} chain;

/* A map that an earlier step makes. */
static bool is_made(const nz_lowering *l, int value) {
    return value >= 0 && l->slot_of[value] >= 0 && l->engine->slots[l->slot_of[value]].place == NZ_SLOT_BLOCK;
}

static chain follow(const nz_lowering *l, const nz_node *node) {
    const nz_graph *g = l->graph;
    chain c = {.addend = -1, .out = node->outputs[0]};
    const nz_node *next = nz_lower_only_reader(l, c.out);
    if (nz_lower_is(next, "Add") && next->input_count == 2) {
        int other = next->inputs[next->inputs[0] == c.out];
        bool same = other != c.out && nz_shape_equal(&g->values[other].shape, &g->values[c.out].shape);
        if (same && is_made(l, other)) {
            c.add = next;
            c.addend = other;
            c.out = next->outputs[0];
            next = nz_lower_only_reader(l, c.out);
        }
    }
    if (nz_lower_is(next, "Relu")) {
        c.relu = next;
        c.out = next->outputs[0];
    }
    return c;
}

static nz_status new_norm(norm **ret_norm, nz_lowering *l, const nz_node *node, const nz_slot *x) {
    nz_engine *e = l->engine;
    norm *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    nz_engine_step half = {.self = self};
    self->momentum = nz_attr_float(node, "momentum", 0.9F);
    self->desc = (nz_train_norm){
        .dtype = x->dtype, .channels = nz_slot_channels(x), .epsilon = nz_attr_float(node, "epsilon", 1e-5F)};
    self->desc.rows = self->desc.channels ? x->elements / self->desc.channels : 0;
    nz_status status = nz_alloc(&self->batch, 4 * (size_t)self->desc.channels, sizeof(float));
    if (status == NZ_OK) status = nz_engine_add_running(e, &self->mean, &l->graph->values[node->inputs[3]]);
    if (status == NZ_OK) status = nz_engine_add_running(e, &self->variance, &l->graph->values[node->inputs[4]]);
    for (int i = 0; i < 2 && status == NZ_OK; i++) {
        status = nz_node_clone(&self->nodes[i], node);
        if (status == NZ_OK) status = nz_node_set_int(&self->nodes[i], "training_mode", i);
    }
    if (status != NZ_OK) {
        norm_release(&half);
        return status;
    }
    *ret_norm = self;
    return NZ_OK;
}

static nz_status check(const nz_lowering *l, const nz_node *node) {
    for (size_t o = 1; o < node->output_count; o++)
        if (node->outputs[o] >= 0 && (l->readers[node->outputs[o]] || l->pinned[node->outputs[o]]))
            return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): the model reads its batch statistics", node->name,
                           node->op_type);
    for (size_t i = 3; i < 5; i++)
        if (!nz_lower_constant(l, node->inputs[i]))
            return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): its running statistics are computed", node->name,
                           node->op_type);
    return NZ_OK;
}

static nz_status add_step(nz_lowering *l, const nz_node *node, const chain *c, norm *self, const int in[4]) {
    nz_engine *e = l->engine;
    const nz_slot x = e->slots[in[X]];
    int out = -1;
    self->desc.relu = c->relu != NULL;
    nz_engine_step step = {.kind = e->options.reference ? &reference_kind : &norm_kind,
                           .node = node,
                           .self = self,
                           .grad_inputs = 15,
                           .reads_in = 3,
                           .reads_out = c->relu ? 1 : 0,
                           .shares = e->options.reference ? -1 : X,
                           .grad_shares = e->options.reference ? 0 : 1U << X | 1U << ADDEND};
    if (!x.behind_param) step.scratch_bytes = x.bytes;
    nz_status status = nz_lower_slot(l, &out, NZ_SLOT_BLOCK, l->graph->values[c->out].name, x.dtype, &x.shape, x.last);
    if (status != NZ_OK) {
        nz_engine_step half = {.self = self};
        norm_release(&half);
        return status;
    }
    NZ_TRY(nz_lower_step(l, &step, in, 4, &out, 1));
    l->slot_of[c->out] = out;
    if (c->add) nz_lower_take(l, c->add);
    if (c->relu) nz_lower_take(l, c->relu);
    return NZ_OK;
}

nz_status nz_lower_norm(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    if (!nz_lower_is(node, "BatchNormalization") || node->input_count != 5) return NZ_OK;
    int in[4] = {-1, -1, -1, -1};
    bool last = !e->options.reference;
    chain c = {.addend = -1, .out = node->outputs[0]};
    norm *self = NULL;
    NZ_TRY(check(l, node));
    for (size_t i = 0; i < 3; i++) NZ_TRY(nz_lower_value(l, &in[i], node->inputs[i]));
    if (last) c = follow(l, node);
    NZ_TRY(nz_lower_form(l, &in[X], in[X], last, last ? NZ_DTYPE_NONE : NZ_F32));
    if (c.addend >= 0) {
        NZ_TRY(nz_lower_value(l, &in[ADDEND], c.addend));
        NZ_TRY(nz_lower_form(l, &in[ADDEND], in[ADDEND], true, e->slots[in[X]].dtype));
    }
    NZ_TRY(new_norm(&self, l, node, &e->slots[in[X]]));
    NZ_TRY(add_step(l, node, &c, self, in));
    *ret_done = true;
    return NZ_OK;
}
