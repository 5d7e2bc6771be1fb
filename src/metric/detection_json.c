/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/detection_json.h"

#include <math.h>

#include "core/error.h"

enum {
    MOST_CLASSES = 2000, /* of the list */
    MOST_CONFUSED = 400, /* of the matrix, which grows with their square */
    CONFIDENCE_STEP = 3  /* every third confidence is a point of the curve: 0, 3/999, ... 1 */
};

static nz_status no_memory(void) { return nz_fail(NZ_E_MEMORY, "out of memory: the results"); }

json_t *nz_coco_stats_json(const nz_coco_result *coco) {
    json_t *json = json_object();
    for (size_t i = 0; i < NZ_COCO_STATS; i++)
        json_object_set_new(json, nz_coco_stat_name((nz_coco_stat)i), nz_json_real(coco->stats[i]));
    return json;
}

static json_t *yolo_json(const nz_yolo_result *yolo) {
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "map50", nz_json_real(yolo->map50), "map50_95",
                     nz_json_real(yolo->map50_95), "precision", nz_json_real(yolo->precision), "recall",
                     nz_json_real(yolo->recall), "f1", nz_json_real(yolo->f1));
}

/* The mean over the classes that have ground truth. */
static json_t *precision_recall_json(const nz_coco_result *coco) {
    json_t *recalls = json_array(), *precisions = json_array();
    size_t classes = 0;
    for (size_t c = 0; c < coco->class_count; c++) classes += coco->classes[c].ap >= 0;
    for (size_t i = 0; classes && i < NZ_COCO_RECALLS; i++) {
        double sum = 0;
        for (size_t c = 0; c < coco->class_count; c++)
            if (coco->classes[c].ap >= 0) sum += fmax(0, coco->classes[c].precision50[i]);
        json_array_append_new(recalls, nz_json_real((double)i / (NZ_COCO_RECALLS - 1)));
        json_array_append_new(precisions, nz_json_real(sum / (double)classes));
    }
    return json_pack("{s:f,s:o,s:o}", "iou", 0.5, "recall", recalls, "precision", precisions);
}

static json_t *f1_json(const nz_yolo_result *yolo) {
    json_t *confidences = json_array(), *f1 = json_array();
    for (size_t i = 0; i < NZ_CONFIDENCES; i += CONFIDENCE_STEP) {
        json_array_append_new(confidences, nz_json_real((double)i / (NZ_CONFIDENCES - 1)));
        json_array_append_new(f1, nz_json_real(yolo->mean_f1[i]));
    }
    return json_pack("{s:o,s:o}", "confidence", confidences, "f1", f1);
}

static json_t *classes_json(const nz_detection_scores *scores) {
    const nz_detections *d = scores->detections;
    json_t *list = json_array();
    for (size_t c = 0; c < d->class_count && c < MOST_CLASSES; c++) {
        const nz_coco_class *coco = &scores->coco.classes[c];
        const nz_yolo_class *yolo = &scores->yolo.classes[c];
        json_array_append_new(list, json_pack("{s:o,s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "name",
                                              nz_json_string(d->class_names ? d->class_names[c] : NULL), "id",
                                              (json_int_t)d->class_ids[c], "truths", (json_int_t)coco->truths, "ap",
                                              nz_json_real(coco->ap), "ap50", nz_json_real(coco->ap50), "precision",
                                              nz_json_real(yolo->precision), "recall", nz_json_real(yolo->recall), "f1",
                                              nz_json_real(yolo->f1)));
    }
    return list;
}

static json_t *counts_json(const nz_confusion *confusion) {
    size_t side = confusion->class_count + 1;
    json_t *rows = json_array();
    for (size_t r = 0; r < side; r++) {
        json_t *row = json_array();
        for (size_t c = 0; c < side; c++)
            json_array_append_new(row, json_integer((json_int_t)confusion->counts[r * side + c]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static nz_status add_confusion(json_t *json, const nz_detections *d) {
    NZ_AUTO(nz_confusion_done) nz_confusion confusion = {0};
    if (d->class_count > MOST_CONFUSED) return NZ_OK;
    NZ_TRY(nz_confusion_get(&confusion, d, NZ_CONFUSION_CONFIDENCE, NZ_CONFUSION_IOU));
    json_t *part = json_pack("{s:f,s:f,s:o}", "confidence", confusion.confidence, "iou", confusion.iou, "counts",
                             counts_json(&confusion));
    return json_object_set_new(json, "confusion", part) ? no_memory() : NZ_OK;
}

static json_t *match_json(const nz_detection_match *m) {
    return json_pack("{s:f,s:f,s:I,s:I,s:I,s:I,s:o,s:o}", "confidence", m->confidence, "iou", m->iou, "baseline_boxes",
                     (json_int_t)m->first, "boxes", (json_int_t)m->second, "matched", (json_int_t)m->matched,
                     "same_class", (json_int_t)m->same_class, "mean_iou", nz_json_real(m->mean_iou),
                     "mean_score_difference", nz_json_real(m->mean_score_difference));
}

nz_status nz_detection_scores_json(json_t **ret_json, const nz_detection_scores *scores,
                                   const nz_detection_match *match) {
    const nz_detections *d = scores->detections;
    NZ_AUTO_JSON json_t *json = json_pack(
        "{s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "images", (json_int_t)d->image_count, "boxes", (json_int_t)d->found_count,
        "confidence", nz_json_real(scores->yolo.confidence), "coco", nz_coco_stats_json(&scores->coco), "yolov5",
        yolo_json(&scores->yolo), "precision_recall", precision_recall_json(&scores->coco), "f1_confidence",
        f1_json(&scores->yolo), "classes", classes_json(scores));
    if (!json) return no_memory();
    NZ_TRY(add_confusion(json, d));
    if (match && json_object_set_new(json, "match", match_json(match))) return no_memory();
    *ret_json = NZ_STEAL(json);
    return NZ_OK;
}
