/* SPDX-License-Identifier: Apache-2.0 */
/** The accuracy metrics of predictions that were made elsewhere. */
#ifndef NZ_METRIC_EVALUATE_H
#define NZ_METRIC_EVALUATE_H

#include "core/json.h"
#include "netzip/metric.h"

typedef enum nz_scores_are { NZ_SCORES_LOOKED_AT = 0, NZ_SCORES_LOGITS, NZ_SCORES_PROBABILITIES } nz_scores_are;

typedef struct nz_evaluation {
    nz_predictions own, baseline; /**< baseline.count 0: none was given */
    float *own_scores, *baseline_scores;
    int32_t *labels;
    size_t count;
    const nz_metric **metrics; /**< [count] */
    nz_value_report *values;   /**< [count] */
    nz_class_counts *classes;  /**< [own.classes] */
    nz_paired paired;          /**< top-1 against the baseline, where there is one */
} nz_evaluation;

/**
 * Evaluates scores by labels.
 *
 * @param labels    CSV `sample,label`: sample is the row of the scores from 0, in any order, each once; where it is not
 *                  a number, or counts up from another one, labels stand in the order of the scores. label is a class index.
 * @param scores    NPZ with `scores` [n, classes], any real type.
 * @param baseline  the same of the uncompressed model; NULL: none.
 * @return NZ_E_IO, NZ_E_FORMAT (one line with the place), NZ_E_MEMORY. Release with nz_evaluation_done.
 */
NZ_CHECKED nz_status nz_evaluate(nz_evaluation *ret_evaluation, const char *labels, const char *scores,
                                 const char *baseline, nz_scores_are are);
void nz_evaluation_done(nz_evaluation *evaluation);
/** {"metrics": {...}, "per_class": {"0": {"precision", "recall", "f1"}, ...}}, and "paired" with a baseline. */
NZ_CHECKED nz_status nz_evaluation_json(json_t **ret_json, const nz_evaluation *evaluation);

/** Class indices of `n` samples from a CSV `sample,label`; see nz_evaluate. ret_labels[n]. */
NZ_CHECKED nz_status nz_label_table_read(int32_t *ret_labels, size_t n, size_t classes, const char *path);

#endif
