/* SPDX-License-Identifier: Apache-2.0 */
/* Lifting: every node into the spelling of NZ_OPSET, by what the operator table says about its version. */
#include <string.h>

#include "core/error.h"
#include "pass/infer.h"

/* The last claimed version that a node of this opset has; 0 where the operator is claimed from a later one on. */
static int claimed_version(const nz_op *op, int opset) {
    int version = 0;
    for (const int *v = op->versions; *v && *v <= opset; v++) version = *v;
    return version;
}

static bool claims_attribute(const nz_op *op, const char *name) {
    for (const char *const *a = op->attributes; a && *a; a++)
        if (strcmp(*a, name) == 0) return true;
    return false;
}

static nz_status check_claims(const nz_op *op, const nz_node *node) {
    for (size_t i = 0; i < node->attr_count; i++) {
        const nz_attr *attr = &node->attrs[i];
        if (!claims_attribute(op, attr->name))
            return nz_fail(NZ_E_UNSUPPORTED, "attribute '%s' of %s is not supported", attr->name, node->op_type);
        if (attr->kind == NZ_ATTR_GRAPH || attr->kind == NZ_ATTR_OTHER)
            return nz_fail(NZ_E_UNSUPPORTED, "attribute '%s' of %s has a kind that is not supported", attr->name,
                           node->op_type);
    }
    return NZ_OK;
}

static nz_status check_type(const nz_graph *graph, const nz_op *op, const nz_node *node) {
    if (!op->types || !node->input_count || node->inputs[0] < 0) return NZ_OK;
    nz_dtype dtype = graph->values[node->inputs[0]].dtype;
    if (!dtype || op->types & NZ_TYPE_BIT(dtype)) return NZ_OK;
    return nz_fail(NZ_E_UNSUPPORTED, "%s of type %s is not supported", node->op_type, nz_dtype_get(dtype)->name);
}

/* Lifts one node; may append others. What it appended on the way to a failure is dropped again. */
static nz_status lift_node(nz_graph *graph, int index) {
    nz_node *node = &graph->nodes[index];
    const nz_op *op = nz_op_find(node->domain, node->op_type);
    if (!op)
        return nz_fail(NZ_E_UNSUPPORTED, "operator %s%s%s is not supported", node->domain, *node->domain ? "." : "",
                       node->op_type);
    if (!claimed_version(op, node->opset))
        return nz_fail(NZ_E_UNSUPPORTED, "operator %s of opset %d is not supported; it is from opset %d on",
                       node->op_type, node->opset, op->versions[0]);
    if (op->lift) NZ_TRY(op->lift(graph, index));
    node = &graph->nodes[index];
    NZ_TRY(check_claims(nz_op_find(node->domain, node->op_type), node));
    node->opset = NZ_OPSET;
    return NZ_OK;
}

static bool is_refusal(nz_status status) { return status == NZ_E_UNSUPPORTED || status == NZ_E_SHAPE; }

/* The node as it was, marked; what its lifting had appended is dropped. */
static nz_status refuse_node(nz_graph *graph, int index, nz_node *kept, size_t node_count) {
    NZ_TRY(nz_pass_mark_unsupported(kept));
    for (size_t added = node_count; added < graph->node_count; added++) nz_graph_drop_node(graph, (int)added);
    nz_node_replace(&graph->nodes[index], kept);
    return NZ_OK;
}

/* Infers what can be inferred while inputs may still be symbolic: a refusal leaves the values unknown, which is no failure. */
static nz_status try_infer(nz_graph *graph, int index, nz_arena *arena) {
    const nz_node *node = &graph->nodes[index];
    if (!node->op_type || !nz_op_of(node) || !nz_pass_inputs_known(graph, node, false)) return NZ_OK;
    nz_arena_reset(arena);
    nz_status status = nz_pass_infer_node(graph, index, arena);
    return is_refusal(status) ? NZ_OK : status;
}

static nz_status lift_all(nz_graph *graph, nz_arena *arena) {
    size_t node_count = graph->node_count;
    for (size_t n = 0; n < node_count; n++) {
        size_t before = graph->node_count;
        nz_node kept = {0};
        NZ_TRY(nz_node_clone(&kept, &graph->nodes[n]));
        nz_status status = lift_node(graph, (int)n);
        if (status == NZ_OK) status = check_type(graph, nz_op_of(&graph->nodes[n]), &graph->nodes[n]);
        if (is_refusal(status)) status = refuse_node(graph, (int)n, &kept, before);
        nz_node_release(&kept);
        if (status != NZ_OK)
            return nz_fail_context(status, "node '%s' (%s)", graph->nodes[n].name, graph->nodes[n].op_type);
        /* What was put before the node, then the node, then what was put behind it. */
        for (size_t added = before; added < graph->node_count; added++) NZ_TRY(try_infer(graph, (int)added, arena));
        NZ_TRY(try_infer(graph, (int)n, arena));
        for (size_t added = before; added < graph->node_count; added++) NZ_TRY(try_infer(graph, (int)added, arena));
    }
    return NZ_OK;
}

nz_status nz_pass_lift(nz_graph *graph) {
    NZ_AUTO(nz_arena_done) nz_arena arena = {0};
    NZ_TRY(lift_all(graph, &arena));
    return nz_graph_sort(graph);
}
