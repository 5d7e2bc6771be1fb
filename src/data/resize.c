/* SPDX-License-Identifier: Apache-2.0 */
/* Antialiased bilinear resizing in two passes. Both inner loops run over independent lanes, so that a compiler can
 * vectorise them: the pass across works on sixteen rows at once, the pass down on a stretch of a row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/image.h"

enum { PLACES = 22, HALF = 1 << (PLACES - 1), ROWS = 16, STRETCH = 512 };

/* Versions for wider vector registers, picked when the program starts. Not under the address and thread sanitizers, which are not up
 * yet when the choice is made. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) &&                       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define NZ_WIDE __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define NZ_WIDE
#endif

/* Which source pixels a result's pixel is made of, and how much of each: weights[i * taps ..], `count[i]` from `first[i]`. */
typedef struct weights {
    int taps;
    int *first, *count;
    int32_t *weight;
} weights;

static void weights_done(weights *w) {
    free(w->first);
    free(w->count);
    free(w->weight);
}

/* The triangle's values over one result pixel, which must sum to one. */
static void fill_weights(weights *w, int i, double *scratch, double center, double stretch, int source) {
    double sum = 0, unit = 1.0 / stretch;
    int first = (int)(center - stretch + 0.5), end = (int)(center + stretch + 0.5);
    if (first < 0) first = 0;
    if (end > source) end = source;
    for (int x = 0; x < end - first; x++) {
        double distance = fabs((x + first - center + 0.5) * unit);
        scratch[x] = distance < 1.0 ? 1.0 - distance : 0.0;
        sum += scratch[x];
    }
    for (int x = 0; x < end - first; x++)
        w->weight[(size_t)i * (size_t)w->taps + (size_t)x] =
            (int32_t)(0.5 + (sum != 0 ? scratch[x] / sum : scratch[x]) * (1 << PLACES));
    w->first[i] = first;
    w->count[i] = end - first;
}

static nz_status make_weights(weights *ret_weights, int source, int target, int begin, int count) {
    double scale = (double)source / target, stretch = scale < 1.0 ? 1.0 : scale;
    NZ_AUTO(weights_done) weights w = {.taps = (int)ceil(stretch) * 2 + 1};
    NZ_AUTO_FREE double *scratch = NULL;
    size_t cells = 0;
    if (!nz_mul_size(&cells, (size_t)w.taps, (size_t)count))
        return nz_fail(NZ_E_MEMORY, "out of memory: resizing to %d pixels", target);
    NZ_TRY(nz_alloc(&scratch, (size_t)w.taps, sizeof *scratch));
    NZ_TRY(nz_alloc(&w.first, (size_t)count, sizeof *w.first));
    NZ_TRY(nz_alloc(&w.count, (size_t)count, sizeof *w.count));
    NZ_TRY(nz_alloc(&w.weight, cells, sizeof *w.weight));
    for (int i = 0; i < count; i++) fill_weights(&w, i, scratch, (begin + i + 0.5) * scale, stretch, source);
    *ret_weights = w;
    w = (weights){0};
    return NZ_OK;
}

/* Weights are not negative and sum to at most 1 + taps / 2^23, so that only the upper end can be passed. */
static inline uint8_t rounded(int32_t sum) {
    int32_t value = sum >> PLACES;
    return (uint8_t)(value > 255 ? 255 : value);
}

/* Up to ROWS rows of `columns` bytes, turned so that the rows of one column lie side by side. */
static void turn(uint8_t *tile, const uint8_t *from, size_t stride, size_t columns, size_t rows) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) tile[c * ROWS + r] = from[r * stride + c];
}

NZ_WIDE static void across(uint8_t *out, size_t out_stride, const uint8_t *tile, const weights *w, int origin,
                           size_t width, size_t channels, size_t rows) {
    for (size_t x = 0; x < width; x++) {
        const int32_t *weight = w->weight + x * (size_t)w->taps;
        size_t taps = (size_t)w->count[x];
        for (size_t c = 0; c < channels; c++) {
            const uint8_t *column = tile + ((size_t)(w->first[x] - origin) * channels + c) * ROWS;
            int32_t sum[ROWS];
            uint8_t value[ROWS];
            for (int r = 0; r < ROWS; r++) sum[r] = HALF;
            for (size_t t = 0; t < taps; t++, column += channels * ROWS)
                for (int r = 0; r < ROWS; r++) sum[r] += column[r] * weight[t];
            for (int r = 0; r < ROWS; r++) value[r] = rounded(sum[r]);
            for (size_t r = 0; r < rows; r++) out[r * out_stride + x * channels + c] = value[r];
        }
    }
}

NZ_WIDE static void down(uint8_t *out, const uint8_t *from, size_t stride, const int32_t *weight, size_t taps,
                         size_t columns) {
    for (size_t begin = 0; begin < columns; begin += STRETCH) {
        size_t count = columns - begin < STRETCH ? columns - begin : STRETCH;
        int32_t sum[STRETCH];
        for (size_t x = 0; x < count; x++) sum[x] = HALF;
        for (size_t t = 0; t < taps; t++) {
            const uint8_t *row = from + t * stride + begin;
            int32_t factor = weight[t];
            for (size_t x = 0; x < count; x++) sum[x] += row[x] * factor;
        }
        for (size_t x = 0; x < count; x++) out[begin + x] = rounded(sum[x]);
    }
}

/* Rows [top, top + rows) of the source, resized across. */
static nz_status pass_across(nz_image *ret_image, const nz_image *image, int width, int left, int part_width, int top,
                             int rows) {
    NZ_AUTO(weights_done) weights w = {0};
    NZ_AUTO(nz_image_done) nz_image result = {0};
    NZ_AUTO_FREE uint8_t *tile = NULL;
    uint8_t *out = NULL;
    NZ_TRY(make_weights(&w, image->width, width, left, part_width));
    size_t channels = (size_t)image->channels, stride = (size_t)image->width * channels;
    int origin = w.first[0], end = w.first[part_width - 1] + w.count[part_width - 1];
    size_t columns = (size_t)(end - origin) * channels;
    NZ_TRY(nz_alloc(&tile, columns, ROWS));
    NZ_TRY(nz_image_init(&result, &out, part_width, rows, image->channels));
    for (size_t y = 0; y < (size_t)rows; y += ROWS) {
        size_t count = (size_t)rows - y < ROWS ? (size_t)rows - y : ROWS, row = (size_t)part_width * channels;
        turn(tile, image->pixels + ((size_t)top + y) * stride + (size_t)origin * channels, stride, columns, count);
        across(out + y * row, row, tile, &w, origin, (size_t)part_width, channels, count);
    }
    *ret_image = result;
    result = (nz_image){0};
    return NZ_OK;
}

nz_status nz_image_resize_part(nz_image *ret_image, const nz_image *image, int width, int height, int left, int top,
                               int part_width, int part_height) {
    if (image->planar || width < 1 || height < 1 || width > NZ_IMAGE_SIDE_MAX || height > NZ_IMAGE_SIDE_MAX)
        return nz_fail(NZ_E_SHAPE, "an image of %dx%d cannot be resized to %dx%d", image->width, image->height, width,
                       height);
    if ((int64_t)part_width * part_height > NZ_IMAGE_PIXELS_MAX ||
        (int64_t)part_width * image->height > 4LL * NZ_IMAGE_PIXELS_MAX)
        return nz_fail(NZ_E_SHAPE, "an image of %dx%d becomes too large at %dx%d", image->width, image->height, width,
                       height);
    NZ_AUTO(weights_done) weights w = {0};
    NZ_AUTO(nz_image_done) nz_image middle = {0};
    int first = top, rows = part_height;
    if (height != image->height) {
        NZ_TRY(make_weights(&w, image->height, height, top, part_height));
        first = w.first[0];
        rows = w.first[part_height - 1] + w.count[part_height - 1] - first;
    }
    if (width != image->width)
        NZ_TRY(pass_across(&middle, image, width, left, part_width, first, rows));
    else
        NZ_TRY(nz_image_crop(&middle, image, left, first, part_width, rows));
    if (height == image->height) {
        *ret_image = middle;
        middle = (nz_image){0};
        return NZ_OK;
    }
    uint8_t *out = NULL;
    nz_image result;
    NZ_TRY(nz_image_init(&result, &out, part_width, part_height, image->channels));
    size_t row = (size_t)part_width * (size_t)image->channels;
    for (int y = 0; y < part_height; y++)
        down(out + (size_t)y * row, middle.pixels + (size_t)(w.first[y] - first) * row, row,
             w.weight + (size_t)y * (size_t)w.taps, (size_t)w.count[y], row);
    *ret_image = result;
    return NZ_OK;
}
