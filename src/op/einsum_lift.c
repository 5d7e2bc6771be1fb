/* SPDX-License-Identifier: Apache-2.0 */
/** Einsum of two tensors that is a product of matrices becomes one, so that it runs and counts as such. */
#include <ctype.h>
#include <string.h>

#include "op/einsum.h"
#include "op/helper.h"

/** The letters of both terms and of the output, each at most once in a term. */
typedef struct product {
    char a[NZ_MAX_RANK + 1], b[NZ_MAX_RANK + 1], out[NZ_MAX_RANK + 1];
    char wanted_a[NZ_MAX_RANK + 1], wanted_b[NZ_MAX_RANK + 1],
        made[NZ_MAX_RANK + 1]; /**< batch+m+k, batch+k+n, batch+m+n */
} product;

/** Copies letters up to one of `stop`; false for anything else, for a letter twice, or for too many. */
static bool take_letters(const char **at, const char *stop, char *letters) {
    size_t count = 0;
    letters[0] = '\0';
    for (; **at && !strchr(stop, **at); (*at)++) {
        if (**at == ' ') continue;
        if (!isalpha((unsigned char)**at) || strchr(letters, **at) || count == NZ_MAX_RANK) return false;
        letters[count++] = **at;
        letters[count] = '\0';
    }
    return true;
}

static void add_letter(char *letters, char letter) {
    size_t count = strlen(letters);
    letters[count] = letter;
    letters[count + 1] = '\0';
}

/** true where the equation is "batch m k, batch k n -> batch m n" in any order, with one letter for each of m, k and n. */
static bool read_product(product *p, const char *equation) {
    char m = 0, k = 0, n = 0;
    memset(p, 0, sizeof *p);
    if (!take_letters(&equation, ",", p->a) || *equation++ != ',' || !take_letters(&equation, "-", p->b)) return false;
    if (strncmp(equation, "->", 2) != 0) return false;
    equation += 2;
    if (!take_letters(&equation, "", p->out)) return false;
    for (const char *c = p->out; *c; c++) {
        bool in_a = strchr(p->a, *c), in_b = strchr(p->b, *c);
        if (in_a && in_b) {
            add_letter(p->made, *c);
            continue;
        }
        char *single = in_a ? &m : in_b ? &n : NULL;
        if (!single || *single) return false;
        *single = *c;
    }
    for (const char *c = p->a; *c; c++) {
        if (strchr(p->out, *c)) continue;
        if (k || !strchr(p->b, *c)) return false;
        k = *c;
    }
    for (const char *c = p->b; *c; c++)
        if (!strchr(p->out, *c) && *c != k) return false;
    if (!m || !k || !n) return false;
    strcpy(p->wanted_a, p->made);
    strcpy(p->wanted_b, p->made);
    add_letter(p->wanted_a, m), add_letter(p->wanted_a, k);
    add_letter(p->wanted_b, k), add_letter(p->wanted_b, n);
    add_letter(p->made, m), add_letter(p->made, n);
    return true;
}

/** Sets perm so that a tensor with axes `from` gets the axes `to`; false where they are in that order already. */
static bool order_of(int64_t *perm, const char *from, const char *to) {
    for (size_t i = 0; to[i]; i++) perm[i] = strchr(from, to[i]) - from;
    return strcmp(from, to) != 0;
}

static nz_status transpose_input(nz_graph *graph, int node, size_t input, const char *from, const char *to) {
    int64_t perm[NZ_MAX_RANK];
    int added = -1;
    if (!order_of(perm, from, to)) return NZ_OK;
    NZ_TRY(nz_lift_insert(graph, &added, node, input, "Transpose", NZ_NO_VALUE));
    return nz_node_set_ints(&graph->nodes[added], "perm", perm, strlen(to));
}

/** Whether the value may be the term: where the shapes before the node are not known yet, the equation alone decides. */
static bool is_term(const nz_graph *graph, int value, const char *letters) {
    const uint32_t types =
        NZ_TYPES_FLOAT | NZ_TYPE_BIT(NZ_I32) | NZ_TYPE_BIT(NZ_I64) | NZ_TYPE_BIT(NZ_U32) | NZ_TYPE_BIT(NZ_U64);
    if (value == NZ_NO_VALUE) return false;
    const nz_value *v = &graph->values[value];
    return (v->shape.rank < 0 || v->shape.rank == (int)strlen(letters)) &&
           (!v->dtype || (types & NZ_TYPE_BIT(v->dtype)));
}

/** Whether the extents of a letter may differ: MatMul would broadcast where Einsum refuses. */
static bool may_differ(const nz_graph *graph, const nz_node *n, const product *p) {
    const nz_shape *a = &graph->values[n->inputs[0]].shape, *b = &graph->values[n->inputs[1]].shape;
    if (a->rank < 0 || b->rank < 0) return false;
    for (const char *c = p->a; *c; c++) {
        const char *other = strchr(p->b, *c);
        if (other && a->dim[c - p->a] != b->dim[other - p->b]) return true;
    }
    return false;
}

nz_status nz_lift_einsum(nz_graph *graph, int node) {
    nz_node *n = &graph->nodes[node];
    product p;
    int64_t perm[NZ_MAX_RANK];
    if (n->input_count != 2 || n->output_count != 1 || !read_product(&p, nz_attr_string(n, "equation", "")))
        return NZ_OK;
    /* What does not fit, and what MatMul does not compute, is left for Einsum itself to judge. */
    if (!is_term(graph, n->inputs[0], p.a) || !is_term(graph, n->inputs[1], p.b)) return NZ_OK;
    if (may_differ(graph, n, &p)) return NZ_OK;
    NZ_TRY(transpose_input(graph, node, 0, p.a, p.wanted_a));
    NZ_TRY(transpose_input(graph, node, 1, p.b, p.wanted_b));
    n = &graph->nodes[node];
    nz_node_remove_attr(n, "equation");
    if (!order_of(perm, p.made, p.out)) return nz_node_set_op(n, "MatMul");
    int made = -1, inputs[2] = {n->inputs[0], n->inputs[1]};
    NZ_AUTO_FREE char *name = NULL;
    NZ_TRY(nz_strdup(&name, n->name));
    NZ_TRY(nz_graph_add_value(graph, &made, name, NZ_DTYPE_NONE, NULL));
    NZ_TRY(nz_graph_add_node(graph, NULL, "MatMul", NULL, inputs, 2, &made, 1));
    n = &graph->nodes[node];
    NZ_TRY(nz_node_set_op(n, "Transpose"));
    NZ_TRY(nz_node_set_ints(n, "perm", perm, strlen(p.out)));
    return nz_node_set_inputs(n, &made, 1);
}
