/* SPDX-License-Identifier: Apache-2.0 */
/* The request that counts what inferences do: instructions and cache misses repeat where times do not. */
#include <math.h>
#include <sys/resource.h>

#include "compare/worker.h"
#include "core/error.h"

enum { LEAST_RUNS = 5, MOST_RUNS = 1000000 };
static const double most_seconds = 60;

/* A descriptor per thread and counter: more than a soft limit may allow. */
static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static json_t *counter_json(const nz_counter *counter, size_t runs) {
    if (!counter->source) return json_pack("{s:o}", "reason", nz_json_string(counter->reason));
    return json_pack("{s:o,s:s,s:b,s:b,s:f}", "value", nz_json_real(counter->value / (double)runs), "source",
                     counter->source, "kernel", counter->kernel, "multiplexed", counter->multiplexed, "running_pct",
                     counter->running_pct);
}

static json_t *counters_json(const nz_counter values[NZ_COUNTERS], size_t runs) {
    json_t *json = json_object();
    for (size_t i = 0; i < NZ_COUNTERS; i++) json_object_set_new(json, values[i].name, counter_json(&values[i], runs));
    return json;
}

/* Nothing but inferences lies between the two readings: no clock, no sample fetched. */
static nz_status count_runs(nz_worker *worker, nz_counters *counters, size_t runs, nz_counter values[NZ_COUNTERS]) {
    nz_session *session = worker->session;
    const nz_ports *ports = &worker->ports;
    nz_counters_begin(counters);
    for (size_t i = 0; i < runs; i++) NZ_TRY(nz_session_run(session, ports->inputs, ports->outputs));
    nz_counters_get(counters, values);
    return NZ_OK;
}

static void close_counters(nz_counters **counters) { nz_counters_close(*counters); }

nz_status nz_worker_counters(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    double seconds = json_number_value(json_object_get(request, "seconds"));
    if (!worker->session) return nz_fail(NZ_E_ARG, "counters: no model is loaded");
    if (!(seconds >= 0 && seconds <= most_seconds))
        return nz_fail(NZ_E_ARG, "counters: %g seconds are outside 0 to %g", seconds, most_seconds);
    NZ_AUTO(close_counters) nz_counters *counters = NULL;
    nz_counter values[NZ_COUNTERS];
    uint64_t ns = 0;
    for (int i = 0; i < 2; i++) NZ_TRY(nz_worker_run_once(worker, worker->session, &worker->ports, &ns));
    double wanted = ns ? ceil(seconds * 1e9 / (double)ns) : MOST_RUNS;
    size_t runs = (size_t)fmin(fmax(wanted, LEAST_RUNS), MOST_RUNS);
    allow_descriptors();
    NZ_TRY(nz_counters_open(&counters, json_is_true(json_object_get(request, "kernel")), NULL));
    NZ_TRY(count_runs(worker, counters, runs, values));
    return nz_worker_answer(ret_answer,
                            json_pack("{s:I,s:o}", "runs", (json_int_t)runs, "counters", counters_json(values, runs)));
}
