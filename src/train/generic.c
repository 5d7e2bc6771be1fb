/* SPDX-License-Identifier: Apache-2.0 */
/* Steps by the operator table: run forward, grad backward. */
#include <string.h>

#include "core/error.h"
#include "train/plan.h"

typedef struct generic {
    const nz_op *op;
    nz_op_ctx ctx;
    const nz_tensor **in, **out, **dout; /* out: where grad reads them; dout[i] NULL: none flows */
    nz_tensor **din;
    nz_tensor *tensors; /* inputs, outputs, gradients of outputs, gradients of inputs */
} generic;

static void generic_free(generic *g) {
    if (!g) return;
    free(g->in);
    free(g->tensors);
    free(g);
}

static void generic_release(nz_engine_step *step) { generic_free(step->self); }

/* The extents in the order in which the elements lie. */
static nz_shape lying(const nz_slot *slot) {
    nz_shape shape = slot->shape;
    for (int d = 2; slot->last && d < shape.rank; d++) shape.dim[d - 1] = slot->shape.dim[d];
    if (slot->last) shape.dim[shape.rank - 1] = slot->shape.dim[1];
    return shape;
}

static nz_tensor describe(const nz_slot *slot) {
    nz_shape shape = lying(slot);
    nz_tensor tensor = nz_tensor_borrow(slot->dtype, &shape, slot->data);
    tensor.bytes = slot->bytes;
    return tensor;
}

static nz_status generic_new(generic **ret_generic, const nz_engine *e, const nz_node *node, const int *in,
                             const int *out, nz_arena *scratch) {
    size_t ins = node->input_count, outs = node->output_count;
    generic *g = NULL;
    NZ_TRY(nz_alloc(&g, 1, sizeof *g));
    nz_status status = nz_alloc(&g->in, 2 * (ins + outs), sizeof(void *));
    if (status == NZ_OK) status = nz_alloc(&g->tensors, 2 * (ins + outs), sizeof *g->tensors);
    if (status != NZ_OK) {
        generic_free(g);
        return status;
    }
    g->op = nz_op_of(node);
    g->out = g->in + ins;
    g->dout = g->out + outs;
    g->din = (nz_tensor **)(void *)(g->dout + outs);
    nz_tensor *ys = g->tensors + ins, *dys = ys + outs, *dxs = dys + outs;
    for (size_t i = 0; i < ins; i++) {
        if (in[i] < 0) continue;
        dxs[i] = g->tensors[i] = describe(&e->slots[in[i]]);
        g->in[i] = &g->tensors[i];
    }
    for (size_t o = 0; o < outs; o++) {
        if (out[o] < 0) continue;
        dys[o] = ys[o] = describe(&e->slots[out[o]]);
        g->out[o] = &ys[o];
    }
    g->ctx = (nz_op_ctx){.node = node, .in_count = ins, .out_count = outs, .in = g->in, .out = ys, .scratch = scratch};
    *ret_generic = g;
    return NZ_OK;
}

static void bind(generic *g, const nz_engine *e, const nz_engine_step *step) {
    for (size_t i = 0; i < step->in_count; i++)
        if (step->in[i] >= 0) g->tensors[i].data = e->slots[step->in[i]].data;
    for (size_t o = 0; o < step->out_count; o++)
        if (step->out[o] >= 0) g->ctx.out[o].data = e->slots[step->out[o]].data;
}

static nz_status generic_forward(nz_engine *e, nz_engine_step *step) {
    generic *g = step->self;
    bind(g, e, step);
    nz_status status = g->op->run(&g->ctx);
    nz_arena_reset(&e->arena);
    return nz_fail_context(status, "node '%s' (%s)", step->node->name, step->node->op_type);
}

static nz_status generic_backward(nz_engine *e, nz_engine_step *step) {
    generic *g = step->self;
    nz_tensor *dys = g->ctx.out + step->out_count, *dxs = dys + step->out_count;
    bind(g, e, step);
    for (size_t o = 0; o < step->out_count; o++) {
        dys[o].data = step->out[o] < 0 ? NULL : e->slots[step->out[o]].grad;
        g->dout[o] = dys[o].data ? &dys[o] : NULL;
    }
    for (size_t i = 0; i < step->in_count; i++) {
        dxs[i].data = step->din[i];
        g->din[i] = step->din[i] ? &dxs[i] : NULL;
    }
    nz_op_grad grad = {.out = g->out, .dout = g->dout, .din = g->din};
    nz_status status = g->op->grad(&g->ctx, &grad);
    nz_arena_reset(&e->arena);
    return nz_fail_context(status, "gradient of node '%s' (%s)", step->node->name, step->node->op_type);
}

static const nz_step_kind generic_kind = {"operator", generic_forward, generic_backward, generic_release, false};

/* ---- nodes of constants are computed once, here ---- */

static bool all_constant(const nz_engine *e, const int *in, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (in[i] >= 0 && e->slots[in[i]].place != NZ_SLOT_CONSTANT) return false;
    return count > 0;
}

static nz_status compute_once(nz_lowering *l, const nz_node *node, const int *in, const int *out) {
    nz_engine *e = l->engine;
    for (size_t o = 0; o < node->output_count; o++) {
        if (out[o] < 0) continue;
        nz_slot *slot = &e->slots[out[o]];
        slot->place = NZ_SLOT_CONSTANT;
        NZ_TRY(nz_arena_alloc(&e->constants, &slot->data, slot->bytes, 1));
    }
    generic *g = NULL;
    NZ_TRY(generic_new(&g, e, node, in, out, &e->arena));
    nz_status status = g->op->run(&g->ctx);
    nz_arena_reset(&e->arena);
    generic_free(g);
    return nz_fail_context(status, "node '%s' (%s)", node->name, node->op_type);
}

/* ---- lowering ---- */

/* Element-wise functions of one tensor take it as it lies; what else they read holds one number. */
static bool keeps_form(const nz_lowering *l, const nz_node *node) {
    static const char *const also[] = {"Clip"};
    const nz_op *op = nz_op_of(node);
    bool unary = op->flags & NZ_OP_UNARY;
    for (size_t i = 0; i < NZ_COUNT(also); i++) unary |= nz_lower_is(node, also[i]);
    for (size_t i = 1; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && nz_shape_elements(&l->graph->values[node->inputs[i]].shape) != 1) return false;
    return unary && node->output_count == 1 && node->input_count > 0 && node->inputs[0] >= 0;
}

static nz_status check_gradient(const nz_lowering *l, const nz_node *node, const int *in) {
    const nz_engine *e = l->engine;
    const nz_op *op = nz_op_of(node);
    if (op->grad || e->options.forward_only || op->flags & NZ_OP_READS_SHAPE) return NZ_OK;
    for (size_t i = 0; i < node->input_count; i++)
        if (in[i] >= 0 && (e->slots[in[i]].behind_param || e->slots[in[i]].behind_quantizer))
            return nz_fail(NZ_E_UNSUPPORTED,
                           "node '%s' (%s): netzip has no gradient of this operator, and parameters stand before it",
                           node->name, node->op_type);
    return NZ_OK;
}

static nz_status operands(nz_lowering *l, const nz_node *node, int *in, int *out) {
    nz_engine *e = l->engine;
    bool keeps = keeps_form(l, node), last = false;
    for (size_t i = 0; i < node->input_count; i++) {
        NZ_TRY(nz_lower_value(l, &in[i], node->inputs[i]));
        if (in[i] < 0) continue;
        nz_dtype dtype = e->slots[in[i]].dtype == NZ_BF16 ? NZ_F32 : NZ_DTYPE_NONE;
        bool as_it_lies = keeps && i == 0;
        if (as_it_lies) last = e->slots[in[i]].last;
        NZ_TRY(nz_lower_form(l, &in[i], in[i], as_it_lies && e->slots[in[i]].last, dtype));
    }
    for (size_t o = 0; o < node->output_count; o++) {
        out[o] = -1;
        if (node->outputs[o] < 0) continue;
        const nz_value *value = &l->graph->values[node->outputs[o]];
        NZ_TRY(nz_lower_slot(l, &out[o], NZ_SLOT_BLOCK, value->name, value->dtype, &value->shape, last));
        l->slot_of[node->outputs[o]] = out[o];
    }
    return NZ_OK;
}

nz_status nz_lower_generic(nz_lowering *l, const nz_node *node) {
    const nz_op *op = nz_op_of(node);
    if (!op || !op->run)
        return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): %s", node->name, node->op_type,
                       node->unsupported ? node->unsupported : "the operator is not in the table");
    NZ_AUTO_FREE int *in = NULL;
    NZ_TRY(nz_alloc(&in, node->input_count + node->output_count, sizeof *in));
    int *out = in + node->input_count;
    NZ_TRY(operands(l, node, in, out));
    if (all_constant(l->engine, in, node->input_count)) return compute_once(l, node, in, out);
    NZ_TRY(check_gradient(l, node, in));
    generic *g = NULL;
    NZ_TRY(generic_new(&g, l->engine, node, in, out, &l->engine->arena));
    nz_engine_step step = {.kind = &generic_kind,
                           .node = node,
                           .self = g,
                           .grad_inputs = op->grad ? op->grad_inputs : 0,
                           .reads_in = op->grad_reads & NZ_GRAD_READS_IN ? ~0U : 0,
                           .reads_out = op->grad_reads & NZ_GRAD_READS_OUT ? ~0U : 0,
                           .shares = -1};
    return nz_lower_step(l, &step, in, node->input_count, out, node->output_count);
}
