/* SPDX-License-Identifier: Apache-2.0 */
/* The request for everything that follows from the file alone. */
#include "compare/facts_json.h"
#include "compare/worker.h"
#include "core/error.h"
#include "netzip/onnx.h"
#include "pass/bind.h"

static int tell(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)what;
    return nz_worker_progress(user, done, total) != NZ_OK;
}

nz_status nz_worker_facts(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_worker_model model;
    NZ_TRY(nz_worker_model_get(&model, request));
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    nz_binding binding;
    size_t count;
    NZ_TRY(nz_model_load(&graph, model.path));
    nz_sample_binding(&binding, &count, graph, &model.sample, 1);
    NZ_AUTO(nz_graph_facts_done) nz_graph_facts facts = {0};
    NZ_TRY(nz_graph_facts_get(&facts, graph, &binding, count));
    NZ_AUTO_JSON json_t *answer = NULL;
    NZ_TRY(nz_worker_answer(&answer, json_pack("{s:o,s:o}", "facts", nz_facts_to_json(&facts), "energy_estimated_j",
                                               nz_json_real(nz_energy_estimate_j(&facts)))));
    if (json_is_true(json_object_get(request, "entropy"))) {
        uint64_t bytes;
        nz_progress progress = {.step = tell, .user = worker};
        NZ_TRY(nz_entropy_bytes(&bytes, facts.counted, &progress));
        json_object_set_new(answer, "entropy_bytes", json_integer((json_int_t)bytes));
    }
    *ret_answer = NZ_STEAL(answer);
    return NZ_OK;
}
