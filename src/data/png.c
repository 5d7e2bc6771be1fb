/* SPDX-License-Identifier: Apache-2.0 */
/* PNG through libpng, to 8-bit RGB: palette and gray expanded, alpha dropped, the high byte of 16-bit samples. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/image.h"

enum { DEFLATE_MOST = 1032 /* bytes out of one */, CHUNK_BYTES_MAX = 8 << 20 };

/* All that must survive a longjmp lives here, not in locals. */
typedef struct coder {
    png_structp png;
    png_infop info;
    const char *name;
    nz_status status;
    const uint8_t *bytes;
    size_t count, at;
    nz_image image;
    uint8_t *pixels;
    png_bytep *rows;
    nz_text written;
} coder;

static void on_error(png_structp png, png_const_charp message) {
    coder *c = png_get_error_ptr(png);
    bool memory = strstr(message, "memory") != NULL; /* libpng has no codes, only words */
    if (c->status == NZ_OK)
        c->status = memory ? nz_fail(NZ_E_MEMORY, "%s: %s", c->name, message)
                           : nz_fail(NZ_E_FORMAT, "%s: broken PNG: %s", c->name, message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void read_bytes(png_structp png, png_bytep out, size_t count) {
    coder *c = png_get_io_ptr(png);
    if (count > c->count - c->at) png_error(png, "the file ends before the image does");
    memcpy(out, c->bytes + c->at, count);
    c->at += count;
}

static nz_status prepare(coder *c) {
    png_set_user_limits(c->png, NZ_IMAGE_SIDE_MAX, NZ_IMAGE_SIDE_MAX);
    png_set_chunk_malloc_max(c->png, CHUNK_BYTES_MAX);
    png_set_keep_unknown_chunks(c->png, PNG_HANDLE_CHUNK_NEVER, NULL,
                                -1); /* texts and profiles can be bombs of their own */
    png_set_read_fn(c->png, c, read_bytes);
    png_read_info(c->png, c->info);
    png_uint_32 width = png_get_image_width(c->png, c->info), height = png_get_image_height(c->png, c->info);
    int color = png_get_color_type(c->png, c->info), depth = png_get_bit_depth(c->png, c->info);
    unsigned pixel_bits = (unsigned)depth * png_get_channels(c->png, c->info);
    NZ_TRY(nz_image_check_size(c->name, width, height, c->count, DEFLATE_MOST * 8 / pixel_bits));
    if (depth == 16) png_set_strip_16(c->png);
    if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(c->png);
    if (color == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(c->png);
    if (!(color & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(c->png);
    png_set_strip_alpha(c->png);
    png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    if (png_get_rowbytes(c->png, c->info) != (size_t)width * 3)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: PNG of colour type %d with %d bits cannot be read as RGB", c->name, color,
                       depth);
    NZ_TRY(nz_alloc(&c->rows, height, sizeof *c->rows));
    NZ_TRY(nz_image_init(&c->image, &c->pixels, (int)width, (int)height, 3));
    for (size_t y = 0; y < height; y++) c->rows[y] = c->pixels + y * width * 3;
    return NZ_OK;
}

static nz_status decode(coder *c) {
    if (setjmp(png_jmpbuf(c->png))) return c->status;
    NZ_TRY(prepare(c));
    png_read_image(c->png, c->rows);
    png_read_end(c->png, NULL);
    return NZ_OK;
}

nz_status nz_png_decode(nz_image *ret_image, const uint8_t *bytes, size_t count, const char *name) {
    coder c = {.name = name, .bytes = bytes, .count = count};
    c.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning);
    c.info = c.png ? png_create_info_struct(c.png) : NULL;
    nz_status status = c.info ? decode(&c) : nz_fail(NZ_E_MEMORY, "%s: out of memory", name);
    png_destroy_read_struct(&c.png, &c.info, NULL);
    if (status == NZ_OK)
        *ret_image = c.image;
    else
        nz_image_done(&c.image);
    free(c.rows);
    return status;
}

static void write_bytes(png_structp png, png_bytep bytes, size_t count) {
    coder *c = png_get_io_ptr(png);
    nz_text_append_bytes(&c->written, bytes, count);
}

static void flush_nothing(png_structp png) { (void)png; }

static nz_status encode(coder *c) {
    if (setjmp(png_jmpbuf(c->png))) return c->status;
    const nz_image *image = &c->image;
    png_set_write_fn(c->png, c, write_bytes, flush_nothing);
    png_set_IHDR(c->png, c->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 image->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(c->png, 6);
    png_write_info(c->png, c->info);
    size_t row = (size_t)image->width * (size_t)image->channels;
    for (size_t y = 0; y < (size_t)image->height; y++) png_write_row(c->png, image->pixels + y * row);
    png_write_end(c->png, NULL);
    return NZ_OK;
}

nz_status nz_png_encode(uint8_t **ret_bytes, size_t *ret_count, const nz_image *image) {
    if (image->planar || (image->channels != 1 && image->channels != 3))
        return nz_fail(NZ_E_SHAPE, "a PNG is written from 1 or 3 interleaved channels, not from %d", image->channels);
    coder c = {.name = "PNG", .image = *image};
    c.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning);
    c.info = c.png ? png_create_info_struct(c.png) : NULL;
    nz_status status = c.info ? encode(&c) : nz_fail(NZ_E_MEMORY, "out of memory while a PNG is written");
    png_destroy_write_struct(&c.png, &c.info);
    size_t count = c.written.length;
    char *bytes = NULL;
    if (status == NZ_OK) status = nz_text_take(&c.written, &bytes);
    nz_text_done(&c.written);
    NZ_TRY(status);
    *ret_bytes = (uint8_t *)bytes;
    *ret_count = count;
    return NZ_OK;
}
