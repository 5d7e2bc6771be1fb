/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of this room share: the table of heads, how a head's values lie in outputs, candidates. */
#ifndef NZ_DETECT_DETECTOR_H
#define NZ_DETECT_DETECTOR_H

#include "netzip/detect.h"

enum { NZ_BLOCKS_MOST = NZ_LEVELS_MOST * NZ_ANCHORS_MOST };

/** Rows (boxes) that lie evenly in one output: value k of row r is data[offset + r * row_step + k * value_step]. */
typedef struct nz_head_block {
    size_t output, offset; /**< elements from where the sample begins in that output */
    size_t first, rows;    /**< number of the first row in the whole head, how many */
    size_t row_step, value_step;
    size_t columns; /**< of the grid; rows run along it first */
    float stride, anchor[2];
} nz_head_block;

/** A head laid over a model's outputs. */
typedef struct nz_head_fit {
    size_t block_count, rows, classes;
    nz_head_block blocks[NZ_BLOCKS_MOST];
} nz_head_fit;

/** What a head is asked: whether its values are in these outputs. */
typedef struct nz_head_ask {
    int64_t batch;
    size_t width, height; /**< of the model's input */
    const nz_tensor *outputs;
    size_t output_count;
    nz_levels levels;
    bool anchors;   /**< levels.anchor is filled in */
    bool named;     /**< the user or the model names this head: what does not depend on the grid may be of any number */
    size_t classes; /**< 0: not known */
} nz_head_ask;

typedef struct nz_head_kind {
    const char *name, *help;
    double iou;      /**< NMS threshold unless stated */
    bool objectness; /**< value 4; classes follow, else they are value 4 and on */
    bool logits;     /**< scores are before the sigmoid */
    bool never_told; /**< shapes alone do not tell it from another */
    bool (*fits)(nz_head_fit *ret_fit, const nz_head_ask *ask);
    /** Corner and extent in pixels of the input of the row whose values are at v, `step` apart. */
    void (*box)(float ret_box[4], const nz_head_block *block, size_t row, const float *v, size_t step);
} nz_head_kind;
/** Row `head` of the table; NULL for NZ_HEAD_AUTO and past the end. */
const nz_head_kind *nz_head_kind_get(int head);

nz_head nz_head_of_kind(const nz_head_kind *kind);

/** Whether an input of four extents holds images channels last: as nz_data_open_for_model takes it. */
bool nz_shape_is_nhwc(const nz_shape *input);

/** A (box, class) pair above the confidence. */
typedef struct nz_candidate {
    uint32_t key; /**< the score's bits inverted: ascending keys are descending scores */
    uint32_t id;  /**< row * classes + class */
} nz_candidate;

/** Boxes of one class that were kept, side by side so that one comparison works on many. */
enum { NZ_KEPT_BOXES = 16 };
typedef struct nz_kept_chunk {
    float left[NZ_KEPT_BOXES], top[NZ_KEPT_BOXES], right[NZ_KEPT_BOXES], bottom[NZ_KEPT_BOXES], area[NZ_KEPT_BOXES];
    uint32_t count, next; /**< next: index of the chunk before it + 1; 0: none */
} nz_kept_chunk;

struct nz_detector {
    const nz_head_kind *head;
    nz_head_fit fit;
    float confidence, iou;
    size_t most;
    bool best_class, across;
    char *description;
    /* Of the sample at hand. */
    const float **data; /* [outputs] where the sample begins */
    size_t output_count;
    float **converted; /* [outputs] where an output is not f32 */
    nz_candidate *candidates, *sorted;
    size_t count, capacity, sorted_capacity;
    nz_kept_chunk *chunks;
    size_t chunk_count, chunk_capacity;
    uint32_t *last_chunk; /* [classes] index + 1 */
    nz_found_box *kept;
    size_t kept_count, kept_capacity;
};

/** Strides, and the anchors where options give them. NZ_E_ARG. */
NZ_CHECKED nz_status nz_levels_strides(nz_levels *ret_levels, const nz_detect_options *options);
/** The published anchors of a stride; false: there are none. */
bool nz_anchors_published(double ret_anchor[NZ_ANCHORS_MOST][2], int stride);

/** Gathers the sample's candidates in the order of rows, then classes. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_detector_candidates(nz_detector *detector);
/** Sorts them, stable, and keeps what no better box of its class overlaps. NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_detector_suppress(nz_detector *detector);

/** A value of a sigmoid's argument. */
float nz_sigmoid(float x);

#endif
