/* SPDX-License-Identifier: Apache-2.0 */
/* Top-k accuracy. @source arXiv 2305.10616, section 3.1 */
#include <math.h>

#include "core/error.h"
#include "metric/family.h"

bool nz_topk_hit(const float *scores, size_t classes, int32_t label, int k, bool *ret_tie) {
    size_t own = (size_t)label, higher = 0, equal_before = 0, equal_after = 0;
    float score = scores[own];
    *ret_tie = false;
    if (isnan(score)) return false;
    for (size_t c = 0; c < classes; c++) {
        higher += scores[c] > score;
        equal_before += scores[c] == score && c < own;
        equal_after += scores[c] == score && c > own;
    }
    /* The rule mattered where another order among the equal scores would have turned a hit into a miss or back. */
    *ret_tie = higher < (size_t)k && higher + equal_before + equal_after >= (size_t)k;
    return higher + equal_before < (size_t)k;
}

nz_status nz_topk_hits(size_t *ret_hits, const nz_tensor *scores, const int32_t *labels, int k) {
    char text[112];
    if (scores->dtype != NZ_F32 || scores->shape.rank != 2 || !nz_shape_known(&scores->shape) || !scores->data)
        return nz_fail(NZ_E_SHAPE, "top-k: scores are %s %s, not float [samples, classes]",
                       nz_dtype_get(scores->dtype)->name, nz_shape_text(&scores->shape, text));
    size_t n = (size_t)scores->shape.dim[0], classes = (size_t)scores->shape.dim[1], hits = 0;
    if (k < 1 || (size_t)k > classes) return nz_fail(NZ_E_ARG, "top-k: k is %d, with %zu classes", k, classes);
    NZ_TRY(nz_labels_check(labels, n, classes));
    for (size_t i = 0; i < n; i++) {
        bool tie;
        hits += nz_topk_hit((const float *)scores->data + i * classes, classes, labels[i], k, &tie);
    }
    *ret_hits = hits;
    return NZ_OK;
}

int32_t nz_top1_class(const float *scores, size_t classes) {
    int32_t best = -1;
    for (size_t c = 0; c < classes; c++)
        if (!isnan(scores[c]) && (best < 0 || scores[c] > scores[best])) best = (int32_t)c;
    return best;
}

static nz_value_report topk(const nz_metric_input *input, int k) {
    nz_value_report report;
    if (!nz_metric_labelled(input, &report)) return report;
    const nz_predictions *p = input->predictions;
    if ((size_t)k > p->classes)
        return nz_report_unavailable("top-%d needs at least %d classes, the scores have %zu", k, k, p->classes);
    uint64_t hits = 0, ties = 0;
    for (size_t i = 0; i < p->count; i++) {
        bool tie;
        hits += nz_topk_hit(p->scores + i * p->classes, p->classes, p->labels[i], k, &tie);
        ties += tie;
    }
    report = nz_metric_share(hits, p->count);
    report.has_ties = true;
    report.ties = ties;
    return report;
}

#define TOPK_ROW(ID, ALIAS, TITLE, K)                                                                                  \
    {                                                                                                                  \
        .id = (ID), .alias = (ALIAS), .title = (TITLE), .unit = "%", .category = "accuracy", .better = NZ_HIGHER,      \
        .by_default = true, .task = NZ_TASK_CLASSIFICATION, .needs_scores = true,                                      \
        .help = "% of samples whose true class ranks among the first K", .evaluate = topk, .argument = (K)             \
    }

nz_metric nz_metric_topk_row(int k, const char *id, const char *title) {
    return (nz_metric)TOPK_ROW(id, NULL, title, k);
}

const nz_metric nz_metrics_topk[] = {
    TOPK_ROW("top1", "TOP1accuracy", "Top-1 accuracy", 1),
    TOPK_ROW("top5", "TOP5accuracy", "Top-5 accuracy", 5),
    {.id = NULL},
};
