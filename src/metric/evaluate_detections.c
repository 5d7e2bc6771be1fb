/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/evaluate_detections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "metric/detection_json.h"
#include "metric/value_json.h"

static const char *const coco_ids[] = {"map50",     "map50_95", "map75",        "map_small",      "map_medium",
                                       "map_large", "ar100",    "map50_yolov5", "map50_95_yolov5"};
static const char *const yolo_ids[] = {"map50", "map50_95"};
static const char *const common_ids[] = {"precision", "recall", "f1", "f1_confidence"};
static const char *const baseline_ids[] = {"box_agreement", "box_iou", "class_changes"};

void nz_detection_evaluation_done(nz_detection_evaluation *e) {
    nz_detections_done(&e->own);
    nz_detections_done(&e->base);
    nz_detection_scores_done(&e->scores);
    free(e->found);
    free(e->metrics);
    free(e->values);
    for (size_t i = 0; i < e->warning_count; i++) free(e->warnings[i]);
    *e = (nz_detection_evaluation){0};
}

static void add_metrics(nz_detection_evaluation *e, const char *const *ids, size_t count) {
    nz_metric_input input = nz_metric_input_none();
    input.detection = &e->scores;
    for (size_t i = 0; i < count; i++) {
        /* By YOLOv5's evaluator these two are what it calls so. */
        const char *read = !e->yolov5 || ids != yolo_ids ? ids[i] : i == 0 ? "map50_yolov5" : "map50_95_yolov5";
        e->metrics[e->count] = nz_metric_find(ids[i]);
        e->values[e->count++] = nz_metric_value(nz_metric_find(read), &input);
    }
}

static nz_status fill(nz_detection_evaluation *e) {
    size_t most = NZ_COUNT(coco_ids) + NZ_COUNT(common_ids) + NZ_COUNT(baseline_ids);
    NZ_TRY(nz_alloc(&e->metrics, most, sizeof *e->metrics));
    NZ_TRY(nz_alloc(&e->values, most, sizeof *e->values));
    NZ_TRY(nz_alloc(&e->found, e->own.class_count, sizeof *e->found));
    for (size_t i = 0; i < e->own.found_count; i++) e->found[e->own.found[i].class_index]++;
    if (e->yolov5)
        add_metrics(e, yolo_ids, NZ_COUNT(yolo_ids));
    else
        add_metrics(e, coco_ids, NZ_COUNT(coco_ids));
    add_metrics(e, common_ids, NZ_COUNT(common_ids));
    if (e->base.image_count) add_metrics(e, baseline_ids, NZ_COUNT(baseline_ids));
    return NZ_OK;
}

static nz_status add_hint(nz_detection_evaluation *e, const char *path, const char *hint) {
    if (!hint) return NZ_OK;
    NZ_TRY(nz_format(&e->warnings[e->warning_count], "%s: %s", path, hint));
    e->warning_count++;
    return NZ_OK;
}

static nz_status warn(nz_detection_evaluation *e, const nz_detections *d, const char *path, double ap50) {
    char **at = &e->warnings[e->warning_count];
    if (d->skipped_found) {
        NZ_TRY(nz_format(at,
                         "%s: %zu detections are of categories that the ground truth does not list, and left out; the "
                         "first is of category %lld, and it lists %zu from %lld to %lld",
                         path, d->skipped_found, (long long)d->skipped_class, d->class_count,
                         (long long)(d->class_count ? d->class_ids[0] : 0),
                         (long long)(d->class_count ? d->class_ids[d->class_count - 1] : 0)));
        e->warning_count++;
    }
    NZ_AUTO_FREE char *hint = NULL, *gap = NULL;
    if (ap50 >= 0 && ap50 < 0.1) NZ_TRY(nz_detection_hint(&hint, d));
    NZ_TRY(add_hint(e, path, hint));
    NZ_TRY(nz_detection_gap(&gap, d));
    return add_hint(e, path, gap);
}

static nz_status warn_of_baseline(nz_detection_evaluation *e, const char *path) {
    NZ_AUTO(nz_coco_result_done) nz_coco_result result = {0};
    NZ_TRY(nz_coco_evaluate(&result, &e->base));
    return warn(e, &e->base, path, result.stats[NZ_COCO_AP50]);
}

nz_status nz_evaluate_detections(nz_detection_evaluation *ret_evaluation, nz_detections *truth, const char *found,
                                 const char *baseline, bool yolov5, size_t replicates, uint64_t seed) {
    NZ_AUTO(nz_detection_evaluation_done) nz_detection_evaluation e = {.yolov5 = yolov5};
    if (!truth->image_count) return nz_fail(NZ_E_ARG, "the ground truth has no images");
    NZ_TRY(nz_detections_copy_truths(&e.own, truth));
    if (e.own.skipped_truths)
        NZ_TRY(
            nz_format(&e.warnings[e.warning_count++],
                      "%zu annotations are of images or categories that the ground truth does not list, and left out",
                      e.own.skipped_truths));
    if (e.own.ignored_truths)
        NZ_TRY(
            nz_format(&e.warnings[e.warning_count++],
                      "%zu annotations say \"ignore\" without \"iscrowd\": they count like any other object, as COCO's "
                      "evaluator has it (data of kind coco take them for crowds)",
                      e.own.ignored_truths));
    NZ_TRY(nz_detections_read_found(&e.own, found));
    if (baseline) {
        NZ_TRY(nz_detections_copy_truths(&e.base, truth));
        NZ_TRY(nz_detections_read_found(&e.base, baseline));
    }
    /* Intervals are of COCO's mean average precision. */
    NZ_TRY(nz_detection_scores_resampled(&e.scores, &e.own, baseline ? &e.base : NULL, yolov5 ? 0 : replicates, seed));
    NZ_TRY(warn(&e, &e.own, found, e.scores.coco.stats[NZ_COCO_AP50]));
    if (baseline) NZ_TRY(warn_of_baseline(&e, baseline));
    NZ_TRY(fill(&e));
    *ret_evaluation = e;
    ret_evaluation->scores.detections = &ret_evaluation->own;
    e = (nz_detection_evaluation){0};
    nz_detections_done(truth);
    return NZ_OK;
}

/* ---- JSON ---- */

static json_t *fraction_json(double value) {
    nz_value_report report = nz_report_value(value, NZ_MEASURED);
    return nz_value_json_as(&report, "", "accuracy", NZ_HIGHER, false);
}

static json_t *percent_json(double fraction, const char *id) {
    nz_value_report report =
        fraction >= 0 ? nz_report_value(100 * fraction, NZ_MEASURED) : nz_report_unavailable("no ground truth");
    return nz_value_json(&report, nz_metric_find(id));
}

static json_t *class_json(const nz_detection_evaluation *e, size_t c) {
    const nz_coco_class *coco = &e->scores.coco.classes[c];
    const nz_yolo_class *yolo = &e->scores.yolo.classes[c];
    return json_pack("{s:o,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name", nz_json_string(e->own.class_names[c]),
                     "truths", (json_int_t)coco->truths, "detections", (json_int_t)e->found[c], "AP",
                     fraction_json(coco->ap), "AP50", fraction_json(coco->ap50), "AR100", fraction_json(coco->ar100),
                     "map50", percent_json(e->yolov5 ? yolo->ap50 : coco->ap50, "map50"), "map50_95",
                     percent_json(e->yolov5 ? yolo->ap : coco->ap, "map50_95"), "precision",
                     percent_json(yolo->precision, "precision"), "recall", percent_json(yolo->recall, "recall"), "f1",
                     percent_json(yolo->f1, "f1"));
}

static json_t *paired_json(const nz_map_interval *interval) {
    static const char *const ids[NZ_MAP_STATS] = {[NZ_MAP50] = "map50", [NZ_MAP50_95] = "map50_95"};
    json_t *json = json_object();
    for (size_t k = 0; k < NZ_MAP_STATS; k++)
        json_object_set_new(json, ids[k],
                            json_pack("{s:o,s:[o,o]}", "difference_pct", nz_json_real(100 * interval->difference[k]),
                                      "ci95_pct", nz_json_real(100 * interval->difference_ci95[k][0]),
                                      nz_json_real(100 * interval->difference_ci95[k][1])));
    return json;
}

static json_t *metrics_json(const nz_detection_evaluation *e) {
    json_t *metrics = json_object();
    int failed = 0;
    for (size_t i = 0; i < e->count; i++)
        failed |= json_object_set_new(metrics, e->metrics[i]->id, nz_value_json(&e->values[i], e->metrics[i]));
    for (size_t i = 0; !e->yolov5 && i < NZ_COCO_STATS; i++)
        failed |=
            json_object_set_new(metrics, nz_coco_stat_name((nz_coco_stat)i), fraction_json(e->scores.coco.stats[i]));
    if (!failed) return metrics;
    json_decref(metrics);
    return NULL;
}

nz_status nz_detection_evaluation_json(json_t **ret_json, const nz_detection_evaluation *e) {
    NZ_AUTO_JSON json_t *json =
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "evaluator", e->yolov5 ? "yolov5" : "coco", "images",
                  (json_int_t)e->own.image_count, "truths", (json_int_t)e->own.truth_count, "detections",
                  (json_int_t)e->own.found_count, "replicates", (json_int_t)e->scores.interval.replicates, "metrics",
                  metrics_json(e));
    json_t *classes = json_object(), *warnings = json_array(), *detection = NULL;
    int failed = !json || json_object_set_new(json, "per_class", classes);
    for (size_t c = 0; c < e->own.class_count && !failed; c++) {
        char key[24];
        snprintf(key, sizeof key, "%lld", (long long)e->own.class_ids[c]);
        failed |= json_object_set_new(classes, key, class_json(e, c));
    }
    if (!failed && !e->yolov5 && e->scores.interval.has_difference)
        failed |= json_object_set_new(json, "paired", paired_json(&e->scores.interval));
    for (size_t i = 0; i < e->warning_count; i++)
        failed |= json_array_append_new(warnings, nz_json_string(e->warnings[i]));
    failed |= json_object_set_new(json, "warnings", warnings);
    if (failed) return nz_fail(NZ_E_MEMORY, "out of memory: the evaluation");
    NZ_TRY(nz_detection_scores_json(&detection, &e->scores, e->scores.has_match ? &e->scores.match : NULL));
    if (json_object_set_new(json, "detection", detection)) return nz_fail(NZ_E_MEMORY, "out of memory: the evaluation");
    *ret_json = NZ_STEAL(json);
    return NZ_OK;
}
