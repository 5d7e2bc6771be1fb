/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Global unstructured pruning (GUP): an exact share of all weights is set to zero, chosen over the whole model, at random or by smallest
 * magnitude. Weights that are zero already count towards the share.
 * @source arXiv 2305.10616, section 2 (GUP_R, GUP_L1)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compress/method.h"
#include "compress/pool.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/text.h"
#include "netzip/pass.h"

typedef struct prune_options {
    double sparsity;
    bool linear;
    char *exclude;
    long long seed;
} prune_options;

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

static nz_status put_back(nz_graph *graph, nz_compress_report *report, nz_pool *p, const nz_weight_list *list,
                          uint64_t *ret_zeros) {
    uint64_t all = 0;
    for (size_t i = 0; i < list->count; i++) {
        int64_t n = nz_shape_elements(&p->tensors[i].shape), zeros = 0;
        for (int64_t j = 0; j < n; j++) zeros += nz_tensor_real(&p->tensors[i], j) == 0;
        NZ_TRY(nz_graph_set_constant(graph, list->items[i].value, &p->tensors[i]));
        double pct = n ? 100.0 * (double)zeros / (double)n : 0;
        char what[64];
        snprintf(what, sizeof what, "%lld of %lld weights zero", (long long)zeros, (long long)n);
        NZ_TRY(nz_compress_report_add(report, &graph->nodes[list->items[i].node], what, NAN, pct));
        all += (uint64_t)zeros;
    }
    *ret_zeros = all;
    return NZ_OK;
}

static nz_status prune(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                       const prune_options *o, bool random) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_pool_done) nz_pool p = {0};
    NZ_AUTO(nz_weight_list_done) nz_weight_list list = {0};
    NZ_TRY(nz_pass_fold(&graph, input->graph));
    NZ_TRY(nz_weights_list(&list, graph, o->linear, o->exclude));
    if (list.count == 0)
        return nz_fail(NZ_E_UNSUPPORTED, "method gup: the model has no float weights of %s to prune",
                       o->linear ? "convolutions or linear layers" : "convolutions (linear=1 takes linear layers too)");
    NZ_TRY(nz_pool_init(&p, graph, &list));
    uint64_t wanted = nz_pool_share(&p, o->sparsity), zeros = 0;
    if (random)
        nz_pool_zero_random(&p, wanted, (uint64_t)o->seed);
    else
        NZ_TRY(nz_pool_zero_smallest(&p, wanted));
    NZ_TRY(put_back(graph, report, &p, &list, &zeros));
    NZ_TRY(nz_format(&report->summary,
                     "%llu of %llu weights in %zu layers are zero (%.2f%%). The file is no smaller and dense kernels "
                     "are no faster for it: "
                     "zeros pay when the file is compressed or a kernel skips them.",
                     (unsigned long long)zeros, (unsigned long long)p.total, list.count,
                     100.0 * (double)zeros / (double)p.total));
    if (zeros > wanted)
        nz_progress_note(input->progress, "%llu weights were zero before: more than sparsity=%g asks for",
                         (unsigned long long)p.zeros, o->sparsity);
    *ret_graph = NZ_STEAL(graph);
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

const nz_method nz_method_gup_l1 = {
    .name = "gup-l1",
    .alias = "GUP_L1",
    .technique = "GUP_L1",
    .help = "global unstructured pruning of the weights of smallest magnitude",
    .options = prune_table,
    .option_count = NZ_COUNT(prune_table) - 1,
    .options_bytes = sizeof(prune_options),
    .apply = apply_l1,
};

const nz_method nz_method_gup_r = {
    .name = "gup-r",
    .alias = "GUP_R",
    .technique = "GUP_R",
    .help = "global unstructured pruning of weights chosen at random",
    .options = prune_table,
    .option_count = NZ_COUNT(prune_table),
    .options_bytes = sizeof(prune_options),
    .apply = apply_random,
};
