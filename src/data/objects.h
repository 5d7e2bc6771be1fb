/* SPDX-License-Identifier: Apache-2.0 */
/** Image files with labelled objects: what the kinds coco, yolo and voc share. */
#ifndef NZ_DATA_OBJECTS_H
#define NZ_DATA_OBJECTS_H

#include "data/files.h"

/** Places and extents beyond this many pixels are no image's: what labels say is refused there. */
static const double nz_object_place_most = 1e9;

typedef struct nz_labelled_image {
    size_t first, count; /**< of the set's objects */
    int64_t id;          /**< COCO's, or what nz_object_set_number gave */
    char *broken; /**< why its labels cannot be used: the image is a broken sample; NULL: they can. On the heap */
    _Atomic uint64_t size; /**< width << 32 | height; 0: not known yet */
    bool size_told;        /**< by the labels: the image must be of that size, or its boxes lie elsewhere */
} nz_labelled_image;

/** The `state` of such a source. */
typedef struct nz_object_set {
    nz_files files;            /**< the images, in the order of samples */
    nz_labelled_image *images; /**< [files.count] */
    size_t image_capacity;
    struct nz_object_of {
        uint32_t image;
        nz_object object;
    } * added; /**< until nz_object_set_finish */
    size_t added_count, added_capacity;
    nz_object *objects; /**< by image, each image's in the order they were added */
    bool fractions;     /**< boxes are fractions of the image's extents */
} nz_object_set;

/** Makes an empty set the state of `source`, of images with objects in three channels. Borrowed: the source's `close` releases it. */
NZ_CHECKED nz_status nz_object_set_open(nz_object_set **ret_set, nz_source *source);
/** Adds an image without objects. At most INT32_MAX of them: NZ_E_FORMAT. */
NZ_CHECKED nz_status nz_object_set_add_image(nz_object_set *set, const char *path);
/** What the labels say of image `image`'s extents; 0 where they do not. */
void nz_object_set_tell_size(nz_object_set *set, size_t image, int width, int height);
/** Adds an object of image `image`, an index. */
NZ_CHECKED nz_status nz_object_set_add(nz_object_set *set, size_t image, const nz_object *object);
/** Marks image `image` as broken with the calling thread's last message; the first one stays. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_object_set_break(nz_object_set *set, size_t image);
/** Sorts the objects by image. Once, after the last is added. */
NZ_CHECKED nz_status nz_object_set_finish(nz_object_set *set);
/** Ids of the images: the numbers that all files' stems are, where they are all different numbers; else positions. */
NZ_CHECKED nz_status nz_object_set_number(nz_object_set *set);

/* The entries of such a source's table. */
NZ_CHECKED nz_status nz_object_set_image(const nz_source *source, size_t i, nz_image *ret_image);
NZ_CHECKED nz_status nz_object_set_size(const nz_source *source, size_t i, int *ret_width, int *ret_height);
NZ_CHECKED nz_status nz_object_set_objects(const nz_source *source, size_t i, nz_object **ret_objects,
                                           size_t *ret_count);
int64_t nz_object_set_id(const nz_source *source, size_t i);
void nz_object_set_identify(const nz_source *source, size_t i, nz_text *text);
void nz_object_set_close(nz_source *source);
#define NZ_OBJECT_SET_ENTRIES                                                                                          \
    .image = nz_object_set_image, .size = nz_object_set_size, .objects = nz_object_set_objects,                        \
    .id = nz_object_set_id, .path = nz_files_path, .identify = nz_object_set_identify, .close = nz_object_set_close

#endif
