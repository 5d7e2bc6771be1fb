/* SPDX-License-Identifier: Apache-2.0 */
/* netzip's own engine: a graph becomes a plan once, a run executes it. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "graph/build.h"
#include "runtime/planner.h"
#include "runtime/runtime_internal.h"

static const char *native_version(void) { return NZ_VERSION; }

/* What the layers with multiply-accumulates compute in. */
static const char *compute_of(const nz_plan *plan) {
    const char *found = NULL;
    for (size_t s = 0; s < plan->step_count; s++) {
        const nz_step *step = &plan->steps[s];
        const nz_op *op = nz_op_find("", step->op);
        if (!op || !(op->flags & NZ_OP_HAS_MACS)) continue;
        if (found && strcmp(found, step->compute) != 0) return "mixed";
        found = step->compute;
    }
    return found ? found : "f32";
}

static nz_status native_open(nz_session *session, const nz_graph *graph, const char *path,
                             const nz_runtime_options *options) {
    (void)path;
    NZ_AUTO_GRAPH nz_graph *concrete = NULL;
    NZ_TRY(nz_pass_specialise(&concrete, graph, options->batch ? options->batch : 1, options->bindings,
                              options->binding_count, false));
    NZ_TRY(nz_session_set_ports(session, concrete));
    nz_plan *plan = NULL;
    NZ_TRY(nz_alloc(&plan, 1, sizeof *plan));
    session->plan = plan;
    plan->graph = NZ_STEAL(concrete);
    plan->profile = options->profile;
    if (options->reference)
        NZ_TRY(nz_plan_reference(plan, plan->graph));
    else
        NZ_TRY(nz_plan_fast(plan, plan->graph, options));
    NZ_TRY(nz_plan_place(plan));
    session->activation_bytes = plan->block_bytes;
    NZ_TRY(nz_plan_weights(plan, &session->weights));
    session->compute = compute_of(plan);
    return NZ_OK;
}

static nz_status native_run(nz_session *session, const nz_tensor *inputs, nz_tensor *outputs) {
    return nz_plan_run(session->plan, inputs, outputs);
}

static nz_status native_profile(nz_session *session, nz_profile profile) {
    return nz_plan_profile(session->plan, profile);
}

/* Layers are the steps that are not bookkeeping; counting is rare, so no index is kept. */
static size_t native_layer_count(const nz_session *session) {
    const nz_plan *plan = session->plan;
    size_t count = 0;
    for (size_t s = 0; s < plan->step_count; s++) count += !plan->steps[s].hidden;
    return count;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(const double *values, size_t count) {
    double sorted[NZ_PLAN_TIMES];
    if (count > NZ_PLAN_TIMES) count = NZ_PLAN_TIMES;
    if (!count) return (double)NAN;
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, by_value);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static nz_layer native_layer(const nz_session *session, size_t i) {
    const nz_plan *plan = session->plan;
    for (size_t s = 0; s < plan->step_count; s++) {
        const nz_step *step = &plan->steps[s];
        if (step->hidden || i-- > 0) continue;
        return (nz_layer){.name = step->name,
                          .op = step->op,
                          .kernel = step->kernel,
                          .fused = step->fused,
                          .compute = step->compute,
                          .latency_ms = step->time_count ? median(step->times_ms, step->time_count) : (double)NAN};
    }
    return (nz_layer){.name = "", .op = "", .kernel = "", .fused = "", .compute = "", .latency_ms = (double)NAN};
}

static void native_close(nz_session *session) { nz_plan_free(session->plan); }

const nz_runtime nz_runtime_native = {
    .name = "native",
    .about = "netzip's own engine",
    .version = native_version,
    .open = native_open,
    .run = native_run,
    .profile = native_profile,
    .layer_count = native_layer_count,
    .layer = native_layer,
    .close = native_close,
};
