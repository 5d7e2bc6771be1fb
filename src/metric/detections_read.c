/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's two JSON forms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json_stream.h"
#include "core/memory.h"
#include "data/coco_json.h"
#include "netzip/detection.h"

void nz_detections_done(nz_detections *d) {
    for (size_t c = 0; d->class_names && c < d->class_count; c++) free(d->class_names[c]);
    free(d->class_names);
    free(d->image_ids);
    free(d->class_ids);
    free(d->truths);
    free(d->found);
    *d = (nz_detections){0};
}

/* ---- Ground truth ---- */

static nz_status take_ids(nz_detections *d, nz_coco_json *coco) {
    NZ_TRY(nz_alloc(&d->image_ids, coco->image_count, sizeof *d->image_ids));
    NZ_TRY(nz_alloc(&d->class_ids, coco->category_count, sizeof *d->class_ids));
    NZ_TRY(nz_alloc(&d->class_names, coco->category_count, sizeof *d->class_names));
    d->image_count = coco->image_count;
    d->class_count = coco->category_count;
    for (size_t i = 0; i < d->image_count; i++) d->image_ids[i] = coco->images[coco->images_by_id[i]].id;
    for (size_t c = 0; c < d->class_count; c++) {
        d->class_ids[c] = coco->categories[c].id;
        d->class_names[c] = NZ_STEAL(coco->categories[c].name);
    }
    return NZ_OK;
}

static nz_status take_truths(nz_detections *d, const nz_coco_json *coco, const char *path) {
    NZ_TRY(nz_alloc(&d->truths, coco->annotation_count, sizeof *d->truths));
    for (size_t i = 0; i < coco->annotation_count; i++) {
        const nz_coco_annotation *a = &coco->annotations[i];
        if (a->wrong) return nz_fail(NZ_E_FORMAT, "%s: annotations[%zu]: %s", path, i, a->wrong);
        nz_truth_box box = {.image = nz_coco_image_place(coco, a->image_id),
                            .class_index = nz_coco_category_index(coco, a->category_id),
                            .x = a->box[0],
                            .y = a->box[1],
                            .width = a->box[2],
                            .height = a->box[3],
                            .area = a->area,
                            .crowd = a->crowd};
        d->ignored_truths += a->ignore && !a->crowd;
        if (box.image < 0 || box.class_index < 0)
            d->skipped_truths++;
        else
            d->truths[d->truth_count++] = box;
    }
    return NZ_OK;
}

static nz_status read_truths(nz_detections *d, const char *path) {
    NZ_AUTO(nz_coco_json_done) nz_coco_json coco = {0};
    NZ_TRY(nz_coco_json_read(&coco, path, false));
    NZ_TRY(take_ids(d, &coco));
    return take_truths(d, &coco, path);
}

/* ---- Detections ---- */

enum { FOUND_IMAGE, FOUND_CATEGORY, FOUND_BOX, FOUND_SCORE, FOUND_FIELDS };
static const char *const found_fields[FOUND_FIELDS] = {"image_id", "category_id", "bbox", "score"};

typedef struct reader {
    nz_detections *d;
    const char *path;
    size_t capacity;
} reader;

static int compare_ids(const void *a, const void *b) {
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return p < q ? -1 : p > q;
}

/* Index of an id in a sorted list, -1 where it is not there. */
static int32_t find(const int64_t *ids, size_t count, int64_t id) {
    const int64_t *at = count ? bsearch(&id, ids, count, sizeof *ids, compare_ids) : NULL;
    return at ? (int32_t)(at - ids) : -1;
}

/* NULL, or what is wrong with a detection. */
static const char *check_found(double box[4], const nz_json_value *values) {
    const char *wrong = NULL;
    const nz_json_value *score = &values[FOUND_SCORE];
    if (values[FOUND_IMAGE].kind != NZ_JSON_INTEGER) return "image_id is missing or no integer";
    if (values[FOUND_CATEGORY].kind != NZ_JSON_INTEGER) return "category_id is missing or no integer";
    if (!nz_coco_box(box, &values[FOUND_BOX], &wrong)) return wrong;
    if ((score->kind != NZ_JSON_INTEGER && score->kind != NZ_JSON_REAL) || !isfinite(score->number))
        return "score is missing or no number";
    return NULL;
}

static nz_status add_found(void *user, const nz_json_value *values, size_t i) {
    reader *r = user;
    nz_detections *d = r->d;
    double box[4];
    const char *wrong = check_found(box, values);
    if (wrong) return nz_fail(NZ_E_FORMAT, "%s: detections[%zu]: %s", r->path, i, wrong);
    nz_found_box found = {.image = find(d->image_ids, d->image_count, values[FOUND_IMAGE].integer),
                          .class_index = find(d->class_ids, d->class_count, values[FOUND_CATEGORY].integer),
                          .x = box[0],
                          .y = box[1],
                          .width = box[2],
                          .height = box[3],
                          .score = values[FOUND_SCORE].number};
    if (found.image < 0)
        return nz_fail(NZ_E_FORMAT, "%s: detection %zu is on image %lld, which the ground truth does not list", r->path,
                       i, (long long)values[FOUND_IMAGE].integer);
    if (found.class_index < 0) {
        if (!d->skipped_found++) d->skipped_class = values[FOUND_CATEGORY].integer;
        return NZ_OK;
    }
    NZ_TRY(nz_grow(&d->found, &r->capacity, d->found_count + 1, sizeof found));
    d->found[d->found_count++] = found;
    return NZ_OK;
}

nz_status nz_detections_read_found(nz_detections *detections, const char *path) {
    static const nz_json_list list = {NULL, found_fields, FOUND_FIELDS, add_found};
    nz_detections d = *detections;
    reader r = {.d = &d, .path = path};
    d.found = NULL;
    d.found_count = d.skipped_found = 0;
    nz_status status = nz_json_stream(path, &list, 1, &r, NULL);
    if (status != NZ_OK) {
        free(d.found);
        return status;
    }
    free(detections->found);
    *detections = d;
    return NZ_OK;
}

nz_status nz_detections_read(nz_detections *ret_detections, const char *truth, const char *found) {
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    NZ_TRY(read_truths(&d, truth));
    if (found) NZ_TRY(nz_detections_read_found(&d, found));
    *ret_detections = d;
    d = (nz_detections){0};
    return NZ_OK;
}

static nz_status copy(void *ret_copy, const void *from, size_t count, size_t size) {
    void *to = NULL;
    NZ_TRY(nz_alloc(&to, count, size));
    if (from && count) memcpy(to, from, count * size);
    *(void **)ret_copy = to;
    return NZ_OK;
}

nz_status nz_detections_copy_truths(nz_detections *ret_copy, const nz_detections *in) {
    NZ_AUTO(nz_detections_done)
    nz_detections d = {.image_count = in->image_count,
                       .class_count = in->class_count,
                       .truth_count = in->truth_count,
                       .skipped_truths = in->skipped_truths,
                       .ignored_truths = in->ignored_truths};
    NZ_TRY(copy(&d.image_ids, in->image_ids, in->image_count, sizeof *in->image_ids));
    NZ_TRY(copy(&d.class_ids, in->class_ids, in->class_count, sizeof *in->class_ids));
    NZ_TRY(copy(&d.truths, in->truths, in->truth_count, sizeof *in->truths));
    NZ_TRY(nz_alloc(&d.class_names, in->class_count, sizeof *d.class_names));
    for (size_t c = 0; in->class_names && c < in->class_count; c++)
        NZ_TRY(nz_strdup(&d.class_names[c], in->class_names[c]));
    *ret_copy = d;
    d = (nz_detections){0};
    return NZ_OK;
}
