/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG for pictures that people look at: photographs in a page, where PNG would be ten times as large. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/image.h"

/* All that must survive a longjmp lives here, not in locals. */
typedef struct encoder {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    jmp_buf escape;
    nz_status status;
    struct jpeg_destination_mgr destination; /* the library's own in memory loses its buffer where memory is short */
    uint8_t *bytes;
    size_t count, capacity;
} encoder;

static boolean on_full(j_compress_ptr info) {
    enum { PIECE = 1 << 16 };
    encoder *e = info->client_data;
    size_t used = e->capacity;
    e->status = nz_grow(&e->bytes, &e->capacity, used + PIECE, 1);
    if (e->status != NZ_OK) longjmp(e->escape, 1);
    e->destination.next_output_byte = e->bytes + used;
    e->destination.free_in_buffer = e->capacity - used;
    return TRUE;
}

static void on_begin(j_compress_ptr info) { (void)on_full(info); }

static void on_end(j_compress_ptr info) {
    encoder *e = info->client_data;
    e->count = e->capacity - e->destination.free_in_buffer;
}

static void on_error(j_common_ptr common) {
    encoder *e = common->client_data;
    char message[JMSG_LENGTH_MAX];
    common->err->format_message(common, message);
    e->status = nz_fail(NZ_E_MEMORY, "an image could not be written as JPEG: %s", message);
    longjmp(e->escape, 1);
}

static void on_message(j_common_ptr common, int level) {
    (void)common;
    (void)level;
}

static nz_status encode(encoder *e, const nz_image *image, int quality) {
    if (setjmp(e->escape)) return e->status;
    jpeg_create_compress(&e->info);
    e->destination = (struct jpeg_destination_mgr){
        .init_destination = on_begin, .empty_output_buffer = on_full, .term_destination = on_end};
    e->info.dest = &e->destination;
    e->info.image_width = (JDIMENSION)image->width;
    e->info.image_height = (JDIMENSION)image->height;
    e->info.input_components = image->channels;
    e->info.in_color_space = image->channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&e->info);
    jpeg_set_quality(&e->info, quality, TRUE);
    e->info.optimize_coding = TRUE;
    jpeg_start_compress(&e->info, TRUE);
    size_t stride = (size_t)image->width * (size_t)image->channels;
    while (e->info.next_scanline < e->info.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(image->pixels + e->info.next_scanline * stride);
        jpeg_write_scanlines(&e->info, &row, 1);
    }
    jpeg_finish_compress(&e->info);
    return NZ_OK;
}

nz_status nz_jpeg_encode(uint8_t **ret_bytes, size_t *ret_count, const nz_image *image, int quality) {
    encoder *e = NULL;
    bool fits = image->width > 0 && image->height > 0 && image->width <= JPEG_MAX_DIMENSION &&
                image->height <= JPEG_MAX_DIMENSION;
    if ((image->channels != 1 && image->channels != 3) || image->planar || !fits)
        return nz_fail(NZ_E_ARG, "an image of %d x %d with %d channels cannot be written as JPEG", image->width,
                       image->height, image->channels);
    NZ_TRY(nz_alloc(&e, 1, sizeof *e));
    e->info.err = jpeg_std_error(&e->errors);
    e->info.client_data = e;
    e->errors.error_exit = on_error;
    e->errors.emit_message = on_message;
    nz_status status = encode(e, image, quality);
    jpeg_destroy_compress(&e->info);
    if (status == NZ_OK) {
        *ret_bytes = NZ_STEAL(e->bytes);
        *ret_count = e->count;
    }
    free(e->bytes);
    free(e);
    return status;
}
