/* SPDX-License-Identifier: Apache-2.0 */
/* The request for times of layers: of the very session that was timed, in passes with and without clocks between layers, so
 * that the layers' sum can be held against a whole of the same minute. */
#include <math.h>
#include <stdlib.h>

#include "compare/worker.h"
#include "core/error.h"
#include "netzip/metric.h"

enum { PASSES = 5, MOST_RUNS = 25 }; /* of a pass: a session keeps the latest 128 times of a layer */

typedef struct passes {
    double profiled[PASSES * MOST_RUNS], plain[PASSES * MOST_RUNS]; /* ms of whole inferences */
    size_t count;                                                   /* of each */
} passes;

static nz_status run_pass(nz_worker *worker, double *times, size_t runs) {
    for (size_t i = 0; i < runs; i++) {
        uint64_t ns;
        NZ_TRY(nz_worker_run_once(worker, worker->session, &worker->ports, &ns));
        times[i] = (double)ns * 1e-6;
    }
    return NZ_OK;
}

/* As many inferences as a tenth of the time allows, at least one and so few that all passes' times are kept. */
static size_t runs_of(double seconds, double each_ms) {
    double fit = each_ms > 0 ? seconds * 1e3 / (2 * PASSES) / each_ms : MOST_RUNS;
    return (size_t)fmin(fmax(1, fit), MOST_RUNS);
}

static nz_status run_passes(nz_worker *worker, passes *p, double seconds) {
    size_t runs = 1;
    double first;
    NZ_TRY(run_pass(worker, &first, 1));
    runs = runs_of(seconds, first);
    for (int pass = 0; pass < PASSES; pass++) {
        NZ_TRY(nz_session_profile(worker->session, NZ_PROFILE_ON));
        nz_status status = run_pass(worker, p->profiled + p->count, runs);
        NZ_TRY(nz_session_profile(worker->session, NZ_PROFILE_OFF));
        NZ_TRY(status);
        NZ_TRY(run_pass(worker, p->plain + p->count, runs));
        p->count += runs;
    }
    return NZ_OK;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return nz_quantile(values, count, 0.5);
}

json_t *nz_worker_layers_json(const nz_session *session, double clock_ms, double *ret_sum_ms) {
    json_t *layers = json_array();
    *ret_sum_ms = 0;
    for (size_t i = 0; i < nz_session_layer_count(session); i++) {
        nz_layer layer = nz_session_layer(session, i);
        double own = fmax(0, layer.latency_ms - clock_ms);
        if (isnan(layer.latency_ms)) own = layer.latency_ms;
        *ret_sum_ms += own;
        json_array_append_new(layers, json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "name", nz_json_string(layer.name), "op",
                                                nz_json_string(layer.op), "kernel", nz_json_string(layer.kernel),
                                                "fused", nz_json_string(layer.fused), "compute",
                                                nz_json_string(layer.compute), "latency_ms", nz_json_real(own)));
    }
    return layers;
}

nz_status nz_worker_profile(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    double seconds = json_number_value(json_object_get(request, "seconds")), sum_ms = 0;
    passes p = {.count = 0};
    if (!worker->session) return nz_fail(NZ_E_ARG, "profile: no model is loaded");
    NZ_TRY(nz_session_profile(worker->session, NZ_PROFILE_RESET));
    NZ_TRY(run_passes(worker, &p, seconds));
    nz_clock_facts clock;
    nz_clock_facts_get(&clock);
    json_t *layers = nz_worker_layers_json(worker->session, clock.overhead_ns * 1e-6, &sum_ms);
    return nz_worker_answer(ret_answer, json_pack("{s:o,s:o,s:f,s:f,s:f,s:I,s:i}", "layers", layers, "sum_ms",
                                                  nz_json_real(sum_ms), "plain_ms", median(p.plain, p.count),
                                                  "profiled_ms", median(p.profiled, p.count), "clock_overhead_ns",
                                                  clock.overhead_ns, "runs", (json_int_t)p.count, "passes", PASSES));
}
