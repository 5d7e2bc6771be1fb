/* SPDX-License-Identifier: Apache-2.0 */
#include "pass/spelling.h"

#include "core/error.h"
#include "op/op.h"

enum { LEAST_OPSET = 13 };

static int most_of(int a, int b) { return a > b ? a : b; }

static int type_since(nz_dtype dtype) {
    if (dtype == NZ_I4 || dtype == NZ_U4) return 21;
    return dtype >= NZ_F8E4M3FN && dtype <= NZ_F8E5M2FNUZ ? 19 : LEAST_OPSET;
}

static int node_since(const nz_graph *graph, const nz_node *node) {
    const nz_op *op = nz_op_of(node);
    if (!op) return LEAST_OPSET;
    int since = op->since ? op->since(graph, node) : op->canonical_since;
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0) since = most_of(since, type_since(graph->values[node->inputs[i]].dtype));
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0) since = most_of(since, type_since(graph->values[node->outputs[i]].dtype));
    return since;
}

nz_status nz_pass_choose_opset(const nz_graph *graph, int *ret_opset) {
    const nz_node *unknown = NULL, *newest = NULL;
    int opset = LEAST_OPSET;
    for (size_t i = 0; i < graph->node_count; i++) {
        const nz_node *node = &graph->nodes[i];
        if (node->unsupported) {
            if (!*node->domain) unknown = node;
            continue;
        }
        int since = node_since(graph, node);
        if (!newest || since > opset) newest = node;
        opset = most_of(opset, since);
    }
    if (!unknown) {
        *ret_opset = opset;
        return NZ_OK;
    }
    /* Nothing was lifted, or all that was can also be said in the unknown node's opset. */
    if (newest && opset > unknown->opset)
        return nz_fail(NZ_E_UNSUPPORTED,
                       "node '%s' (%s) is not supported and stays in opset %d, but node '%s' (%s) needs opset %d: the "
                       "model cannot be "
                       "written in one opset; convert it to opset %d first",
                       unknown->name, unknown->op_type, unknown->opset, newest->name, newest->op_type, opset, opset);
    *ret_opset = unknown->opset;
    return NZ_OK;
}
