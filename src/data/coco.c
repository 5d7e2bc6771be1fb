/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's annotation JSON: images, categories, and annotations with boxes. */
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/memory.h"
#include "data/objects.h"

typedef struct id_place {
    int64_t id;
    uint32_t index;
} id_place;

typedef struct reader {
    nz_source *source;
    nz_object_set *set;
    const char *path;
    id_place *images; /* sorted by id */
    size_t unknown;   /* annotations of images or categories that are not listed */
} reader;

static void reader_done(reader *r) { free(r->images); }

static int compare_places(const void *a, const void *b) {
    int64_t p = ((const id_place *)a)->id, q = ((const id_place *)b)->id;
    return p < q ? -1 : p > q;
}

static int compare_ids(const void *a, const void *b) {
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return p < q ? -1 : p > q;
}

static nz_status get_list(const json_t **ret_list, const json_t *root, const char *key, const char *path) {
    const json_t *list = json_object_get(root, key);
    if (!json_is_array(list)) return nz_fail(NZ_E_FORMAT, "%s: '%s' is missing or no list", path, key);
    if (json_array_size(list) > INT32_MAX) return nz_fail(NZ_E_FORMAT, "%s: '%s' has too many entries", path, key);
    *ret_list = list;
    return NZ_OK;
}

static nz_status get_id(int64_t *ret_id, const json_t *entry, const char *path, const char *list, size_t index) {
    const json_t *value = json_object_get(entry, "id");
    if (!json_is_integer(value))
        return nz_fail(NZ_E_FORMAT, "%s: %s[%zu]: id is missing or no integer", path, list, index);
    *ret_id = json_integer_value(value);
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

static uint64_t get_extent(const json_t *entry, const char *key) {
    const json_t *value = json_object_get(entry, key);
    json_int_t extent = json_is_integer(value) ? json_integer_value(value) : 0;
    return extent > 0 && extent <= NZ_IMAGE_SIDE_MAX ? (uint64_t)extent : 0;
}

static nz_status add_image(reader *r, const json_t *entry, size_t i) {
    NZ_AUTO_FREE char *file = NULL;
    int64_t id = 0;
    const char *name = nz_json_text_at(entry, "file_name");
    NZ_TRY(get_id(&id, entry, r->path, "images", i));
    if (!*name) return nz_fail(NZ_E_FORMAT, "%s: images[%zu]: file_name is missing or no text", r->path, i);
    NZ_TRY(nz_path_join(&file, r->set->files.root, name));
    NZ_TRY(nz_object_set_add_image(r->set, file));
    uint64_t width = get_extent(entry, "width"), height = get_extent(entry, "height");
    nz_labelled_image *image = &r->set->images[i];
    image->id = id;
    image->size_told = width && height;
    if (image->size_told) atomic_store(&image->size, width << 32 | height);
    r->images[i] = (id_place){id, (uint32_t)i};
    return NZ_OK;
}

static nz_status add_images(reader *r, const json_t *root) {
    const json_t *list = NULL;
    NZ_TRY(get_list(&list, root, "images", r->path));
    size_t count = json_array_size(list);
    NZ_TRY(nz_alloc(&r->images, count, sizeof *r->images));
    for (size_t i = 0; i < count; i++) NZ_TRY(add_image(r, json_array_get(list, i), i));
    qsort(r->images, count, sizeof *r->images, compare_places);
    for (size_t i = 1; i < count; i++)
        if (r->images[i].id == r->images[i - 1].id)
            return nz_fail(NZ_E_FORMAT, "%s: 'images' has the id %" PRId64 " twice", r->path, r->images[i].id);
    r->source->count = count;
    return NZ_OK;
}

/* ---- Categories ---- */

static size_t find_class(const nz_source *source, int64_t id) {
    const int64_t *ids = source->class_ids;
    const int64_t *at = source->classes ? bsearch(&id, ids, source->classes, sizeof *ids, compare_ids) : NULL;
    return at ? (size_t)(at - ids) : source->classes;
}

static nz_status add_classes(reader *r, const json_t *root) {
    nz_source *source = r->source;
    const json_t *list = NULL;
    NZ_TRY(get_list(&list, root, "categories", r->path));
    size_t count = json_array_size(list);
    if (!count) return nz_fail(NZ_E_FORMAT, "%s: 'categories' is empty", r->path);
    NZ_TRY(nz_alloc(&source->class_ids, count, sizeof *source->class_ids));
    NZ_TRY(nz_alloc(&source->class_names, count, sizeof *source->class_names));
    source->classes = count;
    for (size_t i = 0; i < count; i++)
        NZ_TRY(get_id(&source->class_ids[i], json_array_get(list, i), r->path, "categories", i));
    qsort(source->class_ids, count, sizeof *source->class_ids, compare_ids);
    for (size_t c = 1; c < count; c++)
        if (source->class_ids[c] == source->class_ids[c - 1])
            return nz_fail(NZ_E_FORMAT, "%s: 'categories' has the id %" PRId64 " twice", r->path, source->class_ids[c]);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        size_t c = find_class(source, json_integer_value(json_object_get(entry, "id")));
        NZ_TRY(nz_strdup(&source->class_names[c], json_string_value(json_object_get(entry, "name"))));
    }
    return NZ_OK;
}

/* ---- Annotations ---- */

static bool get_number(double *ret_value, const json_t *value) {
    if (!json_is_number(value) || !isfinite(json_number_value(value))) return false;
    *ret_value = json_number_value(value);
    return true;
}

static bool is_set(const json_t *entry, const char *key) {
    const json_t *value = json_object_get(entry, key);
    return json_is_true(value) || json_number_value(value) != 0;
}

/* NULL, or what is wrong with it. */
static const char *read_object(nz_object *object, const json_t *entry) {
    const json_t *list = json_object_get(entry, "bbox"), *area = json_object_get(entry, "area");
    double box[4];
    if (!json_is_array(list) || json_array_size(list) != 4) return "bbox is no list of four numbers";
    for (size_t k = 0; k < 4; k++)
        if (!get_number(&box[k], json_array_get(list, k))) return "bbox is no list of four numbers";
    if (box[2] < 0 || box[3] < 0) return "bbox has a negative width or height (it is x, y, width, height)";
    *object = (nz_object){.class_index = object->class_index,
                          .crowd = is_set(entry, "iscrowd") || is_set(entry, "ignore"),
                          .x = box[0],
                          .y = box[1],
                          .width = box[2],
                          .height = box[3],
                          .area = box[2] * box[3]};
    if (area && !get_number(&object->area, area)) return "area is no number";
    return NULL;
}

static nz_status add_object(reader *r, const json_t *entry, size_t i) {
    const json_t *image_id = json_object_get(entry, "image_id"), *class_id = json_object_get(entry, "category_id");
    id_place wanted = {.id = json_integer_value(image_id)};
    const id_place *at = NULL;
    if (json_is_integer(image_id) && r->source->count)
        at = bsearch(&wanted, r->images, r->source->count, sizeof wanted, compare_places);
    size_t class_index =
        json_is_integer(class_id) ? find_class(r->source, json_integer_value(class_id)) : r->source->classes;
    if (!at || class_index == r->source->classes) {
        r->unknown++;
        return NZ_OK;
    }
    nz_object object = {.class_index = (int32_t)class_index};
    const char *wrong = read_object(&object, entry);
    if (!wrong) return nz_object_set_add(r->set, at->index, &object);
    (void)nz_fail(NZ_E_FORMAT, "%s: %s: annotations[%zu]: %s", r->set->files.entries[at->index].path, r->path, i,
                  wrong);
    return nz_object_set_break(r->set, at->index);
}

static nz_status read_all(reader *r, const json_t *root) {
    const json_t *list = NULL;
    NZ_TRY(add_images(r, root));
    NZ_TRY(add_classes(r, root));
    NZ_TRY(get_list(&list, root, "annotations", r->path));
    for (size_t i = 0; i < json_array_size(list); i++) NZ_TRY(add_object(r, json_array_get(list, i), i));
    NZ_TRY(nz_object_set_finish(r->set));
    if (!r->unknown) return NZ_OK;
    return nz_format(&r->source->note,
                     "%s: %zu of %zu annotations are of images or categories that the file does not list", r->path,
                     r->unknown, json_array_size(list));
}

static nz_status coco_open(nz_source *source, const char *path, const nz_data_options *options) {
    NZ_AUTO(reader_done) reader r = {.source = source, .path = path};
    NZ_AUTO_JSON json_t *root = NULL;
    if (options->split != NZ_SPLIT_UNSTATED)
        return nz_fail(NZ_E_ARG, "%s: split= is given, but annotations are one file for each split; name that one",
                       path);
    NZ_TRY(nz_alloc(&r.set, 1, sizeof *r.set));
    source->state = r.set;
    source->channels = 3;
    source->has_objects = true;
    NZ_TRY(images_folder(&r.set->files.root, path, options));
    NZ_TRY(nz_json_read(&root, path));
    return read_all(&r, root);
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
