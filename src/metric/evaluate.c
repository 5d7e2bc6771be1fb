/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "data/npz.h"
#include "metric/value_json.h"

/* What predictions and labels alone give; the second list needs a baseline too. */
static const char *const ids[] = {"top1",         "top5",     "precision", "recall", "f1", "precision_micro",
                                  "recall_micro", "f1_micro", "ece"};
static const char *const baseline_ids[] = {"agreement", "negative_flips", "kl", "max_abs_diff", "sqnr_db"};

/* Rows of numbers in [0, 1] that sum to 1 are probabilities; logits that happen to look so would be odd logits. */
static bool look_like_probabilities(const float *scores, size_t n, size_t classes) {
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t c = 0; c < classes; c++) {
            float score = scores[i * classes + c];
            if (!(score >= 0 && score <= 1.0001f)) return false;
            sum += (double)score;
        }
        if (!(fabs(sum - 1) < 1e-2)) return false;
    }
    return true;
}

static nz_status read_scores(nz_predictions *ret, float **ret_scores, const char *path, nz_scores_are are) {
    NZ_AUTO(nz_tensor_done) nz_tensor tensor = {0};
    NZ_AUTO_FREE float *scores = NULL;
    char text[112];
    NZ_TRY(nz_npz_read(&tensor, path, "scores"));
    if (tensor.shape.rank != 2 || tensor.shape.dim[0] < 1 || tensor.shape.dim[1] < 1)
        return nz_fail(NZ_E_FORMAT, "%s: scores has shape %s, not [samples, classes]", path,
                       nz_shape_text(&tensor.shape, text));
    if (tensor.shape.dim[1] > INT32_MAX) return nz_fail(NZ_E_FORMAT, "%s: scores has more than 2^31 classes", path);
    NZ_TRY(nz_alloc(&scores, (size_t)nz_shape_elements(&tensor.shape), sizeof *scores));
    nz_tensor_to_f32(&tensor, scores);
    *ret = (nz_predictions){
        .count = (size_t)tensor.shape.dim[0], .classes = (size_t)tensor.shape.dim[1], .scores = scores};
    ret->probabilities = are == NZ_SCORES_LOOKED_AT ? look_like_probabilities(scores, ret->count, ret->classes)
                                                    : are == NZ_SCORES_PROBABILITIES;
    *ret_scores = NZ_STEAL(scores);
    return NZ_OK;
}

static nz_status read_all(nz_evaluation *e, const char *labels, const char *scores, const char *baseline,
                          nz_scores_are are) {
    NZ_TRY(read_scores(&e->own, &e->own_scores, scores, are));
    NZ_TRY(nz_alloc(&e->labels, e->own.count, sizeof *e->labels));
    NZ_TRY(nz_label_table_read(e->labels, e->own.count, e->own.classes, labels));
    e->own.labels = e->labels;
    if (!baseline) return NZ_OK;
    NZ_TRY(read_scores(&e->baseline, &e->baseline_scores, baseline, are));
    if (e->baseline.count != e->own.count || e->baseline.classes != e->own.classes)
        return nz_fail(NZ_E_FORMAT, "%s: scores are %zu x %zu, those of %s %zu x %zu", baseline, e->baseline.count,
                       e->baseline.classes, scores, e->own.count, e->own.classes);
    e->baseline.labels = e->labels;
    return nz_paired_topk(&e->paired, &e->baseline, &e->own, 1);
}

static nz_status fill(nz_evaluation *e, const char *labels, const char *scores, const char *baseline,
                      nz_scores_are are) {
    NZ_TRY(read_all(e, labels, scores, baseline, are));
    size_t count = NZ_COUNT(ids) + (baseline ? NZ_COUNT(baseline_ids) : 0);
    NZ_TRY(nz_alloc(&e->metrics, count, sizeof *e->metrics));
    NZ_TRY(nz_alloc(&e->values, count, sizeof *e->values));
    NZ_TRY(nz_alloc(&e->classes, e->own.classes, sizeof *e->classes));
    NZ_TRY(nz_class_counts_get(e->classes, &e->own));
    nz_metric_input input = nz_metric_input_none();
    input.predictions = &e->own;
    input.baseline = baseline ? &e->baseline : NULL;
    for (; e->count < count; e->count++) {
        size_t i = e->count;
        e->metrics[i] = nz_metric_find(i < NZ_COUNT(ids) ? ids[i] : baseline_ids[i - NZ_COUNT(ids)]);
        e->values[i] = nz_metric_value(e->metrics[i], &input);
    }
    return NZ_OK;
}

nz_status nz_evaluate(nz_evaluation *ret_evaluation, const char *labels, const char *scores, const char *baseline,
                      nz_scores_are are) {
    NZ_AUTO(nz_evaluation_done) nz_evaluation evaluation = {0};
    NZ_TRY(fill(&evaluation, labels, scores, baseline, are));
    *ret_evaluation = evaluation;
    evaluation = (nz_evaluation){0};
    return NZ_OK;
}

void nz_evaluation_done(nz_evaluation *evaluation) {
    free(evaluation->own_scores);
    free(evaluation->baseline_scores);
    free(evaluation->labels);
    free(evaluation->metrics);
    free(evaluation->values);
    free(evaluation->classes);
    *evaluation = (nz_evaluation){0};
}

static json_t *class_json(const nz_class_counts *counts) {
    static const char *const names[] = {"precision", "recall", "f1"};
    const nz_value_report values[] = {nz_class_precision(counts), nz_class_recall(counts), nz_class_f1(counts)};
    NZ_AUTO_JSON json_t *json = json_object();
    int failed = 0;
    for (size_t i = 0; i < NZ_COUNT(names); i++)
        failed |= json_object_set_new(json, names[i], nz_value_json(&values[i], nz_metric_find(names[i])));
    return failed ? NULL : NZ_STEAL(json);
}

static json_t *paired_json(const nz_paired *p) {
    return json_pack("{s:s,s:I,s:I,s:I,s:o,s:[o,o],s:o,s:o}", "of", "top1", "n", (json_int_t)p->n, "only_baseline",
                     (json_int_t)p->only_first, "only_this", (json_int_t)p->only_second, "difference_pct",
                     nz_json_real(p->difference_pct), "ci95_pct", nz_json_real(p->ci95_pct[0]),
                     nz_json_real(p->ci95_pct[1]), "p_exact", nz_json_real(p->p_exact), "p_mid",
                     nz_json_real(p->p_mid));
}

nz_status nz_evaluation_json(json_t **ret_json, const nz_evaluation *e) {
    NZ_AUTO_JSON json_t *json = json_object();
    json_t *metrics = json_object(), *classes = json_object();
    int failed = json_object_set_new(json, "metrics", metrics);
    for (size_t i = 0; i < e->count; i++)
        failed |= json_object_set_new(metrics, e->metrics[i]->id, nz_value_json(&e->values[i], e->metrics[i]));
    failed |= json_object_set_new(json, "per_class", classes);
    for (size_t c = 0; c < e->own.classes && !failed; c++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", c);
        failed |= json_object_set_new(classes, key, class_json(&e->classes[c]));
    }
    if (e->baseline.count) failed |= json_object_set_new(json, "paired", paired_json(&e->paired));
    failed |= json_object_set_new(json, "probabilities", json_boolean(e->own.probabilities));
    if (failed) return nz_fail(NZ_E_MEMORY, "out of memory: the evaluation");
    *ret_json = NZ_STEAL(json);
    return NZ_OK;
}
