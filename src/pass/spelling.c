/* SPDX-License-Identifier: Apache-2.0 */
#include "pass/spelling.h"

#include <string.h>

#include "core/error.h"
#include "op/op.h"

enum { LEAST_OPSET = 13 };

static int most_of(int a, int b) { return a > b ? a : b; }

static int type_since(nz_dtype dtype) {
    if (dtype == NZ_I4 || dtype == NZ_U4) return 21;
    return dtype >= NZ_F8E4M3FN && dtype <= NZ_F8E5M2FNUZ ? 19 : LEAST_OPSET;
}

/* Operators that took further types from a later opset on, in a spelling that stayed the same. */
static const struct type_row {
    uint32_t types;
    int since;
    const char *const *ops;
} type_rows[] = {
    {NZ_TYPE_BIT(NZ_U8) | NZ_TYPE_BIT(NZ_I8) | NZ_TYPE_BIT(NZ_U16) | NZ_TYPE_BIT(NZ_I16), 14,
     (const char *const[]){"Add", "Sub", "Mul", "Div", NULL}},
    {NZ_TYPES_INT, 14, (const char *const[]){"Relu", NULL}},
    {NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16), 14, (const char *const[]){"CumSum", NULL}},
    {NZ_TYPE_BIT(NZ_BF16), 15, (const char *const[]){"Pow", NULL}},
    {NZ_TYPE_BIT(NZ_BF16), 16,
     (const char *const[]){"Where", "LessOrEqual", "GreaterOrEqual", "PRelu", "LeakyRelu", NULL}},
    {NZ_TYPE_BIT(NZ_F16) | NZ_TYPE_BIT(NZ_BF16), 20, (const char *const[]){"IsInf", NULL}},
    {NZ_TYPE_BIT(NZ_BOOL), 20, (const char *const[]){"ReduceMax", "ReduceMin", NULL}},
    {NZ_TYPE_BIT(NZ_BF16), 20, (const char *const[]){"ConstantOfShape", NULL}},
    {NZ_TYPE_BIT(NZ_BF16), 22,
     (const char *const[]){"Acos",
                           "Acosh",
                           "Asin",
                           "Asinh",
                           "Atan",
                           "Atanh",
                           "AveragePool",
                           "Conv",
                           "ConvTranspose",
                           "Cos",
                           "Cosh",
                           "Elu",
                           "GlobalAveragePool",
                           "GlobalLpPool",
                           "GlobalMaxPool",
                           "GridSample",
                           "GRU",
                           "HardSigmoid",
                           "HardSwish",
                           "InstanceNormalization",
                           "LpNormalization",
                           "LpPool",
                           "LSTM",
                           "MaxPool",
                           "MaxUnpool",
                           "Mish",
                           "RNN",
                           "RoiAlign",
                           "Round",
                           "Selu",
                           "Sin",
                           "Sinh",
                           "Softplus",
                           "Softsign",
                           "Tan",
                           "ThresholdedRelu",
                           NULL}},
};

static bool lists(const char *const *names, const char *name) {
    while (*names && strcmp(*names, name) != 0) names++;
    return *names;
}

/* By the type of the first input, or of the output where there is no typed input. */
static int row_since(const nz_graph *graph, const nz_node *node) {
    int since = LEAST_OPSET;
    nz_dtype dtypes[2] = {NZ_DTYPE_NONE, NZ_DTYPE_NONE};
    if (*node->domain) return since;
    if (node->input_count && node->inputs[0] >= 0) dtypes[0] = graph->values[node->inputs[0]].dtype;
    if (node->output_count && node->outputs[0] >= 0) dtypes[1] = graph->values[node->outputs[0]].dtype;
    for (size_t r = 0; r < NZ_COUNT(type_rows); r++) {
        if (!((NZ_TYPE_BIT(dtypes[0]) | NZ_TYPE_BIT(dtypes[1])) & type_rows[r].types)) continue;
        if (lists(type_rows[r].ops, node->op_type)) since = most_of(since, type_rows[r].since);
    }
    return since;
}

static int node_since(const nz_graph *graph, const nz_node *node) {
    const nz_op *op = nz_op_of(node);
    if (!op) return LEAST_OPSET;
    int since = most_of(row_since(graph, node), op->since ? op->since(graph, node) : op->canonical_since);
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
