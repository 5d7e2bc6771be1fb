/* SPDX-License-Identifier: Apache-2.0 */
/** An opened data set, as the files that open it, read it and augment it share it. */
#ifndef NZ_DATA_DATASET_H
#define NZ_DATA_DATASET_H

#include "data/keep.h"
#include "data/preprocess.h"
#include "data/source.h"

struct nz_dataset {
    nz_source source;
    nz_preprocess preprocess;
    size_t count;
    size_t *order; /**< sample -> the source's; NULL: offset + i */
    size_t offset;
    int channels;   /**< after color= */
    float *table;   /**< [channels * 256] */
    nz_shape shape; /**< of one sample */
    char *path;     /**< of the DATA text; NULL where the samples are made, not read */
    char *description, *preprocess_text;
    char fingerprint[65];
    nz_keep *keep; /**< images that were read before; NULL: none are kept */
};

static inline size_t nz_data_source_index(const nz_dataset *data, size_t i) {
    return data->order ? data->order[i] : data->offset + i;
}

static inline int32_t nz_data_source_label(const nz_dataset *data, size_t at) {
    return data->source.kind->label ? data->source.kind->label(&data->source, at) : -1;
}

/** NZ_E_ARG where sample `i` is not there. */
NZ_CHECKED nz_status nz_data_check_index(const nz_dataset *data, size_t i);
/** Width and height of every sample. NZ_E_SHAPE where they vary. */
NZ_CHECKED nz_status nz_data_sample_size(const nz_dataset *data, int *ret_width, int *ret_height);

enum { NZ_SAMPLE_NAME_BYTES = 512 };
/** What messages call a sample: its file, or the set and its number. */
const char *nz_data_sample_name(const nz_dataset *data, size_t at, char buffer[NZ_SAMPLE_NAME_BYTES]);

/** The image of the source's sample `at`, raw or after the preprocessing's geometry; borrowed where it is kept. */
NZ_CHECKED nz_status nz_data_read_image(const nz_dataset *data, size_t at, bool raw, nz_image *ret_image);
/** NZ_E_SHAPE where the image has not the extents that samples have. */
NZ_CHECKED nz_status nz_data_check_size(const nz_dataset *data, const nz_image *image, size_t at);

#endif
