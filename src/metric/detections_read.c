/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's two JSON forms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
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

static int compare_ids(const void *a, const void *b) {
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return p < q ? -1 : p > q;
}

/* Index of an id in a sorted list, -1 where it is not there. */
static int32_t find(const int64_t *ids, size_t count, int64_t id) {
    const int64_t *at = count ? bsearch(&id, ids, count, sizeof *ids, compare_ids) : NULL;
    return at ? (int32_t)(at - ids) : -1;
}

/* What an entry is called in messages. */
typedef struct place {
    const char *path, *list;
    size_t index;
} place;

static nz_status fail_at(const place *p, const char *what) {
    return nz_fail(NZ_E_FORMAT, "%s: %s[%zu]: %s", p->path, p->list, p->index, what);
}

static nz_status read_id(int64_t *ret_id, const json_t *entry, const char *key, const place *p) {
    const json_t *value = json_object_get(entry, key);
    char what[64];
    snprintf(what, sizeof what, "%s is missing or no integer", key);
    if (!json_is_integer(value)) return fail_at(p, what);
    *ret_id = json_integer_value(value);
    return NZ_OK;
}

static nz_status read_number(double *ret_value, const json_t *value, const char *what, const place *p) {
    if (!json_is_number(value) || !isfinite(json_number_value(value))) return fail_at(p, what);
    *ret_value = json_number_value(value);
    return NZ_OK;
}

static nz_status read_box(double box[4], const json_t *entry, const place *p) {
    const json_t *list = json_object_get(entry, "bbox");
    if (!json_is_array(list) || json_array_size(list) != 4) return fail_at(p, "bbox is no list of four numbers");
    for (size_t i = 0; i < 4; i++)
        NZ_TRY(read_number(&box[i], json_array_get(list, i), "bbox is no list of four numbers", p));
    if (box[2] < 0 || box[3] < 0) return fail_at(p, "bbox has a negative width or height (it is x, y, width, height)");
    return NZ_OK;
}

static nz_status get_list(const json_t **ret_list, const json_t *root, const char *key, const char *path) {
    const json_t *list = json_object_get(root, key);
    if (!json_is_array(list)) return nz_fail(NZ_E_FORMAT, "%s: '%s' is missing or no list", path, key);
    if (json_array_size(list) > INT32_MAX) return nz_fail(NZ_E_FORMAT, "%s: '%s' has too many entries", path, key);
    *ret_list = list;
    return NZ_OK;
}

/* The ids of a list, sorted; each once. */
static nz_status read_ids(int64_t **ret_ids, size_t *ret_count, const json_t *root, const char *key, const char *path) {
    NZ_AUTO_FREE int64_t *ids = NULL;
    const json_t *list = NULL;
    NZ_TRY(get_list(&list, root, key, path));
    size_t count = json_array_size(list);
    NZ_TRY(nz_alloc(&ids, count, sizeof *ids));
    for (size_t i = 0; i < count; i++) {
        place p = {path, key, i};
        NZ_TRY(read_id(&ids[i], json_array_get(list, i), "id", &p));
    }
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 1; i < count; i++)
        if (ids[i] == ids[i - 1])
            return nz_fail(NZ_E_FORMAT, "%s: '%s' has the id %lld twice", path, key, (long long)ids[i]);
    *ret_ids = NZ_STEAL(ids);
    *ret_count = count;
    return NZ_OK;
}

static nz_status read_names(nz_detections *d, const json_t *root) {
    const json_t *list = json_object_get(root, "categories");
    NZ_TRY(nz_alloc(&d->class_names, d->class_count, sizeof *d->class_names));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        int32_t at = find(d->class_ids, d->class_count, json_integer_value(json_object_get(entry, "id")));
        NZ_TRY(nz_strdup(&d->class_names[at], json_string_value(json_object_get(entry, "name"))));
    }
    return NZ_OK;
}

/* What an annotation and a detection have in common; image and class -1 where the ground truth does not list them. */
typedef struct entry_box {
    int64_t image_id;
    int32_t image, class_index;
    double at[4];
} entry_box;

static nz_status read_entry(entry_box *ret_box, const nz_detections *d, const json_t *entry, const place *p) {
    int64_t category = 0;
    entry_box box = {0};
    NZ_TRY(read_id(&box.image_id, entry, "image_id", p));
    NZ_TRY(read_id(&category, entry, "category_id", p));
    NZ_TRY(read_box(box.at, entry, p));
    box.image = find(d->image_ids, d->image_count, box.image_id);
    box.class_index = find(d->class_ids, d->class_count, category);
    *ret_box = box;
    return NZ_OK;
}

static nz_status read_truth(nz_truth_box *ret_box, const nz_detections *d, const json_t *entry, const place *p) {
    entry_box box;
    NZ_TRY(read_entry(&box, d, entry, p));
    const json_t *given = json_object_get(entry, "area"), *crowd = json_object_get(entry, "iscrowd");
    double area = box.at[2] * box.at[3];
    if (given) NZ_TRY(read_number(&area, given, "area is no number", p));
    *ret_box = (nz_truth_box){.image = box.image,
                              .class_index = box.class_index,
                              .x = box.at[0],
                              .y = box.at[1],
                              .width = box.at[2],
                              .height = box.at[3],
                              .area = area,
                              .crowd = json_is_true(crowd) || json_number_value(crowd) != 0};
    return NZ_OK;
}

static nz_status read_truths(nz_detections *d, const char *path) {
    NZ_AUTO_JSON json_t *root = NULL;
    const json_t *list = NULL;
    NZ_TRY(nz_json_read(&root, path));
    NZ_TRY(read_ids(&d->image_ids, &d->image_count, root, "images", path));
    NZ_TRY(read_ids(&d->class_ids, &d->class_count, root, "categories", path));
    NZ_TRY(read_names(d, root));
    NZ_TRY(get_list(&list, root, "annotations", path));
    NZ_TRY(nz_alloc(&d->truths, json_array_size(list), sizeof *d->truths));
    for (size_t i = 0; i < json_array_size(list); i++) {
        place p = {path, "annotations", i};
        nz_truth_box *box = &d->truths[d->truth_count];
        NZ_TRY(read_truth(box, d, json_array_get(list, i), &p));
        if (box->image < 0 || box->class_index < 0)
            d->skipped_truths++;
        else
            d->truth_count++;
    }
    return NZ_OK;
}

static nz_status read_found_box(nz_found_box *ret_box, const nz_detections *d, const json_t *entry, const place *p) {
    entry_box box;
    double score = 0;
    NZ_TRY(read_entry(&box, d, entry, p));
    NZ_TRY(read_number(&score, json_object_get(entry, "score"), "score is missing or no number", p));
    if (box.image < 0)
        return nz_fail(NZ_E_FORMAT, "%s: detection %zu is on image %lld, which the ground truth does not list", p->path,
                       p->index, (long long)box.image_id);
    *ret_box = (nz_found_box){.image = box.image,
                              .class_index = box.class_index,
                              .x = box.at[0],
                              .y = box.at[1],
                              .width = box.at[2],
                              .height = box.at[3],
                              .score = score};
    return NZ_OK;
}

static nz_status read_found(nz_detections *d, const char *path) {
    NZ_AUTO_JSON json_t *list = NULL;
    NZ_TRY(nz_json_read(&list, path));
    if (!json_is_array(list)) return nz_fail(NZ_E_FORMAT, "%s: not a list of detections", path);
    NZ_TRY(nz_alloc(&d->found, json_array_size(list), sizeof *d->found));
    for (size_t i = 0; i < json_array_size(list); i++) {
        place p = {path, "detections", i};
        nz_found_box *box = &d->found[d->found_count];
        NZ_TRY(read_found_box(box, d, json_array_get(list, i), &p));
        if (box->class_index < 0)
            d->skipped_found++;
        else
            d->found_count++;
    }
    return NZ_OK;
}

nz_status nz_detections_read(nz_detections *ret_detections, const char *truth, const char *found) {
    NZ_AUTO(nz_detections_done) nz_detections d = {0};
    NZ_TRY(read_truths(&d, truth));
    if (found) NZ_TRY(read_found(&d, found));
    *ret_detections = d;
    d = (nz_detections){0};
    return NZ_OK;
}
