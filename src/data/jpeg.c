/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG through libjpeg-turbo with the settings that Pillow uses: exact integer DCT, smooth chroma upsampling. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jerror.h>
#include <jpeglib.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/image.h"

enum {
    SCANS_MAX = 256,        /* of a progressive file: each costs a pass over all coefficients */
    PIXELS_PER_BYTE = 1024, /* Huffman coding needs a bit per 64 pixels at least */
    PIXELS_PER_BYTE_ARITHMETIC = 65536
};

/* All that must survive a longjmp lives here, not in locals. */
typedef struct decoder {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const char *name;
    nz_status status;
    nz_image image;
    uint8_t *pixels; /* of image */
    void *row;       /* one row of CMYK */
} decoder;

static void on_error(j_common_ptr common) {
    decoder *d = common->client_data;
    char message[JMSG_LENGTH_MAX];
    common->err->format_message(common, message);
    nz_status status = common->err->msg_code == JERR_OUT_OF_MEMORY ? NZ_E_MEMORY : NZ_E_FORMAT;
    d->status = nz_fail(status, "%s: broken JPEG: %s", d->name, message);
    longjmp(d->escape, 1);
}

/* Warnings are let pass, as Pillow does, but a file that ends too early is broken: libjpeg would fill the rest with gray. */
static void on_message(j_common_ptr common, int level) {
    decoder *d = common->client_data;
    if (level >= 0 || common->err->msg_code != JWRN_JPEG_EOF) return;
    d->status = nz_fail(NZ_E_FORMAT, "%s: broken JPEG: the file ends before the image does", d->name);
    longjmp(d->escape, 1);
}

static void on_progress(j_common_ptr common) {
    decoder *d = common->client_data;
    if (!common->is_decompressor || d->info.input_scan_number <= SCANS_MAX) return;
    d->status = nz_fail(NZ_E_FORMAT, "%s: broken JPEG: more than %d scans", d->name, SCANS_MAX);
    longjmp(d->escape, 1);
}

/* As Adobe stores it: 255 is no ink. @source Pillow's documentation of the CMYK;I raw mode */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, size_t width) {
    for (size_t x = 0; x < width; x++, rgb += 3, cmyk += 4)
        for (int c = 0; c < 3; c++) {
            unsigned ink = 255u - cmyk[c], light = cmyk[3], product = ink * light + 128u;
            unsigned shade = ((product >> 8) + product) >> 8;
            rgb[c] = (uint8_t)(light > shade ? light - shade : 0);
        }
}

static nz_status start(decoder *d, const uint8_t *bytes, size_t count) {
    jpeg_mem_src(&d->info, bytes, (unsigned long)count);
    jpeg_read_header(&d->info, TRUE);
    NZ_TRY(nz_image_check_size(d->name, d->info.image_width, d->info.image_height, count,
                               d->info.arith_code ? PIXELS_PER_BYTE_ARITHMETIC : PIXELS_PER_BYTE));
    int components = d->info.num_components;
    if (components != 1 && components != 3 && components != 4)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a JPEG of %d components; 1, 3 and 4 are read", d->name, components);
    d->info.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
    d->info.dct_method = JDCT_ISLOW;
    d->info.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&d->info);
    size_t width = d->info.output_width;
    if (components == 4) NZ_TRY(nz_alloc(&d->row, width, 4));
    return nz_image_init(&d->image, &d->pixels, (int)width, (int)d->info.output_height, 3);
}

static nz_status decode(decoder *d, const uint8_t *bytes, size_t count) {
    if (setjmp(d->escape)) return d->status;
    jpeg_create_decompress(&d->info);
    d->progress.progress_monitor = on_progress;
    d->info.progress = &d->progress;
    NZ_TRY(start(d, bytes, count));
    size_t width = d->info.output_width;
    while (d->info.output_scanline < d->info.output_height) {
        uint8_t *out = d->pixels + d->info.output_scanline * width * 3;
        JSAMPROW row = d->row ? d->row : out;
        if (jpeg_read_scanlines(&d->info, &row, 1) != 1)
            return nz_fail(NZ_E_FORMAT, "%s: broken JPEG: a row is missing", d->name);
        if (d->row) cmyk_to_rgb(out, d->row, width);
    }
    jpeg_finish_decompress(&d->info);
    return NZ_OK;
}

nz_status nz_jpeg_decode(nz_image *ret_image, const uint8_t *bytes, size_t count, const char *name) {
    decoder *d = NULL;
    NZ_TRY(nz_alloc(&d, 1, sizeof *d));
    d->name = name;
    d->info.err = jpeg_std_error(&d->errors);
    d->info.client_data = d;
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    nz_status status = decode(d, bytes, count);
    jpeg_destroy_decompress(&d->info);
    if (status == NZ_OK)
        *ret_image = d->image;
    else
        nz_image_done(&d->image);
    free(d->row);
    free(d);
    return status;
}
