/* SPDX-License-Identifier: Apache-2.0 */
/** Images of 8 bits a channel: decoding as Pillow decodes, resizing as Pillow resizes. */
#ifndef NZ_DATA_IMAGE_H
#define NZ_DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

enum {
    NZ_IMAGE_SIDE_MAX = 65535,          /**< pixels along one side */
    NZ_IMAGE_PIXELS_MAX = 100000000,    /**< pixels of one image: beyond it a file is taken for a decompression bomb */
    NZ_IMAGE_FILE_BYTES_MAX = 256 << 20 /**< bytes of one image file */
};

/** Rows top to bottom without gaps; channels interleaved (HWC), or one plane after the other (CHW) where `planar`. */
typedef struct nz_image {
    int width, height, channels;
    bool planar;
    const uint8_t *pixels;
    void *owned; /**< what free() releases; NULL: pixels are borrowed */
} nz_image;

/** An image of its own pixels, not initialised; *ret_pixels is where to write them. Release with nz_image_done. */
NZ_CHECKED nz_status nz_image_init(nz_image *ret_image, uint8_t **ret_pixels, int width, int height, int channels);
void nz_image_done(nz_image *image);

/**
 * Decodes a JPEG or PNG file to RGB, as Pillow's open(...).convert('RGB') does: EXIF orientation is not applied, alpha
 * is dropped, gray is repeated, CMYK is taken as Adobe writes it. 16-bit samples keep their high byte, gray ones too
 * (where Pillow saturates them).
 *
 * @param name  What messages call it.
 * @return NZ_E_FORMAT: broken, truncated, or larger than the limits above; NZ_E_UNSUPPORTED: neither JPEG nor PNG.
 */
NZ_CHECKED nz_status nz_image_decode(nz_image *ret_image, const void *bytes, size_t count, const char *name);
/** The same from a file. NZ_E_IO where it cannot be read. */
NZ_CHECKED nz_status nz_image_load(nz_image *ret_image, const char *path);

/** The extents in a JPEG or PNG file's header; nothing else of the file is looked at. As nz_image_load. */
NZ_CHECKED nz_status nz_image_load_size(int *ret_width, int *ret_height, const char *path);

/* The two decoders behind nz_image_decode. */
NZ_CHECKED nz_status nz_jpeg_decode(nz_image *ret_image, const uint8_t *bytes, size_t count, const char *name);
NZ_CHECKED nz_status nz_png_decode(nz_image *ret_image, const uint8_t *bytes, size_t count, const char *name);
/** NZ_E_FORMAT where a header's size is beyond the limits or beyond what `count` bytes of file can hold at
 * `pixels_per_byte`. */
NZ_CHECKED nz_status nz_image_check_size(const char *name, uint64_t width, uint64_t height, size_t count,
                                         uint64_t pixels_per_byte);

/** RGB or gray pixels (interleaved) as the bytes of a PNG file. The same pixels give the same bytes with one libpng and
 * zlib. Owned: free(). */
NZ_CHECKED nz_status nz_png_encode(uint8_t **ret_bytes, size_t *ret_count, const nz_image *image);
/** The same as a JPEG file of the given quality (1 to 100). NZ_E_ARG for planes and for what a JPEG cannot hold. */
NZ_CHECKED nz_status nz_jpeg_encode(uint8_t **ret_bytes, size_t *ret_count, const nz_image *image, int quality);

/** A copy with interleaved channels. */
NZ_CHECKED nz_status nz_image_interleave(nz_image *ret_image, const nz_image *image);
/** Gray of an RGB image: (19595 R + 38470 G + 7471 B + 32768) / 65536, as Pillow's convert('L'). Interleaved in and out. */
NZ_CHECKED nz_status nz_image_gray(nz_image *ret_image, const nz_image *image);
/** The part of width x height at (left, top), which must lie inside. Interleaved in and out. */
NZ_CHECKED nz_status nz_image_crop(nz_image *ret_image, const nz_image *image, int left, int top, int width,
                                   int height);

/**
 * The part [left, left + part_width) x [top, top + part_height) of `image` resized to width x height: antialiased
 * bilinear, equal to Pillow's Image.resize(..., BILINEAR) bit for bit. Interleaved in and out; any number of channels.
 *
 * Two passes, across and then down, each a weighted sum of source pixels by a triangle as wide as the scale (at least
 * one pixel) around the centre of the result's pixel; weights have 22 binary places, sums are rounded half up to 8 bits
 * after each pass.
 * @source Pillow's documentation, "Concepts: Filters"; Heckbert, Fundamentals of Texture Mapping, 1989 (two-pass resampling)
 */
NZ_CHECKED nz_status nz_image_resize_part(nz_image *ret_image, const nz_image *image, int width, int height, int left,
                                          int top, int part_width, int part_height);
NZ_CHECKED nz_status nz_image_resize(nz_image *ret_image, const nz_image *image, int width, int height);

#endif
