/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A data set format, as its own file in this folder implements it. A kind lists its samples and hands out their pixels
 * and labels; splitting off ranges, shuffling, preprocessing and batching are done for all kinds in data.c and loader.c.
 */
#ifndef NZ_DATA_SOURCE_H
#define NZ_DATA_SOURCE_H

#include "core/options.h"
#include "core/text.h"
#include "data/image.h"
#include "netzip/data.h"

typedef enum nz_split { NZ_SPLIT_UNSTATED, NZ_SPLIT_TRAIN, NZ_SPLIT_TEST, NZ_SPLIT_VAL } nz_split;

/** The keys of a DATA text that are not preprocessing; filled from the option table of options.c. */
typedef struct nz_data_options {
    int split; /**< nz_split */
    long long limit, offset, seed;
    bool shuffle;
    char *labels;    /**< a file that names the classes in order; NULL: not given */
    char *images;    /**< the folder of the images that annotations name; NULL: not given */
    long long size;  /**< side of a synthetic image in pixels */
    long long count; /**< of a synthetic set; 0: the kind's default */
    char *preprocess[16];
    nz_data_use use; /**< set by nz_data_open */
} nz_data_options;

enum { NZ_DATA_KEYS_MAX = 32 };
/** The whole option table: these keys and those of preprocessing. Returns its rows. */
size_t nz_data_options_table(nz_option ret_table[NZ_DATA_KEYS_MAX]);
/** Reads the options of `spec`; a key that belongs to some kinds only must stand in `own_keys` ("labels size").
 * Release with nz_data_options_done, also after a failure. */
NZ_CHECKED nz_status nz_data_options_read(nz_data_options *ret_options, const nz_spec *spec, const char *own_keys,
                                          const char *what);
void nz_data_options_done(nz_data_options *options);

/** The splits to look for, best first: the one that was stated, else train; or test and then val. Returns how many. */
size_t nz_data_splits(const nz_data_options *options, const char *ret_names[2]);
/** The message for a split that is not there. `there` lists those that are, or is "". */
nz_status nz_data_fail_split(const char *path, const nz_data_options *options, const char *there);

struct nz_source_kind;

/** An opened data set before preprocessing. `open` fills it in; `close` releases `state`; data.c the rest. */
typedef struct nz_source {
    const struct nz_source_kind *kind;
    void *state;
    size_t count;                /**< samples of the split, in file order */
    const char *split;           /**< static: "train", ...; NULL where the set has no splits */
    int channels, width, height; /**< of every sample; width and height 0 where they vary */
    bool at_hand;                /**< samples lie in memory: reading one costs nearly nothing */
    nz_shape values;             /**< rank >= 1: samples are float values of this shape, no pixels; 0: pixels */
    size_t classes;              /**< 0: unlabelled */
    char **class_names;          /**< [classes] on the heap, or NULL */
    int64_t *class_ids;          /**< [classes] on the heap; NULL: classes are their own */
    bool has_objects;            /**< samples are labelled with objects, not with one class */
    char *note;                  /**< what is worth a warning; on the heap, or NULL */
} nz_source;

/**
 * Where the wanted split of a folder's set lies: `find` gives the place of one split on the heap, NULL where it is not there.
 *
 * @param[out] ret_place  NULL before. Owned; source->split is set with it. Stays NULL where the set has no splits and none was stated.
 * @return The message for a split that is not there, beside those that are; what `find` returns.
 */
NZ_CHECKED nz_status nz_data_choose_split(char **ret_place, nz_source *source, const char *path,
                                          const nz_data_options *options,
                                          nz_status (*find)(char **ret_place, void *user, const char *split),
                                          void *user);

typedef struct nz_source_kind {
    const char *name, *help;
    const char *own_keys; /**< keys of the option table that only some kinds take, separated by spaces; "" */
    nz_status (*open)(nz_source *source, const char *path, const nz_data_options *options);
    /** The pixels of sample i. Thread-safe. A message names the file or record. */
    nz_status (*image)(const nz_source *source, size_t i, nz_image *ret_image);
    /** Instead of `image` where source->values is set. */
    nz_status (*values)(const nz_source *source, size_t i, float *out);
    int32_t (*label)(const nz_source *source, size_t i); /**< -1: none; NULL: no sample has one */
    /** The extents of sample i as it is stored; NULL where source->width and height tell. */
    nz_status (*size)(const nz_source *source, size_t i, int *ret_width, int *ret_height);
    /** The objects of sample i, on the heap (NULL: none), where source->has_objects. */
    nz_status (*objects)(const nz_source *source, size_t i, nz_object **ret_objects, size_t *ret_count);
    int64_t (*id)(const nz_source *source, size_t i); /**< COCO's; NULL: samples' positions */
    /** The file that sample i is, for messages; NULL where samples are no files of their own. */
    const char *(*path)(const nz_source *source, size_t i);
    /** Appends what tells sample i from another (its path and file size, or some of its bytes), for the fingerprint. */
    void (*identify)(const nz_source *source, size_t i, nz_text *text);
    /** Instead of `identify` where a few words stand for all samples, in whatever range and order. */
    void (*identify_all)(const nz_source *source, nz_text *text);
    void (*close)(nz_source *source); /**< also after a failed open; state may be NULL */
} nz_source_kind;

/** nz_data_open where layout= defaults to nhwc instead of nchw: for a model whose input says so. */
NZ_CHECKED nz_status nz_data_open_as(nz_dataset **ret_data, const char *spec, const char *preprocess, nz_data_use use,
                                     const int64_t chw[3], bool nhwc);

/* The kinds; data.c lists them. */
extern const nz_source_kind nz_source_idx, nz_source_cifar10, nz_source_cifar100, nz_source_imagefolder, nz_source_list,
    nz_source_npz, nz_source_coco, nz_source_yolo, nz_source_voc, nz_source_synthetic;

#endif
