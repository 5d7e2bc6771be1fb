/* SPDX-License-Identifier: Apache-2.0 */
/* COCO's annotation JSON: images, categories, and annotations with boxes. */
#include <inttypes.h>
#include <math.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/coco_json.h"
#include "data/objects.h"

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

/* In the file's order. */
static nz_status take_images(nz_object_set *set, const nz_coco_json *coco, const char *path) {
    for (size_t i = 0; i < coco->image_count; i++) {
        const nz_coco_image *from = &coco->images[i];
        NZ_AUTO_FREE char *file = NULL;
        if (!from->file_name || !*from->file_name)
            return nz_fail(NZ_E_FORMAT, "%s: images[%zu]: file_name is missing or no text", path, i);
        NZ_TRY(nz_path_join(&file, set->files.root, from->file_name));
        NZ_TRY(nz_object_set_add_image(set, file));
        set->images[i].id = from->id;
        nz_object_set_tell_size(set, i, from->width, from->height);
    }
    return NZ_OK;
}

/* Classes are numbered in the order of their ids. */
static nz_status take_classes(nz_source *source, nz_coco_json *coco, const char *path) {
    size_t count = coco->category_count;
    if (!count) return nz_fail(NZ_E_FORMAT, "%s: 'categories' is empty", path);
    NZ_TRY(nz_alloc(&source->class_ids, count, sizeof *source->class_ids));
    NZ_TRY(nz_alloc(&source->class_names, count, sizeof *source->class_names));
    source->classes = count;
    for (size_t c = 0; c < count; c++) {
        source->class_ids[c] = coco->categories[c].id;
        source->class_names[c] = NZ_STEAL(coco->categories[c].name);
    }
    return NZ_OK;
}

static const char *check_place(const nz_coco_annotation *a) {
    for (int k = 0; k < 4 && !a->wrong; k++)
        if (!(fabs(a->box[k]) <= nz_object_place_most)) return "bbox lies beyond any image";
    return a->wrong;
}

/* A wrong annotation breaks its image, one of an image or category that is not listed is counted. */
static nz_status take_annotations(nz_source *source, nz_object_set *set, const nz_coco_json *coco, const char *path) {
    size_t unknown = 0;
    for (size_t i = 0; i < coco->annotation_count; i++) {
        const nz_coco_annotation *a = &coco->annotations[i];
        int32_t place = a->placed ? nz_coco_image_place(coco, a->image_id) : -1;
        int32_t class_index = a->placed ? nz_coco_category_index(coco, a->category_id) : -1;
        if (place < 0 || class_index < 0) {
            unknown++;
            continue;
        }
        size_t image = coco->images_by_id[place];
        const char *wrong = check_place(a);
        nz_object object = {.class_index = class_index,
                            .crowd = a->crowd || a->ignore,
                            .x = a->box[0],
                            .y = a->box[1],
                            .width = a->box[2],
                            .height = a->box[3],
                            .area = a->area};
        if (!wrong) {
            NZ_TRY(nz_object_set_add(set, image, &object));
            continue;
        }
        (void)nz_fail(NZ_E_FORMAT, "%s: annotations[%zu], of image %" PRId64 ": %s", path, i, a->image_id, wrong);
        NZ_TRY(nz_object_set_break(set, image));
    }
    if (!unknown) return NZ_OK;
    return nz_format(&source->note,
                     "%s: %zu of %zu annotations are of images or categories that the file does not list", path,
                     unknown, coco->annotation_count);
}

static nz_status read_all(nz_source *source, nz_object_set *set, const char *path) {
    NZ_AUTO(nz_coco_json_done) nz_coco_json coco = {0};
    NZ_TRY(nz_coco_json_read(&coco, path, true));
    NZ_TRY(take_images(set, &coco, path));
    source->count = set->files.count;
    NZ_TRY(take_classes(source, &coco, path));
    NZ_TRY(take_annotations(source, set, &coco, path));
    return nz_object_set_finish(set);
}

static nz_status coco_open(nz_source *source, const char *path, const nz_data_options *options) {
    nz_object_set *set = NULL;
    if (options->split != NZ_SPLIT_UNSTATED)
        return nz_fail(NZ_E_ARG, "%s: split= is given, but annotations are one file for each split; name that one",
                       path);
    NZ_TRY(nz_object_set_open(&set, source));
    NZ_TRY(images_folder(&set->files.root, path, options));
    return read_all(source, set, path);
}

const nz_source_kind nz_source_coco = {
    .name = "coco",
    .help = "COCO's annotation JSON (images, categories, annotations with bbox); images=DIR tells where the images are",
    .own_keys = "images",
    .open = coco_open,
    NZ_OBJECT_SET_ENTRIES,
};
