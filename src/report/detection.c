/* SPDX-License-Identifier: Apache-2.0 */
/* The document's "detection" into numbers of known type and bounded size. */
#include "report/detection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "report/read.h"
#include "report/view.h"

#define DEFAULT_CONFIDENCE 0.25

/* ---- parts ---- */

static nz_status number(double *ret, const json_t *parent, const char *key) {
    if (!nz_read_number(ret, json_object_get(parent, key)))
        return nz_fail(NZ_E_FORMAT, "%s is neither a number nor null", key);
    return NZ_OK;
}

static nz_status object(const json_t **ret, const json_t *parent, const char *key) {
    return nz_read_object(ret, parent, key) ? NZ_OK : nz_fail(NZ_E_FORMAT, "%s is not an object", key);
}

static nz_status array(const json_t **ret, const json_t *parent, const char *key, size_t most) {
    const json_t *json;
    if (!nz_read_array(&json, parent, key)) return nz_fail(NZ_E_FORMAT, "%s is not an array", key);
    if (json_array_size(json) > most)
        return nz_fail(NZ_E_FORMAT, "%s has %zu entries; a report holds at most %zu", key, json_array_size(json), most);
    *ret = json;
    return NZ_OK;
}

/* A fraction; NaN for what is none, as COCO's -1 is. */
static nz_status fraction(double *ret, const json_t *parent, const char *key) {
    double value = NAN;
    NZ_TRY(number(&value, parent, key));
    *ret = value >= 0 && value <= 1 ? value : (double)NAN;
    return NZ_OK;
}

/* Two arrays of one length; pairs that are not within 0 and 1 are left out (recalls without ground truth are -1). */
static nz_status read_curve(nz_found_curve *curve, const json_t *parent, const char *key, const char *x_key,
                            const char *y_key) {
    const json_t *json = NULL, *xs = NULL, *ys = NULL;
    NZ_TRY(object(&json, parent, key));
    if (!json) return NZ_OK;
    NZ_TRY(array(&xs, json, x_key, NZ_DETECTION_POINTS_MOST));
    NZ_TRY(array(&ys, json, y_key, NZ_DETECTION_POINTS_MOST));
    size_t count = json_array_size(xs);
    if (count != json_array_size(ys))
        return nz_fail(NZ_E_FORMAT, "%s has %zu entries, %s %zu", x_key, count, y_key, json_array_size(ys));
    NZ_TRY(nz_alloc(&curve->x, count, sizeof *curve->x));
    NZ_TRY(nz_alloc(&curve->y, count, sizeof *curve->y));
    for (size_t i = 0; i < count; i++) {
        double x, y;
        if (!nz_read_number(&x, json_array_get(xs, i)) || !nz_read_number(&y, json_array_get(ys, i)))
            return nz_fail(NZ_E_FORMAT, "%s or %s [%zu] is not a number", x_key, y_key, i);
        if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) continue;
        if (curve->count && x < curve->x[curve->count - 1])
            return nz_fail(NZ_E_FORMAT, "%s[%zu] is smaller than the one before", x_key, i);
        curve->x[curve->count] = x;
        curve->y[curve->count++] = y;
    }
    return NZ_OK;
}

static nz_status read_class(nz_view *view, nz_found_class *c, const json_t *json, size_t index) {
    if (!json_is_object(json)) return nz_fail(NZ_E_FORMAT, "not an object");
    NZ_TRY(nz_view_text(view, &c->name, json_object_get(json, "name")));
    if (!*c->name) {
        char name[32];
        nz_snprintf(name, sizeof name, "class %zu", index);
        NZ_AUTO_JSON json_t *text = nz_json_string(name);
        NZ_TRY(nz_view_text(view, &c->name, text));
    }
    NZ_TRY(number(&c->id, json, "id"));
    NZ_TRY(number(&c->truths, json, "truths"));
    if (!(c->truths >= 0)) c->truths = NAN;
    NZ_TRY(fraction(&c->ap, json, "ap"));
    NZ_TRY(fraction(&c->ap50, json, "ap50"));
    NZ_TRY(fraction(&c->precision, json, "precision"));
    NZ_TRY(fraction(&c->recall, json, "recall"));
    return fraction(&c->f1, json, "f1");
}

static nz_status read_classes(nz_found *found, nz_view *view, const json_t *parent) {
    const json_t *json = NULL;
    NZ_TRY(array(&json, parent, "classes", NZ_DETECTION_CLASSES_MOST));
    NZ_TRY(nz_alloc(&found->classes, json_array_size(json), sizeof *found->classes));
    for (; found->class_count < json_array_size(json); found->class_count++) {
        size_t i = found->class_count;
        nz_status status = read_class(view, &found->classes[i], json_array_get(json, i), i);
        if (status != NZ_OK) return nz_fail_context(status, "classes[%zu]", i);
    }
    return NZ_OK;
}

static nz_status read_confusion(nz_found *found, const json_t *parent) {
    const json_t *json = NULL, *rows = NULL;
    NZ_TRY(object(&json, parent, "confusion"));
    NZ_TRY(number(&found->confusion_confidence, json, "confidence"));
    NZ_TRY(number(&found->confusion_iou, json, "iou"));
    NZ_TRY(array(&rows, json, "counts", NZ_DETECTION_CLASSES_MOST + 1));
    size_t side = json_array_size(rows);
    if (side < 2) return NZ_OK;
    NZ_TRY(nz_alloc(&found->confusion, side * side, sizeof *found->confusion));
    for (size_t r = 0; r < side; r++) {
        const json_t *row = json_array_get(rows, r);
        if (json_array_size(row) != side)
            return nz_fail(NZ_E_FORMAT, "counts[%zu] is not an array of %zu numbers: the matrix should be square", r,
                           side);
        for (size_t c = 0; c < side; c++) {
            double count = json_number_value(json_array_get(row, c));
            if (!json_is_number(json_array_get(row, c)) || !(count >= 0 && count < 1e15))
                return nz_fail(NZ_E_FORMAT, "counts[%zu][%zu] is not a count", r, c);
            found->confusion[r * side + c] = count;
        }
    }
    found->side = side;
    return NZ_OK;
}

static nz_status read_match(nz_found_match *match, const json_t *parent) {
    const json_t *json = NULL;
    NZ_TRY(object(&json, parent, "match"));
    const struct {
        double *to;
        const char *key;
    } fields[] = {{&match->confidence, "confidence"},
                  {&match->iou, "iou"},
                  {&match->baseline_boxes, "baseline_boxes"},
                  {&match->boxes, "boxes"},
                  {&match->matched, "matched"},
                  {&match->same_class, "same_class"},
                  {&match->mean_iou, "mean_iou"},
                  {&match->mean_score_difference, "mean_score_difference"}};
    for (size_t i = 0; i < NZ_COUNT(fields); i++) NZ_TRY(number(fields[i].to, json, fields[i].key));
    match->known = match->baseline_boxes >= match->matched && match->boxes >= match->matched &&
                   match->matched >= match->same_class && match->same_class >= 0 && match->baseline_boxes < 1e15 &&
                   match->boxes < 1e15;
    return NZ_OK;
}

/* ---- samples ---- */

/* [class, x, y, width, height] and, of what was found, the score. */
static nz_status read_boxes(nz_box_mark **ret_boxes, size_t *ret_count, const json_t *parent, const char *key,
                            size_t fields) {
    const json_t *json = NULL;
    NZ_TRY(array(&json, parent, key, NZ_DETECTION_BOXES_MOST));
    NZ_TRY(nz_alloc(ret_boxes, json_array_size(json), sizeof **ret_boxes));
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *row = json_array_get(json, i);
        double values[6] = {0};
        bool numbers = json_array_size(row) >= fields;
        for (size_t k = 0; k < fields && numbers; k++) {
            numbers = json_is_number(json_array_get(row, k));
            values[k] = json_number_value(json_array_get(row, k));
        }
        if (!numbers) return nz_fail(NZ_E_FORMAT, "%s[%zu] is not an array of %zu numbers", key, i, fields);
        nz_box_mark *box = &(*ret_boxes)[(*ret_count)++];
        bool known = values[0] >= 0 && values[0] < NZ_DETECTION_CLASSES_MOST;
        *box = (nz_box_mark){.class_index = known ? (int32_t)values[0] : -1, .x = values[1], .y = values[2]};
        box->width = values[3];
        box->height = values[4];
        box->score = fields > 5 ? values[5] : (double)NAN;
    }
    return NZ_OK;
}

static nz_status read_sample(nz_view *view, nz_found_sample *sample, const json_t *json, size_t index) {
    const json_t *id = json_object_get(json, "id"), *image = json_object_get(json, "image");
    char number_text[32];
    if (!json_is_object(json)) return nz_fail(NZ_E_FORMAT, "not an object");
    if (json_is_string(id)) {
        NZ_TRY(nz_view_text(view, &sample->id, id));
    } else {
        long long value = json_is_integer(id) ? (long long)json_integer_value(id) : (long long)index;
        nz_snprintf(number_text, sizeof number_text, "%lld", value);
        NZ_AUTO_JSON json_t *text = nz_json_string(number_text);
        NZ_TRY(nz_view_text(view, &sample->id, text));
    }
    if (image && !json_is_null(image) && !json_is_string(image)) return nz_fail(NZ_E_FORMAT, "image is not a string");
    sample->image = json_is_string(image) ? json_string_value(image) : "";
    NZ_TRY(number(&sample->width, json, "width"));
    NZ_TRY(number(&sample->height, json, "height"));
    if (!(sample->width >= 1 && sample->width <= NZ_DETECTION_SIDE_MAX && sample->height >= 1 &&
          sample->height <= NZ_DETECTION_SIDE_MAX))
        return nz_fail(NZ_E_FORMAT, "width and height are not those of an image");
    NZ_TRY(read_boxes(&sample->truths, &sample->truth_count, json, "truths", 5));
    return read_boxes(&sample->found, &sample->found_count, json, "found", 6);
}

static nz_status read_samples(nz_found *found, nz_view *view, const json_t *parent) {
    const json_t *json = NULL;
    NZ_TRY(array(&json, parent, "samples", SIZE_MAX));
    size_t count = json_array_size(json);
    if (count > NZ_DETECTION_SAMPLES_MOST) count = NZ_DETECTION_SAMPLES_MOST;
    NZ_TRY(nz_alloc(&found->samples, count, sizeof *found->samples));
    while (found->sample_count < count) {
        size_t i = found->sample_count++;
        nz_status status = read_sample(view, &found->samples[i], json_array_get(json, i), i);
        if (status != NZ_OK) return nz_fail_context(status, "samples[%zu]", i);
    }
    return NZ_OK;
}

/* ---- the whole ---- */

static nz_status read_all(nz_found *found, nz_view *view, const json_t *json) {
    const json_t *coco = NULL, *yolo = NULL;
    NZ_TRY(nz_view_text(view, &found->head, json_object_get(json, "head")));
    NZ_TRY(number(&found->images, json, "images"));
    NZ_TRY(number(&found->boxes, json, "boxes"));
    NZ_TRY(fraction(&found->confidence, json, "confidence"));
    NZ_TRY(object(&coco, json, "coco"));
    NZ_TRY(object(&yolo, json, "yolov5"));
    NZ_TRY(fraction(&found->ap50, coco, "AP50"));
    NZ_TRY(fraction(&found->map, coco, "AP"));
    NZ_TRY(fraction(&found->f1, yolo, "f1"));
    NZ_TRY(read_curve(&found->precision_recall, json, "precision_recall", "recall", "precision"));
    NZ_TRY(read_curve(&found->f1_confidence, json, "f1_confidence", "confidence", "f1"));
    NZ_TRY(read_classes(found, view, json));
    NZ_TRY(read_confusion(found, json));
    NZ_TRY(read_match(&found->match, json));
    return read_samples(found, view, json);
}

nz_status nz_found_read(nz_found **ret_found, nz_view *view, const void *json) {
    nz_found *found = NULL;
    NZ_TRY(nz_alloc(&found, 1, sizeof *found));
    nz_status status = read_all(found, view, json);
    if (status != NZ_OK) {
        nz_found_free(found);
        return nz_fail_context(status, "detection");
    }
    *ret_found = found;
    return NZ_OK;
}

void nz_found_free(nz_found *found) {
    if (!found) return;
    free(found->precision_recall.x);
    free(found->precision_recall.y);
    free(found->f1_confidence.x);
    free(found->f1_confidence.y);
    free(found->classes);
    free(found->confusion);
    for (size_t i = 0; i < found->sample_count; i++) {
        free(found->samples[i].truths);
        free(found->samples[i].found);
    }
    free(found->samples);
    free(found);
}

/* ---- questions ---- */

static bool alike(const nz_found_class *a, const nz_found_class *b) {
    if (!isnan(a->id) && !isnan(b->id)) return a->id == b->id;
    return strcmp(a->name, b->name) == 0;
}

const nz_found_class *nz_found_class_like(const nz_found *found, const nz_found *like, size_t index) {
    if (index < found->class_count && alike(&found->classes[index], &like->classes[index]))
        return &found->classes[index];
    for (size_t i = 0; i < found->class_count; i++)
        if (alike(&found->classes[i], &like->classes[index])) return &found->classes[i];
    return NULL;
}

const nz_found_sample *nz_found_sample_of(const nz_found *found, const char *id) {
    for (size_t i = 0; i < found->sample_count; i++)
        if (strcmp(found->samples[i].id, id) == 0) return &found->samples[i];
    return NULL;
}

size_t nz_found_reference(const nz_view *view) {
    size_t first = view->row_count;
    for (size_t r = 0; r < view->row_count; r++) {
        if (!view->rows[r].found || view->rows[r].failed) continue;
        if (view->rows[r].is_baseline) return r;
        if (first == view->row_count) first = r;
    }
    return first;
}

double nz_found_confidence(const nz_view *view) {
    size_t r = nz_found_reference(view);
    double confidence = r < view->row_count ? view->rows[r].found->confidence : (double)NAN;
    return confidence > 0 && confidence < 1 ? confidence : DEFAULT_CONFIDENCE;
}
