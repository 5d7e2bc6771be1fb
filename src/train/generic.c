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

/* How a node takes maps that lie channels last. */
typedef enum way {
    PLAIN,     /* row-major alone */
    FIRST,     /* input 0 as it lies; what else it reads holds one number */
    BROADCAST, /* all inputs as the extents then lie: they broadcast the same */
    AXES       /* input 0 as it lies; constants that count axes are told otherwise */
} way;

static bool is_one_of(const nz_node *node, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (nz_lower_is(node, names[i])) return true;
    return false;
}

/* The input that counts axes and may be reordered: Slice's axes, Pad's pads; -1. */
static int axes_input(const nz_lowering *l, const nz_node *node, int rank) {
    bool slice = nz_lower_is(node, "Slice"), pad = nz_lower_is(node, "Pad");
    int input = slice ? 3 : 1;
    if ((!slice && !pad) || (size_t)input >= node->input_count || (pad && node->input_count > 3)) return -1;
    const nz_tensor *list = nz_lower_constant(l, node->inputs[input]);
    if (!list || list->dtype != NZ_I64 || (pad && nz_shape_elements(&list->shape) != 2 * rank)) return -1;
    return input;
}

static way choose_way(const nz_lowering *l, const nz_node *node, const int *in) {
    static const char *const firsts[] = {"Clip"};
    static const char *const broadcasts[] = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"};
    const nz_op *op = nz_op_of(node);
    bool any = false, alike = true, single = true;
    if (node->output_count != 1 || node->outputs[0] < 0) return PLAIN;
    int rank = l->graph->values[node->outputs[0]].shape.rank;
    for (size_t i = 0; i < node->input_count; i++) {
        if (in[i] < 0) continue;
        const nz_slot *slot = &l->engine->slots[in[i]];
        any |= slot->last;
        alike &= slot->elements == 1 || slot->shape.rank == rank;
        single &= i == 0 || slot->elements == 1;
    }
    if (!any || in[0] < 0) return PLAIN;
    if (single && (op->flags & NZ_OP_UNARY || is_one_of(node, firsts, NZ_COUNT(firsts)))) return FIRST;
    if (alike && is_one_of(node, broadcasts, NZ_COUNT(broadcasts))) return BROADCAST;
    return axes_input(l, node, rank) > 0 && l->engine->slots[in[0]].last ? AXES : PLAIN;
}

/* Axis `d` of [N, C, spatial...] in [N, spatial..., C]. */
static int64_t lying_axis(int64_t d, int rank) {
    d += d < 0 ? rank : 0;
    return d == 1 ? rank - 1 : d > 1 ? d - 1 : d;
}

/* The same list for the extents as they lie. */
static nz_status reorder_axes(nz_lowering *l, const nz_node *node, int rank, int *slot) {
    nz_slot from = l->engine->slots[*slot];
    const int64_t *list = from.data;
    int64_t *to = NULL;
    NZ_TRY(nz_lower_slot(l, slot, NZ_SLOT_CONSTANT, from.name, from.dtype, &from.shape, false));
    NZ_TRY(nz_arena_alloc(&l->engine->constants, &to, (size_t)from.elements, sizeof *to));
    l->engine->slots[*slot].data = to;
    for (int64_t i = 0; i < from.elements; i++) {
        if (nz_lower_is(node, "Slice"))
            to[i] = lying_axis(list[i], rank);
        else
            to[i / rank * rank + lying_axis(i % rank, rank)] = list[i];
    }
    return NZ_OK;
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
    for (size_t i = 0; i < node->input_count; i++) NZ_TRY(nz_lower_value(l, &in[i], node->inputs[i]));
    way w = choose_way(l, node, in);
    int rank = w == PLAIN ? 0 : l->graph->values[node->outputs[0]].shape.rank;
    for (size_t i = 0; i < node->input_count; i++) {
        if (in[i] < 0) continue;
        bool last = w == BROADCAST || (w != PLAIN && i == 0);
        if (w == AXES && (int)i == axes_input(l, node, rank)) NZ_TRY(reorder_axes(l, node, rank, &in[i]));
        NZ_TRY(nz_lower_form(l, &in[i], in[i], last, e->slots[in[i]].dtype == NZ_BF16 ? NZ_F32 : NZ_DTYPE_NONE));
    }
    for (size_t o = 0; o < node->output_count; o++) {
        out[o] = -1;
        if (node->outputs[o] < 0) continue;
        const nz_value *value = &l->graph->values[node->outputs[o]];
        NZ_TRY(nz_lower_slot(l, &out[o], NZ_SLOT_BLOCK, value->name, value->dtype, &value->shape, w != PLAIN));
        l->slot_of[node->outputs[o]] = out[o];
    }
    return NZ_OK;
}

/* Which inputs backward reads. */
static unsigned reads_in(const nz_op *op) {
    if (op->grad_reads & NZ_GRAD_READS_IN) return ~0U;
    return op->grad_reads & NZ_GRAD_READS_REST ? ~1U : 0;
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
                           .reads_in = reads_in(op),
                           .reads_out = op->grad_reads & NZ_GRAD_READS_OUT ? ~0U : 0,
                           .shares = -1};
    return nz_lower_step(l, &step, in, node->input_count, out, node->output_count);
}
