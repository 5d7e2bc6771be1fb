/* SPDX-License-Identifier: Apache-2.0 */
/* What the results show of a detector beside its metrics: both evaluations, curves, classes, confusion, samples. */
#include <math.h>
#include <string.h>

#include "compare/detection.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "netzip/detect.h"

enum {
    MOST_CLASSES = 2000, /* of the list */
    MOST_CONFUSED = 400, /* of the matrix, which grows with their square */
    MOST_SHOWN = 100,    /* boxes of one sample */
    CONFIDENCE_STEP = 3  /* every third confidence is a point of the curve: 0, 3/999, ... 1 */
};
static const double confusion_confidence = 0.25, confusion_iou = 0.45, shown_confidence = 0.1;

static nz_status no_memory(void) { return nz_fail(NZ_E_MEMORY, "out of memory: the results"); }

/* ---- evaluations ---- */

static json_t *coco_json(const nz_coco_result *coco) {
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
                                              nz_json_string(d->class_names[c]), "id", (json_int_t)d->class_ids[c],
                                              "truths", (json_int_t)coco->truths, "ap", nz_json_real(coco->ap), "ap50",
                                              nz_json_real(coco->ap50), "precision", nz_json_real(yolo->precision),
                                              "recall", nz_json_real(yolo->recall), "f1", nz_json_real(yolo->f1)));
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
    NZ_TRY(nz_confusion_get(&confusion, d, confusion_confidence, confusion_iou));
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

/* ---- samples ---- */

/* Hundredths of a pixel are finer than anything that is drawn. */
static json_t *pixels(double value) { return nz_json_real(round(value * 100) / 100); }

static json_t *truths_json(const nz_detections *d, int32_t image, const nz_picture *picture) {
    json_t *list = json_array();
    for (size_t i = 0; i < d->truth_count && json_array_size(list) < MOST_SHOWN; i++) {
        const nz_truth_box *b = &d->truths[i];
        if (b->image != image || b->crowd) continue;
        json_array_append_new(list, json_pack("[i,o,o,o,o]", (int)b->class_index, pixels(b->x * picture->scale_x),
                                              pixels(b->y * picture->scale_y), pixels(b->width * picture->scale_x),
                                              pixels(b->height * picture->scale_y)));
    }
    return list;
}

/* Boxes of an image come best first: the list ends where nobody would draw them. */
static json_t *found_json(const nz_detections *d, int32_t image, const nz_picture *picture, double least) {
    json_t *list = json_array();
    for (size_t i = 0; i < d->found_count && json_array_size(list) < MOST_SHOWN; i++) {
        const nz_found_box *b = &d->found[i];
        if (b->image != image || b->score < least) continue;
        json_array_append_new(list, json_pack("[i,o,o,o,o,o]", (int)b->class_index, pixels(b->x * picture->scale_x),
                                              pixels(b->y * picture->scale_y), pixels(b->width * picture->scale_x),
                                              pixels(b->height * picture->scale_y), nz_json_real(b->score)));
    }
    return list;
}

static json_t *samples_json(const nz_detection_scores *scores, const nz_pictures *pictures) {
    const nz_detections *d = scores->detections;
    double least = fmin(shown_confidence, scores->yolo.confidence);
    json_t *list = json_array();
    for (size_t i = 0; i < pictures->count; i++) {
        const nz_picture *p = &pictures->items[i];
        size_t image = 0;
        while (image < d->image_count && d->image_ids[image] != p->id) image++;
        if (image == d->image_count) continue; /* this variant could not read it */
        json_array_append_new(list, json_pack("{s:I,s:o,s:i,s:i,s:o,s:o}", "id", (json_int_t)p->id, "image",
                                              nz_json_string(p->file), "width", p->width, "height", p->height, "truths",
                                              truths_json(d, (int32_t)image, p), "found",
                                              found_json(d, (int32_t)image, p, least)));
    }
    return list;
}

/* ---- the boxes themselves ---- */

/* A name that can be a file's: what tells variants of one model apart belongs to it where it decides the boxes. */
static nz_status file_name(char **ret_file, const nz_run *run, const nz_variant *v) {
    const nz_entry *entry = &run->entries[v->entry];
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_text_append(&text, "detections/");
    for (const char *c = entry->name; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     strchr("_+=", *c) || (strchr("-.", *c) && c > entry->name);
        nz_text_append_bytes(&text, plain ? c : "_", 1);
    }
    if (run->options->runtime_count > 1) nz_text_appendf(&text, "-%s", v->runtime);
    if (entry->seed >= 0) nz_text_appendf(&text, "-s%lld", entry->seed);
    nz_text_append(&text, ".json");
    return nz_text_take(&text, ret_file);
}

static bool is_taken(const nz_run *run, const char *file) {
    for (size_t i = 0; i < run->variant_count; i++)
        if (strcmp(nz_text_at(run->variants[i].detection, "detections"), file) == 0) return true;
    return false;
}

static nz_status write_boxes(json_t *json, const nz_run *run, size_t v, const nz_detections *d) {
    NZ_AUTO_FREE char *file = NULL, *path = NULL, *folder = NULL;
    if (!run->options->out) return NZ_OK;
    NZ_TRY(file_name(&file, run, &run->variants[v]));
    for (int n = 2; is_taken(run, file); n++) { /* names that differ only in what a file's cannot hold */
        NZ_AUTO_FREE char *first = NZ_STEAL(file);
        NZ_TRY(nz_format(&file, "%.*s-%d.json", (int)(strlen(first) - strlen(".json")), first, n));
    }
    NZ_TRY(nz_path_join(&path, run->options->out, file));
    NZ_TRY(nz_path_folder(&folder, path));
    NZ_TRY(nz_dir_make(folder));
    NZ_TRY(nz_detect_write_json(path, d));
    return json_object_set_new(json, "detections", nz_json_string(file)) ? no_memory() : NZ_OK;
}

nz_status nz_detection_json(json_t **ret_json, const nz_run *run, size_t v, const nz_detection_scores *scores,
                            const nz_detection_match *match, const nz_pictures *pictures) {
    const json_t *predict = json_object_get(run->variants[v].raw, "predict");
    const nz_detections *d = scores->detections;
    NZ_AUTO_JSON json_t *json = json_pack(
        "{s:O?,s:O?,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "head", json_object_get(predict, "head"), "options",
        json_object_get(predict, "options"), "images", (json_int_t)d->image_count, "boxes", (json_int_t)d->found_count,
        "confidence", nz_json_real(scores->yolo.confidence), "coco", coco_json(&scores->coco), "yolov5",
        yolo_json(&scores->yolo), "precision_recall", precision_recall_json(&scores->coco), "f1_confidence",
        f1_json(&scores->yolo), "classes", classes_json(scores));
    if (!json) return no_memory();
    NZ_TRY(add_confusion(json, d));
    if (match && json_object_set_new(json, "match", match_json(match))) return no_memory();
    if (pictures->count && json_object_set_new(json, "samples", samples_json(scores, pictures))) return no_memory();
    NZ_TRY(write_boxes(json, run, v, d));
    *ret_json = NZ_STEAL(json);
    return NZ_OK;
}
