/* SPDX-License-Identifier: Apache-2.0 */
/** Data sets and preprocessing: `kind:path[,key=value...]` of cli.md, read sample by sample or in prefetched batches. */
#ifndef NETZIP_DATA_H
#define NETZIP_DATA_H

#include "netzip/graph.h"
#include "netzip/progress.h"
#include "netzip/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nz_dataset nz_dataset;

typedef enum nz_data_use {
    NZ_DATA_TRAIN,
    NZ_DATA_COMPARE
} nz_data_use; /**< decides the default split: train; or test, else val */

/**
 * @param spec        The DATA text of the command line.
 * @param preprocess  The model's own preprocessing ("netzip.preprocess": keys and values as in `spec`, without a head), or NULL.
 *                    Keys in `spec` win. With neither, only scale applies (nz_data_default_preprocess says so).
 * @param chw         Wanted channels, height, width (the model's input), or NULL: images of another size after preprocessing
 *                    are NZ_E_SHAPE for the data set as a whole where it is fixed, else counted broken sample by sample.
 * @return NZ_E_ARG, NZ_E_IO, NZ_E_FORMAT, NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_data_open(nz_dataset **ret_data, const char *spec, const char *preprocess,
                                         nz_data_use use, const int64_t chw[3]);
/** nz_data_open for the one image input of a model: its metadata "netzip.preprocess" and its input's extents apply. An
 * input whose last extent is 1, 3 or 4 while its second is not is taken for NHWC. */
NZ_API NZ_CHECKED nz_status nz_data_open_for_model(nz_dataset **ret_data, const char *spec, nz_data_use use,
                                                   const nz_graph *graph);
/** nz_data_open for an architecture that is not built yet (NULL: for none): photographs of any size go into a detector's own
 * extents; what is of one size stays as it is. */
NZ_API NZ_CHECKED nz_status nz_data_open_for_arch(nz_dataset **ret_data, const char *spec, nz_data_use use,
                                                  const char *arch);
/** DATA text `spec` with `keys` ("key=value,...", about preprocessing alone) in place of the preprocessing that it states: for
 * models that want the same data each in its way. Owned: free(). NZ_E_ARG names the key or value that is wrong. */
NZ_API NZ_CHECKED nz_status nz_data_respec(char **ret_spec, const char *spec, const char *keys);
/** Closes a data set; loaders of it must be freed before. NULL passes. */
NZ_API void nz_data_free(nz_dataset *data);

/** Samples after offset and limit, broken ones included. */
NZ_API size_t nz_data_count(const nz_dataset *data);
/** How many classes the labels may name; 0 where unlabelled. */
NZ_API size_t nz_data_classes(const nz_dataset *data);
/** The name of class `c`, NULL where there is none. Borrowed. */
NZ_API const char *nz_data_class_name(const nz_dataset *data, size_t c);
/** Shape of one sample, rank 3 in the wanted layout; an extent is -1 where it varies. */
NZ_API void nz_data_shape(const nz_dataset *data, nz_shape *ret_shape);
/** One line: kind, split, count, preprocessing. Borrowed. */
NZ_API const char *nz_data_describe(const nz_dataset *data);
/** The keys in force, canonical text to store with a model. Borrowed. */
NZ_API const char *nz_data_preprocess(const nz_dataset *data);
/** Whether nobody stated a preprocessing, neither DATA nor the model: worth a warning. */
NZ_API bool nz_data_default_preprocess(const nz_dataset *data);
/** What was found while opening that is worth a warning, one line: annotations of images that are not listed; NULL. Borrowed. */
NZ_API const char *nz_data_note(const nz_dataset *data);
/** Whether the samples lie in memory, so that reading one costs nearly nothing. */
NZ_API bool nz_data_at_hand(const nz_dataset *data);
/** 64 hex digits over the list of samples, labels and sizes (not over all pixels), to recognise the same data set. */
NZ_API const char *nz_data_fingerprint(const nz_dataset *data);
/** 64 hex digits over name, size and time of change of the samples' files (where those are none of their own: of the files
 * in the set's folder), to tell on this machine whether they were touched. The same for all sets that are made. NZ_E_IO,
 * NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_data_stamp(char ret_hex[65], const nz_dataset *data);

/** The files and folders that a data set reads, each once, as absolute paths. */
typedef struct nz_data_places {
    size_t count;
    char **paths;
    uint64_t bytes; /**< of the files */
} nz_data_places;
/**
 * Those of an opened data set: nothing for one that is made. What an annotation file names elsewhere is not among them.
 * @param spec  Its DATA text. Release with nz_data_places_done. NZ_E_IO, NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_data_places_get(nz_data_places *ret_places, const nz_dataset *data, const char *spec);
/** Safe on a zeroed one. */
NZ_API void nz_data_places_done(nz_data_places *places);
/** DATA text `spec` for a copy of its files: `move` gives the new path (owned) of each path in it. Owned: free(). */
NZ_API NZ_CHECKED nz_status nz_data_moved(char **ret_spec, const char *spec,
                                          nz_status (*move)(char **ret_path, void *user, const char *path), void *user);

/**
 * Keeps decoded and drawn images in memory as they are read, up to `bytes` of pixels, so that reading them again costs
 * nearly nothing: for those who read a set many times. Values stay the same. Call it before other threads read. Nothing
 * happens where samples are at hand already. NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_data_keep(nz_dataset *data, size_t bytes);

/** The label of sample `i` without reading its image; -1 where unlabelled. */
NZ_API int32_t nz_data_label(const nz_dataset *data, size_t i);
/** Sample `i` into out[elements of nz_data_shape] and its label (-1 unlabelled). Thread-safe. A broken sample: its status and message. */
NZ_API NZ_CHECKED nz_status nz_data_get(const nz_dataset *data, size_t i, float *out, int32_t *ret_label);
/** An object that a labelled image shows: corner and extent in pixels of the image as it is stored, x to the right, y down. */
typedef struct nz_object {
    int32_t class_index;
    bool crowd; /**< neither found nor missed: COCO's crowds and ignored regions, VOC's difficult objects */
    double x, y, width, height;
    double area; /**< the annotation's own (of its mask) where it gives one, else width x height */
} nz_object;
/** Whether samples are labelled with objects (kinds coco, yolo, voc, synthetic:shapes-det) instead of one class. */
NZ_API bool nz_data_has_objects(const nz_dataset *data);
/** The objects of sample `i`, in the order of the annotations; they lie in the stored image, before preprocessing.
 * Thread-safe. @param[out] ret_objects  Owned: free(); NULL where there is none. NZ_E_UNSUPPORTED for data without objects;
 * NZ_E_IO, NZ_E_FORMAT where the image's header is needed and cannot be read, or its labels cannot; NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_data_objects(nz_object **ret_objects, size_t *ret_count, const nz_dataset *data,
                                            size_t i);
/** COCO's id of the image of sample `i`; its position in file order where it has none. */
NZ_API int64_t nz_data_image_id(const nz_dataset *data, size_t i);
/** COCO's id of class `c`; c where classes have none. */
NZ_API int64_t nz_data_class_id(const nz_dataset *data, size_t c);

/** Where the stored image lies in a sample: sample x = image x * scale_x + left, mirrored last where `flip`. */
typedef struct nz_placement {
    int image_width, image_height; /**< pixels of the stored image */
    int width, height;             /**< pixels of the sample */
    double scale_x, scale_y, left, top;
    bool flip;
} nz_placement;
/** The placement that preprocessing (resize, crop, letterbox) gives sample `i`; reads the image's header where needed.
 * Thread-safe. NZ_E_IO, NZ_E_FORMAT; NZ_E_UNSUPPORTED for data that are no images. */
NZ_API NZ_CHECKED nz_status nz_data_placement(nz_placement *ret_placement, const nz_dataset *data, size_t i);
struct nz_augment;
/** The same under augmentation: what nz_data_get_augmented does to sample `i`. Also NZ_E_ARG, NZ_E_SHAPE as there. */
NZ_API NZ_CHECKED nz_status nz_data_placement_augmented(nz_placement *ret_placement, const nz_dataset *data, size_t i,
                                                        const struct nz_augment *augment);
/** A box (x, y, width, height) of the stored image as it lies in the sample, and the way back. Nothing is clipped. */
NZ_API void nz_place_box(double box[4], const nz_placement *placement);
/** The inverse of nz_place_box. */
NZ_API void nz_unplace_box(double box[4], const nz_placement *placement);

/** The image of sample `i` decoded, resized and cropped, before arithmetic: RGB u8 HWC, for showing. Owned: free(). */
NZ_API NZ_CHECKED nz_status nz_data_image(const nz_dataset *data, size_t i, uint8_t **ret_rgb, int *ret_width,
                                          int *ret_height);
/** The image of sample `i` as it is stored, before any preprocessing: where nz_data_objects lie. RGB u8 HWC. Owned: free(). */
NZ_API NZ_CHECKED nz_status nz_data_stored_image(const nz_dataset *data, size_t i, uint8_t **ret_rgb, int *ret_width,
                                                 int *ret_height);

/**
 * Writes a made data set as PNG files. Sets with one class an image become what `imagefolder` and `list` read:
 * folder/SPLIT/CLASS/NUMBER.png and folder/SPLIT.csv with the columns image and label. Sets with objects become what `yolo`
 * and `coco` read: folder/images/SPLIT/NUMBER.png, folder/labels/SPLIT/NUMBER.txt, folder/data.yaml and folder/SPLIT.json.
 * Files appear whole; those that are there already are kept, so that a second call goes on where the first was stopped.
 * folder/netzip-data.txt says what is in it.
 *
 * @param spec  `synthetic:NAME[,key=value...]`; without split= both train and test are written. NZ_E_ARG for other kinds.
 * @param[out] ret_written, ret_kept  Images written now, and found there.
 * @return NZ_E_ARG also where the folder holds another set; NZ_E_IO, NZ_E_RESOURCE, NZ_E_CANCELLED.
 */
NZ_API NZ_CHECKED nz_status nz_data_make(size_t *ret_written, size_t *ret_kept, const char *spec, const char *folder,
                                         const nz_progress *progress);

/** Reads batches ahead in its own threads. */
typedef struct nz_loader nz_loader;
typedef struct nz_batch {
    size_t count;    /**< samples in it: less than asked for at the end or after broken ones */
    float *x;        /**< [count, ...] borrowed until the next call */
    int32_t *labels; /**< [count] */
    size_t *indices; /**< [count] index of each sample in the data set */
    nz_placement
        *placements; /**< [count] where each image lies, augmentation included; NULL: the data has no objects */
} nz_batch;
/** `order` (NULL: 0..count-1) is copied. `threads` 0: one. */
NZ_API NZ_CHECKED nz_status nz_loader_open(nz_loader **ret_loader, const nz_dataset *data, size_t batch,
                                           const size_t *order, size_t order_count, int threads);

/** What training does to an image before arithmetic, at random: drawn for (seed, epoch, sample) alone, in integers, so that
 * it is the same at any number of threads and on every machine. */
typedef struct nz_augment {
    int crop_padding; /**< pixels of black around the image before a random crop of its own size; 0: none */
    bool flip;        /**< left and right exchanged in half of the cases */
    int resized_crop; /**< 1: a random part of 8% to 100% of the area and 3:4 to 4:3, resized to the samples' size, in place
                         of the preprocessing's resizing, cropping and letterbox */
    int zoom; /**< percent: the image is scaled by 1 - zoom/100 .. 1 + zoom/100; the rest is filled as the letterbox is */
    int shift;                       /**< percent of the sample's sides by which the image is moved at most */
    int hue, saturation, brightness; /**< percent by which colours are changed at most (hue: of the circle) */
    uint64_t seed, epoch;
} nz_augment;
/** Reads "crop=4+flip=1+resized=1" (NULL or "": nothing). NZ_E_ARG names the key. */
NZ_API NZ_CHECKED nz_status nz_augment_read(nz_augment *ret_augment, const char *text);
/** The keys' table, for help and documentation: name and one line; NULL past the end. Static. */
NZ_API const char *nz_augment_key(size_t i, const char **ret_help);
/** nz_data_get of the augmented sample. Thread-safe. NZ_E_ARG for values that nz_augment_read refuses; NZ_E_SHAPE where samples
 * vary in size; NZ_E_UNSUPPORTED for data that are no images. */
NZ_API NZ_CHECKED nz_status nz_data_get_augmented(const nz_dataset *data, size_t i, const nz_augment *augment,
                                                  float *out, int32_t *ret_label);
/** nz_loader_open with augmentation in its threads. `augment` is copied. */
NZ_API NZ_CHECKED nz_status nz_loader_open_augmented(nz_loader **ret_loader, const nz_dataset *data, size_t batch,
                                                     const size_t *order, size_t order_count, int threads,
                                                     const nz_augment *augment);
/** count 0 at the end. Broken samples are left out and recorded; only memory ends the reading. */
NZ_API NZ_CHECKED nz_status nz_loader_next(nz_loader *loader, nz_batch *ret_batch);
/** How many samples could not be read so far. */
NZ_API size_t nz_loader_broken(const nz_loader *loader);
/** What was wrong with broken sample `i`, kept for the first 100. Borrowed. */
NZ_API const char *nz_loader_broken_message(const nz_loader *loader, size_t i);
/** Ends the reading threads and releases the loader. NULL passes. */
NZ_API void nz_loader_free(nz_loader *loader);

/** The kinds' table, for help and documentation: name and one line; NULL past the end. */
NZ_API const char *nz_data_kind(size_t i, const char **ret_help);
/** The keys' table likewise, and the presets with the keys they stand for. */
NZ_API const char *nz_data_key(size_t i, const char **ret_help);
/** Preset `i` and, through ret_keys, the keys it stands for; NULL past the end. Static. */
NZ_API const char *nz_data_preset(size_t i, const char **ret_keys);

#ifdef __cplusplus
}
#endif
#endif
