/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Metrics: one table entry each. A metric reads facts that others gathered (counts of a graph, scores, times, memory,
 * energy) and yields a value with its source, sample count and uncertainty. It measures nothing itself.
 */
#ifndef NETZIP_METRIC_H
#define NETZIP_METRIC_H

#include "netzip/graph.h"
#include "netzip/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nz_source { NZ_UNAVAILABLE = 0, NZ_MEASURED, NZ_DERIVED, NZ_ESTIMATED } nz_source;
typedef enum nz_better { NZ_HIGHER, NZ_LOWER, NZ_NEITHER } nz_better;
/** What a model does: metrics of one task have no value for the other. */
typedef enum nz_task { NZ_TASK_ANY, NZ_TASK_CLASSIFICATION, NZ_TASK_DETECTION } nz_task;

/** A reported value. Never a guess: without a value, source is NZ_UNAVAILABLE and reason says why. */
typedef struct nz_value_report {
    double value;
    nz_source source;
    char reason[448]; /**< whole sentences with what mends it: paths and shapes included */
    bool has_n;
    uint64_t n; /**< samples behind it */
    bool has_ci;
    double ci95[2];
    bool has_ties;
    uint64_t ties; /**< of top-k: samples on which the rule for equal scores decided */
} nz_value_report;

/** A value with its source; no count and no interval yet. */
NZ_API nz_value_report nz_report_value(double value, nz_source source);
/** A value that could not be had, with the reason as printf makes it. */
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
    char ops_reason[192]; /**< the node that could not be counted */
    bool macs_known;      /**< false where a node that may multiply could not be counted */
    char macs_reason[192];
    size_t layer_count;
    nz_layer_facts *layers;
    nz_graph *counted; /**< owned: the specialised graph that was counted */
} nz_graph_facts;
struct nz_binding;
/**
 * Counts a model at batch 1.
 *
 * An extent that is unknown and unbound is no error: what hangs on it is not known then (ops_known, macs_known), parameters are.
 * @param bindings as for nz_pass_specialise.
 * @return NZ_E_SHAPE, NZ_E_ARG for bindings that do not fit the model; NZ_E_MEMORY. Release with nz_graph_facts_done.
 */
NZ_API NZ_CHECKED nz_status nz_graph_facts_get(nz_graph_facts *ret_facts, const nz_graph *graph,
                                               const struct nz_binding *bindings, size_t binding_count);
/** Releases the layers and the counted graph and zeroes the struct; safe on a zeroed one. */
NZ_API void nz_graph_facts_done(nz_graph_facts *facts);
/** zstd level 19 over each parameter tensor's stored bytes, summed. Slow: `progress` (NULL: silent) hears of the bytes taken in
 * after each tensor, from one thread at a time. NZ_E_MEMORY, NZ_E_CANCELLED. */
NZ_API NZ_CHECKED nz_status nz_entropy_bytes(uint64_t *ret_bytes, const nz_graph *counted, const nz_progress *progress);

/** Classification scores of one model on one data set. */
typedef struct nz_predictions {
    size_t count, classes;
    const float *scores;   /**< [count, classes] */
    const int32_t *labels; /**< [count], each in [0, classes); NULL: unlabelled */
    bool probabilities;    /**< the model ends in Softmax */
} nz_predictions;

struct nz_detection_scores;

/** What one inference takes of something that is counted. */
typedef struct nz_counted {
    double value;       /**< NaN: it could not be counted */
    const char *reason; /**< why; NULL: "not measured" */
} nz_counted;

/** What a metric may read; a part that was not gathered is NULL or 0 with the reason beside it. */
typedef struct nz_metric_input {
    const nz_graph_facts *facts;
    uint64_t disk_bytes, entropy_bytes;
    const nz_predictions *predictions;
    const nz_predictions *baseline;              /**< the uncompressed model's on the same samples; NULL for itself */
    const struct nz_detection_scores *detection; /**< of a detector, in place of `predictions`; NULL: it is none */
    const char *reason_baseline; /**< why there is nothing to compare with; NULL where baseline NULL means "itself" */
    const double *latency_ms;    /**< timed inferences at batch 1, or the middle ones of equal parts of them */
    size_t latency_count;
    uint64_t latency_n;     /**< how many they stand for; 0: latency_count */
    uint64_t latency_bunch; /**< each is the mean of so many inferences; 0: 1 */
    double latency_mean_ms; /**< of all that were timed; NaN: that of latency_ms */
    const double
        *single_ms; /**< where latency_bunch is above 1: inferences that were timed one by one; NULL: none were */
    size_t single_count;
    double latency_least_ms; /**< of all that were timed one by one; NaN: that of the lists */
    double throughput;       /**< samples/s; 0: not measured */
    uint64_t throughput_n;   /**< samples behind it; 0: not stated */
    double postprocess_ms;   /**< of a detector, a sample: from outputs to boxes; NaN: not measured */
    uint64_t postprocess_n;
    double cpu_util_pct, cpu_util_process_pct;                                           /**< NaN: not measured */
    double ram_bytes, ram_pss_bytes, ram_machine_bytes, activation_peak_bytes;           /**< NaN: not measured */
    double ram_weights_bytes, ram_activations_bytes, ram_rest_bytes, ram_peak_pss_bytes; /**< NaN: not measured */
    nz_counted instructions, cycles, cache_references, cache_misses, branch_misses, context_switches, page_faults;
    uint64_t counted_n; /**< inferences behind the counts */
    double gpu_util_pct, gpu_mem_bytes;
    double energy_j, power_w, power_max_w, energy_estimated_j; /**< NaN: not measured */
    double energy_net_j;                                       /**< without what the machine draws idle */
    double idle_power_w;                                       /**< mean of before and after */
    double idle_power_before_w, idle_power_after_w;
    uint64_t energy_n; /**< inferences in the energy window */
    /** Why a part is missing; NULL: "not measured". */
    const char *reason_facts, *reason_disk, *reason_entropy;
    const char *reason_accuracy, *reason_speed, *reason_process, *reason_gpu, *reason_energy;
    const char *reason_held; /**< why the parts of the memory are not known where the whole is; NULL: reason_process */
    const char *reason_energy_net; /**< why energy_net_j is NaN where energy_j is not; NULL: as reason_energy */
} nz_metric_input;

typedef struct nz_metric {
    const char *id;       /**< the JSON key */
    const char *alias;    /**< the first NetZIP's name; NULL */
    const char *title;    /**< report heading */
    const char *unit;     /**< "%", "ms", "J", "B", "" */
    const char *category; /**< "accuracy", "speed", "size", "energy" */
    nz_better better;
    bool by_default;                               /**< part of a comparison of its task unless asked otherwise */
    nz_task task;                                  /**< whose models it says something about */
    bool needs_scores, needs_timing, needs_energy; /**< what has to be gathered for it */
    const char *help;                              /**< one line: the definition */
    nz_value_report (*evaluate)(const nz_metric_input *input,
                                int argument); /**< call as evaluate(input, metric->argument) */
    int argument;                              /**< K of topK, else what the family's file takes it for */
    bool integer;                              /**< a count or bytes: written without a decimal point */
    bool theoretical;                          /**< a speed metric counted, not timed: zeta applies to its ratio */
    bool needs_entropy;                        /**< nz_entropy_bytes has to be called for it: slow */
    bool needs_process;                        /**< memory and CPU time of a worker have to be gathered for it */
} nz_metric;

/** The value of a metric for one model. */
NZ_API nz_value_report nz_metric_value(const nz_metric *metric, const nz_metric_input *input);
/** An input with nothing gathered: pointers NULL, doubles NaN where 0 could be a reading. */
NZ_API nz_metric_input nz_metric_input_none(void);

/** By id or alias (topK for any K from 1 to 1000); NULL where unknown. Static, or owned by the registry. Thread-safe. */
NZ_API const nz_metric *nz_metric_find(const char *id);
/** Row `i` of the table, NULL past its end. Static. */
NZ_API const nz_metric *nz_metric_at(size_t i);

/** The id nearest to a mistyped one, for "did you mean"; NULL where none is near. Static. */
NZ_API const char *nz_metric_closest(const char *id);

/* ---- The computations behind the accuracy metrics, for use without the table ---- */

/**
 * Counts how many samples have their label among the k highest scores.
 *
 * @param[out] ret_hits  Number of hits, 0..n. Untouched on error.
 * @param scores         f32 [n, classes], row-major. Borrowed.
 * @param labels         n class indices, each in [0, classes). Borrowed.
 * @param k              1 <= k <= classes.
 * @return NZ_OK; NZ_E_SHAPE if scores is not f32 of rank 2; NZ_E_ARG if k or a label is out of range.
 * Thread-safe; allocates nothing.
 * Rank: scores strictly higher, then equal scores at a lower index; NaN is a miss.
 * @source arXiv 2305.10616, section 3.1 (top-k accuracy)
 */
NZ_API NZ_CHECKED nz_status nz_topk_hits(size_t *ret_hits, const nz_tensor *scores, const int32_t *labels, int k);

/** The class with the highest score, the lowest index where several share it, NaN skipped; -1 where all are NaN. */
NZ_API int32_t nz_top1_class(const float *scores, size_t classes);

/** True and false positives and false negatives of one class, with the first of the highest scores as the prediction. */
typedef struct nz_class_counts {
    uint64_t tp, fp, fn;
} nz_class_counts;
/** @param[out] ret_counts [predictions->classes]. NZ_E_ARG without labels or where a label is outside the classes. */
NZ_API NZ_CHECKED nz_status nz_class_counts_get(nz_class_counts *ret_counts, const nz_predictions *predictions);
/** Percent; unavailable where the denominator is 0 (a class never predicted, a class without samples). n: samples of the class. */
NZ_API nz_value_report nz_class_precision(const nz_class_counts *counts);
/** TP/(TP+FN) in percent, by the rules of nz_class_precision. */
NZ_API nz_value_report nz_class_recall(const nz_class_counts *counts);
/** 2PR/(P+R) in percent, by the rules of nz_class_precision. */
NZ_API nz_value_report nz_class_f1(const nz_class_counts *counts);

/* ---- Uncertainty ---- */

/** Wilson score interval, 95%, of hits out of n, as fractions. n = 0 gives [0, 1]. @source Wilson 1927, JASA 22:209 */
NZ_API void nz_wilson(double ret_ci95[2], uint64_t hits, uint64_t n);

/** Two models on the same samples. Every difference is second minus first. */
typedef struct nz_paired {
    uint64_t n, only_first, only_second; /**< samples; those that one model alone had right */
    double difference_pct;               /**< percentage points of accuracy */
    double ci95_pct[2];                  /**< Bonett-Price interval of the difference */
    double p_exact, p_mid; /**< McNemar's test, two-sided: exact, and mid-p (closer to its nominal level) */
} nz_paired;
/** From the two discordant counts. @source Bonett and Price 2012; Fagerland, Lydersen and Laake 2013 (mid-p) */
NZ_API void nz_paired_counts(nz_paired *ret, uint64_t n, uint64_t only_first, uint64_t only_second);
/** From two sets of scores on the same samples by top-k. NZ_E_ARG where samples or labels differ; else as nz_topk_hits. */
NZ_API NZ_CHECKED nz_status nz_paired_topk(nz_paired *ret, const nz_predictions *first, const nz_predictions *second,
                                           int k);

/**
 * Which order statistics bound a quantile with 95% confidence (2.5% on each side at most).
 *
 * @param q  in (0, 1).
 * @param[out] ret_low, ret_high  ranks, 0-based, into the ascending sample; untouched where false is returned.
 * @return false where the interval does not fit into n samples: the median needs 6, p90 36, p99 368.
 * @source Conover, Practical Nonparametric Statistics, section 3.2
 */
NZ_API bool nz_quantile_ranks(size_t *ret_low, size_t *ret_high, size_t n, double q);
/** The least n for which nz_quantile_ranks has an answer. */
NZ_API size_t nz_quantile_least(double q);
/** Quantile of an ascending sample, linear between order statistics (the median of 2 is their mean). n >= 1. */
NZ_API double nz_quantile(const double *ascending, size_t n, double q);

/**
 * Percentile interval, 95%, of a statistic under resampling with replacement. The same seed gives the same interval.
 *
 * @param statistic  gets `n` indices into the sample; NaN leaves the resample out.
 * @return NZ_E_ARG without samples or where no resample gave a number; NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_bootstrap(double ret_ci95[2], size_t n,
                                         double (*statistic)(void *user, const size_t *indices, size_t n), void *user,
                                         size_t resamples, uint64_t seed);

/* ---- Combined measures ---- */

/** Ratios and OCS of metrics.md for numbers, wherever they come from. */
typedef struct nz_combine_options {
    const char *performance, *speedup, *compression, *efficiency; /**< metric ids */
    nz_better better[4];                                          /**< direction of each of the four */
    double zeta, lambda[4];
    bool zeta_applies; /**< the speed metric is theoretical */
} nz_combine_options;
typedef struct nz_combined {
    nz_value_report ratio[4]; /**< performance, speedup, compression, efficiency */
    nz_value_report ocs, partial;
    bool without[4]; /**< terms left out of `partial` */
} nz_combined;
/** original, compressed: the four ingredients each, in the order of `ratio`. The baseline itself: pass original twice and is_baseline. */
NZ_API void nz_combine(nz_combined *ret, const nz_combine_options *options, const nz_value_report original[4],
                       const nz_value_report compressed[4], bool is_baseline);

#ifdef __cplusplus
}
#endif
#endif
