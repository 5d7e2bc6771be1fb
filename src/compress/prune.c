/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Global unstructured pruning (GUP): an exact share of all weights is set to zero, chosen over the whole model, at random or by smallest
 * magnitude, at once or little by little while the network is trained further. Weights that are zero already count towards
 * the share.
 * @source arXiv 2305.10616, section 2 (GUP_R, GUP_L1)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compress/prune_train.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"
#include "netzip/pass.h"

typedef struct prune_options {
    double sparsity;
    bool linear;
    char *exclude;
    int ramp; /* ramps */
    double until;
    long long every, seed;
    nz_finetune_options tune;
} prune_options;

enum { RAMP_ONESHOT, RAMP_CUBIC };

/* The last row is read by the random method alone. */
static const nz_option prune_table[] = {
    {.name = "sparsity",
     .type = NZ_OPTION_REAL,
     .offset = offsetof(prune_options, sparsity),
     .initial = "0.5",
     .least = 0,
     .most = 1,
     .help = "share of the weights to set to zero, 0 to 1"},
    {.name = "linear",
     .type = NZ_OPTION_BOOL,
     .offset = offsetof(prune_options, linear),
     .initial = "0",
     .help = "prune Gemm and MatMul weights too, 0 or 1"},
    {.name = "exclude",
     .type = NZ_OPTION_TEXT,
     .offset = offsetof(prune_options, exclude),
     .help = "layers to leave alone: shell patterns of node names or operators, joined by '+'"},
    {.name = "seed",
     .type = NZ_OPTION_INT,
     .offset = offsetof(prune_options, seed),
     .initial = "0",
     .least = 0,
     .most = 9e15,
     .help = "of the random choice"},
};

static const nz_option ramp_table[] = {
    {.name = "ramp",
     .type = NZ_OPTION_CHOICE,
     .offset = offsetof(prune_options, ramp),
     .initial = "oneshot",
     .choices = "oneshot|cubic",
     .help = "prune before training, or little by little during it"},
    {.name = "ramp_until",
     .type = NZ_OPTION_REAL,
     .offset = offsetof(prune_options, until),
     .initial = "0.5",
     .least = 0,
     .most = 1,
     .help = "share of training by which ramp=cubic has pruned all"},
    {.name = "ramp_every",
     .type = NZ_OPTION_INT,
     .offset = offsetof(prune_options, every),
     .initial = "0",
     .least = 0,
     .most = 1e12,
     .help = "steps between two prunings of ramp=cubic; 0: as many as make 20 of them"},
};

static nz_status put_back(nz_graph *graph, const nz_pool *p, const nz_weight_list *list) {
    for (size_t i = 0; i < list->count; i++) NZ_TRY(nz_graph_set_constant(graph, list->items[i].value, &p->tensors[i]));
    return NZ_OK;
}

/* A row for each layer; *ret_zeros: of all. Weights are found by the names that they have in `names`. */
static nz_status describe_layers(nz_compress_report *report, const nz_graph *graph, const nz_graph *names,
                                 const nz_weight_list *list, uint64_t *ret_zeros) {
    uint64_t all = 0;
    for (size_t i = 0; i < list->count; i++) {
        int value = nz_graph_find_value(graph, names->values[list->items[i].value].name);
        if (value < 0) return nz_fail(NZ_E_INTERNAL, "a weight lost its name in training");
        const nz_tensor *t = &graph->values[value].constant;
        int64_t n = nz_shape_elements(&t->shape), zeros = 0;
        for (int64_t j = 0; j < n; j++) zeros += nz_tensor_real(t, j) == 0;
        double pct = n ? 100.0 * (double)zeros / (double)n : 0;
        char what[64];
        snprintf(what, sizeof what, "%lld of %lld weights zero", (long long)zeros, (long long)n);
        NZ_TRY(nz_compress_report_add(report, &names->nodes[list->items[i].node], what, NAN, pct));
        all += (uint64_t)zeros;
    }
    *ret_zeros = all;
    return NZ_OK;
}

static nz_status summarise(nz_compress_report *report, const prune_options *o, const nz_pool *p, size_t layers,
                           uint64_t zeros) {
    NZ_AUTO_FREE char *trained = NULL;
    NZ_TRY(nz_finetune_describe(&trained, report, &o->tune));
    return nz_format(&report->summary,
                     "%llu of %llu weights in %zu layers are zero (%.2f%%).%s The file is no smaller and dense kernels "
                     "are no faster for it: "
                     "zeros pay when the file is compressed or a kernel skips them.",
                     (unsigned long long)zeros, (unsigned long long)p->total, layers,
                     100.0 * (double)zeros / (double)p->total, trained);
}

static nz_status train(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                       const nz_graph *graph, const nz_weight_list *list, const prune_options *o, bool random) {
    const nz_prune_job job = {.graph = graph,
                              .list = list,
                              .options = &o->tune,
                              .input = input,
                              .sparsity = o->sparsity,
                              .random = random,
                              .gradual = o->ramp == RAMP_CUBIC,
                              .seed = (uint64_t)(random ? o->seed : o->tune.train.seed),
                              .until = o->until,
                              .every = (uint64_t)o->every};
    return nz_prune_and_train(ret_graph, report, &job);
}

static nz_status choose(nz_graph *graph, nz_pool *p, const nz_weight_list *list, const prune_options *o, bool random) {
    uint64_t wanted = nz_pool_share(p, o->sparsity);
    if (random)
        nz_pool_zero_random(p, wanted, (uint64_t)o->seed);
    else
        NZ_TRY(nz_pool_zero_smallest(p, wanted));
    return put_back(graph, p, list);
}

static nz_status prune(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                       const prune_options *given, bool random) {
    prune_options settled = *given; /* the texts stay the caller's */
    if (random) settled.tune.train.seed = given->seed;
    const prune_options *o = &settled;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_GRAPH nz_graph *trained = NULL;
    NZ_AUTO(nz_pool_done) nz_pool p = {0};
    NZ_AUTO(nz_weight_list_done) nz_weight_list list = {0};
    bool trains = o->tune.train.epochs > 0;
    NZ_TRY(nz_pass_fold(&graph, input->graph));
    if (trains) NZ_TRY(nz_weights_widen(graph));
    NZ_TRY(nz_weights_list(&list, graph, o->linear, o->exclude));
    if (list.count == 0)
        return nz_fail(NZ_E_UNSUPPORTED, "method gup: the model has no float weights of %s to prune",
                       o->linear ? "convolutions or linear layers" : "convolutions (linear=1 takes linear layers too)");
    NZ_TRY(nz_pool_init(&p, graph, &list));
    if (p.zeros > nz_pool_share(&p, o->sparsity))
        nz_progress_note(input->progress, "%llu weights were zero before: more than sparsity=%g asks for",
                         (unsigned long long)p.zeros, o->sparsity);
    NZ_TRY(trains ? train(&trained, report, input, graph, &list, o, random) : choose(graph, &p, &list, o, random));
    uint64_t zeros = 0;
    NZ_TRY(describe_layers(report, trains ? trained : graph, graph, &list, &zeros));
    NZ_TRY(summarise(report, o, &p, list.count, zeros));
    *ret_graph = trains ? NZ_STEAL(trained) : NZ_STEAL(graph);
    return NZ_OK;
}

static nz_status apply_l1(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                          const void *options) {
    return prune(ret_graph, report, input, options, false);
}

static nz_status apply_random(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                              const void *options) {
    return prune(ret_graph, report, input, options, true);
}

/* A trained network has to mend what was cut, not to be found anew: a small rate that falls to nothing. */
static const char *const training_defaults[][3] = {
    {"epochs", "0", "epochs of training with the masks held; 0: prune and nothing else"},
    {"lr", "0",
     "learning rate, from which the schedule falls; 0: 0.1 at batch 128, 0.004 where nothing normalises, a "
     "sixteenth of training's for detectors"},
    {"schedule", "cosine", NULL},
    {NULL, NULL, NULL}};

static const nz_method_training prune_training = {
    .offset = offsetof(prune_options, tune),
    .epochs = "finetune",
    .also = "epochs",
    .options = ramp_table,
    .option_count = NZ_COUNT(ramp_table),
    .defaults = training_defaults,
    .rate = 0.1,
    .rate_without_norm = 0.004,
};

const nz_method nz_method_gup_l1 = {
    .name = "gup-l1",
    .alias = "GUP_L1",
    .technique = "GUP_L1",
    .help = "global unstructured pruning of the weights of smallest magnitude, with fine-tuning where it is asked for",
    .options = prune_table,
    .option_count = NZ_COUNT(prune_table) - 1,
    .options_bytes = sizeof(prune_options),
    .training = &prune_training,
    .apply = apply_l1,
};

const nz_method nz_method_gup_r = {
    .name = "gup-r",
    .alias = "GUP_R",
    .technique = "GUP_R",
    .help = "global unstructured pruning of weights chosen at random, with fine-tuning where it is asked for",
    .options = prune_table,
    .option_count = NZ_COUNT(prune_table),
    .options_bytes = sizeof(prune_options),
    .training = &prune_training,
    .apply = apply_random,
};
