/* SPDX-License-Identifier: Apache-2.0 */
/* What the preprocessing does to an image. Its keys are read in preprocess_keys.c. */
#include "data/preprocess.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

bool nz_preprocess_has_geometry(const nz_preprocess *p) { return p->resize_width || p->crop_width || p->box_width; }

static int at_least_one(double value) { return value < 1 ? 1 : (int)value; }

nz_letterbox nz_preprocess_letterbox(const nz_preprocess *p, int width, int height) {
    /* In doubles, as the networks' own programs compute it: where the product falls just short of a whole number, so does theirs. */
    double across = (double)p->box_width / width, down = (double)p->box_height / height;
    nz_letterbox box = {.scale = across < down ? across : down};
    double w = width * box.scale, h = height * box.scale;
    box.width = at_least_one(p->box_floor ? floor(w) : nearbyint(w));
    box.height = at_least_one(p->box_floor ? floor(h) : nearbyint(h));
    if (box.width > p->box_width) box.width = p->box_width;
    if (box.height > p->box_height) box.height = p->box_height;
    box.left = p->box_top_left ? 0 : (p->box_width - box.width) / 2;
    box.top = p->box_top_left ? 0 : (p->box_height - box.height) / 2;
    return box;
}

/* The short side becomes resize_width; the long one follows, rounded down. */
static void resized(const nz_preprocess *p, int *width, int *height) {
    if (!p->resize_width) return;
    if (p->resize_height) {
        *width = p->resize_width;
        *height = p->resize_height;
        return;
    }
    bool wide = *width > *height;
    int64_t shorter = wide ? *height : *width, longer = wide ? *width : *height, side = p->resize_width;
    int64_t other = side * longer / shorter;
    int fitted = other > NZ_IMAGE_SIDE_MAX ? NZ_IMAGE_SIDE_MAX + 1 : (int)other;
    *width = wide ? fitted : p->resize_width;
    *height = wide ? p->resize_width : fitted;
}

void nz_preprocess_size(const nz_preprocess *p, int width, int height, int *ret_width, int *ret_height) {
    bool known = width > 0 || (p->resize_width && p->resize_height);
    if (known) resized(p, &width, &height);
    if (p->crop_width) {
        width = p->crop_width;
        height = p->crop_height;
        known = true;
    }
    if (p->box_width) {
        width = p->box_width;
        height = p->box_height;
        known = true;
    }
    *ret_width = known ? width : -1;
    *ret_height = known ? height : -1;
}

void nz_preprocess_place(nz_placement *ret_placement, const nz_preprocess *p, int width, int height) {
    nz_placement place = {.image_width = width, .image_height = height};
    int new_width = width, new_height = height;
    resized(p, &new_width, &new_height);
    place.scale_x = (double)new_width / width;
    place.scale_y = (double)new_height / height;
    if (p->crop_width) {
        place.left = -(double)((new_width - p->crop_width) / 2);
        place.top = -(double)((new_height - p->crop_height) / 2);
        new_width = p->crop_width;
        new_height = p->crop_height;
    }
    if (p->box_width) {
        nz_letterbox box = nz_preprocess_letterbox(p, new_width, new_height);
        place.scale_x *= box.scale;
        place.scale_y *= box.scale;
        place.left = place.left * box.scale + box.left;
        place.top = place.top * box.scale + box.top;
        new_width = p->box_width;
        new_height = p->box_height;
    }
    place.width = new_width;
    place.height = new_height;
    *ret_placement = place;
}

/* Resizing yields only what the crop keeps. */
static nz_status resize_and_crop(nz_image *ret_image, const nz_preprocess *p, const nz_image *image, const char *name) {
    int width = image->width, height = image->height;
    resized(p, &width, &height);
    int crop_width = p->crop_width ? p->crop_width : width, crop_height = p->crop_width ? p->crop_height : height;
    if (crop_width > width || crop_height > height)
        return nz_fail(NZ_E_SHAPE,
                       "%s: the image is %dx%d (width x height), smaller than the crop of %dx%d; resize= first", name,
                       width, height, crop_width, crop_height);
    int left = (width - crop_width) / 2, top = (height - crop_height) / 2;
    nz_status status = nz_image_resize_part(ret_image, image, width, height, left, top, crop_width, crop_height);
    return nz_fail_context(status, "%s", name);
}

static nz_status put_in_box(nz_image *ret_image, const nz_preprocess *p, const nz_image *image) {
    nz_letterbox box = nz_preprocess_letterbox(p, image->width, image->height);
    NZ_AUTO(nz_image_done) nz_image inside = {0};
    NZ_TRY(nz_image_resize(&inside, image, box.width, box.height));
    nz_image result;
    uint8_t *out = NULL;
    NZ_TRY(nz_image_init(&result, &out, p->box_width, p->box_height, image->channels));
    size_t channels = (size_t)image->channels, stride = (size_t)p->box_width * channels,
           row = (size_t)box.width * channels;
    memset(out, p->box_fill, stride * (size_t)p->box_height);
    out += (size_t)box.top * stride + (size_t)box.left * channels;
    for (size_t y = 0; y < (size_t)box.height; y++) memcpy(out + y * stride, inside.pixels + y * row, row);
    *ret_image = result;
    return NZ_OK;
}

nz_status nz_preprocess_geometry(nz_image *ret_image, const nz_preprocess *p, const nz_image *image, const char *name) {
    NZ_AUTO(nz_image_done) nz_image flat = {0}, cut = {0};
    if (image->planar || !nz_preprocess_has_geometry(p)) {
        NZ_TRY(nz_image_interleave(&flat, image));
        image = &flat;
    }
    if (p->resize_width || p->crop_width) {
        NZ_TRY(resize_and_crop(&cut, p, image, name));
        image = &cut;
    }
    if (p->box_width) return put_in_box(ret_image, p, image);
    nz_image *last = cut.owned ? &cut : &flat;
    *ret_image = *last;
    *last = (nz_image){0};
    return NZ_OK;
}

nz_status nz_preprocess_channels(int *ret_channels, const nz_preprocess *p, int channels, const char *what) {
    int result = channels;
    if (p->color != NZ_COLOR_AS_IS) {
        if (channels != 1 && channels != 3)
            return nz_fail(NZ_E_ARG, "%s: color= needs 1 or 3 channels; the samples have %d", what, channels);
        result = p->color == NZ_COLOR_GRAY ? 1 : 3;
    }
    if (p->mean_count > 1 && p->mean_count != result)
        return nz_fail(NZ_E_ARG, "%s: mean= lists %d numbers for %d channels", what, p->mean_count, result);
    if (p->std_count > 1 && p->std_count != result)
        return nz_fail(NZ_E_ARG, "%s: std= lists %d numbers for %d channels", what, p->std_count, result);
    *ret_channels = result;
    return NZ_OK;
}

static double listed(const double *list, int count, int c, double otherwise) {
    return count == 0 ? otherwise : list[count == 1 ? 0 : c];
}

void nz_preprocess_table(const nz_preprocess *p, int channels, float *out) {
    for (int c = 0; c < channels; c++) {
        double mean = listed(p->mean, p->mean_count, c, 0.0), std = listed(p->std, p->std_count, c, 1.0);
        for (int v = 0; v < 256; v++) *out++ = (float)((v * p->scale - mean) / std);
    }
}

static void plane_values(float *out, size_t step, const uint8_t *from, size_t from_step, const float *table,
                         size_t count) {
    if (step == 1 && from_step == 1)
        for (size_t i = 0; i < count; i++) out[i] = table[from[i]];
    else
        for (size_t i = 0; i < count; i++) out[i * step] = table[from[i * from_step]];
}

/* One row of a shifted plane: `count` values `step` apart, from `row` (NULL: all black). */
static void shifted_row(float *out, ptrdiff_t step, const uint8_t *row, size_t from_step, const float *table,
                        ptrdiff_t count, const nz_shift *shift) {
    ptrdiff_t begin = row ? -shift->left : count, end = count - shift->left;
    if (begin < 0) begin = 0;
    if (begin > count) begin = count;
    if (end > count) end = count;
    if (end < begin) end = begin;
    if (shift->flip) {
        out += (count - 1) * step;
        step = -step;
    }
    float black = table[0];
    for (ptrdiff_t x = 0; x < begin; x++) out[x * step] = black;
    if (begin < end) row += (size_t)(begin + shift->left) * from_step;
    if (step == 1 && from_step == 1)
        for (ptrdiff_t x = begin; x < end; x++) out[x] = table[*row++];
    else if (step == -1 && from_step == 1)
        for (ptrdiff_t x = begin; x < end; x++) out[-x] = table[*row++];
    else
        for (ptrdiff_t x = begin; x < end; x++, row += from_step) out[x * step] = table[*row];
    for (ptrdiff_t x = end; x < count; x++) out[x * step] = black;
}

static void shifted_plane(float *out, size_t step, const uint8_t *from, size_t from_step, const float *table,
                          const nz_image *image, const nz_shift *shift) {
    size_t width = (size_t)image->width;
    for (int y = 0; y < image->height; y++, out += width * step) {
        int source = y + shift->top;
        const uint8_t *row = source < 0 || source >= image->height ? NULL : from + (size_t)source * width * from_step;
        shifted_row(out, (ptrdiff_t)step, row, from_step, table, (ptrdiff_t)width, shift);
    }
}

/* Color, arithmetic and layout, of the image as it is where `shift` is NULL. */
static nz_status write_values(const nz_preprocess *p, const float *table, int channels, const nz_image *image,
                              const nz_shift *shift, float *out) {
    NZ_AUTO(nz_image_done) nz_image flat = {0}, gray = {0};
    if (p->color == NZ_COLOR_GRAY && image->channels == 3) {
        if (image->planar) {
            NZ_TRY(nz_image_interleave(&flat, image));
            image = &flat;
        }
        NZ_TRY(nz_image_gray(&gray, image));
        image = &gray;
    }
    size_t count = (size_t)image->width * (size_t)image->height;
    size_t step = p->nhwc ? (size_t)channels : 1, from_step = image->planar ? 1 : (size_t)image->channels;
    for (int c = 0; c < channels; c++) {
        size_t from = (size_t)(image->channels == 1 ? 0 : p->color == NZ_COLOR_BGR ? 2 - c : c);
        const uint8_t *pixels = image->pixels + (image->planar ? from * count : from);
        float *plane = out + (p->nhwc ? (size_t)c : (size_t)c * count);
        if (shift)
            shifted_plane(plane, step, pixels, from_step, table + (size_t)c * 256, image, shift);
        else
            plane_values(plane, step, pixels, from_step, table + (size_t)c * 256, count);
    }
    return NZ_OK;
}

nz_status nz_preprocess_values(const nz_preprocess *p, const float *table, int channels, const nz_image *image,
                               float *out) {
    return write_values(p, table, channels, image, NULL, out);
}

nz_status nz_preprocess_values_shifted(const nz_preprocess *p, const float *table, int channels, const nz_image *image,
                                       const nz_shift *shift, float *out) {
    return write_values(p, table, channels, image, shift, out);
}
