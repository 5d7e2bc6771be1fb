/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's annotation JSON: images, categories, and annotations with boxes. */
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/file.h"
#include "core/json_stream.h"
#include "core/memory.h"
#include "data/objects.h"

typedef struct id_place {
    int64_t id;
    uint32_t index;
} id_place;

/* An annotation as it stands in the file, which may come before its image does. */
typedef struct annotation {
    int64_t image_id, class_id;
    bool listed;       /* both ids are integers */
    const char *wrong; /* what is wrong with it; NULL: nothing */
    nz_object object;
} annotation;

typedef struct reader {
    nz_source *source;
    nz_object_set *set;
    const char *path;
    id_place *images; /* sorted by id once all are read */
    id_place *classes;
    char **names; /* of classes, in the file's order until they are sorted */
    size_t image_capacity, class_count, class_capacity, name_capacity;
    annotation *annotations;
    size_t annotation_count, annotation_capacity;
} reader;

static void reader_done(reader *r) {
    for (size_t c = 0; r->names && c < r->class_count; c++) free(r->names[c]);
    free(r->names);
    free(r->images);
    free(r->classes);
    free(r->annotations);
}

static int compare_places(const void *a, const void *b) {
    int64_t p = ((const id_place *)a)->id, q = ((const id_place *)b)->id;
    return p < q ? -1 : p > q;
}

static const id_place *find(const id_place *places, size_t count, int64_t id) {
    id_place wanted = {.id = id};
    return count ? bsearch(&wanted, places, count, sizeof wanted, compare_places) : NULL;
}

static nz_status sort_places(id_place *places, size_t count, const char *list, const char *path) {
    if (count) qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 1; i < count; i++)
        if (places[i].id == places[i - 1].id)
            return nz_fail(NZ_E_FORMAT, "%s: '%s' has the id %" PRId64 " twice", path, list, places[i].id);
    return NZ_OK;
}

static nz_status get_id(int64_t *ret_id, const nz_json_value *value, const reader *r, const char *list, size_t index) {
    if (value->kind != NZ_JSON_INTEGER)
        return nz_fail(NZ_E_FORMAT, "%s: %s[%zu]: id is missing or no integer", r->path, list, index);
    *ret_id = value->integer;
    return NZ_OK;
}

/* ---- Images ---- */

/* "images" beside the annotations where nothing else is said, else their folder. */
static nz_status images_folder(char **ret_folder, const char *path, const nz_data_options *options) {
    NZ_AUTO_FREE char *folder = NULL, *below = NULL;
    if (options->images && !nz_dir_exists(options->images))
        return nz_fail(NZ_E_IO, "%s: images= is no folder", options->images);
    if (options->images) return nz_strdup(ret_folder, options->images);
    NZ_TRY(nz_path_folder(&folder, path));
    NZ_TRY(nz_path_join(&below, folder, "images"));
    *ret_folder = nz_dir_exists(below) ? NZ_STEAL(below) : NZ_STEAL(folder);
    return NZ_OK;
}

static uint64_t get_extent(const nz_json_value *value) {
    return value->kind == NZ_JSON_INTEGER && value->integer > 0 && value->integer <= NZ_IMAGE_SIDE_MAX
               ? (uint64_t)value->integer
               : 0;
}

static const char *const image_fields[] = {"id", "file_name", "width", "height"};
static nz_status add_image(void *user, const nz_json_value *v, size_t i) {
    reader *r = user;
    NZ_AUTO_FREE char *file = NULL;
    int64_t id = 0;
    NZ_TRY(get_id(&id, &v[0], r, "images", i));
    if (v[1].kind != NZ_JSON_TEXT || !*v[1].text)
        return nz_fail(NZ_E_FORMAT, "%s: images[%zu]: file_name is missing or no text", r->path, i);
    NZ_TRY(nz_path_join(&file, r->set->files.root, v[1].text));
    NZ_TRY(nz_grow(&r->images, &r->image_capacity, i + 1, sizeof *r->images));
    NZ_TRY(nz_object_set_add_image(r->set, file));
    uint64_t width = get_extent(&v[2]), height = get_extent(&v[3]);
    nz_labelled_image *image = &r->set->images[i];
    image->id = id;
    image->size_told = width && height;
    if (image->size_told) atomic_store(&image->size, width << 32 | height);
    r->images[i] = (id_place){id, (uint32_t)i};
    return NZ_OK;
}

/* ---- Categories ---- */

static const char *const class_fields[] = {"id", "name"};
static nz_status add_class(void *user, const nz_json_value *v, size_t i) {
    enum { CLASSES_MOST = 1000000 };
    reader *r = user;
    int64_t id = 0;
    NZ_TRY(get_id(&id, &v[0], r, "categories", i));
    if (i >= CLASSES_MOST) return nz_fail(NZ_E_FORMAT, "%s: more than %d categories", r->path, CLASSES_MOST);
    NZ_TRY(nz_grow(&r->classes, &r->class_capacity, i + 1, sizeof *r->classes));
    NZ_TRY(nz_grow(&r->names, &r->name_capacity, i + 1, sizeof *r->names));
    r->names[i] = NULL;
    NZ_TRY(nz_strdup(&r->names[i], v[1].kind == NZ_JSON_TEXT ? v[1].text : NULL));
    r->classes[i] = (id_place){id, (uint32_t)i};
    r->class_count = i + 1;
    return NZ_OK;
}

/* Classes are numbered in the order of their ids. */
static nz_status name_classes(reader *r) {
    nz_source *source = r->source;
    if (!r->class_count) return nz_fail(NZ_E_FORMAT, "%s: 'categories' is empty", r->path);
    NZ_TRY(sort_places(r->classes, r->class_count, "categories", r->path));
    NZ_TRY(nz_alloc(&source->class_ids, r->class_count, sizeof *source->class_ids));
    NZ_TRY(nz_alloc(&source->class_names, r->class_count, sizeof *source->class_names));
    source->classes = r->class_count;
    for (size_t c = 0; c < r->class_count; c++) {
        source->class_ids[c] = r->classes[c].id;
        source->class_names[c] = NZ_STEAL(r->names[r->classes[c].index]);
        r->classes[c].index = (uint32_t)c;
    }
    return NZ_OK;
}

/* ---- Annotations ---- */

static bool is_number(const nz_json_value *v) {
    return (v->kind == NZ_JSON_INTEGER || v->kind == NZ_JSON_REAL) && isfinite(v->number);
}

static bool is_set(const nz_json_value *v) {
    return (v->kind == NZ_JSON_BOOL || v->kind == NZ_JSON_INTEGER || v->kind == NZ_JSON_REAL) && v->number != 0;
}

enum { IMAGE_ID, CATEGORY_ID, BBOX, AREA, CROWD, IGNORE };
static const char *const annotation_fields[] = {"image_id", "category_id", "bbox", "area", "iscrowd", "ignore"};

/* NULL, or what is wrong with it. */
static const char *read_object(nz_object *object, const nz_json_value *v) {
    const double *box = v[BBOX].numbers;
    if (v[BBOX].kind != NZ_JSON_NUMBERS || v[BBOX].count != 4) return "bbox is no list of four numbers";
    for (int k = 0; k < 4; k++)
        if (!(fabs(box[k]) <= nz_object_place_most)) return "bbox lies beyond any image";
    if (box[2] < 0 || box[3] < 0) return "bbox has a negative width or height (it is x, y, width, height)";
    if (v[AREA].kind != NZ_JSON_MISSING && !is_number(&v[AREA])) return "area is no number";
    *object = (nz_object){.crowd = is_set(&v[CROWD]) || is_set(&v[IGNORE]),
                          .x = box[0],
                          .y = box[1],
                          .width = box[2],
                          .height = box[3],
                          .area = v[AREA].kind == NZ_JSON_MISSING ? box[2] * box[3] : v[AREA].number};
    return NULL;
}

static nz_status add_annotation(void *user, const nz_json_value *v, size_t i) {
    reader *r = user;
    NZ_TRY(nz_grow(&r->annotations, &r->annotation_capacity, i + 1, sizeof *r->annotations));
    annotation *a = &r->annotations[i];
    *a = (annotation){.image_id = v[IMAGE_ID].integer, .class_id = v[CATEGORY_ID].integer};
    a->listed = v[IMAGE_ID].kind == NZ_JSON_INTEGER && v[CATEGORY_ID].kind == NZ_JSON_INTEGER;
    a->wrong = read_object(&a->object, v);
    r->annotation_count = i + 1;
    return NZ_OK;
}

/* A wrong annotation breaks its image, one of an image or category that is not listed is counted. */
static nz_status place_annotations(reader *r) {
    size_t unknown = 0;
    for (size_t i = 0; i < r->annotation_count; i++) {
        annotation *a = &r->annotations[i];
        const id_place *image = a->listed ? find(r->images, r->source->count, a->image_id) : NULL;
        const id_place *class_place = a->listed ? find(r->classes, r->class_count, a->class_id) : NULL;
        if (!image || !class_place) {
            unknown++;
            continue;
        }
        a->object.class_index = (int32_t)class_place->index;
        if (!a->wrong) {
            NZ_TRY(nz_object_set_add(r->set, image->index, &a->object));
            continue;
        }
        (void)nz_fail(NZ_E_FORMAT, "%s: annotations[%zu], of image %" PRId64 ": %s", r->path, i, a->image_id, a->wrong);
        NZ_TRY(nz_object_set_break(r->set, image->index));
    }
    if (!unknown) return NZ_OK;
    return nz_format(&r->source->note,
                     "%s: %zu of %zu annotations are of images or categories that the file does not list", r->path,
                     unknown, r->annotation_count);
}

static nz_status read_all(reader *r) {
    const nz_json_list lists[] = {{"images", image_fields, NZ_COUNT(image_fields), add_image},
                                  {"categories", class_fields, NZ_COUNT(class_fields), add_class},
                                  {"annotations", annotation_fields, NZ_COUNT(annotation_fields), add_annotation}};
    int64_t counts[NZ_COUNT(lists)];
    NZ_TRY(nz_json_stream(r->path, lists, NZ_COUNT(lists), r, counts));
    for (size_t i = 0; i < NZ_COUNT(lists); i++)
        if (counts[i] < 0)
            return nz_fail(NZ_E_FORMAT, "%s: the list '%s' is missing; are these COCO's annotations?", r->path,
                           lists[i].name);
    r->source->count = r->set->files.count;
    NZ_TRY(sort_places(r->images, r->source->count, "images", r->path));
    NZ_TRY(name_classes(r));
    NZ_TRY(place_annotations(r));
    return nz_object_set_finish(r->set);
}

static nz_status coco_open(nz_source *source, const char *path, const nz_data_options *options) {
    NZ_AUTO(reader_done) reader r = {.source = source, .path = path};
    if (options->split != NZ_SPLIT_UNSTATED)
        return nz_fail(NZ_E_ARG, "%s: split= is given, but annotations are one file for each split; name that one",
                       path);
    NZ_TRY(nz_alloc(&r.set, 1, sizeof *r.set));
    source->state = r.set;
    source->channels = 3;
    source->has_objects = true;
    NZ_TRY(images_folder(&r.set->files.root, path, options));
    return read_all(&r);
}

const nz_source_kind nz_source_coco = {
    .name = "coco",
    .help = "COCO's annotation JSON (images, categories, annotations with bbox); images=DIR tells where the images are",
    .own_keys = "images",
    .open = coco_open,
    .image = nz_object_set_image,
    .size = nz_object_set_size,
    .objects = nz_object_set_objects,
    .id = nz_object_set_id,
    .path = nz_files_path,
    .identify = nz_object_set_identify,
    .close = nz_object_set_close,
};
