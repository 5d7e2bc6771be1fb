/* SPDX-License-Identifier: Apache-2.0 */
/* Precision, recall and F1 of classifiers and detectors. @source arXiv 2305.10616, section 3.1 */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "metric/family.h"
#include "netzip/detection.h"

enum { PRECISION, RECALL, F1, MICRO = 4 };

/* The bootstrap's resamples: enough for two digits of an interval's ends. */
enum { RESAMPLES = 1000 };

nz_status nz_class_counts_get(nz_class_counts *ret_counts, const nz_predictions *predictions) {
    size_t classes = predictions->classes;
    if (!predictions->labels) return nz_fail(NZ_E_ARG, "precision and recall need labels");
    NZ_TRY(nz_labels_check(predictions->labels, predictions->count, classes));
    for (size_t c = 0; c < classes; c++) ret_counts[c] = (nz_class_counts){0};
    for (size_t i = 0; i < predictions->count; i++) {
        int32_t label = predictions->labels[i], guess = nz_top1_class(predictions->scores + i * classes, classes);
        ret_counts[label].tp += guess == label;
        ret_counts[label].fn += guess != label;
        if (guess >= 0) ret_counts[guess].fp += guess != label;
    }
    return NZ_OK;
}

/* numerator of denominator in percent. A count of distinct samples out of a count gets a Wilson interval. */
static nz_value_report share(uint64_t numerator, uint64_t denominator, uint64_t samples, const char *reason,
                             bool interval) {
    if (denominator == 0) return nz_report_unavailable("%s", reason);
    nz_value_report report = nz_metric_share(numerator, denominator);
    report.has_ci = interval;
    report.n = samples;
    return report;
}

nz_value_report nz_class_precision(const nz_class_counts *counts) {
    return share(counts->tp, counts->tp + counts->fp, counts->tp + counts->fn, "the class was never predicted", true);
}

nz_value_report nz_class_recall(const nz_class_counts *counts) {
    return share(counts->tp, counts->tp + counts->fn, counts->tp + counts->fn, "the class has no samples", true);
}

/* 2PR/(P+R) = 2TP/(2TP+FP+FN), which also stands where P and R are both 0. */
nz_value_report nz_class_f1(const nz_class_counts *counts) {
    return share(2 * counts->tp, 2 * counts->tp + counts->fp + counts->fn, counts->tp + counts->fn,
                 "the class has no samples and was never predicted", false);
}

static double ratio(int which, const nz_class_counts *c) {
    uint64_t numerator = which == F1 ? 2 * c->tp : c->tp;
    uint64_t denominator = which == PRECISION ? c->tp + c->fp
                           : which == RECALL  ? c->tp + c->fn
                                              : 2 * c->tp + c->fp + c->fn;
    return denominator ? 100.0 * (double)numerator / (double)denominator : 0.0;
}

/* The mean over the classes that occur among labels or predictions; a precision or recall of such a class whose
 * denominator is 0 counts as 0, as in scikit-learn. Classes that occur nowhere are not part of the question. */
static double macro(int which, const nz_class_counts *counts, size_t classes) {
    double sum = 0;
    size_t present = 0;
    for (size_t c = 0; c < classes; c++) {
        if (counts[c].tp + counts[c].fp + counts[c].fn == 0) continue;
        sum += ratio(which, &counts[c]);
        present++;
    }
    return present ? sum / (double)present : NAN;
}

typedef struct resampling {
    int which;
    size_t classes;
    const int32_t *labels, *guesses;
    nz_class_counts *counts;
} resampling;

static double macro_of_resample(void *user, const size_t *indices, size_t n) {
    resampling *r = user;
    for (size_t c = 0; c < r->classes; c++) r->counts[c] = (nz_class_counts){0};
    for (size_t i = 0; i < n; i++) {
        int32_t label = r->labels[indices[i]], guess = r->guesses[indices[i]];
        r->counts[label].tp += guess == label;
        r->counts[label].fn += guess != label;
        if (guess >= 0) r->counts[guess].fp += guess != label;
    }
    return macro(r->which, r->counts, r->classes);
}

static nz_status macro_interval(double ret_ci95[2], int which, const nz_predictions *p) {
    NZ_AUTO_FREE nz_class_counts *counts = NULL;
    NZ_AUTO_FREE int32_t *guesses = NULL;
    NZ_TRY(nz_alloc(&counts, p->classes, sizeof *counts));
    NZ_TRY(nz_alloc(&guesses, p->count, sizeof *guesses));
    for (size_t i = 0; i < p->count; i++) guesses[i] = nz_top1_class(p->scores + i * p->classes, p->classes);
    resampling r = {.which = which, .classes = p->classes, .labels = p->labels, .guesses = guesses, .counts = counts};
    return nz_bootstrap(ret_ci95, p->count, macro_of_resample, &r, RESAMPLES, 0);
}

/* Of a detector: at IoU 0.50 and the confidence of the best mean F1, mean over the classes that have objects. */
static nz_value_report detected(const nz_detection_scores *d, int argument) {
    if (argument & MICRO) return nz_report_unavailable("the model is a detector");
    double value = argument == PRECISION ? d->yolo.precision : argument == RECALL ? d->yolo.recall : d->yolo.f1;
    return nz_metric_fraction(value, d->detections->image_count, "no ground truth");
}

static nz_value_report prf(const nz_metric_input *input, int argument) {
    nz_value_report report;
    if (input->detection) return detected(input->detection, argument);
    if (!nz_metric_labelled(input, &report)) return report;
    const nz_predictions *p = input->predictions;
    int which = argument & ~MICRO;
    NZ_AUTO_FREE nz_class_counts *counts = NULL;
    nz_status status = nz_alloc(&counts, p->classes, sizeof *counts);
    if (status == NZ_OK) status = nz_class_counts_get(counts, p);
    if (status != NZ_OK) return nz_report_unavailable("%s", nz_last_error());
    if (argument & MICRO) {
        nz_class_counts all = {0};
        for (size_t c = 0; c < p->classes; c++) {
            all.tp += counts[c].tp;
            all.fp += counts[c].fp;
            all.fn += counts[c].fn;
        }
        report = which == PRECISION ? nz_class_precision(&all)
                 : which == RECALL  ? nz_class_recall(&all)
                                    : nz_class_f1(&all);
        return report;
    }
    report = nz_report_value(macro(which, counts, p->classes), NZ_MEASURED);
    report.has_n = true;
    report.n = p->count;
    report.has_ci = macro_interval(report.ci95, which, p) == NZ_OK;
    return report;
}

#define PRF_ROW(ID, ALIAS, TITLE, DEFAULT, ARGUMENT, HELP)                                                             \
    {                                                                                                                  \
        .id = (ID), .alias = (ALIAS), .title = (TITLE), .unit = "%", .category = "accuracy", .better = NZ_HIGHER,      \
        .by_default = (DEFAULT), .task = (ARGUMENT)&MICRO ? NZ_TASK_CLASSIFICATION : NZ_TASK_ANY,                      \
        .needs_scores = true, .help = (HELP), .evaluate = prf, .argument = (ARGUMENT)                                  \
    }

const nz_metric nz_metrics_prf[] = {
    PRF_ROW("precision", "Precision", "Precision", true, PRECISION,
            "TP/(TP+FP), mean over the classes that occur; of detectors at IoU 0.50 and the confidence of best F1"),
    PRF_ROW("recall", "Recall", "Recall", true, RECALL,
            "TP/(TP+FN), mean over the classes that occur; of detectors at IoU 0.50 and the confidence of best F1"),
    PRF_ROW("f1", "F1Score", "F1 score", true, F1,
            "2PR/(P+R), mean over the classes that occur; of detectors at IoU 0.50 and the confidence of best F1"),
    PRF_ROW("precision_micro", NULL, "Precision (micro)", false, PRECISION | MICRO,
            "TP/(TP+FP) over all classes together"),
    PRF_ROW("recall_micro", NULL, "Recall (micro)", false, RECALL | MICRO, "TP/(TP+FN) over all classes together"),
    PRF_ROW("f1_micro", NULL, "F1 score (micro)", false, F1 | MICRO, "2PR/(P+R) over all classes together"),
    {.id = NULL},
};
