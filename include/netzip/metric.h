/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Metrics: one table entry each. A metric reads facts that others gathered (counts of a graph, scores, times, memory,
 * energy) and yields a value with its source, sample count and uncertainty. It measures nothing itself.
 */
#ifndef NETZIP_METRIC_H
#define NETZIP_METRIC_H

#include "netzip/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nz_source { NZ_UNAVAILABLE = 0, NZ_MEASURED, NZ_DERIVED, NZ_ESTIMATED } nz_source;
typedef enum nz_better { NZ_HIGHER, NZ_LOWER, NZ_NEITHER } nz_better;

/** A reported value. Never a guess: without a value, source is NZ_UNAVAILABLE and reason says why. */
typedef struct nz_value_report {
    double value;
    nz_source source;
    char reason[192];
    bool has_n;
    uint64_t n;   /**< samples behind it */
    bool has_ci;
    double ci95[2];
} nz_value_report;

NZ_API nz_value_report nz_report_value(double value, nz_source source);
NZ_API nz_value_report nz_report_unavailable(const char *format, ...) NZ_PRINTF(1, 2);

/** Per-layer facts of one node of the specialised graph. */
typedef struct nz_layer_facts {
    const char *name, *op; /**< borrowed from the graph that was counted */
    uint64_t macs, ops, macs_effective, params, params_nonzero;
    int bits, bits_stored, weight_bits, activation_bits;
    bool ops_known;
} nz_layer_facts;

/** Everything that follows from the file alone. All counts are at batch 1 after folding (metrics.md). */
typedef struct nz_graph_facts {
    uint64_t macs, ops, flops, conversions, macs_effective, params, params_nonzero;
    double chats, chats_macs, chats_stored, chats_macs_stored, bops;
    uint64_t weights, weights_zero; /**< of convolution and linear layers: sparsity */
    bool ops_known;
    char ops_reason[192];           /**< the node that could not be counted */
    size_t layer_count;
    nz_layer_facts *layers;
    nz_graph *counted;              /**< owned: the specialised graph that was counted */
} nz_graph_facts;
/** @param bindings as for nz_pass_specialise. NZ_E_SHAPE where an input's extents are unknown and unbound. */
struct nz_binding;
NZ_API NZ_CHECKED nz_status nz_graph_facts_get(nz_graph_facts *ret_facts, const nz_graph *graph, const struct nz_binding *bindings,
                                               size_t binding_count);
NZ_API void nz_graph_facts_done(nz_graph_facts *facts);
/** zstd level 19 over each parameter tensor's stored bytes, summed. Slow. */
NZ_API NZ_CHECKED nz_status nz_entropy_bytes(uint64_t *ret_bytes, const nz_graph *counted);

/** Classification scores of one model on one data set. */
typedef struct nz_predictions {
    size_t count, classes;
    const float *scores;   /**< [count, classes] */
    const int32_t *labels; /**< [count] */
    bool probabilities;    /**< the model ends in Softmax */
} nz_predictions;

/** What a metric may read; a part that was not gathered is NULL or 0 with the reason beside it. */
typedef struct nz_metric_input {
    const nz_graph_facts *facts;
    uint64_t disk_bytes, entropy_bytes;
    const nz_predictions *predictions, *baseline; /**< baseline: the uncompressed model's on the same samples; NULL for itself */
    const double *latency_ms;  /**< one per timed inference at batch 1, in order */
    size_t latency_count;
    double throughput;         /**< samples/s */
    double cpu_util_pct, cpu_util_process_pct; /**< NaN: not measured */
    double ram_bytes, ram_pss_bytes, ram_machine_bytes, activation_peak_bytes; /**< NaN: not measured */
    double gpu_util_pct, gpu_mem_bytes;
    double energy_j, power_w, power_max_w, energy_estimated_j, idle_power_w;   /**< NaN: not measured */
    uint64_t energy_n;         /**< inferences in the energy window */
    const char *reason_accuracy, *reason_speed, *reason_process, *reason_gpu, *reason_energy; /**< why a part is missing; NULL: "not measured" */
} nz_metric_input;

typedef struct nz_metric {
    const char *id;       /**< the JSON key */
    const char *alias;    /**< the first NetZIP's name; NULL */
    const char *title;    /**< report heading */
    const char *unit;     /**< "%", "ms", "J", "B", "" */
    const char *category; /**< "accuracy", "speed", "size", "energy" */
    nz_better better;
    bool by_default;      /**< part of a comparison unless asked otherwise */
    bool needs_scores, needs_timing, needs_energy; /**< what has to be gathered for it */
    const char *help;     /**< one line: the definition */
    nz_value_report (*evaluate)(const nz_metric_input *input, int argument); /**< argument: K of topK, else 0 */
    int argument;
} nz_metric;

/** By id or alias (topK for any K from 1 to 1000); NULL where unknown. Static, or owned by the registry. */
NZ_API const nz_metric *nz_metric_find(const char *id);
NZ_API const nz_metric *nz_metric_at(size_t i); /**< the table's row i; NULL past its end */

/** Ratios and OCS of metrics.md for numbers, wherever they come from. */
typedef struct nz_combine_options {
    const char *performance, *speedup, *compression, *efficiency; /**< metric ids */
    nz_better better[4];  /**< direction of each of the four */
    double zeta, lambda[4];
    bool zeta_applies;    /**< the speed metric is theoretical */
} nz_combine_options;
typedef struct nz_combined {
    nz_value_report ratio[4]; /**< performance, speedup, compression, efficiency */
    nz_value_report ocs, partial;
    bool without[4];          /**< terms left out of `partial` */
} nz_combined;
/** original, compressed: the four ingredients each, in the order of `ratio`. The baseline itself: pass original twice and is_baseline. */
NZ_API void nz_combine(nz_combined *ret, const nz_combine_options *options, const nz_value_report original[4],
                       const nz_value_report compressed[4], bool is_baseline);

#ifdef __cplusplus
}
#endif
#endif
