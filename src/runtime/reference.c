/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that run an operator's own plain C, and the plan made of nothing else. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "op/op.h"
#include "runtime/plan.h"

typedef struct reference {
    const nz_op *op;
    nz_op_ctx ctx;
    nz_arena *scratch;
    const nz_tensor **in; /* in[i] points into tensors, or is NULL */
    nz_tensor *tensors;   /* inputs, then outputs */
} reference;

static void reference_bind(nz_step *step, size_t arg, void *data) {
    reference *self = step->self;
    self->tensors[arg].data = data;
}

static nz_status reference_run(nz_step *step) {
    reference *self = step->self;
    nz_status status = self->op->run(&self->ctx);
    nz_arena_reset(self->scratch);
    return nz_fail_context(status, "node '%s' (%s)", step->name, step->op);
}

static void reference_release(nz_step *step) {
    reference *self = step->self;
    free(self->in);
    free(self->tensors);
    free(self);
}

static const nz_step_kind reference_kind = {reference_bind, reference_run, reference_release};

static nz_status describe(nz_tensor *ret_tensor, const nz_graph *graph, int value) {
    const nz_value *v = &graph->values[value];
    size_t bytes = 0;
    if (!nz_shape_known(&v->shape)) return nz_fail(NZ_E_SHAPE, "the shape of '%s' is not known when planning", v->name);
    NZ_TRY(nz_dtype_bytes(&bytes, v->dtype, nz_shape_elements(&v->shape)));
    *ret_tensor = nz_tensor_borrow(v->dtype, &v->shape, v->constant.data);
    ret_tensor->bytes = bytes;
    return NZ_OK;
}

static nz_status fill(reference *self, const nz_graph *graph, const nz_node *node) {
    size_t in = node->input_count, out = node->output_count;
    NZ_TRY(nz_alloc(&self->in, in, sizeof(nz_tensor *)));
    NZ_TRY(nz_alloc(&self->tensors, in + out, sizeof(nz_tensor)));
    for (size_t i = 0; i < in + out; i++) {
        int value = i < in ? node->inputs[i] : node->outputs[i - in];
        if (value == NZ_NO_VALUE) continue;
        NZ_TRY(describe(&self->tensors[i], graph, value));
        if (i < in) self->in[i] = &self->tensors[i];
    }
    self->ctx = (nz_op_ctx){.node = node,
                            .in_count = in,
                            .out_count = out,
                            .in = self->in,
                            .out = self->tensors + in,
                            .scratch = self->scratch};
    return NZ_OK;
}

nz_status nz_plan_add_reference(nz_plan *plan, const nz_graph *graph, const nz_node *node, const nz_plan_arg *args) {
    const nz_op *op = nz_op_of(node);
    if (!op || !op->run)
        return nz_fail(NZ_E_UNSUPPORTED, "node '%s' (%s): %s", node->name, node->op_type,
                       node->unsupported ? node->unsupported : "the operator is not in the table");
    reference *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->op = op;
    self->scratch = &plan->scratch;
    nz_step half = {.self = self};
    nz_status status = fill(self, graph, node);
    if (status != NZ_OK) {
        reference_release(&half);
        return nz_fail_context(status, "node '%s' (%s)", node->name, node->op_type);
    }
    char kernel[80];
    snprintf(kernel, sizeof kernel, "ref:%s", node->op_type);
    return nz_plan_add_step(plan, &reference_kind, self, args, node->input_count + node->output_count, node->name,
                            node->op_type, kernel);
}

typedef struct copy {
    const void *from;
    void *to;
    size_t bytes;
} copy;

static void copy_bind(nz_step *step, size_t arg, void *data) {
    copy *self = step->self;
    if (arg == 0)
        self->from = data;
    else
        self->to = data;
}

static nz_status copy_run(nz_step *step) {
    const copy *self = step->self;
    if (self->bytes) memmove(self->to, self->from, self->bytes);
    return NZ_OK;
}

static void copy_release(nz_step *step) { free(step->self); }

static const nz_step_kind copy_kind = {copy_bind, copy_run, copy_release};

nz_status nz_plan_add_copy(nz_plan *plan, int from, size_t offset, int to, const char *name) {
    copy *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->bytes = plan->buffers[to].bytes;
    nz_plan_arg args[2] = {{.buffer = from, .offset = offset}, {.buffer = to, .writes = true}};
    NZ_TRY(nz_plan_add_step(plan, &copy_kind, self, args, 2, name, "Identity", "copy"));
    plan->steps[plan->step_count - 1].hidden = true;
    return NZ_OK;
}

typedef struct fill_step {
    void *to;
    size_t bytes;
    uint8_t byte;
} fill_step;

static void fill_bind(nz_step *step, size_t arg, void *data) {
    (void)arg;
    ((fill_step *)step->self)->to = data;
}

static nz_status fill_run(nz_step *step) {
    const fill_step *self = step->self;
    if (self->bytes) memset(self->to, self->byte, self->bytes);
    return NZ_OK;
}

static const nz_step_kind fill_kind = {fill_bind, fill_run, copy_release};

nz_status nz_plan_add_fill(nz_plan *plan, int buffer, uint8_t byte, const char *name, const char *op) {
    fill_step *self = NULL;
    NZ_TRY(nz_alloc(&self, 1, sizeof *self));
    self->bytes = plan->buffers[buffer].bytes;
    self->byte = byte;
    nz_plan_arg args[1] = {{.buffer = buffer, .writes = true}};
    return nz_plan_add_step(plan, &fill_kind, self, args, 1, name, op, "fill");
}

/* A buffer for every value that is used: constants where they lie, inputs and outputs at the caller's, the rest in the block. */
static nz_status add_buffers(nz_plan *plan, const nz_graph *graph, int *buffer_of) {
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        nz_tensor tensor;
        buffer_of[v] = -1;
        if (!value->constant.data && value->producer < 0) continue;
        NZ_TRY(describe(&tensor, graph, (int)v));
        NZ_TRY(nz_plan_add_buffer(plan, &buffer_of[v], tensor.data ? NZ_PLACE_CONSTANT : NZ_PLACE_BLOCK, tensor.bytes,
                                  0, tensor.data));
    }
    for (size_t i = 0; i < graph->input_count; i++) {
        nz_tensor tensor;
        if (buffer_of[graph->inputs[i]] >= 0) continue;
        NZ_TRY(describe(&tensor, graph, graph->inputs[i]));
        NZ_TRY(nz_plan_add_buffer(plan, &buffer_of[graph->inputs[i]], NZ_PLACE_INPUT, tensor.bytes, i, NULL));
    }
    return NZ_OK;
}

nz_status nz_plan_reference(nz_plan *plan, const nz_graph *graph) {
    NZ_AUTO_FREE int *buffer_of = NULL;
    NZ_AUTO_FREE nz_plan_arg *args = NULL;
    size_t capacity = 0;
    NZ_TRY(nz_alloc(&buffer_of, graph->value_count, sizeof *buffer_of));
    NZ_TRY(add_buffers(plan, graph, buffer_of));
    for (size_t i = 0; i < graph->output_count; i++) { /* the first port of a computed value is written in place */
        nz_plan_buffer *buffer = &plan->buffers[buffer_of[graph->outputs[i]]];
        if (buffer->place == NZ_PLACE_BLOCK)
            *buffer = (nz_plan_buffer){.place = NZ_PLACE_OUTPUT, .bytes = buffer->bytes, .port = i};
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        size_t count = node->input_count + node->output_count;
        NZ_TRY(nz_grow(&args, &capacity, count, sizeof *args));
        for (size_t i = 0; i < count; i++) {
            int value = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
            args[i] =
                (nz_plan_arg){.buffer = value == NZ_NO_VALUE ? -1 : buffer_of[value], .writes = i >= node->input_count};
        }
        NZ_TRY(nz_plan_add_reference(plan, graph, node, args));
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        int from = buffer_of[graph->outputs[i]], to = -1;
        if (plan->buffers[from].place == NZ_PLACE_OUTPUT && plan->buffers[from].port == i) continue;
        NZ_TRY(nz_plan_add_buffer(plan, &to, NZ_PLACE_OUTPUT, plan->buffers[from].bytes, i, NULL));
        NZ_TRY(nz_plan_add_copy(plan, from, 0, to, graph->values[graph->outputs[i]].name));
    }
    return NZ_OK;
}
