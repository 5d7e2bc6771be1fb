/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and running statistics: memory of their own, in the order that their layer likes. */
#include <string.h>

#include "core/error.h"
#include "train/plan.h"

/* A weight of a convolution or linear layer, for methods that prune: input 1 of a node with multiply-accumulates. */
static bool is_weight(const nz_node *node, int value) {
    const nz_op *op = nz_op_of(node);
    return op && op->flags & NZ_OP_HAS_MACS && node->input_count > 1 && node->inputs[1] == value;
}

/* The first node that uses the value, looking through quantisers and moves of data to the layer behind them. */
static const nz_node *first_user(const nz_lowering *l, int value, bool *ret_weight) {
    const nz_graph *g = l->graph;
    const nz_node *first = NULL;
    for (size_t n = 0; n < g->node_count; n++) {
        const nz_node *node = &g->nodes[n];
        bool reads = false;
        for (size_t i = 0; i < node->input_count; i++) reads |= node->inputs[i] == value;
        if (!reads) continue;
        if (!first) first = node;
        const nz_op *op = nz_op_of(node);
        if (is_weight(node, value)) {
            *ret_weight = true;
            return node;
        }
        if (op && op->flags & (NZ_OP_CONVERTS | NZ_OP_MOVES_DATA) && node->inputs[0] == value) value = node->outputs[0];
    }
    return first;
}

/* Weights, and other tensors that are more than a number per channel in whatever shape it broadcasts. */
static bool decays(const nz_shape *shape, bool weight) {
    int extents = 0;
    for (int d = 0; d < shape->rank; d++) extents += shape->dim[d] > 1;
    return weight || extents > 1;
}

nz_status nz_engine_add_param(nz_lowering *l, int *ret_slot, const nz_value *value) {
    nz_engine *e = l->engine;
    int base = nz_graph_find_value(e->base, value->name), slot = -1;
    if (base < 0 || !e->base->values[base].constant.data)
        return nz_fail(NZ_E_INTERNAL, "parameter '%s' is not in the model", value->name);
    NZ_TRY(nz_lower_slot(l, &slot, NZ_SLOT_PARAM, value->name, value->dtype, &value->shape, false));
    bool weight = false;
    const nz_node *user = first_user(l, (int)(value - l->graph->values), &weight);
    nz_param param = {.name = value->name,
                      .node = user ? user->name : "",
                      .shape = value->shape,
                      .elements = (size_t)e->slots[slot].elements,
                      .decays = decays(&value->shape, weight),
                      .is_weight = weight};
    NZ_TRY(nz_grow(&e->params, &e->param_capacity, e->param_count + 1, sizeof *e->params));
    NZ_TRY(nz_grow(&e->param_homes, &e->param_home_capacity, e->param_count + 1, sizeof *e->param_homes));
    e->params[e->param_count] = param;
    e->param_homes[e->param_count] = (nz_param_home){.base_value = base, .slot = slot};
    e->slots[slot].param = (int)e->param_count++;
    e->slots[slot].behind_param = true;
    *ret_slot = slot;
    return NZ_OK;
}

nz_status nz_engine_fill_params(nz_engine *e) {
    for (size_t i = 0; i < e->param_count; i++) {
        nz_param *param = &e->params[i];
        nz_slot *slot = &e->slots[e->param_homes[i].slot];
        NZ_AUTO_FREE float *plain = NULL;
        NZ_TRY(nz_alloc_aligned(&param->value, param->elements, sizeof(float)));
        if (!e->options.forward_only) {
            NZ_TRY(nz_alloc_aligned(&param->grad, param->elements, sizeof(float)));
            memset(param->grad, 0, param->elements * sizeof(float));
        }
        NZ_TRY(nz_alloc(&plain, (size_t)slot->elements, sizeof(float)));
        const nz_tensor *constant = &e->base->values[e->param_homes[i].base_value].constant;
        nz_tensor_to_f32(constant, plain);
        nz_param_set(param, plain);
        if (constant->owner) nz_buffer_forget(constant->owner, constant->data, constant->bytes);
        slot->data = param->value;
        slot->grad = param->grad;
    }
    return NZ_OK;
}

nz_status nz_engine_add_running(nz_engine *e, size_t *ret_index, const nz_value *value) {
    int base = nz_graph_find_value(e->base, value->name);
    nz_running running = {.name = value->name, .elements = (size_t)nz_shape_elements(&value->shape)};
    NZ_TRY(nz_grow(&e->running, &e->running_capacity, e->running_count + 1, sizeof *e->running));
    NZ_TRY(nz_grow(&e->running_homes, &e->running_home_capacity, e->running_count + 1, sizeof *e->running_homes));
    NZ_TRY(nz_alloc_aligned(&running.value, running.elements, sizeof(float)));
    nz_tensor_to_f32(&value->constant, running.value);
    e->running[e->running_count] = running;
    e->running_homes[e->running_count] = (nz_running_home){.base_value = base};
    *ret_index = e->running_count++;
    return NZ_OK;
}

void nz_param_unpack(const nz_param *param, float *plain, const float *stored) {
    if (param->packing)
        nz_packing_out(param->packing, plain, stored);
    else if (param->elements)
        memcpy(plain, stored, param->elements * sizeof(float));
}

void nz_param_pack(const nz_param *param, float *stored, const float *plain) {
    if (param->packing)
        nz_packing_in(param->packing, stored, plain);
    else if (param->elements)
        memcpy(stored, plain, param->elements * sizeof(float));
}

void nz_param_get(const nz_param *param, float *plain) { nz_param_unpack(param, plain, param->value); }
void nz_param_set(nz_param *param, const float *plain) { nz_param_pack(param, param->value, plain); }

nz_status nz_engine_mask(nz_engine *engine, nz_param *param, const float *plain) {
    (void)engine;
    if (!plain) {
        free(param->mask);
        param->mask = NULL;
        return NZ_OK;
    }
    if (!param->mask) NZ_TRY(nz_alloc_aligned(&param->mask, param->elements, sizeof(float)));
    nz_param_pack(param, param->mask, plain);
    /* Not a product: what is masked is 0, whatever it was. */
    for (size_t i = 0; i < param->elements; i++)
        if (param->mask[i] == 0) param->value[i] = 0;
    return NZ_OK;
}
