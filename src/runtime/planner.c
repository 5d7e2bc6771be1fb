/* SPDX-License-Identifier: Apache-2.0 */
/* Planning from end to end, and again where a group turns out to have no kernel as it was gathered. */
#include "runtime/planner.h"

#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "netzip/pass.h"

static nz_status find_readers(nz_planner *planner) {
    const nz_graph *graph = planner->graph;
    size_t values = graph->value_count, total = 0;
    for (size_t n = 0; n < graph->node_count; n++) total += graph->nodes[n].input_count;
    NZ_TRY(nz_alloc(&planner->reader_start, values + 2, sizeof(int)));
    NZ_TRY(nz_alloc(&planner->readers, total, sizeof(int)));
    NZ_TRY(nz_alloc(&planner->is_output, values, sizeof(bool)));
    for (size_t i = 0; i < graph->output_count; i++) planner->is_output[graph->outputs[i]] = true;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] != NZ_NO_VALUE) planner->reader_start[graph->nodes[n].inputs[i] + 2]++;
    for (size_t v = 0; v < values; v++) planner->reader_start[v + 2] += planner->reader_start[v + 1];
    /* Filling moves each start forward to its end, which is the next value's start. */
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] != NZ_NO_VALUE)
                planner->readers[planner->reader_start[graph->nodes[n].inputs[i] + 1]++] = (int)n;
    return NZ_OK;
}

/* What one attempt makes; facts about the graph stay. */
static void forget_attempt(nz_planner *planner) {
    for (size_t g = 0; g < planner->group_count; g++) nz_group_done(&planner->groups[g]);
    planner->group_count = 0;
    free(planner->order);
    free(planner->class_of);
    free(planner->last_use);
    planner->order = NULL;
    planner->class_of = NULL;
    planner->last_use = NULL;
    planner->again = -1;
}

static void planner_done(nz_planner *planner) {
    forget_attempt(planner);
    for (size_t v = 0; planner->constants && v < planner->graph->value_count; v++)
        if (planner->constants[v].dtype != NZ_DTYPE_NONE) nz_tensor_done(&planner->constants[v]);
    free(planner->constants);
    free(planner->constant_depth);
    free(planner->reader_start);
    free(planner->readers);
    free(planner->is_output);
    free(planner->taken);
    free(planner->refused);
    free(planner->groups);
    free(planner->views);
    free(planner->forms);
    free(planner->slot_of);
    free(planner->tuner.known);
    nz_arena_done(&planner->arena);
}

static nz_status attempt(nz_planner *planner) {
    const nz_graph *graph = planner->graph;
    memset(planner->taken, 0, graph->node_count * sizeof(bool));
    for (size_t v = 0; v < graph->value_count; v++) planner->views[v].buffer = -1;
    for (size_t v = 0; v < graph->value_count * NZ_FORMS * 2; v++) planner->forms[v].buffer = -1;
    NZ_TRY(nz_planner_match(planner));
    return nz_planner_lower(planner);
}

static nz_status plan_all(nz_planner *planner) {
    const nz_graph *graph = planner->graph;
    NZ_TRY(find_readers(planner));
    NZ_TRY(nz_planner_find_constants(planner));
    NZ_TRY(nz_alloc(&planner->constants, graph->value_count, sizeof(nz_tensor)));
    NZ_TRY(nz_alloc(&planner->taken, graph->node_count, sizeof(bool)));
    NZ_TRY(nz_alloc(&planner->refused, graph->node_count, sizeof(unsigned)));
    NZ_TRY(nz_alloc(&planner->views, graph->value_count, sizeof(nz_view)));
    NZ_TRY(nz_alloc(&planner->forms, graph->value_count * NZ_FORMS * 2, sizeof(nz_view)));
    NZ_TRY(nz_alloc(&planner->slot_of, graph->value_count, sizeof(int)));
    planner->tuner.graph = graph;
    for (;;) { /* ends: every round refuses something that was not refused before, and a refused kernel is plain C */
        planner->again = -1;
        NZ_TRY(attempt(planner));
        if (planner->again < 0) return NZ_OK;
        if (planner->refused[planner->again] & planner->again_refusal)
            return nz_fail(NZ_E_INTERNAL, "planning node '%s' does not end", graph->nodes[planner->again].name);
        planner->refused[planner->again] |= planner->again_refusal;
        forget_attempt(planner);
        nz_plan_reset(planner->plan);
    }
}

nz_status nz_plan_fast(nz_plan *plan, const nz_graph *graph, const nz_runtime_options *options) {
    NZ_AUTO_GRAPH nz_graph *folded = NULL;
    NZ_AUTO_GRAPH nz_graph *moved = NULL;
    NZ_TRY(nz_pass_fold_batchnorm(&folded, graph));
    if (options->compute != NZ_COMPUTE_F32)
        NZ_TRY(nz_move_qdq(&moved, folded));
    else
        moved = NZ_STEAL(folded);
    nz_graph_free(plan->graph);
    plan->graph = NZ_STEAL(moved);
    nz_planner planner = {.plan = plan,
                          .graph = plan->graph,
                          .compute = options->compute,
                          .tune = options->tune,
                          .float_type = options->compute == NZ_COMPUTE_BF16 ? NZ_BF16 : NZ_F32,
                          .again = -1};
    nz_status status = plan_all(&planner);
    planner_done(&planner);
    return status;
}
