/* SPDX-License-Identifier: Apache-2.0 */
#include "pass/infer.h"

#include <string.h>

#include "core/error.h"
#include "op/op.h"
#include "pass/context.h"

nz_status nz_op_context_open(nz_op_context *ret, const nz_graph *graph, const nz_node *node, nz_arena *scratch) {
    nz_op_context c = {0};
    NZ_TRY(nz_arena_alloc(scratch, &c.tensors, node->input_count, sizeof *c.tensors));
    NZ_TRY(nz_arena_alloc(scratch, &c.in, node->input_count, sizeof *c.in));
    NZ_TRY(nz_arena_alloc(scratch, &c.out, node->output_count, sizeof *c.out));
    for (size_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == NZ_NO_VALUE) continue;
        const nz_value *v = &graph->values[node->inputs[i]];
        c.tensors[i] = v->constant.data ? v->constant : (nz_tensor){.dtype = v->dtype, .shape = v->shape};
        c.in[i] = &c.tensors[i];
    }
    c.ctx = (nz_op_ctx){.node = node,
                        .in_count = node->input_count,
                        .out_count = node->output_count,
                        .in = c.in,
                        .out = c.out,
                        .scratch = scratch};
    *ret = c;
    return NZ_OK;
}

nz_status nz_infer_node(nz_graph *graph, size_t n) {
    const nz_node *node = &graph->nodes[n];
    const nz_op *op = nz_op_of(node);
    nz_status status = NZ_OK;
    NZ_AUTO(nz_arena_done) nz_arena scratch = {0};
    nz_op_context c = {0};
    if (!op)
        status = nz_fail(NZ_E_UNSUPPORTED, "node %s (%s): %s", node->name, node->op_type,
                         node->unsupported ? node->unsupported : "the operator is not supported");
    else if ((status = nz_op_context_open(&c, graph, node, &scratch)) == NZ_OK)
        status = op->infer(&c.ctx);
    for (size_t o = 0; o < node->output_count; o++) {
        if (node->outputs[o] == NZ_NO_VALUE) continue;
        nz_value *v = &graph->values[node->outputs[o]];
        v->shape = status == NZ_OK ? c.out[o].shape : (nz_shape){.rank = -1};
        if (status == NZ_OK) v->dtype = c.out[o].dtype;
    }
    return status;
}
