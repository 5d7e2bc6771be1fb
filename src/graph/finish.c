/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting a built graph and removing from it what nothing needs; linear in its size. */
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "graph/index.h"

/* Visits every value that a node reads: its inputs, then its captures. */
static int read_at(const nz_node *node, size_t i) {
    return i < node->input_count ? node->inputs[i] : node->captures[i - node->input_count];
}
static size_t read_count(const nz_node *node) { return node->input_count + node->capture_count; }

static void set_producers(nz_graph *graph) {
    for (size_t v = 0; v < graph->value_count; v++) graph->values[v].producer = -1;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; graph->nodes[n].op_type && i < graph->nodes[n].output_count; i++)
            if (graph->nodes[n].outputs[i] >= 0) graph->values[graph->nodes[n].outputs[i]].producer = (int)n;
}

/* Keeps the nodes listed in order[0..count), in that order, and releases the others. */
static nz_status keep_nodes(nz_graph *graph, const int *order, size_t count) {
    nz_node *nodes = NULL;
    NZ_TRY(nz_alloc(&nodes, count, sizeof *nodes));
    for (size_t i = 0; i < count; i++) {
        nodes[i] = graph->nodes[order[i]];
        graph->nodes[order[i]] = (nz_node){0};
    }
    for (size_t n = 0; n < graph->node_count; n++) nz_node_done(&graph->nodes[n]);
    free(graph->nodes);
    graph->nodes = nodes;
    graph->node_count = count;
    return NZ_OK;
}

bool nz_graph_in_order(const nz_graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        if (!node->op_type) return false;
        for (size_t i = 0; i < read_count(node); i++) {
            int value = read_at(node, i);
            if (value >= 0 && graph->values[value].producer >= (int)n) return false;
        }
    }
    return true;
}

enum { NEW = 0, OPEN, DONE };

/* Depth-first from each node in the old order: a node comes right before its first reader, and an order that was right
 * stays. `next` remembers how far each open node has got, so that depth costs no C stack. */
static nz_status topological_order(const nz_graph *graph, int *order, size_t *ret_count) {
    NZ_AUTO_FREE char *state = NULL;
    NZ_AUTO_FREE int *stack = NULL;
    NZ_AUTO_FREE size_t *next = NULL;
    NZ_TRY(nz_alloc(&state, graph->node_count, sizeof *state));
    NZ_TRY(nz_alloc(&stack, graph->node_count, sizeof *stack));
    NZ_TRY(nz_alloc(&next, graph->node_count, sizeof *next));
    size_t count = 0;
    for (size_t start = 0; start < graph->node_count; start++) {
        if (state[start] != NEW || !graph->nodes[start].op_type) continue;
        size_t depth = 0;
        stack[depth++] = (int)start;
        state[start] = OPEN;
        while (depth) {
            int at = stack[depth - 1];
            const nz_node *node = &graph->nodes[at];
            if (next[at] == read_count(node)) {
                state[at] = DONE;
                order[count++] = at;
                depth--;
                continue;
            }
            int value = read_at(node, next[at]++);
            int producer = value < 0 ? -1 : graph->values[value].producer;
            if (producer < 0 || state[producer] == DONE) continue;
            if (state[producer] == OPEN)
                return nz_fail(NZ_E_FORMAT,
                               "node '%s' (%s) depends on its own output through '%s': the graph has a cycle",
                               node->name, node->op_type, graph->values[value].name);
            state[producer] = OPEN;
            stack[depth++] = producer;
        }
    }
    *ret_count = count;
    return NZ_OK;
}

nz_status nz_graph_sort(nz_graph *graph) {
    set_producers(graph);
    if (!nz_graph_in_order(graph)) {
        NZ_AUTO_FREE int *order = NULL;
        size_t count = 0;
        NZ_TRY(nz_alloc(&order, graph->node_count, sizeof *order));
        NZ_TRY(topological_order(graph, order, &count));
        NZ_TRY(keep_nodes(graph, order, count));
        set_producers(graph);
    }
    nz_graph_index_free(graph);
    return NZ_OK;
}

/* Marks, from the outputs backwards over the sorted nodes, what is needed. */
static void mark_live(const nz_graph *graph, char *live_nodes, char *live_values) {
    for (size_t i = 0; i < graph->input_count; i++) live_values[graph->inputs[i]] = 1;
    for (size_t i = 0; i < graph->output_count; i++) live_values[graph->outputs[i]] = 1;
    for (size_t n = graph->node_count; n-- > 0;) {
        const nz_node *node = &graph->nodes[n];
        for (size_t i = 0; i < node->output_count && !live_nodes[n]; i++)
            if (node->outputs[i] >= 0 && live_values[node->outputs[i]] &&
                graph->values[node->outputs[i]].producer == (int)n)
                live_nodes[n] = 1;
        if (!live_nodes[n]) continue;
        for (size_t i = 0; i < read_count(node); i++)
            if (read_at(node, i) >= 0) live_values[read_at(node, i)] = 1;
    }
    /* Outputs that nobody reads belong to their node all the same. */
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; live_nodes[n] && i < graph->nodes[n].output_count; i++)
            if (graph->nodes[n].outputs[i] >= 0) live_values[graph->nodes[n].outputs[i]] = 1;
}

static void renumber(int *indices, size_t count, const int *moved) {
    for (size_t i = 0; i < count; i++)
        if (indices[i] >= 0) indices[i] = moved[indices[i]];
}

static nz_status keep_values(nz_graph *graph, const char *live) {
    NZ_AUTO_FREE int *moved = NULL;
    NZ_TRY(nz_alloc(&moved, graph->value_count, sizeof *moved));
    size_t count = 0;
    for (size_t v = 0; v < graph->value_count; v++) {
        moved[v] = live[v] ? (int)count : NZ_NO_VALUE;
        if (!live[v]) {
            nz_value_done(&graph->values[v]);
            continue;
        }
        if (count != v) graph->values[count] = graph->values[v];
        count++;
    }
    graph->value_count = count;
    for (size_t n = 0; n < graph->node_count; n++) {
        nz_node *node = &graph->nodes[n];
        renumber(node->inputs, node->input_count, moved);
        renumber(node->outputs, node->output_count, moved);
        renumber(node->captures, node->capture_count, moved);
    }
    renumber(graph->inputs, graph->input_count, moved);
    renumber(graph->outputs, graph->output_count, moved);
    return NZ_OK;
}

nz_status nz_graph_finish(nz_graph *graph) {
    NZ_TRY(nz_graph_sort(graph));
    NZ_AUTO_FREE char *live_nodes = NULL, *live_values = NULL;
    NZ_AUTO_FREE int *order = NULL;
    NZ_TRY(nz_alloc(&live_nodes, graph->node_count, 1));
    NZ_TRY(nz_alloc(&live_values, graph->value_count, 1));
    NZ_TRY(nz_alloc(&order, graph->node_count, sizeof *order));
    mark_live(graph, live_nodes, live_values);
    size_t count = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        if (live_nodes[n]) order[count++] = (int)n;
    if (count < graph->node_count) NZ_TRY(keep_nodes(graph, order, count));
    NZ_TRY(keep_values(graph, live_values));
    set_producers(graph);
    return NZ_OK;
}
