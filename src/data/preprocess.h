/* SPDX-License-Identifier: Apache-2.0 */
/** From pixels to a model's input: the preprocessing keys of a DATA text, what they mean and what they do. */
#ifndef NZ_DATA_PREPROCESS_H
#define NZ_DATA_PREPROCESS_H

#include "core/options.h"
#include "data/image.h"
#include "netzip/data.h"

enum {
    NZ_PREPROCESS_CHANNELS = 16, /* that mean= and std= may list */
    NZ_PREPROCESS_FILL = 114     /* around an image where nothing else is said */
};

typedef enum nz_color { NZ_COLOR_AS_IS, NZ_COLOR_RGB, NZ_COLOR_BGR, NZ_COLOR_GRAY } nz_color;

/** Order: decode, resize, crop, letterbox, color, arithmetic, layout. */
typedef struct nz_preprocess {
    int resize_height, resize_width; /**< height 0: width is the short side; both 0: no resizing */
    int crop_height, crop_width;     /**< 0: none */
    int box_height, box_width;       /**< letterbox; 0: none */
    bool box_top_left, box_floor;
    int box_fill; /**< 0..255, of every channel */
    nz_color color;
    double scale;
    int mean_count, std_count; /**< 0: mean 0, std 1; 1: the same for all channels */
    double mean[NZ_PREPROCESS_CHANNELS], std[NZ_PREPROCESS_CHANNELS];
    bool nhwc, layout_stated;
    bool stated; /**< something was said by anybody */
} nz_preprocess;

/** How an image lies in the letterbox: to take a box found there back to the image, (x - left) / scale. */
typedef struct nz_letterbox {
    double scale;
    int width, height, left, top; /**< of the image inside the box */
} nz_letterbox;

/** The keys' rows, for the option table of data sets: name and help. All take text. NULL past the end. */
const char *nz_preprocess_key(size_t i, const char **ret_help);
/** A preset and the keys it stands for; NULL past the end. */
const char *nz_preprocess_preset(size_t i, const char **ret_keys);

/**
 * The preprocessing in force: the keys of `spec` over those of `model` (the text stored with it, or NULL) over the
 * defaults. `preset=` in `spec` replaces what the model says. Keys of `spec` that are not about preprocessing are passed over.
 *
 * @return NZ_E_ARG: a value is wrong; NZ_E_FORMAT: the model's text is.
 */
NZ_CHECKED nz_status nz_preprocess_read(nz_preprocess *ret_preprocess, const nz_spec *spec, const char *model,
                                        const char *what);
/** The same as text that nz_preprocess_read understands. Owned: free(). */
NZ_CHECKED nz_status nz_preprocess_text(char **ret_text, const nz_preprocess *preprocess);

/** Channels of the result for `channels` of the source. NZ_E_ARG where mean, std or color do not fit. */
NZ_CHECKED nz_status nz_preprocess_channels(int *ret_channels, const nz_preprocess *preprocess, int channels,
                                            const char *what);
/** Extents of the result for an image of width x height; 0 and 0 ask for what holds for all images: -1 where that varies. */
void nz_preprocess_size(const nz_preprocess *preprocess, int width, int height, int *ret_width, int *ret_height);
nz_letterbox nz_preprocess_letterbox(const nz_preprocess *preprocess, int width, int height);
/** Where an image of width x height lies in the result; at a letterbox, its own scale counts, not the rounded extents'. */
void nz_preprocess_place(nz_placement *ret_placement, const nz_preprocess *preprocess, int width, int height);

/** Resizes, crops and letterboxes; the result is interleaved. `image` stays as it is. NZ_E_SHAPE: smaller than the crop. */
NZ_CHECKED nz_status nz_preprocess_geometry(nz_image *ret_image, const nz_preprocess *preprocess, const nz_image *image,
                                            const char *name);
bool nz_preprocess_has_geometry(const nz_preprocess *preprocess);

/** For each channel of the result, the value of each of the 256 pixels: out[channels * 256]. */
void nz_preprocess_table(const nz_preprocess *preprocess, int channels, float *out);
/** Color, arithmetic and layout: pixels to `channels` x height x width values (or height x width x channels). */
NZ_CHECKED nz_status nz_preprocess_values(const nz_preprocess *preprocess, const float *table, int channels,
                                          const nz_image *image, float *out);

/** Value (x, y) of the result comes from pixel (x + left, y + top) of the image, which is black outside; then left and
 * right are exchanged. */
typedef struct nz_shift {
    int left, top;
    bool flip;
} nz_shift;
/** nz_preprocess_values of a shifted image of the same extents. */
NZ_CHECKED nz_status nz_preprocess_values_shifted(const nz_preprocess *preprocess, const float *table, int channels,
                                                  const nz_image *image, const nz_shift *shift, float *out);

#endif
