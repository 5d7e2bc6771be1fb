/* SPDX-License-Identifier: Apache-2.0 */
/* x sigmoid(x), as exporters write SiLU: one step instead of two. */
#include "core/error.h"
#include "train/plan.h"

static nz_status silu_forward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    nz_train_silu(x->dtype, x->data, nz_step_out(e, step, 0), (size_t)x->elements);
    return NZ_OK;
}

static nz_status silu_backward(nz_engine *e, nz_engine_step *step) {
    const nz_slot *x = &e->slots[step->in[0]];
    nz_train_silu_backward(x->dtype, x->data, nz_step_dout(e, step, 0), step->din[0], (size_t)x->elements);
    return NZ_OK;
}

static const nz_step_kind silu_kind = {"SiLU", silu_forward, silu_backward, NULL, false};

nz_status nz_lower_silu(nz_lowering *l, const nz_node *node, bool *ret_done) {
    int in = -1, out = -1, value = node->inputs[0];
    const nz_node *product = nz_lower_only_reader(l, node->outputs[0]);
    if (!nz_lower_is(product, "Mul") || product->input_count != 2 ||
        (product->inputs[0] != value && product->inputs[1] != value))
        return NZ_OK;
    NZ_TRY(nz_lower_value(l, &in, value));
    nz_slot x = l->engine->slots[in];
    if (x.place == NZ_SLOT_CONSTANT || x.place == NZ_SLOT_PARAM || (x.dtype != NZ_F32 && x.dtype != NZ_BF16))
        return NZ_OK;
    const nz_value *y = &l->graph->values[product->outputs[0]];
    NZ_TRY(nz_lower_slot(l, &out, NZ_SLOT_BLOCK, y->name, x.dtype, &y->shape, x.last));
    l->slot_of[product->outputs[0]] = out;
    nz_lower_take(l, product);
    nz_engine_step step = {
        .kind = &silu_kind, .node = node, .grad_inputs = 1, .reads_in = 1, .shares = -1, .grad_shares = 1};
    *ret_done = true;
    return nz_lower_step(l, &step, &in, 1, &out, 1);
}
