/* SPDX-License-Identifier: Apache-2.0 */
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

nz_status nz_image_init(nz_image *ret_image, uint8_t **ret_pixels, int width, int height, int channels) {
    size_t row = 0, bytes = 0;
    void *pixels = NULL;
    if (width < 1 || height < 1 || channels < 1 || !nz_mul_size(&row, (size_t)width, (size_t)channels) ||
        !nz_mul_size(&bytes, row, (size_t)height))
        return nz_fail(NZ_E_SHAPE, "an image of %dx%d with %d channels is not possible", width, height, channels);
    NZ_TRY(nz_alloc_aligned(&pixels, bytes, 1));
    *ret_pixels = pixels;
    *ret_image = (nz_image){.width = width, .height = height, .channels = channels, .pixels = pixels, .owned = pixels};
    return NZ_OK;
}

void nz_image_done(nz_image *image) {
    free(image->owned);
    *image = (nz_image){0};
}

nz_status nz_image_check_size(const char *name, uint64_t width, uint64_t height, size_t count,
                              uint64_t pixels_per_byte) {
    if (!width || !height) return nz_fail(NZ_E_FORMAT, "%s: the image has no pixels", name);
    if (width > NZ_IMAGE_SIDE_MAX || height > NZ_IMAGE_SIDE_MAX || width * height > NZ_IMAGE_PIXELS_MAX)
        return nz_fail(
            NZ_E_FORMAT, "%s: the header says %llux%llu pixels; at most %d a side and %d million in all are read", name,
            (unsigned long long)width, (unsigned long long)height, NZ_IMAGE_SIDE_MAX, NZ_IMAGE_PIXELS_MAX / 1000000);
    if (width * height / pixels_per_byte > (uint64_t)count)
        return nz_fail(NZ_E_FORMAT, "%s: the header says %llux%llu pixels, which a file of %zu bytes cannot hold", name,
                       (unsigned long long)width, (unsigned long long)height, count);
    return NZ_OK;
}

nz_status nz_image_decode(nz_image *ret_image, const void *bytes, size_t count, const char *name) {
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (count >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return nz_jpeg_decode(ret_image, bytes, count, name);
    if (count >= sizeof png && memcmp(bytes, png, sizeof png) == 0) return nz_png_decode(ret_image, bytes, count, name);
    if (!count) return nz_fail(NZ_E_FORMAT, "%s: the file is empty", name);
    return nz_fail(NZ_E_UNSUPPORTED, "%s: neither JPEG nor PNG", name);
}

nz_status nz_image_load(nz_image *ret_image, const char *path) {
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    NZ_TRY(nz_file_read(&bytes, &count, path, NZ_IMAGE_FILE_BYTES_MAX));
    return nz_image_decode(ret_image, bytes, count, path);
}

nz_status nz_image_interleave(nz_image *ret_image, const nz_image *image) {
    nz_image result;
    uint8_t *out = NULL;
    NZ_TRY(nz_image_init(&result, &out, image->width, image->height, image->channels));
    size_t plane = (size_t)image->width * (size_t)image->height, channels = (size_t)image->channels;
    if (!image->planar)
        memcpy(out, image->pixels, plane * channels);
    else
        for (size_t c = 0; c < channels; c++)
            for (size_t i = 0; i < plane; i++) out[i * channels + c] = image->pixels[c * plane + i];
    *ret_image = result;
    return NZ_OK;
}

nz_status nz_image_gray(nz_image *ret_image, const nz_image *image) {
    nz_image result;
    uint8_t *out = NULL;
    if (image->channels != 3) return nz_fail(NZ_E_SHAPE, "gray is made from 3 channels, not from %d", image->channels);
    NZ_TRY(nz_image_init(&result, &out, image->width, image->height, 1));
    size_t plane = (size_t)image->width * (size_t)image->height;
    const uint8_t *p = image->pixels;
    for (size_t i = 0; i < plane; i++, p += 3)
        out[i] = (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
    *ret_image = result;
    return NZ_OK;
}

nz_status nz_image_crop(nz_image *ret_image, const nz_image *image, int left, int top, int width, int height) {
    nz_image result;
    uint8_t *out = NULL;
    NZ_TRY(nz_image_init(&result, &out, width, height, image->channels));
    size_t channels = (size_t)image->channels, row = (size_t)width * channels, stride = (size_t)image->width * channels;
    const uint8_t *from = image->pixels + (size_t)top * stride + (size_t)left * channels;
    for (size_t y = 0; y < (size_t)height; y++) memcpy(out + y * row, from + y * stride, row);
    *ret_image = result;
    return NZ_OK;
}

nz_status nz_image_resize(nz_image *ret_image, const nz_image *image, int width, int height) {
    return nz_image_resize_part(ret_image, image, width, height, 0, 0, width, height);
}
