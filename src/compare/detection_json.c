/* SPDX-License-Identifier: Apache-2.0 */
/* What the results show of a detector beside its metrics: both evaluations, curves, classes, confusion, samples. */
#include <math.h>
#include <string.h>

#include "compare/detection.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "metric/detection_json.h"
#include "netzip/detect.h"

enum {
    MOST_SHOWN = 100 /* boxes of one sample */
};
static const double shown_confidence = 0.1;

static nz_status no_memory(void) { return nz_fail(NZ_E_MEMORY, "out of memory: the results"); }

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

/* Boxes are drawn from the baseline's best confidence on: where that is lower, no box may be missing for being cut off here. */
static double least_shown(const nz_run *run, size_t v, const nz_detection_scores *scores) {
    size_t base = nz_run_baseline_of(run, v);
    double own = fmin(shown_confidence, scores->yolo.confidence);
    if (base == v) return own;
    const json_t *section = run->variants[base].detection;
    return section ? fmin(own, nz_json_number_at(section, "confidence"))
                   : 0; /* 0: not known yet, or there are no boxes */
}

static json_t *samples_json(const nz_run *run, size_t v, const nz_detection_scores *scores,
                            const nz_pictures *pictures) {
    const nz_detections *d = scores->detections;
    double least = least_shown(run, v, scores);
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
        if (strcmp(nz_json_text_at(run->variants[i].detection, "detections"), file) == 0) return true;
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
    NZ_AUTO_JSON json_t *json = NULL, *ran = json_pack("{s:O?,s:O?}", "head", json_object_get(predict, "head"),
                                                       "options", json_object_get(predict, "options"));
    NZ_TRY(nz_detection_scores_json(&json, scores, match));
    if (!ran || json_object_update(json, ran)) return no_memory();
    if (pictures->count && json_object_set_new(json, "samples", samples_json(run, v, scores, pictures)))
        return no_memory();
    NZ_TRY(write_boxes(json, run, v, d));
    *ret_json = NZ_STEAL(json);
    return NZ_OK;
}
