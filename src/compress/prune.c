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
#include "compress/weights.h"
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

/* Positions of all weights in one row, tensor after tensor: what "global" means. */
typedef struct pool {
    nz_tensor *tensors; /* private copies */
    size_t count;
    uint64_t total, zeros;
} pool;

static void pool_done(pool *p) {
    for (size_t i = 0; i < p->count; i++) nz_tensor_done(&p->tensors[i]);
    free(p->tensors);
}

static nz_status pool_init(pool *p, const nz_graph *graph, const nz_weight_list *list) {
    NZ_TRY(nz_alloc(&p->tensors, list->count, sizeof *p->tensors));
    for (size_t i = 0; i < list->count; i++) {
        const nz_tensor *source = &graph->values[list->items[i].value].constant;
        nz_tensor *copy = &p->tensors[i];
        NZ_TRY(nz_tensor_init(copy, source->dtype, &source->shape));
        p->count++;
        memcpy(copy->data, source->data, copy->bytes);
        int64_t n = nz_shape_elements(&copy->shape);
        for (int64_t k = 0; k < n; k++) p->zeros += nz_tensor_real(copy, k) == 0;
        p->total += (uint64_t)n;
    }
    return NZ_OK;
}

/* A magnitude whose order as an integer is its order as a number; NaN comes last, so that it is never taken for small. */
static uint32_t magnitude_bits(const nz_tensor *t, int64_t k) {
    float m = (float)fabs(nz_tensor_real(t, k));
    uint32_t bits;
    memcpy(&bits, &m, sizeof bits);
    return bits & 0x7fffffffu;
}

/* Finds the bits of the k-th smallest magnitude (k from 0) and how many are smaller, by two passes over 16-bit halves:
 * exact, and in memory that does not grow with the model. */
static nz_status find_threshold(uint32_t *ret_bits, uint64_t *ret_below, const pool *p, uint64_t k) {
    NZ_AUTO_FREE uint64_t *histogram = NULL;
    NZ_TRY(nz_alloc(&histogram, 65536, sizeof *histogram));
    uint32_t high = 0, low = 0;
    uint64_t below = 0;
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n; j++)
            histogram[magnitude_bits(&p->tensors[i], j) >> 16]++;
    while (below + histogram[high] <= k) below += histogram[high++];
    memset(histogram, 0, 65536 * sizeof *histogram);
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n; j++) {
            uint32_t bits = magnitude_bits(&p->tensors[i], j);
            if (bits >> 16 == high) histogram[bits & 0xffff]++;
        }
    while (below + histogram[low] <= k) below += histogram[low++];
    *ret_bits = high << 16 | low;
    *ret_below = below;
    return NZ_OK;
}

/* Zeroes the `wanted` smallest; of equals, those that come first. */
static nz_status zero_smallest(pool *p, uint64_t wanted) {
    if (wanted == 0) return NZ_OK;
    uint32_t threshold = 0;
    uint64_t below = 0;
    NZ_TRY(find_threshold(&threshold, &below, p, wanted - 1));
    uint64_t equals = wanted - below;
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n; j++) {
            uint32_t bits = magnitude_bits(&p->tensors[i], j);
            if (bits < threshold || (bits == threshold && equals > 0 && equals--))
                nz_tensor_set_real(&p->tensors[i], j, 0);
        }
    return NZ_OK;
}

/* Zeroes weights drawn without replacement from those that are not zero, until `wanted` are (selection sampling). */
static void zero_random(pool *p, uint64_t wanted, uint64_t seed) {
    nz_random random;
    nz_random_init(&random, seed, 0);
    uint64_t left = p->total - p->zeros, needed = wanted > p->zeros ? wanted - p->zeros : 0;
    for (size_t i = 0; i < p->count; i++)
        for (int64_t j = 0, n = nz_shape_elements(&p->tensors[i].shape); j < n && needed > 0; j++) {
            if (nz_tensor_real(&p->tensors[i], j) == 0) continue;
            if (nz_random_below(&random, left--) < needed) {
                nz_tensor_set_real(&p->tensors[i], j, 0);
                needed--;
            }
        }
}

static nz_status put_back(nz_graph *graph, nz_compress_report *report, pool *p, const nz_weight_list *list,
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
    NZ_AUTO(pool_done) pool p = {0};
    NZ_AUTO(nz_weight_list_done) nz_weight_list list = {0};
    NZ_TRY(nz_pass_fold(&graph, input->graph));
    NZ_TRY(nz_weights_list(&list, graph, o->linear, o->exclude));
    if (list.count == 0)
        return nz_fail(NZ_E_UNSUPPORTED, "method gup: the model has no float weights of %s to prune",
                       o->linear ? "convolutions or linear layers" : "convolutions (linear=1 takes linear layers too)");
    NZ_TRY(pool_init(&p, graph, &list));
    uint64_t wanted = (uint64_t)nearbyint(o->sparsity * (double)p.total), zeros = 0;
    if (random)
        zero_random(&p, wanted, (uint64_t)o->seed);
    else
        NZ_TRY(zero_smallest(&p, wanted));
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
