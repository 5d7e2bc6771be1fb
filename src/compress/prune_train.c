/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/prune_train.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/random.h"

enum { EVENTS = 20 }; /* of a ramp whose steps are not given */

nz_ramp nz_ramp_make(uint64_t steps, double until, uint64_t every) {
    uint64_t last = (uint64_t)(until * (double)steps);
    if (last < 1) last = 1;
    if (every == 0) every = last / EVENTS ? last / EVENTS : 1;
    if (every > last) every = last; /* so that there is an event, and none behind the ramp's end */
    return (nz_ramp){.every = every, .events = last / every};
}

uint64_t nz_ramp_zeros(const nz_ramp *ramp, uint64_t event, uint64_t before, uint64_t wanted) {
    if (event >= ramp->events || before >= wanted) return wanted;
    double left = 1 - (double)event / (double)ramp->events;
    double zeros = (double)wanted + ((double)before - (double)wanted) * left * left * left;
    return (uint64_t)nearbyint(zeros);
}

/* What lives while a network is pruned and trained. `gone` has a bit for every weight of the pool: masked now. It is kept in
 * checkpoints. */
struct nz_pruner {
    const nz_prune_job *job;
    nz_pool pool;   /* gradual: scratch for the weights of the moment */
    nz_pool target; /* with the last choice made: for one shot and for random ramps */
    uint64_t wanted;
    uint8_t *gone;
    size_t gone_bytes;
    nz_param **params; /* of each tensor of the pool */
    float *plain;      /* for the largest of them */
};

void nz_pruner_free(nz_pruner *w) {
    if (!w) return;
    nz_pool_done(&w->pool);
    nz_pool_done(&w->target);
    free(w->gone);
    free(w->params);
    free(w->plain);
    free(w);
}

static void pruner_free_ptr(nz_pruner **w) { nz_pruner_free(*w); }

static bool is_gone(const nz_pruner *w, uint64_t at) { return w->gone[at / 8] >> (at % 8) & 1; }
static void set_gone(nz_pruner *w, uint64_t at) { w->gone[at / 8] = (uint8_t)(w->gone[at / 8] | 1 << (at % 8)); }

static size_t elements(const nz_pool *pool, size_t i) { return (size_t)nz_shape_elements(&pool->tensors[i].shape); }

static nz_status choose_final(nz_pruner *w) {
    const nz_prune_job *job = w->job;
    if (job->random)
        nz_pool_zero_random(&w->target, w->wanted, job->seed);
    else
        NZ_TRY(nz_pool_zero_smallest(&w->target, w->wanted));
    return NZ_OK;
}

static void mark_zeros(nz_pruner *w, const nz_pool *pool) {
    uint64_t at = 0;
    for (size_t i = 0; i < pool->count; i++)
        for (size_t k = 0; k < elements(pool, i); k++, at++)
            if (((const float *)pool->tensors[i].data)[k] == 0) set_gone(w, at);
}

static nz_status pruner_init(nz_pruner *w, const nz_prune_job *job) {
    w->job = job;
    NZ_TRY(nz_pool_init(&w->pool, job->graph, job->list));
    NZ_TRY(nz_pool_init(&w->target, job->graph, job->list));
    w->wanted = nz_pool_share(&w->pool, job->sparsity);
    w->gone_bytes = (size_t)(w->pool.total / 8 + 1);
    NZ_TRY(nz_alloc(&w->gone, w->gone_bytes, 1));
    NZ_TRY(nz_alloc(&w->params, w->pool.count, sizeof *w->params));
    size_t largest = 1;
    for (size_t i = 0; i < w->pool.count; i++)
        if (elements(&w->pool, i) > largest) largest = elements(&w->pool, i);
    NZ_TRY(nz_alloc(&w->plain, largest, sizeof *w->plain));
    if (job->random || !job->gradual) NZ_TRY(choose_final(w));
    mark_zeros(w, job->gradual ? &w->pool : &w->target);
    return NZ_OK;
}

static nz_status find_params(nz_pruner *w, nz_engine *engine) {
    const nz_prune_job *job = w->job;
    for (size_t i = 0; i < w->pool.count; i++) {
        const char *name = job->graph->values[job->list->items[i].value].name;
        w->params[i] = NULL;
        for (size_t p = 0; p < nz_engine_param_count(engine) && !w->params[i]; p++)
            if (strcmp(nz_engine_param(engine, p)->name, name) == 0) w->params[i] = nz_engine_param(engine, p);
        if (!w->params[i])
            return nz_fail(NZ_E_UNSUPPORTED,
                           "node %s: its weights '%s' cannot be trained, so that pruning cannot be followed by "
                           "fine-tuning; leave it out by exclude=",
                           job->graph->nodes[job->list->items[i].node].name, name);
    }
    return NZ_OK;
}

static nz_status apply_masks(nz_pruner *w, nz_engine *engine) {
    uint64_t at = 0;
    for (size_t i = 0; i < w->pool.count; i++) {
        for (size_t k = 0; k < elements(&w->pool, i); k++, at++) w->plain[k] = is_gone(w, at) ? 0 : 1;
        NZ_TRY(nz_engine_mask(engine, w->params[i], w->plain));
    }
    return NZ_OK;
}

static nz_status begin(void *user, nz_engine *engine, bool restored) {
    nz_pruner *w = user;
    (void)restored; /* what is gone was read back before */
    NZ_TRY(find_params(w, engine));
    return apply_masks(w, engine);
}

/* The weights of the moment; those that are gone are zeros, and no other one is. */
static void read_weights(nz_pruner *w) {
    uint64_t at = 0;
    for (size_t i = 0; i < w->pool.count; i++) {
        float *to = w->pool.tensors[i].data;
        nz_param_get(w->params[i], to);
        for (size_t k = 0; k < elements(&w->pool, i); k++, at++)
            if (is_gone(w, at))
                to[k] = 0;
            else if (to[k] == 0)
                to[k] = FLT_TRUE_MIN;
    }
}

/* Of the weights that will go in the end, those that go now: drawn without replacement. */
static void go_at_random(nz_pruner *w, uint64_t zeros, uint64_t event) {
    nz_random random;
    nz_random_init(&random, w->job->seed, event);
    uint64_t gone = 0, left = 0, at = 0;
    for (at = 0; at < w->pool.total; at++) gone += is_gone(w, at);
    at = 0;
    for (size_t i = 0; i < w->target.count; i++)
        for (size_t k = 0; k < elements(&w->target, i); k++, at++)
            left += ((const float *)w->target.tensors[i].data)[k] == 0 && !is_gone(w, at);
    uint64_t needed = zeros > gone ? zeros - gone : 0;
    at = 0;
    for (size_t i = 0; i < w->target.count; i++)
        for (size_t k = 0; k < elements(&w->target, i); k++, at++) {
            if (((const float *)w->target.tensors[i].data)[k] != 0 || is_gone(w, at) || needed == 0) continue;
            if (nz_random_below(&random, left--) < needed) {
                set_gone(w, at);
                needed--;
            }
        }
}

static nz_status before_step(void *user, const nz_train_state *state) {
    nz_pruner *w = user;
    if (!w->job->gradual) return NZ_OK;
    nz_ramp ramp = nz_ramp_make(state->steps, w->job->until, w->job->every);
    uint64_t step = state->step + 1;
    if (step % ramp.every != 0 || step / ramp.every > ramp.events) return NZ_OK;
    uint64_t event = step / ramp.every, zeros = nz_ramp_zeros(&ramp, event, w->pool.zeros, w->wanted);
    if (w->job->random) {
        go_at_random(w, zeros, event);
    } else {
        read_weights(w);
        NZ_TRY(nz_pool_zero_smallest(&w->pool, zeros));
        mark_zeros(w, &w->pool);
    }
    return apply_masks(w, state->engine);
}

nz_status nz_pruner_open(nz_pruner **ret_pruner, const nz_prune_job *job) {
    NZ_AUTO(pruner_free_ptr) nz_pruner *w = NULL;
    NZ_TRY(nz_alloc(&w, 1, sizeof *w));
    NZ_TRY(pruner_init(w, job));
    *ret_pruner = NZ_STEAL(w);
    return NZ_OK;
}

nz_train_hooks nz_pruner_hooks(nz_pruner *pruner) {
    return (nz_train_hooks){.user = pruner,
                            .begin = begin,
                            .before_step = before_step,
                            .state = pruner->gone,
                            .state_bytes = pruner->gone_bytes,
                            .what = "fine-tuning"};
}

/* The student begins as the network is: the first masks zero what is gone before the first step. */
nz_status nz_prune_and_train(nz_graph **ret_graph, nz_compress_report *report, const nz_prune_job *job) {
    NZ_AUTO(pruner_free_ptr) nz_pruner *pruner = NULL;
    NZ_TRY(nz_pruner_open(&pruner, job));
    const nz_finetune_job tune = {.student = job->graph,
                                  .teacher = job->graph,
                                  .input = job->input,
                                  .options = job->options,
                                  .hooks = nz_pruner_hooks(pruner)};
    return nz_finetune(ret_graph, report, &tune);
}
