/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and linear layers by the kernels of training. */
#include <string.h>

#include "core/error.h"
#include "op/conv.h"
#include "train/plan.h"

typedef struct layer {
    nz_train_layer *kernel;
    float *spare[3]; /* by input: a gradient that nobody wants, but that comes with the other */
    void *bound;
} layer;

enum { SRC, WEIGHTS, BIAS };

static void layer_free(layer *self) {
    if (!self) return;
    nz_train_layer_free(self->kernel);
    for (size_t i = 0; i < NZ_COUNT(self->spare); i++) free(self->spare[i]);
    free(self);
}

static void layer_release(nz_engine_step *step) { layer_free(step->self); }

static void bind_scratch(layer *self, void *scratch) {
    if (!scratch || self->bound == scratch) return;
    self->kernel->bind_scratch(self->kernel, scratch);
    self->bound = scratch;
}

static nz_status layer_forward(nz_engine *e, nz_engine_step *step) {
    layer *self = step->self;
    bind_scratch(self, step->scratch[0]);
    return self->kernel->forward(self->kernel, nz_step_in(e, step, SRC), nz_step_in(e, step, WEIGHTS),
                                 nz_step_in(e, step, BIAS), nz_step_out(e, step, 0));
}

static nz_status layer_backward(nz_engine *e, nz_engine_step *step) {
    layer *self = step->self;
    const void *dy = nz_step_dout(e, step, 0);
    bind_scratch(self, step->scratch[1]);
    if (step->din[WEIGHTS] || step->din[BIAS]) {
        float *dweights = step->din[WEIGHTS] ? step->din[WEIGHTS] : self->spare[WEIGHTS];
        float *dbias = step->din[BIAS] ? step->din[BIAS] : self->spare[BIAS];
        NZ_TRY(self->kernel->backward_weights(self->kernel, nz_step_in(e, step, SRC), dy, dweights, dbias));
    }
    if (!step->din[SRC]) return NZ_OK;
    return self->kernel->backward_data(self->kernel, dy, nz_step_in(e, step, WEIGHTS), step->din[SRC]);
}

static const nz_step_kind layer_kind = {"layer", layer_forward, layer_backward, layer_release, false};

/* ---- what a node asks for ---- */

/* A node as a layer, before forms are chosen. */
typedef struct match {
    nz_train_layer_desc desc;
    int64_t rows; /* LINEAR: of the source as a matrix */
    int bias;     /* value; -1 */
    int64_t channels;
} match;

static bool match_conv(const nz_lowering *l, const nz_node *node, match *m) {
    bool transposed = nz_lower_is(node, "ConvTranspose");
    if (!transposed && !nz_lower_is(node, "Conv")) return false;
    nz_tensor in[3] = {{0}};
    const nz_tensor *list[3] = {NULL, NULL, NULL};
    for (size_t i = 0; i < 3 && i < node->input_count; i++) {
        if (node->inputs[i] < 0) continue;
        in[i] = (nz_tensor){.dtype = NZ_F32, .shape = l->graph->values[node->inputs[i]].shape};
        list[i] = &in[i];
    }
    nz_op_ctx ctx = {.node = node, .in_count = node->input_count < 3 ? node->input_count : 3, .in = list};
    nz_ref_conv conv;
    if (nz_op_read_conv(&conv, &ctx, 1, 2, transposed ? NZ_WINDOW_TRANSPOSED : NZ_WINDOW_CONV) != NZ_OK) return false;
    m->desc.op = transposed ? NZ_KERNEL_DECONV : NZ_KERNEL_CONV;
    m->desc.window = conv.window;
    m->desc.groups = conv.groups;
    m->channels = conv.out_channels;
    m->bias = node->input_count > 2 ? node->inputs[2] : -1;
    return true;
}

/* One number per column, or none. */
static bool is_bias(const nz_lowering *l, int value, int64_t columns) {
    if (value < 0) return true;
    const nz_shape *shape = &l->graph->values[value].shape;
    return shape->rank >= 1 && shape->dim[shape->rank - 1] == columns && nz_shape_elements(shape) == columns;
}

static bool match_linear(const nz_lowering *l, const nz_node *node, match *m) {
    bool gemm = nz_lower_is(node, "Gemm");
    if (!gemm && !nz_lower_is(node, "MatMul")) return false;
    const nz_shape *a = &l->graph->values[node->inputs[0]].shape, *b = &l->graph->values[node->inputs[1]].shape;
    if (b->rank != 2 || a->rank < 2) return false;
    m->bias = -1;
    m->desc.op = NZ_KERNEL_LINEAR;
    m->desc.groups = 1;
    m->desc.weights_transposed = gemm && nz_attr_int(node, "transB", 0);
    m->channels = b->dim[m->desc.weights_transposed ? 0 : 1];
    m->rows = 1;
    for (int d = 0; d + 1 < a->rank; d++) m->rows *= a->dim[d];
    if (!gemm) return true;
    m->bias = node->input_count > 2 ? node->inputs[2] : -1;
    float beta = m->bias < 0 ? 1 : nz_attr_float(node, "beta", 1);
    return !nz_attr_int(node, "transA", 0) && nz_attr_float(node, "alpha", 1) == 1 && beta == 1 &&
           is_bias(l, m->bias, m->channels);
}

/* ---- lowering ---- */

static nz_mem matrix(nz_dtype dtype, int64_t rows, int64_t columns) {
    nz_shape shape = {2, {rows, columns}};
    return nz_mem_plain(dtype, &shape);
}

static void describe(nz_train_layer_desc *desc, const match *m, const nz_slot *src, const nz_shape *dst,
                     nz_dtype dtype) {
    if (desc->op == NZ_KERNEL_LINEAR) {
        desc->src = matrix(dtype, m->rows, src->shape.dim[src->shape.rank - 1]);
        desc->dst = matrix(dtype, m->rows, m->channels);
    } else {
        desc->src = nz_mem_channels_last(dtype, &src->shape);
        desc->dst = nz_mem_channels_last(dtype, dst);
    }
}

/* bf16 where that is wanted and there is a kernel, else f32. The model's scores are always computed in f32. */
static nz_status make_kernel(nz_lowering *l, layer *self, match *m, const nz_slot *src, int out, nz_dtype *ret_dtype) {
    const nz_shape *dst = &l->graph->values[out].shape;
    bool half = l->engine->options.bf16 && !l->pinned[out];
    for (int attempt = half ? 0 : 1; attempt < 2; attempt++) {
        *ret_dtype = attempt ? NZ_F32 : NZ_BF16;
        describe(&m->desc, m, src, dst, *ret_dtype);
        nz_status status = nz_train_layer_new(&self->kernel, &m->desc);
        if (status != NZ_E_UNSUPPORTED || attempt) return status;
    }
    return NZ_OK;
}

/* A parameter that this layer alone reads is kept in the order that the layer likes. */
static bool may_pack(const nz_lowering *l, const nz_node *node, const nz_slot *weights) {
    return weights->place == NZ_SLOT_PARAM && l->readers[node->inputs[1]] == 1;
}

static nz_status constant_in_order(nz_lowering *l, int *slot, const nz_packing *packing) {
    nz_engine *e = l->engine;
    nz_slot plain = e->slots[*slot];
    void *packed = NULL;
    NZ_TRY(nz_lower_slot(l, slot, NZ_SLOT_CONSTANT, plain.name, plain.dtype, &plain.shape, false));
    NZ_TRY(nz_arena_alloc(&e->constants, &packed, nz_packing_elements(packing), sizeof(float)));
    nz_packing_in(packing, packed, plain.data);
    e->slots[*slot].data = packed;
    return NZ_OK;
}

static nz_status order_weights(nz_lowering *l, const nz_node *node, const nz_train_layer *kernel, int *weights) {
    nz_engine *e = l->engine;
    if (!kernel->packing) return NZ_OK;
    if (e->slots[*weights].place == NZ_SLOT_CONSTANT) return constant_in_order(l, weights, kernel->packing);
    if (!may_pack(l, node, &e->slots[*weights]))
        return nz_fail(NZ_E_INTERNAL, "node '%s' (%s): its kernel reorders weights that it must not", node->name,
                       node->op_type);
    nz_param *param = &e->params[e->slots[*weights].param];
    param->packing = kernel->packing;
    param->elements = nz_packing_elements(kernel->packing);
    return NZ_OK;
}

/* Weights and bias have one backward. */
static nz_status make_spares(nz_lowering *l, layer *self, const int in[3]) {
    const nz_engine *e = l->engine;
    if (e->options.forward_only || in[BIAS] < 0) return NZ_OK;
    if (!e->slots[in[BIAS]].behind_param)
        NZ_TRY(nz_alloc_aligned(&self->spare[BIAS], (size_t)e->slots[in[BIAS]].elements, sizeof(float)));
    if (e->slots[in[WEIGHTS]].behind_param) return NZ_OK;
    const nz_packing *packing = self->kernel->packing;
    size_t elements = packing ? nz_packing_elements(packing) : (size_t)e->slots[in[WEIGHTS]].elements;
    return nz_alloc_aligned(&self->spare[WEIGHTS], elements, sizeof(float));
}

static nz_status build(nz_lowering *l, const nz_node *node, match *m, layer *self, int in[3], int *ret_out) {
    nz_engine *e = l->engine;
    int value = node->outputs[0];
    nz_dtype dtype = NZ_F32;
    nz_slot src = e->slots[in[SRC]], weights = e->slots[in[WEIGHTS]];
    m->desc.weights = weights.shape;
    m->desc.bias = in[BIAS] >= 0;
    m->desc.plain_weights =
        weights.place == NZ_SLOT_BLOCK || (weights.place == NZ_SLOT_PARAM && !may_pack(l, node, &weights));
    m->desc.source_gradient = !e->options.forward_only && (src.behind_param || src.behind_quantizer);
    NZ_TRY(make_kernel(l, self, m, &src, value, &dtype));
    NZ_TRY(order_weights(l, node, self->kernel, &in[WEIGHTS]));
    NZ_TRY(nz_lower_form(l, &in[SRC], in[SRC], m->desc.op != NZ_KERNEL_LINEAR, dtype));
    NZ_TRY(make_spares(l, self, in));
    return nz_lower_slot(l, ret_out, NZ_SLOT_BLOCK, l->graph->values[value].name, dtype, &l->graph->values[value].shape,
                         m->desc.op != NZ_KERNEL_LINEAR);
}

nz_status nz_lower_layer(nz_lowering *l, const nz_node *node, bool *ret_done) {
    nz_engine *e = l->engine;
    match m = {0};
    int in[3] = {-1, -1, -1}, out = -1;
    if (e->options.reference || (!match_conv(l, node, &m) && !match_linear(l, node, &m))) return NZ_OK;
    for (size_t i = 0; i < 3; i++) NZ_TRY(nz_lower_value(l, &in[i], i < 2 ? node->inputs[i] : m.bias));
    if (m.desc.op == NZ_KERNEL_LINEAR && e->slots[in[SRC]].place == NZ_SLOT_CONSTANT) return NZ_OK;
    for (size_t i = 1; i < 3; i++)
        if (in[i] >= 0) NZ_TRY(nz_lower_form(l, &in[i], in[i], false, NZ_F32));
    layer *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    nz_status status = build(l, node, &m, self, in, &out);
    if (status != NZ_OK) {
        layer_free(self);
        return nz_fail_context(status, "node '%s' (%s)", node->name, node->op_type);
    }
    bool weights_move = e->slots[in[WEIGHTS]].behind_param;
    nz_engine_step step = {.kind = &layer_kind,
                           .node = node,
                           .self = self,
                           .grad_inputs = 7,
                           .reads_in = 1U << WEIGHTS | (weights_move || in[BIAS] >= 0 ? 1U << SRC : 0),
                           .shares = -1,
                           .scratch_bytes = self->kernel->scratch_bytes};
    NZ_TRY(nz_lower_step(l, &step, in, 3, &out, 1));
    l->slot_of[node->outputs[0]] = out;
    *ret_done = true;
    return NZ_OK;
}
