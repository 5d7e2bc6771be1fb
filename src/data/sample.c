/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one sample of a data set: its image, its values, its label. */
#include <stdio.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/augment.h"
#include "data/dataset.h"

const char *nz_data_sample_name(const nz_dataset *d, size_t at, char buffer[NZ_SAMPLE_NAME_BYTES]) {
    if (d->source.kind->path) return d->source.kind->path(&d->source, at);
    snprintf(buffer, NZ_SAMPLE_NAME_BYTES, "%s: sample %zu", d->source.kind->name, at);
    return buffer;
}

nz_status nz_data_check_index(const nz_dataset *d, size_t i) {
    return i < d->count ? NZ_OK : nz_fail(NZ_E_ARG, "sample %zu of %zu is not there", i, d->count);
}

nz_status nz_data_sample_size(const nz_dataset *d, int *ret_width, int *ret_height) {
    const int64_t *dim = d->shape.dim;
    int64_t height = d->preprocess.nhwc ? dim[0] : dim[1], width = d->preprocess.nhwc ? dim[1] : dim[2];
    if (height < 1 || width < 1 || height > NZ_IMAGE_SIDE_MAX || width > NZ_IMAGE_SIDE_MAX)
        return nz_fail(NZ_E_SHAPE, "%s: samples vary in size; give resize=HxW, crop= or letterbox=", d->description);
    *ret_width = (int)width;
    *ret_height = (int)height;
    return NZ_OK;
}

nz_status nz_data_check_size(const nz_dataset *d, const nz_image *image, size_t at) {
    int width = 0, height = 0;
    NZ_TRY(nz_data_sample_size(d, &width, &height));
    if (image->height == height && image->width == width) return NZ_OK;
    char buffer[NZ_SAMPLE_NAME_BYTES];
    return nz_fail(NZ_E_SHAPE,
                   "%s: the image is %dx%d (width x height) after preprocessing; %dx%d is wanted "
                   "(resize=, crop= or letterbox=)",
                   nz_data_sample_name(d, at, buffer), image->width, image->height, width, height);
}

nz_status nz_data_keep(nz_dataset *d, size_t bytes) {
    if (d->keep || d->source.at_hand || d->source.values.rank) return NZ_OK;
    return nz_keep_new(&d->keep, d->source.count, bytes);
}

nz_status nz_data_read_image(const nz_dataset *d, size_t at, bool raw, nz_image *ret_image) {
    NZ_AUTO(nz_image_done) nz_image image = {0}, shaped = {0};
    if (!raw && !nz_preprocess_has_geometry(&d->preprocess)) raw = true;
    if (d->keep && nz_keep_find(d->keep, raw, at, ret_image)) return NZ_OK;
    NZ_TRY(d->source.kind->image(&d->source, at, &image));
    if (!raw) {
        char buffer[NZ_SAMPLE_NAME_BYTES];
        NZ_TRY(nz_preprocess_geometry(&shaped, &d->preprocess, &image, nz_data_sample_name(d, at, buffer)));
    }
    nz_image *result = raw ? &image : &shaped;
    if (d->keep) nz_keep_put(d->keep, raw, at, result);
    *ret_image = *result;
    *result = (nz_image){0};
    return NZ_OK;
}

int32_t nz_data_label(const nz_dataset *d, size_t i) {
    return i < d->count ? nz_data_source_label(d, nz_data_source_index(d, i)) : -1;
}

nz_status nz_data_get(const nz_dataset *d, size_t i, float *out, int32_t *ret_label) {
    NZ_TRY(nz_data_check_index(d, i));
    size_t at = nz_data_source_index(d, i);
    const nz_source_kind *kind = d->source.kind;
    if (d->source.values.rank) {
        NZ_TRY(kind->values(&d->source, at, out));
        *ret_label = nz_data_source_label(d, at);
        return NZ_OK;
    }
    NZ_AUTO(nz_image_done) nz_image image = {0};
    NZ_TRY(nz_data_read_image(d, at, false, &image));
    NZ_TRY(nz_data_check_size(d, &image, at));
    NZ_TRY(nz_preprocess_values(&d->preprocess, d->table, d->channels, &image, out));
    *ret_label = nz_data_source_label(d, at);
    return NZ_OK;
}

/* The part of the image that was drawn, at the size of samples. */
static nz_status read_part(const nz_dataset *d, size_t at, const nz_augment_draw *draw, nz_image *ret_image) {
    NZ_AUTO(nz_image_done) nz_image image = {0}, flat = {0}, part = {0};
    int width = 0, height = 0;
    NZ_TRY(nz_data_sample_size(d, &width, &height));
    NZ_TRY(nz_data_read_image(d, at, true, &image));
    if (image.planar) NZ_TRY(nz_image_interleave(&flat, &image));
    nz_augment_box box = nz_augment_place(draw, image.width, image.height);
    NZ_TRY(nz_image_crop(&part, image.planar ? &flat : &image, box.left, box.top, box.width, box.height));
    return nz_image_resize(ret_image, &part, width, height);
}

/* Replaces the image, which may be borrowed, by its changed copy. */
static nz_status change_pixels(const nz_dataset *d, const nz_augment_draw *draw, nz_image *image) {
    NZ_AUTO(nz_image_done) nz_image flat = {0}, changed = {0};
    if (image->planar) NZ_TRY(nz_image_interleave(&flat, image));
    uint8_t fill = d->preprocess.box_width ? (uint8_t)d->preprocess.box_fill : NZ_PREPROCESS_FILL;
    NZ_TRY(nz_augment_pixels(&changed, image->planar ? &flat : image, draw, fill));
    nz_image_done(image);
    *image = changed;
    changed = (nz_image){0};
    return NZ_OK;
}

nz_status nz_data_get_augmented(const nz_dataset *d, size_t i, const nz_augment *augment, float *out,
                                int32_t *ret_label) {
    if (nz_augment_is_none(augment)) return nz_data_get(d, i, out, ret_label);
    NZ_TRY(nz_augment_check(augment));
    NZ_TRY(nz_data_check_index(d, i));
    if (d->source.values.rank)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: float values are no images; augmentation needs arrays of 8-bit pixels",
                       d->description);
    size_t at = nz_data_source_index(d, i);
    NZ_AUTO(nz_image_done) nz_image image = {0};
    nz_augment_draw draw = nz_augment_draw_sample(augment, i);
    if (augment->resized_crop)
        NZ_TRY(read_part(d, at, &draw, &image));
    else
        NZ_TRY(nz_data_read_image(d, at, false, &image));
    NZ_TRY(nz_data_check_size(d, &image, at));
    if (nz_augment_changes_pixels(&draw)) NZ_TRY(change_pixels(d, &draw, &image));
    nz_shift shift = {.left = draw.left, .top = draw.top, .flip = draw.flip};
    NZ_TRY(nz_preprocess_values_shifted(&d->preprocess, d->table, d->channels, &image, &shift, out));
    *ret_label = nz_data_source_label(d, at);
    return NZ_OK;
}

/* Interleaved pixels as RGB; gray is repeated. */
static nz_status to_rgb(uint8_t **ret_rgb, int *ret_width, int *ret_height, const nz_image *image) {
    uint8_t *rgb = NULL;
    size_t pixels = (size_t)image->width * (size_t)image->height, step = (size_t)image->channels;
    NZ_TRY(nz_alloc(&rgb, pixels, 3));
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < 3; c++) rgb[p * 3 + c] = image->pixels[p * step + (c < step ? c : 0)];
    *ret_rgb = rgb;
    *ret_width = image->width;
    *ret_height = image->height;
    return NZ_OK;
}

static nz_status read_stored(nz_image *ret_raw, const nz_dataset *d, size_t i) {
    NZ_TRY(nz_data_check_index(d, i));
    if (d->source.values.rank) return nz_fail(NZ_E_UNSUPPORTED, "%s: float values have no image", d->description);
    return d->source.kind->image(&d->source, nz_data_source_index(d, i), ret_raw);
}

nz_status nz_data_image(const nz_dataset *d, size_t i, uint8_t **ret_rgb, int *ret_width, int *ret_height) {
    NZ_AUTO(nz_image_done) nz_image raw = {0}, shaped = {0};
    char buffer[NZ_SAMPLE_NAME_BYTES];
    NZ_TRY(read_stored(&raw, d, i));
    const char *name = nz_data_sample_name(d, nz_data_source_index(d, i), buffer);
    NZ_TRY(nz_preprocess_geometry(&shaped, &d->preprocess, &raw, name));
    return to_rgb(ret_rgb, ret_width, ret_height, &shaped);
}

nz_status nz_data_stored_image(const nz_dataset *d, size_t i, uint8_t **ret_rgb, int *ret_width, int *ret_height) {
    NZ_AUTO(nz_image_done) nz_image raw = {0}, flat = {0};
    NZ_TRY(read_stored(&raw, d, i));
    if (raw.planar) NZ_TRY(nz_image_interleave(&flat, &raw));
    return to_rgb(ret_rgb, ret_width, ret_height, raw.planar ? &flat : &raw);
}
