/* SPDX-License-Identifier: Apache-2.0 */
#include "data/coco_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/json_stream.h"
#include "core/memory.h"

void nz_coco_json_done(nz_coco_json *coco) {
    for (size_t i = 0; i < coco->image_count; i++) free(coco->images[i].file_name);
    for (size_t i = 0; i < coco->category_count; i++) free(coco->categories[i].name);
    free(coco->images);
    free(coco->images_by_id);
    free(coco->categories);
    free(coco->annotations);
    *coco = (nz_coco_json){0};
}

typedef struct reader {
    nz_coco_json *coco;
    const char *path;
    bool file_names;
} reader;

static nz_status read_id(int64_t *ret_id, const reader *r, const nz_json_value *value, const char *list, size_t i) {
    if (value->kind != NZ_JSON_INTEGER)
        return nz_fail(NZ_E_FORMAT, "%s: %s[%zu]: id is missing or no integer", r->path, list, i);
    *ret_id = value->integer;
    return NZ_OK;
}

static int read_extent(const nz_json_value *value) {
    return value->kind == NZ_JSON_INTEGER && value->integer > 0 && value->integer <= INT32_MAX ? (int)value->integer
                                                                                               : 0;
}

enum { IMAGE_ID, IMAGE_FILE, IMAGE_WIDTH, IMAGE_HEIGHT, IMAGE_FIELDS };
static const char *const image_fields[IMAGE_FIELDS] = {"id", "file_name", "width", "height"};

static nz_status add_image(void *user, const nz_json_value *values, size_t i) {
    reader *r = user;
    nz_coco_json *coco = r->coco;
    nz_coco_image image = {.width = read_extent(&values[IMAGE_WIDTH]), .height = read_extent(&values[IMAGE_HEIGHT])};
    NZ_TRY(read_id(&image.id, r, &values[IMAGE_ID], "images", i));
    NZ_TRY(nz_grow(&coco->images, &coco->image_capacity, coco->image_count + 1, sizeof image));
    if (r->file_names && values[IMAGE_FILE].kind == NZ_JSON_TEXT)
        NZ_TRY(nz_strdup(&image.file_name, values[IMAGE_FILE].text));
    coco->images[coco->image_count++] = image;
    return NZ_OK;
}

enum { CATEGORY_ID, CATEGORY_NAME, CATEGORY_FIELDS };
enum { CATEGORIES_MOST = 100000 }; /* evaluations keep a curve of each */
static const char *const category_fields[CATEGORY_FIELDS] = {"id", "name"};

static nz_status add_category(void *user, const nz_json_value *values, size_t i) {
    reader *r = user;
    nz_coco_json *coco = r->coco;
    nz_coco_category category = {0};
    NZ_TRY(read_id(&category.id, r, &values[CATEGORY_ID], "categories", i));
    if (i >= CATEGORIES_MOST) return nz_fail(NZ_E_FORMAT, "%s: more than %d categories", r->path, CATEGORIES_MOST);
    NZ_TRY(nz_grow(&coco->categories, &coco->category_capacity, coco->category_count + 1, sizeof category));
    if (values[CATEGORY_NAME].kind == NZ_JSON_TEXT) NZ_TRY(nz_strdup(&category.name, values[CATEGORY_NAME].text));
    coco->categories[coco->category_count++] = category;
    return NZ_OK;
}

/* Up to here areas, and sums of them, are finite, so that overlaps are numbers. */
static const double box_most = 1e150;

bool nz_coco_box(double ret_box[4], const nz_json_value *value, const char **ret_wrong) {
    if (value->kind != NZ_JSON_NUMBERS || value->count != 4) {
        *ret_wrong = "bbox is no list of four numbers";
        return false;
    }
    for (int i = 0; i < 4; i++) {
        if (isfinite(value->numbers[i]) && fabs(value->numbers[i]) <= box_most) continue;
        *ret_wrong = isnan(value->numbers[i]) ? "bbox is no list of four numbers" : "bbox lies beyond any image";
        return false;
    }
    if (value->numbers[2] < 0 || value->numbers[3] < 0) {
        *ret_wrong = "bbox has a negative width or height (it is x, y, width, height)";
        return false;
    }
    for (int i = 0; i < 4; i++) ret_box[i] = value->numbers[i];
    return true;
}

enum { AT_IMAGE, AT_CATEGORY, AT_BOX, AT_AREA, AT_CROWD, AT_IGNORE, AT_FIELDS };
static const char *const annotation_fields[AT_FIELDS] = {"image_id", "category_id", "bbox",
                                                         "area",     "iscrowd",     "ignore"};

static bool is_set(const nz_json_value *value) {
    return (value->kind == NZ_JSON_BOOL || value->kind == NZ_JSON_INTEGER || value->kind == NZ_JSON_REAL) &&
           value->number != 0;
}

static nz_coco_annotation read_annotation(const nz_json_value *values) {
    nz_coco_annotation a = {.image_id = values[AT_IMAGE].integer,
                            .category_id = values[AT_CATEGORY].integer,
                            .crowd = is_set(&values[AT_CROWD]),
                            .ignore = is_set(&values[AT_IGNORE])};
    const nz_json_value *area = &values[AT_AREA];
    a.placed = values[AT_IMAGE].kind == NZ_JSON_INTEGER && values[AT_CATEGORY].kind == NZ_JSON_INTEGER;
    if (values[AT_IMAGE].kind != NZ_JSON_INTEGER)
        a.wrong = "image_id is missing or no integer";
    else if (values[AT_CATEGORY].kind != NZ_JSON_INTEGER)
        a.wrong = "category_id is missing or no integer";
    else if (nz_coco_box(a.box, &values[AT_BOX], &a.wrong))
        a.area = a.box[2] * a.box[3];
    if (a.wrong || area->kind == NZ_JSON_MISSING) return a;
    if ((area->kind != NZ_JSON_INTEGER && area->kind != NZ_JSON_REAL) || !isfinite(area->number))
        a.wrong = "area is no number";
    else
        a.area = area->number;
    return a;
}

static nz_status add_annotation(void *user, const nz_json_value *values, size_t i) {
    nz_coco_json *coco = ((reader *)user)->coco;
    (void)i;
    NZ_TRY(
        nz_grow(&coco->annotations, &coco->annotation_capacity, coco->annotation_count + 1, sizeof *coco->annotations));
    coco->annotations[coco->annotation_count++] = read_annotation(values);
    return NZ_OK;
}

/* ---- Order ---- */

static int compare_images(const void *a, const void *b, void *argument) {
    const nz_coco_image *images = argument;
    int64_t p = images[*(const uint32_t *)a].id, q = images[*(const uint32_t *)b].id;
    return p < q ? -1 : p > q;
}

static int compare_categories(const void *a, const void *b) {
    int64_t p = ((const nz_coco_category *)a)->id, q = ((const nz_coco_category *)b)->id;
    return p < q ? -1 : p > q;
}

static nz_status fail_twice(const char *path, const char *list, int64_t id) {
    return nz_fail(NZ_E_FORMAT, "%s: '%s' has the id %" PRId64 " twice", path, list, id);
}

static nz_status sort(nz_coco_json *coco, const char *path) {
    size_t count = coco->image_count;
    NZ_TRY(nz_alloc(&coco->images_by_id, count, sizeof *coco->images_by_id));
    for (size_t i = 0; i < count; i++) coco->images_by_id[i] = (uint32_t)i;
    if (count) qsort_r(coco->images_by_id, count, sizeof *coco->images_by_id, compare_images, coco->images);
    for (size_t i = 1; i < count; i++) {
        int64_t id = coco->images[coco->images_by_id[i]].id;
        if (id == coco->images[coco->images_by_id[i - 1]].id) return fail_twice(path, "images", id);
    }
    count = coco->category_count;
    if (count) qsort(coco->categories, count, sizeof *coco->categories, compare_categories);
    for (size_t i = 1; i < count; i++)
        if (coco->categories[i].id == coco->categories[i - 1].id)
            return fail_twice(path, "categories", coco->categories[i].id);
    return NZ_OK;
}

int32_t nz_coco_image_place(const nz_coco_json *coco, int64_t id) {
    size_t low = 0, high = coco->image_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t here = coco->images[coco->images_by_id[middle]].id;
        if (here == id) return (int32_t)middle;
        if (here < id)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int32_t nz_coco_category_index(const nz_coco_json *coco, int64_t id) {
    nz_coco_category wanted = {.id = id};
    const nz_coco_category *at = coco->category_count ? bsearch(&wanted, coco->categories, coco->category_count,
                                                                sizeof wanted, compare_categories)
                                                      : NULL;
    return at ? (int32_t)(at - coco->categories) : -1;
}

nz_status nz_coco_json_read(nz_coco_json *ret_coco, const char *path, bool file_names) {
    static const nz_json_list lists[] = {{"images", image_fields, IMAGE_FIELDS, add_image},
                                         {"categories", category_fields, CATEGORY_FIELDS, add_category},
                                         {"annotations", annotation_fields, AT_FIELDS, add_annotation}};
    NZ_AUTO(nz_coco_json_done) nz_coco_json coco = {0};
    reader r = {.coco = &coco, .path = path, .file_names = file_names};
    int64_t counts[NZ_COUNT(lists)];
    NZ_TRY(nz_json_stream(path, lists, NZ_COUNT(lists), &r, counts));
    for (size_t i = 0; i < NZ_COUNT(lists); i++)
        if (counts[i] < 0)
            return nz_fail(NZ_E_FORMAT, "%s: the list '%s' is missing; are these COCO's annotations?", path,
                           lists[i].name);
    NZ_TRY(sort(&coco, path));
    *ret_coco = coco;
    coco = (nz_coco_json){0};
    return NZ_OK;
}
