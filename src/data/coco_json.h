/* SPDX-License-Identifier: Apache-2.0 */
/**
 * COCO's annotation files (images, categories, annotations with boxes; "instances_*.json") as they are, of any size: outlines
 * are passed over.
 */
#ifndef NZ_DATA_COCO_JSON_H
#define NZ_DATA_COCO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

typedef struct nz_coco_image {
    int64_t id;
    char *file_name;   /**< NULL where the file gives none */
    int width, height; /**< 0 where the file gives none */
} nz_coco_image;

typedef struct nz_coco_category {
    int64_t id;
    char *name; /**< NULL where the file gives none */
} nz_coco_category;

typedef struct nz_coco_annotation {
    int64_t image_id, category_id;
    double box[4]; /**< x, y, width, height in pixels */
    double
        area; /**< of the outline, by which COCO calls objects small or large; width x height where the file gives none */
    bool crowd;        /**< iscrowd */
    bool ignore;       /**< a field of other tools; the evaluation that COCO published does not heed it */
    bool placed;       /**< image_id and category_id are there */
    const char *wrong; /**< why it cannot be used; NULL: it can. Static */
} nz_coco_annotation;

typedef struct nz_coco_json {
    nz_coco_image *images;           /**< in the file's order, each id once */
    uint32_t *images_by_id;          /**< [image_count] indices of the images, by ascending id */
    nz_coco_category *categories;    /**< sorted by id, each id once */
    nz_coco_annotation *annotations; /**< in the file's order */
    size_t image_count, category_count, annotation_count;
    size_t image_capacity, category_capacity, annotation_capacity;
} nz_coco_json;
/** Releases everything and zeroes it; safe on a zeroed one. */
void nz_coco_json_done(nz_coco_json *coco);

/**
 * Reads a file. @param file_names  Whether the images' names are wanted.
 * @return NZ_E_IO; NZ_E_FORMAT names the file and what is wrong: no JSON, a list that is missing, an image or category without
 *         an id, an id that is there twice, or more than 100,000 categories. An annotation that is wrong is only marked. NZ_E_MEMORY.
 */
NZ_CHECKED nz_status nz_coco_json_read(nz_coco_json *ret_coco, const char *path, bool file_names);
/** The place of an image's id among all ids in ascending order (images_by_id leads from there to the image); -1 where there is
 * none. */
int32_t nz_coco_image_place(const nz_coco_json *coco, int64_t id);
/** Index of the category with an id; -1 where there is none. */
int32_t nz_coco_category_index(const nz_coco_json *coco, int64_t id);

/** The box of a field "bbox": false where it is no list of four numbers up to 1e150 with extents of at least 0; *ret_wrong says
 * so. */
struct nz_json_value;
bool nz_coco_box(double ret_box[4], const struct nz_json_value *value, const char **ret_wrong);

#endif
